"""The ETSI CoAP plugtests (TD_COAP_CORE, BLOCK, LINK, OBS) against examples/plugtest-server: each case on the wire, by a client
that does only what it is told, and by the clients of all peers, ours among them, as far as they can be told."""
import itertools
from functools import partial

import pytest

from interop import peers
from interop.conftest import started  # noqa: F401, a fixture
from support import coap
from support.client import Client
from support.coap import Message, code, uint
from support.process import Program, build

LARGE = b"".join(bytes([ord("a") + line]) * 63 + b"\n" for line in range(20))
TEXT = (coap.CONTENT_FORMAT, b"")
REGISTER, DEREGISTER = (coap.OBSERVE, b""), (coap.OBSERVE, b"\x01")


class PlugtestServer:
    def __init__(self):
        program = build("COPAL_ASAN_BUILD") / "examples/plugtest-server"
        self._server = Program(str(program), "--bind", "127.0.0.1", "--port", "0")
        self.uri = self._server.wait_for(r"^listening on (coap://127\.0\.0\.1:\d+)$").group(1)
        self.port = int(self.uri.rsplit(":", 1)[1])

    def close(self):
        assert self._server.end() == 0, self._server.lines


@pytest.fixture(scope="module")
def server():
    running = PlugtestServer()
    yield running
    running.close()


@pytest.fixture
def client(server):
    with Client(server.port) as made:
        yield made


def block(number, more, szx):
    return uint(number << 4 | more << 3 | szx)


def option(message, number):
    """The value of an option that is there once."""
    value, = message.all(number)
    return value


def is_ack(answer, text):
    return answer.type == coap.ACK and answer.code == code(text)


def is_last(answer):
    """Whether no block follows that of the answer, which may be its only one."""
    return not answer.all(coap.BLOCK2) or not int.from_bytes(option(answer, coap.BLOCK2), "big") & 8


def blocks(client, method, path, *options, szx=2, first=0):
    """The answers by Block2, from block number `first` to the last."""
    for number in itertools.count(first):
        answer = client.ask(method, path, *options, (coap.BLOCK2, block(number, 0, szx)))
        yield answer
        if is_last(answer):
            break


def body(answers):
    return b"".join(answer.payload for answer in answers)


# ---- TD_COAP_CORE --------------------------------------------------------------------------------------------------


def test_cc01_cc10_con_get(client):
    answer = client.ask(coap.GET, "test", token=b"\x01\x02")
    assert is_ack(answer, "2.05") and answer.mid == client._mid
    assert answer.payload == b"test" and option(answer, coap.CONTENT_FORMAT) == b""


def test_cc12_no_token_no_token_back(client):
    assert client.get("test").token == b""


@pytest.mark.parametrize("kind", [coap.CON, coap.NON])
def test_cc02_cc06_delete_leaves_the_resource(client, kind):
    answer = client.ask(coap.DELETE, "test", type=kind)
    assert (answer.type, answer.code) == (coap.ACK if kind == coap.CON else coap.NON, code("2.02"))
    assert client.get("test").code == code("2.05")


@pytest.mark.parametrize("kind", [coap.CON, coap.NON])
@pytest.mark.parametrize("method", [coap.PUT, coap.POST])
def test_cc03_cc04_cc07_cc08_put_and_post(client, kind, method):
    answer = client.ask(method, "test", TEXT, payload=b"some", type=kind)
    assert answer.type == (coap.ACK if kind == coap.CON else coap.NON)
    assert answer.code in (code("2.01"), code("2.04"))


def test_cc05_non_get_is_answered_by_a_non(client):
    answer = client.ask(coap.GET, "test", type=coap.NON)
    assert (answer.type, answer.code) == (coap.NON, code("2.05"))


def test_cc09_cc11_cc16_a_separate_response_is_confirmable_and_comes_again(client):
    client.send(coap.encode(Message(coap.CON, coap.GET, 7, b"\xbe\xef", [(coap.URI_PATH, b"separate")])))
    empty = client.receive()
    assert (empty.type, empty.code, empty.mid, empty.token) == (coap.ACK, 0, 7, b"")
    answer = client.receive()
    assert (answer.type, answer.code, answer.token, answer.payload) == (coap.CON, code("2.05"), b"\xbe\xef", b"separate")
    assert client.receive() == answer  # it was not acknowledged
    client.send(coap.encode(Message(coap.ACK, 0, answer.mid)))


def test_cc17_a_separate_response_to_a_non_is_a_non(client):
    answer = client.ask(coap.GET, "separate", type=coap.NON)
    assert (answer.type, answer.code, answer.payload) == (coap.NON, code("2.05"), b"separate")


def test_cc13_a_path_of_three_segments(client):
    assert client.get("seg1/seg2/seg3").code == code("2.05")


def test_cc14_queries(client):
    queries = [(coap.URI_QUERY, each) for each in (b"first=1", b"second=2", b"third=3")]
    answer = client.get("query", *queries)
    assert is_ack(answer, "2.05") and answer.payload == b"first=1&second=2&third=3"


def test_cc18_location_path(client):
    answer = client.post("test", b"some", TEXT)
    assert is_ack(answer, "2.01") and answer.all(coap.LOCATION_PATH) == [b"location1", b"location2", b"location3"]


def test_cc19_location_query(client):
    answer = client.post("location-query", b"some", TEXT)
    assert is_ack(answer, "2.01") and answer.all(coap.LOCATION_QUERY) == [b"first=1", b"second=2"]


FORMATS = {0: b"21.5", 41: b"<temperature>21.5</temperature>", 50: b'{"temperature":21.5}',
           60: b"\xa1\x6btemperature\xf9\x4d\x60"}


@pytest.mark.parametrize("number", FORMATS)
def test_cc20_accept(client, number):
    answer = client.get("multi-format", (coap.ACCEPT, uint(number)))
    assert is_ack(answer, "2.05") and option(answer, coap.CONTENT_FORMAT) == uint(number)
    assert answer.payload == FORMATS[number]


@pytest.mark.parametrize("path", ["multi-format", "test"])
def test_a_format_that_is_not_there_is_not_acceptable(client, path):
    assert client.get(path, (coap.ACCEPT, uint(42))).code == code("4.06")


def test_cc21_an_etag_validates_until_the_state_changes(client):
    etag = option(client.get("validate"), coap.ETAG)
    same = client.get("validate", (coap.ETAG, etag))
    assert is_ack(same, "2.03") and option(same, coap.ETAG) == etag and not same.payload
    assert client.put("validate", b"another", TEXT).code == code("2.04")
    changed = client.get("validate", (coap.ETAG, etag))
    assert is_ack(changed, "2.05") and changed.payload == b"another" and option(changed, coap.ETAG) != etag


def test_cc22_if_match_of_an_old_state_fails(client):
    first = client.get("validate")
    etag = option(first, coap.ETAG)
    assert first.all(coap.CONTENT_FORMAT) == [b""]
    assert client.put("validate", b"one", TEXT, (coap.IF_MATCH, etag)).code == code("2.04")
    assert option(client.get("validate"), coap.ETAG) != etag
    assert client.put("validate", b"two", TEXT).code == code("2.04")
    assert is_ack(client.put("validate", b"three", TEXT, (coap.IF_MATCH, etag)), "4.12")
    assert client.get("validate").payload == b"two"


@pytest.mark.parametrize("run", [1, 2])
def test_cc23_if_none_match_creates_once_each_run(client, run):
    assert client.put("create1", b"x", TEXT, (coap.IF_NONE_MATCH, b"")).code == code("2.01")
    assert client.put("create1", b"x", TEXT, (coap.IF_NONE_MATCH, b"")).code == code("4.12")


def test_cc31_a_ping_is_answered_by_a_reset(client):
    client.send(coap.encode(Message(coap.CON, 0, 99)))
    assert client.receive() == Message(coap.RST, 0, 99)


# ---- TD_COAP_BLOCK -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("szx", [2, 0])
def test_cb01_cb06_early_negotiation(client, szx):
    answers = list(blocks(client, coap.GET, "large", szx=szx))
    count = -(-len(LARGE) // (1 << szx + 4))
    assert all(is_ack(answer, "2.05") for answer in answers)
    assert [option(answer, coap.BLOCK2) for answer in answers] == [
        block(number, number < count - 1, szx) for number in range(count)]
    assert body(answers) == LARGE


def test_cb02_the_server_splits_by_itself(client):
    answer = client.get("large")
    assert is_ack(answer, "2.05") and option(answer, coap.BLOCK2) == block(0, 1, 4) and answer.payload == LARGE[:256]


def upload(client, method, path, octets, *more):
    """By Block1 of 64 octets: the answer to the last."""
    count = -(-len(octets) // 64)
    for number in range(count):
        last = number == count - 1
        part = octets[number * 64:number * 64 + 64]
        part_of = (coap.BLOCK1, block(number, not last, 2))
        answer = client.ask(method, path, TEXT, part_of, *(more if last else ()), payload=part)
        assert option(answer, coap.BLOCK1) == block(number, not last, 2)
        assert last or is_ack(answer, "2.31")
    return answer


def test_cb03_put_in_blocks(client):
    assert is_ack(upload(client, coap.PUT, "large-update", LARGE[::-1]), "2.04")
    assert body(blocks(client, coap.GET, "large-update")) == LARGE[::-1]


def test_cb04_post_in_blocks_creates(client):
    answer = upload(client, coap.POST, "large-create", LARGE)
    folder, name = answer.all(coap.LOCATION_PATH)
    path = f"{folder.decode()}/{name.decode()}"
    assert is_ack(answer, "2.01") and folder == b"large-create"
    assert body(blocks(client, coap.GET, path)) == LARGE
    assert client.delete(path).code == code("2.02")
    assert client.get(path).code == code("4.04")


def test_cb05_post_in_blocks_is_answered_in_blocks(client):
    answer = upload(client, coap.POST, "large-post", LARGE, (coap.BLOCK2, block(0, 0, 2)))
    assert is_ack(answer, "2.04") and option(answer, coap.BLOCK2) == block(0, 1, 2)
    assert answer.payload + body(blocks(client, coap.POST, "large-post", TEXT, first=1)) == LARGE.upper()


def test_large_create_makes_room_for_the_newest(client):
    answers = [client.post("large-create", b"x", TEXT) for _ in range(40)]
    first, last = ("/".join(part.decode() for part in answers[at].all(coap.LOCATION_PATH)) for at in (0, -1))
    assert client.get(first).code == code("4.04") and client.get(last).payload == b"x"


# ---- TD_COAP_LINK --------------------------------------------------------------------------------------------------


def links(client, *query):
    """The targets of the links that discovery tells of."""
    answers = list(blocks(client, coap.GET, ".well-known/core", *[(coap.URI_QUERY, each) for each in query], szx=4))
    assert all(is_ack(answer, "2.05") and option(answer, coap.CONTENT_FORMAT) == uint(40) for answer in answers)
    told = body(answers).decode()
    return [link.split(">")[0][1:] for link in told.split(",")] if told else []


def test_cl01_all_links(client):
    told = links(client)
    assert {"/test", "/large", "/separate", "/link1", "/path", "/obs", "/create1"} <= set(told)


@pytest.mark.parametrize("query, expected", [
    (b"rt=Type1", ["/link1", "/link3"]), (b"rt=Type2", ["/link1", "/link2"]), (b"rt=*", ["/link1", "/link2", "/link3"]),
    (b"if=If*", ["/link1", "/link2"]), (b"sz=*", ["/large"]), (b"href=/link1", ["/link1"]),
    (b"href=/link*", ["/link1", "/link2", "/link3"]), (b"ct=40", ["/path"])])
def test_cl02_to_cl09_links_that_are_asked_for(client, query, expected):
    assert sorted(links(client, query)) == expected


def test_cl09_links_lead_on(client):
    answer = client.get("path")
    assert option(answer, coap.CONTENT_FORMAT) == uint(40)
    assert answer.payload == b"</path/sub1>,</path/sub2>,</path/sub3>"
    assert client.get("path/sub1").code == code("2.05")


# ---- TD_COAP_OBS ---------------------------------------------------------------------------------------------------


class Observer:
    """Registers, acknowledges each notification, and hands it out."""

    def __init__(self, client, path="obs", kind=coap.CON, token=b"\xa1"):
        self.client, self.path, self.token = client, path, token
        self.first = client.ask(coap.GET, path, REGISTER, type=kind, token=token)
        assert self.first.code == code("2.05") and self.first.all(coap.OBSERVE)

    def next(self, kind=coap.ACK):
        told = self.client.receive()
        assert told.token == self.token
        if told.type == coap.CON:
            self.client.send(coap.encode(Message(kind, 0, told.mid)))
        return told

    def until(self, condition):
        while not condition(told := self.next()):
            assert told.all(coap.OBSERVE)
        return told

    def deregister(self):
        """The answer; notifications may come before it."""
        options = [DEREGISTER, (coap.URI_PATH, self.path.encode())]
        self.client.send(coap.encode(Message(coap.CON, coap.GET, 5, self.token, options)))
        while (answer := self.next()).type != coap.ACK:
            pass
        return answer


def test_co01_co12_notifications_and_deregistration(client):
    observer = Observer(client)
    assert is_ack(observer.first, "2.05") and option(observer.first, coap.MAX_AGE) == uint(5)
    told = [observer.next() for _ in range(3)]
    assert all(each.type == coap.CON and each.code == code("2.05") for each in told)
    numbers = [int.from_bytes(option(each, coap.OBSERVE), "big") for each in [observer.first, *told]]
    assert numbers == sorted(set(numbers)) and all(option(each, coap.MAX_AGE) == uint(5) for each in told)
    assert len({each.payload for each in told}) == 3
    assert not observer.deregister().all(coap.OBSERVE)


def test_co02_co05_notifications_of_a_non_are_non(client):
    """But for the first: who acknowledges that has shown that it wants them."""
    observer = Observer(client, "obs-non", kind=coap.NON)
    told = [observer.next() for _ in range(3)]
    assert observer.first.type == coap.NON and all(each.all(coap.OBSERVE) for each in told)
    assert [each.type for each in told] == [coap.CON, coap.NON, coap.NON]
    observer.deregister()


def ask_until_answered(client, datagram):
    """What is under way while a server starts again is lost, and sent again."""
    kept = client._socket.gettimeout()
    client._socket.settimeout(2)
    while True:
        try:
            client.send(datagram)
            answer = client.receive()
            client._socket.settimeout(kept)
            return answer
        except (TimeoutError, ConnectionRefusedError):
            pass


def test_co04_a_server_that_has_forgotten_its_observers(client):
    observer = Observer(client)
    assert client.post("obs-reset", b"sesame", TEXT).code == code("2.04")
    asked = coap.encode(Message(coap.CON, coap.GET, 9, b"\xa1", [REGISTER, (coap.URI_PATH, b"obs")]))
    answer = ask_until_answered(client, asked)  # with the same token
    assert is_ack(answer, "2.05") and answer.all(coap.OBSERVE)
    told = observer.next(kind=coap.RST)
    assert told.type == coap.CON and told.all(coap.OBSERVE)
    assert client.get("test").code == code("2.05")


def test_obs_reset_wants_the_word(client):
    assert client.post("obs-reset", b"please", TEXT).code == code("4.03")


def test_co06_a_reset_ends_the_observation(client, server):
    observer = Observer(client)
    observer.next(kind=coap.RST)
    with Client(server.port) as other:
        assert other.put("obs", b"changed", TEXT).code == code("2.04")
    assert client.get("test").payload == b"test"  # and no notification before it


def test_co07_deletion_ends_the_observation_with_not_found(client, server):
    observer = Observer(client)
    with Client(server.port) as other:
        assert other.delete("obs").code == code("2.02")
    ended = observer.until(lambda told: told.code != code("2.05"))
    assert ended.code == code("4.04") and not ended.all(coap.OBSERVE)
    assert client.get("obs").code == code("2.05")  # for whoever runs the next case


def test_co08_another_format_ends_the_observation_with_not_acceptable(client, server):
    observer = Observer(client)
    with Client(server.port) as other:
        assert other.put("obs", b"{}", (coap.CONTENT_FORMAT, uint(50))).code == code("2.04")
        ended = observer.until(lambda told: told.code != code("2.05"))
        assert ended.code == code("4.06") and not ended.all(coap.OBSERVE)
        assert other.put("obs", b"back", TEXT).code == code("2.04")


def test_co09_a_put_is_told_to_observers(client, server):
    observer = Observer(client)
    with Client(server.port) as other:
        assert other.put("obs", b"New value", TEXT).code == code("2.04")
    told = observer.until(lambda each: each.payload == b"New value")
    assert told.all(coap.OBSERVE)
    observer.deregister()


def test_co10_a_plain_get_meanwhile(client):
    observer = Observer(client, token=b"\xa1")
    client.send(coap.encode(Message(coap.CON, coap.GET, 77, b"\xb2", [(coap.URI_PATH, b"obs")])))
    while (answer := client.receive()).mid != 77:
        client.send(coap.encode(Message(coap.ACK, 0, answer.mid)))
    assert is_ack(answer, "2.05") and answer.token == b"\xb2" and not answer.all(coap.OBSERVE)
    assert observer.next().all(coap.OBSERVE)
    observer.deregister()


# ---- the same by the clients of others -------------------------------------------------------------------------------

CLIENTS = [peers.Copal, peers.Libcoap, peers.Aiocoap, peers.Californium, peers.GoCoap, peers.NodeCoap]
CASES = {}


def case(name):
    """Marks a function (client, uri) as a case for every client."""

    def mark(function):
        CASES[name] = function
        return function

    return mark


def plain(method, non, expected, client, uri):
    body = dict(payload=b"some", format=0) if method in ("put", "post") else {}
    assert client.ask(method, uri + "/test", non=non, **body).code == expected


for each, (method, non, expected) in {
        "CC01": ("get", False, "2.05"), "CC02": ("delete", False, "2.02"), "CC03": ("put", False, "2.04"),
        "CC04": ("post", False, "2.01"), "CC05": ("get", True, "2.05"), "CC06": ("delete", True, "2.02"),
        "CC07": ("put", True, "2.04"), "CC08": ("post", True, "2.01")}.items():
    case(each)(partial(plain, method, non, expected))


@case("CC09 CC16")
def cc09(client, uri):
    answer = client.ask("get", uri + "/separate")
    assert (answer.code, answer.payload) == ("2.05", b"separate")


@case("CC17")
def cc17(client, uri):
    assert client.ask("get", uri + "/separate", non=True).payload == b"separate"


@case("CC13")
def cc13(client, uri):
    assert client.ask("get", uri + "/seg1/seg2/seg3").code == "2.05"


@case("CC14")
def cc14(client, uri):
    assert client.ask("get", uri + "/query?first=1&second=2&third=3").payload == b"first=1&second=2&third=3"


@case("CC20")
def cc20(client, uri):
    assert [client.ask("get", uri + "/multi-format", accept=each).payload for each in FORMATS] == list(FORMATS.values())


@case("CC21")
def cc21(client, uri):
    first = client.ask("get", uri + "/validate")
    assert client.ask("get", uri + "/validate", etag=first.etag).code == "2.03"
    assert client.ask("put", uri + "/validate", b"another", format=0).code == "2.04"
    again = client.ask("get", uri + "/validate", etag=first.etag)
    assert (again.code, again.payload) == ("2.05", b"another") and again.etag != first.etag


@case("CC22")
def cc22(client, uri):
    etag = client.ask("get", uri + "/validate").etag
    assert client.ask("put", uri + "/validate", b"one", format=0, if_match=etag).code == "2.04"
    assert client.ask("put", uri + "/validate", b"two", format=0, if_match=etag).code == "4.12"


@case("CC23")
def cc23(client, uri):
    codes = [client.ask("put", uri + "/create1", b"x", format=0, if_none_match=True).code for _ in range(2)]
    assert codes == ["2.01", "4.12"]


@case("CB01")
def cb01(client, uri):
    assert client.ask("get", uri + "/large", szx=2).payload == LARGE


@case("CB02")
def cb02(client, uri):
    assert client.ask("get", uri + "/large").payload == LARGE


@case("CB06")
def cb06(client, uri):
    assert client.ask("get", uri + "/large", szx=0).payload == LARGE


@case("CB03")
def cb03(client, uri):
    assert client.ask("put", uri + "/large-update", LARGE[::-1], format=0, szx=2).code == "2.04"
    assert client.ask("get", uri + "/large-update").payload == LARGE[::-1]


@case("1 MB to /large-update")
def megabyte(client, uri):
    body = b"".join(b"%07d\n" % number for number in range(1 << 17))
    assert client.ask("put", uri + "/large-update", body, format=0).code == "2.04"
    assert client.ask("get", uri + "/large-update").payload == body


@case("CB04")
def cb04(client, uri):
    assert client.ask("post", uri + "/large-create", LARGE, format=0, szx=2).code == "2.01"


@case("CB05")
def cb05(client, uri):
    answer = client.ask("post", uri + "/large-post", LARGE, format=0, szx=2)
    assert (answer.code, answer.payload) == ("2.04", LARGE.upper())


@case("CL01")
def cl01(client, uri):
    assert b"</link1>" in client.ask("get", uri + "/.well-known/core").payload


@case("CL02")
def cl02(client, uri):
    told = client.ask("get", uri + "/.well-known/core?rt=Type1").payload
    assert b"</link1>" in told and b"</link3>" in told and b"</link2>" not in told


@case("CO01")
def co01(client, uri):
    with client.observe(uri + "/obs") as observation:
        assert len({observation.next().payload for _ in range(3)}) > 1


@case("CO07")
def co07(client, uri):
    with client.observe(uri + "/obs") as observation:
        observation.next()
        assert client.ask("delete", uri + "/obs").code == "2.02"
        assert observation.until(lambda told: told.code[0] != "2").code == "4.04"


@case("CO09")
def co09(client, uri):
    with client.observe(uri + "/obs") as observation:
        observation.next()
        assert client.ask("put", uri + "/obs", b"New value", format=0).code == "2.04"
        assert observation.until(lambda told: told.payload == b"New value").code == "2.05"


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", CASES)
def test_case(name, kind, server, started):  # noqa: F811
    CASES[name](started(kind), server.uri)
