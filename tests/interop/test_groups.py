"""Peers × what goes to a group (RFC 7252 section 8): our client against two of each server, every client against two of ours. A
later feature is one more function under @feature, a later peer one more line in PAIRS."""
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from interop import groups

# (client, server), of classes in groups.py
PAIRS = [(groups.Copal, groups.LibcoapServer), (groups.Copal, groups.AiocoapServer), (groups.Copal, groups.CaliforniumServer),
         (groups.Copal, groups.GoCoapServer), (groups.Copal, groups.NodeCoapServer), (groups.Libcoap, groups.CopalServer),
         (groups.Aiocoap, groups.CopalServer), (groups.Californium, groups.CopalServer), (groups.GoCoap, groups.CopalServer),
         (groups.NodeCoap, groups.CopalServer), (groups.Copal, groups.CopalServer)]
FEATURES = {}


def feature(name, uri, without=None):
    """Marks a function of the answers to what was asked of `uri`. `without` says of each peer that lacks the feature why."""

    def mark(function):
        FEATURES[f"multicast: {name}"] = (function, without or {}, uri)
        return function

    return mark


@feature("IPv4", "coap://224.0.1.187/test")
@feature("IPv6", "coap://[ff02::fd]/test")
def answered(answers):
    assert {(answer.code, answer.payload) for answer in answers} == {("2.05", b"21.5")}


@feature("every member is heard", "coap://224.0.1.187/test", without={groups.Aiocoap: "aiocoap takes the first answer for the only one"})
def every_member(answers):
    assert len(answers) == 2


@feature("discovery", "coap://224.0.1.187/.well-known/core")
def discovery(answers):
    assert answers and all(answer.code == "2.05" and b"</test>" in answer.payload for answer in answers)


# RFC 7252 section 8.2: where a server has nothing useful to say
@feature("errors stay unsaid", "coap://224.0.1.187/not/there", without={
    groups.AiocoapServer: "aiocoap tells errors to who asked a group, too", groups.NodeCoapServer: "node-coap does not see what came to a group"})
def errors(answers):
    assert not answers


# ---- the matrix


def group_of(uri):
    return groups.IPV6 if "[" in uri else groups.IPV4


def ask(client, server, group):
    """What two servers answered to all that is asked of the group, at once."""
    uris = sorted({uri for _, _, uri in FEATURES.values() if group_of(uri) == group})
    with ExitStack() as stack:
        link = stack.enter_context(groups.Link())
        for host in link.members:
            stack.enter_context(closing(server(host, group)))
        asker = stack.enter_context(closing(client(link.asker)))
        with ThreadPoolExecutor() as pool:
            return dict(zip(uris, pool.map(asker.ask, uris)))


@pytest.fixture(scope="module")
def asked():
    """What will have come of each pair and group: they wait side by side, each on a link of its own."""
    with ThreadPoolExecutor(2 * len(PAIRS)) as pool:
        yield {(*pair, group): pool.submit(ask, *pair, group) for group in (groups.IPV4, groups.IPV6) for pair in PAIRS}


def rows():
    for client, server in PAIRS:
        for name, (function, without, uri) in FEATURES.items():
            if client not in without and server not in without:
                yield pytest.param(client, server, function, uri, id=f"{client.__name__} to {server.__name__}: {name}")


@pytest.mark.parametrize("client, server, function, uri", rows())
def test_groups(asked, client, server, function, uri):
    function(asked[client, server, group_of(uri)].result()[uri])
