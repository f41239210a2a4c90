"""DTLS with pre-shared keys and with certificates on both sides: our client against every server, every client against
our server. A later feature is one more function under @feature, a later peer one more line in PAIRS."""
import pytest

from interop import peers, secure
from support.certificates import Certificates
from support.udp import Relay

# (client, server), of classes in secure.py
PAIRS = [(secure.Copal, secure.LibcoapOpensslServer), (secure.Copal, secure.LibcoapGnutlsServer),
         (secure.Copal, secure.CaliforniumServer), (secure.Copal, secure.GoCoapServer),
         (secure.LibcoapOpenssl, secure.CopalServer), (secure.LibcoapGnutls, secure.CopalServer),
         (secure.Californium, secure.CopalServer), (secure.GoCoap, secure.CopalServer),
         (secure.Copal, secure.CopalServer),
         (secure.CopalMbedtls, secure.LibcoapOpensslServer), (secure.CopalMbedtls, secure.LibcoapGnutlsServer),
         (secure.CopalMbedtls, secure.CaliforniumServer), (secure.CopalMbedtls, secure.GoCoapServer),
         (secure.LibcoapOpenssl, secure.CopalMbedtlsServer), (secure.LibcoapGnutls, secure.CopalMbedtlsServer),
         (secure.Californium, secure.CopalMbedtlsServer), (secure.GoCoap, secure.CopalMbedtlsServer)]
FEATURES = {}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def pre_shared_keys(made, name):
    return secure.Credentials(psk="guess" if name == "stranger" else "secret", identity="us")


def certificates(made, name):
    return secure.Credentials(cert=made.file(name + ".pem"), key=made.file(name + ".key"), ca=made.file("authority.pem"))


def feature(name, without=None):
    """Marks a function (client, server, stranger) as a row; the last is a client that nobody may let in. `without` says
    of each peer that lacks the feature why."""

    def mark(function):
        FEATURES[name] = (function, without or {})
        return function

    return mark


@feature("GET")
def get(client, server, stranger):
    answer = client.ask("get", server.uri + "/test")
    assert (answer.code, answer.payload) == ("2.05", b"21.5")


@feature("PUT")
def put(client, server, stranger):
    assert client.ask("put", server.uri + "/test", b"22.0", format=0).code == "2.04"
    assert client.ask("get", server.uri + "/test").payload == b"22.0"
    assert client.ask("put", server.uri + "/test", b"21.5", format=0).code == "2.04"


@feature("bodies in blocks")
def blocks(client, server, stranger):
    assert client.ask("put", server.uri + "/large", peers.LARGE[::-1], format=0).code == "2.04"
    answer = client.ask("get", server.uri + "/large")
    assert (answer.code, answer.payload) == ("2.05", peers.LARGE[::-1])
    assert client.ask("put", server.uri + "/large", peers.LARGE, format=0).code == "2.04"


@feature("observe")
def observe(client, server, stranger):
    with client.observe(server.uri + "/test") as observation:
        assert observation.next().payload == b"21.5"
        for value in (b"1", b"21.5"):
            assert client.ask("put", server.uri + "/test", value, format=0).code == "2.04"
            observation.until(lambda answer: answer.payload == value)


@feature("a stranger is refused")
def refused(client, server, stranger):
    assert stranger.is_refused(server.uri + "/test")
    assert client.ask("get", server.uri + "/test").payload == b"21.5"


class OnePort(Relay):
    """Has all clients come from one port, as one does that has started anew without a goodbye; the last one hears."""

    def _client(self, address):
        client = next(iter(self._clients.values()), None) or super()._client(address)
        client.address = address
        return client


# RFC 6347 section 4.2.8
@feature("who comes back from the same port without a goodbye gets in", without={
    server: "it keeps to the session that it has" for server in (
        secure.LibcoapOpensslServer, secure.LibcoapGnutlsServer, secure.GoCoapServer)} | {
    secure.GoCoap: "its cancel in the former session was not seen to end within 45 seconds"})
def comes_back(client, server, stranger):
    with OnePort(server.port) as relay:
        uri = relay.uri.replace("coap:", "coaps:")
        with client.observe(uri + "/test") as before:
            assert before.next().payload == b"21.5"
            assert client.ask("get", uri + "/test").payload == b"21.5"


# ---- the matrix


@pytest.fixture(scope="module")
def started(made):
    """Each peer with each kind of credentials once, started when it is first needed."""
    running = {}

    def start(kind, credentials):
        if (kind, credentials) not in running:
            running[kind, credentials] = kind(credentials)
        return running[kind, credentials]

    yield start
    for peer in running.values():
        peer.close()


def rows():
    for client, server in PAIRS:
        for held in (pre_shared_keys, certificates):
            for name, (function, without) in FEATURES.items():
                if client not in without and server not in without:
                    yield pytest.param(client, server, held, function,
                                       id=f"{client.__name__} to {server.__name__}, {held.__name__}: {name}")


@pytest.mark.parametrize("client, server, held, function", rows())
def test_secure(started, made, client, server, held, function):
    function(*(started(kind, held(made, name)) for kind, name in
               ((client, "client"), (server, "server"), (client, "stranger"))))
