"""Networks that change under way: hosts of the tests' own, whose links go down, whose addresses change, and that pass
small datagrams only."""
import subprocess
from contextlib import ExitStack

import pytest

from support.certificates import Certificates
from support.namespace import Host
from support.process import SECONDS, Program, Serve, copal, copal_binary, environment, until
from support.udp import Relay

CONTENT = b"".join(b"%07d\n" % number for number in range(75_000))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def served(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served/large").write_bytes(CONTENT)
    return tmp_path / "served"


def turn_on(host, switch):
    host.run("sh", "-c", f"echo 1 >/proc/sys/net/{switch}")


@pytest.fixture
def hosts():
    """A client's host, a router, and a server's host. The client is 10.77.1.2, the server 10.77.2.2."""
    with ExitStack() as stack:
        router = stack.enter_context(Host())
        hosts = []
        for number in (1, 2):
            hosts.append(stack.enter_context(Host(router)))
            router.cable(hosts[-1], number)
            hosts[-1].run("ip", "route", "add", "default", "via", f"10.77.{number}.1")
            hosts[-1].run("ip", "route", "add", "default", "via", f"fd00:77:{number}::1")
        for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            turn_on(router, switch)
        yield hosts[0], router, hosts[1]


class ServeThere(Program):
    """`copal serve` on a host."""

    def __init__(self, host, *arguments):
        super().__init__(*host.enter, copal_binary(), "serve", *arguments)
        self.wait_for("^listening on")


def run_there(host, *arguments):
    return subprocess.run([*host.enter, copal_binary(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=SECONDS, env=environment())


# ---- small datagrams

def test_what_is_too_large_for_the_path_goes_in_smaller_blocks(served):
    back = served.parent / "back"
    with Serve("--dir", str(served), "--write") as server, Relay(server.port, most=600) as relay:
        whole = copal("get", "--timeout", "4", relay.uri + "/large", "-o", str(back))
        assert whole.returncode == 3 and "no answer in time" in whole.stderr
        small = served / "small"
        small.write_bytes(CONTENT[:20_000])
        assert copal("get", "--block-size", "512", relay.uri + "/small", "-o", str(back)).returncode == 0
        assert back.read_bytes() == CONTENT[:20_000]
        assert copal("put", "--block-size", "512", relay.uri + "/up", "-f", str(back)).returncode == 0
        assert (served / "up").read_bytes() == CONTENT[:20_000]


@pytest.mark.parametrize("address, mtu", [("10.77.2.2", 600), ("[fd00:77:2::2]", 1280)])
def test_a_path_of_the_smallest_mtu_carries_files_and_handshakes(hosts, served, made, address, mtu):
    """RFC 7252 section 4.6: what goes in 1280 octets passes by IPv6, and IPv4 has fragments."""
    client, router, place = hosts
    router.run("ip", "link", "set", "v2", "mtu", str(mtu))
    place.run("ip", "link", "set", "v0", "mtu", str(mtu))
    key = ["--cert", made.file("server.pem"), "--key", made.file("server.key"), "--also-plain", "5683"]
    with ServeThere(place, "--dir", str(served), *key):
        for uri in (f"coap://{address}/large", f"coaps://{address}/large"):
            back = served.parent / uri[:5].strip(":")
            ca = ["--ca", made.file("authority.pem")] if uri.startswith("coaps") else []
            done = run_there(client, "get", *ca, "-o", str(back), uri)
            assert done.returncode == 0, done.stderr
            assert back.read_bytes() == CONTENT


# ---- what changes under way

def move(client):
    """Gives the client's host another address."""
    turn_on(client, "ipv4/conf/v0/promote_secondaries")
    client.run("ip", "address", "add", "10.77.1.3/24", "dev", "v0")
    client.run("ip", "address", "del", "10.77.1.2/24", "dev", "v0")
    client.run("ip", "route", "replace", "default", "via", "10.77.1.1")


def interrupt(place):
    """Takes the server's cable out, and puts it in again."""
    place.run("ip", "link", "set", "v0", "down")
    place.run("ip", "link", "set", "v0", "up")
    place.run("ip", "route", "replace", "default", "via", "10.77.2.1")


@pytest.mark.parametrize("secure", [False, True])
def test_an_observer_with_another_address_hears_of_what_follows(hosts, secure):
    client, _, place = hosts
    scheme, key = ("coaps", ["--psk", "secret"]) if secure else ("coap", [])
    own = [*key, "--identity", "us"] if secure else []
    uri = f"{scheme}://10.77.2.2/a"
    with ServeThere(place, "--resource", "a=1;ct=text;max-age=1", *key), \
            Program(*client.enter, copal_binary(), "observe", *own, "--json", uri) as observer:
        observer.wait_for('"payload":"1"')
        move(client)
        assert run_there(place, "put", *own, uri, "2").returncode == 0
        observer.wait_for('"payload":"2"')


def test_an_observer_hears_of_what_follows_when_the_link_was_down(hosts):
    client, _, place = hosts
    with ServeThere(place, "--resource", "a=1;ct=text;max-age=1"), \
            Program(*client.enter, copal_binary(), "observe", "--json", "coap://10.77.2.2/a") as observer:
        observer.wait_for('"payload":"1"')
        place.run("ip", "link", "set", "v0", "down")
        place.run("ip", "address", "add", "10.77.9.2/24", "dev", "lo")
        assert run_there(place, "put", "coap://10.77.9.2/a", "2").returncode == 0
        interrupt(place)
        observer.wait_for('"payload":"2"')


class Download(Program):
    """Of the large file, begun: some of it is there, and not all."""

    def __init__(self, host, back):
        super().__init__(*host.enter, copal_binary(), "get", "--block-size", "64", "-o", str(back),
                         "coap://10.77.2.2/large")
        part = back.parent / (back.name + ".part")
        until(lambda: part.exists() and part.stat().st_size > 0 or back.exists())
        assert not back.exists()


@pytest.mark.parametrize("happens", ["another address", "link down"])
def test_a_download_ends_whole_whatever_happens_meanwhile(hosts, served, happens):
    client, _, place = hosts
    back = served.parent / "back"
    with ServeThere(place, "--dir", str(served)), Download(client, back) as download:
        if happens == "another address":
            move(client)
        else:
            interrupt(place)
        assert download.process.wait(SECONDS) == 0, download.end() or download.lines
    assert back.read_bytes() == CONTENT


def test_a_download_whose_server_ends_says_so_and_goes_on_with_the_next(hosts, served):
    client, _, place = hosts
    back = served.parent / "back"
    with ServeThere(place, "--dir", str(served)):
        download = Download(client, back)
    with download:
        assert download.process.wait(SECONDS) == 3
        assert not back.exists()
    with ServeThere(place, "--dir", str(served)):
        done = run_there(client, "get", "--continue", "-o", str(back), "coap://10.77.2.2/large")
        assert done.returncode == 0, done.stderr
    assert back.read_bytes() == CONTENT
