"""copal.get and its like, against the tool's server."""
import os
import subprocess
import sys
import threading

import copal
import pytest
from copal import _ask

from support.coap import code
from support.process import SECONDS, Serve
from support.udp import Answerer, critical, free_port, piggyback


def test_get_returns_code_options_and_payload(tool):
    response = copal.get(f"{tool.uri}/temperature")
    assert (response.code, response.payload, response.text) == (copal.Code.CONTENT, b"21.5", "21.5")
    assert (response.content_format, response.etag, response.max_age) == (0, b"\x01", 60)
    assert response.options == ((copal.Option.ETAG, b"\x01"), (copal.Option.CONTENT_FORMAT, b""))
    assert response.peer == ("127.0.0.1", tool.port)
    assert str(response.code) == f"{response.code}" == "2.05 Content"


def test_put_creates_changes_and_delete_removes(tool):
    uri = f"{tool.uri}/rooms/kitchen"
    assert copal.put(uri, "22", content_format="text").code == copal.Code.CREATED
    assert copal.put(uri, b"23").code == copal.Code.CHANGED
    assert copal.get(uri).text == "23"
    assert copal.delete(uri).code == copal.Code.DELETED
    assert copal.get(uri).code == copal.Code.NOT_FOUND


def test_post_below_a_path_tells_the_location(tool):
    response = copal.post(f"{tool.uri}/things", "x")
    assert response.code == copal.Code.CREATED and response.location.startswith("things/")
    assert copal.get(f"{tool.uri}/{response.location}").text == "x"


def test_patch_and_ipatch_change_json(tool):
    assert copal.patch(f"{tool.uri}/doc", '{"b":2}', content_format=52).is_success
    assert copal.ipatch(f"{tool.uri}/doc", '{"a":null}', content_format=52).is_success
    assert copal.get(f"{tool.uri}/doc", accept="json").json() == {"b": 2}


def test_conditions_are_sent(tool):
    uri = f"{tool.uri}/temperature"
    assert copal.get(uri, etag=b"\x01").code == copal.Code.VALID
    assert copal.put(uri, "1", if_none_match=True).code == copal.Code.PRECONDITION_FAILED
    assert copal.put(uri, "1", if_match=b"\x01").code == copal.Code.CHANGED
    assert copal.put(uri, "2", if_match=b"\x01").code == copal.Code.PRECONDITION_FAILED
    assert copal.get(uri, accept="cbor").code == copal.Code.NOT_ACCEPTABLE


@pytest.mark.parametrize("size", [1024, 1025, 100_000])
def test_bodies_of_any_size_go_both_ways(tool, size):
    body = os.urandom(size)
    assert copal.put(f"{tool.uri}/big", body).is_success
    assert copal.get(f"{tool.uri}/big").payload == body
    assert copal.get(f"{tool.uri}/big", block_size=64).payload == body
    assert b"".join(copal.stream(f"{tool.uri}/big")) == body


def test_a_file_is_sent_from_where_it_stands(tool, tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 100)
    with open(tmp_path / "file", "rb") as file:
        file.seek(1000)
        assert copal.put(f"{tool.uri}/file", file).is_success
    assert copal.get(f"{tool.uri}/file").payload == (bytes(range(256)) * 100)[1000:]


def test_a_file_that_gets_shorter_ends_the_request(tool, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 5000)
    with open(tmp_path / "file", "rb") as file:
        arguments = copal._ask.arguments(f"{tool.uri}/file", copal.Code.PUT, file, {})
        os.truncate(tmp_path / "file", 3000)
        with copal.blocking._Asked(copal._ask.peers(tool.uri)[0], arguments) as asking:
            error, ended, message = asking.wait()
    assert isinstance(error, OSError) and ended and message is None


def test_an_error_is_an_answer_until_it_is_to_be_raised(tool):
    response = copal.get(f"{tool.uri}/missing")
    assert response.code == copal.Code.NOT_FOUND and not response.is_success
    with pytest.raises(copal.ResponseError) as raised:
        response.raise_for_code()
    assert raised.value.code == copal.Code.NOT_FOUND and raised.value.response is response
    assert list(copal.get(f"{tool.uri}/temperature").raise_for_code().payload)


def test_what_keeps_an_answer_from_coming_is_an_exception():
    with Answerer(lambda request: None) as silent, pytest.raises(copal.Timeout) as raised:
        copal.get(silent.uri, timeout=0.05)
    assert isinstance(raised.value, (copal.CopalError, TimeoutError))
    with Answerer(lambda request: bytes([0x70, 0]) + request.mid.to_bytes(2, "big")) as server, pytest.raises(copal.Reset):
        copal.get(server.uri)
    with Answerer(critical) as server, pytest.raises(copal.BadResponse):
        copal.get(server.uri)
    with pytest.raises(copal.Unreachable):
        copal.get(f"coap://127.0.0.1:{free_port()}/x")


@pytest.mark.parametrize("uri, error", [
    ("http://127.0.0.1/", copal.BadUri), ("coap://127.0.0.1/#a", copal.BadUri), ("", copal.BadUri),
    ("coap://nowhere.invalid/", copal.UnknownHost), ("coaps://224.0.1.187/", copal.CopalError),
])
def test_a_uri_that_cannot_be_asked_is_an_exception(uri, error):
    with pytest.raises(error):
        copal.get(uri)


@pytest.mark.parametrize("arguments, error", [
    ({"timeout": 0}, copal.InvalidArgument), ({"timeout": float("nan")}, copal.InvalidArgument),
    ({"content_format": 65536}, copal.InvalidArgument), ({"content_format": -1}, copal.InvalidArgument),
    ({"accept": "nonsense"}, ValueError), ({"block_size": 1000}, copal.InvalidArgument),
    ({"block_size": 65552}, copal.InvalidArgument), ({"hop_limit": 0}, copal.InvalidArgument),
    ({"hop_limit": 256}, copal.InvalidArgument), ({"etag": b"123456789"}, copal.InvalidArgument), ({"etag": 5}, TypeError),
    ({"if_match": 5}, TypeError), ({"payload": 5}, TypeError), ({"colour": "red"}, TypeError),
])
def test_arguments_out_of_range_are_refused_at_once(arguments, error):
    with pytest.raises(error):
        copal.put("coap://127.0.0.1/x", arguments.pop("payload", b""), **arguments)


def test_none_is_not_given(tool):
    assert copal.get(f"{tool.uri}/temperature", accept=None, timeout=None, etag=None).is_success


def test_each_state_is_told_until_the_iterator_is_left(tool):
    uri = f"{tool.uri}/temperature"
    states = copal.observe(uri)
    assert next(states).text == "21.5"
    for value in ("1", "2", "3"):
        copal.put(uri, value)
        assert next(states).text == value
    states.close()
    assert copal.put(uri, "4").is_success


def test_leaving_an_observation_tells_the_server():
    def answer(request):
        return piggyback(request, "2.05", (6, b"\x01"), payload=b"state") if request.code == 1 else None

    with Answerer(answer) as server:
        states = copal.observe(f"{server.uri}/x", timeout=5)
        next(states)
        states.close()
        while len(server.messages) < 2:
            pass
        assert server.messages[1].all(6) == [b"\x01"] and server.messages[1].token == server.messages[0].token


def test_a_resource_that_cannot_be_observed_has_one_state(tool):
    assert [response.code for response in copal.observe(f"{tool.uri}/missing")] == [copal.Code.NOT_FOUND]


def test_a_stream_of_an_error_raises(tool):
    with pytest.raises(copal.ResponseError):
        list(copal.stream(f"{tool.uri}/missing"))


def test_threads_have_hosts_of_their_own(tool):
    seen = []

    def ask():
        seen.extend(copal.get(f"{tool.uri}/temperature").text for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["21.5"] * 160


def test_a_forked_process_asks_by_itself(tool):
    copal.get(f"{tool.uri}/temperature")
    child = os.fork()
    if child == 0:
        os._exit(0 if copal.get(f"{tool.uri}/temperature").text == "21.5" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert copal.get(f"{tool.uri}/temperature").text == "21.5"


def test_a_forked_process_that_ends_does_not_end_what_is_observed():
    script = """
import copal, os, sys
uri = sys.argv[1]
states = copal.observe(uri)
print(next(states).text)
if os.fork() == 0:
    try:
        next(states)
    except RuntimeError as error:
        print(error)
    sys.exit(0)
os.wait()
copal.put(uri, "2")
print(next(states).text)
"""
    with Serve("--resource", "t=1;max-age=1000000") as server:
        done = subprocess.run([sys.executable, "-uc", script, server.uri + "/t"], capture_output=True, text=True, timeout=SECONDS)
    assert (done.stdout, done.stderr) == ("1\nthe host is that of another process\n2\n", "")


def test_a_name_is_asked_at_each_of_its_addresses():
    with Serve(bind="127.0.0.1") as server:
        assert copal.get(f"coap://localhost:{server.port}/.well-known/core").code == copal.Code.CONTENT


def test_a_name_is_observed_and_streamed_from_each_of_its_addresses(named):
    states = copal.observe(named)
    assert next(states).text == "1"
    states.close()
    assert list(copal.stream(named)) == [b"1"]


def test_a_name_of_which_no_address_answers_cannot_be_observed_or_streamed(named, monkeypatch):
    unreachable, _ = _ask.peers(named)
    monkeypatch.setattr(_ask, "peers", lambda uri: (unreachable, unreachable))
    for ask in copal.get, lambda uri: next(copal.observe(uri)), lambda uri: list(copal.stream(uri)):
        with pytest.raises(copal.Unreachable):
            ask(named)


def test_no_code_is_unknown():
    assert copal.Code(0x61) == 0x61 and str(copal.Code(0x61)) == "3.01" and str(copal.Code.GET) == "GET"
    assert copal.Code(0x61) is copal.Code(0x61)
    with pytest.raises(ValueError):
        copal.Code(256)
    with Answerer(lambda request: piggyback(request, "3.01", payload=b"x")) as server:
        assert copal.get(server.uri).code == code("3.01")
