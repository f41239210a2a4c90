#include "resource/call.h"

static copal_tree_t *tree;
static ask_t ask;

static int make(void **state)
{
    (void)state;
    tree = new_tree((copal_tree_config_t){.limits = {.resources = 4, .value_size = 16, .arena = 8192}});
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(tree);
    return 0;
}

static void answer(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply(call, COPAL_CONTENT);
}

static const copal_handler_t handler = {COPAL_METHODS_ALL, NULL, false, false, false, answer, NULL};

static int add(const char *path)
{
    return copal_tree_add_value(tree, path, copal_text("x"), &plain, NULL);
}

static void assert_value(copal_handle_t handle, const char *text)
{
    char out[16];
    size_t size;
    assert_int_equal(copal_tree_get_value(tree, handle, out, sizeof out, &size), 0);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(out, text, size);
}

/* ---- adding ------------------------------------------------------------------------------------- */

static void a_path_is_taken_once(void **state)
{
    (void)state;
    assert_int_equal(add("a/b"), 0);
    assert_int_equal(add("a/b"), COPAL_EEXIST);
    assert_int_equal(add("/a/%62"), COPAL_EEXIST);
    assert_int_equal(copal_tree_add_handler(tree, "a/b", &handler, NULL), COPAL_EEXIST);
    assert_int_equal(add("a/B"), 0);
}

static void a_bad_path_is_refused(void **state)
{
    (void)state;
    char segment[257];
    copal_handle_t handle;
    assert_int_equal(add("a/%4"), COPAL_EINVAL);
    assert_int_equal(add("%zz"), COPAL_EINVAL);
    memset(segment, 'a', 256);
    segment[256] = 0;
    assert_int_equal(add(segment), COPAL_EINVAL);
    assert_int_equal(copal_tree_find(tree, segment, &handle), COPAL_EINVAL);
    segment[255] = 0;
    assert_int_equal(add(segment), 0);
}

/* 1,152 octets: six segments of 190 octets with heads of two. */
static void a_path_may_take_1152_octets_and_no_more(void **state)
{
    (void)state;
    char path[6 * 191 + 2], text[sizeof path];
    memset(path, 'a', sizeof path);
    for (size_t i = 190; i < sizeof path; i += 191)
        path[i] = '/';
    path[6 * 191 - 1] = 0;
    copal_handle_t handle;
    assert_int_equal(add(path), 0);
    assert_int_equal(copal_tree_find(tree, path, &handle), 0);
    assert_int_equal(copal_tree_path(tree, handle, text, sizeof text), strlen(path));
    assert_string_equal(text, path);
    path[6 * 191 - 1] = 'a';
    path[6 * 191] = 0;
    assert_int_equal(add(path), COPAL_EINVAL);
}

static void a_property_out_of_range_is_refused(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    options.content_format = 65536;
    assert_int_equal(copal_tree_add_value(tree, "a", copal_text(""), &options, NULL), COPAL_EINVAL);
    copal_handle_t handle = add_value(tree, "a", "");
    assert_int_equal(copal_tree_set_options(tree, handle, &options), COPAL_EINVAL);
    assert_int_equal(copal_tree_add_handler(tree, "b", &(copal_handler_t){.methods = 2}, NULL), COPAL_EINVAL);
}

static void the_resources_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(add("a"), 0);
    assert_int_equal(add("b"), 0);
    assert_int_equal(copal_tree_add_handler(tree, "c", &handler, NULL), 0);
    copal_handle_t last = add_value(tree, "d", "");
    assert_int_equal(add("e"), COPAL_EFULL);
    assert_int_equal(copal_tree_add_handler(tree, "e", &handler, NULL), COPAL_EFULL);
    assert_int_equal(copal_tree_remove(tree, last), 0);
    assert_int_equal(add("e"), 0);
}

static void a_value_is_bounded(void **state)
{
    (void)state;
    copal_bytes_t value = copal_text("0123456789abcdefX");
    assert_int_equal(copal_tree_add_value(tree, "a", value, &plain, NULL), COPAL_ESPACE);
    value.size = 16;
    copal_handle_t handle;
    assert_int_equal(copal_tree_add_value(tree, "a", value, &plain, &handle), 0);
    value.size = 17;
    assert_int_equal(copal_tree_set_value(tree, handle, value), COPAL_ESPACE);
    assert_value(handle, "0123456789abcdef");
}

/* Every call that needs room is tried with all of the arena taken, and changes nothing. */
static void a_full_arena_refuses_and_changes_nothing(void **state)
{
    (void)state;
    copal_tree_t *full =
        new_tree((copal_tree_config_t){.limits = {.resources = 1000, .value_size = 64, .arena = 2048}});
    copal_handle_t first = add_value(full, "first", "value");
    char path[4] = "000";
    unsigned count = 0;
    while (!copal_tree_add_value(full, path, copal_text(""), &plain, NULL)) {
        path[1] = (char)('0' + ++count / 10);
        path[2] = (char)('0' + count % 10);
    }
    while (!copal_tree_add_attribute(full, first, copal_text("a"), copal_text("")))
        ;
    copal_handle_t found;
    assert_in_range(count, 10, 20);
    assert_int_equal(copal_tree_add_value(full, path, copal_text(""), &plain, NULL), COPAL_EFULL);
    assert_int_equal(copal_tree_find(full, path, &found), COPAL_ENOTFOUND);
    assert_int_equal(copal_tree_add_handler(full, path, &handler, NULL), COPAL_EFULL);
    static const uint8_t large[64];
    copal_value_options_t options = plain;
    options.max_age = 1;
    assert_int_equal(copal_tree_set_value(full, first, bytes(large, 64)), COPAL_EFULL);
    assert_int_equal(copal_tree_add_attribute(full, first, copal_text("name"), bytes(large, 64)), COPAL_EFULL);
    char value[8];
    size_t size;
    assert_int_equal(copal_tree_get_value(full, first, value, sizeof value, &size), 0);
    assert_memory_equal(value, "value", 5);
    assert_int_equal(copal_tree_get_options(full, first, &options, NULL), 0);
    assert_int_equal(options.max_age, -1);

    path[1] = path[2] = '0'; /* what is removed makes room */
    assert_int_equal(copal_tree_find(full, path, &found), 0);
    assert_int_equal(copal_tree_remove(full, found), 0);
    assert_int_equal(copal_tree_add_value(full, path, copal_text(""), &plain, NULL), 0);
    free(full);
}

/* Far more comes and goes, or is refused, than the arena could ever hold. */
static void what_is_removed_or_refused_leaves_nothing_behind(void **state)
{
    (void)state;
    copal_tree_t *tight = new_tree((copal_tree_config_t){.limits = {.resources = 2, .value_size = 512, .arena = 640}});
    static const uint8_t large[512];
    copal_handle_t handle;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(copal_tree_add_value(tight, "a", copal_text("value"), &plain, &handle), 0);
        assert_int_equal(copal_tree_add_attribute(tight, handle, copal_text("title"), copal_text("a b")), 0);
        assert_int_equal(copal_tree_add_attribute(tight, handle, copal_text("a b"), copal_text("")), COPAL_EINVAL);
        assert_int_equal(copal_tree_add_value(tight, "b", bytes(large, 512), &plain, NULL), COPAL_EFULL);
        assert_int_equal(copal_tree_remove(tight, handle), 0);
        assert_int_equal(copal_tree_add_handler(tight, "a", &handler, &handle), 0);
        assert_int_equal(copal_tree_remove(tight, handle), 0);
    }
    free(tight);
}

static void what_is_handed_in_is_copied(void **state)
{
    (void)state;
    char path[] = "path", value[] = "value", name[] = "rt", text[] = "text";
    copal_handler_t mine = handler;
    copal_handle_t handle;
    assert_int_equal(copal_tree_add_value(tree, path, copal_text(value), &plain, &handle), 0);
    assert_int_equal(copal_tree_add_attribute(tree, handle, copal_text(name), copal_text(text)), 0);
    assert_int_equal(copal_tree_add_handler(tree, "h", &mine, NULL), 0);
    path[0] = value[0] = name[0] = text[0] = 'X';
    mine.methods = 0;
    assert_value(handle, "value");
    assert_int_equal(simple(&ask, tree, COPAL_GET, "h"), COPAL_CONTENT);
    simple(&ask, tree, COPAL_GET, ".well-known/core");
    assert_payload(&ask, "</path>;rt=text,</h>");
}

/* ---- handles and paths --------------------------------------------------------------------------- */

static void find_looks_a_path_up(void **state)
{
    (void)state;
    copal_handle_t added = add_value(tree, "a/b", "x"), found = {9, 9};
    assert_int_equal(copal_tree_find(tree, "/a/%62", &found), 0);
    assert_memory_equal(&found, &added, sizeof found);
    assert_int_equal(copal_tree_find(tree, "a", &found), COPAL_ENOTFOUND);
    assert_int_equal(copal_tree_find(tree, ".well-known/core", &found), COPAL_ENOTFOUND);
    assert_int_equal(copal_tree_find(tree, "%", &found), COPAL_EINVAL);
}

static void assert_stale(copal_handle_t handle)
{
    char out[8];
    size_t size;
    copal_value_options_t options = plain;
    assert_int_equal(copal_tree_path(tree, handle, out, sizeof out), COPAL_ESTALE);
    assert_int_equal(copal_tree_set_value(tree, handle, copal_text("")), COPAL_ESTALE);
    assert_int_equal(copal_tree_get_value(tree, handle, out, sizeof out, &size), COPAL_ESTALE);
    assert_int_equal(copal_tree_set_options(tree, handle, &options), COPAL_ESTALE);
    assert_int_equal(copal_tree_get_options(tree, handle, &options, NULL), COPAL_ESTALE);
    assert_int_equal(copal_tree_add_attribute(tree, handle, copal_text("a"), copal_text("")), COPAL_ESTALE);
    assert_int_equal(copal_tree_remove(tree, handle), COPAL_ESTALE);
}

static void a_handle_is_stale_once_its_resource_is_gone(void **state)
{
    (void)state;
    assert_stale((copal_handle_t){0, 0});
    copal_handle_t first = add_value(tree, "a", "");
    assert_stale((copal_handle_t){0, 0});
    assert_stale((copal_handle_t){first.slot + 1, first.generation});
    assert_stale((copal_handle_t){UINT32_MAX, first.generation});
    assert_int_equal(copal_tree_remove(tree, first), 0);
    assert_stale(first);
    copal_handle_t second = add_value(tree, "a", "");
    assert_stale(first);
    assert_int_equal(copal_tree_set_value(tree, second, copal_text("y")), 0);
}

static void a_handlers_resource_has_no_value(void **state)
{
    (void)state;
    copal_handle_t handle;
    char out[8];
    size_t size;
    copal_value_options_t options = plain;
    assert_int_equal(copal_tree_add_handler(tree, "h", &handler, &handle), 0);
    assert_int_equal(copal_tree_set_value(tree, handle, copal_text("")), COPAL_ESTALE);
    assert_int_equal(copal_tree_get_value(tree, handle, out, sizeof out, &size), COPAL_ESTALE);
    assert_int_equal(copal_tree_set_options(tree, handle, &options), COPAL_ESTALE);
    assert_int_equal(copal_tree_get_options(tree, handle, &options, NULL), COPAL_ESTALE);
    assert_int_equal(copal_tree_path(tree, handle, out, sizeof out), 1);
    assert_int_equal(copal_tree_remove(tree, handle), 0);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "h"), COPAL_NOT_FOUND);
}

static void a_path_is_told_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *given, *told;
    } cases[] = {{"a/b", "a/b"}, {"/x", "x"}, {"", ""}, {"a%2Fb/%20%C3%A9", "a%2Fb/%20%C3%A9"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[32];
        copal_handle_t handle = add_value(tree, cases[i].given, "");
        int size = (int)strlen(cases[i].told);
        assert_int_equal(copal_tree_path(tree, handle, out, sizeof out), size);
        assert_string_equal(out, cases[i].told);
        assert_int_equal(copal_tree_path(tree, handle, out, (size_t)size + 1), size);
        assert_int_equal(copal_tree_path(tree, handle, out, (size_t)size), COPAL_ESPACE);
    }
}

/* ---- values and properties ------------------------------------------------------------------------ */

static void a_value_that_does_not_fit_tells_its_size(void **state)
{
    (void)state;
    char out[4] = "....";
    size_t size = 0;
    copal_handle_t handle = add_value(tree, "a", "four!");
    assert_int_equal(copal_tree_get_value(tree, handle, out, 4, &size), COPAL_ESPACE);
    assert_int_equal(size, 5);
    assert_memory_equal(out, "....", 4);
    copal_tree_set_value(tree, handle, copal_text(""));
    assert_int_equal(copal_tree_get_value(tree, handle, NULL, 0, &size), 0);
    assert_int_equal(size, 0);
}

static uint16_t etag_of(copal_handle_t handle)
{
    copal_value_options_t options;
    uint16_t etag = 77;
    assert_int_equal(copal_tree_get_options(tree, handle, &options, &etag), 0);
    return etag;
}

static void the_etag_counts_changes_from_1_to_65535_and_then_1(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    options.etag = true;
    copal_handle_t handle;
    assert_int_equal(copal_tree_add_value(tree, "a", copal_text(""), &options, &handle), 0);
    assert_int_equal(etag_of(handle), 1);
    for (unsigned i = 2; i <= 65535; i++)
        copal_tree_set_value(tree, handle, copal_text(""));
    assert_int_equal(etag_of(handle), 65535);
    copal_tree_set_value(tree, handle, copal_text(""));
    assert_int_equal(etag_of(handle), 1);
}

static void the_etag_goes_on_while_it_is_off(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    copal_handle_t handle = add_value(tree, "a", "");
    assert_int_equal(etag_of(handle), 0);
    copal_tree_set_value(tree, handle, copal_text("b"));
    assert_int_equal(etag_of(handle), 0);
    options.etag = true;
    assert_int_equal(copal_tree_set_options(tree, handle, &options), 0);
    assert_int_equal(etag_of(handle), 2);
    assert_int_equal(copal_tree_set_value(tree, handle, copal_text("0123456789abcdefX")), COPAL_ESPACE);
    assert_int_equal(etag_of(handle), 2); /* nothing changed */
}

static void rfc7252_5_10_6_another_content_format_is_another_representation(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    options.etag = true;
    copal_handle_t handle = add_value(tree, "a", "");
    copal_tree_set_options(tree, handle, &options);
    assert_int_equal(etag_of(handle), 1);
    options.max_age = 5;
    copal_tree_set_options(tree, handle, &options);
    assert_int_equal(etag_of(handle), 1);
    options.content_format = 50;
    copal_tree_set_options(tree, handle, &options);
    assert_int_equal(etag_of(handle), 2);
}

static void properties_are_replaced_and_the_value_stays(void **state)
{
    (void)state;
    copal_value_options_t wanted = {50, 4294967295, true, COPAL_METHOD(COPAL_GET), false}, got;
    copal_handle_t handle = add_value(tree, "a", "value");
    assert_int_equal(copal_tree_set_options(tree, handle, &wanted), 0);
    assert_int_equal(copal_tree_get_options(tree, handle, &got, NULL), 0);
    assert_int_equal(got.content_format, 50);
    assert_true(got.max_age == 4294967295);
    assert_true(got.etag);
    assert_int_equal(got.methods, COPAL_METHOD(COPAL_GET));
    assert_value(handle, "value");
}

static void a_bad_attribute_name_is_refused(void **state)
{
    (void)state;
    copal_handle_t handle = add_value(tree, "a", "");
    assert_int_equal(copal_tree_add_attribute(tree, handle, copal_text("a b"), copal_text("c")), COPAL_EINVAL);
    assert_int_equal(copal_tree_add_attribute(tree, handle, copal_text(""), copal_text("c")), COPAL_EINVAL);
    simple(&ask, tree, COPAL_GET, ".well-known/core");
    assert_payload(&ask, "</a>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_taken_once),
        TEST(a_bad_path_is_refused),
        TEST(a_path_may_take_1152_octets_and_no_more),
        TEST(a_property_out_of_range_is_refused),
        TEST(the_resources_are_bounded),
        TEST(a_value_is_bounded),
        TEST(a_full_arena_refuses_and_changes_nothing),
        TEST(what_is_removed_or_refused_leaves_nothing_behind),
        TEST(what_is_handed_in_is_copied),
        TEST(find_looks_a_path_up),
        TEST(a_handle_is_stale_once_its_resource_is_gone),
        TEST(a_handlers_resource_has_no_value),
        TEST(a_path_is_told_as_text),
        TEST(a_value_that_does_not_fit_tells_its_size),
        TEST(the_etag_counts_changes_from_1_to_65535_and_then_1),
        TEST(the_etag_goes_on_while_it_is_off),
        TEST(rfc7252_5_10_6_another_content_format_is_another_representation),
        TEST(properties_are_replaced_and_the_value_stays),
        TEST(a_bad_attribute_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
