"""Memory that runs out: of what the package allocates the n-th allocation fails, for every n, where Python's own test module
can make it so. A call then succeeds all the same or raises MemoryError, and the next one goes on."""
import gc
import importlib.util
import os
import signal
import sys
import time
import traceback

import _testcapi
import copal
import pytest
from copal import _copal

STATUS = {"went well": 0, "MemoryError": 1, "another error": 2, "left something": 3}
SURPLUS = 20  # allocations that are not made any more before it is over


def objects():
    """Those of the binding's that are there."""
    gc.collect()
    return sorted(type(o).__name__ for o in gc.get_objects() if type(o) in (_copal.Host, _copal.Request, _copal.Call))


def attempt(scenario, prepare, nth):
    """In this process: what comes of it where the n-th allocation fails."""
    prepared = prepare()
    before = objects()
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        scenario(*prepared)
        status = "went well"
    except MemoryError:
        status = "MemoryError"
    except BaseException:
        _testcapi.remove_mem_hooks()
        raise
    _testcapi.remove_mem_hooks()
    scenario(*prepared)
    return "left something" if objects() != before else status


def each_without_memory(scenario, prepare=tuple):
    """Each attempt is a process of its own: none begins with what another has left in Python's pools."""
    scenario(*prepare())
    gc.collect()
    gc.freeze()  # no child looks through what the tests themselves have
    seen = {status: 0 for status in STATUS}
    nth = well = 0
    while well < SURPLUS:
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # whoever waits for ever is ended
            status = "another error"
            try:
                status = attempt(scenario, prepare, nth)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(STATUS[status])
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 1), f"allocation {nth}: {status}"
        seen[list(STATUS)[status]] += 1
        well = well + 1 if status == 0 else 0
        nth += 1
    gc.unfreeze()
    return seen["MemoryError"]


def until(condition, *hosts):
    end = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < end
        for host in hosts:
            host.step(0)


def with_outcomes():
    """A list, and a callback that puts into it; made beforehand, since without memory Python 3.12 falls over a new function."""
    outcomes = []
    return (lambda *outcome: outcomes.append(outcome)), outcomes


def answer(call):
    call.reply(69, b"made", options=((12, b""),))


def serve_and_ask(take, outcomes):
    """In one function: a call that has no memory for its frame loses its arguments, as Python 3.11 does it."""
    server, client = _copal.open_host(), None
    outcomes.clear()
    try:
        client = _copal.open_host()
        uri = f"coap://127.0.0.1:{server.listen('127.0.0.1', 0)}/"
        server.add_handler("handler", answer)
        value = server.add_value("value", b"a", methods=2)
        server.add_attribute(value, b"rt", b"b")
        server.set_value(value, b"c" * 300)
        server.get_value(value), server.get_options(value), server.path(value), server.find("value")
        server.counters("server"), server.descriptors()
        for path in "handler", "value":
            request = client.request(take, _copal.peers(uri)[0], uri=uri + path, payload=b"asked")
            while not outcomes:
                client.step(0), server.step(0)
            error, ended, message = outcomes.pop()
            if error is not None:
                raise error
            assert ended and request.etag == b"" and message.code in (69, 160), message.code
            message.options, message.payload, message.peer, message.token
    finally:
        server.close()
        if client is not None:
            client.close()


def test_a_host_is_opened_serves_asks_and_is_closed():
    assert each_without_memory(serve_and_ask, with_outcomes) > 60


def test_a_call_that_waits_hears_that_there_was_no_memory_for_its_answer():
    """It raises, where it would wait for ever if the answer were dropped."""
    def prepare():
        server = _copal.open_host()
        server.add_value("value", b"a" * 3000, methods=2)
        port = server.listen("127.0.0.1", 0)
        client = _copal.open_host()
        uri = f"coap://127.0.0.1:{port}/value"
        return server, client, _copal.peers(uri)[0], uri, *with_outcomes()

    def ask(server, client, peer, uri, take, outcomes):
        request = client.request(take, peer, uri=uri)
        failures = 0
        while not outcomes:
            try:
                client.step(0), server.step(0)
            except MemoryError:
                failures += 1
        request.cancel()
        error, _, _ = outcomes.pop()
        if error is not None or failures:
            raise error or MemoryError

    assert each_without_memory(ask, prepare) > 3


def test_the_module_is_loaded():
    """Not in Python 3.13, which itself reads an entry of a dict that could not grow while it makes a type."""
    if sys.version_info >= (3, 13):
        return

    def load():
        module = importlib.util.module_from_spec(_copal.__spec__)
        _copal.__spec__.loader.exec_module(module)
        module.open_host().close()

    assert each_without_memory(load) > 50


def answer_in_pieces(write):
    """Every outcome of a request whose answer has three blocks."""
    server, client, outcomes = _copal.open_host(), _copal.open_host(), []
    try:
        server.add_value("value", b"a" * 3000, methods=2)
        uri = f"coap://127.0.0.1:{server.listen('127.0.0.1', 0)}/value"
        request = client.request(lambda *outcome: outcomes.append(outcome), _copal.peers(uri)[0], uri=uri, write=write)
        until(lambda: outcomes, client, server)
        for _ in range(3):
            client.step(0), server.step(0)
        request.cancel()
    finally:
        client.close(), server.close()
    return outcomes


def test_a_piece_that_cannot_be_written_ends_its_request():
    """A body with a gap would pass for a whole one."""
    taken = []

    def write(offset, piece):
        if offset == 1024:
            raise MemoryError("no room")
        taken.append(offset)

    [(error, ended, message)] = answer_in_pieces(write)
    assert (type(error), str(error), ended, message, taken) == (MemoryError, "no room", True, None, [0])


async def test_a_stream_that_loses_a_piece_raises(monkeypatch):
    write = copal.aio.client.Download._write

    def without_memory(self, offset, piece):
        if offset == 1024:
            raise MemoryError
        write(self, offset, piece)

    monkeypatch.setattr(copal.aio.client.Download, "_write", without_memory)
    server = copal.Server("127.0.0.1", 0)
    server.add_value("value", b"a" * 3000)
    async with server, copal.Client() as client:
        with pytest.raises(MemoryError):
            async for _ in client.stream(f"coap://127.0.0.1:{server.port}/value"):
                pass


def test_what_waits_behind_a_callback_that_raises_is_due_at_once():
    """Whoever turns the host would sleep beside it, until something else comes."""
    server, client, calls = _copal.open_host(), _copal.open_host(nstart=2), []

    def answer(call):
        calls.append(call)
        raise ValueError

    server.add_handler("handler", answer)
    uri = f"coap://127.0.0.1:{server.listen('127.0.0.1', 0)}/handler"
    requests = [client.request(lambda *_: None, _copal.peers(uri)[0], uri=uri, confirmable=False) for _ in range(2)]
    client.step(0)
    with pytest.raises(ValueError):
        until(lambda: calls, server)
    assert server.timeout() == 0
    with pytest.raises(ValueError):
        server.step(0)
    assert len(calls) == 2 and server.timeout() != 0
    for request in requests:
        request.cancel()
    client.close(), server.close()
