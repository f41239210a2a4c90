"""CoapResource."""
from __future__ import annotations

from typing import Any, List, Optional

from .. import _copal
from ..errors import CopalError, Exists, Gone, InvalidArgument, TooLarge
from ._state import State, current, required
from ._values import Octets, Texts, integer, octets, translate, value_octets

# The bits of Coap.REQUEST_*. The host counts the bits by a method's code, which begins at 1.
METHODS_ALL, FETCH, PATCHES, JSON = 127, 16, 96, 50

TEXTS: Texts = {Gone: "resource was removed", Exists: "there is a resource with that uri", TooLarge: "value is too large"}
URI_TEXTS: Texts = {**TEXTS, InvalidArgument: "uri is no path"}
ATTRIBUTE_TEXTS: Texts = {**TEXTS, InvalidArgument: "name of an attribute is not valid"}

_NOTHING = object()


class CoapResource:
    """A resource of this server's. Coap.add_resource makes one."""

    _state: State
    _handle: int

    def __new__(cls) -> CoapResource:
        raise TypeError("Coap.add_resource makes resources")

    @classmethod
    def _make(cls, state: State, handle: int) -> CoapResource:
        self = object.__new__(cls)
        self._state = state
        self._handle = handle
        return self

    def __repr__(self) -> str:
        return "<CoapResource>"

    def _host(self) -> _copal.Host:
        required()
        if self._state is not current():
            raise RuntimeError("resource was removed")
        return self._state.host

    def add_attribute(self, name: Octets, value: Octets) -> None:
        """Adds a link attribute, which discovery shows."""
        host = self._host()
        try:
            host.add_attribute(self._handle, octets(name), octets(value))
        except CopalError as error:
            translate(error, ATTRIBUTE_TEXTS)

    def get_details(self) -> List[Any]:
        """[uri, mediatype, max_age, etag, etag value]"""
        host = self._host()
        try:
            content_format, max_age, etag, _, _, counter = host.get_options(self._handle)
            return [host.path(self._handle), content_format, max_age, etag, counter]
        except CopalError as error:
            translate(error, TEXTS)

    def set_details(self, *, mediatype: Optional[int] = None, max_age: Optional[int] = None,
                    etag: Optional[object] = None) -> None:
        """Changes what is given."""
        host = self._host()
        try:
            content_format, age, tagged, methods, _, _ = host.get_options(self._handle)
            content_format = integer(mediatype, -1, 0xffff, content_format)
            if content_format != JSON:  # as after a PUT of another format
                methods &= ~(PATCHES << 1)
            host.set_options(self._handle, content_format=content_format, max_age=integer(max_age, -1, 0xffffffff, age),
                             etag=tagged if etag is None else bool(etag), methods=methods)
        except CopalError as error:
            translate(error, TEXTS)

    def value(self, value: Any = _NOTHING) -> Optional[bytes]:
        """The value, as bytes; or sets it, and tells those who observe it."""
        host = self._host()
        try:
            if value is _NOTHING:
                return host.get_value(self._handle)
            host.set_value(self._handle, value_octets(value))
            return None
        except CopalError as error:
            translate(error, TEXTS)

    def callback(self, operation: int, enable: object) -> None:
        """Allows methods, or not any more."""
        host = self._host()
        mask = integer(operation, 0, METHODS_ALL)
        try:
            content_format, max_age, etag, methods, _, _ = host.get_options(self._handle)
            if mask & FETCH:
                raise ValueError("a resource does not take FETCH")
            if mask & PATCHES and content_format != JSON:
                raise ValueError("only a resource of media type 50 takes PATCH and iPATCH")
            methods = methods | mask << 1 if enable else methods & ~(mask << 1)
            host.set_options(self._handle, content_format=content_format, max_age=max_age, etag=etag, methods=methods)
        except CopalError as error:
            translate(error, TEXTS)


def add(state: State, uri: str, content_format: int, max_age: int, value: bytes, etag: bool) -> CoapResource:
    """No method is allowed until callback() says so."""
    try:
        handle = state.host.add_value(uri, value, content_format=content_format, max_age=max_age, etag=etag)
    except CopalError as error:
        translate(error, URI_TEXTS)
    return state.resource(handle)


def find(state: State, uri: str) -> Optional[int]:
    try:
        return state.host.find(uri)
    except CopalError as error:
        translate(error, URI_TEXTS)


def remove(state: State, uri: str) -> None:
    handle = find(state, uri)
    if handle is not None:
        try:
            state.host.remove(handle)
        except Gone:
            pass  # a peer's DELETE was quicker
        state.resources.pop(handle & 0xffffffff, None)
