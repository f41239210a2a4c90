"""What the README shows is built and run as it stands there."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.process import SECONDS, until

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


def test_the_micropython_script_serves(tmp_path):
    (tmp_path / "script.py").write_text(blocks("python")[0])
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
