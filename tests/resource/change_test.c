/* PATCH and iPATCH on value resources (RFC 8132), and POST that creates. */
#include "resource/watched.h"

#define PATCHES (COPAL_METHOD(COPAL_PATCH) | COPAL_METHOD(COPAL_IPATCH))

static const copal_code_t patch_and_ipatch[] = {COPAL_PATCH, COPAL_IPATCH};

/* Format 52 puts the patch behind the value; to any other it says what the last digit of the number says. */
static copal_code_t append(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out,
                           size_t *size)
{
    assert_ptr_equal(user, &seen);
    assert_int_equal(seen.inside, 1);
    assert_int_equal(*size, 64);
    if (format != 52)
        return format == 51 ? COPAL_CONFLICT : COPAL_UNSUPPORTED_CONTENT_FORMAT;
    if (value.size + patch.size > *size)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    memcpy(out, value.data, value.size);
    if (patch.size)
        memcpy(out + value.size, patch.data, patch.size);
    *size = value.size + patch.size;
    return 0;
}

static int make_patching(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){.dynamic = true, .patch = append});
}

static int make_creating(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){.post_creates = true});
}

static copal_handle_t add_json(const char *path, const char *value)
{
    return add(path, value, (copal_value_options_t){50, -1, true, COPAL_METHODS_ALL | PATCHES, false});
}

static copal_code_t patched(copal_code_t method, const char *path, int format, const char *payload)
{
    begin(&ask, method, path);
    if (format >= 0)
        copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)format);
    copal_write_text(&ask.in, payload);
    return finish(&ask, tree);
}

/* ---- PATCH and iPATCH --------------------------------------------------------------------------------------- */

static void rfc8132_3_1_a_patch_changes_the_value_and_its_etag(void **state)
{
    (void)state;
    add_json("a", "12");
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(patched(patch_and_ipatch[i], "a", 52, "3"), COPAL_CHANGED);
        assert_payload(&ask, "");
        assert_get("a", i ? "1233" : "123");
        assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 50); /* the patch's is not the value's */
        assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 2 + i);
    }
}

static void rfc8132_3_4_what_the_patch_is_answered_stands_and_nothing_changes(void **state)
{
    (void)state;
    add_json("a", "12");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(patched(patch_and_ipatch[i], "a", 51, "3"), COPAL_CONFLICT);
        assert_int_equal(patched(patch_and_ipatch[i], "a", 60, "3"), COPAL_UNSUPPORTED_CONTENT_FORMAT);
        assert_int_equal(patched(patch_and_ipatch[i], "a", -1, "3"), COPAL_UNSUPPORTED_CONTENT_FORMAT);
        assert_int_equal(patched(patch_and_ipatch[i], "a", 52, "345678901234567890123456789012345678901234567890123456789012345"),
                         COPAL_REQUEST_ENTITY_TOO_LARGE);
        assert_true(option_of(&ask, COPAL_OPTION_SIZE1) == 64);
        assert_get("a", "12");
        assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 1);
    }
}

static void where_nothing_is_a_patch_is_4_04(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(patched(patch_and_ipatch[i], "new", 52, "3"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_FETCH, "new"), COPAL_NOT_FOUND);
}

static void a_value_is_patched_only_where_its_methods_say_so_and_never_fetched(void **state)
{
    (void)state;
    add("a", "12", (copal_value_options_t){50, -1, false, COPAL_METHODS_ALL | COPAL_METHOD(COPAL_IPATCH), false});
    assert_int_equal(patched(COPAL_PATCH, "a", 52, "3"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(patched(COPAL_FETCH, "a", 52, "3"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(patched(COPAL_IPATCH, "a", 52, "3"), COPAL_CHANGED);
}

static void a_patch_heeds_preconditions(void **state)
{
    (void)state;
    add_json("a", "12");
    for (uint8_t i = 0; i < 2; i++) {
        begin(&ask, patch_and_ipatch[i], "a");
        copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, ETAG(7));
        copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, 52);
        assert_int_equal(finish(&ask, tree), COPAL_PRECONDITION_FAILED);
        begin(&ask, patch_and_ipatch[i], "a");
        copal_write_option(&ask.in, COPAL_OPTION_IF_NONE_MATCH, bytes(NULL, 0));
        copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, 52);
        assert_int_equal(finish(&ask, tree), COPAL_PRECONDITION_FAILED);
        begin(&ask, patch_and_ipatch[i], "a");
        copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, ETAG(1 + i));
        copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, 52);
        assert_int_equal(finish(&ask, tree), COPAL_CHANGED);
    }
}

static void a_put_of_another_format_ends_patching_and_the_properties_stay_in_range(void **state)
{
    (void)state;
    copal_handle_t handle = add_json("a", "12");
    copal_value_options_t options;
    assert_int_equal(patched(COPAL_PUT, "a", 50, "34"), COPAL_CHANGED);
    assert_int_equal(patched(COPAL_PATCH, "a", 52, "5"), COPAL_CHANGED);
    assert_int_equal(patched(COPAL_PUT, "a", 0, "text"), COPAL_CHANGED);
    assert_int_equal(patched(COPAL_PATCH, "a", 52, "5"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(copal_tree_get_options(tree, handle, &options, NULL), 0);
    assert_int_equal(options.methods, COPAL_METHODS_ALL);
    assert_int_equal(copal_tree_set_options(tree, handle, &options), 0);
    options.methods |= PATCHES;
    assert_int_equal(copal_tree_set_options(tree, handle, &options), COPAL_EINVAL);
    options.content_format = 50;
    assert_int_equal(copal_tree_set_options(tree, handle, &options), 0);
}

static void without_patches_in_the_tree_no_value_may_be_patched(void **state)
{
    (void)state;
    const copal_value_options_t options = {50, -1, false, COPAL_METHOD(COPAL_PATCH), false};
    assert_int_equal(copal_tree_add_value(tree, "a", copal_text("1"), &options, NULL), COPAL_EINVAL);
}

/* ---- POST that creates --------------------------------------------------------------------------------------- */

/* The Location-Path of the answer as a path text. */
static void location(char *out, size_t capacity)
{
    copal_option_reader_t reader = copal_message_options(&ask.answer);
    copal_option_t option;
    size_t size = 0;
    while (copal_option_next(&reader, &option)) {
        assert_int_equal(option.number, COPAL_OPTION_LOCATION_PATH);
        assert_true(size + 1 + option.value.size < capacity);
        out[size++] = '/';
        memcpy(out + size, option.value.data, option.value.size);
        size += option.value.size;
    }
    out[size] = 0;
}

static void rfc7252_5_8_2_post_creates_below_the_path_and_says_where(void **state)
{
    (void)state;
    static const char *const paths[] = {"a/b", ""};
    char first[64] = "";
    for (int i = 0; i < 2; i++) {
        char at[64];
        begin(&ask, COPAL_POST, paths[i]);
        copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, 0);
        copal_write_text(&ask.in, "new");
        assert_int_equal(finish(&ask, tree), COPAL_CREATED);
        assert_payload(&ask, "");
        location(at, sizeof at);
        assert_int_equal(strlen(at), i ? 9 : 13);
        if (!i)
            assert_memory_equal(at, "/a/b/", 5);
        assert_string_not_equal(at + strlen(at) - 8, first + strlen(first) - (i ? 8 : 0));
        strcpy(first, at);
        assert_int_equal(seen.created, i + 1);
        char path[64];
        assert_int_equal(copal_tree_path(tree, seen.handle, path, sizeof path), strlen(at) - 1);
        assert_string_equal(path, at + 1);
        assert_get(at, "new");
        assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 0);
    }
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a/b"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "a/b"), COPAL_NOT_FOUND); /* `dynamic` is another matter */
}

static void post_creates_within_the_bounds_of_what_peers_create(void **state)
{
    (void)state;
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a", "x"), COPAL_CREATED);
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a",
                                  "a value that is longer than this tree takes, which are sixty-four octets"),
                     COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a", "x"), COPAL_CREATED);
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a", "x"), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(option_of(&ask, COPAL_OPTION_LOCATION_PATH), -1);
    assert_int_equal(seen.created, 2);
}

static void post_on_a_resource_replaces_and_preconditions_come_first(void **state)
{
    (void)state;
    add_value(tree, "a", "old");
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a", "new"), COPAL_CHANGED);
    assert_get("a", "new");
    begin(&ask, COPAL_POST, "b");
    copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, bytes(NULL, 0));
    assert_int_equal(finish(&ask, tree), COPAL_PRECONDITION_FAILED);
    assert_int_equal(simple(&ask, tree, COPAL_POST, ".well-known/core"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(seen.created, 0);
}

static void a_path_that_leaves_no_room_for_a_name_is_5_03_and_creates_nothing(void **state)
{
    (void)state;
    char path[1200];
    memset(path, 'a', sizeof path);
    for (size_t i = 200; i < sizeof path; i += 201)
        path[i] = '/';
    for (size_t size = 1130; size <= 1146; size++) {
        char text[1200] = "";
        memcpy(text, path, size);
        copal_code_t code = simple(&ask, tree, COPAL_POST, text);
        /* six segments: 200 octets take heads of two */
        size_t encoded = size - 5 + 6 * 2;
        assert_int_equal(code, encoded + 9 <= 1152 ? COPAL_CREATED : COPAL_SERVICE_UNAVAILABLE);
        if (code == COPAL_CREATED)
            assert_int_equal(copal_tree_remove(tree, seen.handle), 0);
    }
    assert_int_equal(seen.created, 7);
}

#define TEST_PATCHING(name) cmocka_unit_test_setup_teardown(name, make_patching, drop)
#define TEST_CREATING(name) cmocka_unit_test_setup_teardown(name, make_creating, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PATCHING(rfc8132_3_1_a_patch_changes_the_value_and_its_etag),
        TEST_PATCHING(rfc8132_3_4_what_the_patch_is_answered_stands_and_nothing_changes),
        TEST_PATCHING(where_nothing_is_a_patch_is_4_04),
        TEST_PATCHING(a_value_is_patched_only_where_its_methods_say_so_and_never_fetched),
        TEST_PATCHING(a_patch_heeds_preconditions),
        TEST_PATCHING(a_put_of_another_format_ends_patching_and_the_properties_stay_in_range),
        TEST(without_patches_in_the_tree_no_value_may_be_patched),
        TEST_CREATING(rfc7252_5_8_2_post_creates_below_the_path_and_says_where),
        TEST_CREATING(post_creates_within_the_bounds_of_what_peers_create),
        TEST_CREATING(post_on_a_resource_replaces_and_preconditions_come_first),
        TEST_CREATING(a_path_that_leaves_no_room_for_a_name_is_5_03_and_creates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
