"""copal bench: what it sends, counts and says."""
import json
import signal
import socket
import subprocess
import threading
import time

import pytest

from support import coap
from support.coap import Message, uint
from support.process import Program, Serve, copal, copal_binary, until
from support.terminal import copal_on_terminal
from support.udp import Answerer, free_port, piggyback

PLAN = {"uri", "method", "confirmable", "sockets", "outstanding", "warm_up"}
OUTCOMES = ["answers", "time_outs", "resets", "unreachable", "sessions_lost", "other_failures", "open"]
FIGURES = {"seconds", "interrupted", "answers_per_second", "requests", "first_blocks", "retransmissions", "ports", "codes",
           "latency_us", "generator_busy", *OUTCOMES}
OPEN_LOOP = {"rate", "service_us", "unsent", "held_back", "late", "latest_us"}
TIMES = {"count", "min", "mean", "p50", "p90", "p99", "p99.9", "max", "buckets"}


def content(request):
    return piggyback(request, "2.05", payload=b"x")


def measured(*arguments, status=0):
    """What it measured, from its JSON. Whatever happens, each request has one outcome."""
    done = copal("bench", "--json", *arguments)
    assert done.returncode == status, done
    found = json.loads(done.stdout)
    assert found["requests"] == sum(found[name] for name in OUTCOMES)
    assert found["answers"] == sum(found["codes"].values())
    found["said"] = done.stderr
    return found


def not_below(times, microseconds):
    """How many were that long at least; a bucket's number is the largest that it holds."""
    return sum(count for end, count in times["buckets"] if end >= microseconds)


class Crowd(Answerer):
    """Knows its peers."""
    def __init__(self, answer):
        super().__init__(answer)
        self.peers = []

    def _handle(self, message, peer):
        self.peers.append(peer)
        super()._handle(message, peer)


# ---- what it sends -------------------------------------------------------------------------------------------


def test_a_count_is_exact_at_both_ends():
    with Crowd(content) as server:
        found = measured(server.uri + "/a/b?c", "-c", "53", "-s", "5", "-o", "3")
    assert (found["requests"], found["answers"], found["codes"]) == (53, 53, {"2.05": 53})
    assert len({(peer, message.mid) for peer, message in zip(server.peers, server.messages)}) == 53
    assert len(server.messages) == 53 + found["retransmissions"]
    assert len(set(server.peers)) == 5 == found["ports"]
    request = server.messages[0]
    assert (request.type, request.code, request.path(), request.all(coap.URI_QUERY)) == (coap.CON, coap.GET, "a/b", [b"c"])


def test_by_default_one_request_is_under_way_and_the_next_waits_for_its_answer():
    def answer(request):
        if len(server.messages) == 1:
            time.sleep(0.3)  # the next would be there by now
            server._socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                server._socket.recvfrom(1500)
            server._socket.setblocking(True)
        return content(request)
    with Answerer(answer) as server:
        found = measured(server.uri, "-c", "3")
    assert (found["sockets"], found["outstanding"]) == (1, 1)


def test_outstanding_requests_are_sent_before_any_is_answered():
    waiting = []

    def answer(request):
        if request.mid not in [each.mid for each in waiting]:
            waiting.append(request)
        return [content(each) for each in waiting] if len(waiting) >= 7 else None
    with Answerer(answer) as server:
        assert measured(server.uri, "-c", "7", "-o", "7")["answers"] == 7


@pytest.mark.parametrize("method, code", [("put", 3), ("POST", 2), ("fetch", 5), ("patch", 6), ("iPATCH", 7)])
def test_method_payload_and_options_are_those_of_the_request(method, code, tmp_path):
    (tmp_path / "payload").write_bytes(b"{}")
    with Answerer(content) as server:
        measured(server.uri, "--method", method, "-n", "-t", "json", "-a", "cbor", "--etag", "0x0102", "-c", "2", "{}")
        measured(server.uri, "--method", method, "-f", str(tmp_path / "payload"), "-c", "2")
    for request in server.messages[:2]:
        assert (request.type, request.code, request.payload) == (coap.NON, code, b"{}")
        assert request.all(coap.CONTENT_FORMAT) == [uint(50)] and request.all(coap.ACCEPT) == [uint(60)]
        assert request.all(coap.ETAG) == [b"\1\2"]
    assert all((request.type, request.payload) == (coap.CON, b"{}") for request in server.messages[2:])


def test_rfc7252_4_4_no_message_id_is_used_twice_by_a_port():
    """Over 65,536 requests of one socket in less than EXCHANGE_LIFETIME."""
    seen, total = set(), 100_000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve():
            while data := server.recvfrom(1500):
                if not data[0]:
                    break
                seen.add((data[1], data[0][2:4]))
                server.sendto(bytes([0x60 | data[0][0] & 15, 0x45]) + data[0][2:12], data[1])
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            found = measured(f"coap://127.0.0.1:{server.getsockname()[1]}", "-c", str(total), "-o", "16")
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", server.getsockname())
            thread.join()
    assert found["answers"] == total and found["ports"] == 3
    assert len(seen) == total and len({peer for peer, _ in seen}) == 3


# ---- what it counts --------------------------------------------------------------------------------------------


def test_codes_are_counted_apart_and_an_error_is_the_status():
    ids = []

    def answer(request):
        if request.mid not in ids:
            ids.append(request.mid)
        return piggyback(request, ("2.05", "4.04", "5.03")[ids.index(request.mid) % 3])
    with Answerer(answer) as server:
        found = measured(server.uri, "-c", "30", status=1)
    assert found["codes"] == {"2.05": 10, "4.04": 10, "5.03": 10}
    assert found["latency_us"]["count"] == 10


def test_percentiles_tell_of_the_tenth_that_is_late():
    def answer(request):
        if len(server.messages) % 10 == 0:
            time.sleep(1)
        return content(request)
    with Answerer(answer) as server:
        found = measured(server.uri, "-c", "20", "-n")
    times = found["latency_us"]
    assert times["min"] <= times["p50"] <= times["p90"] < 1_000_000 <= times["p99"] <= times["p99.9"] <= times["max"]
    assert not_below(times, 1_000_000) == 2 and times["count"] == 20
    assert times["mean"] >= 100_000


def test_an_open_loop_counts_from_the_planned_time():
    def answer(request):
        if len(server.messages) == 1:
            time.sleep(2)
        return content(request)
    with Answerer(answer) as server:
        found = measured(server.uri, "-n", "--rate", "100", "-c", "150")
    # The i-th is planned 10 i ms behind the first, and cannot leave before that has been answered, after 2 s.
    assert not_below(found["latency_us"], 1_000_000) >= 100
    assert found["service_us"]["count"] == found["latency_us"]["count"] == 150
    assert found["service_us"]["p50"] < 1_000_000 <= found["service_us"]["max"]
    assert found["held_back"] >= 100 and "all places were taken" in found["said"]


def test_an_open_loop_says_what_it_could_not_send():
    with Answerer(lambda request: content(request) if len(server.messages) == 1 else None) as server:
        found = measured(server.uri, "-n", "--rate", "1000", "-d", "0.5", "--warm-up", "0", "--timeout", "1")
    assert found["requests"] + found["unsent"] == 500 and found["unsent"] > 0
    assert f"{found['unsent']} planned requests were never sent" in found["said"]


def test_an_open_loop_sends_as_many_as_were_planned():
    with Answerer(content) as server:
        found = measured(server.uri, "-n", "--rate", "200", "-d", "1", "--warm-up", "0", "-o", "50")
    assert found["requests"] + found["unsent"] == 200 and found["answers"] == len(server.messages)


def test_what_is_lost_is_counted_as_no_answer_in_time():
    with Answerer(lambda request: content(request) if len(server.messages) % 3 else None) as server:
        found = measured(server.uri, "-n", "-c", "30", "-o", "30", "--timeout", "3")
    assert (found["answers"], found["time_outs"], found["latency_us"]["count"]) == (20, 10, 20)


def test_retransmissions_are_counted_apart():
    def answer(request):
        copies = [message.mid for message in server.messages].count(request.mid)
        return content(request) if copies > 1 or request.mid % 3 else None
    with Answerer(answer) as server:
        found = measured(server.uri, "-c", "9", "-o", "9", "--timeout", "60")
    assert found["answers"] == 9 and found["retransmissions"] >= 3
    assert len(server.messages) == 9 + found["retransmissions"]


def test_resets_are_counted_apart():
    def answer(request):
        return content(request) if len(server.messages) == 1 else Message(coap.RST, 0, request.mid)
    with Answerer(answer) as server:
        found = measured(server.uri, "-n", "-c", "6")
    assert (found["answers"], found["resets"]) == (1, 5)


def test_the_warm_up_does_not_count():
    with Answerer(content) as server:
        found = measured(server.uri, "-d", "0.2", "--warm-up", "0.2")
    assert 0 < found["requests"] < len({message.mid for message in server.messages})


def test_the_first_block_of_a_larger_answer_is_said_to_be_that():
    block = (coap.BLOCK2, uint(0 << 4 | 8 | 2))
    with Answerer(lambda request: piggyback(request, "2.05", block, payload=b"x" * 64)) as server:
        found = measured(server.uri, "-c", "3")
    assert found["first_blocks"] == 3 and "3 answers were the first block" in found["said"]


# ---- how it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_what_was_measured(number):
    with Answerer(content) as server:
        bench = Program(copal_binary(), "bench", "--json", server.uri, "-d", "600", "--warm-up", "0",
                        stderr=subprocess.DEVNULL)
        until(lambda: len(server.messages) >= 10)
        assert bench.end(number) == 0
    found = json.loads(bench.lines[0])
    assert found["interrupted"] and found["requests"] == found["answers"] + found["open"] and found["answers"] >= 9


def test_nobody_there_is_said_at_once():
    done = copal("bench", f"coap://127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (3, b"") and "cannot be reached" in done.stderr


def test_nobody_who_answers_is_status_3():
    with Answerer(lambda request: None) as server:
        found = measured(server.uri, "-n", "-c", "2", "--timeout", "0.1", status=3)
    assert found["time_outs"] == 2 and "no answer in time" in found["said"]


def test_the_other_address_of_a_name_is_asked_where_the_first_is_unreachable():
    with Answerer(lambda request: Message(coap.RST, 0, request.mid) if request.code == 0 else content(request)) as server:
        assert measured(f"coap://localhost:{server.port}", "-c", "3")["answers"] == 3


def test_a_server_that_went_away_is_counted_and_found_again():
    with Serve("--resource", "a=1", "-v") as server:
        bench = Program(copal_binary(), "bench", "--json", server.uri + "/a", "-n", "-c", "100000", "--timeout", "1",
                        "--rate", "200", stderr=subprocess.DEVNULL)
        for _ in range(5):
            server.wait_for("GET")
    time.sleep(1)
    with Serve("--resource", "a=1", "-v", port=server.port) as server:
        for _ in range(5):
            server.wait_for("GET")
    bench.end(signal.SIGINT)
    found = json.loads(bench.lines[0])
    assert found["unreachable"] > 0 and found["answers"] > 0
    assert found["requests"] == sum(found[name] for name in OUTCOMES)


# ---- DTLS --------------------------------------------------------------------------------------------------------


class SecureServe(Serve):
    SCHEME = "coaps"


def test_each_socket_has_a_session_of_its_own():
    with SecureServe("--psk", "secret", "--resource", "a=1", "-v") as server:
        found = measured(server.uri + "/a", "--psk", "secret", "--identity", "us", "-s", "20", "-c", "60")
        peers = set()
        for _ in range(60):
            peers.add(server.wait_for(r"(\S+:\d+) .*GET").group(1))
    assert found["answers"] == 60 and found["ports"] == 20 == len(peers)
    assert found["handshakes_seconds"] > 0


# ---- what it says --------------------------------------------------------------------------------------------------


def test_the_json_has_these_names():
    with Answerer(content) as server:
        closed = measured(server.uri, "-c", "3")
        planned = measured(server.uri, "-c", "3", "--rate", "100", "-o", "3")
    del closed["said"], planned["said"]
    assert set(closed) == PLAN | FIGURES and set(planned) == PLAN | FIGURES | OPEN_LOOP
    assert set(closed["latency_us"]) == TIMES and (planned["rate"], planned["method"]) == (100, "GET")
    assert sum(count for _, count in closed["latency_us"]["buckets"]) == 3


def test_people_are_told_in_lines():
    with Answerer(lambda request: piggyback(request, "2.05" if request.mid % 2 else "4.04")) as server:
        done = copal("bench", server.uri + "/v", "-c", "4")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == f"GET {server.uri}/v, CON, 1 socket, 1 outstanding each"
    assert lines[1].startswith("4 requests in ") and lines[1].endswith(" answers/s")
    assert lines[2:4] == ["             2  2.05 Content", "             2  4.04 Not Found"]
    assert lines[4].startswith("latency   least ") and ", p99.9 " in lines[4] and done.returncode == 1


def test_a_terminal_is_shown_how_it_goes():
    with Answerer(content) as server:
        arguments = ["bench", server.uri, "-d", "2.5", "--warm-up", "0"]
        status, out, err = copal_on_terminal(*arguments)
        _, _, quiet = copal_on_terminal(*arguments, "--quiet")
    assert status == 0 and "\r\x1b[K1 s, " in err and "answers/s, p50 " in err and "\r" not in out
    assert "\r" not in quiet
