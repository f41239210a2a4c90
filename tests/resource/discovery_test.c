#include <stdio.h>

#include "resource/call.h"

#define CORE ".well-known/core"

static copal_tree_t *tree;
static ask_t ask;

static int make(void **state)
{
    (void)state;
    tree = new_tree((copal_tree_config_t){.dynamic = true});
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(tree);
    return 0;
}

static void attribute(copal_handle_t handle, const char *name, const char *value)
{
    assert_int_equal(copal_tree_add_attribute(tree, handle, copal_text(name), copal_text(value)), 0);
}

static copal_handle_t add_format(const char *path, int32_t content_format)
{
    copal_value_options_t options = plain;
    copal_handle_t handle;
    options.content_format = content_format;
    assert_int_equal(copal_tree_add_value(tree, path, copal_text("x"), &options, &handle), 0);
    return handle;
}

static void assert_links(const char *path_and_query, const char *links)
{
    assert_int_equal(simple(&ask, tree, COPAL_GET, path_and_query), COPAL_CONTENT);
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 40);
    assert_payload(&ask, links);
}

static void nothing(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply(call, COPAL_CONTENT);
}

static void links_are_in_order_of_creation(void **state)
{
    (void)state;
    assert_links(CORE, "");
    add_value(tree, "c", "");
    copal_handle_t b = add_value(tree, "b", "");
    add_value(tree, "a/x", "");
    assert_links(CORE, "</c>,</b>,</a/x>");
    copal_tree_remove(tree, b);
    assert_links(CORE, "</c>,</a/x>");
    add_value(tree, "b", "");
    assert_links(CORE, "</c>,</a/x>,</b>");
    simple(&ask, tree, COPAL_DELETE, "c");
    simple(&ask, tree, COPAL_DELETE, "b");
    assert_links(CORE, "</a/x>");
    simple(&ask, tree, COPAL_PUT, "new");
    assert_links(CORE, "</a/x>,</new>");
}

static void ct_tells_the_content_format_as_it_is_now(void **state)
{
    (void)state;
    add_format("a", 0);
    copal_handle_t b = add_format("b", 65535);
    assert_links(CORE, "</a>;ct=0,</b>;ct=65535");
    begin(&ask, COPAL_PUT, "a");
    copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, 50);
    finish(&ask, tree);
    copal_tree_set_options(tree, b, &plain);
    assert_links(CORE, "</a>;ct=50,</b>");
}

static void attributes_follow_ct_in_the_order_added(void **state)
{
    (void)state;
    copal_handle_t a = add_format("a", 40);
    attribute(a, "title", "a b");
    attribute(a, "rt", "resource1");
    attribute(a, "sz", "\"7\"");
    attribute(a, "flag", "");
    assert_links(CORE, "</a>;ct=40;title=\"a b\";rt=resource1;sz=\"7\";flag");
}

static void a_ct_of_ones_own_takes_the_place_of_the_automatic_one(void **state)
{
    (void)state;
    copal_handle_t a = add_format("a", 40);
    attribute(a, "rt", "x");
    attribute(a, "ct", "0 41");
    attribute(a, "if", "y");
    attribute(add_format("b", 50), "act", "1");
    assert_links(CORE, "</a>;rt=x;ct=\"0 41\";if=y,</b>;ct=50;act=1");
}

static void obs_stands_last_where_get_is_on_and_may_be_observed(void **state)
{
    (void)state;
    free(tree);
    tree = new_tree((copal_tree_config_t){.observable = true});
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = nothing};
    copal_value_options_t silent = {.content_format = -1, .max_age = -1, .methods = COPAL_METHOD(COPAL_PUT)};
    copal_handle_t a = add_format("a", 0);
    attribute(a, "rt", "x");
    assert_int_equal(copal_tree_add_value(tree, "b", copal_text(""), &silent, NULL), 0);
    attribute(add_value(tree, "c", ""), "obs", "");
    assert_int_equal(copal_tree_add_handler(tree, "d", &handler, NULL), 0);
    handler.observable = true;
    assert_int_equal(copal_tree_add_handler(tree, "e", &handler, NULL), 0);
    handler.methods = COPAL_METHOD(COPAL_POST);
    assert_int_equal(copal_tree_add_handler(tree, "f", &handler, NULL), 0);
    assert_links(CORE, "</a>;ct=0;rt=x;obs,</b>,</c>;obs,</d>,</e>;obs,</f>");
    assert_links(CORE "?obs", "</a>;ct=0;rt=x;obs,</c>;obs,</e>;obs");
    assert_int_equal(copal_tree_set_options(tree, a, &silent), 0);
    assert_links(CORE "?rt=x", "</a>;rt=x");
}

static void handlers_are_listed_by_their_own_path(void **state)
{
    (void)state;
    copal_handler_t subtree = {COPAL_METHODS_ALL, NULL, true, false, false, nothing, NULL};
    copal_handle_t handle;
    assert_int_equal(copal_tree_add_handler(tree, "sub", &subtree, &handle), 0);
    attribute(handle, "rt", "tree");
    assert_links(CORE, "</sub>;rt=tree");
}

static void paths_are_percent_encoded(void **state)
{
    (void)state;
    add_value(tree, "", "");
    add_value(tree, "a b/%3E%2F,;", "");
    add_value(tree, "caf\xc3\xa9/", "");
    assert_links(CORE, "</>,</a%20b/%3E%2F,;>,</caf%C3%A9/>");
}

static void a_path_that_begins_with_an_empty_segment_keeps_it(void **state)
{
    (void)state;
    add_value(tree, "//b", "");
    assert_links(CORE, "<//b>");
}

/* ---- filters (RFC 6690 section 4.1) --------------------------------------------------------------- */

static int make_lights(void **state)
{
    make(state);
    attribute(add_format("sensors/temp", 0), "rt", "temperature-c");
    copal_handle_t light = add_format("sensors/light", 50);
    attribute(light, "rt", "light-lux core.sen-light");
    attribute(light, "title", "it's light");
    add_value(tree, "plain", "");
    return 0;
}

#define TEMP  "</sensors/temp>;ct=0;rt=temperature-c"
#define LIGHT "</sensors/light>;ct=50;rt=\"light-lux core.sen-light\";title=\"it's light\""

static void rfc6690_4_1_links_are_filtered(void **state)
{
    (void)state;
    static const struct {
        const char *query, *links;
    } cases[] = {
        {"rt=temperature-c", TEMP},
        {"rt=light-lux", LIGHT},
        {"rt=core.sen-light", LIGHT},
        {"rt=light", ""},
        {"rt=light*", LIGHT},
        {"rt=*", TEMP "," LIGHT},
        {"title=it's%20light", LIGHT},
        {"href=/plain", "</plain>"},
        {"href=/sensors*", TEMP "," LIGHT},
        {"href=/sensors", ""},
        {"ct=0", TEMP},
        {"ct=50", LIGHT},
        {"ct=5", ""},
        {"none=*", ""},
        {"rt=*&ct=50", LIGHT},
        {"ct=50&rt=temperature-c", ""},
        {"href=/sensors*&rt=*&ct=0", TEMP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[80];
        snprintf(path, sizeof path, CORE "?%s", cases[i].query);
        assert_links(path, cases[i].links);
    }
}

static void eight_filters_are_allowed_and_nine_are_not(void **state)
{
    (void)state;
    assert_links(CORE "?rt=*&rt=*&rt=*&rt=*&rt=*&rt=*&rt=*&ct=0", TEMP);
    assert_int_equal(simple(&ask, tree, COPAL_GET, CORE "?rt=*&rt=*&rt=*&rt=*&rt=*&rt=*&rt=*&rt=*&rt=*"),
                     COPAL_BAD_REQUEST);
}

static copal_code_t get_by_multicast(const char *path)
{
    begin(&ask, COPAL_GET, path);
    ask.datagram[0] |= COPAL_NON << 4;
    ask.from.multicast = true;
    return finish(&ask, tree);
}

static void rfc6690_4_1_a_filter_that_fits_nothing_is_not_answered_by_multicast(void **state)
{
    (void)state;
    assert_int_equal(get_by_multicast(CORE "?rt=none"), 0);
    assert_int_equal(get_by_multicast(CORE "?ct=0"), COPAL_CONTENT);
    assert_payload(&ask, TEMP);
    assert_int_equal(get_by_multicast(CORE), COPAL_CONTENT);
}

static void rfc7959_2_4_any_block_of_the_list_can_be_had(void **state)
{
    (void)state;
    static const char all[] = TEMP "," LIGHT ",</plain>";
    char joined[sizeof all + 16] = "";
    for (uint32_t number = 0; number * 16 < strlen(all); number++) {
        begin(&ask, COPAL_GET, CORE);
        copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK2, number << 4);
        assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
        strncat(joined, (const char *)ask.answer.payload.data, ask.answer.payload.size);
    }
    assert_string_equal(joined, all);
}

/* The ETag of the list, which is not what it was. */
static int64_t assert_other_tag(int64_t before)
{
    assert_int_equal(simple(&ask, tree, COPAL_GET, CORE), COPAL_CONTENT);
    const int64_t tag = option_of(&ask, COPAL_OPTION_ETAG);
    assert_true(tag != before && tag != -1);
    return tag;
}

static void rfc7959_2_4_another_list_has_another_etag(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    int64_t tag = assert_other_tag(-1);
    const copal_handle_t a = add_value(tree, "a", "");
    tag = assert_other_tag(tag);
    attribute(a, "rt", "x");
    tag = assert_other_tag(tag);
    options.content_format = 0;
    copal_tree_set_options(tree, a, &options);
    tag = assert_other_tag(tag);
    options.methods = COPAL_METHOD(COPAL_PUT); /* without GET there is nothing to observe */
    copal_tree_set_options(tree, a, &options);
    tag = assert_other_tag(tag);
    simple(&ask, tree, COPAL_PUT, "b");
    tag = assert_other_tag(tag);
    simple(&ask, tree, COPAL_DELETE, "b");
    tag = assert_other_tag(tag);
    copal_tree_remove(tree, a);
    assert_other_tag(tag);
}

static void the_same_list_has_the_same_etag_in_each_block(void **state)
{
    (void)state;
    add_value(tree, "long/enough/for/two", "");
    const int64_t tag = assert_other_tag(-1);
    with_payload(&ask, tree, COPAL_PUT, "long/enough/for/two", "another value");
    begin(&ask, COPAL_GET, CORE);
    copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK2, 1 << 4);
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
    assert_payload(&ask, "r/two>");
    assert_int_equal(option_of(&ask, COPAL_OPTION_ETAG), tag);
}

/* Asks for the list by who has the one with this ETag. */
static copal_code_t get_again(int64_t tag)
{
    const uint8_t octets[] = {(uint8_t)(tag >> 24), (uint8_t)(tag >> 16), (uint8_t)(tag >> 8), (uint8_t)tag};
    begin(&ask, COPAL_GET, CORE);
    copal_write_option(&ask.in, COPAL_OPTION_ETAG, bytes(octets, sizeof octets));
    return finish(&ask, tree);
}

static void rfc7252_5_10_6_2_who_has_the_list_is_told_that_it_is_valid(void **state)
{
    (void)state;
    const int64_t tag = assert_other_tag(-1);
    assert_int_equal(get_again(tag), COPAL_VALID);
    assert_payload(&ask, "");
    assert_int_equal(option_of(&ask, COPAL_OPTION_ETAG), tag);
    add_value(tree, "new", "");
    assert_int_equal(get_again(tag), COPAL_CONTENT);
    assert_payload(&ask, "</new>");
}

/* As another thread may: between the ETag and the links. */
static unsigned changes;

static size_t change_meanwhile(void *user, const copal_call_t *call, char *out)
{
    copal_handle_t first;
    (void)user, (void)call, (void)out;
    if (changes > 0) {
        char path[] = {(char)('a' + --changes), 0};
        assert_int_equal(copal_tree_find(tree, path, &first), 0);
        assert_int_equal(copal_tree_remove(tree, first), 0);
    }
    return 0;
}

static copal_code_t get_block(uint32_t number)
{
    begin(&ask, COPAL_GET, CORE);
    copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK2, number << 4);
    return finish(&ask, tree);
}

static void rfc7959_2_4_blocks_of_two_lists_never_have_one_etag(void **state)
{
    (void)state;
    free(tree);
    tree = new_tree((copal_tree_config_t){.origin = change_meanwhile});
    for (char path[] = "a"; *path <= 'h'; ++*path)
        add_value(tree, path, "");
    assert_int_equal(get_block(0), COPAL_CONTENT);
    assert_payload(&ask, "</a>,</b>,</c>,<");
    const int64_t tag = option_of(&ask, COPAL_OPTION_ETAG);
    assert_int_equal(get_block(1), COPAL_CONTENT);
    assert_payload(&ask, "/d>,</e>,</f>,</");
    assert_int_equal(option_of(&ask, COPAL_OPTION_ETAG), tag);
    changes = 1;
    assert_int_equal(get_block(1), COPAL_CONTENT);
    assert_payload(&ask, "/e>,</f>,</g>,</");
    assert_true(option_of(&ask, COPAL_OPTION_ETAG) != tag);
}

/* ---- the resource itself --------------------------------------------------------------------------- */

static void only_get_is_allowed(void **state)
{
    (void)state;
    static const copal_code_t methods[] = {COPAL_PUT, COPAL_POST, COPAL_DELETE, COPAL_FETCH, COPAL_PATCH, COPAL_IPATCH};
    for (size_t i = 0; i < sizeof methods; i++)
        assert_int_equal(simple(&ask, tree, methods[i], CORE), COPAL_METHOD_NOT_ALLOWED);
}

static void link_format_is_all_that_can_be_had(void **state)
{
    (void)state;
    begin(&ask, COPAL_GET, CORE);
    copal_write_option_uint(&ask.in, COPAL_OPTION_ACCEPT, 50);
    assert_int_equal(finish(&ask, tree), COPAL_NOT_ACCEPTABLE);
    begin(&ask, COPAL_GET, CORE);
    copal_write_option_uint(&ask.in, COPAL_OPTION_ACCEPT, 40);
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
}

static void a_resource_of_that_path_wins(void **state)
{
    (void)state;
    copal_handle_t mine = add_value(tree, CORE, "mine");
    assert_int_equal(simple(&ask, tree, COPAL_GET, CORE), COPAL_CONTENT);
    assert_payload(&ask, "mine");
    copal_tree_remove(tree, mine);
    assert_links(CORE, "");
}

static void paths_near_to_it_are_others(void **state)
{
    (void)state;
    assert_int_equal(simple(&ask, tree, COPAL_GET, ".well-known"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_GET, ".well-known/core/"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_GET, ".well-known/cord"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_GET, ".well-known%2Fcore"), COPAL_NOT_FOUND);
}

#define TEST(name)        cmocka_unit_test_setup_teardown(name, make, drop)
#define TEST_LIGHTS(name) cmocka_unit_test_setup_teardown(name, make_lights, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(links_are_in_order_of_creation),
        TEST(ct_tells_the_content_format_as_it_is_now),
        TEST(attributes_follow_ct_in_the_order_added),
        TEST(a_ct_of_ones_own_takes_the_place_of_the_automatic_one),
        TEST(obs_stands_last_where_get_is_on_and_may_be_observed),
        TEST(handlers_are_listed_by_their_own_path),
        TEST(paths_are_percent_encoded),
        TEST(a_path_that_begins_with_an_empty_segment_keeps_it),
        TEST_LIGHTS(rfc6690_4_1_links_are_filtered),
        TEST_LIGHTS(eight_filters_are_allowed_and_nine_are_not),
        TEST_LIGHTS(rfc6690_4_1_a_filter_that_fits_nothing_is_not_answered_by_multicast),
        TEST_LIGHTS(rfc7959_2_4_any_block_of_the_list_can_be_had),
        TEST(rfc7959_2_4_another_list_has_another_etag),
        TEST(the_same_list_has_the_same_etag_in_each_block),
        TEST(rfc7252_5_10_6_2_who_has_the_list_is_told_that_it_is_valid),
        TEST(rfc7959_2_4_blocks_of_two_lists_never_have_one_etag),
        TEST(only_get_is_allowed),
        TEST(link_format_is_all_that_can_be_had),
        TEST(a_resource_of_that_path_wins),
        TEST(paths_near_to_it_are_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
