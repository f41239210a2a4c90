"""A program whose standard output or standard error is a terminal."""
import os
import pty
import subprocess
import threading

from support.process import SECONDS, copal_binary, environment


def _collect(descriptor, into):
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # EIO: the other side of the terminal was closed
            break
        if not part:
            break
        into.append(part)


def copal_on_terminal(*arguments, streams=("stdout", "stderr"), env=None):
    """Runs the tool with `streams` on a terminal each, the others as pipes; returns (status, output, errors), as text
    with the terminal's line ends made plain ones."""
    ends, parts, threads = {}, {}, []
    for name in ("stdout", "stderr"):
        reading, writing = pty.openpty() if name in streams else os.pipe()
        ends[name], parts[name] = (reading, writing), []
        threads.append(threading.Thread(target=_collect, args=(reading, parts[name])))
    process = subprocess.Popen([copal_binary(), *arguments], stdin=subprocess.DEVNULL, stdout=ends["stdout"][1],
                               stderr=ends["stderr"][1], env=environment(**(env or {})))
    for _, writing in ends.values():
        os.close(writing)
    for thread in threads:
        thread.start()
    status = process.wait(SECONDS)
    for thread in threads:
        thread.join()
    for reading, _ in ends.values():
        os.close(reading)
    out, err = (b"".join(parts[name]).decode().replace("\r\n", "\n") for name in ("stdout", "stderr"))
    assert status != 99, err
    return status, out, err
