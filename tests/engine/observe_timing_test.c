/* When notifications leave, and as what (RFC 7641 section 4.5). */
#include "support/observed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- CON and NON ------------------------------------------------------------------------------------------------- */

static void the_first_to_an_address_that_is_not_proven_is_con(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    for (int i = 0; i < 3; i++) {
        observed_change(&b, &r, 0);
        assert_int_equal(bench_sent(&b)->type, i ? COPAL_NON : COPAL_CON);
        if (i == 0)
            observed_settle(&b, 1, COPAL_ACK);
        b.now += 5000;
    }
    observed_register(&b, 1); /* a new one */
    observed_change(&b, &r, 0);
    assert_int_equal(bench_sent(&b)->type, COPAL_CON);
    bench_close(&b);
}

static void confirmable_by_choice_is_always_con(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    r.confirmable = true;
    observed_register(&b, PROVEN + 1);
    for (int i = 0; i < 3; i++) {
        observed_change(&b, &r, 0);
        assert_int_equal(bench_sent(&b)->type, COPAL_CON);
        observed_settle(&b, 1, COPAL_ACK);
        b.now += 5000;
    }
    r.confirmable = false; /* told by the answer, for the next one */
    observed_change(&b, &r, 0);
    bench_sent(&b);
    observed_settle(&b, 1, COPAL_ACK);
    b.now += 5000;
    observed_change(&b, &r, 0);
    assert_int_equal(bench_sent(&b)->type, COPAL_NON);
    b.now += 5000;
    r.confirmable = true; /* and at once */
    observed_change(&b, &r, 0);
    assert_int_equal(bench_sent(&b)->type, COPAL_CON);
    bench_close(&b);
}

static void a_notification_is_con_where_the_last_one_is_long_ago(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, PROVEN + 1);
    b.now += 598000;
    observed_change(&b, &r, 0);
    assert_int_equal(bench_sent(&b)->type, COPAL_NON);
    b.now += 5000;
    observed_change(&b, &r, 0);
    assert_int_equal(bench_sent(&b)->type, COPAL_CON);
    observed_settle(&b, 1, COPAL_ACK);
    b.now += 598000;
    observed_change(&b, &r, 0);
    assert_int_equal(bench_sent(&b)->type, COPAL_NON);
    bench_close(&b);
}

static void rfc7641_4_5_1_one_that_leaves_soon_after_another_is_con(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, PROVEN + 1);
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(1), "a1");
    b.now += 2999;
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a2");
    observed_settle(&b, 1, COPAL_ACK);
    b.now += 3000;
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(1), "a3");
    bench_idle(&b);
    bench_close(&b);
}

static void a_con_is_retransmitted_and_its_time_out_ends_the_observation(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    observed_change(&b, &r, 0);
    uint16_t id = observed_told(&b, COPAL_CON, BYTES(1), "a1")->id;
    for (int i = 0; i < 4; i++) {
        bench_wait(&b);
        assert_int_equal(observed_told(&b, COPAL_CON, BYTES(1), "a1")->id, id);
    }
    assert_int_equal(copal_endpoint_counters(b.endpoint)->notifications, 1);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->retransmitted, 4);
    bench_wait(&b);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    bench_idle(&b);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

static void rfc7641_4_5_2_a_retransmission_carries_the_newest_state_and_goes_on_counting(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    observed_change(&b, &r, 0);
    const copal_message_t *m = observed_told(&b, COPAL_CON, BYTES(1), "a1");
    uint16_t id = m->id;
    int64_t number = option_of(m, COPAL_OPTION_OBSERVE);
    copal_time_t interval = 0;
    for (unsigned i = 0; i < 4; i++) {
        observed_change(&b, &r, 0);
        observed_change(&b, &r, 0);
        bench_silent(&b);
        copal_time_t next = bench_wait(&b);
        assert_true(i == 0 || next == 2 * interval);
        interval = next;
        char text[8];
        snprintf(text, sizeof text, "a%u", 3 + 2 * i);
        m = observed_told(&b, COPAL_CON, BYTES(1), text);
        assert_int_not_equal(m->id, id);
        assert_true(observed_is_newer(option_of(m, COPAL_OPTION_OBSERVE), number));
        bench_receive(&b, 1, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id)); /* of the one before: it says little */
        id = m->id;
        number = option_of(m, COPAL_OPTION_OBSERVE);
    }
    bench_wait(&b);
    bench_idle(&b);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

static void after_the_acknowledgement_the_newest_state_leaves_if_it_changed(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a1");
    observed_change(&b, &r, 0);
    observed_change(&b, &r, 0);
    bench_silent(&b);
    observed_settle(&b, 1, COPAL_ACK);
    observed_told(&b, COPAL_CON, BYTES(1), "a3"); /* soon after the other */
    observed_settle(&b, 1, COPAL_ACK);
    bench_idle(&b);
    bench_close(&b);
}

static void a_reset_between_a_change_and_its_retransmission_ends_the_observation(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a1");
    observed_change(&b, &r, 0);
    observed_settle(&b, 1, COPAL_RST);
    bench_idle(&b);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

static void deregistering_stops_the_retransmission(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    observed_register(&b, 1);
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a1");
    observed_get(&b, 1, 1, 9, BYTES(1), "a");
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7641_4_5_1_one_con_at_a_time_is_on_its_way_to_a_client(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    r.confirmable = true;
    for (uint8_t token = 1; token <= 3; token++)
        observed_get(&b, 1, 0, token, BYTES(token), "a");
    observed_change(&b, &r, 0);
    for (uint8_t token = 1; token <= 3; token++) {
        observed_told(&b, COPAL_CON, BYTES(token), token < 3 ? "a1" : "a2");
        bench_silent(&b);
        if (token == 2)
            observed_change(&b, &r, 0); /* who still waits is told the newest */
        bench_silent(&b);
        observed_settle(&b, 1, COPAL_ACK);
    }
    observed_told(&b, COPAL_CON, BYTES(1), "a2"); /* the change came to it before it was acknowledged by the other */
    observed_get(&b, 1, 1, 9, BYTES(1), "a");         /* the end of one makes room, too */
    observed_told(&b, COPAL_CON, BYTES(2), "a2");
    observed_settle(&b, 1, COPAL_ACK);
    bench_idle(&b);
    bench_close(&b);
}

static void who_waits_for_a_client_s_turn_goes_on_when_the_one_before_it_ends(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open(&b, &r);
    r.confirmable = true;
    for (uint8_t token = 1; token <= 3; token++)
        observed_get(&b, 1, 0, token, BYTES(token), "a");
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_CON, BYTES(1), "a1");
    bench_silent(&b);
    observed_settle(&b, 1, COPAL_ACK);               /* it is the second one's turn */
    observed_get(&b, 1, 1, 9, BYTES(2), "a"); /* which ends before it is told */
    observed_told(&b, COPAL_CON, BYTES(3), "a1");
    observed_settle(&b, 1, COPAL_ACK);
    bench_idle(&b);
    bench_close(&b);
}

static void who_was_told_while_others_are_still_told_is_not_told_again(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    observed_open_limited(&b, &r, &(copal_limits_t){.notifications = 1});
    observed_get(&b, 3, 0, 1, BYTES(3), "b");
    observed_change(&b, &r, 1);
    uint16_t id = observed_told(&b, COPAL_CON, BYTES(3), "b1")->id; /* takes the one place */
    observed_get(&b, PROVEN + 2, 0, 1, BYTES(2), "a");
    observed_register(&b, 1);
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(2), "a1");
    bench_silent(&b);
    b.now += 3500;
    observed_told(&b, COPAL_CON, BYTES(3), "b1");
    observed_change(&b, &r, 0);
    observed_told(&b, COPAL_NON, BYTES(2), "a2"); /* the other one's turn has not come */
    bench_receive(&b, 3, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id));
    observed_told(&b, COPAL_CON, BYTES(1), "a2"); /* but it has waited for longer */
    observed_settle(&b, 1, COPAL_ACK);
    bench_idle(&b);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_to_an_address_that_is_not_proven_is_con),
        cmocka_unit_test(confirmable_by_choice_is_always_con),
        cmocka_unit_test(a_notification_is_con_where_the_last_one_is_long_ago),
        cmocka_unit_test(rfc7641_4_5_1_one_that_leaves_soon_after_another_is_con),
        cmocka_unit_test(a_con_is_retransmitted_and_its_time_out_ends_the_observation),
        cmocka_unit_test(rfc7641_4_5_2_a_retransmission_carries_the_newest_state_and_goes_on_counting),
        cmocka_unit_test(after_the_acknowledgement_the_newest_state_leaves_if_it_changed),
        cmocka_unit_test(a_reset_between_a_change_and_its_retransmission_ends_the_observation),
        cmocka_unit_test(deregistering_stops_the_retransmission),
        cmocka_unit_test(rfc7641_4_5_1_one_con_at_a_time_is_on_its_way_to_a_client),
        cmocka_unit_test(who_waits_for_a_client_s_turn_goes_on_when_the_one_before_it_ends),
        cmocka_unit_test(who_was_told_while_others_are_still_told_is_not_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
