"""Clients and servers with bad weather between them: datagrams are lost, doubled, late, out of order and spoilt, and a
NAT gives the client another port meanwhile. What comes of it is asserted, never when."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.process import Program, Serve, copal, copal_binary
from support.udp import Relay

BAD = {"loss": 0.03, "duplicate": 0.25, "delay": (0.0, 0.05)}
KEY = ["--psk", "secret", "--identity", "us"]
CONTENT = b"".join(b"%07d\n" % number for number in range(2500))  # 20 blocks


class SecureServe(Serve):
    SCHEME = "coaps"


class SecureRelay(Relay):
    EPOCH = slice(3, 5)  # of a datagram's first record

    def __init__(self, port, **weather):
        super().__init__(port, **weather)
        self.uri = f"coaps://127.0.0.1:{self.port}"

    def _spoil(self, draw, datagram):
        """A handshake whose messages in clear are spoilt has to fail, so they are let alone."""
        return super()._spoil(draw, datagram) if any(datagram[self.EPOCH]) else datagram


def at_once(ask, count):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


@pytest.fixture
def files(tmp_path):
    """A directory that is served, and one beside it."""
    for name in ("served", "own"):
        (tmp_path / name).mkdir()
    (tmp_path / "served/there").write_bytes(CONTENT)
    (tmp_path / "own/new").write_bytes(CONTENT[::-1])
    return tmp_path


def test_files_go_and_come_whole(files):
    def put_and_get(number):
        name, back = f"{relay.uri}/{number}", files / f"own/{number}"
        put, get = copal("put", name, "-f", str(files / "own/new")), copal("get", name, "-o", str(back))
        assert (put.returncode, get.returncode) == (0, 0), (put.stderr, get.stderr)
        return back.read_bytes()

    with Serve("--dir", str(files / "served"), "--write") as server, Relay(server.port, **BAD, seed=3) as relay:
        assert at_once(put_and_get, 4) == [CONTENT[::-1]] * 4
    assert relay.lost and relay.doubled


def test_each_post_is_done_once(files):
    """Each makes a file of its own."""
    def post(number):
        done = copal("post", relay.uri + "/", str(number))
        assert done.returncode == 0, done.stderr

    with Serve("--dir", str(files / "served"), "--write") as server, \
            Relay(server.port, loss=0.2, duplicate=0.5, delay=(0.0, 0.05), seed=5) as relay:
        at_once(post, 12)
    assert relay.lost and relay.doubled
    made = [file.read_text() for file in (files / "served").iterdir() if file.name != "there"]
    assert sorted(made) == sorted(str(number) for number in range(12))


def states_of(observer, last):
    """The payloads of the states that it tells, up to that one."""
    states = []
    while last not in states:
        states.append(json.loads(observer.wait_for(r'^(\{.*"payload".*\})$').group(1))["payload"])
    return states


def test_an_observer_hears_of_the_last_state_and_of_none_that_is_older_than_what_it_knows():
    with Serve("--resource", "a=00;ct=text;max-age=2") as server, Relay(server.port, **BAD, seed=4) as relay, \
            Program(copal_binary(), "observe", "--json", relay.uri + "/a") as observer:
        assert states_of(observer, "00") == ["00"]
        for number in range(1, 31):
            copal("put", server.uri + "/a", f"{number:02}")
        states = states_of(observer, "30")
        assert states == sorted(states)


def test_an_observer_with_another_port_hears_of_what_follows():
    with Serve("--resource", "a=1;ct=text;max-age=1") as server, Relay(server.port) as relay, \
            Program(copal_binary(), "observe", "--json", relay.uri + "/a") as observer:
        observer.wait_for('"payload":"1"')
        for number in ("2", "3"):
            relay.rebind()
            copal("put", server.uri + "/a", number)
            observer.wait_for(f'"payload":"{number}"')


class Rebinding(Relay):
    """Gives the client another port again and again."""

    def _pass_up(self, *datagram):
        self.passed = getattr(self, "passed", 0) + 1
        if self.passed % 7 == 0:
            self.rebind()
        super()._pass_up(*datagram)


def test_a_download_goes_on_from_another_port(files):
    with Serve("--dir", str(files / "served")) as server, Rebinding(server.port) as relay:
        done = copal("get", relay.uri + "/there", "-o", str(files / "own/back"))
        assert done.returncode == 0, done.stderr
    assert (files / "own/back").read_bytes() == CONTENT


def test_an_upload_from_another_port_is_refused_and_leaves_what_was_there(files):
    """Its server knows it by its sender (RFC 9175 section 3.3)."""
    with Serve("--dir", str(files / "served"), "--write") as server, Rebinding(server.port) as relay:
        done = copal("put", relay.uri + "/there", "-f", str(files / "own/new"))
        assert done.returncode == 1 and done.stderr.startswith("4.08 Request Entity Incomplete\n"), done.stderr
        assert (files / "served/there").read_bytes() == CONTENT
        assert copal("put", server.uri + "/there", "-f", str(files / "own/new")).returncode == 0
    assert (files / "served/there").read_bytes() == CONTENT[::-1]


# ---- spoilt datagrams

def test_spoilt_messages_do_no_harm_to_either_end():
    with Serve("--resource", "a=hello;ct=text", "--dynamic") as server, \
            Relay(server.port, duplicate=0.25, corrupt=0.7, seed=6) as relay:
        at_once(lambda number: copal("put", "--timeout", "4", relay.uri + "/b", "x" * 40 * number), 8)
        assert relay.spoilt
        assert copal("get", server.uri + "/a").stdout == b"hello"


def test_what_comes_by_a_session_is_never_spoilt(files):
    def get(number):
        back = files / f"own/{number}"
        done = copal("get", *KEY, relay.uri + "/there", "-o", str(back))
        assert done.returncode == 0, done.stderr
        return back.read_bytes()

    with SecureServe("--psk", "secret", "--dir", str(files / "served")) as server, \
            SecureRelay(server.port, duplicate=0.2, delay=(0.0, 0.05), corrupt=0.04, seed=7) as relay:
        assert at_once(get, 4) == [CONTENT] * 4
    assert relay.spoilt


def test_a_session_from_another_port_is_begun_anew():
    """To the server it is nobody's: the client finds that out by silence."""
    with SecureServe("--psk", "secret", "--resource", "a=1;ct=text;max-age=1") as server, \
            SecureRelay(server.port) as relay, \
            Program(copal_binary(), "observe", *KEY, "--json", relay.uri + "/a") as observer:
        observer.wait_for('"payload":"1"')
        relay.rebind()
        copal("put", *KEY, server.uri + "/a", "2")
        observer.wait_for('"payload":"2"')
