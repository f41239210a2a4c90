#include "observers.h"

#include "state.h"

#include <string.h>

/* ---- subjects: what states are of ------------------------------------------------------------------------------ */

copal__subject_t *copal__subject_find(const copal__observers_t *t, uint32_t slot)
{
    uint32_t at = copal__index_first(&t->by_slot, slot);
    while (at != COPAL__NONE && t->subjects[at].slot != slot)
        at = copal__index_next(&t->by_slot, at);
    return at == COPAL__NONE ? NULL : &t->subjects[at];
}

/* A clock in milliseconds keeps to "MUST NOT increase so fast that it increases by more than 2^23 within less than 256
 * seconds", and so does one step for each change that is told. */
void copal__subject_count(copal__observers_t *t, copal__subject_t *s, copal_time_t now)
{
    s->number = s->number + 1 > now ? s->number + 1 : now;
    s->told = false;
    if (s->number > t->number)
        t->number = s->number;
}

static copal__subject_t *open_subject(copal__observers_t *t, uint32_t slot)
{
    uint32_t at = copal__pool_take(&t->subject_pool); /* there are as many as requests, and each has one at least */
    copal__subject_t *s = &t->subjects[at];
    *s = (copal__subject_t){.slot = slot, .number = t->number};
    copal__index_add(&t->by_slot, slot, at);
    return s;
}

static void close_subject(copal__observers_t *t, copal__subject_t *s)
{
    uint32_t at = (uint32_t)(s - t->subjects);
    if (s->listed)
        copal__list_remove(&t->changed, t->changed_links, at);
    copal__index_remove(&t->by_slot, s->slot, at);
    copal__pool_give(&t->subject_pool, at);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

uint32_t copal__observed_open(copal__observers_t *t, uint64_t hash, size_t size, copal_handle_t subject)
{
    copal__subject_t *s = copal__subject_find(t, subject.slot);
    uint32_t at = s ? copal__index_first(&t->by_request, hash) : COPAL__NONE;
    for (; at != COPAL__NONE; at = copal__index_next(&t->by_request, at)) {
        const copal__observed_t *o = &t->observed[at];
        if (o->hash == hash && o->size == size && o->generation == subject.generation && &t->subjects[o->subject] == s &&
            !memcmp(t->requests + at * t->request_size, copal__observers_draft(t), size))
            return at;
    }
    at = copal__pool_take(&t->observed_pool);
    if (at == COPAL__NONE)
        return at;
    if (!s)
        s = open_subject(t, subject.slot);
    s->observed++;
    memcpy(t->requests + at * t->request_size, copal__observers_draft(t), size);
    t->observed[at] = (copal__observed_t){.hash = hash, .subject = (uint32_t)(s - t->subjects),
                                          .generation = subject.generation, .size = (uint16_t)size};
    copal__index_add(&t->by_request, hash, at);
    return at;
}

static void close_observed(copal__observers_t *t, uint32_t at)
{
    const copal__observed_t *o = &t->observed[at];
    copal__subject_t *s = &t->subjects[o->subject];
    copal__index_remove(&t->by_request, o->hash, at);
    copal__pool_give(&t->observed_pool, at);
    if (!--s->observed)
        close_subject(t, s);
}

/* ---- observers --------------------------------------------------------------------------------------------------- */

copal__observer_t *copal__observer_add(copal__observers_t *t, uint32_t observed, uint64_t key)
{
    uint32_t at = copal__pool_take(&t->pool);
    copal__observer_t *o = &t->observers[at];
    copal__subject_t *s = &t->subjects[t->observed[observed].subject];
    memset(o, 0, sizeof *o);
    o->observed = observed;
    o->round = s->round;
    t->observed[observed].observers++;
    copal__list_add(&s->ring, t->ring_links, at);
    copal__index_add(&t->by_token, key, at);
    return o;
}

void copal__observer_come(copal__observers_t *t, copal__observer_t *o)
{
    copal__subject_t *s = copal__subject_of(t, o);
    uint32_t at = copal__observer_number(t, o);
    o->round = s->round;
    copal__list_remove(&s->ring, t->ring_links, at);
    copal__list_add(&s->ring, t->ring_links, at);
}

static uint64_t id_key(const copal__observer_t *o) { return copal__message_key(o->hash, o->via, o->id); }

static void forget_id(copal__observers_t *t, copal__observer_t *o)
{
    if (o->has_id)
        copal__index_remove(&t->by_id, id_key(o), copal__observer_number(t, o));
    o->has_id = false;
}

void copal__observer_identify(copal__observers_t *t, copal__observer_t *o, uint16_t id)
{
    forget_id(t, o);
    o->id = id;
    o->has_id = true;
    copal__index_add(&t->by_id, id_key(o), copal__observer_number(t, o));
}

static copal__list_t *list_of(copal__observers_t *t, const copal__observer_t *o)
{
    return o->stand == COPAL__BEHIND ? &copal__client_of(t, o->hash)->behind : copal__standing(t, o->stand);
}

void copal__observer_stand(copal__observers_t *t, copal__observer_t *o, copal__observer_stand_t stand)
{
    uint32_t at = copal__observer_number(t, o);
    if (o->stand >= COPAL__DUE)
        copal__list_remove(list_of(t, o), t->stand_links, at);
    o->stand = (uint8_t)stand;
    if (stand >= COPAL__DUE)
        copal__list_add(list_of(t, o), t->stand_links, at);
}

void copal__observer_remove(copal__observers_t *t, copal__observer_t *o, uint64_t key)
{
    uint32_t at = copal__observer_number(t, o), observed = o->observed;
    copal__observer_stand(t, o, COPAL__RESTING);
    forget_id(t, o);
    copal__list_remove(&copal__subject_of(t, o)->ring, t->ring_links, at);
    copal__index_remove(&t->by_token, key, at);
    copal__pool_give(&t->pool, at);
    if (!--t->observed[observed].observers)
        close_observed(t, observed);
}
