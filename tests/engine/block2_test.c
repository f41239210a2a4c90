/* Answers in blocks (RFC 7959 sections 2.2 to 2.4): of a generated body, of a deferred one, of a value. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define VALUE_SIZE 5000u

typedef enum { GENERATED, DEFERRED, STORED } source_t;

typedef struct {
    bench_t bench;
    server_t server;
    source_t source;
    uint16_t id;
} fixture_t;

static void open_fixture(fixture_t *f, source_t source, size_t body_size)
{
    *f = (fixture_t){.source = source};
    if (source == STORED) {
        uint8_t body[VALUE_SIZE];
        copal_value_options_t options = {.content_format = 42, .max_age = 9, .etag = true,
                                         .methods = COPAL_METHODS_ALL};
        for (size_t i = 0; i < body_size; i++)
            body[i] = body_octet(i);
        bench_open_tree(&f->bench, &(copal_config_t){0}, VALUE_SIZE);
        assert_int_equal(copal_tree_add_value(f->bench.tree, "a", (copal_bytes_t){body, body_size}, &options, NULL), 0);
        return;
    }
    bench_open(&f->bench, &(copal_config_t){.service = server_service(&f->server)});
    f->server.body_size = body_size;
    f->server.text = NULL;
    f->server.defer = source == DEFERRED;
}

static void answer_deferred(fixture_t *f)
{
    copal_writer_t *w;
    assert_int_equal(copal_later_begin(f->bench.endpoint, f->server.later, COPAL_CONTENT, &w), 0);
    for (size_t i = 0; i < f->server.body_size; i++) {
        uint8_t octet = body_octet(i);
        copal_write_payload(w, (copal_bytes_t){&octet, 1});
    }
    assert_int_equal(copal_later_commit(f->bench.endpoint, f->bench.now, f->server.later), 0);
}

/* Asks for the block with this option value; -1: without Block2. */
static const copal_message_t *ask(fixture_t *f, int64_t block2)
{
    message_t m;
    message_start(&m, COPAL_CON, COPAL_GET, f->id++, BYTES(0xca));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (block2 >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)block2);
    bench_accept(&f->bench, 1, message_end(&m));
    if (f->source == DEFERRED)
        answer_deferred(f);
    return bench_sent(&f->bench);
}

static int64_t block2(uint32_t number, bool more, uint32_t szx) { return number << 4 | (more ? 8u : 0u) | szx; }

static void assert_octets(const copal_message_t *m, size_t at, size_t size)
{
    assert_int_equal(m->code, COPAL_CONTENT);
    assert_int_equal(m->payload.size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(m->payload.data[i], body_octet(at + i));
}

/* Fetches all of it in blocks of 2^(szx + 4); every block but the last is full and says that more follow. */
static void assert_fetched(fixture_t *f, size_t body_size, uint32_t szx)
{
    size_t size = (size_t)16 << szx;
    uint32_t last = (uint32_t)((body_size - 1) / size);
    for (uint32_t number = 0; number <= last; number++) {
        const copal_message_t *m = ask(f, block2(number, false, szx));
        assert_octets(m, number * size, number < last ? size : body_size - last * size);
        assert_int_equal(option_of(m, COPAL_OPTION_BLOCK2), block2(number, number < last, szx));
    }
    const copal_message_t *m = ask(f, block2(last + 1, false, szx));
    assert_int_equal(m->code, COPAL_BAD_REQUEST);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK2), -1);
}

static void rfc7959_2_4_a_body_is_fetched_in_blocks_of_any_size_the_client_names(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 15, 16, 17, 64, 1000, 1023, 1024, 1025, 2048, 4999};
    for (source_t source = GENERATED; source <= STORED; source++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            fixture_t f;
            open_fixture(&f, source, sizes[i]);
            for (uint32_t szx = 0; szx <= 6; szx++)
                assert_fetched(&f, sizes[i], szx);
            bench_idle(&f.bench);
            bench_close(&f.bench);
        }
    }
}

static void a_body_of_one_payload_is_whole_and_one_octet_more_comes_as_its_first_block(void **state)
{
    (void)state;
    for (source_t source = GENERATED; source <= STORED; source++) {
        fixture_t f;
        open_fixture(&f, source, 1024);
        assert_octets(ask(&f, -1), 0, 1024);
        assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK2), -1);
        bench_close(&f.bench);
        open_fixture(&f, source, 1025);
        assert_octets(ask(&f, -1), 0, 1024);
        assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK2), block2(0, true, 6));
        bench_close(&f.bench);
    }
}

static void rfc7959_2_2_the_reserved_size_7_is_a_bad_request(void **state)
{
    (void)state;
    for (source_t source = GENERATED; source <= STORED; source += STORED) {
        fixture_t f;
        open_fixture(&f, source, 5000);
        for (uint32_t number = 0; number < 3; number++)
            assert_int_equal(ask(&f, block2(number, false, 7))->code, COPAL_BAD_REQUEST);
        assert_int_equal(f.server.runs, 0);
        bench_close(&f.bench);
    }
}

static void rfc7959_2_3_the_more_bit_of_a_request_is_ignored(void **state)
{
    (void)state;
    for (source_t source = GENERATED; source <= STORED; source++) {
        fixture_t f;
        open_fixture(&f, source, 100);
        assert_octets(ask(&f, block2(1, true, 1)), 32, 32);
        assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK2), block2(1, true, 1));
        assert_octets(ask(&f, block2(3, true, 1)), 96, 4);
        assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK2), block2(3, false, 1));
        bench_close(&f.bench);
    }
}

static void numbers_far_beyond_the_end_are_bad_requests(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {5, 100, 4096, (1u << 20) - 1};
    for (source_t source = GENERATED; source <= STORED; source++) {
        fixture_t f;
        open_fixture(&f, source, 64);
        for (size_t i = 0; i < 4; i++)
            for (uint32_t szx = 0; szx <= 6; szx++)
                assert_int_equal(ask(&f, block2(numbers[i], false, szx))->code, COPAL_BAD_REQUEST);
        assert_octets(ask(&f, -1), 0, 64);
        bench_close(&f.bench);
    }
}

static void rfc7959_2_4_a_server_with_smaller_payloads_answers_from_the_same_octet_in_its_own_size(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.limits = {.payload_size = 256}, .service = server_service(&s)});
    s.body_size = 3000;
    for (uint32_t number = 0; number < 3; number++) {
        message_start(&m, COPAL_CON, COPAL_GET, (uint16_t)number, NO_BYTES);
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)block2(number, false, 6));
        bench_accept(&b, 1, message_end(&m));
        assert_octets(bench_sent(&b), number * 1024, 256);
        assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_BLOCK2), block2(number * 4, true, 4));
    }
    bench_close(&b);
}

static void with_a_long_token_the_blocks_become_smaller_and_still_make_up_the_body(void **state)
{
    (void)state;
    static uint8_t octets[1100];
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    s.body_size = 1500;
    for (size_t token = 0; token <= 1040; token += 40) {
        size_t at = 0;
        uint16_t id = (uint16_t)(token * 100);
        for (int64_t asked = -1; at < s.body_size;) {
            message_start(&m, COPAL_CON, COPAL_GET, id++, (copal_bytes_t){octets, token});
            if (asked >= 0)
                copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)asked);
            bench_accept(&b, 1, message_end(&m));
            const copal_message_t *answer = bench_sent(&b);
            int64_t block = option_of(answer, COPAL_OPTION_BLOCK2);
            assert_true(b.sent.size <= 1152);
            assert_true(block >= 0);
            assert_int_equal((block >> 4) << ((block & 7) + 4), at);
            assert_octets(answer, at, answer->payload.size);
            at += answer->payload.size;
            assert_int_equal(block >> 3 & 1, at < s.body_size);
            asked = block2((uint32_t)(at >> ((block & 7) + 4)), false, block & 7);
        }
        assert_int_equal(at, s.body_size);
    }
    bench_close(&b);
}

/* ---- options of an answer in blocks ------------------------------------------------------------------------- */

static void answer_with_options_last(void *context, copal_call_t *call)
{
    (void)context;
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    for (size_t i = 0; i < 2000; i++) {
        uint8_t octet = body_octet(i);
        copal_write_payload(w, (copal_bytes_t){&octet, 1});
    }
    copal_write_option_uint(w, COPAL_OPTION_SIZE2, 2000);
    copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, 7);
    copal_write_option(w, COPAL_OPTION_ETAG, BYTES(1, 2, 3));
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 42);
}

static void options_written_after_the_body_are_in_every_block(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    bench_open(&b, &(copal_config_t){.service = {.handle = answer_with_options_last}});
    for (int64_t asked = -1; asked < 32; asked += asked < 0 ? 7 : 16) { /* none, and numbers 0 and 1 of 1,024 */
        message_start(&m, COPAL_CON, COPAL_GET, (uint16_t)asked, NO_BYTES);
        if (asked >= 0)
            copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)asked);
        bench_accept(&b, 1, message_end(&m));
        const copal_message_t *answer = bench_sent(&b);
        size_t at = asked > 6 ? 1024 : 0;
        assert_octets(answer, at, at ? 976 : 1024);
        static const uint16_t numbers[] = {COPAL_OPTION_ETAG, COPAL_OPTION_CONTENT_FORMAT, COPAL_OPTION_MAX_AGE,
                                           COPAL_OPTION_BLOCK2, COPAL_OPTION_SIZE2};
        copal_option_reader_t reader = copal_message_options(answer);
        copal_option_t option;
        for (size_t i = 0; i < 5; i++) {
            assert_true(copal_option_next(&reader, &option));
            assert_int_equal(option.number, numbers[i]);
        }
        assert_false(copal_option_next(&reader, &option));
        assert_int_equal(option_of(answer, COPAL_OPTION_BLOCK2), at ? block2(1, false, 6) : block2(0, true, 6));
    }
    bench_close(&b);
}

static void rfc7959_2_4_each_block_of_a_value_has_its_etag(void **state)
{
    (void)state;
    fixture_t f;
    copal_handle_t resource;
    open_fixture(&f, STORED, 3000);
    for (uint32_t number = 0; number < 3; number++) {
        const copal_message_t *m = ask(&f, block2(number, false, 6));
        assert_true(option_of(m, COPAL_OPTION_ETAG) > 0);
        assert_int_equal(option_of(m, COPAL_OPTION_CONTENT_FORMAT), 42);
        assert_int_equal(option_of(m, COPAL_OPTION_MAX_AGE), 9);
    }
    int64_t before = option_of(&f.bench.sent.message, COPAL_OPTION_ETAG);
    assert_int_equal(copal_tree_find(f.bench.tree, "a", &resource), 0);
    assert_int_equal(copal_tree_set_value(f.bench.tree, resource, copal_text("a value of twenty-five octets")), 0);
    assert_true(option_of(ask(&f, block2(0, false, 0)), COPAL_OPTION_ETAG) != before);
    bench_close(&f.bench);
}

/* Asks for the block with this option value (-1: without Block2), and for the size of the body. */
static int64_t asked_size(fixture_t *f, int64_t value)
{
    message_t m;
    message_start(&m, COPAL_CON, COPAL_GET, f->id++, BYTES(0xca));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (value >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)value);
    copal_write_option_uint(&m.w, COPAL_OPTION_SIZE2, 0);
    bench_accept(&f->bench, 1, message_end(&m));
    if (f->source == DEFERRED)
        answer_deferred(f);
    return option_of(bench_sent(&f->bench), COPAL_OPTION_SIZE2);
}

static void rfc7959_4_the_first_block_tells_the_size_of_the_body_and_others_do_when_asked(void **state)
{
    (void)state;
    for (source_t source = GENERATED; source <= STORED; source++) {
        fixture_t f;
        open_fixture(&f, source, 3000);
        assert_int_equal(option_of(ask(&f, -1), COPAL_OPTION_SIZE2), 3000);
        assert_int_equal(option_of(ask(&f, block2(0, false, 4)), COPAL_OPTION_SIZE2), 3000);
        assert_int_equal(option_of(ask(&f, block2(1, false, 4)), COPAL_OPTION_SIZE2), -1);
        assert_int_equal(asked_size(&f, -1), 3000);
        assert_int_equal(asked_size(&f, block2(2, false, 6)), 3000);
        bench_close(&f.bench);
        open_fixture(&f, source, 100);
        assert_int_equal(option_of(ask(&f, block2(0, false, 6)), COPAL_OPTION_SIZE2), -1);
        assert_int_equal(asked_size(&f, block2(0, false, 6)), 100);
        assert_int_equal(asked_size(&f, -1), -1); /* it goes with Block2 only */
        bench_close(&f.bench);
    }
}

static void errors_and_answers_without_a_body_are_never_cut(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    static const copal_code_t codes[] = {COPAL_VALID, COPAL_CHANGED, COPAL_NOT_FOUND};
    for (uint16_t i = 0; i < 3; i++) {
        s.code = codes[i];
        s.text = i == 2 ? "a diagnostic payload of more than sixteen octets" : NULL;
        message_start(&m, COPAL_CON, COPAL_GET, i, NO_BYTES);
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)block2(i, false, 0));
        bench_accept(&b, 1, message_end(&m));
        const copal_message_t *answer = bench_sent(&b);
        assert_int_equal(answer->code, codes[i]);
        assert_int_equal(answer->payload.size, s.text ? strlen(s.text) : 0);
        assert_int_equal(option_of(answer, COPAL_OPTION_BLOCK2), -1);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7959_2_4_a_body_is_fetched_in_blocks_of_any_size_the_client_names),
        cmocka_unit_test(a_body_of_one_payload_is_whole_and_one_octet_more_comes_as_its_first_block),
        cmocka_unit_test(rfc7959_2_2_the_reserved_size_7_is_a_bad_request),
        cmocka_unit_test(rfc7959_2_3_the_more_bit_of_a_request_is_ignored),
        cmocka_unit_test(numbers_far_beyond_the_end_are_bad_requests),
        cmocka_unit_test(rfc7959_2_4_a_server_with_smaller_payloads_answers_from_the_same_octet_in_its_own_size),
        cmocka_unit_test(with_a_long_token_the_blocks_become_smaller_and_still_make_up_the_body),
        cmocka_unit_test(options_written_after_the_body_are_in_every_block),
        cmocka_unit_test(rfc7959_2_4_each_block_of_a_value_has_its_etag),
        cmocka_unit_test(rfc7959_4_the_first_block_tells_the_size_of_the_body_and_others_do_when_asked),
        cmocka_unit_test(errors_and_answers_without_a_body_are_never_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
