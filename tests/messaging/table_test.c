#include "../../src/messaging/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>

#include <cmocka.h>

static void a_pool_hands_out_each_slot_once_and_then_none(void **state)
{
    uint32_t links[3] = {0};
    copal__pool_t pool = {.links = links, .capacity = 3};
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(copal__pool_take(&pool), i);
    assert_int_equal(copal__pool_take(&pool), COPAL__NONE);
    assert_int_equal(pool.used, 3);
    copal__pool_give(&pool, 1);
    assert_int_equal(copal__pool_take(&pool), 1);
    assert_int_equal(copal__pool_take(&pool), COPAL__NONE);
}

static void an_index_finds_what_shares_a_hash_and_forgets_what_was_removed(void **state)
{
    copal__index_t index;
    copal__carver_t measure = {NULL, 0}, carver = {NULL, 0};
    (void)state;
    copal__index_lay(&index, &measure, 5);
    void *memory = calloc(1, measure.used);
    carver.base = memory;
    copal__index_lay(&index, &carver, 5);
    copal__index_add(&index, 7, 0);
    copal__index_add(&index, 7, 4);
    copal__index_add(&index, 7, 2);
    copal__index_remove(&index, 7, 4);
    copal__index_remove(&index, 7, 3); /* is not in it */
    assert_int_equal(copal__index_first(&index, 7), 2);
    assert_int_equal(copal__index_next(&index, 2), 0);
    assert_int_equal(copal__index_next(&index, 0), COPAL__NONE);
    assert_int_equal(copal__index_first(&index, 6), COPAL__NONE);
    free(memory);
}

static void memory_that_cannot_be_is_never_laid_out(void **state)
{
    copal__carver_t carver = {NULL, 0};
    (void)state;
    copal__carve(&carver, SIZE_MAX / 4, 8);
    assert_true(carver.used == SIZE_MAX);
    copal__carve(&carver, 1, 1);
    assert_true(carver.used == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_hands_out_each_slot_once_and_then_none),
        cmocka_unit_test(an_index_finds_what_shares_a_hash_and_forgets_what_was_removed),
        cmocka_unit_test(memory_that_cannot_be_is_never_laid_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
