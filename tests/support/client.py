"""A CoAP client that does only what it is told: one datagram out, one datagram in."""
import random
import socket

from support import coap
from support.coap import Message


def path_options(path):
    return [(coap.URI_PATH, segment.encode()) for segment in path.split("/")] if path else []


class Client:
    """Asks a server on loopback from one socket, so that its message IDs count up on one endpoint."""

    def __init__(self, port, address="127.0.0.1"):
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(60)
        self._socket.connect((address, port))
        self._mid = random.randrange(1 << 16)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._socket.close()

    def send(self, datagram):
        self._socket.send(datagram)

    def receive(self):
        return coap.decode(self._socket.recv(65536))

    def ask(self, method, path="", *options, payload=b"", type=coap.CON, token=b""):
        """One request and the message that came back."""
        self._mid = (self._mid + 1) & 0xffff
        self.send(coap.encode(Message(type, method, self._mid, token, path_options(path) + list(options), payload)))
        answer = self.receive()
        assert answer.token == token
        return answer

    def get(self, path, *options):
        return self.ask(coap.GET, path, *options)

    def put(self, path, payload=b"", *options):
        return self.ask(coap.PUT, path, *options, payload=payload)

    def post(self, path, payload=b"", *options):
        return self.ask(coap.POST, path, *options, payload=payload)

    def delete(self, path, *options):
        return self.ask(coap.DELETE, path, *options)
