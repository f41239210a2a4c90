"""Observing (RFC 7641): what a script's resources tell, and what a script is told."""
import time

import pytest

from support import coap
from support.client import Client
from support.coap import BLOCK2, CONTENT_FORMAT, MAX_AGE, OBSERVE, Message, code, uint
from support.micropython import Interpreter, Server, session
from support.process import SECONDS
from support.udp import Answerer, free_port, piggyback

TOKEN = b"watch"

# ---- a script's resources


def observe(client, path):
    """Registers; the answer, which must say that it did."""
    answer = client.ask(coap.GET, path, (OBSERVE, b""), token=TOKEN)
    assert answer.code == code("2.05") and answer.all(OBSERVE)
    return answer


def notification(client):
    message = client.receive()
    assert message.token == TOKEN
    if message.type == coap.CON:
        client.send(coap.encode(Message(coap.ACK, 0, message.mid)))
    return message


def test_setting_the_value_notifies_whoever_observes_the_resource(server, client):
    server.do("r = Coap.add_resource('a', media_type=0, value='1'); r.callback(Coap.REQUEST_GET, True)")
    first = observe(client, "a").all(OBSERVE)[0]
    server.do("r.value('2')")
    message = notification(client)
    assert (message.code, message.payload, message.all(CONTENT_FORMAT)) == (code("2.05"), b"2", [b""])
    assert int.from_bytes(message.all(OBSERVE)[0], "big") > int.from_bytes(first, "big")
    with Client(server.port) as other:
        server.do("r.callback(Coap.REQUEST_PUT, True)")
        assert other.put("a", b"3").code == code("2.04")
    assert notification(client).payload == b"3"


@pytest.mark.parametrize("change, wanted", [
    ("r.callback(Coap.REQUEST_GET, False)", "4.05"), ("r.set_details(mediatype=50)", "4.06"),
    ("Coap.remove_resource('a')", "4.04")])
def test_what_ends_an_observation_is_told_by_its_code(server, client, change, wanted):
    server.do("r = Coap.add_resource('a', value='1'); r.callback(Coap.REQUEST_GET | Coap.REQUEST_PUT, True)")
    observe(client, "a")
    server.do(change)
    message = notification(client)
    assert (message.code, message.all(OBSERVE)) == (code(wanted), [])
    server.do("r = Coap.get_resource('a') or Coap.add_resource('a'); r.value('2')")
    assert client.ask(coap.GET, "nothing").code == code("4.04")  # and nothing comes in between


def test_a_put_of_another_media_type_ends_an_observation(server, client):
    server.do("Coap.add_resource('a', media_type=0, value='1').callback(Coap.REQUEST_GET | Coap.REQUEST_PUT, True)")
    observe(client, "a")
    with Client(server.port) as other:
        other.put("a", b"{}", (CONTENT_FORMAT, uint(50)))
    assert notification(client).code == code("4.06")


def test_coap_may_end_and_begin_again_while_it_is_observed(server, client):
    for _ in range(3):
        server.do("r = Coap.add_resource('a', value='1'); r.callback(Coap.REQUEST_GET, True)")
        observe(client, "a")
        server.do(f"r.value('2'); Coap.deinit(); Coap.init('127.0.0.1', port={server.port})")
        # The notification may have been on its way already.
        server.do("r = Coap.add_resource('b'); r.callback(Coap.REQUEST_GET, True)")
        with Client(server.port) as other:
            assert other.get("b").code == code("2.05")
        client.__exit__()
        client.__init__(server.port)


def test_setting_values_in_a_hurry_tells_the_newest_in_the_end(server, client):
    server.do("r = Coap.add_resource('a', value=0); r.callback(Coap.REQUEST_GET, True)")
    observe(client, "a")
    server.do("for i in range(2000): r.value('%d' % i)")
    while notification(client).payload != b"1999":
        pass


# ---- what a script observes


def state(request, number, payload, *options):
    return piggyback(request, "2.05", (OBSERVE, uint(number)), *options, payload=payload)


def notify(peer, number, payload, kind=coap.NON, mid=None, text="2.05", options=()):
    numbers = [(OBSERVE, uint(number))] if number is not None else []
    first = peer.messages[0]
    peer.push(Message(kind, code(text), 30000 + (number or 0) if mid is None else mid, first.token,
                      numbers + list(options), payload))


def wait_for(peer, condition):
    deadline = time.monotonic() + SECONDS
    while not any(condition(message) for message in list(peer.messages)):
        assert time.monotonic() < deadline, peer.messages
        time.sleep(0.01)


def is_deregistration(message):
    return message.code == coap.GET and message.all(OBSERVE) == [b"\x01"]


@pytest.fixture
def peer(interpreter):
    """A server, and the interpreter a client of it that observes "a", as `id`."""
    with Answerer(lambda request: (state(request, 5, b"first") if request.all(OBSERVE) == [b""] else
                                   piggyback(request, "2.05", payload=b"plain") if request.code else None)) as peer:
        session(interpreter, peer.port)
        interpreter.do("id = session.send_request(Coap.REQUEST_GET, uri_path='a', observe=True)")
        interpreter.wait("got")
        yield peer


def test_observe_draws_a_token_and_asks_with_observe_0(interpreter, peer):
    request = peer.messages[0]
    assert (request.type, request.code, request.all(OBSERVE), request.path()) == (coap.CON, coap.GET, [b""], "a")
    assert request.token
    assert interpreter.value("got == [(69, id, 2, %r, b'first')]" % request.token) is True


def test_each_notification_comes_with_the_id_that_send_request_returned(interpreter, peer):
    notify(peer, 6, b"second")
    interpreter.wait("len(got) == 2")
    notify(peer, 7, b"third", coap.CON)
    interpreter.wait("len(got) == 3")
    assert interpreter.value("[(g[1] == id, g[2], g[4]) for g in got[1:]]") == [(True, 1, b"second"), (True, 0, b"third")]
    assert interpreter.value("len(set(g[3] for g in got))") == 1
    wait_for(peer, lambda m: m.type == coap.ACK and m.mid == 30007)


def test_what_comes_out_of_order_is_not_shown(interpreter, peer):
    notify(peer, 9, b"newer")
    notify(peer, 8, b"older")
    notify(peer, 10, b"newest")
    interpreter.wait("len(got) == 3")
    assert interpreter.value("[g[4] for g in got]") == [b"first", b"newer", b"newest"]


def test_cancel_deregisters_and_what_comes_then_is_rejected(interpreter, peer):
    interpreter.do("session.cancel(id)")
    wait_for(peer, is_deregistration)
    assert peer.messages[1].token == peer.messages[0].token
    notify(peer, 6, b"late", coap.CON)
    wait_for(peer, lambda m: m.type == coap.RST and m.mid == 30006)
    interpreter.do("session.send_request(1, token='x')")
    interpreter.wait("len(got) == 2")
    assert interpreter.value("(got[1][3], failed)") == (b"x", [])


@pytest.mark.parametrize("end", ["Coap.remove_client_session('127.0.0.1', {port})", "Coap.deinit()"])
def test_the_end_of_the_session_or_of_coap_deregisters(interpreter, peer, end):
    interpreter.do(end.format(port=peer.port))
    wait_for(peer, is_deregistration)
    assert peer.messages[1].token == peer.messages[0].token


def test_an_error_is_shown_and_ends_the_observation(interpreter, peer):
    notify(peer, None, b"gone", coap.CON, mid=7, text="4.04")
    interpreter.wait("len(got) == 2")
    assert interpreter.value("(got[1][0], got[1][1] == id, got[1][4])") == (code("4.04"), True, b"gone")
    notify(peer, 8, b"late", coap.CON)
    wait_for(peer, lambda m: m.type == coap.RST and m.mid == 30008)
    assert interpreter.value("(len(got), failed)") == (2, [])


def test_an_answer_without_observe_is_the_only_one(interpreter):
    with Answerer(lambda request: piggyback(request, "2.05", payload=b"x") if request.code else None) as peer:
        session(interpreter, peer.port)
        interpreter.do("id = session.send_request(1, observe=True, token='t')")
        interpreter.wait("got")
        interpreter.do("session.cancel(id); session.send_request(1, token='t')")
        interpreter.wait("len(got) == 2")
        assert [m.all(OBSERVE) for m in peer.messages] == [[b""], []]


def test_a_given_token_is_used_and_open_until_the_end(interpreter):
    with Answerer(lambda request: state(request, 1, b"x") if request.code else None) as peer:
        session(interpreter, peer.port)
        interpreter.do("id = session.send_request(Coap.REQUEST_FETCH, payload='q', observe=True, token='mine')")
        interpreter.wait("got")
        assert (peer.messages[0].token, peer.messages[0].code) == (b"mine", coap.FETCH)
        assert interpreter.raises("session.send_request(1, token='mine')") == "ValueError"
        assert interpreter.value("got[0][3]") == b"mine"


def test_a_state_in_blocks_is_shown_whole_and_once_with_the_token_of_the_observation(interpreter):
    def answer(request):
        if not request.code:
            return None
        if request.all(BLOCK2):
            return piggyback(request, "2.05", (BLOCK2, uint(1 << 4)), payload=b"b" * 5)
        return state(request, 1, b"a" * 16, (BLOCK2, uint(8)))

    with Answerer(answer) as peer:
        session(interpreter, peer.port)
        interpreter.do("session.send_request(1, observe=True)")
        interpreter.wait("got")
        notify(peer, 2, b"c" * 16, options=[(BLOCK2, uint(8))])
        interpreter.wait("len(got) == 2")
        assert interpreter.value("[g[4] for g in got]") == [b"a" * 16 + b"b" * 5, b"c" * 16 + b"b" * 5]
        tokens = interpreter.value("[g[3] for g in got]")
        assert tokens == [peer.messages[0].token] * 2 and peer.messages[1].token != tokens[0]


def test_a_busy_script_misses_old_states_but_not_the_newest(interpreter, peer):
    with interpreter.holding():
        for number in range(6, 56):
            notify(peer, number, b"%d" % number)
        notify(peer, 56, b"56", coap.CON)
        wait_for(peer, lambda m: m.type == coap.ACK and m.mid == 30056)
    interpreter.wait("got[-1][4] == b'56'")
    shown = interpreter.value("[int(g[4]) for g in got[1:]]")
    assert shown == sorted(shown) and 1 <= len(shown) <= 8


def test_a_failed_registration_anew_is_told_and_the_observation_goes_on(interpreter):
    """A state with Max-Age 0 is stale at once; some seconds later the registration is renewed."""
    port = free_port()

    def answer(request):
        return state(request, 1, b"x", (MAX_AGE, b"")) if request.code else None

    with Answerer(answer, port=port):
        session(interpreter, port)
        interpreter.do("id = session.send_request(1, observe=True)")
        interpreter.wait("got")
    interpreter.wait("failed")
    assert interpreter.value("(failed[0][0] == id, failed[0][1] == got[0][3], failed[0][2])") == (True, True, "unreachable")
    with Answerer(answer, port=port):
        interpreter.wait("len(got) > 1")
        assert interpreter.value("got[1][1] == id and got[1][3] == got[0][3]") is True
        interpreter.do("session.cancel(id)")


# ---- both


def test_one_script_observes_another(tmp_path):
    folders = [tmp_path / name for name in ("server", "client")]
    for folder in folders:
        folder.mkdir()
    with Server(folders[0], free_port()) as server, Interpreter(folders[1]) as client:
        server.do("r = Coap.add_resource('a', value='0'); r.callback(Coap.REQUEST_GET, True)")
        session(client, server.port)
        client.do("id = session.send_request(1, uri_path='a', observe=True)")
        for i in range(1, 6):
            client.wait(f"len(got) == {i}")
            server.do(f"r.value(b'{i}' * 3000)")
        client.wait("len(got) == 6")
        assert client.value("[(g[1] == id, g[4][:1], len(g[4])) for g in got]") == [
            (True, b"0", 1)] + [(True, b"%d" % i, 3000) for i in range(1, 6)]
        server.do("Coap.remove_resource('a')")
        client.wait("len(got) == 7")
        assert client.value("(got[6][0], failed)") == (code("4.04"), [])
