#include "resource/call.h"

static void get_answers_the_value(void **state)
{
    (void)state;
    ask_t ask;
    copal_tree_t *tree = new_tree((copal_tree_config_t){0});
    add_value(tree, "a/b", "hello");
    assert_int_equal(simple(&ask, tree, COPAL_GET, "a/b"), COPAL_CONTENT);
    assert_payload(&ask, "hello");
    assert_int_equal(ask.answer.options.size, 0);
    free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(get_answers_the_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
