#include "octets.h"

static void options_are_read_in_order_with_their_numbers(void **state)
{
    (void)state;
    const copal_message_t message = {
        .options = OCTETS(0x41, 0x01, 0x71, 'a', 0x01, 'b', 0xd1, 0x03, 0x06, 0xe0, 0x00, 0x05)};
    static const struct {
        uint16_t number;
        size_t size;
        uint8_t first;
    } rows[] = {{4, 1, 1}, {11, 1, 'a'}, {11, 1, 'b'}, {27, 1, 6}, {301, 0, 0}};
    copal_option_reader_t reader = copal_message_options(&message);
    copal_option_t option;
    for (size_t i = 0; i < 5; i++) {
        assert_true(copal_option_next(&reader, &option));
        assert_int_equal(option.number, rows[i].number);
        assert_int_equal(option.value.size, rows[i].size);
        if (option.value.size)
            assert_int_equal(option.value.data[0], rows[i].first);
    }
    assert_false(copal_option_next(&reader, &option));
    assert_false(copal_option_next(&reader, &option));
}

static void values_of_13_and_of_269_octets_are_read(void **state)
{
    (void)state;
    uint8_t options[2 + 13 + 3 + 269] = {0xbd, 0};
    options[15] = 0x0e;
    const copal_message_t message = {.options = {options, sizeof options}};
    copal_option_reader_t reader = copal_message_options(&message);
    copal_option_t option;
    assert_true(copal_option_next(&reader, &option));
    assert_int_equal(option.value.size, 13);
    assert_true(copal_option_next(&reader, &option));
    assert_int_equal(option.value.size, 269);
    assert_ptr_equal(option.value.data, options + 18);
    assert_false(copal_option_next(&reader, &option));
}

static void the_first_option_of_a_number_is_found(void **state)
{
    (void)state;
    const copal_message_t message = {.options = OCTETS(0x41, 0x01, 0x71, 'a', 0x01, 'b', 0x11, 50)};
    copal_option_t option;
    assert_true(copal_option_find(&message, COPAL_OPTION_URI_PATH, &option));
    assert_octets(option.value, OCTETS('a'));
    assert_true(copal_option_find(&message, COPAL_OPTION_CONTENT_FORMAT, &option));
    assert_int_equal(copal_option_uint(&option), 50);
    assert_false(copal_option_find(&message, COPAL_OPTION_URI_HOST, &option));
    assert_false(copal_option_find(&message, COPAL_OPTION_ACCEPT, &option));
}

static void a_message_without_options_has_none(void **state)
{
    (void)state;
    const copal_message_t message = {0};
    copal_option_t option;
    assert_false(copal_option_find(&message, 0, &option));
}

static void rfc7252_3_2_integers_may_have_leading_zeros(void **state)
{
    (void)state;
    assert_int_equal(copal_option_uint(&(copal_option_t){.value = NOTHING}), 0);
    assert_int_equal(copal_option_uint(&(copal_option_t){.value = OCTETS(0)}), 0);
    assert_int_equal(copal_option_uint(&(copal_option_t){.value = OCTETS(0, 1, 2)}), 0x102);
    assert_int_equal(copal_option_uint(&(copal_option_t){.value = OCTETS(0xff, 0xff, 0xff, 0xff)}), 0xffffffff);
    assert_int_equal(copal_option_uint(&(copal_option_t){.value = OCTETS(9, 1, 2, 3, 4)}), 0x01020304);
}

/* RFC 7252 table 4, and the like of the other RFCs that message.h names. */
static const copal_option_definition_t table[] = {
    {1, 0, 8, COPAL_FORMAT_OPAQUE, true},      {3, 1, 255, COPAL_FORMAT_STRING, false},
    {4, 1, 8, COPAL_FORMAT_OPAQUE, true},      {5, 0, 0, COPAL_FORMAT_EMPTY, false},
    {6, 0, 3, COPAL_FORMAT_UINT, false},       {7, 0, 2, COPAL_FORMAT_UINT, false},
    {8, 0, 255, COPAL_FORMAT_STRING, true},    {9, 0, 255, COPAL_FORMAT_OPAQUE, false},
    {11, 0, 255, COPAL_FORMAT_STRING, true},   {12, 0, 2, COPAL_FORMAT_UINT, false},
    {14, 0, 4, COPAL_FORMAT_UINT, false},      {15, 0, 255, COPAL_FORMAT_STRING, true},
    {16, 1, 1, COPAL_FORMAT_UINT, false},      {17, 0, 2, COPAL_FORMAT_UINT, false},
    {20, 0, 255, COPAL_FORMAT_STRING, true},   {23, 0, 3, COPAL_FORMAT_UINT, false},
    {27, 0, 3, COPAL_FORMAT_UINT, false},      {28, 0, 4, COPAL_FORMAT_UINT, false},
    {35, 1, 1034, COPAL_FORMAT_STRING, false}, {39, 1, 255, COPAL_FORMAT_STRING, false},
    {60, 0, 4, COPAL_FORMAT_UINT, false},      {252, 1, 40, COPAL_FORMAT_OPAQUE, false},
    {258, 0, 1, COPAL_FORMAT_UINT, false},     {292, 0, 8, COPAL_FORMAT_OPAQUE, true},
};
#define ROWS (sizeof table / sizeof table[0])

static void every_known_option_has_its_definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const copal_option_definition_t *definition = copal_option_definition(table[i].number);
        assert_non_null(definition);
        assert_int_equal(definition->number, table[i].number);
        assert_int_equal(definition->format, table[i].format);
        assert_int_equal(definition->least, table[i].least);
        assert_int_equal(definition->most, table[i].most);
        assert_int_equal(definition->repeatable, table[i].repeatable);
    }
}

static void no_other_option_has_one(void **state)
{
    (void)state;
    size_t known = 0;
    for (uint32_t number = 0; number <= UINT16_MAX; number++)
        known += copal_option_definition((uint16_t)number) != NULL;
    assert_int_equal(known, ROWS);
}

static void rfc7252_5_4_6_odd_numbers_are_critical(void **state)
{
    (void)state;
    assert_true(copal_option_is_critical(COPAL_OPTION_URI_PATH));
    assert_false(copal_option_is_critical(COPAL_OPTION_ETAG));
}

static void rfc7252_5_4_3_an_option_of_another_length_is_not_found(void **state)
{
    static const uint8_t datagram[] = {0x40, 0x45, 0, 1, 0x49, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x01, 7}; /* two ETags */
    copal_message_t message;
    copal_option_t option;
    (void)state;
    assert_int_equal(copal_message_parse(&message, (copal_bytes_t){datagram, sizeof datagram}), 0);
    assert_true(copal_option_find(&message, COPAL_OPTION_ETAG, &option));
    assert_int_equal(option.value.size, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read_in_order_with_their_numbers),
        cmocka_unit_test(values_of_13_and_of_269_octets_are_read),
        cmocka_unit_test(the_first_option_of_a_number_is_found),
        cmocka_unit_test(a_message_without_options_has_none),
        cmocka_unit_test(rfc7252_3_2_integers_may_have_leading_zeros),
        cmocka_unit_test(every_known_option_has_its_definition),
        cmocka_unit_test(no_other_option_has_one),
        cmocka_unit_test(rfc7252_5_4_3_an_option_of_another_length_is_not_found),
        cmocka_unit_test(rfc7252_5_4_6_odd_numbers_are_critical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
