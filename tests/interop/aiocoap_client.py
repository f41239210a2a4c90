"""A client made with aiocoap: takes one JSON object a line, asks, and answers with one, or with one for each state that
it observes; all at once, each from a port of its own."""
import asyncio
import json
import sys

import aiocoap
from aiocoap.numbers.codes import Code
from aiocoap.numbers.optionnumbers import OptionNumber

METHODS = {str(code).upper(): code for code in Code if code.is_request()}


def message_of(ask):
    message = aiocoap.Message(code=METHODS[ask["method"].upper()], uri=ask["uri"],
                              payload=bytes.fromhex(ask["payload"]),
                              transport_tuning=aiocoap.Unreliable if ask["non"] else aiocoap.Reliable)
    message.opt.content_format = ask["format"]
    message.opt.accept = ask["accept"]
    if ask["etag"] is not None:
        message.opt.etags = [bytes.fromhex(ask["etag"])]
    if ask["if_match"] is not None:
        message.opt.if_match = [bytes.fromhex(ask["if_match"])]
    message.opt.if_none_match = ask["if_none_match"]
    if ask["observe"]:
        message.opt.observe = 0
    for option in ask["options"]:
        message.opt.add_option(OptionNumber(option["number"]).create_option(decode=bytes.fromhex(option["value"])))
    return message


def say(ask, **told):
    print(json.dumps(told | {"id": ask["id"]}), flush=True)


def say_response(ask, response):
    say(ask, code=response.code.dotted, payload=response.payload.hex(), observe=response.opt.observe,
        etag=response.opt.etag and response.opt.etag.hex(), size2=response.opt.size2)


async def limit_blocks(context, message, szx):
    """Has bodies go both ways in blocks of 2^(szx + 4) octets."""
    await context.find_remote_and_interface(message)
    message.remote.maximum_block_size_exp = szx
    if not message.payload:
        message.opt.block2 = (0, False, szx)


async def follow(ask, observation, cancelled):
    """Says each state until somebody cancels, or the server does."""
    ended = asyncio.get_running_loop().create_future()
    observation.register_callback(lambda response: say_response(ask, response))
    observation.register_errback(ended.set_result)
    await asyncio.wait([ended, cancelled], return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        observation.cancel()


async def answer(ask, cancelled):
    context = await aiocoap.Context.create_client_context()
    try:
        message = message_of(ask)
        if ask["szx"] is not None:
            await limit_blocks(context, message, ask["szx"])
        request = context.request(message)
        say_response(ask, await request.response)
        if ask["observe"]:
            await follow(ask, request.observation, cancelled)
    except aiocoap.error.Error as error:
        say(ask, error=repr(error))
    finally:
        await context.shutdown()


async def main():
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)
    running = {}
    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            ask = json.loads(line)
            if "cancel" in ask:
                task, cancelled = running[ask["cancel"]]
                cancelled.set_result(None)
                task.add_done_callback(lambda _, ask=ask: say(ask))
            else:
                cancelled = loop.create_future()
                running[ask["id"]] = tasks.create_task(answer(ask, cancelled)), cancelled
        for task, _ in running.values():
            task.cancel()  # of what nobody waits for


asyncio.run(main())
