"""coaps: what serves and what asks with a pre-shared key, from options, files and the environment."""
import shutil
import socket

import pytest

from support import coap
from support.process import Program, Serve, copal, copal_binary
from support.udp import free_port

KEY = ["--psk", "secret", "--identity", "us"]


class SecureServe(Serve):
    SCHEME = "coaps"


@pytest.fixture
def server():
    with SecureServe("--psk", "secret", "--resource", "a=hello;ct=text", "--dynamic") as server:
        yield server


def test_what_is_served_with_a_key_is_had_with_it(server):
    done = copal("get", *KEY, server.uri + "/a")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", "2.05 Content\n")


def test_every_command_asks_over_a_session(server):
    uri = server.uri
    assert copal("put", *KEY, uri + "/b", "1").stderr == "2.01 Created\n"
    assert copal("post", *KEY, uri + "/b", "2").stderr == "2.04 Changed\n"
    assert copal("put", *KEY, uri + "/j", '{"a":1}', "-t", "json").returncode == 0
    assert copal("fetch", *KEY, uri + "/j").stderr.startswith("4.05")
    assert copal("patch", *KEY, "-t", "merge-patch+json", uri + "/j", '{"a":2}').stderr.startswith("4.05")
    assert copal("delete", *KEY, uri + "/j").stderr == "2.02 Deleted\n"
    assert b"</a>;ct=0;obs" in copal("discover", *KEY, uri).stdout
    assert "answered in" in copal("ping", *KEY, uri).stdout.decode()
    assert copal("observe", *KEY, "--count", "1", uri + "/b").stdout == b"2\n"


def test_a_large_payload_goes_and_comes_through_a_session(server, tmp_path):
    content = bytes(range(256)) * 400
    (tmp_path / "in").write_bytes(content)
    assert copal("put", *KEY, server.uri + "/large", "-f", str(tmp_path / "in")).returncode == 0
    assert copal("get", *KEY, server.uri + "/large", "-o", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out").read_bytes() == content


def test_observe_is_told_of_changes_through_its_session(server):
    with Program(copal_binary(), "observe", *KEY, "--json", server.uri + "/a") as observer:
        observer.wait_for('"payload":"hello"')
        copal("put", *KEY, server.uri + "/a", "news")
        observer.wait_for('"payload":"news"')


def test_observe_goes_on_when_the_server_is_away_for_longer_than_a_session():
    resource = ["--resource", "a={};ct=text;max-age=1"]
    port = free_port()
    with SecureServe("--psk", "secret", resource[0], resource[1].format(1), port=port) as first:
        observer = Program(copal_binary(), "observe", *KEY, "--json", first.uri + "/a")
        observer.wait_for('"payload":"1"')
    with observer:
        observer.wait_for("trying on until it answers again")
        with SecureServe("--psk", "secret", resource[0], resource[1].format(2), port=port):
            observer.wait_for('"payload":"2"')


def test_an_observation_ends_at_once_when_the_server_has_heard_of_it(server):
    """It is deregistered, which needs an answer, and the session says goodbye."""
    observer = Program(copal_binary(), "observe", "-v", *KEY, "--json", server.uri + "/a")
    observer.wait_for('"payload":"hello"')
    assert observer.end() == 0
    assert [line.split()[0] for line in observer.lines[-2:]] == ["->", "<-"]


def test_what_goes_and_comes_is_shown_as_it_is_inside_of_records(server):
    shown = copal("get", "-v", *KEY, server.uri + "/a").stderr.splitlines()
    address = server.uri.split("//")[1]
    assert shown[0].startswith(f"-> {address} CON GET ") and shown[0].endswith(' Uri-Path="a"')
    assert shown[1].startswith(f"<- {address} ACK 2.05 ")


def test_a_server_with_a_key_answers_nobody_without_dtls(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", server.port))
        sock.send(coap.encode(coap.Message(coap.CON, coap.GET, 1, b"t", [(coap.URI_PATH, b"a")])))
        assert copal("get", *KEY, server.uri + "/a").returncode == 0  # which it was asked after
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(2048)


def test_it_is_served_without_dtls_too_where_that_is_asked_for():
    port = free_port()
    with SecureServe("--psk", "secret", "--also-plain", str(port), "--resource", "a=1") as server:
        server.wait_for(rf"^listening on coap://127\.0\.0\.1:{port}$")
        assert copal("get", f"coap://127.0.0.1:{port}/a").stdout == b"1"
        assert copal("get", *KEY, server.uri + "/a").stdout == b"1"


def test_the_usual_port_is_5684_on_both_sides():
    with Program(copal_binary(), "serve", "-b", "127.0.0.34", "--psk", "k", "-r", "a=1") as server:
        server.wait_for(r"^listening on coaps://127\.0\.0\.34:5684$")
        assert copal("get", "--psk", "k", "--identity", "i", "coaps://127.0.0.34/a").stdout == b"1"


# ---- keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("served, asked", [
    ("secret", "0x736563726574"), ("0x00ff00", "0x00ff00"), ("k" * 64, "k" * 64), ("@{}/key", "secret"),
    ("secret", "@{}/key"), ("@{}/hex", "0x00ff00")])
def test_a_key_is_text_or_hexadecimal_or_the_first_line_of_a_file(tmp_path, served, asked):
    (tmp_path / "key").write_text("secret\nnothing more\n")
    (tmp_path / "hex").write_text("0x00ff00")
    with SecureServe("--psk", served.format(tmp_path), "--resource", "a=1") as server:
        done = copal("get", "--psk", asked.format(tmp_path), "--identity", "i", server.uri + "/a")
        assert (done.returncode, done.stdout) == (0, b"1")


def test_the_key_may_stand_in_the_environment(server):
    names = {"COPAL_PSK": "secret", "COPAL_IDENTITY": "us"}
    assert copal("get", server.uri + "/a", env=names).stdout == b"hello"
    assert copal("get", "--identity", "others", server.uri + "/a", env=names).stdout == b"hello"
    with Serve("--resource", "a=1") as plain:
        assert copal("get", plain.uri + "/a", env=names).stdout == b"1"


def test_options_count_more_than_the_environment(server):
    assert copal("get", *KEY, server.uri + "/a", env={"COPAL_PSK": "x", "COPAL_IDENTITY": "y"}).stdout == b"hello"


FILE = "# who may come in\n\nanna:first\nbert:0x00ff\nurn%3a1:a:b\n0x6300:third\n"


def test_with_a_file_of_keys_each_identity_has_its_own(tmp_path):
    (tmp_path / "keys").write_text(FILE)
    with SecureServe("--psk-file", str(tmp_path / "keys"), "--resource", "a=1") as server:
        for identity, key in [("anna", "first"), ("bert", "0x00ff"), ("urn%3a1", "a:b")]:
            assert copal("get", "--identity", identity, "--psk", key, server.uri + "/a").stdout == b"1"
        for identity, key in [("anna", "0x00ff"), ("carl", "first")]:
            done = copal("get", "--identity", identity, "--psk", key, "--timeout", "2", server.uri + "/a")
            assert (done.returncode, done.stdout) == (3, b"")


def test_a_client_takes_its_key_from_such_a_file_too(tmp_path, server):
    (tmp_path / "keys").write_text("us:secret\n")
    (tmp_path / "more").write_text("us:secret\nthem:other\n")
    ask = ["get", server.uri + "/a", "--psk-file"]
    assert copal(*ask, str(tmp_path / "keys")).stdout == b"hello"
    assert copal(*ask, str(tmp_path / "more"), "--identity", "us").stdout == b"hello"
    several = copal(*ask, str(tmp_path / "more"))
    assert (several.returncode, "several identities" in several.stderr) == (2, True)
    unknown = copal(*ask, str(tmp_path / "more"), "--identity", "nobody")
    assert (unknown.returncode, "no key for this --identity" in unknown.stderr) == (2, True)


def test_with_an_identity_only_that_one_is_let_in():
    with SecureServe("--psk", "secret", "--identity", "us", "--resource", "a=1") as server:
        assert copal("get", *KEY, server.uri + "/a").stdout == b"1"
        done = copal("get", "--psk", "secret", "--identity", "them", "--timeout", "2", server.uri + "/a")
        assert done.returncode == 3


@pytest.mark.parametrize("content, line, problem", [
    ("anna", 1, "no ':'"), ("\n#\nanna:\n", 3, "the key must"), (":key\n", 1, "the identity must"),
    ("anna:1\nbert:2\nanna:3\n", 3, "further up"), ("anna:0x1\n", 1, "the key must"),
    (f"anna:{'k' * 65}", 1, "the key must"), (f"{'i' * 129}:k", 1, "the identity must")])
def test_what_is_wrong_in_a_file_of_keys_is_said_with_its_line(tmp_path, content, line, problem):
    (tmp_path / "keys").write_text(content)
    done = copal("serve", "--psk-file", str(tmp_path / "keys"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"--psk-file: {tmp_path}/keys, line {line}: " in done.stderr and problem in done.stderr


@pytest.mark.parametrize("content", ["", "\n# nothing\n"])
def test_a_file_without_keys_is_refused(tmp_path, content):
    (tmp_path / "keys").write_text(content)
    done = copal("serve", "--psk-file", str(tmp_path / "keys"))
    assert (done.returncode, "holds no line" in done.stderr) == (2, True)


# ---- the library that does DTLS ------------------------------------------------------------------------------------


def loaded(program):
    """The names of the libraries that a process has."""
    with open(f"/proc/{program.process.pid}/maps") as maps:
        return {line.split()[-1].rpartition("/")[2] for line in maps if ".so" in line}


def test_openssl_is_loaded_where_dtls_is_used_and_nowhere_else(server):
    with Serve("--resource", "a=1") as plain:
        assert copal("get", plain.uri + "/a").stdout == b"1"
        assert not any(name.startswith(("libssl", "libcrypto")) for name in loaded(plain))
    assert {"libssl.so.3", "libcrypto.so.3"} <= loaded(server)


@pytest.mark.parametrize("arguments", [
    ["get", *KEY, "coaps://127.0.0.1/a"], ["put", *KEY, "coaps://127.0.0.1/a", "1"], ["observe", *KEY, "coaps://127.0.0.1/a"],
    ["discover", *KEY, "coaps://127.0.0.1"], ["ping", *KEY, "coaps://127.0.0.1"], ["serve", "--psk", "k"],
    ["serve", "--psk", "k", "--help"]])
def test_without_its_library_the_tool_says_so_and_speaks_coap_still(tmp_path, arguments):
    tool = shutil.copy(copal_binary(), tmp_path)
    (tmp_path / "libcopal_openssl.so.0").write_text("no library, wherever else there may be one")
    done = copal(*arguments, binary=tool)
    assert (done.returncode, done.stdout.decode().partition("KiB")[1]) == (1, "")
    assert "DTLS needs a library that comes with copal" in done.stderr and "libcopal_openssl.so.0" in done.stderr
    with Serve("--resource", "a=1") as plain:
        assert copal("get", plain.uri + "/a", binary=tool).stdout == b"1"


# ---- what is wrong ------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_told_from_a_server_that_is_not_there(server):
    wrong = copal("get", "--psk", "guess", "--identity", "us", server.uri + "/a")
    assert (wrong.returncode, wrong.stdout) == (3, b"")
    assert "handshake failed" in wrong.stderr and "--psk and --identity" in wrong.stderr
    gone = copal("get", *KEY, f"coaps://127.0.0.1:{free_port()}/a")
    assert (gone.returncode, "cannot be reached" in gone.stderr) == (3, True)


@pytest.mark.parametrize("arguments, said", [
    (["get", "coaps://127.0.0.1/"], "coaps:// needs --psk and --identity (or COPAL_PSK"),
    (["get", "--psk", "k", "coaps://127.0.0.1/"], "--psk goes with --identity"),
    (["get", "--identity", "i", "coaps://127.0.0.1/"], "needs --psk"),
    (["get", "--psk", "k", "--identity", "i", "coap://127.0.0.1/a"], "did you mean 'coaps://127.0.0.1/a'"),
    (["get", "--psk", "", "--identity", "i", "coaps://127.0.0.1/"], "a key of 1 to 64 octets"),
    (["get", "--psk", "0x123", "--identity", "i", "coaps://127.0.0.1/"], "a key of 1 to 64 octets"),
    (["get", "--psk", "k" * 65, "--identity", "i", "coaps://127.0.0.1/"], "a key of 1 to 64 octets"),
    (["get", "--psk", "@/none", "--identity", "i", "coaps://127.0.0.1/"], "--psk: /none: No such file"),
    (["get", "--psk", "@/dev/null", "--identity", "i", "coaps://127.0.0.1/"], "--psk: /dev/null: is empty"),
    (["get", "--psk", "k", "--identity", "", "coaps://127.0.0.1/"], "--identity takes text"),
    (["get", "--psk", "k", "--identity", "i" * 129, "coaps://127.0.0.1/"], "--identity takes text"),
    (["get", "--psk", "k", "--identity", "0x6100", "coaps://127.0.0.1/"], "NUL"),
    (["get", "--psk", "k", "--psk-file", "f", "--identity", "i", "coaps://127.0.0.1/"], "take one of them"),
    (["get", "--psk-file", "/none", "coaps://127.0.0.1/"], "--psk-file: /none: No such file"),
    (["get", "--key", "f", "--ca", "system", "coaps://127.0.0.1/"], "--cert is missing"),
    (["get", "--ca", "/none", "coaps://127.0.0.1/"], "/none: No such file"),
    (["get", "--cert", "/none", "coaps://127.0.0.1/"], "/none: No such file"),
    (["serve", "--cert", "/none"], "/none: No such file"),
    (["serve", "--hint", "h"], "--hint alone is not enough"),
    (["serve", "--identity", "i"], "--identity alone is not enough"),
    (["serve", "--ca", "f"], "--ca alone is not enough"),
    (["serve", "--psk", "k", "--psk-file", "f"], "take one of them"),
    (["serve", "--psk", "k", "--hint", "0x6100"], "NUL"),
    (["serve", "--psk", "k", "--also-plain", "x"], "--also-plain takes a number"),
    (["serve", "--also-plain", "5683"], "--also-plain is beside DTLS")])
def test_what_cannot_be_meant_is_said(arguments, said):
    done = copal(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr


def test_a_file_of_keys_and_an_identity_do_not_go_together_for_a_server(tmp_path):
    (tmp_path / "keys").write_text("a:b\n")
    done = copal("serve", "--psk-file", str(tmp_path / "keys"), "--identity", "a")
    assert (done.returncode, "--identity goes with --psk" in done.stderr) == (2, True)


def test_the_key_is_no_part_of_what_is_said():
    done = copal("get", "--psk", "topsecret" * 8, "--identity", "i", "coaps://127.0.0.1/")
    assert done.returncode == 2 and "topsecret" not in done.stderr


def test_help_tells_the_sessions_that_there_is_room_for():
    shown = copal("serve", "--psk", "k", "--help").stdout.decode()
    sessions = next(line for line in shown.splitlines() if line.endswith("DTLS sessions"))
    assert int(sessions.split()[0]) >= 10000
    assert "DTLS sessions" not in copal("serve", "--help").stdout.decode()
