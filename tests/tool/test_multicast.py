"""Asking groups and being found by them, in hosts of the tests' own (RFC 7252 section 8)."""
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from support.namespace import Host
from support.process import SECONDS, Program, copal_binary, environment
from support.terminal import copal_on_terminal

# Longer than the leisure of 5 seconds by as much as a busy machine may need.
PATIENCE = ["--timeout", "15"]
MANY = [part for i in range(60) for part in ("-r", f"resource-number-{i}=1;title=\"one of very many resources\"")]
SERVERS = {
    1: ["-r", "temperature=21.5;ct=text;rt=sensor", "-r", "who=one", "--discoverable"],
    2: ["-r", "who=two", "--discoverable", "--workers", "4", *MANY],
    3: ["-r", "who=three", "--discoverable", "--bind", "10.77.3.2", "--workers", "4"],
    4: ["-r", "who=four", "--discoverable", "--bind", "fd00:77:4::2"],
    5: ["-r", "who=nobody"],
}
ONE, TWO = "coap://10.77.1.2", "coap://10.77.2.2"
ONE_6, TWO_6 = "coap://[fe80::2%25v1]", "coap://[fe80::2%25v2]"
THREE, FOUR_6 = "coap://10.77.3.2", "coap://[fd00:77:4::2]"
ALL = {ONE, TWO, ONE_6, TWO_6, THREE, FOUR_6}

COMMANDS = {
    "all": ["discover"],
    "one interface": ["discover", "--interface", "v1"],
    "filtered": ["discover", "coap://224.0.1.187?rt=sensor"],
    "verbose": ["discover", "--interface", "v3", "-v"],
    "get": ["get", "coap://224.0.1.187/who"],
    "get 6": ["get", "coap://[ff02::fd]/who"],
    "get by a zone": ["get", "coap://[ff02::fd%25v2]/who"],
    "get of the site": ["get", "coap://[ff05::fd]/who"],
    "put": ["put", "coap://224.0.1.187/temperature", "22", "-t", "text"],
    "nowhere": ["get", "coap://224.0.1.187/none"],
    "other port": ["get", "coap://224.0.1.187:5700/who"],
}


@pytest.fixture(scope="module")
def asker():
    """A host with a cable to each of the servers."""
    with ExitStack() as stack:
        asker = stack.enter_context(Host())
        for number, arguments in SERVERS.items():
            host = stack.enter_context(Host(asker))
            asker.cable(host, number)
            server = stack.enter_context(Program(*host.enter, copal_binary(), "serve", *arguments))
            server.wait_for("^listening on")
        yield asker


def ask(asker, *arguments):
    done = subprocess.run([*asker.enter, copal_binary(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=SECONDS, env=environment())
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


@pytest.fixture(scope="module")
def outcomes(asker):
    """What came of all commands, which wait side by side."""
    with ThreadPoolExecutor(len(COMMANDS)) as pool:
        asked = {name: pool.submit(ask, asker, *command, *PATIENCE) for name, command in COMMANDS.items()}
        return {name: future.result() for name, future in asked.items()}


def lines(done):
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def senders(done):
    return sorted(line.split(" ")[0] for line in done.stdout.splitlines())


def test_discovery_lists_each_server_once_by_each_of_its_addresses(outcomes):
    done = outcomes["all"]
    assert (done.returncode, done.stderr) == (0, "")
    assert senders(done) == sorted(ALL)
    assert lines(done)[ONE] == "</temperature>;ct=0;rt=sensor;obs,</who>;obs"
    assert lines(done)[ONE_6] == lines(done)[ONE]


def test_links_that_do_not_fit_a_datagram_are_fetched_whole(outcomes):
    found = lines(outcomes["all"])
    for sender in (TWO, TWO_6):
        assert found[sender].count("<") == 61
        assert found[sender].endswith('</resource-number-59>;title="one of very many resources";obs')


def test_discovery_can_be_of_one_interface(outcomes):
    assert senders(outcomes["one interface"]) == sorted([ONE, ONE_6])


def test_rfc6690_4_1_servers_without_what_fits_a_filter_are_silent(outcomes):
    assert lines(outcomes["filtered"]) == {ONE: "</temperature>;ct=0;rt=sensor;obs"}


def test_rfc7252_8_1_what_is_asked_and_answered_is_non(outcomes):
    trace = [line for line in outcomes["verbose"].stderr.splitlines() if "copal:" not in line]
    assert len([line for line in trace if "GET" in line]) == 2  # by IPv4 and by IPv6
    assert len([line for line in trace if "2.05" in line]) == 1
    assert all(" NON " in line for line in trace), trace


def test_a_resource_of_all_is_told_with_who_told_it(outcomes):
    done = outcomes["get"]
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done) == {ONE: "one", TWO: "two", THREE: "three"}
    assert lines(outcomes["get 6"]) == {ONE_6: "one", TWO_6: "two", FOUR_6: "four"}


def test_a_zone_says_which_link(outcomes):
    assert lines(outcomes["get by a zone"]) == {TWO_6: "two"}


def test_the_group_of_the_site_is_joined_too(outcomes):
    found = lines(outcomes["get of the site"])
    assert sorted(found.values()) == ["four", "one", "two"]
    assert "coap://[fd00:77:1::2]" in found


def test_where_there_is_no_payload_the_code_is_told(outcomes):
    done = outcomes["put"]
    assert (done.returncode, lines(done)) == (0, {ONE: "2.04 Changed"})


def test_errors_are_not_sent_by_multicast(outcomes):
    done = outcomes["nowhere"]
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "copal: nobody has answered within 15 s\n"


def test_servers_on_another_port_are_others(outcomes):
    assert outcomes["other port"].returncode == 3


def test_people_see_a_table_and_how_long_it_takes(asker):
    status, out, err = copal_on_terminal("discover", "--interface", "v1", "--timeout", "12", env={"NO_COLOR": "1"},
                                         prefix=asker.enter)
    assert status == 0
    heading, *rows = out.splitlines()
    assert heading.split() == ["server", "path", "rt", "ct", "more"]
    assert [row.split() for row in rows] == [
        [ONE, "/temperature", "sensor", "text/plain", "obs"], ["/who", "obs"],
        [ONE_6, "/temperature", "sensor", "text/plain", "obs"], ["/who", "obs"]]
    assert re.search(r"K0 found, 12 s left", err) and re.search(r"K2 found, \d+ s left", err)


def test_an_interface_that_is_not_there(asker):
    done = ask(asker, "discover", "--interface", "v9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no interface 'v9'" in done.stderr


def test_a_server_whose_interface_cannot_be_found_by_multicast_says_so(asker):
    done = ask(asker, "serve", "--bind", "10.77.1.1", *[f"--bind=127.0.0.{i}" for i in range(1, 24)], "--discoverable")
    assert done.returncode == 1
    assert "--discoverable: too many addresses" in done.stderr


def test_a_server_of_dtls_only_is_found_with_links_of_coaps():
    with Host() as asker, Host(asker) as host:
        asker.cable(host, 1)
        command = [*host.enter, copal_binary(), "serve", "--psk", "secret", "-r", "who=me", "--dynamic",
                   "--discoverable"]
        with Program(*command) as server:
            server.wait_for("^listening on coaps://")
            found = ask(asker, "discover", *PATIENCE)
            links = re.findall(r"<(coaps://\S+)/who>;obs", found.stdout)
            assert len(links) == len(found.stdout.splitlines()) == 2
            assert sorted(link for link in links if "[" not in link) == ["coaps://10.77.1.2"]
            for link in links:
                link = link.replace("]", "%25v1]") if "fe80" in link else link
                assert ask(asker, "get", "--psk", "secret", "--identity", "us", link + "/who").stdout == "me"
            for sender in found.stdout.split()[::2]:  # who announces it lets nobody at it
                for arguments in (["get", "who"], ["put", "who", "x"], ["delete", "who"], ["observe", "who"], ["put", "new", "x"]):
                    command, path, *payload = arguments
                    assert "4.0" in ask(asker, command, f"{sender}/{path}", *payload).stderr
            silent = ask(asker, "get", "coap://224.0.1.187/who", *PATIENCE)
            assert (silent.returncode, silent.stdout) == (3, "")
            assert ask(asker, "get", "--psk", "secret", "--identity", "us", "coaps://10.77.1.2/who").stdout == "me"
