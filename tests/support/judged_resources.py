"""The same server with resources to be written to and observed, answered in blocks, and answered later."""
import threading
import zlib

from support import coap
from support.coap import ACK, CON, NON, RST, Message, code, uint
from support.judged import Judged

LARGE = bytes(range(256)) * 5
NO_RESPONSE, REQUEST_TAG = 258, 292


def number(message, option):
    """The value of an option as a number; None: it has none."""
    values = message.all(option)
    return int.from_bytes(values[0], "big") if values else None


class JudgedResources(Judged):
    LINKS = b"</value>;ct=0,</made>;ct=0;obs,</large>,</separate>"

    def __init__(self, fault=None):
        super().__init__(fault)
        self._made, self._format = None, b""
        self._done = {}  # answers to requests with effects, by peer and message ID
        self._parts = {}  # what has come of a body, by format and Request-Tag
        self._observers = []  # token, peer
        self._count, self._mid = 0, 0
        self._notified = {}  # tokens by message IDs of notifications
        self._open = {}  # timers of unanswered separate responses, by message ID
        self._timing, self._closed = threading.RLock(), False

    def _request(self, message):
        if message.all(NO_RESPONSE):
            if self.fault == "suppresses all" or self.fault == "does not acknowledge" and message.type == CON:
                return None
        return super()._request(message)

    def _rejection(self, kind, octet, mid, message, size):
        if kind == RST and self.fault != "ignores resets":
            self._observers = [each for each in self._observers if each[0] != self._notified.get(mid)]
        if mid in self._open and self.fault != f"goes on after {'ACK' if kind == ACK else 'RST'}":
            self._open.pop(mid).cancel()
        return super()._rejection(kind, octet, mid, message, size)

    def _resource(self, message):
        handlers = {"made": self._serve_made, "large": self._large, "separate": self._separate}
        return handlers.get(message.path(), super()._resource)(message)

    # ---- in blocks

    def _large(self, message):
        asked = number(message, coap.BLOCK2)
        at, szx = (0, 6) if asked is None else (asked >> 4, asked & 7)
        if szx == 7:
            return self._answer(message, "2.05" if self.fault == "takes the reserved size" else "4.00")
        if asked is not None and asked & 8 and self.fault == "heeds the M bit":
            return self._answer(message, "4.00")
        if self.fault == "sends larger blocks":
            szx = 6
        size = 16 << szx
        body = LARGE[at * size:(at + 1) * size]
        if self.fault == "sends other bodies":
            body = bytes([szx]) + body[1:]
        block = at << 4 | (8 if (at + 1) * size < len(LARGE) else 0) | szx
        tag = [] if self.fault == "sends blocks without ETag" else [(coap.ETAG, b"\x02")]
        return self._answer(message, "2.05", *tag, (coap.BLOCK2, uint(block)), payload=body)

    # ---- later

    def _separate(self, message):
        if message.mid in self._done:
            return self._answer(message, "2.05", payload=b"late") if self.fault == "answers in a second ACK" else Message(
                ACK, 0, message.mid)
        self._done[message.mid] = True
        self._mid += 1
        response = Message(CON, code("2.05"), self._mid, message.token, [], b"late")
        self._later(0.3, response, self.peer, 2)
        return Message(ACK, 0, message.mid)

    def _later(self, seconds, response, peer, wait):
        def send():
            with self._timing:
                if self._closed:
                    return
                if self.fault != "sends once":  # the timer first: an acknowledgement that comes at once must find it
                    again = wait if self.fault == "does not back off" else 2 * wait
                    self._later(wait, response, peer, again)
                self._socket.sendto(coap.encode(response), peer)
        timer = self._open[response.mid] = threading.Timer(seconds, send)
        timer.daemon = True
        timer.start()

    def _close(self):
        with self._timing:  # no timer is at work: what goes off later does nothing
            self._closed = True
        for timer in self._open.values():
            timer.cancel()
        super()._close()

    # ---- written and observed

    def _serve_made(self, message):
        if message.code == coap.GET:
            return self._get(message)
        known = (self.peer, message.mid)
        if known not in self._done or self.fault == "runs copies":
            self._done[known] = self._change(message)
        return self._done[known]

    def _tag(self):
        return zlib.crc32(self._made).to_bytes(4, "big")

    def _get(self, message):
        if self._made is None:
            return self._answer(message, "4.04")
        options = [(coap.ETAG, self._tag())]
        what = number(message, coap.OBSERVE)
        mine = (message.token, self.peer)
        if what == 0:
            if mine not in self._observers or self.fault == "registers twice":
                self._observers.append(mine)
        elif self.fault != "ignores deregistration" and mine in self._observers:
            self._observers.remove(mine)
        if what == 0 or what == 1 and self.fault == "answers deregistration with Observe":
            options.append((coap.OBSERVE, uint(self._count)))
        return self._answer(message, "2.05", *options, (coap.CONTENT_FORMAT, self._format), payload=self._made)

    def _fails(self, message):
        """Whether a precondition does."""
        if self.fault == "ignores conditions":
            return False
        tags = message.all(coap.IF_MATCH)
        current = None if self._made is None else self._tag()
        return bool(tags) and (current is None or b"" not in tags and current not in tags) or (
            bool(message.all(coap.IF_NONE_MATCH)) and self._made is not None)

    def _change(self, message):
        if self._fails(message):
            return self._answer(message, "4.12")
        if message.code == coap.DELETE:
            was, self._made = self._made, None
            if was is not None:
                self._tell("4.04")
            return self._answer(message, "4.04" if was is None and self.fault == "misses what is gone" else "2.02")
        if message.code != coap.PUT:
            return self._answer(message, "2.04" if self.fault == "takes any patch" else "4.05")
        block = number(message, coap.BLOCK1)
        if block is None:
            return self._replace(message, message.payload)
        return self._block(message, block >> 4, block & 8, block & 7)

    def _block(self, message, at, more, szx):
        if szx == 7:
            return self._answer(message, "4.02" if self.fault == "takes the reserved size" else "4.00")
        key = (message.all(coap.CONTENT_FORMAT)[0] if self.fault != "mixes formats" else b"",
               message.all(REQUEST_TAG) == [b"b"] and self.fault != "mixes tags")
        before = self._parts.get(key, b"") if at else b""
        echoed = [] if self.fault == "echoes no Block1" else [(coap.BLOCK1, uint(at << 4 | more | szx))]
        if len(before) != at << szx + 4 and self.fault != "takes what is incomplete":
            return self._answer(message, "4.08", *echoed)
        self._parts[key] = before + message.payload
        if more:
            return self._answer(message, "2.04" if self.fault == "does not continue" else "2.31", *echoed)
        return self._replace(message, self._parts.pop(key), *echoed)

    def _replace(self, message, payload, *options):
        created = self._made is None
        if self.fault != "forgets":
            self._made = payload
        self._tell("2.05")
        return self._answer(message, "2.01" if created and self.fault != "does not say created" else "2.04", *options)

    def _tell(self, text):
        if self.fault == "tells nothing":
            return
        for token, peer in list(self._observers):
            self._count += 0 if self.fault == "repeats numbers" else 1
            self._mid += 1
            self._notified[self._mid] = token
            options = [(coap.OBSERVE, uint(self._count))] if text == "2.05" or self.fault == "ends with Observe" else []
            if text == "2.05":
                options.append((coap.CONTENT_FORMAT, uint(50) if self.fault == "changes the format" else self._format))
            payload = self._made if text == "2.05" else b""
            self._socket.sendto(coap.encode(Message(NON, code(text), self._mid, token, options, payload)), peer)
        if text != "2.05":
            self._observers.clear()
