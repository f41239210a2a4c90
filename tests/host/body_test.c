#include "copal/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A response with one block of a body: its ETag, or none for 0. */
static copal_message_t block(uint32_t number, bool more, uint8_t szx, uint8_t etag, const char *payload)
{
    static uint8_t buffer[256];
    copal_writer_t w;
    copal_bytes_t datagram;
    copal_message_t message;
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_header(&w, COPAL_ACK, COPAL_CONTENT, 1, copal_text(""));
    if (etag)
        copal_write_option(&w, COPAL_OPTION_ETAG, (copal_bytes_t){&etag, 1});
    copal_write_option_uint(&w, COPAL_OPTION_BLOCK2, copal_block_encode(&(copal_block_t){number, more, szx}));
    copal_write_text(&w, payload);
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    assert_int_equal(copal_message_parse(&message, datagram), 0);
    return message;
}

#define SIXTEEN "0123456789abcdef"

static int take(copal_body_t *body, uint32_t number, bool more, uint8_t etag, const char *payload, int32_t *block2)
{
    copal_message_t message = block(number, more, 0, etag, payload);
    return copal_body_take(body, &message, block2);
}

static void blocks_of_one_version_become_one_body(void **state)
{
    copal_body_t body = {.most = 100};
    int32_t block2 = 0;
    (void)state;
    assert_int_equal(take(&body, 0, true, 7, SIXTEEN, &block2), 1);
    assert_int_equal(block2, 1 << 4);
    assert_int_equal(take(&body, 1, true, 7, SIXTEEN, &block2), 1);
    assert_int_equal(block2, 2 << 4);
    assert_int_equal(take(&body, 2, false, 7, "end", &block2), 0);
    assert_int_equal(body.size, 35);
    assert_string_equal((char *)body.data, SIXTEEN SIXTEEN "end");
    copal_body_free(&body);
}

static void rfc7959_2_4_another_etag_starts_over_once(void **state)
{
    copal_body_t body = {.most = 100};
    int32_t block2 = 0;
    (void)state;
    assert_int_equal(take(&body, 0, true, 7, SIXTEEN, &block2), 1);
    assert_int_equal(take(&body, 1, false, 8, "new", &block2), 1);
    assert_int_equal(block2, 0);
    assert_int_equal(body.size, 0);
    assert_int_equal(take(&body, 0, true, 8, SIXTEEN, &block2), 1);
    assert_int_equal(take(&body, 1, false, 0, "end", &block2), COPAL_EFORMAT);
    copal_body_free(&body);
}

static void a_gap_and_a_short_block_in_the_middle_do_not_fit(void **state)
{
    copal_body_t body = {.most = 100};
    int32_t block2 = 0;
    (void)state;
    assert_int_equal(take(&body, 0, true, 0, "short", &block2), COPAL_EFORMAT);
    assert_int_equal(take(&body, 0, true, 0, SIXTEEN, &block2), 1);
    assert_int_equal(take(&body, 2, true, 0, SIXTEEN, &block2), COPAL_EFORMAT);
    copal_body_free(&body);
}

static void a_body_grows_to_its_bound_and_no_further(void **state)
{
    copal_body_t body = {.most = 17};
    int32_t block2 = 0;
    (void)state;
    assert_int_equal(take(&body, 0, true, 0, SIXTEEN, &block2), 1);
    assert_int_equal(take(&body, 1, false, 0, "xy", &block2), COPAL_ESPACE);
    assert_int_equal(take(&body, 1, false, 0, "x", &block2), 0);
    copal_body_free(&body);
}

static void a_response_that_is_complete_takes_the_place_of_blocks(void **state)
{
    copal_body_t body = {.most = 100};
    int32_t block2 = 0;
    (void)state;
    assert_int_equal(take(&body, 0, true, 0, SIXTEEN, &block2), 1);
    copal_message_t message = block(5, true, 0, 0, "gone");
    assert_int_equal(copal_body_take(&body, &message, NULL), 0); /* no more blocks are wanted */
    assert_string_equal((char *)body.data, "gone");
    message.options.size = 0;
    message.payload.size = 0;
    assert_int_equal(copal_body_take(&body, &message, &block2), 0);
    assert_int_equal(body.size, 0);
    copal_body_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_one_version_become_one_body),
        cmocka_unit_test(rfc7959_2_4_another_etag_starts_over_once),
        cmocka_unit_test(a_gap_and_a_short_block_in_the_middle_do_not_fit),
        cmocka_unit_test(a_body_grows_to_its_bound_and_no_further),
        cmocka_unit_test(a_response_that_is_complete_takes_the_place_of_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
