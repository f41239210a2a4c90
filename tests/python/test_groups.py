"""Asking groups, and being asked by them, on the loopback interface, which does IPv4 only."""
import asyncio

import copal
import pytest

from support.client import Client
from support.coap import code
from support.udp import free_port

GROUP = "224.0.1.187"


def serving(address, port, **options):
    server = copal.Server(address, port, discoverable=True, **options)
    server.add_value("who", address)
    server.add_value("big", address * 500)
    return server


async def ask(client, uri, **asked):
    """An answer to a request that somebody hears."""
    async with client.ask_group(uri, interface="lo", timeout=60, **asked) as answers:
        return await answers.__anext__()


async def test_all_who_hear_a_group_answer_and_each_by_its_own_address():
    addresses = ("127.0.0.81", "127.0.0.82")
    port = free_port(addresses[0])
    async with serving(addresses[0], port), serving(addresses[1], port), copal.Client() as client:
        for path, times in (("who", 1), ("big", 500)):
            found = {}
            async with client.ask_group(f"coap://{GROUP}:{port}/{path}", interface="lo", timeout=60) as answers:
                async for answer in answers:
                    found[answer.peer] = answer.text
                    if len(found) == 2:
                        break
            assert found == {(address, port): address * times for address in addresses}


async def test_asking_a_group_ends_when_its_time_is_over():
    async with copal.Client() as client:
        uri = f"coap://{GROUP}:{free_port()}/who"
        assert [answer async for answer in client.ask_group(uri, interface="lo", timeout=0.05)] == []


async def test_a_group_may_be_asked_by_any_method():
    port = free_port("127.0.0.83")
    async with serving("127.0.0.83", port) as server, copal.Client() as client:
        value = server.add_value("v", "1", methods="PUT")
        answer = await ask(client, f"coap://{GROUP}:{port}/v", payload="2", method=copal.Code.PUT)
        assert answer.code == copal.Code.CHANGED and value.text == "2"


async def test_a_server_of_dtls_shows_groups_links_of_coaps_and_nothing_else():
    port = free_port("127.0.0.84")
    credentials = copal.ServerCredentials(key="secret")
    async with serving("127.0.0.84", port, credentials=credentials), copal.Client() as client:
        links = ""
        async with client.ask_group(f"coap://{GROUP}/.well-known/core", interface="lo", timeout=60) as answers:
            async for answer in answers:  # other servers may run on this machine
                if answer.peer[0] == "127.0.0.84":
                    links = answer.text
                    break
        assert f"<coaps://127.0.0.84:{port}/who>" in links

        def plainly():
            with Client(answer.peer[1], "127.0.0.84") as plain:
                return plain.get("who").code

        assert await asyncio.get_running_loop().run_in_executor(None, plainly) == code("4.04")


@pytest.mark.parametrize("uri, interface, expected", [
    ("coap://127.0.0.1/", None, copal.InvalidArgument),
    (f"coap://{GROUP}/", "nowhere", copal.InvalidArgument),
    (f"coaps://{GROUP}/", "lo", copal.Unsupported),
])
async def test_what_is_no_group_or_cannot_be_asked_is_told(uri, interface, expected):
    async with copal.Client() as client:
        with pytest.raises(expected):
            await client.ask_group(uri, interface=interface).__anext__()


async def test_a_client_that_is_closed_says_so_to_whoever_waits_for_a_group():
    client = copal.Client()
    answers = client.ask_group(f"coap://{GROUP}:{free_port()}/who", interface="lo")
    waiting = asyncio.ensure_future(answers.__anext__())
    while not answers._requests:
        await asyncio.sleep(0)
    await client.close()
    with pytest.raises(copal.Gone):
        await waiting


async def test_the_calls_that_wait_ask_groups_too():
    addresses = ("127.0.0.85", "127.0.0.86")
    port = free_port(addresses[0])

    def wait():
        found = {}
        for answer in copal.ask_group(f"coap://{GROUP}:{port}/who", interface="lo", timeout=60):
            assert answer.peer not in found
            found[answer.peer] = answer.text
            if len(found) == 2:
                return found

    async with serving(addresses[0], port), serving(addresses[1], port):
        found = await asyncio.get_running_loop().run_in_executor(None, wait)
    assert found == {(address, port): address for address in addresses}
    assert list(copal.ask_group(f"coap://{GROUP}:{free_port()}/who", interface="lo", timeout=0.05)) == []


def test_the_calls_that_wait_tell_what_is_no_group():
    with pytest.raises(copal.InvalidArgument):
        list(copal.ask_group("coap://127.0.0.1/"))
    with pytest.raises(copal.Unsupported):
        list(copal.ask_group(f"coaps://{GROUP}/", interface="lo"))
