"""copal serve --metrics: what Prometheus would fetch."""
import http.client
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.process import SECONDS, Serve, copal


def served(*arguments, where="0"):
    server = Serve("--resource", "a=1", "--metrics", where, *arguments)
    found = next(line for line in server.lines if line.startswith("metrics at "))
    return server, found.removeprefix("metrics at http://").removesuffix("/metrics")


def fetch(endpoint, method="GET", path="/metrics"):
    connection = http.client.HTTPConnection(endpoint, timeout=SECONDS)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def values(text):
    """Each sample by its name and its labels, as the parser of Prometheus's own library reads it."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type in ("counter", "gauge") for family in families)
    return {(sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples}


def test_prometheus_reads_what_was_counted():
    server, endpoint = served("--workers", "2")
    with server:
        for path in ("a", "a", "nowhere"):
            copal("get", f"{server.uri}/{path}")
        response, text = fetch(endpoint)
        assert response.getheader("Content-Type").startswith("text/plain; version=0.0.4")
        told = values(text)
        side = ("side", "server")
        assert told["copal_requests_total", ("method", "GET"), side] == 3
        assert told["copal_answers_total", ("class", "2xx"), side] == 2
        assert told["copal_answers_total", ("class", "4xx"), side] == 1
        assert told["copal_requests_total", ("method", "GET"), ("side", "client")] == 0
        assert told["copal_observers",] == 0
        assert text.count("# TYPE copal_requests_total counter\n") == 1


def test_no_number_is_told_twice_and_each_has_its_help():
    server, endpoint = served()
    with server:
        _, text = fetch(endpoint)
        samples = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
        assert len(samples) == len(set(samples)) == len(values(text)) > 70
        assert len([line for line in text.splitlines() if line.startswith("# HELP")]) == \
            len({name.partition("{")[0] for name in samples})


@pytest.mark.parametrize("method, path, status", [
    ("HEAD", "/metrics", 200), ("GET", "/", 404), ("POST", "/metrics", 405)])
def test_other_requests_get_what_http_has_for_them(method, path, status):
    server, endpoint = served()
    with server:
        response, text = fetch(endpoint, method, path)
        assert (response.status, text) == (status, "")


def test_nobody_else_is_told_unless_an_address_says_so():
    server, endpoint = served()
    with server:
        assert endpoint.startswith("127.0.0.1:")
    server, endpoint = served(where="[::1]:0")
    with server:
        assert endpoint.startswith("[::1]:") and fetch(endpoint)[0].status == 200


@pytest.mark.parametrize("where", ["", "x", "65536", "localhost:1", ":9100", "[::1]", "1.2.3:x"])
def test_what_is_no_address_is_told(where):
    done = copal("serve", "--bind", "127.0.0.1", "--port", "0", "--metrics", where)
    assert done.returncode == 2 and "--metrics takes a port" in done.stderr


def test_a_port_that_is_taken_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        done = copal("serve", "--bind", "127.0.0.1", "--port", "0", "--metrics", str(taken))
        assert done.returncode == 1 and f"--metrics {taken}: Address already in use" in done.stderr
