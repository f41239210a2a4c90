/* Bodies that come in by Block1 (RFC 7959 sections 2.3, 2.5; RFC 9175 section 3), seen from the wire: to the value "v" at
 * "a" of a tree, from peers that differ by number. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VALUE_SIZE 4000u
#define LIFETIME   247000 /* EXCHANGE_LIFETIME at default timing */

typedef struct {
    bench_t bench;
    copal_tree_t *tree;
    uint32_t peer;
    uint16_t id;
    copal_code_t method;
    const char *tag; /* Request-Tag; NULL: none */
    int64_t size1;   /* -1: none */
    int32_t format;
    bool if_none_match;
} fixture_t;

static void fill(void *state, void *buffer, size_t size)
{
    uint8_t *next = state;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)buffer)[i] = (*next)++;
}

static void open_fixture(fixture_t *f, uint32_t uploads, const copal_limits_t *limits)
{
    static uint8_t next;
    static const copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    *f = (fixture_t){.peer = 1, .method = COPAL_PUT, .size1 = -1, .format = -1};
    const copal_tree_config_t config = {
        .limits = {.value_size = VALUE_SIZE, .uploads = uploads, .arena = 65536},
        .random = fill,
        .random_state = &next,
    };
    size_t size = copal_tree_size(&config.limits);
    void *memory = calloc(1, size);
    assert_non_null(memory);
    assert_int_equal(copal_tree_init(&f->tree, memory, size, &config), 0);
    assert_int_equal(copal_tree_add_value(f->tree, "a", copal_text("v"), &options, NULL), 0);
    bench_open(&f->bench, &(copal_config_t){.limits = limits ? *limits : (copal_limits_t){0},
                                            .service = copal_tree_service(f->tree, 0)});
}

static void close_fixture(fixture_t *f)
{
    bench_close(&f->bench);
    copal_tree_close(f->tree);
    free(f->tree);
}

/* Sends octets `at` to `at + size` of the body as the block of this option value. */
static const copal_message_t *send_block(fixture_t *f, uint32_t block1, size_t at, size_t size)
{
    message_t m;
    message_start(&m, COPAL_CON, f->method, f->id++, BYTES(0xca));
    if (f->if_none_match)
        copal_write_option(&m.w, COPAL_OPTION_IF_NONE_MATCH, NO_BYTES);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (f->format >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)f->format);
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, block1);
    if (f->size1 >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_SIZE1, (uint32_t)f->size1);
    if (f->tag)
        message_text_option(&m, COPAL_OPTION_REQUEST_TAG, f->tag);
    for (size_t i = at; i < at + size; i++) {
        uint8_t octet = body_octet(i);
        copal_write_payload(&m.w, (copal_bytes_t){&octet, 1});
    }
    bench_accept(&f->bench, f->peer, message_end(&m));
    return bench_sent(&f->bench);
}

static uint32_t block1(size_t number, bool more, uint32_t szx) { return (uint32_t)number << 4 | (more ? 8u : 0u) | szx; }

/* The next blocks of a body in their order, up to octet `until` of `size`. The last answer's code. */
static copal_code_t send_until(fixture_t *f, uint32_t szx, size_t from, size_t until, size_t size)
{
    size_t step = (size_t)16 << szx;
    copal_code_t code = 0;
    for (size_t at = from; at < until; at += step) {
        bool more = at + step < size;
        const copal_message_t *m = send_block(f, block1(at / step, more, szx), at, more ? step : size - at);
        code = m->code;
        if (more && code != COPAL_CONTINUE)
            return code;
        if (COPAL_CODE_CLASS(code) == 2)
            assert_int_equal(option_of(m, COPAL_OPTION_BLOCK1), block1(at / step, more, szx));
    }
    return code;
}

static void assert_value(const fixture_t *f, size_t expected)
{
    uint8_t value[VALUE_SIZE];
    size_t size;
    copal_handle_t resource;
    assert_int_equal(copal_tree_find(f->tree, "a", &resource), 0);
    assert_int_equal(copal_tree_get_value(f->tree, resource, value, sizeof value, &size), 0);
    assert_int_equal(size, expected);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(value[i], body_octet(i));
}

static void assert_untouched(const fixture_t *f)
{
    char value[VALUE_SIZE];
    size_t size;
    copal_handle_t resource;
    assert_int_equal(copal_tree_find(f->tree, "a", &resource), 0);
    assert_int_equal(copal_tree_get_value(f->tree, resource, value, sizeof value, &size), 0);
    assert_int_equal(size, 1);
    assert_int_equal(value[0], 'v');
}

/* ---- the order of things ----------------------------------------------------------------------------------- */

static void rfc7959_2_5_a_body_of_any_size_comes_in_blocks_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 17, 100, 1024, 1025, 3999, 4000};
    for (uint32_t szx = 0; szx <= 6; szx++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            fixture_t f;
            open_fixture(&f, 0, NULL);
            assert_int_equal(send_until(&f, szx, 0, sizes[i], sizes[i]), COPAL_CHANGED);
            assert_value(&f, sizes[i]);
            close_fixture(&f);
        }
    }
}

static void nothing_changes_before_the_last_block(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    assert_int_equal(send_until(&f, 2, 0, 576, 600), COPAL_CONTINUE);
    assert_untouched(&f);
    assert_int_equal(send_until(&f, 2, 576, 600, 600), COPAL_CHANGED);
    assert_value(&f, 600);
    close_fixture(&f);
}

static void rfc7959_2_5_a_block_out_of_order_is_4_08_and_the_right_one_still_fits(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    assert_int_equal(send_until(&f, 2, 0, 128, 600), COPAL_CONTINUE);
    assert_int_equal(send_block(&f, block1(3, true, 2), 192, 64)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_int_equal(send_block(&f, block1(9, false, 2), 576, 24)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_untouched(&f);
    assert_int_equal(send_until(&f, 2, 128, 600, 600), COPAL_CHANGED);
    assert_value(&f, 600);
    assert_int_equal(send_block(&f, block1(9, false, 2), 576, 24)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    close_fixture(&f);
}

static void a_copy_of_the_block_just_taken_is_answered_again_as_it_was(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    assert_int_equal(send_until(&f, 2, 0, 192, 600), COPAL_CONTINUE);
    for (int i = 0; i < 2; i++) {
        const copal_message_t *m = send_block(&f, block1(2, true, 2), 128, 64);
        assert_int_equal(m->code, COPAL_CONTINUE);
        assert_int_equal(option_of(m, COPAL_OPTION_BLOCK1), block1(2, true, 2));
    }
    assert_int_equal(send_block(&f, block1(1, true, 2), 64, 64)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_int_equal(send_until(&f, 2, 192, 600, 600), COPAL_CHANGED);
    assert_value(&f, 600);
    close_fixture(&f);
}

static void rfc7959_2_5_block_0_begins_anew(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    assert_int_equal(send_until(&f, 2, 0, 320, 600), COPAL_CONTINUE);
    assert_int_equal(send_until(&f, 3, 0, 128, 300), COPAL_CONTINUE);
    assert_int_equal(send_block(&f, block1(5, true, 2), 320, 64)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_int_equal(send_until(&f, 3, 128, 300, 300), COPAL_CHANGED);
    assert_value(&f, 300);
    close_fixture(&f);
}

static void a_body_that_comes_whole_ends_the_one_that_comes_in_parts(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    assert_int_equal(send_until(&f, 2, 0, 320, 600), COPAL_CONTINUE);
    const copal_message_t *m = send_block(&f, block1(0, false, 2), 0, 40);
    assert_int_equal(m->code, COPAL_CHANGED);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK1), block1(0, false, 2));
    assert_int_equal(send_block(&f, block1(5, true, 2), 320, 64)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_value(&f, 40);
    close_fixture(&f);
}

static void rfc7959_2_3_a_server_with_smaller_payloads_asks_for_them_and_goes_on_at_the_right_number(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, &(copal_limits_t){.payload_size = 256});
    const copal_message_t *m = send_block(&f, block1(0, true, 6), 0, 1024);
    assert_int_equal(m->code, COPAL_CONTINUE);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK1), block1(0, true, 4));
    assert_int_equal(send_until(&f, 4, 1024, 3000, 3000), COPAL_CHANGED);
    assert_value(&f, 3000);
    /* Clients that do not heed it are served as well, and such that go on with pieces of what is here already. */
    assert_int_equal(send_block(&f, block1(0, true, 6), 0, 1024)->code, COPAL_CONTINUE);
    assert_int_equal(send_until(&f, 4, 256, 3000, 3000), COPAL_CHANGED);
    assert_value(&f, 3000);
    f.method = COPAL_POST;
    for (size_t at = 0; at < 3000; at += 1024)
        m = send_block(&f, block1(at / 1024, at + 1024 < 3000, 6), at, at + 1024 < 3000 ? 1024 : 3000 - at);
    assert_int_equal(m->code, COPAL_CHANGED);
    close_fixture(&f);
}

static void rfc7959_2_9_3_a_block_in_too_large_a_datagram_is_4_13_with_a_size_that_fits(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, &(copal_limits_t){.datagram_size = 300});
    const copal_message_t *m = send_block(&f, block1(0, true, 6), 0, 1024);
    assert_int_equal(m->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK1), block1(0, false, 4));
    assert_int_equal(send_until(&f, 4, 0, 3000, 3000), COPAL_CHANGED);
    assert_value(&f, 3000);
    message_t plain;
    message_start(&plain, COPAL_CON, COPAL_PUT, 999, BYTES(0xca));
    message_text_option(&plain, COPAL_OPTION_URI_PATH, "a");
    for (int i = 0; i < 20; i++)
        copal_write_text(&plain.w, "a body over one datagram");
    bench_accept(&f.bench, 1, message_end(&plain));
    assert_int_equal(bench_sent(&f.bench)->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK1), -1); /* it does not know the option, maybe */
    close_fixture(&f);
}

static void rfc7252_4_5_the_last_block_of_a_post_is_remembered_as_any_post_and_the_others_need_not_be(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, &(copal_limits_t){.remembered = 4, .remembered_bytes = 4096});
    f.method = COPAL_POST;
    assert_int_equal(send_until(&f, 2, 0, 600, 600), COPAL_CHANGED); /* ten blocks, of which nine are forgotten */
    f.method = COPAL_PUT;
    for (f.peer = 2; f.peer < 12; f.peer++)
        assert_int_equal(send_block(&f, block1(0, false, 2), 0, 3)->code, COPAL_CHANGED);
    f.peer = 1;
    f.method = COPAL_POST;
    f.id = 9;
    assert_int_equal(send_block(&f, block1(9, false, 2), 576, 24)->code, COPAL_CHANGED);
    assert_int_equal(copal_endpoint_counters(f.bench.endpoint)->duplicates, 1);
    assert_value(&f, 3); /* it did not run again */
    close_fixture(&f);
}

/* ---- what belongs together ----------------------------------------------------------------------------------- */

static void rfc9175_3_3_blocks_of_another_tag_or_format_or_peer_or_method_are_of_another_body(void **state)
{
    (void)state;
    for (int change = 0; change < 5; change++) {
        fixture_t f;
        open_fixture(&f, 20, NULL);
        f.tag = change == 4 ? "x" : NULL;
        assert_int_equal(send_until(&f, 2, 0, 128, 600), COPAL_CONTINUE);
        fixture_t before = f;
        if (change == 0)
            f.tag = "x";
        else if (change == 1)
            f.format = 50; /* RFC 7959 section 2.3 */
        else if (change == 2)
            f.peer = 2;
        else if (change == 3)
            f.method = COPAL_POST;
        else
            f.tag = NULL;
        assert_int_equal(send_block(&f, block1(2, true, 2), 128, 64)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
        f.tag = before.tag;
        f.format = before.format;
        f.peer = before.peer;
        f.method = before.method;
        assert_int_equal(send_until(&f, 2, 128, 600, 600), COPAL_CHANGED);
        assert_value(&f, 600);
        close_fixture(&f);
    }
}

static void rfc9175_3_5_2_bodies_with_different_tags_come_in_at_the_same_time(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 16, NULL);
    static const char *const tags[] = {"a", "b", "", NULL};
    for (size_t at = 0; at < 512; at += 64) {
        for (size_t i = 0; i < 4; i++) {
            f.tag = tags[i];
            size_t size = 200 + 64 * i;
            if (at < size)
                assert_int_equal(send_until(&f, 2, at, at + 64 < size ? at + 64 : size, size),
                                 at + 64 < size ? COPAL_CONTINUE : COPAL_CHANGED);
        }
    }
    assert_value(&f, 200 + 64 * 3);
    close_fixture(&f);
}

static void sizes_and_echo_may_differ_from_block_to_block(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    f.size1 = 600;
    assert_int_equal(send_until(&f, 2, 0, 64, 600), COPAL_CONTINUE);
    f.size1 = -1;
    assert_int_equal(send_until(&f, 2, 64, 600, 600), COPAL_CHANGED);
    assert_value(&f, 600);
    close_fixture(&f);
}

static void rfc7959_2_10_if_none_match_on_the_first_block_is_meant_for_all(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    f.if_none_match = true;
    assert_int_equal(send_block(&f, block1(0, true, 2), 0, 64)->code, COPAL_PRECONDITION_FAILED);
    close_fixture(&f);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------ */

static void rfc7959_2_9_3_a_body_that_is_too_long_is_4_13_with_the_most_there_may_be(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    assert_int_equal(send_until(&f, 6, 0, 4096, 5000), COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_SIZE1), VALUE_SIZE);
    assert_int_equal(send_block(&f, block1(4, false, 6), 4096, 904)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    f.size1 = VALUE_SIZE + 1;
    assert_int_equal(send_until(&f, 6, 0, 1024, 5000), COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_SIZE1), VALUE_SIZE);
    assert_untouched(&f);
    close_fixture(&f);
}

/* ---- bounds -------------------------------------------------------------------------------------------------------- */

static void a_peer_has_a_quarter_of_the_uploads_and_then_is_told_to_wait(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 8, NULL);
    static const char *const tags[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        f.tag = tags[i];
        f.bench.now += 1000;
        assert_int_equal(send_until(&f, 2, 0, 64, 600), i < 2 ? COPAL_CONTINUE : COPAL_TOO_MANY_REQUESTS);
    }
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_MAX_AGE), 28); /* until the first is idle for 30 s */
    f.bench.now += 28000;
    assert_int_equal(send_until(&f, 2, 0, 64, 600), COPAL_CONTINUE);
    f.tag = "a";
    assert_int_equal(send_until(&f, 2, 64, 128, 600), COPAL_REQUEST_ENTITY_INCOMPLETE);
    close_fixture(&f);
}

/* A peer answers its challenge. */
static copal_code_t send_with_echo(fixture_t *f)
{
    message_t m;
    copal_option_t echo;
    uint8_t value[40];
    assert_int_equal(f->bench.sent.message.code, COPAL_UNAUTHORIZED);
    assert_true(copal_option_find(&f->bench.sent.message, COPAL_OPTION_ECHO, &echo));
    size_t size = echo.value.size;
    memcpy(value, echo.value.data, size);
    message_start(&m, COPAL_CON, f->method, f->id++, BYTES(0xca));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, block1(0, true, 0));
    copal_write_option(&m.w, COPAL_OPTION_ECHO, (copal_bytes_t){value, size});
    copal_write_text(&m.w, "sixteen octets..");
    bench_accept(&f->bench, f->peer, message_end(&m));
    return bench_sent(&f->bench)->code;
}

static void the_last_quarter_is_for_proven_peers_and_then_the_idle_make_room(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 4, NULL);
    for (f.peer = 1; f.peer <= 3; f.peer++) {
        f.bench.now += 10000;
        assert_int_equal(send_until(&f, 0, 0, 16, 600), COPAL_CONTINUE);
    }
    for (; f.peer <= 6; f.peer++) {
        assert_int_equal(send_until(&f, 0, 0, 16, 600), COPAL_UNAUTHORIZED);
        assert_int_equal(send_with_echo(&f), f.peer == 4 ? COPAL_CONTINUE : COPAL_SERVICE_UNAVAILABLE);
    }
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_MAX_AGE), 10);
    f.bench.now += 10000;
    f.peer = 5;
    assert_int_equal(send_until(&f, 0, 0, 16, 600), COPAL_CONTINUE);
    f.peer = 1;
    assert_int_equal(send_until(&f, 0, 16, 32, 600), COPAL_REQUEST_ENTITY_INCOMPLETE);
    f.peer = 4;
    assert_int_equal(send_until(&f, 0, 16, 32, 600), COPAL_CONTINUE);
    close_fixture(&f);
}

static void rfc7959_2_5_a_body_is_forgotten_after_exchange_lifetime_without_a_block(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 0, NULL);
    assert_int_equal(send_until(&f, 2, 0, 128, 600), COPAL_CONTINUE);
    f.bench.now += LIFETIME - 1;
    assert_int_equal(send_until(&f, 2, 128, 192, 600), COPAL_CONTINUE);
    f.bench.now += LIFETIME;
    assert_int_equal(send_until(&f, 2, 192, 256, 600), COPAL_REQUEST_ENTITY_INCOMPLETE);
    close_fixture(&f);
}

static void what_is_given_up_gives_its_memory_back(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 4, NULL);
    for (int i = 0; i < 200; i++) { /* 200 * 3,000 octets into an arena of 65,536 */
        f.peer = 1 + (uint32_t)i % 3;
        assert_int_equal(send_until(&f, 6, 0, 3000, 4000), COPAL_CONTINUE);
        f.bench.now += 1000;
    }
    f.peer = 1;
    assert_int_equal(send_until(&f, 6, 0, 4000, 4000), COPAL_CHANGED);
    assert_value(&f, 4000);
    close_fixture(&f);
}

static void where_memory_is_short_who_has_been_idle_for_30_s_makes_room(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 64, NULL); /* places enough: the arena takes no more than 16 of these bodies */
    while (send_until(&f, 6, 0, 3000, 4000) == COPAL_CONTINUE)
        f.peer++;
    assert_in_range(f.peer, 8, 17);
    assert_int_equal(f.bench.sent.message.code, COPAL_SERVICE_UNAVAILABLE);
    f.bench.now += 29000;
    assert_int_equal(send_until(&f, 6, 0, 3000, 4000), COPAL_SERVICE_UNAVAILABLE);
    f.bench.now += 1000;
    assert_int_equal(send_until(&f, 6, 0, 3000, 4000), COPAL_CONTINUE);
    f.peer = 1; /* who began first */
    assert_int_equal(send_block(&f, block1(3, false, 6), 3072, 928)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    close_fixture(&f);
}

static void an_idle_body_makes_room_for_what_comes_in_one_datagram(void **state)
{
    (void)state;
    for (int patience = 29000; patience <= 30000; patience += 1000) {
        fixture_t f;
        open_fixture(&f, 255, NULL);
        while (send_until(&f, 6, 0, 3000, 4000) == COPAL_CONTINUE)
            f.peer++;
        while (send_until(&f, 6, 0, 1024, 4000) == COPAL_CONTINUE)
            f.peer++;
        assert_int_equal(f.bench.sent.message.code, COPAL_SERVICE_UNAVAILABLE);
        f.bench.now += patience;
        const copal_code_t code = send_block(&f, block1(0, false, 6), 0, 1024)->code;
        assert_int_equal(code, patience < 30000 ? COPAL_SERVICE_UNAVAILABLE : COPAL_CHANGED);
        f.peer = 1; /* who began first goes, and nobody else */
        assert_int_equal(send_block(&f, block1(2, true, 6), 2048, 1024)->code,
                         patience < 30000 ? COPAL_CONTINUE : COPAL_REQUEST_ENTITY_INCOMPLETE);
        f.peer = 2;
        assert_int_equal(send_block(&f, block1(2, true, 6), 2048, 1024)->code, COPAL_CONTINUE);
        close_fixture(&f);
    }
}

static void what_is_refused_makes_no_room(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, 255, NULL);
    while (send_until(&f, 6, 0, 1024, 4000) == COPAL_CONTINUE)
        f.peer++;
    f.bench.now += 30000;
    f.if_none_match = true;
    assert_int_equal(send_block(&f, block1(0, false, 6), 0, 1024)->code, COPAL_PRECONDITION_FAILED);
    f.if_none_match = false;
    f.peer = 1;
    assert_int_equal(send_block(&f, block1(1, true, 6), 1024, 1024)->code, COPAL_CONTINUE);
    close_fixture(&f);
}

/* ---- services that do not put bodies together -------------------------------------------------------------------- */

static void a_service_that_takes_no_parts_sees_none(void **state)
{
    (void)state;
    fixture_t f = {.peer = 1, .method = COPAL_PUT, .size1 = -1, .format = -1};
    server_t s;
    bench_open(&f.bench, &(copal_config_t){.service = server_service(&s)});
    assert_int_equal(send_block(&f, block1(0, true, 2), 0, 64)->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(send_block(&f, block1(1, false, 2), 64, 1)->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(s.runs, 0);
    assert_int_equal(send_block(&f, block1(0, false, 2), 0, 64)->code, COPAL_CONTENT);
    assert_int_equal(s.runs, 1);
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK1), block1(0, false, 2));
    bench_close(&f.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7959_2_5_a_body_of_any_size_comes_in_blocks_of_any_size),
        cmocka_unit_test(nothing_changes_before_the_last_block),
        cmocka_unit_test(rfc7959_2_5_a_block_out_of_order_is_4_08_and_the_right_one_still_fits),
        cmocka_unit_test(a_copy_of_the_block_just_taken_is_answered_again_as_it_was),
        cmocka_unit_test(rfc7959_2_5_block_0_begins_anew),
        cmocka_unit_test(a_body_that_comes_whole_ends_the_one_that_comes_in_parts),
        cmocka_unit_test(rfc7959_2_3_a_server_with_smaller_payloads_asks_for_them_and_goes_on_at_the_right_number),
        cmocka_unit_test(rfc7959_2_9_3_a_block_in_too_large_a_datagram_is_4_13_with_a_size_that_fits),
        cmocka_unit_test(rfc7252_4_5_the_last_block_of_a_post_is_remembered_as_any_post_and_the_others_need_not_be),
        cmocka_unit_test(rfc9175_3_3_blocks_of_another_tag_or_format_or_peer_or_method_are_of_another_body),
        cmocka_unit_test(rfc9175_3_5_2_bodies_with_different_tags_come_in_at_the_same_time),
        cmocka_unit_test(sizes_and_echo_may_differ_from_block_to_block),
        cmocka_unit_test(rfc7959_2_10_if_none_match_on_the_first_block_is_meant_for_all),
        cmocka_unit_test(rfc7959_2_9_3_a_body_that_is_too_long_is_4_13_with_the_most_there_may_be),
        cmocka_unit_test(a_peer_has_a_quarter_of_the_uploads_and_then_is_told_to_wait),
        cmocka_unit_test(the_last_quarter_is_for_proven_peers_and_then_the_idle_make_room),
        cmocka_unit_test(rfc7959_2_5_a_body_is_forgotten_after_exchange_lifetime_without_a_block),
        cmocka_unit_test(what_is_given_up_gives_its_memory_back),
        cmocka_unit_test(an_idle_body_makes_room_for_what_comes_in_one_datagram),
        cmocka_unit_test(what_is_refused_makes_no_room),
        cmocka_unit_test(where_memory_is_short_who_has_been_idle_for_30_s_makes_room),
        cmocka_unit_test(a_service_that_takes_no_parts_sees_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
