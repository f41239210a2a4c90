"""CoapClientSession."""
from __future__ import annotations

import ipaddress
import os
from typing import Any, Dict, List, Optional

from .. import _copal
from ..errors import CopalError, Exists, InvalidArgument, Reset, Timeout, TooLarge, Unreachable
from ._credentials import Psk
from ._state import State, current, required
from ._values import Octets, integer, milliseconds, octets_if_given, translate

PROTOCOL_UDP, PROTOCOL_DTLS = 1, 2
TOKEN_SIZE = 8

REASONS: Dict[type, str] = {Timeout: "timeout", Reset: "reset", Unreachable: "unreachable"}


def method_of(value: object) -> int:
    """One of Coap.REQUEST_* as a code: the bits count up as the codes do."""
    bit = integer(value, 1, 64)
    if bit & bit - 1:
        raise ValueError("method is not one of Coap.REQUEST_*")
    return bit.bit_length()


class _Request:
    """A request of a session that is open."""

    def __init__(self, session: CoapClientSession, token: bytes) -> None:
        self._session = session
        self._token = token
        self.id = -1
        self.request: Optional[_copal.Request] = None
        self.cancelled = False

    def take(self, error: Optional[Exception], ended: bool, message: Optional[_copal.Message]) -> None:
        session, state = self._session, self._session._state
        with state.lock:
            if self.cancelled:
                return
            if ended:
                session._open.pop(self, None)
        if error is not None:
            reason = REASONS.get(type(error), str(error))
            state.show(state.error_handler, self.id, self._token, reason)
        elif message is not None:
            state.show(state.response_handler, message.code, self.id, message.type, message.token, message.payload)


class CoapClientSession:
    """A server that is asked. Coap.new_client_session makes one."""

    _state: State
    _name: str
    _peer: bytes
    _port: int
    _psk: Optional[Psk]
    _open: Dict[_Request, None]
    _removed: bool

    def __new__(cls) -> CoapClientSession:
        raise TypeError("Coap.new_client_session makes sessions")

    @classmethod
    def _make(cls, state: State, name: str, port: int, psk: Optional[Psk]) -> CoapClientSession:
        self = object.__new__(cls)
        self._state = state
        self._name = name
        self._port = port
        self._psk = psk
        self._peer = resolve(name, port)
        self._open = {}
        self._removed = False
        return self

    def __repr__(self) -> str:
        return "<CoapClientSession>"

    def _host(self) -> _copal.Host:
        required()
        if self._removed or self._state is not current():
            raise RuntimeError("session was removed")
        return self._state.host

    def _is_group(self) -> bool:
        return ipaddress.ip_address(_copal.address(self._peer)[0].partition("%")[0]).is_multicast

    def send_request(self, method: int, *, uri_path: Optional[Octets] = None, content_format: Optional[int] = None,
                     payload: Optional[Octets] = None, token: Optional[Octets] = None, include_options: Optional[object] = None,
                     confirmable: Optional[object] = None, observe: bool = False, accept: Optional[int] = None,
                     etag: Optional[Octets] = None, if_match: Optional[Octets] = None, if_none_match: bool = False,
                     timeout: Optional[float] = None) -> int:
        """Sends a request; the message ID with which the handlers will be called."""
        host = self._host()
        code = method_of(method)
        options = include_options is None or bool(include_options)
        given = octets_if_given(token, 0, 8)
        if observe and (code not in (1, 5) or not options):
            raise ValueError("only GET and FETCH observe, and not without options")
        if not given:  # none, as the manual says, but where answers are known by it alone
            given = os.urandom(TOKEN_SIZE) if observe or self._is_group() else b""
        asked: Dict[str, Any] = {
            "path": octets_if_given(uri_path), "method": code, "content_format": integer(content_format, -1, 0xffff, -1),
            "payload": octets_if_given(payload) or b"", "token": given, "options": options,
            "confirmable": confirmable is None or bool(confirmable), "observe": bool(observe),
            "accept": integer(accept, -1, 0xffff, -1), "etag": octets_if_given(etag, 1, 8),
            "if_match": octets_if_given(if_match, 0, 8), "if_none_match": bool(if_none_match),
            "timeout": milliseconds(timeout), "credentials": None if self._psk is None else self._psk.credentials,
        }
        return self._send(host, asked)

    def _send(self, host: _copal.Host, asked: Dict[str, Any]) -> int:
        entry = _Request(self, asked["token"] or b"")
        try:
            with self._state.lock:
                entry.request = host.request(entry.take, self._peer, **asked)
                entry.id = entry.request.id
                self._open[entry] = None
        except Exists:
            raise ValueError("an open request has that token") from None
        except TooLarge:
            raise ValueError("request does not fit a datagram; without options, or to observe, it does not go in blocks"
                             ) from None
        except CopalError as error:
            translate(error, {InvalidArgument: "uri_path is no path, or a group cannot be asked this"})
        return entry.id

    def cancel(self, id: int) -> None:
        """Ends a request or an observation."""
        self._host()
        self._cancel(integer(id, 0, 0xffff))

    def _cancel(self, id: Optional[int] = None) -> None:
        with self._state.lock:
            ended = [entry for entry in self._open if id is None or entry.id == id]
            for entry in ended:
                del self._open[entry]
                entry.cancelled = True
                assert entry.request is not None
                entry.request.cancel()

    @property
    def _protocol(self) -> int:
        return PROTOCOL_UDP if self._psk is None else PROTOCOL_DTLS

    def get_details(self) -> List[Any]:
        """[ip, port, protocol]"""
        self._host()
        return [_copal.address(self._peer)[0], self._port, self._protocol]


def resolve(name: str, port: int) -> bytes:
    try:
        return _copal.peer(name, port, True)
    except CopalError as error:
        translate(error)
    except OSError as error:
        raise ValueError(str(error)) from None


def find(state: State, destination: str, port: int, protocol: int) -> Optional[CoapClientSession]:
    """The first that was made for this destination, by the same name or for the same peer."""
    try:
        peer: Optional[bytes] = resolve(destination, port)
    except ValueError:
        peer = None
    return next((session for session in state.sessions
                 if session._port == port and session._protocol == protocol and
                 (session._peer == peer or session._name == destination)), None)


def remove(session: CoapClientSession) -> None:
    session._cancel()
    session._removed = True
    session._state.sessions.remove(session)
    if session._psk is not None:
        session._state.flush()  # what is observed no more is told before the session ends
        session._state.host.disconnect(session._psk.credentials)
