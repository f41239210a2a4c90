"""coaps with certificates: --cert, --key and --ca on both sides."""
import shutil

import pytest

from support.certificates import Certificates
from support.process import Serve, copal


class SecureServe(Serve):
    SCHEME = "coaps"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server(made):
    with SecureServe("--cert", made.file("server.pem"), "--key", made.file("server.key"), "--resource", "a=1") as server:
        yield server


def test_a_server_is_believed_that_an_authority_has_signed(server, made):
    done = copal("get", "--ca", made.file("authority.pem"), server.uri + "/a")
    assert (done.returncode, done.stdout) == (0, b"1")
    named = server.uri.replace("127.0.0.1", "localhost")
    assert copal("get", "--ca", made.file("authority.pem"), named + "/a").stdout == b"1"


def test_certificate_and_key_may_be_in_one_file(made):
    with SecureServe("--cert", made.file("both.pem"), "--resource", "a=1") as server:
        assert copal("get", "--ca", made.file("authority.pem"), server.uri + "/a").stdout == b"1"


def test_of_an_unknown_authority_it_is_not_believed_and_that_is_said(server, made):
    for authority in (made.file("stranger.pem"), "system"):
        done = copal("get", "--ca", authority, server.uri + "/a")
        assert (done.returncode, done.stdout) == (3, b"")
        assert "certificate is not to be trusted: the certificate is of an unknown authority" in done.stderr


def test_a_certificate_for_another_host_is_not_believed_and_that_is_said(made):
    with SecureServe("--cert", made.file("server.pem"), "--key", made.file("server.key"), bind="127.0.0.2") as server:
        done = copal("get", "--ca", made.file("authority.pem"), server.uri + "/a")
        assert (done.returncode, "the certificate is for another host" in done.stderr) == (3, True)


def test_with_ca_a_server_lets_only_those_in_who_show_a_certificate_of_it(made):
    ask = ["get", "--ca", made.file("authority.pem")]
    with SecureServe("--cert", made.file("both.pem"), "--ca", made.file("authority.pem"), "--resource", "a=1") as server:
        shown = ["--cert", made.file("client.pem"), "--key", made.file("client.key")]
        assert copal(*ask, *shown, server.uri + "/a").stdout == b"1"
        stranger = ["--cert", made.file("stranger.pem"), "--key", made.file("stranger.key")]
        for arguments in ([], stranger):
            done = copal(*ask, *arguments, server.uri + "/a")
            assert (done.returncode, done.stdout) == (3, b"")
            assert "handshake failed" in done.stderr and "--psk" not in done.stderr


def test_a_server_may_have_keys_and_a_certificate(made):
    with SecureServe("--cert", made.file("both.pem"), "--psk", "secret", "--resource", "a=1") as server:
        assert copal("get", "--ca", made.file("authority.pem"), server.uri + "/a").stdout == b"1"
        assert copal("get", "--psk", "secret", "--identity", "us", server.uri + "/a").stdout == b"1"


@pytest.mark.parametrize("key, said", [("client.key", "of another certificate"), ("server.pem", "no private key")])
def test_a_key_that_does_not_fit_is_said(made, key, said):
    done = copal("serve", "--cert", made.file("server.pem"), "--key", made.file(key))
    assert (done.returncode, done.stdout) == (2, b"")
    assert made.file(key) in done.stderr and said in done.stderr


def test_the_certificate_is_read_before_it_listens_and_not_again(made, tmp_path):
    shutil.copy(made.file("both.pem"), tmp_path / "both.pem")
    with SecureServe("--cert", str(tmp_path / "both.pem"), "--resource", "a=1") as server:
        (tmp_path / "both.pem").unlink()
        assert copal("get", "--ca", made.file("authority.pem"), server.uri + "/a").stdout == b"1"
