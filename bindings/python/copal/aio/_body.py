"""The body of a request that comes piece by piece."""
from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Callable, Deque, Optional, Tuple

from .. import _copal
from ..codes import Code
from ..errors import Gone, ResponseError
from ..message import Octets

logger = logging.getLogger("copal")

PATIENCE = 247.0  # seconds without a piece: a server need not wait for longer (RFC 7959 section 2.5)


Said = Tuple[int, Octets, int, Tuple[Tuple[int, bytes], ...]]  # code, payload, Content-Format or -1, options


def reply(call: _copal.Call, said: Said, what: object) -> None:
    """Answers a call. What cannot be sent, for its size or its options, is answered 5.00."""
    try:
        call.reply(*said)
    except Gone:
        pass  # nobody waits for it any longer
    except Exception as error:
        logger.error("%r is answered 5.00", what, exc_info=error)
        try:
            call.reply(Code.INTERNAL_SERVER_ERROR)
        except Gone:
            pass  # the host has done so by itself


class Body:
    """Yields the pieces. Each is a call that is answered when the next one is wanted, the last one by what the handler says. An
    error that it says before is the answer to the piece that waits; where it just does not want the rest, that is thrown
    away."""

    def __init__(self, call: _copal.Call, kick: Callable[[], None]) -> None:
        self._pieces: Deque[_copal.Call] = deque((call,))  # those that nobody has taken; one, of a peer that waits to be asked
        self._call: Optional[_copal.Call] = None  # the last that was taken, if it waits for its answer
        self._lost = False
        self._answer: Optional[Said] = None
        self._news = asyncio.Event()
        self._kick = kick

    def feed(self, call: _copal.Call) -> None:
        """The next piece is there."""
        self._pieces.append(call)
        self._news.set()
        self._settle()

    def lose(self) -> None:
        """The rest does not come any more."""
        self._lost = True
        self._news.set()

    def reply(self, said: Said) -> None:
        """What the handler says."""
        self._answer = said
        self._settle()

    def _settle(self) -> None:
        """Answers what waits, once it is known with what."""
        while self._answer is not None and (self._call is not None or self._pieces):
            call = self._call or self._pieces.popleft()
            self._call = None
            if call.more and Code(self._answer[0]).is_success:
                self._proceed(call)
                continue
            reply(call, self._answer, self)

    def _proceed(self, call: _copal.Call) -> None:
        """Asks for the next piece."""
        try:
            call.proceed()
        except Gone:
            pass  # then none will come
        self._kick()

    def __repr__(self) -> str:
        return "<a body>"

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._call is not None:
                if not self._call.more:
                    raise StopAsyncIteration
                call, self._call = self._call, None
                self._proceed(call)
            await self._wait()
            self._call = self._pieces.popleft()
            if self._call.message.payload:
                return self._call.message.payload

    async def _wait(self) -> None:
        """Until there is a piece."""
        while not self._pieces:
            if self._lost:
                raise ResponseError(Code.REQUEST_ENTITY_INCOMPLETE, "the rest of the body did not come")
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), PATIENCE)
            except asyncio.TimeoutError:
                self._lost = True
