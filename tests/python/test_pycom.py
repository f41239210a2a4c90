"""network.Coap under CPython: as under MicroPython, and `python -m copal run`."""
import asyncio
import os
import signal
import subprocess
import sys
import time

import copal
import pytest

from support import manual
from support.client import Client
from support.coap import code
from support.process import ROOT, SECONDS, Program, build, environment
from support.udp import free_port

SCRIPTS = ROOT / "tests/conformance"
RUN = [sys.executable, "-m", "copal", "run"]


def run(command, status=0, **env):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
                          env=environment(**env))
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def python(script, **more):
    return run([sys.executable, "-c", script], **more)


@pytest.mark.parametrize("name", ["script.py", "wrong.py"])
def test_the_conformance_scripts_print_the_same_under_both_interpreters(name):
    port, script = free_port(), SCRIPTS / name
    expected, complaints = run([build() / "micropython", "-X", "heapsize=8M", script, str(port)], COPAL_WLAN_IP="127.0.0.1")
    assert expected.endswith("--- the end\n") and not complaints and "waited for nothing" not in expected
    said, complaints = run([*RUN, "--for", "0", "--bind", "127.0.0.1", script, str(port)])
    assert said == expected and not complaints


def test_the_manuals_scripts_run_verbatim(tmp_path):
    if manual.server_script() is None:
        return  # the manual is not here; the conformance script stands for it
    server_address, client_address = manual.addresses(2)
    (tmp_path / "server.py").write_text(manual.server_script())
    (tmp_path / "client.py").write_text(manual.client_script())
    with Program(*RUN, "--bind", server_address, tmp_path / "server.py") as server:
        with Client(5683, server_address) as client:
            until_it_listens(client)
            assert client.put("resource1", b"new").code == code("2.04")
            assert client.put("made/by/put", b"x").code == code("2.01")
            asking = manual.with_server_name(tmp_path, server_address, *RUN, "--for", "60", "--bind", client_address,
                                             str(tmp_path / "client.py"))
            with Program(*asking) as script:
                script.wait_for("^Code: 69")
                script.wait_for("^Payload: b'</resource1>")
                assert script.end() == 0
        assert server.end() == 0, server.lines


def until_it_listens(client):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            return client.get("resource1")
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("it never listened")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_script_that_is_run_serves_until_it_is_told_to_end(tmp_path, number):
    port = free_port()
    (tmp_path / "script.py").write_text("from network import Coap, WLAN\nimport sys\nCoap.init(WLAN().ifconfig()[0])\n"
                                        "Coap.add_resource('resource1', value='1').callback(Coap.REQUEST_GET, True)\n"
                                        "print(sys.argv[1:], __name__)\n")
    command = [*RUN, "--bind", "127.0.0.1", "--port", str(port), tmp_path / "script.py", "a", "--b"]
    with Program(*command) as script, Client(port) as client:
        script.wait_for(r"^\['a', '--b'\] __main__$")
        assert client.get("resource1").payload == b"1"
        assert script.end(number) == 0, script.lines


def test_a_script_that_fails_says_so(tmp_path):
    (tmp_path / "script.py").write_text("from network import Coap\nCoap.init()\n1 / 0\n")
    assert "ZeroDivisionError" in run([*RUN, tmp_path / "script.py"], status=1)[1]
    (tmp_path / "script.py").write_text("from network import Coap\nCoap.init()\nraise SystemExit(7)\n")
    run([*RUN, tmp_path / "script.py"], status=7)
    assert run([*RUN, tmp_path / "no.py"], status=2) == ("", f"python -m copal: {tmp_path}/no.py: No such file or directory\n")


def test_a_script_is_compiled_as_it_stands(tmp_path):
    """Not by what the package's own modules say of annotations."""
    (tmp_path / "script.py").write_text("def f(x: int): pass\nprint(f.__annotations__)\n")
    assert run([*RUN, tmp_path / "script.py"]) == ("{'x': <class 'int'>}\n", "")


@pytest.mark.parametrize("option, value, complaint", [
    ("--for", "-1", "invalid number of seconds value"), ("--for", "nan", "invalid number of seconds value"),
    ("--for", "1e400", "invalid number of seconds value"), ("--port", "65536", "invalid port value"),
    ("--port", "-1", "invalid port value"), ("--port", "x", "invalid port value")])
def test_a_wrong_option_of_run_is_complained_of_before_the_script_runs(tmp_path, option, value, complaint):
    (tmp_path / "script.py").write_text("print('run')\n")
    said, complaints = run([*RUN, f"{option}={value}", tmp_path / "script.py"], status=2)
    assert not said and complaint in complaints


def test_a_plain_script_ends_though_it_serves():
    said, complaints = python(f"""
from copal.pycom import Coap
import threading
Coap.init("127.0.0.1", port={free_port()})
print([thread.name for thread in threading.enumerate() if thread.daemon])
""")
    assert said == "['network.Coap']\n" and not complaints


def test_a_callback_that_raises_prints_its_traceback_and_the_next_ones_go_on():
    said, complaints = python(f"""
from copal.pycom import Coap
import time
got = []
def answered(code, *more):
    got.append(code)
    raise KeyError(len(got))
Coap.init("127.0.0.1", port={(port := free_port())})
Coap.register_response_handler(answered)
session = Coap.new_client_session("127.0.0.1", port={port})
for _ in range(3):
    session.send_request(Coap.REQUEST_GET, uri_path="x")
while len(got) < 3:
    time.sleep(0.01)
""")
    assert complaints.count("KeyError: ") == 3, complaints


def test_deinit_ends_the_thread_and_may_be_called_in_a_callback():
    said, complaints = python(f"""
from copal.pycom import Coap
import threading, time
for _ in range(20):
    Coap.init("127.0.0.1", port={(port := free_port())})
    ended = threading.Event()
    def answered(*arguments):
        Coap.deinit()
        ended.set()
    Coap.register_response_handler(answered)
    Coap.new_client_session("127.0.0.1", port={port}).send_request(Coap.REQUEST_GET)
    assert ended.wait(60)
while threading.active_count() > 1:
    time.sleep(0.01)
print("done")
""")
    assert said == "done\n" and not complaints


def test_a_forked_process_ends_though_it_has_not_the_thread():
    said, complaints = python(f"""
import os, sys, time, warnings
from copal.pycom import Coap
warnings.simplefilter("ignore")  # newer Pythons warn of forks where there are threads
Coap.init("127.0.0.1", port={free_port()})
Coap.add_resource("x")
time.sleep(0.1)  # the thread is asleep, and holds what it holds then
if os.fork() == 0:
    try:
        Coap.get_resource("x")
    except RuntimeError as error:
        print(error, flush=True)
    sys.exit(0)
print(os.wait()[1], Coap.get_resource("x"))
""")
    assert said == "the host is that of another process\n0 <CoapResource>\n" and not complaints


def test_nothing_is_called_after_cancel():
    python(f"""
from copal.pycom import Coap
import time
Coap.init("127.0.0.1", port={(port := free_port())})
Coap.add_resource("x").callback(Coap.REQUEST_GET, True)
session = Coap.new_client_session("127.0.0.1", port={port})
cancelled = set()
def answered(code, id, *more):
    assert id not in cancelled
Coap.register_response_handler(answered)
for _ in range(300):
    id = session.send_request(Coap.REQUEST_GET, uri_path="x")
    session.cancel(id)
    cancelled.add(id)
time.sleep(0.1)
""")


def test_message_ids_are_unique_over_all_sessions():
    said, _ = python("""
from copal.pycom import Coap
Coap.init()
ids = set()
for i in range(50):
    session = Coap.new_client_session(f"127.0.1.{i}")
    for _ in range(100):
        id = session.send_request(1)
        ids.add(id)
        session.cancel(id)
print(len(ids))
""")
    assert said == "5000\n"


def test_a_taken_port_is_an_os_error_and_leaves_nothing():
    said, _ = python(f"""
import errno, socket
from copal.pycom import Coap
taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taken.bind(("127.0.0.1", 0))
try:
    Coap.init("127.0.0.1", port=taken.getsockname()[1])
except OSError as error:
    print(error.errno == errno.EADDRINUSE)
Coap.init()
""")
    assert said == "True\n"


def test_an_init_that_gets_no_thread_leaves_nothing():
    said, _ = python(f"""
import threading
from copal.pycom import Coap
def refuse(self):
    raise RuntimeError("can't start new thread")
start, threading.Thread.start = threading.Thread.start, refuse
for _ in range(2):
    try:
        Coap.init("127.0.0.1", port={free_port()})
    except RuntimeError as error:
        print(error)
threading.Thread.start = start
Coap.init()
Coap.deinit()
""")
    assert said == "can't start new thread\n" * 2


def test_what_cannot_be_shown_for_want_of_memory_does_not_keep_the_next_from_it():
    port = free_port()
    said, complaints = python(f"""
import threading
from copal.pycom import Coap, _state
Coap.init("127.0.0.1", port={port}, dynamic_resources=True)
asked, heard = [], threading.Semaphore(0)
find = _state.State.resource
def resource(state, handle):
    asked.append(handle)
    heard.release()
    if len(asked) == 1:
        raise MemoryError
    return find(state, handle)
_state.State.resource = resource
Coap.register_new_resource_handler(lambda made: print(made.get_details()[0]))
session = Coap.new_client_session("127.0.0.1", port={port})
for path in "first", "second":
    session.send_request(Coap.REQUEST_PUT, uri_path=path, payload="x")
    assert heard.acquire(timeout={SECONDS})
Coap.deinit()
""")
    assert said == "second\n" and complaints.splitlines().count("MemoryError") == 1 and "network.Coap ends" not in complaints


def test_the_package_and_network_coap_live_in_one_process(tool):
    assert copal.get(f"{tool.uri}/temperature").is_success
    assert os.environ.get("COPAL_WLAN_IP") is None


def ask_group(address, port, path):
    """The first answer that comes from an address to a request to the IPv4 group of all CoAP nodes."""
    async def ask():
        async with copal.Client() as client:
            async for answer in client.ask_group(f"coap://224.0.1.187:{port}/{path}", interface="lo", timeout=60):
                if answer.peer[0] == address:  # other servers may run on this machine
                    return answer

    return asyncio.run(ask())


@pytest.mark.parametrize("address, secret, link", [
    ("127.0.0.85", "", "</a>;obs"),
    ("127.0.0.86", ", psk='secret', hint='gate'", "<coaps://127.0.0.86:{port}/a>;obs"),
])
def test_with_service_discovery_who_asks_the_group_is_answered(address, secret, link, tmp_path):
    port = free_port(address)
    (tmp_path / "script.py").write_text(f"""
from network import Coap
Coap.init({address!r}, port={port}, service_discovery=True{secret})
Coap.add_resource("a", value="x").callback(Coap.REQUEST_GET, True)
print("begun")
""")
    with Program(*RUN, tmp_path / "script.py") as script:
        script.wait_for("^begun")
        assert ask_group(address, 5683 if secret else port, ".well-known/core").text == link.format(port=port)
        assert script.end() == 0, script.lines


def test_service_discovery_without_an_address_is_a_client_all_the_same():
    said, complaints = python("from copal.pycom import Coap\nCoap.init(service_discovery=True)\n")
    assert not said and not complaints
