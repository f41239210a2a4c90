"""The checks in tools/ pass on this tree, and each can fail."""
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(tool, root=ROOT):
    return subprocess.run([ROOT / "tools" / tool, root], capture_output=True, text=True)


def break_house(house, name, text):
    path = house / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("tool", ["check-includes", "check-core"])
def test_this_tree_passes(tool):
    result = run(tool)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name, include, said", [
    ("src/message/bad.c", '"copal/endpoint.h"', "message is below messaging"),
    ("src/messaging/bad.c", '"copal/tree.h"', "messaging is below resource"),
    ("src/exchange/bad.c", '"../resource/bad.h"', "exchange is below resource"),
    ("src/resource/bad.c", '"copal/host.h"', "resource is below host"),
    ("src/message/bad.c", "<stdio.h>", "the core does not include <stdio.h>"),
    ("src/dtls/bad.c", "<openssl/ssl.h>", "only src/dtls/openssl includes <openssl/ssl.h>"),
    ("src/host/bad.c", "<json-c/json.h>", "only src/patch includes <json-c/json.h>"),
    ("src/message/bad.c", '"../message/absent.h"', "is no file"),
    ("include/copal/message.h", '"copal/tree.h"', "message is below resource"),
    ("tool/bad.c", '"../src/message/hash.h"', "a face includes public headers only"),
    ("examples/bad.c", '"../src/message/hash.h"', "a face includes public headers only"),
    ("src/attic/bad.c", "<stddef.h>", "stands on no floor"),
])
def test_an_include_that_points_upward_is_found(house, name, include, said):
    break_house(house, "src/resource/bad.h", "\n")
    break_house(house, name, f"#include {include}\n")
    result = run("check-includes", house)
    assert result.returncode == 1
    assert f"{name}:" in result.stdout and said in result.stdout


@pytest.mark.parametrize("text, said", [
    ("#include <stdlib.h>\nvoid *copal__f(void);\nvoid *copal__f(void) { return malloc(1); }\n", "needs malloc"),
    ("extern int copal__n;\nint copal__n = 1;\n", "copal__n is writable data"),
    ("int copal__f(void);\nint copal__f(void)\n{\n    static int n;\n    return ++n;\n}\n", "is writable data"),
    ("#ifdef __linux__\nextern int copal__n;\n#endif\n", "#ifdef __linux__: the core has no conditionals"),
    ('#include "src/message/hash.h"\n', "does not compile alone"),
])
def test_a_broken_promise_of_the_core_is_found(house, text, said):
    break_house(house, "src/message/bad.c", text)
    result = run("check-core", house)
    assert result.returncode == 1
    assert said in result.stdout


@pytest.mark.parametrize("text, check", [
    ("#define TWICE(n) 2 * n\n", "bugprone-macro-parentheses"),
    ("int copal__f(int n)\n{\n    int *p = 0;\n    return n ? *p : n;\n}\n", "clang-analyzer-core.NullDereference"),
])
def test_clang_tidy_finds_what_is_wrong(tmp_path, text, check):
    source = tmp_path / "bad.c"
    source.write_text(text)
    result = subprocess.run(["clang-tidy", f"--config-file={ROOT}/.clang-tidy", source, "--", "-std=c11"],
                            capture_output=True, text=True)
    assert result.returncode == 1 and check in result.stdout
