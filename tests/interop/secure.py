"""The peers over DTLS: made with what they prove themselves by, they are asked and ask like those of peers.py."""
import json
import socket
import time
from dataclasses import asdict, dataclass

from interop import peers
from support.process import Serve, copal


@dataclass(frozen=True)
class Credentials:
    """A pre-shared key with its identity; or the files of a certificate, of its key, and of the authority that others
    are believed by."""

    psk: str = None
    identity: str = None
    cert: str = None
    key: str = None
    ca: str = None

    def json(self):
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})


# ---- clients, which have is_refused(uri) too: whether they get no answer there. Where a server is silent over a wrong
# key, they would go on for half a minute and more.

PATIENCE = 2  # seconds


class Copal(peers.Copal):
    def __init__(self, held):
        super().__init__(*(["--psk", held.psk, "--identity", held.identity] if held.psk else
                           ["--cert", held.cert, "--key", held.key, "--ca", held.ca]))

    def is_refused(self, uri):
        done = copal("get", "-v", *self._words, "--timeout", str(PATIENCE), uri, binary=self.BINARY)
        assert "<-" not in done.stderr, done.stderr
        return done.returncode == 3


MBEDTLS = "tests/interop/copal_mbedtls"  # the tool, with Mbed TLS in place of OpenSSL


class CopalMbedtls(Copal):
    BINARY = MBEDTLS


class LibcoapOpenssl(peers.Libcoap):
    VARIANTS = ("openssl",)

    def __init__(self, held):
        super().__init__(*(["-k", held.psk, "-u", held.identity] if held.psk else
                           ["-c", held.cert, "-j", held.key, "-C", held.ca]))

    def is_refused(self, uri):
        answers, _, log = self._run(peers.Ask("get", uri), "-B", str(PATIENCE))
        return not answers and "cannot send CoAP pdu" in log


class LibcoapGnutls(LibcoapOpenssl):
    VARIANTS = ("gnutls",)


class Lines:
    """Programs of ours that are told in JSON what they hold."""

    def __init__(self, held):
        super().__init__(held.json())

    def is_refused(self, uri):
        heard = self.tell("get", uri)
        time.sleep(PATIENCE)
        return not any(isinstance(answer, peers.Answer) for answer in heard)


class Californium(Lines, peers.Californium):
    pass


class GoCoap(Lines, peers.GoCoap):
    pass


# ---- servers


class Serving(Serve):
    SCHEME = "coaps"


class ServingMbedtls(Serving):
    BINARY = MBEDTLS


class CopalServer:
    SERVING, HINT = Serving, ("--hint", "room")

    def __init__(self, held):
        words = ["--psk", held.psk, "--identity", held.identity, *self.HINT] if held.psk else [
            "--cert", held.cert, "--key", held.key, "--ca", held.ca]
        resources = (f"--resource={resource}" for resource in peers.CopalServer.RESOURCES)
        self._server = self.SERVING("--dynamic", *resources, *words)
        self.uri, self.port = self._server.uri, self._server.port

    def close(self):
        assert self._server.end() == 0


class CopalMbedtlsServer(CopalServer):
    SERVING, HINT = ServingMbedtls, ()  # Mbed TLS sends no hint


class LibcoapOpensslServer(peers.LibcoapServer):
    """It speaks DTLS on the port above."""

    VARIANTS = ("openssl",)

    def __init__(self, held):
        super().__init__(port=free_ports(2), words=["-k", held.psk, "-h", "room"] if held.psk else
                         ["-c", held.cert, "-j", held.key, "-C", held.ca])
        self.port += 1
        self.uri = f"coaps://127.0.0.1:{self.port}"


class LibcoapGnutlsServer(LibcoapOpensslServer):
    VARIANTS = ("gnutls",)


class Started:
    def __init__(self, held):
        super().__init__(szx=6, words=[held.json()])
        self.uri = self.uri.replace("coap:", "coaps:")


class CaliforniumServer(Started, peers.CaliforniumServer):
    pass


class GoCoapServer(Started, peers.GoCoapServer):
    pass


def free_ports(count):
    """The first of so many in a row that were free a moment ago, for UDP and TCP."""
    while True:
        first = peers.free_port()
        try:
            for port in range(first, first + count):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            pass
