#include <stdio.h>

#include "resource/call.h"

#define COUNT 1000

static copal_tree_t *tree;
static ask_t ask;

static int make(void **state)
{
    (void)state;
    tree = new_tree((copal_tree_config_t){.limits = {.resources = COUNT}});
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(tree);
    return 0;
}

static const char *numbered(unsigned i)
{
    static char path[32];
    snprintf(path, sizeof path, "rooms/%u/lamp", i);
    return path;
}

static void assert_answer(const char *path, const char *value)
{
    assert_int_equal(simple(&ask, tree, COPAL_GET, path), COPAL_CONTENT);
    assert_payload(&ask, value);
}

static void each_of_many_resources_is_found_until_it_is_removed(void **state)
{
    (void)state;
    copal_handle_t handles[COUNT];
    char value[8];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(value, sizeof value, "%u", i);
        handles[i] = add_value(tree, numbered(i), value);
    }
    for (unsigned step = 0; step < COUNT; step++) {
        unsigned gone = step * 7 % COUNT;
        assert_int_equal(copal_tree_remove(tree, handles[gone]), 0);
        assert_int_equal(simple(&ask, tree, COPAL_GET, numbered(gone)), COPAL_NOT_FOUND);
        unsigned there = (step + 1) * 7 % COUNT;
        snprintf(value, sizeof value, "%u", there);
        if (step + 1 < COUNT)
            assert_answer(numbered(there), value);
    }
}

static void rfc7252_5_10_1_each_segment_counts_for_itself(void **state)
{
    (void)state;
    static const char *const paths[] = {"",
                                        "a",
                                        "a/b",
                                        "ab",
                                        "a//b",
                                        "a/",
                                        "//a",
                                        "A",
                                        "a%2Fb",
                                        "%00",
                                        "abcdefghijklm",
                                        "abcdefghijklmn",
                                        "abcdefghijklm/n"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        add_value(tree, paths[i], paths[i]);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_answer(paths[i], paths[i]);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a/b/"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "b"), COPAL_NOT_FOUND);
}

/* In a datagram the delta of the first Uri-Path depends on the option in front of it. */
static void a_path_is_the_same_whatever_option_stands_before_it(void **state)
{
    (void)state;
    add_value(tree, "a/b", "here");
    for (uint16_t number = 1; number <= 10; number++) {
        if (number == COPAL_OPTION_OSCORE)
            continue; /* critical, and not understood */
        begin(&ask, COPAL_GET, "a/b");
        copal_write_option(&ask.in, number, bytes("x", number == COPAL_OPTION_IF_NONE_MATCH ? 0 : 1));
        assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
        assert_payload(&ask, "here");
    }
}

static void a_path_is_the_same_however_its_text_is_encoded(void **state)
{
    (void)state;
    add_value(tree, "/caf%C3%A9/%7e", "here");
    assert_answer("caf\xc3\xa9/~", "here");
}

/* ---- subtrees ---------------------------------------------------------------------------------- */

static void say(void *user, copal_call_t *call)
{
    char depth[12];
    snprintf(depth, sizeof depth, ":%u", (unsigned)call->depth);
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    copal_write_text(w, user);
    copal_write_text(w, depth);
}

static copal_handle_t add_subtree(const char *path, bool subtree)
{
    static char names[40][200];
    static unsigned used;
    char *name = names[used++ % 40];
    snprintf(name, sizeof *names, "%s", path);
    copal_handler_t handler = {COPAL_METHODS_ALL, NULL, subtree, false, false, say, name};
    copal_handle_t handle;
    assert_int_equal(copal_tree_add_handler(tree, path, &handler, &handle), 0);
    return handle;
}

static void a_subtree_serves_its_own_path_and_every_path_below(void **state)
{
    (void)state;
    add_subtree("a/b", true);
    assert_answer("a/b", "a/b:2");
    assert_answer("a/b/c", "a/b:2");
    assert_answer("a/b/", "a/b:2");
    assert_answer("a/b/c/d/e/f", "a/b:2");
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a/bc"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_GET, "b"), COPAL_NOT_FOUND);
}

static void the_subtree_with_the_longest_path_serves(void **state)
{
    (void)state;
    add_subtree("a", true);
    copal_handle_t inner = add_subtree("a/b/c", true);
    assert_answer("a/b", "a:1");
    assert_answer("a/b/c/d", "a/b/c:3");
    assert_int_equal(copal_tree_remove(tree, inner), 0);
    assert_answer("a/b/c/d", "a:1");
}

static void a_resource_inside_a_subtree_serves_itself(void **state)
{
    (void)state;
    add_subtree("a", true);
    add_value(tree, "a/v", "value");
    add_subtree("a/h", false);
    assert_answer("a/v", "value");
    assert_answer("a/v/w", "a:1");
    assert_answer("a/h", "a/h:2");
    assert_answer("a/h/i", "a:1"); /* a/h is no subtree, while one beside it is */
    add_subtree("a/t", true);
    assert_answer("a/t/i", "a/t:2");
    assert_answer("a/h/i", "a:1");
}

static void a_subtree_at_the_root_serves_every_path_but_discovery(void **state)
{
    (void)state;
    add_subtree("", true);
    assert_answer("", ":0");
    assert_answer("x/y/z", ":0");
    assert_int_equal(simple(&ask, tree, COPAL_GET, ".well-known/core"), COPAL_CONTENT);
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 40);
    assert_answer(".well-known/other", ":0");
}

static void subtrees_may_lie_very_deep(void **state)
{
    (void)state;
    char path[200] = "0";
    for (unsigned depth = 1; depth <= 40; depth++, strcat(path, "/0"))
        if (depth >= 29)
            add_subtree(path, true);
    for (path[0] = 0; strlen(path) < 28 * 2; strcat(path, "0/"))
        ;
    for (unsigned depth = 29; depth <= 45; depth++) {
        char want[8];
        strcat(path, depth == 29 ? "0" : "/0");
        assert_int_equal(simple(&ask, tree, COPAL_GET, path), COPAL_CONTENT);
        snprintf(want, sizeof want, ":%u", depth < 40 ? depth : 40);
        assert_memory_equal(ask.answer.payload.data + ask.answer.payload.size - 3, want, 3);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_of_many_resources_is_found_until_it_is_removed),
        TEST(rfc7252_5_10_1_each_segment_counts_for_itself),
        TEST(a_path_is_the_same_whatever_option_stands_before_it),
        TEST(a_path_is_the_same_however_its_text_is_encoded),
        TEST(a_subtree_serves_its_own_path_and_every_path_below),
        TEST(the_subtree_with_the_longest_path_serves),
        TEST(a_resource_inside_a_subtree_serves_itself),
        TEST(a_subtree_at_the_root_serves_every_path_but_discovery),
        TEST(subtrees_may_lie_very_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
