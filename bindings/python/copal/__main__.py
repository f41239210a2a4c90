"""python -m copal run SCRIPT: runs a script for Pycom's boards, and goes on serving after its end, as a board does."""
from __future__ import annotations

import argparse
import io
import os
import signal
import socket
import sys
import time
from types import ModuleType
from typing import List, NoReturn, Optional

from . import pycom
from .pycom._state import current


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < 1e9:
        raise ValueError
    return seconds


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 0xffff:
        raise ValueError
    return port


# What argparse calls the types by when it complains.
_seconds.__name__, _port.__name__ = "number of seconds", "port"


def _parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m copal", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a script that says `from network import Coap`")
    run.add_argument("--for", dest="seconds", type=_seconds, metavar="SECONDS", help="end so long after the script's end")
    run.add_argument("--bind", metavar="ADDR", help="what WLAN.ifconfig() tells, in place of the machine's own address")
    run.add_argument("--port", type=_port, metavar="N", help="the port of Coap.init() where the script gives none")
    run.add_argument("script")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(script: str, source: bytes) -> None:
    main = ModuleType("__main__")
    main.__file__ = script
    sys.modules["__main__"] = main
    exec(compile(source, script, "exec", dont_inherit=True), main.__dict__)


def _serve(seconds: Optional[float]) -> None:
    """Until the time is over, or a signal's handler raises an exception. A sleep would miss a signal that comes just before
    it."""
    news, signals = socket.socketpair()
    signals.setblocking(False)
    signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while end is None or time.monotonic() < end:
            news.settimeout(None if end is None else max(0.001, end - time.monotonic()))
            try:
                news.recv(64)
            except socket.timeout:
                pass
    finally:
        signal.set_wakeup_fd(-1)


def main(arguments: Optional[List[str]] = None) -> int:
    """The exit status: 0, or what the script ended with; 2 where it cannot be read."""
    given = _parse(arguments)
    try:
        with open(given.script, "rb") as file:
            source = file.read()
    except OSError as error:
        print(f"python -m copal: {given.script}: {error.strerror}", file=sys.stderr)
        return 2
    if given.bind is not None:
        os.environ["COPAL_WLAN_IP"] = given.bind
    pycom.default_port = given.port
    sys.modules["network"] = pycom.module()
    sys.argv = [given.script, *given.arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(given.script))
    signal.signal(signal.SIGTERM, _terminated)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what callbacks print is told at once, and no line of theirs is amid another
        sys.stdout.reconfigure(line_buffering=True)
    try:
        _run(given.script, source)
        if current() is not None:
            sys.stdout.flush()
            _serve(given.seconds)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
