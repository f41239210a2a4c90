#include "octets.h"

static void codes_have_the_text_of_the_registry(void **state)
{
    (void)state;
    assert_string_equal(copal_code_text(COPAL_EMPTY), "Empty");
    assert_string_equal(copal_code_text(COPAL_IPATCH), "iPATCH");
    assert_string_equal(copal_code_text(COPAL_CODE(2, 5)), "Content");
    assert_string_equal(copal_code_text(COPAL_CODE(4, 13)), "Request Entity Too Large");
    assert_string_equal(copal_code_text(COPAL_CODE(7, 31)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_the_text_of_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
