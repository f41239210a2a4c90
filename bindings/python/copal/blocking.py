"""The client that waits: `copal.get("coap://…")`, for scripts and notebooks. Any thread may call it; each has a host of its own,
and so has a process that was forked."""
from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from . import _ask, _copal
from .codes import Code
from .errors import Changed, CopalError, Unreachable
from .message import Octets, Response

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._ask import Asking, Payload

Outcome = Tuple[Optional[Exception], bool, Optional[_copal.Message]]


class _Hosts(threading.local):
    process: Optional[int] = None
    host: Optional[_copal.Host] = None


_hosts = _Hosts()


def _host() -> _copal.Host:
    process = os.getpid()
    host = _hosts.host
    if host is None or _hosts.process != process:
        _hosts.host = host = _copal.open_host()
        _hosts.process = process
    return host


class _Asked:
    """A request under way, and what came of it so far."""

    def __init__(self, peer: bytes, arguments: Dict[str, Any], write: Optional[Callable[[int, bytes], None]] = None,
                 outcomes: Optional[List[Outcome]] = None) -> None:
        self.outcomes: List[Outcome] = [] if outcomes is None else outcomes
        self._host = _host()
        self._request = self._host.request(self._take, peer, write=write, **arguments)

    def _take(self, error: Optional[Exception], ended: bool, message: Optional[_copal.Message]) -> None:
        self.outcomes.append((error, ended, message))

    def __enter__(self) -> _Asked:
        return self

    def __exit__(self, *error: object) -> None:
        self._request.cancel()
        if not self._host.closed:  # as in a process that was forked meanwhile
            self._host.step(0)  # a server whose resource is observed no more hears of it

    def turn(self) -> None:
        self._host.step(-1)

    def wait(self) -> Outcome:
        while not self.outcomes:
            self.turn()
        return self.outcomes.pop(0)


def request(method: int, uri: str, payload: Optional[Payload] = None, **asked: Unpack[Asking]) -> Response:
    """Sends a request and waits for its response, whatever its code."""
    arguments = _ask.arguments(uri, method, payload, asked)
    peers = _ask.peers(uri)
    for number, peer in enumerate(peers, 1):
        with _Asked(peer, arguments) as asking:
            error, _, message = asking.wait()
        if error is None:
            return Response.received(message)
        if not isinstance(error, Unreachable) or number == len(peers):
            raise error
    raise Unreachable("the name has no address")


def get(uri: str, **asked: Unpack[Asking]) -> Response:
    """What is there."""
    return request(Code.GET, uri, **asked)


def post(uri: str, payload: Optional[Payload] = None, **asked: Unpack[Asking]) -> Response:
    """Hands something in."""
    return request(Code.POST, uri, payload, **asked)


def put(uri: str, payload: Optional[Payload] = None, **asked: Unpack[Asking]) -> Response:
    """Puts something there."""
    return request(Code.PUT, uri, payload, **asked)


def delete(uri: str, **asked: Unpack[Asking]) -> Response:
    """Takes away what is there."""
    return request(Code.DELETE, uri, **asked)


def fetch(uri: str, payload: Optional[Payload] = None, **asked: Unpack[Asking]) -> Response:
    """Asks for a part of what is there, or for it in another way (RFC 8132)."""
    return request(Code.FETCH, uri, payload, **asked)


def patch(uri: str, payload: Optional[Payload] = None, **asked: Unpack[Asking]) -> Response:
    """Changes a part of what is there (RFC 8132)."""
    return request(Code.PATCH, uri, payload, **asked)


def ipatch(uri: str, payload: Optional[Payload] = None, **asked: Unpack[Asking]) -> Response:
    """The same with a patch that may be applied twice (RFC 8132)."""
    return request(Code.IPATCH, uri, payload, **asked)


def observe(uri: str, payload: Optional[Payload] = None, **asked: Unpack[Asking]) -> Iterator[Response]:
    """Each state of a resource, the present one first, until the server ends it: then the last is an error, or one of a resource
    that cannot be observed. With a payload it observes by FETCH."""
    arguments = _ask.arguments(uri, Code.GET if payload is None else Code.FETCH, payload, asked)
    for peer in _ask.peers(uri):
        told = ended = False
        with _Asked(peer, dict(arguments, observe=True)) as asking:
            while not ended:
                error, ended, message = asking.wait()
                if error is None:
                    told = True
                    yield Response.received(message)
        if told or not isinstance(error, Unreachable):
            break
    if error is not None:
        raise error


def stream(uri: str, **asked: Unpack[Asking]) -> Iterator[bytes]:
    """The body of a resource, piece by piece, in constant memory. An error that the server answers is a ResponseError."""
    pieces: List[bytes] = []
    handed_out = 0

    def write(offset: int, piece: bytes) -> None:
        if offset == 0 and handed_out:
            raise Changed("the state changed while it was fetched")
        if offset == 0:
            pieces.clear()
        pieces.append(piece)

    arguments = _ask.arguments(uri, Code.GET, None, asked)
    for peer in _ask.peers(uri):
        with _Asked(peer, arguments, write) as asking:
            while pieces or not asking.outcomes:
                if not pieces:
                    asking.turn()
                    continue
                joined = b"".join(pieces)
                pieces.clear()
                handed_out += len(joined)
                yield joined
            error, _, message = asking.wait()
        if handed_out or not isinstance(error, Unreachable):
            break
    if error is not None:
        raise error
    Response.received(message).raise_for_code()


def ask_group(uri: str, payload: Optional[Octets] = None, *, method: int = Code.GET, interface: Optional[str] = None,
              **asked: Unpack[Asking]) -> Iterator[Response]:
    """Asks a group, such as all CoAP nodes (RFC 7252 section 8): each answer as it comes, whose `.peer` says who gave it, until
    `timeout` (7 seconds) is over. The group is asked by the interface of that name, by that of its zone, or by each that does
    multicast; who hears it by several answers once."""
    arguments = _ask.arguments(uri, method, payload, asked)
    peers = _ask.peers_of_group(_ask.peers(uri)[0], interface)
    known: Set[Optional[Tuple[str, int]]] = set()
    problem: Exception = Unreachable("no interface does multicast")
    outcomes: List[Outcome] = []
    expecting, asked_once = 0, False
    with contextlib.ExitStack() as stack:
        for peer in peers:
            try:
                stack.enter_context(_Asked(peer, arguments, outcomes=outcomes))
                expecting += 1
            except (CopalError, OSError) as refused:
                problem = refused  # of no interest where another interface is asked
        while expecting:
            while not outcomes:
                _host().step(-1)
            error, ended, message = outcomes.pop(0)
            if ended:
                expecting -= 1
                if error is None:
                    asked_once = True
                else:
                    problem = error
            elif error is None:
                response = Response.received(message)
                if response.peer not in known:
                    known.add(response.peer)
                    yield response
    if not asked_once:
        raise problem
