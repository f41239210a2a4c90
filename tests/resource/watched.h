/* A tree with every callback watched, for the tests of what it answers. */
#ifndef COPAL_TESTS_RESOURCE_WATCHED_H
#define COPAL_TESTS_RESOURCE_WATCHED_H

#include "resource/call.h"

static copal_tree_t *tree;
static ask_t ask;

/* What the tree called, and how often it stood inside the exclusion at that time. */
static struct {
    int inside;
    unsigned created;
    unsigned changed;
    uint64_t workers; /* those that are to be told of the last change */
    copal_handle_t handle;
    bool remove;            /* the callback takes the new resource away again */
    void (*on_enter)(void); /* what another thread does just before: called once */
} seen;

static inline void enter(void *context)
{
    (void)context;
    void (*on_enter)(void) = seen.on_enter;
    seen.on_enter = NULL;
    if (on_enter)
        on_enter();
    seen.inside++;
}

static inline void leave(void *context)
{
    (void)context;
    seen.inside--;
}

static inline void created(void *user, copal_tree_t *of, copal_handle_t resource)
{
    assert_ptr_equal(user, &seen);
    assert_int_equal(seen.inside, 0);
    seen.created++;
    seen.handle = resource;
    if (seen.remove)
        assert_int_equal(copal_tree_remove(of, resource), 0);
}

static inline void changed(void *user, uint64_t workers)
{
    assert_ptr_equal(user, &seen);
    assert_int_equal(seen.inside, 0);
    seen.changed++;
    seen.workers = workers;
}

static inline int make_with(copal_tree_config_t config)
{
    memset(&seen, 0, sizeof seen);
    config.limits = (copal_tree_limits_t){.resources = 8, .dynamic = 2, .value_size = 64, .arena = 8192, .workers = 2};
    config.exclusion = (copal_exclusion_t){enter, leave, NULL};
    config.created = created;
    config.changed = changed;
    config.user = &seen;
    tree = new_tree(config);
    return 0;
}

static inline int make(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){0});
}

static inline int make_dynamic(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){.dynamic = true});
}

static inline int make_first_only(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){.first_only = true});
}

static inline int drop(void **state)
{
    (void)state;
    int inside = seen.inside;
    free(tree);
    return inside;
}

static inline copal_handle_t add(const char *path, const char *value, copal_value_options_t options)
{
    copal_handle_t handle;
    assert_int_equal(copal_tree_add_value(tree, path, copal_text(value), &options, &handle), 0);
    return handle;
}

static inline copal_value_options_t with_etag(void)
{
    copal_value_options_t options = plain;
    options.etag = true;
    return options;
}

static inline void assert_get(const char *path, const char *value)
{
    assert_int_equal(simple(&ask, tree, COPAL_GET, path), COPAL_CONTENT);
    assert_payload(&ask, value);
}

#define ETAG(...) bytes((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

#define TEST(name)            cmocka_unit_test_setup_teardown(name, make, drop)
#define TEST_DYNAMIC(name)    cmocka_unit_test_setup_teardown(name, make_dynamic, drop)
#define TEST_FIRST_ONLY(name) cmocka_unit_test_setup_teardown(name, make_first_only, drop)

#endif
