/* Separate responses on both sides, and which response belongs to which request (RFC 7252 sections 5.2, 5.3). */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EXCHANGE_LIFETIME 247000
#define ACK_DELAY 200

/* What the test keeps of a message that the endpoint sent. */
typedef struct {
    copal_type_t type;
    uint16_t id;
    uint8_t token_octets[8];
    copal_bytes_t token;
} kept_t;

static void keep(kept_t *k, const copal_message_t *m)
{
    *k = (kept_t){.type = m->type, .id = m->id};
    assert_true(m->token.size <= sizeof k->token_octets);
    if (m->token.size)
        memcpy(k->token_octets, m->token.data, m->token.size);
    k->token = (copal_bytes_t){k->token_octets, m->token.size};
}

static void send_empty(bench_t *b, uint32_t peer, copal_type_t type, uint16_t id)
{
    message_t m;
    bench_receive(b, peer, message_empty(&m, type, id));
}

static int send_content(bench_t *b, uint32_t peer, copal_type_t type, uint16_t id, copal_bytes_t token,
                        const char *text)
{
    message_t m;
    return bench_receive(b, peer, message_make(&m, type, COPAL_CONTENT, id, token, NULL, text));
}

static void assert_answered(const outcome_t *o, const char *text)
{
    assert_int_equal(o->count, 1);
    assert_int_equal(o->status, 0);
    assert_int_equal(o->code, COPAL_CONTENT);
    assert_int_equal(o->size, strlen(text));
    assert_memory_equal(o->payload, text, o->size);
}

/* ---- the client -------------------------------------------------------------------------------------- */

static void a_piggybacked_answer_ends_the_request(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    keep(&request, bench_sent(&b));
    assert_int_equal(send_content(&b, 1, COPAL_ACK, request.id, request.token, "x"), 0);
    assert_answered(&o, "x");
    assert_int_equal(o.type, COPAL_ACK);
    assert_int_equal(o.id, request.id);
    check_bytes(((copal_bytes_t){o.token, o.token_size}), request.token);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_5_3_2_an_answer_counts_only_from_that_peer_with_that_id_and_token(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t r;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    keep(&r, bench_sent(&b));
    copal_bytes_t shorter = {r.token.data, r.token.size - 1};
    send_content(&b, 2, COPAL_ACK, r.id, r.token, "spoofed");
    send_content(&b, 1, COPAL_ACK, (uint16_t)(r.id + 1), r.token, "spoofed");
    send_content(&b, 1, COPAL_ACK, r.id, shorter, "spoofed");
    send_content(&b, 1, COPAL_ACK, r.id, NO_BYTES, "spoofed");
    send_content(&b, 1, COPAL_NON, 77, shorter, "spoofed");
    for (uint32_t other = 2; other < 300; other++)
        send_content(&b, other, COPAL_NON, 77, r.token, "spoofed");
    bench_silent(&b);
    assert_int_equal(o.count, 0);
    send_content(&b, 1, COPAL_CON, 0x0a0b, shorter, "spoofed"); /* "the response is rejected" */
    bench_sends(&b, 1, BYTES(0x70, 0x00, 0x0a, 0x0b));
    send_content(&b, 2, COPAL_CON, 0x0a0c, r.token, "spoofed");
    bench_sends(&b, 2, BYTES(0x70, 0x00, 0x0a, 0x0c));
    assert_int_equal(o.count, 0);
    send_content(&b, 1, COPAL_ACK, r.id, r.token, "x");
    assert_answered(&o, "x");
    bench_idle(&b);
    bench_close(&b);
}

static void a_separate_answer_is_acknowledged_and_ends_the_request(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    keep(&request, bench_sent(&b));
    send_empty(&b, 1, COPAL_ACK, request.id);
    bench_silent(&b);
    b.now += 5000;
    assert_int_equal(send_content(&b, 1, COPAL_CON, 0x4321, request.token, "x"), 0);
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x43, 0x21));
    assert_answered(&o, "x");
    assert_int_equal(o.type, COPAL_CON);
    assert_int_equal(o.id, request.id);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_5_2_2_a_separate_answer_before_the_acknowledgement_ends_retransmission(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    keep(&request, bench_sent(&b));
    send_content(&b, 1, COPAL_CON, 0x4321, request.token, "x");
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x43, 0x21));
    assert_answered(&o, "x");
    send_empty(&b, 1, COPAL_ACK, request.id); /* late; of no interest any more */
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_5_2_3_a_confirmable_request_may_get_a_non_confirmable_answer_and_the_other_way_round(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    keep(&request, bench_sent(&b));
    send_content(&b, 1, COPAL_NON, 0x4321, request.token, "non");
    assert_answered(&o, "non");
    bench_idle(&b);
    bench_ask(&b, 1, COPAL_GET, false, &o);
    keep(&request, bench_sent(&b));
    assert_int_equal(request.type, COPAL_NON);
    send_content(&b, 1, COPAL_CON, 0x4322, request.token, "con");
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x43, 0x22));
    assert_answered(&o, "con");
    bench_idle(&b);
    bench_close(&b);
}

static void a_separate_answer_whose_acknowledgement_was_lost_is_acknowledged_again(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    keep(&request, bench_sent(&b));
    send_empty(&b, 1, COPAL_ACK, request.id);
    for (int i = 0; i < 5; i++) {
        send_content(&b, 1, COPAL_CON, 0x4321, request.token, "x");
        bench_sends(&b, 1, BYTES(0x60, 0x00, 0x43, 0x21));
        assert_answered(&o, "x");
        b.now += 10000;
    }
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_4_4_copies_of_an_answer_do_not_keep_its_message_id_from_the_next(void **state)
{
    (void)state;
    bench_t b;
    outcome_t first, second;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &first);
    keep(&request, bench_sent(&b));
    send_content(&b, 1, COPAL_CON, 0x4321, request.token, "x");
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x43, 0x21));
    b.now += EXCHANGE_LIFETIME - 1000;
    send_content(&b, 1, COPAL_CON, 0x4321, request.token, "x"); /* the last copy */
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x43, 0x21));
    b.now += 1000;
    bench_ask(&b, 1, COPAL_GET, true, &second);
    keep(&request, bench_sent(&b));
    send_content(&b, 1, COPAL_CON, 0x4321, request.token, "y");
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x43, 0x21));
    assert_answered(&first, "x");
    assert_answered(&second, "y");
    bench_close(&b);
}

static void an_answer_to_a_cancelled_request_is_rejected(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t handle = bench_ask(&b, 1, COPAL_GET, true, &o);
    keep(&request, bench_sent(&b));
    send_empty(&b, 1, COPAL_ACK, request.id);
    copal_request_cancel(b.endpoint, b.now, handle);
    send_content(&b, 1, COPAL_NON, 0x4320, request.token, "x");
    bench_idle(&b);
    send_content(&b, 1, COPAL_CON, 0x4321, request.token, "x");
    bench_sends(&b, 1, BYTES(0x70, 0x00, 0x43, 0x21));
    assert_int_equal(o.count, 0);
    bench_close(&b);
}

static void rfc7252_5_3_2_only_a_confirmable_request_is_answered_in_an_acknowledgement(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    kept_t request;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, false, &o);
    keep(&request, bench_sent(&b));
    send_content(&b, 1, COPAL_ACK, request.id, request.token, "x");
    assert_int_equal(o.count, 0);
    send_content(&b, 1, COPAL_NON, 9, request.token, "y");
    assert_answered(&o, "y");
    bench_idle(&b);
    bench_close(&b);
}

/* ---- requests without a token (section 5.3.1) --------------------------------------------------------- */

static void requests_without_token_are_told_apart_by_message_id(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[2];
    kept_t request[2];
    bench_open(&b, &(copal_config_t){.timing = {.nstart = 2}});
    for (int i = 0; i < 2; i++) {
        bench_ask_token(&b, 1, true, NO_BYTES, &o[i]);
        keep(&request[i], bench_sent(&b));
        assert_int_equal(request[i].token.size, 0);
    }
    send_content(&b, 1, COPAL_ACK, request[1].id, NO_BYTES, "second");
    assert_int_equal(o[0].count, 0);
    assert_answered(&o[1], "second");
    send_content(&b, 1, COPAL_ACK, request[0].id, NO_BYTES, "first");
    assert_answered(&o[0], "first");
    bench_idle(&b);
    bench_close(&b);
}

static void a_separate_answer_without_token_belongs_to_the_oldest_acknowledged_request_of_that_peer(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[4];
    kept_t request[4];
    bench_open(&b, &(copal_config_t){.timing = {.nstart = 4}});
    for (uint32_t i = 0; i < 4; i++) {
        bench_ask_token(&b, i == 1 ? 2 : 1, true, NO_BYTES, &o[i]);
        keep(&request[i], bench_sent(&b));
    }
    send_empty(&b, 2, COPAL_ACK, request[1].id);
    send_empty(&b, 1, COPAL_ACK, request[3].id);
    send_empty(&b, 1, COPAL_ACK, request[2].id);
    send_content(&b, 1, COPAL_CON, 0x0101, NO_BYTES, "to 2"); /* 0 is older, but not acknowledged */
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x01));
    assert_answered(&o[2], "to 2");
    send_content(&b, 1, COPAL_CON, 0x0101, NO_BYTES, "to 2"); /* a duplicate: it is not the answer to the next one */
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x01));
    assert_int_equal(o[3].count, 0);
    send_content(&b, 1, COPAL_NON, 0x0102, NO_BYTES, "to 3");
    assert_answered(&o[3], "to 3");
    assert_int_equal(o[0].count + o[1].count, 0);
    send_content(&b, 2, COPAL_NON, 0x0101, NO_BYTES, "to 1");
    assert_answered(&o[1], "to 1");
    send_content(&b, 1, COPAL_ACK, request[0].id, NO_BYTES, "to 0");
    assert_answered(&o[0], "to 0");
    bench_idle(&b);
    bench_close(&b);
}

/* ---- the server --------------------------------------------------------------------------------------- */

static const copal_bytes_t token = {(const uint8_t[]){0xca, 0xfe}, 2};

static copal_bytes_t get(message_t *m, copal_type_t type, uint16_t id)
{
    return message_make(m, type, COPAL_GET, id, token, "a", NULL);
}

static void open_deferring(bench_t *b, server_t *s)
{
    copal_service_t service = server_service(s);
    s->defer = true;
    bench_open(b, &(copal_config_t){.service = service});
}

static void a_deferred_call_of_another_endpoint_is_stale(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    copal_service_t service = server_service(&s);
    s.defer = true;
    bench_open(&b, &(copal_config_t){.service = service, .first_slot = 1000});
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    const copal_handle_t here = s.later, there = {here.slot - 1000, here.generation};
    assert_true(here.slot >= 1000);
    assert_int_equal(bench_answer(&b, there, "x"), COPAL_ESTALE);
    assert_int_equal(bench_answer(&b, here, "x"), 0);
    bench_close(&b);
}

static void an_answer_before_ack_delay_rides_on_the_acknowledgement(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    bench_silent(&b);
    assert_int_equal(copal_endpoint_next_timeout(b.endpoint), b.now + ACK_DELAY);
    b.now += ACK_DELAY - 1;
    bench_silent(&b);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    bench_sends(&b, 1, BYTES(0x62, 0x45, 0x01, 0x02, 0xca, 0xfe, 0xff, 'x'));
    assert_int_equal(b.sent.via, 7);
    assert_int_equal(bench_answer(&b, s.later, "x"), COPAL_ESTALE);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_5_2_2_a_late_answer_is_a_confirmable_message_after_an_empty_acknowledgement(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    assert_int_equal(bench_wait(&b), ACK_DELAY);
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x02));
    bench_silent(&b);
    b.now += 30000;
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->type, COPAL_CON);
    assert_int_equal(answer->code, COPAL_CONTENT);
    check_bytes(answer->token, token);
    check_bytes(answer->payload, copal_text("x"));
    assert_int_equal(b.sent.via, 7);
    sent_t first = b.sent;
    for (int i = 0; i < 2; i++) {
        bench_wait(&b);
        bench_sends(&b, 1, (copal_bytes_t){first.data, first.size});
    }
    send_empty(&b, 2, COPAL_ACK, first.message.id); /* from somebody else */
    assert_true(copal_endpoint_next_timeout(b.endpoint) != COPAL_NEVER);
    send_content(&b, 1, COPAL_ACK, first.message.id, BYTES(9), "ignored"); /* "silently ignoring any Response Code" */
    bench_idle(&b);
    assert_int_equal(s.runs, 1);
    bench_close(&b);
}

static void a_late_answer_that_is_never_acknowledged_is_given_up(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    unsigned sent = 0;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    bench_wait(&b);
    bench_sent(&b);
    copal_time_t start = b.now;
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    for (; copal_endpoint_next_timeout(b.endpoint) != COPAL_NEVER; b.now = copal_endpoint_next_timeout(b.endpoint)) {
        while (bench_take(&b))
            sent++;
        if (copal_endpoint_next_timeout(b.endpoint) == COPAL_NEVER)
            break;
    }
    assert_int_equal(sent, 5);
    assert_true(b.now - start <= 93000); /* MAX_TRANSMIT_WAIT: then its slot is free */
    bench_idle(&b);
    bench_close(&b);
}

static void a_very_late_answer_has_a_lifetime_of_its_own(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    bench_wait(&b);
    bench_sent(&b);
    b.now += EXCHANGE_LIFETIME - 1000;
    bench_silent(&b);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    uint16_t id = bench_sent(&b)->id;
    for (int i = 0; i < 4; i++) {
        bench_wait(&b);
        assert_int_equal(bench_sent(&b)->id, id);
    }
    bench_close(&b);
}

static void a_reset_ends_a_late_answer(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    bench_wait(&b);
    bench_sent(&b);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    send_empty(&b, 1, COPAL_RST, bench_sent(&b)->id);
    bench_idle(&b);
    bench_close(&b);
}

static void the_answer_to_a_non_confirmable_request_is_non_confirmable_however_late(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_NON, 0x0102));
    b.now += 20000;
    bench_silent(&b);
    bench_receive(&b, 1, get(&m, COPAL_NON, 0x0102)); /* section 4.5: a duplicate is silently ignored */
    bench_silent(&b);
    assert_int_equal(s.runs, 1);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->type, COPAL_NON);
    check_bytes(answer->token, token);
    check_bytes(answer->payload, copal_text("x"));
    bench_idle(&b);
    bench_close(&b);
}

static void a_duplicate_of_a_request_in_progress_is_acknowledged_again_and_not_run_again(void **state)
{
    (void)state;
    static const copal_code_t codes[] = {COPAL_GET, COPAL_PUT, COPAL_POST};
    for (size_t i = 0; i < 3; i++) {
        bench_t b;
        server_t s;
        message_t m;
        open_deferring(&b, &s);
        copal_bytes_t request = message_make(&m, COPAL_CON, codes[i], 0x0102, token, "a", NULL);
        bench_accept(&b, 1, request);
        bench_wait(&b);
        bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x02));
        for (int copies = 0; copies < 3; copies++) {
            b.now += 2000;
            bench_receive(&b, 1, request);
            bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x02));
            bench_silent(&b);
        }
        assert_int_equal(s.runs, 1);
        assert_int_equal(bench_answer(&b, s.later, "x"), 0);
        sent_t answer = (bench_sent(&b), b.sent);
        assert_int_equal(answer.message.type, COPAL_CON);
        bench_receive(&b, 1, request); /* "another Empty Acknowledgement is sent" while the answer is on its way */
        bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x02));
        bench_silent(&b);
        send_empty(&b, 1, COPAL_ACK, answer.message.id);
        bench_idle(&b);
        assert_int_equal(s.runs, 1);
        bench_close(&b);
    }
}

/* As of a device that started anew while its former request was at work, or its answer on its way. */
static void rfc7252_4_4_a_request_that_only_bears_the_id_of_one_in_progress_is_answered(void **state)
{
    (void)state;
    for (unsigned when = 0; when < 3; when++) { /* before the acknowledgement, behind it, behind the answer */
        bench_t b;
        server_t s;
        message_t m;
        open_deferring(&b, &s);
        bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
        const copal_handle_t first = s.later;
        if (when > 0) {
            bench_wait(&b);
            bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x02));
        }
        if (when > 1) {
            assert_int_equal(bench_answer(&b, first, "old"), 0);
            assert_int_equal(bench_sent(&b)->type, COPAL_CON);
        }
        bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_GET, 0x0102, copal_text("new"), "a", NULL));
        assert_int_equal(s.runs, 2);
        assert_int_equal(bench_answer(&b, s.later, "new"), 0);
        const copal_message_t *answer = bench_sent(&b);
        assert_int_equal(answer->type, COPAL_ACK);
        assert_int_equal(answer->id, 0x0102);
        check_bytes(answer->token, copal_text("new"));
        check_bytes(answer->payload, copal_text("new"));
        bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102)); /* a copy of the first */
        bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x02));
        assert_int_equal(s.runs, 2);
        bench_close(&b);
    }
}

static void a_duplicate_before_ack_delay_does_not_run_the_request_again(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    b.now += 100;
    bench_receive(&b, 1, get(&m, COPAL_CON, 0x0102));
    assert_int_equal(s.runs, 1);
    b.now += 400;
    unsigned acknowledgements = 0;
    while (bench_take(&b)) {
        check_bytes((copal_bytes_t){b.sent.data, b.sent.size}, BYTES(0x60, 0x00, 0x01, 0x02));
        acknowledgements++;
    }
    assert_in_range(acknowledgements, 1, 2);
    bench_close(&b);
}

static void rfc7252_5_2_2_once_an_empty_acknowledgement_left_the_answer_is_separate(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    bench_receive(&b, 1, get(&m, COPAL_CON, 0x0102)); /* a duplicate may be acknowledged at once, or not */
    bool acknowledged = bench_take(&b);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    assert_int_equal(bench_sent(&b)->type, acknowledged ? COPAL_CON : COPAL_ACK);
    bench_close(&b);
}

static void a_duplicate_between_the_answer_and_its_leaving_gets_that_answer_only(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    bench_receive(&b, 1, get(&m, COPAL_CON, 0x0102));
    while (bench_take(&b))
        check_bytes((copal_bytes_t){b.sent.data, b.sent.size}, BYTES(0x62, 0x45, 1, 2, 0xca, 0xfe, 0xff, 'x'));
    assert_int_equal(s.runs, 1);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_5_2_2_a_post_that_was_answered_late_keeps_its_empty_acknowledgement_for_duplicates(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    open_deferring(&b, &s);
    copal_bytes_t request = message_make(&m, COPAL_CON, COPAL_POST, 0x0102, token, "a", "payload");
    bench_accept(&b, 1, request);
    bench_wait(&b);
    bench_sent(&b);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    send_empty(&b, 1, COPAL_ACK, bench_sent(&b)->id);
    b.now += 100000;
    bench_receive(&b, 1, request);
    bench_sends(&b, 1, BYTES(0x60, 0x00, 0x01, 0x02));
    bench_idle(&b);
    assert_int_equal(s.runs, 1);
    bench_close(&b);
}

static void a_call_that_is_never_answered_is_dropped_after_exchange_lifetime(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    copal_message_t request;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    bench_wait(&b);
    bench_sent(&b);
    assert_int_equal(copal_later_request(b.endpoint, s.later, &request), 0);
    b.now += EXCHANGE_LIFETIME - ACK_DELAY - 1000;
    while (bench_take(&b))
        ;
    assert_int_equal(copal_later_request(b.endpoint, s.later, &request), 0);
    b.now += 2000;
    bench_silent(&b);
    assert_int_equal(copal_later_request(b.endpoint, s.later, &request), COPAL_ESTALE);
    assert_int_equal(bench_answer(&b, s.later, "x"), COPAL_ESTALE);
    bench_idle(&b);
    bench_close(&b);
}

static void a_deferred_request_is_viewed_whole(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    copal_message_t view;
    copal_option_t option;
    open_deferring(&b, &s);
    bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_PUT, 0x0102, token, "path", "payload"));
    assert_int_equal(copal_later_request(b.endpoint, s.later, &view), 0);
    assert_int_equal(view.type, COPAL_CON);
    assert_int_equal(view.code, COPAL_PUT);
    assert_int_equal(view.id, 0x0102);
    check_bytes(view.token, token);
    check_bytes(view.payload, copal_text("payload"));
    assert_true(copal_option_find(&view, COPAL_OPTION_URI_PATH, &option));
    check_bytes(option.value, copal_text("path"));
    assert_int_equal(copal_later_request(b.endpoint, (copal_handle_t){0}, &view), COPAL_ESTALE);
    bench_close(&b);
}

static void a_late_answer_that_does_not_fit_becomes_5_00(void **state)
{
    (void)state;
    static const uint8_t large[2000];
    bench_t b;
    server_t s;
    message_t m;
    copal_writer_t *w;
    open_deferring(&b, &s);
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    assert_int_equal(copal_later_begin(b.endpoint, s.later, COPAL_CONTENT, &w), 0);
    for (int i = 0; i < 10; i++) /* options cannot be cut to blocks */
        copal_write_option(w, COPAL_OPTION_LOCATION_PATH, (copal_bytes_t){large, 255});
    assert_int_equal(copal_later_commit(b.endpoint, b.now, s.later), COPAL_ESPACE);
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->type, COPAL_ACK);
    assert_int_equal(answer->code, COPAL_INTERNAL_SERVER_ERROR);
    assert_int_equal(answer->id, 0x0102);
    check_bytes(answer->token, token);
    bench_idle(&b);
    bench_close(&b);
}

static void a_handler_that_neither_answers_nor_defers_is_answered_5_00(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.service = server_service(&s)});
    s.silent = true;
    bench_accept(&b, 1, get(&m, COPAL_CON, 0x0102));
    const copal_message_t *answer = bench_sent(&b);
    assert_int_equal(answer->type, COPAL_ACK);
    assert_int_equal(answer->code, COPAL_INTERNAL_SERVER_ERROR);
    assert_int_equal(answer->id, 0x0102);
    check_bytes(answer->token, token);
    bench_idle(&b);
    bench_close(&b);
}

static void defer_twice(void *context, copal_call_t *call)
{
    int *results = context;
    copal_handle_t later;
    results[0] = copal_defer(call, &later);
    results[1] = copal_defer(call, &later);
}

static void a_call_is_deferred_once(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    int results[2];
    bench_open(&b, &(copal_config_t){.limits = {.deferred = 2}, .service = {.handle = defer_twice, .context = results}});
    bench_accept(&b, 1, get(&m, COPAL_NON, 0x0102));
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], COPAL_EEXIST);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piggybacked_answer_ends_the_request),
        cmocka_unit_test(rfc7252_5_3_2_an_answer_counts_only_from_that_peer_with_that_id_and_token),
        cmocka_unit_test(a_separate_answer_is_acknowledged_and_ends_the_request),
        cmocka_unit_test(rfc7252_5_2_2_a_separate_answer_before_the_acknowledgement_ends_retransmission),
        cmocka_unit_test(rfc7252_5_2_3_a_confirmable_request_may_get_a_non_confirmable_answer_and_the_other_way_round),
        cmocka_unit_test(a_separate_answer_whose_acknowledgement_was_lost_is_acknowledged_again),
        cmocka_unit_test(rfc7252_4_4_copies_of_an_answer_do_not_keep_its_message_id_from_the_next),
        cmocka_unit_test(an_answer_to_a_cancelled_request_is_rejected),
        cmocka_unit_test(rfc7252_5_3_2_only_a_confirmable_request_is_answered_in_an_acknowledgement),
        cmocka_unit_test(requests_without_token_are_told_apart_by_message_id),
        cmocka_unit_test(a_separate_answer_without_token_belongs_to_the_oldest_acknowledged_request_of_that_peer),
        cmocka_unit_test(a_deferred_call_of_another_endpoint_is_stale),
        cmocka_unit_test(an_answer_before_ack_delay_rides_on_the_acknowledgement),
        cmocka_unit_test(rfc7252_5_2_2_a_late_answer_is_a_confirmable_message_after_an_empty_acknowledgement),
        cmocka_unit_test(a_late_answer_that_is_never_acknowledged_is_given_up),
        cmocka_unit_test(a_very_late_answer_has_a_lifetime_of_its_own),
        cmocka_unit_test(a_reset_ends_a_late_answer),
        cmocka_unit_test(the_answer_to_a_non_confirmable_request_is_non_confirmable_however_late),
        cmocka_unit_test(a_duplicate_of_a_request_in_progress_is_acknowledged_again_and_not_run_again),
        cmocka_unit_test(rfc7252_4_4_a_request_that_only_bears_the_id_of_one_in_progress_is_answered),
        cmocka_unit_test(a_duplicate_before_ack_delay_does_not_run_the_request_again),
        cmocka_unit_test(rfc7252_5_2_2_once_an_empty_acknowledgement_left_the_answer_is_separate),
        cmocka_unit_test(a_duplicate_between_the_answer_and_its_leaving_gets_that_answer_only),
        cmocka_unit_test(rfc7252_5_2_2_a_post_that_was_answered_late_keeps_its_empty_acknowledgement_for_duplicates),
        cmocka_unit_test(a_call_that_is_never_answered_is_dropped_after_exchange_lifetime),
        cmocka_unit_test(a_deferred_request_is_viewed_whole),
        cmocka_unit_test(a_late_answer_that_does_not_fit_becomes_5_00),
        cmocka_unit_test(a_call_is_deferred_once),
        cmocka_unit_test(a_handler_that_neither_answers_nor_defers_is_answered_5_00),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
