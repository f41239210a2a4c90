"""The servers that the measurements compare, each with a value of 20 octets at /v, and a client of a few lines.

libcoap's is Debian's; what else is compared, `make bench-peers` installs: the servers of the interop tests, which are made with
aiocoap, Californium, go-coap and node-coap, and that in rust/, made with coap-rs.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
VALUE = b"01234567890123456789"
LIBCOAP = shutil.which("coap-server-notls") or shutil.which("coap-server")
CALIFORNIUM, GO, NODE, RUST = (BUILD / "peers" / name for name in ("californium", "go/server", "node", "rust"))
TRIES = 100


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def version(paths, pattern):
    """What the pattern, with one group, finds in the first of these names that has it; None."""
    return next((found[1] for path in sorted(paths) if (found := re.fullmatch(pattern, path.name))), None)


def peers(port):
    """Command lines of the servers that `make bench-peers` has installed, by name and version."""
    at = ["127.0.0.1", str(port)]
    aiocoap = version(BUILD.glob("venv/lib/*/site-packages/*"), r"aiocoap-(.+)\.dist-info")
    californium = version(CALIFORNIUM.glob("lib/*"), r"californium-core-(.+)\.jar")
    found = {}
    if aiocoap:
        found[f"aiocoap {aiocoap}"] = [BUILD / "venv/bin/python", ROOT / "tests/interop/aiocoap_server.py", *at]
    if californium:
        found[f"Californium {californium}"] = ["/usr/bin/java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
                                               f"{CALIFORNIUM}:{CALIFORNIUM}/lib/*", "CaliforniumServer", *at]
    if GO.exists():
        given = re.search(r"go-coap/v3 v(\S+)", (ROOT / "tests/interop/go/go.mod").read_text())
        found[f"go-coap {given[1]}"] = [GO, *at]
    if (NODE / "node_modules").exists():
        given = json.loads((NODE / "node_modules/coap/package.json").read_text())
        found[f"node-coap {given['version']}"] = ["node", NODE / "server.js", *at]
    if (RUST / "target/release/coap-server").exists():
        given = re.search(r'coap = \{ version = "=(\S+)"', (ROOT / "bench/rust/Cargo.toml").read_text())
        found[f"coap-rs {given[1]}"] = [RUST / "target/release/coap-server", *at]
    return found


def libcoap_version():
    said = subprocess.run([LIBCOAP, "-h"], capture_output=True, text=True)
    return re.search(r" v(\d\S+) -- ", said.stdout + said.stderr)[1]


def commands(port):
    """Command lines by name; libcoap's server is among them where it is installed."""
    found = {
        "echo": [BUILD / "bench/echo", str(port)],
        "copal": [BUILD / "copal", "serve", "--bind", "127.0.0.1", "--port", str(port),
                  "--resource", f"v={VALUE.decode()}"],
    }
    found["2 workers"] = [*found["copal"], "--workers", "2"]
    if LIBCOAP:
        found["libcoap"] = [LIBCOAP, "-A", "127.0.0.1", "-p", str(port), "-d", "10"]
    return found


def two_cores():
    """For the server, and for the loader; the same one where there is only one."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    return cores * 2 if len(cores) == 1 else cores


def cpu_seconds(process):
    """What all its threads have used so far."""
    threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in threads) / 1e9


def resident(process):
    """Octets of its memory that are there."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) * 1024


class Client:
    """One socket, one request at a time."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.2)
        self.address = ("127.0.0.1", port)
        self.id = 0

    def ask(self, method, after_path=b"", alive=lambda: True):
        """Sends a confirmable request for /v until its answer is there; returns the answer. Stops with the server."""
        self.id += 1
        message_id = self.id.to_bytes(2, "big")
        request = bytes([0x40, method]) + message_id + b"\xb1v" + after_path
        for _ in range(TRIES):
            if not alive():
                break
            self.socket.sendto(request, self.address)
            with contextlib.suppress(TimeoutError):
                while (answer := self.socket.recv(1500))[2:4] != message_id:
                    pass
                return answer
        raise TimeoutError(f"no answer from port {self.address[1]}")

    def get(self):
        answer = self.ask(1)
        if answer[1] != 0x45:
            raise ValueError(f"GET was answered {answer!r}")


@contextlib.contextmanager
def running(name, port, cores=(), prefix=(), command=None):
    """Runs a server, on these cores, until it answers; ends it afterwards. `command` in place of the usual one."""
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    process = subprocess.Popen([*prefix, *(command or commands(port)[name])], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=pin)
    try:
        client = Client(port)
        first = (3, b"\xff" + VALUE) if name == "libcoap" else (1,)
        client.ask(*first, alive=lambda: process.poll() is None)
        client.get()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
