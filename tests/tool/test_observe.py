"""copal observe: a line for each state, until the server or somebody else ends it."""
import contextlib
import json
import re
import signal
import socket
import subprocess

import pytest

from support import coap
from support.coap import Message, uint
from support.observed import DEREGISTER, OBSERVE, Observed, error, notification
from support.process import SECONDS, Program, Serve, copal, copal_binary, environment, until
from support.udp import Answerer, free_port, piggyback


def observe(server, *arguments, path="/t"):
    return copal("observe", *arguments, server.uri + path)


# ---- what is printed


def test_each_state_is_a_line_and_n_of_them_are_enough():
    with Observed(b"20.5", b"21", b"", b"22\n", b"23") as server:
        done = observe(server, "--count", "4")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"20.5\n21\n\n22\n", "")
        registration, deregistration = server.messages[0], server.deregistered[0]
        assert registration.type == coap.CON and registration.code == coap.GET
        assert registration.options == [OBSERVE, (coap.URI_PATH, b"t")]
        assert deregistration.token == registration.token
        assert deregistration.options == [DEREGISTER, (coap.URI_PATH, b"t")]


def test_a_confirmable_notification_is_acknowledged():
    with Observed(b"1", lambda request: notification(request, 7, b"2", kind=coap.CON)) as server:
        assert observe(server, "-c", "2").stdout == b"1\n2\n"
        assert until(lambda: [m for m in server.messages if (m.type, m.code, m.mid) == (coap.ACK, 0, 7)])


def test_what_was_sent_earlier_is_not_printed():
    late = [lambda request: notification(request, 5, b"new"), lambda request: notification(request, 4, b"old"),
            lambda request: notification(request, 6, b"last")]
    with Observed(b"first", *late) as server:
        assert observe(server, "-c", "3").stdout == b"first\nnew\nlast\n"


@pytest.mark.parametrize("payload, format, line", [
    (b"caf\xc3\xa9\ttwo\nlines\r\n", None, b"caf\xc3\xa9\\x09two\\x0alines\\x0d\n"),
    (b"\x1b[2J", None, b"0x1b5b324a\n"),
    (b"\x1b[2J", 0, b"0x1b5b324a\n"),
    (b'{"a":1}', 50, b'{"a":1}\n'),
    (b"\xa1aa\x01", 60, b"0xa1616101\n"),
    (b"a", 60, b"0x61\n"),
    (b"a", 65000, b"a\n"),
    (b"\xff\x00", None, b"0xff00\n"),
])
def test_text_stays_in_its_line_and_the_rest_is_hexadecimal(payload, format, line):
    options = [] if format is None else [(coap.CONTENT_FORMAT, uint(format))]
    with Observed(lambda request: piggyback(request, "2.05", OBSERVE, *options, payload=payload)) as server:
        assert observe(server, "-c", "1").stdout == line


def test_the_time_stands_before_a_line_where_it_is_wanted():
    with Observed(b"1", b"2") as server:
        lines = observe(server, "-c", "2", "--time").stdout.decode().splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  ", "T ", line) for line in lines] == ["T 1", "T 2"]


def test_json_is_an_object_a_line():
    states = [lambda request: piggyback(request, "2.05", OBSERVE, (coap.CONTENT_FORMAT, b""), payload=b'a"/\n\xc3\xa9'),
              lambda request: notification(request, 70000, b"\xff\x01"),
              error("4.04", b"gone")]
    with Observed(*states) as server:
        done = observe(server, "--json")
    objects = [json.loads(line) for line in done.stdout.decode().splitlines()]
    for each in objects:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each.pop("time"))
    assert objects == [{"code": "2.05", "observe": 0, "content_format": 0, "payload": 'a"/\né'},
                       {"code": "2.05", "observe": 70000, "payload_hex": "ff01"},
                       {"code": "4.04", "payload": "gone"}]
    assert (done.returncode, done.stderr) == (1, "4.04 Not Found: gone\n")


def test_a_state_is_seen_at_once_by_who_reads():
    with Observed(b"1") as server, Program(copal_binary(), "observe", server.uri + "/t") as program:
        program.wait_for("^1$")
        assert program.end() == 0


def test_a_state_that_comes_in_blocks_is_one_line():
    def state(request):
        number = int.from_bytes(b"".join(request.all(coap.BLOCK2)), "big") >> 4
        options = [(coap.BLOCK2, uint(number << 4 | (8 if number < 2 else 0))), (coap.ETAG, b"e")]
        payload = b"0123456789abcdef" if number < 2 else b"end"
        return piggyback(request, "2.05", *([] if number else [OBSERVE]), *options, payload=payload)

    with Observed(state) as server:
        assert observe(server, "-c", "1").stdout == b"0123456789abcdef" * 2 + b"end\n"


# ---- with copal serve


def test_what_our_server_serves_is_told_until_it_is_deleted():
    with Serve("--resource", "t=20") as server, Program(copal_binary(), "observe", server.uri + "/t") as program:
        program.wait_for("^20$")
        for value in ("21", "22"):
            assert copal("put", server.uri + "/t", value).returncode == 0
            program.wait_for(f"^{value}$")
        assert copal("delete", server.uri + "/t").returncode == 0
        program.wait_for("^4.04 Not Found")
        assert program.process.wait(SECONDS) == 1


def test_large_values_of_our_server_come_whole():
    with Serve("--resource", "t=small") as server, Program(copal_binary(), "observe", server.uri + "/t") as program:
        program.wait_for("^small$")
        for letter in ("a", "b"):
            assert copal("put", server.uri + "/t", "-f", "-", input=letter.encode() * 5000).returncode == 0
            program.wait_for(f"^{letter}{{5000}}$")


# ---- what is asked


def test_the_options_of_the_request():
    with Observed(lambda request: piggyback(request, "2.05", OBSERVE, payload=b"x")) as server:
        observe(server, "-n", "-a", "json", "--token", "0xcafe", "-c", "1")
        registration = server.messages[0]
        assert (registration.type, registration.token) == (coap.NON, b"\xca\xfe")
        assert registration.options == [OBSERVE, (coap.URI_PATH, b"t"), (coap.ACCEPT, b"\x32")]
        assert server.deregistered[0].all(coap.ACCEPT) == [b"\x32"]


def test_v_shows_the_messages():
    with Observed(b"1") as server:
        err = observe(server, "-v", "-c", "1").stderr
    assert re.search(r"^-> .*GET .*Observe=0 ", err, re.MULTILINE), err
    assert re.search(r"^-> .*GET .*Observe=1 ", err, re.MULTILINE), err


def test_the_next_address_of_a_name_is_asked_where_one_is_unreachable():
    with Observed(b"1") as server:
        done = copal("observe", "-c", "1", f"coap://localhost:{server.port}/t")
    assert (done.returncode, done.stdout) == (0, b"1\n")


# ---- how it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_server_is_told(number):
    with Observed(b"1") as server, Program(copal_binary(), "observe", server.uri + "/t") as program:
        program.wait_for("^1$")
        assert program.end(number) == 0
        assert server.deregistered[0].token == server.messages[0].token


def test_a_second_signal_does_not_wait_for_the_server():
    def silent(message):
        return None if DEREGISTER in message.options else piggyback(message, "2.05", OBSERVE, payload=b"1")

    with Answerer(silent) as server, Program(copal_binary(), "observe", server.uri + "/t") as program:
        program.wait_for("^1$")
        program.send(signal.SIGINT)
        until(lambda: [m for m in server.messages if DEREGISTER in m.options])
        assert program.end(signal.SIGINT) == 0


def test_it_ends_after_some_seconds():
    with Observed(b"1") as server:
        done = observe(server, "--for", "0.3")
        assert (done.returncode, done.stdout) == (0, b"1\n")
        assert server.deregistered


def test_an_error_at_once_is_as_with_get():
    with Answerer(lambda request: piggyback(request, "4.04", payload=b"no such thing")) as server:
        done = observe(server)
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", "4.04 Not Found: no such thing\n")
        assert len(server.messages) == 1


def test_an_error_later_ends_it():
    with Observed(b"1", error("5.03")) as server:
        done = observe(server)
        assert (done.returncode, done.stdout, done.stderr) == (1, b"1\n", "5.03 Service Unavailable\n")
        assert not server.deregistered


def test_what_cannot_be_observed_is_shown_once():
    with Answerer(lambda request: piggyback(request, "2.05", payload=b"1")) as server:
        done = observe(server)
    assert (done.returncode, done.stdout) == (1, b"1\n")
    assert "does not let it be observed" in done.stderr


def test_a_notification_without_observe_ends_it():
    with Observed(b"1", lambda request: Message(coap.NON, coap.code("2.05"), 9, request.token, [], b"2")) as server:
        done = observe(server)
    assert (done.returncode, done.stdout) == (1, b"1\n2\n")
    assert "the server has ended the observation" in done.stderr


def test_no_answer_to_the_registration_is_status_3():
    with Answerer(lambda request: None) as server:
        done = observe(server, "--timeout", "0.2")
        assert (done.returncode, done.stdout) == (3, b"")
        assert "no answer in time (--timeout is 0.2 s)" in done.stderr
    done = copal("observe", f"coap://127.0.0.1:{free_port()}/t")
    assert (done.returncode, done.stdout) == (3, b"")
    assert "cannot be reached" in done.stderr


def test_who_reads_no_more_ends_it():
    with Observed(b"1", b"2") as server:
        reading, writing = socket.socketpair()
        reading.close()
        with writing:
            done = subprocess.run([copal_binary(), "observe", server.uri + "/t"], stdout=writing, timeout=SECONDS,
                                  stderr=subprocess.PIPE, env=environment())
        assert done.returncode == 1
        assert b"standard output: Broken pipe" in done.stderr
        assert server.deregistered


def test_a_server_that_restarts_is_found_again():
    """Max-Age 0: it is asked again after 5 to 15 seconds, and as long again after it could not be reached."""
    def state(payload):
        return lambda request: piggyback(request, "2.05", OBSERVE, (coap.MAX_AGE, b""), payload=payload)

    with contextlib.ExitStack() as stack:
        with Observed(state(b"before")) as server:
            port = server.port
            program = stack.enter_context(Program(copal_binary(), "observe", f"coap://127.0.0.1:{port}/t"))
            program.wait_for("^before$")
        program.wait_for(r"^copal: coap://127\.0\.0\.1:\d+/t: .*cannot be reached; trying on until it answers again$")
        with Observed(state(b"after"), port=port) as server:
            program.wait_for("^after$")
            assert program.end() == 0
            assert server.deregistered


@pytest.mark.parametrize("arguments, hint", [
    ([], "a URI is missing"),
    (["coap://127.0.0.1", "x"], "'x' is one operand too many"),
    (["coaps://127.0.0.1"], "coaps:// needs --psk"),
    (["--token", "", "coap://127.0.0.1"], "a token of 1 octet at least"),
    (["--json", "--chart", "coap://127.0.0.1"], "take one of them"),
    (["--chart", "coap://127.0.0.1"], "--chart draws on a terminal"),
    (["--count", "0", "coap://127.0.0.1"], "--count takes a number"),
    (["--for", "0", "coap://127.0.0.1"], "--for takes seconds"),
])
def test_says_what_to_do(arguments, hint):
    done = copal("observe", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert hint in done.stderr
