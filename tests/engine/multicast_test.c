/* Requests by multicast (RFC 7252 section 8), at the server. (The client: group_test.) */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LEISURE 5000

static const copal_bytes_t token = {(const uint8_t[]){0xca, 0xfe}, 2};

typedef struct {
    bench_t b;
    server_t s;
    message_t m;
} fixture_t;

static void open_limited(fixture_t *f, const copal_limits_t *limits)
{
    bench_open(&f->b, &(copal_config_t){.limits = *limits, .service = server_service(&f->s)});
    copal_endpoint_hear_groups(f->b.endpoint);
}

static void open_fixture(fixture_t *f) { open_limited(f, &(copal_limits_t){0}); }

static int ask_group(fixture_t *f, uint32_t peer, copal_type_t type, copal_code_t method, uint16_t id)
{
    const copal_from_t from = {.peer = peer_of(peer), .via = 7, .network = 3, .multicast = true};
    return bench_receive_from(&f->b, &from, message_make(&f->m, type, method, id, token, "a", NULL));
}

/* Takes the answer that leaves at its moment; how many milliseconds that took. */
static copal_time_t take_answer(fixture_t *f)
{
    const copal_time_t before = f->b.now;
    while (!bench_take(&f->b))
        bench_wait(&f->b);
    return f->b.now - before;
}

/* ---- what is heard ----------------------------------------------------------------------------------------- */

static void rfc7252_8_an_endpoint_that_hears_no_groups_ignores_them(void **state)
{
    (void)state;
    fixture_t f;
    bench_open(&f.b, &(copal_config_t){.service = server_service(&f.s)});
    assert_int_equal(ask_group(&f, 1, COPAL_NON, COPAL_GET, 1), COPAL_EIGNORED);
    assert_int_equal(f.s.runs, 0);
    bench_idle(&f.b);
    bench_close(&f.b);
}

static void rfc7252_8_1_a_confirmable_request_by_multicast_is_ignored(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    assert_int_equal(ask_group(&f, 1, COPAL_CON, COPAL_GET, 1), COPAL_EIGNORED);
    assert_int_equal(f.s.runs, 0);
    bench_idle(&f.b);
    bench_close(&f.b);
}

static void see(void *context, copal_call_t *call)
{
    bool *seen = context;
    *seen = call->from->multicast;
    copal_reply(call, COPAL_CONTENT);
}

static void a_handler_sees_that_a_request_came_by_multicast(void **state)
{
    (void)state;
    fixture_t f;
    bool seen = false;
    bench_open(&f.b, &(copal_config_t){.service = {.handle = see, .context = &seen}});
    copal_endpoint_hear_groups(f.b.endpoint);
    ask_group(&f, 1, COPAL_NON, COPAL_GET, 1);
    assert_true(seen);
    bench_accept(&f.b, 1, message_make(&f.m, COPAL_NON, COPAL_GET, 2, token, "a", NULL));
    assert_false(seen);
    bench_close(&f.b);
}

/* ---- when it is answered ------------------------------------------------------------------------------------- */

static void rfc7252_8_2_an_answer_is_NON_and_leaves_from_where_it_was_asked(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    assert_int_equal(ask_group(&f, 3, COPAL_NON, COPAL_GET, 0x0102), 0);
    take_answer(&f);
    const copal_peer_t to = peer_of(3);
    assert_true(peer_equal(&f.b.sent.to, &to));
    assert_int_equal(f.b.sent.via, 7);
    assert_int_equal(f.b.sent.message.type, COPAL_NON);
    assert_int_equal(f.b.sent.message.code, COPAL_CONTENT);
    check_bytes(f.b.sent.message.token, token);
    check_bytes(f.b.sent.message.payload, copal_text("ok"));
    bench_idle(&f.b);
    bench_close(&f.b);
}

static void rfc7252_8_2_answers_are_spread_over_the_leisure(void **state)
{
    (void)state;
    fixture_t f;
    unsigned quarters[4] = {0};
    open_fixture(&f);
    for (uint16_t i = 0; i < 400; i++) {
        ask_group(&f, i, COPAL_NON, COPAL_GET, i);
        copal_time_t time = take_answer(&f);
        assert_in_range(time, 0, LEISURE - 1);
        quarters[time * 4 / LEISURE]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(quarters[i], 60, 140);
    bench_close(&f.b);
}

static void the_leisure_can_be_set_and_has_a_bound(void **state)
{
    (void)state;
    fixture_t f;
    bench_open(&f.b, &(copal_config_t){.timing = {.leisure = 10}, .service = server_service(&f.s)});
    copal_endpoint_hear_groups(f.b.endpoint);
    for (uint16_t i = 0; i < 100; i++) {
        ask_group(&f, i, COPAL_NON, COPAL_GET, i);
        assert_in_range(take_answer(&f), 0, 9);
    }
    bench_close(&f.b);
    for (uint32_t leisure = 200000; leisure <= 200001; leisure++) {
        static max_align_t memory[65536];
        memset(memory, 0, sizeof memory);
        random_t random = random_from(1);
        copal_endpoint_t *e;
        const copal_config_t config = {.timing = {.leisure = leisure}, .random = random_fill, .random_state = &random};
        assert_int_equal(copal_endpoint_init(&e, memory, sizeof memory, &config), leisure > 200000 ? COPAL_EINVAL : 0);
    }
}

static void past_the_answers_that_may_wait_there_is_silence(void **state)
{
    (void)state;
    for (uint32_t limit = 1; limit <= 3; limit++) {
        fixture_t f;
        open_limited(&f, &(copal_limits_t){.deferred = 2 * limit});
        for (uint16_t i = 0; i <= limit; i++)
            assert_int_equal(ask_group(&f, i, COPAL_NON, COPAL_GET, i), 0);
        assert_int_equal(copal_endpoint_counters(f.b.endpoint)->dropped, 1);
        f.s.defer = true; /* others are not kept out */
        bench_accept(&f.b, 9, message_make(&f.m, COPAL_CON, COPAL_GET, 9, token, "a", NULL));
        assert_int_equal(f.s.defer_result, 0);
        bench_answer(&f.b, f.s.later, "x");
        bench_sent(&f.b);
        f.s.defer = false;
        for (uint16_t i = 0; i < limit; i++)
            take_answer(&f);
        bench_idle(&f.b);
        ask_group(&f, 8, COPAL_NON, COPAL_GET, 8);
        take_answer(&f);
        bench_close(&f.b);
    }
}

/* ---- what is not answered ------------------------------------------------------------------------------------- */

static void errors_are_not_answered_and_take_no_place(void **state)
{
    (void)state;
    static const copal_code_t codes[] = {COPAL_NOT_FOUND, COPAL_INTERNAL_SERVER_ERROR};
    fixture_t f;
    open_limited(&f, &(copal_limits_t){.deferred = 1});
    for (uint16_t i = 0; i < 4; i++) {
        f.s.code = codes[i % 2];
        assert_int_equal(ask_group(&f, 1, COPAL_NON, COPAL_POST, i), 0);
        bench_idle(&f.b);
    }
    assert_int_equal(f.s.runs, 4);
    bench_close(&f.b);
}

static void a_copy_of_a_request_makes_no_second_answer(void **state)
{
    (void)state;
    static const copal_code_t methods[] = {COPAL_GET, COPAL_POST, COPAL_PUT, COPAL_FETCH};
    for (int i = 0; i < 4; i++) {
        fixture_t f;
        open_fixture(&f);
        ask_group(&f, 1, COPAL_NON, methods[i], 7);
        ask_group(&f, 1, COPAL_NON, methods[i], 7);
        take_answer(&f);
        bench_idle(&f.b);
        ask_group(&f, 1, COPAL_NON, methods[i], 7);
        bench_idle(&f.b);
        assert_int_equal(f.s.runs, 1);
        assert_int_equal(copal_endpoint_counters(f.b.endpoint)->duplicates, 2);
        ask_group(&f, 2, COPAL_NON, methods[i], 7);
        take_answer(&f);
        bench_close(&f.b);
    }
}

/* ---- answered later ------------------------------------------------------------------------------------------ */

static void open_deferring(fixture_t *f, const copal_limits_t *limits)
{
    open_limited(f, limits);
    f->s.defer = true;
}

static void a_deferred_answer_waits_for_its_moment_too(void **state)
{
    (void)state;
    unsigned early = 0;
    for (uint16_t i = 0; i < 50; i++) {
        fixture_t f;
        open_deferring(&f, &(copal_limits_t){0});
        f.b.random = random_from(i);
        ask_group(&f, 1, COPAL_NON, COPAL_GET, i);
        bench_silent(&f.b);
        f.b.now += 100;
        assert_int_equal(bench_answer(&f.b, f.s.later, "x"), 0);
        const copal_time_t time = take_answer(&f);
        assert_in_range(time, 0, LEISURE - 101);
        early += time < LEISURE / 2;
        assert_int_equal(f.b.sent.message.type, COPAL_NON);
        check_bytes(f.b.sent.message.token, token);
        check_bytes(f.b.sent.message.payload, copal_text("x"));
        bench_idle(&f.b);
        bench_close(&f.b);
    }
    assert_in_range(early, 10, 40);
}

static void an_answer_deferred_beyond_its_moment_leaves_at_once(void **state)
{
    (void)state;
    fixture_t f;
    open_deferring(&f, &(copal_limits_t){0});
    ask_group(&f, 1, COPAL_NON, COPAL_GET, 1);
    f.b.now += LEISURE;
    bench_silent(&f.b);
    assert_int_equal(bench_answer(&f.b, f.s.later, "x"), 0);
    bench_sent(&f.b);
    bench_idle(&f.b);
    bench_close(&f.b);
}

static void a_deferred_error_is_not_sent(void **state)
{
    (void)state;
    fixture_t f;
    copal_writer_t *w;
    open_deferring(&f, &(copal_limits_t){.deferred = 1});
    for (uint16_t i = 0; i < 2; i++) {
        ask_group(&f, 1, COPAL_NON, COPAL_GET, i);
        assert_int_equal(f.s.defer_result, 0);
        assert_int_equal(copal_later_begin(f.b.endpoint, f.s.later, COPAL_NOT_FOUND, &w), 0);
        assert_int_equal(copal_later_commit(f.b.endpoint, f.b.now, f.s.later), 0);
        bench_idle(&f.b);
    }
    bench_close(&f.b);
}

static void calls_deferred_by_multicast_take_half_of_the_places_at_most(void **state)
{
    (void)state;
    fixture_t f;
    open_deferring(&f, &(copal_limits_t){.deferred = 3});
    for (uint16_t i = 0; i < 3; i++) {
        ask_group(&f, i, COPAL_NON, COPAL_GET, i);
        assert_int_equal(f.s.defer_result, i < 2 ? 0 : COPAL_EFULL);
    }
    bench_accept(&f.b, 9, message_make(&f.m, COPAL_CON, COPAL_GET, 9, token, "a", NULL));
    assert_int_equal(f.s.defer_result, 0);
    bench_close(&f.b);
}

static void a_copy_of_a_request_that_is_deferred_is_ignored(void **state)
{
    (void)state;
    fixture_t f;
    open_deferring(&f, &(copal_limits_t){0});
    for (int i = 0; i < 3; i++)
        ask_group(&f, 1, COPAL_NON, COPAL_GET, 7);
    assert_int_equal(f.s.runs, 1);
    bench_answer(&f.b, f.s.later, "x");
    take_answer(&f);
    bench_idle(&f.b);
    bench_close(&f.b);
}

/* ---- no amplifier ------------------------------------------------------------------------------------------- */

/* Who forges the address of another asks all servers at once. */
static void a_flood_by_multicast_gets_no_more_out_than_one_by_unicast_and_no_ping(void **state)
{
    (void)state;
    enum { BUCKET = 4096 };
    fixture_t f;
    size_t in = 0, out = 0;
    open_limited(&f, &(copal_limits_t){.network_bytes = BUCKET, .deferred = 128});
    f.s.body_size = 600;
    for (uint16_t i = 0; i < 1000; i++) {
        ask_group(&f, 1, COPAL_NON, COPAL_GET, i);
        in += f.m.w.size;
        f.b.now += 100;
        while (bench_take(&f.b)) {
            assert_int_equal(f.b.sent.message.type, COPAL_NON);
            assert_int_equal(COPAL_CODE_CLASS(f.b.sent.message.code), 2);
            out += f.b.sent.size;
        }
    }
    assert_true(out > BUCKET / 2);
    assert_true(out <= BUCKET + 3 * in);
    bench_close(&f.b);
}

static void an_echo_that_comes_by_multicast_is_not_looked_at(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    const copal_from_t from = {.peer = peer_of(1), .multicast = true};
    message_start(&f.m, COPAL_NON, COPAL_POST, 1, token);
    copal_write_option(&f.m.w, COPAL_OPTION_ECHO, BYTES(1, 2, 3));
    assert_int_equal(bench_receive_from(&f.b, &from, message_end(&f.m)), 0);
    take_answer(&f);
    assert_int_equal(f.b.sent.message.code, COPAL_CONTENT);
    bench_close(&f.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_8_an_endpoint_that_hears_no_groups_ignores_them),
        cmocka_unit_test(rfc7252_8_1_a_confirmable_request_by_multicast_is_ignored),
        cmocka_unit_test(a_handler_sees_that_a_request_came_by_multicast),
        cmocka_unit_test(rfc7252_8_2_an_answer_is_NON_and_leaves_from_where_it_was_asked),
        cmocka_unit_test(rfc7252_8_2_answers_are_spread_over_the_leisure),
        cmocka_unit_test(the_leisure_can_be_set_and_has_a_bound),
        cmocka_unit_test(past_the_answers_that_may_wait_there_is_silence),
        cmocka_unit_test(errors_are_not_answered_and_take_no_place),
        cmocka_unit_test(a_copy_of_a_request_makes_no_second_answer),
        cmocka_unit_test(a_deferred_answer_waits_for_its_moment_too),
        cmocka_unit_test(an_answer_deferred_beyond_its_moment_leaves_at_once),
        cmocka_unit_test(a_deferred_error_is_not_sent),
        cmocka_unit_test(calls_deferred_by_multicast_take_half_of_the_places_at_most),
        cmocka_unit_test(a_copy_of_a_request_that_is_deferred_is_ignored),
        cmocka_unit_test(a_flood_by_multicast_gets_no_more_out_than_one_by_unicast_and_no_ping),
        cmocka_unit_test(an_echo_that_comes_by_multicast_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
