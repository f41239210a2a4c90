"""Codes, options and message types by their names."""
from __future__ import annotations

import enum

from . import _copal


class Code(enum.IntEnum):
    """A code octet: a request's method or a response's code. `str(Code.CONTENT)` is "2.05 Content"."""

    EMPTY = 0
    GET = 1
    POST = 2
    PUT = 3
    DELETE = 4
    FETCH = 5
    PATCH = 6
    IPATCH = 7
    CREATED = 65
    DELETED = 66
    VALID = 67
    CHANGED = 68
    CONTENT = 69
    CONTINUE = 95
    BAD_REQUEST = 128
    UNAUTHORIZED = 129
    BAD_OPTION = 130
    FORBIDDEN = 131
    NOT_FOUND = 132
    METHOD_NOT_ALLOWED = 133
    NOT_ACCEPTABLE = 134
    REQUEST_ENTITY_INCOMPLETE = 136
    CONFLICT = 137
    PRECONDITION_FAILED = 140
    REQUEST_ENTITY_TOO_LARGE = 141
    UNSUPPORTED_CONTENT_FORMAT = 143
    UNPROCESSABLE_ENTITY = 150
    TOO_MANY_REQUESTS = 157
    INTERNAL_SERVER_ERROR = 160
    NOT_IMPLEMENTED = 161
    BAD_GATEWAY = 162
    SERVICE_UNAVAILABLE = 163
    GATEWAY_TIMEOUT = 164
    PROXYING_NOT_SUPPORTED = 165
    HOP_LIMIT_REACHED = 168

    @classmethod
    def _missing_(cls, value: object) -> Code | None:
        """Any octet is a code, also one that nobody has registered."""
        if not isinstance(value, int) or not 0 <= value <= 255:
            return None
        code = int.__new__(cls, value)
        code._name_ = f"CODE_{value >> 5}_{value & 31:02d}"
        code._value_ = value
        cls._value2member_map_[value] = code
        return code

    @property
    def is_success(self) -> bool:
        """2.xx."""
        return self >> 5 == 2

    def __str__(self) -> str:
        text = _copal.code_text(self)
        number = f"{self >> 5}.{self & 31:02d}"
        if not text:
            return number
        return text if 0 < self < 32 else f"{number} {text}"

    def __format__(self, form: str) -> str:
        return format(str(self), form) if not form or form[-1] in "s<>^0123456789" else int.__format__(self, form)


class Option(enum.IntEnum):
    """The numbers of the options that copal knows."""

    IF_MATCH = 1
    URI_HOST = 3
    ETAG = 4
    IF_NONE_MATCH = 5
    OBSERVE = 6
    URI_PORT = 7
    LOCATION_PATH = 8
    OSCORE = 9
    URI_PATH = 11
    CONTENT_FORMAT = 12
    MAX_AGE = 14
    URI_QUERY = 15
    HOP_LIMIT = 16
    ACCEPT = 17
    LOCATION_QUERY = 20
    BLOCK2 = 23
    BLOCK1 = 27
    SIZE2 = 28
    PROXY_URI = 35
    PROXY_SCHEME = 39
    SIZE1 = 60
    ECHO = 252
    NO_RESPONSE = 258
    REQUEST_TAG = 292


class Type(enum.IntEnum):
    """Message types."""

    CON = 0
    NON = 1
    ACK = 2
    RST = 3
