/* Observations begin and end (RFC 7641 sections 3.6, 4.1). */
#include "observe.h"

#include "../message/writer.h"

#include <string.h>

#define TWEAK 0x6f627365u
#define OBSERVE_MOST 5u /* octets that an Observe option adds at most, its head included */

/* ---- finding, ending --------------------------------------------------------------------------------------------- */

/* "The entry in the list of observers is keyed by the client endpoint and the token" (section 4.1). */
static uint64_t key_of(const copal_endpoint_t *e, uint64_t peer_hash, uint32_t via, copal_bytes_t token)
{
    return copal__hash(&e->key, copal__message_key(peer_hash, via, 0) ^ TWEAK, token.data, token.size);
}

static copal_bytes_t token_of(const copal__observer_t *o) { return (copal_bytes_t){o->token, o->token_size}; }

static copal__observer_t *find(const copal__serving_t *s)
{
    const copal_endpoint_t *e = s->call.endpoint;
    const copal__observers_t *t = &e->observers;
    const copal_from_t *from = s->call.from;
    copal_bytes_t token = s->call.request->token;
    uint32_t at = copal__index_first(&t->by_token, key_of(e, s->origin.peer, from->via, token));
    for (; at != COPAL__NONE; at = copal__index_next(&t->by_token, at)) {
        copal__observer_t *o = &t->observers[at];
        if (o->via == from->via && o->token_size == token.size && copal__peer_equal(&o->peer, &from->peer) &&
            (!token.size || !memcmp(o->token, token.data, token.size)))
            return o;
    }
    return NULL;
}

void copal__observe_end(copal_endpoint_t *e, copal__observer_t *o)
{
    uint64_t hash = o->hash;
    copal__slot_t *s = &e->slots[o->slot];
    if (o->stand == COPAL__FLYING || o->stand == COPAL__SUPERSEDED)
        copal__notify_close(e, s);
    if (o->stand == COPAL__PENDING)
        s->later.observer = 0;
    if (o->stand == COPAL__PENDING && s->later.notifies) { /* nobody waits for that answer any more */
        copal__slot_close(e, s);
        e->deferred--;
    }
    copal__observer_remove(&e->observers, o, key_of(e, hash, o->via, token_of(o)));
    copal__notify_release(e, hash);
    copal__observe_wake(e);
}

void copal__observe_wake(copal_endpoint_t *e)
{
    copal__observers_t *t = &e->observers;
    uint32_t cooling = copal__list_first(copal__standing(t, COPAL__COOLING));
    copal_time_t at = COPAL_NEVER;
    if (t->changed.first || copal__standing(t, COPAL__DUE)->first || copal__standing(t, COPAL__SUPERSEDED)->first ||
        (copal__standing(t, COPAL__CROWDED)->first && e->notifying < e->config.limits.notifications))
        at = e->now;
    else if (cooling != COPAL__NONE)
        at = e->now + (int32_t)(t->observers[cooling].due - (uint32_t)e->now);
    copal__timer_set(&e->timers, copal__observers_timer(e), at);
}

static bool can_be_observed(const copal__serving_t *s)
{
    copal_code_t method = s->call.request->code;
    return (method == COPAL_GET || method == COPAL_FETCH) && !s->call.from->multicast;
}

void copal__observe_deregister(copal__serving_t *s)
{
    if (!can_be_observed(s))
        return;
    copal__serving_identify(s);
    copal__observer_t *o = find(s);
    if (o)
        copal__observe_end(s->call.endpoint, o);
}

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static bool is_of_one_exchange(uint16_t number)
{
    return number == COPAL_OPTION_OBSERVE || number == COPAL_OPTION_ETAG || number == COPAL_OPTION_ECHO ||
           number == COPAL_OPTION_NO_RESPONSE;
}

/* Writes the request as it will be asked again to the draft. ETags are left out: whoever sends one is told of the whole
 * state, as it MAY be (section 4.3.2), and observes the same as who sends none. How many octets that are; 0: it cannot be
 * kept. An observation is of the whole (RFC 7959 section 2.6): what asks for a later block begins none. */
static size_t draft(const copal__serving_t *s)
{
    const copal__observers_t *t = &s->call.endpoint->observers;
    const copal_message_t *m = s->call.request;
    const copal_request_options_t *o = &s->options;
    copal_writer_t w;
    if (o->block2 > 15 || o->block1 > 7)
        return 0;
    copal_writer_init(&w, copal__observers_draft(t), t->request_size - !m->payload.size);
    copal_write_header(&w, COPAL_NON, m->code, 0, (copal_bytes_t){0});
    copal_option_reader_t reader = copal_message_options(m);
    for (copal_option_t option; copal_option_next(&reader, &option);)
        if (!is_of_one_exchange(option.number))
            copal_write_option(&w, option.number, option.value);
    copal_write_payload(&w, m->payload);
    return w.error ? 0 : w.size;
}

static bool has_room(copal__serving_t *s)
{
    const copal_endpoint_t *e = s->call.endpoint;
    const copal__pool_t *pool = &e->observers.pool;
    if (pool->used < pool->capacity - pool->capacity / 4)
        return true;
    return pool->used < pool->capacity &&
           (s->call.from->proven || copal__proven_has(&e->proven, e->now, s->origin.peer));
}

/* "If an entry with a matching endpoint/token pair is already present in the list ... the server MUST NOT add a new entry but
 * MUST replace or update the existing one"; where there is no room the request is answered "as usual" (section 4.1). */
copal__observer_t *copal__observe_begin(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    copal__serving_identify(s);
    copal__observer_t *former = find(s);
    uint32_t sent = former ? former->sent : (uint32_t)e->now - e->config.timing.notify_interval;
    if (former)
        copal__observe_end(e, former);
    copal__observers_t *t = &e->observers;
    const copal_from_t *from = s->call.from;
    copal_bytes_t token = s->call.request->token;
    bool may = token.size <= sizeof t->observers->token && token.size <= e->config.limits.token_size && has_room(s);
    size_t size = may ? draft(s) : 0;
    uint64_t hash = copal__hash(&e->key, TWEAK + s->subject.slot, copal__observers_draft(t), size);
    uint32_t observed = size ? copal__observed_open(t, hash, size, s->subject) : COPAL__NONE;
    if (observed == COPAL__NONE) {
        e->counters.unobserved++;
        return NULL;
    }
    t->observed[observed].confirmable = s->confirmable;
    copal__observer_t *o = copal__observer_add(t, observed, key_of(e, s->origin.peer, from->via, token));
    o->hash = s->origin.peer;
    o->peer = from->peer;
    o->via = from->via;
    o->network = from->network;
    o->proven = from->proven;
    o->token_size = (uint8_t)token.size;
    if (token.size)
        memcpy(o->token, token.data, token.size);
    o->sent = s->call.request->type == COPAL_CON ? sent : (uint32_t)e->now; /* a NON answer counts as one */
    o->confirmed = copal__units(e->now);
    copal__subject_count(t, copal__subject_of(t, o), e->now);
    return o;
}

static void answered(copal__serving_t *s)
{
    if (!can_be_observed(s))
        return;
    copal__observer_t *o = NULL;
    if (s->observable && copal__observe_may(s->code, &s->w))
        o = copal__observe_begin(s);
    else
        copal__observe_deregister(s);
    if (!o)
        return;
    copal__observer_fits(o, s->code, &s->w);
    copal__observe_write(copal__subject_of(&s->call.endpoint->observers, o), &s->w);
}

static const copal__observing_t observing = {answered, copal__observe_deregister, copal__notify_reset, copal__notify_send,
                                             copal__notify_defer, copal__notify_commit, copal__notify_conclude};

void copal_observe(copal_call_t *call, copal_handle_t subject, bool confirmable)
{
    copal__serving_t *s = (copal__serving_t *)(void *)call;
    if (!call->notification && (call->options->observe != 0 || !can_be_observed(s)))
        return;
    s->subject = subject;
    s->confirmable = confirmable;
    s->observable = true;
    call->endpoint->observing = &observing;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

bool copal__observe_may(copal_code_t code, const copal_writer_t *w)
{
    return COPAL_CODE_CLASS(code) == 2 && !w->error && w->capacity - w->size >= OBSERVE_MOST;
}

void copal__observe_write(copal__subject_t *s, copal_writer_t *w)
{
    copal_write_option_uint(w, COPAL_OPTION_OBSERVE, (uint32_t)s->number & 0xffffffu);
    s->told = true;
}

bool copal__observer_fits(copal__observer_t *o, copal_code_t code, const copal_writer_t *w)
{
    copal_option_t option;
    if (code == COPAL_VALID)
        return true; /* it has none, and means that of an earlier one */
    bool has_format = copal__written(w, COPAL_OPTION_CONTENT_FORMAT, &option);
    uint16_t format = has_format ? (uint16_t)copal_option_uint(&option) : 0;
    if (!o->has_content) {
        o->has_content = true;
        o->has_format = has_format;
        o->content_format = format;
    }
    return has_format == o->has_format && format == o->content_format;
}
