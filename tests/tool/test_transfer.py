"""copal get -o, put -f, fetch, patch: bodies of any size, in either direction."""
import os
import random
import signal
import subprocess
import threading

import pytest

from support import coap
from support.coap import uint
from support.process import SECONDS, Serve, copal, copal_binary, environment, until
from support.terminal import copal_on_terminal
from support.udp import Answerer, free_port, piggyback

SIZE2, SIZE1 = 28, 60
LARGE = random.Random(7).randbytes(300_001)


def block(number, more, exponent):
    return uint(number << 4 | more << 3 | exponent)


def number_of(request, option):
    """The number, more bit and size exponent of a block option; None where there is none."""
    values = request.all(option)
    value = int.from_bytes(values[0], "big") if values else None
    return None if value is None else (value >> 4, value >> 3 & 1, value & 7)


class Body:
    """An `answer` for Answerer: serves `content` in blocks under `etag`; the request number `at` is given `instead`."""

    def __init__(self, content, etag=b"\1", size2=True):
        self.content, self.etag, self.size2 = content, etag, size2
        self.at, self.instead, self.count, self.asked = None, None, 0, []

    def __call__(self, request):
        self.count += 1
        number, _, exponent = number_of(request, coap.BLOCK2) or (0, 0, 6)
        self.asked.append((number, exponent) if request.all(coap.BLOCK2) else None)
        if self.at is not None and self.count >= self.at:
            return self.instead(request)
        start = number << exponent + 4
        end = start + (16 << exponent)
        options = [(coap.BLOCK2, block(number, end < len(self.content), exponent))]
        if self.etag:
            options.append((coap.ETAG, self.etag))
        if self.size2:
            options.append((SIZE2, uint(len(self.content))))
        return piggyback(request, "2.05", *options, payload=self.content[start:end])


def nothing(request):
    return None


# ---- download


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 300_001])
def test_a_body_is_written_to_the_file_and_nothing_is_left_beside_it(tmp_path, size):
    with Answerer(Body(LARGE[:size])) as server:
        done = copal("get", "-o", str(tmp_path / "file"), server.uri + "/a")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", "2.05 Content\n")
    assert (tmp_path / "file").read_bytes() == LARGE[:size]
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("size", [16, 64, 1024])
def test_blocks_are_asked_for_in_the_size_that_is_wanted(tmp_path, size):
    body = Body(LARGE[:5000])
    with Answerer(body) as server:
        assert copal("get", "-o", str(tmp_path / "file"), "--block-size", str(size), server.uri).returncode == 0
    assert (tmp_path / "file").read_bytes() == LARGE[:5000]
    assert body.asked == [(i, size.bit_length() - 5) for i in range(-(-5000 // size))]


def test_a_dash_is_standard_output():
    with Answerer(Body(LARGE)) as server:
        assert copal("get", "-o", "-", server.uri).stdout == LARGE


def test_what_is_no_regular_file_is_written_to_directly(tmp_path):
    with Answerer(Body(LARGE)) as server:
        assert copal("get", "-o", "/dev/null", server.uri).returncode == 0
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        read = []
        reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
        reader.start()
        assert copal("get", "-o", str(fifo), server.uri).returncode == 0
        reader.join()
    assert read == [LARGE]
    assert not os.path.exists("/dev/null.part")


def test_an_error_touches_no_file(tmp_path):
    (tmp_path / "file").write_text("old")
    with Answerer(lambda request: piggyback(request, "4.04", payload=b"no such thing")) as server:
        done = copal("get", "-o", str(tmp_path / "file"), server.uri)
    assert (done.returncode, done.stderr) == (1, "4.04 Not Found: no such thing\n")
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_that_cannot_be_opened_or_written_is_named(tmp_path):
    with Answerer(Body(LARGE)) as server:
        done = copal("get", "-o", str(tmp_path / "none" / "file"), server.uri)
        assert (done.returncode, done.stderr) == (2, f"copal: {tmp_path}/none/file.part: No such file or directory\n")
        done = copal("get", "-o", str(tmp_path), server.uri)
        assert (done.returncode, done.stderr) == (2, f"copal: {tmp_path}: Is a directory\n")
        done = copal("get", "-o", "/dev/full", server.uri)
        assert (done.returncode, done.stderr) == (1, "copal: /dev/full: No space left on device\n")


def test_a_state_that_changed_half_way_is_written_anew(tmp_path):
    body = Body(LARGE)
    other = Body(LARGE[::-1], etag=b"\2")
    body.at, body.instead = 100, other
    with Answerer(body) as server:
        assert copal("get", "-o", str(tmp_path / "file"), server.uri).returncode == 0
    assert (tmp_path / "file").read_bytes() == LARGE[::-1]
    assert os.listdir(tmp_path) == ["file"]


def test_a_state_that_changed_half_way_on_standard_output_is_an_error():
    body = Body(LARGE)
    body.at, body.instead = 100, Body(LARGE[::-1], etag=b"\2")
    with Answerer(body) as server:
        done = copal("get", "-o", "-", server.uri)
    assert done.returncode == 3
    assert "ask again" in done.stderr


def test_more_blocks_than_there_are_message_ids_take_no_time_out(tmp_path):
    (tmp_path / "large").write_bytes(LARGE * 4)
    with Serve("--dir", str(tmp_path)) as server:
        done = copal("get", "-o", str(tmp_path / "file"), "--block-size", "16", server.uri + "/large")
    assert (done.returncode, done.stderr) == (0, "2.05 Content\n")
    assert (tmp_path / "file").read_bytes() == LARGE * 4


# ---- interrupted, and continued


def interrupted(tmp_path, body, *options, at=100):
    """A download of which no more than `at` - 1 blocks came when it was interrupted; its server, and what was said."""
    body.at, body.instead = at, nothing
    server = Answerer(body)
    with server:
        command = [copal_binary(), "get", "-o", str(tmp_path / "file"), *options, server.uri + "/a"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment())
        until(lambda: body.count >= at)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=SECONDS)[1].decode()
        assert process.returncode == -signal.SIGINT
    return server.port, errors


class Again(Answerer):
    """An Answerer on a port that another one had."""

    def __init__(self, answer, port):
        super().__init__(answer)
        self._socket.close()
        import socket
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self.port, self.uri = port, f"coap://127.0.0.1:{port}"


def test_what_came_stays_and_is_continued(tmp_path):
    body = Body(LARGE)
    port, errors = interrupted(tmp_path, body)
    assert errors == (f"\ncopal: {tmp_path}/file.part keeps what came; the same command with --continue goes on from "
                      "there\n")
    assert (tmp_path / "file.part").read_bytes() == LARGE[:99 * 1024]
    assert (tmp_path / "file.part.etag").read_text() == f"0x01 coap://127.0.0.1:{port}/a\n"
    rest = Body(LARGE)
    with Again(rest, port) as server:
        done = copal("get", "-o", str(tmp_path / "file"), "--continue", server.uri + "/a")
    assert (done.returncode, done.stderr) == (0, "2.05 Content\n")
    assert (tmp_path / "file").read_bytes() == LARGE
    assert os.listdir(tmp_path) == ["file"]
    assert rest.asked[0] == (99, 6) and rest.count == 293 - 99


def test_another_state_begins_anew_and_says_so(tmp_path):
    port, _ = interrupted(tmp_path, Body(LARGE))
    with Again(Body(LARGE[::-1], etag=b"\2"), port) as server:
        done = copal("get", "-o", str(tmp_path / "file"), "--continue", server.uri + "/a")
    assert done.returncode == 0
    assert "another state" in done.stderr
    assert (tmp_path / "file").read_bytes() == LARGE[::-1]


@pytest.mark.parametrize("what", ["no etag", "other uri", "no part"])
def test_what_cannot_be_continued_begins_anew_and_says_so(tmp_path, what):
    port, errors = interrupted(tmp_path, Body(LARGE, etag=None if what == "no etag" else b"\1"))
    if what == "no etag":
        assert "cannot be continued" in errors
        assert sorted(os.listdir(tmp_path)) == ["file.part"]
    if what == "no part":
        os.remove(tmp_path / "file.part")
    body = Body(LARGE)
    with Again(body, port) as server:
        path = "/b" if what == "other uri" else "/a"
        done = copal("get", "-o", str(tmp_path / "file"), "--continue", server.uri + path)
    assert done.returncode == 0
    assert "from the start" in done.stderr
    assert body.asked[0] is None
    assert (tmp_path / "file").read_bytes() == LARGE


@pytest.mark.parametrize("options", [[], ["--continue"]])
def test_a_file_that_another_run_is_writing_is_left_alone(tmp_path, options):
    body = Body(LARGE)
    body.at, body.instead = 50, nothing
    command = ["get", "-o", str(tmp_path / "file")]
    with Answerer(body) as slow, Answerer(Body(LARGE[::-1])) as server:
        first = subprocess.Popen([copal_binary(), *command, slow.uri], stderr=subprocess.DEVNULL, env=environment())
        until(lambda: body.count >= 50)
        second = copal(*command, *options, server.uri)
        first.send_signal(signal.SIGINT)
        first.wait(SECONDS)
    assert second.returncode == 1
    assert second.stderr.endswith("file.part: another get writes it\n")
    assert (tmp_path / "file.part").read_bytes() == LARGE[:49 * 1024]
    assert (tmp_path / "file.part.etag").read_text() == f"0x01 {slow.uri}\n"


def test_a_server_that_falls_silent_leaves_what_came(tmp_path):
    body = Body(LARGE)
    body.at, body.instead = 50, nothing
    with Answerer(body) as server:
        done = copal("get", "-o", str(tmp_path / "file"), "--timeout", "3", server.uri)
    assert done.returncode == 3
    assert "no answer in time" in done.stderr and "--continue" in done.stderr
    assert (tmp_path / "file.part").read_bytes() == LARGE[:49 * 1024]


# ---- upload


class Collector:
    """An `answer` for Answerer: takes uploads in blocks, and answers the last with `code` and `payload`."""

    def __init__(self, code="2.04", exponent=6):
        self.code, self.exponent, self.body, self.requests = code, exponent, b"", []

    def __call__(self, request):
        self.requests.append(request)
        number, more, exponent = number_of(request, coap.BLOCK1) or (0, 0, 6)
        start = number << exponent + 4
        if start != len(self.body):
            return piggyback(request, "4.08")
        self.body += request.payload
        options = [(coap.BLOCK1, block(number, more, min(exponent, self.exponent)))] if request.all(coap.BLOCK1) else []
        return piggyback(request, "2.31" if more else self.code, *options)


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 300_001])
@pytest.mark.parametrize("way", ["file", "pipe", "redirected"])
@pytest.mark.parametrize("method", ["put", "post"])
def test_a_file_of_any_size_is_sent(tmp_path, size, way, method):
    file, server_side = tmp_path / "file", Collector()
    file.write_bytes(LARGE[:size])
    with Answerer(server_side) as server:
        if way == "redirected":
            with file.open("rb") as stream:
                done = subprocess.run([copal_binary(), method, server.uri, "-f", "-"], stdin=stream, env=environment())
        else:
            name = str(file) if way == "file" else "-"
            done = copal(method, server.uri, "-f", name, input=LARGE[:size] if way == "pipe" else None)
    assert done.returncode == 0
    assert server_side.body == LARGE[:size]
    sizes = [value for request in server_side.requests for value in request.all(SIZE1)]
    assert sizes == ([uint(size)] if size > 1024 else [])


def test_the_server_s_block_size_and_the_one_that_is_wanted_count():
    server_side = Collector(exponent=2)
    with Answerer(server_side) as server:
        assert copal("put", server.uri, "-f", "-", "--block-size", "256", input=LARGE[:1000]).returncode == 0
    assert [len(request.payload) for request in server_side.requests] == [256] + [64] * 11 + [40]
    assert server_side.body == LARGE[:1000]


def test_a_file_over_what_blocks_can_carry_is_refused_before_anything_is_sent(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.truncate((1 << 24) + 1)
    done = copal("put", "coap://127.0.0.1/a", "-f", str(tmp_path / "file"), "--block-size", "16")
    assert done.returncode == 2
    assert "has 16777217 octets; in blocks of 16 at most 16777216 can be sent" in done.stderr


def test_a_file_that_is_cut_while_it_is_sent_is_an_error(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(LARGE)

    def answer(request):
        file.write_bytes(b"")
        return piggyback(request, "2.31", (coap.BLOCK1, request.all(coap.BLOCK1)[0]))

    with Answerer(answer) as server:
        done = copal("put", server.uri, "-f", str(file))
    assert done.returncode == 1
    assert f"copal: {file}: became shorter while it was sent" in done.stderr


@pytest.mark.parametrize("code, options, words", [
    ("4.08", (), "lost blocks"),
    ("4.13", (), "2000 octets, which is more than the server takes"),
    ("4.13", ((SIZE1, uint(1500)),), "2000 octets, and the server takes at most 1500"),
])
def test_a_refusal_of_blocks_is_explained(code, options, words):
    def answer(request):
        number = number_of(request, coap.BLOCK1)
        if code == "4.08" and number[0] == 0:
            return piggyback(request, "2.31", (coap.BLOCK1, request.all(coap.BLOCK1)[0]))
        return piggyback(request, code, *options)

    with Answerer(answer) as server:
        done = copal("put", server.uri, "x" * 2000)
    assert done.returncode == 1
    assert done.stderr.startswith(code) and words in done.stderr


def test_a_large_file_goes_there_and_back(tmp_path):
    (tmp_path / "source").write_bytes(LARGE)
    (tmp_path / "dir").mkdir()
    with Serve("--dir", str(tmp_path / "dir"), "--write") as server:
        uri = server.uri + "/firmware.bin"
        assert copal("put", uri, "-f", str(tmp_path / "source")).stderr == "2.01 Created\n"
        assert (tmp_path / "dir" / "firmware.bin").read_bytes() == LARGE
        assert copal("get", uri, "-o", str(tmp_path / "copy")).returncode == 0
    assert (tmp_path / "copy").read_bytes() == LARGE


# ---- fetch, patch


@pytest.mark.parametrize("arguments, code, payload", [
    (["fetch", "-t", "json", "[1]"], 5, b"[1]"), (["fetch"], 5, b""),
    (["patch", "-t", "52", "{}"], 6, b"{}"), (["patch", "-t", "merge-patch+json", "{}"], 6, b"{}"),
    (["patch", "-t", "51", "--idempotent", "[]"], 7, b"[]"),
])
def test_fetch_and_patch_are_requests_of_their_own(arguments, code, payload):
    command, *more = arguments
    operand = [more.pop()] if more and not more[-1].startswith("-") else []
    with Answerer(lambda request: piggyback(request, "2.05", payload=b"got")) as server:
        done = copal(command, *more, server.uri + "/a", *operand)
    assert (done.returncode, done.stdout) == (0, b"got")
    assert (server.messages[0].code, server.messages[0].payload) == (code, payload)


def test_a_fetch_repeats_its_payload_for_each_block(tmp_path):
    with Answerer(Body(LARGE[:5000])) as server:
        assert copal("fetch", server.uri, "what", "-o", str(tmp_path / "file")).returncode == 0
    assert (tmp_path / "file").read_bytes() == LARGE[:5000]
    assert {request.payload for request in server.messages} == {b"what"}


def test_what_cannot_be_asked_says_what_to_do():
    uri = f"coap://127.0.0.1:{free_port()}"
    for arguments, hint in [
            (["patch", uri, "{}"], "say by -t what kind of patch it is"),
            (["patch", uri, "-t", "52"], "a payload is missing"),
            (["get", uri, "--continue"], "--continue needs the name of the file"),
            (["get", uri, "--continue", "-o", "-"], "--continue needs the name of the file"),
            (["get", uri, "--continue", "-o", "f", "--etag", "x"], "--etag has no place"),
            (["get", uri, "--block-size", "48"], "16, 32, 64, 128, 256, 512 or 1024"),
            (["get", uri, "--block-size", "2048"], "16, 32, 64, 128, 256, 512 or 1024")]:
        done = copal(*arguments)
        assert (done.returncode, done.stdout) == (2, b""), arguments
        assert hint in done.stderr


# ---- progress


def slowly(answer):
    """The same, but every hundredth takes its time."""
    def wait(request):
        if answer.count % 100 == 50:
            threading.Event().wait(0.15)
        return answer(request)
    return wait


@pytest.mark.parametrize("size2", [True, False])
def test_a_terminal_has_a_progress_bar(tmp_path, size2):
    with Answerer(slowly(Body(LARGE, size2=size2))) as server:
        status, _, errors = copal_on_terminal("get", "-o", str(tmp_path / "file"), server.uri)
    assert status == 0
    bars = [bar for bar in errors.split("\r") if "/s" in bar]
    assert len(bars) >= 2
    assert "293.0 KiB" in bars[-1]
    assert ("100 % [########################]" in bars[-1]) == size2


def test_an_upload_has_one_too(tmp_path):
    (tmp_path / "file").write_bytes(LARGE)
    server_side = Collector()
    server_side.count = 0

    def answer(request):
        server_side.count += 1
        threading.Event().wait(0.15 if server_side.count % 100 == 50 else 0)
        return server_side(request)

    with Answerer(answer) as server:
        status, _, errors = copal_on_terminal("put", server.uri, "-f", str(tmp_path / "file"))
    assert status == 0
    assert "100 % [########################] 293.0 KiB of 293.0 KiB, " in errors


@pytest.mark.parametrize("quiet, streams", [("-q", ("stdout", "stderr")), ("-v", ("stdout", "stderr")), (None, ("stdout",))])
def test_without_a_terminal_or_when_quiet_there_is_none(tmp_path, quiet, streams):
    options = [quiet] if quiet else []
    with Answerer(slowly(Body(LARGE))) as server:
        status, _, errors = copal_on_terminal("get", "-o", str(tmp_path / "file"), *options, server.uri, streams=streams)
    assert status == 0
    assert "/s" not in errors and "[#" not in errors
