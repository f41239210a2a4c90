/* Observing (RFC 7641 section 3): registration, notifications, the end. */
#include "support/observing.h"

/* ---- registration ---------------------------------------------------------------------------------------- */

static void rfc7641_3_1_a_registration_is_the_get_with_observe_0(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    assert_int_equal(b.sent.message.type, COPAL_CON);
    assert_int_equal(b.sent.message.code, COPAL_GET);
    assert_int_equal(b.sent.message.token.size, 8);
    check_bytes(b.sent.message.options, BYTES(0x31, 'h', 0x30, 0x51, 'a')); /* Uri-Host, Observe without octets, Uri-Path */
    bench_close(&b);
}

static void rfc7641_4_1_an_answer_without_observe_is_the_only_one(void **state)
{
    (void)state;
    static const copal_code_t codes[] = {COPAL_CONTENT, COPAL_NOT_FOUND, COPAL_SERVICE_UNAVAILABLE};
    for (size_t i = 0; i < 3; i++) {
        bench_t b;
        outcome_t o;
        bench_open(&b, &(copal_config_t){0});
        copal_handle_t handle = observe(&b, &o);
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        send(&b, &request, &(notification_t){.type = COPAL_ACK, .code = codes[i], .value = -1, .max_age = -1, .text = "x"});
        tells(&o, 1, true, "x");
        assert_int_equal(o.code, codes[i]);
        assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), COPAL_ESTALE);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void rfc7641_3_2_an_error_with_observe_is_an_error(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    send(&b, &request, &(notification_t){.type = COPAL_ACK, .code = COPAL_NOT_FOUND, .value = 3, .max_age = -1});
    tells(&o, 1, true, "");
    bench_idle(&b);
    bench_close(&b);
}

static void a_registration_that_is_not_answered_ends_as_any_request(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_t b;
        outcome_t o;
        copal_handle_t handle;
        bench_open(&b, &(copal_config_t){0});
        copal_request_t request = {.code = COPAL_GET, .confirmable = i == 0, .timeout = 30 * SECONDS};
        assert_int_equal(begin(&b, &request, NULL, &handle, &o), 0);
        copal_time_t start = b.now;
        bench_sent(&b);
        let_time_out(&b, &o);
        tells_status(&o, 1, true, COPAL_ETIMEOUT);
        assert_int_equal(o.at - start, 30 * SECONDS);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void the_timeout_is_for_the_first_answer_only(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    assert_int_equal(
        begin(&b, &(copal_request_t){.code = COPAL_GET, .confirmable = true, .timeout = 10 * SECONDS}, NULL, &handle, &o), 0);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    answer(&b, &request, 1, "1");
    b.now += 20 * SECONDS;
    bench_silent(&b);
    assert_int_equal(notify(&b, &request, COPAL_NON, 1, 2, "2"), 0);
    tells(&o, 2, false, "2");
    bench_close(&b);
}

static void what_cannot_be_observed_is_refused(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    static const copal_code_t methods[] = {COPAL_POST, COPAL_PUT, COPAL_DELETE, COPAL_PATCH, COPAL_EMPTY};
    for (size_t i = 0; i < sizeof methods; i++)
        assert_int_equal(begin(&b, &(copal_request_t){.code = methods[i], .confirmable = true}, NULL, &handle, &o),
                         COPAL_EINVAL);
    copal_request_t request = {.code = COPAL_GET, .confirmable = true, .given_token = true};
    assert_int_equal(begin(&b, &request, NULL, &handle, &o), COPAL_EINVAL); /* the empty token */
    request.token = BYTES(5);
    assert_int_equal(begin(&b, &request, NULL, &handle, &o), 0);
    bench_sent(&b);
    check_bytes(b.sent.message.token, BYTES(5));
    sent_t sent;
    keep(&sent, &b);
    answer(&b, &sent, 1, "1");
    assert_int_equal(begin(&b, &request, NULL, &handle, &o), COPAL_EEXIST); /* it is the observation's */
    bench_close(&b);
}

static void a_notification_registers_where_the_answer_was_lost(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    notify(&b, &request, COPAL_NON, 1, 12, "new");
    tells(&o, 1, false, "new");
    send(&b, &request, &(notification_t){.type = COPAL_ACK, .value = 11, .max_age = -1, .text = "old"});
    tells(&o, 1, false, "new"); /* the answer was late */
    bench_silent(&b);           /* and is not asked for again */
    bench_close(&b);
}

static void a_separate_answer_registers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_t b;
        outcome_t o;
        copal_handle_t handle;
        bench_open(&b, &(copal_config_t){0});
        assert_int_equal(begin(&b, &(copal_request_t){.code = COPAL_GET, .confirmable = i == 0}, NULL, &handle, &o), 0);
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        if (i == 0) {
            uint16_t id = request.message.id;
            bench_accept(&b, 1, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id));
        }
        notify(&b, &request, COPAL_CON, 1, 1, "1");
        sends_empty(&b, COPAL_ACK, 1);
        tells(&o, 1, false, "1");
        notify(&b, &request, COPAL_NON, 2, 2, "2");
        tells(&o, 2, false, "2");
        bench_close(&b);
    }
}

/* ---- notifications ---------------------------------------------------------------------------------------- */

static void rfc7641_3_5_each_notification_is_told_and_a_confirmable_one_acknowledged(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    notify(&s.b, &s.request, COPAL_NON, 1, 11, "1");
    tells(&s.o, 2, false, "1");
    bench_silent(&s.b);
    notify(&s.b, &s.request, COPAL_CON, 2, 12, "2");
    tells(&s.o, 3, false, "2");
    sends_empty(&s.b, COPAL_ACK, 2);
    check_bytes((copal_bytes_t){s.o.token, s.o.token_size}, s.request.message.token);
    assert_int_equal(s.o.id, s.request.message.id);
    assert_int_equal(copal_request_id(s.b.endpoint, s.handle), s.request.message.id);
    scene_close(&s);
}

static void rfc7252_4_5_a_notification_that_comes_twice_is_told_once(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    for (int i = 0; i < 2; i++) {
        notify(&s.b, &s.request, COPAL_CON, 1, 11, "1");
        sends_empty(&s.b, COPAL_ACK, 1);
        tells(&s.o, 2, false, "1");
    }
    s.b.now += 129 * SECONDS; /* where the order would let it pass */
    notify(&s.b, &s.request, COPAL_CON, 1, 11, "1");
    sends_empty(&s.b, COPAL_ACK, 1);
    tells(&s.o, 2, false, "1");
    scene_close(&s);
}

static void rfc7641_3_4_what_was_sent_earlier_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    static const struct {
        int first, second;
        copal_time_t apart;
        bool fresh;
    } cases[] = {
        {10, 11, 0, true},
        {11, 10, 0, false},
        {10, 10, 0, false},
        {0, (1 << 23) - 1, 0, true},
        {0, 1 << 23, 0, false},
        {1 << 23, 0, 0, false},
        {(1 << 23) + 1, 0, 0, true},
        {0xffffff, 0, 0, true},
        {0, 0xffffff, 0, false},
        {11, 10, 128 * SECONDS, false},
        {11, 10, 128 * SECONDS + 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_t b;
        outcome_t o;
        bench_open(&b, &(copal_config_t){0});
        observe(&b, &o);
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        send(&b, &request, &(notification_t){.type = COPAL_ACK, .value = cases[i].first, .max_age = 1000, .text = "1"});
        b.now += cases[i].apart;
        notify(&b, &request, COPAL_CON, 1, cases[i].second, "2");
        sends_empty(&b, COPAL_ACK, 1);
        tells(&o, cases[i].fresh ? 2 : 1, false, cases[i].fresh ? "2" : "1");
        bench_close(&b);
    }
}

static void rfc7641_3_2_one_that_is_an_error_or_without_observe_is_the_last(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        scene_open(&s, &(copal_config_t){0});
        send(&s.b, &s.request, &(notification_t){.type = COPAL_CON, .id = 1, .code = i ? COPAL_NOT_FOUND : COPAL_CONTENT,
                                                 .value = -1, .max_age = -1, .text = "gone"});
        sends_empty(&s.b, COPAL_ACK, 1);
        tells(&s.o, 2, true, "gone");
        assert_int_equal(copal_request_cancel(s.b.endpoint, s.b.now, s.handle), COPAL_ESTALE);
        bench_idle(&s.b);
        scene_close(&s);
    }
}

static void one_that_cannot_be_understood_ends_it_and_is_rejected(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        message_t m;
        scene_open(&s, &(copal_config_t){0});
        message_start(&m, i ? COPAL_CON : COPAL_NON, COPAL_CONTENT, 1, s.request.message.token);
        copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 11);
        message_text_option(&m, 0xfff1, "critical");
        bench_receive(&s.b, 1, message_end(&m));
        tells_status(&s.o, 2, true, COPAL_ECRITICAL);
        sends_empty(&s.b, COPAL_RST, 1);
        bench_idle(&s.b);
        scene_close(&s);
    }
}

static void one_of_another_peer_or_token_is_rejected(void **state)
{
    (void)state;
    scene_t s;
    message_t m;
    scene_open(&s, &(copal_config_t){0});
    message_start(&m, COPAL_CON, COPAL_CONTENT, 1, s.request.message.token);
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 11);
    bench_receive(&s.b, 2, message_end(&m));
    bench_sends(&s.b, 2, BYTES(0x70, 0, 0, 1));
    message_start(&m, COPAL_CON, COPAL_CONTENT, 1, BYTES(1, 2));
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 11);
    bench_receive(&s.b, 1, message_end(&m));
    sends_empty(&s.b, COPAL_RST, 1);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

/* ---- bounds ----------------------------------------------------------------------------------------------- */

static void rfc7252_4_7_only_what_is_unanswered_is_outstanding(void **state)
{
    (void)state;
    scene_t s;
    outcome_t other;
    scene_open(&s, &(copal_config_t){.timing = {.max_retransmit = 6}});
    bench_ask(&s.b, 1, COPAL_GET, true, &other);
    bench_sent(&s.b); /* beside the observation */
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, -1, "ok");
    bench_ask(&s.b, 1, COPAL_POST, true, &other);
    bench_sent(&s.b); /* and this one is not acknowledged */
    for (copal_time_t stale = s.b.now + 80 * SECONDS; s.b.now < stale;) {
        bench_wait(&s.b);
        while (bench_take(&s.b))
            assert_int_equal(s.b.sent.message.code, COPAL_POST); /* the registration waits for its turn */
    }
    send(&s.b, &s.request, &(notification_t){.type = COPAL_NON, .id = 1, .value = 11, .max_age = 1000, .text = "1"});
    tells(&s.o, 2, false, "1");
    let_time_out(&s.b, &other); /* and does not need it any more */
    bench_silent(&s.b);
    wait_for_renewal(&s);
    scene_close(&s);
}

static void observations_count_toward_the_limit_of_requests(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[3];
    copal_handle_t handle, first;
    bench_open(&b, &(copal_config_t){.limits = {.requests = 2}});
    for (int i = 0; i < 2; i++) {
        handle = observe(&b, &o[i]);
        first = i == 0 ? handle : first;
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        answer(&b, &request, 1, "1");
    }
    copal_request_t request = {.code = COPAL_GET, .confirmable = true};
    assert_int_equal(begin(&b, &request, NULL, &handle, &o[2]), COPAL_EFULL);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, first), 0);
    assert_int_equal(begin(&b, &request, NULL, &handle, &o[2]), 0);
    bench_close(&b);
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

static void rfc7641_3_6_what_comes_for_a_forgotten_observation_is_rejected(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    assert_int_equal(copal_request_cancel(s.b.endpoint, s.b.now, s.handle), 0);
    bench_idle(&s.b);
    notify(&s.b, &s.request, COPAL_NON, 1, 11, "1");
    sends_empty(&s.b, COPAL_RST, 1);
    notify(&s.b, &s.request, COPAL_CON, 2, 12, "2");
    sends_empty(&s.b, COPAL_RST, 2);
    notify(&s.b, &s.request, COPAL_NON, 3, -1, "no notification");
    bench_idle(&s.b);
    message_t m;
    message_start(&m, COPAL_NON, COPAL_CONTENT, 4, s.request.message.token);
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 13);
    copal_from_t group = {.peer = peer_of(1), .multicast = true};
    bench_receive_from(&s.b, &group, message_end(&m));
    bench_idle(&s.b);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

static void rfc7641_3_6_deregistering_is_the_same_request_with_observe_1(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    assert_int_equal(copal_request_deregister(s.b.endpoint, s.b.now, s.handle), 0);
    assert_int_equal(copal_request_deregister(s.b.endpoint, s.b.now, s.handle), COPAL_ESTALE);
    assert_int_equal(copal_request_cancel(s.b.endpoint, s.b.now, s.handle), COPAL_ESTALE);
    assert_int_equal(copal_request_id(s.b.endpoint, s.handle), COPAL_ESTALE);
    bench_sent(&s.b);
    assert_int_equal(s.b.sent.message.type, COPAL_CON);
    assert_int_equal(s.b.sent.message.code, COPAL_GET);
    check_bytes(s.b.sent.message.token, s.request.message.token);
    check_bytes(s.b.sent.message.options, BYTES(0x31, 'h', 0x31, 1, 0x51, 'a'));
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, -1, "state");
    bench_idle(&s.b);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

static void a_notification_does_not_answer_the_deregistration(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){.limits = {.requests = 1}});
    copal_request_deregister(s.b.endpoint, s.b.now, s.handle);
    bench_sent(&s.b);
    notify(&s.b, &s.request, COPAL_CON, 1, 11, "1"); /* it crossed the deregistration */
    sends_empty(&s.b, COPAL_RST, 1);
    copal_handle_t handle;
    outcome_t o;
    copal_request_t request = {.code = COPAL_GET, .confirmable = true};
    assert_int_equal(begin(&s.b, &request, NULL, &handle, &o), COPAL_EFULL);
    while (copal_endpoint_next_timeout(s.b.endpoint) != COPAL_NEVER) {
        bench_wait(&s.b);
        bench_take(&s.b);
    }
    assert_int_equal(copal_endpoint_counters(s.b.endpoint)->retransmitted, 4);
    assert_int_equal(begin(&s.b, &request, NULL, &handle, &o), 0);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

static void what_the_server_cannot_know_is_not_deregistered(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o, plain;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t handle = observe(&b, &o);
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0); /* it has not left */
    bench_idle(&b);
    handle = bench_ask(&b, 1, COPAL_GET, true, &plain);
    bench_sent(&b);
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0);
    bench_idle(&b);
    assert_int_equal(o.count + plain.count, 0);
    bench_close(&b);
}

static void one_whose_answer_has_not_come_is(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t handle = observe(&b, &o);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0);
    bench_sent(&b);
    assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_OBSERVE), 1);
    send(&b, &request, &(notification_t){.type = COPAL_ACK, .value = 1, .max_age = -1, .text = "late"});
    assert_int_equal(o.count, 0);
    bench_close(&b);
}

/* ---- receivers do as they like ------------------------------------------------------------------------------- */

typedef struct {
    copal_receiver_t receiver;
    bench_t *b;
    int (*end)(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle);
    outcome_t next;
    unsigned count;
} leaver_t;

static void leave(copal_receiver_t *self, const copal_response_t *response)
{
    leaver_t *l = (leaver_t *)self;
    l->count++;
    check_equal(l->end(l->b->endpoint, response->now, response->request), 0);
    bench_ask(l->b, 1, COPAL_PUT, true, &l->next);
}

static void a_receiver_may_end_the_observation_and_begin_a_request(void **state)
{
    (void)state;
    static int (*const ends[])(copal_endpoint_t *, copal_time_t, copal_handle_t) = {copal_request_cancel,
                                                                                   copal_request_deregister};
    for (int i = 0; i < 4; i++) { /* told of a state, or of a time-out */
        bench_t b;
        leaver_t l = {.receiver = {leave}, .b = &b, .end = ends[i & 1]};
        copal_peer_t to = peer_of(1);
        copal_handle_t handle;
        copal_writer_t *w;
        bench_open(&b, &(copal_config_t){.limits = {.requests = 2}});
        copal_request_t request = {.to = &to, .code = COPAL_GET, .confirmable = true, .observe = true};
        assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
        outcome_t o;
        assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, i < 2 ? &l.receiver : outcome_open(&o)), 0);
        bench_sent(&b);
        sent_t sent;
        keep(&sent, &b);
        answer(&b, &sent, 1, "1");
        if (i >= 2)
            l.count = 1, l.end(b.endpoint, b.now, handle);
        assert_int_equal(l.count, 1);
        while (copal_endpoint_next_timeout(b.endpoint) != COPAL_NEVER) {
            while (bench_take(&b))
                ;
            if (copal_endpoint_next_timeout(b.endpoint) != COPAL_NEVER)
                bench_wait(&b);
        }
        assert_int_equal(l.count, 1);
        assert_int_equal(l.next.count, i < 2);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7641_3_1_a_registration_is_the_get_with_observe_0),
        cmocka_unit_test(rfc7641_4_1_an_answer_without_observe_is_the_only_one),
        cmocka_unit_test(rfc7641_3_2_an_error_with_observe_is_an_error),
        cmocka_unit_test(a_registration_that_is_not_answered_ends_as_any_request),
        cmocka_unit_test(the_timeout_is_for_the_first_answer_only),
        cmocka_unit_test(what_cannot_be_observed_is_refused),
        cmocka_unit_test(a_notification_registers_where_the_answer_was_lost),
        cmocka_unit_test(a_separate_answer_registers),
        cmocka_unit_test(rfc7641_3_5_each_notification_is_told_and_a_confirmable_one_acknowledged),
        cmocka_unit_test(rfc7252_4_5_a_notification_that_comes_twice_is_told_once),
        cmocka_unit_test(rfc7641_3_4_what_was_sent_earlier_is_acknowledged_and_dropped),
        cmocka_unit_test(rfc7641_3_2_one_that_is_an_error_or_without_observe_is_the_last),
        cmocka_unit_test(one_that_cannot_be_understood_ends_it_and_is_rejected),
        cmocka_unit_test(one_of_another_peer_or_token_is_rejected),
        cmocka_unit_test(rfc7252_4_7_only_what_is_unanswered_is_outstanding),
        cmocka_unit_test(observations_count_toward_the_limit_of_requests),
        cmocka_unit_test(rfc7641_3_6_what_comes_for_a_forgotten_observation_is_rejected),
        cmocka_unit_test(rfc7641_3_6_deregistering_is_the_same_request_with_observe_1),
        cmocka_unit_test(a_notification_does_not_answer_the_deregistration),
        cmocka_unit_test(what_the_server_cannot_know_is_not_deregistered),
        cmocka_unit_test(one_whose_answer_has_not_come_is),
        cmocka_unit_test(a_receiver_may_end_the_observation_and_begin_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
