"""copal.Server, asyncio's, asked by a plain socket."""
import asyncio
import contextlib
import errno
import logging

import copal
import pytest
from copal.aio.server import mask_of

from support import coap
from support.client import Client
from support.coap import ACCEPT, ACK, BLOCK1, BLOCK2, CON, CONTENT_FORMAT, ETAG, MAX_AGE, OBSERVE, RST, Message, code, uint
from support.udp import free_port


@contextlib.asynccontextmanager
async def asked(server):
    """Runs the server, and gives a function that asks it in a thread: ask("get", "path", ...)."""
    async with server:
        with Client(server.port) as client:
            loop = asyncio.get_running_loop()

            def ask(method, *arguments, **named):
                return loop.run_in_executor(None, lambda: getattr(client, method)(*arguments, **named))

            yield ask


@pytest.fixture
def server():
    return copal.Server("127.0.0.1", 0)


async def test_a_value_answers_with_its_properties(server):
    value = server.add_value("a/b", "x", content_format="json", max_age=7, etag=True, methods="GET PUT DELETE",
                             attributes={"rt": "sensor", "title": "a b"})
    async with asked(server) as ask:
        answer = await ask("get", "a/b")
        assert (answer.code, answer.payload) == (code("2.05"), b"x")
        assert answer.options == [(ETAG, b"\x01"), (CONTENT_FORMAT, b"2"), (MAX_AGE, b"\x07")]
        assert (await ask("put", "a/b", b"y")).code == code("2.04")
        assert value.value == b"y" and value.text == "y" and value.path == "a/b"
        value.value = "z"
        assert (await ask("get", "a/b")).payload == b"z"
        assert (await ask("post", "a/b")).code == code("4.05")
        assert (await ask("get", ".well-known/core")).payload == b'</a/b>;ct=50;rt=sensor;title="a b";obs'
        assert (await ask("delete", "a/b")).code == code("2.02")
        with pytest.raises(copal.Gone):
            value.value


async def test_a_put_creates_where_that_is_allowed():
    async with asked(copal.Server("127.0.0.1", 0, dynamic=True)) as ask:
        assert (await ask("put", "new", b"1")).code == code("2.01")
    server = copal.Server("127.0.0.1", 0)
    async with asked(server) as ask:
        assert (await ask("put", "new", b"1")).code == code("4.04")
    assert server._host.closed


async def test_values_are_found_and_removed(server):
    server.add_value("a", "1")
    assert server.find("a").value == b"1" and server.find("b") is None
    with pytest.raises(copal.Exists):
        server.add_value("a")
    async with asked(server) as ask:
        server.find("a").remove()
        assert (await ask("get", "a")).code == code("4.04")


@pytest.mark.parametrize("answer, expected, payload, options", [
    ("text", "2.05", b"text", [(CONTENT_FORMAT, b"")]),
    (b"octets", "2.05", b"octets", []),
    (None, "2.05", b"", []),
    (copal.Code.NOT_FOUND, "4.04", b"", []),
    (copal.Response(copal.Code.CONTENT, "{}", content_format="json", max_age=0, etag=b"e", options=[(2048, b"o")]), "2.05",
     b"{}", [(ETAG, b"e"), (CONTENT_FORMAT, b"2"), (MAX_AGE, b""), (2048, b"o")]),
])
async def test_what_a_function_returns_is_the_answer(server, answer, expected, payload, options):
    server.resource("f")(lambda request: answer)

    async def later(request):
        return answer

    server.resource("c")(later)
    async with asked(server) as ask:
        for path in "fc":
            response = await ask("get", path)
            assert (response.type, response.code, response.payload) == (ACK, code(expected), payload)
            assert response.options == options


async def test_done_has_a_code_for_each_method(server):
    server.resource("f", methods="GET POST PUT DELETE FETCH PATCH IPATCH")(lambda request: None)
    async with asked(server) as ask:
        codes = [(await ask("ask", method, "f")).code for method in range(1, 8)]
    assert codes == [code(text) for text in ("2.05", "2.04", "2.04", "2.02", "2.05", "2.04", "2.04")]


async def test_a_function_sees_all_of_the_request(server):
    seen = []

    @server.resource("f", methods=("POST", copal.Code.FETCH), subtree=True)
    def function(request):
        seen.append(request)

    async with asked(server) as ask:
        await ask("post", "f/a b", b"body", (CONTENT_FORMAT, b"2"), (15, b"x=1"), (15, b"y"), (ACCEPT, b"\x3c"))
        assert (await ask("get", "f")).code == code("4.05")
    [request] = seen
    assert (request.method, request.path, request.query) == (copal.Code.POST, "f/a b", ["x=1", "y"])
    assert (request.payload, request.content_format, request.accept, request.notification) == (b"body", 50, 60, False)
    assert request.peer[0] == "127.0.0.1" and request.type == copal.Type.CON and function(request) is None


async def test_a_body_in_blocks_comes_whole_and_one_that_is_too_large_not_at_all(server):
    server.resource("f", methods="PUT", body_size=3000)(lambda request: f"{len(request.payload)}")
    async with server, copal.Client() as client:
        uri = f"coap://127.0.0.1:{server.port}/f"
        assert (await client.put(uri, b"x" * 3000)).text == "3000"
        assert (await client.put(uri, b"x" * 3001)).code == copal.Code.REQUEST_ENTITY_TOO_LARGE


async def test_an_answer_of_any_size_goes_in_blocks(server):
    server.resource("f")(lambda request: b"x" * 5000)
    async with server, copal.Client() as client:
        assert (await client.get(f"coap://127.0.0.1:{server.port}/f")).payload == b"x" * 5000


async def test_a_slow_answer_is_a_message_of_its_own(server):
    release = asyncio.Event()

    @server.resource("slow")
    async def slow(request):
        await release.wait()
        return "done"

    async with asked(server) as ask:
        empty = await ask("ask", coap.GET, "slow")
        assert (empty.type, empty.code) == (ACK, 0)
        release.set()
        answer = await ask("receive")
        assert (answer.type, answer.code, answer.payload) == (CON, code("2.05"), b"done")
        await ask("send", coap.encode(Message(ACK, 0, answer.mid)))


async def test_an_error_that_is_raised_is_the_answer(server, caplog):
    @server.resource("refuses")
    def refuses(request):
        raise copal.ResponseError(copal.Code.FORBIDDEN, "not you")

    @server.resource("fails")
    async def fails(request):
        raise KeyError("oops")

    @server.resource("nonsense")
    def nonsense(request):
        return 5

    async with asked(server) as ask:
        answer = await ask("get", "refuses")
        assert (answer.code, answer.payload) == (code("4.03"), b"not you")
        assert not caplog.records
        assert (await ask("get", "fails")).code == code("5.00")
        assert (await ask("get", "nonsense")).code == code("5.00")
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert caplog.records[0].exc_info[0] is KeyError


async def test_those_who_observe_a_value_are_told(server):
    value = server.add_value("v", "1")
    async with asked(server) as ask:
        first = await ask("get", "v", (OBSERVE, b""))
        assert first.payload == b"1" and first.all(OBSERVE)
        value.value = "2"
        told = await ask("receive")
        assert told.payload == b"2" and told.all(OBSERVE)


async def test_those_who_observe_a_function_are_told_what_it_says_then(server):
    state = {"now": "1", "notifications": 0}

    @server.resource("f", observable=True)
    async def function(request):
        state["notifications"] += request.notification
        return state["now"]

    async with asked(server) as ask:
        first = await ask("get", "f", (OBSERVE, b""))
        assert first.payload == b"1" and first.all(OBSERVE)
        state["now"] = "2"
        function.changed()
        told = await ask("receive")
        assert told.payload == b"2" and told.all(OBSERVE) and state["notifications"] == 1
        await ask("send", coap.encode(Message(RST, 0, told.mid)))
        state["now"] = "3"
        function.changed()
        assert (await ask("get", "f")).payload == b"3"
        assert state["notifications"] == 1


async def test_a_handler_that_is_removed_is_there_no_more(server):
    function = server.resource("f", observable=True)(lambda request: "x")
    async with asked(server) as ask:
        await ask("get", "f", (OBSERVE, b""))
        function.remove()
        assert (await ask("receive")).code == code("4.04")
        assert (await ask("get", "f")).code == code("4.04")
        with pytest.raises(copal.Gone):
            function.changed()


async def test_closing_cancels_handlers_that_are_at_work(server):
    ended = []

    @server.resource("f")
    async def function(request):
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(request.path)

    async with asked(server) as ask:
        await ask("get", "f")
    assert ended == ["f"]


async def test_an_answer_that_is_never_given_is_5_00(server):
    server._host.add_handler("f", lambda call: None)
    async with asked(server) as ask:
        assert (await ask("get", "f")).code == code("5.00")


async def test_a_port_that_is_taken_is_an_os_error(server):
    async with server:
        with pytest.raises(OSError):
            await copal.Server("127.0.0.1", server.port).start()


@pytest.mark.parametrize("arguments", [{"methods": "GET NONSENSE"}, {"methods": (0,)}, {"max_age": -2}, {"content_format": 65536}])
def test_bad_properties_are_refused(server, arguments):
    with pytest.raises(copal.InvalidArgument):
        server.add_value("v", **arguments)
    assert server.find("v") is None


@pytest.mark.parametrize("attributes", [{"rt": "x", "a b": "c"}, {"rt": 5}])
def test_a_resource_whose_attributes_are_refused_is_not_there(server, attributes):
    for _ in range(2):
        with pytest.raises((copal.InvalidArgument, TypeError)):
            server.add_value("v", attributes=attributes)
        with pytest.raises((copal.InvalidArgument, TypeError)):
            server.resource("v", attributes=attributes)(lambda request: None)
    assert server.find("v") is None


def test_methods_may_have_commas_between(server):
    assert mask_of("GET,PUT, delete") == mask_of("GET PUT DELETE") == mask_of((1, "put", copal.Code.DELETE))


def test_a_number_is_no_value_where_octets_must_be(server):
    """bytes(22) would be 22 zeros."""
    value = server.add_value("v", "1")
    with pytest.raises(TypeError, match="int where text or octets must be"):
        value.value = 22
    with pytest.raises(TypeError):
        server.add_value("w", 22)
    assert value.text == "1" and server.find("w") is None
    value.value = bytearray(b"2")
    assert value.text == "2"


@pytest.mark.parametrize("arguments, error", [
    ({"payload": 5}, TypeError), ({"content_format": 65536}, ValueError), ({"max_age": -1}, ValueError),
    ({"max_age": 1 << 32}, ValueError), ({"etag": b""}, ValueError), ({"etag": b"123456789"}, ValueError),
    ({"etag": 5}, TypeError), ({"options": [(65536, b"")]}, ValueError), ({"options": [(2048, 5)]}, TypeError)])
def test_a_response_that_no_message_can_be_is_refused(arguments, error):
    with pytest.raises(error):
        copal.Response(copal.Code.CONTENT, **arguments)


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_out_of_range_is_refused(port):
    with pytest.raises(copal.InvalidArgument, match=f"port is a number from 0 to 65535, not {port}"):
        copal.Server("127.0.0.1", port)


async def test_a_name_is_not_listened_on():
    with pytest.raises(copal.InvalidArgument, match="'localhost' is no address"):
        await copal.Server("localhost", 0).start()


async def test_serving_for_ever_begins_where_nobody_has_begun(server):
    server.add_value("v", "1")
    serving = asyncio.create_task(server.serve_forever())
    while server.port == 0:
        await asyncio.sleep(0.01)
    async with copal.Client() as client:
        assert (await client.get(f"coap://127.0.0.1:{server.port}/v")).text == "1"
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(RuntimeError, match="closed"):
        await server.serve_forever()


@pytest.mark.parametrize("answer", [copal.Code.POST, copal.Response(205, "x"), copal.ResponseError(1000), "\udc80", 5,
                                    copal.Response(copal.Code.CONTENT, options=[(2048, b"x" * 2000)])])
async def test_what_no_response_can_be_is_5_00(server, caplog, answer):
    def say(request):
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def later(request):
        await asyncio.sleep(0)
        return say(request)

    async def stream(request):
        async for _ in request.stream():
            pass
        return say(request)

    for path, function in {"f": say, "c": later, "s": stream}.items():
        server.resource(path, methods="PUT", stream=path == "s")(function)
    async with asked(server) as ask:
        assert [(await ask("put", path, b"x")).code for path in "fcs"] == [code("5.00")] * 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3


async def test_a_payload_that_is_not_what_it_is_taken_for_is_4_00(server, caplog):
    server.resource("text", methods="POST")(lambda request: request.text)
    server.resource("json", methods="POST")(lambda request: str(request.json()["a"]))
    async with asked(server) as ask:
        assert (await ask("post", "text", b"gr\xc3\xbcn")).payload == "grün".encode()
        assert (await ask("post", "json", b'{"a":1}')).payload == b"1"
        answer = await ask("post", "text", b"\xff")
        assert (answer.code, answer.payload) == (code("4.00"), b"the payload is no text")
        for payload in b"{", b"\xff", b"[" * 1000:
            answer = await ask("post", "json", payload)
            assert (answer.code, answer.payload) == (code("4.00"), b"the payload is no JSON")
        assert not caplog.records


async def test_a_value_may_be_set_in_another_thread(server):
    """Where asyncio is to say what is wrong, too."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    value = server.add_value("v", "1")
    async with server, copal.Client() as client:
        async with client.observe(f"coap://127.0.0.1:{server.port}/v") as states:
            assert (await states.__anext__()).text == "1"
            await loop.run_in_executor(None, setattr, value, "value", "2")
            assert (await states.__anext__()).text == "2"


async def test_a_request_in_blocks_from_a_plain_client_is_put_together(server):
    server.resource("f", methods="PUT")(lambda request: request.payload)
    async with asked(server) as ask:
        first = await ask("put", "f", b"a" * 16, (BLOCK1, uint(0 << 4 | 8)))
        assert first.code == code("2.31")
        last = await ask("put", "f", b"b", (BLOCK1, uint(1 << 4)))
        assert (last.code, last.payload) == (code("2.04"), b"a" * 16 + b"b")
        assert not last.all(BLOCK2)


async def test_a_server_that_cannot_be_discovered_does_not_listen():
    """As where no interface does multicast."""
    class Alone:
        def __init__(self, host):
            self.host = host

        def discoverable(self):
            raise OSError(errno.ENODEV, "no interface that does multicast")

        def __getattr__(self, name):
            return getattr(self.host, name)

    port = free_port()
    failing = copal.Server("127.0.0.1", port, discoverable=True)
    failing._host = Alone(failing._host)
    with pytest.raises(OSError):
        await failing.start()
    async with copal.Server("127.0.0.1", port):
        pass


async def test_what_was_counted_is_told(server):
    server.add_value("a", "x")
    async with asked(server) as ask:
        await ask("get", "a")
        await ask("get", "nowhere")
        told = server.counters
        assert (told["requests_get"], told["answers_2xx"], told["answers_4xx"], told["observers"]) == (2, 1, 1, 0)
    with pytest.raises(RuntimeError):
        server.counters
