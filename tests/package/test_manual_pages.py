"""The manual pages of section 3, and the programs that stand in them."""
import re
import subprocess
import textwrap

import pytest

from support.installed import declared, run
from support.process import ROOT

TOPICS = sorted({path.stem for path in (ROOT / "include/copal").glob("*.h")} - {"copal"})  # that one has nothing of its own


def page(installed, name):
    return installed.prefix / f"share/man/man3/{name}.3"


def shown(path):
    """A page as it is read: without what makes letters bold."""
    return re.sub(r".\x08", "", run("mandoc", "-T", "utf8", str(path)))


def example(installed, topic):
    section = shown(page(installed, f"copal_{topic}")).partition("\nEXAMPLE\n")[2].partition("\nSEE ALSO\n")[0]
    return textwrap.dedent(section)


def test_each_function_has_a_page(installed):
    functions = declared() - {"copal_dtls_openssl", "copal_dtls_mbedtls"}
    assert {name for name in functions if not page(installed, name).exists()} == set()


def test_the_pages_are_in_good_order(installed):
    pages = [installed.prefix / "share/man/man1/copal.1", *(page(installed, f"copal_{topic}") for topic in TOPICS)]
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
    # A date would be that of the build.
    assert [line for line in done.stdout.splitlines() if 'missing date, using ""' not in line] == []
    assert done.stdout.count("missing date") == len(pages)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_program_of_a_page_is_built_as_it_is_read(installed, tmp_path, topic):
    (tmp_path / "main.c").write_text(example(installed, topic))
    run("gcc", "-Wall", "-Wextra", "-Werror", "main.c", *installed.flags("--cflags", "--libs"), "-o", "main", cwd=tmp_path)


@pytest.mark.parametrize("topic, said", [
    ("message", "27 octets, PUT, message ID 4711\n"), ("uri", 'UDP to localhost, port 5683\nUri-Host: "localhost"\n'),
    ("endpoint", "Content: 21.5\n")])
def test_a_program_that_asks_nobody_else_says_what_it_should(installed, tmp_path, topic, said):
    (tmp_path / "main.c").write_text(example(installed, topic))
    run("gcc", "main.c", *installed.flags("--cflags", "--libs"), "-o", "main", cwd=tmp_path)
    assert said in run(str(tmp_path / "main"), LD_LIBRARY_PATH=str(installed.libraries))


def test_the_first_page_tells_how_to_build(installed):
    text = shown(page(installed, "copal_host"))
    assert "#include <copal/host.h>" in text and "int copal_host_open(copal_host_t **host" in text
