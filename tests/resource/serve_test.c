#include "resource/watched.h"

/* ---- GET --------------------------------------------------------------------------------------------- */

static void get_answers_the_value_alone_where_nothing_is_configured(void **state)
{
    (void)state;
    add_value(tree, "a/b", "hello");
    assert_get("a/b", "hello");
    assert_int_equal(ask.answer.options.size, 0);
    assert_int_equal(seen.inside, 0);
}

static void get_answers_content_format_max_age_and_etag_as_configured(void **state)
{
    (void)state;
    add("a", "hello", (copal_value_options_t){65535, 4294967295, true, COPAL_METHODS_ALL, false});
    assert_get("a", "hello");
    assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 1);
    assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 65535);
    assert_true(option_of(&ask, COPAL_OPTION_MAX_AGE) == 4294967295);
    add("b", "hello", (copal_value_options_t){0, 0, false, COPAL_METHODS_ALL, false});
    assert_get("b", "hello");
    assert_true(option_of(&ask, COPAL_OPTION_ETAG) == -1);
    assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 0);
    assert_true(option_of(&ask, COPAL_OPTION_MAX_AGE) == 0);
}

static void an_empty_value_has_no_payload(void **state)
{
    (void)state;
    add("a", "", (copal_value_options_t){0, -1, false, COPAL_METHODS_ALL, false});
    assert_get("a", "");
    assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 0);
}

static void a_query_does_not_change_which_value_is_meant(void **state)
{
    (void)state;
    add_value(tree, "a", "hello");
    assert_get("a?b=c", "hello");
}

static copal_code_t get_with_etags(const char *path, const copal_bytes_t *etags, size_t count)
{
    begin(&ask, COPAL_GET, path);
    for (size_t i = 0; i < count; i++)
        copal_write_option(&ask.in, COPAL_OPTION_ETAG, etags[i]);
    return finish(&ask, tree);
}

static void rfc7252_5_10_6_2_a_current_etag_is_answered_with_2_03(void **state)
{
    (void)state;
    add("a", "hello", (copal_value_options_t){50, 30, true, COPAL_METHODS_ALL, false});
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(1)}, 1), COPAL_VALID);
    assert_payload(&ask, "");
    assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 1);
    assert_true(option_of(&ask, COPAL_OPTION_MAX_AGE) == 30);
    assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == -1);
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(2)}, 1), COPAL_CONTENT);
    assert_payload(&ask, "hello");

    add("b", "hello", with_etag());
    assert_int_equal(get_with_etags("b", (copal_bytes_t[]){ETAG(1)}, 1), COPAL_VALID);
    assert_int_equal(ask.answer.options.size, 2);
}

static void an_etag_is_compared_as_octets(void **state)
{
    (void)state;
    copal_handle_t handle = add("a", "", with_etag());
    for (int i = 1; i < 256; i++)
        copal_tree_set_value(tree, handle, copal_text("x"));
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(1, 0)}, 1), COPAL_VALID);
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(0, 1, 0)}, 1), COPAL_CONTENT);
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(1)}, 1), COPAL_CONTENT);
}

static void an_etag_fits_nothing_while_etag_is_off(void **state)
{
    (void)state;
    add_value(tree, "a", "hello");
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(1)}, 1), COPAL_CONTENT);
}

static void rfc7252_5_10_6_2_any_of_several_etags_may_fit(void **state)
{
    (void)state;
    add("a", "hello", with_etag());
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(9), ETAG(1)}, 2), COPAL_VALID);
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(1), ETAG(9)}, 2), COPAL_VALID);
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(8), ETAG(9)}, 2), COPAL_CONTENT);
}

static void with_first_only_the_first_etag_counts(void **state)
{
    (void)state;
    add("a", "hello", with_etag());
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(9), ETAG(1)}, 2), COPAL_CONTENT);
    assert_int_equal(get_with_etags("a", (copal_bytes_t[]){ETAG(1), ETAG(9)}, 2), COPAL_VALID);
}

/* The library writes no such options, so these stand here as octets: an empty ETag, one of nine octets, a sound one, and
 * Uri-Path. */
static copal_code_t get_with_illegal_etags_and(uint8_t etag)
{
    const uint8_t options[] = {0x40, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x01, etag, 0x71, 'a'};
    begin(&ask, COPAL_GET, "");
    copal_write_encoded(&ask.in, bytes(options, sizeof options), COPAL_OPTION_URI_PATH);
    return finish(&ask, tree);
}

static void rfc7252_5_4_3_an_etag_of_illegal_size_is_as_if_it_were_not_there(void **state)
{
    (void)state;
    add("a", "hello", with_etag());
    assert_int_equal(get_with_illegal_etags_and(2), COPAL_CONTENT);
    assert_int_equal(get_with_illegal_etags_and(1), COPAL_VALID);
}

static copal_code_t get_accepting(const char *path, uint32_t accept)
{
    begin(&ask, COPAL_GET, path);
    copal_write_option_uint(&ask.in, COPAL_OPTION_ACCEPT, accept);
    return finish(&ask, tree);
}

static void rfc7252_5_10_4_another_format_than_accepted_is_4_06(void **state)
{
    (void)state;
    add("a", "{}", (copal_value_options_t){50, -1, true, COPAL_METHODS_ALL, false});
    assert_int_equal(get_accepting("a", 50), COPAL_CONTENT);
    assert_int_equal(get_accepting("a", 0), COPAL_NOT_ACCEPTABLE);
    begin(&ask, COPAL_GET, "a");
    copal_write_option(&ask.in, COPAL_OPTION_ETAG, ETAG(1));
    copal_write_option_uint(&ask.in, COPAL_OPTION_ACCEPT, 0);
    assert_int_equal(finish(&ask, tree), COPAL_NOT_ACCEPTABLE);
    assert_get("a", "{}"); /* and the server goes on */
}

static void a_resource_without_format_fits_every_accept(void **state)
{
    (void)state;
    add_value(tree, "a", "hello");
    assert_int_equal(get_accepting("a", 0), COPAL_CONTENT);
    assert_int_equal(get_accepting("a", 65535), COPAL_CONTENT);
}

static void rfc7959_2_4_any_block_of_a_value_can_be_had(void **state)
{
    (void)state;
    add_value(tree, "a", "0123456789abcdefghijkl");
    begin(&ask, COPAL_GET, "a");
    copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK2, 0);
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
    assert_payload(&ask, "0123456789abcdef");
    assert_true(option_of(&ask, COPAL_OPTION_BLOCK2) == 0x08); /* there is more */
    begin(&ask, COPAL_GET, "a");
    copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK2, 0x10);
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
    assert_payload(&ask, "ghijkl");
    assert_true(option_of(&ask, COPAL_OPTION_BLOCK2) == 0x10);
}

/* ---- methods ------------------------------------------------------------------------------------------ */

static void a_method_switched_off_is_4_05_whatever_else_it_asks(void **state)
{
    (void)state;
    for (copal_code_t method = COPAL_GET; method <= COPAL_DELETE; method++) {
        copal_value_options_t options = with_etag();
        options.methods &= ~COPAL_METHOD(method);
        copal_handle_t handle = add("a", "x", options);
        begin(&ask, method, "a");
        copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, ETAG(9));
        assert_int_equal(finish(&ask, tree), COPAL_METHOD_NOT_ALLOWED);
        assert_int_equal(copal_tree_remove(tree, handle), 0);
    }
    add("none", "x", (copal_value_options_t){-1, -1, false, 0, false});
    for (copal_code_t method = COPAL_GET; method <= COPAL_DELETE; method++)
        assert_int_equal(simple(&ask, tree, method, "none"), COPAL_METHOD_NOT_ALLOWED);
}

static void rfc7252_5_8_a_method_that_values_do_not_know_is_4_05(void **state)
{
    (void)state;
    add_value(tree, "a", "x");
    for (copal_code_t method = COPAL_FETCH; method <= 31; method++)
        assert_int_equal(simple(&ask, tree, method, "a"), COPAL_METHOD_NOT_ALLOWED);
}

static void an_unknown_path_is_4_04_but_an_unknown_method_4_05(void **state)
{
    (void)state;
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_FETCH, "a"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_IPATCH, "a"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, 8, "a"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(simple(&ask, tree, 31, "a"), COPAL_METHOD_NOT_ALLOWED);
}

/* ---- handlers ----------------------------------------------------------------------------------------- */

static struct {
    unsigned calls;
    int inside;
    uint32_t depth;
    copal_code_t method;
    copal_handle_t itself;
} handled;

static void handle(void *user, copal_call_t *call)
{
    assert_ptr_equal(user, &handled);
    handled.calls++;
    handled.inside = seen.inside;
    handled.depth = call->depth;
    handled.method = call->request->code;
    copal_tree_remove(tree, handled.itself);
    copal_reply_text(call, COPAL_CONTENT, "handled");
}

static copal_handle_t add_handler(const char *path, uint32_t methods, bool subtree, bool serial)
{
    copal_handle_t handle_;
    memset(&handled, 0, sizeof handled);
    copal_handler_t handler = {methods, NULL, subtree, serial, false, handle, &handled};
    assert_int_equal(copal_tree_add_handler(tree, path, &handler, &handle_), 0);
    return handle_;
}

static void a_handler_is_called_for_each_method_of_its_mask(void **state)
{
    (void)state;
    add_handler("a/b", COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_FETCH) | COPAL_METHOD(COPAL_IPATCH), false, false);
    for (copal_code_t method = COPAL_GET; method <= 31; method++) {
        bool in_mask = method == COPAL_GET || method == COPAL_FETCH || method == COPAL_IPATCH;
        assert_int_equal(simple(&ask, tree, method, "a/b"), in_mask ? COPAL_CONTENT : COPAL_METHOD_NOT_ALLOWED);
        if (in_mask)
            assert_int_equal(handled.method, method);
    }
    assert_int_equal(handled.calls, 3);
    assert_int_equal(handled.depth, 2);
}

static void a_serial_handler_is_called_inside_the_exclusion_and_others_outside(void **state)
{
    (void)state;
    add_handler("loose", COPAL_METHODS_ALL, false, false);
    for (copal_code_t method = COPAL_GET; method <= COPAL_DELETE; method++) {
        assert_int_equal(simple(&ask, tree, method, "loose"), COPAL_CONTENT);
        assert_int_equal(handled.inside, 0);
    }
    add_handler("serial", COPAL_METHODS_ALL, false, true);
    for (copal_code_t method = COPAL_GET; method <= COPAL_DELETE; method++) {
        assert_int_equal(simple(&ask, tree, method, "serial"), COPAL_CONTENT);
        assert_int_equal(handled.inside, 1);
    }
}

static void a_handler_may_remove_its_own_resource(void **state)
{
    (void)state;
    for (int serial = 0; serial < 2; serial++) {
        copal_handle_t itself = add_handler("a", COPAL_METHODS_ALL, false, serial);
        handled.itself = itself;
        assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_CONTENT);
        assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_NOT_FOUND);
    }
}

static void below_a_subtree_put_goes_to_its_handler(void **state)
{
    (void)state;
    add_handler("sub", COPAL_METHODS_ALL, true, false);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "sub/a/b"), COPAL_CONTENT);
    assert_int_equal(handled.depth, 1);
    assert_int_equal(seen.created, 0);
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "sub/a/b"), COPAL_CONTENT);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "elsewhere"), COPAL_CREATED);
    assert_int_equal(handled.calls, 2);
}

static void put_handler_in_place_of_value(void)
{
    copal_handle_t value;
    assert_int_equal(copal_tree_find(tree, "a", &value), 0);
    assert_int_equal(copal_tree_remove(tree, value), 0);
    add_handler("a", COPAL_METHODS_ALL, false, false);
}

/* The look-up sees the value, then another thread is first inside the exclusion. */
static void a_change_that_finds_a_handler_in_the_values_place_is_to_be_tried_again(void **state)
{
    (void)state;
    add_value(tree, "a", "x");
    seen.on_enter = put_handler_in_place_of_value;
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a", "y"), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a", "y"), COPAL_CONTENT);
    assert_int_equal(handled.calls, 1);
}

static void take_value_away(void)
{
    copal_handle_t value;
    assert_int_equal(copal_tree_find(tree, "a", &value), 0);
    assert_int_equal(copal_tree_remove(tree, value), 0);
}

static void a_change_that_finds_the_value_gone_is_judged_by_what_is_there(void **state)
{
    (void)state;
    add_value(tree, "a", "x");
    seen.on_enter = take_value_away;
    begin(&ask, COPAL_PUT, "a");
    copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, bytes(NULL, 0));
    assert_int_equal(finish(&ask, tree), COPAL_PRECONDITION_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get_answers_the_value_alone_where_nothing_is_configured),
        TEST(get_answers_content_format_max_age_and_etag_as_configured),
        TEST(an_empty_value_has_no_payload),
        TEST(a_query_does_not_change_which_value_is_meant),
        TEST(rfc7252_5_10_6_2_a_current_etag_is_answered_with_2_03),
        TEST(an_etag_is_compared_as_octets),
        TEST(an_etag_fits_nothing_while_etag_is_off),
        TEST(rfc7252_5_10_6_2_any_of_several_etags_may_fit),
        TEST_FIRST_ONLY(with_first_only_the_first_etag_counts),
        TEST(rfc7252_5_4_3_an_etag_of_illegal_size_is_as_if_it_were_not_there),
        TEST(rfc7252_5_10_4_another_format_than_accepted_is_4_06),
        TEST(a_resource_without_format_fits_every_accept),
        TEST(rfc7959_2_4_any_block_of_a_value_can_be_had),
        TEST(a_method_switched_off_is_4_05_whatever_else_it_asks),
        TEST(rfc7252_5_8_a_method_that_values_do_not_know_is_4_05),
        TEST(an_unknown_path_is_4_04_but_an_unknown_method_4_05),
        TEST(a_handler_is_called_for_each_method_of_its_mask),
        TEST(a_serial_handler_is_called_inside_the_exclusion_and_others_outside),
        TEST(a_handler_may_remove_its_own_resource),
        TEST_DYNAMIC(below_a_subtree_put_goes_to_its_handler),
        TEST(a_change_that_finds_a_handler_in_the_values_place_is_to_be_tried_again),
        TEST(a_change_that_finds_the_value_gone_is_judged_by_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
