"""UDP on loopback: free ports, a server made of one function, and a relay that is a bad network."""
import heapq
import random
import selectors
import socket
import threading
import time

from support import coap


def free_port(address="127.0.0.1"):
    """A port that was free a moment ago."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class _Loop:
    """A thread that turns until it is told to end."""

    def __init__(self):
        self._wake, self._told = socket.socketpair()
        self._error = None
        self._thread = threading.Thread(target=self._guarded, daemon=True)

    def _guarded(self):
        try:
            self._run()
        except Exception as error:  # shown by __exit__, in the test's own thread
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._wake.send(b".")
        self._thread.join()
        self._close()
        self._wake.close()
        self._told.close()
        if self._error:
            raise self._error


class Answerer(_Loop):
    """A server that keeps every message it got in `messages`, and sends what `answer(message)` returns: a Message,
    bytes, a list of them, or None."""

    def __init__(self, answer, address="127.0.0.1", port=0):
        super().__init__()
        self.answer, self.messages = answer, []
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self.port = self._socket.getsockname()[1]
        self.uri = f"coap://[{address}]:{self.port}" if ":" in address else f"coap://{address}:{self.port}"

    def _run(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._told, selectors.EVENT_READ)
            while self._told not in [key.fileobj for key, _ in selector.select()]:
                self._take(*self._socket.recvfrom(65536))

    def _take(self, datagram, peer):
        self._handle(coap.decode(datagram), peer)

    def push(self, message):
        """Sends a message to whoever asked last."""
        self._socket.sendto(coap.encode(message), self.peer)

    def _handle(self, message, peer):
        self.peer = peer
        self.messages.append(message)
        out = self.answer(message)
        for each in [] if out is None else out if isinstance(out, list) else [out]:
            self._socket.sendto(each if isinstance(each, bytes) else coap.encode(each), peer)

    def _close(self):
        self._socket.close()


def piggyback(request, code, *options, payload=b""):
    """The answer in the acknowledgement of a CON request; in a NON to a NON (RFC 7252 section 5.2)."""
    kind = coap.ACK if request.type == coap.CON else coap.NON
    return coap.Message(kind, coap.code(code), request.mid, request.token, list(options), payload)


def critical(request):
    """An answer with a critical option that nobody knows: the request ends with an error."""
    return piggyback(request, "2.05", (9999, b"x"))


class Relay(_Loop):
    """Stands before a server and passes datagrams of up to `most` octets both ways, but loses, doubles, delays and
    spoils some. `seed` decides which: the n-th client to come draws from its own for each direction, so that its one
    exchange always meets the same fate. It is a NAT, too: the server knows each client by another port, until
    rebind()."""

    def __init__(self, port, address="127.0.0.1", loss=0.0, duplicate=0.0, delay=(0.0, 0.0), corrupt=0.0, most=65536,
                 seed=1):
        super().__init__()
        self.server, self.loss, self.duplicate, self.delay = (address, port), loss, duplicate, delay
        self.corrupt, self.most, self.seed = corrupt, most, seed
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((address, 0))
        self.port = self._front.getsockname()[1]
        self.uri = f"coap://{address}:{self.port}"
        self._clients = {}  # address -> _Client
        self._waiting = []  # heap of (when, order, socket, datagram, destination)
        self._order = 0
        self._bindings = 0
        self.lost = self.doubled = self.spoilt = self.down = 0  # down: datagrams that came from the server

    def rebind(self):
        """From its next datagram on each client has a new port; what comes to its old one is lost."""
        self._bindings += 1

    def _spoil(self, draw, datagram):
        self.spoilt += 1
        octets = bytearray(datagram)
        octets[draw.randrange(len(octets))] ^= 1 << draw.randrange(8)
        return bytes(octets)

    def _put(self, draw, sock, datagram, destination):
        if draw.random() < self.loss or len(datagram) > self.most:
            self.lost += 1
            return
        copies = 2 if draw.random() < self.duplicate else 1
        self.doubled += copies - 1
        for _ in range(copies):
            self._order += 1
            when = time.monotonic() + draw.uniform(*self.delay)
            passing = self._spoil(draw, datagram) if self.corrupt and draw.random() < self.corrupt else datagram
            heapq.heappush(self._waiting, (when, self._order, sock, passing, destination))

    def _flush(self):
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, sock, datagram, destination = heapq.heappop(self._waiting)
            sock.sendto(datagram, destination)

    def _client(self, address):
        if address not in self._clients:
            draws = [random.Random(f"{self.seed} {len(self._clients)} {way}") for way in ("up", "down")]
            self._clients[address] = _Client(address, *draws)
        return self._clients[address]

    def _pass_up(self, selector, datagram, peer):
        client = self._client(peer)
        if client.bound != self._bindings:
            client.bound = self._bindings
            client.backs.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            client.backs[-1].bind((self.server[0], 0))
            selector.register(client.backs[-1], selectors.EVENT_READ, client)
        self._put(client.up, client.backs[-1], datagram, self.server)

    def _pass_down(self, sock, datagram, client):
        self.down += 1
        if sock is client.backs[-1] and client.bound == self._bindings:
            self._put(client.down, self._front, datagram, client.address)

    def _run(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._front, selectors.EVENT_READ)
            selector.register(self._told, selectors.EVENT_READ)
            while True:
                self._flush()
                timeout = max(0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
                for key, _ in selector.select(timeout):
                    if key.fileobj is self._told:
                        return
                    datagram, peer = key.fileobj.recvfrom(65536)
                    if key.fileobj is self._front:
                        self._pass_up(selector, datagram, peer)
                    else:
                        self._pass_down(key.fileobj, datagram, key.data)

    def _close(self):
        for sock in [self._front, *(back for client in self._clients.values() for back in client.backs)]:
            sock.close()


class _Client:
    """Who came to a relay: what is drawn for each direction, and the sockets by which the server knows it, of which the
    last counts."""

    def __init__(self, address, up, down):
        self.address, self.up, self.down, self.backs, self.bound = address, up, down, [], None
