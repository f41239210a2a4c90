"""`copal serve` under mutated messages: it answers as before, its sanitizers say nothing, and it takes no more memory. 6,000 datagrams
that are the same in each run; with FUZZ_SECONDS in the environment, others for so long (`make fuzz-server`)."""
import os
import random
import select
import socket
import time
from pathlib import Path

import pytest

from support import coap
from support.coap import Message
from support.process import Serve

SECONDS = int(os.environ.get("FUZZ_SECONDS") or 0)
COUNT = 6000
PATHS = ["value", "seen", "rooms/new", ".well-known/core", "file", "deep/file", "absent", ""]
OPTIONS = [(1, 8), (3, 10), (4, 8), (5, 0), (6, 3), (7, 2), (12, 2), (14, 4), (15, 20), (16, 1), (17, 2), (23, 3), (27, 3), (28, 4), (35, 20),
           (39, 6), (60, 4), (252, 40), (258, 1), (292, 8), (9, 20), (65001, 5)]


def draw_message(draw, mid):
    path = draw.choice(PATHS)
    options = [(coap.URI_PATH, segment.encode()) for segment in path.split("/") if path]
    for _ in range(draw.choice([0, 0, 1, 1, 2, 4])):
        number, most = draw.choice(OPTIONS)
        options.append((number, draw.randbytes(draw.randrange(most + 1))))
    if draw.random() < 0.3:  # a block that may well be one
        block = coap.uint(draw.randrange(4) << 4 | draw.randrange(16))
        options.append((draw.choice([coap.BLOCK1, coap.BLOCK2]), block))
    if draw.random() < 0.2:
        options.append((coap.OBSERVE, draw.choice([b"", b"\1"])))
    code = draw.choice([coap.GET, coap.GET, coap.PUT, coap.POST, coap.DELETE, coap.FETCH, coap.PATCH, coap.IPATCH, 0, 69, 255])
    return coap.encode(Message(draw.choice([0, 0, 1, 2, 3]), code, mid & 0xffff, draw.randbytes(draw.randrange(9)), options,
                               draw.choice([b"", b"1", b'{"a":1}', draw.randbytes(16), draw.randbytes(1024)])))


def mutate(draw, datagram):
    octets = bytearray(datagram)
    for _ in range(draw.choice([0, 1, 1, 2, 8])):
        where = draw.randrange(len(octets) + 1)
        what = draw.randrange(5)
        if what == 0 and where < len(octets):
            octets[where] ^= 1 << draw.randrange(8)
        elif what == 1 and where < len(octets):
            octets[where] = draw.randrange(256)
        elif what == 2:
            del octets[where:where + draw.randrange(1, 5)]
        elif what == 3:
            octets[where:where] = draw.randbytes(draw.randrange(1, 5))
        else:
            octets += octets[where:]
    return bytes(octets[:2000])


def take(sock):
    while select.select([sock], [], [], 0)[0]:
        sock.recv(65536)


def get(port, mid):
    """From a port of its own: asked again until it is answered, as a client does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        for _ in range(60):
            sock.send(coap.encode(Message(coap.CON, coap.GET, mid, b"alive", [(coap.URI_PATH, b"seen")])))
            if select.select([sock], [], [], 1)[0]:
                answer = coap.decode(sock.recv(65536))
                if answer.token == b"alive":
                    return answer
    raise AssertionError("it does not answer any more")


def resident(server):
    """Kilobytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.fixture(params=["tree", "directory"])
def server(request, tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("file", "deep/file"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 20)
    more = ["--dynamic"] if request.param == "tree" else ["--dir", str(tmp_path), "--write"]
    with Serve("--resource", "value=1;ct=json;etag;methods=get,put,post,delete,patch,ipatch", "--resource", "seen=yes;methods=get",
               *more, env={"ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=8"}) as server:
        yield server


def flood(server, draw, count):
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    for sock in socks:
        sock.connect(("127.0.0.1", server.port))
    for mid in range(count):
        sock = draw.choice(socks)
        sock.send(mutate(draw, draw_message(draw, mid // 3)))
        if mid % 50 == 0:
            assert get(server.port, mid & 0xffff).payload == b"yes"
            for each in socks:
                take(each)
    for sock in socks:
        sock.close()


def test_mutated_messages_harm_nothing(server):
    draw = random.Random(1 if not SECONDS else time.time_ns())
    flood(server, draw, COUNT // 2)  # tables fill, and stay as they are
    before, sent, end = resident(server), COUNT // 2, time.monotonic() + SECONDS
    while True:
        flood(server, draw, COUNT // 2)
        sent += COUNT // 2
        if time.monotonic() >= end:
            break
    grown = resident(server) - before
    print(f"{sent:,} datagrams, {grown} KiB more than after the first {COUNT // 2:,}")
    assert get(server.port, 1).payload == b"yes"
    assert grown < 64 * 1024  # what the sanitizer keeps; without it, 1 MiB of what was reserved is touched
