#include "../../src/messaging/identifier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIFETIME     247000
#define NON_LIFETIME 145000

static void random_start(void *state, void *buffer, size_t size)
{
    memcpy(buffer, state, size);
}

static copal__counter_t counter;
static uint16_t start;

static copal__identifiers_t identifiers(uint16_t first)
{
    memset(&counter, 0, sizeof counter);
    start = first;
    return (copal__identifiers_t){&counter, 0, random_start, &start};
}

static uint32_t take(copal__identifiers_t *ids, copal_time_t now)
{
    return copal__identifier_take(ids, now, 0, now + LIFETIME);
}

static void a_counter_starts_at_random_and_counts_up(void **state)
{
    copal__identifiers_t ids = identifiers(65535);
    (void)state;
    assert_int_equal(take(&ids, 0), 65535);
    assert_int_equal(take(&ids, 0), 0);
}

/* At any pace, the same ID comes again only an EXCHANGE_LIFETIME after its last use. */
static void rfc7252_4_4_no_id_is_used_again_within_exchange_lifetime(void **state)
{
    (void)state;
    for (copal_time_t pace = 1; pace <= 16; pace *= 2) { /* IDs a millisecond; then one every few */
        copal__identifiers_t ids = identifiers(12345);
        copal_time_t *last = malloc(65536 * sizeof *last), now = 0;
        for (size_t i = 0; i < 65536; i++)
            last[i] = -LIFETIME;
        for (uint32_t taken = 0; taken < 300000; taken++) {
            uint32_t id = take(&ids, now);
            if (id == COPAL__NONE) {
                assert_true(copal__identifier_free_at(&ids, 0) > now);
                now = copal__identifier_free_at(&ids, 0);
                id = take(&ids, now);
            }
            assert_true(id <= UINT16_MAX);
            assert_true(now - last[id] >= LIFETIME);
            last[id] = now;
            now += pace > 4 ? pace - 4 : taken % 4 == 0;
        }
        free(last);
    }
}

static void an_id_that_left_late_is_kept_from_reuse_from_then_on(void **state)
{
    copal__identifiers_t ids = identifiers(0);
    (void)state;
    for (uint32_t i = 0; i < 65536; i++)
        assert_int_equal(take(&ids, 0), i);
    copal__identifier_touch(&ids, 0, 5, 1000 + LIFETIME); /* queued behind others, sent a second later */
    assert_int_equal(take(&ids, 1000), COPAL__NONE);
    assert_true(copal__identifier_free_at(&ids, 0) == 1000 + LIFETIME);
}

/* A CON among the NON of its segment keeps that for its own lifetime, whatever leaves after it. */
static void rfc7252_4_8_2_an_id_of_a_non_is_free_after_non_lifetime_unless_a_con_is_beside_it(void **state)
{
    (void)state;
    for (int confirmable = 0; confirmable < 2; confirmable++) {
        const copal_time_t free_at = confirmable ? LIFETIME : NON_LIFETIME;
        copal__identifiers_t ids = identifiers(0);
        for (uint32_t i = 0; i < 65536; i++)
            copal__identifier_take(&ids, 0, 0, i == 100 ? free_at : NON_LIFETIME);
        assert_int_equal(copal__identifier_free_at(&ids, 0), free_at);
        assert_int_equal(copal__identifier_take(&ids, free_at - 1, 0, 0), COPAL__NONE);
        assert_int_equal(copal__identifier_take(&ids, free_at, 0, 0), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_starts_at_random_and_counts_up),
        cmocka_unit_test(rfc7252_4_4_no_id_is_used_again_within_exchange_lifetime),
        cmocka_unit_test(rfc7252_4_8_2_an_id_of_a_non_is_free_after_non_lifetime_unless_a_con_is_beside_it),
        cmocka_unit_test(an_id_that_left_late_is_kept_from_reuse_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
