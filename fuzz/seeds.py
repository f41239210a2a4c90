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

SEEDS = {
    "codec": [encode(message) for message in MESSAGES],
}


def inputs(target):
    return SEEDS.get(target, [])
