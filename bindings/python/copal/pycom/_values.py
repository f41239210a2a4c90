"""What scripts give, as the host takes it, and the host's errors as the exceptions that scripts know."""
from __future__ import annotations

import errno
from typing import Mapping, NoReturn, Optional, Type, Union

from ..errors import CopalError, Exists, Full, Gone

Octets = Union[str, bytes, bytearray, memoryview]


Texts = Mapping[Type[CopalError], str]


def translate(error: CopalError, texts: Texts = {}) -> NoReturn:
    """Raises what a script gets; `texts` say more than the host can."""
    text = texts.get(type(error), str(error))
    if isinstance(error, Full):
        raise OSError(errno.ENOBUFS, "a bound is reached") from None
    if isinstance(error, (Gone, Exists)):
        raise RuntimeError(text) from None
    raise ValueError(text) from None


def octets(value: object) -> bytes:
    """Those of a str or of a bytes-like object."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{type(value).__name__} where str or bytes must be")


def octets_if_given(value: object, least: int = 0, most: Optional[int] = None) -> Optional[bytes]:
    if value is None:
        return None
    found = octets(value)
    if len(found) < least or (most is not None and len(found) > most):
        raise ValueError("token, etag or if_match is too long or too short")
    return found


def text(value: object) -> str:
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"{type(value).__name__} where str must be")
    found = value if isinstance(value, str) else value.decode()
    if "\0" in found:
        raise ValueError("NUL in a text")
    return found


def value_octets(value: object) -> bytes:
    """A resource's value: an integer in 1, 2 or 4 octets, little-endian."""
    if not isinstance(value, int):
        return octets(value)
    if not 0 <= value < 1 << 32:
        raise ValueError("value is negative or over 32 bits")
    return value.to_bytes(1 if value < 1 << 8 else 2 if value < 1 << 16 else 4, "little")


def integer(value: object, least: int, most: int, otherwise: Optional[int] = None) -> int:
    """Within the bounds, or `otherwise` where it was not given; without that, it has to be."""
    if value is None and otherwise is not None:
        return otherwise
    if not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} where int must be")
    if not least <= value <= most:
        raise ValueError("number out of range")
    return int(value)  # of a bool


def milliseconds(seconds: object) -> int:
    """0 where it was not given."""
    if seconds is None:
        return 0
    if not isinstance(seconds, (int, float)):
        raise TypeError(f"{type(seconds).__name__} where a number must be")
    if not 1 <= seconds * 1000 < 0xffffffff:
        raise ValueError("timeout is out of range")
    return int(seconds * 1000)
