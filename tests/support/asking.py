"""CoAP clients that do what the standards say, but for one fault: what `copal conform --serve` has to find."""
import contextlib
import socket
import time

from support import coap
from support.coap import ACK, CON, NON, RST, Message

KNOWN = {coap.BLOCK2}  # of the critical options


class Asking:
    """GETs `path` until `over()`; `fault` names the one thing that it does wrong."""

    def __init__(self, port, path, fault=None, over=lambda: False):
        self.fault, self.over = fault, over
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(0.05)
        self.request = Message(NON if fault == "asks by NON" else CON, coap.GET, 4711, b"abcd",
                               [(coap.URI_PATH, path.encode())])
        self.waiting = True

    def run(self):
        wait, due = 2.2, time.monotonic()
        with self._socket:
            while not self.over():
                if self.waiting and time.monotonic() >= due:
                    self._send(self.request)
                    due += 0.7 if self.fault == "is hasty" else wait
                    wait *= 1 if self.fault == "does not back off" else 2
                    self.waiting = self.fault != "sends once"
                    if self.fault == "changes what it sends again":
                        self.request.token = b"dcba"
                try:
                    self._take(self._socket.recv(65536))
                except TimeoutError:
                    pass
                except ConnectionRefusedError:
                    return

    def _send(self, message):
        self._socket.send(coap.encode(message))

    def _empty(self, kind, mid):
        self._send(Message(kind, 0, mid))

    def _take(self, datagram):
        if datagram[0] >> 6 != 1 and self.fault != "takes any version":
            return
        kind, mid = datagram[0] >> 4 & 3, int.from_bytes(datagram[2:4], "big")
        try:
            message = coap.decode(bytes([datagram[0] & 0x3f | 0x40]) + datagram[1:])
        except ValueError:
            if self.fault == "takes what is malformed":
                self.waiting = False
            return
        if kind in (ACK, RST):
            matches = mid == self.request.mid or self.fault == "takes any acknowledgement"
            goes_on = self.fault == ("goes on after ACK" if kind == ACK else "goes on after RST")
            self.waiting = self.waiting and (not matches or goes_on)
            return
        if self.fault == "answers nothing":
            return
        if message.code >> 5 in (2, 4, 5):
            self._response(message)
        elif kind == CON:
            self._empty(ACK if self.fault == "acknowledges all" else RST, mid)

    def _response(self, message):
        unknown = [number for number, _ in message.options if number & 1 and number not in KNOWN
                   or self.fault == "rejects elective options" and number > 60000]
        wrong = message.token != self.request.token or unknown
        if message.type == CON:
            self._empty(RST if wrong and self.fault != "acknowledges all" else ACK, message.mid)
        elif self.fault == "acknowledges NON":
            self._empty(ACK, message.mid)
        elif self.fault == "rejects NON":
            self._empty(RST, message.mid)
        self.waiting = self.waiting and (bool(wrong) or self.fault == "goes on after the response")


class Following:
    """One whose requests follow from what came: blocks, and the Echo option. On loopback nothing is lost."""

    def __init__(self, port, path, fault=None, _over=None):
        self.path, self.fault, self.mid = path, fault, 100
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(60)

    def run(self):
        with self._socket, contextlib.suppress(ConnectionRefusedError):  # the server has ended: all is judged
            if self.path == "blocks":
                self._download()
            elif self.path == "echo":
                challenged = self._ask(coap.GET)
                if self.fault != "gives up":
                    self._ask(coap.GET, *([] if self.fault == "drops Echo" else [(252, challenged.all(252)[0])]))
            else:
                self._upload(b"x" * 4096)

    def _ask(self, method, *options, payload=b""):
        if self.fault != "uses a message ID twice":
            self.mid += 1
        token = b"" if self.fault == "uses a message ID twice" and not options else bytes([len(options), self.mid])
        self._socket.send(coap.encode(Message(CON, method, self.mid, token,
                                              [(coap.URI_PATH, self.path.encode()), *options], payload)))
        return coap.decode(self._socket.recv(65536))

    def _download(self):
        more = self._ask(coap.GET)
        number = 1
        while int.from_bytes(more.all(coap.BLOCK2)[0], "big") & 8:
            if self.fault == "gives up":
                return
            asked = number + (self.fault == "skips a block") << 4 | 8 * (self.fault == "sets the M bit")
            asked |= 6 if self.fault == "asks for larger blocks" else 2
            more = self._ask(coap.GET, (coap.BLOCK2, coap.uint(asked)))
            number += 1

    def _upload(self, body):
        at, szx, number = 0, 6, 0
        while at < len(body):
            size = 16 << szx
            piece = body[at:at + size]
            at += size
            if self.fault == "sends short blocks":
                piece = piece[:-1]
            asked = number << 4 | 8 * (at < len(body)) | szx
            answer = self._ask(coap.PUT, (coap.BLOCK1, coap.uint(asked)), payload=piece)
            if self.fault == "gives up":
                return
            if self.fault != "keeps its size":
                szx = int.from_bytes(answer.all(coap.BLOCK1)[0], "big") & 7
            number = at // (16 << szx) + (self.fault == "skips a block")
            if self.fault == "does not scale":
                number = asked + 16 >> 4
