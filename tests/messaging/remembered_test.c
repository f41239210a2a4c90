#include "../../src/messaging/remembered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIFETIME 250000
#define SHORTER 100000  /* than LIFETIME, as that of a NON is */
#define MINUTE 60000
#define REPLY 100u      /* octets of the largest reply: two pieces */
#define BARE 0
#define CHECK 9 /* of every message that is no other under the same ID */

static void *memory;

static copal__remembered_t table(uint32_t capacity, uint32_t pieces)
{
    copal__remembered_t r;
    memset(&r, 0, sizeof r);
    copal__carver_t measure = {NULL, 0}, carver = {NULL, 0};
    copal__remembered_lay(&r, &measure, capacity, pieces * (uint32_t)sizeof(copal__piece_t), REPLY + 4);
    carver.base = memory = calloc(1, measure.used);
    copal__remembered_lay(&r, &carver, capacity, pieces * (uint32_t)sizeof(copal__piece_t), REPLY + 4);
    return r;
}

/* The peers are each in a bucket of its own. */
static copal__origin_t origin(copal_time_t now, uint64_t peer, uint16_t id)
{
    return (copal__origin_t){peer << 56, (peer << 56) + 0x70000 + id, now + LIFETIME, id, CHECK};
}

static copal__memory_t *add(copal__remembered_t *r, copal_time_t now, uint64_t peer, uint16_t id, bool hard)
{
    copal__origin_t o = origin(now, peer, id);
    copal__remembered_expire(r, now);
    return copal__remembered_add(r, &o, hard);
}

static void answer(copal__remembered_t *r, copal__memory_t *m, copal_code_t code, size_t size)
{
    uint8_t octets[4 + REPLY] = {0x60, code};
    assert_non_null(m);
    for (size_t i = 0; i < size; i++)
        octets[4 + i] = (uint8_t)(m->key + i);
    copal_writer_t w = {.data = octets, .options = 4, .size = 4 + size};
    copal__remembered_reply(r, m, m->key, &w, true);
}

static void run(copal__remembered_t *r, copal_time_t now, uint64_t peer, uint16_t id, bool hard)
{
    answer(r, add(r, now, peer, id, hard), COPAL_CHANGED, BARE);
}

static bool find(copal__remembered_t *r, copal_time_t now, uint64_t peer, uint16_t id, copal__found_t *found)
{
    copal__origin_t o = origin(now, peer, id);
    copal__remembered_expire(r, now);
    return copal__remembered_find(r, &o, found);
}

static bool knows(copal__remembered_t *r, copal_time_t now, uint64_t peer, uint16_t id)
{
    copal__found_t found;
    return find(r, now, peer, id, &found);
}

static void check_reply(copal__remembered_t *r, copal_time_t now, uint64_t peer, uint16_t id, copal_code_t code, size_t size)
{
    copal__found_t found;
    uint8_t out[REPLY] = {0};
    assert_true(find(r, now, peer, id, &found));
    assert_int_equal(found.outcome, COPAL__REPLIED);
    assert_int_equal(found.code, code);
    assert_int_equal(found.size, size);
    copal__remembered_copy(r, &found, out);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(out[i], (uint8_t)(origin(0, peer, id).key + i));
}

/* ---- one request ------------------------------------------------------------------------------------------ */

static void a_reply_is_found_whole_until_its_lifetime_ends(void **state)
{
    static const size_t sizes[] = {BARE, 1, 39, 40, 41, 99, 100};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        copal__remembered_t r = table(4, 8);
        copal__found_t found;
        copal__memory_t *m = add(&r, 0, 1, 77, true);
        assert_true(find(&r, 0, 1, 77, &found));
        assert_int_equal(found.outcome, COPAL__RUNNING);
        answer(&r, m, COPAL_CONTENT, sizes[i]);
        check_reply(&r, LIFETIME - 1, 1, 77, COPAL_CONTENT, sizes[i]);
        assert_false(knows(&r, 0, 1, 78));
        assert_false(knows(&r, 0, 2, 77));
        assert_false(knows(&r, LIFETIME, 1, 77));
        assert_int_equal(r.piece_pool.used, 0);
        free(memory);
    }
}

static void what_must_stay_is_never_forgotten_early(void **state)
{
    copal__remembered_t r = table(4, 64);
    copal__origin_t o = origin(0, 9, 0);
    (void)state;
    for (uint8_t peer = 1; peer <= 4; peer++)
        run(&r, peer, peer, 5, true);
    assert_null(add(&r, 10, 5, 5, true));
    assert_null(add(&r, 10, 6, 5, false));
    assert_true(copal__remembered_room_at(&r, &o) == 1 + LIFETIME);
    assert_non_null(add(&r, 1 + LIFETIME, 5, 5, true));
    assert_true(knows(&r, 1 + LIFETIME, 2, 5));
    free(memory);
}

static void what_need_not_stay_makes_room_oldest_first(void **state)
{
    copal__remembered_t r = table(4, 64);
    (void)state;
    for (uint8_t peer = 1; peer <= 4; peer++)
        run(&r, 0, peer, 5, false);
    run(&r, 1, 5, 5, false);
    assert_false(knows(&r, 1, 1, 5));
    run(&r, 1, 6, 5, true);
    assert_false(knows(&r, 1, 2, 5));
    assert_true(knows(&r, 1, 3, 5));
    free(memory);
}

static void room_for_the_largest_reply_is_reserved_before_a_request_runs(void **state)
{
    copal__remembered_t r = table(8, 5); /* five pieces: two replies of two, one over */
    (void)state;
    copal__memory_t *first = add(&r, 0, 1, 0, true), *second = add(&r, 0, 2, 0, true);
    assert_null(add(&r, 0, 3, 0, true));
    copal__memory_t *soft = add(&r, 0, 4, 0, false);
    answer(&r, soft, COPAL_CHANGED, REPLY); /* may not take what is reserved: forgotten, not kept without its reply */
    assert_false(knows(&r, 0, 4, 0));
    answer(&r, first, COPAL_CHANGED, REPLY);
    answer(&r, second, COPAL_CHANGED, BARE); /* took nothing of what was reserved for it */
    assert_non_null(add(&r, 0, 5, 0, true));
    check_reply(&r, 0, 1, 0, COPAL_CHANGED, REPLY);
    free(memory);
}

static void three_quarters_are_crowded(void **state)
{
    copal__remembered_t r = table(8, 64);
    (void)state;
    for (uint8_t peer = 1; peer <= 6; peer++) {
        assert_false(copal__remembered_crowded(&r));
        run(&r, 0, peer, 0, true);
    }
    assert_true(copal__remembered_crowded(&r));
    copal__remembered_expire(&r, LIFETIME);
    assert_false(copal__remembered_crowded(&r));
    free(memory);
}

static void a_reply_to_a_request_that_made_room_is_dropped(void **state)
{
    copal__remembered_t r = table(1, 8);
    (void)state;
    copal__memory_t *m = add(&r, 0, 1, 0, false);
    uint64_t key = m->key;
    run(&r, 0, 2, 0, true);
    copal_writer_t w = {.data = (uint8_t[4 + REPLY]){0x60, COPAL_CONTENT}, .options = 4, .size = 4 + REPLY};
    copal__remembered_reply(&r, m, key, &w, true);
    assert_int_equal(r.piece_pool.used, 0);
    check_reply(&r, 0, 2, 0, COPAL_CHANGED, BARE);
    assert_false(knows(&r, 0, 1, 0));
    free(memory);
}

/* ---- runs --------------------------------------------------------------------------------------------------- */

static void message_ids_in_a_row_share_an_entry_and_bare_replies_take_nothing_else(void **state)
{
    copal__remembered_t r = table(4, 8);
    (void)state;
    assert_true(sizeof(copal__run_t) <= 96 && sizeof(copal__piece_t) == 64);
    for (uint16_t id = 0x7fc0; id < 0x8000; id++)
        run(&r, id, 1, id, true);
    assert_int_equal(r.pool.used, 1);
    assert_int_equal(r.piece_pool.used, 0);
    for (uint16_t id = 0x7fc0; id < 0x8000; id++)
        check_reply(&r, 0x8000, 1, id, COPAL_CHANGED, BARE);
    assert_false(knows(&r, 0x8000, 1, 0x7fbf));
    assert_false(knows(&r, 0x8000, 1, 0x8000));
    assert_null(add(&r, 0x8000, 1, 0x8000, true)); /* of four entries a peer gets one */
    free(memory);
}

static void rfc7252_4_4_an_id_that_was_used_again_too_early_is_no_duplicate(void **state)
{
    copal__remembered_t r = table(16, 8);
    copal__origin_t anew = origin(0, 1, 7);
    copal__found_t found;
    (void)state;
    run(&r, 0, 1, 7, true);
    anew.check++;
    assert_false(copal__remembered_find(&r, &anew, &found));
    answer(&r, copal__remembered_add(&r, &anew, true), COPAL_DELETED, REPLY);
    check_reply(&r, 0, 1, 7, COPAL_CHANGED, BARE); /* a late copy of the first does not run either */
    assert_true(copal__remembered_find(&r, &anew, &found));
    assert_int_equal(found.code, COPAL_DELETED);
    assert_int_equal(found.size, REPLY);
    free(memory);
}

static void each_reply_that_differs_is_kept_beside_the_one_that_is_common(void **state)
{
    copal__remembered_t r = table(4, 64);
    (void)state;
    copal__memory_t *slow = add(&r, 0, 1, 3, true);
    for (uint16_t id = 4; id < 20; id++)
        answer(&r, add(&r, 0, 1, id, true), id % 8 ? COPAL_CHANGED : COPAL_CONTENT, id % 8 ? BARE : id);
    answer(&r, add(&r, 0, 1, 20, true), COPAL_NOT_FOUND, BARE);
    copal__remembered_reply(&r, slow, slow->key, NULL, false); /* by a message of its own */
    for (uint16_t id = 4; id < 20; id++)
        check_reply(&r, 0, 1, id, id % 8 ? COPAL_CHANGED : COPAL_CONTENT, id % 8 ? BARE : id);
    check_reply(&r, 0, 1, 20, COPAL_NOT_FOUND, BARE);
    check_reply(&r, 0, 1, 3, COPAL_EMPTY, BARE);
    assert_int_equal(r.pool.used, 1);
    assert_int_equal(r.piece_pool.used, 4);
    copal__remembered_expire(&r, LIFETIME);
    assert_int_equal(r.piece_pool.used, 0);
    free(memory);
}

static void a_request_is_remembered_at_most_a_minute_longer_than_it_must_be(void **state)
{
    copal__remembered_t r = table(64, 64);
    (void)state;
    for (copal_time_t now = 0; now < 1000000; now += 1000) {
        if (now < 640000 && now % 10000 == 0)
            run(&r, now, 1, (uint16_t)(now / 10000), true);
        for (uint16_t id = 0; id < 64 && id * 10000 <= now; id++) {
            if (now < id * 10000 + LIFETIME)
                assert_true(knows(&r, now, 1, id));
            if (now >= id * 10000 + LIFETIME + MINUTE)
                assert_false(knows(&r, now, 1, id));
        }
        assert_true(r.pool.used <= 6); /* those that came within a minute share an entry */
    }
    free(memory);
}

static void a_shorter_lifetime_is_no_longer_for_company(void **state)
{
    copal__remembered_t r = table(16, 64);
    copal__origin_t o = origin(0, 1, 1);
    copal__found_t found;
    (void)state;
    o.until = SHORTER;
    answer(&r, copal__remembered_add(&r, &o, true), COPAL_CHANGED, BARE);
    run(&r, 0, 1, 0, true);
    run(&r, 0, 1, 2, true);
    r.now = SHORTER - 1;
    assert_true(copal__remembered_find(&r, &o, &found));
    r.now = SHORTER + MINUTE;
    assert_false(copal__remembered_find(&r, &o, &found));
    assert_true(knows(&r, LIFETIME - 1, 1, 0) && knows(&r, LIFETIME - 1, 1, 2));
    free(memory);
}

static void an_id_that_is_used_again_after_its_lifetime_is_another_request(void **state)
{
    copal__remembered_t r = table(16, 64);
    (void)state;
    for (copal_time_t round = 0; round < 5 * LIFETIME; round += LIFETIME + MINUTE)
        for (uint16_t id = 10; id < 20; id++) {
            assert_false(knows(&r, round, 1, id));
            run(&r, round, 1, id, true);
            assert_true(knows(&r, round + LIFETIME - 1, 1, id));
        }
    free(memory);
}

/* ---- shares -------------------------------------------------------------------------------------------------- */

static void one_peer_gets_at_most_a_quarter_of_the_entries(void **state)
{
    copal__remembered_t r = table(8, 64);
    copal__origin_t o = origin(9, 1, 300);
    (void)state;
    run(&r, 5, 9, 0, true);
    run(&r, 7, 1, 100, true);
    run(&r, 8, 1, 200, true);
    assert_null(add(&r, 9, 1, 300, true));
    assert_true(copal__remembered_is_full(&r, &o));
    assert_true(copal__remembered_room_at(&r, &o) == 7 + LIFETIME); /* its own oldest, not that of all */
    run(&r, 9, 1, 101, true); /* needs no other entry */
    run(&r, 9, 4, 300, true);
    free(memory);
}

static void one_peer_gets_at_most_a_quarter_of_the_octets_and_the_reply_that_goes_beyond(void **state)
{
    copal__remembered_t r = table(64, 16);
    copal__origin_t o = origin(0, 1, 9);
    (void)state;
    run(&r, 0, 1, 0, true);
    for (uint16_t id = 1; id <= 3; id++)
        answer(&r, add(&r, 0, 1, id, true), COPAL_CONTENT, 1);
    assert_false(copal__remembered_is_full(&r, &o));
    answer(&r, add(&r, 0, 1, 4, true), COPAL_CONTENT, REPLY);
    assert_true(copal__remembered_is_full(&r, &o));
    assert_null(add(&r, 0, 1, 5, true));
    assert_non_null(add(&r, 0, 2, 5, true));
    assert_non_null(add(&r, LIFETIME, 1, 5, true));
    free(memory);
}

/* ---- settled under another key ------------------------------------------------------------------------------- */

static void what_is_settled_elsewhere_is_found_as_that_and_takes_no_octets(void **state)
{
    copal__remembered_t r = table(8, 2); /* no more than one reply */
    copal__origin_t fresh = origin(0, 1, 1), ran = origin(0, 2, 1);
    copal__found_t found;
    (void)state;
    answer(&r, add(&r, 0, 2, 1, true), COPAL_CONTENT, 1);
    assert_true(copal__remembered_settle(&r, &fresh));
    assert_true(copal__remembered_settle(&r, &fresh));
    assert_true(copal__remembered_settle(&r, &ran));
    assert_int_equal(r.pool.used, 3);
    assert_int_equal(r.piece_pool.used, 0); /* its reply is nobody's any more */
    for (uint64_t peer = 1; peer <= 2; peer++) {
        assert_true(find(&r, LIFETIME - 1, peer, 1, &found));
        assert_int_equal(found.outcome, COPAL__RESENT);
        assert_int_equal(found.code, COPAL_EMPTY);
    }
    free(memory);
}

static void what_is_settled_while_it_runs_is_not_running_any_more(void **state)
{
    copal__remembered_t r = table(8, 2);
    copal__origin_t o = origin(0, 1, 1);
    copal__found_t found;
    (void)state;
    copal__memory_t *m = add(&r, 0, 1, 1, true);
    assert_true(copal__remembered_settle(&r, &o));
    copal__remembered_reply(&r, m, o.key, NULL, false);
    assert_true(find(&r, 0, 1, 1, &found));
    assert_int_equal(found.outcome, COPAL__RESENT);
    assert_non_null(add(&r, 0, 2, 1, true)); /* nothing is reserved for it */
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_found_whole_until_its_lifetime_ends),
        cmocka_unit_test(what_must_stay_is_never_forgotten_early),
        cmocka_unit_test(what_need_not_stay_makes_room_oldest_first),
        cmocka_unit_test(room_for_the_largest_reply_is_reserved_before_a_request_runs),
        cmocka_unit_test(three_quarters_are_crowded),
        cmocka_unit_test(a_reply_to_a_request_that_made_room_is_dropped),
        cmocka_unit_test(message_ids_in_a_row_share_an_entry_and_bare_replies_take_nothing_else),
        cmocka_unit_test(rfc7252_4_4_an_id_that_was_used_again_too_early_is_no_duplicate),
        cmocka_unit_test(each_reply_that_differs_is_kept_beside_the_one_that_is_common),
        cmocka_unit_test(a_request_is_remembered_at_most_a_minute_longer_than_it_must_be),
        cmocka_unit_test(a_shorter_lifetime_is_no_longer_for_company),
        cmocka_unit_test(an_id_that_is_used_again_after_its_lifetime_is_another_request),
        cmocka_unit_test(one_peer_gets_at_most_a_quarter_of_the_entries),
        cmocka_unit_test(one_peer_gets_at_most_a_quarter_of_the_octets_and_the_reply_that_goes_beyond),
        cmocka_unit_test(what_is_settled_elsewhere_is_found_as_that_and_takes_no_octets),
        cmocka_unit_test(what_is_settled_while_it_runs_is_not_running_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
