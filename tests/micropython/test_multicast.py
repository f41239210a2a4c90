"""service_discovery, and sessions with groups, on the loopback interface; more of both is in tests/tool/test_multicast.py."""
import pytest

from support.micropython import Interpreter
from support.process import Serve, copal
from support.udp import free_port

# Longer than the leisure of 5 seconds by as much as a busy machine may need.
PATIENCE = 15


def discover(port=5683):
    """The links of each server that is found, by its URI."""
    done = copal("discover", f"coap://224.0.1.187:{port}", "--interface", "lo", "--timeout", str(PATIENCE))
    return dict(line.split(" ", 1) for line in done.stdout.decode().splitlines())


def test_a_server_is_found_if_service_discovery_was_asked_for(interpreter, tmp_path):
    port = free_port()
    (tmp_path / "other").mkdir()
    with Interpreter(tmp_path / "other") as other:
        interpreter.do(f"Coap.init('127.0.0.1', port={port}, service_discovery=True)")
        other.do(f"Coap.init('127.0.0.2', port={port})")
        for each in interpreter, other:
            each.do("r = Coap.add_resource('found', media_type=0)\nr.callback(Coap.REQUEST_GET, True)")
        assert discover(port) == {f"coap://127.0.0.1:{port}": "</found>;ct=0;obs"}
        interpreter.do(f"Coap.deinit(); Coap.init('127.0.0.1', port={port}, service_discovery=True)")


@pytest.mark.parametrize("token", ["", ", token=b'mine'"])
def test_each_answer_of_a_group_calls_the_response_handler(interpreter, token):
    port = free_port()
    with Serve("-r", "who=one", "--discoverable", port=port), \
            Serve("-r", "who=two", "--discoverable", bind="127.0.0.2", port=port):
        interpreter.do(f"""
            Coap.init()
            Coap.register_response_handler(answer)
            Coap.register_error_handler(failure)
            group = Coap.new_client_session("224.0.1.187%lo", port={port})
            id = group.send_request(Coap.REQUEST_GET, uri_path="who", timeout={PATIENCE}{token})
            other = group.send_request(Coap.REQUEST_GET, uri_path="who", timeout=2 * {PATIENCE})
            group.cancel(other)
            wait(lambda: len(got) == 2)
            assert sorted(payload for *rest, payload in got) == [b"one", b"two"], got
            assert all((code, of, type) == (69, id, 1) for code, of, type, *rest in got), got
            assert len(set(token for *rest, token, payload in got)) == 1 and len(got[0][3]) >= 4, got
            assert failed == []
        """)


def test_the_end_of_a_groups_time_calls_nothing(interpreter):
    interpreter.do(f"""
        Coap.init()
        Coap.register_response_handler(answer)
        Coap.register_error_handler(failure)
        group = Coap.new_client_session("224.0.1.187%lo", port={free_port()})
        group.send_request(Coap.REQUEST_GET, uri_path="none", timeout=0.2)
        one = Coap.new_client_session("127.0.0.1", port={free_port()})
        one.send_request(Coap.REQUEST_GET, confirmable=False, timeout=1)
        wait(lambda: failed) # the other ends later, and fails in any case
        assert got == [] and len(failed) == 1, (got, failed)
    """)


def test_what_cannot_be_asked_of_a_group(interpreter):
    interpreter.do("Coap.init()\ngroup = Coap.new_client_session('224.0.1.187%lo')")
    assert interpreter.raises("group.send_request(Coap.REQUEST_GET, observe=True)") == "ValueError"
    assert interpreter.raises("group.send_request(Coap.REQUEST_GET, etag=b'x')") == "ValueError"
