/* A transfer whose bodies are body_octet(i) and whose outcome is written down; and its server, which the test plays by
 * hand. */
#ifndef TESTS_BLOCKWISE_JOB_H
#define TESTS_BLOCKWISE_JOB_H

#include "copal/transfer.h"
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    copal_transfer_t transfer; /* first, so that it is the job's own address */
    bench_t *bench;
    copal_peer_t peer;
    uint8_t body[20000]; /* of the answer, as far as it came */
    size_t size;
    unsigned begun, progressed; /* how often a body began, and progress was told */
    int read_error, write_error;
    unsigned outcomes;
    bool ended;
    int status;
    copal_code_t code;
    uint16_t id;
    uint8_t token[8];
    size_t token_size;
} job_t;

static inline void job_options(copal_transfer_t *t, copal_writer_t *w, copal_part_t part)
{
    (void)t;
    if (part != COPAL_PART_FETCHING)
        copal_write_option(w, COPAL_OPTION_IF_MATCH, copal_text("m"));
    if (part == COPAL_PART_FIRST)
        copal_write_option(w, COPAL_OPTION_IF_NONE_MATCH, NO_BYTES);
    copal_write_option(w, COPAL_OPTION_URI_PATH, copal_text("a"));
}

static inline int job_read(void *context, size_t offset, void *out, size_t size)
{
    job_t *j = context;
    check(offset + size <= j->transfer.size);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = body_octet(offset + i);
    return j->read_error;
}

static inline int job_write(copal_transfer_t *t, size_t offset, copal_bytes_t piece)
{
    job_t *j = (job_t *)t;
    if (offset == 0) {
        j->begun++;
        j->size = 0;
    }
    check_equal(offset, j->size);
    check(offset + piece.size <= sizeof j->body);
    if (piece.size)
        memcpy(j->body + offset, piece.data, piece.size);
    j->size += piece.size;
    return j->write_error;
}

static inline void job_done(copal_transfer_t *t, const copal_response_t *response)
{
    job_t *j = (job_t *)t;
    check(!j->ended);
    j->outcomes++;
    j->ended = response->ended;
    j->status = response->status;
    j->id = response->id;
    j->token_size = response->token.size;
    if (response->token.size)
        memcpy(j->token, response->token.data, response->token.size);
    check_equal(!response->message, response->status != 0);
    j->code = response->message ? response->message->code : 0;
}

static inline void job_progress(copal_transfer_t *t) { ((job_t *)t)->progressed++; }

/** A CON request to peer 1 with a body of `size` octets. */
static inline void job_open(job_t *j, bench_t *b, copal_code_t code, size_t size)
{
    *j = (job_t){.bench = b, .peer = peer_of(1)};
    j->transfer = (copal_transfer_t){.request = {.to = &j->peer, .via = 7, .code = code, .confirmable = true},
                                     .options = job_options, .read = job_read, .context = j, .size = size,
                                     .write = job_write, .done = job_done};
}

static inline int job_start(job_t *j)
{
    j->outcomes = 0;
    j->ended = false;
    return copal_transfer_start(j->bench->endpoint, j->bench->now, &j->transfer);
}

/* ---- by hand ---------------------------------------------------------------------------------------------------- */

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
static uint16_t server_id; /* the last of its messages' */

static inline void open_endpoint(const copal_limits_t *limits)
{
    bench = (bench_t){0};
    bench_open(&bench, &(copal_config_t){.limits = *limits});
}

static inline void open_job(copal_code_t code, size_t size)
{
    open_endpoint(&(copal_limits_t){.requests = 2});
    job_open(&job, &bench, code, size);
    if (code == COPAL_GET)
        job.transfer.block_size = 16; /* no first block is small, then */
}

static inline void start(void)
{
    assert_in_range(job_start(&job), 0, 65535);
}

static inline void close_job(void)
{
    bench_close(&bench);
}

static inline void write_value(copal_writer_t *w, uint16_t number, int64_t value)
{
    if (value)
        copal_write_option_uint(w, number, value == ZERO ? 0 : (uint32_t)value);
}

static inline void send_answer(uint16_t id, copal_bytes_t token, const answer_t *a)
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
static inline const copal_message_t *(asked)(int64_t block1, int64_t block2, size_t from, size_t size)
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

static inline void (ends)(int status, copal_code_t code)
{
    check_equal(job.outcomes, 1);
    check(job.ended);
    check_equal(job.status, status);
    check_equal(job.code, code);
    check_equal(copal_transfer_cancel(&job.transfer, bench.now), COPAL_ESTALE);
    (bench_idle)(&bench);
}
#define ends(...) CHECKED(ends(__VA_ARGS__))

static inline void (has_body)(size_t size)
{
    check_equal(job.size, size);
    check_equal(job.transfer.received, size);
    for (size_t i = 0; i < size; i++)
        check_equal(job.body[i], body_octet(i));
}
#define has_body(...) CHECKED(has_body(__VA_ARGS__))

static inline copal_bytes_t tag_of(const copal_message_t *m)
{
    copal_option_t option;
    return copal_option_find(m, COPAL_OPTION_REQUEST_TAG, &option) ? option.value : NO_BYTES;
}

static inline bool has_option(const copal_message_t *m, uint16_t number)
{
    copal_option_t option;
    return copal_option_find(m, number, &option);
}

#endif
