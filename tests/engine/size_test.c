/* Long things: tokens (RFC 8974), options (RFC 7252 section 5.4.3), datagrams over the limit (section 4.6). */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t filler[4096];

static copal_bytes_t fill(size_t size)
{
    memset(filler, 0x5a, sizeof filler);
    return (copal_bytes_t){filler, size};
}

static void open_server(bench_t *b, server_t *s) { bench_open(b, &(copal_config_t){.service = server_service(s)}); }

/* ---- tokens ------------------------------------------------------------------------------------------------- */

static void rfc8974_2_1_a_token_of_any_length_comes_back_in_the_answer(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 8, 9, 10, 11, 12, 13, 14, 100, 268, 269, 270, 300, 1000};
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s);
    for (uint16_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int type = COPAL_CON; type <= COPAL_NON; type++) {
            copal_bytes_t token = fill(sizes[i]);
            bench_accept(&b, i, message_make(&m, (copal_type_t)type, COPAL_GET, i, token, "a", NULL));
            const copal_message_t *answer = bench_sent(&b);
            assert_int_equal(answer->code, COPAL_CONTENT);
            check_bytes(answer->token, token);
            check_bytes(answer->payload, copal_text("ok"));
        }
    }
    bench_idle(&b);
    bench_close(&b);
}

static void rfc8974_2_2_2_a_token_too_long_to_be_kept_is_answered_4_00_with_that_token(void **state)
{
    (void)state;
    for (uint32_t token_size = 0; token_size <= 20; token_size += 20) {
        bench_t b;
        server_t s;
        message_t m;
        copal_service_t service = server_service(&s);
        uint32_t limit = token_size ? token_size : 8; /* the default */
        s.defer = true;
        bench_open(&b, &(copal_config_t){.limits = {.token_size = token_size}, .service = service});
        bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_GET, 1, fill(limit), "a", NULL));
        assert_int_equal(s.defer_result, 0);
        assert_int_equal(bench_answer(&b, s.later, "x"), 0);
        check_bytes(bench_sent(&b)->token, fill(limit));
        for (uint16_t i = 0; i < 3; i++) {
            copal_bytes_t token = fill((const size_t[]){limit + 1, 64, 300}[i]);
            bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_GET, 0x0200 + i, token, "a", NULL));
            assert_int_equal(s.defer_result, COPAL_EINVAL);
            const copal_message_t *answer = bench_sent(&b);
            assert_int_equal(answer->type, COPAL_ACK);
            assert_int_equal(answer->id, 0x0200 + i);
            assert_int_equal(answer->code, COPAL_BAD_REQUEST);
            check_bytes(answer->token, token);
            bench_idle(&b);
        }
        bench_close(&b);
    }
}

static void a_refusal_fits_behind_the_longest_token(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s);
    for (uint16_t room = 4; room < 60; room++) { /* octets behind the token */
        copal_bytes_t token = fill(1152 - 6 - (size_t)room);
        message_start(&m, COPAL_CON, COPAL_GET, room, token);
        copal_write_option(&m.w, 13, NO_BYTES);
        bench_accept(&b, 1, message_end(&m));
        const copal_message_t *answer = bench_sent(&b);
        assert_int_equal(answer->type, COPAL_ACK);
        assert_int_equal(answer->id, room);
        assert_int_equal(answer->code, COPAL_BAD_OPTION);
        check_bytes(answer->token, token);
    }
    assert_int_equal(s.runs, 0);
    bench_close(&b);
}

/* ---- options -------------------------------------------------------------------------------------------------- */

static copal_code_t code_for_option(bench_t *b, uint16_t number, size_t size)
{
    message_t m;
    message_start(&m, COPAL_CON, COPAL_GET, (uint16_t)(number + size), BYTES(1));
    /* as unknown options the writer takes any length: the delta is written by hand for those it would refuse */
    uint8_t head[5] = {(uint8_t)((number < 13 ? number : 13) << 4 | (size < 269 ? 13 : 14))};
    size_t at = 1;
    if (number >= 13)
        head[at++] = (uint8_t)(number - 13);
    if (size >= 269)
        head[at++] = (uint8_t)((size - 269) >> 8);
    head[at++] = (uint8_t)(size < 269 ? size - 13 : size - 269);
    memcpy(m.data + m.w.size, head, at);
    memcpy(m.data + m.w.size + at, fill(size).data, size);
    bench_accept(b, 1, (copal_bytes_t){m.data, m.w.size + at + size});
    return bench_sent(b)->code;
}

static void rfc7252_5_4_3_options_are_taken_up_to_their_length_and_not_beyond(void **state)
{
    (void)state;
    static const struct {
        uint16_t number;
        size_t most;
        copal_code_t at, beyond;
    } rows[] = {
        {COPAL_OPTION_URI_HOST, 255, COPAL_CONTENT, COPAL_BAD_OPTION},
        {COPAL_OPTION_URI_PATH, 255, COPAL_CONTENT, COPAL_BAD_OPTION},
        {COPAL_OPTION_URI_QUERY, 255, COPAL_CONTENT, COPAL_BAD_OPTION},
        {COPAL_OPTION_PROXY_URI, 1034, COPAL_PROXYING_NOT_SUPPORTED, COPAL_BAD_OPTION},
        {COPAL_OPTION_PROXY_SCHEME, 255, COPAL_PROXYING_NOT_SUPPORTED, COPAL_BAD_OPTION},
        {COPAL_OPTION_LOCATION_PATH, 255, COPAL_CONTENT, COPAL_CONTENT}, /* elective */
        {COPAL_OPTION_ECHO, 40, COPAL_CONTENT, COPAL_CONTENT},
    };
    bench_t b;
    server_t s;
    open_server(&b, &s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(code_for_option(&b, rows[i].number, rows[i].most), rows[i].at);
        assert_int_equal(code_for_option(&b, rows[i].number, rows[i].most + 1), rows[i].beyond);
    }
    bench_close(&b);
}

/* ---- datagrams over the limit ------------------------------------------------------------------------------------ */

static copal_bytes_t put_of(message_t *m, copal_type_t type, copal_bytes_t token, size_t size)
{
    message_start(m, type, COPAL_PUT, 0x0102, token);
    message_text_option(m, COPAL_OPTION_URI_PATH, "a");
    copal_write_payload(&m->w, (copal_bytes_t){filler, size - m->w.size - 1});
    return message_end(m);
}

static void a_datagram_of_the_limit_is_served_and_one_octet_more_is_answered_4_13(void **state)
{
    (void)state;
    static const size_t token_sizes[] = {0, 2, 8, 12, 13, 268, 269, 300};
    for (size_t i = 0; i < sizeof token_sizes / sizeof *token_sizes; i++) {
        bench_t b;
        server_t s;
        message_t m;
        uint8_t octets[300];
        memset(octets, 0xa5, sizeof octets);
        copal_bytes_t token = {octets, token_sizes[i]};
        open_server(&b, &s);
        bench_accept(&b, 1, put_of(&m, COPAL_CON, token, 1152));
        assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
        bench_receive(&b, 2, put_of(&m, COPAL_CON, token, 1153));
        const copal_message_t *answer = bench_sent(&b);
        assert_int_equal(answer->type, COPAL_ACK);
        assert_int_equal(answer->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
        assert_int_equal(answer->id, 0x0102);
        check_bytes(answer->token, token);
        assert_int_equal(s.runs, 1);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void a_datagram_that_was_cut_anywhere_behind_its_token_is_answered_4_13(void **state)
{
    (void)state;
    static const size_t token_sizes[] = {2, 13, 300};
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s);
    for (size_t i = 0; i < 3; i++) {
        for (size_t value = 1; value < 40; value++) { /* the cut falls into an option, at any of its octets */
            message_start(&m, COPAL_CON, COPAL_GET, (uint16_t)value, fill(token_sizes[i]));
            for (int queries = 0; queries < 6; queries++)
                copal_write_option(&m.w, COPAL_OPTION_URI_QUERY, (copal_bytes_t){filler, 210 + value});
            assert_true(m.w.size > 1153);
            bench_receive(&b, 1, (copal_bytes_t){m.data, 1153});
            const copal_message_t *answer = bench_sent(&b);
            assert_int_equal(answer->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
            assert_int_equal(answer->id, value);
            assert_int_equal(answer->token.size, token_sizes[i]);
        }
    }
    assert_int_equal(s.runs, 0);
    bench_close(&b);
}

/* What does not fit need not be in the buffer, whatever size it is said to have. */
static void of_a_datagram_that_was_cut_no_octet_beyond_the_limit_is_looked_at(void **state)
{
    (void)state;
    static const uint8_t heads[][2] = {{0x4e, COPAL_GET}, {0x5e, COPAL_GET}, {0x4e, COPAL_CONTENT}, {0x5e, COPAL_CONTENT}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        for (size_t token = 1140; token < 4000; token += token < 1160 ? 1 : 1000) {
            bench_t b;
            server_t s;
            outcome_t o;
            const copal_from_t from = {.peer = peer_of(1), .via = 7};
            uint8_t *octets = calloc(1, 1152);
            memcpy(octets, heads[i], 2);
            octets[4] = (uint8_t)((token - 269) >> 8);
            octets[5] = (uint8_t)(token - 269);
            open_server(&b, &s);
            bench_ask(&b, 1, COPAL_GET, true, &o);
            copal_endpoint_receive(b.endpoint, b.now, &from, (copal_bytes_t){octets, 5000});
            free(octets);
            assert_int_equal(s.runs, 0);
            assert_int_equal(o.count, 0);
            bench_close(&b);
        }
    }
}

static void an_oversized_datagram_by_multicast_is_ignored(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s);
    copal_endpoint_hear_groups(b.endpoint);
    copal_from_t from = {.peer = peer_of(1), .multicast = true};
    bench_receive_from(&b, &from, put_of(&m, COPAL_NON, BYTES(1), 2000));
    bench_idle(&b);
    assert_int_equal(s.runs, 0);
    bench_close(&b);
}

static void rfc7252_4_1_an_oversized_empty_message_is_no_acknowledgement_and_no_reset(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    uint8_t octets[2000] = {0};
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    memcpy(octets + 2, (bench_sent(&b), b.sent.data) + 2, 2);
    copal_time_t due = copal_endpoint_next_timeout(b.endpoint);
    for (uint8_t type = 0x60; type <= 0x70; type = (uint8_t)(type + 0x10)) {
        octets[0] = type;
        assert_true(bench_receive(&b, 1, (copal_bytes_t){octets, sizeof octets}) < 0);
        bench_silent(&b);
        assert_int_equal(o.count, 0);
        assert_int_equal(copal_endpoint_next_timeout(b.endpoint), due);
    }
    octets[0] = 0x40;
    octets[2] = octets[3] = 9;
    bench_receive(&b, 1, (copal_bytes_t){octets, sizeof octets});
    bench_sends(&b, 1, BYTES(0x70, 0x00, 9, 9));
    bench_close(&b);
}

static void an_oversized_answer_ends_the_request_with_espace(void **state)
{
    (void)state;
    for (int type = COPAL_CON; type <= COPAL_ACK; type++) {
        bench_t b;
        outcome_t o;
        message_t m;
        bench_open(&b, &(copal_config_t){0});
        bench_ask(&b, 1, COPAL_GET, true, &o);
        const copal_message_t *request = bench_sent(&b);
        message_start(&m, (copal_type_t)type, COPAL_CONTENT, request->id, request->token);
        copal_write_payload(&m.w, fill(2000));
        bench_receive(&b, 1, message_end(&m));
        assert_int_equal(o.count, 1);
        assert_int_equal(o.status, COPAL_ESPACE);
        if (type == COPAL_CON) /* it cannot be processed: rejected (section 4.2) */
            assert_int_equal(bench_sent(&b)->type, COPAL_RST);
        bench_idle(&b);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8974_2_1_a_token_of_any_length_comes_back_in_the_answer),
        cmocka_unit_test(rfc8974_2_2_2_a_token_too_long_to_be_kept_is_answered_4_00_with_that_token),
        cmocka_unit_test(a_refusal_fits_behind_the_longest_token),
        cmocka_unit_test(rfc7252_5_4_3_options_are_taken_up_to_their_length_and_not_beyond),
        cmocka_unit_test(a_datagram_of_the_limit_is_served_and_one_octet_more_is_answered_4_13),
        cmocka_unit_test(a_datagram_that_was_cut_anywhere_behind_its_token_is_answered_4_13),
        cmocka_unit_test(of_a_datagram_that_was_cut_no_octet_beyond_the_limit_is_looked_at),
        cmocka_unit_test(an_oversized_datagram_by_multicast_is_ignored),
        cmocka_unit_test(rfc7252_4_1_an_oversized_empty_message_is_no_acknowledgement_and_no_reset),
        cmocka_unit_test(an_oversized_answer_ends_the_request_with_espace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
