/* Asking a group (RFC 7252 section 8), at the client. (The server: multicast_test.) */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { GROUP = 0xe00001bb, GROUP_VIA = 9, USUAL = 7000 };

/* What came of a request, told apart by who answered. */
typedef struct {
    copal_receiver_t receiver; /* first */
    unsigned answers, errors, ends;
    copal_peer_t from;
    uint16_t id;
    char payload[16];
    int status;
    copal_time_t at;
    bool cancels;
    copal_endpoint_t *endpoint;
} crowd_t;

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    crowd_t *c = (crowd_t *)self;
    c->status = response->status;
    c->at = response->now;
    c->id = response->id;
    c->ends += response->ended;
    if (response->ended) {
        assert_null(response->message);
        return;
    }
    assert_non_null(response->from);
    c->from = response->from->peer;
    c->answers += response->message != NULL;
    c->errors += response->message == NULL;
    if (response->message) {
        const copal_bytes_t payload = response->message->payload;
        assert_true(payload.size < sizeof c->payload);
        if (payload.size)
            memcpy(c->payload, payload.data, payload.size);
        c->payload[payload.size] = 0;
    }
    if (c->cancels)
        assert_int_equal(copal_request_cancel(c->endpoint, response->now, response->request), 0);
}

static int begin(bench_t *b, const copal_request_t *given, crowd_t *c, copal_handle_t *handle)
{
    const copal_peer_t group = peer_of(GROUP);
    copal_request_t request = *given;
    copal_writer_t *w;
    request.to = &group;
    request.group = true;
    request.via = GROUP_VIA;
    if (!request.code)
        request.code = COPAL_GET;
    int error = copal_request_begin(b->endpoint, &request, handle, &w);
    if (error)
        return error;
    *c = (crowd_t){.receiver = {receive}, .endpoint = b->endpoint};
    copal_write_option(w, COPAL_OPTION_URI_PATH, copal_text("a"));
    return copal_request_commit(b->endpoint, b->now, *handle, &c->receiver);
}

/* Asks, and takes the request into b->sent. */
static copal_handle_t ask(bench_t *b, crowd_t *c)
{
    copal_handle_t handle;
    assert_int_equal(begin(b, &(copal_request_t){0}, c, &handle), 0);
    bench_sent(b);
    return handle;
}

static int answer_with(bench_t *b, uint32_t peer, const sent_t *request, copal_type_t type, uint16_t id, const char *text)
{
    message_t m;
    const copal_from_t from = {.peer = peer_of(peer), .via = GROUP_VIA};
    return bench_receive_from(b, &from, message_make(&m, type, COPAL_CONTENT, id, request->message.token, NULL, text));
}

static void rfc7252_8_1_a_request_to_a_group_is_NON_and_leaves_once(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &c);
    const copal_peer_t group = peer_of(GROUP);
    assert_true(peer_equal(&b.sent.to, &group));
    assert_int_equal(b.sent.via, GROUP_VIA);
    assert_int_equal(b.sent.message.type, COPAL_NON);
    assert_in_range(b.sent.message.token.size, 4, 8);
    const copal_time_t asked = b.now;
    while (!c.ends) {
        bench_wait(&b);
        bench_silent(&b);
    }
    assert_int_equal(b.now - asked, USUAL);
    assert_int_equal(c.status, 0);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7252_8_2_whoever_answers_with_the_token_is_told_of_until_the_time_is_over(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &c);
    const sent_t request = b.sent;
    for (uint32_t i = 1; i <= 40; i++) {
        char text[] = {(char)('0' + i), 0};
        b.now += 100;
        assert_int_equal(answer_with(&b, i, &request, COPAL_NON, (uint16_t)i, text), 0);
        const copal_peer_t peer = peer_of(i);
        assert_int_equal(c.answers, i);
        assert_true(peer_equal(&c.from, &peer));
        assert_string_equal(c.payload, text);
        assert_int_equal(c.id, request.message.id);
        assert_int_equal(c.ends, 0);
    }
    bench_silent(&b);
    b.now += USUAL;
    bench_idle(&b);
    assert_int_equal(c.ends, 1);
    answer_with(&b, 50, &request, COPAL_NON, 50, "late");
    assert_int_equal(c.answers, 40);
    bench_close(&b);
}

static void what_has_another_token_or_came_by_multicast_is_no_answer(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &c);
    const sent_t request = b.sent;
    copal_from_t from = {.peer = peer_of(1), .via = GROUP_VIA};
    bench_receive_from(&b, &from, message_make(&m, COPAL_NON, COPAL_CONTENT, 1, BYTES(1, 2, 3, 4), NULL, "x"));
    bench_receive_from(&b, &from, message_make(&m, COPAL_NON, COPAL_CONTENT, 2, NO_BYTES, NULL, "x"));
    from.multicast = true;
    bench_receive_from(&b, &from, message_make(&m, COPAL_NON, COPAL_CONTENT, 3, request.message.token, NULL, "x"));
    bench_silent(&b);
    assert_int_equal(c.answers + c.errors + c.ends, 0);
    bench_close(&b);
}

static void a_confirmable_answer_is_acknowledged_and_a_copy_is_not_told_of(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &c);
    const sent_t request = b.sent;
    for (int i = 0; i < 2; i++) {
        answer_with(&b, 1, &request, COPAL_CON, 0x0102, "x");
        bench_sends(&b, 1, BYTES(0x60, 0, 1, 2));
    }
    assert_int_equal(c.answers, 1);
    bench_close(&b);
}

static void an_answer_that_is_not_understood_is_told_of_and_the_others_go_on(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &c);
    const sent_t request = b.sent;
    const copal_from_t from = {.peer = peer_of(1), .via = GROUP_VIA};
    message_start(&m, COPAL_NON, COPAL_CONTENT, 1, request.message.token);
    copal_write_option(&m.w, 101, BYTES(1)); /* critical */
    bench_receive_from(&b, &from, message_end(&m));
    assert_int_equal(c.status, COPAL_ECRITICAL);
    assert_int_equal(c.errors, 1);
    answer_with(&b, 2, &request, COPAL_NON, 2, "x");
    assert_int_equal(c.answers, 1);
    bench_close(&b);
}

static void a_challenge_of_one_is_an_answer_and_does_not_ask_all_again(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &c);
    const sent_t request = b.sent;
    const copal_from_t from = {.peer = peer_of(1), .via = GROUP_VIA};
    message_start(&m, COPAL_NON, COPAL_UNAUTHORIZED, 1, request.message.token);
    copal_write_option(&m.w, COPAL_OPTION_ECHO, BYTES(1, 2));
    bench_receive_from(&b, &from, message_end(&m));
    bench_silent(&b);
    assert_int_equal(c.answers, 1);
    bench_close(&b);
}

static void what_cannot_be_asked_of_a_group_is_refused(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    copal_handle_t handle;
    copal_writer_t *w;
    bench_open(&b, &(copal_config_t){0});
    const copal_request_t cases[] = {
        {.confirmable = true}, {.observe = true}, {.given_token = true}, {.given_token = true, .observe = true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(begin(&b, &cases[i], &c, &handle), COPAL_EINVAL);
    const copal_peer_t group = peer_of(GROUP);
    copal_request_t request = {.to = &group, .group = true, .code = COPAL_EMPTY, .confirmable = true};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), COPAL_EINVAL);
    request = (copal_request_t){.to = &group, .group = true, .code = COPAL_GET};
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
    copal_write_option(w, COPAL_OPTION_ETAG, BYTES(1));
    assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, &c.receiver), COPAL_EINVAL);
    bench_idle(&b);
    bench_close(&b);
}

static void a_given_token_names_one_group_request_at_a_time(void **state)
{
    (void)state;
    bench_t b;
    crowd_t first, second;
    outcome_t o;
    copal_handle_t handle, other;
    const copal_request_t request = {.given_token = true, .token = BYTES(7)};
    bench_open(&b, &(copal_config_t){0});
    assert_int_equal(begin(&b, &request, &first, &handle), 0);
    assert_int_equal(begin(&b, &request, &second, &other), COPAL_EEXIST);
    bench_ask_token(&b, 1, false, BYTES(7), &o); /* to one peer it names another */
    bench_sent(&b);
    const sent_t group = b.sent;
    bench_sent(&b);
    answer_with(&b, 1, &group, COPAL_NON, 1, "one");
    assert_int_equal(o.count, 1);
    assert_int_equal(first.answers, 0);
    answer_with(&b, 1, &group, COPAL_NON, 2, "all");
    assert_int_equal(first.answers, 1);
    bench_close(&b);
}

static void rfc7252_8_1_a_reset_for_what_was_sent_to_a_group_ends_no_request_to_one_peer(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &c);
    bench_ask(&b, 1, COPAL_GET, true, &o);
    bench_sent(&b);
    const uint16_t id = b.sent.message.id; /* as if it were that of the other, too */
    const copal_from_t from = {.peer = peer_of(1), .via = GROUP_VIA};
    bench_receive_from(&b, &from, BYTES(0x70, 0, (uint8_t)(id >> 8), (uint8_t)id));
    assert_int_equal(o.count, 0);
    bench_receive(&b, 1, BYTES(0x70, 0, (uint8_t)(id >> 8), (uint8_t)id));
    assert_int_equal(o.status, COPAL_ERESET);
    assert_int_equal(c.ends, 0);
    bench_close(&b);
}

static void it_can_be_cancelled_also_when_an_answer_comes(void **state)
{
    (void)state;
    bench_t b;
    crowd_t c;
    bench_open(&b, &(copal_config_t){.limits = {.requests = 1}});
    for (int inside = 0; inside < 2; inside++) {
        copal_handle_t handle = ask(&b, &c);
        const sent_t request = b.sent;
        c.cancels = inside;
        answer_with(&b, 1, &request, COPAL_NON, (uint16_t)inside, "x");
        assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), inside ? COPAL_ESTALE : 0);
        answer_with(&b, 2, &request, COPAL_NON, 3, "x");
        assert_int_equal(c.answers, 1);
        assert_int_equal(c.ends, 0);
        bench_idle(&b);
    }
    bench_close(&b);
}

static void rfc7252_4_7_the_next_request_to_a_group_waits_until_somebody_has_answered(void **state)
{
    (void)state;
    bench_t b;
    crowd_t first, second;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &first);
    const sent_t request = b.sent;
    assert_int_equal(begin(&b, &(copal_request_t){0}, &second, &handle), 0);
    bench_silent(&b);
    answer_with(&b, 1, &request, COPAL_NON, 1, "x");
    bench_sent(&b);
    bench_close(&b);
}

static void one_that_never_left_ends_with_a_time_out(void **state)
{
    (void)state;
    bench_t b;
    crowd_t first, second;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, &first);
    assert_int_equal(begin(&b, &(copal_request_t){.timeout = 1000}, &second, &handle), 0);
    b.now += 1000;
    bench_silent(&b);
    assert_int_equal(second.status, COPAL_ETIMEOUT);
    assert_int_equal(second.ends, 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_8_1_a_request_to_a_group_is_NON_and_leaves_once),
        cmocka_unit_test(rfc7252_8_2_whoever_answers_with_the_token_is_told_of_until_the_time_is_over),
        cmocka_unit_test(what_has_another_token_or_came_by_multicast_is_no_answer),
        cmocka_unit_test(a_confirmable_answer_is_acknowledged_and_a_copy_is_not_told_of),
        cmocka_unit_test(an_answer_that_is_not_understood_is_told_of_and_the_others_go_on),
        cmocka_unit_test(a_challenge_of_one_is_an_answer_and_does_not_ask_all_again),
        cmocka_unit_test(what_cannot_be_asked_of_a_group_is_refused),
        cmocka_unit_test(a_given_token_names_one_group_request_at_a_time),
        cmocka_unit_test(rfc7252_8_1_a_reset_for_what_was_sent_to_a_group_ends_no_request_to_one_peer),
        cmocka_unit_test(it_can_be_cancelled_also_when_an_answer_comes),
        cmocka_unit_test(rfc7252_4_7_the_next_request_to_a_group_waits_until_somebody_has_answered),
        cmocka_unit_test(one_that_never_left_ends_with_a_time_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
