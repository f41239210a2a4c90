#include "octets.h"

#include "message/hash.h"

static const copal__key_t key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

/* The example of the SipHash paper (Aumasson and Bernstein, 2012, appendix A), and its authors' first vectors. */
static void siphash_2_4_known_answers(void **state)
{
    (void)state;
    uint8_t input[16];
    for (uint8_t i = 0; i < 16; i++)
        input[i] = i;
    assert_true(copal__hash(&key, 0, input, 15) == 0xa129ca6149be45e5u);
    assert_true(copal__hash(&key, 0, input, 0) == 0x726fdb47dd0e0e31u);
    assert_true(copal__hash(&key, 0, input, 1) == 0x74f839c593dc67fdu);
    assert_true(copal__hash(&key, 0, input, 8) == 0x93f5f5799a932462u);
}

/* The same octets by SipHash-1-3, from a model that gives the vectors above with other rounds. */
static void siphash_1_3_known_answers(void **state)
{
    (void)state;
    uint8_t input[16];
    for (uint8_t i = 0; i < 16; i++)
        input[i] = i;
    assert_true(copal__hash_place(&key, 0, input, 15) == 0xd320d86d2a519956u);
    assert_true(copal__hash_place(&key, 0, input, 0) == 0xabac0158050fc4dcu);
    assert_true(copal__hash_place(&key, 0, input, 1) == 0xc9f49bf37d57ca93u);
    assert_true(copal__hash_place(&key, 0, input, 8) == 0x369095118d299a8eu);
}

static void another_tweak_is_another_function(void **state)
{
    (void)state;
    assert_false(copal__hash(&key, 1, "path", 4) == copal__hash(&key, 0, "path", 4));
    assert_false(copal__hash(&key, 1, "path", 4) == copal__hash(&key, 2, "path", 4));
    assert_false(copal__hash_place(&key, 1, "path", 4) == copal__hash_place(&key, 0, "path", 4));
}

static void nothing_needs_no_address(void **state)
{
    (void)state;
    assert_true(copal__hash(&key, 0, NULL, 0) == copal__hash(&key, 0, "", 0));
    assert_true(copal__hash_place(&key, 0, NULL, 0) == copal__hash_place(&key, 0, "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_2_4_known_answers),
        cmocka_unit_test(siphash_1_3_known_answers),
        cmocka_unit_test(another_tweak_is_another_function),
        cmocka_unit_test(nothing_needs_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
