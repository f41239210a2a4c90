"""What the tests of the Python package share. The package is the one that the environment holds, built from a wheel."""
import asyncio
import functools

import pytest
from copal import _ask, _copal

from support.process import Serve


def on_a_loop(test):
    """A test that is a coroutine runs on a loop of its own, which must have nothing left to complain of."""
    @functools.wraps(test)
    def run(*arguments, **named):
        complaints = []

        async def watched():
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            await asyncio.wait_for(test(*arguments, **named), 120)

        asyncio.run(watched())
        assert not complaints
    return run


def pytest_collection_modifyitems(items):
    for item in items:
        if asyncio.iscoroutinefunction(getattr(item, "function", None)):
            item.obj = on_a_loop(item.obj)


@pytest.fixture
def tool():
    """The tool's server, with a few resources."""
    with Serve("--dynamic", "--resource", "temperature=21.5;ct=text;rt=sensor;etag",
               "--resource", 'doc={"a":1};ct=json;methods=get,put,post,patch,ipatch') as server:
        yield server


@pytest.fixture
def named(monkeypatch):
    """A resource's URI whose name has two addresses: nothing listens on the first."""
    with Serve("--resource", "t=1") as server:
        monkeypatch.setattr(_ask, "peers", lambda uri: tuple(_copal.peer(f"127.0.0.{i}", server.port) for i in (2, 1)))
        yield f"coap://localhost:{server.port}/t"
