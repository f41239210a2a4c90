"""The inputs that fuzzing begins with where nobody has fuzzed before: inputs(target), octets each."""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.coap import *  # noqa: E402,F403
from support.coap import Message, code, encode, uint  # noqa: E402


PATH = [(URI_PATH, b"rooms"), (URI_PATH, b"kitchen")]

# Well-formed messages that show each form of header, token and option.
MESSAGES = [
    Message(CON, 0, 1),
    Message(CON, GET, 2, b"1", PATH),
    Message(NON, GET, 3, b"abcdefgh", [(URI_HOST, b"a.example"), (7, uint(61616)), *PATH, (URI_QUERY, b"a=1"), (URI_QUERY, b"")]),
    Message(CON, GET, 4, b"", [(ETAG, b"12345678"), (OBSERVE, b""), *PATH, (16, b"x"), (ACCEPT, uint(50)), (BLOCK2, uint(0x16)),
                               (28, b""), (258, uint(26))]),
    Message(CON, PUT, 5, b"t", [(IF_MATCH, b""), (IF_NONE_MATCH, b""), *PATH, (CONTENT_FORMAT, b"")], b"21.5"),
    Message(CON, POST, 0x0410, b"t", [*PATH, (BLOCK1, uint(0x1e)), (SIZE1, uint(5000)), (292, b"tag")], b"x" * 64),
    Message(CON, POST, 7, b"t", [*PATH, (252, bytes(40))], b"x"),
    Message(CON, GET, 8, b"t", [(35, b"coap://a.example/b"), (39, b"coap")]),
    Message(ACK, code("2.05"), 9, b"t", [(ETAG, b"1"), (OBSERVE, uint(77)), (CONTENT_FORMAT, uint(40)), (MAX_AGE, uint(60)),
                                         (BLOCK2, uint(0x0e))], b"</a>;rt=x"),
    Message(ACK, code("2.01"), 10, b"t", [(LOCATION_PATH, b"a"), (LOCATION_QUERY, b"b=c")]),
    Message(ACK, code("4.04"), 11, b"t", [], b"no such resource"),
    Message(CON, GET, 12, b"0123456789abcdef", PATH),
    Message(CON, GET, 13, bytes(300), PATH),
    Message(CON, GET, 14, b"t", [(2, b""), (9, b"x"), (65, bytes(13)), (1000, bytes(20)), (65535, bytes(270))], b"p"),
    Message(RST, 0, 15),
]


def patched(first, value, patch):
    return bytes([first, len(value)]) + value + patch


SEEDS = {
    "codec": [encode(message) for message in MESSAGES],
    "uri": [b"\0coap://a.example:61616/rooms/%7ekitchen?a=1&b", b"\0coaps://[2001:db8::1]", b"\0coap://127.0.0.1/?", b"\1a//b/../c?d=e",
            b"\2application/json", b"\3\0\4host\2\1a\2\0\3\3b=c\1\2xy"],
    # Decisions as fuzz/common/certificate.c reads them: good ones, one by an authority in between that comes along, with names of
    # all kinds and another extension, one for an address, one that is changed; a client's; octets; and one whose kind of signature
    # nobody knows in front of one that is good, which Mbed TLS believes.
    "certificate": [bytes(4), bytes([0, 1, 0, 1, 1, 1, 0, 3, 4, 0, 1, 2, 5, 6, *b"\1\3\x06\3\x2a\3\4", 0, 1, 1]),
                    bytes([2, 0, 0, 0, 0, 0, 0, 0, 1, 5]), bytes([0, *bytes(9), 1, 0, 40, 1, 0, 1, 0, 90, 128]), bytes([1, 0, 0, 0, 2]),
                    b"\4\0\0\5\0\0\2\x30\0", b"\x0d\x30\3\2\1\1",
                    bytes.fromhex("80009d9d" + 13 * "e5" + "73" + 12 * "e5" + "9d3b9d9d9f0000ec00000000")],
    "link": [b'\x04rt=ba</a>;rt="b c";ct="0 50";obs,</d/e>;title="say \\"yes\\"";sz=5', b"\x06href=/<>;rel*=UTF-8''a", b"\0</a>,"],
    "patch": [patched(1, b'{"a":1,"b":[1,2],"c":{"d":null}}', b'{"a":null,"b":[3],"c":{"e":-0.50}}'),
              patched(0, b'{"a":[1,2]}', b'[{"op":"add","path":"/a/-","value":{"b":"c"}},{"op":"move","from":"/a/0","path":"/d"},'
                      b'{"op":"test","path":"/d","value":1},{"op":"copy","from":"/a","path":"/e~1f"},{"op":"remove","path":"/a"}]')],
    "tool": [b"\0\3" + b'{"a": [1, "b\\u009b", null]}', b"\0\4" + bytes.fromhex("a2616101626162fb3ff199999999999a"),
             b"\0\5" + bytes.fromhex("a22061742161640a"), b"\1" + b'</a>;rt="b c";ct="0 50",</d>', b"\2" + encode(MESSAGES[3]),
             b"\3--etag\n0x12\n-t\njson\ncoap://a", b"\4coap://[::1]:99999/", b"\5" + b"1.5", b"\6a/b=c;ct=json;etag;methods=get,put;rt=x",
             b"\7# keys\nanna:0x0102\nbert:secret\n"],
}


def inputs(target):
    return SEEDS.get(target, [])
