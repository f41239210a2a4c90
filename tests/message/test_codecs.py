"""The parser beside those of aiocoap, of libcoap and of the tests themselves, over datagrams that are the same in each run: all say
the same of each, but for what is named here with its reason."""
import ctypes
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import aiocoap
import pytest

from support import coap
from support.coap import Message

PROGRAM = Path(os.environ["COPAL_ASAN_BUILD"]) / "tests/message/codec_lines"
COUNT = 100000
NUMBERS = [1, 3, 4, 5, 6, 7, 8, 11, 11, 12, 13, 14, 15, 15, 16, 17, 20, 23, 27, 28, 35, 39, 60, 252, 258, 268, 269, 292, 300, 2048, 65000, 65535]
UINTS = {6, 7, 12, 13, 14, 16, 17, 23, 27, 28, 60, 258}
STRINGS = {3, 8, 11, 15, 20, 35, 39}
LENGTHS = {number: range(least, most + 1) for number, least, most in [
    (1, 0, 8), (3, 1, 255), (4, 1, 8), (5, 0, 0), (6, 0, 3), (7, 0, 2), (8, 0, 255), (9, 0, 255), (11, 0, 255), (12, 0, 2), (14, 0, 4),
    (15, 1, 255), (16, 1, 1), (17, 0, 2), (20, 0, 255), (23, 0, 3), (27, 0, 3), (28, 0, 4), (35, 1, 1034), (39, 1, 255), (60, 0, 4),
    (252, 1, 40), (258, 0, 1), (292, 0, 8)]}
EDGES = [0, 12, 13, 14, 255, 268, 269, 270]


def draw_message(draw):
    """Well-formed, mostly small, now and then at the edge of a field."""
    def octets(most=8):
        size = draw.choice(EDGES) if draw.random() < 0.05 else draw.randrange(most + 1)
        return draw.randbytes(size) if draw.random() < 0.5 else bytes(draw.choices(b"abc/", k=size))

    token = octets(20) if draw.random() < 0.1 else draw.randbytes(draw.randrange(9))
    options = [(draw.choice(NUMBERS), octets()) for _ in range(draw.randrange(7))]
    return coap.encode(Message(draw.randrange(4), draw.randrange(256), draw.randrange(65536), token, options,
                               draw.randbytes(draw.choice([0, 1, 20]))))


def mutate(draw, datagram):
    octets = bytearray(datagram)
    for _ in range(draw.randrange(4)):
        where = draw.randrange(len(octets) + 1)
        what = draw.randrange(4)
        if what == 0 and where < len(octets):
            octets[where] ^= 1 << draw.randrange(8)
        elif what == 1 and where < len(octets):
            octets[where] = draw.choice([0, 0x0d, 0x0e, 0x0f, 0xd0, 0xe0, 0xf0, 0xff, 0xdd, 0xee])
        elif what == 2:
            del octets[where:]
        else:
            octets[where:where] = draw.randbytes(draw.randrange(1, 4))
    return bytes(octets)


@pytest.fixture(scope="module")
def datagrams():
    draw = random.Random(1)
    return [mutate(draw, draw_message(draw)) if i % 2 else draw_message(draw) for i in range(COUNT)]


@dataclass(frozen=True)
class Seen:
    type: int
    code: int
    mid: int
    token: bytes
    options: tuple
    payload: bytes


def read(line):
    """None: it was rejected."""
    if line.startswith("error"):
        return None
    type_, code, mid, token, options, payload = line.split(" ")

    def octets(text):
        return bytes.fromhex(text[1:])

    pairs = (part.split(":") for part in options.split(",") if part)
    return Seen(int(type_), int(code), int(mid), octets(token),
                tuple((int(number), octets(value)) for number, value in pairs), octets(payload))


@pytest.fixture(scope="module")
def ours(datagrams):
    text = "".join(f"{datagram.hex()}\n" for datagram in datagrams)
    done = subprocess.run([PROGRAM], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = [read(line) for line in done.stdout.splitlines()]
    assert len(answers) == COUNT
    assert COUNT / 3 < sum(answer is not None for answer in answers) < COUNT * 0.95  # else they show nothing
    return answers


# ---- what is known to differ -----------------------------------------------------------------------------------------------

def token_of(datagram):
    """Where the token ends, as RFC 7252 and RFC 8974 say; more than there is, where it is cut off."""
    size, at = datagram[0] & 15, 4
    extra = {13: 1, 14: 2}.get(size, 0)
    if extra:
        size = int.from_bytes(datagram[4:4 + extra], "big") + (13 if extra == 1 else 269)
    return at + extra + size


def lenient(datagram):
    """RFC 7252 calls these format errors; a parser that does not look for them takes them."""
    if len(datagram) < 4:
        return False
    return (datagram[1] == 0 and len(datagram) > 4  # section 4.1: Empty with something behind the ID
            or token_of(datagram) > len(datagram)  # section 3: the token is cut off
            or datagram[-1] == 0xff)  # section 3: a marker and no payload


def compare(datagrams, ours, theirs, excused):
    """Shows the first differences that nothing excuses; how many were excused."""
    differences = [(d, o, t) for d, o, t in zip(datagrams, ours, theirs) if o != t]
    unexplained = [(d.hex(), o, t) for d, o, t in differences if not excused(d, o, t)]
    assert not unexplained, "\n".join(map(str, unexplained[:5]))
    assert len(differences) < COUNT / 2


def above_65535(datagram):
    """The numbers of options are added up beyond the greatest (section 12.2)."""
    try:
        return any(number > 65535 for number, _ in coap.decode(datagram).options)
    except ValueError:
        return False


# ---- the others ------------------------------------------------------------------------------------------------------------

def test_the_tests_own_codec_says_the_same(datagrams, ours):
    def decode(datagram):
        try:
            m = coap.decode(datagram)
        except ValueError:
            return None
        return Seen(m.type, m.code, m.mid, m.token, tuple(m.options), m.payload)

    compare(datagrams, ours, map(decode, datagrams),
            lambda d, o, t: o is None and t is not None and (lenient(d) or above_65535(d)))


def test_aiocoap_says_the_same(datagrams, ours):
    """It knows no tokens longer than 12 octets (RFC 8974), and reads values by their format: numbers lose leading zeros, and what
    is no UTF-8 in a string is an error, which RFC 7252 leaves to whoever uses the option. Option 13 is a number to it."""
    def decode(datagram):
        try:
            m = aiocoap.Message.decode(datagram)
            return Seen(int(m.mtype), int(m.code), m.mid, m.token,
                        tuple((int(o.number), o.encode()) for o in m.opt.option_list()), m.payload)
        except (aiocoap.error.UnparsableMessage, UnicodeDecodeError):
            return None

    def short(answer):
        """With numbers as aiocoap has them."""
        return answer and Seen(answer.type, answer.code, answer.mid, answer.token, tuple(
            (number, value.lstrip(b"\0") if number in UINTS else value) for number, value in answer.options), answer.payload)

    def excused(d, o, t):
        if len(d) >= 4 and d[0] & 15 > 12:
            return True
        if o is None:
            return lenient(d) or above_65535(d)
        return t is None and any(number in STRINGS and not is_utf8(value) for number, value in o.options)

    compare(datagrams, map(short, ours), map(decode, datagrams), excused)


def is_utf8(octets):
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


class Iterator(ctypes.Structure):
    """libcoap's coap_opt_iterator_t, as far as it is looked at, and room for the rest."""
    _fields_ = [("length", ctypes.c_size_t), ("number", ctypes.c_uint16), ("rest", ctypes.c_uint8 * 128)]


class Octets(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.POINTER(ctypes.c_uint8))]


def load_libcoap():
    lib = ctypes.CDLL("libcoap-3-notls.so.3")
    pointer = ctypes.c_void_p
    lib.coap_pdu_init.restype = lib.coap_option_iterator_init.restype = lib.coap_option_next.restype = pointer
    lib.coap_pdu_init.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_uint16, ctypes.c_size_t]
    lib.coap_pdu_parse.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, pointer]
    lib.coap_option_iterator_init.argtypes = [pointer, pointer, pointer]
    lib.coap_option_next.argtypes = lib.coap_opt_length.argtypes = lib.coap_opt_value.argtypes = [pointer]
    lib.coap_opt_value.restype = pointer
    lib.coap_pdu_get_token.restype = Octets
    lib.coap_get_data.argtypes = [pointer, pointer, pointer]
    for name in ("coap_pdu_get_token", "coap_pdu_get_type", "coap_pdu_get_code", "coap_pdu_get_mid", "coap_delete_pdu"):
        getattr(lib, name).argtypes = [pointer]
    lib.coap_startup()
    lib.coap_set_log_level(0)
    return lib


def view_pdu(lib, pdu):
    iterator, options = Iterator(), []
    size, data = ctypes.c_size_t(), ctypes.POINTER(ctypes.c_uint8)()
    if lib.coap_option_iterator_init(pdu, ctypes.byref(iterator), None):
        while option := lib.coap_option_next(ctypes.byref(iterator)):
            options.append((iterator.number, ctypes.string_at(lib.coap_opt_value(option), lib.coap_opt_length(option))))
    lib.coap_get_data(pdu, ctypes.byref(size), ctypes.byref(data))
    token = lib.coap_pdu_get_token(pdu)
    return Seen(lib.coap_pdu_get_type(pdu), lib.coap_pdu_get_code(pdu), lib.coap_pdu_get_mid(pdu) & 0xffff,
                ctypes.string_at(token.data, token.size) if token.size else b"", tuple(options),
                ctypes.string_at(data, size.value) if size.value else b"")


def test_libcoap_says_the_same(datagrams, ours):
    """Version 4.3.1 knows no tokens longer than 8 octets (RFC 8974), and rejects a message with a known option of a wrong length,
    which RFC 7252 section 5.4.3 has treated like an unknown one. Codes 7.xx are signals to it, with options of their own (RFC 8323)."""
    lib = load_libcoap()

    def decode(datagram):
        pdu = lib.coap_pdu_init(0, 0, 0, 8192)
        try:
            return view_pdu(lib, pdu) if lib.coap_pdu_parse(1, datagram, len(datagram), pdu) else None
        finally:
            lib.coap_delete_pdu(pdu)

    def excused(d, o, t):
        if len(d) >= 4 and (d[0] & 15 > 8 or d[1] >= 0xe0):
            return True
        return o is not None and t is None and any(
            len(value) not in LENGTHS.get(number, range(66000)) for number, value in o.options)

    compare(datagrams, ours, map(decode, datagrams), excused)
