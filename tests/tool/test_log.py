"""What copal serve tells while it runs: levels, JSON, limits."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from support import coap
from support.certificates import Certificates
from support.process import SECONDS, Program, Serve, copal, copal_binary, environment, until


class SecureServe(Serve):
    SCHEME = "coaps"


def events(server):
    """The lines of JSON among those that the server printed."""
    return [json.loads(line) for line in server.lines if line.startswith("{")]


def named(server, name):
    return [event for event in events(server) if event["event"] == name]


def test_json_has_the_time_and_level_of_each_event_and_its_parts(tmp_path):
    with Serve("--dir", str(tmp_path), "--write", "--log-format", "json", "--log-level", "debug") as server:
        assert copal("put", server.uri + "/a%22%0a", "five!").returncode == 0
        server.wait_for('"event":"change"')
    (listening,) = named(server, "listening")
    assert listening["uri"] == server.uri
    (change,) = named(server, "change")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", change["time"])
    assert change["level"] == "debug"
    assert (change["method"], change["code"], change["path"], change["octets"]) == ("PUT", "2.01", 'a"\\x0a', 5)
    assert change["peer"] == "127.0.0.1" and change["port"] > 0
    (received,) = named(server, "received")
    assert received["method"] == "PUT" and received["message"].startswith("CON PUT ")
    assert [event["code"] for event in named(server, "sent")] == ["2.01"]


def test_only_the_level_and_what_is_worse_is_told():
    for level, shown in (("info", []), ("debug", ["GET"])):
        with Serve("--resource", "a=1", "--log-format", "json", "--log-level", level) as server:
            assert copal("get", server.uri + "/a").returncode == 0
        assert [event["method"] for event in named(server, "received")] == shown
    with Serve("--resource", "a=1", "--log-level", "error") as server:
        server.send(signal.SIGHUP)
        assert copal("get", server.uri + "/a").returncode == 0
    assert not [line for line in server.lines if "SIGHUP" in line]


def test_what_is_wrong_with_keys_is_json_too(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("us:one\n")
    with Program(copal_binary(), "serve", "--port", "0", "--bind", "127.0.0.1", "--psk-file", str(keys), "--log-format",
                 "json", "--resource", "a=1") as server:
        server.wait_for("^listening on")
        keys.write_text("no colon\n")
        server.send(signal.SIGHUP)
        server.wait_for("stay in use")
    assert all(line.startswith(("{", "listening on ")) for line in server.lines), server.lines
    assert [(event["level"], event["event"]) for event in events(server)][1:] == [("error", "problem"),
                                                                                  ("error", "reloaded")]


def denied(server, count):
    """Asks so often for what is not allowed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(SECONDS)
        sock.connect(("127.0.0.1", server.port))
        options = [(coap.IF_NONE_MATCH, b""), (coap.URI_PATH, b"a")]
        for message_id in range(count):
            sock.send(coap.encode(coap.Message(coap.CON, coap.PUT, message_id, b"t", options, b"x")))
            assert coap.decode(sock.recv(2048)).code == 0x8c


def test_of_one_event_some_lines_a_second_are_printed_and_the_rest_counted(tmp_path):
    (tmp_path / "a").write_text("there")
    with Serve("--dir", str(tmp_path), "--write", "--log-format", "json") as server:
        denied(server, 500)
        server.wait_for("suppressed")
    told = named(server, "denied")
    lines = [event for event in told if "path" in event]
    missing = [int(re.match(r"suppressed (\d+) more", event["message"]).group(1)) for event in told if "message" in event]
    assert all(event["level"] == "warn" for event in told)
    assert missing and len(lines) + sum(missing) == 500


def flood(server, count):
    """Asks for long answers, without taking any."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", server.port))
        for message_id in range(count):
            sock.send(coap.encode(coap.Message(coap.NON, coap.GET, message_id, b"t", [(coap.URI_PATH, b"a")])))


def test_a_condition_begins_once_and_is_over_when_nothing_more_comes():
    with Serve("--resource", "a=" + 900 * "x", "--guard", "64", "--log-format", "json") as server:
        flood(server, 200)
        server.wait_for('"what":"guard"')
        server.wait_for('"what":"guard","message":"over, after')
    guard = [event for event in events(server) if event.get("what") == "guard"]
    assert [(event["level"], event["event"]) for event in guard] == [("warn", "begun"), ("info", "over")]


def test_a_network_that_is_cut_off_is_named_once():
    with Serve("--resource", "a=" + 900 * "x", "--guard", "64", "--log-format", "json") as server:
        flood(server, 200)
        server.wait_for('"what":"guard"')
    (cut,) = named(server, "network_cut")
    assert (cut["level"], cut["network"]) == ("warn", "127.0.0.0/24")
    with Serve("--resource", "a=" + 900 * "x", "--guard", "64") as server:
        flood(server, 5)
        server.wait_for(r"^copal: to 127\.0\.0\.0/24 no more may go without proof \(--guard\)$")


def test_a_handshake_that_failed_is_told_with_who_and_why(tmp_path):
    made = Certificates(tmp_path)
    options = ["--cert", made.file("both.pem"), "--ca", made.file("authority.pem"), "--resource", "a=1"]
    with SecureServe(*options, "--log-format", "json") as server:
        assert copal("get", "--ca", made.file("authority.pem"), server.uri + "/a").returncode == 3
        server.wait_for('"event":"handshake_failed"')
        assert copal("get", "--ca", made.file("authority.pem"), "--cert", made.file("client.pem"), "--key",
                     made.file("client.key"), server.uri + "/a").returncode == 0
    (failed,) = named(server, "handshake_failed")
    assert (failed["level"], failed["message"]) == ("warn", "the client showed no certificate")
    assert failed["peer"] == "127.0.0.1" and failed["port"] > 0
    assert not named(server, "session_begun")
    with SecureServe(*options) as server:
        assert copal("get", "--ca", made.file("authority.pem"), server.uri + "/a").returncode == 3
        server.wait_for(r"^copal: handshake by 127\.0\.0\.1 port \d+: the client showed no certificate$")


def test_debug_tells_sessions_and_what_was_asked_in_them():
    with SecureServe("--psk", "secret", "--resource", "a/b=1", "--log-format", "json", "--log-level", "debug") as server:
        assert copal("get", "--psk", "secret", "--identity", "us", server.uri + "/a/b").returncode == 0
        server.wait_for('"event":"session_ended"')
    (begun,), (asked,), (ended,) = (named(server, name) for name in ("session_begun", "received", "session_ended"))
    assert begun["level"] == ended["level"] == "debug" and "message" not in begun
    assert ended["message"] == "the client closed the session"
    assert (asked["method"], asked["path"]) == ("GET", "a/b")
    assert len({(event["peer"], event["port"]) for event in (begun, asked, ended)}) == 1


def test_lines_to_the_journal_begin_with_their_priority(tmp_path):
    path = tmp_path / "journal"
    with open(path, "wb") as journal:
        status = os.fstat(journal.fileno())
        server = subprocess.Popen([copal_binary(), "serve", "--bind", "127.0.0.1", "--port", "0", "--resource", "a=1"],
                                  env=environment(JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}"), text=True,
                                  stdout=subprocess.PIPE, stderr=journal)
    with server:
        try:
            assert server.stdout.readline().startswith("listening on ")
            server.send_signal(signal.SIGHUP)
            until(lambda: path.read_text() == "<4>copal: SIGHUP: there are no keys to be read again\n")
        finally:
            server.terminate()
        assert server.wait(SECONDS) == 0


@pytest.mark.parametrize("option, value", [("--log-level", "loud"), ("--log-format", "xml")])
def test_another_level_or_format_is_refused(option, value):
    done = copal("serve", option, value)
    assert done.returncode == 2 and f"{option} takes " in done.stderr
