"""Whole programs: the examples, the runner, two interpreters together, Debian's client, WLAN, and the build."""
import re
import shutil
import signal
import subprocess

import pytest

from support import manual
from support.client import Client
from support.coap import code
from support.micropython import Interpreter, Script, Server, micropython, run, session
from support.process import ROOT, SECONDS, Program
from support.udp import Relay, free_port

EXAMPLES = ROOT / "examples/micropython"


def coap_client():
    names = ("coap-client", "coap-client-notls", "coap-client-openssl")
    found = [path for name in names if (path := shutil.which(name))]
    assert found, "Debian's libcoap3-bin is not installed"
    return found[0]


# ---- examples and runner


def test_the_examples_work_together(tmp_path):
    [address] = manual.addresses(1)
    # The runner takes build/micropython; here it is to be the interpreter under test.
    with Program(micropython(), str(ROOT / "bindings/micropython/run.py"), str(EXAMPLES / "server.py"),
                 env={"COPAL_WLAN_IP": address}) as server, Client(5683, address) as other:
        server.wait_for(f"^serving coap://{address}/resource1$")
        with Script(str(EXAMPLES / "client.py"), address) as client:
            assert client.process.wait(SECONDS) == 0
            client.end()
        assert client.lines == [
            'everything: 2.05 </resource1>;ct=0;title="an example";obs', "before: 2.05 a first value", "change: 2.04 ",
            "after: 2.05 a second value"]
        assert other.put("rooms/kitchen", b"21.5").code == code("2.01")
        server.wait_for("^somebody made /rooms/kitchen with b'21.5'$")


def test_the_client_example_tells_of_a_server_that_is_not_there():
    [address] = manual.addresses(1)
    with Script(str(EXAMPLES / "client.py"), address) as client:
        client.wait_for("^everything: no answer, unreachable$")


def test_run_serves_the_example_until_ctrl_c_and_says_what_to_type():
    [address] = manual.addresses(1)
    with Program("bindings/micropython/run", cwd=ROOT, env={"COPAL_WLAN_IP": address}) as server, \
            Client(5683, address) as client:
        for line in (f"build/copal get coap://{address}/resource1", f"client.py {address}",
                     f"coap-client-notls -m get coap://{address}/.well-known/core", "^serving "):
            server.wait_for(line)
        assert client.get("resource1").payload == b"a first value"
        server.send(signal.SIGINT)
        assert server.process.wait(SECONDS) == 0


# ---- peers


def test_two_interpreters_talk_over_a_bad_network(tmp_path):
    """Loss, doubles and delays: every request has one answer, and each POST ran once."""
    (tmp_path / "client").mkdir()
    with Server(tmp_path, free_port()) as server, Interpreter(tmp_path / "client") as client, \
            Relay(server.port, loss=0.2, duplicate=0.3, delay=(0, 0.02), seed=7) as relay:
        server.do("r = Coap.add_resource('a', etag=True); r.callback(15, True)")
        session(client, relay.port)
        client.do("ids = [session.send_request(Coap.REQUEST_POST, uri_path='a', payload=str(i)) for i in range(8)]")
        client.wait("len(got) + len(failed) == 8")
        assert client.value("[(g[0], g[1]) for g in got] == [(68, id) for id in ids]") is True
        assert server.value("r.get_details()[4]") == 9


def test_a_server_and_a_client_in_one_script(interpreter):
    port = free_port()
    interpreter.do(f"""
        Coap.init('127.0.0.1', port={port}, dynamic_resources=True)
        Coap.register_response_handler(answer)
        Coap.register_new_resource_handler(creation)
        session = Coap.new_client_session('127.0.0.1', port={port})
        session.send_request(Coap.REQUEST_PUT, uri_path='a', payload='x' * 1024)
        session.send_request(Coap.REQUEST_GET, uri_path='a')
        session.send_request(Coap.REQUEST_GET, uri_path='.well-known/core')
    """)
    interpreter.wait("len(got) == 3 and made")
    assert interpreter.value("[(g[0], g[4]) for g in got]") == [(65, b""), (69, b"x" * 1024), (69, b"</a>;obs")]


def test_debians_client_reads_writes_and_creates(server):
    def ask(*arguments):
        *how, path = arguments
        command = [coap_client(), "-B", "20", *how, f"coap://127.0.0.1:{server.port}/{path}"]
        done = subprocess.run(command, capture_output=True, timeout=SECONDS)
        return (done.stdout + done.stderr).decode().strip()

    server.do("Coap.add_resource('a', value='first').callback(15, True)")
    assert ask("-m", "get", "a") == "first"
    ask("-m", "put", "-e", "second", "a")
    assert server.value("Coap.get_resource('a').value()") == b"second"
    ask("-m", "post", "-e", "third", "a")
    assert ask("-m", "get", "a") == "third"
    ask("-m", "put", "-e", "made", "b/c")
    assert ask("-m", "get", "b/c") == "made"
    assert ask("-m", "get", ".well-known/core") == "</a>;obs,</b/c>;obs"
    ask("-m", "delete", "a")
    assert "4.04" in ask("-m", "get", "a")


def test_debians_client_fetches_a_large_value_in_blocks(server):
    server.do("Coap.add_resource('a', value='0123456789abcdef' * 300).callback(1, True)")
    command = [coap_client(), "-B", "20", f"coap://127.0.0.1:{server.port}/a"]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS)
    assert done.stdout.strip() == b"0123456789abcdef" * 300


# ---- WLAN


def test_wlan_connects_and_tells_an_address():
    said = run("""
        wlan = WLAN(mode=WLAN.STA)
        wlan.connect('ssid', auth=(WLAN.WPA2, 'key'), timeout=5000)
        print(wlan.isconnected(), len(wlan.ifconfig()), wlan.ifconfig()[0])
        print(WLAN.STA, WLAN.AP, WLAN.STA_AP, WLAN.WEP, WLAN.WPA, WLAN.WPA2)
    """, COPAL_WLAN_IP="")
    assert re.match(r"True 4 \d+\.\d+\.\d+\.\d+\n1 2 3 1 2 3\n$", said)


def test_copal_wlan_ip_takes_the_place_of_the_machines_address():
    assert run("print(WLAN().ifconfig()[0])", COPAL_WLAN_IP="127.0.0.42") == "127.0.0.42\n"


def test_without_a_network_the_address_is_loopbacks():
    done = subprocess.run(["unshare", "-rn", micropython(), "-c", "from network import WLAN; print(WLAN().ifconfig())"],
                          capture_output=True, timeout=SECONDS, text=True)
    assert done.stdout == "('127.0.0.1', '255.0.0.0', '0.0.0.0', '0.0.0.0')\n", done.stderr


# ---- the build


def test_a_micropython_dir_that_is_none_is_said_so():
    environment = {"MICROPY_DIR": "/nonexistent", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([ROOT / "bindings/micropython/source"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "MICROPY_DIR=/nonexistent" in done.stderr


def test_a_build_that_is_up_to_date_is_silent():
    done = subprocess.run(["make", "build/micropython-asan"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("library", ["openssl", "mbedtls"])
def test_the_cmake_file_names_the_sources_that_the_make_file_names_but_wlan(tmp_path, library):
    (tmp_path / "CMakeLists.txt").write_text(f"""
        cmake_minimum_required(VERSION 3.18)
        project(port C)
        add_library(usermod INTERFACE)
        include({ROOT}/bindings/micropython/micropython.cmake)
        get_target_property(sources usermod_copal INTERFACE_SOURCES)
        file(WRITE ${{CMAKE_BINARY_DIR}}/sources "${{sources}}")
    """)
    (tmp_path / "Makefile").write_text(f"""
USERMOD_DIR = {ROOT}/bindings/micropython
include $(USERMOD_DIR)/micropython.mk
all:
\t@echo $(realpath $(SRC_USERMOD_C) $(SRC_USERMOD_LIB_C))
""")
    subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCOPAL_DTLS={library}"], check=True,
                   capture_output=True)
    by_cmake = (tmp_path / "build/sources").read_text().split(";")
    by_make = subprocess.run(["make", "-s", "-C", tmp_path, f"COPAL_DTLS={library}"], check=True, capture_output=True,
                             text=True).stdout.split()
    by_make.remove(str(ROOT / "bindings/micropython/wlan.c"))
    assert sorted(by_cmake) == sorted(by_make) and len(by_make) > 20
