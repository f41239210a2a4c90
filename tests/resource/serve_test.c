#include "resource/call.h"

static copal_tree_t *tree;
static ask_t ask;

/* What the tree called, and how often it stood inside the exclusion at that time. */
static struct {
    int inside;
    unsigned created;
    copal_handle_t handle;
    bool remove; /* the callback takes the new resource away again */
} seen;

static void enter(void *context)
{
    (void)context;
    seen.inside++;
}

static void leave(void *context)
{
    (void)context;
    seen.inside--;
}

static void created(void *user, copal_tree_t *of, copal_handle_t resource)
{
    assert_ptr_equal(user, &seen);
    assert_int_equal(seen.inside, 0);
    seen.created++;
    seen.handle = resource;
    if (seen.remove)
        assert_int_equal(copal_tree_remove(of, resource), 0);
}

static int make_with(copal_tree_config_t config)
{
    memset(&seen, 0, sizeof seen);
    config.limits = (copal_tree_limits_t){.resources = 8, .dynamic = 2, .value_size = 64, .arena = 8192};
    config.exclusion = (copal_exclusion_t){enter, leave, NULL};
    config.created = created;
    config.user = &seen;
    tree = new_tree(config);
    return 0;
}

static int make(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){0});
}

static int make_dynamic(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){.dynamic = true});
}

static int make_first_only(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){.first_only = true});
}

static int drop(void **state)
{
    (void)state;
    int inside = seen.inside;
    free(tree);
    return inside;
}

static copal_handle_t add(const char *path, const char *value, copal_value_options_t options)
{
    copal_handle_t handle;
    assert_int_equal(copal_tree_add_value(tree, path, copal_text(value), &options, &handle), 0);
    return handle;
}

static copal_value_options_t with_etag(void)
{
    copal_value_options_t options = plain;
    options.etag = true;
    return options;
}

static void assert_get(const char *path, const char *value)
{
    assert_int_equal(simple(&ask, tree, COPAL_GET, path), COPAL_CONTENT);
    assert_payload(&ask, value);
}

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
    add("a", "hello", (copal_value_options_t){65535, 4294967295, true, COPAL_METHODS_ALL});
    assert_get("a", "hello");
    assert_true(option_of(&ask, COPAL_OPTION_ETAG) == 1);
    assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 65535);
    assert_true(option_of(&ask, COPAL_OPTION_MAX_AGE) == 4294967295);
    add("b", "hello", (copal_value_options_t){0, 0, false, COPAL_METHODS_ALL});
    assert_get("b", "hello");
    assert_true(option_of(&ask, COPAL_OPTION_ETAG) == -1);
    assert_true(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT) == 0);
    assert_true(option_of(&ask, COPAL_OPTION_MAX_AGE) == 0);
}

static void an_empty_value_has_no_payload(void **state)
{
    (void)state;
    add("a", "", (copal_value_options_t){0, -1, false, COPAL_METHODS_ALL});
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

#define ETAG(...) bytes((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void rfc7252_5_10_6_2_a_current_etag_is_answered_with_2_03(void **state)
{
    (void)state;
    add("a", "hello", (copal_value_options_t){50, 30, true, COPAL_METHODS_ALL});
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

/* The library writes no such option, so these stand here as octets: an empty ETag, then one of nine octets, Uri-Path. */
static void rfc7252_5_4_3_an_etag_of_illegal_size_is_as_if_it_were_not_there(void **state)
{
    (void)state;
    static const uint8_t options[] = {0x40, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x71, 'a'};
    add("a", "hello", with_etag());
    begin(&ask, COPAL_GET, "");
    copal_write_encoded(&ask.in, bytes(options, sizeof options), COPAL_OPTION_URI_PATH);
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
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
    add("a", "{}", (copal_value_options_t){50, -1, true, COPAL_METHODS_ALL});
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

static void the_whole_body_is_offered_for_whichever_block_is_asked(void **state)
{
    (void)state;
    add_value(tree, "a", "0123456789abcdefghijkl");
    begin(&ask, COPAL_GET, "a");
    ask.skip = 16;
    ask.window = 16;
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
    assert_payload(&ask, "ghijkl");
    assert_int_equal(ask.out.total, 22);
}

/* ---- PUT and POST on a resource ------------------------------------------------------------------------ */

static const copal_code_t put_and_post[] = {COPAL_PUT, COPAL_POST};

static void put_and_post_replace_the_value(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        copal_handle_t handle = add("a", "old", (copal_value_options_t){50, 7, true, COPAL_METHODS_ALL});
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
    add("a", "", (copal_value_options_t){50, -1, false, COPAL_METHODS_ALL});
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
    int if_matches;         /* how many: -1 is one that is empty */
    uint8_t first, second;  /* one octet each */
    bool if_none_match;
    bool passes;
} precondition_t;

static void assert_precondition(const precondition_t *p, copal_code_t method)
{
    static const copal_code_t on_resource[] = {[COPAL_PUT] = COPAL_CHANGED, [COPAL_POST] = COPAL_CHANGED,
                                               [COPAL_DELETE] = COPAL_DELETED};
    static const copal_code_t on_nothing[] = {[COPAL_PUT] = COPAL_CREATED, [COPAL_POST] = COPAL_NOT_FOUND,
                                              [COPAL_DELETE] = COPAL_DELETED};
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
    add("none", "x", (copal_value_options_t){-1, -1, false, 0});
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
    assert_ptr_equal(call, &ask.call);
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
    copal_handler_t handler = {methods, subtree, serial, handle, &handled};
    assert_int_equal(copal_tree_add_handler(tree, path, &handler, &handle_), 0);
    return handle_;
}

static void a_handler_is_called_for_each_method_of_its_mask(void **state)
{
    (void)state;
    add_handler("a/b", COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_FETCH) | COPAL_METHOD(31), false, false);
    for (copal_code_t method = COPAL_GET; method <= 31; method++) {
        bool in_mask = method == COPAL_GET || method == COPAL_FETCH || method == 31;
        assert_int_equal(simple(&ask, tree, method, "a/b"), in_mask ? COPAL_CONTENT : COPAL_METHOD_NOT_ALLOWED);
        if (in_mask)
            assert_int_equal(handled.method, method);
    }
    assert_int_equal(handled.calls, 3);
    assert_int_equal(handled.depth, 2);
}

static void a_method_that_no_mask_can_hold_is_4_05(void **state)
{
    (void)state;
    add_handler("a", UINT32_MAX, false, false);
    assert_int_equal(simple(&ask, tree, 32, "a"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(simple(&ask, tree, 33, "a"), COPAL_METHOD_NOT_ALLOWED);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
#define TEST_DYNAMIC(name) cmocka_unit_test_setup_teardown(name, make_dynamic, drop)
#define TEST_FIRST_ONLY(name) cmocka_unit_test_setup_teardown(name, make_first_only, drop)

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
        TEST(the_whole_body_is_offered_for_whichever_block_is_asked),
        TEST(put_and_post_replace_the_value),
        TEST(a_content_format_given_becomes_the_resources),
        TEST_DYNAMIC(rfc7252_5_9_2_9_a_value_over_the_bound_is_4_13_with_size1),
        TEST(without_room_put_and_post_are_5_03_and_change_nothing),
        TEST(put_and_post_on_an_unknown_path_are_4_04),
        TEST_DYNAMIC(put_creates_a_resource_with_default_properties),
        TEST_DYNAMIC(put_creates_with_the_content_format_it_carries),
        TEST_DYNAMIC(a_path_is_created_whole),
        TEST_DYNAMIC(the_application_hears_of_it_outside_the_exclusion),
        TEST_DYNAMIC(what_peers_create_is_bounded),
        TEST_DYNAMIC(resources_in_all_bound_what_peers_create),
        TEST_DYNAMIC(post_creates_nothing),
        TEST(delete_takes_the_resource_away),
        TEST(rfc7252_5_8_4_delete_where_nothing_is_answers_the_same),
        TEST_DYNAMIC(rfc7252_5_10_8_put_post_and_delete_heed_preconditions),
        TEST_FIRST_ONLY(with_first_only_the_first_if_match_counts),
        TEST(preconditions_on_an_unknown_path_come_before_4_04),
        TEST(a_method_switched_off_is_4_05_whatever_else_it_asks),
        TEST(rfc7252_5_8_a_method_that_values_do_not_know_is_4_05),
        TEST(an_unknown_path_is_4_04_but_an_unknown_method_4_05),
        TEST(a_handler_is_called_for_each_method_of_its_mask),
        TEST(a_method_that_no_mask_can_hold_is_4_05),
        TEST(a_serial_handler_is_called_inside_the_exclusion_and_others_outside),
        TEST(a_handler_may_remove_its_own_resource),
        TEST_DYNAMIC(below_a_subtree_put_goes_to_its_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
