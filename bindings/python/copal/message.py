"""Requests and responses as Python sees them."""
from __future__ import annotations

import json
from typing import Any, AsyncIterator, Iterable, List, Optional, Tuple, Union

from . import _copal
from .codes import Code, Option, Type
from .errors import BadPayload, InvalidArgument, ResponseError

ContentFormat = Union[int, str]
Octets = Union[str, bytes, bytearray, memoryview]


def content_format_number(name: ContentFormat) -> int:
    """The number of a Content-Format that may be given by name: "json", "application/cbor", "text"."""
    return name if isinstance(name, int) else _copal.content_format(name)


def octets(value: Octets) -> bytes:
    """Text as UTF-8, and bytes as they are. A number is neither: bytes(22) would be 22 zeros."""
    if isinstance(value, str):
        return value.encode()
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise TypeError(f"{type(value).__name__} where text or octets must be") from None


def within(name: str, number: int, least: int, most: int) -> int:
    """The number, or InvalidArgument."""
    if not least <= number <= most:
        raise InvalidArgument(f"{name} is a number from {least} to {most}, not {number}")
    return number


def uint(number: int) -> bytes:
    """The value of an option that is a number (RFC 7252 section 3.2)."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


class Options(Tuple[Tuple[int, bytes], ...]):
    """The options of a message, as pairs of number and value in ascending order."""

    __slots__ = ()

    def get(self, number: int) -> Optional[bytes]:
        """The value of the first option with that number, or None."""
        return next((value for n, value in self if n == number), None)

    def all(self, number: int) -> List[bytes]:
        """The values of all options with that number."""
        return [value for n, value in self if n == number]

    def uint(self, number: int) -> Optional[int]:
        """The first option with that number as an unsigned integer, or None."""
        value = self.get(number)
        return None if value is None else int.from_bytes(value, "big")

    def __repr__(self) -> str:
        return ", ".join(f"{_copal.option_text(number) or number}: {value!r}" for number, value in self) or "no options"


class Message:
    """What requests and responses have in common."""

    __slots__ = ("code", "payload", "peer", "_options", "_message")
    code: Code
    payload: bytes
    peer: Optional[Tuple[str, int]]  #: address and port that it came from

    def _receive(self, message: _copal.Message) -> None:
        self._message: Optional[_copal.Message] = message
        self._options: Optional[Options] = None
        self.code = Code(message.code)
        self.payload = message.payload
        self.peer = message.peer

    @property
    def options(self) -> Options:
        if self._options is None:
            self._options = Options(self._message.options if self._message is not None else ())
        return self._options

    @property
    def token(self) -> bytes:
        return self._message.token if self._message is not None else b""

    @property
    def type(self) -> Optional[Type]:
        return Type(self._message.type) if self._message is not None else None

    @property
    def content_format(self) -> Optional[int]:
        return self.options.uint(Option.CONTENT_FORMAT)

    @property
    def etag(self) -> Optional[bytes]:
        return self.options.get(Option.ETAG)

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.payload.decode()

    def json(self) -> Any:
        """The payload as what its JSON says."""
        return json.loads(self.payload)


class Response(Message):
    """An answer: one that came, or one that a handler makes."""

    __slots__ = ()

    def __init__(self, code: int = Code.CONTENT, payload: Octets = b"", *, content_format: Optional[ContentFormat] = None,
                 max_age: Optional[int] = None, etag: Optional[bytes] = None, location: Optional[str] = None,
                 options: Iterable[Tuple[int, bytes]] = ()) -> None:
        self.code = Code(code)
        self.payload = octets(payload)
        self.peer = None
        self._message = None
        given = [(within("the number of an option", number, 0, 0xffff), octets(value)) for number, value in options]
        if content_format is not None:
            number = within("content_format", content_format_number(content_format), 0, 0xffff)
            given.append((Option.CONTENT_FORMAT, uint(number)))
        if max_age is not None:
            given.append((Option.MAX_AGE, uint(within("max_age", max_age, 0, 0xffffffff))))
        if etag is not None:
            within("the size of etag", len(octets(etag)), 1, 8)
            given.append((Option.ETAG, octets(etag)))
        if location is not None:
            given += [(Option.LOCATION_PATH, segment.encode()) for segment in location.strip("/").split("/")]
        self._options = Options(sorted(given, key=lambda pair: pair[0]))

    @classmethod
    def received(cls, message: Optional[_copal.Message]) -> Response:
        """The response that a message is; None: the empty one that a ping is answered with."""
        self = cls.__new__(cls)
        if message is None:
            self.__init__(Code.EMPTY)  # type: ignore[misc]
        else:
            self._receive(message)
        return self

    @property
    def is_success(self) -> bool:
        return self.code.is_success

    @property
    def max_age(self) -> int:
        """For how many seconds it is fresh (RFC 7252 section 5.10.5)."""
        age = self.options.uint(Option.MAX_AGE)
        return 60 if age is None else age

    @property
    def location(self) -> str:
        """The path of what was created."""
        return "/".join(segment.decode() for segment in self.options.all(Option.LOCATION_PATH))

    def raise_for_code(self) -> Response:
        """The response itself, if it is a 2.xx; else it raises ResponseError."""
        if not self.is_success:
            raise ResponseError(self.code, self.payload.decode(errors="replace"), self)
        return self

    def __repr__(self) -> str:
        return f"<Response {self.code}, {len(self.payload)} octets>"


class Request(Message):
    """A request that a handler is to answer."""

    __slots__ = ("notification", "_pieces")
    peer: Tuple[str, int]
    notification: bool  #: nobody asks now: those who observe the resource are to be told of its state

    def __init__(self, call: _copal.Call, pieces: Optional[AsyncIterator[bytes]] = None) -> None:
        self._receive(call.message)
        self.notification = call.notification
        self._pieces = pieces
        if pieces is not None:
            self.payload = b""

    async def stream(self) -> AsyncIterator[bytes]:
        """The body piece by piece: `async for piece in request.stream()`. Where the handler was added with `stream=True`, the
        next piece is asked for when the loop comes back for it, so whoever sends goes no faster than the loop. ResponseError:
        the rest does not come any more."""
        if self._pieces is not None:
            async for piece in self._pieces:
                yield piece
        elif self.payload:
            yield self.payload

    @property
    def text(self) -> str:
        """The payload as text. What is none raises BadPayload, which answers 4.00 where the handler does not catch it."""
        try:
            return super().text
        except ValueError:
            raise BadPayload(Code.BAD_REQUEST, "the payload is no text") from None

    def json(self) -> Any:
        """The payload as what its JSON says. What is none raises BadPayload, as that of `text`."""
        try:
            return super().json()
        except (ValueError, RecursionError):
            raise BadPayload(Code.BAD_REQUEST, "the payload is no JSON") from None

    @property
    def method(self) -> Code:
        return self.code

    @property
    def path(self) -> str:
        """The path that was asked for, without a leading "/"."""
        return "/".join(segment.decode(errors="replace") for segment in self.options.all(Option.URI_PATH))

    @property
    def query(self) -> List[str]:
        """The arguments behind the "?"."""
        return [argument.decode(errors="replace") for argument in self.options.all(Option.URI_QUERY)]

    @property
    def accept(self) -> Optional[int]:
        return self.options.uint(Option.ACCEPT)

    def __repr__(self) -> str:
        return f"<Request {self.code} /{self.path}, {len(self.payload)} octets>"
