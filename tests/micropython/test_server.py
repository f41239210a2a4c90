"""What a server made with network.Coap answers, octet by octet."""
import pytest

from support import coap
from support.client import Client
from support.coap import ACCEPT, CONTENT_FORMAT, ETAG, IF_MATCH, IF_NONE_MATCH, MAX_AGE, URI_QUERY, code, uint
from support.micropython import Interpreter, session
from support.udp import free_port

ALL = "Coap.REQUEST_GET | Coap.REQUEST_PUT | Coap.REQUEST_POST | Coap.REQUEST_DELETE"


def add(server, arguments, methods=ALL):
    server.do(f"r = Coap.add_resource({arguments}); r.callback({methods}, True)")


def options(answer):
    return sorted(answer.options)


# ---- GET


def test_get_is_a_piggybacked_2_05_with_the_value(server, client):
    add(server, "'a', value='x'")
    answer = client.ask(coap.GET, "a", token=b"token")
    assert (answer.type, answer.code, answer.payload, answer.options) == (coap.ACK, code("2.05"), b"x", [])


def test_get_carries_content_format_max_age_and_etag_as_configured(server, client):
    add(server, "'a', media_type=50, max_age=300, etag=True")
    assert options(client.get("a")) == [(ETAG, b"\x01"), (CONTENT_FORMAT, uint(50)), (MAX_AGE, uint(300))]


def test_media_type_0_is_sent_and_minus_1_is_not(server, client):
    """The original sent -1 as 255, for both."""
    add(server, "'a', media_type=0, max_age=0")
    add(server, "'b', media_type=-1, max_age=-1")
    assert options(client.get("a")) == [(CONTENT_FORMAT, b""), (MAX_AGE, b"")]
    assert options(client.get("b")) == []
    server.do("Coap.get_resource('a').set_details(mediatype=-1, max_age=-1)")
    assert options(client.get("a")) == []


@pytest.mark.parametrize("number, octets", [
    (0, b""), (40, b"\x28"), (255, b"\xff"), (256, b"\x01\x00"), (65535, b"\xff\xff")])
def test_content_format_takes_as_few_octets_as_it_needs(server, client, number, octets):
    add(server, f"'a', media_type={number}")
    assert client.get("a").all(CONTENT_FORMAT) == [octets]


def test_an_etag_that_is_current_is_answered_2_03_without_payload(server, client):
    add(server, "'a', value='x', etag=True, max_age=5")
    answer = client.get("a", (ETAG, b"\x01"))
    assert (answer.code, answer.payload, options(answer)) == (code("2.03"), b"", [(ETAG, b"\x01"), (MAX_AGE, b"\x05")])
    server.do("r.value('y')")
    answer = client.get("a", (ETAG, b"\x01"))
    assert (answer.code, answer.payload, answer.all(ETAG)) == (code("2.05"), b"y", [b"\x02"])


def test_the_etag_is_the_counter_in_as_few_octets_as_it_needs_and_compared_as_octets(server, client):
    add(server, "'a', etag=True")
    server.do("for _ in range(256): r.value(1)")
    assert client.get("a").all(ETAG) == [b"\x01\x01"]
    assert client.get("a", (ETAG, b"\x00\x01\x01")).code == code("2.05")
    assert client.get("a", (ETAG, b"\x01\x01")).code == code("2.03")


def test_a_foreign_accept_is_4_06_and_the_server_goes_on(server, client):
    """It stopped the original for ever."""
    add(server, "'a', media_type=50, value='x'")
    for _ in range(3):
        assert client.get("a", (ACCEPT, uint(60))).code == code("4.06")
    assert client.get("a", (ACCEPT, uint(50))).payload == b"x"
    assert client.get("a").payload == b"x"


def test_a_resource_without_media_type_fits_every_accept(server, client):
    add(server, "'a', value='x'")
    assert client.get("a", (ACCEPT, uint(60))).code == code("2.05")


def test_a_large_value_comes_by_block2(server, client):
    add(server, "'a', value='0123456789abcdef' * 100")
    answer = client.get("a")
    assert (answer.code, len(answer.payload), answer.all(coap.BLOCK2)) == (code("2.05"), 1024, [b"\x0e"])
    answer = client.get("a", (coap.BLOCK2, b"\x16"))
    assert (answer.payload, answer.all(coap.BLOCK2)) == (b"0123456789abcdef" * 36, [b"\x16"])


# ---- methods


def test_no_method_is_allowed_until_callback(server, client):
    server.do("r = Coap.add_resource('a')")
    for method in (coap.GET, coap.PUT, coap.POST, coap.DELETE):
        assert client.ask(method, "a").code == code("4.05")


@pytest.mark.parametrize("name, method", [("GET", 1), ("POST", 2), ("PUT", 3), ("DELETE", 4)])
def test_callback_switches_exactly_the_methods_of_its_mask(server, client, name, method):
    """The original's callback(mask, False) switched by the mask alone."""
    server.do(f"r = Coap.add_resource('a'); r.callback(Coap.REQUEST_{name}, True)")
    others = [other for other in (1, 2, 3, 4) if other != method]
    assert all(client.ask(other, "a").code == code("4.05") for other in others)
    server.do(f"r.callback({ALL}, True); r.callback(Coap.REQUEST_{name}, False)")
    assert client.ask(method, "a").code == code("4.05")
    server.do(f"r.callback(Coap.REQUEST_{name}, [0])")  # the truth of it
    server.do(f"r.callback({ALL}, ''); r.callback(Coap.REQUEST_{name}, 1)")
    assert all(client.ask(other, "a").code == code("4.05") for other in others)
    assert client.ask(method, "a").code != code("4.05")


# ---- PUT and POST on a resource


@pytest.mark.parametrize("method", [coap.PUT, coap.POST])
def test_put_and_post_replace_the_value_with_2_04(server, client, method):
    add(server, "'a', value='x', media_type=50")
    answer = client.ask(method, "a", payload=b"new\x00")
    assert (answer.code, answer.payload) == (code("2.04"), b"")
    assert server.value("r.value()") == b"new\x00"
    assert server.value("r.get_details()[1]") == 50
    assert client.ask(method, "a", (CONTENT_FORMAT, uint(60)), payload=b"").code == code("2.04")
    assert server.value("[r.value(), r.get_details()[1]]") == [b"", 60]


def test_a_plain_put_is_taken_while_etag_is_on(server, client):
    """The original refused it."""
    add(server, "'a', value='x', etag=True")
    assert client.put("a", b"y").code == code("2.04")
    assert server.value("[r.value(), r.get_details()[4]]") == [b"y", 2]


def test_a_post_is_executed_once_however_often_it_arrives(server, client):
    add(server, "'a', etag=True")
    request = coap.encode(coap.Message(coap.CON, coap.POST, 77, b"t", [(coap.URI_PATH, b"a")], b"x"))
    answers = []
    for _ in range(3):
        client.send(request)
        answers.append(client.receive())
    assert answers[0].code == code("2.04") and answers[0] == answers[1] == answers[2]
    assert server.value("r.get_details()[4]") == 2


# ---- preconditions

CONDITIONAL = [coap.PUT, coap.POST, coap.DELETE]


@pytest.mark.parametrize("method", CONDITIONAL)
def test_if_match_with_the_current_etag_lets_the_request_pass_and_another_is_4_12(server, client, method):
    add(server, "'a', value='x', etag=True")
    assert client.ask(method, "a", (IF_MATCH, b"\x02"), payload=b"y").code == code("4.12")
    assert server.value("r.value()") == b"x"
    assert client.ask(method, "a", (IF_MATCH, b"\x01"), payload=b"y").code in (code("2.04"), code("2.02"))


@pytest.mark.parametrize("method", CONDITIONAL)
def test_an_empty_if_match_fits_any_resource_also_without_etag(server, client, method):
    add(server, "'a', value='x'")
    assert client.ask(method, "a", (IF_MATCH, b"")).code in (code("2.04"), code("2.02"))


@pytest.mark.parametrize("method", CONDITIONAL)
def test_an_if_match_with_octets_never_fits_without_etag(server, client, method):
    add(server, "'a', value='x'")
    for etag in (b"\x00", b"\x01"):
        assert client.ask(method, "a", (IF_MATCH, etag)).code == code("4.12")


@pytest.mark.parametrize("method", CONDITIONAL)
def test_if_match_on_what_does_not_exist_is_4_12(server, client, method):
    for etag in (b"", b"\x01"):
        assert client.ask(method, "nothing", (IF_MATCH, etag)).code == code("4.12")
    assert server.value("Coap.get_resource('nothing')") is None


@pytest.mark.parametrize("method", CONDITIONAL)
def test_if_none_match_on_a_resource_is_4_12(server, client, method):
    add(server, "'a', value='x'")
    assert client.ask(method, "a", (IF_NONE_MATCH, b""), payload=b"y").code == code("4.12")
    assert server.value("r.value()") == b"x"


def test_if_none_match_lets_a_put_create(server, client):
    assert client.put("new", b"x", (IF_NONE_MATCH, b"")).code == code("2.01")


# ---- creation and deletion


def test_put_on_an_unknown_path_creates_with_default_properties(server, client):
    server.do("Coap.register_new_resource_handler(creation)")
    assert client.put("a/b/c", b"value").code == code("2.01")
    server.wait("made")
    assert server.value("made[0].get_details() + [made[0].value()]") == ["a/b/c", -1, -1, False, 0, b"value"]
    assert server.do("print(Coap.get_resource('a/b/c') is made[0])") == ["True"]
    assert [client.ask(method, "a/b/c").code for method in (1, 3, 2, 4)] == [
        code("2.05"), code("2.04"), code("2.04"), code("2.02")]


def test_a_created_resource_has_the_content_format_of_its_put(server, client):
    client.put("a", b"{}", (CONTENT_FORMAT, uint(50)))
    assert client.get("a").all(CONTENT_FORMAT) == [b"\x32"]


def test_a_path_of_many_and_long_segments_is_created_whole(server, client):
    """The original cut it at the first segment, or at 300 octets."""
    path = "/".join([letter * 200 for letter in "abcd"])
    assert client.put(path, b"x").code == code("2.01")
    assert client.get(path).payload == b"x"
    assert client.get("a" * 200).code == code("4.04")
    assert server.value(f"Coap.get_resource({path!r}).get_details()[0]") == path


def test_without_dynamic_resources_put_on_an_unknown_path_is_4_04(interpreter):
    port = free_port()
    interpreter.do(f"Coap.init('127.0.0.1', port={port})")
    with Client(port) as client:
        assert client.put("a", b"x").code == code("4.04")
        assert client.get("a").code == code("4.04")


def test_post_on_an_unknown_path_is_4_04_and_creates_nothing(server, client):
    assert client.post("a", b"x").code == code("4.04")
    assert server.value("Coap.get_resource('a')") is None


def test_with_post_creates_it_makes_a_resource_below_and_says_where(interpreter):
    port = free_port()
    interpreter.do(f"Coap.init('127.0.0.1', port={port}, post_creates=True)")
    interpreter.do("Coap.register_new_resource_handler(creation)")
    with Client(port) as client:
        answer = client.post("a/b", b"value", (CONTENT_FORMAT, uint(50)))
        assert answer.code == code("2.01")
        path = "/".join(segment.decode() for segment in answer.all(coap.LOCATION_PATH))
        assert path.startswith("a/b/") and len(path) == 12
        interpreter.wait("made")
        assert interpreter.value("made[0].get_details()") == [path, 50, -1, False, 0]
        assert client.get(path).payload == b"value"
        assert client.put("a/b", b"x").code == code("4.04")


@pytest.mark.parametrize("name, method", [("PATCH", 6), ("IPATCH", 7)])
def test_json_is_patched_where_callback_says_so(server, client, name, method):
    add(server, "'a', media_type=Coap.MEDIATYPE_APP_JSON, value='{\"b\":1.50}', etag=True")
    merge = CONTENT_FORMAT, uint(52)
    assert client.ask(method, "a", merge, payload=b'{"c":2}').code == code("4.05")
    server.do(f"r.callback(Coap.REQUEST_{name}, True)")
    assert client.ask(method, "a", merge, payload=b'{"c":2}').code == code("2.04")
    assert client.get("a").payload == b'{"b":1.50,"c":2}'
    assert server.value("r.get_details()[4]") == 2
    assert client.ask(method, "a", (CONTENT_FORMAT, uint(51)), payload=b'[{"op":"remove","path":"/x"}]').code == code("4.09")
    assert client.ask(method, "a", (CONTENT_FORMAT, uint(60)), payload=b"x").code == code("4.15")
    assert client.ask(13 - method, "a", merge, payload=b"{}").code == code("4.05")
    server.do("r.set_details(mediatype=0)")
    assert client.ask(method, "a", merge, payload=b"{}").code == code("4.05")


def test_a_value_comes_in_in_blocks(server, client):
    add(server, "'a'")
    body = bytes(range(256)) * 10
    answers = [client.put("a", body[at:at + 512], (coap.BLOCK1, uint(at // 512 << 4 | (at < 2048) << 3 | 5)))
               for at in range(0, len(body), 512)]
    assert [answer.code for answer in answers] == 4 * [code("2.31")] + [code("2.04")]
    assert server.value("r.value()") == body


def test_delete_is_2_02_also_where_nothing_is(server, client):
    add(server, "'a'")
    assert client.delete("a").code == code("2.02")
    assert client.delete("a").code == code("2.02")
    assert client.get("a").code == code("4.04")


def test_a_created_resource_may_be_gone_before_the_handler_is_called(server, client):
    server.do("""
        def late(resource):
            try:
                made.append(resource.value())
            except RuntimeError:
                made.append('gone')
        Coap.register_new_resource_handler(late)
    """)
    with server.holding():
        for _ in range(50):
            assert client.put("a", b"x").code == code("2.01")
            assert client.delete("a").code == code("2.02")
        for path in ("b", "c"):
            assert client.put(path, b"there").code == code("2.01")
        assert client.delete("b").code == code("2.02")
    server.wait("b'there' in made")
    assert server.value("made") == ["gone", b"there"]


def test_more_creations_than_there_is_room_are_5_03(server, client):
    codes = {client.put(f"r/{i}", b"x").code for i in range(9000)}
    assert codes == {code("2.01"), code("5.03")}
    assert client.get("r/0").payload == b"x"


# ---- repeated options: the manual's way


@pytest.mark.parametrize("first, second, expected", [(b"\x01", b"\x09", "2.03"), (b"\x09", b"\x01", "2.05")])
def test_of_several_etags_the_first_counts(server, client, first, second, expected):
    add(server, "'a', etag=True")
    assert client.get("a", (ETAG, first), (ETAG, second)).code == code(expected)


@pytest.mark.parametrize("first, second, expected", [(50, 60, "2.05"), (60, 50, "4.06")])
def test_of_several_accepts_the_first_counts(server, client, first, second, expected):
    add(server, "'a', media_type=50")
    assert client.get("a", (ACCEPT, uint(first)), (ACCEPT, uint(second))).code == code(expected)


@pytest.mark.parametrize("first, second, expected", [(b"\x01", b"\x09", "2.04"), (b"\x09", b"\x01", "4.12")])
def test_of_several_if_matches_the_first_counts(server, client, first, second, expected):
    add(server, "'a', etag=True")
    assert client.put("a", b"x", (IF_MATCH, first), (IF_MATCH, second)).code == code(expected)


def test_a_second_if_none_match_is_dropped(server, client):
    assert client.put("new", b"x", (IF_NONE_MATCH, b""), (IF_NONE_MATCH, b"")).code == code("2.01")
    assert client.put("new", b"x", (IF_NONE_MATCH, b""), (IF_NONE_MATCH, b"")).code == code("4.12")


# ---- discovery


def links(client, *query):
    answer = client.get(".well-known/core", *[(URI_QUERY, text) for text in query])
    assert (answer.code, answer.all(CONTENT_FORMAT)) == (code("2.05"), [b"\x28"])
    return answer.payload.decode()


def test_well_known_core_lists_resources_in_order_with_their_attributes(server, client):
    server.do("""
        Coap.add_resource('resource2')
        r = Coap.add_resource('resource1', media_type=Coap.MEDIATYPE_TEXT_PLAIN)
        r.add_attribute('title', 'resource1')
        r.add_attribute('rt', 'a b')
    """)
    assert links(client) == '</resource2>,</resource1>;ct=0;title=resource1;rt="a b"'


def test_a_ct_of_the_scripts_own_takes_the_place_of_the_automatic_one(server, client):
    server.do("Coap.add_resource('a', media_type=50).add_attribute('ct', '60')")
    assert links(client) == "</a>;ct=60"


def test_a_quoted_value_goes_out_as_it_is_and_others_are_quoted_and_escaped(server, client):
    server.do(r"""
        r = Coap.add_resource('a')
        r.add_attribute('title', '"x y"')
        r.add_attribute('rt', b'say "no"')
    """)
    assert links(client) == '</a>;title="x y";rt="say \\"no\\""'


def test_well_known_core_is_filtered_by_queries(server, client):
    server.do("""
        Coap.add_resource('light/1').add_attribute('rt', 'light')
        Coap.add_resource('light/2').add_attribute('rt', 'lamp light')
        Coap.add_resource('door').add_attribute('rt', 'door')
    """)
    assert links(client, b"rt=light") == '</light/1>;rt=light,</light/2>;rt="lamp light"'
    assert links(client, b"href=/light/*") == '</light/1>;rt=light,</light/2>;rt="lamp light"'
    assert links(client, b"rt=d*") == "</door>;rt=door"
    assert links(client, b"rt=none") == ""


def test_a_change_by_the_script_is_seen_by_the_next_request(server, client):
    add(server, "'a', value='x'")
    for i in range(20):
        server.do(f"r.value({i})")
        assert client.get("a").payload == bytes([i])


@pytest.mark.parametrize("media_type, mask, exception", [
    (50, 32, None), (50, 64, None), (50, 111, None), (0, 32, "ValueError"), (-1, 64, "ValueError"), (0, 47, "ValueError"),
    (50, 16, "ValueError"), (0, 16, "ValueError"), (50, 128, "ValueError"), (0, 15, None)])
@pytest.mark.parametrize("enable", ["True", "False"])
def test_the_bits_of_patch_are_for_json_and_those_of_fetch_for_nothing(server, client, media_type, mask, exception, enable):
    server.do(f"r = Coap.add_resource('a', media_type={media_type})")
    assert server.raises(f"r.callback({mask}, {enable})") == exception
    if exception:
        assert client.get("a").code == code("4.05")  # nothing of the mask was done


def test_a_large_value_comes_and_goes_in_blocks(server, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    add(server, "'a'")
    with Interpreter(folder) as other:
        session(other, server.port)
        other.do("body = bytes(i * 7 & 255 for i in range(30000))")
        other.do("session.send_request(Coap.REQUEST_PUT, uri_path='a', payload=body)")
        other.wait("len(got) == 1")
        other.do("session.send_request(Coap.REQUEST_GET, uri_path='a')")
        other.wait("len(got) == 2")
        assert other.value("(got[0][0], got[1][4] == body)") == (code("2.04"), True)
    assert server.value("len(r.value())") == 30000
