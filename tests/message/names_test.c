#include "octets.h"

static void every_error_has_its_text(void **state)
{
    (void)state;
    assert_string_equal(copal_error_text(0), "no error");
    assert_string_equal(copal_error_text(COPAL_EFORMAT), "datagram is not a well-formed CoAP message");
    assert_string_equal(copal_error_text(COPAL_ERESOLVE), "host name has no address");
    assert_string_equal(copal_error_text(1), "unknown error");
    assert_string_equal(copal_error_text(COPAL_ECLOSED), "peer closed the DTLS session");
    assert_string_equal(copal_error_text(COPAL_ECLOSED - 1), "unknown error");
}

static void options_have_the_name_of_the_registry(void **state)
{
    (void)state;
    assert_string_equal(copal_option_text(11), "Uri-Path");
    assert_string_equal(copal_option_text(292), "Request-Tag");
    assert_string_equal(copal_option_text(2), "");
}

/* The numbers that the constants of network.Coap have, and some more. */
static void content_formats_go_to_text_and_back(void **state)
{
    (void)state;
    static const struct {
        uint16_t number;
        const char *name;
    } rows[] = {{0, "text/plain"},        {40, "application/link-format"},   {41, "application/xml"},
                {42, "application/octet-stream"}, {47, "application/exi"},   {50, "application/json"},
                {51, "application/json-patch+json"}, {52, "application/merge-patch+json"},
                {60, "application/cbor"}, {110, "application/senml+json"},   {112, "application/senml+cbor"},
                {257, "application/concise-problem-details+cbor"}, {11542, "application/vnd.oma.lwm2m+tlv"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(copal_content_format_text(rows[i].number), rows[i].name);
        assert_int_equal(copal_content_format(rows[i].name), rows[i].number);
    }
    for (uint32_t number = 0; number <= UINT16_MAX; number++) {
        const char *name = copal_content_format_text((uint16_t)number);
        if (name)
            assert_int_equal(copal_content_format(name), number);
    }
}

static void a_content_format_may_be_given_short(void **state)
{
    (void)state;
    assert_int_equal(copal_content_format("text"), 0);
    assert_int_equal(copal_content_format("plain"), 0);
    assert_int_equal(copal_content_format("json"), 50);
    assert_int_equal(copal_content_format("cbor"), 60);
    assert_int_equal(copal_content_format("link-format"), 40);
    assert_int_equal(copal_content_format("octet-stream"), 42);
}

static void a_content_format_may_be_given_as_a_number(void **state)
{
    (void)state;
    assert_int_equal(copal_content_format("0"), 0);
    assert_int_equal(copal_content_format("65535"), 65535);
    assert_int_equal(copal_content_format("65536"), COPAL_ENOTFOUND);
    assert_int_equal(copal_content_format("99999999999999999999"), COPAL_ENOTFOUND);
    assert_int_equal(copal_content_format("-1"), COPAL_ENOTFOUND);
    assert_int_equal(copal_content_format("5x"), COPAL_ENOTFOUND);
}

static void an_unknown_content_format_is_told(void **state)
{
    (void)state;
    assert_null(copal_content_format_text(65000));
    assert_int_equal(copal_content_format(""), COPAL_ENOTFOUND);
    assert_int_equal(copal_content_format("application/"), COPAL_ENOTFOUND);
    assert_int_equal(copal_content_format("application/nothing"), COPAL_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_text),
        cmocka_unit_test(options_have_the_name_of_the_registry),
        cmocka_unit_test(content_formats_go_to_text_and_back),
        cmocka_unit_test(a_content_format_may_be_given_short),
        cmocka_unit_test(a_content_format_may_be_given_as_a_number),
        cmocka_unit_test(an_unknown_content_format_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
