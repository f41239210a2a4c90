#include "../../src/messaging/guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HALF 1000u
#define NOW  ((copal_time_t)-5000) /* the clock's origin is any */

typedef struct {
    copal__guard_t guard;
    copal__bucket_t buckets[64];
    copal__bucket_t *b;
} fixture_t;

static void open_fixture(fixture_t *f)
{
    *f = (fixture_t){.guard = {.secret = 0x9e3779b97f4a7c15u, .mask = 63, .half = HALF}};
    f->guard.buckets = f->buckets;
    f->b = &f->buckets[5];
}

static copal_peer_t address(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (copal_peer_t){.size = 6, .data = {a, b, c, d, 0x16, 0x33}};
}

static void addresses_of_one_network_share_a_bucket(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    copal_peer_t one = address(10, 1, 2, 3), two = address(10, 1, 2, 77), other = address(10, 1, 3, 3);
    assert_ptr_equal(copal__guard_bucket(&f.guard, &one, 3), copal__guard_bucket(&f.guard, &two, 3));
    assert_ptr_not_equal(copal__guard_bucket(&f.guard, &one, 3), copal__guard_bucket(&f.guard, &other, 3));
    assert_ptr_not_equal(copal__guard_bucket(&f.guard, &one, 0), copal__guard_bucket(&f.guard, &two, 0));
    two.size = 31;
    one.size = 31;
    one.data[30] = 1; /* behind what names the network, and what is not used is not looked at */
    assert_ptr_equal(copal__guard_bucket(&f.guard, &one, 3), copal__guard_bucket(&f.guard, &two, 3));
}

static void networks_spread_over_the_buckets(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    unsigned counts[64] = {0};
    for (unsigned i = 0; i < 64 * 64; i++) {
        copal_peer_t peer = address(10, (uint8_t)(i >> 8), (uint8_t)i, 1);
        counts[copal__guard_bucket(&f.guard, &peer, 3) - f.buckets]++;
    }
    for (unsigned i = 0; i < 64; i++) {
        assert_true(counts[i] > 32);
        assert_true(counts[i] < 128);
    }
}

static void a_bucket_is_low_when_more_than_half_is_spent(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    assert_int_equal(copal__guard_room(&f.guard, f.b, NOW), 2 * HALF);
    assert_int_equal(copal__guard_least_room(&f.guard), HALF);
    copal__guard_spend(&f.guard, f.b, HALF);
    assert_false(f.b->low);
    assert_int_equal(copal__guard_least_room(&f.guard), HALF);
    copal__guard_spend(&f.guard, f.b, 1);
    assert_true(f.b->low);
    assert_int_equal(f.guard.low, 1);
    assert_int_equal(copal__guard_least_room(&f.guard), 0);
    assert_int_equal(copal__guard_room(&f.guard, f.b, NOW), HALF - 1);
    copal__guard_spend(&f.guard, f.b, HALF - 1);
    assert_int_equal(f.guard.low, 1);
    assert_int_equal(copal__guard_room(&f.guard, f.b, NOW), 0);
    copal__guard_refill(&f.guard, f.b, HALF);
    assert_int_equal(f.guard.low, 0);
    copal__guard_refill(&f.guard, f.b, 5 * HALF); /* what was not spent is no credit */
    assert_int_equal(copal__guard_room(&f.guard, f.b, NOW), 2 * HALF);
}

static void an_empty_bucket_spends_nothing_until_it_is_refilled_and_left_in_peace(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    copal__guard_spend(&f.guard, f.b, 2 * HALF - 10);
    copal__guard_withhold(&f.guard, f.b, NOW);
    assert_int_equal(copal__guard_room(&f.guard, f.b, NOW + 100000), 0); /* not refilled */
    copal__guard_refill(&f.guard, f.b, HALF);
    copal__guard_withhold(&f.guard, f.b, NOW + 500);
    assert_int_equal(copal__guard_room(&f.guard, f.b, NOW + 500 + COPAL__GUARD_QUIET - 1), 0);
    assert_int_equal(f.guard.low, 1);
    assert_int_equal(copal__guard_room(&f.guard, f.b, NOW + 500 + COPAL__GUARD_QUIET), HALF + 10);
    assert_int_equal(f.guard.low, 0);
}

static void the_reset_with_the_ID_of_the_ping_proves_whom_it_went_to(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    assert_true(copal__guard_may_ping(f.b, NOW));
    assert_int_equal(copal__guard_ping(&f.guard, f.b, NOW, 42, 0x1234), 0x1234);
    assert_false(copal__guard_is_proof(f.b, NOW + 10, 43, 0x1234));
    assert_true(copal__guard_is_proof(f.b, NOW + 10, 42, 0x1234));
    assert_false(copal__guard_is_proof(f.b, NOW + 10, 42, 0x1234)); /* once */
}

static void a_bucket_pings_once_a_second(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    copal__guard_ping(&f.guard, f.b, NOW, 42, 1);
    assert_false(copal__guard_may_ping(f.b, NOW + COPAL__PING_INTERVAL - 1));
    assert_true(copal__guard_may_ping(f.b, NOW + COPAL__PING_INTERVAL));
}

static void a_peer_that_is_slow_to_answer_gets_the_same_ping_again(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    copal__guard_ping(&f.guard, f.b, NOW, 42, 1);
    assert_int_equal(copal__guard_ping(&f.guard, f.b, NOW + 1000, 42, 2), 1);
    assert_true(copal__guard_is_proof(f.b, NOW + 1000 + COPAL__PING_PATIENCE - 1, 42, 1));
    copal__guard_ping(&f.guard, f.b, NOW, 42, 1);
    assert_false(copal__guard_is_proof(f.b, NOW + COPAL__PING_PATIENCE, 42, 1)); /* too late */
    assert_int_equal(copal__guard_ping(&f.guard, f.b, NOW + COPAL__PING_PATIENCE, 42, 3), 3);
    assert_int_equal(copal__guard_ping(&f.guard, f.b, NOW + COPAL__PING_PATIENCE + 1000, 43, 4), 4); /* another peer */
}

static void who_guesses_the_ID_has_one_try(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    copal__guard_ping(&f.guard, f.b, NOW, 42, 7);
    assert_false(copal__guard_is_proof(f.b, NOW + 1, 42, 6));
    assert_false(copal__guard_is_proof(f.b, NOW + 1, 42, 7));
    assert_int_equal(copal__guard_ping(&f.guard, f.b, NOW + 1000, 42, 9), 9);
    assert_true(copal__guard_is_proof(f.b, NOW + 1001, 42, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_one_network_share_a_bucket),
        cmocka_unit_test(networks_spread_over_the_buckets),
        cmocka_unit_test(a_bucket_is_low_when_more_than_half_is_spent),
        cmocka_unit_test(an_empty_bucket_spends_nothing_until_it_is_refilled_and_left_in_peace),
        cmocka_unit_test(the_reset_with_the_ID_of_the_ping_proves_whom_it_went_to),
        cmocka_unit_test(a_bucket_pings_once_a_second),
        cmocka_unit_test(a_peer_that_is_slow_to_answer_gets_the_same_ping_again),
        cmocka_unit_test(who_guesses_the_ID_has_one_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
