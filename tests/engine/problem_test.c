/* Errors as Concise Problem Details (RFC 9290), for who accepts that. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PROBLEM 257

static const copal_bytes_t token = {(const uint8_t[]){0xca, 0xfe}, 2};
static const char *diagnostic;
static copal_code_t code;
static int32_t content_format;
static copal_handle_t later;

static void serve(void *context, copal_call_t *call)
{
    (void)context;
    if (call->request->code == COPAL_FETCH) {
        assert_int_equal(copal_defer(call, &later), 0);
        return;
    }
    copal_reply_text(call, code, diagnostic);
    if (content_format >= 0) {
        copal_writer_t *w = copal_reply(call, code);
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)content_format);
        copal_write_text(w, diagnostic);
    }
}

static void open_bench(bench_t *b, copal_code_t answer, const char *text)
{
    code = answer;
    diagnostic = text;
    content_format = -1;
    bench_open(b, &(copal_config_t){.service = {.handle = serve}});
}

static copal_bytes_t request(message_t *m, copal_code_t method, uint16_t id, int32_t accept)
{
    message_start(m, COPAL_CON, method, id, token);
    message_text_option(m, COPAL_OPTION_URI_PATH, "a");
    if (accept >= 0)
        copal_write_option_uint(&m->w, COPAL_OPTION_ACCEPT, (uint32_t)accept);
    return message_end(m);
}

static const copal_message_t *ask(bench_t *b, int32_t accept)
{
    static uint16_t id;
    message_t m;
    bench_accept(b, 1, request(&m, COPAL_GET, id++, accept));
    return bench_sent(b);
}

static void assert_problem(const copal_message_t *m, copal_bytes_t octets)
{
    assert_int_equal(option_of(m, COPAL_OPTION_CONTENT_FORMAT), PROBLEM);
    check_bytes(m->payload, octets);
}

static void a_bare_error_has_its_codes_text_as_title(void **state)
{
    (void)state;
    bench_t b;
    open_bench(&b, COPAL_NOT_FOUND, NULL);
    assert_problem(ask(&b, PROBLEM), BYTES(0xa1, 0x20, 0x69, 'N', 'o', 't', ' ', 'F', 'o', 'u', 'n', 'd'));
    bench_close(&b);
}

static void a_diagnostic_becomes_the_detail(void **state)
{
    (void)state;
    bench_t b;
    open_bench(&b, COPAL_CONFLICT, "busy");
    assert_problem(ask(&b, PROBLEM), BYTES(0xa2, 0x20, 0x68, 'C', 'o', 'n', 'f', 'l', 'i', 'c', 't', 0x21, 0x64, 'b', 'u',
                                           's', 'y'));
    bench_close(&b);
}

static void texts_of_any_size_have_the_head_they_need(void **state)
{
    (void)state;
    static char text[600];
    static const size_t sizes[] = {1, 23, 24, 255, 256, 599};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bench_t b;
        size_t size = sizes[i];
        memset(text, 'x', size);
        text[size] = 0;
        open_bench(&b, COPAL_REQUEST_ENTITY_INCOMPLETE, text); /* its own text has 25 octets */
        const copal_message_t *m = ask(&b, PROBLEM);
        const uint8_t *at = m->payload.data;
        assert_memory_equal(at, "\xa2\x20\x78\x19Request Entity Incomplete\x21", 30);
        at += 30;
        if (size < 24) {
            assert_int_equal(*at++, 0x60 + size);
        } else if (size < 256) {
            assert_int_equal(*at++, 0x78);
            assert_int_equal(*at++, size);
        } else {
            assert_int_equal(*at++, 0x79);
            assert_int_equal(*at++, size >> 8);
            assert_int_equal(*at++, size & 255);
        }
        check_bytes((copal_bytes_t){at, (size_t)(m->payload.data + m->payload.size - at)}, copal_text(text));
        bench_close(&b);
    }
}

static void a_code_without_a_text_has_the_detail_alone(void **state)
{
    (void)state;
    bench_t b;
    open_bench(&b, COPAL_CODE(4, 30), "odd");
    assert_problem(ask(&b, PROBLEM), BYTES(0xa1, 0x21, 0x63, 'o', 'd', 'd'));
    diagnostic = NULL;
    assert_int_equal(ask(&b, PROBLEM)->payload.size, 0); /* an empty map is none (section 2) */
    bench_close(&b);
}

static void who_does_not_ask_for_it_gets_the_diagnostic(void **state)
{
    (void)state;
    bench_t b;
    open_bench(&b, COPAL_CONFLICT, "busy");
    for (int32_t accept = -1; accept < 60; accept += 61) {
        const copal_message_t *m = ask(&b, accept);
        assert_int_equal(option_of(m, COPAL_OPTION_CONTENT_FORMAT), -1);
        check_bytes(m->payload, copal_text("busy"));
    }
    bench_close(&b);
}

static void what_is_no_error_or_has_a_representation_stays_as_it_is(void **state)
{
    (void)state;
    bench_t b;
    open_bench(&b, COPAL_CONTENT, "fine");
    const copal_message_t *m = ask(&b, PROBLEM);
    assert_int_equal(option_of(m, COPAL_OPTION_CONTENT_FORMAT), -1);
    check_bytes(m->payload, copal_text("fine"));
    code = COPAL_CONFLICT;
    content_format = 50;
    m = ask(&b, PROBLEM);
    assert_int_equal(option_of(m, COPAL_OPTION_CONTENT_FORMAT), 50);
    check_bytes(m->payload, copal_text("fine"));
    bench_close(&b);
}

static void the_engines_own_errors_are_described_too(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    static const char expected[] = "\xa2\x20\x6a" "Bad Option\x21\x78\x20" "critical option 9 not understood";
    open_bench(&b, COPAL_CONTENT, "fine");
    message_start(&m, COPAL_CON, COPAL_GET, 1, token);
    copal_write_option(&m.w, COPAL_OPTION_OSCORE, BYTES(1)); /* before Accept */
    copal_write_option_uint(&m.w, COPAL_OPTION_ACCEPT, PROBLEM);
    bench_accept(&b, 1, message_end(&m));
    assert_int_equal(bench_sent(&b)->code, COPAL_BAD_OPTION);
    assert_problem(&b.sent.message, copal_text(expected));
    bench_close(&b);
}

static void the_options_of_an_error_stay(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    static uint8_t octets[100];
    bench_open_tree(&b, &(copal_config_t){0}, 50);
    message_start(&m, COPAL_CON, COPAL_PUT, 1, token);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "new");
    copal_write_option_uint(&m.w, COPAL_OPTION_ACCEPT, PROBLEM);
    copal_write_payload(&m.w, (copal_bytes_t){octets, sizeof octets});
    bench_accept(&b, 1, message_end(&m));
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(answer, COPAL_OPTION_SIZE1), 50);
    assert_problem(answer, copal_text("\xa1\x20\x78\x18Request Entity Too Large"));
    bench_close(&b);
}

static void an_error_given_later_is_described(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    copal_writer_t *w;
    open_bench(&b, COPAL_CONTENT, NULL);
    bench_accept(&b, 1, request(&m, COPAL_FETCH, 1, PROBLEM));
    assert_int_equal(copal_later_begin(b.endpoint, later, COPAL_FORBIDDEN, &w), 0);
    assert_int_equal(copal_later_commit(b.endpoint, b.now, later), 0);
    assert_int_equal(bench_sent(&b)->code, COPAL_FORBIDDEN);
    assert_problem(&b.sent.message, copal_text("\xa1\x20\x69" "Forbidden"));
    bench_close(&b);
}

static void where_there_is_no_room_it_stays_a_diagnostic(void **state)
{
    (void)state;
    bench_t b;
    static const char text[] = "a diagnostic of just so many octets that the map does not fit";
    code = COPAL_CONFLICT;
    diagnostic = text;
    content_format = -1;
    bench_open(&b, &(copal_config_t){.limits = {.datagram_size = 80}, .service = {.handle = serve}});
    const copal_message_t *m = ask(&b, PROBLEM);
    assert_int_equal(option_of(m, COPAL_OPTION_CONTENT_FORMAT), -1);
    check_bytes(m->payload, copal_text(text));
    bench_close(&b);
}

/* ---- an address that is not proven, of a network that has spent what it may ----------------------------------- */

static void open_poor(bench_t *b, uint32_t datagram_size, copal_code_t answer, const char *text)
{
    code = answer;
    diagnostic = text;
    content_format = -1;
    bench_open(b, &(copal_config_t){.service = {.handle = serve},
                                    .limits = {.datagram_size = datagram_size, .network_bytes = 2}});
}

/* The request may pay for more octets than a datagram has. */
static void a_problem_that_is_paid_for_is_no_larger_than_a_datagram(void **state)
{
    (void)state;
    for (unsigned deferred = 0; deferred < 2; deferred++) {
        bench_t b;
        message_t m;
        copal_writer_t *w;
        open_poor(&b, 64, COPAL_NOT_FOUND, "there is nothing of that kind at this place now.");
        message_start(&m, COPAL_CON, deferred ? COPAL_FETCH : COPAL_GET, 1, token);
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        message_text_option(&m, COPAL_OPTION_URI_QUERY, "01234567890123456789");
        copal_write_option_uint(&m.w, COPAL_OPTION_ACCEPT, PROBLEM);
        bench_accept(&b, 1, message_end(&m));
        if (deferred) {
            assert_int_equal(copal_later_begin(b.endpoint, later, code, &w), 0);
            copal_write_text(w, diagnostic);
            assert_int_equal(copal_later_commit(b.endpoint, b.now, later), 0);
        }
        assert_int_equal(bench_sent(&b)->code, COPAL_NOT_FOUND);
        assert_true(b.sent.size <= 64);
        check_bytes(b.sent.message.payload, copal_text(diagnostic));
        bench_close(&b);
    }
}

static void assert_within_three_times(bench_t *b, message_t *m, copal_code_t expected)
{
    const copal_bytes_t asked = message_end(m);
    size_t out = 0;
    bench_accept(b, 1, asked);
    assert_int_equal(bench_sent(b)->code, expected);
    do
        out += b->sent.size;
    while (bench_take(b));
    assert_true(out <= 3 * asked.size);
}

static void nobody_is_told_of_a_problem_in_more_than_three_times_what_he_sent(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    open_poor(&b, 0, COPAL_CONTENT, "a representation of more than one block, even of the smallest");
    content_format = 65000;
    message_start(&m, COPAL_CON, COPAL_GET, 1, NO_BYTES);
    copal_write_option_uint(&m.w, COPAL_OPTION_ACCEPT, PROBLEM);
    assert_within_three_times(&b, &m, COPAL_UNAUTHORIZED);
    bench_close(&b);
    open_poor(&b, 0, COPAL_CONTENT, "short");
    message_start(&m, COPAL_CON, COPAL_GET, 1, NO_BYTES);
    copal_write_option_uint(&m.w, COPAL_OPTION_ACCEPT, PROBLEM);
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, 1 << 4);
    assert_within_three_times(&b, &m, COPAL_BAD_REQUEST);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_that_is_paid_for_is_no_larger_than_a_datagram),
        cmocka_unit_test(nobody_is_told_of_a_problem_in_more_than_three_times_what_he_sent),
        cmocka_unit_test(a_bare_error_has_its_codes_text_as_title),
        cmocka_unit_test(a_diagnostic_becomes_the_detail),
        cmocka_unit_test(texts_of_any_size_have_the_head_they_need),
        cmocka_unit_test(a_code_without_a_text_has_the_detail_alone),
        cmocka_unit_test(who_does_not_ask_for_it_gets_the_diagnostic),
        cmocka_unit_test(what_is_no_error_or_has_a_representation_stays_as_it_is),
        cmocka_unit_test(the_engines_own_errors_are_described_too),
        cmocka_unit_test(the_options_of_an_error_stay),
        cmocka_unit_test(an_error_given_later_is_described),
        cmocka_unit_test(where_there_is_no_room_it_stays_a_diagnostic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
