"""copal conform: servers of ours keep all that is tested, and whatever one does wrong is found."""
import json
import re
import socket
import threading
import xml.etree.ElementTree as ElementTree

import pytest

from support import coap
from support.judged import Judged
from support.judged_resources import JudgedResources
from support.process import Program, Serve, build, copal

HASTE = ("--silence", "0.2", "--timeout", "1")  # where something is to fail, which waiting longer would not change
LESS_HASTE = ("--silence", "1", "--timeout", "6")  # where a case has to get to where it fails
WRITES = ("--put", "made", "--observe", "made")

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
# Of the server with more resources.
MORE_FAULTS = [
    ("ignores critical options", "rfc7252_5.4.1_request_with_unknown_critical_option_has_no_effect"),
    ("ignores conditions", "rfc7252_5.10.8.1_if_match_of_another_state_fails"),
    ("ignores conditions", "rfc7252_5.10.8.1_empty_if_match_of_nothing_fails"),
    ("ignores conditions", "rfc7252_5.10.8.2_if_none_match_of_something_fails"),
    ("forgets", "rfc7252_5.10.8.1_if_match_of_the_state_is_fulfilled"),
    ("sends once", "rfc7252_4.2_unacknowledged_response_is_sent_again"),
    ("does not back off", "rfc7252_4.2_unacknowledged_response_is_sent_again"),
    ("answers in a second ACK", "rfc7252_5.2.2_response_is_not_in_a_second_acknowledgement"),
    ("goes on after ACK", "rfc7252_5.2.2_acknowledged_response_is_not_sent_again"),
    ("goes on after RST", "rfc7252_5.2.2_reset_response_is_not_sent_again"),
    ("answers deregistration with Observe", "rfc7641_4.1_deregistration_is_answered_without_observe"),
    ("ignores deregistration", "rfc7641_4.1_deregistration_ends_notifications"),
    ("registers twice", "rfc7641_4.1_second_registration_replaces_the_first"),
    ("changes the format", "rfc7641_4.2_notification_keeps_the_content_format"),
    ("ends with Observe", "rfc7641_4.2_end_is_notified_without_observe"),
    ("repeats numbers", "rfc7641_4.4_numbers_increase"),
    ("tells nothing", "rfc7641_4.5_latest_state_is_notified"),
    ("ignores resets", "rfc7641_4.5_reset_ends_notifications"),
    ("takes the reserved size", "rfc7959_2.2_block2_of_the_reserved_size_is_bad_request"),
    ("heeds the M bit", "rfc7959_2.2_more_in_a_request_for_a_block_is_ignored"),
    ("echoes no Block1", "rfc7959_2.3_block1_is_echoed_and_the_body_put_together"),
    ("mixes formats", "rfc7959_2.3_blocks_of_two_formats_are_not_put_together"),
    ("sends larger blocks", "rfc7959_2.4_blocks_are_no_larger_than_asked_for"),
    ("sends other bodies", "rfc7959_2.4_blocks_of_any_size_make_the_same_body"),
    ("takes what is incomplete", "rfc7959_2.5_last_block_without_the_others_is_incomplete"),
    ("does not continue", "rfc7959_2.9.1_block_of_more_to_come_is_continue"),
    ("does not acknowledge", "rfc7967_2.1_con_is_acknowledged_without_interest"),
    ("suppresses all", "rfc7967_2.1_response_of_interest_is_sent"),
    ("takes any patch", "rfc8132_3_patch_that_fails_changes_nothing"),
    ("answers what is malformed with 4.00", "rfc8974_2.1_token_without_its_extended_length_is_format_error"),
    ("cuts tokens", "rfc8974_2.1_token_of_300_is_echoed"),
    ("refuses elective options", "rfc9175_2.2.1_echo_of_41_octets_is_ignored"),
]
# What SHOULD be otherwise is a warning.
MORE_WEAKNESSES = [
    ("runs copies", "rfc7252_4.5_duplicate_con_runs_once"),
    ("runs copies", "rfc7252_4.5_duplicate_non_runs_once"),
    ("forgets", "rfc7252_5.8.3_put_is_what_get_returns"),
    ("does not say created", "rfc7252_5.8.3_put_that_creates_is_created"),
    ("misses what is gone", "rfc7252_5.8.4_delete_of_what_is_gone_is_deleted"),
    ("sends blocks without ETag", "rfc7959_2.4_blocks_carry_an_etag"),
    ("takes any patch", "rfc8132_3_patch_is_applied"),
    ("mixes tags", "rfc9175_3.3_blocks_of_two_request_tags_are_not_put_together"),
]
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
    with Serve("--resource", "value=21.5;ct=text;etag", "--resource", f"large={'0123456789' * 200};etag",
               "--resource", "made={};ct=json;etag;methods=get,put,patch,ipatch") as server:
        done = copal("conform", server.uri, *WRITES)
    all_right(done)


def test_copal_serve_that_creates_keeps_all():
    with Serve("--resource", "value=21.5;ct=text;etag", "--resource", f"large={'0123456789' * 200};etag",
               "--dynamic") as server:
        all_right(copal("conform", server.uri, *WRITES))


def test_the_plugtest_server_keeps_all():
    program = str(build("COPAL_ASAN_BUILD") / "examples/plugtest-server")
    with Program(program, "--bind", "127.0.0.1", "--port", "0") as server:
        uri = server.wait_for(r"^listening on (coap://\S+)$").group(1)
        all_right(copal("conform", uri, "--large", "large-update", "--put", "large-update", "--observe", "obs"))


@pytest.mark.parametrize("kind, words, missing", [(Judged, (), None), (JudgedResources, WRITES, "rfc8132")])
def test_a_server_without_a_fault_keeps_all(kind, words, missing):
    with kind() as server:
        done = copal("conform", server.uri, *words)
    all_right(done)
    assert not missing or all(name.startswith(missing) for name in lines(done, "n/a"))


def play(kind, fault, case):
    with kind(fault) as server:
        return copal("conform", server.uri, "--only", case, *(HASTE if kind is Judged else (*WRITES, *LESS_HASTE)))


@pytest.mark.parametrize("kind, fault, case", [(Judged, *each) for each in FAULTS] +
                         [(JudgedResources, *each) for each in MORE_FAULTS])
def test_a_fault_is_found(kind, fault, case):
    done = play(kind, fault, case)
    assert (lines(done, "FAIL"), done.returncode) == ([case], 1), done.stdout.decode()


def test_what_is_judged_sets_no_timer_once_it_is_closed(monkeypatch):
    class Timer:
        daemon = False

        def __init__(self, seconds, function):
            self.function = function
            timers.append(self)

        def start(self):
            pass

        def cancel(self):
            pass

    timers = []
    monkeypatch.setattr(threading, "Timer", Timer)
    with JudgedResources() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(60)
        sock.connect(("127.0.0.1", server.port))
        sock.send(coap.encode(coap.Message(coap.CON, coap.GET, 1, b"t", [(coap.URI_PATH, b"separate")])))
        assert coap.decode(sock.recv(99)).type == coap.ACK
    timers[0].function()  # as one that cancel() came too late for
    assert len(timers) == 1


@pytest.mark.parametrize("kind, fault, case", [(Judged, *each) for each in WEAKNESSES] +
                         [(JudgedResources, *each) for each in MORE_WEAKNESSES])
def test_what_should_be_otherwise_is_a_warning(kind, fault, case):
    done = play(kind, fault, case)
    assert (lines(done, "warn"), done.returncode) == ([case], 0), done.stdout.decode()


def test_what_was_sent_and_came_and_is_right_is_told():
    with Judged("does not know of methods") as server:
        done = copal("conform", server.uri, "--only", "5.8_")
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
    (["coap://a", "--bind", "127.0.0.1"], "--serve"), (["coap://a", "--port", "1"], "--serve"),
    (["coap://a", "--only", "nosuch"], "--list"), (["coap://a", "--timeout", "x"], "--timeout"),
    (["coap://a", "--silence", "0"], "--silence"), (["coap://a", "--parallel", "0"], "--parallel"),
    (["coap://127.0.0.1", "--put", "%"], "--put"), (["coaps://127.0.0.1"], "coap://")])
def test_wrong_usage(words, complaint):
    done = copal("conform", *words)
    assert done.returncode == 2 and complaint in done.stderr, done.stderr


def test_the_results_as_json():
    with Judged("does not know of methods") as server:
        done = copal("conform", server.uri, "--json", "--only", "rfc7252_5.")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["uri"] == server.uri and told["resources"] == {"value": "value"}
    cases = {case["name"]: case for case in told["cases"]}
    assert len(cases) == told["ok"] + told["n/a"] + 1 and told["FAIL"] == 1 and told["warn"] == 0
    case = cases["rfc7252_5.8_unknown_method_is_not_allowed"]
    assert (case["rfc"], case["section"], case["level"], case["outcome"]) == ("7252", "5.8", "MUST", "FAIL")
    assert case["reason"] == "ACK 4.04 Not Found came, not 4.05 Method Not Allowed"
    sent, came = case["datagrams"]
    assert (sent["sent"], came["sent"]) == (True, False)
    assert coap.decode(bytes.fromhex(came["octets"])).code == coap.code("4.04")
    assert sent["message"].startswith("CON 0.31 mid=")


def test_the_results_as_junit(tmp_path):
    with Judged("does not know of methods") as server:
        done = copal("conform", server.uri, "--junit", str(tmp_path / "results.xml"), "--only", "rfc7252_5.")
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert done.returncode == 1
    assert len(suite) == int(suite.get("tests")) and (suite.get("failures"), suite.tag) == ("1", "testsuite")
    failed, = [case for case in suite if case.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("rfc7252", "rfc7252_5.8_unknown_method_is_not_allowed")
    assert "<- ACK 4.04 Not Found" in failed.find("failure").text
    assert len(suite.findall("testcase/skipped")) == int(suite.get("skipped")) > 0


def test_results_that_cannot_be_written(tmp_path):
    with Judged() as server:
        done = copal("conform", server.uri, "--junit", str(tmp_path), "--only", "5.8_")
        assert (done.returncode, done.stderr) == (2, f"copal: {tmp_path}: Is a directory\n")
        assert b"rfc" not in done.stdout  # nothing was played in vain
        done = copal("conform", server.uri, "--junit", "/dev/full", "--only", "5.8_")
        assert (done.returncode, done.stderr) == (1, "copal: /dev/full: No space left on device\n")
