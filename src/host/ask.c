/* Asking and waiting for the answer; bodies in blocks are fetched whole (RFC 7959). */
#define _GNU_SOURCE 1
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* ---- one exchange -------------------------------------------------------------------------------------- */

typedef struct {
    copal_receiver_t receiver;
    copal_host_t *host;
    copal_answer_t *answer;
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

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    waiter_t *waiter = (waiter_t *)(void *)self;
    waiter->status = response->status;
    waiter->answer->id = response->id;
    if (response->message)
        waiter->status = keep(waiter->answer, response);
    waiter->ended = true;
    copal__lock_notify(&waiter->host->lock);
    copal__host_wake(waiter->host); /* it may sleep in a step of its own */
}

/* Where another thread runs the host, it is left to that; when that ends, this one goes on. */
static int wait_for(copal_host_t *host, const waiter_t *waiter)
{
    while (!waiter->ended) {
        if (atomic_load(&host->runner) != 0) {
            copal__host_wake(host);
            copal__lock_wait(&host->lock);
            continue;
        }
        int status = copal__host_step(host, -1);
        if (status < 0)
            return status;
    }
    return waiter->status;
}

/* Inside the lock. */
static int exchange(copal_host_t *host, const copal_ask_t *ask, copal_answer_t *answer)
{
    waiter_t waiter = {.receiver = {receive}, .host = host, .answer = answer};
    copal_handle_t handle;
    int status = copal__host_request(host, ask, &waiter.receiver, &handle);
    if (status < 0)
        return status;
    status = wait_for(host, &waiter);
    if (!waiter.ended)
        copal_request_cancel(host->client.endpoint, copal__host_now(host), handle);
    return status;
}

/* ---- a body ---------------------------------------------------------------------------------------------- */

/* Only a request without effects is asked again for the next block. One for a particular block gets just that. */
static bool wants_whole(const copal_ask_t *ask)
{
    bool safe = ask->method == 0 || ask->method == COPAL_GET || ask->method == COPAL_FETCH;
    return safe && !ask->ping && !ask->no_options && ask->block2 >> 4 == 0;
}

static int fetch(copal_host_t *host, const copal_ask_t *first, copal_answer_t *answer, copal_body_t *body)
{
    copal_ask_t ask = *first;
    int status;
    do {
        copal_message_t message;
        status = exchange(host, &ask, answer);
        if (status == 0 && !ask.ping)
            status = copal_message_parse(&message, answer->datagram);
        if (status == 0 && !ask.ping)
            status = copal_body_take(body, &message, wants_whole(first) ? &ask.block2 : NULL);
        ask.etag.size = 0; /* it asked whether the whole is still fresh */
    } while (status > 0);
    return status;
}

static int32_t content_format(copal_bytes_t datagram)
{
    copal_message_t message;
    copal_option_t option;
    if (!datagram.data || copal_message_parse(&message, datagram) < 0 ||
        !copal_option_find(&message, COPAL_OPTION_CONTENT_FORMAT, &option))
        return -1;
    return (int32_t)copal_option_uint(&option);
}

static int ask_peer(copal_host_t *host, const copal_ask_t *given, const copal_peer_t *peer, copal_answer_t *answer)
{
    copal_ask_t ask = *given;
    ask.to = peer;
    copal__lock_enter(&host->lock);
    copal_body_t body = {.most = host->body_size};
    int status = fetch(host, &ask, answer, &body);
    copal__lock_leave(&host->lock);
    answer->content_format = content_format(answer->datagram);
    answer->payload = body.data;
    answer->size = body.size;
    if (status < 0)
        copal_answer_free(answer);
    return status;
}

int copal_host_ask(copal_host_t *host, const copal_ask_t *ask, copal_answer_t *answer)
{
    copal_peer_t peers[COPAL__PEERS];
    memset(answer, 0, sizeof *answer);
    if (ask->observe || copal__lock_is_mine(&host->lock))
        return COPAL_EINVAL; /* inside a callback there is nobody who could receive the answer */
    int count = copal__ask_peers(ask, peers), status = count;
    for (int i = 0; i < count; i++) {
        status = ask_peer(host, ask, &peers[i], answer);
        if (status != COPAL_EUNREACHABLE)
            break; /* else the name may have another address, as localhost has */
    }
    return status;
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
