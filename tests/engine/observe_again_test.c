/* Observing: when a client registers again (RFC 7641 section 3.3.1), and when it is challenged (RFC 9175). */
#include "support/observing.h"

/* ---- registering again ------------------------------------------------------------------------------------ */

static void rfc7641_3_3_1_it_registers_again_5_to_15_seconds_after_max_age(void **state)
{
    (void)state;
    copal_time_t least = COPAL_NEVER, most = 0;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    sent_t before;
    keep(&before, &s.b);
    for (int i = 1; i < 200; i++) {
        int max_age = i % 4 == 0 ? -1 : i * 100; /* -1: 60 seconds */
        send(&s.b, &s.request, &(notification_t){.type = COPAL_NON, .id = (uint16_t)i, .value = 10 + 2 * i,
                                                 .max_age = max_age, .text = "1"});
        copal_time_t waited = bench_wait(&s.b) - (max_age < 0 ? 60 : max_age) * SECONDS;
        least = waited < least ? waited : least;
        most = waited > most ? waited : most;
        bench_sent(&s.b);
        assert_int_not_equal(s.b.sent.message.id, before.message.id);
        check_bytes(s.b.sent.message.token, before.message.token);
        check_bytes(s.b.sent.message.options, before.message.options);
        assert_int_equal(s.b.sent.message.type, COPAL_CON);
        keep(&before, &s.b);
        answer(&s.b, &before, 10 + 2 * i, "again");
        tells(&s.o, 1 + 2 * (unsigned)i, false, "again");
    }
    assert_in_range(least, 5000, 5500);
    assert_in_range(most, 14500, 15000);
    scene_close(&s);
}

static void a_notification_puts_it_off(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    for (uint16_t i = 1; i < 20; i++) {
        s.b.now += 50 * SECONDS;
        bench_silent(&s.b);
        notify(&s.b, &s.request, COPAL_NON, i, 10 + i, "1");
        assert_int_equal(s.o.count, 1 + i);
    }
    wait_for_renewal(&s);
    scene_close(&s);
}

static void a_stale_notification_does_not(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    copal_time_t due = copal_endpoint_next_timeout(s.b.endpoint);
    s.b.now += 50 * SECONDS;
    notify(&s.b, &s.request, COPAL_NON, 1, 9, "old");
    assert_int_equal(copal_endpoint_next_timeout(s.b.endpoint), due);
    scene_close(&s);
}

static void the_server_that_is_silent_is_asked_with_growing_waits(void **state)
{
    (void)state;
    scene_t s;
    copal_time_t last = 0;
    scene_open(&s, &(copal_config_t){0});
    for (unsigned i = 0; i < 9; i++) {
        wait_for_renewal(&s);
        let_time_out(&s.b, &s.o);
        tells_status(&s.o, 2 + i, false, COPAL_ETIMEOUT);
        last = copal_endpoint_next_timeout(s.b.endpoint) - s.b.now;
        copal_time_t least = 5000LL << i, most = 15000LL << i;
        assert_in_range(last, least < 300000 ? least : 300000, most < 300000 ? most : 300000);
    }
    assert_int_equal(last, 300000);
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, 3, "back");
    tells(&s.o, 11, false, "back");
    assert_in_range(bench_wait(&s.b), 65000, 75000);
    bench_sent(&s.b);
    let_time_out(&s.b, &s.o);
    assert_in_range(bench_wait(&s.b), 5000, 15000); /* as at first */
    scene_close(&s);
}

static void one_that_is_acknowledged_but_not_answered_is_tried_again(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    copal_time_t asked = s.b.now;
    uint16_t id = s.b.sent.message.id;
    bench_accept(&s.b, 1, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id));
    let_time_out(&s.b, &s.o);
    tells_status(&s.o, 2, false, COPAL_ETIMEOUT);
    assert_int_equal(s.o.at - asked, 247 * SECONDS);
    wait_for_renewal(&s);
    scene_close(&s);
}

static void a_reset_or_an_unreachable_server_is_tried_again_likewise(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        scene_open(&s, &(copal_config_t){0});
        wait_for_renewal(&s);
        uint16_t id = s.b.sent.message.id;
        copal_peer_t to = peer_of(1);
        if (i)
            bench_accept(&s.b, 1, BYTES(0x70, 0, (uint8_t)(id >> 8), (uint8_t)id));
        else
            copal_endpoint_unreachable(s.b.endpoint, s.b.now, &to, (copal_bytes_t){s.b.sent.data, s.b.sent.size});
        tells_status(&s.o, 2, false, i ? COPAL_ERESET : COPAL_EUNREACHABLE);
        assert_in_range(copal_endpoint_next_timeout(s.b.endpoint) - s.b.now, 5000, 15000);
        wait_for_renewal(&s);
        sent_t request;
        keep(&request, &s.b);
        answer(&s.b, &request, 0, "back");
        tells(&s.o, 3, false, "back");
        scene_close(&s);
    }
}

static void a_restarted_server_may_count_from_anywhere(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, 2, "restarted"); /* within 128 seconds of 10 */
    tells(&s.o, 2, false, "restarted");
    notify(&s.b, &request, COPAL_NON, 1, 3, "next");
    tells(&s.o, 3, false, "next");
    scene_close(&s);
}

static void a_notification_meanwhile_does_as_the_answer(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    notify(&s.b, &request, COPAL_NON, 1, 9, "old");
    tells(&s.o, 1, false, "0");
    notify(&s.b, &request, COPAL_NON, 2, 12, "new");
    tells(&s.o, 2, false, "new");
    send(&s.b, &request, &(notification_t){.type = COPAL_ACK, .value = 11, .max_age = -1, .text = "before"});
    tells(&s.o, 2, false, "new");
    assert_in_range(bench_wait(&s.b), 65000, 75000);
    scene_close(&s);
}

static void the_same_number_separately_answers_a_registration(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    uint16_t id = request.message.id;
    bench_accept(&s.b, 1, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id));
    notify(&s.b, &request, COPAL_CON, 1, 10, "0");
    sends_empty(&s.b, COPAL_ACK, 1);
    tells(&s.o, 2, false, "0");
    assert_in_range(bench_wait(&s.b), 65000, 75000);
    scene_close(&s);
}

static void an_answer_without_observe_then_ends_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        scene_open(&s, &(copal_config_t){0});
        wait_for_renewal(&s);
        sent_t request;
        keep(&request, &s.b);
        send(&s.b, &request, &(notification_t){.type = COPAL_ACK, .code = i ? COPAL_NOT_FOUND : 0, .value = -1,
                                               .max_age = -1, .text = "end"});
        tells(&s.o, 2, true, "end");
        bench_idle(&s.b);
        scene_close(&s);
    }
}

static void a_fetch_is_registered_with_its_payload_again(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    assert_int_equal(begin(&b, &(copal_request_t){.code = COPAL_FETCH}, "query", &handle, &o), 0);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    assert_int_equal(request.message.type, COPAL_NON);
    notify(&b, &request, COPAL_NON, 1, 10, "0");
    while (bench_wait(&b), !bench_take(&b)) /* PROBING_RATE's wait is over before */
        ;
    assert_int_equal(b.sent.message.type, COPAL_CON);
    assert_int_equal(b.sent.message.code, COPAL_FETCH);
    check_bytes(b.sent.message.options, request.message.options);
    check_bytes(b.sent.message.payload, copal_text("query"));
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0);
    bench_sent(&b);
    assert_int_equal(b.sent.message.code, COPAL_FETCH);
    check_bytes(b.sent.message.options, BYTES(0x31, 'h', 0x31, 1, 0x51, 'a'));
    check_bytes(b.sent.message.payload, copal_text("query"));
    bench_close(&b);
}

/* ---- challenged (RFC 9175) ---------------------------------------------------------------------------------- */

static void rfc9175_2_3_a_registration_that_is_challenged_is_sent_with_the_echo(void **state)
{
    (void)state;
    scene_t s;
    bench_open(&s.b, &(copal_config_t){0});
    s.handle = observe(&s.b, &s.o);
    bench_sent(&s.b);
    sent_t first;
    keep(&first, &s.b);
    challenge(&s.b, &first, "one");
    bench_sent(&s.b);
    keep(&s.request, &s.b);
    copal_option_t echo;
    assert_true(copal_option_find(&s.request.message, COPAL_OPTION_ECHO, &echo));
    assert_int_equal(option_of(&s.request.message, COPAL_OPTION_OBSERVE), 0);
    answer(&s.b, &s.request, 1, "1");
    tells(&s.o, 1, false, "1");

    for (int i = 0; i < 2; i++) { /* and again, with the token of the observation */
        wait_for_renewal(&s);
        assert_false(copal_option_find(&s.b.sent.message, COPAL_OPTION_ECHO, &echo));
        check_bytes(s.b.sent.message.token, s.request.message.token);
        sent_t renewal;
        keep(&renewal, &s.b);
        challenge(&s.b, &renewal, "two");
        bench_sent(&s.b);
        check_bytes(s.b.sent.message.token, s.request.message.token);
        assert_true(copal_option_find(&s.b.sent.message, COPAL_OPTION_ECHO, &echo));
        check_bytes(echo.value, copal_text("two"));
        keep(&renewal, &s.b);
        answer(&s.b, &renewal, 2, "2");
        tells(&s.o, 2 + (unsigned)i, false, "2");
    }
    message_t m; /* a challenge that was on its way for long says nothing now */
    message_start(&m, COPAL_NON, COPAL_UNAUTHORIZED, 9, s.request.message.token);
    message_text_option(&m, COPAL_OPTION_ECHO, "three");
    bench_receive(&s.b, 1, message_end(&m));
    bench_silent(&s.b);
    tells(&s.o, 3, false, "2");
    scene_close(&s);
}

static void a_deregistration_that_is_challenged_is_sent_with_the_echo(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    copal_request_deregister(s.b.endpoint, s.b.now, s.handle);
    bench_sent(&s.b);
    sent_t request;
    keep(&request, &s.b);
    challenge(&s.b, &request, "one");
    bench_sent(&s.b);
    check_bytes(s.b.sent.message.token, s.request.message.token);
    assert_int_equal(option_of(&s.b.sent.message, COPAL_OPTION_OBSERVE), 1);
    keep(&request, &s.b);
    answer(&s.b, &request, -1, "state");
    bench_idle(&s.b);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7641_3_3_1_it_registers_again_5_to_15_seconds_after_max_age),
        cmocka_unit_test(a_notification_puts_it_off),
        cmocka_unit_test(a_stale_notification_does_not),
        cmocka_unit_test(the_server_that_is_silent_is_asked_with_growing_waits),
        cmocka_unit_test(one_that_is_acknowledged_but_not_answered_is_tried_again),
        cmocka_unit_test(a_reset_or_an_unreachable_server_is_tried_again_likewise),
        cmocka_unit_test(a_restarted_server_may_count_from_anywhere),
        cmocka_unit_test(a_notification_meanwhile_does_as_the_answer),
        cmocka_unit_test(the_same_number_separately_answers_a_registration),
        cmocka_unit_test(an_answer_without_observe_then_ends_it),
        cmocka_unit_test(a_fetch_is_registered_with_its_payload_again),
        cmocka_unit_test(rfc9175_2_3_a_registration_that_is_challenged_is_sent_with_the_echo),
        cmocka_unit_test(a_deregistration_that_is_challenged_is_sent_with_the_echo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
