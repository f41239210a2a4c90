"""copal's server for Python takes a body piece by piece from another's client."""
import asyncio

import aiocoap
import copal
import pytest

BODY = b"".join(b"%07d\n" % number for number in range(5_000))


@pytest.mark.parametrize("slow", [False, True])
def test_aiocoap_sends_a_body_as_fast_as_it_is_taken(slow):
    sizes = []

    async def upload():
        server = copal.Server("127.0.0.1", 0)

        @server.resource("up", methods="PUT", stream=True)
        async def take(request):
            async for piece in request.stream():
                sizes.append(len(piece))
                if slow and len(sizes) == 10:
                    await asyncio.sleep(0.3)  # longer than an acknowledgement waits for its answer
            return f"{sum(sizes)} octets"

        async with server:
            client = await aiocoap.Context.create_client_context()
            request = aiocoap.Message(code=aiocoap.PUT, uri=f"coap://127.0.0.1:{server.port}/up", payload=BODY)
            answer = await client.request(request).response
            await client.shutdown()
        return answer

    answer = asyncio.run(asyncio.wait_for(upload(), 120))
    assert (answer.code, answer.payload) == (aiocoap.CHANGED, b"40000 octets")
    assert sizes == [1024] * 39 + [64]
