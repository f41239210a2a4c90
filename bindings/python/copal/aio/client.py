"""The client for asyncio."""
from __future__ import annotations

import asyncio
import logging
import tempfile
import weakref
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, AsyncIterable, BinaryIO, Callable, Deque, Dict, List, Optional, Set, Tuple, Union

from .. import _ask, _copal
from ..codes import Code
from ..errors import Changed, CopalError, Full, Gone, InvalidArgument, Unreachable
from ..message import Octets, Response
from ._turner import Turner

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .._ask import Asking

logger = logging.getLogger("copal")

Body = Union[Octets, BinaryIO, AsyncIterable[bytes]]
Take = Callable[[Optional[Exception], bool, Optional[_copal.Message]], None]

STATES_MOST = 8  # of an observation that wait; whoever is slower is to know the newest
BUFFER_MOST = 1 << 18  # octets of a download that wait; more are fetched when these are gone
ROOM_SECONDS = 0.5  # a message ID may become free without a request that ends


@lru_cache(256)
def _literal_peers(uri: str) -> Optional[Tuple[bytes, ...]]:
    return _ask.peers(uri) if _ask.is_literal(uri) else None


class Client:
    """Asks CoAP servers.

        async with copal.Client() as client:
            response = await client.get("coap://localhost/temperature")
            print(response.code, response.text)

    A response is returned whatever its code; what kept it from coming is raised: copal.Timeout, Reset, Unreachable.
    A task that is cancelled ends its request: nothing more is sent. `bind` is the local address to ask from.
    """

    def __init__(self, *, bind: Optional[str] = None) -> None:
        try:
            self._host = _copal.open_host(client_address=bind)
        except InvalidArgument:
            _ask.check_address(bind)
            raise
        self._turner: Optional[Turner] = None
        self._waiting: Deque[asyncio.Future[None]] = deque()
        self._open: Set[asyncio.Future[Optional[_copal.Message]]] = set()
        self._flows: weakref.WeakSet[_Flow] = weakref.WeakSet()

    async def __aenter__(self) -> Client:
        self._turning()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends everything. Whoever waits for something gets copal.Gone."""
        if self._turner is not None:
            self._turner.close()
        self._host.close()
        for future in self._open:
            if not future.done():
                future.set_exception(Gone("the client was closed"))
        while self._waiting:
            self._room()
        for flow in tuple(self._flows):
            flow._fail(Gone("the client was closed"))

    # ---- asking ----------------------------------------------------------------------------------------------

    async def request(self, method: int, uri: str, payload: Optional[Body] = None, **asked: Unpack[Asking]) -> Response:
        """Sends a request and waits for the response. The payload may be octets, text, a file, which is read as it goes, or an
        asynchronous iterator of octets, which goes through a file, since the server is told the size. `timeout` is in
        seconds, of each exchange."""
        if isinstance(payload, AsyncIterable):
            with tempfile.TemporaryFile() as whole:
                async for piece in payload:
                    whole.write(piece)
                whole.flush()
                whole.seek(0)
                return await self._request(_ask.arguments(uri, method, whole, asked))
        return await self._request(_ask.arguments(uri, method, payload, asked))

    async def get(self, uri: str, **asked: Unpack[Asking]) -> Response:
        """What is there."""
        return await self.request(Code.GET, uri, **asked)

    async def post(self, uri: str, payload: Optional[Body] = None, **asked: Unpack[Asking]) -> Response:
        """Hands something in."""
        return await self.request(Code.POST, uri, payload, **asked)

    async def put(self, uri: str, payload: Optional[Body] = None, **asked: Unpack[Asking]) -> Response:
        """Puts something there."""
        return await self.request(Code.PUT, uri, payload, **asked)

    async def delete(self, uri: str, **asked: Unpack[Asking]) -> Response:
        """Takes away what is there."""
        return await self.request(Code.DELETE, uri, **asked)

    async def fetch(self, uri: str, payload: Optional[Body] = None, **asked: Unpack[Asking]) -> Response:
        """Asks for a part of what is there, or for it in another way (RFC 8132)."""
        return await self.request(Code.FETCH, uri, payload, **asked)

    async def patch(self, uri: str, payload: Optional[Body] = None, **asked: Unpack[Asking]) -> Response:
        """Changes a part of what is there (RFC 8132)."""
        return await self.request(Code.PATCH, uri, payload, **asked)

    async def ipatch(self, uri: str, payload: Optional[Body] = None, **asked: Unpack[Asking]) -> Response:
        """The same with a patch that may be applied twice (RFC 8132)."""
        return await self.request(Code.IPATCH, uri, payload, **asked)

    async def ping(self, uri: str, timeout: Optional[float] = None) -> None:
        """Whether somebody speaks CoAP there (RFC 7252 section 4.3): returns, or raises what an answer is kept by."""
        asked: Asking = {} if timeout is None else {"timeout": timeout}
        await self._request(dict(_ask.arguments(uri, Code.GET, None, asked), ping=True))

    def observe(self, uri: str, payload: Optional[Octets] = None, **asked: Unpack[Asking]) -> Observation:
        """Each state of a resource, the present one first: `async for response in client.observe(uri)`. With a payload it
        observes by FETCH."""
        return Observation(self, _ask.arguments(uri, Code.GET if payload is None else Code.FETCH, payload, asked))

    def stream(self, uri: str, **asked: Unpack[Asking]) -> Download:
        """The body of a resource piece by piece, in constant memory: `async for piece in client.stream(uri)`."""
        return Download(self, _ask.arguments(uri, Code.GET, None, asked))

    def ask_group(self, uri: str, payload: Optional[Octets] = None, *, method: int = Code.GET, interface: Optional[str] = None,
                  **asked: Unpack[Asking]) -> Answers:
        """Asks a group, such as all CoAP nodes (RFC 7252 section 8): `async for response in
        client.ask_group("coap://224.0.1.187/.well-known/core", timeout=3)` gives each answer as it comes, whose `.peer` says who
        gave it, until `timeout` (7 seconds) is over. The group is asked by the interface of that name, by that of its zone
        ("coap://[ff02::fd%25eth0]/"), or by each that does multicast; who hears it by several answers once."""
        return Answers(self, _ask.arguments(uri, method, payload, asked), interface)

    # ---- below ------------------------------------------------------------------------------------------------

    def _turning(self) -> Turner:
        if self._turner is None:
            self._turner = Turner(self._host)
        return self._turner

    async def _peers(self, uri: str) -> Tuple[bytes, ...]:
        """A name is looked up in a thread of the loop's executor, as asyncio does."""
        literal = _literal_peers(uri)
        if literal is not None:
            return literal
        return await self._turning().loop.run_in_executor(None, _ask.peers, uri)

    async def _request(self, arguments: Dict[str, Any]) -> Response:
        """Where a name has several addresses, the next is asked when one is unreachable."""
        peers = await self._peers(arguments["uri"])
        for peer in peers[:-1]:
            try:
                return await self._exchange(peer, arguments)
            except Unreachable:
                pass  # the last one says it, if none can be reached
        return await self._exchange(peers[-1], arguments)

    async def _exchange(self, peer: bytes, arguments: Dict[str, Any]) -> Response:
        future: asyncio.Future[Optional[_copal.Message]] = self._turning().loop.create_future()

        def take(error: Optional[Exception], ended: bool, message: Optional[_copal.Message]) -> None:
            self._room()
            if future.done():
                return  # it was cancelled
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(message)

        request = await self._start(take, peer, arguments)
        self._open.add(future)
        try:
            return Response.received(await future)
        except asyncio.CancelledError:
            request.cancel()
            self._room()
            raise
        finally:
            self._open.discard(future)

    async def _start(self, take: Take, peer: bytes, arguments: Dict[str, Any]) -> _copal.Request:
        """Where no more requests may be open, or no message ID is free, it waits its turn."""
        turner = self._turning()
        while True:
            try:
                request = self._host.request(take, peer, **arguments)
            except Full:
                waiter = turner.loop.create_future()
                self._waiting.append(waiter)
                await asyncio.wait([waiter], timeout=ROOM_SECONDS)
                waiter.cancel()
            else:
                turner.kick()
                return request

    def _room(self) -> None:
        """A request has ended: the one that waits for longest may have its place."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """What calls the method as long as its object is there: a request that is under way is not to keep whoever waits for it."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        there = reference()
        if there is not None:
            there(*arguments)
    return call


class _Flow:
    """What comes of a request in more than one part: an asynchronous iterator that ends its request when it is left."""

    def __init__(self, client: Client, arguments: Dict[str, Any]) -> None:
        self._client = client
        self._arguments = arguments
        self._requests: List[_copal.Request] = []  # more than one only to a group
        self._peer = b""
        self._others: Optional[List[bytes]] = None  # of the name's addresses those to ask when that one cannot be reached
        self._ended = False
        self._error: Optional[Exception] = None
        self._news = asyncio.Event()
        client._flows.add(self)

    async def _begin(self, **more: Any) -> None:
        client = self._client
        if self._others is None:
            self._peer, *self._others = await client._peers(self._arguments["uri"])
        self._requests = [await client._start(_weakly(self._take), self._peer, dict(self._arguments, **more))]

    def _take(self, error: Optional[Exception], ended: bool, message: Optional[_copal.Message]) -> None:
        raise NotImplementedError

    async def _wait(self) -> None:
        """Until something has come. There is nothing to wait for any more: what ended it is raised, once."""
        if self._ended:
            error, self._error = self._error, None
            if not self._others or not isinstance(error, Unreachable):
                raise error or StopAsyncIteration
            self._peer = self._others.pop(0)
            await self._begin()
            self._ended = False
        self._news.clear()
        await self._news.wait()

    def cancel(self) -> None:
        """Ends it; the server is told where it would go on."""
        self._ended = True
        self._news.set()
        for request in self._requests:
            request.cancel()
        turner = self._client._turner
        if self._requests and turner is not None and not self._client._host.closed and not turner.loop.is_closed():
            turner.kick()

    def _fail(self, error: Exception) -> None:
        if not self._ended:
            self.cancel()
            self._error = error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cancel()

    def __aiter__(self) -> Self:
        return self

    def __del__(self) -> None:
        if self._requests and not self._ended:
            self.cancel()


class _Responses(_Flow):
    """One that hands out responses; of those that nobody has taken yet, the last `most` are kept."""

    def __init__(self, client: Client, arguments: Dict[str, Any], most: Optional[int] = None) -> None:
        super().__init__(client, arguments)
        self._responses: Deque[Response] = deque(maxlen=most)

    async def __anext__(self) -> Response:
        if not self._requests and not self._ended:
            await self._begin()
        while not self._responses:
            await self._wait()
        return self._responses.popleft()


class Observation(_Responses):
    """The states of a resource, of which the last may be an error, with which the server ends it. `async with
    client.observe(uri) as states` sees to it that the server is told when the loop over them is left; without, it is told when
    the iterator is collected."""

    def __init__(self, client: Client, arguments: Dict[str, Any]) -> None:
        super().__init__(client, dict(arguments, observe=True), STATES_MOST)

    def _take(self, error: Optional[Exception], ended: bool, message: Optional[_copal.Message]) -> None:
        self._ended = ended
        if error is None:
            self._others = []
            self._responses.append(Response.received(message))
        elif ended:
            self._error = error
        else:
            logger.warning("%s is observed on: %s", self._arguments["uri"], error)  # it is registered again and again
        self._news.set()


class Download(_Flow):
    """The body of a resource, piece by piece. What the server answers with an error is raised as copal.ResponseError."""

    def __init__(self, client: Client, arguments: Dict[str, Any]) -> None:
        super().__init__(client, dict(arguments, write=_weakly(self._write)))
        self._pieces: List[bytes] = []
        self._buffered = 0
        self._handed_out = 0
        self._paused = False
        self._etag = b""
        self.response: Optional[Response] = None  #: the last one, when all of it has come

    async def __anext__(self) -> bytes:
        if not self._requests and not self._ended:
            await self._begin()
        while not self._pieces:
            if self._paused and not self._ended:
                await self._go_on()
            await self._wait()
        joined = b"".join(self._pieces)
        self._pieces.clear()
        self._buffered = 0
        self._handed_out += len(joined)
        return joined

    async def _go_on(self) -> None:
        self._paused = False
        await self._begin(resume_at=self._handed_out, resume_etag=self._etag,
                          block_size=_ask.block_size_at(self._handed_out))

    def _write(self, offset: int, piece: bytes) -> None:
        if offset == 0 and self._handed_out:
            self._fail(Changed("the state changed while it was fetched"))
            return
        self._others = []
        if offset == 0:
            self._pieces.clear()
            self._buffered = 0
        self._pieces.append(piece)
        self._buffered += len(piece)
        if self._buffered >= BUFFER_MOST and not self._ended:
            self._pause()
        self._news.set()

    def _pause(self) -> None:
        """Whoever reads is slower than the network. The transfer ends here, and goes on from there when there is room. That
        it is the same state then is told by its ETag; where there is none, what comes has to wait in memory."""
        [request] = self._requests
        self._etag = request.etag
        if self._etag:
            request.cancel()
            self._paused = True

    def _take(self, error: Optional[Exception], ended: bool, message: Optional[_copal.Message]) -> None:
        self._ended = True
        self._error = error
        if error is None:
            self.response = Response.received(message)
            try:
                self.response.raise_for_code()
            except Exception as answered:
                self._error = answered
        self._news.set()


class Answers(_Responses):
    """What comes of asking a group: each answer, until the time is over. Leaving the loop within `async with
    client.ask_group(uri) as answers` ends the request at once."""

    def __init__(self, client: Client, arguments: Dict[str, Any], interface: Optional[str]) -> None:
        super().__init__(client, arguments)
        self._interface = interface
        self._known: Set[Optional[Tuple[str, int]]] = set()
        self._expecting = 0  # interfaces by which more may come
        self._asked = False  # by one at least

    async def _begin(self, **more: Any) -> None:
        group = (await self._client._peers(self._arguments["uri"]))[0]
        peers = _ask.peers_of_group(group, self._interface)
        if not peers:
            raise Unreachable("no interface does multicast")
        self._expecting = len(peers)
        try:
            for peer in peers:
                await self._ask(peer)
        except BaseException:
            self.cancel()
            raise

    async def _ask(self, peer: bytes) -> None:
        try:
            self._requests.append(await self._client._start(_weakly(self._take), peer, self._arguments))
        except (CopalError, OSError) as error:
            self._end(error)

    def _take(self, error: Optional[Exception], ended: bool, message: Optional[_copal.Message]) -> None:
        if ended:
            self._end(error)
        elif error is not None:
            logger.warning("an answer from %s is lost: %s", self._arguments["uri"], error)
        else:
            self._keep(Response.received(message))
        self._news.set()

    def _end(self, error: Optional[Exception]) -> None:
        """What keeps one interface from being asked is of no interest where another was."""
        self._expecting -= 1
        self._asked = self._asked or error is None
        self._ended = self._expecting == 0
        self._error = None if self._asked else error

    def _keep(self, response: Response) -> None:
        if response.peer not in self._known:
            self._known.add(response.peer)
            self._responses.append(response)
