#include "../../src/messaging/identifier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIFETIME 247000

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
    return (copal__identifiers_t){&counter, 0, LIFETIME, random_start, &start};
}

static void a_counter_starts_at_random_and_counts_up(void **state)
{
    copal__identifiers_t ids = identifiers(65535);
    (void)state;
    assert_int_equal(copal__identifier_take(&ids, 0, 0), 65535);
    assert_int_equal(copal__identifier_take(&ids, 0, 0), 0);
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
            uint32_t id = copal__identifier_take(&ids, now, 0);
            if (id == COPAL__NONE) {
                assert_true(copal__identifier_free_at(&ids, 0) > now);
                now = copal__identifier_free_at(&ids, 0);
                id = copal__identifier_take(&ids, now, 0);
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
        assert_int_equal(copal__identifier_take(&ids, 0, 0), i);
    copal__identifier_touch(&ids, 1000, 0, 5); /* queued behind others, sent a second later */
    assert_int_equal(copal__identifier_take(&ids, 1000, 0), COPAL__NONE);
    assert_true(copal__identifier_free_at(&ids, 0) == 1000 + LIFETIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_starts_at_random_and_counts_up),
        cmocka_unit_test(rfc7252_4_4_no_id_is_used_again_within_exchange_lifetime),
        cmocka_unit_test(an_id_that_left_late_is_kept_from_reuse_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
