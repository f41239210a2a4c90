#include "octets.h"

static copal_message_t message;

/* Parses a copy that ends where its memory ends, so that a sanitizer sees one octet too many. */
static int parse(copal_bytes_t datagram)
{
    uint8_t *copy = test_malloc(datagram.size + 1);
    uint8_t *at = copy + 1;
    if (datagram.size)
        memcpy(at, datagram.data, datagram.size);
    int result = copal_message_parse(&message, (copal_bytes_t){at, datagram.size});
    /* Views into the copy are turned into views of the original. */
    copal_bytes_t *views[] = {&message.token, &message.options, &message.payload};
    for (size_t i = 0; i < 3; i++)
        views[i]->data = views[i]->data ? datagram.data + (views[i]->data - at) : NULL;
    test_free(copy);
    return result;
}

static void assert_format_error(copal_bytes_t datagram)
{
    assert_int_equal(parse(datagram), COPAL_EFORMAT);
    assert_int_equal(message.token.size + message.options.size + message.payload.size, 0);
}

static void a_request_is_viewed_in_place(void **state)
{
    (void)state;
    copal_bytes_t datagram = OCTETS(0x42, 0x01, 0x12, 0x34, 0xaa, 0xbb, 0xb1, 'a', 0x01, 'b', 0xff, 'h', 'i');
    assert_int_equal(parse(datagram), 0);
    assert_int_equal(message.type, COPAL_CON);
    assert_int_equal(message.code, COPAL_GET);
    assert_int_equal(message.id, 0x1234);
    assert_octets(message.token, OCTETS(0xaa, 0xbb));
    assert_octets(message.options, OCTETS(0xb1, 'a', 0x01, 'b'));
    assert_octets(message.payload, OCTETS('h', 'i'));
    assert_ptr_equal(message.token.data, datagram.data + 4);
    assert_ptr_equal(message.payload.data, datagram.data + 11);
}

static void every_type_is_told(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < 4; type++) {
        assert_int_equal(parse(OCTETS((uint8_t)(0x40 | type << 4), 0x45, 0, 1)), 0);
        assert_int_equal(message.type, type);
    }
}

static void any_code_is_accepted(void **state)
{
    (void)state;
    for (unsigned code = 1; code < 256; code++) {
        assert_int_equal(parse(OCTETS(0x40, (uint8_t)code, 0, 0)), 0);
        assert_int_equal(message.code, code);
    }
}

static void rfc7252_3_other_versions_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(parse(OCTETS(0x00, 0x01, 0, 0)), COPAL_EVERSION);
    assert_int_equal(parse(OCTETS(0x80, 0x01, 0, 0)), COPAL_EVERSION);
    assert_int_equal(parse(OCTETS(0xc0, 0x01, 0, 0)), COPAL_EVERSION);
}

static void fewer_than_four_octets_are_no_coap(void **state)
{
    (void)state;
    assert_int_equal(parse(NOTHING), COPAL_EVERSION);
    assert_int_equal(parse(OCTETS(0x40)), COPAL_EVERSION);
    assert_int_equal(parse(OCTETS(0x40, 0x01, 0x00)), COPAL_EVERSION);
}

static void rfc7252_3_marker_without_payload_is_format_error(void **state)
{
    (void)state;
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xff));
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xb1, 'a', 0xff));
}

static void a_format_error_keeps_type_code_and_id(void **state)
{
    (void)state;
    assert_format_error(OCTETS(0x51, 0x02, 0xab, 0xcd));
    assert_int_equal(message.type, COPAL_NON);
    assert_int_equal(message.code, COPAL_POST);
    assert_int_equal(message.id, 0xabcd);
}

static void rfc7252_4_1_empty_message_is_four_octets(void **state)
{
    (void)state;
    assert_int_equal(parse(OCTETS(0x60, 0x00, 0x12, 0x34)), 0);
    assert_int_equal(message.type, COPAL_ACK);
    assert_int_equal(message.id, 0x1234);
    assert_format_error(OCTETS(0x40, 0x00, 0, 1, 0xb1, 'a'));
    assert_format_error(OCTETS(0x40, 0x00, 0, 1, 0xff, 'a'));
    assert_format_error(OCTETS(0x41, 0x00, 0, 1, 0xaa));
    assert_format_error(OCTETS(0x41, 0x00, 0, 1));
    assert_format_error(OCTETS(0x4f, 0x00, 0, 1));
}

static void a_token_that_is_cut_is_format_error(void **state)
{
    (void)state;
    assert_format_error(OCTETS(0x48, 0x01, 0, 1, 1, 2, 3, 4, 5, 6, 7));
    assert_int_equal(parse(OCTETS(0x48, 0x01, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8)), 0);
}

static void rfc8974_2_1_token_lengths_9_to_12_stand_for_themselves(void **state)
{
    (void)state;
    uint8_t datagram[16] = {0x40, 0x01, 0, 1};
    for (uint8_t size = 9; size <= 12; size++) {
        datagram[0] = 0x40 | size;
        assert_int_equal(parse((copal_bytes_t){datagram, 4u + size}), 0);
        assert_int_equal(message.token.size, size);
        assert_format_error((copal_bytes_t){datagram, 3u + size});
    }
}

static void rfc8974_2_1_extended_token_lengths(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        size_t extension, least, most;
    } rows[] = {{0x4d, 1, 13, 268}, {0x4e, 2, 269, 65804}};
    for (size_t i = 0; i < 2; i++) {
        for (int most = 0; most < 2; most++) {
            size_t token = most ? rows[i].most : rows[i].least, size = 4 + rows[i].extension + token;
            uint8_t *datagram = test_calloc(size, 1);
            datagram[0] = rows[i].first;
            datagram[1] = COPAL_GET;
            memset(datagram + 4, most ? 0xff : 0, rows[i].extension);
            assert_int_equal(parse((copal_bytes_t){datagram, size}), 0);
            assert_int_equal(message.token.size, token);
            assert_format_error((copal_bytes_t){datagram, size - 1});
            test_free(datagram);
        }
    }
    assert_format_error(OCTETS(0x4d, 0x01, 0, 1));
    assert_format_error(OCTETS(0x4e, 0x01, 0, 1, 0));
}

static void rfc8974_2_1_token_length_15_is_format_error(void **state)
{
    (void)state;
    uint8_t datagram[40] = {0x4f, 0x01, 0, 1};
    assert_format_error((copal_bytes_t){datagram, sizeof datagram});
}

static void rfc7252_3_1_reserved_option_fields_are_format_errors(void **state)
{
    (void)state;
    for (uint8_t low = 0; low < 15; low++) /* delta 15, but not the marker */
        assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xf0 | low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    for (uint8_t high = 0; high < 15; high++) /* length 15 */
        assert_format_error(OCTETS(0x40, 0x01, 0, 1, (uint8_t)(high << 4) | 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

static void an_option_that_is_cut_is_format_error(void **state)
{
    (void)state;
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xb1));                   /* no value */
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xb3, 'a', 'b'));         /* part of a value */
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xd0));                   /* no extended delta */
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xe0, 0));                /* half of one */
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xbd));                   /* no extended length */
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xbe, 0));                /* half of one */
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xb1, 'a', 0x02, 'b'));   /* the second one */
}

static void option_numbers_end_at_65535(void **state)
{
    (void)state;
    assert_int_equal(parse(OCTETS(0x40, 0x01, 0, 1, 0xe0, 0xfe, 0xf2)), 0); /* 269 + 0xfef2 = 65535 */
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xe0, 0xfe, 0xf3));
    assert_format_error(OCTETS(0x40, 0x01, 0, 1, 0xe0, 0xfe, 0xf2, 0x10));
}

static void octets_behind_the_marker_are_payload_whatever_they_are(void **state)
{
    (void)state;
    assert_int_equal(parse(OCTETS(0x40, 0x02, 0, 1, 0xff, 0xff, 0xff)), 0);
    assert_octets(message.payload, OCTETS(0xff, 0xff));
    assert_int_equal(message.options.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_viewed_in_place),
        cmocka_unit_test(every_type_is_told),
        cmocka_unit_test(any_code_is_accepted),
        cmocka_unit_test(rfc7252_3_other_versions_are_told_apart),
        cmocka_unit_test(fewer_than_four_octets_are_no_coap),
        cmocka_unit_test(rfc7252_3_marker_without_payload_is_format_error),
        cmocka_unit_test(a_format_error_keeps_type_code_and_id),
        cmocka_unit_test(rfc7252_4_1_empty_message_is_four_octets),
        cmocka_unit_test(a_token_that_is_cut_is_format_error),
        cmocka_unit_test(rfc8974_2_1_token_lengths_9_to_12_stand_for_themselves),
        cmocka_unit_test(rfc8974_2_1_extended_token_lengths),
        cmocka_unit_test(rfc8974_2_1_token_length_15_is_format_error),
        cmocka_unit_test(rfc7252_3_1_reserved_option_fields_are_format_errors),
        cmocka_unit_test(an_option_that_is_cut_is_format_error),
        cmocka_unit_test(option_numbers_end_at_65535),
        cmocka_unit_test(octets_behind_the_marker_are_payload_whatever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
