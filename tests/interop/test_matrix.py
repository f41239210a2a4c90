"""Peers × features: our client against every server, every client against our server. A later feature is one more
function under @feature; a later peer is one more class in peers.py and one more line in PAIRS."""
import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from interop import peers
from support.process import until
from support.udp import Relay

# (client, server), of classes in peers.py
PAIRS = [(peers.Copal, peers.LibcoapServer), (peers.Copal, peers.AiocoapServer), (peers.Copal, peers.CaliforniumServer),
         (peers.Copal, peers.GoCoapServer), (peers.Copal, peers.NodeCoapServer), (peers.Libcoap, peers.CopalServer),
         (peers.Aiocoap, peers.CopalServer), (peers.Californium, peers.CopalServer), (peers.GoCoap, peers.CopalServer),
         (peers.NodeCoap, peers.CopalServer), (peers.Copal, peers.CopalServer)]
FEATURES = {}


def feature(name, without=None, fresh=False):
    """Marks a function (client, server) as a row of the matrix. `without` says of each peer that lacks the feature why;
    `fresh`: it needs a server that has sent nothing yet, so that the guard against amplification has no reason to
    answer in small blocks."""

    def mark(function):
        FEATURES[name] = (function, without or {}, fresh)
        return function

    return mark


def put(client, uri, value, **more):
    assert client.ask("put", uri, value, format=0, **more).code in ("2.01", "2.04")


@feature("CON GET")
def con_get(client, server):
    answer = client.ask("get", server.uri + "/test")
    assert (answer.code, answer.payload) == ("2.05", b"21.5")


@feature("NON GET")
def non_get(client, server):
    answer = client.ask("get", server.uri + "/test", non=True)
    assert (answer.code, answer.payload) == ("2.05", b"21.5")


@feature("PUT")
def put_get(client, server):
    assert client.ask("put", server.uri + "/test", b"22.0", format=0).code == "2.04"
    assert client.ask("get", server.uri + "/test").payload == b"22.0"
    assert client.ask("put", server.uri + "/test", b"21.5", format=0).code == "2.04"


@feature("NON PUT")
def non_put(client, server):
    assert client.ask("put", server.uri + "/test", b"23", format=0, non=True).code == "2.04"
    assert client.ask("put", server.uri + "/test", b"21.5", format=0, non=True).code == "2.04"


@feature("POST")
def post(client, server):
    assert client.ask("post", server.uri + "/test", b"20.0", format=0).code == "2.04"
    assert client.ask("get", server.uri + "/test").payload == b"20.0"
    assert client.ask("put", server.uri + "/test", b"21.5", format=0).code == "2.04"


@feature("DELETE")
def delete(client, server):
    assert client.ask("put", server.uri + "/gone", b"x").code in ("2.01", "2.04")
    assert client.ask("delete", server.uri + "/gone").code == "2.02"
    assert client.ask("get", server.uri + "/gone").code == "4.04"


@feature("4.04")
def not_found(client, server):
    assert client.ask("get", server.uri + "/not/there").code == "4.04"


@feature("separate response")
def separate(client, server):
    answer = client.ask("get", server.slow)
    assert answer.code == "2.05"
    assert answer.payload in (b"done", b"that took a while")


@feature("separate response to a NON")
def separate_non(client, server):
    assert client.ask("get", server.slow, non=True).code == "2.05"


@feature("Block2")
def block2(client, server):
    answer = client.ask("get", server.uri + "/large")
    assert (answer.code, answer.payload) == ("2.05", peers.LARGE)


NO_ETAG = {peers.LibcoapServer: "the ETags of coap-server are its library's, for bodies in blocks"}


@feature("ETag", without=NO_ETAG)
def etag(client, server):
    first = client.ask("get", server.uri + "/validate")
    assert (first.code, first.payload) == ("2.05", b"state")
    again = client.ask("get", server.uri + "/validate", etag=first.etag)
    assert (again.code, again.payload, again.etag) == ("2.03", b"", first.etag)


@feature("If-Match", without=NO_ETAG)
def if_match(client, server):
    etag = client.ask("get", server.uri + "/validate").etag
    assert client.ask("put", server.uri + "/validate", b"state", format=0, if_match=etag).code == "2.04"
    assert client.ask("put", server.uri + "/validate", b"other", format=0, if_match=etag).code == "4.12"
    answer = client.ask("get", server.uri + "/validate")
    assert answer.payload == b"state" and answer.etag != etag


@feature("If-None-Match", without={peers.LibcoapServer: "coap-server does not look at it"})
def if_none_match(client, server):
    uri = server.uri + "/made"
    assert client.ask("put", uri, b"x", if_none_match=True).code == "2.01"
    assert client.ask("put", uri, b"y", if_none_match=True).code == "4.12"
    assert client.ask("delete", uri).code == "2.02"


@feature("discovery")
def discovery(client, server):
    answer = client.ask("get", server.uri + "/.well-known/core")
    assert answer.code == "2.05"
    assert b"</test>" in answer.payload


@feature("ping", without={peer: "the program asks with methods only" for peer in (
    peers.Libcoap, peers.Aiocoap, peers.Californium, peers.GoCoap, peers.NodeCoap)} | {
    peers.NodeCoapServer: "node-coap hands a ping to the application, for a request"})
def ping(client, server):
    assert client.ping(server.uri)


def through_a_bad_network(server, ask):
    """Asks eight times at once through a relay that loses a quarter of the datagrams each way and doubles some. With
    this seed every asker gets through by its second transmission, and five need that."""
    relay = Relay(server.port, loss=0.25, duplicate=0.2, delay=(0.0, 0.05), seed=54)
    with relay, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(relay.uri), range(8)))
    assert relay.lost > 0 and relay.doubled > 0
    return answers


@feature("loss")
def loss(client, server):
    answers = through_a_bad_network(server, lambda uri: client.ask("get", uri + "/test"))
    assert [(answer.code, answer.payload) for answer in answers] == [("2.05", b"21.5")] * 8


@feature("POST runs once", without={peers.LibcoapServer: "coap-server has nothing that counts"})
def once(client, server):
    before = server.posts()
    answers = through_a_bad_network(server, lambda uri: client.ask("post", uri + "/count", b"1"))
    assert [answer.code for answer in answers] == ["2.04"] * 8
    assert server.posts() - before == 8


# ---- block-wise (RFC 7959)

MEGABYTE = b"".join(b"%07d\n" % number for number in range(125_000))


def octets_for(client, server, szx):
    """How much of it goes in blocks of that size, each way. A client has 65,536 message IDs for each EXCHANGE_LIFETIME
    of 247 s, of which 62,500 would go for a megabyte in blocks of 16 octets: that is a matter of minutes for go-coap,
    which takes every second ID, and for ours, which may have to wait for the last quarter. And the time that aiocoap
    takes, and go-coap's server and node-coap's, grows with the square of the number of blocks: to a minute and more."""
    slow = (peers.AiocoapServer, peers.GoCoapServer, peers.NodeCoapServer)
    if szx < 3 and (isinstance(client, (peers.Aiocoap, peers.NodeCoap)) or isinstance(server, slow)):
        return 100_000
    return 500_000 if szx == 0 and isinstance(client, (peers.GoCoap, peers.Copal)) else len(MEGABYTE)


def up_and_down(szx, client, server):
    uri, body = server.uri + "/big", MEGABYTE[:octets_for(client, server, szx)]
    put(client, uri, body, szx=szx)
    answer = client.ask("get", uri, szx=szx)
    assert answer.code == "2.05" and answer.payload == body
    assert client.ask("delete", uri).code == "2.02"


for each in range(7):
    feature(f"1 MB up and down, SZX {each}", fresh=True, without={} if each else {
        peers.NodeCoapServer: "node-coap takes a Block2 option without octets, which is 0, for one of no size"})(
        partial(up_and_down, each))


@feature("Block1, the server wants smaller blocks", without={
    peers.LibcoapServer: "coap-server takes what comes", peers.AiocoapServer: "aiocoap takes what comes"})
def block1_smaller(client, server):
    uri = server.small() + "/large"
    assert client.ask("put", uri, peers.LARGE[::-1], format=0).code == "2.04"
    answer = client.ask("get", uri)
    assert (answer.code, answer.payload) == ("2.05", peers.LARGE[::-1])


@feature("ETag and Size2 of a large body", fresh=True, without={
    peers.Libcoap: "coap-client shows the options of the last block",
    peers.GoCoap: "go-coap shows those of the last block", peers.NodeCoap: "node-coap shows those of the last block",
    peers.Copal: "the tool shows those of the last block"})
def large_options(client, server):
    answer = client.ask("get", server.uri + "/large")
    assert answer.etag and answer.size2 == len(peers.LARGE)


# ---- FETCH, PATCH, iPATCH (RFC 8132)

NO_FETCH = {peers.LibcoapServer: "no resource of coap-server has FETCH", peers.GoCoap: "go-coap has four methods",
            peers.GoCoapServer: "go-coap has four methods"}


@feature("FETCH", without=NO_FETCH)
def fetch(client, server):
    answer = client.ask("fetch", server.document, b"b", format=0)
    assert (answer.code, answer.payload) == ("2.05", b"2")


NO_PATCH = {peers.LibcoapServer: "no resource of coap-server has PATCH", peers.GoCoap: "go-coap has four methods",
            peers.GoCoapServer: "go-coap has four methods"}
MERGE_PATCH = 52


def patched(client, server, method):
    answer = client.ask(method, server.json, b'{"b":3,"c":null}', format=MERGE_PATCH)
    assert answer.code == "2.04"
    assert json.loads(client.ask("get", server.json).payload) == {"a": 1, "b": 3}
    assert client.ask(method, server.json, b"b=3", format=0).code == "4.15"
    assert client.ask(method, server.json, b'{"b":2}', format=MERGE_PATCH).code == "2.04"


for each in ("patch", "ipatch"):
    feature(f"{each}: a merge patch", without=NO_PATCH)(partial(patched, method=each))


# ---- observe (RFC 7641)


def in_order(answers):
    """Whether each number is newer than the one before (RFC 7641 section 3.4), of those that have one."""
    numbers = [answer.observe for answer in answers if answer.observe is not None]
    return len(numbers) > 1 and all(0 < (new - old) % (1 << 24) < 1 << 23 for old, new in zip(numbers, numbers[1:]))


@feature("observe")
def observe(client, server):
    with client.observe(server.uri + "/test") as observation:
        assert observation.next().payload == b"21.5"
        for value in (b"1", b"2", b"3", b"4", b"21.5"):
            put(peers.Copal(), server.uri + "/test", value)
        observation.until(lambda answer: answer.payload == b"21.5")
        assert in_order(observation.heard)


@feature("observe: none is told that has deregistered", without={
    peers.Aiocoap: "aiocoap forgets, and rejects what comes then: but this client has closed its socket"})
def deregister(client, server):
    uri = server.uri + "/test"
    with Relay(server.port) as relay:
        with client.observe(relay.uri + "/test") as observation:
            assert observation.next().payload == b"21.5"
            put(peers.Copal(), uri, b"1")
            observation.until(lambda answer: answer.payload == b"1")

        def none_is_told():
            before = relay.down
            put(peers.Copal(), uri, b"21.5")
            time.sleep(3.5)  # one that is not acknowledged comes again within that
            return relay.down == before

        until(none_is_told)


@feature("observe: a server that restarts is found again", fresh=True, without={
    peers.LibcoapServer: "its states stay fresh for a minute"} | {peer: "it is for us to find the server again"
        for peer in (peers.Libcoap, peers.Aiocoap, peers.Californium, peers.GoCoap, peers.NodeCoap)})
def observe_restart(client, server):
    with client.observe(server.uri + "/brief") as observation:
        assert observation.next().payload == b"1"
        put(peers.Copal(), server.uri + "/brief", b"2")
        observation.until(lambda answer: answer.payload == b"2")
        server.restart()
        observation.until(lambda answer: answer.payload == b"1")
        put(peers.Copal(), server.uri + "/brief", b"3")
        observation.until(lambda answer: answer.payload == b"3")


@feature("observe: what is removed ends with 4.04")
def observe_removed(client, server):
    uri = server.uri + "/gone"
    put(peers.Copal(), uri, b"x")
    with client.observe(uri) as observation:
        assert observation.next().payload == b"x"
        assert peers.Copal().ask("delete", uri).code == "2.02"
        assert observation.next().code == "4.04"


@feature("observe: bodies in blocks", fresh=True, without={
    peers.AiocoapServer: "aiocoap sends an observed state in one datagram, however large",
    peers.NodeCoapServer: "node-coap sends an observed state in one datagram, and nothing where it is too large",
    peers.NodeCoap: "node-coap takes the blocks of a state for states of their own"})
def observe_large(client, server):
    uri = server.uri + "/large"
    with client.observe(uri) as observation:
        assert observation.next().payload == peers.LARGE
        put(peers.Copal(), uri, b"small")
        observation.until(lambda answer: answer.payload == b"small")
        for body in (peers.LARGE[::-1], peers.LARGE + b"!", peers.LARGE):
            time.sleep(client.pause)
            put(peers.Copal(), uri, body)
            observation.until(lambda answer: answer.payload == body)


# ---- No-Response (RFC 7967), Echo (RFC 9175), the guard against amplification

NOT_OURS = {peer: "this is about our server" for peer in (
    peers.LibcoapServer, peers.AiocoapServer, peers.CaliforniumServer, peers.GoCoapServer, peers.NodeCoapServer)}
NO_RESPONSE, NO_SUCCESS = 258, b"\x02"


@feature("No-Response", without=NOT_OURS | {peers.Copal: "the tool's get always wants an answer"})
def no_response(client, server):
    options = ((NO_RESPONSE, NO_SUCCESS),)
    heard = client.tell("put", server.uri + "/test", b"told", format=0, non=True, options=options)
    until(lambda: client.ask("get", server.uri + "/test").payload == b"told")
    assert not [answer for answer in heard if isinstance(answer, (peers.Answer, tuple))]
    assert client.ask("get", server.uri + "/not/there", non=True, options=options).code == "4.04"
    put(client, server.uri + "/test", b"21.5")


@feature("an address has to be proven by Echo", without=NOT_OURS)
def echo(client, server):
    own = peers.OwnServer(0, 32)  # a fourth for each peer and who shares its bucket: with 8, some got 4.29 by chance
    try:
        for _ in range(24):  # from three quarters of what it can remember on, it is wary
            assert peers.Copal().ask("post", own.uri + "/test", b"1", format=0).code == "2.04"
        answer = client.ask("post", own.uri + "/test", b"2", format=0)
        assert answer.code == ("2.04" if client.knows_echo else "4.01")
    finally:
        own.close()


@feature("a large body from a server that must not send much", without=NOT_OURS)
def guarded(client, server):
    own = peers.OwnServer(0, 0, 64)
    try:
        for _ in range(3):
            assert client.ask("get", own.uri + "/large").payload == peers.LARGE
        put(client, own.uri + "/large", peers.LARGE[::-1])
    finally:
        own.close()


# ---- body and answer in blocks (RFC 7959 section 3.3)


def there_and_back(client, server, method):
    own = peers.OwnServer()
    try:
        text = b"".join(b"line %04d\n" % number for number in range(500))
        answer = client.ask(method, own.uri + "/upper", text, format=0)
        assert answer.code[0] == "2" and answer.payload == text.upper()
    finally:
        own.close()


for each in ("post", "fetch"):
    feature(f"{each}: body and answer in blocks", without=NOT_OURS | (NO_FETCH if each == "fetch" else {}))(
        partial(there_and_back, method=each))


# ---- the matrix


def rows():
    for client, server in PAIRS:
        for name, (function, without, fresh) in FEATURES.items():
            if client not in without and server not in without:
                yield pytest.param(client, server, function, fresh,
                                   id=f"{client.__name__} to {server.__name__}: {name}")


@pytest.mark.parametrize("client, server, function, fresh", rows())
def test_matrix(started, client, server, function, fresh):
    if not fresh:
        function(started(client), started(server))
        return
    own = server()
    try:
        function(started(client), own)
    finally:
        own.close()
