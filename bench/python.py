"""copal for Python beside aiocoap, in one run: build/venv/bin/python bench/python.py [SECONDS]

As a server: answers per second to the loader, for a value (aiocoap has none: the same function) and for a function.
As a client: requests per second to copal's tool, one at a time and 64 at once. Memory: what a server grows by, per peer, when
10,000 of them have asked.
"""
import asyncio
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from servers import BUILD, Client, free_port, running

VALUE = b"01234567890123456789"
PEERS = 10_000


async def serve_copal(port, function):
    import copal

    server = copal.Server("127.0.0.1", port)
    if function:
        server.resource("v")(lambda request: VALUE)
    else:
        server.add_value("v", VALUE)
    async with server:
        await server.serve_forever()


async def serve_aiocoap(port, function):
    import aiocoap.resource

    class Value(aiocoap.resource.Resource):
        async def render_get(self, request):
            return aiocoap.Message(payload=VALUE)

    site = aiocoap.resource.Site()
    site.add_resource(["v"], Value())
    await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port), transports=["udp6"])
    await asyncio.get_running_loop().create_future()


async def ask_copal(uri, at_once, seconds):
    import copal

    async with copal.Client() as client:
        return await count(lambda: client.get(uri), at_once, seconds)


async def ask_aiocoap(uri, at_once, seconds):
    import aiocoap

    context = await aiocoap.Context.create_client_context(transports=["udp6"])
    return await count(lambda: context.request(aiocoap.Message(code=aiocoap.GET, uri=uri)).response, at_once, seconds)


async def count(ask, at_once, seconds):
    done, end = 0, time.monotonic() + seconds

    async def work():
        nonlocal done
        while time.monotonic() < end:
            await ask()
            done += 1

    await asyncio.gather(*(work() for _ in range(at_once)))
    return done / seconds


def start(kind, port, function):
    process = subprocess.Popen([sys.executable, __file__, "serve", kind, str(port), "function" * function],
                               stderr=subprocess.DEVNULL)
    client = Client(port)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.get()
            return process
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{kind} does not answer")


def as_server(kind, function, seconds):
    port = free_port()
    process = start(kind, port, function)
    try:
        load = subprocess.run([BUILD / "bench/load", str(port), "v", "8", "16", str(seconds)], capture_output=True, text=True)
        return int(re.match(r"(\d+) answers/s", load.stdout)[1])
    finally:
        process.kill()
        process.wait()


def resident(process):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) * 1024


def memory(kind):
    """Each peer is a socket; the answer is waited for."""
    port = free_port()
    process = start(kind, port, True)
    try:
        before = resident(process)
        for number in range(PEERS):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.settimeout(5)
                peer.bind((f"127.{1 + number // 250}.0.{1 + number % 250}", 0))
                peer.sendto(b"\x40\x01" + number.to_bytes(2, "big") + b"\xb1v", ("127.0.0.1", port))
                peer.recv(100)
        return (resident(process) - before) / PEERS
    finally:
        process.kill()
        process.wait()


def main(seconds):
    kinds = ("copal", "aiocoap")
    rows = [("server, value: answers/s", [as_server("copal", False, seconds), as_server("aiocoap", False, seconds)]),
            ("server, function: answers/s", [as_server(kind, True, seconds) for kind in kinds])]
    port = free_port()
    with running("copal", port):
        for name, at_once in (("client, one at a time: requests/s", 1), ("client, 64 at once: requests/s", 64)):
            rows.append((name, [asyncio.run(globals()[f"ask_{kind}"](f"coap://127.0.0.1:{port}/v", at_once, seconds))
                                for kind in kinds]))
    rows.append(("octets for each of 10,000 peers", [memory(kind) for kind in kinds]))
    print(f"{'':36}{'copal':>10}{'aiocoap':>10}{'ratio':>8}")
    for name, (ours, theirs) in rows:
        print(f"{name:36}{ours:10.0f}{theirs:10.0f}{ours / theirs if theirs else 0:8.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(globals()[f"serve_{sys.argv[2]}"](int(sys.argv[3]), bool(sys.argv[4])))
    else:
        main(float(sys.argv[1]) if sys.argv[1:] else 3)
