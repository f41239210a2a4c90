"""copal conform --serve: our client keeps all that is tested, and whatever one does wrong is found."""
import json
import re
import signal
import socket
import subprocess
import threading
import xml.etree.ElementTree as ElementTree

import pytest

from support import coap
from support.asking import Asking, Following
from support.process import SECONDS, Program, copal, copal_binary, environment

# With the path of the case.
FAULTS = [
    ("takes any version", "version-0", "rfc7252_3_version_0_is_ignored"),
    ("takes any version", "version-2", "rfc7252_3_version_2_is_ignored"),
    ("sends once", "lost", "rfc7252_4.2_lost_request_is_sent_again"),
    ("is hasty", "lost", "rfc7252_4.2_lost_request_is_sent_again"),
    ("does not back off", "lost", "rfc7252_4.2_lost_request_is_sent_again"),
    ("changes what it sends again", "lost", "rfc7252_4.2_lost_request_is_sent_again"),
    ("goes on after ACK", "separate", "rfc7252_4.2_acknowledged_request_is_not_sent_again"),
    ("goes on after RST", "reset", "rfc7252_4.2_reset_request_is_not_sent_again"),
    ("takes any acknowledgement", "other", "rfc7252_4.2_acknowledgement_of_another_message_is_ignored"),
    ("takes what is malformed", "malformed", "rfc7252_4.2_malformed_acknowledgement_is_ignored"),
    ("answers nothing", "ping", "rfc7252_4.2_ping_is_answered_with_reset"),
    ("acknowledges all", "ping", "rfc7252_4.2_ping_is_answered_with_reset"),
    ("acknowledges all", "class-7", "rfc7252_4.2_con_of_class_7_is_rejected"),
    ("answers nothing", "malformed-con", "rfc7252_4.2_malformed_con_is_rejected"),
    ("acknowledges all", "malformed-con", "rfc7252_4.2_malformed_con_is_rejected"),
    ("acknowledges NON", "non", "rfc7252_4.3_non_is_not_acknowledged"),
    ("rejects NON", "non", "rfc7252_4.3_non_is_not_acknowledged"),
    ("answers nothing", "confirmable", "rfc7252_5.2.2_separate_response_is_acknowledged"),
    ("goes on after the response", "unacknowledged",
     "rfc7252_5.2.2_response_takes_the_place_of_a_lost_acknowledgement"),
    ("answers nothing", "unacknowledged", "rfc7252_5.2.2_response_takes_the_place_of_a_lost_acknowledgement"),
    ("acknowledges all", "unexpected", "rfc7252_5.3.2_unexpected_response_is_rejected"),
    ("rejects elective options", "elective", "rfc7252_5.4.1_unknown_elective_option_is_ignored"),
    ("acknowledges all", "critical", "rfc7252_5.4.1_response_with_unknown_critical_option_is_rejected"),
]
DOWNLOAD = "rfc7959_2.4_blocks_are_asked_for_in_the_size_that_was_agreed_on"
TAGGED = "rfc9175_3.4_request_tag_is_the_same_in_all_blocks"
UPLOAD = "rfc7959_2.3_blocks_of_an_upload_follow_one_another"
FAULTS += [(fault, "blocks", DOWNLOAD) for fault in (
    "asks for larger blocks", "changes the size", "skips a block", "sets the M bit", "uses a message ID twice",
    "gives up")]
FAULTS += [(fault, "upload", UPLOAD) for fault in ("sends short blocks", "skips a block", "gives up")]
FAULTS += [(fault, "tagged", TAGGED) for fault in ("changes the tag", "drops the tag")]
COPY = "rfc7252_4.5_copy_of_a_response_is_acknowledged_again"
FAULTS += [(fault, "copy", COPY) for fault in ("ignores copies", "rejects copies")]
NOTIFIED = "rfc7641_3.5_notification_is_acknowledged"
FAULTS += [(fault, "notified", NOTIFIED) for fault in ("ignores notifications", "rejects notifications")]
CANCELLED = "rfc7641_3.6_deregistration_is_of_the_same_request"
FAULTS += [(fault, "cancelled", CANCELLED) for fault in ("deregisters something else", "deregisters by another token")]
RANDOM = "rfc7252_4.2_first_time_out_is_random"
FAULTS += [(fault, "random", RANDOM) for fault in ("is hasty", "sends once")]
FAULTS += [
    ("takes what comes from anywhere", "elsewhere", "rfc7252_5.3.2_response_from_another_endpoint_is_ignored"),
    ("takes any token", "token", "rfc7252_5.3.2_piggybacked_response_with_another_token_is_ignored"),
    ("acknowledges all", "length-15", "rfc8974_2.1_con_with_token_length_15_is_rejected"),
    ("answers nothing", "long-token", "rfc8974_2.1_response_to_a_long_token_is_acknowledged"),
    ("rejects long tokens", "long-token", "rfc8974_2.1_response_to_a_long_token_is_acknowledged"),
    ("compares eight octets", "long-tokens", "rfc8974_2.1_response_with_another_long_token_is_rejected"),
]
# What SHOULD be otherwise is a warning.
WEAKNESSES = [
    ("keeps its size", "smaller", "rfc7959_2.3_blocks_are_no_larger_than_the_server_prefers"),
    ("does not scale", "smaller", "rfc7959_2.3_blocks_are_no_larger_than_the_server_prefers"),
    ("drops Echo", "echo", "rfc9175_2.3_echo_value_is_repeated"),
    ("gives up", "echo", "rfc9175_2.3_echo_value_is_repeated"),
]
FOLLOWING = ("random", "blocks", "upload", "smaller", "tagged", "echo", "copy", "notified", "cancelled")


class Conform(Program):
    """`copal conform --serve` on a free port."""

    def __init__(self, *arguments):
        super().__init__(copal_binary(), "conform", "--serve", "--port", "0", *arguments)
        self.uri = self.wait_for(r"^listening on (coap://\S+)$").group(1)
        self.port = int(self.uri.rsplit(":", 1)[1])

    def outcomes(self, outcome):
        return [line.split()[1] for line in self.lines if re.match(rf"{re.escape(outcome)} ", line)]

    def finish(self):
        """Waits until it ends by itself."""
        self.process.wait(SECONDS)
        return self.end()


def cases():
    listed = copal("conform", "--serve", "--list").stdout.decode().splitlines()
    return [re.fullmatch(r"(?:MUST  |SHOULD)  (\S+)  /([a-z0-9-]+): (.+)", line).groups() for line in listed]


def play(port, path, fault, over):
    kind = Following if path in FOLLOWING else Asking
    thread = threading.Thread(target=kind(port, path, fault, over).run, daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def played():
    """All faults at once, since most of the time is waiting: the server of each when it has ended, and its status."""
    servers = {each: Conform("--only", each[2]) for each in FAULTS + WEAKNESSES}
    threads = [play(server.port, path, fault, lambda server=server: server.process.poll() is not None)
               for (fault, path, _), server in servers.items()]
    statuses = {each: server.finish() for each, server in servers.items()}
    for thread in threads:
        thread.join()
    return {each: (server, statuses[each]) for each, server in servers.items()}


@pytest.mark.parametrize("each", FAULTS, ids=lambda each: f"{each[0]}, {each[1]}")
def test_a_fault_of_a_client_is_found(played, each):
    server, status = played[each]
    assert (server.outcomes("FAIL"), status) == ([each[2]], 1), server.lines


@pytest.mark.parametrize("each", WEAKNESSES, ids=lambda each: f"{each[0]}, {each[1]}")
def test_what_a_client_should_do_otherwise_is_a_warning(played, each):
    server, status = played[each]
    assert (server.outcomes("warn"), status) == ([each[2]], 0), server.lines


LONG = ["get", "--token", "a token of 21 octets."]


def our_client(uri, path, body):
    command = {"upload": ["put", "-f", body], "smaller": ["put", "-f", body],
               "tagged": ["put", "-f", body], "notified": ["observe", "--count", "2"],
               "cancelled": ["observe", "--count", "3"], "long-token": LONG, "long-tokens": LONG}.get(path, ["get"])
    return subprocess.Popen([copal_binary(), *command, f"{uri}/{path}"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env=environment())


def test_our_client_keeps_all(tmp_path):
    (tmp_path / "body").write_bytes(b"x" * 4096)
    with Conform() as server:
        clients = [our_client(server.uri, path, str(tmp_path / "body")) for _, path, _ in cases()]
        status = server.finish()
        for client in clients:
            client.wait()
    assert (server.outcomes("FAIL"), status) == ([], 0), server.lines
    assert sorted(server.outcomes("ok")) == sorted(name for name, _, _ in cases())


def test_a_client_without_a_fault_keeps_all():
    with Conform() as server:
        threads = [play(server.port, path, None, lambda: server.process.poll() is not None) for _, path, _ in cases()]
        status = server.finish()
        for thread in threads:
            thread.join()
    assert (server.outcomes("FAIL"), server.outcomes("n/a"), status) == ([], [], 0), server.lines


def test_a_client_that_waits_as_long_each_time_is_found():
    """A busy machine makes its times differ, so five of it are tried."""
    servers = [Conform("--only", RANDOM) for _ in range(5)]
    threads = [play(server.port, "random", "waits as long each time", lambda server=server: server.process.poll() is not None)
               for server in servers]
    statuses = [server.finish() for server in servers]
    for thread in threads:
        thread.join()
    assert 1 in statuses
    assert any("which is not random" in line for server in servers for line in server.lines)


def outcomes_of(case, path, way):
    """What comes of a client that has a way of its own, which is its right."""
    with Conform("--only", case) as server:
        thread = play(server.port, path, way, lambda: server.process.poll() is not None)
        assert server.finish() == 0
        thread.join()
    return {outcome: found for outcome in ("ok", "n/a") if (found := server.outcomes(outcome))}


def test_a_client_may_ask_for_smaller_blocks_when_it_names_a_size_first():
    assert outcomes_of(DOWNLOAD, "blocks", "negotiates late") == {"ok": [DOWNLOAD]}


def test_a_client_need_not_have_a_request_tag():
    assert outcomes_of(TAGGED, "tagged", "has no tag") == {"ok": [TAGGED]}


def test_a_client_may_want_no_more_than_the_first_block():
    assert outcomes_of(COPY, "copy", "gives up") == {"n/a": [COPY]}


def test_a_ping_is_answered_and_what_is_no_message_of_a_case_is_rejected():
    with Conform() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.port))
        client.settimeout(60)
        for number in (0, coap.code("2.05")):
            client.send(coap.encode(coap.Message(coap.CON, number, 77)))
            assert coap.decode(client.recv(65536)) == coap.Message(coap.RST, 0, 77)


def test_a_client_that_begins_with_the_second_block_gets_the_first():
    with Conform() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.port))
        client.settimeout(60)
        options = [(coap.URI_PATH, b"copy"), (coap.BLOCK2, coap.uint(1 << 4 | 2))]
        client.send(coap.encode(coap.Message(coap.CON, coap.GET, 5, b"", options)))
        assert coap.decode(client.recv(65536)) == coap.Message(coap.ACK, 0, 5)
        assert coap.decode(client.recv(65536)).all(coap.BLOCK2) == [coap.uint(8 | 2)]


def test_the_server_lists_what_a_client_is_to_do():
    with Conform() as server:
        listed = copal("get", server.uri).stdout.decode()
        assert copal("get", f"{server.uri}/.well-known/core").stdout.decode() == listed
    for _, path, task in cases():
        assert f'</{path}>;title="{task}"' in listed


def test_what_a_client_has_sent_and_what_is_right_is_told(played):
    server, _ = played["acknowledges all", "ping", "rfc7252_4.2_ping_is_answered_with_reset"]
    told = "\n".join(server.lines)
    assert "an empty ACK came, not a Reset" in told and "RFC 7252 section 4.2: " in told
    assert re.search(r'<- CON GET mid=4711 token=0x61626364 Uri-Path="ping"\n +44 01 12 67 ', told)
    assert told.endswith("0 ok, 1 FAIL, 0 warn, 0 n/a")


def test_a_token_that_no_answer_has_room_for_is_not_heard():
    with Conform() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.port))
        client.settimeout(60)
        for number, size in enumerate([3000, 1000]):
            client.send(coap.encode(coap.Message(coap.CON, coap.GET, number, b"t" * size)))
        assert coap.decode(client.recv(65536)).mid == 1


def test_a_case_that_nobody_asks_for_is_not_applicable():
    with Conform("--only", "version_0") as server:
        assert server.end(signal.SIGINT) == 0
    assert server.outcomes("n/a") == ["rfc7252_3_version_0_is_ignored"]
    assert server.lines[-1] == "0 ok, 0 FAIL, 0 warn, 1 n/a"


def test_a_case_that_is_concluded_is_answered_with_its_outcome():
    with Conform("--only", "5.2.2") as server:
        assert copal("get", f"{server.uri}/confirmable").returncode == 0
        server.wait_for(r"^ok +rfc7252_5\.2\.2_separate")
        assert copal("get", f"{server.uri}/confirmable").stdout == b"ok"


def test_what_is_no_case_is_not_found():
    with Conform() as server:
        assert "4.04" in copal("get", f"{server.uri}/nosuch").stderr


def test_what_is_malformed_or_unrelated_does_not_matter():
    with Conform() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for datagram in (b"", b"\x40", b"\x4f\x01\0\0", b"\x50\0\0\1", b"\x70\0\0\2", b"\x60\x45\0\3", b"\x60\1\0\4",
                         coap.encode(coap.Message(coap.CON, coap.GET, 4, b"", [(23, b"\x07")]))):
            client.sendto(datagram, ("127.0.0.1", server.port))
        client.settimeout(60)
        assert coap.decode(client.recv(65536)).code == coap.code("4.00")
        assert copal("get", server.uri).returncode == 0


def test_the_results_as_json_and_junit(tmp_path):
    server = Program(copal_binary(), "conform", "--serve", "--port", "0", "--only", "unexpected", "--json", "--junit",
                     str(tmp_path / "results.xml"))
    port = int(server.wait_for(r"^listening on coap://127\.0\.0\.1:(\d+)$").group(1))
    with server:
        play(port, "unexpected", "acknowledges all", lambda: server.process.poll() is not None)
        server.process.wait(SECONDS)
    told = json.loads("\n".join(server.lines[1:]))
    case, = told["cases"]
    assert (told["FAIL"], case["outcome"], case["reason"]) == (1, "FAIL", "an empty ACK came, not a Reset")
    assert [datagram["sent"] for datagram in case["datagrams"]] == [False, True, True, False]
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert suite.get("failures") == "1" and suite.get("name") == f"copal conform coap://127.0.0.1:{port}"


@pytest.mark.parametrize("words, complaint", [
    (["coap://a"], "--serve takes no URI"), (["--port", "x"], "--port"), (["--put", "x"], "--serve"),
    (["--timeout", "1"], "--serve"), (["--only", "nosuch"], "--list")])
def test_wrong_usage(words, complaint):
    done = copal("conform", "--serve", *words)
    assert done.returncode == 2 and complaint in done.stderr, done.stderr


def test_a_port_that_is_taken():
    with Conform() as server:
        done = copal("conform", "--serve", "--port", str(server.port))
    assert done.returncode == 1 and "Address already in use" in done.stderr
