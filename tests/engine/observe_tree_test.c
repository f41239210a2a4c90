/* Observing resources of a tree: what ends an observation and with what, through tree and endpoint (RFC 7641). */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PEER  1u
#define TOKEN BYTES(0x0b, 0x5e)

typedef struct {
    bench_t bench;
    copal_handle_t resource; /* at "a" */
    uint16_t id;
} fixture_t;

static fixture_t fixture;
static bench_t *const b = &fixture.bench;

static const copal_value_options_t plain = {
    .content_format = 0, .max_age = 9, .etag = true, .methods = COPAL_METHODS_ALL};

static int open_with(const copal_value_options_t *options)
{
    fixture = (fixture_t){.id = 1};
    bench_open_tree(b, &(copal_config_t){0}, 1000);
    return copal_tree_add_value(b->tree, "a", copal_text("1"), options, &fixture.resource);
}

static int make(void **state)
{
    (void)state;
    return open_with(&plain);
}

static int drop(void **state)
{
    (void)state;
    bench_close(b);
    return 0;
}

/* A GET of "a" with Observe 0 and, if it is above -1, Accept. */
static const copal_message_t *observe(int32_t accept)
{
    message_t m;
    message_start(&m, COPAL_CON, COPAL_GET, fixture.id++, TOKEN);
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (accept >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_ACCEPT, (uint32_t)accept);
    bench_accept(b, PEER, message_end(&m));
    const copal_message_t *answer = bench_sent(b);
    assert_int_equal(answer->code, COPAL_CONTENT);
    assert_true(option_of(answer, COPAL_OPTION_OBSERVE) >= 0);
    return answer;
}

static void set(const char *value)
{
    assert_int_equal(copal_tree_set_value(b->tree, fixture.resource, copal_text(value)), 0);
}

/* Another peer's request that is answered with this code. */
static void by_other_peer(copal_code_t method, int32_t content_format, const char *payload, copal_code_t code)
{
    message_t m;
    message_start(&m, COPAL_CON, method, fixture.id++, NO_BYTES);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (content_format >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)content_format);
    if (payload)
        copal_write_text(&m.w, payload);
    bench_accept(b, PEER + 1, message_end(&m));
    assert_int_equal(bench_sent(b)->code, code);
}

/* The next datagram is a notification; acknowledged, where it asks for that. */
static const copal_message_t *notification(void)
{
    const copal_message_t *m = bench_sent(b);
    copal_peer_t to = peer_of(PEER);
    assert_true(peer_equal(&b->sent.to, &to));
    assert_int_equal(m->token.size, 2);
    assert_memory_equal(m->token.data, TOKEN.data, 2);
    if (m->type == COPAL_CON) {
        message_t ack;
        bench_accept(b, PEER, message_empty(&ack, COPAL_ACK, m->id));
    }
    return m;
}

static void assert_state(const char *value)
{
    const copal_message_t *m = notification();
    assert_int_equal(m->code, COPAL_CONTENT);
    assert_true(option_of(m, COPAL_OPTION_OBSERVE) >= 0);
    assert_int_equal(m->payload.size, strlen(value));
    assert_memory_equal(m->payload.data, value, m->payload.size);
}

/* The observation ends with this code, and nothing is told any more. */
static void assert_end(copal_code_t code)
{
    const copal_message_t *m = notification();
    assert_int_equal(m->code, code);
    assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), -1); /* section 4.2: "MUST NOT include an Observe Option" */
    assert_int_equal(copal_endpoint_observers(b->endpoint), 0);
    bench_silent(b);
}

static void a_change_is_told_with_the_newest_value_and_its_options(void **state)
{
    (void)state;
    const copal_message_t *answer = observe(-1);
    int64_t first = option_of(answer, COPAL_OPTION_OBSERVE);
    set("2");
    set("3");
    assert_state("3");
    assert_true(option_of(&b->sent.message, COPAL_OPTION_OBSERVE) > first);
    assert_int_equal(option_of(&b->sent.message, COPAL_OPTION_ETAG), 3);
    assert_int_equal(option_of(&b->sent.message, COPAL_OPTION_CONTENT_FORMAT), 0);
    assert_int_equal(option_of(&b->sent.message, COPAL_OPTION_MAX_AGE), 9);
    bench_silent(b);
    b->now += 10000;
    by_other_peer(COPAL_PUT, -1, "4", COPAL_CHANGED);
    assert_state("4");
    b->now += 10000;
    by_other_peer(COPAL_POST, -1, "5", COPAL_CHANGED);
    assert_state("5");
    bench_silent(b);
}

static void get_switched_off_ends_it_with_4_05(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    observe(-1);
    options.methods &= ~COPAL_METHOD(COPAL_GET);
    assert_int_equal(copal_tree_set_options(b->tree, fixture.resource, &options), 0);
    assert_end(COPAL_METHOD_NOT_ALLOWED);
    set("2");
    bench_silent(b);
}

static void another_method_switched_off_is_not_told(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    observe(-1);
    options.methods = COPAL_METHOD(COPAL_GET);
    assert_int_equal(copal_tree_set_options(b->tree, fixture.resource, &options), 0);
    bench_silent(b);
    set("2");
    assert_state("2");
}

static void another_media_type_ends_it_with_4_06(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    observe(-1);
    options.content_format = 50;
    assert_int_equal(copal_tree_set_options(b->tree, fixture.resource, &options), 0);
    assert_end(COPAL_NOT_ACCEPTABLE);
}

static void a_put_of_another_media_type_ends_it_with_4_06(void **state)
{
    (void)state;
    observe(0);
    by_other_peer(COPAL_PUT, 50, "{}", COPAL_CHANGED);
    assert_end(COPAL_NOT_ACCEPTABLE);
}

static void a_removed_resource_ends_it_with_4_04(void **state)
{
    (void)state;
    observe(-1);
    assert_int_equal(copal_tree_remove(b->tree, fixture.resource), 0);
    assert_end(COPAL_NOT_FOUND);
}

static void a_delete_ends_it_with_4_04(void **state)
{
    (void)state;
    observe(-1);
    by_other_peer(COPAL_DELETE, -1, NULL, COPAL_DELETED);
    assert_end(COPAL_NOT_FOUND);
}

static void another_resource_in_the_place_of_the_removed_one_is_not_the_observed_one(void **state)
{
    (void)state;
    observe(-1);
    assert_int_equal(copal_tree_remove(b->tree, fixture.resource), 0);
    assert_int_equal(copal_tree_add_value(b->tree, "a", copal_text("new"), &plain, NULL), 0);
    assert_end(COPAL_NOT_FOUND);
}

static void a_resource_of_which_each_notification_is_confirmed_sends_con(void **state)
{
    (void)state;
    copal_value_options_t options = plain;
    bench_close(b);
    options.confirm = true;
    assert_int_equal(open_with(&options), 0);
    observe(-1);
    for (int i = 0; i < 3; i++) {
        set("x");
        assert_state("x");
        assert_int_equal(b->sent.message.type, COPAL_CON);
        b->now += 10000;
    }
}

static const char *told;

static void tell(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply_text(call, COPAL_CONTENT, told);
}

static void a_handlers_state_is_told_when_the_application_says_so(void **state)
{
    (void)state;
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .observable = true, .handle = tell};
    told = "one";
    assert_int_equal(copal_tree_remove(b->tree, fixture.resource), 0);
    assert_int_equal(copal_tree_add_handler(b->tree, "a", &handler, &fixture.resource), 0);
    observe(-1);
    told = "two";
    assert_int_equal(copal_tree_changed(b->tree, fixture.resource), 0);
    assert_state("two");
    assert_int_equal(copal_tree_remove(b->tree, fixture.resource), 0);
    assert_end(COPAL_NOT_FOUND);
}

static void a_resource_once_observed_costs_nothing_when_nobody_is_left(void **state)
{
    (void)state;
    message_t m;
    uint32_t slot;
    observe(-1);
    message_start(&m, COPAL_CON, COPAL_GET, fixture.id++, TOKEN);
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 1);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    bench_accept(b, PEER, message_end(&m));
    assert_int_equal(option_of(bench_sent(b), COPAL_OPTION_OBSERVE), -1);
    set("2"); /* this one is still told of, to nobody */
    bench_silent(b);
    set("3");
    assert_false(copal_tree_next_change(b->tree, 0, &slot));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_told_with_the_newest_value_and_its_options),
        TEST(get_switched_off_ends_it_with_4_05),
        TEST(another_method_switched_off_is_not_told),
        TEST(another_media_type_ends_it_with_4_06),
        TEST(a_put_of_another_media_type_ends_it_with_4_06),
        TEST(a_removed_resource_ends_it_with_4_04),
        TEST(a_delete_ends_it_with_4_04),
        TEST(another_resource_in_the_place_of_the_removed_one_is_not_the_observed_one),
        TEST(a_resource_of_which_each_notification_is_confirmed_sends_con),
        TEST(a_handlers_state_is_told_when_the_application_says_so),
        TEST(a_resource_once_observed_costs_nothing_when_nobody_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
