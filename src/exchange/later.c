/* Calls answered later: the empty ACK, and the separate response (RFC 7252 section 5.2.2); and by multicast, when their
 * moment has come (section 8.2). */
#include "state.h"

#include <string.h>

static void end(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__address_release(e, &s->peer, s->hash, &s->later.address);
    copal__keeping_drop(&s->later.keeping);
    e->leisurely -= s->later.leisurely;
    e->deferred--;
    copal__slot_close(e, s);
}

/* `alive`: the peer has shown so, or what leaves once has left. */
static void conclude(copal_endpoint_t *e, copal__slot_t *s, bool alive)
{
    if (s->later.observer)
        e->observing->conclude(e, s, alive);
    end(e, s);
}

static bool is_answered(const copal__slot_t *s) { return s->stand != COPAL__HELD && s->stand != COPAL__PROMISED; }

/* A response of its own needs a message ID of ours; a NON leaves once, a CON until it is acknowledged. */
static void launch(copal_endpoint_t *e, copal__slot_t *s)
{
    if (s->later.leisurely && e->now < s->later.moment) {
        s->stand = COPAL__NO_ID;
        copal__slot_wake(e, s, s->later.moment);
        return;
    }
    if (!copal__slot_identify(e, s))
        return;
    s->stand = s->confirmable ? COPAL__READY : COPAL__ONCE;
    copal__slot_wake(e, s, e->now);
}

/* ---- what may happen to it ------------------------------------------------------------------------------- */

static void acknowledge(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out)
{
    copal__put_empty(s->later.ack, COPAL_ACK, s->later.request_id);
    s->stand = COPAL__PROMISED;
    copal__slot_wake(e, s, COPAL_NEVER);
    s->later.address.credit -= COPAL__EMPTY_SIZE; /* of three times a message, which has as many octets at least */
    *out = (copal_datagram_t){&s->peer, s->via, {s->later.ack, sizeof s->later.ack}};
}

/* Whether the answer may leave to an address that may be forged; a CON that may not is tried again when it is due. */
static bool may_leave(copal_endpoint_t *e, copal__slot_t *s)
{
    return copal__address_spend(e, &s->peer, s->hash, &s->later.address, s->w.size);
}

static bool due(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out)
{
    if (s->stand == COPAL__ONCE) {
        bool leaves = may_leave(e, s);
        copal__slot_emit(s, out);
        conclude(e, s, leaves);
        return leaves;
    }
    if (copal__slot_is_over(e, s)) {
        e->counters.unanswered += !is_answered(s);
        conclude(e, s, false);
        return false;
    }
    if (s->stand == COPAL__NO_ID) {
        launch(e, s);
        return false;
    }
    if (s->stand != COPAL__HELD)
        return copal__slot_transmit(e, s, out) && may_leave(e, s);
    acknowledge(e, s, out);
    return true;
}

/* "silently ignoring any Response Code or payload" of the acknowledgement (section 5.2.2). */
static int settle(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a)
{
    bool acknowledged = a->message.type == COPAL_ACK;
    if (acknowledged && s->later.observer)
        copal__address_refund(e, &s->peer, &s->later.address);
    conclude(e, s, acknowledged);
    return 0;
}

static bool again(copal__slot_t *s, const copal__serving_t *serving)
{
    copal_endpoint_t *e = serving->call.endpoint;
    const copal_message_t *m = serving->call.request;
    copal__later_t *later = &s->later;
    if (serving->origin.key != s->name) { /* once more, with an Echo: the answer goes to this one */
        if (m->token.size != later->token_size)
            return false; /* there is no place for its token */
        if (m->token.size)
            memcpy(s->w.data + later->token_end - later->token_size, m->token.data, m->token.size);
        later->request_id = m->id;
    }
    if (!s->confirmable || s->stand == COPAL__ONCE)
        return true; /* NON: ignored (section 4.3); ONCE: the answer leaves anyway */
    copal__post_empty(e, serving->call.from, COPAL_ACK, m->id);
    if (s->stand == COPAL__HELD) {
        s->stand = COPAL__PROMISED;
        copal__slot_wake(e, s, COPAL_NEVER);
    }
    return true;
}

static const copal__kind_t calls = {due, settle, again};

/* ---- the handler's side ---------------------------------------------------------------------------------- */

/* Options, marker and payload stand in one piece; a request that is kept has no token before them. */
static void copy_request(copal__slot_t *s, const copal_message_t *m)
{
    const uint8_t *end = m->payload.size ? m->payload.data + m->payload.size : m->options.data + m->options.size;
    size_t size = (size_t)(end - m->options.data);
    copal_write_header(&s->w, m->type, m->code, m->id, m->token);
    memcpy(s->w.data + s->w.size, m->options.data, size);
    s->w.size += size;
}

/* "pick a random point of time within the chosen leisure period" (section 8.2). */
static copal_time_t draw_moment(copal_endpoint_t *e)
{
    uint32_t draw;
    e->config.random(e->config.random_state, &draw, sizeof draw);
    return e->now + (copal_time_t)((uint64_t)e->config.timing.leisure * draw >> 32);
}

/* A group that is asked much is not to keep the calls of others out. */
static bool has_room(const copal_endpoint_t *e, bool leisurely)
{
    const uint32_t limit = e->config.limits.deferred;
    return e->deferred < limit && (!leisurely || e->leisurely < (limit + 1) / 2);
}

/* Takes a slot, of which there is one, for a call. */
static copal__slot_t *keep(copal__serving_t *serving)
{
    const copal_call_t *call = &serving->call;
    const copal_message_t *m = call->request;
    copal_endpoint_t *e = call->endpoint;
    const bool leisurely = call->from->multicast;
    e->deferred++;
    e->leisurely += leisurely;
    copal__serving_identify(serving);
    copal__slot_t *s = copal__slot_open(e, &calls, &call->from->peer, call->from->via, serving->origin.peer,
                                       serving->origin.key);
    s->confirmable = m->type == COPAL_CON;
    s->deadline = e->now + e->exchange_lifetime;
    s->later = (copal__later_t){.memory = serving->memory, .asked = copal__asked(&serving->options), .request_id = m->id,
                                .address = copal__address_of(e, call->from, leisurely ? 0 : COPAL__EMPTY_SIZE),
                                .unwanted = serving->options.no_response, .check = serving->origin.check,
                                .cuttable = m->code == COPAL_GET || m->code == COPAL_FETCH,
                                .leisurely = leisurely, .moment = leisurely ? draw_moment(e) : 0};
    return s;
}

/* An answer to a request by multicast that is there already. */
static void keep_answer(copal__serving_t *serving)
{
    copal_endpoint_t *e = serving->call.endpoint;
    if (!has_room(e, true)) {
        e->counters.dropped++;
        return;
    }
    copal__slot_t *s = keep(serving);
    memcpy(s->w.data, serving->w.data, serving->w.size);
    s->w.size = serving->w.size;
    launch(e, s);
}

void copal_endpoint_hear_groups(copal_endpoint_t *e) { e->keep = keep_answer; }

int copal_defer(copal_call_t *call, copal_handle_t *handle)
{
    copal__serving_t *serving = (copal__serving_t *)(void *)call;
    copal_endpoint_t *e = call->endpoint;
    const copal_message_t *m = call->request;
    if (serving->deferred)
        return COPAL_EEXIST;
    if (call->notification && !serving->observable) {
        serving->fallback = COPAL_NOT_FOUND; /* as where the answer is given at once */
        return COPAL_EINVAL;
    }
    serving->fallback = COPAL_BAD_REQUEST; /* RFC 8974 section 2.2.2 */
    if (m->token.size > e->config.limits.token_size)
        return COPAL_EINVAL;
    serving->fallback = COPAL_SERVICE_UNAVAILABLE;
    if (!has_room(e, call->from->multicast))
        return COPAL_EFULL;
    copal__slot_t *s = keep(serving);
    s->stand = s->confirmable ? COPAL__HELD : COPAL__PROMISED;
    copy_request(s, m);
    s->later.keeps_request = true;
    s->later.token_size = (uint8_t)m->token.size;
    s->later.token_end = (uint16_t)s->w.options;
    copal__keeping_move(&s->later.keeping, &serving->keeping);
    copal__slot_wake(e, s, s->confirmable ? call->now + e->config.timing.ack_delay : COPAL_NEVER);
    serving->deferred = true;
    if (serving->observable)
        e->observing->defer(serving, s);
    *handle = serving->later = copal__slot_handle(e, s);
    return 0;
}

int copal_later_request(copal_endpoint_t *e, copal_handle_t handle, copal_message_t *request)
{
    const copal__slot_t *s = copal__slot_find(e, handle, &calls);
    if (!s || !s->later.keeps_request)
        return COPAL_ESTALE;
    return copal_message_parse(request, (copal_bytes_t){s->w.data, s->w.size});
}

/* Starts the answer over the request, whose token is in its place already. */
static void restart(copal_endpoint_t *e, copal__slot_t *s, copal_code_t code)
{
    uint8_t *data = s->w.data;
    copal__keeping_drop(&s->later.keeping);
    copal_writer_init(&s->w, data, e->config.limits.datagram_size);
    data[1] = code;
    s->w.size = s->w.options = s->later.token_end;
    s->later.keeps_request = false;
    copal__answer_open(e, &s->w, code, s->later.asked.block2, &s->later.keeping);
}

int copal_later_begin(copal_endpoint_t *e, copal_handle_t handle, copal_code_t code, copal_writer_t **w)
{
    copal__slot_t *s = copal__slot_find(e, handle, &calls);
    if (!s || is_answered(s))
        return COPAL_ESTALE;
    restart(e, s, code);
    *w = &s->w;
    return 0;
}

/* Makes the answer fit what may leave to an address that is not proven. Where no block is small enough, what only reads may
 * try again: by then the peer has been asked for a proof. */
static void fit(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__later_t *later = &s->later;
    size_t size = s->w.error ? 0 : copal__answer_size(&s->w, &later->asked);
    size_t most = later->address.credit < s->w.capacity ? later->address.credit : s->w.capacity;
    if (copal__address_affordable(e, &s->peer, s->hash, &later->address, size + COPAL__CLOSING_MORE))
        return;
    if (size <= later->address.credit) {
        s->w.capacity = most; /* no room for what need not be said */
        return;
    }
    copal__address_withhold(e, &s->peer, &later->address);
    bool cuttable = later->cuttable && copal__keeping_reaches(&later->keeping, &s->w);
    if (!copal__answer_fit(&s->w, &later->asked, cuttable, most))
        restart(e, s, COPAL_SERVICE_UNAVAILABLE);
}

/* Nobody wants the answer: at most the acknowledgement is left to be sent. */
static void keep_quiet(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__remembered_reply(&e->remembered, s->later.memory, s->name, NULL, false);
    if (s->stand != COPAL__HELD) {
        conclude(e, s, true);
        return;
    }
    copal__put_empty(s->w.data, COPAL_ACK, s->later.request_id);
    s->w.size = COPAL__EMPTY_SIZE;
    s->stand = COPAL__ONCE;
    copal__slot_wake(e, s, e->now);
}

static int commit(copal_endpoint_t *e, copal__slot_t *s)
{
    fit(e, s);
    copal__keeping_end(&s->later.keeping, &s->w);
    copal_code_t instead = copal__answer_close(&s->w, s->w.data[1], &s->later.asked);
    int error = s->w.error;
    if (instead)
        restart(e, s, error ? COPAL_INTERNAL_SERVER_ERROR : instead);
    if (instead && !error)
        copal_write_text(&s->w, "no such block");
    if (instead)
        copal__answer_close(&s->w, instead, &s->later.asked);
    if (s->later.observer && (instead = e->observing->commit(e, s)))
        restart(e, s, instead);
    if (!s->later.notifies)
        copal__count_answer(e, s->w.data[1]);
    if (copal__is_unwanted(s->later.unwanted, s->w.data[1])) {
        keep_quiet(e, s);
        return error;
    }
    bool piggybacked = s->stand == COPAL__HELD;
    copal__remembered_reply(&e->remembered, s->later.memory, s->name, piggybacked ? &s->w : NULL, piggybacked);
    copal_type_t type = piggybacked ? COPAL_ACK : s->confirmable ? COPAL_CON : COPAL_NON;
    s->w.data[0] = (uint8_t)((s->w.data[0] & 0xcfu) | (unsigned)type << 4);
    if (piggybacked) { /* the message ID is the request's and in its place */
        s->stand = COPAL__ONCE;
        copal__slot_wake(e, s, e->now);
    } else {
        s->deadline = e->now + e->exchange_lifetime;
        launch(e, s);
    }
    return error;
}

int copal_later_commit(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle)
{
    copal__slot_t *s = copal__slot_find(e, handle, &calls);
    if (!s || is_answered(s) || s->later.keeps_request)
        return COPAL_ESTALE;
    const copal_service_t *service = &e->config.service;
    const bool refused = s->w.data[1] >= COPAL_BAD_REQUEST;
    e->now = now;
    const int error = commit(e, s);
    if (refused && service->refused)
        service->refused(service->context, e, handle);
    return error;
}
