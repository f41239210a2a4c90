/* Requests of our own (RFC 7252 section 5.2) and their congestion control (section 4.7). */
#include "state.h"

#include <string.h>

#define TOKEN_DRAWN 8u /* octets of a token we draw (section 5.3.1) */

static copal_bytes_t token_of(const copal_endpoint_t *e, uint32_t slot)
{
    return (copal_bytes_t){e->slots[slot].w.data + e->requests[slot].token_at, e->requests[slot].token_size};
}

static bool token_is_used(const copal_endpoint_t *e, uint64_t token_hash)
{
    uint32_t slot = copal__index_first(&e->tokens, token_hash);
    while (slot != COPAL__NONE && e->requests[slot].token_hash != token_hash)
        slot = copal__index_next(&e->tokens, slot);
    return slot != COPAL__NONE;
}

/* ---- NSTART: a destination counts what is outstanding and queues the rest ----------------------- */

static uint32_t destination_of(copal_endpoint_t *e, uint64_t hash)
{
    uint32_t at = copal__index_first(&e->by_peer, hash);
    while (at != COPAL__NONE && e->destinations[at].hash != hash)
        at = copal__index_next(&e->by_peer, at);
    if (at != COPAL__NONE)
        return at;
    at = copal__pool_take(&e->destination_pool); /* as many as requests: there is one */
    e->destinations[at] = (copal__destination_t){.hash = hash};
    copal__index_add(&e->by_peer, hash, at);
    return at;
}

static void leave_queue(copal_endpoint_t *e, copal__destination_t *d, uint32_t slot)
{
    copal__request_t *r = &e->requests[slot];
    *(r->previous ? &e->requests[r->previous - 1].next : &d->head) = r->next;
    *(r->next ? &e->requests[r->next - 1].previous : &d->tail) = r->previous;
    r->next = r->previous = 0;
}

static void start(copal_endpoint_t *e, copal_time_t now, copal__destination_t *d, uint32_t slot)
{
    d->outstanding++;
    e->requests[slot].holding = true;
    e->slots[slot].stand = COPAL__READY;
    copal__timer_set(&e->timers, slot, now);
}

static void enqueue(copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    copal__request_t *r = &e->requests[slot];
    r->destination = destination_of(e, e->slots[slot].hash);
    copal__destination_t *d = &e->destinations[r->destination];
    if (d->outstanding < e->config.timing.nstart && !d->head) {
        start(e, now, d, slot);
        return;
    }
    r->previous = d->tail;
    *(d->tail ? &e->requests[d->tail - 1].next : &d->head) = slot + 1;
    d->tail = slot + 1;
    e->slots[slot].stand = COPAL__QUEUED;
    copal__timer_set(&e->timers, slot, e->slots[slot].deadline);
}

void copal__request_release(copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    copal__request_t *r = &e->requests[slot];
    if (r->destination == COPAL__NONE)
        return;
    copal__destination_t *d = &e->destinations[r->destination];
    if (r->holding)
        d->outstanding--;
    else
        leave_queue(e, d, slot);
    if (d->head && d->outstanding < e->config.timing.nstart) {
        uint32_t next = d->head - 1;
        leave_queue(e, d, next);
        start(e, now, d, next);
    } else if (!d->head && !d->outstanding) {
        copal__index_remove(&e->by_peer, d->hash, r->destination);
        copal__pool_give(&e->destination_pool, r->destination);
    }
    r->destination = COPAL__NONE;
    r->holding = false;
}

/* ---- life of a request ---------------------------------------------------------------------------- */

static void discard(copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    copal__request_release(e, now, slot);
    copal__slot_forget_id(e, slot);
    copal__index_remove(&e->tokens, e->requests[slot].token_hash, slot);
    copal__timer_set(&e->timers, slot, COPAL_NEVER);
    e->slots[slot].stand = COPAL__FREE;
    copal__pool_give(&e->request_pool, slot);
}

void copal__request_end(copal_endpoint_t *e, copal_time_t now, uint32_t slot, int status, const copal_message_t *message,
                        const copal_from_t *from)
{
    copal__request_t *r = &e->requests[slot];
    uint8_t token[UINT8_MAX]; /* a copy: the callback may begin a request in this very slot */
    copal_response_t response = {.request = copal__slot_handle(e, slot), .id = r->first_id, .status = status,
                                 .token = {token, r->token_size}, .message = message, .from = from, .now = now};
    copal_receiver_t *receiver = r->receiver;
    memcpy(token, token_of(e, slot).data, r->token_size);
    discard(e, now, slot);
    receiver->receive(receiver, &response);
}

void copal__request_launch(copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    copal__request_release(e, now, slot);
    copal__slot_forget_id(e, slot);
    if (copal__slot_identify(e, now, slot))
        enqueue(e, now, slot);
}

bool copal__request_ends(const copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    return now >= e->slots[slot].deadline || copal__slot_is_over(e, &e->slots[slot]);
}

/* A NON request is expected to be answered for as long as keeps the average below PROBING_RATE (section 4.7). */
static void send_non(copal_endpoint_t *e, copal_time_t now, uint32_t slot, copal_datagram_t *out)
{
    copal__slot_t *s = &e->slots[slot];
    copal_time_t probe = now + (uint32_t)s->w.size * 1000 / e->config.timing.probing_rate;
    copal__identifier_touch(&e->identifiers, now, s->hash, s->id);
    s->stand = COPAL__EXPECTING;
    copal__timer_set(&e->timers, slot, probe < s->deadline ? probe : s->deadline);
    *out = (copal_datagram_t){&s->peer, s->via, {s->w.data, s->w.size}};
}

bool copal__request_due(copal_endpoint_t *e, copal_time_t now, uint32_t slot, copal_datagram_t *out)
{
    copal__slot_t *s = &e->slots[slot];
    if (copal__request_ends(e, now, slot)) {
        copal__request_end(e, now, slot, COPAL_ETIMEOUT, NULL, NULL);
        return false;
    }
    if (s->stand == COPAL__NO_ID) {
        copal__request_launch(e, now, slot);
        if (!e->requests[slot].echoed)
            e->requests[slot].first_id = s->id;
    } else if (s->stand == COPAL__EXPECTING) {
        copal__request_release(e, now, slot);
        copal__timer_set(&e->timers, slot, s->deadline);
    } else if (s->confirmable) {
        return copal__slot_transmit(e, now, slot, out);
    } else {
        send_non(e, now, slot, out);
        return true;
    }
    return false;
}

/* ---- the application's side ------------------------------------------------------------------------- */

static bool is_valid(const copal_endpoint_t *e, const copal_request_t *request)
{
    if (request->code == COPAL_EMPTY)
        return request->confirmable && (!request->given_token || !request->token.size);
    return COPAL_CODE_CLASS(request->code) == 0 &&
           (!request->given_token || request->token.size <= e->config.limits.token_size);
}

/* No two open requests to a peer share a token, except the empty one. */
static uint64_t draw_token(copal_endpoint_t *e, uint64_t hash, uint8_t *drawn)
{
    uint64_t token_hash;
    do {
        e->config.random(e->config.random_state, drawn, TOKEN_DRAWN);
        token_hash = copal__hash(&e->key, hash, drawn, TOKEN_DRAWN);
    } while (token_is_used(e, token_hash));
    return token_hash;
}

void copal__request_redraw(copal_endpoint_t *e, uint32_t slot)
{
    copal__request_t *r = &e->requests[slot];
    if (!r->drawn)
        return;
    copal__index_remove(&e->tokens, r->token_hash, slot);
    r->token_hash = draw_token(e, e->slots[slot].hash, e->slots[slot].w.data + r->token_at);
    copal__index_add(&e->tokens, r->token_hash, slot);
}

int copal_request_begin(copal_endpoint_t *e, const copal_request_t *request, copal_handle_t *handle, copal_writer_t **w)
{
    if (!is_valid(e, request))
        return COPAL_EINVAL;
    uint64_t hash = copal__peer_hash(e, request->to), token_hash;
    uint8_t drawn[TOKEN_DRAWN];
    copal_bytes_t token = request->token;
    bool draws = !request->given_token && request->code != COPAL_EMPTY;
    if (draws) {
        token_hash = draw_token(e, hash, drawn);
        token = (copal_bytes_t){drawn, sizeof drawn};
    } else {
        token.size = request->given_token ? token.size : 0;
        token_hash = copal__hash(&e->key, hash, token.data, token.size);
        if (token.size && token_is_used(e, token_hash))
            return COPAL_EEXIST;
    }
    uint32_t slot = copal__pool_take(&e->request_pool);
    if (slot == COPAL__NONE)
        return COPAL_EFULL;
    copal__slot_t *s = copal__slot_open(e, slot, request->to, request->via, hash);
    s->stand = COPAL__OPEN;
    s->confirmable = request->confirmable;
    s->deadline = request->timeout ? (copal_time_t)request->timeout : e->exchange_lifetime;
    copal_write_header(&s->w, request->confirmable ? COPAL_CON : COPAL_NON, request->code, 0, token);
    e->requests[slot] = (copal__request_t){.token_hash = token_hash, .destination = COPAL__NONE,
                                           .drawn = draws, .token_size = (uint8_t)token.size,
                                           .token_at = (uint16_t)(s->w.size - token.size)};
    copal__index_add(&e->tokens, token_hash, slot);
    *handle = copal__slot_handle(e, slot);
    *w = &s->w;
    return 0;
}

int copal_request_commit(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle, copal_receiver_t *receiver)
{
    uint32_t slot = copal__slot_find(e, handle, false);
    if (slot == COPAL__NONE || e->slots[slot].stand != COPAL__OPEN)
        return COPAL_ESTALE;
    copal__slot_t *s = &e->slots[slot];
    int error = s->w.error;
    if (!error && s->w.data[1] == COPAL_EMPTY && s->w.size > 4)
        error = COPAL_EINVAL;
    if (error) {
        discard(e, now, slot);
        return error;
    }
    s->deadline += now;
    e->requests[slot].receiver = receiver;
    e->requests[slot].order = e->order++;
    copal__request_launch(e, now, slot);
    e->requests[slot].first_id = s->id;
    return 0;
}

int copal_request_cancel(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle)
{
    uint32_t slot = copal__slot_find(e, handle, false);
    if (slot == COPAL__NONE)
        return COPAL_ESTALE;
    discard(e, now, slot);
    return 0;
}

int copal_request_id(const copal_endpoint_t *e, copal_handle_t handle)
{
    uint32_t slot = copal__slot_find(e, handle, false);
    if (slot == COPAL__NONE || e->slots[slot].stand == COPAL__OPEN)
        return COPAL_ESTALE;
    return e->slots[slot].stand == COPAL__NO_ID ? COPAL_EFULL : e->requests[slot].first_id;
}
