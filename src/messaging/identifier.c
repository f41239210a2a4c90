#include "identifier.h"

#define SEGMENT_SIZE (65536u / COPAL__SEGMENTS)

void copal__identifiers_lay(copal__identifiers_t *ids, copal__carver_t *carver, uint32_t counters)
{
    ids->counters = copal__carve(carver, counters, sizeof *ids->counters);
    ids->mask = counters - 1;
}

static copal__counter_t *counter_of(const copal__identifiers_t *ids, uint64_t hash)
{
    return &ids->counters[(uint32_t)(hash >> 32) & ids->mask];
}

copal_time_t copal__identifier_free_at(const copal__identifiers_t *ids, uint64_t hash)
{
    const copal__counter_t *c = counter_of(ids, hash);
    unsigned segment = c->next / SEGMENT_SIZE;
    return c->next % SEGMENT_SIZE == 0 ? c->until[segment] : INT64_MIN;
}

bool copal__identifier_is_free(const copal__identifiers_t *ids, copal_time_t now, uint64_t hash)
{
    return !counter_of(ids, hash)->started || now >= copal__identifier_free_at(ids, hash);
}

uint32_t copal__identifier_take(copal__identifiers_t *ids, copal_time_t now, uint64_t hash, copal_time_t until)
{
    copal__counter_t *c = counter_of(ids, hash);
    if (!c->started) {
        ids->random(ids->random_state, &c->next, sizeof c->next);
        c->started = true;
        for (unsigned i = 0; i < COPAL__SEGMENTS; i++)
            c->until[i] = INT64_MIN;
    }
    if (now < copal__identifier_free_at(ids, hash))
        return COPAL__NONE;
    uint16_t id = c->next++;
    copal__identifier_touch(ids, hash, id, until);
    return id;
}

void copal__identifier_touch(copal__identifiers_t *ids, uint64_t hash, uint16_t id, copal_time_t until)
{
    copal_time_t *last = &counter_of(ids, hash)->until[id / SEGMENT_SIZE];
    if (until > *last) /* a NON rests for a shorter time than the CON before it */
        *last = until;
}
