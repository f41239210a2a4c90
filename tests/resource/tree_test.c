#include "resource/call.h"

static copal_tree_limits_t small = {.resources = 4, .dynamic = 2, .value_size = 100, .arena = 4096, .workers = 2};

static void unset_limits_take_their_defaults(void **state)
{
    (void)state;
    copal_tree_limits_t none = {0};
    copal_tree_limits_t defaults = {.resources = 32, .dynamic = 16, .value_size = 1024, .arena = 32 * 192 + 4 * 1024, .uploads = 4, .workers = 1};
    assert_int_equal(copal_tree_size(&none), copal_tree_size(&defaults));

    ask_t ask;
    copal_tree_t *tree = new_tree((copal_tree_config_t){.dynamic = true});
    static const char large[1026];
    copal_bytes_t value = {(const uint8_t *)large, 1025};
    assert_int_equal(copal_tree_add_value(tree, "v", value, &plain, NULL), COPAL_ESPACE);
    value.size = 1024;
    assert_int_equal(copal_tree_add_value(tree, "v", value, &plain, NULL), 0);
    char path[8] = "p00";
    for (int i = 0; i < 17; i++) {
        path[2] = (char)('a' + i);
        assert_int_equal(simple(&ask, tree, COPAL_PUT, path), i < 16 ? COPAL_CREATED : COPAL_SERVICE_UNAVAILABLE);
    }
    for (int i = 0; i < 16; i++) {
        path[1] = (char)('a' + i);
        assert_int_equal(copal_tree_add_value(tree, path, copal_text("x"), &plain, NULL), i < 15 ? 0 : COPAL_EFULL);
    }
    free(tree);
}

static void a_limit_out_of_range_has_no_size_and_makes_no_tree(void **state)
{
    (void)state;
    static uint64_t memory[4096];
    static const struct {
        copal_tree_limits_t limits;
        bool ok;
    } cases[] = {
        {{.workers = 64}, true},
        {{.workers = 65}, false},
        {{.resources = 1u << 24, .arena = 1024}, true},
        {{.resources = (1u << 24) + 1}, false},
        {{.value_size = 1u << 28, .arena = 1024}, true},
        {{.value_size = (1u << 28) + 1}, false},
        {{.arena = SIZE_MAX}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copal_tree_t *tree;
        copal_tree_config_t config = {.limits = cases[i].limits, .random = fixed_random};
        assert_int_equal(copal_tree_size(&config.limits) > 0, cases[i].ok);
        if (!cases[i].ok)
            assert_int_equal(copal_tree_init(&tree, memory, sizeof memory, &config), COPAL_EINVAL);
    }
}

static void a_tree_without_random_is_refused(void **state)
{
    (void)state;
    copal_tree_t *tree;
    static uint64_t memory[2048];
    copal_tree_config_t config = {.limits = small};
    assert_int_equal(copal_tree_init(&tree, memory, sizeof memory, &config), COPAL_EINVAL);
}

static void memory_is_touched_only_as_it_is_used(void **state)
{
    (void)state;
    copal_tree_config_t config = {.limits = {.resources = 10000}};
    size_t size = copal_tree_size(&config.limits);
    copal_tree_t *tree = new_tree(config);
    add_value(tree, "a", "b");
    size_t touched = 0, page = 4096;
    for (size_t at = 0; at + page <= size; at += page)
        for (size_t i = 0; i < page; i++)
            if (((const uint8_t *)tree)[at + i]) {
                touched++;
                break;
            }
    assert_true(touched <= 5); /* the tree itself, its index, its slots, the workers, the arena */
    free(tree);
}

static void a_service_tells_how_repeated_options_are_read(void **state)
{
    (void)state;
    for (int first_only = 0; first_only < 2; first_only++) {
        copal_tree_t *tree = new_tree((copal_tree_config_t){.first_only = first_only});
        assert_int_equal(copal_tree_service(tree, 0).first_only, first_only);
        free(tree);
    }
}

/* How often a value of 90 octets can be set before there is no room. */
static unsigned settings(copal_tree_t *tree, copal_handle_t handle)
{
    static const uint8_t value[90];
    unsigned count = 0;
    while (count < 1000 && !copal_tree_set_value(tree, handle, (copal_bytes_t){value, sizeof value}))
        count++;
    return count;
}

static void memory_of_the_size_that_was_told_suffices_and_less_does_not(void **state)
{
    (void)state;
    copal_tree_t *tree;
    copal_tree_config_t config = {.limits = small, .random = fixed_random};
    size_t size = copal_tree_size(&small);
    void *memory = calloc(1, size);
    assert_int_equal(copal_tree_init(&tree, memory, size - 1, &config), COPAL_ESPACE);
    assert_int_equal(copal_tree_init(&tree, memory, size, &config), 0);
    copal_tree_quiescent(tree, 1);
    copal_handle_t last = {0, 0};
    for (const char *path = "abcd"; *path; path++)
        last = add_value(tree, path, "");
    assert_in_range(settings(tree, last), 10, 60); /* the sanitizer sees any write beyond it */
    free(memory);
}

static void replaced_values_count_until_every_worker_has_passed(void **state)
{
    (void)state;
    copal_tree_t *tree = new_tree((copal_tree_config_t){.limits = small});
    copal_handle_t handle = add_value(tree, "a", "");
    assert_int_equal(settings(tree, handle), 1000); /* no worker is online */
    copal_tree_quiescent(tree, 0);
    copal_tree_quiescent(tree, 1);
    unsigned room = settings(tree, handle);
    assert_in_range(room, 10, 60);
    copal_tree_quiescent(tree, 0);
    assert_int_equal(settings(tree, handle), 0);
    copal_tree_quiescent(tree, 1);
    assert_in_range(settings(tree, handle), 1, 60);
    copal_tree_offline(tree, 0);
    copal_tree_offline(tree, 1);
    assert_int_equal(settings(tree, handle), 1000);
    free(tree);
}

static void the_only_worker_may_be_asked_to_change_without_end_between_two_quiescent_calls(void **state)
{
    (void)state;
    ask_t ask;
    copal_tree_t *tree = new_tree((copal_tree_config_t){.limits = {.resources = 1, .value_size = 100}});
    add_value(tree, "a", "");
    char value[101];
    memset(value, 'x', 100);
    value[100] = 0;
    copal_tree_quiescent(tree, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a", value), COPAL_CHANGED);
    free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unset_limits_take_their_defaults),
        cmocka_unit_test(a_limit_out_of_range_has_no_size_and_makes_no_tree),
        cmocka_unit_test(memory_of_the_size_that_was_told_suffices_and_less_does_not),
        cmocka_unit_test(a_tree_without_random_is_refused),
        cmocka_unit_test(memory_is_touched_only_as_it_is_used),
        cmocka_unit_test(a_service_tells_how_repeated_options_are_read),
        cmocka_unit_test(replaced_values_count_until_every_worker_has_passed),
        cmocka_unit_test(the_only_worker_may_be_asked_to_change_without_end_between_two_quiescent_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
