#include "resource/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OCTETS 4096

typedef struct {
    copal__arena_t arena;
    uint64_t memory[1024];
} room_t;

static copal__arena_t *lay(room_t *room, size_t octets, uint32_t readers)
{
    memset(room, 0, sizeof *room);
    copal__carver_t carver = {(uint8_t *)room->memory, 0};
    assert_true(copal__arena_lay(&room->arena, &carver, octets, readers));
    assert_true(carver.used <= sizeof room->memory);
    return &room->arena;
}

static void a_block_is_aligned_and_its_own(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, OCTETS, 1);
    uint8_t *blocks[20];
    for (size_t i = 0; i < 20; i++) {
        blocks[i] = copal__arena_take(a, i * 7);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 8, 0);
        memset(blocks[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 20; i++)
        for (size_t k = 0; k < i * 7; k++)
            assert_int_equal(blocks[i][k], i);
}

static void the_whole_arena_can_be_one_block_and_no_more(void **state)
{
    (void)state;
    room_t room;
    assert_non_null(copal__arena_take(lay(&room, OCTETS, 1), OCTETS - 8));
    assert_null(copal__arena_take(lay(&room, OCTETS, 1), OCTETS - 7));
    assert_null(copal__arena_take(lay(&room, OCTETS, 1), SIZE_MAX));
    assert_null(copal__arena_take(lay(&room, OCTETS, 1), UINT32_MAX / 2));
}

static void a_full_arena_has_no_block_until_one_is_retired(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, OCTETS, 1);
    void *last = NULL;
    unsigned count = 0;
    for (void *block; (block = copal__arena_take(a, 56)); count++)
        last = block;
    assert_int_equal(count, OCTETS / 64);
    copal__arena_retire(a, last);
    assert_ptr_equal(copal__arena_take(a, 56), last);
    assert_null(copal__arena_take(a, 1));
}

static void what_lay_side_by_side_becomes_one_block_again(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, OCTETS, 1);
    void *blocks[OCTETS / 16 + 1];
    size_t count = 0;
    while ((blocks[count] = copal__arena_take(a, 8)))
        count++;
    assert_int_equal(count, OCTETS / 16);
    for (size_t i = 0; i < count; i += 2)
        copal__arena_retire(a, blocks[i]);
    assert_null(copal__arena_take(a, 24));
    for (size_t i = 1; i < count; i += 2)
        copal__arena_retire(a, blocks[i]);
    assert_non_null(copal__arena_take(a, OCTETS - 8));
}

static void trimming_gives_the_rest_back(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, OCTETS, 1);
    uint8_t *block = copal__arena_take(a, OCTETS - 8);
    memset(block, 7, 24);
    copal__arena_trim(a, block, 24);
    uint8_t *other = copal__arena_take(a, OCTETS * 3 / 4);
    assert_ptr_equal(other, block + 32);
    memset(other, 8, OCTETS * 3 / 4);
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(block[i], 7);
}

static void a_reader_online_holds_what_was_retired_until_it_passes(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, 1024, 2);
    copal__arena_quiescent(a, 0);
    copal__arena_quiescent(a, 1);
    copal__arena_retire(a, copal__arena_take(a, 1016));
    assert_null(copal__arena_take(a, 8));
    copal__arena_quiescent(a, 0);
    assert_null(copal__arena_take(a, 8)); /* the other one may still hold it */
    copal__arena_quiescent(a, 1);
    assert_non_null(copal__arena_take(a, 8));
}

static void a_reader_offline_holds_nothing(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, 1024, 2);
    copal__arena_quiescent(a, 0);
    copal__arena_quiescent(a, 1);
    copal__arena_offline(a, 1);
    copal__arena_retire(a, copal__arena_take(a, 1016));
    assert_null(copal__arena_take(a, 1016));
    copal__arena_offline(a, 0);
    assert_non_null(copal__arena_take(a, 1016));
}

static void a_reader_that_comes_online_later_holds_nothing_retired_before(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, 1024, 2);
    copal__arena_quiescent(a, 0);
    copal__arena_retire(a, copal__arena_take(a, 1016));
    assert_null(copal__arena_take(a, 8)); /* closes the epoch */
    copal__arena_quiescent(a, 1);
    copal__arena_quiescent(a, 0);
    assert_non_null(copal__arena_take(a, 8));
}

static void the_only_reader_lets_go_of_all_before_it_writes(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, 1024, 1);
    copal__arena_quiescent(a, 0);
    copal__arena_retire(a, copal__arena_take(a, 1016));
    assert_null(copal__arena_take(a, 8));
    copal__arena_alone(a);
    assert_non_null(copal__arena_take(a, 8));

    a = lay(&room, 1024, 2);
    copal__arena_quiescent(a, 0);
    copal__arena_retire(a, copal__arena_take(a, 1016));
    assert_null(copal__arena_take(a, 8));
    copal__arena_alone(a); /* one of two: nothing is known of the other */
    assert_null(copal__arena_take(a, 8));
}

static void epochs_wrap_past_the_one_that_means_offline(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, 1024, 1);
    atomic_store(&a->epoch, UINT32_MAX);
    copal__arena_quiescent(a, 0);
    copal__arena_retire(a, copal__arena_take(a, 1016));
    assert_null(copal__arena_take(a, 8));
    copal__arena_quiescent(a, 0);
    assert_int_not_equal(atomic_load(&a->seen[0]), 0);
    assert_non_null(copal__arena_take(a, 8));
}

/* Whether there can be an arena of so many octets, or of the most that there are on this machine. */
static bool can_be_laid(uint64_t octets)
{
    copal__arena_t a;
    copal__carver_t carver = {NULL, 0};
    return copal__arena_lay(&a, &carver, octets < SIZE_MAX ? (size_t)octets : SIZE_MAX, 1) && carver.used < SIZE_MAX;
}

static void an_arena_beyond_32_bit_indexes_or_the_memory_is_refused(void **state)
{
    (void)state;
    assert_false(can_be_laid((uint64_t)8 << 30));
    assert_true(can_be_laid(SIZE_MAX > UINT32_MAX ? (uint64_t)7 << 30 : (uint64_t)1 << 30));
}

/* Sizes and order at random; each block keeps a pattern of its own, and all of it comes together again in the end. */
static void blocks_keep_their_octets_whatever_comes_and_goes(void **state)
{
    (void)state;
    room_t room;
    copal__arena_t *a = lay(&room, OCTETS, 1);
    struct {
        uint8_t *at;
        size_t size;
    } blocks[64] = {{0}};
    uint32_t seed = 1;
    for (int turn = 0; turn < 200000; turn++) {
        seed = seed * 1664525u + 1013904223u;
        size_t i = seed >> 8 & 63, size = seed >> 14 & 0xff;
        if (blocks[i].at) {
            for (size_t k = 0; k < blocks[i].size; k++)
                assert_int_equal(blocks[i].at[k], i);
            copal__arena_retire(a, blocks[i].at);
            blocks[i].at = NULL;
        } else if ((blocks[i].at = copal__arena_take(a, size))) {
            if (seed & 1)
                copal__arena_trim(a, blocks[i].at, size /= 2);
            blocks[i].size = size;
            memset(blocks[i].at, (int)i, size);
        }
    }
    for (size_t i = 0; i < 64; i++)
        copal__arena_retire(a, blocks[i].at);
    assert_non_null(copal__arena_take(a, OCTETS - 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_aligned_and_its_own),
        cmocka_unit_test(the_whole_arena_can_be_one_block_and_no_more),
        cmocka_unit_test(a_full_arena_has_no_block_until_one_is_retired),
        cmocka_unit_test(what_lay_side_by_side_becomes_one_block_again),
        cmocka_unit_test(trimming_gives_the_rest_back),
        cmocka_unit_test(a_reader_online_holds_what_was_retired_until_it_passes),
        cmocka_unit_test(a_reader_offline_holds_nothing),
        cmocka_unit_test(a_reader_that_comes_online_later_holds_nothing_retired_before),
        cmocka_unit_test(the_only_reader_lets_go_of_all_before_it_writes),
        cmocka_unit_test(epochs_wrap_past_the_one_that_means_offline),
        cmocka_unit_test(an_arena_beyond_32_bit_indexes_or_the_memory_is_refused),
        cmocka_unit_test(blocks_keep_their_octets_whatever_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
