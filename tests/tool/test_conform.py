"""copal conform: servers of ours keep all that is tested, and whatever one does wrong is found."""
import re
import socket

import pytest

from support.judged import Judged
from support.process import Program, Serve, build, copal

HASTE = ("--silence", "0.2", "--timeout", "1")  # where something is to fail, which waiting longer would not change

FAULTS = [
    ("takes any version", "rfc7252_3_version_0_is_ignored"),
    ("answers what is malformed with 4.00", "rfc7252_3_marker_without_payload_is_format_error"),
    ("answers what is malformed with 4.00", "rfc7252_3.1_option_delta_15_is_format_error"),
    ("answers what is malformed with 4.00", "rfc7252_4.1_empty_message_with_payload_is_format_error"),
    ("answers what is malformed with 4.00", "rfc7252_4.2_malformed_ack_is_ignored"),
    ("answers what is malformed with 4.00", "rfc7252_4.3_malformed_non_is_rejected"),
    ("acknowledges pings", "rfc7252_4.2_ping_is_answered_with_empty_reset"),
    ("resets with a code", "rfc7252_4.2_ping_is_answered_with_empty_reset"),
    ("ignores reserved classes", "rfc7252_4.2_con_of_class_7_is_rejected"),
    ("answers acknowledgements", "rfc7252_4.2_unmatched_ack_is_ignored"),
    ("answers acknowledgements", "rfc7252_4.2_unmatched_rst_is_ignored"),
    ("answers acknowledgements", "rfc7252_4.2_request_in_ack_is_ignored"),
    ("answers rejected NON", "rfc7252_4.3_empty_non_is_rejected"),
    ("answers rejected NON", "rfc7252_4.3_non_of_class_7_is_rejected"),
    ("acknowledges unexpected responses", "rfc7252_5.3.2_unexpected_con_response_is_rejected"),
    ("ignores critical options", "rfc7252_5.4.1_unknown_critical_option_of_con_is_bad_option"),
    ("refuses elective options", "rfc7252_5.4.1_unknown_elective_option_is_ignored"),
    ("refuses elective options", "rfc7252_5.4.3_etag_of_9_octets_is_ignored"),
    ("answers bad options of NON", "rfc7252_5.4.1_unknown_critical_option_of_non_is_rejected"),
    ("takes options of any length", "rfc7252_5.4.3_uri_port_of_3_octets_is_bad_option"),
    ("takes options twice", "rfc7252_5.4.5_second_accept_is_bad_option"),
    ("takes numbers without zeros only", "rfc7252_3.2_uint_with_leading_zero_is_understood"),
    ("does not know of proxies", "rfc7252_5.7.2_proxy_uri_is_not_supported"),
    ("does not know of proxies", "rfc7252_5.7.2_proxy_scheme_is_not_supported"),
    ("does not know of methods", "rfc7252_5.8_unknown_method_is_not_allowed"),
    ("validates without ETag", "rfc7252_5.9.1.3_valid_has_the_etag_and_no_payload"),
    ("validates with payload", "rfc7252_5.9.1.3_valid_has_the_etag_and_no_payload"),
    ("answers in any format", "rfc7252_5.10.4_format_that_cannot_be_had_is_not_acceptable"),
    ("acknowledges NON", "rfc7252_4.3_non_is_not_acknowledged"),
    ("makes tokens of its own", "rfc7252_5.3.1_token_of_1_is_echoed"),
    ("cuts tokens", "rfc7252_5.3.1_token_of_8_is_echoed"),
]
# What SHOULD be otherwise is a warning.
WEAKNESSES = [
    ("answers NON by CON", "rfc7252_5.2.3_non_is_answered_by_non"),
    ("describes nothing", "rfc7252_5.4.1_bad_option_is_described"),
    ("lists plain text", "rfc7252_7.2_resources_are_listed_as_link_format"),
]


def lines(done, outcome):
    return re.findall(rf"^{re.escape(outcome)} +(\S+)", done.stdout.decode(), re.MULTILINE)


def all_right(done):
    assert done.returncode == 0, done.stdout.decode()
    assert lines(done, "FAIL") == lines(done, "warn") == []


def test_copal_serve_keeps_all():
    with Serve("--resource", "value=21.5;ct=text;etag", "--dynamic") as server:
        done = copal("conform", server.uri)
    all_right(done)
    assert lines(done, "n/a") == []


def test_the_plugtest_server_keeps_all():
    program = str(build("COPAL_ASAN_BUILD") / "examples/plugtest-server")
    with Program(program, "--bind", "127.0.0.1", "--port", "0") as server:
        all_right(copal("conform", server.wait_for(r"^listening on (coap://\S+)$").group(1)))


def test_a_server_without_a_fault_keeps_all():
    with Judged() as server:
        all_right(copal("conform", server.uri))


@pytest.mark.parametrize("fault, case", FAULTS)
def test_a_fault_is_found(fault, case):
    with Judged(fault) as server:
        done = copal("conform", server.uri, "--only", case, *HASTE)
    assert (lines(done, "FAIL"), done.returncode) == ([case], 1), done.stdout.decode()


@pytest.mark.parametrize("fault, case", WEAKNESSES)
def test_what_should_be_otherwise_is_a_warning(fault, case):
    with Judged(fault) as server:
        done = copal("conform", server.uri, "--only", case, *HASTE)
    assert (lines(done, "warn"), done.returncode) == ([case], 0), done.stdout.decode()


def test_what_was_sent_and_came_and_is_right_is_told():
    with Judged("does not know of methods") as server:
        done = copal("conform", server.uri, "--only", "5.8")
    told = done.stdout.decode()
    assert "ACK 4.04 Not Found came, not 4.05 Method Not Allowed" in told
    assert "RFC 7252 section 5.8: " in told
    assert re.search(r'-> CON 0\.31 mid=\d+ token=0x\w{8} Uri-Path="value"\n +44 1f ', told)
    assert re.search(r"<- ACK 4\.04 Not Found mid=\d+ token=0x\w{8}\n +64 84 ", told)
    assert told.endswith("0 ok, 1 FAIL, 0 warn, 0 n/a\n")


def test_a_case_whose_resource_is_missing_is_not_applicable():
    with Serve() as server:  # nothing but /.well-known/core, which has no ETag
        done = copal("conform", server.uri, "--only", "5.9.1.3")
    assert lines(done, "n/a") == ["rfc7252_5.9.1.3_valid_has_the_etag_and_no_payload"]
    assert done.stdout.endswith(b"\n0 ok, 0 FAIL, 0 warn, 1 n/a\n")


def test_resources_can_be_named():
    with Serve("--resource", "value=1;ct=text", "--resource", "other/one=2;etag") as server:
        done = copal("conform", server.uri, "--value", "/other/one", "--only", "5.9.1.3")
    assert b" value=/other/one" in done.stdout
    all_right(done)


def test_the_cases_are_listed_by_name_and_level():
    listed = copal("conform", "--list").stdout.decode().splitlines()
    assert all(re.fullmatch(r"(MUST  |SHOULD)  rfc\d{4}_\d[\d.]*_[a-z0-9_]+", line) for line in listed)
    assert len(set(listed)) == len(listed) > 50
    some = copal("conform", "--list", "--only", "rfc7252_4.").stdout.decode().splitlines()
    assert some == [line for line in listed if "rfc7252_4." in line]


def test_a_server_that_answers_nothing():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        uri = f"coap://127.0.0.1:{silent.getsockname()[1]}"
        done = copal("conform", uri, "--timeout", "0.1")
    assert (done.returncode, done.stderr) == (3, f"copal: {uri} does not answer\n")


@pytest.mark.parametrize("words, complaint", [
    ([], "a URI is missing"), (["coap://a", "coap://b"], "one operand too many"), (["coap://a/b"], "--value"),
    (["coap://a", "--only", "nosuch"], "--list"), (["coap://a", "--timeout", "x"], "--timeout"),
    (["coap://a", "--silence", "0"], "--silence"), (["coap://a", "--parallel", "0"], "--parallel"),
    (["coap://127.0.0.1", "--put", "%"], "--put"), (["coaps://127.0.0.1"], "coap://")])
def test_wrong_usage(words, complaint):
    done = copal("conform", *words)
    assert done.returncode == 2 and complaint in done.stderr, done.stderr
