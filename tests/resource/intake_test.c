/* Handlers that take bodies piece by piece, and those that do not (RFC 7959 section 2.5). */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An intake that keeps what came, and counts. */
typedef struct {
    bench_t bench;
    copal_tree_t *tree;
    copal_handle_t resource;
    uint16_t id;
    unsigned begun, ended, dropped, handled;
    int64_t size; /* as begin was told */
    uint8_t body[3000];
    size_t taken, most;
    copal_code_t refusal; /* of begin */
    const char *reason;   /* of take */
    bool if_none_match;
    copal_handle_t later;
    bool defer;
    bool echo;   /* the answer is the body */
    bool remove; /* the resource goes while a part is being taken */
    bool pause;  /* the next part is asked for later */
    unsigned paused;
    int depth;   /* of the tree's exclusion */
} fixture_t;

static copal_code_t begin(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    fixture_t *f = user;
    assert_int_equal(call->depth, 1);
    f->begun++;
    f->taken = 0;
    f->size = size;
    *body = f;
    *most = f->most;
    return f->refusal;
}

static copal_code_t take(void *body, copal_bytes_t piece)
{
    fixture_t *f = body;
    if (f->taken + piece.size > f->most)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    memcpy(f->body + f->taken, piece.data, piece.size);
    f->taken += piece.size;
    if (f->remove)
        assert_int_equal(copal_tree_remove(f->tree, f->resource), 0);
    return 0;
}

static void end(void *body, copal_call_t *call)
{
    fixture_t *f = body;
    f->ended++;
    f->if_none_match = call->options->if_none_match;
    for (size_t i = 0; i < f->taken; i++)
        assert_int_equal(f->body[i], body_octet(i));
    if (f->defer)
        assert_int_equal(copal_defer(call, &f->later), 0);
    else if (f->echo)
        copal_write_payload(copal_reply(call, COPAL_CHANGED), (copal_bytes_t){f->body, f->taken});
    else
        copal_reply_text(call, COPAL_CHANGED, "taken");
}

static void drop(void *body) { ((fixture_t *)body)->dropped++; }

static const char *reason(void *body) { return ((fixture_t *)body)->reason; }

static copal_code_t pause_body(void *body, copal_call_t *call)
{
    fixture_t *f = body;
    f->paused++;
    if (f->pause && copal_defer(call, &f->later))
        return COPAL_SERVICE_UNAVAILABLE;
    return 0;
}

static const copal_intake_t intake = {begin, take, end, drop, reason, pause_body};

static void handle(void *user, copal_call_t *call)
{
    ((fixture_t *)user)->handled++;
    copal_reply_text(call, COPAL_CONTENT, "handled");
}

static void enter(void *context) { ++*(int *)context; }
static void leave(void *context) { assert_true(--*(int *)context >= 0); }

static void fill(void *state, void *buffer, size_t size)
{
    (void)state;
    memset(buffer, 0x5a, size);
}

static void open_fixture(fixture_t *f, bool takes)
{
    *f = (fixture_t){.most = 3000};
    const copal_tree_config_t config = {.random = fill, .exclusion = {enter, leave, &f->depth}};
    const copal_handler_t handler = {.methods = 0xff << 1, .intake = takes ? &intake : NULL, .subtree = true,
                                     .handle = handle, .user = f};
    size_t size = copal_tree_size(&config.limits);
    void *memory = calloc(1, size);
    assert_non_null(memory);
    assert_int_equal(copal_tree_init(&f->tree, memory, size, &config), 0);
    assert_int_equal(copal_tree_add_handler(f->tree, "a", &handler, &f->resource), 0);
    bench_open(&f->bench, &(copal_config_t){.service = copal_tree_service(f->tree, 0)});
}

static void close_fixture(fixture_t *f)
{
    assert_int_equal(f->depth, 0);
    bench_close(&f->bench);
    copal_tree_close(f->tree);
    free(f->tree);
}

/* Sends octets of the body with Block1 (-1: without) to a path below the handler's. */
static const copal_message_t *send_octets(fixture_t *f, copal_code_t method, int64_t block1, size_t at, size_t size,
                                          bool if_none_match)
{
    message_t m;
    message_start(&m, COPAL_CON, method, f->id++, BYTES(0xca));
    if (if_none_match)
        copal_write_option(&m.w, COPAL_OPTION_IF_NONE_MATCH, NO_BYTES);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    message_text_option(&m, COPAL_OPTION_URI_PATH, "below");
    if (block1 >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, (uint32_t)block1);
    for (size_t i = at; i < at + size; i++) {
        uint8_t octet = body_octet(i);
        copal_write_payload(&m.w, (copal_bytes_t){&octet, 1});
    }
    bench_accept(&f->bench, 1, message_end(&m));
    return bench_sent(&f->bench);
}

static const copal_message_t *send_block(fixture_t *f, copal_code_t method, uint32_t number, bool more, size_t size)
{
    return send_octets(f, method, number << 4 | (more ? 8 : 0) | 2, number * 64, size, false);
}

static const copal_code_t bodied[] = {COPAL_POST, COPAL_PUT, COPAL_FETCH, COPAL_PATCH, COPAL_IPATCH};

static void a_body_in_one_datagram_goes_through_the_intake(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(send_octets(&f, bodied[i], -1, 0, i * 20, false)->code, COPAL_CHANGED);
        assert_int_equal(f.size, i * 20);
        assert_int_equal(f.taken, i * 20);
        assert_int_equal(f.ended, i + 1);
        assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK1), -1);
    }
    assert_int_equal(f.dropped, 0);
    assert_int_equal(send_octets(&f, COPAL_GET, -1, 0, 0, false)->code, COPAL_CONTENT);
    assert_int_equal(send_octets(&f, COPAL_DELETE, -1, 0, 0, false)->code, COPAL_CONTENT);
    assert_int_equal(f.handled, 2);
    close_fixture(&f);
}

static void rfc7959_2_5_a_body_in_blocks_does_so_piece_by_piece(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    for (unsigned i = 0; i < 5; i++) {
        for (uint32_t number = 0; number < 3; number++)
            assert_int_equal(send_block(&f, bodied[i], number, true, 64)->code, COPAL_CONTINUE);
        assert_int_equal(f.size, -1);
        assert_int_equal(f.taken, 192);
        assert_int_equal(f.ended, i);
        assert_int_equal(send_block(&f, bodied[i], 3, false, 5)->code, COPAL_CHANGED);
        assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK1), 3 << 4 | 2);
        assert_int_equal(f.taken, 197);
        assert_int_equal(f.begun, i + 1);
        assert_int_equal(f.ended, i + 1);
    }
    assert_int_equal(f.dropped, 0);
    close_fixture(&f);
}

static void what_the_intake_refuses_is_answered_and_dropped_where_it_had_begun(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    f.most = 100;
    f.refusal = COPAL_REQUEST_ENTITY_TOO_LARGE;
    for (int whole = 0; whole < 2; whole++) {
        const copal_message_t *m = whole ? send_octets(&f, COPAL_PUT, -1, 0, 64, false)
                                         : send_block(&f, COPAL_PUT, 0, true, 64);
        assert_int_equal(m->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
        assert_int_equal(option_of(m, COPAL_OPTION_SIZE1), 100);
    }
    assert_int_equal(f.dropped, 0);
    f.refusal = 0;
    assert_int_equal(send_block(&f, COPAL_PUT, 0, true, 64)->code, COPAL_CONTINUE);
    assert_int_equal(send_block(&f, COPAL_PUT, 1, true, 64)->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_SIZE1), 100);
    assert_int_equal(f.bench.sent.message.payload.size, 0);
    assert_int_equal(f.dropped, 1);
    f.reason = "too much";
    assert_int_equal(send_octets(&f, COPAL_PUT, -1, 0, 101, false)->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(f.dropped, 2);
    assert_int_equal(f.bench.sent.message.payload.size, 8);
    assert_memory_equal(f.bench.sent.message.payload.data, "too much", 8);
    assert_int_equal(send_block(&f, COPAL_PUT, 0, true, 64)->code, COPAL_CONTINUE);
    assert_int_equal(send_block(&f, COPAL_PUT, 1, true, 64)->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_memory_equal(f.bench.sent.message.payload.data, "too much", 8);
    assert_int_equal(f.dropped, 3);
    assert_int_equal(send_block(&f, COPAL_PUT, 2, false, 1)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_int_equal(f.ended, 0);
    close_fixture(&f);
}

static void a_body_that_begins_anew_or_goes_with_its_resource_is_dropped(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    send_block(&f, COPAL_PUT, 0, true, 64);
    send_block(&f, COPAL_PUT, 0, true, 64);
    assert_int_equal(f.dropped, 1);
    assert_int_equal(copal_tree_remove(f.tree, f.resource), 0);
    assert_int_equal(f.dropped, 2);
    assert_int_equal(send_block(&f, COPAL_PUT, 1, true, 64)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    close_fixture(&f);
}

static void a_resource_removed_while_it_takes_a_part_drops_the_body_once(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        fixture_t f;
        open_fixture(&f, true);
        if (number)
            send_block(&f, COPAL_PUT, 0, true, 64);
        f.remove = true;
        assert_int_equal(send_block(&f, COPAL_PUT, number, true, 64)->code, COPAL_SERVICE_UNAVAILABLE);
        assert_int_equal(f.dropped, 1);
        assert_int_equal(f.ended, 0);
        close_fixture(&f);
        assert_int_equal(f.dropped, 1);
    }
}

static void closing_the_tree_drops_what_is_coming_in(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    send_block(&f, COPAL_PUT, 0, true, 64);
    assert_int_equal(f.dropped, 0);
    close_fixture(&f);
    assert_int_equal(f.dropped, 1);
}

static void rfc7959_2_10_if_none_match_of_the_first_block_is_told_at_the_end(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    for (int set = 0; set < 2; set++) {
        assert_int_equal(send_octets(&f, COPAL_PUT, 8 | 2, 0, 64, set)->code, COPAL_CONTINUE);
        assert_int_equal(send_block(&f, COPAL_PUT, 1, false, 3)->code, COPAL_CHANGED);
        assert_int_equal(f.if_none_match, set);
    }
    close_fixture(&f);
}

static void the_answer_to_the_last_block_may_come_later(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    f.defer = true;
    assert_int_equal(send_block(&f, COPAL_POST, 0, true, 64)->code, COPAL_CONTINUE);
    message_t m;
    message_start(&m, COPAL_CON, COPAL_POST, f.id, BYTES(0xca));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    message_text_option(&m, COPAL_OPTION_URI_PATH, "below");
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, 1 << 4 | 2);
    bench_accept(&f.bench, 1, message_end(&m));
    bench_silent(&f.bench);
    bench_accept(&f.bench, 1, message_end(&m)); /* a duplicate is acknowledged */
    assert_int_equal(bench_sent(&f.bench)->code, COPAL_EMPTY);
    assert_int_equal(f.ended, 1);
    assert_int_equal(bench_answer(&f.bench, f.later, "done"), 0);
    assert_int_equal(bench_sent(&f.bench)->code, COPAL_CONTENT);
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK1), 1 << 4 | 2);
    close_fixture(&f);
}

static copal_bytes_t write_part(fixture_t *f, message_t *m, copal_type_t type, uint32_t number, bool more)
{
    message_start(m, type, COPAL_PUT, f->id++, BYTES(0xca));
    message_text_option(m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m->w, COPAL_OPTION_BLOCK1, number << 4 | (more ? 8 : 0) | 2);
    for (size_t i = number * 64; i < number * 64 + (more ? 64 : 5); i++) {
        uint8_t octet = body_octet(i);
        copal_write_payload(&m->w, (copal_bytes_t){&octet, 1});
    }
    return message_end(m);
}

/* Answers the part that waits, and acknowledges what acknowledges nothing itself. */
static const copal_message_t *answer_part(fixture_t *f, copal_code_t code, uint32_t number)
{
    copal_writer_t *w;
    message_t m;
    assert_int_equal(copal_later_begin(f->bench.endpoint, f->later, code, &w), 0);
    if (code == COPAL_CONTINUE)
        copal_write_option_uint(w, COPAL_OPTION_BLOCK1, number << 4 | 8 | 2);
    assert_int_equal(copal_later_commit(f->bench.endpoint, f->bench.now, f->later), 0);
    bench_sent(&f->bench);
    message_start(&m, COPAL_ACK, COPAL_EMPTY, f->bench.sent.message.id, NO_BYTES);
    if (f->bench.sent.message.type == COPAL_CON)
        bench_accept(&f->bench, 1, message_end(&m));
    return &f->bench.sent.message;
}

static void the_next_block_may_be_asked_for_later(void **state)
{
    (void)state;
    for (copal_type_t type = COPAL_CON; type <= COPAL_NON; type++) {
        fixture_t f;
        message_t m;
        open_fixture(&f, true);
        f.pause = true;
        for (uint32_t number = 0; number < 3; number++) {
            copal_bytes_t part = write_part(&f, &m, type, number, true);
            bench_accept(&f.bench, 1, part);
            bench_silent(&f.bench);
            bench_accept(&f.bench, 1, part); /* a copy, of which nothing is taken */
            if (type == COPAL_CON)
                assert_int_equal(bench_sent(&f.bench)->code, COPAL_EMPTY);
            bench_silent(&f.bench);
            assert_int_equal(answer_part(&f, COPAL_CONTINUE, number)->code, COPAL_CONTINUE);
            assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK1), number << 4 | 8 | 2);
            assert_int_equal(f.taken, 64 * (number + 1));
        }
        bench_accept(&f.bench, 1, write_part(&f, &m, type, 3, false));
        assert_int_equal(bench_sent(&f.bench)->code, COPAL_CHANGED);
        assert_int_equal(f.paused, 3);
        assert_int_equal(f.ended, 1);
        assert_int_equal(f.dropped, 0);
        close_fixture(&f);
    }
}

static void an_error_may_be_the_answer_to_a_block_that_waits(void **state)
{
    (void)state;
    fixture_t f;
    message_t m;
    open_fixture(&f, true);
    f.pause = true;
    bench_accept(&f.bench, 1, write_part(&f, &m, COPAL_CON, 0, true));
    assert_int_equal(answer_part(&f, COPAL_FORBIDDEN, 0)->code, COPAL_FORBIDDEN);
    assert_int_equal(option_of(&f.bench.sent.message, COPAL_OPTION_BLOCK1), -1);
    assert_int_equal(f.dropped, 1); /* it takes nobody's place any longer */
    bench_accept(&f.bench, 1, write_part(&f, &m, COPAL_CON, 0, true)); /* another try */
    assert_int_equal(f.dropped, 1);
    assert_int_equal(answer_part(&f, COPAL_CONTINUE, 0)->code, COPAL_CONTINUE);
    close_fixture(&f);
    assert_int_equal(f.dropped, 2);
}

static void who_cannot_wait_refuses_the_block(void **state)
{
    (void)state;
    fixture_t f;
    message_t m;
    open_fixture(&f, true);
    f.pause = true;
    for (unsigned i = 0; i < 16; i++) { /* as many as may be answered later, each the first of a new body */
        bench_accept(&f.bench, 1, write_part(&f, &m, COPAL_CON, 0, true));
        bench_silent(&f.bench);
    }
    bench_accept(&f.bench, 1, write_part(&f, &m, COPAL_CON, 0, true));
    assert_int_equal(bench_sent(&f.bench)->code, COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(f.dropped, 17);
    close_fixture(&f);
    assert_int_equal(f.dropped, 17);
}

static void a_resource_that_goes_while_a_block_waits_leaves_its_answer_to_be_given(void **state)
{
    (void)state;
    fixture_t f;
    message_t m;
    open_fixture(&f, true);
    f.pause = f.remove = true;
    bench_accept(&f.bench, 1, write_part(&f, &m, COPAL_CON, 0, true));
    bench_silent(&f.bench);
    assert_int_equal(f.dropped, 1);
    assert_int_equal(answer_part(&f, COPAL_NOT_FOUND, 0)->code, COPAL_NOT_FOUND);
    close_fixture(&f);
    assert_int_equal(f.dropped, 1);
}

static void without_an_intake_only_whole_bodies_come(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, false);
    for (unsigned i = 0; i < 5; i++) {
        const copal_message_t *m = send_block(&f, bodied[i], 0, true, 64);
        assert_int_equal(m->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
        assert_int_equal(option_of(m, COPAL_OPTION_SIZE1), 1024); /* what one datagram carries */
        assert_int_equal(send_block(&f, bodied[i], 1, false, 64)->code, COPAL_REQUEST_ENTITY_TOO_LARGE);
        assert_int_equal(f.handled, i);
        assert_int_equal(send_block(&f, bodied[i], 0, false, 64)->code, COPAL_CONTENT);
        assert_int_equal(f.handled, i + 1);
    }
    close_fixture(&f);
}

static void rfc7959_2_7_the_rest_of_an_answer_does_not_run_the_request_again(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, false);
    for (unsigned i = 0; i < 5; i++) {
        message_t m;
        message_start(&m, COPAL_CON, bodied[i], f.id++, BYTES(0xca));
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, 1 << 4 | 2);
        bench_accept(&f.bench, 1, message_end(&m));
        assert_int_equal(bench_sent(&f.bench)->code, COPAL_BAD_REQUEST);
    }
    assert_int_equal(f.handled, 1); /* the FETCH, which has no effects; its answer has no such block */
    close_fixture(&f);
}

/* Asks for a block of 64 octets of an answer. */
static const copal_message_t *ask_for_block(fixture_t *f, copal_code_t method, uint32_t number, bool formatted)
{
    message_t m;
    message_start(&m, COPAL_CON, method, f->id++, BYTES(0xca));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    message_text_option(&m, COPAL_OPTION_URI_PATH, "below");
    if (formatted)
        copal_write_option_uint(&m.w, COPAL_OPTION_CONTENT_FORMAT, 42);
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, number << 4 | 2);
    bench_accept(&f->bench, 1, message_end(&m));
    return bench_sent(&f->bench);
}

static void rfc7959_3_3_body_and_answer_go_in_blocks_and_the_request_runs_once(void **state)
{
    enum { SIZE = 3000, LAST = (SIZE - 1) / 64 };
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        fixture_t f;
        open_fixture(&f, true);
        f.echo = true;
        for (uint32_t number = 0; number < LAST; number++)
            assert_int_equal(send_block(&f, bodied[i], number, true, 64)->code, COPAL_CONTINUE);
        const copal_message_t *m = send_block(&f, bodied[i], LAST, false, SIZE % 64);
        assert_int_equal(option_of(m, COPAL_OPTION_BLOCK1), LAST << 4 | 2);
        assert_int_equal(option_of(m, COPAL_OPTION_BLOCK2), 8 | 6);
        assert_int_equal(m->payload.size, 1024);
        for (uint32_t number = 16; number <= LAST; number++) {
            m = ask_for_block(&f, bodied[i], number, false);
            assert_int_equal(m->code, COPAL_CHANGED);
            assert_int_equal(option_of(m, COPAL_OPTION_BLOCK2), number << 4 | (number < LAST ? 8 : 0) | 2);
            assert_int_equal(m->payload.size, number < LAST ? 64 : SIZE % 64);
            for (size_t at = 0; at < m->payload.size; at++)
                assert_int_equal(m->payload.data[at], body_octet((size_t)number * 64 + at));
        }
        assert_int_equal(f.begun, 1);
        assert_int_equal(f.ended, 1);
        close_fixture(&f);
    }
}

static void rfc8132_2_3_1_a_fetch_whose_body_is_elsewhere_is_not_run_without_it(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, true);
    assert_int_equal(ask_for_block(&f, COPAL_FETCH, 1, true)->code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_int_equal(f.begun, 0);
    assert_int_equal(ask_for_block(&f, COPAL_FETCH, 1, false)->code, COPAL_BAD_REQUEST); /* it has none */
    assert_int_equal(f.begun, 1);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_in_one_datagram_goes_through_the_intake),
        cmocka_unit_test(rfc7959_2_5_a_body_in_blocks_does_so_piece_by_piece),
        cmocka_unit_test(what_the_intake_refuses_is_answered_and_dropped_where_it_had_begun),
        cmocka_unit_test(a_body_that_begins_anew_or_goes_with_its_resource_is_dropped),
        cmocka_unit_test(a_resource_removed_while_it_takes_a_part_drops_the_body_once),
        cmocka_unit_test(closing_the_tree_drops_what_is_coming_in),
        cmocka_unit_test(rfc7959_2_10_if_none_match_of_the_first_block_is_told_at_the_end),
        cmocka_unit_test(the_answer_to_the_last_block_may_come_later),
        cmocka_unit_test(the_next_block_may_be_asked_for_later),
        cmocka_unit_test(an_error_may_be_the_answer_to_a_block_that_waits),
        cmocka_unit_test(who_cannot_wait_refuses_the_block),
        cmocka_unit_test(a_resource_that_goes_while_a_block_waits_leaves_its_answer_to_be_given),
        cmocka_unit_test(without_an_intake_only_whole_bodies_come),
        cmocka_unit_test(rfc7959_2_7_the_rest_of_an_answer_does_not_run_the_request_again),
        cmocka_unit_test(rfc7959_3_3_body_and_answer_go_in_blocks_and_the_request_runs_once),
        cmocka_unit_test(rfc8132_2_3_1_a_fetch_whose_body_is_elsewhere_is_not_run_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
