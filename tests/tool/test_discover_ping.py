"""copal discover and copal ping."""
import re

import pytest

from support import coap
from support.coap import Message, uint
from support.process import Serve, copal
from support.udp import Answerer, free_port, piggyback

LINKS = b'</a>;ct=0,</b>;rt="x y"'


def links(request):
    return piggyback(request, "2.05", (coap.CONTENT_FORMAT, uint(40)), payload=LINKS)


@pytest.mark.parametrize("suffix, path, query", [
    ("", ".well-known/core", []), ("/", ".well-known/core", []), ("?rt=x*", ".well-known/core", [b"rt=x*"]),
    ("/?href=/a&ct=40", ".well-known/core", [b"href=/a", b"ct=40"]), ("/other", "other", []),
    ("/.well-known/core?rt=x", ".well-known/core", [b"rt=x"])])
def test_asks_for_the_well_known_path_with_the_uris_query(suffix, path, query):
    with Answerer(links) as server:
        done = copal("discover", server.uri + suffix)
    request = server.messages[0]
    assert (request.code, request.path(), request.all(coap.URI_QUERY)) == (coap.GET, path, query)
    assert (done.returncode, done.stdout, done.stderr) == (0, LINKS + b"\n", "2.05 Content\n")


def test_options_of_discover():
    with Answerer(links) as server:
        copal("discover", server.uri, "-n", "--token", "0x01")
    assert (server.messages[0].type, server.messages[0].token) == (coap.NON, b"\1")


def test_filters_of_our_own_server():
    with Serve("--resource", "a=1;rt=red", "--resource", "b=1;rt=blue") as server:
        assert copal("discover", server.uri + "?rt=re*").stdout == b"</a>;rt=red;obs\n"


def test_a_host_without_discovery():
    with Answerer(lambda request: piggyback(request, "4.04")) as server:
        done = copal("discover", server.uri)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", "4.04 Not Found\n")


def reset(request):
    return Message(coap.RST, 0, request.mid)


def test_ping_is_an_empty_con_and_prints_the_time_it_took():
    with Answerer(reset) as server:
        done = copal("ping", server.uri)
    request = server.messages[0]
    assert (request.type, request.code, request.token, request.options) == (coap.CON, 0, b"", [])
    assert done.returncode == 0
    assert re.fullmatch(rf"{server.uri} answered in \d+\.\d{{3}} ms\n", done.stdout.decode())
    assert done.stderr == ""


def test_ping_counts():
    with Answerer(reset) as server:
        done = copal("ping", server.uri, "-c", "3", "--interval", "0.01")
    *answers, tally = done.stdout.decode().splitlines()
    assert len(answers) == len(server.messages) == 3
    assert len({message.mid for message in server.messages}) == 3
    assert re.fullmatch(r"3 sent, 3 answered; least, mean, most: [\d.]+, [\d.]+, [\d.]+ ms", tally)


def test_ping_of_our_own_server():
    with Serve() as server:
        assert copal("ping", server.uri).returncode == 0


def test_ping_where_some_are_answered():
    answers = iter([None, True, None])
    with Answerer(lambda request: reset(request) if next(answers, None) else None) as server:
        done = copal("ping", server.uri, "-c", "3", "-i", "0.01", "--timeout", "2")
    assert done.returncode == 0
    assert "3 sent, 1 answered" in done.stdout.decode()
    assert done.stderr.count("no answer in time") == 2


@pytest.mark.parametrize("answer", [lambda request: None])
def test_ping_without_answer_is_status_3(answer):
    with Answerer(answer) as server:
        done = copal("ping", server.uri, "--timeout", "0.2", "-v")
    assert (done.returncode, done.stdout) == (3, b"")
    assert "no answer in time" in done.stderr


def test_ping_of_a_port_where_nobody_listens_is_status_3():
    done = copal("ping", f"coap://127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (3, b"")
    assert "cannot be reached" in done.stderr
