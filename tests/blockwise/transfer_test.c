/* Transfers of a request's body, and both ways, with a server that the test plays by hand. The simulation of both ends
 * is in transfer_weather_test.c. */
#include "job.h"

/* ---- upload ------------------------------------------------------------------------------------------------ */

static void a_body_in_one_datagram_goes_without_blocks(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 1024);
    start();
    const copal_message_t *m = asked(NONE, NONE, 0, 1024);
    assert_false(has_option(m, COPAL_OPTION_SIZE1));
    assert_int_equal(tag_of(m).size, 0);
    answer(.code = COPAL_CHANGED);
    ends(0, COPAL_CHANGED);
    assert_int_equal(job.transfer.sent, 1024);
    close_job();
}

static void rfc7959_2_5_a_body_goes_in_blocks_that_are_acknowledged(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 2500);
    job.transfer.progress = job_progress;
    int id = job_start(&job);
    const copal_message_t *m = asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    assert_int_equal(m->id, id);
    assert_int_equal(option_of(m, COPAL_OPTION_SIZE1), 2500);
    assert_int_not_equal(tag_of(m).size, 0);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    m = asked(BLOCK(1, 1, 6), NONE, 1024, 1024);
    assert_false(has_option(m, COPAL_OPTION_SIZE1));
    assert_int_equal(job.transfer.sent, 1024);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(1, 1, 6));
    asked(BLOCK(2, 0, 6), NONE, 2048, 452);
    answer(.code = COPAL_CREATED, .block1 = BLOCK(2, 0, 6));
    ends(0, COPAL_CREATED);
    assert_int_equal(job.id, id);
    assert_int_equal(job.transfer.sent, 2500);
    assert_int_equal(job.progressed, 4); /* three blocks, and the answer's empty body */
    close_job();
}

static void rfc7959_2_10_if_none_match_goes_with_the_first_block_only(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 2000);
    start();
    assert_true(has_option(asked(BLOCK(0, 1, 6), NONE, 0, 1024), COPAL_OPTION_IF_NONE_MATCH));
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    const copal_message_t *m = asked(BLOCK(1, 0, 6), NONE, 1024, 976);
    assert_false(has_option(m, COPAL_OPTION_IF_NONE_MATCH));
    assert_true(has_option(m, COPAL_OPTION_IF_MATCH)); /* this is the one that is enacted */
    close_job();
}

static void rfc9175_3_4_a_body_has_one_tag_and_the_next_another(void **state)
{
    uint8_t first[8];
    (void)state;
    open_job(COPAL_PUT, 2000);
    start();
    copal_bytes_t tag = tag_of(asked(BLOCK(0, 1, 6), NONE, 0, 1024));
    size_t size = tag.size;
    memcpy(first, tag.data, size);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    check_bytes(tag_of(asked(BLOCK(1, 0, 6), NONE, 1024, 976)), (copal_bytes_t){first, size});
    answer(.code = COPAL_CHANGED, .block1 = BLOCK(1, 0, 6));
    start();
    tag = tag_of(asked(BLOCK(0, 1, 6), NONE, 0, 1024));
    assert_true(tag.size != size || memcmp(tag.data, first, size) != 0);
    close_job();
}

/* It is made of the handle, and 0 would be none yet. */
static void rfc9175_3_4_a_body_has_one_tag_whatever_its_first_handle(void **state)
{
    uint8_t first[8] = {0};
    const copal_peer_t other = peer_of(2);
    const copal_request_t request = {.to = &other, .code = COPAL_GET};
    copal_handle_t handle;
    copal_writer_t *w;
    (void)state;
    open_job(COPAL_PUT, 2000);
    assert_int_equal(copal_request_begin(bench.endpoint, &request, &handle, &w), 0);
    do {
        assert_int_equal(copal_request_begin(bench.endpoint, &request, &handle, &w), 0);
        assert_int_equal(copal_request_cancel(bench.endpoint, bench.now, handle), 0);
    } while (handle.generation < 4095);
    assert_int_equal(handle.slot, 1);
    start();
    const copal_bytes_t tag = tag_of(asked(BLOCK(0, 1, 6), NONE, 0, 1024));
    const size_t size = tag.size;
    memcpy(first, tag.data, size);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    check_bytes(tag_of(asked(BLOCK(1, 0, 6), NONE, 1024, 976)), (copal_bytes_t){first, size});
    close_job();
}

static void rfc7959_2_5_the_server_may_want_smaller_blocks_half_way(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 2500);
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 5));
    asked(BLOCK(2, 1, 5), NONE, 1024, 512); /* "the second request starts with a block number larger than one" */
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(2, 1, 6)); /* one that is larger again changes nothing */
    asked(BLOCK(3, 1, 5), NONE, 1536, 512);
    answer(.code = COPAL_CONTINUE); /* without an opinion */
    asked(BLOCK(4, 0, 5), NONE, 2048, 452);
    close_job();
}

static void rfc7959_2_9_3_too_large_with_smaller_blocks_is_tried_with_those(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 1500);
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    answer(.code = COPAL_REQUEST_ENTITY_TOO_LARGE, .block1 = BLOCK(0, 1, 4));
    asked(BLOCK(0, 1, 4), NONE, 0, 256);
    answer(.code = COPAL_REQUEST_ENTITY_TOO_LARGE, .block1 = BLOCK(0, 1, 4)); /* it is the body */
    ends(0, COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(job.transfer.sent, 0);
    close_job();
}

static void rfc7959_2_9_3_too_large_for_one_datagram_is_tried_in_blocks(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 100);
    start();
    asked(NONE, NONE, 0, 100);
    answer(.code = COPAL_REQUEST_ENTITY_TOO_LARGE);
    asked(BLOCK(0, 1, 2), NONE, 0, 64);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 2));
    asked(BLOCK(1, 0, 2), NONE, 64, 36);
    answer(.code = COPAL_CHANGED, .block1 = BLOCK(1, 0, 2));
    ends(0, COPAL_CHANGED);
    close_job();
}

static void too_large_at_any_block_size_is_the_answer(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 100);
    start();
    asked(NONE, NONE, 0, 100);
    answer(.code = COPAL_REQUEST_ENTITY_TOO_LARGE, .size1 = 80); /* the most that it takes */
    ends(0, COPAL_REQUEST_ENTITY_TOO_LARGE);
    close_job();
    open_job(COPAL_PUT, 16);
    start();
    asked(NONE, NONE, 0, 16);
    answer(.code = COPAL_REQUEST_ENTITY_TOO_LARGE);
    ends(0, COPAL_REQUEST_ENTITY_TOO_LARGE);
    close_job();
}

static void rfc7959_2_9_2_an_incomplete_body_is_sent_again_once(void **state)
{
    uint8_t tag[8];
    (void)state;
    open_job(COPAL_PUT, 1500);
    start();
    copal_bytes_t given = tag_of(asked(BLOCK(0, 1, 6), NONE, 0, 1024));
    size_t size = given.size;
    memcpy(tag, given.data, size);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    asked(BLOCK(1, 0, 6), NONE, 1024, 476);
    answer(.code = COPAL_REQUEST_ENTITY_INCOMPLETE, .block1 = BLOCK(1, 0, 6));
    given = tag_of(asked(BLOCK(0, 1, 6), NONE, 0, 1024));
    assert_true(given.size != size || memcmp(given.data, tag, size) != 0); /* another body, as far as anybody knows */
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    asked(BLOCK(1, 0, 6), NONE, 1024, 476);
    answer(.code = COPAL_REQUEST_ENTITY_INCOMPLETE);
    ends(0, COPAL_REQUEST_ENTITY_INCOMPLETE);
    close_job();
}

static void rfc7959_2_3_a_server_may_act_on_each_block(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 1500);
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    answer(.code = COPAL_CREATED, .block1 = BLOCK(0, 0, 6));
    asked(BLOCK(1, 0, 6), NONE, 1024, 476);
    answer(.code = COPAL_CHANGED, .block1 = BLOCK(1, 0, 6));
    ends(0, COPAL_CHANGED);
    close_job();
}

static void a_part_taken_for_the_whole_is_an_error(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 1500);
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    answer(.code = COPAL_CHANGED);
    ends(COPAL_EFORMAT, 0);
    close_job();
    open_job(COPAL_PUT, 1500); /* and the whole for a part */
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    answer(.code = COPAL_CONTINUE);
    asked(BLOCK(1, 0, 6), NONE, 1024, 476);
    answer(.code = COPAL_CONTINUE);
    ends(COPAL_EFORMAT, 0);
    close_job();
}

static void an_error_half_way_ends_an_upload(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 1500);
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    answer(.code = COPAL_FORBIDDEN);
    ends(0, COPAL_FORBIDDEN);
    close_job();
}

static void blocks_are_no_larger_than_wanted_nor_than_fits(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 100);
    job.transfer.block_size = 64;
    start();
    asked(BLOCK(0, 1, 2), NONE, 0, 64);
    close_job();
    open_endpoint(&(copal_limits_t){.requests = 2, .datagram_size = 256, .payload_size = 256});
    job_open(&job, &bench, COPAL_PUT, 250);
    start();
    asked(BLOCK(0, 1, 3), NONE, 0, 128);
    close_job();
}

static void what_cannot_be_sent_is_told_at_the_start(void **state)
{
    (void)state;
    open_job(COPAL_PUT, (17u << 20) + 1);
    job.transfer.block_size = 24;
    assert_int_equal(job_start(&job), COPAL_EINVAL);
    job.transfer.block_size = 2048;
    assert_int_equal(job_start(&job), COPAL_EINVAL);
    job.transfer.block_size = 16;
    assert_int_equal(job_start(&job), COPAL_ESPACE); /* over 2^20 blocks */
    job.transfer.size = 1u << 24;
    start();
    close_job();
}

static void an_error_of_the_reader_is_the_outcome(void **state)
{
    (void)state;
    open_job(COPAL_PUT, 1500);
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    job.read_error = COPAL_ESYSTEM;
    answer(.code = COPAL_CONTINUE);
    ends(COPAL_ESYSTEM, 0);
    assert_int_equal(job_start(&job), COPAL_ESYSTEM);
    bench_idle(&bench);
    close_job();
}

/* ---- both ways ------------------------------------------------------------------------------------------------ */

static void rfc7959_3_3_the_blocks_of_an_answer_are_asked_for_without_the_payload(void **state)
{
    uint8_t tag[8];
    (void)state;
    open_job(COPAL_POST, 1500);
    start();
    copal_bytes_t given = tag_of(asked(BLOCK(0, 1, 6), NONE, 0, 1024));
    size_t size = given.size;
    memcpy(tag, given.data, size);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    asked(BLOCK(1, 0, 6), NONE, 1024, 476);
    answer(.code = COPAL_CHANGED, .block1 = BLOCK(1, 0, 6), .block2 = BLOCK(0, 1, 3), .size = 128);
    check_bytes(tag_of(asked(NONE, BLOCK(1, 0, 3), 0, 0)), (copal_bytes_t){tag, size}); /* RFC 9175 section 3.4 */
    answer(.code = COPAL_CHANGED, .block2 = BLOCK(1, 0, 3), .from = 128, .size = 1);
    ends(0, COPAL_CHANGED);
    has_body(129);
    close_job();
    open_job(COPAL_POST, 10); /* likewise where the request was one datagram */
    start();
    asked(NONE, NONE, 0, 10);
    answer(.code = COPAL_CHANGED, .block2 = BLOCK(0, 1, 3), .size = 128);
    asked(NONE, BLOCK(1, 0, 3), 0, 0);
    close_job();
}

static void rfc7959_3_3_early_negotiation_is_in_the_last_block(void **state)
{
    (void)state;
    open_job(COPAL_POST, 100);
    job.transfer.blocks = true;
    job.transfer.block_size = 64;
    start();
    asked(BLOCK(0, 1, 2), NONE, 0, 64);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 2));
    asked(BLOCK(1, 0, 2), BLOCK(0, 0, 2), 64, 36);
    close_job();
}

/* What it asks for is in its payload, and a server need not remember. */
static void rfc8132_2_5_a_fetch_repeats_its_payload(void **state)
{
    (void)state;
    open_job(COPAL_FETCH, 10);
    start();
    asked(NONE, NONE, 0, 10);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 3), .size = 128);
    asked(NONE, BLOCK(1, 0, 3), 0, 10);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 3), .from = 128, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(129);
    close_job();
    open_job(COPAL_FETCH, 1500); /* but where it took blocks the server has had to */
    start();
    asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    asked(BLOCK(1, 0, 6), NONE, 1024, 476);
    answer(.code = COPAL_CONTENT, .block1 = BLOCK(1, 0, 6), .block2 = BLOCK(0, 1, 3), .etag = "1", .size = 128);
    asked(NONE, BLOCK(1, 0, 3), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 3), .etag = "2", .from = 128, .size = 1);
    asked(BLOCK(0, 1, 6), NONE, 0, 1024); /* from the start means from the request's own */
    close_job();
}

/* ---- ends, tokens --------------------------------------------------------------------------------------------- */

static void a_cancelled_transfer_is_silent(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
    assert_int_equal(copal_transfer_cancel(&job.transfer, bench.now), 0);
    assert_int_equal(copal_transfer_cancel(&job.transfer, bench.now), COPAL_ESTALE);
    bench_idle(&bench);
    assert_int_equal(job.outcomes, 0);
    close_job();
}

static void a_given_token_is_that_of_each_exchange(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    job.transfer.request.given_token = true;
    job.transfer.request.token = BYTES(1, 2);
    start();
    check_bytes(asked(NONE, NONE, 0, 0)->token, BYTES(1, 2));
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
    check_bytes(asked(NONE, BLOCK(1, 0, 0), 0, 0)->token, BYTES(1, 2));
    close_job();
}

static void all_blocks_of_a_body_bear_one_token(void **state)
{
    uint8_t first[8];
    (void)state;
    open_job(COPAL_PUT, 2500);
    start();
    const copal_message_t *m = asked(BLOCK(0, 1, 6), NONE, 0, 1024);
    assert_int_equal(m->token.size, sizeof first);
    memcpy(first, m->token.data, sizeof first);
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(0, 1, 6));
    check_bytes(asked(BLOCK(1, 1, 6), NONE, 1024, 1024)->token, (copal_bytes_t){first, sizeof first});
    answer(.code = COPAL_CONTINUE, .block1 = BLOCK(1, 1, 6));
    check_bytes(asked(BLOCK(2, 0, 6), NONE, 2048, 452)->token, (copal_bytes_t){first, sizeof first});
    answer(.code = COPAL_CHANGED, .block1 = BLOCK(2, 0, 6));
    ends(0, COPAL_CHANGED);
    close_job();
}

static void no_free_request_is_told_at_the_start(void **state)
{
    outcome_t others[2];
    (void)state;
    open_job(COPAL_GET, 0);
    bench_ask(&bench, 1, COPAL_GET, true, &others[0]);
    bench_ask(&bench, 1, COPAL_GET, true, &others[1]);
    assert_int_equal(job_start(&job), COPAL_EFULL);
    assert_int_equal(copal_transfer_cancel(&job.transfer, bench.now), COPAL_ESTALE);
    close_job();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_in_one_datagram_goes_without_blocks),
        cmocka_unit_test(rfc7959_2_5_a_body_goes_in_blocks_that_are_acknowledged),
        cmocka_unit_test(rfc7959_2_10_if_none_match_goes_with_the_first_block_only),
        cmocka_unit_test(rfc9175_3_4_a_body_has_one_tag_and_the_next_another),
        cmocka_unit_test(rfc9175_3_4_a_body_has_one_tag_whatever_its_first_handle),
        cmocka_unit_test(rfc7959_2_5_the_server_may_want_smaller_blocks_half_way),
        cmocka_unit_test(rfc7959_2_9_3_too_large_with_smaller_blocks_is_tried_with_those),
        cmocka_unit_test(rfc7959_2_9_3_too_large_for_one_datagram_is_tried_in_blocks),
        cmocka_unit_test(too_large_at_any_block_size_is_the_answer),
        cmocka_unit_test(rfc7959_2_9_2_an_incomplete_body_is_sent_again_once),
        cmocka_unit_test(rfc7959_2_3_a_server_may_act_on_each_block),
        cmocka_unit_test(a_part_taken_for_the_whole_is_an_error),
        cmocka_unit_test(an_error_half_way_ends_an_upload),
        cmocka_unit_test(blocks_are_no_larger_than_wanted_nor_than_fits),
        cmocka_unit_test(what_cannot_be_sent_is_told_at_the_start),
        cmocka_unit_test(an_error_of_the_reader_is_the_outcome),
        cmocka_unit_test(rfc7959_3_3_the_blocks_of_an_answer_are_asked_for_without_the_payload),
        cmocka_unit_test(rfc7959_3_3_early_negotiation_is_in_the_last_block),
        cmocka_unit_test(rfc8132_2_5_a_fetch_repeats_its_payload),
        cmocka_unit_test(a_cancelled_transfer_is_silent),
        cmocka_unit_test(a_given_token_is_that_of_each_exchange),
        cmocka_unit_test(all_blocks_of_a_body_bear_one_token),
        cmocka_unit_test(no_free_request_is_told_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
