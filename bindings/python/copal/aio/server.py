"""The server for asyncio."""
from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from typing import Any, Awaitable, Callable, Dict, Iterable, Mapping, Optional, Set, Union

from .. import _ask, _copal
from ..codes import Code
from ..credentials import ServerCredentials
from ..errors import InvalidArgument, ResponseError
from ..message import ContentFormat, Octets, Request, Response, content_format_number, octets, within
from ._body import Body, Said, reply
from ._turner import Turner

logger = logging.getLogger("copal")

Answer = Union[None, str, bytes, Code, Response]
Function = Callable[[Request], Union[Answer, Awaitable[Answer]]]
Methods = Union[str, Iterable[Union[str, int]]]

# What a handler has done that does not say so itself.
DONE = {Code.GET: Code.CONTENT, Code.FETCH: Code.CONTENT, Code.DELETE: Code.DELETED}


def mask_of(methods: Methods) -> int:
    """Of "GET PUT", ("GET", Code.PUT) …"""
    names = methods.replace(",", " ").split() if isinstance(methods, str) else methods
    mask = 0
    for name in names:
        code = Code.__members__.get(name.upper(), Code.EMPTY) if isinstance(name, str) else Code(name)
        if not 1 <= code <= 7:
            raise InvalidArgument(f"{name} is no method")
        mask |= 1 << code
    return mask


class Resource:
    """Something that a server has at a path."""

    def __init__(self, server: Server, handle: int) -> None:
        self._server = server
        self._handle = handle

    @property
    def path(self) -> str:
        return self._server._host.path(self._handle)

    def remove(self) -> None:
        """Takes it away; whoever observes it is told so."""
        self._server._host.remove(self._handle)
        self._server._kick()

    def _describe(self, attributes: Mapping[str, str]) -> None:
        """Adds them all; else the resource is not there either."""
        try:
            for name, value in attributes.items():
                self._server._host.add_attribute(self._handle, octets(name), octets(value))
        except BaseException:
            self._server._host.remove(self._handle)
            raise


class Value(Resource):
    """A resource that is a value. Whoever observes it is told of each change; requests for it never reach Python."""

    @property
    def value(self) -> bytes:
        return self._server._host.get_value(self._handle)

    @value.setter
    def value(self, value: Octets) -> None:
        self._server._host.set_value(self._handle, octets(value))
        self._server._kick()

    @property
    def text(self) -> str:
        return self.value.decode()


class Handler(Resource):
    """A resource whose answers a function makes. Calling it calls the function."""

    def __init__(self, server: Server, function: Function) -> None:
        super().__init__(server, 0)
        self.function = function

    def __call__(self, request: Request) -> Union[Answer, Awaitable[Answer]]:
        return self.function(request)

    def changed(self) -> None:
        """Its state has changed: whoever observes it is told, by what the function answers then."""
        self._server._host.changed(self._handle)
        self._server._kick()


class Server:
    """Serves resources::

        server = copal.Server("127.0.0.1")
        temperature = server.add_value("temperature", "21.5", content_format="text")

        @server.resource("hello", methods="GET POST")
        async def hello(request):
            return f"hello {request.text}"

        async with server:
            await server.serve_forever()

    With credentials it speaks DTLS, on port 5684. With `dynamic`, a PUT on a path that is none creates a value there. Port 0
    takes a free one. With `discoverable` it hears the groups of all CoAP nodes, too (RFC 7252 section 8); one that speaks DTLS
    answers them on port 5683 with coaps links to what it has, and with nothing else.
    """

    def __init__(self, bind: str = "::", port: Optional[int] = None, *, credentials: Optional[ServerCredentials] = None,
                 dynamic: bool = False, discoverable: bool = False) -> None:
        self._bodies: Dict[int, Body] = {}  # those of which more is to come, by number
        self._host = _copal.open_host(dynamic=dynamic, dropped=self._drop)
        self._bind = bind
        self._credentials = credentials
        self._discoverable = discoverable
        self.port = within("port", port, 0, 0xffff) if port is not None else 5683 if credentials is None else 5684
        self._turner: Optional[Turner] = None
        self._tasks: Set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listens. OSError: the port is taken, or no interface does multicast; then the server is closed."""
        try:
            self._listen()
            if self._discoverable:
                self._host.discoverable()
            self._turner = Turner(self._host)
        except BaseException:
            self._host.close()
            raise

    def _listen(self) -> None:
        try:
            if self._credentials is None:
                self.port = self._host.listen(self._bind, self.port)
            else:
                self.port = self._host.listen_secure(self._credentials.opened, self._bind, self.port)
        except InvalidArgument:
            _ask.check_address(self._bind)
            raise

    async def serve_forever(self) -> None:
        """Until it is cancelled. A server that does not listen yet is started, and then closed at the end."""
        if self._turner is None or self._host.closed:
            async with self:
                await self.serve_forever()
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Ends everything; handlers that are still at work are cancelled."""
        if self._turner is not None:
            self._turner.close()
        self._host.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def counters(self) -> Dict[str, int]:
        """What was received, answered, refused and lost, and under "observers" and the like how many there are now; the names are
        those of `copal serve --counters`."""
        return self._host.counters("server")

    # ---- resources -------------------------------------------------------------------------------------------

    def add_value(self, path: str, value: Octets = b"", *, content_format: Optional[ContentFormat] = None,
                  max_age: Optional[int] = None, etag: bool = False, methods: Methods = "GET", confirm: bool = False,
                  attributes: Mapping[str, str] = {}) -> Value:
        """A value. Peers may do with it what the methods say: GET, PUT, POST, DELETE and, of JSON, PATCH and IPATCH.
        `attributes` are shown by discovery. `confirm`: each notification is confirmable."""
        handle = self._host.add_value(
            path, octets(value), content_format=-1 if content_format is None else content_format_number(content_format),
            max_age=-1 if max_age is None else max_age, etag=etag, methods=mask_of(methods), confirm=confirm)
        added = Value(self, handle)
        added._describe(attributes)
        return added

    def resource(self, path: str, *, methods: Methods = "GET", observable: bool = False, subtree: bool = False,
                 stream: bool = False, body_size: Optional[int] = None,
                 attributes: Mapping[str, str] = {}) -> Callable[[Function], Handler]:
        """A decorator for the function, or coroutine function, that answers requests for a path. It returns text, octets, a
        Code, a Response, or None where there is nothing to say; it raises ResponseError to answer an error. One that takes its
        time is answered for by an acknowledgement, and its answer is a message of its own. `subtree`: all paths below, too.
        `stream`: it is called when the first piece of a body is there, and takes it by `async for piece in request.stream()`.
        `body_size`: octets of the largest body that it takes (1 MiB, or of any size where it streams)."""
        most = body_size if body_size is not None else sys.maxsize if stream else 1 << 20

        def add(function: Function) -> Handler:
            handler = Handler(self, function)
            handler._handle = self._host.add_handler(
                path, lambda call: self._serve(handler, call), methods=mask_of(methods), observable=observable,
                subtree=subtree, body_size=most, pieces=stream)
            handler._describe(attributes)
            return handler
        return add

    def find(self, path: str) -> Optional[Value]:
        """The value at a path, also one that a peer created, or None."""
        handle = self._host.find(path)
        return None if handle is None else Value(self, handle)

    # ---- below ------------------------------------------------------------------------------------------------

    def _kick(self) -> None:
        if self._turner is not None:
            self._turner.kick()

    def _serve(self, handler: Handler, call: _copal.Call) -> None:
        if not call.body:
            self._run(handler, call, Request(call))
            return
        body = self._bodies.pop(call.body, None)
        begun = body is not None
        if body is None:
            body = Body(call, self._kick)
        if call.more:
            self._bodies[call.body] = body
        if begun:
            body.feed(call)
        else:
            self._run(handler, body, Request(call, body))

    def _drop(self, number: int) -> None:
        body = self._bodies.pop(number, None)
        if body is not None:
            body.lose()

    def _run(self, handler: Handler, call: Union[_copal.Call, Body], request: Request) -> None:
        answer: Any = None
        try:
            answer = handler.function(request)
        except Exception as error:
            self._refuse(call, request, error)
            return
        if inspect.isawaitable(answer):
            assert self._turner is not None
            task = self._turner.loop.create_task(self._wait(answer, call, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._reply(call, request, answer)

    async def _wait(self, answer: Awaitable[Answer], call: Union[_copal.Call, Body], request: Request) -> None:
        try:
            made = await answer
        except Exception as error:
            self._refuse(call, request, error)
        else:
            self._reply(call, request, made)
        self._kick()

    def _refuse(self, call: Union[_copal.Call, Body], request: Request, error: Exception) -> None:
        if not isinstance(error, ResponseError):
            logger.error("%r is answered 5.00", request, exc_info=error)
        self._reply(call, request, error if isinstance(error, ResponseError) else Code.INTERNAL_SERVER_ERROR)

    def _reply(self, call: Union[_copal.Call, Body], request: Request, answer: Any) -> None:
        if self._host.closed:
            return
        try:
            said = _said(request, answer)
        except Exception as error:
            logger.error("%r is answered 5.00", request, exc_info=error)
            said = Code.INTERNAL_SERVER_ERROR, b"", -1, ()
        if isinstance(call, Body):
            call.reply(said)
        else:
            reply(call, said, request)


def _said(request: Request, answer: Any) -> Said:
    """What a handler's answer is in a message."""
    done = DONE.get(request.code, Code.CHANGED)
    if answer is None:
        return done, b"", -1, ()
    if isinstance(answer, str):
        return done, answer.encode(), 0, ()
    if isinstance(answer, (bytes, bytearray, memoryview)):
        return done, answer, -1, ()
    if isinstance(answer, Code):
        answer = Response(answer)
    elif isinstance(answer, ResponseError):
        answer = Response(answer.code, answer.text)
    elif not isinstance(answer, Response):
        raise TypeError(f"the handler returned {type(answer).__name__}")
    if answer.code >> 5 not in (2, 4, 5):
        raise ValueError(f"the handler answered {answer.code}, which is no response's code")
    return answer.code, answer.payload, -1, tuple(answer.options)
