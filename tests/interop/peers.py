"""The peers, ours among them: clients that ask alike, and servers with the same resources where they can have them."""
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from support.process import SECONDS, Program, Serve, build, copal, environment
from support.udp import free_port

HERE = Path(__file__).parent
LARGE = b"0123456789" * 300


def program(name):
    """Debian's libcoap programs carry the name of the security library they were built with."""
    for variant in ("notls", "openssl", "gnutls", "mbedtls", "tinydtls"):
        if found := shutil.which(f"{name}-{variant}") or shutil.which(name):
            return found
    raise FileNotFoundError(f"{name} is missing; Debian has it in libcoap3-bin")


def californium(program):
    """The command of one of the programs in the folder of that name; it says by itself only what went wrong."""
    folder = build() / "peers/californium"
    return ("/usr/bin/java", "-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
            f"{folder}:{folder}/lib/*", program)


@dataclass
class Answer:
    code: str
    payload: bytes
    etag: bytes = None


# ---- clients: ask(method, uri, payload=, non=, format=, accept=, etag=, if_match=, if_none_match=) -> Answer


class Copal:
    def ask(self, method, uri, payload=b"", non=False, format=None, accept=None, etag=None, if_match=None,
            if_none_match=False):
        words = ["-v", "--non"] if non else ["-v"]
        words += ["-f", "-"] if payload else []
        words += ["-t", str(format)] if format is not None else []
        words += ["-a", str(accept)] if accept is not None else []
        words += ["--etag", "0x" + etag.hex()] if etag is not None else []
        words += ["--if-match", "0x" + if_match.hex()] if if_match is not None else []
        words += ["--if-none-match"] if if_none_match else []
        done = copal(method, *words, uri, input=payload)
        answers = re.findall(r"^<- \S+ (?:ACK|CON|NON) (\d\.\d\d)(.*)$", done.stderr, re.MULTILINE)
        assert answers, done.stderr
        code, options = answers[-1]
        assert done.returncode == (0 if code[0] == "2" else 1)
        seen = re.search(r" ETag=0x([0-9a-f]*)", options)
        return Answer(code, done.stdout, bytes.fromhex(seen.group(1)) if seen else None)

    def ping(self, uri):
        return copal("ping", uri).returncode == 0

    def close(self):
        pass


class Libcoap:
    def ask(self, method, uri, payload=b"", non=False, format=None, accept=None, etag=None, if_match=None,
            if_none_match=False):
        with tempfile.TemporaryDirectory() as folder:
            out, given = Path(folder, "out"), Path(folder, "in")
            given.write_bytes(payload)
            words = ["-N"] if non else []
            words += ["-f", str(given)] if payload else []
            words += ["-t", str(format)] if format is not None else []
            words += ["-A", str(accept)] if accept is not None else []
            words += ["-O", "4,0x" + etag.hex()] if etag is not None else []
            words += ["-O", "1,0x" + if_match.hex()] if if_match is not None else []
            words += ["-O", "5,"] if if_none_match else []
            done = subprocess.run([program("coap-client"), "-v", "7", "-m", method, "-o", str(out), *words, uri],
                                  capture_output=True, timeout=SECONDS, env=environment())
            log = (done.stdout + done.stderr).decode(errors="replace")
            body = out.read_bytes() if out.exists() else b""
        answers = re.findall(r"^v:1 t:(?:ACK|CON|NON) c:([2-5]\.\d\d) \S+ \S+ \[(.*?)\]", log, re.MULTILINE)
        assert answers, log
        seen = re.search(r"ETag:0x([0-9a-f]+)", answers[-1][1])
        return Answer(answers[-1][0], body, bytes.fromhex(seen.group(1)) if seen else None)

    def close(self):
        pass


class Lines:
    """One process that asks everything, a JSON object a line: it takes long to start."""

    COMMAND = ()

    def __init__(self):
        self._program = Program(*self.COMMAND, stdin=subprocess.PIPE)
        self._program.wait_for("^ready$")
        self._open, self._lock = {}, threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            while True:
                told = json.loads(self._program.wait_for(r"^\{.*\}$").group(0))
                with self._lock:
                    self._open.pop(told["id"]).set_result(told)
        except AssertionError as ended:
            with self._lock:
                for future in self._open.values():
                    future.set_exception(ended)

    def ask(self, method, uri, payload=b"", non=False, format=None, accept=None, etag=None, if_match=None,
            if_none_match=False):
        future = Future()
        ask = dict(method=method, uri=uri, payload=payload.hex(), non=non, format=format, accept=accept,
                   etag=None if etag is None else etag.hex(), if_match=None if if_match is None else if_match.hex(),
                   if_none_match=if_none_match, id=id(future))
        with self._lock:
            self._open[id(future)] = future
            self._program.process.stdin.write(json.dumps(ask).encode() + b"\n")
            self._program.process.stdin.flush()
        told = future.result(SECONDS)
        assert "error" not in told, told
        return Answer(told["code"], bytes.fromhex(told["payload"]), told["etag"] and bytes.fromhex(told["etag"]))

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
    COMMAND = (str(build() / "peers/go/client"),)


# ---- servers: uri, port, slow (URI of a resource that answers later), posts() (how often POST on /count was executed)


class CopalServer:
    def __init__(self):
        resources = ("test=21.5;ct=text;rt=sensor", "gone=x", "validate=state;etag;ct=text", "count=0;etag",
                     f"large={LARGE.decode()};etag;ct=text")
        self._server = Serve("--dynamic", *(f"--resource={resource}" for resource in resources))
        self._later = Program(str(build("COPAL_ASAN_BUILD") / "examples/later"), "0")
        self.uri, self.port = self._server.uri, self._server.port
        slow_port = self._later.wait_for(r"listening on port (\d+)").group(1)
        self.slow = f"coap://127.0.0.1:{slow_port}/slow"

    def posts(self):
        return int.from_bytes(Copal().ask("get", self.uri + "/count").etag, "big") - 1

    def close(self):
        self._later.end()
        assert self._server.end() == 0


class LibcoapServer:
    def __init__(self, address="127.0.0.1", port=None):
        self.port = port or free_port(address)
        self.uri = f"coap://{address}:{self.port}"
        self.slow = self.uri + "/async?1"
        self._server = Program(program("coap-server"), "-A", address, "-p", str(self.port), "-d", "100", "-v", "7")
        self._server.wait_for(r"created UDP  ?endpoint")
        client = Libcoap()
        for path, value in (("test", b"21.5"), ("gone", b"x"), ("large", LARGE), ("count", b"0")):
            assert client.ask("put", f"{self.uri}/{path}", value, format=0).code == "2.01"

    def close(self):
        self._server.end()


class Started:
    """A server of ours, made with another's library: COMMAND ADDRESS PORT."""

    COMMAND = ()

    def __init__(self, address="127.0.0.1", port=None):
        self.port = port or free_port(address)
        self.uri = f"coap://{address}:{self.port}"
        self.slow = self.uri + "/slow"
        self._server = Program(*self.COMMAND, address, str(self.port))
        self._server.wait_for(r"^listening on")

    def posts(self):
        return int(Copal().ask("get", self.uri + "/count").payload)

    def close(self):
        self._server.end()


class AiocoapServer(Started):
    COMMAND = (sys.executable, str(HERE / "aiocoap_server.py"))


class CaliforniumServer(Started):
    COMMAND = californium("CaliforniumServer")


class GoCoapServer(Started):
    COMMAND = (str(build() / "peers/go/server"),)
