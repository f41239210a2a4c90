/* Messages: retransmission, acknowledgement, Reset, ping, congestion control (RFC 7252 sections 4.2 to 4.7). */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EXCHANGE_LIFETIME 247000

static void acknowledge(bench_t *b, uint32_t peer, uint16_t id)
{
    message_t m;
    bench_receive(b, peer, message_empty(&m, COPAL_ACK, id));
}

/* ---- retransmission (section 4.2) -------------------------------------------------------------------- */

static void rfc7252_4_2_a_confirmable_message_leaves_five_times_at_doubled_intervals_then_times_out(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    bench_sent(&b);
    assert_int_equal(b.sent.via, 7);
    sent_t first = b.sent;
    copal_time_t start = b.now, interval = 0;
    for (int i = 0; i < 5; i++) {
        bench_silent(&b);
        copal_time_t waited = bench_wait(&b);
        if (i == 0)
            assert_in_range(waited, 2000, 3000);
        else
            assert_int_equal(waited, 2 * interval);
        interval = waited;
        if (i < 4)
            bench_sends(&b, 1, (copal_bytes_t){first.data, first.size});
    }
    assert_int_equal(o.count, 0);
    bench_idle(&b);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    assert_in_range(b.now - start, 62000, 93000);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->retransmitted, 4);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->sent, 5);
    bench_close(&b);
}

static void rfc7252_4_2_the_first_timeout_is_random_between_ack_timeout_and_that_times_the_factor(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_time_t least = COPAL_NEVER, most = 0;
    bench_open(&b, &(copal_config_t){0});
    for (uint32_t peer = 0; peer < 200; peer++) {
        copal_handle_t handle = bench_ask(&b, peer, COPAL_GET, true, &o);
        bench_sent(&b);
        copal_time_t wait = copal_endpoint_next_timeout(b.endpoint) - b.now;
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        copal_request_cancel(b.endpoint, b.now, handle);
    }
    assert_in_range(least, 2000, 2100);
    assert_in_range(most, 2900, 3000);
    bench_close(&b);
}

static void transmission_parameters_are_the_callers(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_timing_t timing = {.ack_timeout = 500, .ack_random_permille = 1000, .max_retransmit = 2};
    bench_open(&b, &(copal_config_t){.timing = timing});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    bench_sent(&b);
    assert_int_equal(bench_wait(&b), 500);
    bench_sent(&b);
    assert_int_equal(bench_wait(&b), 1000);
    bench_sent(&b);
    assert_int_equal(bench_wait(&b), 2000);
    bench_idle(&b);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void rfc7252_4_2_a_late_retransmission_keeps_its_distance_and_stays_in_the_span(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    bench_sent(&b);
    copal_time_t start = b.now, last = start - 2000;
    /* The host sleeps 14 s at a time. "The minimum spacing before another retransmission is ACK_TIMEOUT, and the
     * entire sequence MUST stay in the envelope of MAX_TRANSMIT_SPAN": 45 s. */
    for (b.now += 14000; o.count == 0; b.now += 14000) {
        while (bench_take(&b)) {
            assert_true(b.now - start <= 45000);
            assert_true(b.now - last >= 2000);
            last = b.now;
        }
        assert_true(copal_endpoint_next_timeout(b.endpoint) >= b.now + (last == b.now ? 2000 : 0));
        assert_true(b.now < start + 300000);
    }
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void an_acknowledgement_ends_retransmission_and_the_request_waits_for_its_answer(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    acknowledge(&b, 1, bench_sent(&b)->id);
    bench_silent(&b);
    assert_int_equal(bench_wait(&b), EXCHANGE_LIFETIME);
    bench_idle(&b);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void a_request_ends_at_the_timeout_that_was_asked_for(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    bench_open(&b, &(copal_config_t){0});
    copal_request_t request = {.to = &to, .code = COPAL_GET, .confirmable = true, .timeout = 1500};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
    assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, outcome_open(&o)), 0);
    bench_sent(&b);
    assert_int_equal(bench_wait(&b), 1500);
    bench_idle(&b);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

/* ---- Reset, ping, other peers' messages (sections 4.2, 4.3) --------------------------------------------- */

static void a_reset_ends_the_request(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    for (int confirmable = 0; confirmable < 2; confirmable++) {
        bench_ask(&b, 1, COPAL_GET, confirmable, &o);
        uint16_t id = bench_sent(&b)->id;
        for (uint32_t other = 2; other < 300; other++)
            bench_receive(&b, other, message_empty(&m, COPAL_RST, id));
        bench_receive(&b, 1, message_empty(&m, COPAL_RST, (uint16_t)(id + 1)));
        assert_int_equal(o.count, 0);
        bench_accept(&b, 1, message_empty(&m, COPAL_RST, id));
        assert_int_equal(o.count, 1);
        assert_int_equal(o.status, COPAL_ERESET);
        assert_int_equal(o.id, id);
        bench_idle(&b);
    }
    bench_close(&b);
}

static void rfc7252_4_3_a_ping_is_an_empty_confirmable_message_and_a_reset_its_success(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    bench_ping(&b, 1, &o);
    const copal_message_t *ping = bench_sent(&b);
    uint16_t id = ping->id;
    assert_int_equal(b.sent.size, 4);
    assert_int_equal(b.sent.data[0], 0x40);
    assert_int_equal(b.sent.data[1], 0);
    bench_receive(&b, 1, BYTES(0x50, 0x45, 1, 2)); /* a response without token answers no ping */
    bench_receive(&b, 1, BYTES(0x60, 0x45, (uint8_t)(id >> 8), (uint8_t)id));
    bench_silent(&b);
    assert_int_equal(o.count, 0);
    bench_accept(&b, 1, message_empty(&m, COPAL_RST, id));
    assert_int_equal(o.count, 1);
    assert_int_equal(o.status, 0);
    assert_false(o.has_message);
    bench_idle(&b);
    bench_close(&b);
}

static void a_ping_without_an_answer_times_out(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    unsigned sent = 0;
    bench_open(&b, &(copal_config_t){0});
    bench_ping(&b, 1, &o);
    for (; o.count == 0; b.now = copal_endpoint_next_timeout(b.endpoint))
        while (bench_take(&b))
            sent++;
    assert_int_equal(sent, 5);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void a_peers_ping_is_answered_with_reset(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    bench_receive(&b, 1, message_empty(&m, COPAL_CON, 0x1234));
    bench_sends(&b, 1, BYTES(0x70, 0x00, 0x12, 0x34));
    assert_int_equal(b.sent.via, 7);
    bench_idle(&b);
    bench_close(&b);
}

static void answers_leave_from_where_the_request_came_to(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    static const uint8_t sizes[] = {0, 1, 6, 30, COPAL_PEER_SIZE};
    for (uint16_t i = 0; i < 5; i++) {
        copal_from_t from = {.via = 4711u * i};
        from.peer.size = sizes[i];
        memset(from.peer.data, 0xee, sizes[i]);
        bench_receive_from(&b, &from, message_make(&m, COPAL_CON, COPAL_GET, i, BYTES(1), NULL, NULL));
        bench_sent(&b);
        assert_int_equal(b.sent.via, 4711u * i);
        assert_true(peer_equal(&b.sent.to, &from.peer));
    }
    bench_close(&b);
}

static void a_client_without_a_service_answers_not_found(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_GET, 0x0102, BYTES(0xaa), "a", NULL));
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->type, COPAL_ACK);
    assert_int_equal(answer->code, COPAL_NOT_FOUND);
    assert_int_equal(answer->id, 0x0102);
    check_bytes(answer->token, BYTES(0xaa));
    bench_close(&b);
}

/* ---- ICMP errors (section 4.2) --------------------------------------------------------------------------- */

static void rfc7252_4_2_an_icmp_error_counts_only_with_type_id_and_token_of_an_open_request(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_peer_t peer = peer_of(1), other = peer_of(2);
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    const copal_message_t *request = bench_sent(&b);
    size_t header = 4 + request->token.size;
    assert_true(request->token.size > 0);
    for (size_t octet = 0; octet < header; octet++) { /* any octet of header and token may be wrong */
        uint8_t quoted[64];
        memcpy(quoted, b.sent.data, header);
        quoted[octet] ^= octet == 0 ? 0x10 : 0x01;
        if (octet != 1) /* the code is not one of the three */
            copal_endpoint_unreachable(b.endpoint, b.now, &peer, (copal_bytes_t){quoted, header});
    }
    copal_endpoint_unreachable(b.endpoint, b.now, &peer, (copal_bytes_t){b.sent.data, header - 1});
    copal_endpoint_unreachable(b.endpoint, b.now, &peer, NO_BYTES);
    copal_endpoint_unreachable(b.endpoint, b.now, &other, (copal_bytes_t){b.sent.data, b.sent.size});
    assert_int_equal(o.count, 0);
    copal_endpoint_unreachable(b.endpoint, b.now, &peer, (copal_bytes_t){b.sent.data, header});
    assert_int_equal(o.count, 1);
    assert_int_equal(o.status, COPAL_EUNREACHABLE);
    copal_endpoint_unreachable(b.endpoint, b.now, &peer, (copal_bytes_t){b.sent.data, header});
    assert_int_equal(o.count, 1);
    bench_idle(&b);
    bench_close(&b);
}

/* ---- handles ----------------------------------------------------------------------------------------------- */

static void a_cancelled_request_is_silent_and_its_handle_stale(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t handle = bench_ask(&b, 1, COPAL_GET, true, &o);
    const copal_message_t *request = bench_sent(&b);
    assert_int_equal(copal_request_id(b.endpoint, handle), request->id);
    copal_bytes_t answer = message_make(&m, COPAL_ACK, COPAL_CONTENT, request->id, request->token, NULL, "late");
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), 0);
    bench_idle(&b);
    bench_receive(&b, 1, answer);
    assert_int_equal(o.count, 0);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), COPAL_ESTALE);
    assert_int_equal(copal_request_id(b.endpoint, handle), COPAL_ESTALE);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, (copal_handle_t){0}), COPAL_ESTALE);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, (copal_handle_t){0xffffffff, 1}), COPAL_ESTALE);
    bench_idle(&b);
    bench_close(&b);
}

typedef struct {
    copal_receiver_t receiver; /* first */
    bench_t *bench;
    copal_handle_t victim;
    outcome_t *next;
} replacer_t;

/* Cancels a request and begins another, most likely in the very same memory. */
static void replace(copal_receiver_t *self, const copal_response_t *response)
{
    replacer_t *r = (replacer_t *)self;
    assert_int_equal(response->status, COPAL_ETIMEOUT);
    assert_int_equal(copal_request_cancel(r->bench->endpoint, response->now, r->victim), 0);
    bench_ask_token(r->bench, 3, true, BYTES(0xcc), r->next);
}

static void what_send_gave_out_stays_as_it_is_whatever_a_callback_does(void **state)
{
    (void)state;
    bench_t b;
    outcome_t victim, next;
    copal_peer_t to = peer_of(2);
    copal_handle_t handle;
    copal_writer_t *w;
    copal_datagram_t out[4];
    bench_open(&b, &(copal_config_t){.limits = {.requests = 2}});
    copal_request_t request = {.to = &to, .code = COPAL_GET, .confirmable = true, .timeout = 1000};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
    replacer_t r = {.receiver = {replace}, .bench = &b, .next = &next};
    assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, &r.receiver), 0);
    bench_sent(&b);
    b.now += 999;
    r.victim = bench_ask_token(&b, 1, true, BYTES(0xaa), &victim);
    b.now += 1; /* the first ends now, and before it the second leaves */
    unsigned left = 0;
    for (size_t count; (count = copal_endpoint_send(b.endpoint, b.now, out, 4)) > 0;) {
        for (size_t i = 0; i < count; i++, left++) {
            copal_peer_t expected = peer_of(left == 0 ? 1 : 3);
            assert_true(peer_equal(out[i].to, &expected));
            assert_int_equal(out[i].bytes.data[4], left == 0 ? 0xaa : 0xcc);
        }
    }
    assert_int_equal(left, 2);
    assert_int_equal(victim.count, 0);
    bench_close(&b);
}

static void a_request_that_was_not_committed_can_be_cancelled(void **state)
{
    (void)state;
    bench_t b;
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    bench_open(&b, &(copal_config_t){0});
    assert_int_equal(copal_request_begin(b.endpoint, &(copal_request_t){.to = &to, .code = COPAL_GET}, &handle, &w), 0);
    bench_idle(&b);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), 0);
    assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, NULL), COPAL_ESTALE);
    bench_idle(&b);
    bench_close(&b);
}

static void a_writers_error_ends_the_request_without_an_outcome(void **state)
{
    (void)state;
    static const uint8_t large[3000];
    bench_t b;
    outcome_t o;
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    copal_request_t request = {.to = &to, .code = COPAL_PUT, .confirmable = true};
    bench_open(&b, &(copal_config_t){.limits = {.requests = 1}});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
        copal_write_payload(w, (copal_bytes_t){large, sizeof large});
        assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, outcome_open(&o)), COPAL_ESPACE);
        assert_int_equal(o.count, 0);
        assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), COPAL_ESTALE);
    }
    bench_idle(&b);
    bench_close(&b);
}

static void requests_that_cannot_be_are_refused(void **state)
{
    (void)state;
    bench_t b;
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    bench_open(&b, &(copal_config_t){0});
    copal_request_t request = {.to = &to, .code = COPAL_CONTENT, .confirmable = true};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), COPAL_EINVAL);
    request.code = COPAL_CODE(1, 1);
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), COPAL_EINVAL);
    request = (copal_request_t){.to = &to, .code = COPAL_GET, .given_token = true,
                                .token = BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9)};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), COPAL_EINVAL);
    request.token.size = 8;
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
    bench_close(&b);
}

static void the_same_given_token_is_refused_while_it_is_in_use_toward_that_peer(void **state)
{
    (void)state;
    bench_t b;
    outcome_t first, second;
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t open = bench_ask_token(&b, 1, true, BYTES(0xab), &first);
    copal_request_t request = {.to = &to, .code = COPAL_GET, .given_token = true, .token = BYTES(0xab)};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), COPAL_EEXIST);
    bench_ask_token(&b, 2, true, BYTES(0xab), &second);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, open), 0);
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
    bench_close(&b);
}

static void rfc7252_5_3_1_drawn_tokens_are_distinct_and_hold_32_random_bits(void **state)
{
    (void)state;
    static uint64_t tokens[2000];
    bench_t b;
    outcome_t o;
    uint64_t ever = 0, always = UINT64_MAX;
    bench_open(&b, &(copal_config_t){0});
    for (uint32_t i = 0; i < 2000; i++) {
        copal_handle_t handle = bench_ask(&b, i, COPAL_GET, true, &o);
        const copal_message_t *m = bench_sent(&b);
        assert_in_range(m->token.size, 4, 8);
        memcpy(&tokens[i], m->token.data, m->token.size);
        ever |= tokens[i];
        always &= tokens[i];
        for (uint32_t j = 0; j < i; j++)
            assert_true(tokens[j] != tokens[i]);
        copal_request_cancel(b.endpoint, b.now, handle);
    }
    int changing = 0;
    for (uint64_t bits = ever & ~always; bits; bits &= bits - 1)
        changing++;
    assert_true(changing >= 32);
    bench_close(&b);
}

static void rfc7252_4_2_a_client_rejects_requests_and_asks(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    outcome_t o;
    const copal_limits_t limits = {.requests = 1, .deferred = COPAL_LIMIT_NONE, .remembered = COPAL_LIMIT_NONE,
                                   .proven = 1, .networks = 1, .observers = COPAL_LIMIT_NONE, .rests = COPAL_LIMIT_NONE};
    bench_open_client(&b, &(copal_config_t){.limits = limits, .service = server_service(&s)});
    for (copal_code_t code = COPAL_GET; code <= COPAL_IPATCH; code++) {
        int result = bench_receive(&b, 1, message_make(&m, COPAL_CON, code, code, BYTES(1, 2), "a", "x"));
        assert_int_equal(result, COPAL_EIGNORED);
        bench_sends(&b, 1, BYTES(0x70, 0, 0, code));
        bench_receive(&b, 1, message_make(&m, COPAL_NON, code, code, BYTES(1, 2), "a", "x"));
        bench_silent(&b);
    }
    bench_receive(&b, 1, BYTES(0x40, COPAL_GET, 0, 9, 0xff)); /* a marker without payload */
    bench_sends(&b, 1, BYTES(0x70, 0, 0, 9));
    bench_receive(&b, 1, BYTES(0x70, 0, 0, 10)); /* a Reset for nothing */
    bench_silent(&b);
    assert_int_equal(s.runs, 0);
    bench_ask(&b, 1, COPAL_GET, true, &o);
    bench_sent(&b);
    message_start(&m, COPAL_ACK, COPAL_CONTENT, b.sent.message.id, b.sent.message.token);
    bench_accept(&b, 1, message_end(&m));
    assert_int_equal(o.status, 0);
    bench_idle(&b);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_4_2_a_confirmable_message_leaves_five_times_at_doubled_intervals_then_times_out),
        cmocka_unit_test(rfc7252_4_2_the_first_timeout_is_random_between_ack_timeout_and_that_times_the_factor),
        cmocka_unit_test(transmission_parameters_are_the_callers),
        cmocka_unit_test(rfc7252_4_2_a_late_retransmission_keeps_its_distance_and_stays_in_the_span),
        cmocka_unit_test(an_acknowledgement_ends_retransmission_and_the_request_waits_for_its_answer),
        cmocka_unit_test(a_request_ends_at_the_timeout_that_was_asked_for),
        cmocka_unit_test(a_reset_ends_the_request),
        cmocka_unit_test(rfc7252_4_3_a_ping_is_an_empty_confirmable_message_and_a_reset_its_success),
        cmocka_unit_test(a_ping_without_an_answer_times_out),
        cmocka_unit_test(a_peers_ping_is_answered_with_reset),
        cmocka_unit_test(answers_leave_from_where_the_request_came_to),
        cmocka_unit_test(a_client_without_a_service_answers_not_found),
        cmocka_unit_test(rfc7252_4_2_an_icmp_error_counts_only_with_type_id_and_token_of_an_open_request),
        cmocka_unit_test(a_cancelled_request_is_silent_and_its_handle_stale),
        cmocka_unit_test(what_send_gave_out_stays_as_it_is_whatever_a_callback_does),
        cmocka_unit_test(a_request_that_was_not_committed_can_be_cancelled),
        cmocka_unit_test(a_writers_error_ends_the_request_without_an_outcome),
        cmocka_unit_test(requests_that_cannot_be_are_refused),
        cmocka_unit_test(the_same_given_token_is_refused_while_it_is_in_use_toward_that_peer),
        cmocka_unit_test(rfc7252_5_3_1_drawn_tokens_are_distinct_and_hold_32_random_bits),
        cmocka_unit_test(rfc7252_4_2_a_client_rejects_requests_and_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
