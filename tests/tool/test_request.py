"""copal get, put, post, delete: what goes on the wire, what is printed where, and the exit status."""
import subprocess

import pytest

from support import coap
from support.coap import Message, uint
from support.process import Serve, copal, copal_binary, environment
from support.udp import Answerer, free_port, piggyback


def content(payload=b"21.5", *options):
    return lambda request: piggyback(request, "2.05", *options, payload=payload)


def ask(*arguments, answer=content(), input=None, path="/test"):
    """Runs one command against a server that answers so; returns its result and the one request that came."""
    command, *more = arguments
    with Answerer(answer) as server:
        done = copal(command, server.uri + path, *more, input=input)
    requests = [message for message in server.messages if message.code < 32]  # the port's last owner may have observed something
    assert len(requests) == 1, done.stderr
    return done, requests[0]


# ---- the request on the wire


@pytest.mark.parametrize("command, code, payload", [
    ("get", coap.GET, []), ("put", coap.PUT, ["x"]), ("post", coap.POST, ["x"]), ("delete", coap.DELETE, [])])
def test_each_command_sends_its_method_confirmable(command, code, payload):
    done, request = ask(command, *payload)
    assert (request.type, request.code, request.payload) == (coap.CON, code, b"x" if payload else b"")
    assert done.returncode == 0


def test_a_uri_becomes_path_and_query_options_and_no_host_for_an_address():
    _, request = ask("get", path="/a/b%20c//?x=1&y=%26")
    path = [(coap.URI_PATH, segment) for segment in (b"a", b"b c", b"", b"")]
    assert request.options == [*path, (coap.URI_QUERY, b"x=1"), (coap.URI_QUERY, b"y=&")]


def test_a_host_name_is_looked_up_and_sent_as_uri_host():
    with Answerer(content()) as server:
        done = copal("get", f"coap://LocalHost:{server.port}/a")
    assert done.stdout == b"21.5", done.stderr
    assert server.messages[0].all(coap.URI_HOST) == [b"localhost"]


def test_an_ipv6_literal_goes_in_brackets():
    with Answerer(content(), address="::1") as server:
        done = copal("get", f"coap://[::1]:{server.port}/a")
    assert (done.returncode, done.stdout) == (0, b"21.5")


@pytest.mark.parametrize("option", ["-n", "--non"])
def test_non_asks_by_a_non_confirmable_message(option):
    done, request = ask("get", option)
    assert request.type == coap.NON
    assert done.stdout == b"21.5"


@pytest.mark.parametrize("given, number", [
    ("50", 50), ("0", 0), ("json", 50), ("application/json", 50), ("text", 0), ("cbor", 60), ("link-format", 40),
    ("65535", 65535)])
def test_formats_are_taken_by_name_and_by_number(given, number):
    _, request = ask("put", "-t", given, "-a", given, "x")
    assert request.all(coap.CONTENT_FORMAT) == [uint(number)]
    assert request.all(coap.ACCEPT) == [uint(number)]


def test_long_options_for_formats():
    _, request = ask("post", "--content-format", "cbor", "--accept=json", "x")
    assert request.all(coap.CONTENT_FORMAT) == [b"\x3c"]
    assert request.all(coap.ACCEPT) == [b"\x32"]


@pytest.mark.parametrize("given, octets", [("0x0102", b"\1\2"), ("abc", b"abc"), ("0xFf", b"\xff")])
def test_etag_if_match_and_token_as_text_or_octets(given, octets):
    _, request = ask("get", "--etag", given, "--if-match", given, "--token", given)
    assert request.all(coap.ETAG) == [octets]
    assert request.all(coap.IF_MATCH) == [octets]
    assert request.token == octets


def test_an_empty_token_and_an_empty_if_match():
    _, request = ask("put", "--token", "", "--if-match", "", "x")
    assert request.token == b""
    assert request.all(coap.IF_MATCH) == [b""]


def test_rfc8974_an_extended_token():
    token = "0x" + "5a" * 200
    done, request = ask("get", "--token", token)
    assert request.token == b"Z" * 200
    assert done.stdout == b"21.5"


def test_a_token_is_drawn_where_none_is_given():
    _, first = ask("get")
    _, second = ask("get")
    assert first.token and first.token != second.token


def test_if_none_match():
    _, request = ask("put", "--if-none-match", "x")
    assert request.all(coap.IF_NONE_MATCH) == [b""]


@pytest.mark.parametrize("classes, value", [("2xx", b"\x02"), ("4xx,5xx", b"\x18"), ("all", b"\x1a"), ("5xx,all", b"\x1a")])
def test_rfc7967_no_response_names_classes(classes, value):
    done, request = ask("put", "--no-response", classes, "x")
    assert request.all(258) == [value]
    assert done.stderr == "2.05 Content\n"  # a server may answer all the same


@pytest.mark.parametrize("classes", ["", "3xx", "2xx,", ",2xx", "2xx 4xx", "alles"])
def test_no_response_says_what_it_takes(classes):
    done = copal("put", "coap://127.0.0.1/", "--no-response", classes, "x")
    assert done.returncode == 2
    assert f"--no-response takes 2xx, 4xx and 5xx with commas between, or all, not '{classes}'" in done.stderr


def test_a_request_that_wants_nothing_ends_when_it_was_acknowledged_or_sent():
    with Serve("--resource", "a=1") as server:
        uri = server.uri + "/a"
        done = copal("put", uri, "2", "--no-response", "all")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", "acknowledged; no response was wanted\n")
        assert copal("get", uri).stdout == b"2"
        done = copal("put", uri, "3", "--no-response", "all", "--non")
        assert (done.returncode, done.stderr) == (0, "sent; no response was wanted\n")
        assert copal("get", uri).stdout == b"3"
        done = copal("put", server.uri + "/none", "2", "--no-response", "2xx")
        assert done.returncode == 1
        assert done.stderr.startswith("4.04 Not Found")
        done = copal("put", uri, "4", "--no-response", "2xx", "--timeout", "1")
        assert (done.returncode, done.stderr) == (0, "acknowledged; no response was wanted\n")
        done = copal("put", server.uri + "/none", "2", "--no-response", "4xx", "--timeout", "1")
        assert (done.returncode, done.stderr) == (3, f"copal: {server.uri}/none: no answer in time (--timeout is 1 s)\n")


def test_a_request_that_wants_nothing_goes_in_one_message():
    done = copal("put", "coap://127.0.0.1/", "x" * 2000, "--no-response", "all")
    assert done.returncode == 2
    assert "with --no-response the request goes in one message, and it does not fit" in done.stderr


def test_rfc8768_hop_limit():
    _, request = ask("get", "--hop-limit", "16")
    assert request.all(16) == [b"\x10"]
    for wrong in "0", "256", "many":
        done = copal("get", "coap://127.0.0.1/", "--hop-limit", wrong)
        assert done.returncode == 2
        assert f"--hop-limit takes a number from 1 to 255, not '{wrong}'" in done.stderr


def test_no_option_is_sent_that_was_not_asked_for():
    _, request = ask("put", "x", path="")
    assert request.options == []


# ---- the payload's way in


def test_the_payload_comes_from_a_file(tmp_path):
    octets = bytes(range(256))
    (tmp_path / "value").write_bytes(octets)
    _, request = ask("put", "-f", str(tmp_path / "value"))
    assert request.payload == octets


def test_the_payload_comes_from_standard_input():
    _, request = ask("post", "--file", "-", input=b"\0in\n")
    assert request.payload == b"\0in\n"


def test_without_a_payload_none_is_sent_and_standard_input_is_not_read():
    _, request = ask("post", input=b"not this")
    assert request.payload == b""


def test_an_empty_payload_is_put_only_if_it_is_given():
    _, request = ask("put", "")
    assert (request.code, request.payload) == (coap.PUT, b"")
    _, request = ask("put", "-f", "-", input=b"")
    assert (request.code, request.payload) == (coap.PUT, b"")


def test_a_payload_that_starts_with_a_dash_goes_behind_two():
    with Answerer(content()) as server:
        copal("put", server.uri, "--", "-5")
    assert server.messages[0].payload == b"-5"


def test_a_file_that_is_not_there_is_named():
    done = copal("put", "coap://127.0.0.1/a", "-f", "/nonexistent/file")
    assert done.returncode == 2
    assert "/nonexistent/file: No such file or directory" in done.stderr


def test_a_payload_over_one_message_goes_in_blocks():
    def answer(request):
        block = request.all(coap.BLOCK1)[0]
        return piggyback(request, "2.31" if block[0] & 8 else "2.04", (coap.BLOCK1, block))

    with Answerer(answer) as server:
        assert copal("put", server.uri, "-f", "-", input=b"x" * 5000).returncode == 0
    assert [len(request.payload) for request in server.messages] == [1024] * 4 + [904]


# ---- the answer's way out


@pytest.mark.parametrize("payload", [b"21.5", b"line\n", b"\0\xff\x1b[31m", b'{"a":1}', b""])
@pytest.mark.parametrize("options", [(), ((coap.CONTENT_FORMAT, uint(50)),), ((coap.CONTENT_FORMAT, uint(40)),)])
def test_the_payload_goes_to_standard_output_unaltered_and_only_it(payload, options):
    done, _ = ask("get", answer=content(payload, *options))
    assert done.stdout == payload
    assert done.stderr == "2.05 Content\n"
    assert done.returncode == 0


@pytest.mark.parametrize("code, line, status", [
    ("2.01", "2.01 Created", 0), ("2.02", "2.02 Deleted", 0), ("2.03", "2.03 Valid", 0), ("2.04", "2.04 Changed", 0),
    ("4.00", "4.00 Bad Request", 1), ("4.04", "4.04 Not Found", 1), ("4.12", "4.12 Precondition Failed", 1),
    ("5.00", "5.00 Internal Server Error", 1), ("5.03", "5.03 Service Unavailable", 1), ("4.30", "4.30", 1)])
def test_the_code_goes_to_standard_error_and_makes_the_exit_status(code, line, status):
    done, _ = ask("get", answer=lambda request: piggyback(request, code))
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", line + "\n")


@pytest.mark.parametrize("code", ["4.29", "5.03"])
def test_rfc8516_it_says_when_to_ask_again(code):
    done, _ = ask("get", answer=lambda request: piggyback(request, code, (coap.MAX_AGE, uint(240))))
    assert (done.returncode, done.stdout) == (1, b"")
    assert "copal: the server has too much to do; ask again in 240 s\n" in done.stderr
    done, _ = ask("get", answer=lambda request: piggyback(request, code))
    assert "ask again" not in done.stderr


def test_rfc7252_5_5_2_a_diagnostic_goes_with_the_code_line():
    done, _ = ask("get", answer=lambda request: piggyback(request, "4.02", payload=b"what is option 9?"))
    assert (done.stdout, done.stderr) == (b"", "4.02 Bad Option: what is option 9?\n")


def test_rfc7252_5_5_1_an_error_with_a_content_format_is_a_representation():
    json = (coap.CONTENT_FORMAT, uint(50))
    done, _ = ask("get", answer=lambda request: piggyback(request, "4.22", json, payload=b"{}"))
    assert (done.returncode, done.stdout, done.stderr) == (1, b"{}", "4.22 Unprocessable Entity\n")


def test_a_diagnostic_cannot_steer_the_terminal():
    text = "é\x1b[2J\u009b\n\x7f".encode() + b"\xff"
    done, _ = ask("get", answer=lambda request: piggyback(request, "4.00", payload=text))
    assert done.stderr == "4.00 Bad Request: é\\x1b[2J\\xc2\\x9b\\x0a\\x7f\\xff\n"


def test_what_was_created_is_told():
    answer = lambda request: piggyback(request, "2.01", (coap.LOCATION_PATH, b"a"), (coap.LOCATION_PATH, b"b"),
                                       (coap.LOCATION_QUERY, b"x=1"), (coap.LOCATION_QUERY, b"y"))
    done, _ = ask("post", "x", answer=answer)
    assert done.stderr == "2.01 Created\nLocation: /a/b?x=1&y\n"


def test_output_that_cannot_be_written_is_no_success():
    with Answerer(content(b"x" * 100)) as server, open("/dev/full", "wb") as full:
        done = subprocess.run([copal_binary(), "get", server.uri], stdout=full, stderr=subprocess.PIPE,
                              env=environment())
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["help", "get"], ["ping", "--count", "1"]])
def test_what_nobody_could_be_told_is_no_success(arguments):
    with Serve() as server, open("/dev/full", "wb") as full:
        command = [copal_binary(), *arguments] + ([server.uri] if arguments[0] == "ping" else [])
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment())
    assert (done.returncode, done.stderr) == (1, b"copal: standard output: No space left on device\n")


@pytest.mark.parametrize("closed, status, complaint", [
    (">&-", 1, b"2.05 Content\ncopal: standard output: Bad file descriptor\n"), ("2>&-", 0, b""), ("<&-", 0, b"2.05 Content\n")])
def test_a_socket_is_no_standard_stream_that_was_closed(closed, status, complaint):
    with Answerer(content()) as server:
        done = subprocess.run(["sh", "-c", f'"$0" get "$1" {closed}', copal_binary(), server.uri], capture_output=True,
                              env=environment())
    assert (done.returncode, done.stderr) == (status, complaint)
    assert len(server.messages) == 1


def test_rfc7959_2_4_an_answer_in_blocks_comes_whole():
    body = bytes(i % 251 for i in range(2500))

    def blocks(request):
        number = int.from_bytes((request.all(coap.BLOCK2) or [b""])[0], "big") >> 4
        part, more = body[number * 1024:(number + 1) * 1024], (number + 1) * 1024 < len(body)
        return piggyback(request, "2.05", (coap.BLOCK2, uint(number << 4 | more << 3 | 6)), payload=part)

    with Answerer(blocks) as server:
        done = copal("get", server.uri + "/large")
    assert done.stdout == body
    assert done.stderr == "2.05 Content\n"
    assert [m.path() for m in server.messages] == ["large"] * 3


def test_rfc7959_2_4_blocks_of_different_answers_are_none():
    def changing(request):
        number = int.from_bytes((request.all(coap.BLOCK2) or [b""])[0], "big") >> 4
        options = [(coap.ETAG, uint(1 + len(server.messages))), (coap.BLOCK2, uint(number << 4 | 8 | 6))]
        return piggyback(request, "2.05", *options, payload=bytes(1024))

    with Answerer(changing) as server:
        done = copal("get", server.uri)
    assert (done.returncode, done.stdout) == (3, b"")
    assert "blocks of the answer do not fit together" in done.stderr


def test_an_answer_over_the_size_of_a_message_is_the_peer_s_doing():
    with Answerer(lambda request: piggyback(request, "2.05", payload=bytes(2000))) as server:
        done = copal("get", server.uri)
    assert (done.returncode, done.stdout) == (3, b"")
    assert "the answer is too large" in done.stderr


def test_rfc7252_5_4_3_elective_options_of_a_wrong_length_are_ignored():
    def wrong(request):
        number = int.from_bytes((request.all(coap.BLOCK2) or [b""])[0], "big") >> 4
        options = [(coap.ETAG, bytes([number]) * 9), (coap.CONTENT_FORMAT, bytes([1, 0, 40])),
                   (coap.BLOCK2, uint(number << 4 | (number < 1) << 3 | 6))]
        return piggyback(request, "2.05", *options, payload=b"<" * 1024)

    with Answerer(wrong) as server:
        assert copal("get", server.uri).stdout == b"<" * 2048
        assert "no link-format" in copal("discover", server.uri).stderr


def test_a_separate_answer_is_acknowledged():
    def separate(request):
        if request.type == coap.ACK:
            return None
        return [Message(coap.ACK, 0, request.mid), Message(coap.CON, coap.code("2.05"), 7, request.token, [], b"late")]

    with Answerer(separate) as server:
        done = copal("get", server.uri)
    assert done.stdout == b"late"
    assert [(m.type, m.code, m.mid) for m in server.messages[1:]] == [(coap.ACK, 0, 7)]


# ---- no answer


def test_no_answer_in_time_is_status_3():
    done, _ = ask("get", "--timeout", "0.3", answer=lambda request: None)
    assert (done.returncode, done.stdout) == (3, b"")
    assert "no answer in time (--timeout is 0.3 s)" in done.stderr


def test_a_reset_is_status_3():
    done, _ = ask("get", answer=lambda request: Message(coap.RST, 0, request.mid))
    assert done.returncode == 3
    assert "Reset" in done.stderr


def test_a_port_where_nobody_listens_is_status_3():
    done = copal("get", f"coap://127.0.0.1:{free_port()}/")
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr


def test_a_name_without_address_is_status_3():
    done = copal("get", f"coap://{'x' * 64}/")  # no label is so long: no name server is asked
    assert done.returncode == 3
    assert "no address" in done.stderr


def test_rfc7252_5_4_1_an_unknown_critical_option_in_the_answer_is_status_3():
    done, _ = ask("get", answer=lambda request: piggyback(request, "2.05", (9999, b""), payload=b"x"))
    assert (done.returncode, done.stdout) == (3, b"")
    assert "critical" in done.stderr


# ---- -v


def test_v_shows_each_message_on_a_line():
    answer = content(b"21.5", (coap.ETAG, b"\x0a"), (coap.CONTENT_FORMAT, uint(0)), (coap.MAX_AGE, uint(30)),
                     (65000, b"\1"))
    with Answerer(answer) as server:
        done = copal("get", "-v", "--token", "0xbeef", "-a", "text", f"{server.uri}/a/b?c=d")
    peer, mid = server.uri.removeprefix("coap://"), server.messages[0].mid
    assert done.stderr.splitlines() == [
        f'-> {peer} CON GET mid={mid} token=0xbeef Uri-Path="a" Uri-Path="b" Uri-Query="c=d" Accept=text/plain',
        f'<- {peer} ACK 2.05 Content mid={mid} token=0xbeef ETag=0x0a Content-Format=text/plain Max-Age=30 '
        'Option-65000=0x01 payload=4 "21.5"',
        "2.05 Content"]
    assert done.stdout == b"21.5"


def test_v_shows_blocks_and_the_start_of_a_payload():
    answer = content(b"\0" + bytes(99), (coap.BLOCK2, uint(2 << 4 | 2)))
    done, request = ask("put", "-v", "-f", "-", answer=lambda r: piggyback(r, "2.05", (60, b"\x80"), payload=bytes(99)),
                        input=b"abcdefghij" * 9)
    out, back, _ = done.stderr.splitlines()
    assert 'payload=90 "abcdefghij' in out and out.endswith('"...')
    assert "Size1=128 payload=99 0x" + "00" * 24 + "..." in back


def test_v_shows_no_token_where_there_is_none():
    done, _ = ask("get", "-v", "--token", "")
    assert "mid=" in done.stderr and "token" not in done.stderr


def test_v_shows_a_message_that_is_none():
    def answer(request):
        return [b"\x40", piggyback(request, "2.05")]
    with Answerer(answer) as server:
        done = copal("get", "-v", server.uri)
    assert "1 octets: datagram is not" in done.stderr.splitlines()[1]
    assert done.returncode == 0


def test_the_four_methods_against_our_own_server():
    with Serve("--dynamic") as server:
        uri = server.uri + "/new/thing"
        assert copal("put", uri, "one", "-t", "text").stderr == "2.01 Created\n"
        assert copal("get", uri).stdout == b"one"
        assert copal("post", uri, "two").stderr == "2.04 Changed\n"
        assert copal("get", uri).stdout == b"two"
        assert copal("delete", uri).stderr == "2.02 Deleted\n"
        gone = copal("get", uri)
        assert (gone.returncode, gone.stdout) == (1, b"")
        assert gone.stderr.startswith("4.04 Not Found")
