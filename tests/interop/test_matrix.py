"""Peers × features: our client against every server, every client against our server. A later feature is one more
function under @feature; a later peer is one more class in peers.py and one more line in PAIRS."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from interop import peers
from support.udp import Relay

# (client, server), of classes in peers.py
PAIRS = [(peers.Copal, peers.LibcoapServer), (peers.Copal, peers.AiocoapServer), (peers.Copal, peers.CaliforniumServer),
         (peers.Copal, peers.GoCoapServer), (peers.Libcoap, peers.CopalServer), (peers.Aiocoap, peers.CopalServer),
         (peers.Californium, peers.CopalServer), (peers.GoCoap, peers.CopalServer), (peers.Copal, peers.CopalServer)]
FEATURES = {}


def feature(name, without=()):
    """Marks a function (client, server) as a row of the matrix; `without` names the peers that lack the feature."""

    def mark(function):
        FEATURES[name] = (function, without)
        return function

    return mark


@feature("CON GET")
def con_get(client, server):
    answer = client.ask("get", server.uri + "/test")
    assert (answer.code, answer.payload) == ("2.05", b"21.5")


@feature("NON GET")
def non_get(client, server):
    answer = client.ask("get", server.uri + "/test", non=True)
    assert (answer.code, answer.payload) == ("2.05", b"21.5")


@feature("PUT")
def put(client, server):
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


@feature("ETag", without=(peers.LibcoapServer,))
def etag(client, server):
    first = client.ask("get", server.uri + "/validate")
    assert (first.code, first.payload) == ("2.05", b"state")
    again = client.ask("get", server.uri + "/validate", etag=first.etag)
    assert (again.code, again.payload, again.etag) == ("2.03", b"", first.etag)


@feature("If-Match", without=(peers.LibcoapServer,))
def if_match(client, server):
    etag = client.ask("get", server.uri + "/validate").etag
    assert client.ask("put", server.uri + "/validate", b"state", format=0, if_match=etag).code == "2.04"
    assert client.ask("put", server.uri + "/validate", b"other", format=0, if_match=etag).code == "4.12"
    answer = client.ask("get", server.uri + "/validate")
    assert answer.payload == b"state" and answer.etag != etag


@feature("If-None-Match", without=(peers.LibcoapServer,))
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


@feature("ping", without=(peers.Libcoap, peers.Aiocoap, peers.Californium, peers.GoCoap))
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


@feature("POST runs once", without=(peers.LibcoapServer,))
def once(client, server):
    before = server.posts()
    answers = through_a_bad_network(server, lambda uri: client.ask("post", uri + "/count", b"1"))
    assert [answer.code for answer in answers] == ["2.04"] * 8
    assert server.posts() - before == 8


# ---- the matrix


def rows():
    for client, server in PAIRS:
        for name, (function, without) in FEATURES.items():
            if client not in without and server not in without:
                yield pytest.param(client, server, function, id=f"{client.__name__} to {server.__name__}: {name}")


@pytest.mark.parametrize("client, server, function", rows())
def test_matrix(started, client, server, function):
    function(started(client), started(server))
