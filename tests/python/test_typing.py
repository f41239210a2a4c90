"""The types that the package promises."""
import subprocess
import sys
from pathlib import Path

from support.process import ROOT, SECONDS

PACKAGE = ROOT / "bindings/python"

USER = '''
import copal
from typing import assert_type

async def use() -> None:
    async with copal.Client() as client:
        response = await client.put("coap://localhost/x", b"1", content_format="json", timeout=1.5)
        assert_type(response, copal.Response)
        assert_type(response.code, copal.Code)
        async for state in client.observe("coap://localhost/x"):
            assert_type(state.payload, bytes)
        async for answer in client.ask_group("coap://224.0.1.187/x", interface="eth0", timeout=5):
            assert_type(answer, copal.Response)
    server = copal.Server()
    value = server.add_value("v", "1")
    assert_type(value.value, bytes)

    @server.resource("f", observable=True)
    async def function(request: copal.Request) -> str:
        return request.path

    function.changed()
    assert_type(copal.get("coap://localhost/x").options.uint(copal.Option.MAX_AGE), int | None)
'''


def run(*arguments, cwd):
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def cache(tmp_path):
    return f"--cache-dir={tmp_path / 'cache'}"


def test_the_package_is_strictly_typed(tmp_path):
    run("mypy", cache(tmp_path), "--config-file", str(ROOT / "pyproject.toml"), "copal", cwd=PACKAGE)


def test_a_user_sees_the_types_of_the_installed_package(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    run("mypy", cache(tmp_path), "--strict", "--python-version", "3.11", "user.py", cwd=tmp_path)


def test_a_user_who_is_wrong_is_told_so(tmp_path):
    (tmp_path / "user.py").write_text('import copal\ncopal.get("coap://localhost/x", colour="red")\n')
    done = subprocess.run([sys.executable, "-m", "mypy", cache(tmp_path), "user.py"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=SECONDS)
    assert done.returncode == 1 and "colour" in done.stdout


def test_the_stubs_are_true(tmp_path):
    (tmp_path / "mypy.ini").write_text("[mypy]\n")
    run("mypy.stubtest", "--mypy-config-file", str(tmp_path / "mypy.ini"), "copal._copal", cwd=tmp_path)
    assert Path(sys.prefix, "lib", f"python3.{sys.version_info[1]}", "site-packages/copal/py.typed").exists()
