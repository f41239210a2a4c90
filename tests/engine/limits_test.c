/* Every bound of copal_limits_t at n and at n + 1. (remembered and remembered_bytes: duplicates_test; token_size and
 * datagram_size of what comes in: size_test; IDs under few counters: identifier_test; rests and rest_size: rest_test.) */
#include "support/observed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static copal_bytes_t get(message_t *m, copal_type_t type, uint16_t id)
{
    return message_make(m, type, COPAL_GET, id, BYTES(0xca, 0xfe), "a", NULL);
}

/* ---- init -------------------------------------------------------------------------------------------------- */

static const copal_limits_t defaults = {.datagram_size = 1152, .payload_size = 1024, .token_size = 8, .requests = 16,
                                        .deferred = 16, .remembered = 256, .remembered_bytes = 32768, .proven = 64,
                                        .counters = 256, .batch = 64};

static void limits_of_zero_are_the_documented_defaults(void **state)
{
    (void)state;
    assert_int_equal(copal_endpoint_size(&(copal_limits_t){0}), copal_endpoint_size(&defaults));
}

static int init(const copal_limits_t *limits, size_t missing)
{
    random_t random = random_from(1);
    copal_config_t config = {.limits = *limits, .random = random_fill, .random_state = &random};
    copal_endpoint_t *e;
    size_t size = copal_endpoint_size(limits);
    void *memory = calloc(1, size);
    int result = copal_endpoint_init(&e, memory, size - missing, &config);
    free(memory);
    return result;
}

static void memory_of_one_octet_less_is_refused(void **state)
{
    (void)state;
    assert_int_equal(init(&defaults, 0), 0);
    assert_int_equal(init(&defaults, 1), COPAL_ESPACE);
    copal_limits_t small = {.requests = 1, .deferred = 1, .remembered = 1, .proven = 1, .counters = 1, .batch = 1};
    assert_int_equal(init(&small, 0), 0);
    assert_int_equal(init(&small, 1), COPAL_ESPACE);
}

static void limits_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_int_equal(init(&(copal_limits_t){.token_size = 255}, 0), 0);
    assert_int_equal(init(&(copal_limits_t){.token_size = 256}, 0), COPAL_EINVAL);
    assert_int_equal(init(&(copal_limits_t){.counters = 64}, 0), 0);
    assert_int_equal(init(&(copal_limits_t){.counters = 65}, 0), COPAL_EINVAL);
    copal_config_t config = {0};
    copal_endpoint_t *e;
    void *memory = calloc(1, copal_endpoint_size(&config.limits));
    assert_int_equal(copal_endpoint_init(&e, memory, copal_endpoint_size(&config.limits), &config), COPAL_EINVAL);
    free(memory);
}

/* 3,728,271 datagrams are 896 octets more than 4 GiB, which a size of 32 bits cannot say. */
static void a_batch_too_large_for_any_memory_is_not_taken_for_a_small_one(void **state)
{
    (void)state;
    assert_true(copal_endpoint_size(&(copal_limits_t){.batch = 3728271}) > UINT32_MAX / 2);
}

static int init_timing(const copal_timing_t *timing)
{
    random_t random = random_from(1);
    copal_config_t config = {.timing = *timing, .random = random_fill, .random_state = &random};
    copal_endpoint_t *e;
    size_t size = copal_endpoint_size(&config.limits);
    void *memory = calloc(1, size);
    int result = copal_endpoint_init(&e, memory, size, &config);
    free(memory);
    return result;
}

static void a_timing_whose_back_off_cannot_be_counted_is_refused(void **state)
{
    (void)state;
    copal_timing_t timing = {.ack_timeout = 524287, .ack_random_permille = 1000, .max_retransmit = 12};
    assert_int_equal(init_timing(&timing), 0);
    timing.max_retransmit = 13;
    assert_int_equal(init_timing(&timing), COPAL_EINVAL);
    timing.max_retransmit = 21;
    assert_int_equal(init_timing(&timing), COPAL_EINVAL);
}

static void a_small_datagram_size_alone_is_a_sound_limit(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    bench_open(&b, &(copal_config_t){.limits = {.datagram_size = 256}, .service = server_service(&s)});
    s.body_size = 500;
    bench_accept(&b, 1, get(&m, COPAL_CON, 1));
    assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
    assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_BLOCK2), 8 + 3); /* 128 octets, more follow */
    assert_true(b.sent.size <= 256);
    bench_close(&b);
}

static void an_endpoint_with_one_of_everything_still_does_everything(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    outcome_t o;
    copal_limits_t limits = {.requests = 1, .deferred = 1, .remembered = 1, .remembered_bytes = 1280, .proven = 1,
                             .counters = 1, .batch = 1};
    bench_open(&b, &(copal_config_t){.limits = limits, .service = server_service(&s)});
    bench_accept(&b, 1, get(&m, COPAL_CON, 1));
    assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
    copal_from_t from = {.peer = peer_of(1), .proven = true};
    bench_receive_from(&b, &from, message_make(&m, COPAL_CON, COPAL_POST, 2, NO_BYTES, "a", NULL));
    assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
    s.defer = true;
    bench_accept(&b, 1, get(&m, COPAL_CON, 3));
    bench_ask(&b, 2, COPAL_GET, true, &o);
    bench_sent(&b);
    message_start(&m, COPAL_ACK, COPAL_CONTENT, b.sent.message.id, b.sent.message.token);
    bench_accept(&b, 2, message_end(&m));
    assert_int_equal(o.status, 0);
    assert_int_equal(bench_answer(&b, s.later, "x"), 0);
    assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
    bench_idle(&b);
    bench_close(&b);
}

static const copal_limits_t none = {.requests = COPAL_LIMIT_NONE, .deferred = COPAL_LIMIT_NONE,
                                    .remembered = COPAL_LIMIT_NONE, .observers = COPAL_LIMIT_NONE,
                                    .rests = COPAL_LIMIT_NONE};

static void an_endpoint_of_none_asks_defers_and_is_observed_by_nobody(void **state)
{
    (void)state;
    bench_t b;
    observed_t r;
    copal_handle_t handle;
    copal_writer_t *w;
    const copal_peer_t to = peer_of(2);
    const copal_request_t request = {.to = &to, .code = COPAL_GET};
    observed_open_limited(&b, &r, &none);
    assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), COPAL_EFULL);
    assert_int_equal(option_of(observed_get(&b, PROVEN + 1, 0, 1, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    observed_text(&b.sent.message, "a0");
    observed_change(&b, &r, 0);
    bench_silent(&b);
    r.defer = true;
    observed_get(&b, 1, 0, 2, BYTES(1), "a");
    assert_int_equal(b.sent.message.code, COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(r.defer_result, COPAL_EFULL);
    bench_idle(&b);
    bench_close(&b);
}

static void an_endpoint_of_none_keeps_no_rest_of_an_answer(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    copal_limits_t limits = none;
    limits.remembered = 4;
    bench_open(&b, &(copal_config_t){.limits = limits, .service = server_service(&s)});
    s.body_size = 2000;
    bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_POST, 1, NO_BYTES, "a", NULL));
    assert_int_equal(option_of(bench_sent(&b), COPAL_OPTION_BLOCK2), 8 + 6); /* 1,024 octets, more follow */
    message_start(&m, COPAL_CON, COPAL_POST, 2, NO_BYTES);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, 16 + 6);
    bench_accept(&b, 1, message_end(&m));
    assert_int_equal(bench_sent(&b)->code, COPAL_BAD_REQUEST);
    assert_int_equal(s.runs, 1);
    bench_close(&b);
}

/* What is idempotent may run again (RFC 7252 section 4.5). */
static void an_endpoint_that_remembers_nothing_refuses_what_must_run_once(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    message_t m;
    const copal_from_t proven = {.peer = peer_of(1), .proven = true};
    bench_open(&b, &(copal_config_t){.limits = none, .service = server_service(&s)});
    for (uint16_t i = 0; i < 300; i++) {
        bench_receive_from(&b, &proven, message_make(&m, COPAL_CON, COPAL_POST, i, NO_BYTES, "a", NULL));
        assert_int_equal(bench_sent(&b)->code, COPAL_SERVICE_UNAVAILABLE);
        assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_MAX_AGE), -1); /* there will be no room at any time */
    }
    assert_int_equal(s.runs, 0);
    bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_POST, 1000, NO_BYTES, "a", NULL));
    assert_int_equal(bench_sent(&b)->code, COPAL_UNAUTHORIZED);
    for (unsigned i = 0; i < 2; i++) {
        bench_accept(&b, 1, message_make(&m, COPAL_CON, COPAL_PUT, 1001, NO_BYTES, "a", NULL));
        assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
    }
    assert_int_equal(s.runs, 2);
    bench_close(&b);
}

static void what_there_is_none_of_takes_no_memory(void **state)
{
    (void)state;
    const size_t size = copal_endpoint_size(&none);
    copal_limits_t one = none;
    one.requests = 1;
    assert_true(copal_endpoint_size(&one) > size + 1152);
    one = none;
    one.remembered = 1;
    one.remembered_bytes = 1280;
    assert_true(copal_endpoint_size(&one) > size + 1280);
    one = none;
    one.observers = one.observed = one.notifications = 1;
    assert_true(copal_endpoint_size(&one) > size + 1152);
    one = none;
    one.rests = 1;
    assert_true(copal_endpoint_size(&one) >= size + 4096);
}

/* ---- the client ---------------------------------------------------------------------------------------------- */

static void requests_past_the_bound_are_refused_until_one_has_ended(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit <= 5; limit += 5) {
        bench_t b;
        outcome_t o[16];
        copal_peer_t to = peer_of(1000);
        copal_handle_t last = {0}, extra;
        copal_writer_t *w;
        uint32_t count = limit ? limit : 16;
        bench_open(&b, &(copal_config_t){.limits = {.requests = limit}});
        for (uint32_t i = 0; i < count; i++)
            last = bench_ask(&b, i, COPAL_GET, true, &o[i]);
        copal_request_t request = {.to = &to, .code = COPAL_GET};
        assert_int_equal(copal_request_begin(b.endpoint, &request, &extra, &w), COPAL_EFULL);
        assert_int_equal(copal_request_cancel(b.endpoint, b.now, last), 0);
        assert_int_equal(copal_request_begin(b.endpoint, &request, &extra, &w), 0);
        assert_int_equal(copal_request_begin(b.endpoint, &request, &extra, &w), COPAL_EFULL);
        assert_int_equal(copal_request_cancel(b.endpoint, b.now, last), COPAL_ESTALE); /* its slot lives again */
        bench_close(&b);
    }
}

static void a_request_of_the_datagram_size_leaves_and_one_octet_more_is_refused(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    uint8_t octets[1200] = {0};
    bench_open(&b, &(copal_config_t){0});
    for (size_t excess = 0; excess < 2; excess++) {
        copal_request_t request = {.to = &to, .code = COPAL_PUT, .confirmable = true, .given_token = true,
                                   .token = BYTES(1, 2)};
        assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
        copal_write_payload(w, (copal_bytes_t){octets, 1152 - 7 + excess});
        int result = copal_request_commit(b.endpoint, b.now, handle, outcome_open(&o));
        assert_int_equal(result, excess ? COPAL_ESPACE : 0);
        if (!excess)
            assert_int_equal((bench_sent(&b), b.sent.size), 1152);
        copal_request_cancel(b.endpoint, b.now, handle);
    }
    bench_close(&b);
}

static void rfc9175_2_3_a_challenge_for_which_a_request_has_no_room_is_its_answer(void **state)
{
    (void)state;
    for (size_t room = 0; room < 2; room++) { /* for an Echo of 10 octets, which takes 12 */
        bench_t b;
        outcome_t o;
        message_t m;
        copal_peer_t to = peer_of(1);
        copal_handle_t handle;
        copal_writer_t *w;
        uint8_t octets[1200] = {0};
        bench_open(&b, &(copal_config_t){0});
        copal_request_t request = {.to = &to, .code = COPAL_PUT, .confirmable = true};
        assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
        copal_write_payload(w, (copal_bytes_t){octets, 1152 - w->size - 1 - 12 + (room ? 0 : 1)});
        assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, outcome_open(&o)), 0);
        const copal_message_t *sent = bench_sent(&b);
        message_start(&m, COPAL_ACK, COPAL_UNAUTHORIZED, sent->id, sent->token);
        copal_write_option(&m.w, COPAL_OPTION_ECHO, BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
        bench_accept(&b, 1, message_end(&m));
        if (room) {
            assert_int_equal(o.count, 0);
            copal_option_t echo;
            assert_true(copal_option_find(bench_sent(&b), COPAL_OPTION_ECHO, &echo));
            check_bytes(echo.value, BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
        } else {
            assert_int_equal(o.count, 1);
            assert_int_equal(o.status, 0);
            assert_int_equal(o.code, COPAL_UNAUTHORIZED);
            bench_idle(&b);
        }
        bench_close(&b);
    }
}

/* ---- the server ------------------------------------------------------------------------------------------------ */

static void deferrals_past_the_bound_are_refused_until_one_is_answered(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit <= 5; limit += 5) {
        bench_t b;
        server_t s;
        message_t m;
        copal_service_t service = server_service(&s);
        uint16_t count = limit ? (uint16_t)limit : 16;
        s.defer = true;
        bench_open(&b, &(copal_config_t){.limits = {.deferred = limit}, .service = service});
        for (uint16_t i = 0; i < count; i++) {
            bench_accept(&b, 1, get(&m, COPAL_CON, i));
            assert_int_equal(s.defer_result, 0);
        }
        bench_accept(&b, 1, get(&m, COPAL_CON, 0x100));
        assert_int_equal(s.defer_result, COPAL_EFULL);
        assert_int_equal(bench_sent(&b)->code, COPAL_SERVICE_UNAVAILABLE); /* the handler just returned */
        assert_int_equal(bench_answer(&b, s.later, "x"), 0);
        assert_int_equal(bench_sent(&b)->code, COPAL_CONTENT);
        bench_accept(&b, 1, get(&m, COPAL_CON, 0x101));
        assert_int_equal(s.defer_result, 0);
        bench_close(&b);
    }
}

static void with_a_full_batch_a_datagram_is_refused_whole_and_works_once_the_batch_was_sent(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit <= 5; limit += 5) {
        bench_t b;
        server_t s;
        message_t m;
        uint16_t count = limit ? (uint16_t)limit : 64;
        bench_open(&b, &(copal_config_t){.limits = {.batch = limit}, .service = server_service(&s)});
        for (uint16_t i = 0; i < count; i++)
            bench_accept(&b, i, message_make(&m, COPAL_CON, COPAL_POST, i, NO_BYTES, "a", NULL));
        copal_bytes_t extra = message_make(&m, COPAL_CON, COPAL_POST, 0x100, NO_BYTES, "a", NULL);
        uint64_t received = copal_endpoint_counters(b.endpoint)->received;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(bench_receive(&b, 1000, extra), COPAL_EFULL);
            assert_int_equal(bench_receive(&b, 1000, BYTES(0x40, 0x00, 1, 2)), COPAL_EFULL);
        }
        assert_int_equal(s.runs, count);
        assert_int_equal(copal_endpoint_counters(b.endpoint)->received, received);
        assert_true(copal_endpoint_next_timeout(b.endpoint) <= b.now);
        for (uint16_t i = 0; i < count; i++) {
            copal_peer_t to = peer_of(i);
            assert_int_equal(bench_sent(&b)->id, i);
            assert_true(peer_equal(&b.sent.to, &to));
        }
        bench_idle(&b);
        bench_accept(&b, 1000, extra);
        assert_int_equal(bench_sent(&b)->id, 0x100);
        assert_int_equal(s.runs, count + 1);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void an_answer_of_the_payload_size_is_whole_and_a_longer_one_goes_in_blocks(void **state)
{
    (void)state;
    static const struct {
        uint32_t payload_size, block;
    } rows[] = {{0, 1024}, {1024, 1024}, {1000, 512}, {64, 64}, {16, 16}};
    for (size_t i = 0; i < 5; i++) {
        bench_t b;
        server_t s;
        message_t m;
        copal_limits_t limits = {.payload_size = rows[i].payload_size};
        bench_open(&b, &(copal_config_t){.limits = limits, .service = server_service(&s)});
        s.body_size = rows[i].payload_size ? rows[i].payload_size : 1024;
        bench_accept(&b, 1, get(&m, COPAL_CON, 1));
        assert_int_equal(bench_sent(&b)->payload.size, s.body_size);
        assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_BLOCK2), -1);
        s.body_size++;
        bench_accept(&b, 1, get(&m, COPAL_CON, 2));
        assert_int_equal(bench_sent(&b)->payload.size, rows[i].block);
        assert_int_equal(16u << (option_of(&b.sent.message, COPAL_OPTION_BLOCK2) & 7), rows[i].block);
        bench_close(&b);
    }
}

/* ---- proven addresses ---------------------------------------------------------------------------- */

static copal_code_t post(bench_t *b, uint32_t peer, uint16_t id, copal_bytes_t echo)
{
    message_t m;
    message_start(&m, COPAL_CON, COPAL_POST, id, NO_BYTES);
    if (echo.size)
        copal_write_option(&m.w, COPAL_OPTION_ECHO, echo);
    bench_accept(b, peer, message_end(&m));
    return bench_sent(b)->code;
}

/* Shows that the address of `peer` is real. */
static void prove(bench_t *b, uint32_t peer, uint16_t id)
{
    copal_option_t option;
    uint8_t echo[40];
    assert_int_equal(post(b, peer, id, NO_BYTES), COPAL_UNAUTHORIZED);
    assert_true(copal_option_find(&b->sent.message, COPAL_OPTION_ECHO, &option));
    memcpy(echo, option.value.data, option.value.size);
    assert_int_equal(post(b, peer, (uint16_t)(id + 1), (copal_bytes_t){echo, option.value.size}), COPAL_CONTENT);
}

static void of_proven_addresses_the_one_that_showed_it_longest_ago_makes_room(void **state)
{
    (void)state;
    bench_t b;
    server_t s;
    bench_open(&b, &(copal_config_t){.limits = {.remembered = 64, .proven = 2}, .service = server_service(&s)});
    for (uint16_t i = 0; i < 48; i++) /* three quarters */
        assert_int_equal(post(&b, 1000 + i, i, NO_BYTES), COPAL_CONTENT);
    prove(&b, 1, 100);
    b.now += 1000;
    prove(&b, 2, 200);
    b.now += 1000;
    assert_int_equal(post(&b, 1, 102, NO_BYTES), COPAL_CONTENT);
    assert_int_equal(post(&b, 2, 202, NO_BYTES), COPAL_CONTENT);
    b.now += 1000;
    prove(&b, 3, 300);
    assert_int_equal(post(&b, 1, 103, NO_BYTES), COPAL_UNAUTHORIZED);
    assert_int_equal(post(&b, 2, 203, NO_BYTES), COPAL_CONTENT);
    assert_int_equal(post(&b, 3, 302, NO_BYTES), COPAL_CONTENT);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_zero_are_the_documented_defaults),
        cmocka_unit_test(memory_of_one_octet_less_is_refused),
        cmocka_unit_test(limits_out_of_range_are_refused),
        cmocka_unit_test(a_batch_too_large_for_any_memory_is_not_taken_for_a_small_one),
        cmocka_unit_test(a_timing_whose_back_off_cannot_be_counted_is_refused),
        cmocka_unit_test(a_small_datagram_size_alone_is_a_sound_limit),
        cmocka_unit_test(an_endpoint_with_one_of_everything_still_does_everything),
        cmocka_unit_test(an_endpoint_of_none_asks_defers_and_is_observed_by_nobody),
        cmocka_unit_test(an_endpoint_of_none_keeps_no_rest_of_an_answer),
        cmocka_unit_test(an_endpoint_that_remembers_nothing_refuses_what_must_run_once),
        cmocka_unit_test(what_there_is_none_of_takes_no_memory),
        cmocka_unit_test(requests_past_the_bound_are_refused_until_one_has_ended),
        cmocka_unit_test(a_request_of_the_datagram_size_leaves_and_one_octet_more_is_refused),
        cmocka_unit_test(rfc9175_2_3_a_challenge_for_which_a_request_has_no_room_is_its_answer),
        cmocka_unit_test(deferrals_past_the_bound_are_refused_until_one_is_answered),
        cmocka_unit_test(with_a_full_batch_a_datagram_is_refused_whole_and_works_once_the_batch_was_sent),
        cmocka_unit_test(an_answer_of_the_payload_size_is_whole_and_a_longer_one_goes_in_blocks),
        cmocka_unit_test(of_proven_addresses_the_one_that_showed_it_longest_ago_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
