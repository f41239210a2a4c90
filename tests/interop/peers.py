"""The peers, ours among them: clients that ask alike, and servers with the same resources where they can have them."""
import itertools
import json
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from support.process import SECONDS, Program, Serve, build, copal, copal_binary, environment
from support.udp import free_port

HERE = Path(__file__).parent
LARGE = b"0123456789" * 300
VARIANTS = ("notls", "openssl", "gnutls", "mbedtls", "tinydtls")
SMALL = 2  # the SZX of a server that wants small blocks


def program(name, variants):
    """Debian's libcoap programs carry the name of the security library they were built with."""
    for variant in variants:
        if found := shutil.which(f"{name}-{variant}") or shutil.which(name):
            return found
    raise FileNotFoundError(f"{name} is missing; Debian has it in libcoap3-bin")


def californium(program):
    """The command of one of the programs in the folder of that name; it says by itself only what went wrong."""
    folder = build() / "peers/californium"
    return ("/usr/bin/java", "-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
            f"{folder}:{folder}/lib/*", program)


@dataclass
class Ask:
    method: str
    uri: str
    payload: bytes = b""
    non: bool = False
    format: int = None
    accept: int = None
    etag: bytes = None
    if_match: bytes = None
    if_none_match: bool = False
    options: tuple = ()  # more of them: (number, octets)
    szx: int = None  # bodies go in blocks of 2^(szx + 4) octets


@dataclass
class Answer:
    code: str
    payload: bytes
    etag: bytes = None
    observe: int = None
    size2: int = None


class Observation:
    """What an observer hears. The reader of its client calls `hear` with an Answer, or an error."""

    def __init__(self):
        self.heard = []
        self._fresh = queue.Queue()

    def hear(self, answer):
        self._fresh.put(answer)

    def next(self):
        answer = self._fresh.get(timeout=SECONDS)
        assert isinstance(answer, Answer), answer
        self.heard.append(answer)
        return answer

    def until(self, condition):
        """The first answer for which it is true; the ones before may come or not, newer states take their place."""
        while not condition(answer := self.next()):
            pass
        return answer

    def nothing_more(self):
        return self._fresh.empty()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.cancel()


# ---- clients: ask(method, uri, ...), with the fields of Ask -> Answer; observe(uri, ...) -> Observation, with cancel()


class Client:
    knows_echo = False  # answers a challenge (RFC 9175 section 2.3) by itself
    pause = 0  # seconds between the changes of something large that it observes

    def ask(self, *words, **more):
        return self.answer(Ask(*words, **more))

    def close(self):
        pass


class Copal(Client):
    knows_echo = True
    BINARY = "copal"

    def __init__(self, *words):
        self._words = words

    def answer(self, ask):
        words = [*self._words, "-v", "--non"] if ask.non else [*self._words, "-v"]
        words += ["-f", "-"] if ask.payload else []
        words += ["-t", str(ask.format)] if ask.format is not None else []
        words += ["-a", str(ask.accept)] if ask.accept is not None else []
        words += ["--etag", "0x" + ask.etag.hex()] if ask.etag is not None else []
        words += ["--if-match", "0x" + ask.if_match.hex()] if ask.if_match is not None else []
        words += ["--if-none-match"] if ask.if_none_match else []
        words += ["--block-size", str(1 << ask.szx + 4)] if ask.szx is not None else []
        command = ["patch", "--idempotent"] if ask.method == "ipatch" else [ask.method]
        done = copal(*command, *words, ask.uri, input=ask.payload, binary=self.BINARY)
        answers = re.findall(r"^<- \S+ (?:ACK|CON|NON) (\d\.\d\d)(.*)$", done.stderr, re.MULTILINE)
        assert answers, done.stderr
        code, options = answers[-1]
        assert done.returncode == (0 if code[0] == "2" else 1), done.stderr
        etag, size2 = (re.search(pattern, options) for pattern in (r" ETag=0x([0-9a-f]*)", r" Size2=(\d+)"))
        return Answer(code, done.stdout, etag and bytes.fromhex(etag.group(1)), size2=size2 and int(size2.group(1)))

    def observe(self, uri):
        return CopalObservation(self.BINARY, "observe", *self._words, "--json", uri)

    def ping(self, uri):
        return copal("ping", uri).returncode == 0


class CopalObservation(Observation):
    def __init__(self, binary, *words):
        super().__init__()
        self._tool = Program(copal_binary(binary), *words)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                told = json.loads(self._tool.wait_for(r"^\{").string)
                payload = told.get("payload", "").encode() or bytes.fromhex(told.get("payload_hex", ""))
                self.hear(Answer(told["code"], payload, observe=told.get("observe")))
        except AssertionError as ended:
            self.hear(ended)

    def cancel(self):
        """Status 0 where it was told to end, 1 where the server ended the observation."""
        ended = self.heard and self.heard[-1].code[0] != "2"
        assert self._tool.end(signal.SIGINT) == (1 if ended else 0), self._tool.lines


class Libcoap(Client):
    knows_echo = True
    VARIANTS = VARIANTS

    def __init__(self, *words):
        self._command = [program("coap-client", self.VARIANTS), *words]

    @staticmethod
    def _words(ask, given):
        words = ["-N"] if ask.non else []
        words += ["-f", str(given)] if ask.payload else []
        words += ["-t", str(ask.format)] if ask.format is not None else []
        words += ["-A", str(ask.accept)] if ask.accept is not None else []
        words += ["-O", "4,0x" + ask.etag.hex()] if ask.etag is not None else []
        words += ["-O", "1,0x" + ask.if_match.hex()] if ask.if_match is not None else []
        words += ["-O", "5,"] if ask.if_none_match else []
        for number, value in ask.options:
            words += ["-O", f"{number},0x{value.hex()}" if value else f"{number},"]
        words += ["-b", str(1 << ask.szx + 4)] if ask.szx is not None else []
        return [*words, ask.uri]

    def _run(self, ask, *words):
        """The code and the options of each answer, what was written out, the log."""
        with tempfile.TemporaryDirectory() as folder:
            out, given = Path(folder, "out"), Path(folder, "in")
            given.write_bytes(ask.payload)
            done = subprocess.run([*self._command, "-v", "7", "-m", ask.method, "-o", str(out), *words,
                                   *self._words(ask, given)], capture_output=True, timeout=SECONDS, env=environment())
            log = (done.stdout + done.stderr).decode(errors="replace")
            body = out.read_bytes() if out.exists() else b""
        answers = re.findall(r"^v:1 t:(?:ACK|CON|NON) c:([2-5]\.\d\d) \S+ \S+ \[(.*?)\]", log, re.MULTILINE)
        return answers, body, log

    def tell(self, *words, **more):
        return self._run(Ask(*words, **more), "-B", "1")[0]

    def answer(self, ask):
        answers, body, log = self._run(ask)
        assert answers, log
        etag, size2 = (re.search(pattern, answers[-1][1]) for pattern in (r"ETag:0x([0-9a-f]+)", r"Size2:(\d+)"))
        return Answer(answers[-1][0], body, etag and bytes.fromhex(etag.group(1)), size2=size2 and int(size2.group(1)))

    def observe(self, uri, **more):
        return LibcoapObservation(self._command, self._words(Ask("get", uri, **more), None))


class LibcoapObservation(Observation):
    """A coap-client that logs what it receives, and writes each body on a line of its own."""

    NO_LOG = r"^(?!v:1 |<<|\w+ +\d+ [\d:.]+ [A-Z]+ )"

    def __init__(self, command, words):
        super().__init__()
        self._client = Program(*command, "-v", "7", "-w", "-L", "3", "-s", str(SECONDS), *words)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        observe = None
        try:
            while True:
                line = self._client.wait_for(r"^v:1 t:(CON|NON|ACK) c:2|process incoming").string
                if code := re.search(r"process incoming (\d\.\d\d) response", line):
                    payload = self._client.wait_for(self.NO_LOG).string if code.group(1)[0] == "2" else ""
                    self.hear(Answer(code.group(1), payload.encode(), observe=observe))
                elif seen := re.search(r"[\[ ]Observe:(\d+)", line):
                    observe = int(seen.group(1))
        except AssertionError as ended:
            self.hear(ended)

    def cancel(self):
        """It deregisters when it is interrupted."""
        self._client.end(signal.SIGINT)


class Lines(Client):
    """One process that asks everything, a JSON object a line: it takes long to start."""

    COMMAND = ()

    def __init__(self, *words):
        self._program = Program(*self.COMMAND, *words, stdin=subprocess.PIPE)
        self._program.wait_for("^ready$")
        self._ids, self._open, self._lock = itertools.count(1), {}, threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            while True:
                told = json.loads(self._program.wait_for(r"^\{.*\}$", threading.TIMEOUT_MAX).group(0))  # it may have nothing to do
                self._program.lines.clear()  # they may be megabytes
                with self._lock:
                    hear = self._open[told["id"]]
                hear(self._answer(told))
        except AssertionError as ended:
            with self._lock:
                for hear in self._open.values():
                    hear(ended)

    @staticmethod
    def _answer(told):
        if "error" in told:
            return AssertionError(told["error"])
        etag = told.get("etag")
        return Answer(told.get("code"), bytes.fromhex(told.get("payload", "")), etag and bytes.fromhex(etag),
                      told.get("observe"), told.get("size2"))

    def _write(self, hear, **line):
        with self._lock:
            line["id"] = next(self._ids)
            self._open[line["id"]] = hear
            self._program.process.stdin.write(json.dumps(line).encode() + b"\n")
            self._program.process.stdin.flush()
        return line["id"]

    def _send(self, hear, ask, observe):
        """Writes a request; its id. `hear` gets each answer."""
        hexed = {name: value.hex() for name, value in vars(ask).items() if isinstance(value, bytes)}
        options = [{"number": number, "value": value.hex()} for number, value in ask.options]
        return self._write(hear, **vars(ask) | hexed | {"options": options, "observe": observe})

    def _result(self, send):
        future = Future()
        number = send(future.set_result)
        answer = future.result(SECONDS)
        with self._lock:
            del self._open[number]
        assert isinstance(answer, Answer), answer
        return answer

    def tell(self, *words, **more):
        """Asks, and waits for nothing: the list that answers will come to."""
        heard = []
        self._send(heard.append, Ask(*words, **more), False)
        return heard

    def answer(self, ask):
        return self._result(lambda hear: self._send(hear, ask, False))

    def observe(self, uri, **more):
        observation = Observation()
        number = self._send(observation.hear, Ask("get", uri, **more), True)
        observation.cancel = lambda: self._result(lambda hear: self._write(hear, cancel=number))
        return observation

    def close(self):
        self._program.process.stdin.close()
        self._program.process.wait(SECONDS)
        self._reader.join()
        self._program.end()


class Aiocoap(Lines):
    COMMAND = (sys.executable, str(HERE / "aiocoap_client.py"))


class Californium(Lines):
    COMMAND = californium("CaliforniumClient")


class GoCoap(Lines):
    """To a confirmable notification in blocks it answers with an acknowledgement that holds a GET of the next block,
    which no server can take for one. So that ours has no reason to confirm, the last one must be more than 3 s ago."""

    COMMAND = (str(build() / "peers/go/client"),)
    pause = 3.5


class NodeCoap(Lines):
    COMMAND = ("node", str(build() / "peers/node/client.js"))


# ---- servers: uri, port, and where they have it: slow (URI of a resource that answers later), document (of one for
# FETCH), json (of one for PATCH), small() (of a server like it with blocks of 64 octets), restart(), posts() (how often
# POST on /count was executed)


class CopalServer:
    RESOURCES = ("test=21.5;ct=text;rt=sensor", "gone=x", "validate=state;etag;ct=text", "count=0;etag",
                 "brief=1;max-age=1;ct=text",
                 'json={"a":1,"b":2};ct=json;methods=get,patch,ipatch', f"large={LARGE.decode()};etag;ct=text")

    def __init__(self):
        self.port = 0
        self._start()
        self._later = Program(str(build("COPAL_ASAN_BUILD") / "examples/later"), "0")
        self.uri, self.port = self._server.uri, self._server.port
        slow_port = self._later.wait_for(r"listening on port (\d+)").group(1)
        self.slow = f"coap://127.0.0.1:{slow_port}/slow"
        self._small = OwnServer(1 << SMALL + 4)
        self.document, self.json = self._small.uri + "/document", self.uri + "/json"

    def _start(self):
        self._server = Serve("--dynamic", *(f"--resource={resource}" for resource in self.RESOURCES), port=self.port)

    def restart(self):
        assert self._server.end() == 0
        self._start()

    def small(self):
        return self._small.uri

    def posts(self):
        return int.from_bytes(Copal().ask("get", self.uri + "/count").etag, "big") - 1

    def close(self):
        self._later.end()
        self._small.close()
        assert self._server.end() == 0


class OwnServer:
    """server.c, for what the tool has no words for."""

    def __init__(self, *words):
        self._server = Program(str(build("COPAL_ASAN_BUILD") / "tests/interop/server"), *map(str, words))
        self.uri = "coap://127.0.0.1:" + self._server.wait_for(r"^listening on port (\d+)$").group(1)

    def close(self):
        self._server.end()


class LibcoapServer:
    VARIANTS = VARIANTS

    def __init__(self, address="127.0.0.1", port=None, words=()):
        self.port = port or free_port(address)
        self.uri = f"coap://{address}:{self.port}"
        self.slow = self.uri + "/async?1"
        self._server = Program(program("coap-server", self.VARIANTS), "-A", address, "-p", str(self.port), "-d", "100",
                               "-v", "7", *words)
        self._server.wait_for(r"created UDP  ?endpoint")
        client = Libcoap()
        for path, value in (("test", b"21.5"), ("gone", b"x"), ("large", LARGE), ("count", b"0")):
            assert client.ask("put", f"{self.uri}/{path}", value, format=0).code == "2.01"

    def close(self):
        self._server.end()


class Started:
    """A server of ours, made with another's library: COMMAND ADDRESS PORT."""

    COMMAND = ()

    def __init__(self, address="127.0.0.1", port=None, szx=None, words=()):
        self.port = port or free_port(address)
        self.uri = f"coap://{address}:{self.port}"
        self.slow, self.document = self.uri + "/slow", self.uri + "/document"
        self.json, self._small = self.document, None
        self._words = [address, str(self.port), *([] if szx is None else [str(szx)]), *words]
        self._start()

    def _start(self):
        self._server = Program(*self.COMMAND, *self._words)
        self._server.wait_for(r"^listening on")

    def restart(self):
        self._server.end()
        self._start()

    def small(self):
        if not self._small:
            self._small = type(self)(szx=SMALL)
        return self._small.uri

    def posts(self):
        return int(Copal().ask("get", self.uri + "/count").payload)

    def close(self):
        if self._small:
            self._small.close()
        self._server.end()


class AiocoapServer(Started):
    COMMAND = (sys.executable, str(HERE / "aiocoap_server.py"))


class CaliforniumServer(Started):
    COMMAND = californium("CaliforniumServer")


class GoCoapServer(Started):
    COMMAND = (str(build() / "peers/go/server"),)


class NodeCoapServer(Started):
    COMMAND = ("node", str(build() / "peers/node/server.js"))
