/* The server side of Observe (RFC 7641 section 4): how observations begin, what is told, how they end. */
#include "support/observed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- beginning and ending ---------------------------------------------------------------------------------------- */

static void rfc7641_4_1_a_get_with_observe_0_is_answered_with_observe_and_told_of_changes(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    int64_t first = observed_register(&b, PROVEN + 1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    bench_idle(&b);
    b.now += 10;
    observed_change(&b, &r, 0);
    assert_true(copal_endpoint_next_timeout(b.endpoint) <= b.now);
    const copal_message_t *m = observed_told(&b, COPAL_NON, BYTES(1), "a1");
    assert_true(observed_is_newer(option_of(m, COPAL_OPTION_OBSERVE), first));
    assert_int_equal(option_of(m, COPAL_OPTION_ETAG), 2);
    copal_peer_t peer = peer_of(1);
    assert_true(peer_equal(&b.sent.to, &peer));
    assert_int_equal(b.sent.via, 7);
    assert_int_equal(r.notifications, 1);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->notifications, 1);
    bench_idle(&b);
    bench_close(&b);
}

static void a_get_without_observe_registers_nothing(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    assert_int_equal(option_of(observed_get(&b, 1, -1, 1, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(option_of(observed_get(&b, 1, 1, 2, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(option_of(observed_get(&b, 1, 2, 3, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    observed_change(&b, &r, 0);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7641_4_1_observe_1_ends_the_observation_and_is_answered_as_a_plain_get(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, PROVEN + 1);
    observed_get(&b, PROVEN + 1, 1, 101, BYTES(2), "a"); /* another token, another peer: not those of the observation */
    observed_get(&b, PROVEN + 2, 1, 101, BYTES(1), "a");
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    const copal_message_t *m = observed_get(&b, PROVEN + 1, 1, 102, BYTES(1), "a");
    assert_int_equal(m->code, COPAL_CONTENT);
    assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    observed_change(&b, &r, 0);
    bench_idle(&b);
    bench_close(&b);
}

static void observe_1_ends_the_observation_whatever_the_handler_answers(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    r.code = COPAL_FORBIDDEN;
    assert_int_equal(observed_get(&b, 1, 1, 102, BYTES(1), "a")->code, COPAL_FORBIDDEN);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

static void rfc7641_4_1_the_same_token_again_replaces_the_observation(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    int64_t first = observed_register(&b, PROVEN + 1), second = observed_register(&b, PROVEN + 1);
    assert_true(observed_is_newer(second, first)); /* in order, though nothing changed and no time passed */
    assert_int_equal(option_of(observed_get(&b, PROVEN + 1, 0, 102, BYTES(1), "b"), COPAL_OPTION_OBSERVE) >= 0, 1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    observed_change(&b, &r, 0);
    bench_idle(&b);
    observed_change(&b, &r, 1);
    observed_told(&b, COPAL_NON, BYTES(1), "b1");
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7641_4_5_a_reset_ends_the_observation_of_a_non_and_of_a_con(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    for (unsigned i = 0; i < 2; i++) {
        r.confirmable = i;
        observed_register(&b, PROVEN + 1);
        observed_change(&b, &r, 0);
        assert_int_equal(bench_sent(&b)->type, i ? COPAL_CON : COPAL_NON);
        observed_settle(&b, 2, COPAL_RST); /* another's */
        assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
        observed_settle(&b, 1, COPAL_RST);
        assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
        observed_change(&b, &r, 0);
        bench_idle(&b);
    }
    bench_close(&b);
}

/* ---- what is sent ------------------------------------------------------------------------------------------------ */

static void several_changes_are_told_as_one(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, PROVEN + 1);
    observed_change(&b, &r, 0);
    observed_change(&b, &r, 0);
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(1), "a3");
    bench_idle(&b);
    assert_int_equal(r.notifications, 1);
    bench_close(&b);
}

static void a_change_of_what_nobody_observes_tells_nobody(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    copal_notify(b.endpoint, b.now, 3);
    observed_register(&b, 1);
    copal_notify(b.endpoint, b.now, 3);
    copal_notify(b.endpoint, b.now, UINT32_MAX);
    bench_idle(&b);
    bench_close(&b);
}

static void every_observer_of_a_resource_is_told(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    copal_datagram_t out[64];
    observed_open(&b, &r);
    for (uint32_t peer = 1; peer <= 12; peer++)
        observed_get(&b, PROVEN + peer, 0, 1, BYTES((uint8_t)peer), peer % 3 ? "a" : "b");
    observed_change(&b, &r, 0);
    assert_int_equal(copal_endpoint_send(b.endpoint, b.now, out, 64), 8);
    for (unsigned i = 0; i < 8; i++) { /* all of them hold until the next call */
        copal_message_t m;
        uint32_t number = 1 + i / 2 * 3 + i % 2;
        copal_peer_t peer = peer_of(number);
        assert_int_equal(copal_message_parse(&m, out[i].bytes), 0);
        assert_true(peer_equal(out[i].to, &peer));
        check_bytes(m.token, BYTES((uint8_t)number));
        observed_text(&m, "a1");
    }
    bench_idle(&b);
    bench_close(&b);
}

static void as_many_leave_at_once_as_the_caller_and_the_batch_take(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    copal_datagram_t out[64];
    observed_open_limited(&b, &r, &(copal_limits_t){.batch = 5});
    for (uint32_t peer = 1; peer <= 16; peer++)
        observed_register(&b, PROVEN + peer);
    observed_change(&b, &r, 0);
    assert_int_equal(copal_endpoint_send(b.endpoint, b.now, out, 2), 2);
    assert_true(copal_endpoint_next_timeout(b.endpoint) <= b.now);
    assert_int_equal(copal_endpoint_send(b.endpoint, b.now, out, 64), 5);
    assert_int_equal(copal_endpoint_send(b.endpoint, b.now, out, 64), 5);
    assert_int_equal(copal_endpoint_send(b.endpoint, b.now, out, 64), 4);
    assert_int_equal(copal_endpoint_send(b.endpoint, b.now, out, 64), 0);
    bench_idle(&b);
    bench_close(&b);
}

static void the_handler_is_asked_with_the_request_that_registered(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    message_t m;
    observed_open(&b, &r);
    message_start(&m, COPAL_CON, COPAL_FETCH, 5, BYTES(9, 8));
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "c");
    message_text_option(&m, COPAL_OPTION_URI_QUERY, "x=1");
    message_text_option(&m, COPAL_OPTION_URI_QUERY, "y");
    copal_write_text(&m.w, "filter");
    copal_from_t from = {.peer = peer_of(3), .via = 9, .proven = true, .network = 3};
    bench_receive_from(&b, &from, message_end(&m));
    assert_true(option_of(bench_sent(&b), COPAL_OPTION_OBSERVE) >= 0);
    memset(r.payload, 0, sizeof r.payload);
    r.queries = 0;
    observed_change(&b, &r, 2);
    observed_told(&b, COPAL_NON, BYTES(9, 8), "c1");
    assert_int_equal(b.sent.via, 9);
    assert_int_equal(r.method, COPAL_FETCH);
    assert_string_equal(r.payload, "filter");
    assert_int_equal(r.queries, 2);
    assert_true(peer_equal(&r.from.peer, &from.peer));
    assert_int_equal(r.from.via, 9);
    assert_int_equal(r.from.network, 3);
    assert_true(r.from.proven);
    bench_close(&b);
}

static void rfc7959_2_6_a_notification_of_a_long_body_is_its_first_block(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    message_t m;
    observed_open(&b, &r);
    r.body_size = 1998;
    assert_int_equal(option_of(observed_get(&b, PROVEN + 1, 0, 1, BYTES(1), "a"), COPAL_OPTION_BLOCK2), 8 + 6);
    message_start(&m, COPAL_CON, COPAL_GET, 2, BYTES(2)); /* smaller blocks are asked for */
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, 2);
    observed_receive(&b, PROVEN + 1, message_end(&m));
    assert_true(option_of(bench_sent(&b), COPAL_OPTION_OBSERVE) >= 0);
    observed_change(&b, &r, 0);
    for (int i = 0; i < 2; i++) {
        const copal_message_t *sent = bench_sent(&b);
        bool first = sent->token.data[0] == 1;
        assert_true(option_of(sent, COPAL_OPTION_OBSERVE) >= 0);
        assert_int_equal(option_of(sent, COPAL_OPTION_BLOCK2), first ? 8 + 6 : 8 + 2);
        assert_int_equal(sent->payload.size, first ? 1024 : 64);
        assert_memory_equal(sent->payload.data, "a1", 2);
    }
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7959_2_6_who_asks_for_a_later_block_does_not_observe(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    message_t m;
    observed_open(&b, &r);
    r.body_size = 100;
    message_start(&m, COPAL_CON, COPAL_GET, 2, BYTES(2));
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, 1 << 4);
    observed_receive(&b, 1, message_end(&m));
    const copal_message_t *sent = bench_sent(&b);
    assert_int_equal(sent->code, COPAL_CONTENT);
    assert_int_equal(option_of(sent, COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

/* ---- how it ends ------------------------------------------------------------------------------------------------- */

/* The last notification: CON, of this code, without Observe; the observation is gone, but it goes on until acknowledged. */
static void check_last(bench_t *b, copal_code_t code)
{
    const copal_message_t *m = (bench_sent)(b);
    uint16_t id = m->id;
    check_equal(m->type, COPAL_CON);
    check_equal(m->code, code);
    check_bytes(m->token, BYTES(1));
    check_equal(option_of(m, COPAL_OPTION_OBSERVE), -1);
    check_equal(copal_endpoint_observers(b->endpoint), 0);
    (bench_wait)(b);
    check_equal((bench_sent)(b)->id, id);
    observed_settle(b, 1, COPAL_ACK);
    (bench_idle)(b);
}
#define check_last(...) CHECKED(check_last(__VA_ARGS__))

static void rfc7641_4_2_an_error_is_told_and_ends_the_observation(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, PROVEN + 1);
    r.code = COPAL_METHOD_NOT_ALLOWED;
    observed_change(&b, &r, 0);
    check_last(&b, COPAL_METHOD_NOT_ALLOWED);
    r.code = COPAL_CONTENT;
    observed_change(&b, &r, 0);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7641_4_2_another_content_format_is_told_as_4_06_and_ends_the_observation(void **state)
{
    static const int32_t formats[][2] = {{40, 41}, {40, 0}, {0, 40}};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        bench_t b;
        observed_t r;
        observed_open(&b, &r);
        r.format = formats[i][0];
        observed_register(&b, PROVEN + 1);
        observed_change(&b, &r, 0);
        observed_told(&b, COPAL_NON, BYTES(1), "a1");
        r.code = COPAL_VALID; /* has none, and is no other */
        r.format = 0;
        b.now += 5000;
        observed_change(&b, &r, 0);
        assert_int_equal(bench_sent(&b)->code, COPAL_VALID);
        assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
        r.code = COPAL_CONTENT;
        r.format = formats[i][1];
        b.now += 5000;
        observed_change(&b, &r, 0);
        check_last(&b, COPAL_NOT_ACCEPTABLE);
        bench_close(&b);
    }
}

static void the_content_format_is_that_of_the_first_answer_that_has_content(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    r.code = COPAL_VALID;
    assert_true(option_of(observed_get(&b, PROVEN + 1, 0, 1, BYTES(1), "a"), COPAL_OPTION_OBSERVE) >= 0);
    r.code = COPAL_CONTENT;
    r.format = 40;
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(1), "a1");
    r.format = 41;
    observed_change(&b, &r, 0);
    check_last(&b, COPAL_NOT_ACCEPTABLE);
    bench_close(&b);
}

static void what_is_observed_no_more_ends_with_4_04(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        bench_t b;
        observed_t r;
        observed_open(&b, &r);
        observed_register(&b, PROVEN + 1);
        r.unobservable = i == 0;
        r.generation += i; /* another subject in the same slot */
        observed_change(&b, &r, 0);
        check_last(&b, COPAL_NOT_FOUND);
        bench_close(&b);
    }
}

static void an_answer_that_is_not_2_xx_registers_nothing(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    r.code = COPAL_NOT_FOUND;
    assert_int_equal(option_of(observed_get(&b, 1, 0, 1, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    r.code = COPAL_CONTENT;
    observed_register(&b, 1);
    r.code = COPAL_NOT_FOUND; /* and ends what was there by that token */
    observed_get(&b, 1, 0, 2, BYTES(1), "a");
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

static void nobody_observes_by_multicast(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    message_t m;
    observed_open(&b, &r);
    copal_endpoint_hear_groups(b.endpoint);
    observed_register(&b, 1);
    for (uint32_t observe = 0; observe < 2; observe++) {
        copal_from_t from = {.peer = peer_of(1), .via = 7, .multicast = true};
        message_start(&m, COPAL_NON, COPAL_GET, (uint16_t)observe, BYTES((uint8_t)(2 - observe)));
        copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, observe);
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        bench_receive_from(&b, &from, message_end(&m));
        bench_wait(&b);
        assert_int_equal(option_of(bench_sent(&b), COPAL_OPTION_OBSERVE), -1);
        assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7641_4_1_a_get_with_observe_0_is_answered_with_observe_and_told_of_changes),
        cmocka_unit_test(a_get_without_observe_registers_nothing),
        cmocka_unit_test(rfc7641_4_1_observe_1_ends_the_observation_and_is_answered_as_a_plain_get),
        cmocka_unit_test(observe_1_ends_the_observation_whatever_the_handler_answers),
        cmocka_unit_test(rfc7641_4_1_the_same_token_again_replaces_the_observation),
        cmocka_unit_test(rfc7641_4_5_a_reset_ends_the_observation_of_a_non_and_of_a_con),
        cmocka_unit_test(several_changes_are_told_as_one),
        cmocka_unit_test(a_change_of_what_nobody_observes_tells_nobody),
        cmocka_unit_test(every_observer_of_a_resource_is_told),
        cmocka_unit_test(as_many_leave_at_once_as_the_caller_and_the_batch_take),
        cmocka_unit_test(the_handler_is_asked_with_the_request_that_registered),
        cmocka_unit_test(rfc7959_2_6_a_notification_of_a_long_body_is_its_first_block),
        cmocka_unit_test(rfc7959_2_6_who_asks_for_a_later_block_does_not_observe),
        cmocka_unit_test(rfc7641_4_2_an_error_is_told_and_ends_the_observation),
        cmocka_unit_test(rfc7641_4_2_another_content_format_is_told_as_4_06_and_ends_the_observation),
        cmocka_unit_test(the_content_format_is_that_of_the_first_answer_that_has_content),
        cmocka_unit_test(what_is_observed_no_more_ends_with_4_04),
        cmocka_unit_test(an_answer_that_is_not_2_xx_registers_nothing),
        cmocka_unit_test(nobody_observes_by_multicast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
