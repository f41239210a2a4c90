/* PUT, POST and DELETE on value resources, and on nothing. */
#include "resource/watched.h"

/* ---- PUT and POST on a resource ------------------------------------------------------------------------ */

static const copal_code_t put_and_post[] = {COPAL_PUT, COPAL_POST};

static void put_and_post_replace_the_value(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        copal_handle_t handle = add("a", "old", (copal_value_options_t){50, 7, true, COPAL_METHODS_ALL, false});
        assert_int_equal(with_payload(&ask, tree, put_and_post[i], "a", "new"), COPAL_CHANGED);
        assert_payload(&ask, "");
        assert_get("a", "new");
        assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 50); /* absent leaves it */
        assert_true(option_of(&ask, COPAL_OPTION_MAX_AGE) == 7);
        assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 2);
        assert_int_equal(simple(&ask, tree, put_and_post[i], "a"), COPAL_CHANGED);
        assert_get("a", "");
        assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 3);
        copal_tree_remove(tree, handle);
    }
    assert_int_equal(seen.created, 0);
}

static void a_content_format_given_becomes_the_resources(void **state)
{
    (void)state;
    add("a", "", (copal_value_options_t){50, -1, false, COPAL_METHODS_ALL, false});
    for (uint32_t i = 0; i < 2; i++) {
        begin(&ask, put_and_post[i], "a");
        copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, 60 * i);
        assert_int_equal(finish(&ask, tree), COPAL_CHANGED);
        assert_get("a", "");
        assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 60 * i);
    }
}

static copal_code_t put_octets(copal_code_t method, const char *path, size_t size)
{
    static const uint8_t octets[65];
    begin(&ask, method, path);
    copal_write_payload(&ask.in, bytes(octets, size));
    return finish(&ask, tree);
}

static void rfc7252_5_9_2_9_a_value_over_the_bound_is_4_13_with_size1(void **state)
{
    (void)state;
    add_value(tree, "a", "old");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(put_octets(put_and_post[i], "a", 64), COPAL_CHANGED);
        with_payload(&ask, tree, COPAL_PUT, "a", "old");
        assert_int_equal(put_octets(put_and_post[i], "a", 65), COPAL_REQUEST_ENTITY_TOO_LARGE);
        assert_true(option_of(&ask, COPAL_OPTION_SIZE1) == 64);
        assert_get("a", "old");
    }
    assert_int_equal(put_octets(COPAL_PUT, "new", 65), COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(put_octets(COPAL_PUT, "new", 64), COPAL_CREATED);
    assert_int_equal(put_octets(COPAL_PUT, "other", 65), COPAL_REQUEST_ENTITY_TOO_LARGE);
}

static void without_room_put_and_post_are_5_03_and_change_nothing(void **state)
{
    (void)state;
    copal_tree_t *roomy = tree;
    tree = new_tree((copal_tree_config_t){.limits = {.value_size = 64, .arena = 1024}, .dynamic = true});
    add("a", "old", with_etag());
    for (char path[] = "A"; !copal_tree_add_value(tree, path, copal_text(""), &plain, NULL); path[0]++)
        ;
    for (int i = 0; i < 2; i++)
        assert_int_equal(put_octets(put_and_post[i], "a", 64), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(put_octets(COPAL_PUT, "new", 64), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "new"), COPAL_NOT_FOUND);
    assert_get("a", "old");
    assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 1);
    free(tree);
    tree = roomy;
}

static void put_and_post_on_an_unknown_path_are_4_04(void **state)
{
    (void)state;
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a", "x"), COPAL_NOT_FOUND);
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a", "x"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_NOT_FOUND);
}

/* ---- creating ---------------------------------------------------------------------------------------- */

static void put_creates_a_resource_with_default_properties(void **state)
{
    (void)state;
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a/b/c", "x"), COPAL_CREATED);
    assert_payload(&ask, "");
    assert_get("a/b/c", "x");
    assert_int_equal(ask.answer.options.size, 0);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_NOT_FOUND);
    copal_value_options_t options;
    assert_int_equal(copal_tree_get_options(tree, seen.handle, &options, NULL), 0);
    assert_int_equal(options.content_format, -1);
    assert_int_equal(options.max_age, -1);
    assert_false(options.etag);
    assert_int_equal(options.methods, COPAL_METHODS_ALL);
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a/b/c", "y"), COPAL_CHANGED);
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a/b/c", "z"), COPAL_CHANGED);
    assert_get("a/b/c", "z");
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "a/b/c"), COPAL_DELETED);
}

static void put_creates_with_the_content_format_it_carries(void **state)
{
    (void)state;
    begin(&ask, COPAL_PUT, "a");
    copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, 50);
    assert_int_equal(finish(&ask, tree), COPAL_CREATED);
    assert_get("a", "");
    assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 50);
}

static void a_path_is_created_whole(void **state)
{
    (void)state;
    char path[800], told[800];
    memset(path, 'p', sizeof path);
    path[100] = path[300] = path[550] = '/';
    path[799] = 0;
    begin(&ask, COPAL_PUT, path);
    copal_write_option(&ask.in, COPAL_OPTION_IF_NONE_MATCH, bytes(NULL, 0));
    copal_write_option(&ask.in, COPAL_OPTION_URI_HOST, bytes("host", 4));
    copal_write_text(&ask.in, "x");
    assert_int_equal(finish(&ask, tree), COPAL_CREATED);
    assert_get(path, "x");
    assert_int_equal(copal_tree_path(tree, seen.handle, told, sizeof told), 799);
    assert_string_equal(told, path);
}

static void a_path_too_long_to_be_kept_is_5_03(void **state)
{
    (void)state;
    char path[6 * 191 + 1];
    memset(path, 'p', sizeof path);
    for (size_t i = 190; i < sizeof path; i += 191)
        path[i] = '/';
    path[6 * 191] = 0; /* 1,153 octets with the empty segment at the end */
    assert_int_equal(simple(&ask, tree, COPAL_PUT, path), COPAL_SERVICE_UNAVAILABLE);
    path[6 * 191 - 1] = 0;
    assert_int_equal(simple(&ask, tree, COPAL_PUT, path), COPAL_CREATED);
}

static void the_application_hears_of_it_outside_the_exclusion(void **state)
{
    (void)state;
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a", "x"), COPAL_CREATED);
    assert_int_equal(seen.created, 1);
    copal_handle_t found;
    assert_int_equal(copal_tree_find(tree, "a", &found), 0);
    assert_memory_equal(&found, &seen.handle, sizeof found);
    seen.remove = true;
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "b", "x"), COPAL_CREATED);
    assert_int_equal(seen.created, 2);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "b"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "a"), COPAL_CHANGED);
    assert_int_equal(seen.created, 2);
}

static void what_peers_create_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "a"), COPAL_CREATED);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "b"), COPAL_CREATED);
    copal_handle_t last = seen.handle;
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "c"), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(seen.created, 2);
    add_value(tree, "mine", ""); /* the application's own does not count */
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "mine"), COPAL_DELETED);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "c"), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "a"), COPAL_DELETED);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "c"), COPAL_CREATED);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "d"), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(copal_tree_remove(tree, last), 0);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "d"), COPAL_CREATED);
}

static void resources_in_all_bound_what_peers_create(void **state)
{
    (void)state;
    for (const char *path = "1234567"; *path; path++)
        add_value(tree, path, "");
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "a"), COPAL_CREATED);
    assert_int_equal(simple(&ask, tree, COPAL_PUT, "b"), COPAL_SERVICE_UNAVAILABLE);
}

static void post_creates_nothing(void **state)
{
    (void)state;
    assert_int_equal(with_payload(&ask, tree, COPAL_POST, "a", "x"), COPAL_NOT_FOUND);
}

/* ---- DELETE ------------------------------------------------------------------------------------------ */

static void delete_takes_the_resource_away(void **state)
{
    (void)state;
    copal_handle_t handle = add_value(tree, "a", "x");
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "a"), COPAL_DELETED);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_NOT_FOUND);
    assert_int_equal(copal_tree_remove(tree, handle), COPAL_ESTALE);
}

static void rfc7252_5_8_4_delete_where_nothing_is_answers_the_same(void **state)
{
    (void)state;
    add_value(tree, "other", "x");
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "a"), COPAL_DELETED);
    assert_get("other", "x");
}

/* ---- preconditions ------------------------------------------------------------------------------------ */

typedef enum { MISSING, PLAIN, TAGGED } there_t; /* what is at the path; the tagged resource's ETag is 1 */

typedef struct {
    there_t there;
    int if_matches;        /* how many: -1 is one that is empty */
    uint8_t first, second; /* one octet each */
    bool if_none_match;
    bool passes;
} precondition_t;

static void assert_precondition(const precondition_t *p, copal_code_t method)
{
    static const copal_code_t on_resource[] = {
        [COPAL_PUT] = COPAL_CHANGED, [COPAL_POST] = COPAL_CHANGED, [COPAL_DELETE] = COPAL_DELETED};
    static const copal_code_t on_nothing[] = {
        [COPAL_PUT] = COPAL_CREATED, [COPAL_POST] = COPAL_NOT_FOUND, [COPAL_DELETE] = COPAL_DELETED};
    if (p->there != MISSING)
        add("a", "old", p->there == TAGGED ? with_etag() : plain);
    begin(&ask, method, "a");
    if (p->if_matches)
        copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, bytes(&p->first, p->if_matches > 0));
    if (p->if_matches > 1)
        copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, bytes(&p->second, 1));
    if (p->if_none_match)
        copal_write_option(&ask.in, COPAL_OPTION_IF_NONE_MATCH, bytes(NULL, 0));
    copal_write_text(&ask.in, "new");
    copal_code_t code = p->there == MISSING ? on_nothing[method] : on_resource[method];
    assert_int_equal(finish(&ask, tree), p->passes ? code : COPAL_PRECONDITION_FAILED);
    if (!p->passes && p->there != MISSING)
        assert_get("a", "old");
    if (!p->passes && p->there == MISSING)
        assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_NOT_FOUND);
    simple(&ask, tree, COPAL_DELETE, "a");
}

static void assert_preconditions(const precondition_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (copal_code_t method = COPAL_POST; method <= COPAL_DELETE; method++)
            assert_precondition(&cases[i], method);
}

static void rfc7252_5_10_8_put_post_and_delete_heed_preconditions(void **state)
{
    (void)state;
    static const precondition_t cases[] = {
        {TAGGED, 1, 1, 0, false, true},   {TAGGED, 1, 2, 0, false, false}, {TAGGED, -1, 0, 0, false, true},
        {TAGGED, 0, 0, 0, false, true},   {TAGGED, 0, 0, 0, true, false},  {TAGGED, 1, 1, 0, true, false},
        {TAGGED, 2, 9, 1, false, true},   {TAGGED, 2, 8, 9, false, false}, {PLAIN, -1, 0, 0, false, true},
        {PLAIN, 1, 1, 0, false, false},   {PLAIN, 0, 0, 0, true, false},   {MISSING, -1, 0, 0, false, false},
        {MISSING, 1, 1, 0, false, false}, {MISSING, 0, 0, 0, true, true},  {MISSING, 1, 1, 0, true, false},
    };
    assert_preconditions(cases, sizeof cases / sizeof *cases);
}

static void with_first_only_the_first_if_match_counts(void **state)
{
    (void)state;
    static const precondition_t cases[] = {
        {TAGGED, 2, 9, 1, false, false},
        {TAGGED, 2, 1, 9, false, true},
        {TAGGED, -1, 0, 0, false, true},
    };
    assert_preconditions(cases, sizeof cases / sizeof *cases);
}

static void preconditions_on_an_unknown_path_come_before_4_04(void **state)
{
    (void)state;
    begin(&ask, COPAL_PUT, "a");
    copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, bytes(NULL, 0));
    assert_int_equal(finish(&ask, tree), COPAL_PRECONDITION_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(put_and_post_replace_the_value),
        TEST(a_content_format_given_becomes_the_resources),
        TEST_DYNAMIC(rfc7252_5_9_2_9_a_value_over_the_bound_is_4_13_with_size1),
        TEST(without_room_put_and_post_are_5_03_and_change_nothing),
        TEST(put_and_post_on_an_unknown_path_are_4_04),
        TEST_DYNAMIC(put_creates_a_resource_with_default_properties),
        TEST_DYNAMIC(put_creates_with_the_content_format_it_carries),
        TEST_DYNAMIC(a_path_is_created_whole),
        TEST_DYNAMIC(a_path_too_long_to_be_kept_is_5_03),
        TEST_DYNAMIC(the_application_hears_of_it_outside_the_exclusion),
        TEST_DYNAMIC(what_peers_create_is_bounded),
        TEST_DYNAMIC(resources_in_all_bound_what_peers_create),
        TEST_DYNAMIC(post_creates_nothing),
        TEST(delete_takes_the_resource_away),
        TEST(rfc7252_5_8_4_delete_where_nothing_is_answers_the_same),
        TEST_DYNAMIC(rfc7252_5_10_8_put_post_and_delete_heed_preconditions),
        TEST_FIRST_ONLY(with_first_only_the_first_if_match_counts),
        TEST(preconditions_on_an_unknown_path_come_before_4_04),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
