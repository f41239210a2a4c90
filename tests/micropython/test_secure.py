"""psk, hint and identity: network.Coap over DTLS."""
import socket
import subprocess

import pytest

from support import coap
from support.micropython import Interpreter, run
from support.process import SECONDS, Serve, copal
from support.udp import free_port


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def server(interpreter, port):
    """One that knows the key "secret", with the resource `a`."""
    interpreter.do(f"""
        Coap.init('127.0.0.1', port={port}, dynamic_resources=True, psk='secret', hint='gate')
        a = Coap.add_resource('a', value='hello', media_type=Coap.MEDIATYPE_TEXT_PLAIN)
        a.callback(Coap.REQUEST_GET | Coap.REQUEST_PUT, True)
    """)
    return interpreter


@pytest.fixture
def asking(tmp_path):
    """Another interpreter, a client only, with handlers that collect."""
    folder = tmp_path / "asking"
    folder.mkdir()
    with Interpreter(folder) as interpreter:
        interpreter.do("""
            Coap.init()
            Coap.register_response_handler(answer)
            Coap.register_error_handler(failure)
        """)
        yield interpreter


def connect(asking, port, psk="'secret'", identity="'us'"):
    asking.do(f"session = Coap.new_client_session('127.0.0.1', port={port}, psk={psk}, identity={identity})")


def ask(*arguments, psk="secret", identity="anybody"):
    return copal(arguments[0], "--psk", psk, "--identity", identity, *arguments[1:])


# ---- the server -----------------------------------------------------------------------------------------------


def test_whoever_has_the_key_gets_in_by_any_identity(server, port):
    for identity in ("anna", "0xff41", "b" * 128):
        done = ask("get", f"coaps://127.0.0.1:{port}/a", identity=identity)
        assert (done.returncode, done.stdout) == (0, b"hello")


def test_with_psk_nobody_is_answered_without_dtls(server, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.send(coap.encode(coap.Message(coap.CON, coap.GET, 1, b"t", [(coap.URI_PATH, b"a")])))
        assert ask("get", f"coaps://127.0.0.1:{port}/a").returncode == 0  # asked after it
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(2048)


def test_with_psk_the_port_is_5684_unless_given(interpreter):
    interpreter.do("""
        Coap.init('127.0.0.35', psk='secret', hint='gate')
        Coap.add_resource('a', value='x').callback(Coap.REQUEST_GET, True)
    """)
    assert ask("get", "coaps://127.0.0.35/a").stdout == b"x"


@pytest.mark.parametrize("psk, typed", [
    ("'secret'", "secret"), ("b'secret'", "secret"), (r"b'\x00a\x00'", "0x006100"), (r"'a\x00b'", "0x610062"),
    ("'k' * 64", "k" * 64), ("bytearray(b'secret')", "secret")])
def test_a_key_is_str_or_bytes_nul_included(interpreter, port, psk, typed):
    interpreter.do(f"""
        Coap.init('127.0.0.1', port={port}, psk={psk}, hint='')
        Coap.add_resource('a', value='x').callback(Coap.REQUEST_GET, True)
    """)
    assert ask("get", f"coaps://127.0.0.1:{port}/a", psk=typed).stdout == b"x"


def test_the_hint_is_told_to_clients(server, port):
    command = ["openssl", "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}", "-psk", "736563726574",
               "-psk_identity", "us", "-cipher", "PSK-AES128-CCM8@SECLEVEL=0"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=SECONDS)
    assert b"PSK identity hint: gate" in done.stdout


def test_a_server_goes_from_dtls_to_plain_and_back(interpreter, port):
    for _ in range(2):
        interpreter.do(f"""
            Coap.init('127.0.0.1', port={port}, psk='secret', hint='gate')
            Coap.add_resource('a', value='x').callback(Coap.REQUEST_GET, True)
        """)
        assert ask("get", f"coaps://127.0.0.1:{port}/a").stdout == b"x"
        interpreter.do(f"""
            Coap.deinit()
            Coap.init('127.0.0.1', port={port})
            Coap.add_resource('a', value='y').callback(Coap.REQUEST_GET, True)
        """)
        assert copal("get", f"coap://127.0.0.1:{port}/a").stdout == b"y"
        interpreter.do("Coap.deinit()")


def test_what_a_put_creates_is_told_through_a_session_too(server, port):
    server.do("Coap.register_new_resource_handler(creation)")
    assert ask("put", f"coaps://127.0.0.1:{port}/new", "1").stderr == "2.01 Created\n"
    server.wait("made")
    assert server.value("made[0].get_details()[0]") == "new"


# ---- sessions ---------------------------------------------------------------------------------------------------


def test_a_session_asks_and_tells_its_details(server, asking, port):
    connect(asking, port)
    assert asking.value("session.get_details()") == ["127.0.0.1", port, 2]
    assert asking.value("(Coap.PROTOCOL_UDP, Coap.PROTOCOL_DTLS)") == (1, 2)
    identifier = asking.value("session.send_request(Coap.REQUEST_GET, uri_path='a', token='t')")
    asking.wait("got")
    assert asking.value("got") == [(coap.code("2.05"), identifier, coap.ACK, b"t", b"hello")]


@pytest.mark.parametrize("psk, identity, typed", [
    ("b'secret'", "b'us'", "secret"), (r"b'\x00\x01'", "'us'", "0x0001"), ("'k' * 64", "'i' * 128", "k" * 64)])
def test_key_and_identity_of_a_session_are_str_or_bytes(asking, psk, identity, typed):
    class Secured(Serve):
        SCHEME = "coaps"
    with Secured("--psk", typed, "--resource", "a=1") as server:
        connect(asking, server.port, psk, identity)
        asking.do("session.send_request(Coap.REQUEST_GET, uri_path='a')")
        asking.wait("got")
        assert asking.value("got[0][4]") == b"1"


def test_sessions_of_several_identities_with_one_server_do_not_disturb_each_other(server, asking, port):
    asking.do(f"""
        sessions = [Coap.new_client_session('127.0.0.1', port={port}, psk='secret', identity='i%d' % (i % 3))
                    for i in range(4)]
        for _ in range(3):
            for session in sessions:
                session.send_request(Coap.REQUEST_GET, uri_path='a')
    """)
    asking.wait("len(got) + len(failed) == 12")
    assert asking.value("(len(got), failed)") == (12, [])


def test_plain_and_secured_sessions_go_on_side_by_side(server, asking, port):
    with Serve("--resource", "p=plain") as plain:
        connect(asking, port)
        asking.do(f"""
            other = Coap.new_client_session('127.0.0.1', port={plain.port})
            session.send_request(Coap.REQUEST_GET, uri_path='a')
            other.send_request(Coap.REQUEST_GET, uri_path='p')
        """)
        asking.wait("len(got) == 2")
    assert asking.value("sorted(g[4] for g in got)") == [b"hello", b"plain"]
    assert asking.value("other.get_details()[2]") == 1


def test_a_wrong_key_is_told_to_the_error_handler_with_a_reason(server, asking, port):
    connect(asking, port, psk="'guess'")
    identifier = asking.value("session.send_request(Coap.REQUEST_GET, uri_path='a', token='t')")
    asking.wait("failed")
    assert asking.value("(got, failed[0][:2])") == ([], (identifier, b"t"))
    assert "another key" in asking.value("failed[0][2]")


def test_where_nobody_listens_a_session_is_unreachable(asking):
    connect(asking, free_port())
    asking.do("session.send_request(Coap.REQUEST_GET, uri_path='a')")
    asking.wait("failed")
    assert asking.value("failed[0][2]") == "unreachable"


def test_a_session_is_removed_by_its_protocol(server, asking, port):
    connect(asking, port)
    assert asking.raises(f"Coap.remove_client_session('127.0.0.1', {port})") == "RuntimeError"
    assert asking.raises(f"Coap.remove_client_session('127.0.0.1', {port}, Coap.PROTOCOL_UDP)") == "RuntimeError"
    asking.do(f"Coap.remove_client_session('127.0.0.1', {port}, Coap.PROTOCOL_DTLS)")
    assert asking.value("Coap.get_client_sessions()") == []
    assert asking.raises("session.send_request(Coap.REQUEST_GET)") == "RuntimeError"
    connect(asking, port)
    asking.do("session.send_request(Coap.REQUEST_GET, uri_path='a')")
    asking.wait("got")


def test_by_the_protocol_the_port_to_remove_is_5684_unless_given(asking):
    asking.do("Coap.new_client_session('127.0.0.1', psk='k', identity='i')")
    assert asking.value("Coap.get_client_sessions()[0].get_details()") == ["127.0.0.1", 5684, 2]
    asking.do("Coap.remove_client_session('127.0.0.1', protocol=Coap.PROTOCOL_DTLS)")
    assert asking.value("Coap.get_client_sessions()") == []


def test_removing_a_session_ends_what_it_observes_at_the_server(server, asking, port):
    connect(asking, port)
    asking.do("session.send_request(Coap.REQUEST_GET, uri_path='a', observe=True)")
    asking.wait("got")
    asking.do(f"Coap.remove_client_session('127.0.0.1', {port}, protocol=Coap.PROTOCOL_DTLS)")
    server.do("a.value('more')")
    assert ask("get", f"coaps://127.0.0.1:{port}/a").stdout == b"more"
    assert asking.value("(len(got), failed)") == (1, [])


# ---- observing and large payloads ---------------------------------------------------------------------------------


def test_what_is_observed_is_told_through_the_session(server, asking, port):
    connect(asking, port)
    identifier = asking.value("session.send_request(Coap.REQUEST_GET, uri_path='a', observe=True)")
    asking.wait("len(got) == 1")
    server.do("a.value('news')")
    asking.wait("len(got) == 2")
    assert asking.value("[(g[1], g[4]) for g in got]") == [(identifier, b"hello"), (identifier, b"news")]


def test_large_payloads_go_and_come_through_a_session(server, asking, port):
    connect(asking, port)
    asking.do("""
        body = bytes(range(256)) * 200
        session.send_request(Coap.REQUEST_PUT, uri_path='large', payload=body)
    """)
    asking.wait("got")
    assert asking.value("got[0][0]") == coap.code("2.01")
    assert server.value("Coap.get_resource('large').value() == bytes(range(256)) * 200") is True
    asking.do("session.send_request(Coap.REQUEST_GET, uri_path='large')")
    asking.wait("len(got) == 2")
    assert asking.value("got[1][4] == body") is True


def test_a_server_that_restarts_is_found_again(tmp_path, server, asking, port):
    connect(asking, port)
    asking.do("session.send_request(Coap.REQUEST_GET, uri_path='a')")
    asking.wait("len(got) == 1")
    server.do(f"""
        Coap.deinit()
        Coap.init('127.0.0.1', port={port}, psk='secret', hint='gate')
        Coap.add_resource('a', value='again').callback(Coap.REQUEST_GET, True)
    """)
    asking.do("session.send_request(Coap.REQUEST_GET, uri_path='a')")
    asking.wait("len(got) + len(failed) == 2")
    assert asking.value("(got[1][4], failed)") == (b"again", [])


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [
    "psk='k'", "hint='h'", "psk='', hint='h'", "psk='k' * 65, hint='h'", "psk='k', hint='h' * 129",
    r"psk='k', hint='a\x00b'"])
def test_an_init_out_of_the_contract_is_a_value_error_and_leaves_coap_closed(interpreter, call):
    assert interpreter.raises(f"Coap.init('127.0.0.1', {call})") == "ValueError"
    assert interpreter.raises("Coap.deinit()") == "RuntimeError"


@pytest.mark.parametrize("call", [
    "psk='k'", "identity='i'", "psk='k', identity='i', port=5683", "port=5684", "psk='', identity='i'",
    "psk='k' * 65, identity='i'", "psk='k', identity=''", "psk='k', identity='i' * 129",
    r"psk='k', identity=b'a\x00b'"])
def test_a_session_out_of_the_contract_is_a_value_error_and_is_not_made(asking, call):
    assert asking.raises(f"Coap.new_client_session('127.0.0.1', {call})") == "ValueError"
    assert asking.value("Coap.get_client_sessions()") == []


@pytest.mark.parametrize("call", ["init('127.0.0.1', psk=1, hint='h')", "init('127.0.0.1', psk='k', hint=1)"])
def test_a_key_or_hint_that_is_no_text_is_a_type_error(interpreter, call):
    assert interpreter.raises(f"Coap.{call}") == "TypeError"


def test_the_value_error_for_a_nul_says_that_it_is_openssl_s(interpreter):
    said = interpreter.do(r"""
        try:
            Coap.init('127.0.0.1', psk='k', hint='a\x00b')
        except ValueError as error:
            print(error)
    """)
    assert said == ["OpenSSL sends no identity or hint that holds a NUL"]


def test_a_port_that_is_taken_is_an_oserror_and_init_may_follow(interpreter, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        call = f"Coap.init('127.0.0.1', port={taken.getsockname()[1]}, psk='k', hint='h')"
        assert interpreter.raises(call) == "OSError"
    interpreter.do(f"Coap.init('127.0.0.1', port={port}, psk='k', hint='h')")


def test_none_means_not_given(asking):
    asking.do("Coap.new_client_session('127.0.0.1', psk=None, identity=None)")
    assert asking.value("Coap.get_client_sessions()[0].get_details()") == ["127.0.0.1", 5683, 1]


def test_a_soft_reset_in_the_midst_of_sessions_leaves_nothing_behind():
    assert run("""
        Coap.init('127.0.0.1', port=0, psk='k', hint='h')
        for i in range(20):
            s = Coap.new_client_session('127.0.0.1', port=9, psk='k', identity='i%d' % i)
            if i % 2:
                s.send_request(Coap.REQUEST_GET)
        gc.collect()
        print('alive')
    """).startswith("alive")
