/* Observed states that come in blocks (RFC 7959 section 2.6). */
#include "job.h"

/* ---- observation ---------------------------------------------------------------------------------------------- */

static uint8_t watch[8]; /* the observation's token */
static copal_bytes_t watching;

/* Tells of a new state. */
#define notify(...) send_answer(0, watching, &(answer_t){.notification = true, .code = COPAL_CONTENT, __VA_ARGS__})

/* A registration is answered with the first of two blocks. */
static void open_observation(copal_limits_t limits)
{
    open_endpoint(&limits);
    job_open(&job, &bench, COPAL_GET, 0);
    job.transfer.request.observe = true;
    start();
    const copal_message_t *m = asked(NONE, NONE, 0, 0);
    assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), 0);
    watching = (copal_bytes_t){watch, m->token.size};
    memcpy(watch, m->token.data, m->token.size);
    answer(.code = COPAL_CONTENT, .observe = 1, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
}

static void (asked_for_rest)(void)
{
    const copal_message_t *m = (asked)(NONE, BLOCK(1, 0, 0), 0, 0);
    check(!has_option(m, COPAL_OPTION_OBSERVE));
    check(m->token.size != watching.size || memcmp(m->token.data, watch, watching.size) != 0);
}
#define asked_for_rest(...) CHECKED(asked_for_rest(__VA_ARGS__))

static void rfc7959_2_6_the_rest_of_each_state_is_fetched(void **state)
{
    (void)state;
    open_observation((copal_limits_t){.requests = 2});
    asked_for_rest();
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "1", .from = 16, .size = 4);
    assert_int_equal(job.outcomes, 1);
    assert_false(job.ended);
    assert_int_equal(job.token_size, watching.size);
    assert_memory_equal(job.token, watch, watching.size); /* not that of the exchange that fetched the rest */
    has_body(20);
    notify(.observe = 2, .block2 = BLOCK(0, 1, 0), .etag = "2", .size = 16);
    asked_for_rest();
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "2", .from = 16, .size = 1);
    assert_int_equal(job.outcomes, 2);
    has_body(17);
    notify(.observe = 3, .etag = "3", .size = 5);
    assert_int_equal(job.outcomes, 3);
    assert_false(job.ended);
    has_body(5);
    close_job();
}

static void a_newer_state_takes_the_place_of_one_that_is_being_fetched(void **state)
{
    (void)state;
    open_observation((copal_limits_t){.requests = 2});
    asked_for_rest();
    message_t late;
    copal_bytes_t answer_of_old = message_make(&late, COPAL_ACK, COPAL_CONTENT, bench.sent.message.id,
                                               bench.sent.message.token, NULL, "old");
    notify(.observe = 2, .block2 = BLOCK(0, 1, 0), .etag = "2", .size = 16);
    asked_for_rest();
    assert_int_equal(bench_receive(&bench, 1, answer_of_old), COPAL_EIGNORED);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "2", .from = 16, .size = 2);
    assert_int_equal(job.outcomes, 1);
    has_body(18);
    close_job();
}

static void a_state_that_cannot_be_fetched_does_not_end_an_observation(void **state)
{
    (void)state;
    open_observation((copal_limits_t){.requests = 2});
    asked_for_rest();
    answer(.code = COPAL_SERVICE_UNAVAILABLE);
    assert_int_equal(job.outcomes, 1);
    assert_int_equal(job.code, COPAL_SERVICE_UNAVAILABLE);
    assert_false(job.ended);
    notify(.observe = 2, .etag = "2", .size = 3);
    assert_int_equal(job.outcomes, 2);
    has_body(3);
    close_job();
    open_observation((copal_limits_t){.requests = 1}); /* there is no second request */
    assert_int_equal(job.status, COPAL_EFULL);
    assert_false(job.ended);
    close_job();
}

static void a_state_that_changed_is_fetched_from_its_start_without_observe(void **state)
{
    (void)state;
    open_observation((copal_limits_t){.requests = 2});
    asked_for_rest();
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "2", .from = 16, .size = 1);
    assert_false(has_option(asked(NONE, NONE, 0, 0), COPAL_OPTION_OBSERVE));
    answer(.code = COPAL_CONTENT, .etag = "2", .size = 3);
    assert_int_equal(job.outcomes, 1);
    assert_false(job.ended);
    has_body(3);
    close_job();
}

static void an_error_notification_ends_the_fetch_too(void **state)
{
    (void)state;
    open_observation((copal_limits_t){.requests = 2});
    asked_for_rest();
    send_answer(0, watching, &(answer_t){.notification = true, .code = COPAL_NOT_FOUND});
    ends(0, COPAL_NOT_FOUND);
    close_job();
}

static void without_observe_in_the_answer_the_body_is_fetched_and_that_is_all(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    job.transfer.request.observe = true;
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
    assert_int_equal(job.outcomes, 0);
    asked(NONE, BLOCK(1, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "1", .from = 16, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(17);
    close_job();
}

static void a_writer_s_error_ends_the_observation(void **state)
{
    (void)state;
    open_observation((copal_limits_t){.requests = 2});
    asked_for_rest();
    job.write_error = COPAL_ENOMEM;
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "1", .from = 16, .size = 4);
    assert_int_equal(job.status, COPAL_ENOMEM);
    assert_true(job.ended);
    const copal_message_t *m = asked(NONE, NONE, 0, 0);
    assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), 1);
    check_bytes(m->token, watching);
    close_job();
}

static void a_cancelled_observation_is_deregistered(void **state)
{
    (void)state;
    open_observation((copal_limits_t){.requests = 2});
    asked_for_rest();
    assert_int_equal(copal_transfer_cancel(&job.transfer, bench.now), 0);
    const copal_message_t *m = asked(NONE, NONE, 0, 0);
    assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), 1);
    answer(.code = COPAL_CONTENT, .size = 1);
    bench_idle(&bench);
    assert_int_equal(job.outcomes, 0);
    close_job();
}

static void an_observation_is_asked_for_in_one_datagram(void **state)
{
    (void)state;
    open_job(COPAL_FETCH, 1500);
    job.transfer.request.observe = true;
    assert_int_equal(job_start(&job), COPAL_ESPACE);
    bench_idle(&bench);
    close_job();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7959_2_6_the_rest_of_each_state_is_fetched),
        cmocka_unit_test(a_newer_state_takes_the_place_of_one_that_is_being_fetched),
        cmocka_unit_test(a_state_that_cannot_be_fetched_does_not_end_an_observation),
        cmocka_unit_test(a_state_that_changed_is_fetched_from_its_start_without_observe),
        cmocka_unit_test(an_error_notification_ends_the_fetch_too),
        cmocka_unit_test(without_observe_in_the_answer_the_body_is_fetched_and_that_is_all),
        cmocka_unit_test(a_writer_s_error_ends_the_observation),
        cmocka_unit_test(a_cancelled_observation_is_deregistered),
        cmocka_unit_test(an_observation_is_asked_for_in_one_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
