"""copal serve: resources from the command line, from `listening on` to the end by a signal."""
import json
import signal
import socket

import pytest

from support import coap
from support.process import Serve, copal, copal_binary, Program
from support.udp import free_port


def ask_all(server, messages, address="127.0.0.1"):
    """The answers to messages that are sent from one port, one after the other."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(60)
        sock.connect((address, server.port))
        answers = []
        for message in messages:
            sock.send(coap.encode(message))
            answers.append(coap.decode(sock.recv(65536)))
        return answers


def ask(server, message, address="127.0.0.1"):
    return ask_all(server, [message], address)[0]


def get(server, path, *options, code=coap.GET, payload=b""):
    path = [(coap.URI_PATH, segment.encode()) for segment in path.split("/")] if path else []
    return ask(server, coap.Message(coap.CON, code, 1, b"t", [*path, *options], payload))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_status_0(number):
    server = Serve()
    assert server.end(number) == 0
    assert server.lines == [f"listening on {server.uri}"]


@pytest.mark.parametrize("where, reason", [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")])
def test_a_server_that_cannot_say_that_it_listens_serves(where, reason):
    port = free_port()
    with Program("sh", "-c", f'exec "$0" serve --bind 127.0.0.1 --port {port} -r a=1 {where}', copal_binary()) as server:
        server.wait_for(f"^copal: standard output: {reason}$")
        assert copal("get", f"coap://127.0.0.1:{port}/a").stdout == b"1"
        assert server.end() == 0 and len(server.lines) == 1


def test_it_can_be_asked_as_soon_as_it_says_so_and_ended_at_once():
    for _ in range(20):
        with Serve("--resource", "a=1") as server:
            assert get(server, "a").payload == b"1"
        assert Serve().end(signal.SIGINT) == 0


@pytest.mark.parametrize("bind, shown", [
    ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::]"), ("0.0.0.0", "0.0.0.0")])
def test_the_address_is_shown_as_in_a_uri(bind, shown):
    with Serve("--resource", "a=1", bind=bind) as server:
        assert server.uri == f"coap://{shown}:{server.port}"
        assert server.port != 0
        address = {"::": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(bind, bind)
        path = [(coap.URI_PATH, b"a")]
        assert ask(server, coap.Message(coap.CON, coap.GET, 1, b"", path), address).payload == b"1"


def test_it_listens_on_several_addresses():
    with Program(copal_binary(), "serve", "-p", "0", "-b", "127.0.0.1", "-b", "::1", "-r", "a=1") as server:
        first = server.wait_for(r"listening on (coap://127\.0\.0\.1:\d+)$").group(1)
        second = server.wait_for(r"listening on (coap://\[::1\]:\d+)$").group(1)
        assert copal("get", first + "/a").stdout == copal("get", second + "/a").stdout == b"1"


def test_the_default_address_is_every_one():
    port = free_port()
    with Program(copal_binary(), "serve", "--port", str(port), "-r", "a=1") as server:
        server.wait_for(rf"^listening on coap://\[::\]:{port}$")
        assert copal("get", f"coap://127.0.0.1:{port}/a").stdout == b"1"
        assert copal("get", f"coap://[::1]:{port}/a").stdout == b"1"


def test_a_port_in_use_says_so_with_status_1():
    with Serve() as server:
        done = copal("serve", "--bind", "127.0.0.1", "--port", str(server.port))
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"copal: 127.0.0.1:{server.port} is in use; take another port with --port" in done.stderr


def test_a_port_in_use_is_shown_as_in_a_uri():
    with Serve(bind="::1") as server:
        done = copal("serve", "--bind", "::1", "--port", str(server.port))
    assert done.stderr.startswith(f"copal: [::1]:{server.port} is in use;")


def test_an_address_of_somebody_else_says_so_with_status_1():
    done = copal("serve", "--bind", "192.0.2.1", "--port", "0")
    assert (done.returncode, done.stdout) == (1, b"")
    assert "does not have that address" in done.stderr


def test_a_resource_with_all_its_properties():
    with Serve("--resource", "a/b=21.5;ct=text;max-age=30;etag;rt=sensor") as server:
        answer = get(server, "a/b")
    assert (answer.code, answer.payload) == (coap.code("2.05"), b"21.5")
    assert answer.options == [(coap.ETAG, b"\1"), (coap.CONTENT_FORMAT, b""), (coap.MAX_AGE, b"\x1e")]


def test_a_resource_without_any():
    with Serve("--resource", "a=") as server:
        answer = get(server, "a")
    assert (answer.code, answer.options, answer.payload) == (coap.code("2.05"), [], b"")


@pytest.mark.parametrize("format, wire", [
    ("50", b"\x32"), ("json", b"\x32"), ("application/json", b"\x32"), ("0", b"")])
def test_ct_by_name_or_number(format, wire):
    with Serve("--resource", f"a=1;ct={format}") as server:
        assert get(server, "a").all(coap.CONTENT_FORMAT) == [wire]


def test_a_value_keeps_its_equals_signs_and_quotes_and_what_is_within_them():
    with Serve("--resource", 'a={"b":"x;y","c":"\\";"};ct=json') as server:
        assert get(server, "a").payload == b'{"b":"x;y","c":"\\";"}'


def test_the_root_is_a_resource_too():
    with Serve("--resource", "/=root") as server:
        assert get(server, "").payload == b"root"


def test_all_four_methods_unless_narrowed():
    with Serve("--resource", "all=1", "--resource", "some=1;methods=get,put") as server:
        for code, wanted in ((coap.GET, "2.05"), (coap.PUT, "2.04"), (coap.POST, "2.04"), (coap.DELETE, "2.02")):
            assert get(server, "all", code=code).code == coap.code(wanted)
        for code, wanted in ((coap.GET, "2.05"), (coap.PUT, "2.04"), (coap.POST, "4.05"), (coap.DELETE, "4.05")):
            assert get(server, "some", code=code).code == coap.code(wanted)


def test_other_properties_are_link_attributes():
    first, second = 'a=1;ct=50;title="x;y, z";rt=sensor;if=core.s;sz=1;hidden', "b=2;title=two words"
    with Serve("--resource", first, "--resource", second) as server:
        assert copal("discover", server.uri).stdout == (
            b'</a>;ct=50;title="x;y, z";rt=sensor;if=core.s;sz=1;hidden;obs,</b>;title="two words";obs\n')


def test_dynamic_lets_a_put_create():
    with Serve() as server:
        assert get(server, "new", code=coap.PUT, payload=b"x").code == coap.code("4.04")
    with Serve("--dynamic") as server:
        assert get(server, "new/one", code=coap.PUT, payload=b"x").code == coap.code("2.01")
        assert get(server, "new/one").payload == b"x"


def test_dynamic_lets_a_post_create_below_and_tells_where():
    with Serve() as server:
        assert get(server, "new", code=coap.POST, payload=b"x").code == coap.code("4.04")
    with Serve("--dynamic") as server:
        answer = get(server, "new/one", code=coap.POST, payload=b"x")
        assert answer.code == coap.code("2.01")
        new, one, name = (segment.decode() for segment in answer.all(coap.LOCATION_PATH))
        assert (new, one) == ("new", "one")
        assert get(server, f"new/one/{name}").payload == b"x"
        assert get(server, "new/one").code == coap.code("4.04")


@pytest.mark.parametrize("method", [coap.PATCH, coap.IPATCH])
def test_json_values_are_patched_where_methods_say_so(method):
    def patch(path, content_format, payload):
        return get(server, path, (coap.CONTENT_FORMAT, coap.uint(content_format)), code=method, payload=payload).code
    value = '{"a":1.50,"b":98765432109876543210}'
    with Serve("--resource", f"a={value};ct=json;methods=get,patch,ipatch", "--resource", "b={};ct=json") as server:
        assert patch("b", 52, b"{}") == coap.code("4.05")
        assert patch("a", 52, b'{"c":[true]}') == coap.code("2.04")
        assert patch("a", 51, b'[{"op":"add","path":"/c/0","value":2}]') == coap.code("2.04")
        assert get(server, "a").payload == b'{"a":1.50,"b":98765432109876543210,"c":[2,true]}'
        assert patch("a", 51, b'[{"op":"test","path":"/a","value":2}]') == coap.code("4.09")
        assert patch("a", 52, b'{"c"') == coap.code("4.00")
        assert patch("a", 50, b"{}") == coap.code("4.15")
        assert get(server, "a", code=method, payload=b"{}").code == coap.code("4.15")
        assert get(server, "a", code=coap.FETCH, payload=b"{}").code == coap.code("4.05")


def test_a_value_comes_in_in_blocks():
    body = bytes(range(256)) * 40
    blocks = [coap.uint(number << 4 | (number < 9) << 3 | 6) for number in range(10)]
    with Serve("--dynamic") as server:
        answers = ask_all(server, [
            coap.Message(coap.CON, coap.PUT, number, b"t", [(coap.URI_PATH, b"large"), (coap.BLOCK1, block)],
                         body[number * 1024:(number + 1) * 1024]) for number, block in enumerate(blocks)])
        assert [answer.code for answer in answers] == 9 * [coap.code("2.31")] + [coap.code("2.01")]
        assert [answer.all(coap.BLOCK1) for answer in answers] == [[block] for block in blocks]
        assert copal("get", server.uri + "/large").stdout == body


def test_memory_scales_the_bounds():
    value = "x" * 100
    resources = [word for i in range(2000) for word in ("--resource", f"r{i}={value}")]
    with Serve(*resources) as server:
        assert get(server, "r1999").payload == value.encode()
    done = copal("serve", "--memory", "64K", "--port", "0", *resources)
    assert done.returncode == 2
    assert "--memory makes room" in done.stderr


@pytest.mark.parametrize("number", ["1", "3", "64", "auto"])
def test_several_workers_serve_what_any_of_them_was_told(number):
    with Serve("--workers", number, "--resource", "a=0", "-v") as server:
        for value in range(20):  # each from a port of its own
            assert get(server, "a", code=coap.PUT, payload=b"%d" % value).code == coap.code("2.04")
            assert get(server, "a").payload == b"%d" % value
        assert server.end(signal.SIGTERM) == 0


def test_busy_polling_answers_and_takes_microseconds():
    done = copal("serve", "--busy-poll", "2s")
    assert done.returncode == 2 and "--busy-poll takes microseconds, from 0 to 1000000, not '2s'" in done.stderr
    with Serve("-r", "v=1", "--busy-poll", "50000") as server:
        assert copal("get", server.uri + "/v").stdout == b"1"


def test_workers_are_a_number_or_auto_and_have_memory_each():
    for wrong in "0", "65", "many":
        done = copal("serve", "--workers", wrong)
        assert done.returncode == 2
        assert f"--workers takes a number from 1 to 64, or auto, not '{wrong}'" in done.stderr
    done = copal("serve", "--workers", "3", "--memory", "128K")
    assert done.returncode == 2
    assert "--memory is too small for 3 workers, which need 64K each" in done.stderr
    assert b"and for each of 3 workers:" in copal("serve", "--workers", "3", "--help").stdout


def test_guard_bounds_what_an_unproven_client_gets():
    value = "0123456789" * 300
    with Serve("--guard", "1", "--resource", f"large={value}") as server:
        assert len(get(server, "large").payload) <= 32  # it answers no ping
        assert copal("get", server.uri + "/large").stdout == value.encode()
    for wrong in "0", "2G", "much":
        done = copal("serve", "--guard", wrong)
        assert done.returncode == 2
        assert f"--guard takes octets, such as 64K or 1M, from 1 to 2047M, not '{wrong}'" in done.stderr


def test_rfc9290_errors_are_problem_details_for_who_accepts_them():
    with Serve() as server:
        done = copal("get", server.uri + "/none", "--accept", "257")
        assert (done.returncode, done.stdout) == (1, b"\xa1\x20\x69Not Found")


def test_v_shows_the_messages():
    with Serve("-v", "--resource", "a=1") as server:
        get(server, "a")
        server.wait_for(r'<- 127\.0\.0\.1:\d+ CON GET mid=1 token=0x74 Uri-Path="a"$')
        server.wait_for(r'-> 127\.0\.0\.1:\d+ ACK 2\.05 Content mid=1 token=0x74 payload=1 "1"$')


def test_a_large_value_is_served_in_blocks():
    value = "0123456789" * 300
    with Serve("--resource", f"large={value}") as server:
        assert copal("get", server.uri + "/large").stdout == value.encode()
        answer = get(server, "large", (coap.BLOCK2, coap.uint(1 << 4 | 2)))
    assert answer.payload == value.encode()[64:128]


def test_what_was_counted_is_a_resource_where_that_was_asked_for():
    with Serve("--resource", "a=1", "--counters", "about/counters") as server:
        get(server, "a")
        get(server, "nowhere")
        answer = get(server, "about/counters", (coap.ACCEPT, b"\x32"), (coap.BLOCK2, b"\x06"))
        assert answer.code == 0x45 and answer.payload.startswith(b'{"server":{"received":3,')
        done = copal("get", server.uri + "/about/counters", "--accept", "json")
        told = json.loads(done.stdout)
        assert told["server"]["requests_get"] >= 3 and told["server"]["answers_4xx"] == 1
        lines = copal("get", server.uri + "/about/counters").stdout.decode().splitlines()
        assert "server answers_4xx 1" in lines


def test_counters_cannot_take_the_path_of_a_resource():
    done = copal("serve", "--port", "0", "--bind", "127.0.0.1", "--resource", "a=1", "--counters", "a")
    assert done.returncode == 2 and "--counters 'a'" in done.stderr
