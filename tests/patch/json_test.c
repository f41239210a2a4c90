/* Merge patches (RFC 7396) and JSON Patch (RFC 6902) on the text of a value. */
#include "copal/patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 400u

static char outcome[ROOM + 1];

/* The code, and the outcome as text; the value and the patch stand in memory of exactly their size. */
static copal_code_t patched(uint16_t format, const char *value, const char *patch)
{
    size_t sizes[] = {strlen(value), strlen(patch)}, size = ROOM;
    uint8_t *copies[] = {malloc(sizes[0] + 1), malloc(sizes[1] + 1)}, *out = malloc(ROOM);
    assert_true(copies[0] && copies[1] && out);
    copies[0] = realloc(copies[0], sizes[0] ? sizes[0] : 1);
    copies[1] = realloc(copies[1], sizes[1] ? sizes[1] : 1);
    memcpy(copies[0], value, sizes[0]);
    memcpy(copies[1], patch, sizes[1]);
    copal_code_t code = copal_json_patch(NULL, format, (copal_bytes_t){copies[0], sizes[0]},
                                         (copal_bytes_t){copies[1], sizes[1]}, out, &size);
    memcpy(outcome, out, code ? 0 : size);
    outcome[code ? 0 : size] = 0;
    free(copies[0]);
    free(copies[1]);
    free(out);
    return code;
}

typedef struct {
    const char *value, *patch, *outcome; /* NULL: as `code` says */
    copal_code_t code;
} row_t;

static void assert_rows(uint16_t format, const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        copal_code_t code = patched(format, rows[i].value, rows[i].patch);
        if (code != rows[i].code || (!code && strcmp(outcome, rows[i].outcome) != 0))
            fail_msg("%s with %s: code %d, outcome %s", rows[i].value, rows[i].patch, code, outcome);
    }
}

#define ASSERT_ROWS(format, rows) assert_rows(format, rows, sizeof(rows) / sizeof *(rows))

/* ---- merge patches --------------------------------------------------------------------------------------- */

static void rfc7396_appendix_a_examples(void **state)
{
    (void)state;
    static const row_t rows[] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}", 0},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}", 0},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}", 0},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}", 0},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}", 0},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}", 0},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}", 0},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}", 0},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]", 0},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]", 0},
        {"{\"a\":\"foo\"}", "null", "null", 0},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\"", 0},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}", 0},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}", 0},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}", 0},
    };
    ASSERT_ROWS(52, rows);
}

/* ---- JSON Patch --------------------------------------------------------------------------------------------- */

static void rfc6902_appendix_a_examples(void **state)
{
    (void)state;
    static const row_t rows[] = {
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]", "{\"foo\":\"bar\",\"baz\":\"qux\"}", 0},
        {"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
         "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", 0},
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}", 0},
        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]", "{\"foo\":[\"bar\",\"baz\"]}", 0},
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
         "{\"baz\":\"boo\",\"foo\":\"bar\"}", 0},
        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
         "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
         "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}", 0},
        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}", "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
         "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}", 0},
        {"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
         "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
         "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}", 0},
        {"{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL, COPAL_CONFLICT},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
         "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}", 0},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
         "{\"foo\":\"bar\",\"baz\":\"qux\"}", 0},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL, COPAL_CONFLICT},
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}", 0},
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", NULL, COPAL_CONFLICT},
        {"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
         "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}", 0},
    };
    ASSERT_ROWS(51, rows);
}

static void rfc6902_4_operations_at_the_edges(void **state)
{
    (void)state;
    static const row_t rows[] = {
        {"1", "[]", "1", 0},
        {"1", "[{\"op\":\"replace\",\"path\":\"\",\"value\":[2]}]", "[2]", 0},
        {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", "null", 0},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}", 0},
        {"{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}", 0},
        {"{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/b\"}]", "{\"a\":1,\"b\":{\"a\":1}}", 0},
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":3}]", "[1,2,3]", 0},
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/0\",\"value\":0}]", "[0,1,2]", 0},
        {"[1,2]", "[{\"op\":\"replace\",\"path\":\"/0\",\"value\":0}]", "[0,2]", 0},
        {"{\"\":1}", "[{\"op\":\"move\",\"from\":\"/\",\"path\":\"/a\"}]", "{\"a\":1}", 0},
        {"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}", 0},
        {"{\"a\":{}}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":{}},{\"op\":\"add\",\"path\":\"/b/c\",\"value\":1}]",
         "{\"a\":{},\"b\":{\"c\":1}}", 0},
        /* where nothing is, or can be */
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/3\",\"value\":3}]", NULL, COPAL_CONFLICT},
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":3}]", NULL, COPAL_CONFLICT},
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/4294967296\",\"value\":3}]", NULL, COPAL_CONFLICT},
        {"[1,2]", "[{\"op\":\"remove\",\"path\":\"/-\"}]", NULL, COPAL_CONFLICT},
        {"[1,2]", "[{\"op\":\"replace\",\"path\":\"/2\",\"value\":3}]", NULL, COPAL_CONFLICT},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":3}]", NULL, COPAL_CONFLICT},
        {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", NULL, COPAL_CONFLICT},
        {"{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/b\",\"path\":\"/c\"}]", NULL, COPAL_CONFLICT},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]", NULL, COPAL_CONFLICT},
        {"null", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]", NULL, COPAL_CONFLICT},
        /* no patch at all */
        {"1", "{}", NULL, COPAL_BAD_REQUEST},
        {"1", "[1]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"op\":\"add\",\"path\":\"\"}]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"op\":\"replace\",\"path\":\"\"}]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"op\":\"test\",\"path\":\"\"}]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"op\":\"remove\"}]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"op\":\"remove\",\"path\":1}]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"op\":\"remove\",\"path\":\"a\"}]", NULL, COPAL_BAD_REQUEST},
        {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"a/b\"}]", NULL, COPAL_BAD_REQUEST},
        {"{\"~\":1}", "[{\"op\":\"remove\",\"path\":\"/~\"}]", NULL, COPAL_BAD_REQUEST},
        {"{\"~2\":1}", "[{\"op\":\"remove\",\"path\":\"/~2\"}]", NULL, COPAL_BAD_REQUEST},
        {"{\"a\":1}", "[{\"op\":\"move\",\"path\":\"/b\"}]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"op\":\"increment\",\"path\":\"\"}]", NULL, COPAL_BAD_REQUEST},
        {"1", "[{\"path\":\"\",\"value\":1}]", NULL, COPAL_BAD_REQUEST},
        {"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", NULL, COPAL_BAD_REQUEST},
        {"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/a\"}]", NULL, COPAL_BAD_REQUEST},
    };
    ASSERT_ROWS(51, rows);
}

static void rfc6902_4_6_numbers_are_equal_if_they_say_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"1", "1.0", true},      {"100", "1E2", true},     {"0", "-0.00", true},   {"0.001", "1e-3", true},
        {"-1", "1", false},      {"12.50", "125E-1", true}, {"1", "10", false},     {"0", "1", false},
        {"9007199254740993", "9007199254740992", false},    {"18446744073709551616", "18446744073709551617", false},
        {"18446744073709551616", "18446744073709551616.0", true}, {"1e999999999999999999999", "1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char patch[200];
        snprintf(patch, sizeof patch, "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"b\":[%s],\"a\":\"\\u0041\"}}]", rows[i].b);
        char value[100];
        snprintf(value, sizeof value, "{\"a\":\"A\",\"b\":[%s]}", rows[i].a);
        assert_int_equal(patched(51, value, patch), rows[i].equal ? 0 : COPAL_CONFLICT);
    }
}

/* ---- what is not touched ------------------------------------------------------------------------------------- */

static void numbers_and_names_stay_as_they_were_written(void **state)
{
    (void)state;
    static const row_t rows[] = {
        {"{\"b\" : 1.50, \"a\": [1E2, -0, -0.0, 123456789012345678901234567890,\n-9223372036854775809, 1e400]}", "{\"c\":0.10}",
         "{\"b\":1.50,\"a\":[1E2,-0,-0.0,123456789012345678901234567890,-9223372036854775809,1e400],\"c\":0.10}", 0},
        {"{\"t\":\"1 -0 2\",\"n\":98765432109876543210}", "{\"m\":12345678901234567890123}",
         "{\"t\":\"1 -0 2\",\"n\":98765432109876543210,\"m\":12345678901234567890123}", 0},
        {"{\"u\":\"\\u00e9/\\ud83d\\ude00\\n\"}", "{}", "{\"u\":\"\xc3\xa9/\xf0\x9f\x98\x80\\n\"}", 0},
    };
    ASSERT_ROWS(52, rows);
    static const row_t copies[] = {
        {"{\"a\":[98765432109876543210,1.50]}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]",
         "{\"a\":[98765432109876543210,1.50],\"b\":[98765432109876543210,1.50]}", 0},
    };
    ASSERT_ROWS(51, copies);
}

static void what_could_not_be_kept_as_it_is_counts_as_no_json(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "plain text", "{", "{\"a\":1}}", "{\"a\":1} x", "{'a':1}", "[1,]", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "NaN",
        "[Infinity]", "TRUE", "{\"a\":1,\"a\":2}", "[\"\\ud800\"]", "[\"\\udc00\\ud800\"]", "{\"a\\u0000b\":1}", "[\"\xff\"]",
        "/* */ 1", "[\"\x01\"]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (patched(52, bad[i], "{}") != COPAL_CONFLICT || patched(52, "{}", bad[i]) != COPAL_BAD_REQUEST)
            fail_msg("%s was taken: %s", bad[i], outcome);
    }
    copal_bytes_t nul = {(const uint8_t *)"1\0", 2};
    uint8_t out[8];
    size_t size = sizeof out;
    assert_int_equal(copal_json_patch(NULL, 52, nul, copal_text("{}"), out, &size), COPAL_CONFLICT);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static void an_outcome_over_the_room_is_4_13(void **state)
{
    (void)state;
    char patch[ROOM + 20];
    snprintf(patch, sizeof patch, "{\"a\":\"%*s\"}", (int)ROOM - 8, "");
    assert_int_equal(patched(52, "{}", patch), 0);
    assert_int_equal(strlen(outcome), ROOM);
    snprintf(patch, sizeof patch, "{\"a\":\"%*s\"}", (int)ROOM - 7, "");
    assert_int_equal(patched(52, "{}", patch), COPAL_REQUEST_ENTITY_TOO_LARGE);
}

static void copies_of_copies_are_bounded(void **state)
{
    (void)state;
    char patch[4000] = "[", *at = patch + 1;
    for (int i = 0; i < 60; i++)
        at += sprintf(at, "%s{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a\"}", i ? "," : "");
    strcpy(at, ",{\"op\":\"remove\",\"path\":\"/a\"}]");
    assert_int_equal(patched(51, "{\"b\":1}", patch), COPAL_REQUEST_ENTITY_TOO_LARGE);
}

static void an_outcome_nested_too_deep_to_be_read_again_is_4_09(void **state)
{
    (void)state;
    static const char deep[] = "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]";
    char patch[200];
    snprintf(patch, sizeof patch, "[{\"op\":\"add\",\"path\":\"/0/0/0/0/0/0/0/0/0/0/0/0/0/0/-\",\"value\":%s}]", deep);
    assert_int_equal(patched(51, deep, patch), COPAL_CONFLICT);
    snprintf(patch, sizeof patch, "[{\"op\":\"add\",\"path\":\"/0/0/0/0/0/0/0/0/-\",\"value\":%s}]", deep);
    assert_int_equal(patched(51, deep, patch), 0);
    char deeper[200] = "";
    memset(deeper, '[', 90);
    assert_int_equal(patched(51, "1", deeper), COPAL_BAD_REQUEST);
}

/* Each puts what there is one level deeper: whoever walks that needs as much of a stack. */
static void moves_do_not_nest_deeper_than_a_stack_has_room_for(void **state)
{
    (void)state;
    enum { MOVES = 100000, LONGEST = 64 };
    char *value = malloc(MOVES * LONGEST), *patch = malloc(MOVES * LONGEST);
    assert_true(value && patch);
    char *at = value + sprintf(value, "{\"0\":{}"), *to = patch + sprintf(patch, "[");
    for (int i = 1; i < MOVES; i++) {
        at += sprintf(at, ",\"%d\":{}", i);
        to += sprintf(to, "%s{\"op\":\"move\",\"from\":\"/%d\",\"path\":\"/%d/a\"}", i > 1 ? "," : "", i - 1, i);
    }
    strcpy(at, "}");
    strcpy(to, "]");
    assert_int_equal(patched(51, value, patch), COPAL_CONFLICT);
    free(value);
    free(patch);
}

static void many_moves_at_one_level_are_no_matter(void **state)
{
    (void)state;
    char *patch = malloc(100000), *at = patch + 1;
    assert_non_null(patch);
    strcpy(patch, "[");
    for (int i = 0; i < 1000; i++)
        at += sprintf(at, "%s{\"op\":\"move\",\"from\":\"/%c\",\"path\":\"/%c\"}", i ? "," : "", "ab"[i % 2], "ba"[i % 2]);
    strcpy(at, "]");
    assert_int_equal(patched(51, "{\"a\":{\"x\":1}}", patch), 0);
    assert_string_equal(outcome, "{\"a\":{\"x\":1}}");
    free(patch);
}

static void another_format_is_4_15(void **state)
{
    (void)state;
    assert_int_equal(patched(50, "{}", "{}"), COPAL_UNSUPPORTED_CONTENT_FORMAT);
    assert_int_equal(patched(0, "{}", "{}"), COPAL_UNSUPPORTED_CONTENT_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7396_appendix_a_examples),
        cmocka_unit_test(rfc6902_appendix_a_examples),
        cmocka_unit_test(rfc6902_4_operations_at_the_edges),
        cmocka_unit_test(rfc6902_4_6_numbers_are_equal_if_they_say_the_same),
        cmocka_unit_test(numbers_and_names_stay_as_they_were_written),
        cmocka_unit_test(what_could_not_be_kept_as_it_is_counts_as_no_json),
        cmocka_unit_test(an_outcome_over_the_room_is_4_13),
        cmocka_unit_test(copies_of_copies_are_bounded),
        cmocka_unit_test(an_outcome_nested_too_deep_to_be_read_again_is_4_09),
        cmocka_unit_test(moves_do_not_nest_deeper_than_a_stack_has_room_for),
        cmocka_unit_test(many_moves_at_one_level_are_no_matter),
        cmocka_unit_test(another_format_is_4_15),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
