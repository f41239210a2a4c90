"""Programs under test: found, run to their end, or run beside a test and ended by their id."""
import os
import queue
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120  # for anything that is to happen; only a hang takes so long


def build(name="COPAL_BUILD"):
    return Path(os.environ.get(name, ROOT / ("build/asan" if name == "COPAL_ASAN_BUILD" else "build")))


def copal_binary(name="copal"):
    """The tool, sanitized where that build is there; or what is built beside it under another name."""
    sanitized = build("COPAL_ASAN_BUILD") / name
    return str(sanitized if sanitized.exists() else build() / name)


def environment(**more):
    """The environment of programs under test: nothing about colours, sanitizers with an exit status of their own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    sanitizers = {"ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "exitcode=99:print_stacktrace=1"}
    return kept | sanitizers | {"TERM": "xterm"} | more


def copal(*arguments, input=None, env=None, binary="copal"):
    """Runs the tool to its end; standard output as bytes, standard error as text."""
    done = subprocess.run([copal_binary(binary), *arguments], input=input if input is not None else b"", capture_output=True,
                          timeout=SECONDS, env=environment(**(env or {})))
    done.stderr = done.stderr.decode(errors="replace")
    assert done.returncode not in (99, -signal.SIGABRT, -signal.SIGSEGV), done.stderr
    return done


def until(condition):
    """Waits for something outside to come true; returns what it came to."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
    return value


class Program:
    """A program that runs beside the test. `lines` are those waited for so far, of both its streams."""

    def __init__(self, *command, env=None, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd=None):
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, cwd=cwd,
                                        env=environment(**(env or {})))
        self.lines = []
        self._fresh = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._fresh.put(line.decode(errors="replace").rstrip("\n"))
        self._fresh.put(None)

    def wait_for(self, pattern, seconds=SECONDS):
        """The match of the first line, from the first not waited for on, that holds `pattern`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._fresh.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            else:
                if line is None:
                    self._fresh.put(None)  # the end stays the end, for whoever asks next
            assert line is not None, f"{self.process.args} never said {pattern!r}, but {self.lines}"
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match

    def send(self, number):
        os.kill(self.process.pid, number)

    def end(self, number=signal.SIGTERM):
        """Ends it, and returns its status; what it said besides goes to `lines`."""
        if self.process.poll() is None:
            self.send(number)
        try:
            status = self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._reader.join()
        while (line := self._fresh.get()) is not None:
            self.lines.append(line)
        self._fresh.put(None)  # it may be ended twice
        self.process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.end()


class Serve(Program):
    """`copal serve` on a free port of 127.0.0.1, unless told otherwise."""
    SCHEME = "coap"
    BINARY = "copal"

    def __init__(self, *arguments, bind="127.0.0.1", port=0, **more):
        super().__init__(copal_binary(self.BINARY), "serve", "--bind", bind, "--port", str(port), *arguments, **more)
        try:
            self.uri = self.wait_for(rf"^listening on ({self.SCHEME}://\S+)$").group(1)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.port = int(self.uri.rsplit(":", 1)[1])

    def __exit__(self, *error):
        status = self.end()
        assert status == 0, (status, self.lines)
