"""copal serve --dir: files down and up."""
import os

import pytest

from support.process import Serve, copal


@pytest.fixture
def served(tmp_path):
    """A directory to serve, with the name of what is around it as `.parent`."""
    (tmp_path / "outside.txt").write_text("secret")
    place = tmp_path / "served"
    place.mkdir()
    return place


def test_it_says_what_it_serves(served):
    with Serve("--dir", str(served)) as server:
        assert server.lines[0] == f"serving the files of {served}"


def test_a_file_of_20_mb_comes_down_as_it_is(served):
    content = os.urandom(20_000_000)
    (served / "a.bin").write_bytes(content)
    with Serve("--dir", str(served)) as server:
        got = copal("get", f"{server.uri}/a.bin")
        assert got.returncode == 0, got.stderr
        assert got.stdout == content


def test_discovery_leads_to_the_files(served):
    (served / "b c").mkdir()
    (served / "b c" / "d.json").write_text("{}")
    with Serve("--dir", str(served), "--resource", "v=1") as server:
        assert copal("discover", server.uri).stdout == b"</>;ct=40,</v>\n"
        assert copal("discover", f"{server.uri}/").stdout == b"</>;ct=40,</v>\n"
        assert copal("get", f"{server.uri}/").stdout == b"</b%20c/>;ct=40"
        assert copal("get", f"{server.uri}/b%20c/").stdout == b"</b%20c/d.json>;ct=50"
        assert copal("get", f"{server.uri}/b%20c/d.json").stdout == b"{}"
        assert copal("get", f"{server.uri}/v").stdout == b"1"


@pytest.mark.parametrize("path", [
    "../outside.txt", "%2e%2e/outside.txt", "..%2foutside.txt", "up/outside.txt", "link", ".hidden", "a%00", "%2fetc%2fpasswd",
])
def test_no_path_escapes(served, path):
    (served / "a").write_text("hello")
    (served / ".hidden").write_text("secret")
    (served / "up").symlink_to("..")
    (served / "link").symlink_to("../outside.txt")
    with Serve("--dir", str(served)) as server:
        got = copal("get", f"{server.uri}/{path}")
        assert got.returncode == 1 and got.stdout == b"", got.stderr


@pytest.mark.parametrize("make, said", [
    (lambda place: None, "No such file or directory"), (lambda place: place.write_text("x"), "Not a directory")])
def test_what_is_no_directory_is_not_served(tmp_path, make, said):
    make(tmp_path / "x")
    done = copal("serve", "--port", "0", "--dir", str(tmp_path / "x"))
    assert done.returncode == 2 and done.stderr == f"copal serve: --dir '{tmp_path}/x': {said}\n"


def test_there_is_one_directory_and_nothing_dynamic_beside_it(served):
    done = copal("serve", "--port", "0", "--dir", str(served), "--dir", "/")
    assert done.returncode == 2 and "--dir may be given once" in done.stderr
    done = copal("serve", "--port", "0", "--dir", str(served), "--dynamic")
    assert done.returncode == 2 and "--dynamic can create nothing" in done.stderr
