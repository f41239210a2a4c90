"""The stubs for editors: they have the names that the interpreter has, and the examples are right by them."""
import ast
import os
import subprocess
import sys

from support.micropython import run
from support.process import ROOT

TYPINGS = ROOT / "bindings/micropython/typings"


def stubbed(name):
    tree = ast.parse((TYPINGS / "network.pyi").read_text())
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name).body
    names = {getattr(node, "name", "") or getattr(getattr(node, "target", None), "id", "") for node in body}
    return {name for name in names if name and not name.startswith("_")}


def test_each_name_of_the_interpreter_is_in_the_stubs_and_no_other():
    said = run("""
        Coap.init()
        r = Coap.add_resource("a")
        s = Coap.new_client_session("127.0.0.1")
        for name, thing in ("Coap", Coap), ("WLAN", WLAN), ("CoapResource", r), ("CoapClientSession", s):
            print(name, *[word for word in dir(thing) if word[0] != "_"])
    """)
    found = {words[0]: set(words[1:]) for words in map(str.split, said.splitlines())}
    assert found == {name: stubbed(name) for name in ("Coap", "WLAN", "CoapResource", "CoapClientSession")}


def check(*files):
    """mypy's opinion, but for modules that only a board has."""
    return subprocess.run([sys.executable, "-m", "mypy", "--config-file=", "--check-untyped-defs",
                           "--disable-error-code=var-annotated", "--disable-error-code=import-not-found", "--cache-dir", os.devnull, *files],
                          env=os.environ | {"MYPYPATH": str(TYPINGS)}, capture_output=True, text=True)


def test_the_stubs_and_the_examples_are_right_by_mypy():
    done = check(TYPINGS / "network.pyi", *sorted((ROOT / "examples/micropython").glob("*.py")))
    assert done.returncode == 0, done.stdout


def test_a_wrong_call_is_found(tmp_path):
    (tmp_path / "script.py").write_text("from network import Coap\nCoap.add_resource(1, mediatype=0)\n")
    assert 'Unexpected keyword argument "mediatype"' in check(tmp_path / "script.py").stdout


def test_what_a_board_takes_is_right(tmp_path):
    script = "wlan = WLAN(mode=WLAN.STA, antenna=0)\nwlan.connect('ssid', auth=(WLAN.WPA2, 'key'), timeout=5000)\nprint(wlan.isconnected())\n"
    (tmp_path / "script.py").write_text("from network import WLAN\n" + script)
    done = check(tmp_path / "script.py")
    assert done.returncode == 0, done.stdout
    assert run(script) == "True\n"


def test_an_attribute_is_no_number(tmp_path):
    (tmp_path / "script.py").write_text("from network import Coap\nCoap.init()\nCoap.add_resource('a').add_attribute('sz', 5)\n")
    assert 'Argument 2 to "add_attribute"' in check(tmp_path / "script.py").stdout
