"""The documentation builds without a warning, and what it shows works as it stands there."""
import os
import re
import subprocess
import sys

import copal as package
import pytest

from support.installed import declared, make
from support.micropython import Script
from support.process import ROOT, SECONDS, Program, Serve, build, copal, environment, until
from support.udp import free_port

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_site_builds_without_a_warning():
    make("docs")
    reference = (ROOT / "build/docs/html/reference/c.html").read_text()
    assert [name for name in sorted(declared()) if f">{name}</span>" not in reference] == []


def test_the_shell_tutorial_shows_what_happens():
    first, *rest = blocks("tutorial/shell.md", "console")
    command, said = re.fullmatch(r"\$ copal serve --port 5700 (.*)\n(.*)\n", first).groups()
    assert said == "listening on coap://[::]:5700"
    with Serve(*(word.strip("'") for word in command.split(" ", 1)), bind="::") as server:
        for block in rest:
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
                done = subprocess.run(["sh", "-c", command.replace(":5700", f":{server.port}")], capture_output=True,
                                      text=True, timeout=SECONDS,
                                      env=environment() | {"PATH": f"{build()}:{os.environ['PATH']}"})
                assert (done.stderr + done.stdout).split() == shown.split(), command


@pytest.mark.parametrize("number", range(3))
def test_the_python_tutorial_runs(number):
    script = blocks("tutorial/python.md", "python")[number]
    with Serve("--resource", "temperature=21.5;ct=text") as server:
        script = script.replace(":5700", f":{server.port}").replace("localhost", "127.0.0.1").replace("5701", str(free_port()))
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ["2.05 Content 21.5\n", "21.5\n21.5\n", "hello\n22\n"][number]
        if number == 0:
            assert copal("get", server.uri + "/temperature").stdout == b"22"


def test_the_sensor_tells_who_observes_it():
    with Script(str(ROOT / "examples/micropython/sensor.py"), env={"COPAL_WLAN_IP": "127.0.83.69"}):
        until(lambda: copal("get", "--timeout", "1", "coap://127.0.83.69/temperature").returncode == 0)
        done = copal("observe", "--count", "2", "coap://127.0.83.69/temperature")
        assert done.returncode == 0 and all(20 <= float(line) < 31 for line in done.stdout.split())


def test_the_gateway_and_the_dashboard_tell_what_a_device_told():
    with Serve("--resource", "t=20;ct=text") as device:
        with Program(str(build() / "examples/gateway"), "0", f"kitchen={device.uri}/t") as gateway:
            port = gateway.wait_for(r"^listening on port (\d+)$").group(1)
            kitchen = f"coap://127.0.0.1:{port}/kitchen"
            until(lambda: copal("get", kitchen).stdout == b"20")
            dashboard = [sys.executable, str(ROOT / "examples/python/dashboard.py"), kitchen, device.uri + "/none"]
            with Program(*dashboard) as shown:
                shown.wait_for(f"^{re.escape(kitchen)}  20$")
                copal("put", device.uri + "/t", "21")
                shown.wait_for(f"^{re.escape(kitchen)}  21$")


def test_the_dashboard_tells_of_an_error():
    with Serve() as device, Program(sys.executable, str(ROOT / "examples/python/dashboard.py"), device.uri + "/none") as shown:
        shown.wait_for("/none  4.04 Not Found$")


def test_gateway_and_dashboard_say_how_they_are_used():
    assert subprocess.run([build() / "examples/gateway"], capture_output=True).returncode == 2
    done = subprocess.run([sys.executable, ROOT / "examples/python/dashboard.py"], capture_output=True)
    assert done.returncode == 1 and done.stderr.startswith(b"usage: ")


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_somewhere(page):
    text = (DOCS / page).read_text()
    targets = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"^```\{literalinclude\} (\S+)", text, re.MULTILINE)
    assert [target for target in targets if not ((DOCS / page).parent / target).exists()] == []


@pytest.mark.parametrize("page", ["cves.md", "promises.md"])
def test_a_test_that_a_page_names_is_there(page):
    sources = [*(ROOT / "tests").rglob("*.c"), *(ROOT / "tests").rglob("test_*.py")]
    tests = set(re.findall(r"^(?:static )?(?:void|def) (\w+)\(", "\n".join(path.read_text() for path in sources), re.MULTILINE))
    named = set(re.findall(r"`(\w+)`", (DOCS / page).read_text()))
    assert len(named) > 25 and named <= tests


def counterparts(page):
    """The right column of a page's table."""
    return "\n".join(line.split("|")[2] for line in (DOCS / page).read_text().splitlines() if line.startswith("| `"))


def test_a_counterpart_in_c_is_declared():
    named = set(re.findall(r"`(copal_\w+)`", counterparts("coming-from/libcoap.md")))
    assert len(named) > 20 and named <= declared()


def test_a_counterpart_in_python_is_there():
    named = set(re.findall(r"copal\.(\w+)", counterparts("coming-from/aiocoap.md")))
    assert named >= {"Client", "Server", "Credentials"} and named <= set(package.__all__)


def test_each_call_of_pycoms_is_in_its_table():
    stubs = (ROOT / "bindings/micropython/typings/network.pyi").read_text()
    calls = set(re.findall(r"def ([a-z_]+)\(", stubs.split("class WLAN")[0]))
    assert len(calls) > 15 and calls <= set(re.findall(r"\b([a-z_]+)(?=\(|`)", (DOCS / "coming-from/pycom.md").read_text()))
