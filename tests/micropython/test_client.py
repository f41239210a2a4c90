"""CoapClientSession: what goes on the wire, and what comes back to the script."""
import threading

import pytest

from support import coap
from support.coap import ACCEPT, CONTENT_FORMAT, ETAG, IF_MATCH, IF_NONE_MATCH, URI_PATH, URI_QUERY, Message, code, uint
from support.micropython import session
from support.process import until
from support.udp import Answerer, critical, free_port, piggyback


def content(request):
    return piggyback(request, "2.05", payload=b"x")


def sent(interpreter, arguments, answer=content):
    """The one request that the arguments make, answered so."""
    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do(f"id = session.send_request({arguments})")
        interpreter.wait("got")
    assert len(peer.messages) == 1
    return peer.messages[0]


# ---- the request


@pytest.mark.parametrize("name, method", [
    ("GET", 1), ("POST", 2), ("PUT", 3), ("DELETE", 4), ("FETCH", 5), ("PATCH", 6), ("IPATCH", 7)])
def test_each_method_is_sent_confirmable_without_token_option_or_payload(interpreter, name, method):
    request = sent(interpreter, f"Coap.REQUEST_{name}")
    assert (request.type, request.code) == (coap.CON, method)
    assert (request.token, request.options, request.payload) == (b"", [], b"")


def test_send_request_returns_the_message_id_and_id_param_is_the_same(interpreter):
    request = sent(interpreter, "Coap.REQUEST_GET, token='abc'")
    assert interpreter.value("id") == request.mid
    assert interpreter.value("got") == [(69, request.mid, coap.ACK, b"abc", b"x")]


def test_all_keywords_become_options(interpreter):
    request = sent(interpreter, """Coap.REQUEST_PUT, uri_path='/a/b c?x=1&y', content_format=Coap.MEDIATYPE_APP_JSON,
                   payload='grün', token=b'\\x00\\x01', accept=60, etag=b'e', if_match='m', if_none_match=True""")
    assert request.options == [
        (IF_MATCH, b"m"), (ETAG, b"e"), (IF_NONE_MATCH, b""), (URI_PATH, b"a"), (URI_PATH, b"b c"),
        (CONTENT_FORMAT, b"\x32"), (URI_QUERY, b"x=1"), (URI_QUERY, b"y"), (ACCEPT, b"\x3c")]
    assert (request.payload, request.token) == ("grün".encode(), b"\x00\x01")


def test_neither_uri_host_nor_uri_port_is_sent_for_an_address(interpreter):
    """The original sent the host as four raw octets and the port always."""
    request = sent(interpreter, "Coap.REQUEST_GET, uri_path='a'")
    assert [number for number, _ in request.options] == [URI_PATH]


@pytest.mark.parametrize("number", [0, 40, 255, 256, 65535])
def test_content_format_takes_as_few_octets_as_it_needs(interpreter, number):
    """The original sent two, always."""
    request = sent(interpreter, f"Coap.REQUEST_PUT, content_format={number}")
    assert request.all(CONTENT_FORMAT) == [uint(number)]


def test_an_empty_if_match_is_sent(interpreter):
    assert sent(interpreter, "Coap.REQUEST_PUT, if_match=b''").options == [(IF_MATCH, b"")]


def test_include_options_false_sends_header_token_and_payload_only(interpreter):
    request = sent(interpreter, """Coap.REQUEST_POST, uri_path='a', content_format=50, payload=b'p', token='t',
                   accept=50, etag=b'e', if_match=b'', if_none_match=True, include_options=False""")
    assert (request.options, request.payload, request.token) == ([], b"p", b"t")


def test_confirmable_false_sends_a_non(interpreter):
    request = sent(interpreter, "Coap.REQUEST_GET, confirmable=False")
    assert request.type == coap.NON
    assert interpreter.value("got[0][2]") == coap.NON


def test_none_for_a_keyword_means_not_given(interpreter):
    names = ["uri_path", "content_format", "payload", "token", "include_options", "confirmable", "accept", "etag",
             "if_match", "timeout"]
    request = sent(interpreter, "Coap.REQUEST_GET, " + ", ".join(name + "=None" for name in names))
    assert (request.type, request.token, request.options, request.payload) == (coap.CON, b"", [], b"")


@pytest.mark.parametrize("arguments, exception", [
    ("", "TypeError"), ("0", "ValueError"), ("3", "ValueError"), ("128", "ValueError"), ("'GET'", "TypeError"),
    ("None", "TypeError"), ("1, 'a'", "TypeError"), ("1, token='123456789'", "ValueError"), ("1, token=5", "TypeError"),
    ("1, payload=5", "TypeError"), ("1, uri_path=5", "TypeError"), ("1, uri_path='x' * 256", "ValueError"),
    ("1, uri_path='%zz'", "ValueError"), ("1, content_format=65536", "ValueError"), ("1, accept=65536", "ValueError"),
    ("1, etag=b''", "ValueError"), ("1, etag=b'123456789'", "ValueError"), ("1, if_match=b'123456789'", "ValueError"),
    ("1, timeout=0", "ValueError"), ("1, timeout=-1", "ValueError"), ("1, timeout=1e12", "ValueError"),
    ("1, timeout='1'", "TypeError"), ("2, observe=True", "ValueError"), ("1, observe=True, include_options=False", "ValueError"),
    ("4, payload='x' * 2000, include_options=False", "ValueError")])
def test_an_argument_out_of_the_contract_raises_and_sends_nothing(interpreter, arguments, exception):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        assert interpreter.raises(f"session.send_request({arguments})") == exception
        interpreter.do("session.send_request(Coap.REQUEST_GET, uri_path='good')")
        interpreter.wait("got")
    assert [request.path() for request in peer.messages] == ["good"]


def test_an_oversized_payload_is_never_cut_and_the_error_says_what_is_missing(interpreter):
    session(interpreter, free_port())
    assert "without options" in interpreter.do("""
        try:
            session.send_request(Coap.REQUEST_PUT, payload='x' * 2000, include_options=False)
        except ValueError as error:
            print(error)
    """)[0]


def test_a_payload_over_a_datagram_goes_in_blocks_and_the_script_sees_one_answer(interpreter):
    def answer(request):
        block = request.all(coap.BLOCK1)[0]
        return piggyback(request, "2.31" if block[0] & 8 else "2.04", (coap.BLOCK1, block))

    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("id = session.send_request(Coap.REQUEST_PUT, uri_path='a', payload='x' * 2000)")
        interpreter.wait("got")
        assert interpreter.value("(len(got), got[0][0] == 0x44, got[0][1] == id)") == (1, True, True)
    assert [len(request.payload) for request in peer.messages] == [1024, 976]


@pytest.mark.parametrize("size", [0, 1, 1024])
def test_a_payload_that_fits_goes_whole(interpreter, size):
    assert sent(interpreter, f"Coap.REQUEST_PUT, payload='x' * {size}").payload == b"x" * size


def test_two_open_requests_with_the_same_token_raise_value_error(interpreter):
    with Answerer(lambda request: content(request) if request.path() == "go" else None) as peer:
        session(interpreter, peer.port)
        interpreter.do("first = session.send_request(1, token='t')")
        assert interpreter.raises("session.send_request(1, token='t')") == "ValueError"
        interpreter.do("session.cancel(first); session.send_request(1, token='t', uri_path='go')")
        interpreter.wait("got")


def test_message_ids_are_unique_over_all_sessions(interpreter):
    """One hundred counters with a hundred IDs each would meet some fifteen times."""
    interpreter.do("""
        Coap.init()
        ids = set()
        for i in range(100):
            session = Coap.new_client_session('127.0.1.{}'.format(i))
            for _ in range(100):
                id = session.send_request(1)
                ids.add(id)
                session.cancel(id)
    """)
    assert interpreter.value("len(ids)") == 10000


# ---- the response


@pytest.mark.parametrize("text", ["2.01", "2.04", "2.05", "4.04", "4.13", "5.03"])
@pytest.mark.parametrize("payload", [b"", b"words"])
def test_every_response_reaches_the_handler_with_or_without_payload(interpreter, text, payload):
    """In the original, one without payload never did."""
    request = sent(interpreter, "1", lambda request: piggyback(request, text, payload=payload))
    assert interpreter.value("got") == [(code(text), request.mid, coap.ACK, b"", payload)]


def separate(confirmable):
    def answer(request):
        if request.type in (coap.ACK, coap.RST):
            return None
        kind = coap.CON if confirmable else coap.NON
        return [Message(coap.ACK, 0, request.mid), Message(kind, code("2.05"), 4711, request.token, [], b"later")]
    return answer


@pytest.mark.parametrize("token", ["", "token='t'"])
@pytest.mark.parametrize("confirmable", [True, False])
def test_a_separate_response_carries_the_requests_id(interpreter, token, confirmable):
    with Answerer(separate(confirmable)) as peer:
        session(interpreter, peer.port)
        interpreter.do(f"id = session.send_request(1, {token})")
        interpreter.wait("got")
        kind = coap.CON if confirmable else coap.NON
        assert interpreter.value("[got[0][:3], got[0][4]] == [(69, id, {}), b'later']".format(kind)) is True
        if confirmable:
            assert until(lambda: [m.mid for m in peer.messages if m.type == coap.ACK]) == [4711]


def test_separate_responses_without_token_go_to_the_oldest_acknowledged_request(interpreter):
    """RFC 7252 section 5.3.1. With NSTART 1 the second request leaves when the first is acknowledged."""
    def answer(request):
        if request.code == 0:
            return None
        acknowledged.append(request)
        out = [Message(coap.ACK, 0, request.mid)]
        if len(acknowledged) == 2:
            out += [Message(coap.NON, code("2.05"), 1000 + i, b"", [], each.path().encode())
                    for i, each in enumerate(acknowledged)]
        return out

    acknowledged = []
    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("ids = [session.send_request(1, uri_path='first'), session.send_request(1, uri_path='second')]")
        interpreter.wait("len(got) == 2")
    assert interpreter.value("[(g[1], g[4]) for g in got] == [(ids[0], b'first'), (ids[1], b'second')]") is True


def test_a_response_in_blocks_comes_whole_and_the_inner_ones_are_not_shown(interpreter):
    body = b"0123456789abcdef" * 200

    def answer(request):
        block = int.from_bytes(b"".join(request.all(coap.BLOCK2)), "big")
        number = (block >> 4) * (16 << (block & 7)) // 64
        part = body[number * 64:(number + 1) * 64]
        more = (number + 1) * 64 < len(body)
        return piggyback(request, "2.05", (ETAG, b"v"), (coap.BLOCK2, uint(number << 4 | more << 3 | 2)), payload=part)

    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("id = session.send_request(1, uri_path='a/b?c', accept=0, token='t')")
        interpreter.wait("got")
        assert interpreter.value("(len(got), got[0][1] == id, got[0][3], got[0][4])") == (1, True, b"t", body)
    assert len(peer.messages) == 51  # blocks of 64 octets; the first was asked for again in a larger one
    for request in peer.messages:
        assert (request.path(), request.all(URI_QUERY), request.all(ACCEPT)) == ("a/b", [b"c"], [b""])
        assert request.token == b"t"


def test_a_body_that_changes_while_it_is_fetched_is_fetched_again(interpreter):
    def answer(request):
        number = int.from_bytes(b"".join(request.all(coap.BLOCK2)), "big") >> 4
        version = b"1" if len(peer.messages) == 1 else b"2"
        block = uint(number << 4 | (number < 2) << 3)
        return piggyback(request, "2.05", (ETAG, version), (coap.BLOCK2, block), payload=version * 16)

    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("session.send_request(1)")
        interpreter.wait("got")
        assert interpreter.value("[g[4] for g in got]") == [b"2" * 48]


def test_blocks_that_never_fit_end_with_an_error(interpreter):
    sixth = (coap.BLOCK2, uint(5 << 4 | 8))
    with Answerer(lambda request: piggyback(request, "2.05", sixth, payload=b"x" * 16)) as peer:
        session(interpreter, peer.port)
        interpreter.do("session.send_request(1)")
        interpreter.wait("failed")
    assert interpreter.value("[f[2] for f in failed]") == ["blocks do not fit together"]


def test_an_endless_body_ends_with_an_error(interpreter):
    def answer(request):
        number = int.from_bytes(b"".join(request.all(coap.BLOCK2)), "big") >> 4
        return piggyback(request, "2.05", (coap.BLOCK2, uint(number << 4 | 8 | 6)), payload=b"x" * 1024)

    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("session.send_request(1)")
        interpreter.wait("failed")
        assert interpreter.value("(got, len(failed))") == ([], 1)


# ---- the end without a response


def test_the_error_handler_hears_of_a_time_out(interpreter):
    with Answerer(lambda request: None) as silent:
        session(interpreter, silent.port)
        interpreter.do("id = session.send_request(1, token='t', timeout=0.05)")
        interpreter.wait("failed")
        assert interpreter.value("failed == [(id, b't', 'timeout')] and not got") is True


def test_the_error_handler_hears_of_a_reset(interpreter):
    with Answerer(lambda request: Message(coap.RST, 0, request.mid)) as peer:
        session(interpreter, peer.port)
        interpreter.do("id = session.send_request(1)")
        interpreter.wait("failed")
        assert interpreter.value("failed == [(id, b'', 'reset')] and not got") is True


def test_the_error_handler_hears_of_a_port_where_nobody_listens(interpreter):
    session(interpreter, free_port())
    interpreter.do("id = session.send_request(1)")
    interpreter.wait("failed")
    assert interpreter.value("failed == [(id, b'', 'unreachable')] and not got") is True


def test_without_an_error_handler_such_an_end_is_silent(interpreter):
    def answer(request):
        return Message(coap.RST, 0, request.mid) if request.path() == "" else content(request)

    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("Coap.register_error_handler(None); session.send_request(1)")
        interpreter.do("session.send_request(1, uri_path='a')")
        interpreter.wait("got")
        assert interpreter.value("(len(got), failed)") == (1, [])


def test_none_unregisters_the_response_handler(interpreter):
    """The second request leaves when the first is answered (NSTART 1), and what comes of it is shown behind that answer."""
    with Answerer(lambda request: critical(request) if request.path() == "b" else content(request)) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            Coap.register_response_handler(None)
            session.send_request(1, uri_path='a')
            session.send_request(1, uri_path='b')
        """)
        interpreter.wait("failed")
        interpreter.do("Coap.register_response_handler(answer); id = session.send_request(1)")
        interpreter.wait("got")
        assert interpreter.value("[g[1] for g in got] == [id]") is True


def test_a_response_with_an_unknown_critical_option_ends_with_an_error(interpreter):
    with Answerer(critical) as peer:
        session(interpreter, peer.port)
        interpreter.do("session.send_request(1)")
        interpreter.wait("failed")
        assert interpreter.value("len(got)") == 0


# ---- cancel, sessions


def test_cancel_ends_a_request_and_its_answer_is_not_shown(interpreter):
    release = threading.Event()

    def answer(request):
        release.wait(60)
        return content(request)

    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("session.cancel(session.send_request(1, token='a')); id = session.send_request(1, token='b')")
        release.set()
        interpreter.wait("got")
        assert interpreter.value("[g[1] for g in got] == [id] and not failed") is True


def test_cancel_drops_an_answer_that_waits_already(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            def late(_):
                id = session.send_request(1)
                time.sleep(0.3)
                session.cancel(id)
            micropython.schedule(late, None)
            time.sleep(0.1)
        """)
        interpreter.do("session.send_request(1)")
        interpreter.wait("got")
        assert interpreter.value("len(got)") == 1


@pytest.mark.parametrize("id, exception", [
    ("5", None), ("-1", "ValueError"), ("65536", "ValueError"), ("None", "TypeError")])
def test_cancelling_what_is_not_open_is_no_error(interpreter, id, exception):
    session(interpreter, free_port())
    assert interpreter.raises(f"session.cancel({id})") == exception


def test_details_of_a_session_are_address_port_and_protocol(interpreter):
    interpreter.do("Coap.init()")
    assert interpreter.value("Coap.new_client_session('127.0.0.1').get_details()") == ["127.0.0.1", 5683, 1]
    assert interpreter.value("Coap.new_client_session('::1', port=1234).get_details()") == ["::1", 1234, 1]
    assert interpreter.value("Coap.new_client_session('localhost').get_details()[0]") in ("127.0.0.1", "::1")


@pytest.mark.parametrize("arguments, exception", [
    ("'127.0.0.1', psk='k'", "ValueError"), ("'127.0.0.1', identity='i'", "ValueError"),
    ("'127.0.0.1', port=5683, psk='k', identity='i'", "ValueError"), ("'127.0.0.1', port=5684", "ValueError"),
    ("'x' * 300", "ValueError"), ("''", "ValueError"), ("5", "TypeError"), ("", "TypeError"),
    ("'127.0.0.1', port=0", "ValueError"), ("'127.0.0.1', port=65536", "ValueError"),
    ("'127.0.0.1', port='1'", "TypeError"), ("'127.0.0.1', 5683", "TypeError")])
def test_new_client_session_refuses_what_the_contract_refuses(interpreter, arguments, exception):
    interpreter.do("Coap.init()")
    assert interpreter.raises(f"Coap.new_client_session({arguments})") == exception
    assert interpreter.value("Coap.get_client_sessions()") == []


def test_get_client_sessions_lists_the_same_objects_in_order_of_creation(interpreter):
    interpreter.do("""
        Coap.init()
        s = [Coap.new_client_session('127.0.0.{}'.format(i)) for i in (3, 1, 2)]
        gc.collect()
    """)
    assert interpreter.do("print(all(a is b for a, b in zip(Coap.get_client_sessions(), s)))") == ["True"]
    interpreter.do("Coap.get_client_sessions().clear()")
    assert interpreter.value("len(Coap.get_client_sessions())") == 3


def test_remove_client_session_removes_the_first_match_and_then_its_methods_raise(interpreter):
    interpreter.do("""
        Coap.init()
        s = [Coap.new_client_session('127.0.0.1', port=port) for port in (5683, 7000, 5683)]
        Coap.remove_client_session('127.0.0.1')
    """)
    assert interpreter.do("print(Coap.get_client_sessions() == s[1:])") == ["True"]
    for call in ["send_request(1)", "get_details()", "cancel(1)"]:
        assert interpreter.raises("s[0]." + call) == "RuntimeError"
    interpreter.do("Coap.remove_client_session('127.0.0.1', 7000, Coap.PROTOCOL_UDP)")
    assert interpreter.do("print(Coap.get_client_sessions() == s[2:])") == ["True"]


@pytest.mark.parametrize("arguments, exception", [
    ("'127.0.0.2'", "RuntimeError"), ("'127.0.0.1', 7000", "RuntimeError"), ("'x' * 300", "RuntimeError"),
    ("'127.0.0.1', 5683, Coap.PROTOCOL_DTLS", "RuntimeError"), ("'127.0.0.1', protocol=5", "ValueError"),
    ("5", "TypeError")])
def test_removing_a_session_that_is_not_there_raises(interpreter, arguments, exception):
    interpreter.do("Coap.init(); Coap.new_client_session('127.0.0.1')")
    assert interpreter.raises(f"Coap.remove_client_session({arguments})") == exception
    assert interpreter.value("len(Coap.get_client_sessions())") == 1


def test_removing_a_session_ends_its_requests_in_flight_silently(interpreter):
    with Answerer(content) as peer, Answerer(lambda request: None) as silent:
        session(interpreter, peer.port)
        interpreter.do(f"""
            other = Coap.new_client_session('127.0.0.1', port={silent.port})
            for _ in range(4):
                other.send_request(1)
            Coap.remove_client_session('127.0.0.1', {silent.port})
            session.send_request(1)
        """)
        interpreter.wait("got")
        assert interpreter.value("(len(got), failed)") == (1, [])


def test_a_host_name_is_looked_up_and_its_session_removed_by_the_same_name(interpreter):
    interpreter.do("Coap.init(); s = Coap.new_client_session('localhost'); Coap.remove_client_session('localhost')")
    assert interpreter.raises("s.get_details()") == "RuntimeError"


def test_ipv6_works_end_to_end(interpreter):
    with Answerer(content, address="::1") as peer:
        session(interpreter, peer.port, "::1")
        interpreter.do("session.send_request(1, uri_path='a')")
        interpreter.wait("got")
        assert interpreter.value("got[0][4]") == b"x"


def test_more_open_requests_than_there_is_room_is_an_oserror(interpreter):
    with Answerer(lambda request: None) as silent:
        session(interpreter, silent.port)
        assert interpreter.raises("""
            while True:
                session.send_request(1)
        """) == "OSError"
        interpreter.do(f"Coap.remove_client_session('127.0.0.1', {silent.port})")
    with Answerer(content) as peer:
        interpreter.do(f"Coap.new_client_session('127.0.0.1', port={peer.port}).send_request(1)")
        interpreter.wait("got")
