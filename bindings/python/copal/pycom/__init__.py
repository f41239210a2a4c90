"""network.Coap of Pycom's boards, as under MicroPython. `python -m copal run script.py` runs a script that says
`from network import Coap`; a program of one's own says `from copal.pycom import Coap`.

The handlers are called in a thread of their own."""
from __future__ import annotations

from types import ModuleType
from typing import Callable, List, Optional

from .. import _copal
from ..errors import CopalError, InvalidArgument
from . import _resource, _session
from ._credentials import Psk
from ._resource import CoapResource
from ._session import PROTOCOL_DTLS, PROTOCOL_UDP, CoapClientSession
from ._state import Callback, State, begin, current, end, required
from ._values import Octets, integer, text, translate, value_octets
from ._wlan import WLAN

__all__ = ["WLAN", "Coap", "CoapClientSession", "CoapResource", "module"]

HANDSHAKE_PATIENCE = 30000  # milliseconds: of a wrong key nothing else tells

default_port: Optional[int] = None  #: of init() where the script says none, if it is not the protocol's


def _is_any(address: str) -> bool:
    return _copal.address(_copal.peer(address, 0))[0] in ("0.0.0.0", "::")


def _listen(state: State, psk: Optional[Psk], address: str, port: int, discovery: bool) -> None:
    if psk is not None:
        state.host.listen_secure(psk.credentials, address, port)
    else:
        state.host.listen(address, port)
    if discovery:
        state.host.discoverable()


class Coap:
    """Functions; there are no objects of it."""

    REQUEST_GET, REQUEST_PUT, REQUEST_POST, REQUEST_DELETE = 1, 4, 2, 8
    REQUEST_FETCH, REQUEST_PATCH, REQUEST_IPATCH = 16, 32, 64
    MEDIATYPE_TEXT_PLAIN, MEDIATYPE_APP_LINK_FORMAT, MEDIATYPE_APP_XML, MEDIATYPE_APP_OCTET_STREAM = 0, 40, 41, 42
    MEDIATYPE_APP_RDF_XML, MEDIATYPE_APP_EXI, MEDIATYPE_APP_JSON, MEDIATYPE_APP_CBOR = 43, 47, 50, 60
    PROTOCOL_UDP, PROTOCOL_DTLS = PROTOCOL_UDP, PROTOCOL_DTLS

    def __new__(cls) -> Coap:
        raise TypeError("Coap is a set of functions")

    @staticmethod
    def init(address: Optional[str] = None, *, port: Optional[int] = None, service_discovery: bool = False,
             dynamic_resources: bool = False, psk: Optional[Octets] = None, hint: Optional[Octets] = None,
             post_creates: bool = False) -> None:
        """Begins. No address: it only asks, and serves nothing."""
        if current() is not None:
            raise RuntimeError("Coap.init() was called already")
        where = None if address is None else text(address)
        usual = 5683 if psk is None else 5684
        number = integer(port, 0, 0xffff, usual if default_port is None else default_port)
        credentials = Psk.of(True, psk, hint)
        try:
            state = State(client_address=where if where is not None and not _is_any(where) else None,
                          dynamic=bool(dynamic_resources), post_creates=bool(post_creates),
                          handshake_timeout=HANDSHAKE_PATIENCE)
            try:
                if where is not None:
                    _listen(state, credentials, where, number, bool(service_discovery))
                state.start()
            except BaseException:
                state.host.close()
                raise
        except CopalError as error:
            translate(error, {InvalidArgument: "address is not valid"})
        begin(state)

    @staticmethod
    def deinit() -> None:
        """Ends everything; init() may follow."""
        required()
        end()

    @staticmethod
    def add_resource(uri: str, *, media_type: Optional[int] = None, max_age: Optional[int] = None, value: object = None,
                     etag: bool = False) -> CoapResource:
        state = required()
        return _resource.add(state, text(uri), integer(media_type, -1, 0xffff, -1), integer(max_age, -1, 0xffffffff, -1),
                             value_octets(0 if value is None else value), bool(etag))

    @staticmethod
    def remove_resource(uri: str) -> None:
        """It is no error if there is none."""
        _resource.remove(required(), text(uri))

    @staticmethod
    def get_resource(uri: str) -> Optional[CoapResource]:
        state = required()
        handle = _resource.find(state, text(uri))
        return None if handle is None else state.resource(handle)

    @staticmethod
    def register_response_handler(callback: Callback) -> None:
        """callback(code, id_param, type_param, token, payload)"""
        required().response_handler = _handler(callback)

    @staticmethod
    def register_error_handler(callback: Callback) -> None:
        """callback(id_param, token, reason)"""
        required().error_handler = _handler(callback)

    @staticmethod
    def register_new_resource_handler(callback: Callback) -> None:
        """callback(resource)"""
        required().new_resource_handler = _handler(callback)

    @staticmethod
    def new_client_session(address: str, *, port: Optional[int] = None, psk: Optional[Octets] = None,
                           identity: Optional[Octets] = None) -> CoapClientSession:
        state = required()
        usual, other = (5683, 5684) if psk is None else (5684, 5683)
        name, number = text(address), integer(port, 1, 0xffff, usual)
        if number == other:
            raise ValueError("port 5683 goes without psk, 5684 with it")
        session = CoapClientSession._make(state, name, number, Psk.of(False, psk, identity))
        state.sessions.append(session)
        return session

    @staticmethod
    def remove_client_session(destination: str, port: Optional[int] = None, protocol: Optional[int] = None) -> None:
        state = required()
        kind = integer(protocol, PROTOCOL_UDP, PROTOCOL_DTLS, PROTOCOL_UDP)
        number = integer(port, 1, 0xffff, 5683 if kind == PROTOCOL_UDP else 5684)
        session = _session.find(state, text(destination), number, kind)
        if session is None:
            raise RuntimeError("no such session")
        _session.remove(session)

    @staticmethod
    def get_client_sessions() -> List[CoapClientSession]:
        return list(required().sessions)


def _handler(callback: Callback) -> Optional[Callable[..., object]]:
    if callback is not None and not callable(callback):
        raise TypeError("callback is not callable")
    return callback


def module() -> ModuleType:
    """What a script gets that says `import network`."""
    network = ModuleType("network", "Coap and WLAN, as on Pycom's boards.")
    network.Coap = Coap  # type: ignore[attr-defined]
    network.WLAN = WLAN  # type: ignore[attr-defined]
    return network
