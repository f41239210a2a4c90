"""Finalizers are code that runs amid a call of the binding's, where Python collects garbage or lets go of a function: it may
collect more, close the host, or remove the very resource that is asked for. Up to Python 3.11 garbage is collected in whatever
call makes an object, and later only between those of Python's own, so that there a call may be over before its host closes."""
import contextlib
import gc
import importlib.util
import subprocess
import sys

import pytest
from copal import _copal


@contextlib.contextmanager
def before_the_next_object(what):
    """Gives a function after which garbage is collected when the next object is made, and `what` called then."""
    kept, armed = [], []

    def collected(phase, _):
        if phase == "start" and armed:
            armed.clear()
            what()

    def arm():
        gc.disable()
        kept.extend([] for _ in range(10))  # more than there may be between two collections
        kept.extend({} for _ in range(200))  # those that Python keeps for the next are used up,
        _ = [(number,) for number in range(10)]  # and there are some for the arguments of a call
        armed.append(True)
        gc.enable()

    threshold = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(1)
    try:
        yield arm
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*threshold)
        gc.enable()


def asked(server, *paths):
    """A client that has sent a request for each path, at once."""
    client = _copal.open_host(nstart=len(paths))
    uri = f"coap://127.0.0.1:{server.listen('127.0.0.1', 0)}/"
    for path in paths:
        client.request(lambda *_: None, _copal.peers(uri)[0], uri=uri + path, confirmable=False)
    client.step(0)
    return client


def test_functions_whose_end_collects_garbage_go_with_their_host():
    ended = []

    class Answer:
        def __call__(self, call):
            pass

        def __del__(self):
            ended.append(gc.collect())

    host = _copal.open_host()
    for name in "abcd":
        host.add_handler(name, Answer())
    host.close()
    assert len(ended) == 4


def test_a_resource_may_be_removed_while_its_call_is_made():
    class Function:
        def __init__(self, name):
            self.name = name

        def __call__(self, call):
            called.append(self.name)

    def remove():
        server.remove(handle)
        called.append("removed")
        others.extend(Function("other") for _ in range(100))  # where the removed one was, if it is no more

    def first(call):
        calls.append(call)
        arm()

    server, called, calls, others = _copal.open_host(), [], [], []
    server.add_handler("first", first)
    handle = server.add_handler("second", Function("second"))
    client = asked(server, "first", "second")
    with before_the_next_object(remove) as arm:
        while len(called) < 2:
            server.step(0)
    assert sorted(called) == ["removed", "second"]
    client.close(), server.close()


def test_a_host_may_be_closed_while_it_is_to_send_a_request():
    host = _copal.open_host()
    request, arguments = host.request, (print, _copal.peers("coap://127.0.0.1")[0])
    with before_the_next_object(host.close) as arm, pytest.raises(RuntimeError, match="the host is closed"):
        arm()
        request(*arguments)
        host.timeout()


def test_a_host_may_be_closed_while_it_is_to_answer():
    server, calls = _copal.open_host(), []
    server.add_handler("first", calls.append)
    client = asked(server, "first")
    while not calls:
        server.step(0)
    with before_the_next_object(server.close) as arm, pytest.raises(RuntimeError, match="the host is closed"):
        arm()
        calls[0].reply(69, bytearray(b"made"))
        server.timeout()
    client.close()


def test_a_host_may_be_closed_while_what_it_counted_is_told():
    host = _copal.open_host()
    with before_the_next_object(host.close) as arm, pytest.raises(RuntimeError, match="the host is closed"):
        arm()
        assert host.counters("server")["requests_get"] == 0
        host.timeout()


def test_a_module_that_was_not_loaded_has_no_functions():
    """They would find none of its types."""
    assert not hasattr(importlib.util.module_from_spec(_copal.__spec__), "open_host")


INTERPRETERS = """
import _testcapi, copal
assert _testcapi.run_in_subinterp('''
import copal
from copal import _copal
host = _copal.open_host()
host.add_handler("handler", lambda call: None)
request = host.request(print, _copal.peers("coap://127.0.0.1")[0], uri="coap://127.0.0.1/", observe=True)
try:
    host.add_handler("handler", print)
except copal.Exists:
    pass
''') == 0
try:
    copal._copal.peers("none")
except copal.BadUri:
    print("went well")
"""


def test_an_interpreter_beside_another_ends_with_its_host_open():
    """Each has exceptions of its own."""
    ended = subprocess.run([sys.executable, "-c", INTERPRETERS], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "went well\n", "")
