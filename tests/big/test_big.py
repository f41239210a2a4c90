"""1 GB through copal serve --dir, in little memory: `make big`. It takes a minute and 2 GB of disk, so `make test` leaves it out
and tests/tool/test_directory.py does the same with 20 MB."""
import os
import subprocess
import time

from support.process import Serve, copal_binary, environment

MEMORY = 16 * 1024  # KiB that the server and the client may have, each
PIECE = 10_000_000


def peak(pid):
    """The most memory that a process has had, in KiB; 0 once it has ended."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def make(path, size):
    with open(path, "wb") as file:
        for _ in range(size // PIECE):
            file.write(os.urandom(PIECE))


def run(*arguments):
    """Runs the tool; its own peak and its seconds."""
    began, most = time.monotonic(), 0
    with subprocess.Popen([copal_binary(), *map(str, arguments)], env=environment()) as process:
        while process.poll() is None:
            most = max(most, peak(process.pid))
            time.sleep(0.02)
    assert process.returncode == 0
    return most, time.monotonic() - began


def transfer(server, what, *arguments):
    client, seconds = run(*arguments)
    print(f"{what}: {seconds:.1f} s, at most {peak(server.process.pid)} KiB in the server, {client} KiB in the client")
    assert 0 < peak(server.process.pid) < MEMORY and 0 < client < MEMORY


def test_a_file_of_1_gb_comes_down_in_little_memory(tmp_path):
    (tmp_path / "served").mkdir()
    for megabytes in (100, 1000):
        source, copy = tmp_path / "served" / "a.bin", tmp_path / "copy.bin"
        make(source, megabytes * 1_000_000)
        with Serve("--dir", str(tmp_path / "served")) as server:
            transfer(server, f"{megabytes} MB down", "get", "-o", copy, f"{server.uri}/a.bin")
        subprocess.run(["cmp", source, copy], check=True)
        copy.unlink()
        source.unlink()


def test_a_file_of_40_mb_goes_up_in_little_memory(tmp_path):
    """Past 48 MB the client may have to wait for message IDs, some minutes for each 64 MB (RFC 7252 section 4.4)."""
    (tmp_path / "served").mkdir()
    make(tmp_path / "a.bin", 40_000_000)
    with Serve("--dir", str(tmp_path / "served"), "--write") as server:
        transfer(server, "40 MB up", "put", "-f", tmp_path / "a.bin", f"{server.uri}/a.bin")
    subprocess.run(["cmp", tmp_path / "a.bin", tmp_path / "served" / "a.bin"], check=True)
