/* What an endpoint counts, each by what makes it rise. */
#include "support/observed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const copal_counters_t *counters(bench_t *b) { return copal_endpoint_counters(b->endpoint); }

static void ask(bench_t *b, copal_type_t type, copal_code_t method, uint16_t id)
{
    message_t m;
    bench_receive(b, 1, message_make(&m, type, method, id, BYTES(1), "a", NULL));
}

/* A client that has just sent a CON; its message ID. */
static uint16_t open_client(bench_t *b, outcome_t *o)
{
    bench_open(b, &(copal_config_t){0});
    bench_ask(b, 1, COPAL_GET, true, o);
    return bench_sent(b)->id;
}

static void requests_are_counted_by_method_and_answers_by_class(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    static const copal_code_t codes[] = {COPAL_CONTENT, COPAL_NOT_FOUND, COPAL_INTERNAL_SERVER_ERROR};
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    for (copal_code_t method = COPAL_GET; method <= COPAL_IPATCH; method++) {
        s.code = codes[method % 3];
        ask(&b, COPAL_CON, method, method);
        bench_sent(&b);
        assert_int_equal(counters(&b)->requests[method], 1);
    }
    ask(&b, COPAL_CON, COPAL_IPATCH + 1, 100);
    assert_int_equal(bench_sent(&b)->code, COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(counters(&b)->requests[0], 1);
    assert_int_equal(counters(&b)->answers[0], 2);
    assert_int_equal(counters(&b)->answers[1], 3 + 1);
    assert_int_equal(counters(&b)->answers[2], 2);
    bench_close(&b);
}

static void a_copy_is_a_request_and_a_duplicate_but_no_other_answer(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    ask(&b, COPAL_CON, COPAL_POST, 7);
    ask(&b, COPAL_CON, COPAL_POST, 7);
    assert_int_equal(counters(&b)->requests[COPAL_POST], 2);
    assert_int_equal(counters(&b)->duplicates, 1);
    assert_int_equal(counters(&b)->answers[0], 1);
    bench_close(&b);
}

static void an_answer_given_later_counts_when_it_is_given_and_one_that_never_is_when_it_is_dropped(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    s.defer = true;
    ask(&b, COPAL_CON, COPAL_GET, 1);
    assert_int_equal(copal_endpoint_pending(b.endpoint), 1);
    assert_int_equal(counters(&b)->answers[0], 0);
    bench_answer(&b, s.later, "now");
    assert_int_equal(counters(&b)->answers[0], 1);
    bench_sent(&b);
    bench_silent(&b);
    assert_int_equal(copal_endpoint_pending(b.endpoint), 0);
    ask(&b, COPAL_CON, COPAL_GET, 2);
    b.now += 247000; /* EXCHANGE_LIFETIME */
    while (bench_take(&b))
        ;
    assert_int_equal(counters(&b)->unanswered, 1);
    assert_int_equal(counters(&b)->answers[0], 1);
    assert_int_equal(copal_endpoint_pending(b.endpoint), 0);
    bench_close(&b);
}

static void a_con_that_nobody_acknowledges_counts_once(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    open_client(&b, &o);
    while (o.count == 0) {
        bench_wait(&b);
        while (bench_take(&b))
            ;
    }
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    assert_int_equal(counters(&b)->retransmitted, 4);
    assert_int_equal(counters(&b)->unacknowledged, 1);
    bench_close(&b);
}

static void a_request_that_was_acknowledged_and_never_answered_is_not_unacknowledged(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    const uint16_t id = open_client(&b, &o);
    bench_receive(&b, 1, message_empty(&m, COPAL_ACK, id));
    b.now += 247000;
    while (bench_take(&b))
        ;
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    assert_int_equal(counters(&b)->unacknowledged, 0);
    bench_close(&b);
}

static void a_reset_counts_where_it_answers_a_message_of_ours_and_else_is_ignored(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    const uint16_t id = open_client(&b, &o);
    bench_receive(&b, 1, message_empty(&m, COPAL_RST, (uint16_t)(id + 1)));
    assert_int_equal(counters(&b)->resets, 0);
    assert_int_equal(counters(&b)->ignored, 1);
    bench_receive(&b, 1, message_empty(&m, COPAL_RST, id));
    assert_int_equal(counters(&b)->resets, 1);
    assert_int_equal(counters(&b)->ignored, 1);
    bench_close(&b);
}

static void a_put_whose_entry_made_room_is_forgotten(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    bench_open(&b, &(copal_config_t){.limits = {.remembered = 1}, .service = server_service(&s)});
    ask(&b, COPAL_CON, COPAL_PUT, 1);
    assert_int_equal(counters(&b)->forgotten, 0);
    ask(&b, COPAL_CON, COPAL_PUT, 1000); /* in no row with the other */
    assert_int_equal(counters(&b)->forgotten, 1);
    bench_close(&b);
}

static void an_answer_that_says_service_unavailable_is_a_refusal_whoever_says_it(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    s.code = COPAL_SERVICE_UNAVAILABLE;
    ask(&b, COPAL_CON, COPAL_GET, 1);
    assert_int_equal(counters(&b)->refused, 1);
    bench_close(&b);
}

static void who_asks_to_observe_and_gets_no_place_is_counted(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.observers = 1});
    observed_get(&b, PROVEN + 1, 0, 1, BYTES(1), "a");
    assert_int_equal(counters(&b)->unobserved, 0);
    observed_get(&b, PROVEN + 2, 0, 1, BYTES(1), "a");
    assert_int_equal(counters(&b)->unobserved, 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_method_and_answers_by_class),
        cmocka_unit_test(a_copy_is_a_request_and_a_duplicate_but_no_other_answer),
        cmocka_unit_test(an_answer_given_later_counts_when_it_is_given_and_one_that_never_is_when_it_is_dropped),
        cmocka_unit_test(a_con_that_nobody_acknowledges_counts_once),
        cmocka_unit_test(a_request_that_was_acknowledged_and_never_answered_is_not_unacknowledged),
        cmocka_unit_test(a_reset_counts_where_it_answers_a_message_of_ours_and_else_is_ignored),
        cmocka_unit_test(a_put_whose_entry_made_room_is_forgotten),
        cmocka_unit_test(an_answer_that_says_service_unavailable_is_a_refusal_whoever_says_it),
        cmocka_unit_test(who_asks_to_observe_and_gets_no_place_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
