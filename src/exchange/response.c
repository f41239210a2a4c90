/* What comes back for messages of ours: acknowledgements, Resets, responses (RFC 7252 sections 4.2, 4.3, 5.3.2). */
#include "options.h"
#include "state.h"

#include <string.h>

static bool is_call(const copal_endpoint_t *e, uint32_t slot) { return slot >= e->config.limits.requests; }

static bool is_ping(const copal_endpoint_t *e, uint32_t slot) { return e->slots[slot].w.data[1] == COPAL_EMPTY; }

static int acknowledge(copal_endpoint_t *e, copal_time_t now, uint32_t slot, const copal_from_t *from)
{
    copal__slot_t *s = &e->slots[slot];
    if (s->stand != COPAL__SENT)
        return COPAL_EIGNORED;
    if (is_call(e, slot)) {
        copal__later_end(e, slot);
    } else if (is_ping(e, slot)) {
        copal__request_end(e, now, slot, 0, NULL, from);
    } else {
        s->stand = COPAL__EXPECTING;
        copal__request_release(e, now, slot);
        copal__timer_set(&e->timers, slot, s->deadline);
    }
    return 0;
}

static int reset(copal_endpoint_t *e, copal_time_t now, uint32_t slot, const copal_from_t *from)
{
    if (is_call(e, slot))
        copal__later_end(e, slot);
    else
        copal__request_end(e, now, slot, is_ping(e, slot) ? 0 : COPAL_ERESET, NULL, from);
    return 0;
}

int copal__empty_receive(copal_endpoint_t *e, copal_time_t now, const copal_from_t *from, const copal_message_t *m)
{
    uint32_t slot = copal__slot_by_id(e, copal__peer_hash(e, &from->peer), &from->peer, m->id);
    if (slot == COPAL__NONE)
        return COPAL_EIGNORED;
    return m->type == COPAL_ACK ? acknowledge(e, now, slot, from) : reset(e, now, slot, from);
}

static bool token_matches(const copal_endpoint_t *e, uint32_t slot, copal_bytes_t token)
{
    const copal__request_t *r = &e->requests[slot];
    return r->token_size == token.size && !memcmp(e->slots[slot].w.data + r->token_at, token.data, token.size);
}

/* Whether response `b` rather than `a` is the one a message without token answers: the oldest that was acknowledged
 * (section 5.3.1 leaves such a client to match otherwise). */
static bool is_better(const copal_endpoint_t *e, uint32_t a, uint32_t b)
{
    if (a == COPAL__NONE || e->slots[a].stand != e->slots[b].stand)
        return a == COPAL__NONE || e->slots[b].stand == COPAL__EXPECTING;
    return (int32_t)(e->requests[b].order - e->requests[a].order) < 0;
}

static uint32_t by_token(const copal_endpoint_t *e, uint64_t hash, const copal_from_t *from, copal_bytes_t token)
{
    uint64_t token_hash = copal__hash(&e->key, hash, token.data, token.size);
    uint32_t best = COPAL__NONE;
    uint32_t slot = copal__index_first(&e->tokens, token_hash);
    for (; slot != COPAL__NONE; slot = copal__index_next(&e->tokens, slot)) {
        const copal__slot_t *s = &e->slots[slot];
        bool waits = (s->stand == COPAL__SENT || s->stand == COPAL__EXPECTING) && !is_ping(e, slot);
        if (waits && copal__peer_equal(&s->peer, &from->peer) && token_matches(e, slot, token) &&
            is_better(e, best, slot))
            best = slot;
    }
    return best;
}

/* An ACK of our separate response, whatever it carries ("silently ignoring any Response Code or payload", 5.2.2). */
static bool is_acknowledged_call(copal_endpoint_t *e, uint64_t hash, const copal_from_t *from, const copal_message_t *m)
{
    uint32_t slot = copal__slot_by_id(e, hash, &from->peer, m->id);
    if (slot == COPAL__NONE || !is_call(e, slot))
        return false;
    copal__later_end(e, slot);
    return true;
}

static uint32_t find(const copal_endpoint_t *e, uint64_t hash, const copal_from_t *from, const copal_message_t *m)
{
    if (m->type != COPAL_ACK)
        return by_token(e, hash, from, m->token);
    uint32_t slot = copal__slot_by_id(e, hash, &from->peer, m->id);
    bool fits = slot != COPAL__NONE && !is_call(e, slot) && !is_ping(e, slot) && e->slots[slot].confirmable;
    return fits && token_matches(e, slot, m->token) ? slot : COPAL__NONE;
}

/* A response that was taken already: acknowledged again, and nothing else (section 4.5). */
static bool is_duplicate(const copal_endpoint_t *e, copal_time_t now, uint64_t key)
{
    const copal__taken_t *taken = &e->taken[(uint32_t)key & e->taken_mask];
    return taken->key == key && now < taken->until;
}

/* Answers a CON response; one that is taken is known again when it comes again. */
static void settle(copal_endpoint_t *e, copal_time_t now, uint64_t key, const copal_from_t *from, const copal_message_t *m,
                   bool takes)
{
    if (takes)
        e->taken[(uint32_t)key & e->taken_mask] = (copal__taken_t){key, now + e->exchange_lifetime};
    if (m->type == COPAL_CON && !from->multicast)
        copal__post_empty(e, from, takes ? COPAL_ACK : COPAL_RST, m->id);
}

/* A second challenge, made when a copy of the first request came in, says nothing about the one with the Echo. */
static bool is_same_echo(const copal__slot_t *s, const copal_option_t *echo)
{
    copal_message_t sent;
    copal_option_t ours;
    return !copal_message_parse(&sent, (copal_bytes_t){s->w.data, s->w.size}) &&
           copal_option_find(&sent, COPAL_OPTION_ECHO, &ours) && ours.value.size == echo->value.size &&
           !memcmp(ours.value.data, echo->value.data, echo->value.size);
}

/* A 4.01 with Echo asks for the same request once more, with that value (RFC 9175 section 2.3). False: it is the answer. */
static bool answer_challenge(copal_endpoint_t *e, copal_time_t now, uint32_t slot, const copal_message_t *m)
{
    copal__slot_t *s = &e->slots[slot];
    copal_option_t echo;
    if (m->code != COPAL_UNAUTHORIZED || !copal_option_find(m, COPAL_OPTION_ECHO, &echo))
        return false;
    if (e->requests[slot].echoed)
        return is_same_echo(s, &echo);
    copal_writer_t before = s->w;
    copal_write_option(&s->w, COPAL_OPTION_ECHO, echo.value);
    if (s->w.error) {
        s->w = before; /* an option that finds no room changes no octet */
        return false;
    }
    e->requests[slot].echoed = true;
    copal__request_redraw(e, slot);
    copal__request_launch(e, now, slot);
    return true;
}

int copal__response_receive(copal_endpoint_t *e, copal_time_t now, const copal_from_t *from, const copal_message_t *m,
                            bool oversize)
{
    uint64_t hash = copal__peer_hash(e, &from->peer), key = copal__message_key(hash, 0, m->id);
    if (m->type == COPAL_ACK && is_acknowledged_call(e, hash, from, m))
        return 0;
    bool again = m->type != COPAL_ACK && is_duplicate(e, now, key);
    uint32_t slot = again ? COPAL__NONE : find(e, hash, from, m);
    int status = oversize ? COPAL_ESPACE : slot != COPAL__NONE && copal__response_is_critical(m) ? COPAL_ECRITICAL : 0;
    if (m->type != COPAL_ACK)
        settle(e, now, key, from, m, again || (slot != COPAL__NONE && !status));
    if (slot == COPAL__NONE)
        return COPAL_EIGNORED;
    if (!status && answer_challenge(e, now, slot, m))
        return 0;
    copal__request_end(e, now, slot, status, status ? NULL : m, from);
    return 0;
}
