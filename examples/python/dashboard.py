"""A dashboard: observes resources, and shows the newest state of each, a line a change.

    python examples/python/dashboard.py coap://192.0.2.7/temperature coap://192.0.2.8/humidity
"""
import asyncio
import sys

import copal


async def follow(client, uri):
    """Shows each state of a resource; goes on for ever, or until the server ends it."""
    try:
        async for state in client.observe(uri):
            print(f"{uri}  {state.text if state.is_success else state.code}", flush=True)
    except (copal.CopalError, OSError) as error:
        print(f"{uri}  {error}", flush=True)


async def main(uris):
    async with copal.Client() as client:
        await asyncio.gather(*(follow(client, uri) for uri in uris))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: dashboard.py URI...")
    try:
        asyncio.run(main(sys.argv[1:]))
    except KeyboardInterrupt:
        pass
