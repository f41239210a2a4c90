"""copal observe on a terminal: the time before each line, and the chart."""
import re

import pytest

from support import coap
from support.coap import uint
from support.observed import Observed, error, notification
from support.terminal import OnTerminal, copal_on_terminal
from support.udp import piggyback

PLAIN = {"NO_COLOR": "1"}


def shown(*states, columns=80):
    """The chart as it stands after these states, and its exit status."""
    with Observed(*states) as server:
        with OnTerminal("observe", "--chart", "-c", str(len(states)), server.uri, columns=columns) as program:
            status = program.wait()
    assert status == 0
    assert "\x1b" not in program.output
    return program.output


def last_line(output):
    """What can be read in the line once the terminal has drawn it."""
    assert output.endswith("\r\n")
    return output.removesuffix("\r\n").split("\r")[-1]


def test_each_line_has_its_time():
    with Observed(b"1", b"2") as server:
        status, out, err = copal_on_terminal("observe", "-c", "2", server.uri, env=PLAIN)
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  ", "T ", line) for line in out.splitlines()] == ["T 1", "T 2"]
    assert (status, err) == (0, "")


def test_the_time_is_dim():
    with Observed(b"1") as server:
        out = copal_on_terminal("observe", "-c", "1", server.uri)[1]
    assert re.fullmatch(r"\x1b\[2m[^\x1b]+\x1b\[0m  1\n", out)


def test_cbor_is_shown_as_get_shows_it():
    states = [lambda request: piggyback(request, "2.05", (coap.OBSERVE, b""), (coap.CONTENT_FORMAT, uint(60)), payload=b"\xa1\x61t\x18\x15"),
              lambda request: notification(request, 1, b"\x82\x01\xf4", (coap.CONTENT_FORMAT, uint(112))),
              lambda request: notification(request, 2, b"\xff", (coap.CONTENT_FORMAT, uint(60)))]
    with Observed(*states) as server:
        out = copal_on_terminal("observe", "-c", "3", server.uri, env=PLAIN)[1]
    assert re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  ", "T ", out) == (
        'T {\n  "t": 21\n}\nT [\n  1,\n  false\n]\nT 0xff\n')


def test_json_has_no_other_time_and_no_colour():
    with Observed(b"1") as server:
        out = copal_on_terminal("observe", "--json", "-c", "1", server.uri)[1]
    assert out.startswith('{"time":"') and "\x1b" not in out


def test_a_chart_has_a_column_for_each_number():
    assert last_line(shown(b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8")) == (
        "▁▂▃▄▅▆▇██  min 0  max 8  last 8")


def test_a_chart_is_one_line_that_is_drawn_anew():
    output = shown(b"20.5", b"23 Cel", b"22%")
    assert output.count("\n") == 1
    drawn = [part for part in output.split("\r") if "min" in part]
    assert drawn == ["▅  min 20.5  max 20.5  last 20.5", "▁█  min 20.5  max 23  last 23",
                     "▁█▅  min 20.5  max 23  last 22"]


def test_a_chart_fits_the_terminal_and_keeps_the_newest():
    line = last_line(shown(*[b"%d" % (i % 10) for i in range(100)], columns=40))
    assert line == "▃▄▅▆▇██▁▁▂▃▄▅▆▇██  min 0  max 9  last 9"
    assert len(line) == 39


def test_a_chart_on_a_very_narrow_terminal_stays_in_its_line():
    output = shown(b"1", b"2", columns=10)
    assert all(len(part) <= 9 for part in output.rstrip().split("\r"))


@pytest.mark.parametrize("payload", [b"warm", b"", b"nan", b"inf", b"1x"])
def test_what_is_no_number_is_said_to_be_none(payload):
    assert last_line(shown(b"1", payload)) == "▅  no number"


def test_ctrl_c_leaves_the_chart_and_a_line_of_its_own():
    with Observed(b"1", b"2") as server, OnTerminal("observe", "--chart", server.uri) as program:
        program.wait_for("last 2")
        program.type(b"\x03")
        assert program.wait() == 0
        assert program.output.endswith("last 2^C\r\n") or program.output.endswith("last 2\r\n")
        assert server.deregistered


def test_an_error_stands_below_the_chart():
    with Observed(b"1", error("4.04")) as server, OnTerminal("observe", "--chart", server.uri, env=PLAIN) as program:
        assert program.wait() == 1
        assert program.output.endswith("▅  min 1  max 1  last 1\r\n4.04 Not Found\r\n")
