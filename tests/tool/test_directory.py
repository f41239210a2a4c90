"""copal serve --dir: files down and up."""
import os
import signal

import pytest

from support import coap
from support.process import Program, Serve, copal, copal_binary, until
from support.upload import Upload, hidden


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


def test_a_file_of_20_mb_goes_up_and_comes_down_as_it_is(served):
    content = os.urandom(20_000_001)
    source, copy = served.parent / "source", served.parent / "copy"
    source.write_bytes(content)
    with Serve("--dir", str(served), "--write") as server:
        put = copal("put", "-f", str(source), f"{server.uri}/a.bin")
        assert put.returncode == 0, put.stderr
        assert (served / "a.bin").read_bytes() == content
        got = copal("get", "-o", str(copy), f"{server.uri}/a.bin")
        assert got.returncode == 0, got.stderr
        assert copy.read_bytes() == content


def test_discovery_leads_to_the_files(served):
    (served / "b c").mkdir()
    (served / "b c" / "d.json").write_text("{}")
    with Serve("--dir", str(served), "--resource", "v=1") as server:
        assert copal("discover", server.uri).stdout == b"</>;ct=40,</v>;obs\n"
        assert copal("discover", f"{server.uri}/").stdout == b"</>;ct=40,</v>;obs\n"
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


# ---- uploads -------------------------------------------------------------------------------------------------

def test_a_file_goes_up_whole_and_comes_down_again(served):
    (served / "sub").mkdir()
    content = os.urandom(3_000_001)
    with Serve("--dir", str(served), "--write") as server:
        assert server.lines[0] == (f"serving the files of {served}, which may be written, with up to 1073741824 octets "
                                   "each")
        assert Upload(server, "sub/a.bin", content).run().code == coap.code("2.01")
        assert copal("get", f"{server.uri}/sub/a.bin").stdout == content
        assert Upload(server, "sub/a.bin", content[1:]).run().code == coap.code("2.04")
        assert (served / "sub" / "a.bin").read_bytes() == content[1:]
        assert copal("put", f"{server.uri}/sub/b", "small").returncode == 0
        assert copal("get", f"{server.uri}/sub").stdout == b"</sub/a.bin>;ct=42,</sub/b>;ct=42"
        assert copal("delete", f"{server.uri}/sub/b").returncode == 0
        assert [path.name for path in (served / "sub").iterdir()] == ["a.bin"]


def test_without_write_nothing_goes_up(served):
    (served / "a").write_text("old")
    with Serve("--dir", str(served)) as server:
        assert "4.05 Method Not Allowed" in copal("put", f"{server.uri}/a", "x").stderr
        assert "4.05 Method Not Allowed" in copal("delete", f"{server.uri}/a").stderr
        assert Upload(server, "a", b"x" * 5000).run().code == coap.code("4.05")
    assert (served / "a").read_text() == "old"


def test_a_server_killed_in_the_middle_leaves_the_old_file_and_the_next_one_tidies_up(served):
    (served / "sub").mkdir()
    (served / "sub" / "a").write_text("old")
    server = Serve("--dir", str(served), "--write")
    try:
        assert Upload(server, "sub/a", b"x" * 100_000).run(50).code == coap.code("2.31")
    finally:
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    assert (served / "sub" / "a").read_text() == "old"
    assert len(hidden(served)) == 1
    with Serve("--dir", str(served), "--write") as server:
        assert hidden(served) == []
        assert copal("get", f"{server.uri}/sub/a").stdout == b"old"


def test_a_client_that_goes_away_leaves_the_old_file_and_no_litter(served):
    (served / "a").write_text("old")
    with Serve("--dir", str(served), "--write", "--verbose") as server:
        assert Upload(server, "a", b"x" * 100_000).run(50).code == coap.code("2.31")
        assert (served / "a").read_text() == "old"
    assert [line for line in server.lines if "4.08 Request Entity Incomplete, 51200 octets came" in line]
    assert (served / "a").read_text() == "old" and hidden(served) == []


def test_a_client_killed_in_the_middle_leaves_the_old_file_and_no_litter(served):
    (served / "a").write_text("old")
    source = served.parent / "source"
    source.write_bytes(b"x" * 30_000_000)
    with Serve("--dir", str(served), "--write") as server:
        client = Program(copal_binary(), "put", "-f", str(source), f"{server.uri}/a")
        until(lambda: hidden(served) and hidden(served)[0].stat().st_size > 100_000)
        assert client.end(signal.SIGKILL) == -signal.SIGKILL
        assert copal("get", f"{server.uri}/a").stdout == b"old"
        assert copal("put", f"{server.uri}/a", "new").returncode == 0
    assert (served / "a").read_text() == "new" and hidden(served) == []


def test_uploads_to_one_path_at_once_end_with_one_of_them_whole(served):
    contents = [bytes([letter]) * 200_000 for letter in b"abc"]
    with Serve("--dir", str(served), "--write") as server:
        uploads = [Upload(server, "a", content) for content in contents]
        answers = []
        while uploads:
            for upload in list(uploads):
                answer = upload.step()
                if answer.code != coap.code("2.31"):
                    answers.append(answer.code)
                    uploads.remove(upload)
                    assert (served / "a").read_bytes() in contents
        assert answers == [coap.code("2.01"), coap.code("2.04"), coap.code("2.04")]
        assert (served / "a").read_bytes() == contents[2]
        assert hidden(served) == []


def test_verbose_tells_of_each_change(served):
    with Serve("--dir", str(served), "--write", "--verbose") as server:
        copal("put", f"{server.uri}/a%0ab", "hello")
        server.wait_for(r"^PUT /a\\x0ab by 127\.0\.0\.1 port \d+: 2\.01 Created, 5 octets came$")
        copal("delete", f"{server.uri}/a%0ab")
        server.wait_for(r"^DELETE /a\\x0ab by 127\.0\.0\.1 port \d+: 2\.02 Deleted$")


def test_an_upload_is_bounded_and_says_why_it_fails(served):
    with Serve("--dir", str(served), "--write", "--max-upload", "2K") as server:
        assert "up to 2048 octets" in server.lines[0]
        answer = Upload(server, "a", b"x" * 5000).run()
        assert answer.code == coap.code("4.13") and answer.all(coap.SIZE1) == [b"\x08\x00"]
        assert "4.04 Not Found: there is no such directory" in copal("put", f"{server.uri}/sub/a", "x").stderr
        assert "4.05 Method Not Allowed: this is a directory" in copal("put", f"{server.uri}/", "x").stderr
    assert list(served.iterdir()) == []


@pytest.mark.parametrize("options, said", [
    (["--write"], "--write is about the files of a --dir"),
    (["--dir", ".", "--max-upload", "1M"], "--max-upload is about uploads, which --write allows"),
    (["--dir", ".", "--write", "--max-upload", "2G"], "up to 1G, not '2G'"),
    (["--dir", ".", "--write", "--max-upload", "0"], "up to 1G, not '0'")])
def test_options_that_make_no_sense_are_refused(options, said):
    done = copal("serve", "--port", "0", *options)
    assert done.returncode == 2 and said in done.stderr


def test_a_directory_that_cannot_be_written_is_refused_at_once():
    done = copal("serve", "--port", "0", "--dir", "/proc/self", "--write")
    assert done.returncode == 2 and done.stderr.startswith("copal serve: --dir '/proc/self': "), done.stderr
