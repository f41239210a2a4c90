"""A CoAP codec of the tests' own (RFC 7252 section 3), so that nothing of copal judges copal."""
from dataclasses import dataclass, field

CON, NON, ACK, RST = range(4)
GET, POST, PUT, DELETE, FETCH, PATCH, IPATCH = range(1, 8)
IF_MATCH, URI_HOST, ETAG, IF_NONE_MATCH, URI_PATH, CONTENT_FORMAT, MAX_AGE = 1, 3, 4, 5, 11, 12, 14
OBSERVE, URI_PORT, LOCATION_PATH, URI_QUERY, ACCEPT, LOCATION_QUERY = 6, 7, 8, 15, 17, 20
BLOCK2, BLOCK1, PROXY_URI, PROXY_SCHEME, SIZE1 = 23, 27, 35, 39, 60


def code(text):
    """"2.05" as the octet on the wire."""
    class_, detail = text.split(".")
    return int(class_) << 5 | int(detail)


def uint(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


@dataclass
class Message:
    type: int = CON
    code: int = 0
    mid: int = 0
    token: bytes = b""
    options: list = field(default_factory=list)  # (number, bytes), ascending
    payload: bytes = b""

    def all(self, number):
        return [value for n, value in self.options if n == number]

    def path(self):
        return "/".join(value.decode() for value in self.all(URI_PATH))


def _extended(value):
    return (value, b"") if value < 13 else (13, bytes([value - 13])) if value < 269 else (
        14, (value - 269).to_bytes(2, "big"))


def encode(message):
    nibble, length = _extended(len(message.token))
    out = bytes([1 << 6 | message.type << 4 | nibble, message.code]) + message.mid.to_bytes(2, "big")
    out += length + message.token
    last = 0
    for number, value in sorted(message.options, key=lambda option: option[0]):
        delta, more_delta = _extended(number - last)
        size, more_size = _extended(len(value))
        out += bytes([delta << 4 | size]) + more_delta + more_size + value
        last = number
    return out + (b"\xff" + message.payload if message.payload else b"")


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        part = self.data[self.at:self.at + size]
        if len(part) != size:
            raise ValueError("the message ends too early")
        self.at += size
        return part

    def number(self, nibble):
        if nibble == 15:
            raise ValueError("reserved length or delta")
        if nibble < 13:
            return nibble
        return self.take(1)[0] + 13 if nibble == 13 else int.from_bytes(self.take(2), "big") + 269


def decode(datagram):
    reader = _Reader(datagram)
    first, code_, high, low = reader.take(4)
    if first >> 6 != 1:
        raise ValueError("not version 1")
    message = Message(first >> 4 & 3, code_, high << 8 | low)
    message.token = reader.take(reader.number(first & 15))
    number = 0
    while reader.at < len(datagram):
        byte = reader.take(1)[0]
        if byte == 0xff:
            message.payload = datagram[reader.at:]
            if not message.payload:
                raise ValueError("a payload marker without payload")
            break
        number += reader.number(byte >> 4)
        message.options.append((number, reader.take(reader.number(byte & 15))))
    return message
