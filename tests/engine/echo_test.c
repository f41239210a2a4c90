/* A client that is challenged (RFC 9175 section 2.3), and what becomes of a copy of its request that was let in. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const copal_bytes_t given = {(const uint8_t[]){0xca, 0xfe}, 2};
static const copal_bytes_t echo = {(const uint8_t[]){1, 2, 3, 4}, 4};

static copal_handle_t post(bench_t *b, bool confirmable, bool gives_token, outcome_t *o)
{
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    copal_request_t request = {.to = &to, .code = COPAL_POST, .confirmable = confirmable, .given_token = gives_token,
                               .token = given};
    assert_int_equal(copal_request_begin(b->endpoint, &request, &handle, &w), 0);
    copal_write_path(w, copal_text("a/b"));
    copal_write_option_uint(w, COPAL_OPTION_NO_RESPONSE, 0); /* an option behind Echo */
    copal_write_text(w, "payload");
    assert_int_equal(copal_request_commit(b->endpoint, b->now, handle, outcome_open(o)), 0);
    return handle;
}

/* Answers the message in `sent` with 4.01 and an Echo. */
static void challenge(bench_t *b, const sent_t *sent, uint16_t non_id, copal_bytes_t value)
{
    message_t m;
    bool piggybacked = sent->message.type == COPAL_CON && non_id == 0;
    message_start(&m, piggybacked ? COPAL_ACK : COPAL_NON, COPAL_UNAUTHORIZED, piggybacked ? sent->message.id : non_id,
                  sent->message.token);
    copal_write_option(&m.w, COPAL_OPTION_ECHO, value);
    bench_receive(b, 1, message_end(&m));
}

static void answer(bench_t *b, const sent_t *sent, outcome_t *o)
{
    message_t m;
    bool confirmable = sent->message.type == COPAL_CON;
    message_start(&m, confirmable ? COPAL_ACK : COPAL_NON, COPAL_CHANGED, confirmable ? sent->message.id : 0x7777,
                  sent->message.token);
    bench_accept(b, 1, message_end(&m));
    assert_int_equal(o->count, 1);
    assert_int_equal(o->status, 0);
    assert_int_equal(o->code, COPAL_CHANGED);
}

static void assert_same_but_for_echo(const sent_t *first, const sent_t *second)
{
    static const uint16_t numbers[] = {COPAL_OPTION_URI_PATH, COPAL_OPTION_URI_PATH, COPAL_OPTION_ECHO,
                                       COPAL_OPTION_NO_RESPONSE};
    copal_option_reader_t reader = copal_message_options(&second->message);
    copal_option_t option;
    for (size_t i = 0; i < 4; i++) {
        assert_true(copal_option_next(&reader, &option));
        assert_int_equal(option.number, numbers[i]);
    }
    assert_false(copal_option_next(&reader, &option));
    assert_true(copal_option_find(&second->message, COPAL_OPTION_ECHO, &option));
    check_bytes(option.value, echo);
    assert_int_equal(second->message.type, first->message.type);
    assert_int_equal(second->message.code, first->message.code);
    assert_int_not_equal(second->message.id, first->message.id);
    check_bytes(second->message.payload, copal_text("payload"));
    assert_true(peer_equal(&first->to, &second->to));
}

static void rfc9175_2_3_a_challenged_request_leaves_again_with_the_echo(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bench_t b;
        outcome_t o;
        bool confirmable = i & 1, gives_token = i & 2;
        bench_open(&b, &(copal_config_t){0});
        copal_handle_t handle = post(&b, confirmable, gives_token, &o);
        bench_sent(&b);
        sent_t first = b.sent;
        challenge(&b, &first, confirmable ? 0 : 1, echo);
        assert_int_equal(o.count, 0);
        bench_sent(&b);
        assert_same_but_for_echo(&first, &b.sent);
        if (gives_token)
            check_bytes(b.sent.message.token, given);
        assert_int_equal(copal_request_id(b.endpoint, handle), first.message.id); /* the one the application knows */
        sent_t second = b.sent;
        answer(&b, &second, &o);
        assert_int_equal(o.id, first.message.id);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void copies_of_the_challenge_say_nothing_about_the_second_request(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bench_t b;
        outcome_t o;
        bool confirmable = i & 1;
        bench_open(&b, &(copal_config_t){0});
        post(&b, confirmable, i & 2, &o);
        bench_sent(&b);
        sent_t first = b.sent;
        assert_int_equal(copal_message_parse(&first.message, (copal_bytes_t){first.data, first.size}), 0);
        challenge(&b, &first, confirmable ? 0 : 1, echo);
        bench_sent(&b);
        sent_t second = b.sent;
        challenge(&b, &first, confirmable ? 0 : 1, echo); /* the network's copy */
        challenge(&b, &first, 2, echo);                   /* the server's second challenge, to a copy of the first */
        assert_int_equal(o.count, 0);
        answer(&b, &second, &o);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void a_second_challenge_with_another_value_is_the_answer(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    post(&b, true, true, &o);
    bench_sent(&b);
    challenge(&b, &b.sent, 0, echo);
    bench_sent(&b);
    challenge(&b, &b.sent, 0, BYTES(9, 9));
    assert_int_equal(o.count, 1);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.code, COPAL_UNAUTHORIZED);
    bench_idle(&b);
    bench_close(&b);
}

/* By its message ID, or by a token that nothing else bore, it is known which request it answers. */
static void a_challenge_of_the_second_request_is_the_answer_though_it_has_the_same_value(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        bench_t b;
        outcome_t o;
        bool confirmable = i > 0, piggybacked = i == 1;
        bench_open(&b, &(copal_config_t){0});
        post(&b, confirmable, piggybacked, &o); /* with a token of its own in each message, or with a given one */
        bench_sent(&b);
        challenge(&b, &b.sent, confirmable ? 0 : 1, echo);
        bench_sent(&b);
        challenge(&b, &b.sent, piggybacked ? 0 : 2, echo);
        assert_int_equal(o.count, 1);
        assert_int_equal(o.status, 0);
        assert_int_equal(o.code, COPAL_UNAUTHORIZED);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void a_4_01_without_echo_is_the_answer(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    post(&b, true, false, &o);
    const copal_message_t *sent = bench_sent(&b);
    message_start(&m, COPAL_ACK, COPAL_UNAUTHORIZED, sent->id, sent->token);
    bench_accept(&b, 1, message_end(&m));
    assert_int_equal(o.count, 1);
    assert_int_equal(o.code, COPAL_UNAUTHORIZED);
    bench_idle(&b);
    bench_close(&b);
}

static void the_second_request_has_the_timeout_of_the_first(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    post(&b, true, false, &o);
    copal_time_t start = b.now;
    bench_sent(&b);
    b.now += 1000;
    challenge(&b, &b.sent, 0, echo);
    uint16_t id = bench_sent(&b)->id;
    bench_accept(&b, 1, BYTES(0x60, 0x00, (uint8_t)(id >> 8), (uint8_t)id));
    bench_wait(&b);
    assert_int_equal(b.now - start, 247000);
    bench_idle(&b);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

/* ---- the server --------------------------------------------------------------------------------------------- */

static void receive(bench_t *b, bool proven, const char *text, uint16_t id, copal_bytes_t token, copal_bytes_t value)
{
    message_t m;
    copal_from_t from = {.peer = peer_of(1), .via = 7, .proven = proven};
    message_start(&m, COPAL_CON, COPAL_POST, id, token);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (value.size)
        copal_write_option(&m.w, COPAL_OPTION_ECHO, value);
    copal_write_text(&m.w, text);
    assert_int_equal(bench_receive_from(b, &from, message_end(&m)), 0);
}

static void open_challenging(bench_t *b, server_t *s)
{
    copal_limits_t limits = {.remembered = 16, .remembered_bytes = 1500}; /* any POST is challenged */
    bench_open(b, &(copal_config_t){.limits = limits, .service = server_service(s)});
}

/* What the challenge just sent holds; copied to `value`, of 40 octets. */
static copal_bytes_t challenge_sent(bench_t *b, uint8_t *value)
{
    copal_option_t option;
    assert_int_equal(bench_sent(b)->code, COPAL_UNAUTHORIZED);
    assert_true(copal_option_find(&b->sent.message, COPAL_OPTION_ECHO, &option));
    memcpy(value, option.value.data, option.value.size);
    return (copal_bytes_t){value, option.value.size};
}

static void an_echo_in_another_request_than_the_challenged_one_proves_the_address_and_runs_it(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    uint8_t value[40];
    open_challenging(&b, &s);
    receive(&b, false, "one", 0x0101, BYTES(1), NO_BYTES);
    copal_bytes_t proof = challenge_sent(&b, value);
    receive(&b, true, "one", 0x0101, BYTES(1), NO_BYTES); /* a copy is let in */
    assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
    s.text = "another";
    receive(&b, false, "two", 0x0102, BYTES(2), proof);
    check_bytes(bench_sent(&b)->payload, copal_text("another"));
    assert_int_equal(s.runs, 2);
    bench_close(&b);
}

static void a_deferred_copy_of_a_challenged_request_answers_the_one_with_the_echo(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    uint8_t value[40];
    open_challenging(&b, &s);
    s.defer = true;
    receive(&b, false, "one", 0x0101, BYTES(0xaa, 0xaa), NO_BYTES);
    copal_bytes_t proof = challenge_sent(&b, value);
    receive(&b, true, "one", 0x0101, BYTES(0xaa, 0xaa), NO_BYTES); /* the copy: the address is known by now */
    assert_int_equal(s.runs, 1);
    receive(&b, false, "one", 0x0102, BYTES(0xbb, 0xbb), proof);
    assert_int_equal(s.runs, 1);
    while (bench_take(&b)) /* empty ACKs of one or the other */
        assert_int_equal(b.sent.message.code, COPAL_EMPTY);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    const copal_message_t *answered = bench_sent(&b);
    assert_int_equal(answered->type, COPAL_CON);
    check_bytes(answered->token, BYTES(0xbb, 0xbb)); /* the client waits for this one */
    bench_close(&b);
}

static void one_with_the_echo_and_a_token_of_another_size_is_told_to_come_again(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    uint8_t value[40];
    open_challenging(&b, &s);
    s.defer = true;
    receive(&b, false, "one", 0x0101, BYTES(0xaa, 0xaa), NO_BYTES);
    copal_bytes_t proof = challenge_sent(&b, value);
    receive(&b, true, "one", 0x0101, BYTES(0xaa, 0xaa), NO_BYTES);
    receive(&b, false, "one", 0x0102, BYTES(0xbb), proof); /* its token has no place in the answer under way */
    assert_int_equal(s.runs, 1);
    const copal_message_t *refusal = bench_sent(&b);
    assert_int_equal(refusal->code, COPAL_SERVICE_UNAVAILABLE);
    check_bytes(refusal->token, BYTES(0xbb));
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    check_bytes(bench_sent(&b)->token, BYTES(0xaa, 0xaa));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9175_2_3_a_challenged_request_leaves_again_with_the_echo),
        cmocka_unit_test(copies_of_the_challenge_say_nothing_about_the_second_request),
        cmocka_unit_test(a_second_challenge_with_another_value_is_the_answer),
        cmocka_unit_test(a_challenge_of_the_second_request_is_the_answer_though_it_has_the_same_value),
        cmocka_unit_test(a_4_01_without_echo_is_the_answer),
        cmocka_unit_test(the_second_request_has_the_timeout_of_the_first),
        cmocka_unit_test(an_echo_in_another_request_than_the_challenged_one_proves_the_address_and_runs_it),
        cmocka_unit_test(a_deferred_copy_of_a_challenged_request_answers_the_one_with_the_echo),
        cmocka_unit_test(one_with_the_echo_and_a_token_of_another_size_is_told_to_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
