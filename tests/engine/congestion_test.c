/* Congestion control: NSTART and PROBING_RATE (RFC 7252 section 4.7). */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void reply(bench_t *b, uint32_t peer, copal_type_t type, copal_code_t code, const sent_t *to)
{
    message_t m;
    copal_bytes_t token = code == COPAL_EMPTY ? NO_BYTES : to->message.token;
    uint16_t id = to->message.id; /* for a NON as good as any other */
    message_start(&m, type, code, id, token);
    assert_int_equal(bench_receive(b, peer, message_end(&m)), 0);
}

/* Ends what holds the second request back, one way or another. */
static void by_answer(bench_t *b, const sent_t *first) { reply(b, 1, COPAL_ACK, COPAL_CONTENT, first); }
static void by_acknowledgement(bench_t *b, const sent_t *first) { reply(b, 1, COPAL_ACK, COPAL_EMPTY, first); }
static void by_separate_answer(bench_t *b, const sent_t *first) { reply(b, 1, COPAL_NON, COPAL_CONTENT, first); }
static void by_reset(bench_t *b, const sent_t *first) { reply(b, 1, COPAL_RST, COPAL_EMPTY, first); }
static void by_icmp(bench_t *b, const sent_t *first)
{
    copal_peer_t peer = peer_of(1);
    copal_endpoint_unreachable(b->endpoint, b->now, &peer, (copal_bytes_t){first->data, first->size});
}

static void rfc7252_4_7_nstart_holds_the_second_request_back_until_the_first_is_settled(void **state)
{
    (void)state;
    static void (*const ways[])(bench_t *b, const sent_t *first) = {by_answer, by_acknowledgement, by_separate_answer,
                                                                    by_reset, by_icmp};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        bench_t b;
        outcome_t o[3];
        bench_open(&b, &(copal_config_t){0});
        for (int j = 0; j < 3; j++)
            bench_ask(&b, 1, COPAL_GET, true, &o[j]);
        for (int j = 0; j < 3; j++) {
            bench_sent(&b);
            bench_silent(&b);
            ways[i](&b, &b.sent);
        }
        bench_silent(&b);
        bench_close(&b);
    }
}

static void a_cancelled_or_lost_request_lets_the_next_one_go(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[3];
    uint16_t id;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t first = bench_ask(&b, 1, COPAL_GET, true, &o[0]);
    bench_ask(&b, 1, COPAL_GET, true, &o[1]);
    bench_ask(&b, 1, COPAL_GET, true, &o[2]);
    id = bench_sent(&b)->id;
    copal_request_cancel(b.endpoint, b.now, first);
    assert_true(bench_sent(&b)->id != id);
    id = b.sent.message.id;
    for (int i = 0; i < 4; i++) {
        bench_silent(&b);
        bench_wait(&b);
        assert_int_equal(bench_sent(&b)->id, id);
    }
    bench_silent(&b);
    bench_wait(&b);
    assert_true(bench_sent(&b)->id != id);
    assert_int_equal(o[1].status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void another_peer_is_not_held_back(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[4];
    bench_open(&b, &(copal_config_t){0});
    for (uint32_t i = 0; i < 4; i++)
        bench_ask(&b, i, COPAL_GET, true, &o[i]);
    for (uint32_t i = 0; i < 4; i++)
        bench_sent(&b);
    bench_silent(&b);
    bench_close(&b);
}

static void requests_leave_in_the_order_they_were_committed(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[8];
    bench_open(&b, &(copal_config_t){0});
    for (uint8_t i = 0; i < 8; i++)
        bench_ask_token(&b, 1, true, BYTES(i), &o[i]);
    for (uint8_t i = 0; i < 8; i++) {
        check_bytes(bench_sent(&b)->token, BYTES(i));
        bench_silent(&b);
        by_answer(&b, &b.sent);
        assert_int_equal(o[i].count, 1);
    }
    bench_idle(&b);
    bench_close(&b);
}

static void a_request_cancelled_in_the_queue_lets_nobody_go(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[3];
    copal_handle_t handles[3];
    bench_open(&b, &(copal_config_t){0});
    for (uint8_t i = 0; i < 3; i++)
        handles[i] = bench_ask_token(&b, 1, true, BYTES(i), &o[i]);
    bench_sent(&b);
    sent_t first = b.sent;
    copal_request_cancel(b.endpoint, b.now, handles[1]);
    bench_silent(&b);
    by_answer(&b, &first);
    check_bytes(bench_sent(&b)->token, BYTES(2));
    bench_close(&b);
}

static void an_acknowledgement_of_a_non_confirmable_request_means_nothing(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[2];
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, false, &o[0]);
    bench_ask(&b, 1, COPAL_GET, false, &o[1]);
    uint16_t id = bench_sent(&b)->id;
    bench_receive(&b, 1, BYTES(0x60, 0x00, (uint8_t)(id >> 8), (uint8_t)id));
    bench_silent(&b);
    bench_wait(&b);
    bench_sent(&b);
    bench_close(&b);
}

static void nstart_is_the_callers(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[4];
    bench_open(&b, &(copal_config_t){.timing = {.nstart = 3}});
    for (int i = 0; i < 4; i++)
        bench_ask(&b, 1, COPAL_GET, true, &o[i]);
    bench_sent(&b);
    bench_sent(&b);
    bench_sent(&b);
    bench_silent(&b);
    by_answer(&b, &b.sent);
    bench_sent(&b);
    bench_silent(&b);
    bench_close(&b);
}

/* Of two peers; one that waits is cancelled from the middle of its line. */
static void those_held_back_go_in_the_order_in_which_they_were_asked(void **state)
{
    (void)state;
    enum { EACH = 5 };
    bench_t b;
    outcome_t o[2 * EACH];
    copal_handle_t handles[2 * EACH];
    uint16_t ids[2 * EACH];
    bench_open(&b, &(copal_config_t){0});
    for (int i = 0; i < 2 * EACH; i++) {
        handles[i] = bench_ask(&b, 1 + (uint32_t)i % 2, COPAL_GET, true, &o[i]);
        ids[i] = (uint16_t)copal_request_id(b.endpoint, handles[i]);
    }
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, handles[4]), 0);
    assert_int_equal(bench_sent(&b)->id, ids[0]);
    const sent_t first = b.sent;
    assert_int_equal(bench_sent(&b)->id, ids[1]);
    for (int i = 3; i < 2 * EACH; i += 2) {
        reply(&b, 2, COPAL_ACK, COPAL_CONTENT, &b.sent);
        assert_int_equal(bench_sent(&b)->id, ids[i]);
    }
    b.sent = first;
    for (int i = 2; i < 2 * EACH; i += i == 2 ? 4 : 2) {
        reply(&b, 1, COPAL_ACK, COPAL_CONTENT, &b.sent);
        assert_int_equal(bench_sent(&b)->id, ids[i]);
    }
    bench_silent(&b);
    bench_close(&b);
}

/* It is repeated at once, before those that were never sent; they go when it is answered. */
static void rfc9175_a_challenged_request_keeps_its_place(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[3];
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    for (int i = 0; i < 3; i++)
        bench_ask(&b, 1, COPAL_GET, true, &o[i]);
    const uint16_t second = (uint16_t)(bench_sent(&b)->id + 1);
    message_start(&m, COPAL_ACK, COPAL_UNAUTHORIZED, b.sent.message.id, b.sent.message.token);
    message_text_option(&m, COPAL_OPTION_ECHO, "fresh");
    assert_int_equal(bench_receive(&b, 1, message_end(&m)), 0);
    copal_option_t echo;
    assert_true(copal_option_find(bench_sent(&b), COPAL_OPTION_ECHO, &echo));
    bench_silent(&b);
    reply(&b, 1, COPAL_ACK, COPAL_CONTENT, &b.sent);
    assert_int_equal(o[0].ended, 1);
    assert_int_equal(bench_sent(&b)->id, second);
    bench_silent(&b);
    bench_close(&b);
}

static void a_request_that_is_held_back_still_ends_at_its_timeout(void **state)
{
    (void)state;
    bench_t b;
    outcome_t first, second;
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &first);
    copal_request_t request = {.to = &to, .code = COPAL_GET, .confirmable = true, .timeout = 1000};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
    assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, outcome_open(&second)), 0);
    assert_int_equal(copal_request_id(b.endpoint, handle) >= 0, 1); /* known "as soon as it is committed" */
    bench_sent(&b);
    bench_silent(&b);
    assert_int_equal(bench_wait(&b), 1000);
    bench_silent(&b);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.status, COPAL_ETIMEOUT);
    assert_int_equal(first.count, 0);
    bench_close(&b);
}

static copal_handle_t ask_patiently(bench_t *b, outcome_t *o)
{
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    copal_request_t request = {.to = &to, .code = COPAL_GET, .timeout = 100000000};
    assert_int_equal(copal_request_begin(b->endpoint, &request, &handle, &w), 0);
    copal_write_path(w, copal_text("abcdefgh"));
    assert_int_equal(copal_request_commit(b->endpoint, b->now, handle, outcome_open(o)), 0);
    return handle;
}

static void rfc7252_4_7_toward_a_silent_peer_no_more_than_probing_rate_leaves(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[200];
    copal_time_t start;
    size_t octets = 0, largest = 0;
    bench_open(&b, &(copal_config_t){.limits = {.requests = 200}});
    for (int i = 0; i < 200; i++)
        ask_patiently(&b, &o[i]);
    start = b.now;
    while (b.now < start + 1000000) {
        if (bench_take(&b)) {
            octets += b.sent.size;
            largest = b.sent.size > largest ? b.sent.size : largest;
            assert_true(octets <= largest + (size_t)(b.now - start) / 1000); /* 1 octet a second */
        } else {
            bench_wait(&b);
        }
    }
    assert_true(octets >= 500); /* slow, but not silent */
    bench_close(&b);
}

static void probing_rate_is_the_callers(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[2];
    bench_open(&b, &(copal_config_t){.timing = {.probing_rate = 10}});
    ask_patiently(&b, &o[0]);
    ask_patiently(&b, &o[1]);
    bench_sent(&b);
    bench_silent(&b);
    assert_int_equal(bench_wait(&b), (copal_time_t)b.sent.size * 1000 / 10);
    bench_sent(&b);
    bench_close(&b);
}

static void an_answer_lets_the_next_non_confirmable_request_go_at_once(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[3];
    bench_open(&b, &(copal_config_t){0});
    for (int i = 0; i < 3; i++)
        ask_patiently(&b, &o[i]);
    for (int i = 0; i < 3; i++) {
        bench_sent(&b);
        bench_silent(&b);
        message_t m;
        message_start(&m, COPAL_NON, COPAL_CONTENT, (uint16_t)(100 + i), b.sent.message.token);
        bench_accept(&b, 1, message_end(&m));
        assert_int_equal(o[i].count, 1);
    }
    bench_idle(&b);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_4_7_nstart_holds_the_second_request_back_until_the_first_is_settled),
        cmocka_unit_test(a_cancelled_or_lost_request_lets_the_next_one_go),
        cmocka_unit_test(another_peer_is_not_held_back),
        cmocka_unit_test(requests_leave_in_the_order_they_were_committed),
        cmocka_unit_test(a_request_cancelled_in_the_queue_lets_nobody_go),
        cmocka_unit_test(an_acknowledgement_of_a_non_confirmable_request_means_nothing),
        cmocka_unit_test(nstart_is_the_callers),
        cmocka_unit_test(those_held_back_go_in_the_order_in_which_they_were_asked),
        cmocka_unit_test(rfc9175_a_challenged_request_keeps_its_place),
        cmocka_unit_test(a_request_that_is_held_back_still_ends_at_its_timeout),
        cmocka_unit_test(rfc7252_4_7_toward_a_silent_peer_no_more_than_probing_rate_leaves),
        cmocka_unit_test(probing_rate_is_the_callers),
        cmocka_unit_test(an_answer_lets_the_next_non_confirmable_request_go_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
