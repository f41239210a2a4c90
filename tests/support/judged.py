"""A small CoAP server that does what the standards say, but for one fault: what `copal conform` has to find."""
from support import coap
from support.coap import ACK, CON, NON, RST, Message, code, uint
from support.udp import Answerer, piggyback

TAG = b"\x01"
# Of the critical options: least and most octets; If-Match, Uri-Path and Uri-Query may come again.
CRITICAL = {coap.IF_MATCH: (0, 8), coap.URI_HOST: (1, 255), coap.IF_NONE_MATCH: (0, 0), coap.URI_PORT: (0, 2),
            coap.URI_PATH: (0, 255), coap.URI_QUERY: (0, 255), coap.ACCEPT: (0, 2), coap.PROXY_URI: (1, 1034),
            coap.PROXY_SCHEME: (1, 255), coap.BLOCK2: (0, 3), coap.BLOCK1: (0, 3)}
REPEATABLE = (coap.IF_MATCH, coap.URI_PATH, coap.URI_QUERY)


class Judged(Answerer):
    """`fault` names the one thing that it does wrong; None: nothing."""

    LINKS = b"</value>;ct=0"

    def __init__(self, fault=None):
        super().__init__(self._request)
        self.fault = fault

    def _take(self, datagram, peer):
        self.peer = peer
        for answer in self._answers(datagram):
            self._socket.sendto(answer if isinstance(answer, bytes) else coap.encode(answer), peer)

    def _answers(self, datagram):
        if len(datagram) < 4 or datagram[0] >> 6 != 1 and self.fault != "takes any version":
            return []
        datagram = bytes([datagram[0] & 0x3f | 0x40]) + datagram[1:]
        kind, octet, mid = datagram[0] >> 4 & 3, datagram[1], int.from_bytes(datagram[2:4], "big")
        try:
            message = coap.decode(datagram)
        except ValueError:
            message = None
        if message is None or octet == 0 or octet >> 5 != 0 or kind in (ACK, RST):
            return self._rejection(kind, octet, mid, message, len(datagram))
        return [answer for answer in [self._request(message)] if answer]

    def _rejection(self, kind, octet, mid, message, size):
        ping = octet == 0 and size == 4
        if self.fault == "answers what is malformed with 4.00" and (message is None or octet == 0 and size > 4):
            return [Message(ACK if kind == CON else NON, code("4.00"), mid)]
        if self.fault == "acknowledges pings" and ping and kind == CON:
            return [Message(ACK, 0, mid)]
        if self.fault == "resets with a code" and ping and kind == CON:
            return [Message(RST, code("4.00"), mid)]
        if self.fault == "ignores reserved classes" and octet >> 5 in (1, 6, 7):
            return []
        if self.fault == "answers acknowledgements" and kind in (ACK, RST):
            return [Message(RST, 0, mid)]
        if self.fault == "answers rejected NON" and kind == NON:
            return [Message(NON, code("4.00"), mid + 1, message.token if message else b"")]
        if self.fault == "acknowledges unexpected responses" and octet >> 5 == 2 and kind == CON:
            return [Message(ACK, 0, mid)]
        return [Message(RST, 0, mid)] if kind == CON else []

    def _bad_options(self, message):
        bad, seen = [], set()
        for number, value in message.options:
            least, most = CRITICAL.get(number, (1, 0))
            wrong_size = not least <= len(value) <= most and self.fault != "takes options of any length"
            again = number in seen and number not in REPEATABLE and self.fault != "takes options twice"
            known = number in CRITICAL or self.fault == "ignores critical options"
            if number & 1 and (not known or number in CRITICAL and (wrong_size or again)):
                bad.append(number)
            seen.add(number)
        if self.fault == "refuses elective options":
            bad += [number for number, value in message.options
                    if number > 60000 or number in (coap.ETAG, coap.MAX_AGE, 252) and len(value) > 4]
        return bad

    def _request(self, message):
        bad = self._bad_options(message)
        if bad:
            return None if message.type == NON and self.fault != "answers bad options of NON" else self._answer(
                message, "4.02", payload=b"" if self.fault == "describes nothing" else b"option %d" % bad[0])
        if any(message.all(number) for number in (coap.PROXY_URI, coap.PROXY_SCHEME)):
            return self._answer(message, "4.02" if self.fault == "does not know of proxies" else "5.05")
        if message.code > (coap.IPATCH if message.path() != "value" else coap.GET):
            return self._answer(message, "4.04" if self.fault == "does not know of methods" else "4.05")
        if message.path() == ".well-known/core":
            listed = b"" if self.fault == "lists plain text" else uint(40)
            return self._answer(message, "2.05", (coap.CONTENT_FORMAT, listed), payload=self.LINKS)
        return self._resource(message)

    def _resource(self, message):
        return self._value(message) if message.path() == "value" else self._answer(message, "4.04")

    def _value(self, message):
        for accept in message.all(coap.ACCEPT):
            padded = self.fault == "takes numbers without zeros only" and accept[:1] == b"\0"
            if (int.from_bytes(accept, "big") or padded) and self.fault != "answers in any format":
                return self._answer(message, "4.06")
        if TAG in message.all(coap.ETAG):
            return self._answer(message, "2.03", *[] if self.fault == "validates without ETag" else [(coap.ETAG, TAG)],
                                payload=b"value" if self.fault == "validates with payload" else b"")
        return self._answer(message, "2.05", (coap.ETAG, TAG), (coap.CONTENT_FORMAT, b""), payload=b"value")

    def _answer(self, message, text, *options, payload=b""):
        answer = piggyback(message, text, *options, payload=payload)
        if message.type == NON and self.fault in ("acknowledges NON", "answers NON by CON"):
            answer.type = ACK if self.fault == "acknowledges NON" else CON
        if self.fault == "makes tokens of its own":
            answer.token = b"own"
        if self.fault == "cuts tokens" and len(answer.token) > 4:
            answer.token = answer.token[:4]
        return answer
