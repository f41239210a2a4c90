#include "../../src/messaging/timer.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>

#include <cmocka.h>

#define SLOTS 64u

static void *memory;

static void open_timers(copal__timers_t *t)
{
    copal__carver_t measure = {NULL, 0}, carver = {NULL, 0};
    copal__timers_lay(t, &measure, SLOTS);
    carver.base = memory = calloc(1, measure.used);
    copal__timers_lay(t, &carver, SLOTS);
}

static void the_earliest_timer_is_due_first(void **state)
{
    copal__timers_t t;
    (void)state;
    open_timers(&t);
    assert_int_equal(copal__timer_due(&t, 1000000), COPAL__NONE);
    assert_true(copal__timer_next(&t) == COPAL_NEVER);
    copal__timer_set(&t, 3, 30);
    copal__timer_set(&t, 1, 10);
    copal__timer_set(&t, 2, 20);
    assert_int_equal(copal__timer_due(&t, 9), COPAL__NONE);
    assert_int_equal(copal__timer_due(&t, 10), 1);
    copal__timer_set(&t, 1, 40); /* set anew, it is later than all */
    assert_int_equal(copal__timer_due(&t, 1000000), 2);
    copal__timer_set(&t, 2, COPAL_NEVER);
    assert_int_equal(copal__timer_due(&t, 1000000), 3);
    assert_true(copal__timer_next(&t) == 30);
    free(memory);
}

static void timers_of_one_time_are_due_in_the_order_they_were_set(void **state)
{
    copal__timers_t t;
    (void)state;
    open_timers(&t);
    for (uint32_t i = 0; i < SLOTS; i++)
        copal__timer_set(&t, (i * 29) % SLOTS, 5);
    for (uint32_t i = 0; i < SLOTS; i++) {
        assert_int_equal(copal__timer_due(&t, 1000000), (i * 29) % SLOTS);
        copal__timer_set(&t, (i * 29) % SLOTS, COPAL_NEVER);
    }
    assert_int_equal(copal__timer_due(&t, 1000000), COPAL__NONE);
    free(memory);
}

/* Against a plain search over all, through many random changes. */
static void any_sequence_of_changes_keeps_the_order(void **state)
{
    copal__timers_t t;
    copal_time_t model[SLOTS];
    uint32_t random = 1;
    (void)state;
    open_timers(&t);
    for (uint32_t i = 0; i < SLOTS; i++)
        model[i] = COPAL_NEVER;
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t slot = random >> 8 & (SLOTS - 1);
        model[slot] = random >> 28 < 5 ? COPAL_NEVER : (copal_time_t)(random >> 14 & 1023);
        copal__timer_set(&t, slot, model[slot]);
        copal_time_t least = COPAL_NEVER;
        for (uint32_t i = 0; i < SLOTS; i++)
            least = model[i] < least ? model[i] : least;
        assert_true(copal__timer_next(&t) == least);
        if (least != COPAL_NEVER)
            assert_true(model[copal__timer_due(&t, least)] == least);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_timer_is_due_first),
        cmocka_unit_test(timers_of_one_time_are_due_in_the_order_they_were_set),
        cmocka_unit_test(any_sequence_of_changes_keeps_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
