"""What a terminal sees: colours, pretty payloads, tables. Anything else gets none of it."""
import pytest

from support import coap
from support.coap import uint
from support.process import Serve, copal
from support.terminal import copal_on_terminal
from support.udp import Answerer, piggyback

LINKS = (b'</temperature>;rt="sensor heat";ct=0;title="a \\"warm\\" one",</config>;if="conf";ct="50 60";sz=40,'
         b'</time>;obs,<coap://other/x>;title="caf\xc3\xa9"')


def show(payload, format=None, command="get", env=None, streams=("stdout", "stderr"), code="2.05"):
    options = [] if format is None else [(coap.CONTENT_FORMAT, uint(format))]
    with Answerer(lambda request: piggyback(request, code, *options, payload=payload)) as server:
        return copal_on_terminal(command, server.uri, env=env, streams=streams)


def test_the_code_line_is_green_for_success_and_red_for_an_error():
    assert show(b"")[2] == "\x1b[32m2.05 Content\x1b[0m\n"
    assert show(b"", code="4.04")[2] == "\x1b[31m4.04 Not Found\x1b[0m\n"


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_they_are_not_wanted(env):
    assert show(b"", env=env)[2] == "2.05 Content\n"


def test_an_empty_no_color_does_not_count():
    assert "\x1b[32m" in show(b"", env={"NO_COLOR": ""})[2]


def test_each_stream_is_judged_for_itself():
    status, out, err = show(b'{"a":1}', 50, streams=("stdout",))
    assert (out, err) == ('{\n  "a": 1\n}\n', "2.05 Content\n")
    status, out, err = show(b'{"a":1}', 50, streams=("stderr",))
    assert (out, err) == ('{"a":1}', "\x1b[32m2.05 Content\x1b[0m\n")


def test_a_payload_without_newline_gets_one():
    assert show(b"21.5")[1] == "21.5\n"
    assert show(b"21.5\n")[1] == "21.5\n"
    assert show(b"")[1] == ""


@pytest.mark.parametrize("format", [50, 110])
def test_json_is_indented(format):
    assert show(b'{"a":[1,2.50,"x/y"],"b":null}', format)[1] == (
        '{\n  "a": [\n    1,\n    2.50,\n    "x/y"\n  ],\n  "b": null\n}\n')


@pytest.mark.parametrize("text", [
    '{"a":1', "{a:1}", '{"a":1} x', '[123456789012345678901234567890]', '{"a":1,"a":2}', "[-0]"])
def test_json_that_is_none_or_would_be_shown_changed_stays_as_it_is(text):
    assert show(text.encode(), 50)[1] == text + "\n"


@pytest.mark.parametrize("octets, text", [
    (b"\xa1\x20\x69Not Found", "Not Found\n"),
    (b"\xa2\x20\x68Conflict\x21\x78\x18" + b"busy" * 6, "Conflict: " + "busy" * 6 + "\n"),
    (b"\xa1\x21\x79\x01\x00" + b"x" * 256, "x" * 256 + "\n"),
    (b"\xa1\x20\x63a\x1b\n", "a\\x1b\\x0a\n"),
    (b"\xa2\x20\x61a", "0xa2206161\n"),
    (b"\xa1\x20\x62a", "0xa1206261\n"),
    (b"\xa1\x23\x18\x84", "{\n  -4: 132\n}\n"),
    (b"\xa2\x20\x61a\x39\x06\x60\xa1\x00\x01", '{\n  -1: "a",\n  -1633: {\n    0: 1\n  }\n}\n'),
    (b"\xa1\x20\x61ab", "0xa120616162\n"),
    (b"\xa1\x20\x78", "0xa12078\n"),
    (b"\xa1", "0xa1\n")])
def test_rfc9290_problem_details_are_told_in_words_as_cbor_or_in_hexadecimal(octets, text):
    assert show(octets, 257, code="4.04")[1] == text


def test_a_payload_cannot_steer_the_terminal():
    assert show(b"a\tb\n\x1b]0;x\x07 caf\xc3\xa9 \xff\0\r\n")[1] == (
        "a\tb\n\\x1b]0;x\\x07 caf\u00e9 \\xff\\x00\\x0d\n")
    assert show(b'{"a":1}\0', 50)[1] == '{"a":1}\\x00\n'
    assert show(b'{"a":"\x7f"}', 50)[1] == '{\n  "a": "\\x7f"\n}\n'


def test_json_is_indented_only_where_the_content_format_says_json():
    assert show(b'{"a":1}', 0)[1] == '{"a":1}\n'
    assert show(b'{"a":1}')[1] == '{"a":1}\n'


def test_links_are_shown_one_a_line():
    assert show(b'</a>;ct=0;title="x,y",</b>', 40)[1] == '</a>;ct=0;title="x,y",\n</b>\n'


def test_links_that_are_none_stay_as_they_are():
    assert show(b"</a>;ct=0,<b", 40)[1] == "</a>;ct=0,<b\n"


def test_links_cannot_steer_the_terminal():
    out = show(b'</a>;title="\x1b[2J"', 40)[1]
    assert out == '</a>;title="\\x1b[2J"\n'
    assert "\\x1b[2J" in show(b'</a>;title="\x1b[2J"', 40, command="discover")[1]


def test_discover_prints_a_table():
    status, out, err = show(LINKS, 40, command="discover", env={"NO_COLOR": "1"})
    assert status == 0
    assert out.splitlines() == [
        'path            rt           if    ct                                 title         more',
        '/temperature    sensor heat        text/plain                         a "warm" one',
        '/config                      conf  application/json application/cbor                sz=40',
        '/time                                                                               obs',
        'coap://other/x                                                        café']


def test_discover_leaves_out_columns_without_entry():
    out = show(b"</a>,</b>", 40, command="discover", env={"NO_COLOR": "1"})[1]
    assert out.split() == ["path", "/a", "/b"]


def test_the_heading_s_colour_ends_with_its_line():
    assert show(b"</a>,</b>", 40, command="discover")[1] == "\x1b[36mpath\x1b[0m\n/a\n/b\n"


def test_discover_of_a_host_without_resources_says_so():
    status, out, err = show(b"", 40, command="discover")
    assert (status, out) == (0, "")
    assert "no resource" in err


def test_discover_shows_what_is_no_table_as_it_is():
    assert show(b"</a", 40, command="discover")[1] == "</a\n"
    status, out, err = show(b"hello", 0, command="discover")
    assert out == "hello\n"
    assert "no link-format" in err


def test_a_table_of_our_own_server():
    with Serve("--resource", "a=1;ct=json;rt=x;title=two words") as server:
        status, out, err = copal_on_terminal("discover", server.uri, env={"NO_COLOR": "1"})
    assert [line.split() for line in out.splitlines()] == [
        ["path", "rt", "ct", "title", "more"], ["/a", "x", "application/json", "two", "words", "obs"]]


def test_v_is_dim_on_a_terminal():
    with Serve("--resource", "a=1") as server:
        err = copal_on_terminal("get", "-v", server.uri + "/a")[2]
    assert err.startswith("\x1b[2m-> ")


def test_no_pipe_ever_sees_an_escape():
    with Serve("--resource", 'a={"b":1};ct=json') as server:
        for command, path in (("get", "/a"), ("discover", ""), ("get", "/none")):
            done = copal(command, "-v", server.uri + path)
            assert "\x1b" not in done.stderr and b"\x1b" not in done.stdout
