"""CBOR on a terminal: diagnostic notation (RFC 8949 section 8), or octets where it is none."""
import pytest

from support import coap
from support.coap import uint
from support.process import copal
from support.terminal import copal_on_terminal
from support.udp import Answerer, piggyback

# RFC 8949 appendix A, but for exponents and the last digit, which are C's.
ITEMS = [
    ("00", "0"), ("17", "23"), ("1818", "24"), ("1903e8", "1000"), ("1a000f4240", "1000000"),
    ("1bffffffffffffffff", "18446744073709551615"), ("3bffffffffffffffff", "-18446744073709551616"), ("20", "-1"),
    ("3863", "-100"), ("3903e7", "-1000"), ("3a000f423f", "-1000000"), ("f90000", "0.0"), ("f98000", "-0.0"), ("f93c00", "1.0"),
    ("fb3ff199999999999a", "1.1"), ("f93e00", "1.5"), ("f97bff", "65504.0"), ("fa47c35000", "100000.0"),
    ("fb7e37e43c8800759c", "1e+300"), ("f90001", "5.9604644775390625e-08"), ("fbc010666666666666", "-4.1"),
    ("f97c00", "Infinity"), ("fbfff0000000000000", "-Infinity"), ("f97e00", "NaN"), ("f4", "false"), ("f5", "true"),
    ("f6", "null"), ("f7", "undefined"), ("c11a514b67b0", "1(1363896240)"), ("d74401020304", "23(h'01020304')"),
    ("c249010000000000000000", "2(h'010000000000000000')"), ("d818456449455446", "24(h'6449455446')"), ("40", "h''"),
    ("60", '""'), ("6449455446", '"IETF"'), ("62225c", r'"\"\\"'), ("62c3bc", '"\u00fc"'), ("64f0908591", '"\U00010151"'),
    ("80", "[]"), ("a0", "{}"), ("9fff", "[_ ]"), ("bfff", "{_ }"), ("5fff", "(_ )"),
    ("5f42010243030405ff", "(_ h'0102', h'030405')"), ("7f657374726561646d696e67ff", '(_ "strea", "ming")'),
    # what could steer a terminal
    ("63611b62", r'"a\u001bb"'), ("64c29b325d", r'"\u009b2]"'), ("6300617f", r'"\u0000a\u007f"'),
]

BAD = [
    "",  # nothing is an empty payload, and no CBOR
    "18", "1900", "61", "62c3", "5f", "9f", "bf", "a1", "a101", "8201", "c0",  # cut off
    "0000", "8000",  # more than one item
    "ff", "81ff", "a1ff", "a101ff", "bf01ff", "c1ff",  # a break out of place
    "1c", "3e", "5c", "7d", "9e", "fc",  # reserved
    "5f00ff", "5f6161ff", "7f4161ff", "5f5f4100ffff",  # chunks that are none of their string
    "61ff", "62c328", "63eda080", "64f4908080", "61c2",  # no UTF-8
    "f0", "f818",  # simple values that nobody knows
    "9bffffffffffffffff", "bbffffffffffffffff", "bb8000000000000000", "5bffffffffffffffff", "7b7fffffffffffffff61",
    "81" * 40 + "00",  # too deep
]


def show(octets, format=60):
    with Answerer(lambda request: piggyback(request, "2.05", (coap.CONTENT_FORMAT, uint(format)), payload=octets)) as server:
        return copal_on_terminal("get", server.uri)[1]


def test_every_kind_of_item_is_told():
    octets = bytes([0x98, len(ITEMS)]) + b"".join(bytes.fromhex(item) for item, _ in ITEMS)
    assert show(octets) == "[\n  " + ",\n  ".join(text for _, text in ITEMS) + "\n]\n"


def test_arrays_and_maps_are_laid_out():
    octets = bytes.fromhex("a3 6161 83 01 820203 9f0405ff 02 bf 6346756ef5 80 a10102 ff 20 c2 8101")
    assert show(octets) == """{
  "a": [
    1,
    [
      2,
      3
    ],
    [_
      4,
      5
    ]
  ],
  2: {_
    "Fun": true,
    []: {
      1: 2
    }
  },
  -1: 2([
    1
  ])
}
"""


@pytest.mark.parametrize("octets", BAD)
def test_what_is_no_cbor_is_shown_as_octets(octets):
    assert show(bytes.fromhex(octets)) == (f"0x{octets}\n" if octets else "")


def test_as_deep_as_may_be():
    assert show(b"\x81" * 31 + b"\x80").count("[") == 32
    assert show(b"\x81" * 32 + b"\x80").startswith("0x8181")


def test_formats_that_end_in_cbor_are_cbor():
    assert show(b"\x81\x01", 112) == "[\n  1\n]\n"  # application/senml+cbor
    assert show(b"\x81\x01", 42) == "\\x81\\x01\n"


def test_a_pipe_gets_the_octets():
    with Answerer(lambda request: piggyback(request, "2.05", (coap.CONTENT_FORMAT, uint(60)), payload=b"\x81\x01")) as server:
        assert copal("get", server.uri).stdout == b"\x81\x01"
