"""The manual's two example scripts, verbatim, under MicroPython: the server script before every client, the client
script against every server. They want port 5683, so each party has a loopback address of its own."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

from interop import peers
from support import manual
from support.process import SECONDS, Program, Serve, copal, environment, until
from support.micropython import micropython


class Script(Program):
    """A script that runs as on a board: when it has ended, the prompt follows, and what it started goes on."""

    def __init__(self, folder, text, address, server=None):
        path = Path(folder) / "main.py"
        path.write_text(text)
        command = [micropython(sanitized=False), "-i", str(path)]
        if server:
            command = manual.with_server_name(folder, server, *command)
        super().__init__(*command, stdin=subprocess.PIPE, env={"COPAL_WLAN_IP": address})

    def __exit__(self, *error):
        self.process.stdin.close()
        status = self.process.wait(SECONDS)
        self.end()
        assert status == 0, (status, self.lines)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The URI of the server script, once it answers."""
    address, = manual.addresses(1)
    uri = f"coap://{address}"
    with Script(tmp_path_factory.mktemp("server"), manual.server_script(), address):
        until(lambda: copal("ping", "--timeout", "1", uri).returncode == 0)
        yield uri


@pytest.mark.parametrize("kind", [peers.Copal, peers.Libcoap, peers.Aiocoap, peers.Californium, peers.GoCoap],
                         ids=lambda kind: kind.__name__)
def test_the_server_script_answers(server, started, kind):
    client = started(kind)
    answer = client.ask("get", server + "/.well-known/core")
    assert answer.code == "2.05"
    assert b"</resource1>;ct=0" in answer.payload

    assert client.ask("put", server + "/resource1", b"default_value").code == "2.04"
    answer = client.ask("get", server + "/resource1")
    assert (answer.code, answer.payload) == ("2.05", b"default_value")
    assert client.ask("post", server + "/resource1", b"posted").code == "2.04"
    assert client.ask("get", server + "/resource1").payload == b"posted"
    assert client.ask("delete", server + "/resource1").code == "4.05"

    created = f"{server}/new/{kind.__name__}"
    assert client.ask("get", created).code == "4.04"
    assert client.ask("put", created, b"made by PUT").code == "2.01"
    assert client.ask("get", created).payload == b"made by PUT"
    assert f"</new/{kind.__name__}>".encode() in client.ask("get", server + "/.well-known/core").payload
    assert client.ask("delete", created).code == "2.02"


def test_the_server_script_starts_with_its_default_value(tmp_path):
    address, = manual.addresses(1)
    with Script(tmp_path, manual.server_script(), address):
        assert until(lambda: copal("get", "--timeout", "1", f"coap://{address}/resource1").stdout) == b"default_value"


def test_the_server_script_answers_aiocoaps_own_client(server):
    done = subprocess.run([Path(sys.executable).with_name("aiocoap-client"), "-m", "GET", server + "/.well-known/core"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=environment())
    assert done.returncode == 0, done.stderr
    assert b"</resource1>;ct=0" in done.stdout


# go-coap's server is not among them: bound to another address than 127.0.0.1, it answers from that one all the same.
@pytest.mark.parametrize("start", [
    lambda address: Serve("--resource", "test=21.5;ct=text", bind=address, port=5683),
    lambda address: peers.LibcoapServer(address, 5683),
    lambda address: peers.AiocoapServer(address, 5683),
    lambda address: peers.CaliforniumServer(address, 5683)], ids=["Copal", "Libcoap", "Aiocoap", "Californium"])
def test_the_client_script_prints_the_servers_links(tmp_path, start):
    own, address = manual.addresses(2)
    running = start(address)
    try:
        with Script(tmp_path, manual.client_script(), own, server=address) as script:
            script.wait_for("^Payload: ")
            said = [line.replace(">>> ", "") for line in script.lines]  # the prompt comes when it likes
    finally:
        running.end() if isinstance(running, Serve) else running.close()
    sent = [line for line in said if re.fullmatch(r"\d+", line)]
    assert len(sent) == 1, said
    at = said.index("Code: 69")
    assert said[at + 1:at + 4] == [f"ID: {sent[0]}", "Type: 2", "Token: b''"]
    assert re.fullmatch(r"Payload: b'.*</test>.*'", said[at + 4])
