#!/usr/bin/python3
"""A server under mixed load for SOAK_SECONDS (3600), in a network namespace of its own: `make soak`. GET, PUT, POST with
copies, files in blocks, observers, DTLS, Echo and multicast, by clients that come and go, at a fixed --memory. Every
exchange must end well, and the server's memory and descriptors must stay what they are once it has seen all."""
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.namespace import Host  # noqa: E402
from support.process import Program, Serve, copal_binary, environment  # noqa: E402
from support.udp import Relay  # noqa: E402

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
MEMORY = 8192  # KiB
KEY = ["--psk", "secret", "--identity", "us"]
TOLD = 2000  # characters of what a command said before it failed
PATIENCE = 60  # seconds; for what a busy machine takes


class SecureServe(Serve):
    SCHEME = "coaps"


class Soak:
    def __init__(self, place):
        self.place, self.ends = place, time.monotonic() + SECONDS
        self.failures, self.counts = [], collections.Counter()
        (place / "served").mkdir()
        self.plain = 5683  # where groups are asked
        self.server = SecureServe("--psk", "secret", "--also-plain", str(self.plain), "--dir", str(place / "served"),
                                  "--write", "-r", "value=0;ct=text;max-age=5;etag", "-r",
                                  "large=" + "0123456789" * 400, "--memory", f"{MEMORY}K", "--guard", "32K", "--discoverable")


    def over(self):
        return self.failures or time.monotonic() >= self.ends

    def ask(self, *arguments, expected=0):
        done = subprocess.run([copal_binary(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              env=environment(), timeout=2 * PATIENCE + 120)
        if done.returncode != expected:
            self.failures.append((arguments, done.returncode, done.stderr.decode()[-TOLD:]))
        self.counts[arguments[0]] += 1
        return done.stdout

    def uri(self, path, secure=False):
        return f"coaps://127.0.0.1:{self.server.port}/{path}" if secure else f"coap://127.0.0.1:{self.plain}/{path}"

    def expect(self, what, condition):
        if not condition:
            self.failures.append(what)

    # ---- what goes on

    def gets(self, secure):
        """Many requests from ports that are new in each round; large answers are challenged by Echo past the guard."""
        for path in ("value", "large"):
            outcome = self.ask("bench", *(KEY if secure else []), "--json", "--quiet", "--sockets", "4",
                               "--outstanding", "4", "--rate", "100", "--duration", "4", "--timeout", str(PATIENCE),
                               self.uri(path, secure))
            told = json.loads(outcome or b"{}")
            self.counts["answers"] += told.get("answers", 0)
            lost = [told.get(name) for name in ("time_outs", "resets", "unreachable", "sessions_lost",
                                                "other_failures")]
            self.expect(("bench", path, secure, lost), lost == [0] * 5)

    def values(self, draw):
        self.value = getattr(self, "value", 0) + 1
        self.ask("put", self.uri("value"), str(self.value), "-t", "text")
        time.sleep(draw.uniform(0, 0.3))

    def files(self, draw, name, secure):
        source, back = self.place / f"{name}.in", self.place / f"{name}.out"
        source.write_bytes(draw.randbytes(draw.randint(1, 100_000)))
        own = KEY if secure else []
        self.ask("put", *own, "-v", "-q", "-f", str(source), self.uri(name, secure))
        self.ask("get", *own, "-q", "-o", str(back), self.uri(name, secure))
        self.expect(("file", name), back.exists() and back.read_bytes() == source.read_bytes())
        self.ask("delete", *own, self.uri(name, secure))

    def posts(self, draw, relay):
        """Each makes one file, however often it comes."""
        text = str(draw.getrandbits(64))
        self.ask("post", f"{relay.uri}/posts", text)
        made = [file for file in (self.place / "served/posts").iterdir() if not file.name.startswith(".")]
        self.expect(("post", text, made), [file.read_text() for file in made] == [text])
        for file in made:
            self.ask("delete", self.uri(f"posts/{file.name}"))

    def observers(self, draw, secure):
        """They come, see states in order, and go."""
        out = self.ask("observe", *(KEY if secure else []), "--json", "--for", str(draw.randint(4, 12)),
                       self.uri("value", secure))
        states = [int(json.loads(line)["payload"]) for line in out.splitlines() if b'"payload"' in line]
        self.counts["states"] += len(states)
        self.expect(("observe", secure, states), states and states == sorted(states))

    def groups(self):
        out = self.ask("discover", "--interface", "lo", "--timeout", "8")
        self.expect(("discover", out), b"coap" in out)

    # ---- how the server is

    def size(self):
        """KiB that it has in memory, and its descriptors."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return resident, len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def repeat(self, act, *arguments):
        def loop():
            try:
                while not self.over():
                    act(*arguments)
            except Exception as error:
                self.failures.append((act.__name__, repr(error)))

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        return thread

    def run(self):
        (self.place / "served/posts").mkdir()
        sizes, draws = [], [random.Random(seed) for seed in range(8)]
        with self.server, Relay(self.plain, duplicate=0.6, loss=0.02, delay=(0.0, 0.02)) as relay:
            first = self.size()
            threads = [self.repeat(self.gets, False), self.repeat(self.gets, True), self.repeat(self.values, draws[0]),
                       self.repeat(self.files, draws[1], "a", False), self.repeat(self.files, draws[2], "b", True),
                       self.repeat(self.posts, draws[3], relay), self.repeat(self.observers, draws[4], False),
                       self.repeat(self.observers, draws[5], True), self.repeat(self.groups)]
            while not self.over():
                time.sleep(0.5)
                sizes.append(self.size())
            for thread in threads:
                thread.join()
            self.expect("the server answers at the end", self.ask("get", self.uri("value")) == str(self.value).encode())
            last = self.size()
        self.judge(first, last, sizes)

    def judge(self, first, last, sizes):
        """What it has in the last third is no more than what it had before; and descriptors none but at work."""
        two_thirds = 2 * len(sizes) // 3
        before, after = (max(size[0] for size in part) for part in (sizes[:two_thirds], sizes[two_thirds:]))
        print(f"{SECONDS:g} s: {dict(self.counts)}")
        print(f"KiB resident: {first[0]} at first, {before} in the first two thirds, {after} in the last; "
              f"descriptors: {first[1]} at first, {max(size[1] for size in sizes)} at work, {last[1]} at the end")
        self.expect(("memory", before, after), after <= before + 256 and after <= first[0] + MEMORY)
        self.expect(("descriptors", first, last), last[1] == first[1])
        if self.failures:
            sys.exit("\n".join(["failed:", *map(repr, self.failures)]))


def main():
    if "COPAL_SOAK_INSIDE" in os.environ:
        with tempfile.TemporaryDirectory() as place:
            Soak(Path(place)).run()
        return 0
    with Host() as host:
        return subprocess.run([*host.enter, sys.executable, __file__],
                              env=os.environ | {"COPAL_SOAK_INSIDE": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
