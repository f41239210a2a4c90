/* Asking a group: many answer, and what is too large for one message is fetched from its sender alone (RFC 7959 section
 * 2.8). */
#define _GNU_SOURCE 1
#include "task.h"

#include <stdlib.h>
#include <string.h>

/* An answer that is being fetched whole. */
typedef struct copal__rest_t {
    copal_task_t task; /* first: asks the sender */
    copal_task_t *of;
    struct copal__rest_t *next;
    copal_response_t answer; /* what it told of so far; `from` and `token` are what follows */
    copal_from_t from;
    uint8_t token[UINT8_MAX];
    uint8_t *body;
    size_t size, capacity;
} rest_t;

static copal_task_t *task_of(copal_receiver_t *receiver)
{
    return (copal_task_t *)(void *)((uint8_t *)receiver - offsetof(copal_task_t, receiver_));
}

/* ---- telling ------------------------------------------------------------------------------------------ */

/* Hands one answer on, with all of its body. False: the task was cancelled inside. */
static bool tell(copal_task_t *task, const copal_response_t *response, copal_bytes_t body)
{
    bool gone = false;
    copal_response_t outcome = *response;
    const copal_message_t *m = response->message;
    task->kept_->crowd.gone = &gone;
    outcome.ended = false;
    if (m && COPAL_CODE_CLASS(m->code) == 2 && task->write)
        outcome.status = task->write(task, 0, body);
    if (outcome.status < 0)
        outcome.message = NULL;
    copal__task_tell(task, &outcome);
    if (!gone)
        task->kept_->crowd.gone = NULL;
    return !gone;
}

static void end(copal_task_t *task, const copal_response_t *last)
{
    copal_response_t outcome = *last;
    outcome.status = 0;
    outcome.ended = true;
    outcome.message = NULL;
    outcome.from = NULL;
    copal__task_tell(task, &outcome);
}

/* ---- fetching one whole --------------------------------------------------------------------------------- */

static int collect(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    rest_t *rest = (rest_t *)task;
    copal__crowd_t *crowd = &rest->of->kept_->crowd;
    const size_t size = offset + piece.size;
    crowd->held -= rest->size;
    rest->size = 0;
    if (size > task->host_->body_size - crowd->held)
        return COPAL_ESPACE;
    if (size > rest->capacity) {
        uint8_t *grown = realloc(rest->body, 2 * size);
        if (!grown)
            return COPAL_ENOMEM;
        rest->body = grown;
        rest->capacity = 2 * size;
    }
    if (piece.size > 0)
        memcpy(rest->body + offset, piece.data, piece.size);
    rest->size = size;
    crowd->held += size;
    return 0;
}

/* It is one of its task's no more. */
static void forget(rest_t *rest)
{
    copal__crowd_t *crowd = &rest->of->kept_->crowd;
    rest_t **at = &crowd->rests;
    while (*at != rest)
        at = &(*at)->next;
    *at = rest->next;
    crowd->held -= rest->size;
}

static void release(rest_t *rest)
{
    free(rest->body);
    free(rest);
}

static void done(copal_task_t *task, const copal_response_t *response)
{
    rest_t *rest = (rest_t *)task;
    copal_task_t *of = rest->of;
    rest->answer.status = response->status;
    rest->answer.message = response->message;
    rest->answer.now = response->now;
    forget(rest);
    const bool last = of->kept_->crowd.over && !of->kept_->crowd.rests;
    if (tell(of, &rest->answer, (copal_bytes_t){rest->body, rest->size}) && last)
        end(of, &rest->answer);
    release(rest);
}

static rest_t *make_rest(copal_task_t *of, const copal_response_t *response)
{
    rest_t *rest = calloc(1, sizeof *rest);
    if (!rest)
        return NULL;
    rest->task.write = collect;
    rest->task.done = done;
    rest->of = of;
    rest->from = *response->from;
    memcpy(rest->token, response->token.data, response->token.size);
    rest->answer = *response;
    rest->answer.from = &rest->from;
    rest->answer.token.data = rest->token;
    rest->next = of->kept_->crowd.rests;
    of->kept_->crowd.rests = rest;
    return rest;
}

/* As copal_host_transfer; then `done` tells of it. */
static int fetch(copal_task_t *task, const copal_response_t *response)
{
    rest_t *rest = make_rest(task, response);
    if (!rest)
        return COPAL_ENOMEM;
    copal_ask_t ask = task->kept_->ask;
    ask.to = &rest->from.peer;
    ask.given_token = ask.non_confirmable = false;
    const int status = copal__host_transfer(task->host_, &ask, &rest->task);
    if (status < 0) {
        forget(rest);
        release(rest);
    }
    return status;
}

/* ---- what comes ------------------------------------------------------------------------------------------ */

/* There is more of it, or its sender wants to see that we are real first. What may run twice is asked again. */
static bool is_incomplete(const copal_ask_t *ask, const copal_message_t *m)
{
    copal_option_t option;
    copal_block_t block;
    if ((ask->method && ask->method != COPAL_GET && ask->method != COPAL_FETCH) || ask->no_options || ask->no_response)
        return false;
    if (m->code == COPAL_UNAUTHORIZED)
        return copal_option_find(m, COPAL_OPTION_ECHO, &option);
    return COPAL_CODE_CLASS(m->code) == 2 && copal_option_find(m, COPAL_OPTION_BLOCK2, &option) &&
           !copal_block_decode(&block, copal_option_uint(&option)) && block.more;
}

void copal__crowd_receive(copal_receiver_t *self, const copal_response_t *response)
{
    copal_task_t *task = task_of(self);
    copal__crowd_t *crowd = &task->kept_->crowd;
    copal_response_t outcome = *response;
    if (response->ended && crowd->rests) {
        crowd->over = true;
        return;
    }
    if (response->ended) {
        copal__task_tell(task, response);
        return;
    }
    if (response->message && is_incomplete(&task->kept_->ask, response->message)) {
        outcome.status = fetch(task, response);
        if (outcome.status >= 0)
            return;
        outcome.message = NULL;
    }
    tell(task, &outcome, outcome.message ? outcome.message->payload : (copal_bytes_t){NULL, 0});
}

void copal__crowd_drop(copal_task_t *task)
{
    copal__crowd_t *crowd = &task->kept_->crowd;
    if (crowd->gone)
        *crowd->gone = true;
    for (rest_t *rest; (rest = crowd->rests);) {
        crowd->rests = rest->next;
        if (rest->task.kept_)
            copal__task_cancel(&rest->task);
        release(rest);
    }
}
