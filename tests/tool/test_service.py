"""copal serve as a service: signals, keys that are read again, and what a service manager hands over and is told."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from support import coap
from support.certificates import Certificates
from support.process import ROOT, SECONDS, Program, Serve, build, copal, copal_binary, environment


class SecureServe(Serve):
    SCHEME = "coaps"


def get(uri, *more):
    return copal("get", uri, *more)


def with_key(key, uri):
    return get(uri, "--psk", key, "--identity", "us")


# ---- the end

def part(sock, number, more, payload, message_id):
    """Sends a part of a body of blocks of 16 octets; the code of the answer."""
    block = bytes([number << 4 | more << 3])
    sock.send(coap.encode(coap.Message(coap.CON, coap.PUT, message_id, b"t", [(coap.URI_PATH, b"a"), (coap.BLOCK1, block)],
                                       payload)))
    return coap.decode(sock.recv(2048)).code


@pytest.fixture
def uploading():
    """A server, and a socket by which the first half of a body has come."""
    with Serve("--resource", "a=1") as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(SECONDS)
        sock.connect(("127.0.0.1", server.port))
        assert part(sock, 0, True, b"sixteen octets, ", 1) == 0x5f
        yield server, sock


def test_a_body_that_is_coming_in_may_come_whole_before_the_end(uploading):
    server, sock = uploading
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    assert part(sock, 1, False, b"and the end", 2) == 0x44
    assert server.end() == 0


def test_a_second_signal_ends_it_at_once(uploading):
    server, _ = uploading
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("a second signal: 1 messages and uploads under way are given up")
    assert server.end() == 0


def test_a_body_that_does_not_go_on_keeps_it_for_some_seconds_only(uploading):
    server, _ = uploading
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("five seconds are over: 1 messages and uploads under way are given up")
    assert server.end() == 0


# ---- keys

def test_keys_are_read_again_for_new_sessions_and_others_stay(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("us:one\n")
    with SecureServe("--psk-file", str(keys), "--resource", "a=1;ct=text") as server:
        uri = server.uri + "/a"
        with Program(copal_binary(), "observe", "--json", "--psk", "one", "--identity", "us", uri) as observer:
            observer.wait_for('"payload":"1"')
            keys.write_text("us:two\n")
            server.process.send_signal(signal.SIGHUP)
            server.wait_for("SIGHUP: new sessions are by the keys read now")
            assert copal("put", "--psk", "two", "--identity", "us", uri, "2").returncode == 0
            observer.wait_for('"payload":"2"')
        assert with_key("two", uri).stdout == b"2"
        assert with_key("one", uri).returncode == 3


def test_keys_that_cannot_be_read_leave_the_former_ones(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("us:one\n")
    with SecureServe("--psk-file", str(keys), "--resource", "a=1") as server:
        for bad in ("no colon\n", ""):
            keys.write_text(bad)
            server.process.send_signal(signal.SIGHUP)
            server.wait_for("SIGHUP: the keys there were stay in use")
            assert with_key("one", server.uri + "/a").stdout == b"1"


def hang_up(server, expected):
    server.send(signal.SIGHUP)
    server.wait_for(f"SIGHUP: {expected}")


def test_a_file_that_is_gone_is_named_and_its_key_stays_until_there_is_another(tmp_path):
    key = tmp_path / "key"
    key.write_text("one")
    with SecureServe("--psk", f"@{key}", "--resource", "a=1") as server:
        key.unlink()
        server.send(signal.SIGHUP)
        server.wait_for(re.escape(str(key)) + ".*No such file")
        server.wait_for("SIGHUP: the keys there were stay in use")
        assert with_key("one", server.uri + "/a").stdout == b"1"
        key.write_text("two")
        hang_up(server, "new sessions are by the keys read now")
        assert with_key("two", server.uri + "/a").stdout == b"1"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_a_certificate_and_its_key_are_read_again(made, tmp_path):
    shown, key = tmp_path / "shown.pem", tmp_path / "shown.key"

    def show(certificate, its):
        shutil.copy(made.file(certificate), shown)
        shutil.copy(made.file(its), key)

    def believed(authority):
        return get(server.uri + "/a", "--ca", made.file(authority)).stdout == b"1"

    show("server.pem", "server.key")
    with SecureServe("--cert", str(shown), "--key", str(key), "--resource", "a=1") as server:
        for bad in (("stranger.pem", "server.key"), ("server.pem", "server.pem"), ("server.key", "server.key")):
            show(*bad)
            hang_up(server, "the keys there were stay in use")
            assert believed("authority.pem")
        show("stranger.pem", "stranger.key")
        hang_up(server, "new sessions are by the keys read now")
        assert believed("stranger.pem") and not believed("authority.pem")


def test_whom_clients_are_to_be_signed_by_is_read_again(made, tmp_path):
    authority = tmp_path / "authority.pem"
    shutil.copy(made.file("authority.pem"), authority)

    def let_in(who):
        return get(server.uri + "/a", "--ca", made.file("authority.pem"), "--cert", made.file(who + ".pem"), "--key",
                   made.file(who + ".key")).stdout == b"1"

    with SecureServe("--cert", made.file("both.pem"), "--ca", str(authority), "--resource", "a=1") as server:
        assert let_in("client") and not let_in("stranger")
        shutil.copy(made.file("stranger.pem"), authority)
        hang_up(server, "new sessions are by the keys read now")
        assert let_in("stranger") and not let_in("client")


def test_without_keys_a_hangup_changes_nothing():
    with Serve("--resource", "a=1") as server:
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("there are no keys")
        assert get(server.uri + "/a").stdout == b"1"


# ---- a manager

def bound(number=1):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(number)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    return sockets


def handed(sockets, *arguments, names="", **more):
    """Runs `copal serve` with these sockets from descriptor 3 on, as a manager does."""
    shell = 'export LISTEN_PID=$$; exec "$@"'
    for at, sock in enumerate(sockets):
        shell = f"exec {at + 3}<&{sock.fileno()}; {shell}"
    env = environment(LISTEN_FDS=str(len(sockets)), **({"LISTEN_FDNAMES": names} if names else {}))
    return subprocess.Popen(["/bin/bash", "-c", shell, "sh", copal_binary(), "serve", *arguments], env=env,
                            pass_fds=[sock.fileno() for sock in sockets], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **more)


def test_it_serves_on_sockets_that_it_was_handed():
    sockets = bound(2)
    server = handed(sockets, "--resource", "a=1", "--psk", "key", names="coap:other")
    try:
        ports = [sock.getsockname()[1] for sock in sockets]
        assert server.stdout.readline() == f"listening on coap://127.0.0.1:{ports[0]}\n"
        assert server.stdout.readline() == f"listening on coaps://127.0.0.1:{ports[1]}\n"
        assert get(f"coap://127.0.0.1:{ports[0]}/a").stdout == b"1"
        assert with_key("key", f"coaps://127.0.0.1:{ports[1]}/a").stdout == b"1"
    finally:
        server.terminate()
        assert server.wait(SECONDS) == 0


def test_a_descriptor_that_is_no_datagram_socket_is_refused():
    with socket.socket() as stream, handed([stream]) as server:
        assert server.wait(SECONDS) == 1
        assert "descriptor 3, which was handed over: it is no bound socket" in server.stdout.read()


def test_what_was_handed_to_another_process_is_left_alone():
    env = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    with Serve("--resource", "a=1", env=env) as server:
        assert get(server.uri + "/a").stdout == b"1"


def test_where_sockets_are_handed_over_an_address_has_no_say():
    with handed(bound(), "--port", "0") as server:
        assert server.wait(SECONDS) == 2
        assert "have no say where sockets are handed over" in server.stdout.read()


def test_systemd_starts_it_when_something_comes():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    activate = ["systemd-socket-activate", "--datagram", "-l", f"127.0.0.1:{port}", copal_binary(), "serve", "-r", "a=1"]
    with Program(*activate) as server:
        server.wait_for("Listening on")
        assert get(f"coap://127.0.0.1:{port}/a").stdout == b"1"
        server.wait_for(f"listening on coap://127.0.0.1:{port}")


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told_when_it_is_ready_reads_keys_again_and_ends(tmp_path, abstract):
    path = f"@copal-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    (tmp_path / "keys").write_text("us:one\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path.replace("@", "\0", 1))
        manager.settimeout(SECONDS)
        with SecureServe("--psk-file", str(tmp_path / "keys"), env={"NOTIFY_SOCKET": path}) as server:
            assert manager.recv(64) == b"READY=1"
            server.process.send_signal(signal.SIGHUP)
            assert [manager.recv(64), manager.recv(64)] == [b"RELOADING=1", b"READY=1"]
        assert manager.recv(64) == b"STOPPING=1"


def units(tmp_path):
    """The units as they are installed, but for where the tool lies."""
    text = (ROOT / "packaging/copal.service.in").read_text()
    (tmp_path / "copal.service").write_text(text.replace("@CMAKE_INSTALL_FULL_BINDIR@/copal", str(build() / "copal")))
    (tmp_path / "copal.socket").write_text((ROOT / "packaging/copal.socket").read_text())
    return [str(tmp_path / "copal.service"), str(tmp_path / "copal.socket")]


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_the_service_well_confined(tmp_path):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", units(tmp_path)[0]],
                          capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure and float(exposure[1]) < 2, done.stdout + done.stderr
