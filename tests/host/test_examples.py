"""The examples do what their first comment says."""
import socket
import subprocess
import threading
import time

import pytest

from support import coap
from support.coap import Message
from support.observed import Observed, error
from support.process import ROOT, SECONDS, Program, Serve, build, copal, environment
from support.udp import Answerer, free_port, piggyback

COAP_CLIENT = "coap-client-notls"  # Debian's libcoap3-bin


def example(name):
    """The example of the sanitized build where there is one."""
    sanitized = build("COPAL_ASAN_BUILD") / "examples" / name
    return str(sanitized if sanitized.exists() else build() / "examples" / name)


def run(*command):
    """Runs a program to its end: status, and standard output as text."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=environment())
    assert done.returncode >= 0 and done.returncode != 99, done.stderr
    return done.returncode, done.stdout.decode()


class Example(Program):
    """An example that serves on a free port."""

    def __init__(self, name, **more):
        super().__init__(example(name), "0", **more)
        self.port = int(self.wait_for(r"^listening on port (\d+)$").group(1))

    def uri(self, path, host="127.0.0.1"):
        return f"coap://{host}:{self.port}/{path}"


def ask(uri, *more):
    """libcoap's client: what it prints."""
    status, output = run(COAP_CLIENT, "-B", "30", *more, uri)
    assert status == 0
    return output.strip()


def test_upload(tmp_path):
    content = bytes(range(256)) * 10
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "dir").mkdir()
    with Serve("--dir", str(tmp_path / "dir"), "--write") as server:
        status, output = run(example("upload"), str(tmp_path / "file"), server.uri + "/copy")
        assert run(example("upload"), str(tmp_path / "file"), server.uri + "/none/copy")[0] == 1
    sizes = [f"{sent} of 2560 octets" for sent in (1024, 2048, 2560)]
    assert (status, output.splitlines()[:3], output.splitlines()[-1]) == (0, sizes, "2.01")
    assert (tmp_path / "dir" / "copy").read_bytes() == content
    assert run(example("upload"))[0] == 2
    assert run(example("upload"), str(tmp_path / "file"), f"coap://127.0.0.1:{free_port()}/a")[0] == 3


def test_message():
    assert run(example("message")) == (0, """27 octets, PUT, message ID 4711
Uri-Path: rooms
Uri-Path: kitchen
Content-Format: 50
payload: 21.5
""")


def test_uri():
    assert run(example("uri"), "coap://Example.net:61616/a%20b//c?d=1&e") == (0, """UDP to Example.net, port 61616
Uri-Host: "example.net"
Uri-Path: "a b"
Uri-Path: ""
Uri-Path: "c"
Uri-Query: "d=1"
Uri-Query: "e"
""")
    assert run(example("uri"), "coaps://[::1]")[1] == "DTLS to ::1, port 5684\n"
    assert run(example("uri"), "http://x/") == (2, "")


def test_links():
    document = '</t>;rt="heat sensor";ct=0,</fan>;rt=actuator'
    heat = "/t\n    rt = heat sensor\n    ct = 0\n"
    assert run(example("links"), document) == (0, heat + "/fan\n    rt = actuator\n")
    assert run(example("links"), document, "rt=heat") == (0, heat)
    assert run(example("links"), "</t>,x") == (1, "/t\n")


def test_patch():
    assert run(example("patch"), '{"rate": 1, "unit": "s"}', '{"rate": 5, "unit": null}') == (0, '{"rate":5}\n')
    assert run(example("patch"), "[1]", '[{"op": "add", "path": "/0", "value": 0}]') == (0, "[0,1]\n")
    assert run(example("patch"), "{}", "{") == (1, "")


def test_bare():
    assert run(example("bare")) == (0, "C: 14 octets\nS: 18 octets\nContent: 21.5\n")


def test_files(tmp_path):
    program = Program(example("files"), str(tmp_path), "0")
    with program:
        port = program.wait_for(r"^listening on port (\d+)$").group(1)
        ask(f"coap://127.0.0.1:{port}/files/note.txt", "-m", "put", "-e", "hello")
        assert program.wait_for("^PUT").string == "PUT note.txt by 127.0.0.1: 2.01"
        assert ask(f"coap://127.0.0.1:{port}/files/note.txt") == "hello"
    assert (tmp_path / "note.txt").read_text() == "hello"
    assert run(example("files")) == (2, "")


@pytest.mark.parametrize("command", [["upload", "no", "coap://127.0.0.1/a"], ["files", "no"]])
def test_what_cannot_be_opened_is_named(command):
    done = subprocess.run([example(command[0]), *command[1:]], capture_output=True, timeout=SECONDS, env=environment())
    assert (done.returncode, done.stderr) == (2, b"no: No such file or directory\n")


def test_server():
    with Example("server") as server:
        assert ask(server.uri("greeting")) == "hello"
        ask(server.uri("greeting", host="[::1]"), "-m", "put", "-e", "good morning")
        assert ask(server.uri("greeting")) == "good morning"
        # The C library's time() may be a tick behind the clock that Python reads.
        before = int(time.time())
        assert before - 1 <= int(ask(server.uri("time"))) <= int(time.time())
        assert ask(server.uri(".well-known/core")) == "</greeting>;ct=0;obs,</time>"


def test_server_says_that_its_port_is_taken():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        assert run(example("server"), str(holder.getsockname()[1])) == (1, "")


def test_get():
    with Example("server") as server:
        assert run(example("get"), server.uri("greeting")) == (0, "2.05 hello\n")
        assert run(example("get"), server.uri("missing")) == (1, "4.04 \n")
    assert run(example("get"), f"coap://127.0.0.1:{free_port()}/") == (3, "")


def test_async():
    """All are on their way before the first answer comes: no server answers before each of the three was asked. (To one
    server they go one after the other, RFC 7252 section 4.7.)"""
    asked = threading.Barrier(3, timeout=SECONDS)

    def answer(request):
        asked.wait()
        return piggyback(request, "2.05", payload=request.path().encode())

    with Answerer(answer) as a, Answerer(answer) as b, Answerer(answer) as c:
        uris = [f"{a.uri}/a", f"{b.uri}/b", f"{c.uri}/c"]
        status, output = run(example("async"), *uris, "http://x/")
    assert status == 0
    assert sorted(output.splitlines()) == sorted(
        [f"{uri}: 2.05 {uri[-1]}" for uri in uris] + ["http://x/: not a valid coap or coaps URI"])


@pytest.mark.parametrize("uris", [[], ["coap://127.0.0.1/"] * 17])
def test_async_says_how_it_is_used(uris):
    assert run(example("async"), *uris) == (2, "")


def test_secure_server_and_secure_get():
    with Example("secure_server") as server:
        uri = server.uri("greeting").replace("coap:", "coaps:")
        assert run(example("secure_get"), uri, "anna", "first") == (0, "2.05 hello\n")
        assert run(example("secure_get"), uri, "bert", "second") == (0, "2.05 hello\n")
        assert run(example("secure_get"), uri + "/missing", "anna", "first") == (1, "4.04 \n")
        assert copal("get", "--identity", "anna", "--psk", "first", uri).stdout == b"hello"
        assert copal("get", "--identity", "bert", "--psk", "first", "--timeout", "2", uri).returncode == 3
    assert run(example("secure_get"), f"coaps://127.0.0.1:{free_port()}/", "anna", "first") == (3, "")
    assert run(example("secure_get"), "coaps://127.0.0.1/", "anna", "") == (2, "")
    assert run(example("secure_get")) == (2, "")


def test_poll():
    with Example("poll", stdin=subprocess.PIPE) as program:
        assert ask(program.uri("line")) == ""
        for line in (b"one\n", b"two\n"):
            program.process.stdin.write(line)
            program.process.stdin.flush()
            deadline = time.monotonic() + SECONDS
            while ask(program.uri("line")) != line.decode().strip() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert ask(program.uri("line")) == line.decode().strip()
        program.process.stdin.close()
        program.process.stdin = None
        assert program.process.wait(SECONDS) == 0


def test_uv():
    with Example("uv") as server:
        shown = [int(line) for line in ask(server.uri("seconds"), "-s", "2", "-w").split()]
        assert len(shown) > 1 and shown == list(range(shown[0], shown[0] + len(shown)))
        assert server.end() == 0


def test_notify():
    """Libcoap's client shows what it is told within two seconds, in one line each (-w)."""
    with Example("notify") as server:
        shown = [int(line) for line in ask(server.uri("seconds"), "-s", "2", "-w").split()]
        assert len(shown) > 1 and shown == list(range(shown[0], shown[0] + len(shown)))
        assert float(ask(server.uri("load"), "-s", "1", "-w").split()[0]) >= 0
        assert ask(server.uri(".well-known/core")) == "</seconds>;ct=0;obs,</load>;obs"


def test_later():
    with Example("later") as server:
        assert ask(server.uri("slow")) == "that took a while"
        assert ask(server.uri("slow"), "-N") == "that took a while"


def test_later_is_acknowledged_at_once():
    with Example("later") as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        client.connect(("127.0.0.1", server.port))
        client.send(coap.encode(Message(coap.CON, coap.GET, 7, b"t", [(coap.URI_PATH, b"slow")])))
        acknowledgement, answer = (coap.decode(client.recv(2048)) for _ in range(2))
        assert (acknowledgement.type, acknowledgement.code, acknowledgement.mid) == (coap.ACK, 0, 7)
        assert (answer.type, answer.code, answer.token) == (coap.CON, coap.code("2.05"), b"t")
        assert answer.payload == b"that took a while"
        client.send(coap.encode(Message(coap.ACK, 0, answer.mid)))


def test_observe():
    with Observed(b"20", b"21", error("4.04", b"gone")) as server:
        assert run(example("observe"), server.uri + "/t") == (1, "2.05 20\n2.05 21\n4.04 gone\n")
    assert run(example("observe"), f"coap://127.0.0.1:{free_port()}/") == (3, "")
    assert run(example("observe"), "http://x/") == (2, "")


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.c")))
def test_every_example_can_be_run_as_its_comment_says(name):
    first = (ROOT / f"examples/{name}.c").read_text().split("*/")[0]
    assert f"$ build/examples/{name}" in first
