#include "octets.h"

static copal_uri_t uri;

static void assert_text(copal_bytes_t got, const char *want)
{
    assert_int_equal(got.size, strlen(want));
    if (got.size)
        assert_memory_equal(got.data, want, got.size);
}

static void assert_host(const char *text, const char *host, bool literal, uint16_t port)
{
    assert_int_equal(copal_uri_parse(&uri, text), 0);
    assert_text(uri.host, host);
    assert_int_equal(uri.literal, literal);
    assert_int_equal(uri.port, port);
}

static void a_uri_is_split_into_its_parts(void **state)
{
    (void)state;
    assert_host("coap://example.net:61616/a/b?c=d&e?", "example.net", false, 61616);
    assert_false(uri.secure);
    assert_text(uri.path, "/a/b");
    assert_true(uri.has_query);
    assert_text(uri.query, "c=d&e?");
}

static void rfc7252_6_1_and_6_2_schemes_have_default_ports(void **state)
{
    (void)state;
    assert_host("coap://h", "h", false, 5683);
    assert_false(uri.secure);
    assert_host("coaps://h", "h", false, 5684);
    assert_true(uri.secure);
    assert_host("coap://h:", "h", false, 5683);
    assert_host("coaps://h:/x", "h", false, 5684);
    assert_host("CoApS://h:5683", "h", false, 5683);
}

static void path_and_query_may_be_missing(void **state)
{
    (void)state;
    assert_int_equal(copal_uri_parse(&uri, "coap://h"), 0);
    assert_int_equal(uri.path.size, 0);
    assert_false(uri.has_query);
    assert_int_equal(copal_uri_parse(&uri, "coap://h?"), 0);
    assert_int_equal(uri.path.size, 0);
    assert_true(uri.has_query);
    assert_int_equal(uri.query.size, 0);
    assert_int_equal(copal_uri_parse(&uri, "coap://h?a/b"), 0);
    assert_text(uri.host, "h");
    assert_text(uri.query, "a/b");
}

static void hosts_are_names_or_literals(void **state)
{
    (void)state;
    assert_host("coap://192.0.2.1/", "192.0.2.1", true, 5683);
    assert_host("coap://255.0.10.199:1", "255.0.10.199", true, 1);
    assert_host("coap://[2001:db8::1]:61616/", "2001:db8::1", true, 61616);
    assert_host("coap://[::ffff:192.0.2.1]", "::ffff:192.0.2.1", true, 5683);
    assert_host("coap://[fe80::1%eth0]/", "fe80::1%eth0", true, 5683);
    assert_host("coap://[fe80::1%25eth0]:5/", "fe80::1%25eth0", true, 5);
    assert_host("coap://EXAMPLE.%6eet/", "EXAMPLE.%6eet", false, 5683);
}

static void what_is_no_ipv4_address_is_a_name(void **state)
{
    (void)state;
    static const char *const hosts[] = {"1.2.3", "1.2.3.4.5", "256.2.3.4", "01.2.3.4", "1..2.3", "1.2.3.", ".1.2.3",
                                        "1.2.3.4a", "1.2.3.004", "1.2.3.4."};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        char text[40] = "coap://";
        assert_host(strcat(text, hosts[i]), hosts[i], false, 5683);
    }
    assert_host("coap://0.0.0.0", "0.0.0.0", true, 5683);
}

static void ports_end_at_65535(void **state)
{
    (void)state;
    assert_host("coap://h:65535", "h", false, 65535);
    assert_host("coap://h:0005683", "h", false, 5683);
    assert_int_equal(copal_uri_parse(&uri, "coap://h:65536"), COPAL_EURI);
    assert_int_equal(copal_uri_parse(&uri, "coap://h:4294967297"), COPAL_EURI);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "coap", "coap:", "coap:/h", "coap:h", "http://h/", "coapx://h/", "coap+tcp://h/", "//h/a", "/a/b",
        "coap://", "coap:///a", "coap://?a", "coap://:5683/",          /* no host */
        "coap://h/a#b", "coap://h#", "coap://h?a#b",                   /* RFC 7252 section 6.4 step 4 */
        "coap://user@h/", "coap://user:secret@h/", "coap://@h",        /* section 6.1 */
        "coap://h:1x/", "coap://h:-1/", "coap://h:80:90/",             /* no port */
        "coap://h/%", "coap://h/%4", "coap://h/%4g", "coap://h?%", "coap://%zz/",
        "coap://h/a b", "coap://h/a\"", "coap://h/[", "coap://h?a^b", "coap://h/\xc3\xa4", "coap://h x/", "coap://h\n",
        "coap://[]/", "coap://[::1", "coap://[::1]x/", "coap://[::1]x:5/", "coap://[::1]5683", "coap://[1.2.3.4]/", "coap://[::g]/",
        "coap://[v1.a:b:c]/", "coap://[fe80::1%]/", "coap://[fe80::1%a/b]/", "coap://::1/"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (copal_uri_parse(&uri, texts[i]) != COPAL_EURI)
            fail_msg("%s was accepted", texts[i]);
}

/* The options that `text` becomes. */
static copal_bytes_t options_of(const char *text)
{
    static uint8_t buffer[200];
    copal_writer_t w;
    copal_bytes_t written;
    copal_writer_init(&w, buffer, sizeof buffer);
    assert_int_equal(copal_uri_parse(&uri, text), 0);
    copal_write_uri(&w, &uri);
    assert_int_equal(copal_writer_finish(&w, &written), 0);
    return written;
}

static void rfc7252_6_4_only_a_name_is_written_as_uri_host(void **state)
{
    (void)state;
    assert_octets(options_of("coap://Ex:61616/a?b"), OCTETS(0x32, 'e', 'x', 0x81, 'a', 0x41, 'b'));
    assert_octets(options_of("coap://192.0.2.1:99/a"), OCTETS(0xb1, 'a'));
    assert_octets(options_of("coap://[::1]"), NOTHING);
}

static void rfc7252_6_4_a_name_is_lower_case_before_it_is_decoded(void **state)
{
    (void)state;
    assert_octets(options_of("coap://A%42%c3%A4"), OCTETS(0x34, 'a', 'B', 0xc3, 0xa4));
}

static void rfc7252_6_4_path_and_query_become_options(void **state)
{
    (void)state;
    assert_octets(options_of("coap://[::1]/"), NOTHING);
    assert_octets(options_of("coap://[::1]/?"), OCTETS(0xd0, 2));
    assert_octets(options_of("coap://[::1]//a%2Fb?//&?%26"),
                  OCTETS(0xb0, 0x03, 'a', '/', 'b', 0x42, '/', '/', 0x02, '?', '&'));
}

static void a_name_over_255_octets_is_an_error_of_the_writer(void **state)
{
    (void)state;
    char text[300] = "coap://";
    uint8_t buffer[300];
    copal_writer_t w;
    memset(text + 7, 'x', 256);
    copal_writer_init(&w, buffer, sizeof buffer);
    assert_int_equal(copal_uri_parse(&uri, text), 0);
    copal_write_uri(&w, &uri);
    assert_int_equal(w.error, COPAL_EINVAL);
}

static void assert_composed(copal_bytes_t options, bool secure, const char *host, uint16_t port, const char *want)
{
    char out[100];
    const copal_message_t request = {.options = options};
    assert_int_equal(copal_uri_compose(out, sizeof out, &request, secure, host, port), strlen(want));
    assert_string_equal(out, want);
}

static void rfc7252_6_5_a_uri_is_composed(void **state)
{
    (void)state;
    assert_composed(NOTHING, false, "192.0.2.1", 5683, "coap://192.0.2.1/");
    assert_composed(NOTHING, true, "192.0.2.1", 5683, "coaps://192.0.2.1:5683/");
    assert_composed(NOTHING, true, "2001:db8::1", 5684, "coaps://[2001:db8::1]/");
    assert_composed(OCTETS(0x31, 'h', 0x41, 80), false, "::1", 5683, "coap://h:80/");
    assert_composed(OCTETS(0xb1, 'a', 0x00, 0x01, 'b'), false, "h", 65535, "coap://h:65535/a//b");
    assert_composed(OCTETS(0xb0), false, "h", 5683, "coap://h/");
    assert_composed(OCTETS(0xd1, 2, 'x', 0x00, 0x01, 'y'), false, "h", 7, "coap://h:7/?x&&y");
    assert_composed(OCTETS(0xd0, 2), false, "h", 10, "coap://h:10/?");
}

static void rfc7252_6_5_percent_encoding_is_upper_case_and_no_more_than_needed(void **state)
{
    (void)state;
    assert_composed(OCTETS(0xb8, '/', '?', '&', ':', '@', '~', 0x00, 0xff, 0x48, '/', '?', '&', ':', '@', '~', '=', 0xaf),
                    false, "h", 5683, "coap://h/%2F%3F&:@~%00%FF?/?%26:@~=%AF");
}

static void a_host_from_the_option_cannot_break_out(void **state)
{
    (void)state;
    assert_composed(OCTETS(0x35, 'a', '/', 'b', '@', 'c'), false, "h", 5683, "coap://a%2Fb%40c/");
    assert_composed(OCTETS(0x32, 0xc3, 0xa4), false, "h", 5683, "coap://%C3%A4/");
    assert_composed(OCTETS(0x35, '[', ':', ':', '1', ']'), false, "h", 5683, "coap://[::1]/");
    assert_composed(OCTETS(0x33, 'a', ':', '1'), false, "h", 5683, "coap://a%3A1/");
}

static void a_zone_is_written_as_rfc6874_has_it(void **state)
{
    (void)state;
    assert_composed(NOTHING, false, "fe80::1%eth0", 5683, "coap://[fe80::1%25eth0]/");
}

static void a_composed_uri_takes_one_octet_more_than_its_length(void **state)
{
    (void)state;
    char out[12] = "~~~~~~~~~~~";
    const copal_message_t request = {0};
    assert_int_equal(copal_uri_compose(out, 9, &request, false, "h", 5683), COPAL_ESPACE);
    assert_int_equal(out[9], '~');
    assert_int_equal(copal_uri_compose(out, 10, &request, false, "h", 5683), 9);
    assert_string_equal(out, "coap://h/");
}

static void what_was_composed_becomes_the_same_options(void **state)
{
    (void)state;
    static const char *const texts[] = {"coap://h/", "coap://h/a//b/?", "coap://h:1/%2F%20?x=%26&y", "coap://h/a/?/&?"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const copal_message_t request = {.options = options_of(texts[i])};
        char out[100];
        assert_true(copal_uri_compose(out, sizeof out, &request, uri.secure, "unused", uri.port) > 0);
        assert_string_equal(out, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uri_is_split_into_its_parts),
        cmocka_unit_test(rfc7252_6_1_and_6_2_schemes_have_default_ports),
        cmocka_unit_test(path_and_query_may_be_missing),
        cmocka_unit_test(hosts_are_names_or_literals),
        cmocka_unit_test(what_is_no_ipv4_address_is_a_name),
        cmocka_unit_test(ports_end_at_65535),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(rfc7252_6_4_only_a_name_is_written_as_uri_host),
        cmocka_unit_test(rfc7252_6_4_a_name_is_lower_case_before_it_is_decoded),
        cmocka_unit_test(rfc7252_6_4_path_and_query_become_options),
        cmocka_unit_test(a_name_over_255_octets_is_an_error_of_the_writer),
        cmocka_unit_test(rfc7252_6_5_a_uri_is_composed),
        cmocka_unit_test(rfc7252_6_5_percent_encoding_is_upper_case_and_no_more_than_needed),
        cmocka_unit_test(a_host_from_the_option_cannot_break_out),
        cmocka_unit_test(a_zone_is_written_as_rfc6874_has_it),
        cmocka_unit_test(a_composed_uri_takes_one_octet_more_than_its_length),
        cmocka_unit_test(what_was_composed_becomes_the_same_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
