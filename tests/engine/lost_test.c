/* Security associations end, or are renewed, under requests of ours. */
#include "support/observing.h"

static void every_request_to_the_peer_ends_and_no_other(void **state)
{
    (void)state;
    bench_t b;
    outcome_t sent, waits, other, watched;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &watched);
    bench_ask(&b, 1, COPAL_POST, true, &sent);
    bench_ask(&b, 1, COPAL_GET, true, &waits);
    bench_ask(&b, 2, COPAL_GET, true, &other);
    while (bench_take(&b))
        ;
    copal_peer_t peer = peer_of(1);
    copal_endpoint_lost(b.endpoint, b.now, &peer, COPAL_EHANDSHAKE);
    tells_status(&sent, 1, true, COPAL_EHANDSHAKE);
    tells_status(&waits, 1, true, COPAL_EHANDSHAKE);
    tells_status(&watched, 1, true, COPAL_EHANDSHAKE);
    assert_int_equal(other.count, 0);
    bench_close(&b);
}

static void an_observation_that_is_lost_is_not_tried_again(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    send(&b, &request, &(notification_t){.type = COPAL_ACK, .code = COPAL_CONTENT, .value = 1, .max_age = -1, .text = "x"});
    copal_endpoint_lost(b.endpoint, b.now, &request.to, COPAL_ETIMEOUT);
    tells_status(&o, 2, true, COPAL_ETIMEOUT);
    bench_idle(&b);
    bench_close(&b);
}

static void an_observation_registers_at_once_with_the_renewed_association(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    sent_t first, second;
    keep(&first, &b);
    send(&b, &first, &(notification_t){.type = COPAL_ACK, .code = COPAL_CONTENT, .value = 9, .max_age = -1, .text = "x"});
    bench_silent(&b);
    copal_endpoint_renewed(b.endpoint, b.now, &first.to);
    bench_sent(&b);
    keep(&second, &b);
    assert_int_equal(option_of(&second.message, COPAL_OPTION_OBSERVE), 0);
    check_bytes(second.message.token, first.message.token);
    assert_int_not_equal(second.message.id, first.message.id);
    send(&b, &second, &(notification_t){.type = COPAL_ACK, .code = COPAL_CONTENT, .value = 1, .max_age = -1, .text = "y"});
    tells(&o, 2, false, "y");
    bench_close(&b);
}

/* Asks, lets the request leave and, with `acknowledged`, be acknowledged; then the association is renewed. */
static void ask_and_renew(bench_t *b, copal_code_t code, bool acknowledged, outcome_t *o)
{
    message_t m;
    bench_ask(b, 1, code, true, o);
    uint16_t id = bench_sent(b)->id;
    if (acknowledged) {
        bench_accept(b, 1, message_empty(&m, COPAL_ACK, id));
    }
    copal_peer_t peer = peer_of(1);
    copal_endpoint_renewed(b->endpoint, b->now, &peer);
}

static void a_request_that_may_run_twice_is_sent_again_in_the_renewed_association(void **state)
{
    (void)state;
    static const copal_code_t codes[] = {COPAL_GET, COPAL_PUT, COPAL_DELETE, COPAL_FETCH, COPAL_IPATCH};
    for (size_t i = 0; i < 2 * sizeof codes / sizeof *codes; i++) {
        bench_t b;
        outcome_t o;
        bench_open(&b, &(copal_config_t){0});
        ask_and_renew(&b, codes[i / 2], i % 2, &o);
        assert_int_equal(o.count, 0);
        assert_int_equal(bench_sent(&b)->code, codes[i / 2]);
        bench_close(&b);
    }
}

static void a_request_that_is_to_run_once_is_not_sent_again(void **state)
{
    (void)state;
    static const copal_code_t codes[] = {COPAL_POST, COPAL_PATCH};
    for (size_t i = 0; i < 4; i++) {
        bench_t b;
        outcome_t o;
        bench_open(&b, &(copal_config_t){0});
        ask_and_renew(&b, codes[i / 2], i % 2, &o);
        tells_status(&o, 1, true, COPAL_EUNREACHABLE);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void a_conditional_put_is_not_sent_again(void **state)
{
    (void)state;
    static const uint16_t conditions[] = {COPAL_OPTION_IF_MATCH, COPAL_OPTION_IF_NONE_MATCH};
    for (size_t i = 0; i < 2; i++) {
        bench_t b;
        outcome_t o;
        copal_handle_t handle;
        copal_writer_t *w;
        bench_open(&b, &(copal_config_t){0});
        copal_peer_t peer = peer_of(1);
        copal_request_t request = {.to = &peer, .code = COPAL_PUT, .confirmable = true};
        assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
        copal_write_option(w, conditions[i], NO_BYTES);
        assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, outcome_open(&o)), 0);
        bench_sent(&b);
        copal_endpoint_renewed(b.endpoint, b.now, &peer);
        tells_status(&o, 1, true, COPAL_EUNREACHABLE);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void what_has_not_left_yet_is_sent_once(void **state)
{
    (void)state;
    bench_t b;
    outcome_t first, second;
    bench_open(&b, &(copal_config_t){0});
    ask_and_renew(&b, COPAL_POST, false, &first);
    bench_ask(&b, 1, COPAL_POST, true, &second);
    copal_peer_t peer = peer_of(1);
    copal_endpoint_renewed(b.endpoint, b.now, &peer);
    assert_int_equal(bench_sent(&b)->code, COPAL_POST);
    bench_silent(&b);
    assert_int_equal(second.count, 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_to_the_peer_ends_and_no_other),
        cmocka_unit_test(an_observation_that_is_lost_is_not_tried_again),
        cmocka_unit_test(an_observation_registers_at_once_with_the_renewed_association),
        cmocka_unit_test(a_request_that_may_run_twice_is_sent_again_in_the_renewed_association),
        cmocka_unit_test(a_request_that_is_to_run_once_is_not_sent_again),
        cmocka_unit_test(a_conditional_put_is_not_sent_again),
        cmocka_unit_test(what_has_not_left_yet_is_sent_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
