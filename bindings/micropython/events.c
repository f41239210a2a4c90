/* What came of requests and creations, on its way from the thread that turns the host to the script.
 *
 * Lists and flags are guarded by the driver's one lock, taken last and held for pointer work only. Everything here is memory of
 * malloc's: the collector does not see it, and the other thread may make and fill it. */
#include <stdlib.h>
#include <string.h>

#include "network_coap.h"

#define STATES_MOST  8  /* of one observation that wait for the script */
#define ANSWERS_MOST 64 /* of one group */

static struct {
    coap_event_t *open;  /* requests that await their outcome */
    coap_event_t *first; /* events, oldest first */
    coap_event_t **last; /* where the next one goes */
    size_t waiting;      /* how many */
} events = {.last = &events.first};

void coap_event_destroy(coap_event_t *event)
{
    free(event->body.data);
    free(event);
}

/* Where `event` hangs in a list, or NULL. */
static coap_event_t **place(coap_event_t **list, const coap_event_t *event)
{
    while (*list != NULL && *list != event) {
        list = &(*list)->next;
    }
    return *list != NULL ? list : NULL;
}

static void append(coap_event_t *event)
{
    event->next = NULL;
    *events.last = event;
    events.last = &event->next;
    events.waiting++;
}

/* Takes the event at `at` out of the waiting ones. */
static coap_event_t *take(coap_event_t **at)
{
    coap_event_t *event = *at;
    *at = event->next;
    if (events.last == &event->next) {
        events.last = at;
    }
    events.waiting--;
    return event;
}

/* ---- the thread that turns the host ------------------------------------------------------------- */

static int collect(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    coap_event_t *event = (coap_event_t *)task;
    return coap_body_put(&event->body, offset, piece);
}

/* Takes the response in; what a request came to. */
static int fill(coap_event_t *event, const copal_response_t *response)
{
    const copal_message_t *message = response->message;
    if (response->token.size > 0) {
        event->token_size = response->token.size; /* at most 8: send_request lets no longer one pass */
        memcpy(event->token, response->token.data, event->token_size);
    }
    if (message == NULL) {
        const char *problem = copal_host_problem(coap_state.host);
        strncpy(event->problem, problem != NULL ? problem : "", sizeof event->problem - 1);
        return response->status;
    }
    event->code = message->code;
    event->type = message->type;
    /* An error has a text of its own, whatever came of a body before. */
    return COPAL_CODE_CLASS(message->code) == 2 ? 0 : coap_body_put(&event->body, 0, message->payload);
}

/* Inside the mutex. A script that is busy while states come is to know the newest; of older ones only so many wait. */
static void append_state(coap_event_t *state)
{
    const unsigned most = state->observes ? STATES_MOST : ANSWERS_MOST;
    unsigned count = 0;
    for (const coap_event_t *e = events.first; e != NULL; e = e->next) {
        count += e->session == state->session && e->id == state->id;
    }
    for (coap_event_t **at = &events.first; count >= most; at = &(*at)->next) {
        if ((*at)->session == state->session && (*at)->id == state->id) {
            coap_event_destroy(take(at));
            break;
        }
    }
    append(state);
}

/* What is observed, or asked of a group, goes on: what came of it so far becomes an event of its own. */
static void go_on(coap_event_t *request)
{
    coap_event_t *state = malloc(sizeof *state);
    if (state == NULL) {
        return; /* as if it had been lost on the way: a newer one comes */
    }
    *state = *request;
    if (request->status == 0) {
        request->body = (coap_body_t){NULL, 0, 0};
    } else {
        state->body = (coap_body_t){NULL, 0, 0}; /* it was not registered again; a state may be on its way still */
    }
    coap_driver_lock();
    if (!request->cancelled) {
        append_state(state);
        state = NULL;
    }
    coap_driver_unlock();
    if (state != NULL) {
        coap_event_destroy(state);
    }
}

static void done(copal_task_t *task, const copal_response_t *response)
{
    coap_event_t *event = (coap_event_t *)task;
    const bool silent = response->ended && response->message == NULL && response->status == 0; /* a group has had its time */
    bool over = false;
    event->status = fill(event, response);
    coap_driver_lock();
    event->id = response->id; /* coap_request may not have come to it yet */
    if (response->ended) {
        *place(&events.open, event) = event->next;
        over = silent && !event->cancelled;
        if (!event->cancelled && !silent) {
            append(event);
        } /* else cancel_open has it in hand, and destroys it */
    }
    coap_driver_unlock();
    if (over) {
        coap_event_destroy(event);
    } else if (!response->ended) {
        go_on(event);
    }
}

void coap_created(void *user, copal_tree_t *tree, copal_handle_t resource)
{
    (void)user, (void)tree;
    coap_event_t *event = calloc(1, sizeof *event);
    if (event == NULL) {
        return; /* the resource is there all the same; get_resource finds it */
    }
    event->handle = resource;
    coap_driver_lock();
    /* A peer that creates and deletes while the script is busy must not fill the memory: where the slot was used again,
     * what was created before in it is gone. So there are never more creations waiting than resources can be. */
    for (coap_event_t **at = &events.first; *at != NULL; at = &(*at)->next) {
        if ((*at)->session == 0 && (*at)->handle.slot == resource.slot) {
            coap_event_destroy(take(at));
            break;
        }
    }
    append(event);
    coap_driver_unlock();
}

/* ---- the main thread ---------------------------------------------------------------------------- */

static coap_event_t *new_request(uint32_t session)
{
    coap_event_t *event = calloc(1, sizeof *event);
    if (event != NULL) {
        event->task.write = collect;
        event->task.done = done;
        event->session = session;
        coap_driver_lock();
        event->next = events.open;
        events.open = event;
        coap_driver_unlock();
    }
    return event;
}

int coap_request(uint32_t session, const copal_ask_t *ask)
{
    coap_event_t *event = new_request(session);
    if (event == NULL) {
        return COPAL_ENOMEM;
    }
    event->observes = ask->observe;
    int id = copal_host_transfer(coap_state.host, ask, &event->task);
    coap_driver_lock();
    coap_event_t **at = place(&events.open, event);
    if (id < 0) {
        *at = event->next;
        coap_event_destroy(event);
    } else if (at != NULL) { /* else it was answered before we came here */
        event->id = (uint16_t)id;
    }
    coap_driver_unlock();
    return id;
}

/* Ends one open request that fits, or returns false. */
static bool cancel_open(uint32_t session, int id)
{
    coap_driver_lock();
    coap_event_t *event = events.open;
    while (event != NULL && ((session != COAP_ALL_SESSIONS && event->session != session) || event->cancelled ||
                             (id >= 0 && event->id != id))) {
        event = event->next;
    }
    if (event != NULL) {
        event->cancelled = true;
    }
    coap_driver_unlock();
    if (event == NULL) {
        return false;
    }
    if (copal_host_transfer_cancel(coap_state.host, &event->task) == 0) {
        coap_driver_lock();
        *place(&events.open, event) = event->next;
        coap_driver_unlock();
    } /* else its outcome was delivered in this moment, and `done` took it out */
    coap_event_destroy(event);
    return true;
}

static void cancel_waiting(uint32_t session, int id)
{
    coap_driver_lock();
    for (coap_event_t **at = &events.first; *at != NULL;) {
        if ((*at)->session == session && (id < 0 || (*at)->id == id)) {
            coap_event_destroy(take(at));
        } else {
            at = &(*at)->next;
        }
    }
    coap_driver_unlock();
}

void coap_cancel(uint32_t session, int id)
{
    while (cancel_open(session, id)) {
    }
    cancel_waiting(session, id);
}

void coap_events_clear(void)
{
    coap_driver_lock();
    while (events.first != NULL) {
        coap_event_destroy(take(&events.first));
    }
    while (events.open != NULL) {
        coap_event_t *event = events.open;
        events.open = event->next;
        coap_event_destroy(event);
    }
    coap_driver_unlock();
}

size_t coap_events_waiting(void)
{
    coap_driver_lock();
    size_t waiting = events.waiting;
    coap_driver_unlock();
    return waiting;
}

coap_event_t *coap_event_next(void)
{
    coap_driver_lock();
    coap_event_t *event = events.first != NULL ? take(&events.first) : NULL;
    coap_driver_unlock();
    return event;
}
