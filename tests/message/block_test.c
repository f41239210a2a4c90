#include "octets.h"

static void rfc7959_2_2_a_value_is_number_more_and_size(void **state)
{
    (void)state;
    copal_block_t block;
    assert_int_equal(copal_block_decode(&block, 0x5b), 0);
    assert_int_equal(block.number, 5);
    assert_true(block.more);
    assert_int_equal(block.szx, 3);
    assert_int_equal(copal_block_decode(&block, 0xfffff6), 0);
    assert_int_equal(block.number, 0xfffff);
    assert_false(block.more);
    assert_int_equal(block.szx, 6);
}

static void rfc7959_2_2_size_exponent_7_is_reserved(void **state)
{
    (void)state;
    copal_block_t block;
    assert_int_equal(copal_block_decode(&block, 7), COPAL_EINVAL);
    assert_int_equal(copal_block_decode(&block, 0x1f), COPAL_EINVAL);
}

static void what_was_encoded_is_decoded(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 0x1000; value++) {
        copal_block_t block;
        if (copal_block_decode(&block, value) == 0)
            assert_int_equal(copal_block_encode(&block), value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7959_2_2_a_value_is_number_more_and_size),
        cmocka_unit_test(rfc7959_2_2_size_exponent_7_is_reserved),
        cmocka_unit_test(what_was_encoded_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
