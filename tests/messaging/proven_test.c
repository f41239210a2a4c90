#include "../../src/messaging/proven.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_proof_holds_for_five_minutes(void **state)
{
    copal__proof_t proofs[8] = {{0}};
    copal__proven_t p = {.proofs = proofs, .capacity = 8};
    (void)state;
    assert_false(copal__proven_has(&p, 0, 0)); /* an empty place proves nothing */
    copal__proven_add(&p, 1000, 42);
    assert_true(copal__proven_has(&p, 1000 + COPAL__PROVEN_FOR - 1, 42));
    assert_false(copal__proven_has(&p, 1000 + COPAL__PROVEN_FOR, 42));
    assert_false(copal__proven_has(&p, 1000, 43));
}

static void the_one_shown_longest_ago_makes_room(void **state)
{
    copal__proof_t proofs[8] = {{0}};
    copal__proven_t p = {.proofs = proofs, .capacity = 8};
    (void)state;
    for (uint64_t i = 0; i < 8; i++)
        copal__proven_add(&p, (copal_time_t)i, i);
    copal__proven_add(&p, 10, 0); /* shown again */
    assert_int_equal(p.displaced, 0);
    copal__proven_add(&p, 11, 100);
    assert_int_equal(p.displaced, 1);
    assert_true(copal__proven_has(&p, 12, 0));
    assert_false(copal__proven_has(&p, 12, 1));
    assert_true(copal__proven_has(&p, 12, 2));
    assert_true(copal__proven_has(&p, 12, 100));
}

static void an_old_proof_that_makes_room_is_no_loss(void **state)
{
    copal__proof_t proofs[1] = {{0}};
    copal__proven_t p = {.proofs = proofs, .capacity = 1};
    (void)state;
    copal__proven_add(&p, 0, 1);
    copal__proven_add(&p, COPAL__PROVEN_FOR, 2);
    assert_int_equal(p.displaced, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proof_holds_for_five_minutes),
        cmocka_unit_test(the_one_shown_longest_ago_makes_room),
        cmocka_unit_test(an_old_proof_that_makes_room_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
