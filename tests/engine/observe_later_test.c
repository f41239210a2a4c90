/* Observing what is answered later: registrations and notifications whose handlers defer. */
#include "support/observed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void open(bench_t *b, observed_t *r)
{
    observed_open(b, r);
    r->defer = true;
}

/* Registers with an answer that rides on the ACK. */
static int64_t register_later(bench_t *b, observed_t *r, uint32_t peer)
{
    observed_ask(b, peer, 0, 100, BYTES(1), "a");
    bench_silent(b);
    check_equal(observed_answer(b, r, 0), 0);
    const copal_message_t *m = (bench_sent)(b);
    check_equal(m->type, COPAL_ACK);
    int64_t number = option_of(m, COPAL_OPTION_OBSERVE);
    check(number >= 0);
    check_equal(copal_endpoint_observers(b->endpoint), 1);
    return number;
}
#define register_later(...) CHECKED(register_later(__VA_ARGS__))

static void a_deferred_answer_registers_when_it_is_committed(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    int64_t first = register_later(&b, &r, PROVEN + 1);
    bench_idle(&b);
    r.defer = false;
    observed_change(&b, &r, 0);
    assert_true(observed_is_newer(option_of(observed_told(&b, COPAL_NON, BYTES(1), "a1"), COPAL_OPTION_OBSERVE), first));
    bench_idle(&b);
    bench_close(&b);
}

static void a_separate_response_registers_and_its_acknowledgement_counts(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    observed_ask(&b, 1, 0, 100, BYTES(1), "a");
    bench_silent(&b);
    bench_wait(&b);
    assert_int_equal(bench_sent(&b)->code, COPAL_EMPTY);
    observed_answer(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a0");
    observed_change(&b, &r, 0);
    bench_silent(&b);
    r.defer = false;
    observed_settle(&b, 1, COPAL_ACK);
    observed_told(&b, COPAL_CON, BYTES(1), "a1"); /* soon after the other */
    observed_settle(&b, 1, COPAL_ACK);
    b.now += 5000;
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(1), "a2");
    bench_idle(&b);
    bench_close(&b);
}

static void a_separate_response_that_is_rejected_or_lost_registers_nothing(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        bench_t b;
        observed_t r;
        open(&b, &r);
        observed_ask(&b, 1, 0, 100, BYTES(1), "a");
        bench_silent(&b);
        bench_wait(&b);
        bench_sent(&b);
        observed_answer(&b, &r, 0);
        bench_sent(&b);
        if (!lost)
            observed_settle(&b, 1, COPAL_RST);
        for (int i = 0; lost && i < 5; i++) {
            bench_wait(&b);
            assert_int_equal(bench_take(&b), i < 4);
        }
        assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void a_deferred_answer_that_is_an_error_registers_nothing(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    observed_ask(&b, 1, 0, 100, BYTES(1), "a");
    r.code = COPAL_NOT_FOUND;
    observed_answer(&b, &r, 0);
    const copal_message_t *m = bench_sent(&b);
    assert_int_equal(m->code, COPAL_NOT_FOUND);
    assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_idle(&b);
    bench_close(&b);
}

static void what_changes_before_the_answer_leaves_is_told_after_it(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    observed_ask(&b, PROVEN + 1, 0, 100, BYTES(1), "a");
    observed_change(&b, &r, 0);
    bench_silent(&b);
    observed_answer(&b, &r, 0); /* the engine cannot know how new that is */
    observed_text(bench_sent(&b), "a1");
    r.defer = false;
    observed_told(&b, COPAL_NON, BYTES(1), "a1");
    bench_idle(&b);
    bench_close(&b);
}

static void a_call_that_is_never_answered_registers_nothing(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    observed_ask(&b, 1, 0, 100, BYTES(1), "a");
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1); /* it has its place */
    bench_silent(&b);
    bench_wait(&b);
    bench_sent(&b);
    bench_wait(&b);
    bench_idle(&b);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

static void deregistering_meanwhile_leaves_a_plain_answer(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    observed_ask(&b, 1, 0, 100, BYTES(1), "a");
    r.defer = false;
    observed_get(&b, 1, 1, 101, BYTES(1), "a");
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    assert_int_equal(observed_answer(&b, &r, 0), 0);
    assert_int_equal(option_of(bench_sent(&b), COPAL_OPTION_OBSERVE), -1);
    bench_idle(&b);
    bench_close(&b);
}

static void a_notification_can_be_deferred_and_leaves_when_it_is_committed(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    copal_message_t request;
    open(&b, &r);
    int64_t first = register_later(&b, &r, PROVEN + 1);
    observed_change(&b, &r, 0);
    bench_silent(&b);
    assert_int_equal(r.defer_result, 0);
    assert_int_equal(copal_later_request(b.endpoint, r.later, &request), 0);
    assert_int_equal(request.code, COPAL_GET);
    check_bytes(request.token, BYTES(1));
    observed_change(&b, &r, 0);
    bench_silent(&b);
    assert_int_equal(r.notifications, 1); /* one at a time */
    b.now += 5000;
    assert_int_equal(observed_answer(&b, &r, 0), 0);
    int64_t second = option_of(observed_told(&b, COPAL_NON, BYTES(1), "a2"), COPAL_OPTION_OBSERVE);
    assert_true(observed_is_newer(second, first));
    bench_silent(&b);
    assert_int_equal(r.notifications, 2); /* since there was a change after the handler was asked */
    observed_answer(&b, &r, 0);
    const copal_message_t *m = observed_told(&b, COPAL_CON, BYTES(1), "a2"); /* soon after the other */
    assert_true(observed_is_newer(option_of(m, COPAL_OPTION_OBSERVE), second));
    observed_settle(&b, 1, COPAL_ACK);
    bench_idle(&b);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->notifications, 2);
    bench_close(&b);
}

static void a_reset_to_a_deferred_notification_ends_the_observation(void **state)
{
    (void)state;
    for (int confirmable = 0; confirmable < 2; confirmable++) {
        bench_t b;
        observed_t r;
        open(&b, &r);
        r.confirmable = confirmable;
        register_later(&b, &r, PROVEN + 1);
        observed_change(&b, &r, 0);
        bench_silent(&b);
        observed_answer(&b, &r, 0);
        observed_told(&b, confirmable ? COPAL_CON : COPAL_NON, BYTES(1), "a1");
        observed_settle(&b, 1, COPAL_RST);
        assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void a_deferred_error_or_another_format_ends_the_observation(void **state)
{
    (void)state;
    for (int format = 0; format < 2; format++) {
        bench_t b;
        observed_t r;
        open(&b, &r);
        register_later(&b, &r, PROVEN + 1);
        observed_change(&b, &r, 0);
        bench_silent(&b);
        r.code = format ? COPAL_CONTENT : COPAL_NOT_FOUND;
        r.format = format ? 40 : 0;
        assert_int_equal(observed_answer(&b, &r, 0), 0);
        assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
        const copal_message_t *m = bench_sent(&b);
        assert_int_equal(m->type, COPAL_CON);
        assert_int_equal(m->code, format ? COPAL_NOT_ACCEPTABLE : COPAL_NOT_FOUND);
        assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), -1);
        observed_settle(&b, 1, COPAL_ACK);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void deregistering_makes_a_deferred_notification_stale(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    register_later(&b, &r, PROVEN + 1);
    observed_change(&b, &r, 0);
    bench_silent(&b);
    r.defer = false;
    observed_get(&b, 1, 1, 101, BYTES(1), "a");
    assert_int_equal(observed_answer(&b, &r, 0), COPAL_ESTALE);
    bench_idle(&b);
    bench_close(&b);
}

static void a_notification_that_nobody_answers_is_asked_for_again_with_the_next_change(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    open(&b, &r);
    register_later(&b, &r, PROVEN + 1);
    observed_change(&b, &r, 0);
    bench_silent(&b);
    assert_int_equal(r.notifications, 1);
    b.now += 250000;
    bench_idle(&b);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    r.defer = false;
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(1), "a2");
    bench_close(&b);
}

static void where_there_is_no_room_to_defer_a_notification_is_tried_again(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.deferred = 1});
    observed_get(&b, PROVEN + 1, 0, 1, BYTES(1), "a");
    observed_get(&b, PROVEN + 2, 0, 1, BYTES(2), "a");
    r.defer = true;
    observed_change(&b, &r, 0);
    bench_silent(&b);
    assert_int_equal(r.defer_result, COPAL_EFULL);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 2);
    observed_answer(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(1), "a1");
    bench_silent(&b);
    assert_int_equal(bench_wait(&b), 3000);
    bench_silent(&b);
    assert_int_equal(r.defer_result, 0);
    observed_answer(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(2), "a1");
    bench_idle(&b);
    bench_close(&b);
}

static void a_newer_state_that_is_deferred_takes_the_place_of_a_retransmission(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a1");
    r.defer = true;
    observed_change(&b, &r, 0);
    bench_silent(&b);
    bench_wait(&b);
    bench_silent(&b);
    observed_answer(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a2");
    observed_settle(&b, 1, COPAL_ACK);
    bench_idle(&b);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deferred_answer_registers_when_it_is_committed),
        cmocka_unit_test(a_separate_response_registers_and_its_acknowledgement_counts),
        cmocka_unit_test(a_separate_response_that_is_rejected_or_lost_registers_nothing),
        cmocka_unit_test(a_deferred_answer_that_is_an_error_registers_nothing),
        cmocka_unit_test(what_changes_before_the_answer_leaves_is_told_after_it),
        cmocka_unit_test(a_call_that_is_never_answered_registers_nothing),
        cmocka_unit_test(deregistering_meanwhile_leaves_a_plain_answer),
        cmocka_unit_test(a_notification_can_be_deferred_and_leaves_when_it_is_committed),
        cmocka_unit_test(a_reset_to_a_deferred_notification_ends_the_observation),
        cmocka_unit_test(a_deferred_error_or_another_format_ends_the_observation),
        cmocka_unit_test(deregistering_makes_a_deferred_notification_stale),
        cmocka_unit_test(a_notification_that_nobody_answers_is_asked_for_again_with_the_next_change),
        cmocka_unit_test(where_there_is_no_room_to_defer_a_notification_is_tried_again),
        cmocka_unit_test(a_newer_state_that_is_deferred_takes_the_place_of_a_retransmission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
