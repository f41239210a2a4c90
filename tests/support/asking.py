"""CoAP clients that do what the standards say, but for one fault: what `copal conform --serve` has to find."""
import contextlib
import itertools
import socket
import time

from support import coap
from support.coap import ACK, CON, NON, RST, Message

KNOWN = {coap.BLOCK2}  # of the critical options
ECHO, REQUEST_TAG = 252, 292


class Asking:
    """GETs `path` until `over()`; `fault` names the one thing that it does wrong."""

    def __init__(self, port, path, fault=None, over=lambda: False):
        self.fault, self.over, self._server = fault, over, ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if fault != "takes what comes from anywhere":
            self._socket.connect(self._server)
        self._socket.settimeout(0.05)
        token = b"a token of 21 octets." if path.startswith("long-token") else b"abcd"
        self.request = Message(NON if fault == "asks by NON" else CON, coap.GET, 4711, token,
                               [(coap.URI_PATH, path.encode())])
        self.waiting, self.answered = True, False

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
        self._socket.sendto(coap.encode(message), self._server)

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
            elif kind == CON and self.fault != "answers nothing":
                self._empty(ACK if self.fault == "acknowledges all" else RST, mid)
            return
        if kind in (ACK, RST):
            matches = mid == self.request.mid or self.fault == "takes any acknowledgement"
            goes_on = self.fault == ("goes on after ACK" if kind == ACK else "goes on after RST")
            self.waiting = self.waiting and (not matches or goes_on)
            self.answered = self.answered or matches and message.code > 0 and self.fault == "takes any token"
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
        compared = 8 if self.fault == "compares eight octets" else None
        wrong = message.token[:compared] != self.request.token[:compared] or unknown or self.answered
        wrong = wrong or self.fault == "rejects long tokens" and len(message.token) > 8
        if message.type == CON:
            self._empty(RST if wrong and self.fault != "acknowledges all" else ACK, message.mid)
        elif self.fault == "acknowledges NON":
            self._empty(ACK, message.mid)
        elif self.fault == "rejects NON":
            self._empty(RST, message.mid)
        self.waiting = self.waiting and (bool(wrong) or self.fault == "goes on after the response")


class Judged(Exception):
    """The case is concluded, or the server has ended."""


class Following:
    """One whose requests follow from what came: blocks, Echo, observations. On loopback nothing is lost."""

    def __init__(self, port, path, fault=None, over=lambda: False):
        self.path, self.fault, self.over, self.mid = path, fault, over, 100
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(0.05)

    def run(self):
        play = {"random": self._ask_twice, "blocks": self._download, "upload": self._upload, "smaller": self._upload, "tagged": self._upload, "echo": self._echo,
                "copy": self._ask_separately, "notified": self._observe, "cancelled": self._observe}[self.path]
        with self._socket, contextlib.suppress(ConnectionRefusedError, Judged):
            play()

    def _receive(self):
        while not self.over():
            with contextlib.suppress(TimeoutError):
                return coap.decode(self._socket.recv(65536))
        raise Judged

    def _empty(self, kind, mid):
        self._socket.send(coap.encode(Message(kind, 0, mid)))

    def _send(self, method, *options, token, payload=b""):
        self.mid += self.fault != "uses a message ID twice"
        options = [(coap.URI_PATH, self.path.encode()), *options]
        self._sent = coap.encode(Message(CON, method, self.mid, token, options, payload))
        self._socket.send(self._sent)

    def _ask(self, method, *options, payload=b""):
        self._send(method, *options, token=bytes([len(options)]), payload=payload)
        return self._receive()

    @staticmethod
    def _option(answer, number):
        """Its value; an answer that comes when all is judged has none."""
        if not answer.all(number):
            raise Judged
        return answer.all(number)[0]

    def _ask_twice(self):
        for number in range(12):
            self._send(coap.GET, (coap.BLOCK2, coap.uint(number << 4 | 2)), token=bytes([number]))
            if self.fault == "sends once":
                return
            time.sleep({"is hasty": 1, "waits as long each time": 2}.get(self.fault, 2 + number / 12))
            self._socket.send(self._sent)
            self._receive()

    def _download(self):
        at, answer = 64, self._ask(coap.GET)
        szx = 1 if self.fault == "negotiates late" else 2  # which is its right
        while int.from_bytes(self._option(answer, coap.BLOCK2), "big") & 8:
            if self.fault == "gives up":
                return
            asked = at // (16 << szx) + (self.fault == "skips a block") << 4 | 8 * (self.fault == "sets the M bit")
            asked |= 6 if self.fault == "asks for larger blocks" else szx
            answer = self._ask(coap.GET, (coap.BLOCK2, coap.uint(asked)))
            at += 16 << szx
            szx -= self.fault == "changes the size"

    def _upload(self):
        at, szx, number, size = 0, 6, 0, 4096
        while at < size:
            piece = b"x" * min(16 << szx, size - at)
            at += 16 << szx
            if self.fault == "sends short blocks":
                piece = piece[:-1]
            asked = number << 4 | 8 * (at < size) | szx
            tag = [(REQUEST_TAG, bytes([number if self.fault == "changes the tag" else 0]))]
            if self.path != "tagged" or self.fault == "has no tag" or self.fault == "drops the tag" and number:
                tag = []
            answer = self._ask(coap.PUT, (coap.BLOCK1, coap.uint(asked)), *tag, payload=piece)
            if self.fault == "gives up":
                return
            if self.fault != "keeps its size":
                szx = int.from_bytes(self._option(answer, coap.BLOCK1), "big") & 7
            number = at // (16 << szx) + (self.fault == "skips a block")
            if self.fault == "does not scale":
                number = (asked >> 4) + 1

    def _echo(self):
        challenge = self._option(self._ask(coap.GET), ECHO)
        if self.fault != "gives up":
            self._ask(coap.GET, *([] if self.fault == "drops Echo" else [(ECHO, challenge)]))

    def _ask_separately(self):
        self._send(coap.GET, token=b"1")
        self._take_separate(b"1")
        if self.fault == "gives up":
            return
        self._send(coap.GET, (coap.BLOCK2, coap.uint(1 << 4 | 2)), token=b"2")
        self._take_separate(b"2")

    def _take_separate(self, token):
        """Returns when the response to `token` has come; what comes of an earlier one is a copy."""
        while True:
            message = self._receive()
            if message.type != CON:
                continue
            copy = message.token != token
            if not copy or self.fault != "ignores copies":
                self._empty(RST if copy and self.fault == "rejects copies" else ACK, message.mid)
            if not copy:
                return

    def _observe(self):
        self._send(coap.GET, (coap.OBSERVE, b""), token=b"1")
        for count in itertools.count():
            message = self._receive()
            if message.type == CON and self.fault != "ignores notifications":
                self._empty(RST if self.fault == "rejects notifications" else ACK, message.mid)
            if count == 2 and self.path == "cancelled":
                more = [(coap.URI_QUERY, b"other")] if self.fault == "deregisters something else" else []
                token = b"2" if self.fault == "deregisters by another token" else b"1"
                self._send(coap.GET, (coap.OBSERVE, b"\1"), *more, token=token)
