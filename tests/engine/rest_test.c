/* Long answers to requests that must not run again (RFC 7959 section 2.7): their blocks come from what is kept. A FETCH
 * whose body came by Block1: tests/resource/intake_test.c. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BODY     3000u
#define LIFETIME 247000 /* EXCHANGE_LIFETIME */

typedef struct {
    bench_t bench;
    unsigned runs;
    size_t size;   /* octets of the answer */
    bool defer;    /* answer it later */
    bool at_once;  /* hand the body in by copal_write_body */
    bool hesitate; /* begin with another long answer */
    uint8_t first; /* added to each octet */
    copal_handle_t later;
    uint16_t id;
    uint8_t echo[40];
} fixture_t;

static int read_octets(void *context, size_t offset, void *out, size_t size)
{
    const fixture_t *f = context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)(f->first + body_octet(offset + i));
    return 0;
}

static void write_answer(fixture_t *f, copal_writer_t *w)
{
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 42);
    if (f->at_once)
        copal_write_body(w, f->size, read_octets, f);
    for (size_t i = 0; i < f->size && !f->at_once; i += 100) {
        uint8_t octets[100];
        const size_t size = f->size - i < sizeof octets ? f->size - i : sizeof octets;
        read_octets(f, i, octets, size);
        copal_write_payload(w, (copal_bytes_t){octets, size});
    }
}

static void serve(void *context, copal_call_t *call)
{
    fixture_t *f = context;
    f->runs++;
    if (f->hesitate) {
        copal_writer_t *w = copal_reply(call, COPAL_CREATED);
        f->first ^= 0x80;
        write_answer(f, w);
        f->first ^= 0x80;
    }
    if (f->defer)
        assert_int_equal(copal_defer(call, &f->later), 0);
    else
        write_answer(f, copal_reply(call, COPAL_CHANGED));
}

static void open_fixture(fixture_t *f, const copal_limits_t *limits)
{
    *f = (fixture_t){.size = BODY};
    copal_config_t config = {.service = {.handle = serve, .context = f, .parts = true}};
    if (limits)
        config.limits = *limits;
    bench_open(&f->bench, &config);
}

static int64_t block2(uint32_t number, bool more, uint32_t szx) { return number << 4 | (more ? 8u : 0u) | szx; }

/* What a request says. */
typedef struct {
    uint32_t peer, via;
    copal_code_t code;
    int64_t block2; /* -1: none */
    const char *query, *if_match;
    uint32_t tag; /* Request-Tag; 0: none */
    copal_bytes_t echo;
    bool body;
} request_t;

static copal_bytes_t write_request(fixture_t *f, message_t *m, const request_t *r)
{
    message_start(m, COPAL_CON, r->code, f->id++, BYTES(0xca));
    message_text_option(m, COPAL_OPTION_URI_PATH, "a");
    if (r->query)
        message_text_option(m, COPAL_OPTION_URI_QUERY, r->query);
    if (r->if_match)
        message_text_option(m, COPAL_OPTION_IF_MATCH, r->if_match);
    if (r->block2 >= 0)
        copal_write_option_uint(&m->w, COPAL_OPTION_BLOCK2, (uint32_t)r->block2);
    if (r->tag)
        copal_write_option_uint(&m->w, COPAL_OPTION_REQUEST_TAG, r->tag);
    if (r->echo.size)
        copal_write_option(&m->w, COPAL_OPTION_ECHO, r->echo);
    if (r->body)
        copal_write_text(&m->w, "do it");
    return message_end(m);
}

static void receive(fixture_t *f, request_t r)
{
    message_t m;
    const copal_from_t from = {.peer = peer_of(r.peer), .via = r.via};
    assert_int_equal(bench_receive_from(&f->bench, &from, write_request(f, &m, &r)), 0);
}

static const copal_message_t *ask(fixture_t *f, request_t r)
{
    const unsigned runs = f->runs;
    receive(f, r);
    if (f->defer && f->runs > runs) {
        copal_writer_t *w;
        assert_int_equal(copal_later_begin(f->bench.endpoint, f->later, COPAL_CHANGED, &w), 0);
        write_answer(f, w);
        assert_int_equal(copal_later_commit(f->bench.endpoint, f->bench.now, f->later), 0);
    }
    return bench_sent(&f->bench);
}

/* The first exchange, and one for a block of the rest, of a POST by that peer. */
static const copal_message_t *post(fixture_t *f, uint32_t peer)
{
    return ask(f, (request_t){.peer = peer, .code = COPAL_POST, .block2 = -1, .body = true});
}

static const copal_message_t *rest(fixture_t *f, uint32_t peer, uint32_t number)
{
    return ask(f, (request_t){.peer = peer, .code = COPAL_POST, .block2 = block2(number, false, 6)});
}

static void assert_block(const fixture_t *f, const copal_message_t *m, uint32_t number, uint32_t szx)
{
    const size_t size = (size_t)16 << szx, at = number * size;
    const size_t left = f->size - at;
    assert_int_equal(m->code, COPAL_CHANGED);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK2), block2(number, left > size, szx));
    assert_int_equal(option_of(m, COPAL_OPTION_CONTENT_FORMAT), 42);
    assert_int_equal(m->payload.size, left < size ? left : size);
    for (size_t i = 0; i < m->payload.size; i++)
        assert_int_equal(m->payload.data[i], (uint8_t)(f->first + body_octet(at + i)));
}

static void assert_gone(const copal_message_t *m)
{
    assert_int_equal(m->code, COPAL_BAD_REQUEST);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK2), -1);
}

/* ---- what is kept ------------------------------------------------------------------------------------------ */

static void rfc7959_2_7_the_rest_of_an_answer_comes_without_another_run(void **state)
{
    static const copal_code_t methods[] = {COPAL_POST, COPAL_PUT, COPAL_DELETE, COPAL_PATCH, COPAL_IPATCH};
    (void)state;
    for (unsigned way = 0; way < 8; way++) {
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
            fixture_t f;
            open_fixture(&f, NULL);
            f.defer = way & 1;
            f.at_once = way & 2;
            f.hesitate = way & 4;
            for (uint32_t szx = 0; szx <= 6; szx++) {
                const uint32_t last = (BODY - 1) >> (szx + 4);
                request_t r = {.code = methods[i], .block2 = block2(0, false, szx), .body = true};
                f.first = (uint8_t)szx;
                assert_block(&f, ask(&f, r), 0, szx);
                r.body = false;
                for (uint32_t number = 1; number <= last; number++) {
                    r.block2 = block2(number, false, szx);
                    assert_block(&f, ask(&f, r), number, szx);
                }
                r.block2 = block2(last + 1, false, szx);
                assert_gone(ask(&f, r));
                assert_int_equal(f.runs, szx + 1);
            }
            bench_close(&f.bench);
        }
    }
}

static void blocks_of_it_may_be_asked_for_again_and_in_another_size(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, NULL);
    assert_block(&f, post(&f, 1), 0, 6);
    assert_block(&f, rest(&f, 1, 2), 2, 6);
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    assert_block(&f, ask(&f, (request_t){.peer = 1, .code = COPAL_POST, .block2 = block2(64, false, 1)}), 64, 1);
    assert_int_equal(f.runs, 1);
    bench_close(&f.bench);
}

static void a_client_may_send_the_body_along_with_each_question(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, NULL);
    post(&f, 1);
    const request_t again = {.peer = 1, .code = COPAL_POST, .block2 = block2(1, false, 6), .body = true};
    assert_block(&f, ask(&f, again), 1, 6);
    assert_int_equal(f.runs, 1);
    bench_close(&f.bench);
}

static void rfc9175_3_3_it_is_known_by_peer_method_and_options(void **state)
{
    (void)state;
    static const request_t first = {.peer = 1, .via = 1, .code = COPAL_POST, .block2 = -1, .query = "q", .tag = 5,
                                    .body = true};
    request_t others[] = {first, first, first, first, first};
    fixture_t f;
    open_fixture(&f, NULL);
    assert_block(&f, ask(&f, first), 0, 6);
    others[0].peer = 2;
    others[1].via = 2;
    others[2].code = COPAL_PATCH;
    others[3].query = "r";
    others[4].tag = 6;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        others[i].block2 = block2(1, false, 6);
        assert_gone(ask(&f, others[i]));
    }
    request_t same = first;
    same.block2 = block2(1, false, 6);
    assert_block(&f, ask(&f, same), 1, 6);
    assert_int_equal(f.runs, 1);
    bench_close(&f.bench);
}

static void a_precondition_is_settled_by_the_first_exchange(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, NULL);
    ask(&f, (request_t){.peer = 1, .code = COPAL_POST, .block2 = -1, .if_match = "e", .body = true});
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    bench_close(&f.bench);
}

/* Its first block is that of the newer one, and nobody may take both for one answer. */
static void a_newer_answer_takes_the_place_of_an_older_one_though_it_is_too_long_to_be_kept(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, &(copal_limits_t){.rests = 8, .rest_size = BODY + 10});
    for (unsigned way = 0; way < 2; way++) {
        f.at_once = way;
        f.first = 0;
        post(&f, 1);
        f.first = 9;
        assert_block(&f, post(&f, 1), 0, 6);
        assert_block(&f, rest(&f, 1, 1), 1, 6);
        f.size = BODY + 11;
        post(&f, 1);
        assert_gone(rest(&f, 1, 1));
        f.size = BODY;
    }
    bench_close(&f.bench);
}

static void an_answer_in_one_datagram_is_not_kept(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, NULL);
    f.size = 1024;
    assert_int_equal(option_of(post(&f, 1), COPAL_OPTION_BLOCK2), -1);
    assert_gone(rest(&f, 1, 1));
    f.size = 1025;
    assert_block(&f, post(&f, 1), 0, 6);
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    bench_close(&f.bench);
}

/* ---- its bounds -------------------------------------------------------------------------------------------- */

static void rest_size_is_that_of_the_payload_and_the_options(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        fixture_t f;
        open_fixture(&f, &(copal_limits_t){.rest_size = 2002}); /* Content-Format 42 takes two */
        f.defer = way & 1;
        f.at_once = way & 2;
        f.size = 2000;
        post(&f, 1);
        assert_block(&f, rest(&f, 1, 1), 1, 6);
        f.size = 2001;
        assert_int_equal(post(&f, 1)->code, COPAL_CHANGED);
        assert_gone(rest(&f, 1, 1));
        bench_close(&f.bench);
    }
}

static void past_rests_the_one_asked_for_longest_ago_makes_room(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, &(copal_limits_t){.rests = 3});
    for (uint32_t peer = 1; peer <= 3; peer++, f.bench.now++)
        post(&f, peer);
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    f.bench.now++;
    post(&f, 4);
    assert_gone(rest(&f, 2, 1));
    for (uint32_t peer = 1; peer <= 4; peer++)
        if (peer != 2)
            assert_block(&f, rest(&f, peer, 2), 2, 6);
    bench_close(&f.bench);
}

static void one_peer_has_a_quarter_of_them(void **state)
{
    (void)state;
    static const char *const queries[] = {"a", "b", "c"};
    fixture_t f;
    open_fixture(&f, &(copal_limits_t){.rests = 8});
    post(&f, 2);
    for (size_t i = 0; i < 3; i++, f.bench.now++)
        ask(&f, (request_t){.peer = 1, .code = COPAL_POST, .block2 = -1, .query = queries[i], .body = true});
    for (size_t i = 0; i < 3; i++) {
        const copal_message_t *m =
            ask(&f, (request_t){.peer = 1, .code = COPAL_POST, .block2 = block2(1, false, 6), .query = queries[i]});
        if (i)
            assert_block(&f, m, 1, 6);
        else
            assert_gone(m);
    }
    assert_block(&f, rest(&f, 2, 1), 1, 6);
    bench_close(&f.bench);
}

static void it_is_gone_an_exchange_lifetime_after_its_last_use(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, NULL);
    post(&f, 1);
    for (unsigned i = 0; i < 3; i++) {
        f.bench.now += LIFETIME - 1;
        assert_block(&f, rest(&f, 1, 1), 1, 6);
    }
    f.bench.now += LIFETIME;
    assert_gone(rest(&f, 1, 1));
    assert_int_equal(f.runs, 1);
    bench_close(&f.bench);
}

/* Two answers, written at the same time, to these peers; the first octet of the second one is greater by one. */
static void write_two(fixture_t *f, uint32_t first, uint32_t second)
{
    const uint32_t peers[] = {first, second};
    copal_handle_t later[2];
    copal_writer_t *w[2];
    f->defer = true;
    for (uint32_t i = 0; i < 2; i++) {
        receive(f, (request_t){.peer = peers[i], .code = COPAL_POST, .block2 = -1, .body = true});
        later[i] = f->later;
        assert_int_equal(copal_later_begin(f->bench.endpoint, later[i], COPAL_CHANGED, &w[i]), 0);
    }
    for (f->first = 0; f->first < 2; f->first++)
        write_answer(f, w[f->first]);
    for (f->first = 0; f->first < 2; f->first++) {
        assert_int_equal(copal_later_commit(f->bench.endpoint, f->bench.now, later[f->first]), 0);
        assert_block(f, bench_sent(&f->bench), 0, 6);
    }
}

/* One that is being written stays where it is. */
static void answers_that_are_written_at_the_same_time_do_not_mix(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, &(copal_limits_t){.rests = 1});
    write_two(&f, 1, 2);
    f.first = 0;
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    assert_gone(rest(&f, 2, 1));
    bench_close(&f.bench);
}

static void of_two_to_the_same_question_the_one_sent_last_counts(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, &(copal_limits_t){.rests = 8});
    write_two(&f, 1, 1);
    f.first = 1;
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    bench_close(&f.bench);
}

static void a_deferred_answer_that_is_never_committed_leaves_its_place(void **state)
{
    (void)state;
    fixture_t f;
    copal_writer_t *w;
    open_fixture(&f, &(copal_limits_t){.rests = 1});
    f.defer = true;
    receive(&f, (request_t){.peer = 1, .code = COPAL_POST, .block2 = -1, .body = true});
    assert_int_equal(copal_later_begin(f.bench.endpoint, f.later, COPAL_CHANGED, &w), 0);
    write_answer(&f, w);
    f.bench.now += LIFETIME;
    while (bench_take(&f.bench))
        ;
    assert_int_equal(copal_later_commit(f.bench.endpoint, f.bench.now, f.later), COPAL_ESTALE);
    f.defer = false;
    post(&f, 2);
    assert_block(&f, rest(&f, 2, 1), 1, 6);
    bench_close(&f.bench);
}

/* ---- to an address that may be forged ---------------------------------------------------------------------- */

/* A payload that is left out would be taken for the end of the answer. */
static void a_block_that_may_not_leave_is_challenged_and_never_emptied(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f, &(copal_limits_t){.network_bytes = 2200});
    post(&f, 1);
    assert_block(&f, rest(&f, 1, 1), 1, 6);
    request_t r = {.peer = 1, .code = COPAL_POST, .block2 = block2(2, false, 6)};
    const copal_message_t *m = ask(&f, r);
    assert_int_equal(m->code, COPAL_UNAUTHORIZED);
    copal_option_t echo;
    assert_true(copal_option_find(m, COPAL_OPTION_ECHO, &echo));
    memcpy(f.echo, echo.value.data, echo.value.size);
    r.echo = (copal_bytes_t){f.echo, echo.value.size};
    while (bench_take(&f.bench))
        ; /* a ping, too */
    assert_block(&f, ask(&f, r), 2, 6);
    assert_int_equal(f.runs, 1);
    bench_close(&f.bench);
}

/* ---- with Block1 ------------------------------------------------------------------------------------------- */

/* The last part of a FETCH's body, of `size` octets, which asks for this block of the answer; -1: for none. */
static void fetch_by_parts(fixture_t *f, size_t size, int64_t block2)
{
    message_t m;
    const uint8_t octets[512] = {0};
    message_start(&m, COPAL_CON, COPAL_FETCH, f->id++, BYTES(0xca));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m.w, COPAL_OPTION_CONTENT_FORMAT, 42);
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, 16 + 6);
    if (block2 >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)block2);
    copal_write_payload(&m.w, (copal_bytes_t){octets, size});
    bench_accept(&f->bench, 1, message_end(&m));
}

/* What the writer's window has not kept cannot be put in front of the rest. */
static void an_answer_whose_start_was_not_wanted_is_kept_whole_or_not_at_all(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        fixture_t f;
        message_t m;
        open_fixture(&f, NULL);
        f.defer = way & 1;
        f.at_once = way & 2;
        f.first = 0x55;
        post(&f, 2); /* somebody else's answer was there before */
        f.first = 0;
        fetch_by_parts(&f, 16, block2(1, false, 3));
        if (f.defer) {
            copal_writer_t *w;
            assert_int_equal(copal_later_begin(f.bench.endpoint, f.later, COPAL_CHANGED, &w), 0);
            write_answer(&f, w);
            assert_int_equal(copal_later_commit(f.bench.endpoint, f.bench.now, f.later), 0);
        }
        assert_block(&f, bench_sent(&f.bench), 1, 3);
        for (uint32_t number = 1; number < 8; number++) {
            message_start(&m, COPAL_CON, COPAL_FETCH, f.id++, BYTES(0xca));
            message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
            copal_write_option_uint(&m.w, COPAL_OPTION_CONTENT_FORMAT, 42);
            copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, number << 4);
            bench_accept(&f.bench, 1, message_end(&m));
            if (bench_sent(&f.bench)->code != COPAL_REQUEST_ENTITY_INCOMPLETE)
                assert_block(&f, &f.bench.sent.message, number, 0);
        }
        assert_int_equal(f.runs, 2);
        bench_close(&f.bench);
    }
}

/* An answer that fills its buffer, and is cut for an address that may be forged. Behind it lies another call's request. */
static void block1_in_an_answer_that_is_cut_takes_no_room_behind_it(void **state)
{
    (void)state;
    fixture_t f;
    copal_writer_t *w;
    copal_message_t kept;
    const uint8_t octets[2000] = {0};
    open_fixture(&f, &(copal_limits_t){.network_bytes = 2});
    f.defer = true;
    fetch_by_parts(&f, 300, -1);
    const copal_handle_t first = f.later;
    receive(&f, (request_t){.peer = 2, .code = COPAL_GET, .block2 = -1});
    assert_int_equal(copal_later_begin(f.bench.endpoint, first, COPAL_CONTENT, &w), 0);
    copal_write_option(w, COPAL_OPTION_LOCATION_PATH, (copal_bytes_t){octets, 120});
    copal_write_payload(w, (copal_bytes_t){octets, sizeof octets});
    assert_int_equal(w->size, w->capacity);
    assert_int_equal(copal_later_commit(f.bench.endpoint, f.bench.now, first), 0);
    assert_int_equal(copal_later_request(f.bench.endpoint, f.later, &kept), 0);
    assert_int_equal(kept.code, COPAL_GET);
    assert_int_equal(kept.id, 1);
    const copal_message_t *m = bench_sent(&f.bench);
    assert_int_equal(m->code, COPAL_CONTENT);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK1), 16 + 6);
    assert_int_equal(option_of(m, COPAL_OPTION_BLOCK2), block2(0, true, 5));
    assert_int_equal(m->payload.size, 512);
    bench_close(&f.bench);
}

static void write_location(void *context, copal_call_t *call)
{
    static const uint8_t octets[600];
    copal_writer_t *w = copal_reply(call, COPAL_CHANGED);
    copal_write_option(w, COPAL_OPTION_LOCATION_PATH, (copal_bytes_t){octets, *(const size_t *)context});
    copal_write_payload(w, (copal_bytes_t){octets, sizeof octets});
}

static void block1_has_room_in_an_answer_that_loses_its_payload(void **state)
{
    (void)state;
    for (size_t size = 0; size < 120; size++) {
        bench_t b;
        message_t m;
        bench_open(&b, &(copal_config_t){.limits = {.network_bytes = 2},
                                         .service = {.handle = write_location, .context = &size}});
        message_start(&m, COPAL_CON, COPAL_PUT, 1, BYTES(0xca));
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, 6);
        copal_write_text(&m.w, "the whole body");
        bench_accept(&b, 1, message_end(&m));
        assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
        assert_int_equal(b.sent.message.payload.size, 0);
        assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_BLOCK1), 6);
        assert_true(b.sent.size <= 3 * m.w.size);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7959_2_7_the_rest_of_an_answer_comes_without_another_run),
        cmocka_unit_test(blocks_of_it_may_be_asked_for_again_and_in_another_size),
        cmocka_unit_test(a_client_may_send_the_body_along_with_each_question),
        cmocka_unit_test(rfc9175_3_3_it_is_known_by_peer_method_and_options),
        cmocka_unit_test(a_precondition_is_settled_by_the_first_exchange),
        cmocka_unit_test(a_newer_answer_takes_the_place_of_an_older_one_though_it_is_too_long_to_be_kept),
        cmocka_unit_test(an_answer_in_one_datagram_is_not_kept),
        cmocka_unit_test(rest_size_is_that_of_the_payload_and_the_options),
        cmocka_unit_test(past_rests_the_one_asked_for_longest_ago_makes_room),
        cmocka_unit_test(one_peer_has_a_quarter_of_them),
        cmocka_unit_test(it_is_gone_an_exchange_lifetime_after_its_last_use),
        cmocka_unit_test(answers_that_are_written_at_the_same_time_do_not_mix),
        cmocka_unit_test(of_two_to_the_same_question_the_one_sent_last_counts),
        cmocka_unit_test(a_deferred_answer_that_is_never_committed_leaves_its_place),
        cmocka_unit_test(a_block_that_may_not_leave_is_challenged_and_never_emptied),
        cmocka_unit_test(an_answer_whose_start_was_not_wanted_is_kept_whole_or_not_at_all),
        cmocka_unit_test(block1_in_an_answer_that_is_cut_takes_no_room_behind_it),
        cmocka_unit_test(block1_has_room_in_an_answer_that_loses_its_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
