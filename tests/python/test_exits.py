"""Interpreters that end, however they do, while datagrams flood in: no crash, no hang, nothing left behind.
COPAL_EXITS says how often each way is tried."""
import os
import random
import socket
import subprocess
import sys
import threading
import time

import pytest

from support.process import SECONDS
from support.udp import free_port

TIMES = int(os.environ.get("COPAL_EXITS", "3"))

AIO = """
import asyncio, copal, os, signal, sys
async def main():
    server = copal.Server("127.0.0.1", {port})
    server.add_value("v", "1", methods="GET PUT")
    @server.resource("f", methods="GET PUT", observable=True)
    async def function(request):
        await asyncio.sleep(0)
        return "x"
    await server.start()
    client = copal.Client()
    asking = [asyncio.create_task(client.get("coap://127.0.0.1:{port}/f")) for _ in range(20)]
    observing = client.observe("coap://127.0.0.1:{port}/v")
    asking.append(asyncio.create_task(observing.__anext__()))
    print("begun", flush=True)
    await asyncio.sleep({delay})
    {end}
try:
    asyncio.run(main(), debug=False)  # a traceback of each task would take most of the time
except KeyboardInterrupt:
    pass
"""

PYCOM = """
import os, signal, sys, time
from copal.pycom import Coap
Coap.init("127.0.0.1", port={port}, dynamic_resources=True)
Coap.register_new_resource_handler(lambda resource: resource.value())
Coap.register_response_handler(lambda *arguments: None)
Coap.add_resource("v", value="1").callback(Coap.REQUEST_GET | Coap.REQUEST_PUT, True)
session = Coap.new_client_session("127.0.0.1", port={port})
for _ in range(20):
    session.send_request(Coap.REQUEST_GET, uri_path="v")
print("begun", flush=True)
try:
    time.sleep({delay})
    {end}
except KeyboardInterrupt:
    pass
"""

ENDS = {
    "falls off its end": "pass",
    "exits": "sys.exit(0)",
    "exits at once": "os._exit(0)",
    "is interrupted": "os.kill(os.getpid(), signal.SIGINT); SLEEP(60)",
    "closes all it has, and has no thread left": """CLOSE
    while len(os.listdir("/proc/self/task")) > 1:
        SLEEP(0.01)""",
}
CLOSE = {
    "asyncio": """[task.cancel() for task in asking]
    await asyncio.wait(asking)
    await client.close()
    await server.close()""",
    "network.Coap": "Coap.deinit()",
}


def flood(port, stop):
    datagrams = [b"\x40\x01%b\xb1v", b"\x40\x01%b\xb1f", b"\x40\x03%b\xb1n\xff1", b"\x50\x01%b\x60\x51f", b"\xff%b", b"\x70\x00%b"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        while not stop.is_set():
            try:
                sender.send(random.choice(datagrams) % os.urandom(2))
            except OSError:
                time.sleep(0.001)  # nobody listens yet, or any more


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("script", ["asyncio", "network.Coap"])
def test_an_interpreter_ends_under_a_flood(script, end):
    source, sleep = (AIO, "await asyncio.sleep") if script == "asyncio" else (PYCOM, "time.sleep")
    ending = ENDS[end].replace("CLOSE", CLOSE[script]).replace("SLEEP", sleep)
    for _ in range(TIMES):
        port, stop = free_port(), threading.Event()
        flooding = threading.Thread(target=flood, args=(port, stop))
        flooding.start()
        try:
            text = source.format(port=port, delay=random.random() / 20, end=ending)
            done = subprocess.run([sys.executable, "-X", "dev", "-W", "ignore", "-c", text], capture_output=True, text=True,
                                  timeout=SECONDS)
        finally:
            stop.set()
            flooding.join()
        assert done.returncode == 0 and done.stdout == "begun\n", (done.returncode, done.stdout, done.stderr)
