"""A client made with aiocoap: takes one JSON object a line, asks, and answers with one; all at once, each from a port
of its own."""
import asyncio
import json
import sys

import aiocoap
from aiocoap.numbers.codes import Code


def message_of(ask):
    message = aiocoap.Message(code=Code[ask["method"].upper()], uri=ask["uri"], payload=bytes.fromhex(ask["payload"]),
                              transport_tuning=aiocoap.Unreliable if ask["non"] else aiocoap.Reliable)
    message.opt.content_format = ask["format"]
    message.opt.accept = ask["accept"]
    if ask["etag"] is not None:
        message.opt.etags = [bytes.fromhex(ask["etag"])]
    if ask["if_match"] is not None:
        message.opt.if_match = [bytes.fromhex(ask["if_match"])]
    message.opt.if_none_match = ask["if_none_match"]
    return message


async def answer(line):
    ask = json.loads(line)
    context = await aiocoap.Context.create_client_context()
    try:
        response = await context.request(message_of(ask)).response
        told = {"code": response.code.dotted, "payload": response.payload.hex(),
                "etag": response.opt.etag and response.opt.etag.hex()}
    except aiocoap.error.Error as error:
        told = {"error": repr(error)}
    finally:
        await context.shutdown()
    print(json.dumps(told | {"id": ask["id"]}), flush=True)


async def main():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)
    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            tasks.create_task(answer(line))


asyncio.run(main())
