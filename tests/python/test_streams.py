"""Bodies of requests that a handler takes piece by piece."""
import asyncio
import contextlib

import copal
import copal.aio._body
import pytest

from support import coap
from support.client import Client
from support.coap import ACK, BLOCK1, CON, NON, SIZE1, Message, code, uint

LARGE = b"".join(b"%07d\n" % number for number in range(10_000))


class Taker:
    """A server with a handler that takes a body as fast as it is let."""

    def __init__(self, **options):
        self.server = copal.Server("127.0.0.1", 0)
        self.pieces = []
        self.gate = asyncio.Semaphore(0)
        self.ended = asyncio.Queue()
        options.setdefault("stream", True)
        self.resource = self.server.resource("up", methods="PUT POST GET", **options)(self.take)

    def uri(self):
        return f"coap://127.0.0.1:{self.server.port}/up"

    def let(self, count):
        for _ in range(count):
            self.gate.release()

    async def take(self, request):
        try:
            self.pieces.append([])
            mine = self.pieces[-1]
            async for piece in request.stream():
                mine.append(piece)
                await self.gate.acquire()
            return f"{len(b''.join(mine))} octets"
        except BaseException as error:
            self.ended.put_nowait(error)
            raise


@contextlib.asynccontextmanager
async def asked(taker):
    """Runs the server, and gives a function that asks it in a thread, by a socket that does only what it is told."""
    async with taker.server:
        with Client(taker.server.port) as client:
            loop = asyncio.get_running_loop()
            yield lambda method, *given, **named: loop.run_in_executor(
                None, lambda: getattr(client, method)(*given, **named))


def part(number, more, szx=2):
    """Of 64 octets."""
    return (BLOCK1, uint(number << 4 | (8 if more else 0) | szx)), b"%d" % (number % 10) * 64


async def put(ask, number, more=True, **named):
    option, payload = part(number, more)
    return await ask("ask", coap.PUT, "up", option, payload=payload, **named)


async def test_a_body_in_blocks_comes_piece_by_piece():
    taker = Taker()
    taker.let(1000)
    async with taker.server, copal.Client() as client:
        answer = await client.put(taker.uri(), LARGE)
        assert (answer.code, answer.text) == (copal.Code.CHANGED, "80000 octets")
    [pieces] = taker.pieces
    assert b"".join(pieces) == LARGE and {len(piece) for piece in pieces[:-1]} == {1024}


@pytest.mark.parametrize("body", [b"", b"in one datagram"])
async def test_a_body_in_one_datagram_is_one_piece_or_none(body):
    taker = Taker()
    taker.let(1)
    async with taker.server, copal.Client() as client:
        assert (await client.post(taker.uri(), body)).text == f"{len(body)} octets"
        assert (await client.get(taker.uri())).text == "0 octets"
    assert taker.pieces == [[body] if body else [], []]


async def test_without_stream_the_body_is_one_piece():
    taker = Taker(stream=False)
    taker.let(1)
    async with taker.server, copal.Client() as client:
        assert (await client.put(taker.uri(), LARGE)).text == "80000 octets"
    assert taker.pieces == [[LARGE]]


async def test_the_next_block_is_asked_for_when_the_handler_comes_for_it():
    taker = Taker()
    async with asked(taker) as ask:
        for number in range(3):
            answer = await put(ask, number)
            assert (answer.type, answer.code) == (ACK, 0)  # it came, and nothing more is said
            assert len(taker.pieces[0]) == number + 1
            taker.let(1)
            answer = await ask("receive")
            assert (answer.type, answer.code) == (CON, code("2.31"))
            assert answer.options == [(BLOCK1, uint(number << 4 | 8 | 2))]
            await ask("send", coap.encode(Message(ACK, 0, answer.mid)))
        taker.let(1)
        assert (await put(ask, 3, more=False)).payload == b"256 octets"


async def test_a_handler_that_keeps_up_answers_on_the_acknowledgement():
    taker = Taker()
    taker.let(9)
    async with asked(taker) as ask:
        answer = await put(ask, 0)
        assert (answer.type, answer.code, answer.options) == (ACK, code("2.31"), [(BLOCK1, uint(8 | 2))])
        answer = await put(ask, 1, type=NON)
        assert (answer.type, answer.code) == (NON, code("2.31"))


async def test_an_error_answers_the_block_that_waits(caplog):
    server = copal.Server("127.0.0.1", 0)

    @server.resource("up", methods="PUT", stream=True)
    async def refuse(request):
        async for piece in request.stream():
            if piece.startswith(b"1"):
                raise copal.ResponseError(copal.Code.FORBIDDEN, "no ones")

    async with server:
        with Client(server.port) as client:
            loop = asyncio.get_running_loop()
            codes = []
            for number in range(2):
                option, payload = part(number, True)
                answer = await loop.run_in_executor(None, lambda: client.put("up", payload, option))
                codes.append((answer.code, answer.payload))
    assert codes == [(code("2.31"), b""), (code("4.03"), b"no ones")] and not caplog.records


async def test_a_body_that_is_refused_takes_no_place_of_the_next():
    server = copal.Server("127.0.0.1", 0)

    async def refuse(request):
        raise copal.ResponseError(copal.Code.FORBIDDEN)

    for number in range(300):
        server.resource(f"up{number}", methods="PUT", stream=True)(refuse)
    async with server:
        with Client(server.port) as client:
            loop = asyncio.get_running_loop()
            option, payload = part(0, True)
            for number in range(300):
                answer = await loop.run_in_executor(None, lambda: client.put(f"up{number}", payload, option))
                assert answer.code == code("4.03")


async def test_what_the_handler_does_not_want_is_thrown_away():
    server = copal.Server("127.0.0.1", 0)

    @server.resource("up", methods="PUT", stream=True)
    async def peek(request):
        async for piece in request.stream():
            return piece[:7]

    @server.resource("unread", methods="PUT", stream=True)
    def unread(request):
        return "so be it"

    async with server, copal.Client() as client:
        assert (await client.put(f"coap://127.0.0.1:{server.port}/up", LARGE)).payload == LARGE[:7]
        assert (await client.put(f"coap://127.0.0.1:{server.port}/unread", LARGE)).text == "so be it"
    assert not server._bodies


async def test_who_does_not_wait_to_be_asked_is_refused():
    taker = Taker()
    async with asked(taker) as ask:
        assert (await put(ask, 0)).code == 0
        assert (await put(ask, 1)).code == code("5.03")
        taker.let(1)
        error = await taker.ended.get()
        assert (error.code, error.text) == (copal.Code.REQUEST_ENTITY_INCOMPLETE, "the rest of the body did not come")
    assert len(taker.pieces[0]) == 1


async def test_a_body_that_begins_anew_ends_the_former():
    taker = Taker()
    taker.let(2)
    async with asked(taker) as ask:
        await put(ask, 0)
        await put(ask, 0)
        assert (await taker.ended.get()).code == copal.Code.REQUEST_ENTITY_INCOMPLETE
        taker.let(1)
        assert (await put(ask, 1, more=False)).payload == b"128 octets"
    assert [len(pieces) for pieces in taker.pieces] == [1, 2] and not taker.server._bodies


async def test_a_body_over_the_bound_is_refused_and_the_handler_told():
    taker = Taker(body_size=100)
    taker.let(9)
    async with asked(taker) as ask:
        option, payload = part(0, True)
        answer = await ask("ask", coap.PUT, "up", option, (SIZE1, uint(101)), payload=payload)
        assert (answer.code, answer.options) == (code("4.13"), [(SIZE1, uint(100))])
        assert taker.pieces == []
        assert (await put(ask, 0)).code == code("2.31")
        assert (await put(ask, 1)).code == code("4.13")
        assert (await taker.ended.get()).code == copal.Code.REQUEST_ENTITY_INCOMPLETE
    assert [len(pieces) for pieces in taker.pieces] == [1]


async def test_a_body_of_which_no_more_comes_is_given_up(monkeypatch):
    monkeypatch.setattr(copal.aio._body, "PATIENCE", 0.05)
    taker = Taker()
    taker.let(9)
    async with asked(taker) as ask:
        assert (await put(ask, 0)).code == code("2.31")
        assert (await taker.ended.get()).code == copal.Code.REQUEST_ENTITY_INCOMPLETE
        answer = await put(ask, 1)
        assert (answer.code, answer.payload) == (code("4.08"), b"the rest of the body did not come")


async def test_a_resource_that_goes_ends_its_bodies():
    taker = Taker()
    taker.let(9)
    async with asked(taker) as ask:
        await put(ask, 0)
        taker.resource.remove()
        assert (await taker.ended.get()).code == copal.Code.REQUEST_ENTITY_INCOMPLETE
    assert not taker.server._bodies


@pytest.mark.parametrize("paused", [False, True])
async def test_a_server_that_is_closed_cancels_who_takes_a_body(paused):
    taker = Taker()
    taker.let(0 if paused else 9)
    async with asked(taker) as ask:
        await put(ask, 0)
    assert isinstance(taker.ended.get_nowait(), asyncio.CancelledError)


async def test_many_bodies_come_side_by_side():
    taker = Taker()
    taker.let(10_000)
    async with taker.server, copal.Client() as client:
        bodies = [LARGE[n:n + 5000] for n in range(20)]
        answers = await asyncio.gather(*(client.put(f"{taker.uri()}?{n}", body) for n, body in enumerate(bodies)))
        assert [answer.text for answer in answers] == ["5000 octets"] * 20
    assert sorted(b"".join(pieces) for pieces in taker.pieces) == sorted(bodies)
