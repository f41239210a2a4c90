"""copal.Client, asyncio's."""
import asyncio
import gc
import io
import os

import copal
import pytest
from copal import _ask

from support.coap import BLOCK2, CON, ETAG, OBSERVE, RST, Message, code, uint
from support.process import until
from support.udp import Answerer, critical, free_port, piggyback


async def test_methods_reach_the_server(tool):
    async with copal.Client() as client:
        uri = f"{tool.uri}/doc"
        assert (await client.put(uri, "{}", content_format="json")).code == copal.Code.CHANGED
        assert (await client.get(uri, accept="json")).text == "{}"
        assert (await client.post(uri, '{"a":1}', content_format="json")).code == copal.Code.CHANGED
        assert (await client.patch(uri, '{"b":2}', content_format=52)).code == copal.Code.CHANGED
        assert (await client.ipatch(uri, '{"a":null}', content_format=52)).code == copal.Code.CHANGED
        assert (await client.get(uri)).json() == {"b": 2}
        assert (await client.fetch(uri, "q", content_format=0)).code == copal.Code.METHOD_NOT_ALLOWED
        assert (await client.put(f"{tool.uri}/new", b"x")).code == copal.Code.CREATED
        assert (await client.delete(f"{tool.uri}/new")).code == copal.Code.DELETED
        await client.ping(tool.uri)


async def test_many_requests_at_once_find_their_answers(tool):
    async with copal.Client() as client:
        uris = [f"{tool.uri}/r{i}" for i in range(100)]
        await asyncio.gather(*(client.put(uri, uri) for uri in uris))
        assert [r.text for r in await asyncio.gather(*map(client.get, uris))] == uris


async def test_more_requests_than_may_be_open_wait_their_turn(tool):
    async with copal.Client() as client:
        answers = await asyncio.gather(*(client.get(f"{tool.uri}/temperature") for _ in range(3000)))
        assert {answer.text for answer in answers} == {"21.5"}


async def test_a_payload_may_be_a_file_or_an_iterator(tool, tmp_path):
    body = os.urandom(50_000)
    (tmp_path / "file").write_bytes(body)

    async def pieces():
        for at in range(0, len(body), 700):
            yield body[at:at + 700]

    async with copal.Client() as client:
        with open(tmp_path / "file", "rb") as file:
            await client.put(f"{tool.uri}/a", file)
        await client.put(f"{tool.uri}/b", pieces())
        await client.put(f"{tool.uri}/c", io.BytesIO(body))
        for name in "abc":
            assert (await client.get(f"{tool.uri}/{name}")).payload == body


async def test_a_download_comes_piece_by_piece(tool):
    body = os.urandom(300_000)
    async with copal.Client() as client:
        await client.put(f"{tool.uri}/big", body)
        async with client.stream(f"{tool.uri}/big") as download:
            assert b"".join([piece async for piece in download]) == body
        assert download.response.code == copal.Code.CONTENT


async def test_a_reader_that_is_slow_holds_the_transfer(tool, monkeypatch):
    monkeypatch.setattr(copal.aio.client, "BUFFER_MOST", 4096)
    body = os.urandom(40_000)
    async with copal.Client() as client:
        await client.put(f"{tool.uri}/temperature", body)
        seen = b""
        async with client.stream(f"{tool.uri}/temperature") as download:
            async for piece in download:
                assert len(piece) <= 4096 + 1024
                seen += piece
                while not download._paused and len(seen) + download._buffered < len(body) and not download._ended:
                    await asyncio.sleep(0)  # until as much waits as may
    assert seen == body


async def test_a_state_that_changes_half_way_is_not_mixed_up():
    def answer(request):
        block = int.from_bytes(request.all(BLOCK2)[0], "big") >> 4 if request.all(BLOCK2) else 0
        state = b"\x01" if len(server.messages) < 3 else b"\x02"
        return piggyback(request, "2.05", (ETAG, state), (BLOCK2, uint(block << 4 | 8 | 2)), payload=b"x" * 64)

    with Answerer(answer) as server:
        async with copal.Client() as client:
            with pytest.raises(copal.Changed):
                async with client.stream(f"{server.uri}/x", block_size=64) as download:
                    async for piece in download:
                        pass


async def test_a_download_that_is_refused_raises(tool):
    async with copal.Client() as client:
        with pytest.raises(copal.ResponseError) as raised:
            async for _ in client.stream(f"{tool.uri}/missing"):
                pass
    assert raised.value.code == copal.Code.NOT_FOUND


async def test_what_keeps_an_answer_from_coming_is_raised():
    async with copal.Client() as client:
        with Answerer(lambda request: None) as silent:
            with pytest.raises(copal.Timeout):
                await client.get(silent.uri, timeout=0.05)
        with Answerer(lambda request: Message(RST, 0, request.mid)) as server:
            with pytest.raises(copal.Reset):
                await client.get(server.uri)
        with Answerer(critical) as server:
            with pytest.raises(copal.BadResponse):
                await client.get(server.uri)
        with pytest.raises(copal.Unreachable):
            await client.get(f"coap://127.0.0.1:{free_port()}/x")
        with pytest.raises(copal.BadUri):
            await client.get("http://127.0.0.1/")
        with pytest.raises(copal.UnknownHost):
            await client.get("coap://nowhere.invalid/")


async def test_a_request_that_is_cancelled_is_sent_no_more():
    with Answerer(lambda request: None) as silent:
        async with copal.Client() as client:
            task = asyncio.create_task(client.get(f"{silent.uri}/x"))
            while not silent.messages:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client._host.timeout() == -1  # nothing is due any more: no retransmission


async def test_a_task_that_is_cancelled_before_it_began_asks_nothing():
    with Answerer(lambda request: None) as silent:
        async with copal.Client() as client:
            task = asyncio.create_task(client.get(f"{silent.uri}/x"))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not silent.messages


async def test_each_state_comes_in_order(tool):
    async with copal.Client() as client:
        uri = f"{tool.uri}/temperature"
        async with client.observe(uri) as states:
            assert (await states.__anext__()).text == "21.5"
            for value in "abc":
                await client.put(uri, value)
                assert (await states.__anext__()).text == value


async def test_whoever_is_slow_hears_the_newest_state(tool):
    async with copal.Client() as client:
        uri = f"{tool.uri}/temperature"
        async with client.observe(uri) as states:
            await states.__anext__()
            for value in range(30):
                await client.put(uri, str(value))
            async for state in states:
                if state.text == "29":
                    break


@pytest.mark.parametrize("left", ["async with", "break", "cancel"])
async def test_the_server_is_told_when_an_observation_is_left(left):
    def answer(request):
        return piggyback(request, "2.05", (OBSERVE, b"\x01"), payload=b"state") if request.code == 1 else None

    with Answerer(answer) as server:
        async with copal.Client() as client:
            if left == "async with":
                async with client.observe(server.uri) as states:
                    await states.__anext__()
            elif left == "break":
                async for _ in client.observe(server.uri):
                    break
                gc.collect()
            else:
                states = client.observe(server.uri)
                await states.__anext__()
                states.cancel()
                with pytest.raises(StopAsyncIteration):
                    await states.__anext__()
            while len(server.messages) < 2:
                await asyncio.sleep(0.01)
        assert server.messages[1].all(OBSERVE) == [b"\x01"]


async def test_the_server_ends_an_observation_with_an_error(tool):
    async with copal.Client() as client:
        uri = f"{tool.uri}/gone"
        await client.put(uri, "x")
        states = client.observe(uri)
        assert (await states.__anext__()).text == "x"
        await client.delete(uri)
        assert [state.code async for state in states] == [copal.Code.NOT_FOUND]


async def test_an_observation_that_gets_no_answer_raises():
    with Answerer(lambda request: None) as silent:
        async with copal.Client() as client:
            with pytest.raises(copal.CopalError):
                async for _ in client.observe(f"coap://127.0.0.1:{free_port()}/x"):
                    pass
            del silent


async def test_a_name_is_observed_and_streamed_from_each_of_its_addresses(named):
    async with copal.Client() as client:
        async with client.observe(named) as states:
            assert (await states.__anext__()).text == "1"
        download = client.stream(named)
        assert [piece async for piece in download] == [b"1"] and download.response.code == copal.Code.CONTENT


async def test_a_name_of_which_no_address_answers_cannot_be_observed_or_streamed(named, monkeypatch):
    unreachable, _ = _ask.peers(named)
    monkeypatch.setattr(_ask, "peers", lambda uri: (unreachable, unreachable))
    async with copal.Client() as client:
        for flow in client.observe(named), client.stream(named):
            with pytest.raises(copal.Unreachable):
                await flow.__anext__()
            with pytest.raises(StopAsyncIteration):
                await flow.__anext__()


def test_an_observation_that_outlives_its_loop_ends_without_a_word(tool):
    """Nobody has closed it, or its client."""
    async def begin():
        states = copal.Client().observe(f"{tool.uri}/temperature")
        assert (await states.__anext__()).text == "21.5"
        return states

    states = asyncio.run(begin())
    states.cancel()  # as its end does, which can only print what is raised


def test_a_name_is_no_local_address():
    with pytest.raises(copal.InvalidArgument, match="'localhost' is no address"):
        copal.Client(bind="localhost")


async def test_a_closed_client_asks_nothing_more(tool):
    client = copal.Client()
    assert (await client.get(f"{tool.uri}/temperature")).is_success
    await client.close()
    await client.close()
    with pytest.raises(RuntimeError):
        await client.get(f"{tool.uri}/temperature")


async def test_closing_ends_what_waits():
    with Answerer(lambda request: None) as silent:
        client = copal.Client()
        waiting = [asyncio.create_task(client.get(silent.uri)),
                   asyncio.create_task(client.observe(silent.uri).__anext__()),
                   asyncio.create_task(client.stream(silent.uri).__anext__())]
        while not silent.messages:
            await asyncio.sleep(0.01)
        await client.close()
        for task in waiting:
            with pytest.raises(copal.Gone):
                await task


async def test_the_local_address_may_be_chosen(tool):
    def answer(request):
        return piggyback(request, "2.05")

    with Answerer(answer) as server:
        async with copal.Client(bind="127.0.0.77") as client:
            await client.get(server.uri)
        assert server.peer[0] == "127.0.0.77"


async def test_a_separate_response_is_the_answer():
    def answer(request):
        if request.type != CON:
            return None
        return [Message(2, 0, request.mid), Message(CON, code("2.05"), 7, request.token, [], b"late")]

    with Answerer(answer) as server:
        async with copal.Client() as client:
            response = await client.get(server.uri)
            assert (response.text, response.type, response.token) == ("late", copal.Type.CON, server.messages[0].token)
        until(lambda: any(message.type == 2 for message in server.messages))
