"""Disks that are full, and files that may not grow: the client is told, and what was there stays."""
import subprocess

import pytest

from support.process import Program, copal, copal_binary
from support.upload import hidden

OLD, LARGE = b"old\n", b"0123456789abcdef" * 16384


class ServeBy(Program):
    """`copal serve` started by a shell's command that ends with it."""

    def __init__(self, prefix, script, place):
        serve = 'exec "$0" serve --dir "$1" --write --bind 127.0.0.1 --port 0'
        super().__init__(*prefix, "sh", "-c", f"{script} && {serve}", copal_binary(), str(place))
        self.uri = self.wait_for(r"^listening on (\S+)$").group(1)


def namespace():
    """How this machine lets mounts be made that nobody else sees."""
    for flags in ([], ["--user", "--map-root-user"]):
        if subprocess.run(["unshare", *flags, "--mount", "true"], capture_output=True).returncode == 0:
            return ["unshare", *flags, "--mount"]
    raise AssertionError("this machine lets nobody make mounts of his own, which this test needs")


def refuses(server, place, code, text):
    """A file that is small is taken, one that is large is not, and the small one stays; again and again."""
    (place.parent / "old").write_bytes(OLD)
    (place.parent / "large").write_bytes(LARGE)
    assert copal("put", f"{server.uri}/file", "-f", str(place.parent / "old")).returncode == 0
    for _ in range(5):
        done = copal("put", f"{server.uri}/file", "-f", str(place.parent / "large"))
        assert done.returncode == 1 and done.stderr.startswith(code) and text in done.stderr, done.stderr
        assert copal("get", f"{server.uri}/file").stdout == OLD
    assert copal("put", f"{server.uri}/other", "-f", str(place.parent / "old")).returncode == 0


@pytest.fixture
def place(tmp_path):
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


def test_a_full_disk_refuses_what_does_not_fit_and_keeps_what_is_there(place):
    with ServeBy(namespace(), 'mount -t tmpfs -o size=64k tmpfs "$1"', place) as server:
        refuses(server, place, "5.03", "no space is left on the server's disk")


def test_a_limit_for_files_does_not_end_the_server(place):
    with ServeBy([], "ulimit -f 16", place) as server:
        refuses(server, place, "4.13", "too large for the server's disk")
        assert hidden(place) == []
