#include "octets.h"

static uint8_t buffer[600];
static copal_writer_t w;

static int begin(void **state)
{
    (void)state;
    copal_writer_init(&w, buffer, sizeof buffer);
    return 0;
}

/* Asserts that text becomes the options `number` whose values, each behind a "|", are `want`. */
static void assert_values(uint16_t number, const char *want)
{
    char got[sizeof buffer];
    size_t size = 0;
    const copal_message_t message = {.options = {w.data, w.size}};
    copal_option_reader_t reader = copal_message_options(&message);
    copal_option_t option;
    assert_int_equal(w.error, 0);
    while (copal_option_next(&reader, &option)) {
        if (option.number != number)
            continue;
        got[size++] = '|';
        memcpy(got + size, option.value.data, option.value.size);
        size += option.value.size;
    }
    got[size] = 0;
    assert_string_equal(got, want);
}

static void assert_path(const char *text, const char *want)
{
    begin(NULL);
    copal_write_path(&w, copal_text(text));
    assert_values(COPAL_OPTION_URI_PATH, want);
}

static void assert_query(const char *text, const char *want)
{
    begin(NULL);
    copal_write_query(&w, copal_text(text));
    assert_values(COPAL_OPTION_URI_QUERY, want);
}

static void rfc7252_6_4_each_segment_is_an_option(void **state)
{
    (void)state;
    assert_path("a/b", "|a|b");
    assert_path("/a/b", "|a|b");
    assert_path(".well-known/core", "|.well-known|core");
}

static void rfc7252_6_4_an_empty_path_has_no_options(void **state)
{
    (void)state;
    assert_path("", "");
    assert_path("/", "");
    begin(NULL);
    copal_write_path(&w, NOTHING);
    assert_values(COPAL_OPTION_URI_PATH, "");
}

static void other_empty_segments_are_kept(void **state)
{
    (void)state;
    assert_path("a//b", "|a||b");
    assert_path("a/", "|a|");
    assert_path("//", "||");
    assert_path("//a", "||a");
}

static void rfc7252_6_4_percent_encoding_is_decoded(void **state)
{
    (void)state;
    assert_path("a%2Fb/%c3%A4", "|a/b|\xc3\xa4");
    begin(NULL);
    copal_write_path(&w, copal_text("%00%ff"));
    assert_written(w, 0xb2, 0x00, 0xff);
}

static void bad_percent_encoding_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"%", "a%2", "a/%g0", "%0g/b", "%%41"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        begin(NULL);
        copal_write_path(&w, copal_text(texts[i]));
        assert_int_equal(w.error, COPAL_EINVAL);
        begin(NULL);
        copal_write_query(&w, copal_text(texts[i]));
        assert_int_equal(w.error, COPAL_EINVAL);
    }
    begin(NULL);
    copal_write_path(&w, (copal_bytes_t){(const uint8_t *)"%41", 2}); /* what is behind the end does not count */
    assert_int_equal(w.error, COPAL_EINVAL);
}

static void rfc7252_5_10_1_dot_segments_are_resolved(void **state)
{
    (void)state;
    assert_path("a/./b", "|a|b");
    assert_path("a/../b", "|b");
    assert_path("/a/b/c/./../../g", "|a|g"); /* RFC 3986 section 5.2.4 */
    assert_path("mid/content=5/../6", "|mid|6");
    assert_path("../../a", "|a");
    assert_path("a/../../b", "|b");
    assert_path("a/b/..", "|a|");
    assert_path("a/.", "|a|");
    assert_path("a/..", "");
    assert_path(".", "");
    assert_path("//..", "");
    assert_path("a//..", "|a|");
    assert_path("a/%2e%2E/b", "|b");
    assert_path("...", "|...");
    assert_path("a/.b/..c", "|a|.b|..c");
}

static void a_segment_has_at_most_255_octets(void **state)
{
    (void)state;
    char text[512];
    memset(text, 'x', 256);
    begin(NULL);
    copal_write_path(&w, (copal_bytes_t){(uint8_t *)text, 255});
    assert_int_equal(w.error, 0);
    begin(NULL);
    copal_write_path(&w, (copal_bytes_t){(uint8_t *)text, 256});
    assert_int_equal(w.error, COPAL_EINVAL);
}

static void rfc7252_6_4_each_argument_is_an_option(void **state)
{
    (void)state;
    assert_query("a=1&b=2", "|a=1|b=2");
    assert_query("a", "|a");
    assert_query("a&&b&", "|a||b|");
    assert_query("", "|");
    assert_query("a%26b=%3D", "|a&b==");
}

static void path_and_query_come_in_one_text(void **state)
{
    (void)state;
    copal_write_path_and_query(&w, copal_text("a/b?c=d&e?f"));
    assert_values(COPAL_OPTION_URI_PATH, "|a|b");
    assert_values(COPAL_OPTION_URI_QUERY, "|c=d|e?f");
    begin(NULL);
    copal_write_path_and_query(&w, copal_text("?"));
    assert_written(w, 0xd0, 2);
    begin(NULL);
    copal_write_path_and_query(&w, copal_text("a"));
    assert_written(w, 0xb1, 'a');
}

static void a_path_is_encoded_with_a_first_delta_of_0(void **state)
{
    (void)state;
    uint8_t out[300];
    int size = copal_path_encode(out, sizeof out, copal_text("/ab/c"));
    assert_octets(((copal_bytes_t){out, (size_t)size}), OCTETS(0x02, 'a', 'b', 0x01, 'c'));
    assert_int_equal(copal_path_encode(out, sizeof out, copal_text("/")), 0);
    assert_int_equal(copal_path_encode(out, sizeof out, copal_text("//")), 2);
    size = copal_path_encode(out, sizeof out, copal_text("abcdefghijklm"));
    assert_int_equal(size, 15);
    assert_memory_equal(out, "\x0d\x00" "abcdefghijklm", 15);
}

static void encoding_a_path_tells_its_errors(void **state)
{
    (void)state;
    uint8_t out[4] = {0, 0, 0, 0xee};
    assert_int_equal(copal_path_encode(out, 3, copal_text("ab")), 3);
    assert_int_equal(copal_path_encode(out, 3, copal_text("abc")), COPAL_ESPACE);
    assert_int_equal(copal_path_encode(out, 0, copal_text("")), 0);
    assert_int_equal(copal_path_encode(out, 3, copal_text("%")), COPAL_EINVAL);
    assert_int_equal(out[3], 0xee);
}

static void a_path_goes_to_text_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"",  "a",  "a/b", "a//b", "a/", "//", "//a", "%00%2F%20%C3%A4%25/-._~!$&'()*+,;=:@",
                                        "abcdefghijklmnop/q"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint8_t path[100];
        char text[100];
        int size = copal_path_encode(path, sizeof path, copal_text(texts[i]));
        assert_true(size >= 0);
        assert_int_equal(copal_path_text(text, sizeof text, (copal_bytes_t){path, (size_t)size}), strlen(texts[i]));
        assert_string_equal(text, texts[i]);
    }
}

static void a_path_text_takes_one_octet_more_than_its_length(void **state)
{
    (void)state;
    char text[5] = {0, 0, 0, 0, 'x'};
    copal_bytes_t path = OCTETS(0xb1, 'a', 0x01, 'b'); /* as it stands in a datagram */
    assert_int_equal(copal_path_text(text, 4, path), 3);
    assert_string_equal(text, "a/b");
    assert_int_equal(copal_path_text(text, 3, path), COPAL_ESPACE);
    assert_int_equal(copal_path_text(text, 0, NOTHING), COPAL_ESPACE);
    assert_int_equal(copal_path_text(text, 1, NOTHING), 0);
    assert_int_equal(text[4], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rfc7252_6_4_each_segment_is_an_option, begin),
        cmocka_unit_test_setup(rfc7252_6_4_an_empty_path_has_no_options, begin),
        cmocka_unit_test_setup(other_empty_segments_are_kept, begin),
        cmocka_unit_test_setup(rfc7252_6_4_percent_encoding_is_decoded, begin),
        cmocka_unit_test_setup(bad_percent_encoding_is_an_error, begin),
        cmocka_unit_test_setup(rfc7252_5_10_1_dot_segments_are_resolved, begin),
        cmocka_unit_test_setup(a_segment_has_at_most_255_octets, begin),
        cmocka_unit_test_setup(rfc7252_6_4_each_argument_is_an_option, begin),
        cmocka_unit_test_setup(path_and_query_come_in_one_text, begin),
        cmocka_unit_test_setup(a_path_is_encoded_with_a_first_delta_of_0, begin),
        cmocka_unit_test_setup(encoding_a_path_tells_its_errors, begin),
        cmocka_unit_test_setup(a_path_goes_to_text_and_back, begin),
        cmocka_unit_test_setup(a_path_text_takes_one_octet_more_than_its_length, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
