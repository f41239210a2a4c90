/* The bounds of observing, each at n and at n + 1. */
#include "support/observed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static bool registers(bench_t *b, uint32_t peer, copal_bytes_t token, const char *path)
{
    return option_of((observed_get)(b, peer, 0, 1, token, path), COPAL_OPTION_OBSERVE) >= 0;
}

static void past_three_quarters_only_who_is_proven_observes_and_past_the_bound_nobody(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.observers = 8});
    for (uint32_t peer = 1; peer <= 6; peer++)
        assert_true(registers(&b, peer, BYTES(1), "a"));
    assert_false(registers(&b, 7, BYTES(1), "a"));
    assert_int_equal(b.sent.message.code, COPAL_CONTENT);
    assert_true(registers(&b, PROVEN + 7, BYTES(1), "a"));
    assert_true(registers(&b, PROVEN + 8, BYTES(1), "a"));
    assert_false(registers(&b, PROVEN + 9, BYTES(1), "a"));
    assert_true(registers(&b, PROVEN + 8, BYTES(1), "a")); /* its own place */
    assert_int_equal(copal_endpoint_observers(b.endpoint), 8);
    observed_get(&b, PROVEN + 8, 1, 1, BYTES(1), "a");
    assert_true(registers(&b, PROVEN + 9, BYTES(1), "a"));
    bench_close(&b);
}

static void past_the_bound_of_different_requests_a_new_one_is_not_observed(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.observed = 2});
    assert_true(registers(&b, 1, BYTES(1), "a"));
    assert_true(registers(&b, 1, BYTES(2), "b"));
    assert_false(registers(&b, 1, BYTES(3), "c"));
    assert_true(registers(&b, 2, BYTES(3), "a")); /* just the same */
    observed_get(&b, 1, 1, 1, BYTES(2), "b");
    assert_true(registers(&b, 1, BYTES(3), "c"));
    assert_int_equal(copal_endpoint_observers(b.endpoint), 3);
    observed_change(&b, &r, 2);
    observed_told(&b, COPAL_CON, BYTES(3), "c1");
    bench_close(&b);
}

static void requests_that_differ_in_their_etags_only_are_the_same(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    message_t m;
    observed_open_limited(&b, &r, &(copal_limits_t){.observed = 1});
    assert_true(registers(&b, 1, BYTES(1), "a"));
    for (uint8_t etag = 1; etag < 4; etag++) {
        message_start(&m, COPAL_CON, COPAL_GET, etag, BYTES(2));
        copal_write_option(&m.w, COPAL_OPTION_ETAG, BYTES(etag));
        copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        copal_write_option(&m.w, COPAL_OPTION_ECHO, BYTES(etag));
        observed_receive(&b, 1, message_end(&m));
        assert_true(option_of(bench_sent(&b), COPAL_OPTION_OBSERVE) >= 0);
    }
    assert_int_equal(copal_endpoint_observers(b.endpoint), 2);
    bench_close(&b);
}

static void a_request_over_the_bound_of_its_size_is_not_observed(void **state)
{
    static const char query[] = "0123456789012345678";
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        for (unsigned fetch = 0; fetch < 2; fetch++) {
            bench_t b;
            observed_t r;
            message_t m;
            observed_open_limited(&b, &r, &(copal_limits_t){.observed_size = 20});
            message_start(&m, COPAL_CON, fetch ? COPAL_FETCH : COPAL_GET, 1, BYTES(1));
            copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
            message_text_option(&m, COPAL_OPTION_URI_PATH, "a"); /* 2 octets; a query and its head, or a payload: 18 */
            if (fetch)
                copal_write_payload(&m.w, (copal_bytes_t){(const uint8_t *)query, 18 + more});
            else
                copal_write_option(&m.w, COPAL_OPTION_URI_QUERY, (copal_bytes_t){(const uint8_t *)query, 16 + more});
            observed_receive(&b, 1, message_end(&m));
            const copal_message_t *sent = bench_sent(&b);
            assert_int_equal(sent->code, COPAL_CONTENT);
            assert_int_equal(option_of(sent, COPAL_OPTION_OBSERVE) >= 0, !more);
            assert_int_equal(copal_endpoint_observers(b.endpoint), !more);
            bench_close(&b);
        }
    }
}

static void a_token_over_eight_octets_or_the_limit_is_not_observed(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.token_size = 12});
    assert_true(registers(&b, 1, BYTES(1, 2, 3, 4, 5, 6, 7, 8), "a"));
    assert_false(registers(&b, 1, BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9), "a"));
    assert_true(registers(&b, 1, NO_BYTES, "a"));
    bench_close(&b);
    observed_open_limited(&b, &r, &(copal_limits_t){.token_size = 4});
    assert_true(registers(&b, 1, BYTES(1, 2, 3, 4), "a"));
    assert_false(registers(&b, 1, BYTES(1, 2, 3, 4, 5), "a"));
    bench_close(&b);
}

static outcome_t own;

/* A request of the server's own, to anybody else. */
static void ask_another(copal_call_t *call)
{
    const copal_peer_t another = peer_of(77);
    const copal_request_t request = {.to = &another, .code = COPAL_GET};
    copal_handle_t handle;
    copal_writer_t *w;
    assert_int_equal(copal_request_begin(call->endpoint, &request, &handle, &w), 0);
    assert_int_equal(copal_request_commit(call->endpoint, call->now, handle, outcome_open(&own)), 0);
}

/* The handler that is asked for the newer state uses up the last message ID that is free. */
static void a_handler_that_takes_the_last_id_leaves_the_con_as_it_is(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    message_t m;
    observed_open_limited(&b, &r, &(copal_limits_t){.counters = 1});
    r.confirmable = true;
    observed_register(&b, PROVEN + 1);
    observed_change(&b, &r, 0);
    const uint16_t id = observed_told(&b, COPAL_CON, BYTES(1), "a1")->id;
    for (uint32_t left = 65536 - id % 16384 - 1; left > 1; left--) { /* no quarter is entered again yet */
        observed_receive(&b, PROVEN + 2, message_make(&m, COPAL_NON, COPAL_GET, (uint16_t)left, BYTES(2), "a", NULL));
        bench_sent(&b);
    }
    observed_change(&b, &r, 0);
    bench_silent(&b);
    r.meanwhile = ask_another;
    bench_wait(&b);
    bool again = false;
    while (bench_take(&b)) {
        if (b.sent.message.type == COPAL_CON) {
            assert_int_equal(b.sent.message.id, id);
            observed_text(&b.sent.message, "a1");
            again = true;
        }
    }
    assert_true(again);
    message_t ack;
    r.meanwhile = NULL;
    observed_receive(&b, PROVEN + 1, message_empty(&ack, COPAL_ACK, id));
    b.now += 300000;
    observed_told(&b, COPAL_CON, BYTES(1), "a2");
    bench_close(&b);
}

static void where_no_con_can_leave_one_waits_until_it_can(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.notifications = 2});
    r.confirmable = true;
    for (uint32_t peer = 1; peer <= 4; peer++)
        observed_get(&b, PROVEN + peer, 0, 1, BYTES((uint8_t)peer), "a");
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a1");
    observed_told(&b, COPAL_CON, BYTES(2), "a1");
    bench_silent(&b);
    observed_change(&b, &r, 0);
    bench_silent(&b);
    observed_settle(&b, 2, COPAL_ACK); /* who has waited longest comes first */
    observed_told(&b, COPAL_CON, BYTES(3), "a2");
    observed_settle(&b, 3, COPAL_ACK);
    observed_told(&b, COPAL_CON, BYTES(4), "a2");
    observed_settle(&b, 4, COPAL_ACK);
    observed_told(&b, COPAL_CON, BYTES(2), "a2");
    bench_silent(&b);
    bench_close(&b);
}

static void where_no_con_can_leave_a_non_leaves_as_soon_as_it_may(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.notifications = 1});
    observed_register(&b, 9); /* not proven: takes the one slot, and does not acknowledge */
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a1");
    observed_get(&b, PROVEN + 1, 0, 1, BYTES(2), "b");
    observed_get(&b, PROVEN + 2, 0, 1, BYTES(3), "b");
    observed_change(&b, &r, 1);
    observed_told(&b, COPAL_NON, BYTES(2), "b1");
    observed_told(&b, COPAL_NON, BYTES(3), "b1");
    b.now += 100;
    observed_change(&b, &r, 1);
    observed_change(&b, &r, 1);
    bench_silent(&b);
    copal_time_t left = b.now;
    while (!bench_take(&b) || b.sent.message.token.data[0] == 1) /* retransmissions in between */
        if (copal_endpoint_next_timeout(b.endpoint) > b.now)
            bench_wait(&b);
    assert_int_equal(b.now - left, 2900);
    observed_text(&b.sent.message, "b3");
    assert_int_equal(b.sent.message.type, COPAL_NON);
    observed_told(&b, COPAL_NON, BYTES(3), "b3");
    b.now += 600000; /* a CON ought to be, but need not */
    observed_change(&b, &r, 1);
    observed_told(&b, COPAL_NON, BYTES(2), "b4");
    observed_told(&b, COPAL_NON, BYTES(3), "b4");
    bench_close(&b);
}

static void a_notification_waits_for_a_message_id(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    message_t m;
    observed_open_limited(&b, &r, &(copal_limits_t){.counters = 1});
    observed_register(&b, PROVEN + 1);
    copal_from_t from = {.peer = peer_of(2), .proven = true};
    do { /* another client's answers use them up */
        message_make(&m, COPAL_NON, COPAL_GET, (uint16_t)r.runs, BYTES(1), "a", NULL);
        bench_receive_from(&b, &from, message_end(&m));
    } while (bench_take(&b));
    observed_change(&b, &r, 0);
    bench_silent(&b);
    observed_change(&b, &r, 0);
    copal_time_t since = b.now;
    while (!bench_take(&b))
        bench_wait(&b);
    observed_text(&b.sent.message, "a2");
    assert_in_range(b.now - since, 145000, 145000 + 3000); /* NON_LIFETIME (RFC 7252 section 4.8.2) */
    bench_idle(&b);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_three_quarters_only_who_is_proven_observes_and_past_the_bound_nobody),
        cmocka_unit_test(past_the_bound_of_different_requests_a_new_one_is_not_observed),
        cmocka_unit_test(requests_that_differ_in_their_etags_only_are_the_same),
        cmocka_unit_test(a_request_over_the_bound_of_its_size_is_not_observed),
        cmocka_unit_test(a_token_over_eight_octets_or_the_limit_is_not_observed),
        cmocka_unit_test(a_handler_that_takes_the_last_id_leaves_the_con_as_it_is),
        cmocka_unit_test(where_no_con_can_leave_one_waits_until_it_can),
        cmocka_unit_test(where_no_con_can_leave_a_non_leaves_as_soon_as_it_may),
        cmocka_unit_test(a_notification_waits_for_a_message_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
