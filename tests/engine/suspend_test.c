/* A machine that slept: to the engine a month has passed from one call to the next. Nobody is told twice, nothing is sent in a
 * storm, and all goes on. */
#include "support/observed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MANY = 10 };
#define MONTH ((copal_time_t)30 * 24 * 3600 * 1000)

/* How many datagrams leave now; nothing else is due then. */
static unsigned leaving(bench_t *b)
{
    unsigned count = 0;
    while (bench_take(b))
        check(++count < 1000);
    check(copal_endpoint_next_timeout(b->endpoint) > b->now);
    return count;
}

static void requests_under_way_are_sent_once_more_or_end(void **state)
{
    (void)state;
    bench_t b;
    static outcome_t outcomes[MANY];
    bench_open(&b, &(copal_config_t){.limits = {.requests = MANY}});
    for (uint32_t i = 0; i < MANY; i++)
        bench_ask(&b, i, COPAL_GET, i % 2 == 0, &outcomes[i]);
    assert_int_equal(leaving(&b), MANY);
    for (unsigned nights = 1; copal_endpoint_next_timeout(b.endpoint) != COPAL_NEVER; nights++) {
        assert_in_range(nights, 1, 10);
        b.now += MONTH;
        assert_in_range(leaving(&b), 0, MANY / 2);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(outcomes[i].count, 1);
        assert_int_equal(outcomes[i].status, COPAL_ETIMEOUT);
    }
    bench_close(&b);
}

static void an_answer_that_came_meanwhile_still_counts(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    bench_ask_token(&b, 1, true, BYTES(7), &o);
    const uint16_t id = bench_sent(&b)->id;
    b.now += MONTH;
    bench_accept(&b, 1, message_make(&m, COPAL_ACK, COPAL_CONTENT, id, BYTES(7), NULL, "late"));
    assert_int_equal(o.status, 0);
    assert_int_equal(o.code, COPAL_CONTENT);
    bench_idle(&b);
    bench_close(&b);
}

static void each_observer_is_told_once_of_what_has_changed(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.notifications = 2 * MANY});
    for (uint32_t i = 0; i < MANY; i++)
        observed_register(&b, PROVEN + i);
    observed_change(&b, &r, 0);
    assert_int_equal(leaving(&b), MANY);
    b.now += MONTH;
    leaving(&b); /* those of before that were CON */
    observed_change(&b, &r, 0);
    observed_change(&b, &r, 0);
    assert_int_equal(leaving(&b), MANY);
    bench_close(&b);
}

static void duplicates_of_before_are_forgotten_and_new_requests_served(void **state)
{
    (void)state;
    bench_t b;
    server_t s = {0};
    message_t m;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    for (unsigned nights = 0; nights < 3; nights++) {
        for (uint16_t id = 0; id < 100; id++) {
            bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_POST, id, BYTES(1), "a", "x"));
            bench_sent(&b);
        }
        assert_int_equal(s.runs, 100 * (nights + 1));
        b.now += MONTH;
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_under_way_are_sent_once_more_or_end),
        cmocka_unit_test(an_answer_that_came_meanwhile_still_counts),
        cmocka_unit_test(each_observer_is_told_once_of_what_has_changed),
        cmocka_unit_test(duplicates_of_before_are_forgotten_and_new_requests_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
