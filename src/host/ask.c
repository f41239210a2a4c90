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

enum { DONE, MORE, CHANGED };

typedef struct {
    copal_answer_t *answer; /* whose payload it becomes */
    size_t capacity, most;
    uint8_t etag[8]; /* of the first block */
    size_t etag_size;
} body_t;

static int append(body_t *body, copal_bytes_t part)
{
    copal_answer_t *answer = body->answer;
    if (part.size > body->most - answer->size)
        return COPAL_ESPACE;
    if (answer->size + part.size + 1 > body->capacity) {
        size_t capacity = (answer->size + part.size + 1) * 2;
        uint8_t *grown = realloc(answer->payload, capacity);
        if (!grown)
            return COPAL_ENOMEM;
        answer->payload = grown;
        body->capacity = capacity;
    }
    if (part.size > 0)
        memcpy(answer->payload + answer->size, part.data, part.size);
    answer->size += part.size;
    answer->payload[answer->size] = 0;
    return DONE;
}

/* RFC 7959 section 2.4: blocks belong together if their ETag is the same, or none has one. */
static bool is_same_version(body_t *body, const copal_message_t *message)
{
    copal_option_t etag;
    if (!copal_option_find(message, COPAL_OPTION_ETAG, &etag))
        etag.value.size = 0;
    if (etag.value.size > sizeof body->etag)
        return false;
    if (body->answer->size == 0) {
        if (etag.value.size > 0)
            memcpy(body->etag, etag.value.data, etag.value.size);
        body->etag_size = etag.value.size;
    }
    return etag.value.size == body->etag_size &&
           (body->etag_size == 0 || memcmp(etag.value.data, body->etag, body->etag_size) == 0);
}

/* Takes the block in `message`; MORE: `ask` is for the next one. A response without Block2 is complete in itself,
 * even after blocks: an error, or what took their place. */
static int take(body_t *body, const copal_message_t *message, copal_ask_t *ask)
{
    copal_option_t option;
    copal_block_t block;
    if (!copal_option_find(message, COPAL_OPTION_BLOCK2, &option)) {
        body->answer->size = 0;
        return append(body, message->payload);
    }
    if (copal_block_decode(&block, copal_option_uint(&option)) < 0)
        return COPAL_EFORMAT;
    const size_t size = (size_t)1 << (block.szx + 4);
    if (block.number * size != body->answer->size || (block.more && message->payload.size != size))
        return COPAL_EFORMAT;
    if (!is_same_version(body, message))
        return CHANGED;
    int status = append(body, message->payload);
    if (status < 0 || !block.more)
        return status;
    block.number++;
    block.more = false;
    ask->block2 = (int32_t)copal_block_encode(&block);
    ask->etag.size = 0; /* it asked whether the whole is still fresh */
    return MORE;
}

/* Only a request without effects is asked again for the next block. One for a particular block gets just that. */
static bool wants_whole(const copal_ask_t *ask)
{
    bool safe = ask->method == 0 || ask->method == COPAL_GET || ask->method == COPAL_FETCH;
    return safe && !ask->ping && !ask->no_options && ask->block2 >> 4 == 0;
}

static int fetch(copal_host_t *host, const copal_ask_t *first, copal_answer_t *answer)
{
    copal_ask_t ask = *first;
    body_t body = {.answer = answer, .most = host->body_size};
    int status;
    do {
        copal_message_t message;
        status = exchange(host, &ask, answer);
        if (status < 0 || ask.ping)
            break;
        status = copal_message_parse(&message, answer->datagram);
        if (status < 0)
            break;
        status = wants_whole(first) ? take(&body, &message, &ask) : append(&body, message.payload);
    } while (status == MORE);
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

int copal_host_ask(copal_host_t *host, const copal_ask_t *given, copal_answer_t *answer)
{
    copal_ask_t ask = *given;
    copal_peer_t peer;
    memset(answer, 0, sizeof *answer);
    if (copal__lock_is_mine(&host->lock))
        return COPAL_EINVAL; /* inside a callback there is nobody who could receive the answer */
    int status = copal__ask_peer(given, &peer);
    if (status < 0)
        return status;
    ask.to = &peer;
    copal__lock_enter(&host->lock);
    status = fetch(host, &ask, answer);
    if (status == CHANGED) { /* once, so that a value which keeps changing cannot hold us for ever */
        copal_answer_free(answer);
        status = fetch(host, &ask, answer);
    }
    copal__lock_leave(&host->lock);
    answer->content_format = content_format(answer->datagram);
    if (status == 0)
        return 0;
    copal_answer_free(answer);
    return status == CHANGED ? COPAL_EFORMAT : status;
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
