/* Asking and waiting for the answer. */
#define _GNU_SOURCE 1
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GLANCE 20u /* microseconds */
#define UNSEEN 63u /* sleeps */

/* ---- one request ----------------------------------------------------------------------------------------- */

typedef struct {
    copal_host_t *host;
    copal_answer_t *answer;
    size_t capacity; /* of the answer's payload */
    unsigned unseen; /* sleeps until it glances again */
    bool ended;
    int status;
} waiter_t;

/* A copy of the response's datagram: its parts are put together again. */
static int keep(copal_answer_t *answer, const copal_response_t *response)
{
    const copal_message_t *m = response->message;
    const size_t capacity = 4 + 2 + m->token.size + m->options.size + 1 + m->payload.size;
    uint8_t *copy = malloc(capacity);
    if (!copy)
        return COPAL_ENOMEM;
    copal_writer_t w;
    copal_writer_init(&w, copy, capacity);
    copal_write_header(&w, m->type, m->code, m->id, m->token);
    copal_write_encoded(&w, m->options, 0);
    copal_write_payload(&w, m->payload);
    free((void *)(uintptr_t)answer->datagram.data);
    int status = copal_writer_finish(&w, &answer->datagram);
    answer->code = m->code;
    answer->type = m->type;
    answer->from = response->from->peer;
    return status;
}

/* Puts octets at `offset` of the answer's payload, which is NUL-terminated; they are its end. */
static int put(waiter_t *waiter, size_t offset, copal_bytes_t piece)
{
    copal_answer_t *answer = waiter->answer;
    if (piece.size > waiter->host->body_size - offset)
        return COPAL_ESPACE;
    if (offset + piece.size + 1 > waiter->capacity) {
        const size_t capacity = (offset + piece.size + 1) * 2;
        uint8_t *grown = realloc(answer->payload, capacity);
        if (!grown)
            return COPAL_ENOMEM;
        answer->payload = grown;
        waiter->capacity = capacity;
    }
    if (piece.size > 0)
        memcpy(answer->payload + offset, piece.data, piece.size);
    answer->size = offset + piece.size;
    answer->payload[answer->size] = 0;
    return 0;
}

static int collect(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    return put(task->waiter_, offset, piece);
}

static int32_t content_format(const copal_message_t *message)
{
    copal_option_t option;
    if (!copal_option_find(message, COPAL_OPTION_CONTENT_FORMAT, &option))
        return -1;
    return (int32_t)copal_option_uint(&option);
}

/* What the last message says of the answer. An error has a text of its own, whatever came of a body before. */
static int take_message(waiter_t *waiter, const copal_response_t *response, bool collected)
{
    const copal_message_t *m = response->message;
    waiter->answer->content_format = content_format(m);
    if (COPAL_CODE_CLASS(m->code) != 2 || (collected && m->code == COPAL_VALID)) {
        const int status = put(waiter, 0, m->payload);
        if (status < 0)
            return status;
    }
    return keep(waiter->answer, response);
}

static void done(copal_task_t *task, const copal_response_t *response)
{
    waiter_t *waiter = task->waiter_;
    waiter->status = response->status;
    waiter->answer->id = response->id;
    if (response->status < 0 && copal_host_problem(waiter->host))
        snprintf(waiter->answer->problem, COPAL_PROBLEM_SIZE, "%s", copal_host_problem(waiter->host));
    if (response->message)
        waiter->status = take_message(waiter, response, task->write == collect);
    waiter->ended = true;
    copal__lock_notify(&waiter->host->workers[0].lock);
    copal__host_wake(waiter->host); /* it may sleep in a step of its own */
}

static uint64_t received(const copal_host_t *host)
{
    return copal_endpoint_counters(host->client.endpoint)->received;
}

/* Looks whether something comes at once: from a server on the same machine that is sooner than it takes to be woken. Where
 * nothing did, as from any server that is further away, it is not tried again soon. */
static int glance(copal_host_t *host, waiter_t *waiter)
{
    const int64_t began = copal__microseconds();
    const uint64_t before = received(host);
    int status = 0;
    while (status == 0 && received(host) == before && copal__microseconds() - began < GLANCE)
        status = copal__host_step(host, 0);
    if (received(host) == before)
        waiter->unseen = UNSEEN;
    return status;
}

static int step(copal_host_t *host, waiter_t *waiter)
{
    if (waiter->unseen == 0)
        return glance(host, waiter);
    waiter->unseen--;
    return copal__host_step(host, -1);
}

/* Where another thread runs the host, it is left to that; when that ends, this one goes on. */
static int wait_for(copal_host_t *host, waiter_t *waiter)
{
    while (!waiter->ended) {
        if (atomic_load(&host->workers[0].runner) != 0) {
            copal__host_wake(host);
            copal__lock_wait(&host->workers[0].lock);
            continue;
        }
        int status = step(host, waiter);
        if (status < 0)
            return status;
    }
    return waiter->status;
}

static int ask_peer(copal_host_t *host, const copal_ask_t *given, const copal_peer_t *peer, copal_task_t *task,
                    copal_answer_t *answer)
{
    copal_ask_t ask = *given;
    waiter_t waiter = {.host = host, .answer = answer};
    ask.to = peer;
    *answer->problem = 0;
    task->done = done;
    task->waiter_ = &waiter;
    copal__host_enter(host);
    int status = copal__host_transfer(host, &ask, task);
    if (status >= 0) {
        status = wait_for(host, &waiter);
        if (!waiter.ended)
            copal__task_cancel(task);
    }
    copal__host_leave(host);
    return status;
}

/* What a payload has instead of a copy: the caller lends it until the answer is there. */
static int read_payload(void *context, size_t offset, void *out, size_t size)
{
    const copal_bytes_t *payload = context;
    memcpy(out, payload->data + offset, size);
    return 0;
}

static int ask_peers(copal_host_t *host, const copal_ask_t *given, copal_task_t *task, copal_answer_t *answer)
{
    copal_peer_t peers[COPAL__PEERS];
    copal_ask_t ask = *given;
    copal_bytes_t payload = given->payload;
    if (copal__host_is_inside(host) || given->observe)
        return COPAL_EINVAL; /* inside a callback there is nobody who could receive the answer */
    if (!ask.read) {
        ask.read = read_payload;
        ask.context = &payload;
        ask.size = payload.size;
    }
    int count = copal__ask_peers(&ask, peers), status = count;
    if (count > 0 && copal_peer_is_group(&peers[0]))
        return COPAL_EINVAL; /* many may answer */
    for (int i = 0; i < count; i++) {
        status = ask_peer(host, &ask, &peers[i], task, answer);
        if (status != COPAL_EUNREACHABLE || task->transfer.sent > 0 ||
            task->transfer.received > task->transfer.resume_at)
            break; /* else the name may have another address, as localhost has */
    }
    return status;
}

/* Of what is no answer, only what is known of the end of a session stays. */
static void discard(copal_answer_t *answer)
{
    copal_answer_t nothing = {.content_format = -1};
    memcpy(nothing.problem, answer->problem, COPAL_PROBLEM_SIZE);
    copal_answer_free(answer);
    *answer = nothing;
}

int copal_host_stream(copal_host_t *host, const copal_ask_t *ask, copal_task_t *task, copal_answer_t *answer)
{
    *answer = (copal_answer_t){.content_format = -1};
    const bool collects = !task->write;
    if (collects)
        task->write = collect;
    const int status = ask_peers(host, ask, task, answer);
    if (collects)
        task->write = NULL;
    if (status < 0)
        discard(answer);
    return status;
}

int copal_host_ask(copal_host_t *host, const copal_ask_t *ask, copal_answer_t *answer)
{
    return copal_host_stream(host, ask, &(copal_task_t){0}, answer);
}

void copal_answer_free(copal_answer_t *answer)
{
    free(answer->payload);
    free((void *)(uintptr_t)answer->datagram.data);
    memset(answer, 0, sizeof *answer);
}

int copal_get(const char *uri, copal_answer_t *answer)
{
    copal_host_t *host;
    memset(answer, 0, sizeof *answer);
    int status = copal_host_open(&host, NULL);
    if (status < 0)
        return status;
    status = copal_host_ask(host, &(copal_ask_t){.uri = uri}, answer);
    copal_host_close(host);
    return status;
}
