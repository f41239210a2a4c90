"""Coap.init, deinit and what holds before, between and after them."""
import errno
import socket

import pytest

from support import coap
from support.client import Client, path_options
from support.coap import code
from support.micropython import run
from support.process import SECONDS, copal
from support.udp import Answerer, critical, free_port, piggyback

EVERY_FUNCTION = [
    "deinit()", "add_resource('a')", "remove_resource('a')", "get_resource('a')", "register_response_handler(None)",
    "register_error_handler(None)", "register_new_resource_handler(None)", "new_client_session('127.0.0.1')",
    "remove_client_session('127.0.0.1')", "get_client_sessions()"]


@pytest.mark.parametrize("call", EVERY_FUNCTION)
def test_before_init_and_after_deinit_a_function_raises_runtime_error(interpreter, call):
    assert interpreter.raises(f"Coap.{call}") == "RuntimeError"
    interpreter.do("Coap.init(); Coap.deinit()")
    assert interpreter.raises(f"Coap.{call}") == "RuntimeError"


def test_a_second_init_raises_runtime_error_and_the_first_goes_on(server, client):
    server.do("Coap.add_resource('a', value='x').callback(Coap.REQUEST_GET, True)")
    assert server.raises("Coap.init()") == "RuntimeError"
    assert client.get("a").payload == b"x"


def test_an_explicit_port_is_the_one_that_is_served(interpreter):
    port = free_port()
    interpreter.do(f"Coap.init('127.0.0.1', port={port})")
    with Client(port) as client:
        assert client.get("nothing").code == code("4.04")


def test_a_port_that_is_taken_is_an_oserror_and_nothing_stays_half_made(interpreter):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = interpreter.do(f"""
            try:
                Coap.init('127.0.0.1', port={port})
            except OSError as error:
                print(error.errno)
        """)
        assert said == [str(errno.EADDRINUSE)]
        assert interpreter.raises("Coap.get_client_sessions()") == "RuntimeError"
    interpreter.do(f"Coap.init('127.0.0.1', port={port})")
    with Client(port) as client:
        assert client.get("nothing").code == code("4.04")


def test_an_address_that_is_not_of_this_machine_is_an_oserror(interpreter):
    assert interpreter.raises("Coap.init('192.0.2.1')") == "OSError"
    interpreter.do("Coap.init()")


def test_without_an_address_there_is_no_server(interpreter):
    port = free_port()
    interpreter.do(f"Coap.init(port={port})")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", port))


@pytest.mark.parametrize("bound, asked", [
    ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1"), ("::1", "::1"), ("127.9.8.7", "127.9.8.7")])
def test_ipv4_ipv6_and_any_address_are_served(interpreter, bound, asked):
    port = free_port(bound)
    interpreter.do(f"Coap.init({bound!r}, port={port})")
    with Client(port, asked) as client:
        assert client.get("nothing").code == code("4.04")


@pytest.mark.parametrize("call, exception", [
    ("Coap.init('127.0.0.1', psk='key')", "ValueError"),
    ("Coap.init('127.0.0.1', hint='hint')", "ValueError"),
    ("Coap.init('127.0.0.1', psk=1, hint='hint')", "TypeError"),
    ("Coap.init('no address')", "ValueError"),
    ("Coap.init('')", "ValueError"),
    ("Coap.init('127.0.0.1\\x00')", "ValueError"),
    ("Coap.init(5)", "TypeError"),
    ("Coap.init('127.0.0.1', port=-1)", "ValueError"),
    ("Coap.init('127.0.0.1', port=65536)", "ValueError"),
    ("Coap.init('127.0.0.1', port=1 << 70)", "ValueError"),
    ("Coap.init('127.0.0.1', port='5683')", "TypeError"),
    ("Coap.init('127.0.0.1', 5683)", "TypeError"),
    ("Coap.init('127.0.0.1', nonsense=1)", "TypeError")])
def test_an_argument_out_of_the_contract_raises_and_leaves_coap_closed(interpreter, call, exception):
    assert interpreter.raises(call) == exception
    assert interpreter.raises("Coap.deinit()") == "RuntimeError"


def test_none_for_a_keyword_means_not_given(interpreter):
    interpreter.do("Coap.init(None, port=None, psk=None, hint=None)")


def ask_group(address, port, path):
    """The first answer that comes from an address, and its port, to a request to the IPv4 group of all CoAP nodes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(SECONDS)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sock.sendto(coap.encode(coap.Message(coap.NON, coap.GET, 1, b"t", path_options(path))), ("224.0.1.187", port))
        while True:  # other servers may run on this machine
            answer, sender = sock.recvfrom(2048)
            if sender[0] == address:
                return coap.decode(answer), sender[1]


def test_with_service_discovery_who_asks_the_group_is_answered(interpreter):
    port = free_port("127.0.0.78")
    interpreter.do(f"""
        Coap.init('127.0.0.78', port={port}, service_discovery=True)
        Coap.add_resource('a', value='x').callback(Coap.REQUEST_GET, True)
    """)
    answer, sender = ask_group("127.0.0.78", port, ".well-known/core")
    assert (answer.type, answer.payload, sender) == (coap.NON, b"</a>;obs", port)
    assert ask_group("127.0.0.78", port, "a")[0].payload == b"x"


def test_with_psk_and_service_discovery_the_links_are_of_coaps(interpreter):
    port = free_port("127.0.0.79")
    interpreter.do(f"""
        Coap.init('127.0.0.79', port={port}, service_discovery=True, psk='secret', hint='gate')
        Coap.add_resource('a', value='x').callback(Coap.REQUEST_GET, True)
    """)
    answer, sender = ask_group("127.0.0.79", 5683, ".well-known/core")
    assert answer.payload == f"<coaps://127.0.0.79:{port}/a>;obs".encode()
    with Client(sender, "127.0.0.79") as client:
        assert client.get("a").code == code("4.04")
    assert copal("get", "--psk", "secret", "--identity", "us", f"coaps://127.0.0.79:{port}/a").stdout == b"x"


def test_service_discovery_without_an_address_is_a_client_all_the_same(interpreter):
    interpreter.do("Coap.init(service_discovery=True)")


def test_the_clients_requests_leave_from_the_address_given_on_a_port_of_their_own(interpreter):
    port = free_port("127.0.0.9")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(60)
        interpreter.do(f"""
            Coap.init('127.0.0.9', port={port})
            Coap.new_client_session('127.0.0.1', port={peer.getsockname()[1]}).send_request(Coap.REQUEST_GET)
        """)
        _, (address, source) = peer.recvfrom(65536)
    assert address == "127.0.0.9" and source != port


def test_deinit_frees_the_port_and_init_may_follow(server):
    for _ in range(3):
        server.do("Coap.deinit()")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", server.port))
        server.do(f"Coap.init('127.0.0.1', port={server.port})")
        with Client(server.port) as client:
            assert client.get("nothing").code == code("4.04")


def test_nothing_survives_deinit(interpreter):
    """What a soft reset of a board must leave, too: resources, sessions, handlers and what waits for them are gone."""
    with Answerer(lambda request: critical(request) if request.path() == "b" else piggyback(request, "2.05")) as peer:
        assert interpreter.do(f"""
            Coap.init('127.0.0.1', port=0, dynamic_resources=True)
            Coap.register_response_handler(answer)
            Coap.register_error_handler(failure)
            Coap.register_new_resource_handler(creation)
            r = Coap.add_resource('a')
            s = Coap.new_client_session('127.0.0.1', port={peer.port})
            s.send_request(Coap.REQUEST_GET)
            Coap.deinit()
            Coap.init()
            print(Coap.get_resource('a'), Coap.get_client_sessions())
            s2 = Coap.new_client_session('127.0.0.1', port={peer.port})
            s2.send_request(Coap.REQUEST_GET)
            s2.send_request(Coap.REQUEST_GET, uri_path='b')
            ended = []  # that one's outcome is shown behind the first one's answer
            Coap.register_error_handler(lambda *error: ended.append(error))
            wait(lambda: ended)
        """) == ["None []"]
        for call in ["r.value()", "r.get_details()", "s.send_request(1)", "s.get_details()"]:
            assert interpreter.raises(call) == "RuntimeError", call
        interpreter.do("Coap.register_response_handler(answer); id = s2.send_request(Coap.REQUEST_GET)")
        interpreter.wait("got")
        assert interpreter.value("([g[1] for g in got] == [id], failed, made)") == (True, [], [])


def test_an_object_of_before_deinit_is_not_one_of_after_it(interpreter):
    interpreter.do("""
        Coap.init()
        old = Coap.add_resource('a', value='old')
        Coap.deinit()
        Coap.init()
        new = Coap.add_resource('a', value='new')
    """)
    assert interpreter.raises("old.value()") == "RuntimeError"
    assert interpreter.value("new.value()") == b"new"


def test_the_interpreter_ends_cleanly_with_a_server_and_requests_open():
    with Answerer(lambda request: None) as silent:
        assert run(f"""
            Coap.init('127.0.0.1', port=0)
            Coap.add_resource('a')
            session = Coap.new_client_session('127.0.0.1', port={silent.port})
            for _ in range(5):
                session.send_request(Coap.REQUEST_GET, uri_path='a')
        """) == ""


def test_the_interpreter_ends_cleanly_by_an_exception():
    assert "ZeroDivisionError" in run("Coap.init('127.0.0.1', port=0); 1 / 0", status=1)
    run("Coap.init('127.0.0.1', port=0); sys.exit(3)", status=3)


def test_constants_are_those_of_the_contract(interpreter):
    constants = {
        "REQUEST_GET": 1, "REQUEST_POST": 2, "REQUEST_PUT": 4, "REQUEST_DELETE": 8,
        "REQUEST_FETCH": 16, "REQUEST_PATCH": 32, "REQUEST_IPATCH": 64,
        "MEDIATYPE_TEXT_PLAIN": 0, "MEDIATYPE_APP_LINK_FORMAT": 40, "MEDIATYPE_APP_XML": 41,
        "MEDIATYPE_APP_OCTET_STREAM": 42, "MEDIATYPE_APP_RDF_XML": 43, "MEDIATYPE_APP_EXI": 47,
        "MEDIATYPE_APP_JSON": 50, "MEDIATYPE_APP_CBOR": 60, "PROTOCOL_UDP": 1, "PROTOCOL_DTLS": 2}
    names = "[{}]".format(", ".join("Coap." + name for name in constants))
    assert interpreter.value(names) == list(constants.values())


def test_a_handler_must_be_callable_or_none(interpreter):
    interpreter.do("Coap.init()")
    for kind in ["response", "error", "new_resource"]:
        assert interpreter.raises(f"Coap.register_{kind}_handler(5)") == "TypeError"
        interpreter.do(f"Coap.register_{kind}_handler(print); Coap.register_{kind}_handler(None)")
