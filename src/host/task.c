/* Requests of any size, as faces make them. */
#define _GNU_SOURCE 1
#include "../dtls/backend.h"
#include "task.h"

#include <stdlib.h>
#include <string.h>

typedef struct copal__kept_t kept_t;

/* ---- the copy --------------------------------------------------------------------------------------------- */

/* Copies `octets` to `*at`, and moves that on. */
static void move_to(uint8_t **at, copal_bytes_t *octets)
{
    if (octets->size > 0)
        memcpy(*at, octets->data, octets->size);
    octets->data = *at;
    *at += octets->size;
}

static kept_t *keep(const copal_ask_t *ask)
{
    copal_bytes_t uri = {(const uint8_t *)ask->uri, ask->uri ? strlen(ask->uri) + 1 : 0};
    const size_t payload = ask->read ? 0 : ask->payload.size;
    kept_t *kept = malloc(sizeof *kept + uri.size + ask->path.size + ask->token.size + ask->etag.size +
                          ask->if_match.size + payload);
    if (!kept)
        return NULL;
    uint8_t *at = kept->octets;
    kept->ask = *ask;
    kept->to = *ask->to;
    kept->ask.to = &kept->to;
    if (ask->credentials)
        kept->ask.credentials = copal__credentials_hold(ask->credentials);
    kept->crowd = (copal__crowd_t){0};
    kept->ask.payload.size = payload;
    move_to(&at, &uri);
    if (ask->uri)
        kept->ask.uri = (const char *)uri.data;
    move_to(&at, &kept->ask.path);
    move_to(&at, &kept->ask.token);
    move_to(&at, &kept->ask.etag);
    move_to(&at, &kept->ask.if_match);
    move_to(&at, &kept->ask.payload);
    return kept;
}

static void track(copal_host_t *host, copal_task_t *task, kept_t *kept)
{
    task->host_ = host;
    task->kept_ = kept;
    task->next_ = host->tasks;
    task->link_ = &host->tasks;
    if (task->next_)
        task->next_->link_ = &task->next_;
    host->tasks = task;
}

void copal__task_drop(copal_task_t *task)
{
    copal__crowd_drop(task);
    *task->link_ = task->next_;
    if (task->next_)
        task->next_->link_ = task->link_;
    copal_credentials_close(task->kept_->ask.credentials);
    free(task->kept_);
    task->kept_ = NULL;
}

void copal__tasks_drop(copal_host_t *host)
{
    while (host->tasks)
        copal__task_drop(host->tasks);
}

/* ---- what the transfer asks for ------------------------------------------------------------------------------ */

static copal_task_t *task_of(copal_transfer_t *t)
{
    return (copal_task_t *)(void *)((uint8_t *)t - offsetof(copal_task_t, transfer));
}

static void write_options(copal_transfer_t *t, copal_writer_t *w, copal_part_t part)
{
    const kept_t *kept = task_of(t)->kept_;
    copal__ask_options(w, &kept->ask, kept->ask.uri ? &kept->uri : NULL, part);
}

static int read_payload(void *context, size_t offset, void *out, size_t size)
{
    const kept_t *kept = context;
    memcpy(out, kept->ask.payload.data + offset, size);
    return 0;
}

static int take_piece(copal_transfer_t *t, size_t offset, copal_bytes_t piece)
{
    copal_task_t *task = task_of(t);
    return task->write(task, offset, piece);
}

static bool move(copal_transfer_t *t, unsigned tries)
{
    copal_task_t *task = task_of(t);
    kept_t *kept = task->kept_;
    const int socket = copal__client_move(task->host_, &kept->ask, &kept->to, t->request.via, tries);
    if (socket >= 0)
        t->request.via = (uint32_t)socket;
    return socket >= 0;
}

static void show_progress(copal_transfer_t *t)
{
    copal_task_t *task = task_of(t);
    task->progress(task);
}

void copal__task_tell(copal_task_t *task, const copal_response_t *response)
{
    if (response->ended)
        copal__task_drop(task);
    task->done(task, response);
}

static void transfer_done(copal_transfer_t *t, const copal_response_t *response)
{
    copal__task_tell(task_of(t), response);
}

/* The outcome of a single exchange. */
static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    copal_task_t *task = (copal_task_t *)(void *)((uint8_t *)self - offsetof(copal_task_t, receiver_));
    copal_response_t outcome = *response;
    const copal_message_t *m = response->message;
    if (m && COPAL_CODE_CLASS(m->code) == 2 && task->write)
        outcome.status = task->write(task, 0, m->payload);
    if (outcome.status < 0)
        outcome.message = NULL;
    copal__task_tell(task, &outcome);
}

/* ---- start and cancel ----------------------------------------------------------------------------------------- */

static bool is_single(const copal_ask_t *ask)
{
    return ask->ping || ask->no_options || ask->no_response || copal_peer_is_group(ask->to);
}

static int start_transfer(copal_task_t *task, int socket)
{
    kept_t *kept = task->kept_;
    copal_transfer_t *t = &task->transfer;
    const copal_ask_t *ask = &kept->ask;
    t->request = copal__ask_request(ask, &kept->to, socket);
    t->options = write_options;
    t->read = ask->read ? ask->read : read_payload;
    t->context = ask->read ? ask->context : kept;
    t->size = ask->read ? ask->size : ask->payload.size;
    t->write = task->write ? take_piece : NULL;
    t->done = transfer_done;
    t->move = task->host_->moves ? move : NULL;
    t->progress = task->progress ? show_progress : NULL;
    t->block_size = ask->block_size;
    t->blocks = ask->block_size > 0;
    return copal_transfer_start(task->host_->client.endpoint, copal__host_now(task->host_), t);
}

int copal__host_transfer(copal_host_t *host, const copal_ask_t *ask, copal_task_t *task)
{
    kept_t *kept = keep(ask);
    if (!kept)
        return COPAL_ENOMEM;
    track(host, task, kept);
    task->receiver_.receive = copal_peer_is_group(ask->to) ? copal__crowd_receive : receive;
    int status = copal__ask_prepare(host, &kept->ask, &kept->uri, &kept->to);
    if (status >= 0)
        status = is_single(ask) ? copal__host_request(host, &kept->ask, &task->receiver_, &task->request_)
                                : start_transfer(task, status);
    if (status < 0)
        copal__task_drop(task);
    return status;
}

int copal_host_transfer(copal_host_t *host, const copal_ask_t *given, copal_task_t *task)
{
    copal_ask_t ask = *given;
    copal_peer_t peers[COPAL__PEERS];
    int status = copal__ask_peers(given, peers); /* may block, so not inside the lock */
    if (status < 0)
        return status;
    ask.to = &peers[0];
    copal__host_enter(host);
    status = copal__host_transfer(host, &ask, task);
    if (status >= 0)
        copal__host_wake(host);
    copal__host_leave(host);
    return status;
}

int copal__task_cancel(copal_task_t *task)
{
    if (!task->kept_)
        return COPAL_ESTALE;
    copal_host_t *host = task->host_;
    const copal_time_t now = copal__host_now(host);
    if (is_single(&task->kept_->ask))
        copal_request_deregister(host->client.endpoint, now, task->request_);
    else
        copal_transfer_cancel(&task->transfer, now);
    copal__task_drop(task);
    return 0;
}

int copal_host_transfer_cancel(copal_host_t *host, copal_task_t *task)
{
    copal__host_enter_between_turns(host);
    const int status = copal__task_cancel(task);
    copal__host_wake(host); /* what it held back may go now; a deregistration has to */
    copal__host_leave(host);
    return status;
}
