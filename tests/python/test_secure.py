"""coaps from Python, both ends: keys and certificates."""
import asyncio

import copal
import pytest

from support.certificates import Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def client_key():
    return copal.Credentials(key="secret", identity="me")


async def test_a_server_with_a_key_answers_whoever_has_it(client_key):
    server = copal.Server("127.0.0.1", 0, credentials=copal.ServerCredentials(key=b"secret", hint="hint"))
    value = server.add_value("v", "1", methods="GET PUT")
    async with server, copal.Client() as client:
        uri = f"coaps://127.0.0.1:{server.port}/v"
        assert (await client.get(uri, credentials=client_key)).text == "1"
        assert (await client.put(uri, b"x" * 5000, credentials=client_key)).is_success and len(value.value) == 5000
        async with client.observe(uri, credentials=client_key) as states:
            await states.__anext__()
            value.value = "2"
            assert (await states.__anext__()).text == "2"
        loop = asyncio.get_running_loop()
        assert (await loop.run_in_executor(None, lambda: copal.get(uri, credentials=client_key))).text == "2"


async def test_each_identity_has_its_key():
    server = copal.Server("127.0.0.1", 0, credentials=copal.ServerCredentials(keys={"a": "one", b"b": b"two"}))
    server.add_value("v", "1")
    async with server, copal.Client() as client:
        uri = f"coaps://127.0.0.1:{server.port}/v"
        for identity, key in (("a", "one"), ("b", "two")):
            assert (await client.get(uri, credentials=copal.Credentials(key=key, identity=identity))).text == "1"
        with pytest.raises(copal.CopalError):
            await client.get(uri, credentials=copal.Credentials(key="two", identity="a"), timeout=1)


async def test_a_certificate_that_nobody_trusts_is_refused():
    with pytest.raises(copal.BadCertificate):
        copal.Credentials(authorities="/nowhere.pem")
    server = copal.Server("127.0.0.1", 0, credentials=copal.ServerCredentials(key="secret"))
    async with server, copal.Client() as client:
        with pytest.raises((copal.HandshakeFailed, copal.BadCertificate)):
            await client.get(f"coaps://127.0.0.1:{server.port}/", timeout=30)


@pytest.mark.parametrize("arguments", [{"key": "k"}, {"identity": "i"}, {"key": "k" * 65, "identity": "i"}])
def test_half_of_a_key_is_refused(arguments):
    with pytest.raises(copal.InvalidArgument):
        copal.Credentials(**arguments)


def test_credentials_of_the_wrong_side_are_refused(client_key):
    with pytest.raises(copal.InvalidArgument):
        copal.get("coap://127.0.0.1/", credentials=client_key)
    with pytest.raises(copal.InvalidArgument):
        copal.get("coaps://127.0.0.1/", credentials=copal.ServerCredentials(key="k"))


async def test_who_has_the_servers_authority_reads_by_certificate(certificates):
    server = copal.Server("127.0.0.1", 0, credentials=copal.ServerCredentials(
        certificate=certificates.file("server.pem"), private_key=certificates.file("server.key")))
    server.add_value("v", "1" * 5000)
    async with server, copal.Client() as client:
        believing = copal.Credentials(authorities=certificates.file("authority.pem"))
        for host in ("127.0.0.1", "localhost"):
            answer = await client.get(f"coaps://{host}:{server.port}/v", credentials=believing)
            assert answer.text == "1" * 5000
        for strangers in (copal.Credentials(authorities=certificates.file("stranger.pem")), None):
            with pytest.raises(copal.BadCertificate):
                await client.get(f"coaps://127.0.0.1:{server.port}/v", **({"credentials": strangers} if strangers else {}))


async def test_a_server_that_has_authorities_wants_a_certificate_of_theirs(certificates):
    server = copal.Server("127.0.0.1", 0, credentials=copal.ServerCredentials(
        certificate=certificates.file("server.pem"), private_key=certificates.file("server.key"),
        authorities=certificates.file("authority.pem")))
    value = server.add_value("v", "1", methods="PUT")
    async with server, copal.Client() as client:
        uri = f"coaps://127.0.0.1:{server.port}/v"
        for name in ("stranger", None):
            own = {"certificate": certificates.file(f"{name}.pem"), "private_key": certificates.file(f"{name}.key")} if name else {}
            with pytest.raises((copal.HandshakeFailed, copal.Closed)):
                await client.put(uri, "2", credentials=copal.Credentials(authorities=certificates.file("authority.pem"), **own))
        assert value.text == "1"
        known = copal.Credentials(authorities=certificates.file("authority.pem"), certificate=certificates.file("client.pem"),
                                  private_key=certificates.file("client.key"))
        assert (await client.put(uri, "2", credentials=known)).is_success and value.text == "2"
