"""The manual's two scripts, to the letter, against each other. Toward other implementations: tests/interop."""
from support import manual
from support.client import Client
from support.coap import CONTENT_FORMAT, code
from support.micropython import Board


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def test_the_scripts_are_whole():
    server, client = manual.server_script(), manual.client_script()
    assert server.startswith("from network import WLAN\n") and server.rstrip().endswith("Coap.REQUEST_PUT, True)")
    assert client.startswith("from network import WLAN\n") and client.rstrip().endswith("print(id)")
    assert f'"{manual.SERVER_NAME}"' in client


def test_the_servers_script_serves(tmp_path):
    [address] = manual.addresses(1)
    board = Board(write(tmp_path, "server.py", manual.server_script()), address)
    with board.wait_for_prompt(), Client(5683, address) as client:
        answer = client.get("resource1")
        assert (answer.code, answer.payload, answer.all(CONTENT_FORMAT)) == (code("2.05"), b"default_value", [b""])
        assert client.put("resource1", b"new").code == code("2.04")
        assert client.post("resource1", b"newer").code == code("2.04")
        assert client.get("resource1").payload == b"newer"
        assert client.delete("resource1").code == code("4.05")
        assert client.put("made/by/put", b"x").code == code("2.01")
        assert client.get("made/by/put").payload == b"x"
        assert client.get(".well-known/core").payload == b"</resource1>;ct=0;obs,</made/by/put>;obs"


def test_the_clients_script_prints_what_the_servers_script_answers(tmp_path):
    server_address, client_address = manual.addresses(2)
    server = write(tmp_path, "server.py", manual.server_script())
    client = write(tmp_path, "client.py", manual.client_script())
    with Board(server, server_address).wait_for_prompt(), \
            Board(client, client_address, manual.with_server_name(tmp_path, server_address)) as asking:
        asking.wait_for("Payload")
    said = "\n".join(line.replace(">>> ", "") for line in asking.lines).split("\n")
    id = next(line for line in said if line.isdigit())
    first = said.index("Code: 69")
    assert said[first:first + 5] == ["Code: 69", f"ID: {id}", "Type: 2", "Token: b''", "Payload: b'</resource1>;ct=0;obs'"]
