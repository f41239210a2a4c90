#include "rest.h"

#include "options.h"
#include "state.h"

#include <string.h>

void copal__rests_lay(copal__rests_t *t, copal__carver_t *carver, uint32_t capacity, uint32_t size)
{
    t->rests = copal__carve(carver, capacity, sizeof *t->rests);
    t->octets = copal__carve(carver, capacity, size);
    t->capacity = capacity;
    t->size = size;
}

static uint8_t *octets_of(const copal__rests_t *t, const copal__rest_t *r)
{
    return t->octets + (size_t)(r - t->rests) * t->size;
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

static copal__rest_t *lookup(const copal__rests_t *t, uint64_t key)
{
    for (copal__rest_t *r = t->rests; r < t->rests + t->capacity; r++)
        if (r->code && r->key == key)
            return r;
    return NULL;
}

/* Nobody is to get blocks of an older answer for those of this one. */
static void forget(copal__rests_t *t, uint64_t key)
{
    copal__rest_t *r = lookup(t, key);
    if (r)
        r->code = 0;
}

static bool is_older(const copal__rest_t *a, const copal__rest_t *b)
{
    return !b || (b->code && (!a->code || a->last < b->last));
}

/* A place: of a peer that has its share, its own oldest; else one that is free, or the oldest of all. */
static copal__rest_t *place(copal__rests_t *t, uint64_t peer)
{
    uint32_t count = 0, share = t->capacity < 8 ? 1 : t->capacity / 4;
    copal__rest_t *own = NULL, *any = NULL;
    for (copal__rest_t *r = t->rests; r < t->rests + t->capacity; r++) {
        bool mine = (r->code || r->open) && r->peer == peer;
        count += mine;
        if (!r->open && mine && is_older(r, own))
            own = r;
        if (!r->open && is_older(r, any))
            any = r;
    }
    return count < share ? any : own;
}

/* ---- an answer ------------------------------------------------------------------------------------------------ */

/* What the request and those for the rest have in common; its preconditions are settled by the first exchange. */
static void identify(copal__keeping_t *k, const copal_call_t *call)
{
    const copal__key_t *key = &call->endpoint->key;
    k->peer = copal__peer_hash(call->endpoint, &call->from->peer);
    k->key = copal__operation_key(key, call, k->peer, true);
    k->call = NULL;
}

static uint8_t *give_up(copal__keeping_t *k, copal_writer_t *w)
{
    copal__keeping_drop(k);
    w->spill = NULL;
    return NULL;
}

static uint8_t *take(copal_spill_t *self, copal_writer_t *w, size_t size)
{
    copal__keeping_t *k = (copal__keeping_t *)(void *)self;
    copal__rests_t *t = &k->endpoint->rests;
    if (!k->rest) {
        if (k->call)
            identify(k, k->call);
        forget(t, k->key);
        const bool is_held = !w->total || !w->skip; /* what was written before: the window has it, if it is from the start on */
        k->rest = is_held && w->total <= t->size ? place(t, k->peer) : NULL;
        if (!k->rest)
            return give_up(k, w);
        *k->rest = (copal__rest_t){.key = k->key, .peer = k->peer, .open = true};
        if (w->total)
            memcpy(octets_of(t, k->rest), w->data + w->payload, w->total);
    }
    if (size > t->size - w->total)
        return give_up(k, w);
    return octets_of(t, k->rest) + w->total;
}

void copal__keeping_begin(copal__keeping_t *k, const copal_call_t *call)
{
    *k = (copal__keeping_t){.spill.take = take, .endpoint = call->endpoint, .call = call};
}

void copal__keeping_move(copal__keeping_t *to, copal__keeping_t *from)
{
    copal__keeping_drop(from);
    if (from->call)
        identify(from, from->call);
    *to = *from;
    *from = (copal__keeping_t){0};
}

bool copal__keeping_reaches(copal__keeping_t *k, copal_writer_t *w)
{
    return !k->spill.take || k->rest || (w->spill && take(&k->spill, w, 0));
}

void copal__keeping_drop(copal__keeping_t *k)
{
    if (k->rest)
        k->rest->open = false;
    k->rest = NULL;
}

void copal__keeping_end(copal__keeping_t *k, const copal_writer_t *w)
{
    copal__rest_t *r = k->rest;
    if (!r)
        return;
    copal__rests_t *t = &k->endpoint->rests;
    size_t options = w->payload - 1 - w->options;
    if (!w->error && w->total > w->window && options <= t->size - w->total) {
        memcpy(octets_of(t, r) + w->total, w->data + w->options, options);
        forget(t, r->key);
        r->size = (uint32_t)w->total;
        r->options = (uint16_t)options;
        r->number = w->number;
        r->code = w->data[1];
        r->last = k->endpoint->now;
    }
    copal__keeping_drop(k);
}

/* ---- its blocks ------------------------------------------------------------------------------------------------- */

copal__rest_t *copal__rest_find(const copal_call_t *call)
{
    const copal_endpoint_t *e = call->endpoint;
    copal__keeping_t asked;
    identify(&asked, call);
    copal__rest_t *r = lookup(&e->rests, asked.key);
    return r && e->now - r->last < e->exchange_lifetime ? r : NULL;
}

void copal__rest_reply(copal_call_t *call, copal__rest_t *r)
{
    const copal__rests_t *t = &call->endpoint->rests;
    const uint8_t *octets = octets_of(t, r);
    copal_writer_t *w = copal_reply(call, r->code);
    copal_write_encoded(w, (copal_bytes_t){octets + r->size, r->options}, r->number);
    copal_write_payload(w, (copal_bytes_t){octets, r->size});
    r->last = call->now;
}
