/* Transfers of an answer's body: its blocks, states that change, resumption, more blocks than message IDs. */
#include "job.h"

/* ---- download ---------------------------------------------------------------------------------------------- */

static void a_body_in_one_datagram_is_written_at_once(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .size = 10, .etag = "e");
    ends(0, COPAL_CONTENT);
    has_body(10);
    assert_int_equal(job.transfer.etag_size, 1);
    close_job();
}

static void rfc7959_2_4_blocks_are_fetched_one_by_one(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    job.transfer.progress = job_progress;
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 6), .etag = "e", .size = 1024);
    const copal_message_t *m = asked(NONE, BLOCK(1, 0, 6), 0, 0);
    assert_false(has_option(m, COPAL_OPTION_IF_MATCH));
    assert_int_equal(option_of(m, COPAL_OPTION_SIZE2), 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 1, 6), .etag = "e", .size2 = 2500, .from = 1024, .size = 1024);
    assert_int_equal(job.transfer.total, 2500);
    assert_false(has_option(asked(NONE, BLOCK(2, 0, 6), 0, 0), COPAL_OPTION_SIZE2));
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(2, 0, 6), .etag = "e", .from = 2048, .size = 452);
    ends(0, COPAL_CONTENT);
    has_body(2500);
    assert_int_equal(job.progressed, 3);
    assert_int_equal(job.begun, 1);
    close_job();
}

static void a_block_size_may_be_asked_for_from_the_start(void **state)
{
    (void)state;
    for (uint8_t szx = 0; szx <= 6; szx++) {
        const size_t size = (size_t)16 << szx;
        open_job(COPAL_GET, 0);
        job.transfer.blocks = true;
        job.transfer.block_size = (uint16_t)size;
        start();
        asked(NONE, BLOCK(0, 0, szx), 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, szx), .size = size);
        asked(NONE, BLOCK(1, 0, szx), 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, szx), .from = size, .size = 1);
        ends(0, COPAL_CONTENT);
        has_body(size + 1);
        close_job();
    }
}

/* One that cannot do as large, and one that does not listen. */
static void rfc7959_2_4_the_server_s_block_size_counts(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    job.transfer.blocks = true;
    job.transfer.block_size = 64;
    start();
    asked(NONE, BLOCK(0, 0, 2), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 1), .size = 32);
    asked(NONE, BLOCK(1, 0, 1), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(2, 1, 0), .from = 32, .size = 16);
    asked(NONE, BLOCK(3, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(3, 0, 0), .from = 48, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(49);
    start();
    asked(NONE, BLOCK(0, 0, 2), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 6), .size = 1024);
    asked(NONE, BLOCK(1, 0, 6), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 6), .from = 1024, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(1025);
    close_job();
}

/* A download whose first block is tiny, though no size was asked for. */
static void open_tiny(void)
{
    open_job(COPAL_GET, 0);
    job.transfer.block_size = 0;
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
}

/* It may be all that the server can, or what it gives to an address that it does not know yet. */
static void a_tiny_first_block_is_asked_for_again_in_the_size_that_is_wanted(void **state)
{
    (void)state;
    for (uint32_t can = 0; can <= 6; can += 6) {
        open_tiny();
        assert_int_equal(job.begun, 0);
        asked(NONE, BLOCK(0, 0, 6), 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, can), .etag = "1", .size = 16u << can);
        asked(NONE, BLOCK(1, 0, can), 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, can), .etag = "1", .from = 16u << can, .size = 1);
        ends(0, COPAL_CONTENT);
        has_body((16u << can) + 1);
        close_job();
    }
}

/* Gets blocks of 16 octets until so many have come, asked for as such. */
static void come_tiny(unsigned from, unsigned until)
{
    for (unsigned at = from; at < until; at += 16) {
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(at / 16, 1, 0), .etag = "1", .from = at, .size = 16);
        if (at + 16 < until)
            asked(NONE, BLOCK(at / 16 + 1, 0, 0), 0, 0);
    }
}

/* Up to where a larger block is asked for half way: 1,024 octets came in blocks of 16. */
static void ask_larger_after_tiny(void)
{
    open_tiny();
    asked(NONE, BLOCK(0, 0, 6), 0, 0);
    come_tiny(0, 1024);
    asked(NONE, BLOCK(1, 0, 6), 0, 0);
}

/* The server may learn only later that the address is real. */
static void after_tiny_blocks_the_wanted_size_is_asked_for_again_and_ever_more_seldom(void **state)
{
    (void)state;
    ask_larger_after_tiny();
    come_tiny(1024, 2048);
    asked(NONE, BLOCK(2, 0, 6), 0, 0);
    come_tiny(2048, 4096); /* at 3072 nothing is asked */
    asked(NONE, BLOCK(4, 0, 6), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(4, 1, 6), .etag = "1", .from = 4096, .size = 1024);
    asked(NONE, BLOCK(5, 0, 6), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(5, 0, 6), .etag = "1", .from = 5120, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(5121);
    close_job();
}

static void a_server_that_refuses_another_size_half_way_is_asked_anew_without(void **state)
{
    (void)state;
    ask_larger_after_tiny();
    answer(.code = COPAL_BAD_REQUEST);
    asked(NONE, BLOCK(0, 0, 6), 0, 0);
    come_tiny(0, 1024);
    asked(NONE, BLOCK(64, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(64, 0, 0), .etag = "1", .from = 1024, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(1025);
    close_job();
}

/* As go-coap does. */
static void a_server_that_gives_the_small_block_of_a_large_one_s_number_is_asked_for_the_right_one(void **state)
{
    (void)state;
    ask_larger_after_tiny();
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 1, 0), .etag = "1", .from = 16, .size = 16);
    asked(NONE, BLOCK(64, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(64, 0, 0), .etag = "1", .from = 1024, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(1025);
    close_job();
}

static void rfc7959_2_4_another_etag_starts_over_once(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
    asked(NONE, BLOCK(1, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "2", .from = 16, .size = 1);
    assert_false(has_option(asked(NONE, NONE, 0, 0), COPAL_OPTION_IF_MATCH));
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "2", .size = 16);
    asked(NONE, BLOCK(1, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .from = 16, .size = 1); /* none is another one */
    ends(COPAL_EFORMAT, 0);
    assert_int_equal(job.begun, 2);
    assert_int_equal(job.size, 16);
    close_job();
}

/* It cannot be asked for the whole again: that would have an effect again. */
static void a_changed_answer_to_a_request_with_effects_is_an_error(void **state)
{
    (void)state;
    open_job(COPAL_POST, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CHANGED, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
    asked(NONE, BLOCK(1, 0, 0), 0, 0);
    answer(.code = COPAL_CHANGED, .block2 = BLOCK(1, 0, 0), .etag = "2", .from = 16, .size = 1);
    ends(COPAL_EFORMAT, 0);
    close_job();
}

static void a_state_that_shrank_starts_over(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
    asked(NONE, BLOCK(1, 0, 0), 0, 0);
    answer(.code = COPAL_BAD_REQUEST); /* there is no such block */
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .etag = "2", .size = 3);
    ends(0, COPAL_CONTENT);
    has_body(3);
    close_job();
}

static void blocks_that_do_not_fit_together_are_no_body(void **state)
{
    static const answer_t second[] = {
        {.block2 = BLOCK(2, 0, 0), .size = 1},  /* a gap */
        {.block2 = ZERO, .size = 1},            /* the first again */
        {.block2 = BLOCK(1, 1, 0), .size = 15}, /* short, and not the last */
        {.block2 = BLOCK(1, 1, 1), .size = 32}, /* as block 1 of another size it begins elsewhere */
        {.block2 = BLOCK(1, 0, 7), .size = 1},
        {.code = COPAL_CONTINUE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
        answer_t a = second[i];
        open_job(COPAL_GET, 0);
        start();
        asked(NONE, NONE, 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
        asked(NONE, BLOCK(1, 0, 0), 0, 0);
        a.code = a.code ? a.code : COPAL_CONTENT;
        send_answer(bench.sent.message.id, bench.sent.message.token, &a);
        ends(COPAL_EFORMAT, 0);
        assert_int_equal(job.size, 16);
        close_job();
    }
}

static void an_error_half_way_is_the_answer(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
    asked(NONE, BLOCK(1, 0, 0), 0, 0);
    answer(.code = COPAL_NOT_FOUND, .size = 5);
    ends(0, COPAL_NOT_FOUND);
    assert_int_equal(job.size, 16);
    close_job();
}

static void silence_half_way_is_a_time_out(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
    while (!job.ended) {
        while (bench_take(&bench))
            ;
        if (!job.ended)
            bench_wait(&bench);
    }
    ends(COPAL_ETIMEOUT, 0);
    close_job();
}

static void an_error_of_the_writer_is_the_outcome(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    job.write_error = COPAL_ESPACE;
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
    ends(COPAL_ESPACE, 0);
    close_job();
}

static void without_a_writer_the_first_answer_will_do(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    job.transfer.write = NULL;
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
    ends(0, COPAL_CONTENT);
    close_job();
}

static void a_valid_state_has_no_body(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    start();
    asked(NONE, NONE, 0, 0);
    answer(.code = COPAL_VALID, .etag = "1");
    ends(0, COPAL_VALID);
    assert_int_equal(job.begun, 0);
    close_job();
}

/* ---- resumption --------------------------------------------------------------------------------------------- */

static void open_resumption(void)
{
    open_job(COPAL_GET, 0);
    job.transfer.block_size = 16;
    job.transfer.resume_at = 32;
    job.transfer.etag_size = 1;
    job.transfer.etag[0] = '1';
    job.size = 32;
    for (size_t i = 0; i < 32; i++)
        job.body[i] = body_octet(i);
    start();
    asked(NONE, BLOCK(2, 0, 0), 0, 0);
}

static void a_download_goes_on_where_it_was_interrupted(void **state)
{
    (void)state;
    open_resumption();
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(2, 1, 0), .etag = "1", .from = 32, .size = 16);
    asked(NONE, BLOCK(3, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(3, 0, 0), .etag = "1", .from = 48, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(49);
    assert_int_equal(job.begun, 0);
    close_job();
}

static void a_resumption_begins_anew_where_the_state_is_another(void **state)
{
    static const answer_t others[] = {
        {.code = COPAL_CONTENT, .block2 = BLOCK(2, 0, 0), .etag = "2", .size = 1},
        {.code = COPAL_CONTENT, .block2 = BLOCK(2, 0, 0), .size = 1},
        {.code = COPAL_CONTENT, .block2 = BLOCK(1, 1, 0), .etag = "1", .size = 16}, /* not what was asked for */
        {.code = COPAL_BAD_REQUEST},
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        open_resumption();
        send_answer(bench.sent.message.id, bench.sent.message.token, &others[i]);
        asked(NONE, NONE, 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "2", .size = 16);
        asked(NONE, BLOCK(1, 0, 0), 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "3", .from = 16, .size = 1);
        asked(NONE, NONE, 0, 0); /* that was not yet the one time that it may change */
        answer(.code = COPAL_CONTENT, .etag = "3", .size = 5);
        ends(0, COPAL_CONTENT);
        has_body(5);
        close_job();
    }
}

static void a_resumption_takes_the_start_where_the_server_sends_that(void **state)
{
    (void)state;
    open_resumption();
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
    asked(NONE, BLOCK(1, 0, 0), 0, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, 0, 0), .etag = "1", .from = 16, .size = 1);
    ends(0, COPAL_CONTENT);
    has_body(17);
    close_job();
}

static void without_an_etag_nothing_is_resumed(void **state)
{
    (void)state;
    open_job(COPAL_GET, 0);
    job.transfer.block_size = 16;
    job.transfer.resume_at = 33;
    assert_int_equal(job_start(&job), COPAL_EINVAL);
    job.transfer.resume_at = 32;
    start();
    asked(NONE, NONE, 0, 0);
    close_job();
}

/* ---- more blocks than there are message IDs --------------------------------------------------------------- */

static uint8_t used[2][65536 / 8]; /* message IDs, by via */

static bool move_on(copal_transfer_t *t, unsigned tries)
{
    assert_int_equal(tries, 1);
    assert_int_equal(t->request.via, 7);
    t->request.via = 8;
    return true;
}

static int take_all(copal_transfer_t *t, size_t offset, copal_bytes_t piece)
{
    (void)t, (void)offset, (void)piece;
    return 0;
}

/* Answers block after block, while requests come. How many. */
static uint32_t serve_on(uint32_t from, uint32_t most)
{
    uint32_t number = from;
    while (number < most && bench_take(&bench)) {
        uint8_t *octet = &used[bench.sent.via - 7][bench.sent.message.id / 8];
        const uint8_t bit = (uint8_t)(1u << bench.sent.message.id % 8);
        check(!(*octet & bit)); /* section 4.4 of RFC 7252 */
        *octet |= bit;
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(number, 1, 0), .etag = "1", .size = 16);
        number++;
    }
    return number;
}

static void open_long_download(void)
{
    memset(used, 0, sizeof used);
    open_job(COPAL_GET, 0);
    job.transfer.blocks = true;
    job.transfer.block_size = 16;
    job.transfer.write = take_all;
    job.transfer.request.timeout = 5000;
}

static void rfc7252_4_4_a_download_moves_on_when_its_message_ids_are_used_up(void **state)
{
    (void)state;
    open_long_download();
    job.transfer.move = move_on;
    start();
    assert_int_equal(serve_on(0, 100000), 100000);
    assert_int_equal(job.transfer.request.via, 8);
    close_job();
}

static void rfc7252_4_4_else_it_waits_for_one_and_that_is_no_time_out(void **state)
{
    (void)state;
    open_long_download();
    start();
    const uint32_t first = serve_on(0, 100000);
    assert_in_range(first, 65536 - 16384, 65536);
    while (!bench_take(&bench))
        bench_wait(&bench);
    assert_int_equal(job.outcomes, 0);
    answer(.code = COPAL_CONTENT, .block2 = BLOCK(first, 0, 0), .etag = "1", .size = 1);
    ends(0, COPAL_CONTENT);
    close_job();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_in_one_datagram_is_written_at_once),
        cmocka_unit_test(rfc7959_2_4_blocks_are_fetched_one_by_one),
        cmocka_unit_test(a_block_size_may_be_asked_for_from_the_start),
        cmocka_unit_test(rfc7959_2_4_the_server_s_block_size_counts),
        cmocka_unit_test(a_tiny_first_block_is_asked_for_again_in_the_size_that_is_wanted),
        cmocka_unit_test(after_tiny_blocks_the_wanted_size_is_asked_for_again_and_ever_more_seldom),
        cmocka_unit_test(a_server_that_refuses_another_size_half_way_is_asked_anew_without),
        cmocka_unit_test(a_server_that_gives_the_small_block_of_a_large_one_s_number_is_asked_for_the_right_one),
        cmocka_unit_test(rfc7959_2_4_another_etag_starts_over_once),
        cmocka_unit_test(a_changed_answer_to_a_request_with_effects_is_an_error),
        cmocka_unit_test(a_state_that_shrank_starts_over),
        cmocka_unit_test(blocks_that_do_not_fit_together_are_no_body),
        cmocka_unit_test(an_error_half_way_is_the_answer),
        cmocka_unit_test(silence_half_way_is_a_time_out),
        cmocka_unit_test(an_error_of_the_writer_is_the_outcome),
        cmocka_unit_test(without_a_writer_the_first_answer_will_do),
        cmocka_unit_test(a_valid_state_has_no_body),
        cmocka_unit_test(a_download_goes_on_where_it_was_interrupted),
        cmocka_unit_test(a_resumption_begins_anew_where_the_state_is_another),
        cmocka_unit_test(a_resumption_takes_the_start_where_the_server_sends_that),
        cmocka_unit_test(without_an_etag_nothing_is_resumed),
        cmocka_unit_test(rfc7252_4_4_a_download_moves_on_when_its_message_ids_are_used_up),
        cmocka_unit_test(rfc7252_4_4_else_it_waits_for_one_and_that_is_no_time_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
