/* No amplifier: how an address shows that it is real, and what it gets until then from a network that has had its share. */
#include "support/flood.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- proofs -------------------------------------------------------------------------------------------------------- */

static uint16_t ping_after_a_request(flood_t *f, flood_client_t *c)
{
    flood_ask(f, c);
    assert_true(flood_take(f));
    assert_true(f->b.sent.size <= 3 * 16);
    assert_true(flood_take(f));
    assert_true(flood_is_ping(&f->b.sent.message));
    assert_true(flood_is_to(f, c));
    uint16_t id = f->b.sent.message.id;
    assert_false(flood_take(f));
    return id;
}

static void reset(flood_t *f, uint32_t peer, uint16_t id)
{
    message_t m;
    flood_receive(f, peer, message_empty(&m, COPAL_RST, id));
}

static bool is_served_in_full(flood_t *f, flood_client_t *c)
{
    flood_ask(f, c);
    assert_true(flood_take(f));
    return f->b.sent.message.payload.size == 1024;
}

static void only_the_reset_of_who_was_pinged_proves_the_address(void **state)
{
    (void)state;
    static flood_t f;
    flood_client_t c = {.address = FLOOD_REAL, .token_size = 8};
    flood_open(&f, NULL);
    flood_empty(&f);
    uint16_t id = ping_after_a_request(&f, &c);
    reset(&f, FLOOD_REAL + 1, id); /* another address */
    assert_false(is_served_in_full(&f, &c));
    reset(&f, c.address, (uint16_t)(id + 1)); /* another ID: and who guesses has one try */
    reset(&f, c.address, id);
    assert_false(is_served_in_full(&f, &c));
    f.b.now += 1000;
    id = ping_after_a_request(&f, &c);
    reset(&f, c.address, id);
    assert_true(is_served_in_full(&f, &c));
    assert_false(flood_take(&f)); /* and is pinged no more */
    bench_close(&f.b);
}

static void a_secured_peer_is_proven(void **state)
{
    (void)state;
    static flood_t f;
    message_t m;
    flood_open(&f, NULL);
    flood_empty(&f);
    copal_from_t from = {.peer = peer_of(FLOOD_REAL), .network = 3, .proven = true};
    assert_int_equal(bench_receive_from(&f.b, &from, message_make(&m, COPAL_CON, COPAL_GET, 1, NO_BYTES, "a", NULL)), 0);
    assert_int_equal(bench_sent(&f.b)->payload.size, 1024);
    bench_silent(&f.b);
    bench_close(&f.b);
}

static void what_comes_in_refills_a_bucket_that_is_left_in_peace(void **state)
{
    (void)state;
    static flood_t f;
    static const uint8_t payload[1000];
    flood_client_t c = {.address = FLOOD_REAL, .token_size = 8};
    message_t m;
    flood_open(&f, NULL);
    flood_empty(&f);
    for (int i = 0; i < 60; i++) { /* three times 1,000 octets each, less the answer: more than a half */
        message_start(&m, COPAL_NON, COPAL_POST, f.id++, BYTES(1, 2));
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        copal_write_payload(&m.w, (copal_bytes_t){payload, sizeof payload});
        flood_receive(&f, FLOOD_REAL, message_end(&m));
        while (flood_take(&f))
            ;
        f.b.now += 50; /* not yet for ten seconds */
    }
    assert_false(is_served_in_full(&f, &c));
    while (flood_take(&f))
        ;
    f.b.now += 10000;
    assert_true(is_served_in_full(&f, &c));
    bench_close(&f.b);
}

static void an_answer_within_three_times_its_request_is_whole_though_it_is_given_later(void **state)
{
    (void)state;
    static flood_t f;
    static const uint8_t octets[120];
    message_t m;
    copal_writer_t *w;
    flood_open(&f, NULL);
    flood_empty(&f);
    message_start(&m, COPAL_CON, COPAL_FETCH, f.id++, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_payload(&m.w, (copal_bytes_t){octets, 50});
    flood_receive(&f, FLOOD_REAL, message_end(&m));
    while (flood_take(&f))
        ;
    uint64_t before = copal_endpoint_counters(f.b.endpoint)->withheld;
    assert_int_equal(copal_later_begin(f.b.endpoint, f.later[0], COPAL_CONFLICT, &w), 0);
    copal_write_payload(w, (copal_bytes_t){octets, sizeof octets});
    assert_int_equal(copal_later_commit(f.b.endpoint, f.b.now, f.later[0]), 0);
    assert_true(flood_take(&f));
    assert_int_equal(f.b.sent.message.payload.size, sizeof octets);
    assert_int_equal(copal_endpoint_counters(f.b.endpoint)->withheld, before);
    bench_close(&f.b);
}

static void an_observer_that_has_acknowledged_is_told_though_its_network_has_had_its_share(void **state)
{
    (void)state;
    static flood_t f;
    flood_open(&f, NULL);
    f.confirmable = true;
    flood_observe(&f, FLOOD_REAL, COPAL_CON);
    flood_take_notifications(&f, FLOOD_REAL);
    copal_notify(f.b.endpoint, f.b.now, 1);
    assert_int_equal(flood_take_notifications(&f, FLOOD_REAL), 1);
    flood_observe(&f, FLOOD_REAL + 1, COPAL_CON);
    flood_take_notifications(&f, FLOOD_REAL);
    flood_empty(&f);
    copal_notify(f.b.endpoint, f.b.now, 1);
    unsigned told = 0, others = 0;
    copal_peer_t real = peer_of(FLOOD_REAL);
    while (flood_take(&f)) {
        bool notifies = option_of(&f.b.sent.message, COPAL_OPTION_OBSERVE) >= 0;
        told += notifies && peer_equal(&f.b.sent.to, &real);
        others += notifies && !peer_equal(&f.b.sent.to, &real);
    }
    assert_int_equal(told, 1);
    assert_int_equal(others, 0);
    bench_close(&f.b);
}

/* ---- requests with effects ---------------------------------------------------------------------------------------- */

/* A POST with a payload of that many octets; what it was answered with. */
static const copal_message_t *post(flood_t *f, uint32_t peer, size_t size, copal_bytes_t echo)
{
    static const uint8_t payload[256];
    message_t m;
    message_start(&m, COPAL_CON, COPAL_POST, f->id++, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (echo.size)
        copal_write_option(&m.w, COPAL_OPTION_ECHO, echo);
    copal_write_payload(&m.w, (copal_bytes_t){payload, size});
    flood_receive(f, peer, message_end(&m));
    assert_true(flood_take(f));
    return &f->b.sent.message;
}

static void a_small_request_with_effects_is_challenged_before_it_runs(void **state)
{
    (void)state;
    static flood_t f;
    copal_option_t echo;
    uint8_t value[40];
    flood_open(&f, NULL);
    flood_empty(&f);
    const copal_message_t *answer = post(&f, FLOOD_REAL, 1, NO_BYTES);
    assert_int_equal(answer->code, COPAL_UNAUTHORIZED);
    assert_int_equal(f.posts, 0);
    assert_true(copal_option_find(answer, COPAL_OPTION_ECHO, &echo));
    memcpy(value, echo.value.data, echo.value.size);
    while (flood_take(&f))
        ;
    answer = post(&f, FLOOD_REAL, 1, (copal_bytes_t){value, echo.value.size});
    assert_int_equal(answer->code, COPAL_CONTENT);
    assert_int_equal(answer->payload.size, 420);
    assert_int_equal(f.posts, 1);
    bench_close(&f.b);
}

/* Clients that do not know Echo would take the challenge for the answer. */
static void what_its_own_octets_pay_the_answer_of_is_not_challenged(void **state)
{
    (void)state;
    static flood_t f;
    message_t m;
    flood_open(&f, NULL);
    flood_empty(&f);
    message_start(&m, COPAL_CON, COPAL_DELETE, f.id++, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    flood_receive(&f, FLOOD_REAL, message_end(&m));
    assert_true(flood_take(&f));
    assert_int_equal(f.b.sent.message.code, COPAL_DELETED);
    bench_close(&f.b);
}

static void what_has_run_is_answered_without_its_payload_and_its_copy_likewise(void **state)
{
    (void)state;
    static flood_t f;
    flood_open(&f, NULL);
    flood_empty(&f);
    for (int i = 0; i < 2; i++) {
        f.id = 0x7777;
        const copal_message_t *answer = post(&f, FLOOD_REAL, 60, NO_BYTES);
        assert_int_equal(answer->type, COPAL_ACK);
        assert_int_equal(answer->code, COPAL_CHANGED); /* 2.05 would say that there is nothing to tell */
        assert_int_equal(answer->payload.size, 0);
        assert_int_equal(f.posts, 1);
        while (flood_take(&f))
            ;
    }
    bench_close(&f.b);
}

static void a_copy_of_a_request_is_answered_within_the_bounds_too(void **state)
{
    (void)state;
    static flood_t f;
    flood_open(&f, NULL);
    f.id = 0x7777;
    assert_int_equal(post(&f, FLOOD_REAL, 60, NO_BYTES)->payload.size, 420);
    flood_empty(&f);
    f.id = 0x7777;
    message_t m;
    uint8_t payload[60] = {0};
    message_start(&m, COPAL_CON, COPAL_POST, f.id, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_payload(&m.w, (copal_bytes_t){payload, sizeof payload});
    uint64_t before = copal_endpoint_counters(f.b.endpoint)->withheld;
    flood_receive(&f, FLOOD_REAL, message_end(&m));
    while (flood_take(&f))
        assert_int_equal(f.b.sent.size, 4); /* a ping; the answer's code would say too little */
    assert_int_equal(copal_endpoint_counters(f.b.endpoint)->withheld, before + 1);
    assert_int_equal(f.posts, 1);
    bench_close(&f.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_reset_of_who_was_pinged_proves_the_address),
        cmocka_unit_test(a_secured_peer_is_proven),
        cmocka_unit_test(what_comes_in_refills_a_bucket_that_is_left_in_peace),
        cmocka_unit_test(an_answer_within_three_times_its_request_is_whole_though_it_is_given_later),
        cmocka_unit_test(an_observer_that_has_acknowledged_is_told_though_its_network_has_had_its_share),
        cmocka_unit_test(a_small_request_with_effects_is_challenged_before_it_runs),
        cmocka_unit_test(what_its_own_octets_pay_the_answer_of_is_not_challenged),
        cmocka_unit_test(what_has_run_is_answered_without_its_payload_and_its_copy_likewise),
        cmocka_unit_test(a_copy_of_a_request_is_answered_within_the_bounds_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
