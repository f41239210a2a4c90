"""What the tests of the MicroPython binding share."""
import subprocess

import pytest

from support.client import Client
from support.micropython import Interpreter, Server
from support.process import ROOT
from support.udp import free_port


@pytest.fixture(scope="session", autouse=True)
def sanitized_interpreter():
    """The interpreter with the sanitizers in copal and in the binding; quick where it is up to date."""
    subprocess.run(["make", "build/micropython-asan"], cwd=ROOT, check=True)


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
