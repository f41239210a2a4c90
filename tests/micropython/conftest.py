"""What the tests of the MicroPython binding share. The manual's scripts are tested where the manual is."""
import pytest

from support import manual
from support.client import Client
from support.micropython import Interpreter, Server
from support.udp import free_port

collect_ignore = [] if manual.server_script() else ["test_manual.py"]


@pytest.fixture
def interpreter(tmp_path):
    with Interpreter(tmp_path) as interpreter:
        yield interpreter


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path, free_port(), "dynamic_resources=True") as server:
        yield server


@pytest.fixture
def client(server):
    """A plain socket with a codec of the tests' own, toward `server`."""
    with Client(server.port) as client:
        yield client
