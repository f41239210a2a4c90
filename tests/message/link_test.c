#include "octets.h"

static void assert_text(copal_bytes_t got, const char *want)
{
    assert_int_equal(got.size, strlen(want));
    if (got.size)
        assert_memory_equal(got.data, want, got.size);
}

static void assert_next_link(copal_bytes_t *document, const char *target, const char *attributes)
{
    copal_link_t link;
    assert_int_equal(copal_link_next(document, &link), 1);
    assert_text(link.target, target);
    assert_text(link.attributes, attributes);
}

static void assert_next_attribute(copal_bytes_t *attributes, const char *name, const char *value, bool quoted)
{
    copal_attribute_t attribute;
    assert_int_equal(copal_attribute_next(attributes, &attribute), 1);
    assert_text(attribute.name, name);
    assert_text(attribute.value, value);
    assert_int_equal(attribute.quoted, quoted);
}

static void rfc6690_5_links_are_taken_one_by_one(void **state)
{
    (void)state;
    copal_bytes_t document = copal_text("</sensors>;ct=40;title=\"Sensor Index\",</sensors/temp>;rt=\"temperature-c\","
                                        "<http://www.example.com/t123>;anchor=\"/sensors/temp\";rel=\"describedby\",</t>");
    copal_link_t link;
    assert_next_link(&document, "/sensors", ";ct=40;title=\"Sensor Index\"");
    assert_next_link(&document, "/sensors/temp", ";rt=\"temperature-c\"");
    assert_next_link(&document, "http://www.example.com/t123", ";anchor=\"/sensors/temp\";rel=\"describedby\"");
    assert_next_link(&document, "/t", "");
    assert_int_equal(copal_link_next(&document, &link), 0);
    assert_int_equal(copal_link_next(&document, &link), 0);
}

static void an_empty_document_has_no_link(void **state)
{
    (void)state;
    copal_bytes_t document = NOTHING;
    copal_link_t link;
    assert_int_equal(copal_link_next(&document, &link), 0);
}

static void rfc6690_2_commas_in_quotes_and_targets_end_no_link(void **state)
{
    (void)state;
    copal_bytes_t document = copal_text("</a,b;c>;title=\"x,<y>;z\\\",\",<>");
    assert_next_link(&document, "/a,b;c", ";title=\"x,<y>;z\\\",\"");
    assert_next_link(&document, "", "");
    assert_int_equal(document.size, 0);
}

static void what_is_no_link_format_is_told_and_left(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a", ",</a>", "</a", "<", "</a>x", "</a></b>", "</a> ,</b>", "</a>;", "</a>;;a", "</a>;=b", "</a>;a=", "</a>;a=,</b>",
        "</a>;a=\"b", "</a>;a=\"b\\\"", "</a>;a=\"b\\", "</a>;a=\"b\"c", "</a>;a=b\"c\"", "</a>; a=b", "</a>;a=b c", "</a>;a/b=c"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        copal_bytes_t document = copal_text(texts[i]);
        copal_link_t link;
        if (copal_link_next(&document, &link) != COPAL_EFORMAT)
            fail_msg("%s was accepted", texts[i]);
        assert_text(document, texts[i]);
    }
}

static void a_comma_at_the_end_comes_after_the_last_good_link(void **state)
{
    (void)state;
    copal_bytes_t document = copal_text("</a>,");
    copal_link_t link;
    assert_next_link(&document, "/a", "");
    assert_int_equal(copal_link_next(&document, &link), COPAL_EFORMAT);
}

static void attributes_are_flags_tokens_or_quoted(void **state)
{
    (void)state;
    copal_bytes_t attributes = copal_text(";obs;ct=0;rt=\"a b\";title=\"say \\\"hi\\\"\";title*=UTF-8''x;x=\"\";t=a/b<c>=");
    copal_attribute_t attribute;
    assert_next_attribute(&attributes, "obs", "", false);
    assert_next_attribute(&attributes, "ct", "0", false);
    assert_next_attribute(&attributes, "rt", "a b", true);
    assert_next_attribute(&attributes, "title", "say \\\"hi\\\"", true);
    assert_next_attribute(&attributes, "title*", "UTF-8''x", false);
    assert_next_attribute(&attributes, "x", "", true);
    assert_next_attribute(&attributes, "t", "a/b<c>=", false);
    assert_int_equal(copal_attribute_next(&attributes, &attribute), 0);
}

static void a_bare_title_is_accepted(void **state)
{
    (void)state;
    copal_bytes_t attributes = copal_text(";title=resource1");
    assert_next_attribute(&attributes, "title", "resource1", false);
}

static void attributes_begin_with_a_semicolon(void **state)
{
    (void)state;
    copal_bytes_t attributes = copal_text("ct=0");
    copal_attribute_t attribute;
    assert_int_equal(copal_attribute_next(&attributes, &attribute), COPAL_EFORMAT);
}

static void assert_attribute(const char *name, const char *value, const char *want)
{
    char out[64];
    int size = copal_attribute_write(out, sizeof out, copal_text(name), copal_text(value));
    assert_true(size >= 0);
    assert_text((copal_bytes_t){(uint8_t *)out, (size_t)size}, want);
}

static void a_value_is_quoted_where_it_must_be(void **state)
{
    (void)state;
    assert_attribute("title", "resource1", ";title=resource1");
    assert_attribute("title", "a b", ";title=\"a b\"");
    assert_attribute("title", "a,b", ";title=\"a,b\"");
    assert_attribute("title", "\xc3\xa4", ";title=\"\xc3\xa4\"");
    assert_attribute("title", "\"a b\"", ";title=\"a b\"");
    assert_attribute("title", "\"\"", ";title=\"\"");
    assert_attribute("title", "\"a\\\"b\"", ";title=\"a\\\"b\"");
    assert_attribute("obs", "", ";obs");
    assert_attribute("title*", "UTF-8'en'x", ";title*=UTF-8'en'x");
}

static void quotes_and_backslashes_are_escaped(void **state)
{
    (void)state;
    assert_attribute("t", "say \"hi\"", ";t=\"say \\\"hi\\\"\"");
    assert_attribute("t", "a\\", ";t=\"a\\\\\"");
    assert_attribute("t", "\"", ";t=\"\\\"\"");
    assert_attribute("t", "\"a\"b\"", ";t=\"\\\"a\\\"b\\\"\"");
    assert_attribute("t", "\"a\\\"", ";t=\"\\\"a\\\\\\\"\"");
}

static void a_name_is_a_parmname(void **state)
{
    (void)state;
    static const char *const names[] = {"", "*", "a b", "a=", "a;b", "a*b", "a**", "\xc3\xa4", "a/b"};
    char out[32];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(copal_attribute_write(out, sizeof out, copal_text(names[i]), copal_text("v")), COPAL_EINVAL);
    assert_int_equal(copal_attribute_write(out, sizeof out, NOTHING, NOTHING), COPAL_EINVAL);
}

static void an_attribute_takes_its_octets_and_no_more(void **state)
{
    (void)state;
    char out[9] = "~~~~~~~~";
    assert_int_equal(copal_attribute_write(out, 7, copal_text("a"), copal_text("b c")), COPAL_ESPACE);
    assert_int_equal(out[7], '~');
    assert_int_equal(copal_attribute_write(out, 8, copal_text("a"), copal_text("b c")), 8);
    assert_int_equal(copal_attribute_write(out, 4, copal_text("obs"), NOTHING), 4);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t octets[2] = {(uint8_t)c, 'x'}, plain[4];
        char out[16];
        int size = copal_attribute_write(out, sizeof out, copal_text("n"), (copal_bytes_t){octets, 2});
        assert_true(size > 0);
        copal_bytes_t attributes = {(uint8_t *)out, (size_t)size};
        copal_attribute_t attribute;
        assert_int_equal(copal_attribute_next(&attributes, &attribute), 1);
        assert_int_equal(attributes.size, 0);
        size_t escapes = attribute.value.size - 2;
        memcpy(plain, attribute.value.data, attribute.value.size);
        assert_memory_equal(plain + escapes, octets, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6690_5_links_are_taken_one_by_one),
        cmocka_unit_test(an_empty_document_has_no_link),
        cmocka_unit_test(rfc6690_2_commas_in_quotes_and_targets_end_no_link),
        cmocka_unit_test(what_is_no_link_format_is_told_and_left),
        cmocka_unit_test(a_comma_at_the_end_comes_after_the_last_good_link),
        cmocka_unit_test(attributes_are_flags_tokens_or_quoted),
        cmocka_unit_test(a_bare_title_is_accepted),
        cmocka_unit_test(attributes_begin_with_a_semicolon),
        cmocka_unit_test(a_value_is_quoted_where_it_must_be),
        cmocka_unit_test(quotes_and_backslashes_are_escaped),
        cmocka_unit_test(a_name_is_a_parmname),
        cmocka_unit_test(an_attribute_takes_its_octets_and_no_more),
        cmocka_unit_test(what_was_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
