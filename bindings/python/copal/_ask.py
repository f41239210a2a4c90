"""The arguments of a request, from what a user gives to what the host takes."""
from __future__ import annotations

import io
import os
import stat
from typing import TYPE_CHECKING, Any, BinaryIO, Dict, Optional, Tuple, Union

from . import _copal
from .credentials import default_credentials
from .errors import CopalError, InvalidArgument
from .message import ContentFormat, Octets, content_format_number, octets, within

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    from .credentials import Credentials

    class Asking(TypedDict, total=False):
        """What may be said of any request."""

        content_format: ContentFormat
        accept: ContentFormat
        etag: bytes
        if_match: bytes
        if_none_match: bool
        confirmable: bool
        timeout: float
        block_size: int
        hop_limit: int
        credentials: Credentials


Payload = Union[Octets, BinaryIO]
NAMES = frozenset(("content_format", "accept", "etag", "if_match", "if_none_match", "confirmable", "timeout", "block_size",
                   "hop_limit", "credentials"))
BLOCK_SIZES = frozenset((16, 32, 64, 128, 256, 512, 1024))


def milliseconds(seconds: float) -> int:
    if not 0.001 <= seconds < 4294967:
        raise InvalidArgument("timeout is out of range")
    return int(seconds * 1000)


def body(payload: Payload) -> Dict[str, Any]:
    """A file is read as it goes, from where it stands; what is no file on a disk is read at once."""
    if isinstance(payload, (str, bytes, bytearray, memoryview)):
        return {"payload": payload}
    if not isinstance(payload, io.IOBase):
        raise TypeError(f"{type(payload).__name__} where text, octets or a file must be")
    try:
        descriptor = payload.fileno()
    except io.UnsupportedOperation:
        return {"payload": payload.read()}
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return {"payload": payload.read()}
    start = payload.tell()
    return {"file": (descriptor, start, max(0, status.st_size - start))}


def arguments(uri: str, method: int, payload: Optional[Payload], asked: Asking) -> Dict[str, Any]:
    """Keywords of Host.request."""
    given: Dict[str, Any] = {"uri": uri, "method": method}
    if payload is not None:
        given.update(body(payload))
    for name, value in asked.items():
        if name not in NAMES:
            raise TypeError(f"a request has no argument {name!r}")
        if value is None:
            continue
        if name in ("content_format", "accept"):
            value = within(name, content_format_number(value), 0, 0xffff)  # type: ignore[arg-type]
        elif name == "hop_limit":
            value = within(name, value, 1, 255)  # type: ignore[arg-type]
        elif name == "block_size":
            if value not in BLOCK_SIZES:
                raise InvalidArgument(f"block_size is 16, 32, 64, 128, 256, 512 or 1024, not {value}")
        elif name == "timeout":
            value = milliseconds(value)  # type: ignore[arg-type]
        elif name in ("etag", "if_match"):
            value = octets(value)  # type: ignore[arg-type]
        elif name == "credentials":
            value = value.opened  # type: ignore[attr-defined]
        given[name] = value
    if uri[:6].lower() == "coaps:":
        given.setdefault("credentials", default_credentials().opened)
    return given


def block_size_at(offset: int) -> int:
    """The largest size of blocks of which one begins at an offset."""
    return min(1024, offset & -offset) if offset else 1024


def is_literal(uri: str) -> bool:
    return _copal.is_literal(uri)


def check_address(bind: Optional[str]) -> None:
    """InvalidArgument where that is no local address; names are not looked up."""
    try:
        if bind is not None:
            _copal.peer(bind, 0)
    except CopalError:
        raise InvalidArgument(f"{bind!r} is no address such as 127.0.0.1 or ::1") from None


def peers(uri: str) -> Tuple[bytes, ...]:
    """The addresses of a URI's host; a name is looked up, which may take a while."""
    return tuple(_copal.peers(uri))


def peers_of_group(group: bytes, interface: Optional[str]) -> Tuple[bytes, ...]:
    """What to ask for asking a group: by the interface of that name or of the group's zone, or by each that does multicast."""
    address, port = _copal.address(group)
    if interface is not None and "%" not in address:
        address += f"%{interface}"
    return tuple(_copal.peers_of_group(address, port))
