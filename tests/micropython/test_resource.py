"""CoapResource and the functions that make, find and remove one, as the script sees them."""
import pytest

from support.coap import code


@pytest.fixture
def script(interpreter):
    interpreter.do("Coap.init()")
    return interpreter


# ---- add_resource


def test_a_resource_has_the_manuals_defaults(script):
    assert script.value("Coap.add_resource('a').get_details()") == ["a", -1, -1, False, 0]
    assert script.value("Coap.get_resource('a').value()") == b"\x00"


def test_every_property_can_be_given(script):
    script.do("r = Coap.add_resource('a/b', media_type=50, max_age=7, value='x', etag=True)")
    assert script.value("r.get_details()") == ["a/b", 50, 7, True, 1]


@pytest.mark.parametrize("uri, shown", [("/a/b", "a/b"), ("a%20b", "a%20b"), ("%61", "a"), ("a//b", "a//b")])
def test_a_leading_slash_is_ignored_and_percent_encoding_decoded(script, uri, shown):
    script.do(f"r = Coap.add_resource({uri!r})")
    assert script.value("r.get_details()[0]") == shown
    for same in (uri, "/" + shown):
        assert script.do(f"print(Coap.get_resource({same!r}) is r)") == ["True"]


def test_an_existing_uri_raises_runtime_error_and_changes_nothing(script):
    script.do("r = Coap.add_resource('a', value='first')")
    assert script.raises("Coap.add_resource('/a', value='second')") == "RuntimeError"
    assert script.value("r.value()") == b"first"


@pytest.mark.parametrize("arguments, exception", [
    ("'a', media_type=-2", "ValueError"), ("'a', media_type=65536", "ValueError"), ("'a', media_type='x'", "TypeError"),
    ("'a', max_age=-2", "ValueError"), ("'a', max_age=1 << 32", "ValueError"), ("'a', max_age=1 << 64", "ValueError"),
    ("'a', max_age=1.5", "TypeError"), ("'%zz'", "ValueError"), ("'a\\x00b'", "ValueError"), ("5", "TypeError"),
    ("'x' * 256", "ValueError"), ("", "TypeError"), ("'a', 0", "TypeError"), ("'a', value=-1", "ValueError"),
    ("'a', value=1 << 32", "ValueError"), ("'a', value=1.5", "TypeError"), ("'a', value=[1]", "TypeError"),
    ("'a', value='x' * (2 << 20)", "ValueError")])
def test_an_argument_out_of_the_contract_raises_and_adds_nothing(script, arguments, exception):
    assert script.raises(f"Coap.add_resource({arguments})") == exception
    assert script.value("Coap.get_resource('a')") is None


@pytest.mark.parametrize("media_type, max_age", [(0, 0), (65535, (1 << 32) - 1), (-1, -1)])
def test_the_bounds_of_media_type_and_max_age_are_themselves_allowed(script, media_type, max_age):
    script.do(f"r = Coap.add_resource('a', media_type={media_type}, max_age={max_age})")
    assert script.value("r.get_details()[1:3]") == [media_type, max_age]


def test_none_for_a_keyword_means_not_given(script):
    script.do("r = Coap.add_resource('a', media_type=None, max_age=None, value=None)")
    assert script.value("r.get_details() + [r.value()]") == ["a", -1, -1, False, 0, b"\x00"]


# ---- values


@pytest.mark.parametrize("given, octets", [
    ("'grün'", "grün".encode()), ("b'a\\x00b'", b"a\x00b"), ("bytearray(b'xy')", b"xy"),
    ("memoryview(b'xyz')[1:]", b"yz"), ("''", b""), ("0", b"\x00"), ("255", b"\xff"), ("256", b"\x00\x01"),
    ("0xFFFF", b"\xff\xff"), ("0x10000", b"\x00\x00\x01\x00"), ("0x7FFFFFFF", b"\xff\xff\xff\x7f"),
    ("0xFFFFFFFF", b"\xff\xff\xff\xff")])
def test_a_value_is_kept_as_its_octets_and_read_as_bytes(script, given, octets):
    assert script.value(f"Coap.add_resource('a', value={given}).value()") == octets
    assert script.value(f"Coap.add_resource('b').value({given})") is None
    assert script.value("Coap.get_resource('b').value()") == octets


@pytest.mark.parametrize("given, exception", [
    ("-1", "ValueError"), ("1 << 32", "ValueError"), ("-(1 << 80)", "ValueError"), ("1 << 80", "ValueError"),
    ("1.0", "TypeError"), ("None", "TypeError"), ("[1]", "TypeError"), ("Coap", "TypeError"),
    ("'x' * (2 << 20)", "ValueError")])
def test_a_bad_value_raises_and_the_old_one_stays(script, given, exception):
    script.do("r = Coap.add_resource('a', value='old', etag=True)")
    assert script.raises(f"r.value({given})") == exception
    assert script.value("[r.value(), r.get_details()[4]]") == [b"old", 1]


def test_a_large_value_is_read_back_whole(script):
    script.do("r = Coap.add_resource('a', value='x' * 100000)")
    assert script.value("len(r.value())") == 100000


# ---- find and remove


def test_get_resource_returns_the_same_object_each_time_or_none(script):
    script.do("r = Coap.add_resource('a'); gc.collect()")
    assert script.do("print(Coap.get_resource('a') is r, Coap.get_resource('b'))") == ["True None"]
    script.do("r = None; first = id(Coap.get_resource('a')); gc.collect()")
    assert script.do("print(id(Coap.get_resource('a')) == first)") == ["True"]


def test_removing_what_is_not_there_is_no_error(script):
    script.do("Coap.remove_resource('a'); Coap.remove_resource('/a/b')")


REMOVED = ["value()", "value('x')", "get_details()", "set_details(max_age=1)", "callback(1, True)",
           "add_attribute('a', 'b')"]


def test_a_removed_resource_raises_runtime_error_from_each_method_even_when_its_place_is_taken(script):
    script.do("r = Coap.add_resource('a'); Coap.remove_resource('a')")
    for call in REMOVED:
        assert script.raises("r." + call) == "RuntimeError", call
    script.do("new = Coap.add_resource('a', value='new')")
    for call in REMOVED:
        assert script.raises("r." + call) == "RuntimeError", call
    assert script.value("new.value()") == b"new"
    assert script.do("print(new is r, Coap.get_resource('a') is new)") == ["False True"]


def test_a_resource_that_a_peer_deleted_raises_runtime_error(server, client):
    server.do("r = Coap.add_resource('a'); r.callback(Coap.REQUEST_DELETE, True)")
    assert client.delete("a").code == code("2.02")
    for call in REMOVED:
        assert server.raises("r." + call) == "RuntimeError", call
    assert server.value("Coap.get_resource('a')") is None


def test_a_thousand_resources_come_and_go(script):
    script.do("""
        for turn in range(3):
            all = [Coap.add_resource('r/{}'.format(i), value=i) for i in range(1000)]
            for i, r in enumerate(all):
                assert Coap.get_resource('r/{}'.format(i)) is r
                assert r.value()[0] == i & 255
                Coap.remove_resource('r/{}'.format(i))
            gc.collect()
    """)


# ---- details, methods, attributes


def test_set_details_leaves_untouched_what_is_not_given(script):
    script.do("r = Coap.add_resource('a', media_type=50, max_age=7)")
    for change, details in [
            ("mediatype=60", [60, 7, False]), ("max_age=8", [60, 8, False]), ("etag=True", [60, 8, True]),
            ("mediatype=-1", [-1, 8, True]), ("max_age=-1", [-1, -1, True]), ("", [-1, -1, True]),
            ("mediatype=None, max_age=None, etag=None", [-1, -1, True]), ("etag=False", [-1, -1, False])]:
        script.do(f"r.set_details({change})")
        assert script.value("r.get_details()[1:4]") == details, change


@pytest.mark.parametrize("arguments", ["mediatype=65536", "mediatype=-2", "max_age=1 << 32", "max_age=-2"])
def test_set_details_out_of_range_raises_value_error_and_changes_nothing(script, arguments):
    script.do("r = Coap.add_resource('a', media_type=50, max_age=7)")
    assert script.raises(f"r.set_details({arguments})") == "ValueError"
    assert script.value("r.get_details()[1:3]") == [50, 7]


def test_the_etag_counts_changes_shows_0_while_off_and_goes_on_meanwhile(script):
    script.do("r = Coap.add_resource('a', etag=True)")
    assert script.value("r.get_details()[3:]") == [True, 1]
    script.do("r.value('x'); r.set_details(etag=False)")
    assert script.value("r.get_details()[3:]") == [False, 0]
    script.do("r.value('y'); r.set_details(etag=True)")
    assert script.value("r.get_details()[3:]") == [True, 3]


def test_the_etag_goes_from_65535_to_1(script):
    script.do("""
        r = Coap.add_resource('a', etag=True)
        for _ in range(65534):
            r.value(1)
    """)
    assert script.value("r.get_details()[4]") == 65535
    script.do("r.value(1)")
    assert script.value("r.get_details()[4]") == 1


@pytest.mark.parametrize("mask", ["16", "32", "64", "128", "17", "-1", "1 << 40"])
def test_unknown_bits_in_a_callback_mask_raise_value_error(script, mask):
    assert script.raises(f"Coap.add_resource('a').callback({mask}, True)") == "ValueError"


@pytest.mark.parametrize("call, exception", [
    ("callback(1)", "TypeError"), ("callback('1', True)", "TypeError"), ("callback(None, True)", "TypeError"),
    ("add_attribute('a')", "TypeError"), ("add_attribute('a', 5)", "TypeError"), ("add_attribute(5, 'a')", "TypeError"),
    ("add_attribute('', 'a')", "ValueError"), ("add_attribute('a b', 'c')", "ValueError"),
    ("add_attribute('a;', 'c')", "ValueError"), ("value(1, 2)", "TypeError"), ("set_details(5)", "TypeError")])
def test_a_bad_argument_raises_and_leaves_no_lock_held(server, client, call, exception):
    """The original left one held, and the next request waited for ever."""
    server.do("r = Coap.add_resource('a', value='x'); r.callback(Coap.REQUEST_GET, True)")
    assert server.raises("r." + call) == exception
    assert client.get("a").payload == b"x"
    server.do("r.value('y')")
    assert client.get("a").payload == b"y"


def test_methods_take_the_manuals_names_as_keywords(script):
    script.do("""
        r = Coap.add_resource(uri='a')
        r.callback(operation=Coap.REQUEST_GET, enable=True)
        r.add_attribute(name='title', value='x')
        r.value(value='y')
        s = Coap.new_client_session(address='127.0.0.1', port=5683)
        s.send_request(method=Coap.REQUEST_GET)
        Coap.remove_client_session(destination='127.0.0.1', port=5683, protocol=Coap.PROTOCOL_UDP)
    """)
    assert script.value("r.value()") == b"y"


# ---- the types


def test_types_print_their_names_and_cannot_be_constructed_by_hand(script):
    script.do("r = Coap.add_resource('a'); s = Coap.new_client_session('127.0.0.1')")
    assert script.do("print(type(r), type(s))") == ["<class 'CoapResource'> <class 'CoapClientSession'>"]
    assert script.do("print(r, s)") == ["<CoapResource> <CoapClientSession>"]
    assert script.raises("type(r)()") == "TypeError"
    assert script.raises("type(s)('127.0.0.1')") == "TypeError"
