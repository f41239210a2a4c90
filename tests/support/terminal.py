"""A program whose standard output or standard error is a terminal."""
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading

from support.process import SECONDS, copal_binary, environment, until


def _collect(descriptor, into):
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # EIO: the other side of the terminal was closed
            break
        if not part:
            break
        into.append(part)


def copal_on_terminal(*arguments, streams=("stdout", "stderr"), env=None, prefix=()):
    """Runs the tool with `streams` on a terminal each, the others as pipes; returns (status, output, errors), as text
    with the terminal's line ends made plain ones. `prefix` is a command to run it by."""
    ends, parts, threads = {}, {}, []
    for name in ("stdout", "stderr"):
        reading, writing = pty.openpty() if name in streams else os.pipe()
        ends[name], parts[name] = (reading, writing), []
        threads.append(threading.Thread(target=_collect, args=(reading, parts[name])))
    process = subprocess.Popen([*prefix, copal_binary(), *arguments], stdin=subprocess.DEVNULL, stdout=ends["stdout"][1],
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


class OnTerminal:
    """The tool on a terminal of its own, at which somebody types. `output` is all it wrote so far, as on the wire."""

    def __init__(self, *arguments, columns=80, env=None):
        self._reading, writing = pty.openpty()
        fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._parts = []
        self._collector = threading.Thread(target=_collect, args=(self._reading, self._parts))

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([copal_binary(), *arguments], stdin=writing, stdout=writing, stderr=writing,
                                        env=environment(**(env or {})), preexec_fn=take_terminal)
        os.close(writing)
        self._collector.start()

    @property
    def output(self):
        return b"".join(self._parts).decode()

    def wait_for(self, text):
        until(lambda: text in self.output or self.process.poll() is not None)
        assert text in self.output, self.output

    def type(self, keys):
        os.write(self._reading, keys)

    def wait(self):
        """Its exit status, once all it wrote is there."""
        status = self.process.wait(SECONDS)
        self._collector.join()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        os.close(self._reading)
