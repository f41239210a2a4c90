#include "../../src/messaging/remembered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIFETIME 1000
#define REPLY 120u /* octets of the largest reply: two chunks */

static void *memory;

static copal__remembered_t table(uint32_t capacity, uint32_t chunks)
{
    copal__remembered_t r;
    memset(&r, 0, sizeof r);
    copal__carver_t measure = {NULL, 0}, carver = {NULL, 0};
    copal__remembered_lay(&r, &measure, capacity, chunks * (uint32_t)sizeof(copal__chunk_t), REPLY);
    carver.base = memory = calloc(1, measure.used);
    copal__remembered_lay(&r, &carver, capacity, chunks * (uint32_t)sizeof(copal__chunk_t), REPLY);
    return r;
}

/* Keys double as peers: each in a bucket of its own. */
static copal__memory_t *add(copal__remembered_t *r, copal_time_t now, uint64_t key, bool hard)
{
    copal__remembered_expire(r, now);
    return copal__remembered_add(r, &(copal__origin_t){key << 56, key, now + LIFETIME}, hard);
}

/* All of one peer. */
static copal__memory_t *add_of_one(copal__remembered_t *r, copal_time_t now, uint64_t key)
{
    copal__remembered_expire(r, now);
    return copal__remembered_add(r, &(copal__origin_t){0, key, now + LIFETIME}, true);
}

static const copal__memory_t *find(copal__remembered_t *r, copal_time_t now, uint64_t key)
{
    copal__remembered_expire(r, now);
    return copal__remembered_find(r, key);
}

static void reply(copal__remembered_t *r, copal__memory_t *m, uint64_t key, size_t size)
{
    uint8_t octets[4 + REPLY] = {0x60, 69};
    for (size_t i = 0; i < size; i++)
        octets[4 + i] = (uint8_t)(key + i);
    copal_writer_t w = {.data = octets, .options = 4, .size = 4 + size};
    copal__remembered_reply(r, m, key, &w, true);
}

static void a_reply_is_found_whole_until_its_lifetime_ends(void **state)
{
    copal__remembered_t r = table(4, 8);
    uint8_t out[REPLY];
    (void)state;
    copal__memory_t *slot = add(&r, 0, 1, true);
    assert_int_equal(find(&r, 0, 1)->outcome, COPAL__RUNNING);
    reply(&r, slot, 1, REPLY);
    const copal__memory_t *m = find(&r, LIFETIME - 1, 1);
    assert_non_null(m);
    assert_int_equal(m->size, REPLY);
    copal__remembered_copy(&r, m, out);
    for (size_t i = 0; i < REPLY; i++)
        assert_int_equal(out[i], (uint8_t)(1 + i));
    assert_null(find(&r, LIFETIME, 1));
    assert_null(find(&r, 0, 2));
    free(memory);
}

static void what_must_stay_is_never_forgotten_early(void **state)
{
    copal__remembered_t r = table(4, 64);
    (void)state;
    for (uint64_t key = 1; key <= 4; key++)
        reply(&r, add(&r, (copal_time_t)key, key, true), key, 0);
    assert_null(add(&r, 10, 5, true));
    assert_null(add(&r, 10, 6, false));
    assert_true(copal__remembered_room_at(&r, 0) == 1 + LIFETIME);
    assert_non_null(add(&r, 1 + LIFETIME, 5, true));
    free(memory);
}

static void what_need_not_stay_makes_room_oldest_first(void **state)
{
    copal__remembered_t r = table(4, 64);
    (void)state;
    for (uint64_t key = 1; key <= 4; key++)
        reply(&r, add(&r, 0, key, false), key, 0);
    assert_non_null(add(&r, 1, 5, false));
    assert_null(find(&r, 1, 1));
    assert_non_null(add(&r, 1, 6, true));
    assert_null(find(&r, 1, 2));
    assert_non_null(find(&r, 1, 3));
    free(memory);
}

static void one_peer_gets_at_most_a_quarter(void **state)
{
    copal__remembered_t r = table(8, 64);
    (void)state;
    reply(&r, add(&r, 5, 9, true), 9, 0);
    for (uint64_t key = 1; key <= 2; key++)
        reply(&r, add_of_one(&r, 6 + (copal_time_t)key, key), key, 0);
    assert_null(add_of_one(&r, 9, 3));
    assert_true(copal__remembered_room_at(&r, 0) == 7 + LIFETIME); /* its own oldest, not that of all */
    assert_non_null(add(&r, 9, 4, true));
    free(memory);
}

static void room_for_the_largest_reply_is_reserved_before_a_request_runs(void **state)
{
    copal__remembered_t r = table(8, 5); /* five chunks: two replies of two, one over */
    (void)state;
    copal__memory_t *first = add(&r, 0, 1, true), *second = add(&r, 0, 2, true);
    assert_null(add(&r, 0, 3, true));
    copal__memory_t *soft = add(&r, 0, 4, false);
    reply(&r, soft, 4, REPLY); /* may not take what is reserved: forgotten, not kept without its reply */
    assert_null(find(&r, 0, 4));
    reply(&r, first, 1, REPLY);
    reply(&r, second, 2, 0); /* took nothing of what was reserved for it */
    assert_non_null(add(&r, 0, 5, true));
    free(memory);
}

static void three_quarters_are_crowded(void **state)
{
    copal__remembered_t r = table(8, 64);
    (void)state;
    for (uint64_t key = 1; key <= 6; key++) {
        assert_false(copal__remembered_crowded(&r));
        reply(&r, add(&r, 0, key, true), key, 0);
    }
    assert_true(copal__remembered_crowded(&r));
    copal__remembered_expire(&r, LIFETIME);
    assert_false(copal__remembered_crowded(&r));
    free(memory);
}

static void a_reply_to_an_entry_that_made_room_is_dropped(void **state)
{
    copal__remembered_t r = table(1, 8);
    (void)state;
    copal__memory_t *slot = add(&r, 0, 1, false);
    reply(&r, add(&r, 0, 2, true), 2, 0);
    reply(&r, slot, 1, REPLY);
    assert_int_equal(r.chunk_pool.used, 0);
    assert_int_equal(find(&r, 0, 2)->size, 0);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_found_whole_until_its_lifetime_ends),
        cmocka_unit_test(what_must_stay_is_never_forgotten_early),
        cmocka_unit_test(what_need_not_stay_makes_room_oldest_first),
        cmocka_unit_test(one_peer_gets_at_most_a_quarter),
        cmocka_unit_test(room_for_the_largest_reply_is_reserved_before_a_request_runs),
        cmocka_unit_test(three_quarters_are_crowded),
        cmocka_unit_test(a_reply_to_an_entry_that_made_room_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
