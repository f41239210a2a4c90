/* A transfer whose bodies are body_octet(i) and whose outcome is written down. */
#ifndef TESTS_BLOCKWISE_JOB_H
#define TESTS_BLOCKWISE_JOB_H

#include "copal/transfer.h"
#include "support/bench.h"

#include <string.h>

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

#endif
