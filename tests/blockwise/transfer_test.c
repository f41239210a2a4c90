/* Transfers, with a server that the test plays by hand. The simulation of both ends is in transfer_weather_test.c. */
#include "job.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BLOCK(number, more, szx) ((number) << 4 | (more) << 3 | (szx))
#define NONE                     (-1)
#define ZERO                     INT64_MAX /* stands for an option of the value 0 in answer_t */

/* An answer by hand. */
typedef struct {
    copal_code_t code;
    int64_t block1, block2, size1, size2, observe; /* option values; 0: none */
    const char *etag;
    size_t from, size; /* of the payload, octets of the body */
    bool notification; /* in a message of its own */
} answer_t;

static bench_t bench;
static job_t job;
static uint16_t server_id;

static void open_endpoint(const copal_limits_t *limits)
{
    bench = (bench_t){0};
    bench_open(&bench, &(copal_config_t){.limits = *limits});
}

static void open_job(copal_code_t code, size_t size)
{
    open_endpoint(&(copal_limits_t){.requests = 2});
    job_open(&job, &bench, code, size);
    if (code == COPAL_GET)
        job.transfer.block_size = 16; /* no first block is small, then */
}

static void start(void)
{
    assert_in_range(job_start(&job), 0, 65535);
}

static void close_job(void)
{
    bench_close(&bench);
}

static void write_value(copal_writer_t *w, uint16_t number, int64_t value)
{
    if (value)
        copal_write_option_uint(w, number, value == ZERO ? 0 : (uint32_t)value);
}

static void send_answer(uint16_t id, copal_bytes_t token, const answer_t *a)
{
    message_t m;
    if (a->notification)
        message_start(&m, COPAL_NON, a->code, server_id++, token);
    else
        message_start(&m, COPAL_ACK, a->code, id, token);
    if (a->etag)
        message_text_option(&m, COPAL_OPTION_ETAG, a->etag);
    write_value(&m.w, COPAL_OPTION_OBSERVE, a->observe);
    write_value(&m.w, COPAL_OPTION_BLOCK2, a->block2);
    write_value(&m.w, COPAL_OPTION_BLOCK1, a->block1);
    write_value(&m.w, COPAL_OPTION_SIZE2, a->size2);
    write_value(&m.w, COPAL_OPTION_SIZE1, a->size1);
    for (size_t i = 0; i < a->size; i++) {
        uint8_t octet = body_octet(a->from + i);
        copal_write_payload(&m.w, (copal_bytes_t){&octet, 1});
    }
    bench_accept(&bench, 1, message_end(&m));
}

/* Answers the request that was seen last. */
#define answer(...) send_answer(bench.sent.message.id, bench.sent.message.token, &(answer_t){__VA_ARGS__})

/* One request leaves, with these block options and a payload of so many octets of the body. */
static const copal_message_t *(asked)(int64_t block1, int64_t block2, size_t from, size_t size)
{
    const copal_message_t *m = (bench_sent)(&bench);
    check_equal(option_of(m, COPAL_OPTION_BLOCK1), block1);
    check_equal(option_of(m, COPAL_OPTION_BLOCK2), block2);
    check_equal(m->payload.size, size);
    for (size_t i = 0; i < size; i++)
        check_equal(m->payload.data[i], body_octet(from + i));
    return m;
}
#define asked(...) CHECKED(asked(__VA_ARGS__))

static void (ends)(int status, copal_code_t code)
{
    check_equal(job.outcomes, 1);
    check(job.ended);
    check_equal(job.status, status);
    check_equal(job.code, code);
    check_equal(copal_transfer_cancel(&job.transfer, bench.now), COPAL_ESTALE);
    (bench_idle)(&bench);
}
#define ends(...) CHECKED(ends(__VA_ARGS__))

static void (has_body)(size_t size)
{
    check_equal(job.size, size);
    check_equal(job.transfer.received, size);
    for (size_t i = 0; i < size; i++)
        check_equal(job.body[i], body_octet(i));
}
#define has_body(...) CHECKED(has_body(__VA_ARGS__))

static copal_bytes_t tag_of(const copal_message_t *m)
{
    copal_option_t option;
    return copal_option_find(m, COPAL_OPTION_REQUEST_TAG, &option) ? option.value : NO_BYTES;
}

static bool has_option(const copal_message_t *m, uint16_t number)
{
    copal_option_t option;
    return copal_option_find(m, number, &option);
}

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

/* It may be all that the server can, or what it gives to an address that it does not know yet. */
static void a_tiny_first_block_is_asked_for_again_in_the_size_that_is_wanted(void **state)
{
    (void)state;
    for (uint32_t can = 0; can <= 6; can += 6) {
        open_job(COPAL_GET, 0);
        job.transfer.block_size = 0;
        start();
        asked(NONE, NONE, 0, 0);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .etag = "1", .size = 16);
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
        cmocka_unit_test(a_body_in_one_datagram_goes_without_blocks),
        cmocka_unit_test(rfc7959_2_5_a_body_goes_in_blocks_that_are_acknowledged),
        cmocka_unit_test(rfc7959_2_10_if_none_match_goes_with_the_first_block_only),
        cmocka_unit_test(rfc9175_3_4_a_body_has_one_tag_and_the_next_another),
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
        cmocka_unit_test(a_body_in_one_datagram_is_written_at_once),
        cmocka_unit_test(rfc7959_2_4_blocks_are_fetched_one_by_one),
        cmocka_unit_test(a_block_size_may_be_asked_for_from_the_start),
        cmocka_unit_test(rfc7959_2_4_the_server_s_block_size_counts),
        cmocka_unit_test(a_tiny_first_block_is_asked_for_again_in_the_size_that_is_wanted),
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
        cmocka_unit_test(rfc7959_3_3_the_blocks_of_an_answer_are_asked_for_without_the_payload),
        cmocka_unit_test(rfc7959_3_3_early_negotiation_is_in_the_last_block),
        cmocka_unit_test(rfc8132_2_5_a_fetch_repeats_its_payload),
        cmocka_unit_test(rfc7959_2_6_the_rest_of_each_state_is_fetched),
        cmocka_unit_test(a_newer_state_takes_the_place_of_one_that_is_being_fetched),
        cmocka_unit_test(a_state_that_cannot_be_fetched_does_not_end_an_observation),
        cmocka_unit_test(a_state_that_changed_is_fetched_from_its_start_without_observe),
        cmocka_unit_test(an_error_notification_ends_the_fetch_too),
        cmocka_unit_test(without_observe_in_the_answer_the_body_is_fetched_and_that_is_all),
        cmocka_unit_test(a_writer_s_error_ends_the_observation),
        cmocka_unit_test(a_cancelled_observation_is_deregistered),
        cmocka_unit_test(an_observation_is_asked_for_in_one_datagram),
        cmocka_unit_test(a_cancelled_transfer_is_silent),
        cmocka_unit_test(a_given_token_is_that_of_each_exchange),
        cmocka_unit_test(all_blocks_of_a_body_bear_one_token),
        cmocka_unit_test(no_free_request_is_told_at_the_start),
        cmocka_unit_test(rfc7252_4_4_a_download_moves_on_when_its_message_ids_are_used_up),
        cmocka_unit_test(rfc7252_4_4_else_it_waits_for_one_and_that_is_no_time_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
