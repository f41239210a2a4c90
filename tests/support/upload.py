"""Files on their way to `copal serve --dir --write`."""
import itertools
import socket

from support import coap
from support.process import SECONDS


# One for all uploads: a port may come again, and what has ID and port of another message is a copy of it.
_ids = itertools.count()


class Upload:
    """A file on its way up, block by block, from a peer of its own."""

    def __init__(self, server, path, content, code=coap.PUT, szx=6):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(SECONDS)
        self.socket.connect(("127.0.0.1", server.port))
        self.path = [(coap.URI_PATH, part.encode()) for part in path.split("/")]
        self.code, self.content, self.szx, self.number = code, content, szx, 0

    def step(self):
        """Sends the next block; its answer."""
        size = 16 << self.szx
        at = self.number * size
        more = at + size < len(self.content)
        block = coap.uint(self.number << 4 | more << 3 | self.szx)
        self.socket.send(coap.encode(coap.Message(coap.CON, self.code, next(_ids) & 0xffff, b"u",
                                                  [*self.path, (coap.BLOCK1, block)], self.content[at:at + size])))
        self.number += 1
        return self.receive()

    def receive(self):
        return coap.decode(self.socket.recv(65536))

    def run(self, steps=None):
        """Sends `steps` blocks, or all; the last answer."""
        while True:
            answer = self.step()
            if answer.code != coap.code("2.31") or steps == self.number:
                return answer


def hidden(place):
    return [path for path in place.rglob("*") if path.name.startswith(".")]
