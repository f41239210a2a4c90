"""What the README shows is built and run as it stands there."""
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support import manual
from support.process import SECONDS, Program, Serve, until

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["COPAL_BUILD"])


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def compile_c(tmp_path, source):
    (tmp_path / "main.c").write_text(source)
    subprocess.run(["cc", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-I", ROOT / "include", "main.c",
                    BUILD / "libcopal.a", "-pthread", "-o", "program"], cwd=tmp_path, check=True)


def test_the_c_client_compiles(tmp_path):
    include, statements = blocks("c")[0].split("\n\n", 1)
    compile_c(tmp_path, f"#include <stdio.h>\n{include}\nint main(void)\n{{\n{statements}    return 0;\n}}\n")


def test_the_c_server_compiles(tmp_path):
    compile_c(tmp_path, blocks("c")[1])


def run_python(tmp_path, script):
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_tour_works_as_printed(tmp_path):
    waiting, tour = blocks("python")[:2]
    [address] = manual.addresses(1)  # where its port is free
    assert run_python(tmp_path, tour.replace("127.0.0.1", address)) == "2.04 Changed hello world\n21.5\n22\n"
    with Serve("--resource", "temperature=21.5", bind=address, port=5683):
        assert run_python(tmp_path, waiting.replace("localhost", address)) == "2.05 Content 21.5\n"


def shown(text):
    """Commands of the shell, each with the lines that it prints there."""
    return re.findall(r"^    \$ (.*)\n((?:    (?!\$ ).*\n)*)", text, re.MULTILINE)


def test_the_shell_shows_what_happens(tmp_path):
    tour = (ROOT / "README.md").read_text().partition("## The shell")[2].partition("## C")[0]
    plain, secured = shown(tour.partition("\n\n    $ build/copal serve --dir")[0]), shown(tour.partition("image.bin\n")[2])
    subprocess.run(["sh", "-c", secured[0][0]], cwd=tmp_path, check=True)  # writes the keys
    tried = 0
    for commands, uri in ((plain, "coap://[::]:5683"), (secured[1:], "coaps://[::]:5684")):
        (serve, listening), scheme = commands[0], uri.partition(":")[0]
        assert listening.split() == ["listening", "on", uri]
        words = shlex.split(serve.removesuffix(" &").replace("build", str(BUILD), 1))
        with Program(*words, "--port", "0", "--bind", "127.0.0.1", cwd=tmp_path) as server:
            there = server.wait_for("listening on (.*)").group(1)
            for command, lines in commands[1:]:
                words = shlex.split(command.replace("build", str(BUILD), 1).replace(f"{scheme}://localhost", there))
                if lines and words[1] in ("get", "put"):
                    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
                    assert (done.stderr + done.stdout).split() == lines.split(), command
                    tried += 1
    assert tried == 3


def test_the_micropython_script_serves(tmp_path):
    (tmp_path / "script.py").write_text(blocks("python")[-1])
    server = subprocess.Popen([ROOT / "bindings/micropython/run", tmp_path / "script.py"],
                              env=os.environ | {"COPAL_WLAN_IP": "127.0.83.68"})
    try:
        def get():
            return subprocess.run([BUILD / "copal", "get", "--timeout", "1", "coap://127.0.83.68/resource1"],
                                  capture_output=True, text=True).stdout

        assert until(get) == "hello"
    finally:
        server.terminate()
        server.wait(SECONDS)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()))))
def test_a_link_leads_somewhere(path):
    assert (ROOT / path).exists()


def test_each_promise_names_tests_that_are_there():
    named = re.findall(r"`((?:tests/\w+/)?\w+_test\.c)`", (ROOT / "README.md").read_text())
    assert named
    for name in named:
        assert (ROOT / (name if "/" in name else f"tests/engine/{name}")).exists()
