"""`openssl s_client` against our server: it speaks DTLS and nothing of CoAP, so a request is given to it octet by octet."""
import subprocess
from contextlib import closing

import pytest

from interop import secure
from support.certificates import Certificates
from support.process import SECONDS

GET_TEST = b"\x40\x01\x12\x34\xb4test"  # CON, message ID 0x1234, Uri-Path "test"
CONTENT = b"\x60\x45\x12\x34"  # ACK 2.05 with that message ID


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server(made):
    """One with a certificate, that wants one."""
    held = secure.Credentials(cert=made.file("server.pem"), key=made.file("server.key"), ca=made.file("authority.pem"))
    with closing(secure.CopalServer(held)) as running:
        yield running


def ask(server, *words):
    """What comes back for the GET, up to the payload; nothing where the handshake failed."""
    client = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{server.port}", "-quiet",
                               *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        client.stdin.write(GET_TEST)
        client.stdin.flush()
        answer = b""
        while b"\xff21.5" not in answer and (octet := client.stdout.read(1)):
            answer += octet
        return answer
    finally:
        client.kill()
        client.communicate(timeout=SECONDS)


@pytest.mark.parametrize("suite", ["PSK-AES128-CCM8", "PSK-AES128-CCM", "PSK-AES128-GCM-SHA256",
                                   "PSK-CHACHA20-POLY1305", "ECDHE-PSK-CHACHA20-POLY1305"])
def test_s_client_gets_a_value_by_each_suite_of_pre_shared_keys(suite):
    with closing(secure.CopalServer(secure.Credentials(psk="secret", identity="us"))) as server:
        answer = ask(server, "-psk", b"secret".hex(), "-psk_identity", "us", "-cipher", suite + ":@SECLEVEL=0")
    assert answer.startswith(CONTENT) and answer.endswith(b"\xff21.5")


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-GCM-SHA256",
                                   "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_s_client_gets_a_value_by_each_suite_of_certificates(made, server, suite):
    answer = ask(server, "-cert", made.file("client.pem"), "-key", made.file("client.key"), "-CAfile",
                 made.file("authority.pem"), "-verify_return_error", "-cipher", suite + ":@SECLEVEL=0")
    assert answer.startswith(CONTENT) and answer.endswith(b"\xff21.5")


def test_s_client_without_a_certificate_is_not_let_in(made, server):
    assert ask(server, "-CAfile", made.file("authority.pem"), "-cipher", "ALL:@SECLEVEL=0") == b""
