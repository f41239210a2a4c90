/* Message IDs (RFC 7252 section 4.4): whatever is sent, no peer sees one twice within EXCHANGE_LIFETIME; of a NON, within
 * NON_LIFETIME (section 4.8.2). */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PEERS 65536u
#define EXCHANGE_LIFETIME 247000
#define NON_LIFETIME 145000

static void answer(bench_t *b, uint32_t peer)
{
    message_t m;
    message_start(&m, COPAL_ACK, COPAL_CONTENT, b->sent.message.id, b->sent.message.token);
    assert_int_equal(bench_receive(b, peer, message_end(&m)), 0);
}

static void rfc7252_4_4_each_of_65536_peers_gets_two_requests_with_different_ids(void **state)
{
    (void)state;
    bench_t b;
    outcome_t *o = malloc(sizeof *o);
    uint16_t *first = malloc(PEERS * sizeof *first);
    bench_open(&b, &(copal_config_t){0});
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t peer = 0; peer < PEERS; peer++) {
            bench_ask(&b, peer, COPAL_GET, peer % 2, o);
            uint16_t id = bench_sent(&b)->id;
            assert_true(round == 0 || first[peer] != id);
            first[peer] = id;
            message_t m;
            message_start(&m, peer % 2 ? COPAL_ACK : COPAL_NON, COPAL_CONTENT, id, b.sent.message.token);
            bench_accept(&b, peer, message_end(&m));
            assert_int_equal(o->count, 1);
        }
    }
    bench_idle(&b);
    free(first);
    free(o);
    bench_close(&b);
}

/* One answer in a message of its own: NON, or CON after an empty ACK. Returns its ID. */
static uint16_t ask_server(bench_t *b, server_t *s, uint32_t peer, uint32_t round)
{
    message_t m;
    bool confirmable = peer % 2;
    s->defer = confirmable;
    bench_accept(b, peer, message_make(&m, confirmable ? COPAL_CON : COPAL_NON, COPAL_GET, (uint16_t)round,
                                       BYTES(1), "a", NULL));
    if (confirmable) {
        b->now += 200;
        bench_sends(b, peer, BYTES(0x60, 0x00, 0x00, (uint8_t)round));
        assert_int_equal(bench_answer(b, s->later, "x"), 0);
    }
    uint16_t id = bench_sent(b)->id;
    assert_int_equal(b->sent.message.code, COPAL_CONTENT);
    if (confirmable) {
        bench_receive(b, peer, message_empty(&m, COPAL_ACK, id));
    }
    return id;
}

static void rfc7252_4_4_each_of_65536_peers_gets_two_answers_with_different_ids(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    uint16_t *first = malloc(PEERS * sizeof *first);
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t peer = 0; peer < PEERS; peer++) {
            uint16_t id = ask_server(&b, &s, peer, round);
            assert_true(round == 0 || first[peer] != id);
            first[peer] = id;
        }
    }
    bench_idle(&b);
    free(first);
    bench_close(&b);
}

/* Sends one request as soon as it may leave, and answers it. Its ID must have rested, whoever it went to last: `until` says of
 * each how long it must. */
static void send_one(bench_t *b, uint32_t peer, bool confirmable, copal_time_t *until)
{
    outcome_t o;
    message_t m;
    copal_peer_t to = peer_of(peer);
    copal_request_t request = {.to = &to, .code = COPAL_GET, .confirmable = confirmable,
                               .timeout = 2 * EXCHANGE_LIFETIME};
    copal_handle_t handle;
    copal_writer_t *w;
    assert_int_equal(copal_request_begin(b->endpoint, &request, &handle, &w), 0);
    assert_int_equal(copal_request_commit(b->endpoint, b->now, handle, outcome_open(&o)), 0);
    while (!bench_take(b)) {
        assert_int_equal(o.count, 0);
        bench_wait(b);
    }
    uint16_t id = b->sent.message.id;
    assert_true(b->now >= until[id]);
    until[id] = b->now + (confirmable ? EXCHANGE_LIFETIME : NON_LIFETIME);
    message_start(&m, confirmable ? COPAL_ACK : COPAL_NON, COPAL_CONTENT, id, b->sent.message.token);
    assert_int_equal(bench_receive(b, peer, message_end(&m)), 0);
    assert_int_equal(o.count, 1);
}

/* Sends one request every `pace` milliseconds for a while, or as fast as it may; returns how many left. */
static unsigned flood(bench_t *b, copal_time_t duration, copal_time_t pace, uint32_t peers, bool confirmable,
                      copal_time_t *until)
{
    copal_time_t end = b->now + duration;
    unsigned count = 0;
    for (; b->now < end; b->now += pace)
        send_one(b, count++ % peers, confirmable, until);
    return count;
}

static void rfc7252_4_4_no_id_is_used_again_within_exchange_lifetime_and_the_message_waits(void **state)
{
    (void)state;
    bench_t b;
    copal_time_t *until = calloc(65536, sizeof *until);
    bench_open(&b, &(copal_config_t){.limits = {.counters = 1}});
    unsigned count = flood(&b, 4 * EXCHANGE_LIFETIME, 0, 1, true, until);
    assert_in_range(count, 4 * 32768, 5 * 65536); /* at least half of what the standard allows */
    free(until);
    bench_close(&b);
}

static void rfc7252_4_4_at_a_pace_that_comes_round_just_too_early_it_waits_too(void **state)
{
    (void)state;
    bench_t b;
    copal_time_t *until = calloc(65536, sizeof *until);
    bench_open(&b, &(copal_config_t){.limits = {.counters = 1}});
    flood(&b, 3 * EXCHANGE_LIFETIME, 3, 1, true, until); /* round in 197 s */
    free(until);
    bench_close(&b);
}

static void with_one_counter_ids_are_unique_over_all_peers(void **state)
{
    (void)state;
    bench_t b;
    copal_time_t *until = calloc(65536, sizeof *until);
    bench_open(&b, &(copal_config_t){.limits = {.counters = 1}});
    unsigned count = flood(&b, 2 * NON_LIFETIME, 0, 100, false, until);
    assert_in_range(count, 2 * 32768, 3 * 65536);
    free(until);
    bench_close(&b);
}

/* In turns, in long runs and at random: each ID rests for as long as the message that had it last asks for. */
static void rfc7252_4_8_2_no_id_comes_early_among_300000_con_and_non_requests(void **state)
{
    (void)state;
    bench_t b;
    copal_time_t *until = calloc(65536, sizeof *until);
    bench_open(&b, &(copal_config_t){.limits = {.counters = 1}});
    for (unsigned i = 0; i < 300000; i++) {
        const unsigned draw = i < 100000 ? i : i < 200000 ? i / 20000 : random_below(&b.random, 2);
        send_one(&b, i % 7, draw % 2, until);
        b.now += i % 3;
    }
    free(until);
    bench_close(&b);
}

/* A round takes NON_LIFETIME, and no longer. */
static void rfc7252_4_8_2_an_id_of_a_non_is_free_after_non_lifetime(void **state)
{
    (void)state;
    bench_t b;
    copal_time_t *until = calloc(65536, sizeof *until);
    bench_open(&b, &(copal_config_t){.limits = {.counters = 1}});
    const copal_time_t start = b.now;
    for (unsigned i = 0; i < 4 * 49152; i++)
        send_one(&b, i, false, until);
    assert_true(b.now - start <= 4 * NON_LIFETIME);
    free(until);
    bench_close(&b);
}

static void rfc7252_4_4_an_id_that_waited_for_its_turn_rests_from_when_it_left(void **state)
{
    (void)state;
    for (int confirmable = 0; confirmable < 2; confirmable++) {
        bench_t b;
        outcome_t silent, waits;
        copal_time_t *until = calloc(65536, sizeof *until);
        bench_open(&b, &(copal_config_t){.limits = {.counters = 1}});
        bench_ask(&b, 200, COPAL_GET, true, &silent);
        bench_ask(&b, 200, COPAL_GET, confirmable, &waits); /* has its ID; NSTART holds it back */
        uint16_t first = bench_sent(&b)->id;
        for (unsigned i = 0; i < 20000; i++) /* the IDs beside it are used now */
            send_one(&b, 1, true, until);
        do {
            until[first] = b.now + (confirmable ? EXCHANGE_LIFETIME : NON_LIFETIME);
            bench_wait(&b);
        } while (!bench_take(&b) || b.sent.message.id == first);
        assert_int_equal(silent.status, COPAL_ETIMEOUT);
        until[b.sent.message.id] = b.now + (confirmable ? EXCHANGE_LIFETIME : NON_LIFETIME);
        if (confirmable)
            answer(&b, 200);
        flood(&b, 2 * EXCHANGE_LIFETIME, 0, 1, true, until);
        free(until);
        bench_close(&b);
    }
}

static void while_no_id_is_free_a_request_has_none(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){.limits = {.counters = 1}});
    copal_time_t start = b.now;
    for (unsigned i = 0; i <= 65536; i++) {
        handle = bench_ask(&b, 1, COPAL_GET, true, &o);
        int id = copal_request_id(b.endpoint, handle);
        if (id == COPAL_EFULL)
            break;
        assert_in_range(id, 0, 65535);
        assert_int_equal(bench_sent(&b)->id, id);
        answer(&b, 1);
    }
    assert_int_equal(copal_request_id(b.endpoint, handle), COPAL_EFULL);
    bench_silent(&b);
    assert_int_equal(copal_endpoint_next_timeout(b.endpoint), start + EXCHANGE_LIFETIME);
    copal_request_cancel(b.endpoint, b.now, handle);
    bench_idle(&b);
    bench_close(&b);
}

static void a_counter_starts_at_random(void **state)
{
    (void)state;
    uint16_t ids[8];
    for (uint32_t i = 0; i < 8; i++) {
        bench_t b;
        outcome_t o;
        random_t random = random_from(100 + i);
        bench_open(&b, &(copal_config_t){0});
        b.random = random; /* what was drawn in init does not decide alone, or the IDs would be the same */
        bench_ask(&b, i, COPAL_GET, true, &o);
        ids[i] = bench_sent(&b)->id;
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(ids[i], ids[j]);
        bench_close(&b);
    }
}

static void an_answer_for_which_no_id_is_free_is_dropped_and_counted(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.limits = {.counters = 1}, .service = server_service(&s)});
    for (unsigned i = 0; i <= 65536; i++) {
        bench_receive(&b, i, message_make(&m, COPAL_NON, COPAL_GET, (uint16_t)i, NO_BYTES, "a", NULL));
        if (!bench_take(&b))
            break;
    }
    assert_int_equal(copal_endpoint_counters(b.endpoint)->dropped, 1);
    bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_GET, 0x0102, NO_BYTES, "a", NULL)); /* needs no ID of ours */
    bench_sends(&b, 1, BYTES(0x60, 0x45, 0x01, 0x02, 0xff, 'o', 'k'));
    b.now += NON_LIFETIME;
    bench_accept(&b, 1, message_make(&m, COPAL_NON, COPAL_GET, 0x0103, NO_BYTES, "a", NULL));
    bench_sent(&b);
    bench_close(&b);
}

/* A GET that leaves by `via`. */
static copal_handle_t ask_by(bench_t *b, uint32_t via, outcome_t *o)
{
    copal_peer_t to = peer_of(1);
    copal_request_t request = {.to = &to, .via = via, .code = COPAL_GET, .confirmable = true};
    copal_handle_t handle;
    copal_writer_t *w;
    assert_int_equal(copal_request_begin(b->endpoint, &request, &handle, &w), 0);
    assert_int_equal(copal_request_commit(b->endpoint, b->now, handle, outcome_open(o)), 0);
    return handle;
}

/* "the same Message ID MUST NOT be reused (in communicating with the same endpoint)": each of our own has them all. */
static void rfc7252_4_4_the_same_id_by_two_of_our_endpoints_is_two_messages(void **state)
{
    (void)state;
    bench_t b;
    outcome_t first, second;
    message_t m;
    bench_open(&b, &(copal_config_t){.timing = {.nstart = 2}});
    copal_handle_t handle = ask_by(&b, 7, &first);
    const int id = copal_request_id(b.endpoint, handle);
    bench_sent(&b);
    for (handle = ask_by(&b, 8, &second); copal_request_id(b.endpoint, handle) != id; handle = ask_by(&b, 8, &second)) {
        assert_true(copal_request_id(b.endpoint, handle) >= 0);
        assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), 0);
    }
    bench_sent(&b);
    assert_int_equal(b.sent.via, 8);
    const copal_from_t from = {.peer = peer_of(1), .via = 8}, other = {.peer = peer_of(1), .via = 7};
    const copal_bytes_t reset = message_empty(&m, COPAL_RST, (uint16_t)id);
    assert_int_equal(bench_receive_from(&b, &from, reset), 0);
    assert_int_equal(second.status, COPAL_ERESET);
    assert_int_equal(first.count, 0);
    assert_int_equal(bench_receive_from(&b, &other, reset), 0);
    assert_int_equal(first.count, 1);
    bench_close(&b);
}

/* The peer's IDs are unique for each of our endpoints, too. */
static void rfc7252_4_4_the_same_id_of_a_peer_to_two_of_our_endpoints_is_two_responses(void **state)
{
    (void)state;
    bench_t b;
    outcome_t outcomes[2];
    bench_open(&b, &(copal_config_t){.timing = {.nstart = 2}});
    for (uint32_t i = 0; i < 2; i++) {
        message_t m;
        ask_by(&b, 7 + i, &outcomes[i]);
        const copal_from_t from = {.peer = peer_of(1), .via = 7 + i};
        const copal_message_t *request = bench_sent(&b);
        message_start(&m, COPAL_CON, COPAL_CONTENT, 4711, request->token);
        assert_int_equal(bench_receive_from(&b, &from, message_end(&m)), 0);
        bench_sent(&b);
        assert_int_equal(outcomes[i].code, COPAL_CONTENT);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_4_4_each_of_65536_peers_gets_two_requests_with_different_ids),
        cmocka_unit_test(rfc7252_4_4_each_of_65536_peers_gets_two_answers_with_different_ids),
        cmocka_unit_test(rfc7252_4_4_no_id_is_used_again_within_exchange_lifetime_and_the_message_waits),
        cmocka_unit_test(rfc7252_4_4_at_a_pace_that_comes_round_just_too_early_it_waits_too),
        cmocka_unit_test(with_one_counter_ids_are_unique_over_all_peers),
        cmocka_unit_test(rfc7252_4_8_2_no_id_comes_early_among_300000_con_and_non_requests),
        cmocka_unit_test(rfc7252_4_8_2_an_id_of_a_non_is_free_after_non_lifetime),
        cmocka_unit_test(rfc7252_4_4_an_id_that_waited_for_its_turn_rests_from_when_it_left),
        cmocka_unit_test(while_no_id_is_free_a_request_has_none),
        cmocka_unit_test(a_counter_starts_at_random),
        cmocka_unit_test(an_answer_for_which_no_id_is_free_is_dropped_and_counted),
        cmocka_unit_test(rfc7252_4_4_the_same_id_by_two_of_our_endpoints_is_two_messages),
        cmocka_unit_test(rfc7252_4_4_the_same_id_of_a_peer_to_two_of_our_endpoints_is_two_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
