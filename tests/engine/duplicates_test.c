/* A request with effects runs once (RFC 7252 section 4.5), at the bound of the memory for it, too (RFC 9175). */
#include "support/bench.h"
#include "support/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EXCHANGE_LIFETIME 247000
#define NON_LIFETIME 145000
#define ROW 64 /* message IDs that may share an entry */

static const copal_bytes_t token = {(const uint8_t[]){0xca, 0xfe}, 2};

static void open_server(bench_t *b, server_t *s, uint32_t remembered)
{
    bench_open(b, &(copal_config_t){.limits = {.remembered = remembered}, .service = server_service(s)});
    s->code = COPAL_CHANGED;
}

static copal_bytes_t ask(message_t *m, copal_type_t type, copal_code_t code, uint16_t id)
{
    return message_make(m, type, code, id, token, "a", "payload");
}

/* Hands a request of a peer in whose address is known to be real. */
static void receive_proven(bench_t *b, uint32_t peer, copal_bytes_t datagram)
{
    copal_from_t from = {.peer = peer_of(peer), .via = 7, .proven = true};
    assert_int_equal(bench_receive_from(b, &from, datagram), 0);
}

static copal_code_t code_for_proven(bench_t *b, uint32_t peer, copal_code_t code, uint16_t id)
{
    message_t m;
    receive_proven(b, peer, ask(&m, COPAL_CON, code, id));
    return bench_sent(b)->code;
}

static copal_code_t code_for(bench_t *b, uint32_t peer, copal_code_t code, uint16_t id)
{
    message_t m;
    bench_accept(b, peer, ask(&m, COPAL_CON, code, id));
    return bench_sent(b)->code;
}

/* ---- duplicates --------------------------------------------------------------------------------------- */

static void with_condition(message_t *m, uint16_t number, copal_code_t code)
{
    message_start(m, COPAL_CON, code, 0x0102, token);
    copal_write_option(&m->w, number, number == COPAL_OPTION_IF_MATCH ? BYTES(1) : NO_BYTES);
    message_text_option(m, COPAL_OPTION_URI_PATH, "a");
    copal_write_text(&m->w, "payload");
}

static void assert_runs_once(copal_bytes_t request)
{
    bench_t b;
    server_t s;
    open_server(&b, &s, 0);
    bench_accept(&b, 1, request);
    bench_sent(&b);
    sent_t answer = b.sent;
    assert_int_equal(answer.message.code, COPAL_CHANGED);
    s.text = "something else";
    static const copal_time_t delays[] = {0, 1000, 45000, 200000, 500};
    for (size_t i = 0; i < 5; i++) {
        b.now += delays[i];
        bench_receive(&b, 1, request);
        bench_sends(&b, 1, (copal_bytes_t){answer.data, answer.size});
        bench_silent(&b);
    }
    assert_int_equal(s.runs, 1);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->duplicates, 5);
    b.now += 2000; /* 248.5 s after the first */
    bench_accept(&b, 1, request);
    check_bytes(bench_sent(&b)->payload, copal_text("something else"));
    assert_int_equal(s.runs, 2);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_4_5_a_request_with_effects_runs_once_and_each_copy_gets_the_same_answer(void **state)
{
    (void)state;
    message_t m;
    assert_runs_once(ask(&m, COPAL_CON, COPAL_POST, 0x0102));
    assert_runs_once(ask(&m, COPAL_CON, COPAL_PATCH, 0x0102));
    assert_runs_once(ask(&m, COPAL_CON, COPAL_PUT, 0x0102));
    assert_runs_once(ask(&m, COPAL_CON, COPAL_DELETE, 0x0102));
    static const copal_code_t codes[] = {COPAL_PUT, COPAL_DELETE, COPAL_POST};
    for (size_t i = 0; i < 3; i++) {
        with_condition(&m, COPAL_OPTION_IF_MATCH, codes[i]);
        assert_runs_once(message_end(&m));
        with_condition(&m, COPAL_OPTION_IF_NONE_MATCH, codes[i]);
        assert_runs_once(message_end(&m));
    }
}

/* A device that started anew counts from the same ID again; its new request must not get the answer to an old one. */
static void rfc7252_4_4_a_request_that_only_bears_an_old_id_is_not_taken_for_a_copy(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t before, after;
    open_server(&b, &s, 0);
    copal_bytes_t first = ask(&before, COPAL_CON, COPAL_POST, 0x0102);
    copal_bytes_t anew = message_make(&after, COPAL_CON, COPAL_POST, 0x0102, copal_text("new"), "a", "payload");
    bench_accept(&b, 1, first);
    assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
    s.code = COPAL_CREATED;
    for (unsigned copy = 0; copy < 2; copy++) {
        bench_accept(&b, 1, anew);
        assert_int_equal(bench_sent(&b)->code, COPAL_CREATED);
        bench_accept(&b, 1, first);
        assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
    }
    assert_int_equal(s.runs, 2);
    bench_close(&b);
}

static void rfc7252_4_5_a_copy_of_a_non_confirmable_request_is_silently_ignored_for_non_lifetime(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s, 0);
    copal_bytes_t request = ask(&m, COPAL_NON, COPAL_POST, 0x0102);
    bench_accept(&b, 1, request);
    assert_int_equal(bench_sent(&b)->type, COPAL_NON);
    b.now += NON_LIFETIME - 500;
    bench_receive(&b, 1, request);
    bench_idle(&b);
    assert_int_equal(s.runs, 1);
    b.now += 2000;
    bench_accept(&b, 1, request);
    bench_sent(&b);
    assert_int_equal(s.runs, 2);
    bench_close(&b);
}

static void a_remembered_answer_is_whole_whatever_is_in_it(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    static const size_t sizes[] = {0, 1, 63, 500, 1000};
    open_server(&b, &s, 0);
    for (uint16_t i = 0; i < 5; i++) {
        s.body_size = sizes[i];
        s.text = NULL;
        bench_accept(&b, i, ask(&m, COPAL_CON, COPAL_POST, i));
        bench_sent(&b);
        assert_int_equal(b.sent.message.payload.size, sizes[i]);
        sent_t answer = b.sent;
        bench_receive(&b, i, ask(&m, COPAL_CON, COPAL_POST, i));
        bench_sends(&b, i, (copal_bytes_t){answer.data, answer.size});
    }
    assert_int_equal(s.runs, 5);
    bench_close(&b);
}

static void rfc7252_4_5_a_copy_comes_from_the_same_peer_to_the_same_address_with_the_same_id(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s, 0);
    copal_bytes_t request = ask(&m, COPAL_CON, COPAL_POST, 0x0102);
    copal_from_t from = {.peer = peer_of(1), .via = 7};
    bench_receive_from(&b, &from, request);
    from.via = 8;
    bench_receive_from(&b, &from, request);
    assert_int_equal(s.runs, 2);
    from.peer = peer_of(2);
    bench_receive_from(&b, &from, request);
    assert_int_equal(s.runs, 3);
    from.peer = peer_of(1);
    from.peer.size--; /* another number of octets is another peer, too */
    bench_receive_from(&b, &from, request);
    assert_int_equal(s.runs, 4);
    bench_accept(&b, 1, ask(&m, COPAL_CON, COPAL_POST, 0x0103));
    assert_int_equal(s.runs, 5);
    from.peer = peer_of(1);
    bench_receive_from(&b, &from, ask(&m, COPAL_CON, COPAL_POST, 0x0102));
    assert_int_equal(s.runs, 5);
    bench_close(&b);
}

static void a_post_with_a_token_longer_than_is_kept_runs_once_all_the_same(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    uint8_t octets[300];
    memset(octets, 0x5a, sizeof octets);
    copal_bytes_t long_token = {octets, sizeof octets};
    open_server(&b, &s, 0);
    for (int i = 0; i < 2; i++) {
        bench_receive(&b, 1, message_make(&m, COPAL_CON, COPAL_POST, 0x0102, long_token, "a", NULL));
        const copal_message_t *answer = bench_sent(&b);
        check_bytes(answer->token, long_token);
        assert_int_equal(answer->code, COPAL_CHANGED);
    }
    assert_int_equal(s.runs, 1);
    bench_close(&b);
}

/* ---- the bound ------------------------------------------------------------------------------------------ */

static void at_the_bound_a_post_is_refused_until_the_oldest_leaves(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 8);
    for (uint16_t i = 0; i < 8; i++) {
        assert_int_equal(code_for_proven(&b, i, COPAL_POST, i), COPAL_CHANGED);
        b.now += 1000;
    }
    b.now += 40500;
    assert_int_equal(code_for_proven(&b, 100, COPAL_POST, 100), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(s.runs, 8);
    /* The first came 48.5 s ago and is kept for 247 s: 198.5 s are left. */
    assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_MAX_AGE), 199);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->refused, 1);
    assert_int_equal(code_for_proven(&b, 0, COPAL_POST, 0), COPAL_CHANGED); /* nothing was forgotten */
    assert_int_equal(code_for_proven(&b, 7, COPAL_POST, 7), COPAL_CHANGED);
    assert_int_equal(s.runs, 8);
    b.now += 199000;
    assert_int_equal(code_for_proven(&b, 100, COPAL_POST, 101), COPAL_CHANGED);
    assert_int_equal(s.runs, 9);
    bench_close(&b);
}

static void a_refused_post_may_be_tried_again_with_the_same_message(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 4);
    for (uint16_t i = 0; i < 4; i++)
        assert_int_equal(code_for_proven(&b, i, COPAL_POST, i), COPAL_CHANGED);
    assert_int_equal(code_for_proven(&b, 100, COPAL_POST, 100), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(code_for_proven(&b, 100, COPAL_POST, 100), COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(s.runs, 4);
    bench_close(&b);
}

static void at_the_bound_of_octets_a_post_is_refused_too(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.limits = {.remembered_bytes = 4096}, .service = server_service(&s)});
    s.body_size = 900;
    uint16_t count = 0;
    for (; count < 100; count++) {
        receive_proven(&b, count, ask(&m, COPAL_CON, COPAL_POST, count));
        if (bench_sent(&b)->code == COPAL_SERVICE_UNAVAILABLE)
            break;
        assert_int_equal(b.sent.message.payload.size, 900);
    }
    assert_in_range(count, 3, 4);
    assert_int_equal(s.runs, count);
    assert_true(option_of(&b.sent.message, COPAL_OPTION_MAX_AGE) > 200);
    for (uint16_t i = 0; i < count; i++) {
        receive_proven(&b, i, ask(&m, COPAL_CON, COPAL_POST, i));
        assert_int_equal(bench_sent(&b)->payload.size, 900);
    }
    assert_int_equal(s.runs, count);
    b.now += EXCHANGE_LIFETIME + 1000;
    assert_int_equal(code_for_proven(&b, 200, COPAL_POST, 200), COPAL_CONTENT);
    bench_close(&b);
}

static void rfc8516_3_one_peer_gets_a_quarter_and_is_told_when_its_own_oldest_leaves(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 16);
    code_for_proven(&b, 1, COPAL_POST, 1);
    b.now += 10000;
    for (uint16_t i = 0; i < 4; i++)
        assert_int_equal(code_for_proven(&b, 2, COPAL_POST, i * ROW), COPAL_CHANGED);
    b.now += 7000;
    assert_int_equal(code_for_proven(&b, 2, COPAL_POST, 4 * ROW), COPAL_TOO_MANY_REQUESTS);
    assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_MAX_AGE), 240);
    assert_int_equal(code_for_proven(&b, 3, COPAL_POST, 4 * ROW), COPAL_CHANGED);
    assert_int_equal(code_for_proven(&b, 2, COPAL_PUT, 5 * ROW), COPAL_CHANGED);
    b.now += 240000;
    assert_int_equal(code_for_proven(&b, 2, COPAL_POST, 6 * ROW), COPAL_CHANGED);
    bench_close(&b);
}

/* Those of NONs are over sooner, but leave behind what began before: Max-Age is a minute then (RFC 7252 section 5.10.5). */
static void a_peer_whose_own_are_over_is_told_no_time_that_has_passed(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s, 16);
    code_for_proven(&b, 1, COPAL_POST, 1);
    for (uint16_t i = 0; i < 4; i++) {
        receive_proven(&b, 2, ask(&m, COPAL_NON, COPAL_POST, i * ROW));
        assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
    }
    b.now += NON_LIFETIME + 2000;
    assert_int_equal(code_for_proven(&b, 2, COPAL_POST, 4 * ROW), COPAL_TOO_MANY_REQUESTS);
    assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_MAX_AGE), -1);
    b.now += 100000;
    assert_int_equal(code_for_proven(&b, 2, COPAL_POST, 4 * ROW), COPAL_CHANGED);
    bench_close(&b);
}

static void a_client_that_counts_takes_an_entry_for_64_posts_and_each_runs_once(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 4); /* the peer's quarter is one entry */
    for (uint16_t id = 0; id < ROW; id++)
        assert_int_equal(code_for_proven(&b, 1, COPAL_POST, id), COPAL_CHANGED);
    assert_int_equal(code_for_proven(&b, 1, COPAL_POST, ROW), COPAL_TOO_MANY_REQUESTS);
    for (uint16_t id = 0; id < ROW; id++)
        assert_int_equal(code_for_proven(&b, 1, COPAL_POST, id), COPAL_CHANGED);
    assert_int_equal(s.runs, ROW);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->duplicates, ROW);
    b.now += EXCHANGE_LIFETIME;
    for (uint16_t id = 0; id < ROW; id++)
        assert_int_equal(code_for_proven(&b, 1, COPAL_POST, id), COPAL_CHANGED);
    assert_int_equal(s.runs, 2 * ROW);
    bench_close(&b);
}

static void a_put_makes_room_for_newer_ones_the_oldest_first(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 8);
    for (uint16_t i = 0; i < 12; i++)
        assert_int_equal(code_for_proven(&b, i, COPAL_PUT, i), COPAL_CHANGED);
    assert_int_equal(s.runs, 12);
    for (uint16_t i = 11; i >= 6; i--) /* these are remembered for certain */
        code_for_proven(&b, i, COPAL_PUT, i);
    assert_int_equal(s.runs, 12);
    assert_int_equal(code_for_proven(&b, 0, COPAL_PUT, 0), COPAL_CHANGED); /* idempotent: it may run again */
    assert_int_equal(s.runs, 13);
    bench_close(&b);
}

static void a_put_makes_room_for_a_post_and_never_the_other_way_round(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 8);
    for (uint16_t i = 0; i < 8; i++)
        assert_int_equal(code_for_proven(&b, 1, COPAL_PUT, i * ROW), COPAL_CHANGED);
    for (uint16_t i = 100; i < 108; i++)
        assert_int_equal(code_for_proven(&b, i, COPAL_POST, i), COPAL_CHANGED);
    assert_int_equal(s.runs, 16);
    for (uint16_t i = 200; i < 220; i++) /* not remembered, but served */
        assert_int_equal(code_for_proven(&b, 1, i % 2 ? COPAL_PUT : COPAL_DELETE, i), COPAL_CHANGED);
    assert_int_equal(s.runs, 36);
    for (uint16_t i = 100; i < 108; i++)
        assert_int_equal(code_for_proven(&b, i, COPAL_POST, i), COPAL_CHANGED);
    assert_int_equal(s.runs, 36);
    bench_close(&b);
}

/* ---- unproven addresses (RFC 9175 section 2.4 item 3) ------------------------------------------------------- */

/* Fills the share of addresses that nobody knows to be real, then asks from `peer`, and keeps the challenge. */
static void get_challenged(bench_t *b, uint32_t peer, uint8_t *echo, size_t *size)
{
    copal_option_t option;
    for (uint16_t i = 0; i < 12; i++)
        assert_int_equal(code_for(b, 1000 + i, COPAL_POST, i), COPAL_CHANGED);
    assert_int_equal(code_for(b, peer, COPAL_POST, 0x0102), COPAL_UNAUTHORIZED);
    assert_int_equal(b->sent.message.type, COPAL_ACK); /* "never as a separate one" */
    assert_int_equal(b->sent.message.id, 0x0102);
    check_bytes(b->sent.message.token, token);
    assert_true(copal_option_find(&b->sent.message, COPAL_OPTION_ECHO, &option));
    assert_in_range(option.value.size, 1, 40);
    memcpy(echo, option.value.data, option.value.size);
    *size = option.value.size;
}

/* The request of get_challenged again, with an Echo. */
static copal_bytes_t with_echo(message_t *m, uint16_t id, const uint8_t *echo, size_t size)
{
    message_start(m, COPAL_CON, COPAL_POST, id, token);
    message_text_option(m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option(&m->w, COPAL_OPTION_ECHO, (copal_bytes_t){echo, size});
    copal_write_text(&m->w, "payload");
    return message_end(m);
}

static void past_three_quarters_an_unproven_address_is_challenged_and_with_its_echo_runs_once(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    uint8_t echo[40];
    size_t size;
    open_server(&b, &s, 16);
    get_challenged(&b, 1, echo, &size);
    assert_int_equal(s.runs, 12);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->challenged, 1);
    for (int copies = 0; copies < 3; copies++) {
        bench_receive(&b, 1, with_echo(&m, 0x0103, echo, size));
        assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
    }
    assert_int_equal(s.runs, 13);
    assert_int_equal(code_for(&b, 1, COPAL_POST, 0x0104), COPAL_CHANGED); /* the address is known now */
    assert_int_equal(s.runs, 14);
    assert_int_equal(code_for(&b, 2, COPAL_POST, 0x0106), COPAL_UNAUTHORIZED);
    for (uint16_t i = 0; i < 4; i++)
        code_for_proven(&b, 600 + i, COPAL_POST, i);
    assert_int_equal(code_for(&b, 1, COPAL_POST, 0x0105 + ROW), COPAL_SERVICE_UNAVAILABLE);
    bench_close(&b);
}

static void a_copy_of_a_challenged_request_does_not_run_after_the_one_with_the_echo(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    uint8_t echo[40];
    size_t size;
    open_server(&b, &s, 16);
    get_challenged(&b, 1, echo, &size);
    bench_receive(&b, 1, with_echo(&m, 0x0103, echo, size));
    assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
    assert_int_equal(s.runs, 13);
    b.now += 3000;
    bench_receive(&b, 1, ask(&m, COPAL_CON, COPAL_POST, 0x0102)); /* the network had kept a copy of the first */
    while (bench_take(&b))
        assert_int_equal(b.sent.message.id, 0x0102);
    assert_int_equal(s.runs, 13);
    bench_close(&b);
}

static void a_copy_of_a_challenged_request_that_ran_makes_the_one_with_the_echo_its_duplicate(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    uint8_t echo[40];
    size_t size;
    open_server(&b, &s, 16);
    get_challenged(&b, 1, echo, &size);
    assert_int_equal(s.runs, 12);
    assert_int_equal(code_for_proven(&b, 1, COPAL_POST, 0x0102), COPAL_CHANGED); /* a copy, from a known address */
    assert_int_equal(s.runs, 13);
    s.text = "something else";
    bench_receive(&b, 1, with_echo(&m, 0x0103, echo, size));
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->id, 0x0103);
    assert_int_equal(answer->code, COPAL_CHANGED);
    check_bytes(answer->payload, copal_text("ok"));
    assert_int_equal(s.runs, 13);
    bench_close(&b);
}

static void without_room_to_note_that_a_challenged_request_must_not_run_the_one_with_the_echo_does_not(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    copal_option_t option;
    uint8_t echo[40];
    open_server(&b, &s, 16);
    for (uint16_t i = 0; i < 4; i++) /* the peer's quarter */
        assert_int_equal(code_for(&b, 1, COPAL_POST, i * ROW), COPAL_CHANGED);
    for (uint16_t i = 0; i < 8; i++)
        assert_int_equal(code_for(&b, 1000 + i, COPAL_POST, i), COPAL_CHANGED);
    assert_int_equal(code_for(&b, 1, COPAL_POST, 1), COPAL_UNAUTHORIZED);
    assert_true(copal_option_find(&b.sent.message, COPAL_OPTION_ECHO, &option));
    memcpy(echo, option.value.data, option.value.size);
    bench_receive(&b, 1, with_echo(&m, 2, echo, option.value.size));
    assert_int_equal(bench_sent(&b)->code, COPAL_TOO_MANY_REQUESTS);
    assert_int_equal(s.runs, 12);
    assert_int_equal(code_for(&b, 1, COPAL_POST, 1), COPAL_CHANGED); /* a copy of the first, from a known address */
    assert_int_equal(s.runs, 13);
    bench_close(&b);
}

static void an_echo_counts_only_unchanged_from_its_own_address_and_not_for_ever(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    uint8_t echo[40];
    size_t size;
    open_server(&b, &s, 16);
    get_challenged(&b, 1, echo, &size);
    bench_receive(&b, 2, with_echo(&m, 0x0110, echo, size)); /* foreign */
    assert_int_equal(bench_sent(&b)->code, COPAL_UNAUTHORIZED);
    for (size_t i = 0; i < size; i++) { /* wrong in any octet */
        echo[i] ^= 1;
        bench_receive(&b, 1, with_echo(&m, (uint16_t)(0x0120 + i), echo, size));
        assert_int_equal(bench_sent(&b)->code, COPAL_UNAUTHORIZED);
        echo[i] ^= 1;
    }
    bench_receive(&b, 1, with_echo(&m, 0x0111, echo, size - 1));
    assert_int_equal(bench_sent(&b)->code, COPAL_UNAUTHORIZED);
    assert_int_equal(s.runs, 12);
    b.now += 24 * 3600 * 1000; /* old */
    for (uint16_t i = 0; i < 12; i++)
        assert_int_equal(code_for(&b, 2000 + i, COPAL_POST, i), COPAL_CHANGED);
    bench_receive(&b, 1, with_echo(&m, 0x0112, echo, size));
    assert_int_equal(bench_sent(&b)->code, COPAL_UNAUTHORIZED);
    assert_true(option_of(&b.sent.message, COPAL_OPTION_ECHO) >= 0); /* "SHOULD include a new Echo option" */
    assert_int_equal(s.runs, 24);
    bench_close(&b);
}

static void a_non_confirmable_post_is_challenged_in_a_non_confirmable_message(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_server(&b, &s, 8);
    for (uint16_t i = 0; i < 6; i++)
        assert_int_equal(code_for(&b, 1000 + i, COPAL_POST, i), COPAL_CHANGED);
    bench_accept(&b, 1, ask(&m, COPAL_NON, COPAL_POST, 0x0102));
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->type, COPAL_NON);
    assert_int_equal(answer->code, COPAL_UNAUTHORIZED);
    check_bytes(answer->token, token);
    bench_close(&b);
}

static void an_address_that_is_proven_elsewhere_is_not_challenged(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 8);
    for (uint16_t i = 0; i < 6; i++)
        assert_int_equal(code_for(&b, 1000 + i, COPAL_POST, i), COPAL_CHANGED);
    assert_int_equal(code_for_proven(&b, 1, COPAL_POST, 1 * ROW), COPAL_CHANGED);
    assert_int_equal(code_for_proven(&b, 1, COPAL_POST, 2 * ROW), COPAL_CHANGED);
    assert_int_equal(code_for_proven(&b, 1, COPAL_POST, 3 * ROW), COPAL_TOO_MANY_REQUESTS);
    bench_close(&b);
}

static void gets_and_puts_are_served_however_full_the_memory_is(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    open_server(&b, &s, 4);
    for (uint16_t i = 0; i < 4; i++)
        code_for_proven(&b, i, COPAL_POST, i);
    assert_int_equal(code_for(&b, 50, COPAL_GET, 50), COPAL_CHANGED);
    assert_int_equal(code_for(&b, 51, COPAL_PUT, 51), COPAL_CHANGED);
    assert_int_equal(code_for(&b, 52, COPAL_DELETE, 52), COPAL_CHANGED);
    bench_close(&b);
}

/* ---- our client against a server under attack ---------------------------------------------------------------- */

static void count_post(void *context, copal_call_t *call)
{
    unsigned *runs = context;
    if (call->request->payload.size == 4 && memcmp(call->request->payload.data, "real", 4) == 0)
        runs[1]++;
    else
        runs[0]++;
    copal_reply(call, COPAL_CHANGED);
}

static void send_spoofed(network_t *n, node_t *server, unsigned count)
{
    message_t m;
    copal_datagram_t out[16];
    for (unsigned i = 0; i < count; i++) {
        copal_from_t from = {.peer = peer_of((uint32_t)random_next(&n->random))};
        message_make(&m, COPAL_CON, COPAL_POST, (uint16_t)i, BYTES(1, 2), "a", "spoofed");
        copal_bytes_t datagram = {m.data, m.w.size};
        n->now += i % 10 == 0; /* 10,000 a second */
        if (copal_endpoint_receive(server->endpoint, n->now, &from, datagram) == COPAL_EFULL)
            fail_msg("a batch that was just sent is full");
        while (copal_endpoint_send(server->endpoint, n->now, out, 16))
            ;
    }
}

static void a_spoofed_flood_fills_the_unproven_share_and_a_real_post_runs_once(void **state)
{
    (void)state;
    for (int confirmable = 0; confirmable < 2; confirmable++) {
        network_t n;
        unsigned runs[2] = {0};
        outcome_t o;
        copal_handle_t handle;
        copal_writer_t *w;
        network_open(&n, 1, &(weather_t){.delay = 20});
        node_t *server = network_add(&n, &(copal_config_t){.service = {.handle = count_post, .context = runs}}, NULL);
        node_t *client = network_add(&n, &(copal_config_t){0}, NULL);
        send_spoofed(&n, server, 100000);
        assert_int_equal(runs[0], 192); /* three quarters of 256 */
        copal_request_t request = {.to = &server->peer, .code = COPAL_POST, .confirmable = confirmable};
        assert_int_equal(copal_request_begin(client->endpoint, &request, &handle, &w), 0);
        copal_write_path(w, copal_text("a"));
        copal_write_text(w, "real");
        assert_int_equal(copal_request_commit(client->endpoint, n.now, handle, outcome_open(&o)), 0);
        network_run(&n, COPAL_NEVER);
        assert_int_equal(o.count, 1);
        assert_int_equal(o.status, 0);
        assert_int_equal(o.code, COPAL_CHANGED);
        assert_int_equal(runs[1], 1);
        network_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_4_5_a_request_with_effects_runs_once_and_each_copy_gets_the_same_answer),
        cmocka_unit_test(rfc7252_4_4_a_request_that_only_bears_an_old_id_is_not_taken_for_a_copy),
        cmocka_unit_test(rfc7252_4_5_a_copy_of_a_non_confirmable_request_is_silently_ignored_for_non_lifetime),
        cmocka_unit_test(a_remembered_answer_is_whole_whatever_is_in_it),
        cmocka_unit_test(rfc7252_4_5_a_copy_comes_from_the_same_peer_to_the_same_address_with_the_same_id),
        cmocka_unit_test(a_post_with_a_token_longer_than_is_kept_runs_once_all_the_same),
        cmocka_unit_test(at_the_bound_a_post_is_refused_until_the_oldest_leaves),
        cmocka_unit_test(a_refused_post_may_be_tried_again_with_the_same_message),
        cmocka_unit_test(at_the_bound_of_octets_a_post_is_refused_too),
        cmocka_unit_test(rfc8516_3_one_peer_gets_a_quarter_and_is_told_when_its_own_oldest_leaves),
        cmocka_unit_test(a_peer_whose_own_are_over_is_told_no_time_that_has_passed),
        cmocka_unit_test(a_client_that_counts_takes_an_entry_for_64_posts_and_each_runs_once),
        cmocka_unit_test(a_put_makes_room_for_newer_ones_the_oldest_first),
        cmocka_unit_test(a_put_makes_room_for_a_post_and_never_the_other_way_round),
        cmocka_unit_test(past_three_quarters_an_unproven_address_is_challenged_and_with_its_echo_runs_once),
        cmocka_unit_test(a_copy_of_a_challenged_request_does_not_run_after_the_one_with_the_echo),
        cmocka_unit_test(a_copy_of_a_challenged_request_that_ran_makes_the_one_with_the_echo_its_duplicate),
        cmocka_unit_test(without_room_to_note_that_a_challenged_request_must_not_run_the_one_with_the_echo_does_not),
        cmocka_unit_test(an_echo_counts_only_unchanged_from_its_own_address_and_not_for_ever),
        cmocka_unit_test(a_non_confirmable_post_is_challenged_in_a_non_confirmable_message),
        cmocka_unit_test(an_address_that_is_proven_elsewhere_is_not_challenged),
        cmocka_unit_test(gets_and_puts_are_served_however_full_the_memory_is),
        cmocka_unit_test(a_spoofed_flood_fills_the_unproven_share_and_a_real_post_runs_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
