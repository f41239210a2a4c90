#include "dtls/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool take(copal__window_t *w, uint64_t number)
{
    if (!copal__window_is_new(w, number))
        return false;
    copal__window_add(w, number);
    return true;
}

static void each_number_is_taken_once(void **state)
{
    copal__window_t w = {0};
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        assert_true(take(&w, i));
        assert_false(take(&w, i));
    }
}

static void the_last_64_may_come_late_and_none_before(void **state)
{
    (void)state;
    for (uint64_t age = 0; age < 70; age++) {
        copal__window_t w = {0};
        assert_true(take(&w, 1000));
        assert_int_equal(take(&w, 1000 - age), age > 0 && age < 64);
    }
}

static void a_leap_forgets_what_lies_behind(void **state)
{
    (void)state;
    for (uint64_t leap = 1; leap < 70; leap++) {
        copal__window_t w = {0};
        assert_true(take(&w, 5));
        assert_true(take(&w, 5 + leap));
        assert_false(take(&w, 5)); /* seen, or too old */
        assert_int_equal(take(&w, 4), leap + 1 < 64);
    }
}

static void the_largest_number_is_one(void **state)
{
    copal__window_t w = {0};
    const uint64_t largest = (1ull << 48) - 1;
    (void)state;
    assert_true(take(&w, 0));
    assert_true(take(&w, largest));
    assert_false(take(&w, largest));
    assert_true(take(&w, largest - 63));
    assert_false(take(&w, largest - 64));
}

static void asking_takes_nothing(void **state)
{
    copal__window_t w = {0};
    (void)state;
    assert_true(copal__window_is_new(&w, 1ull << 40)); /* of a record that turns out to be forged */
    assert_true(take(&w, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_taken_once),
        cmocka_unit_test(the_last_64_may_come_late_and_none_before),
        cmocka_unit_test(a_leap_forgets_what_lies_behind),
        cmocka_unit_test(the_largest_number_is_one),
        cmocka_unit_test(asking_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
