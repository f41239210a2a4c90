#include "resource/watched.h"

static int make_observable(void **state)
{
    (void)state;
    return make_with((copal_tree_config_t){.observable = true});
}

static copal_code_t observe(const char *path)
{
    begin(&ask, COPAL_GET, path);
    copal_write_option_uint(&ask.in, COPAL_OPTION_OBSERVE, 0);
    return finish(&ask, tree);
}

static void assert_told(copal_handle_t resource)
{
    uint32_t slot;
    assert_true(copal_tree_next_change(tree, 0, &slot));
    assert_int_equal(slot, resource.slot);
    assert_false(copal_tree_next_change(tree, 0, &slot));
}

static void assert_not_told(uint32_t worker)
{
    uint32_t slot;
    assert_false(copal_tree_next_change(tree, worker, &slot));
}

static int set(copal_handle_t resource, const char *value)
{
    return copal_tree_set_value(tree, resource, copal_text(value));
}

static void a_change_is_told_once_to_the_worker_whose_peer_asked(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    add_value(tree, "b", "1");
    assert_int_equal(observe("a"), COPAL_CONTENT);
    assert_not_told(0);
    assert_int_equal(set(a, "2"), 0);
    assert_int_equal(set(a, "3"), 0);
    assert_int_equal(seen.changed, 1);
    assert_not_told(1);
    assert_told(a);
}

static int observe_at(uint32_t worker, const char *path)
{
    begin(&ask, COPAL_GET, path);
    copal_write_option_uint(&ask.in, COPAL_OPTION_OBSERVE, 0);
    return ask_worker(&ask, tree, worker);
}

static void only_the_workers_that_have_something_new_to_tell_are_woken(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    copal_handle_t b = add_value(tree, "b", "1");
    observe_at(1, "a");
    observe_at(0, "b");
    observe_at(1, "b");
    set(a, "2");
    assert_int_equal(seen.workers, 1 << 1);
    set(b, "2"); /* the other one was woken */
    assert_int_equal(seen.workers, 1 << 0);
}

static void one_who_is_not_served_again_after_a_change_is_not_told_of_the_next(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    observe("a");
    set(a, "2");
    assert_told(a);
    set(a, "3");
    assert_not_told(0);
    assert_int_equal(seen.changed, 1);
    observe("a");
    set(a, "4");
    assert_told(a);
}

static void what_changes_after_it_was_taken_and_served_is_told_again(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1"), b = add_value(tree, "b", "1");
    uint32_t slot;
    observe("a");
    observe("b");
    set(a, "2");
    set(b, "2");
    assert_int_equal(seen.changed, 1); /* the second is found together with the first */
    assert_true(copal_tree_next_change(tree, 0, &slot));
    assert_int_equal(slot, b.slot);
    observe("b");
    set(b, "3"); /* while a waits */
    assert_int_equal(seen.changed, 2);
    assert_true(copal_tree_next_change(tree, 0, &slot));
    assert_int_equal(slot, a.slot);
    assert_told(b);
}

static void what_nobody_asked_to_be_told_of_costs_nothing(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    assert_get("a", "1");
    begin(&ask, COPAL_GET, "a");
    copal_write_option_uint(&ask.in, COPAL_OPTION_OBSERVE, 1);
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
    set(a, "2");
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a", "3"), COPAL_CHANGED);
    assert_int_equal(copal_tree_remove(tree, a), 0);
    assert_int_equal(seen.changed, 0);
    assert_not_told(0);
}

static void a_tree_that_is_not_observable_watches_nothing(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    assert_int_equal(observe("a"), COPAL_CONTENT);
    set(a, "2");
    assert_not_told(0);
}

static void a_request_of_a_peer_that_changes_the_value_is_told(void **state)
{
    (void)state;
    static const copal_code_t methods[] = {COPAL_PUT, COPAL_POST, COPAL_DELETE};
    copal_handle_t a = add_value(tree, "a", "1");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        observe("a");
        assert_in_range(simple(&ask, tree, methods[i], "a"), COPAL_DELETED, COPAL_CHANGED);
        assert_int_equal(seen.changed, i + 1);
        assert_told(a);
    }
}

static void a_request_that_was_refused_is_not_told(void **state)
{
    (void)state;
    char large[66] = {0};
    memset(large, 'x', 65);
    add_value(tree, "a", "1");
    observe("a");
    begin(&ask, COPAL_PUT, "a");
    copal_write_option(&ask.in, COPAL_OPTION_IF_NONE_MATCH, copal_text(""));
    assert_int_equal(finish(&ask, tree), COPAL_PRECONDITION_FAILED);
    assert_int_equal(with_payload(&ask, tree, COPAL_PUT, "a", large), COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_not_told(0);
}

static void of_the_properties_those_are_told_that_end_an_observation(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    copal_value_options_t options = plain;
    observe("a");
    options.max_age = 7;
    options.methods = COPAL_METHOD(COPAL_GET);
    options.etag = true;
    assert_int_equal(copal_tree_set_options(tree, a, &options), 0);
    assert_not_told(0);
    options.content_format = 0;
    assert_int_equal(copal_tree_set_options(tree, a, &options), 0);
    assert_told(a);
    observe("a");
    options.methods = 0;
    assert_int_equal(copal_tree_set_options(tree, a, &options), 0);
    assert_told(a);
}

static void a_resource_that_is_gone_is_told(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    observe("a");
    assert_int_equal(copal_tree_remove(tree, a), 0);
    assert_int_equal(seen.changed, 1);
    assert_told(a);
}

static void say(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply_text(call, COPAL_CONTENT, "hello");
}

static void the_application_tells_that_a_handlers_state_has_changed(void **state)
{
    (void)state;
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_FETCH), .observable = true, .handle = say};
    copal_handle_t observable, other;
    assert_int_equal(copal_tree_add_handler(tree, "o", &handler, &observable), 0);
    handler.observable = false;
    assert_int_equal(copal_tree_add_handler(tree, "n", &handler, &other), 0);
    observe("o");
    observe("n");
    assert_int_equal(copal_tree_changed(tree, other), 0);
    assert_not_told(0);
    assert_int_equal(copal_tree_changed(tree, observable), 0);
    assert_int_equal(seen.changed, 1);
    assert_told(observable);
    begin(&ask, COPAL_FETCH, "o");
    copal_write_option_uint(&ask.in, COPAL_OPTION_OBSERVE, 0);
    assert_int_equal(finish(&ask, tree), COPAL_CONTENT);
    assert_int_equal(copal_tree_changed(tree, observable), 0);
    assert_told(observable);
    assert_int_equal(copal_tree_remove(tree, observable), 0);
    assert_int_equal(copal_tree_changed(tree, observable), COPAL_ESTALE);
}

/* The state changes just after the handler has read it. */
static void say_old(void *user, copal_call_t *call)
{
    copal_reply_text(call, COPAL_CONTENT, "old");
    assert_int_equal(copal_tree_changed(tree, *(copal_handle_t *)user), 0);
}

static void a_change_while_the_state_is_being_answered_is_told(void **state)
{
    (void)state;
    copal_handle_t handle;
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .observable = true, .handle = say_old, .user = &handle};
    assert_int_equal(copal_tree_add_handler(tree, "o", &handler, &handle), 0);
    observe("o");
    assert_told(handle);
}

/* A serial handler runs inside the exclusion, and so does what it changes. */
static void change_inside(void *user, copal_call_t *call)
{
    assert_int_equal(set(*(copal_handle_t *)user, "2"), 0);
    assert_int_equal(seen.changed, 0);
    copal_reply_text(call, COPAL_CHANGED, NULL);
}

static void a_change_within_the_exclusion_is_told_when_it_is_left(void **state)
{
    (void)state;
    copal_handle_t a = add_value(tree, "a", "1");
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_POST), .serial = true, .handle = change_inside, .user = &a};
    assert_int_equal(copal_tree_add_handler(tree, "h", &handler, NULL), 0);
    observe("a");
    assert_int_equal(simple(&ask, tree, COPAL_POST, "h"), COPAL_CHANGED);
    assert_int_equal(seen.changed, 1);
    assert_told(a);
}

#define OBSERVABLE(name) cmocka_unit_test_setup_teardown(name, make_observable, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBSERVABLE(a_change_is_told_once_to_the_worker_whose_peer_asked),
        OBSERVABLE(only_the_workers_that_have_something_new_to_tell_are_woken),
        OBSERVABLE(one_who_is_not_served_again_after_a_change_is_not_told_of_the_next),
        OBSERVABLE(what_changes_after_it_was_taken_and_served_is_told_again),
        OBSERVABLE(what_nobody_asked_to_be_told_of_costs_nothing),
        TEST(a_tree_that_is_not_observable_watches_nothing),
        OBSERVABLE(a_request_of_a_peer_that_changes_the_value_is_told),
        OBSERVABLE(a_request_that_was_refused_is_not_told),
        OBSERVABLE(of_the_properties_those_are_told_that_end_an_observation),
        OBSERVABLE(a_resource_that_is_gone_is_told),
        OBSERVABLE(the_application_tells_that_a_handlers_state_has_changed),
        OBSERVABLE(a_change_while_the_state_is_being_answered_is_told),
        OBSERVABLE(a_change_within_the_exclusion_is_told_when_it_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
