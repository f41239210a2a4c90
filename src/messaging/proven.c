#include "proven.h"

#define WAYS 8u /* entries that compete for one place */

void copal__proven_lay(copal__proven_t *p, copal__carver_t *carver, uint32_t capacity)
{
    p->capacity = capacity;
    p->proofs = copal__carve(carver, capacity, sizeof *p->proofs);
}

static copal__proof_t *set_of(const copal__proven_t *p, uint64_t hash, uint32_t *ways)
{
    *ways = p->capacity < WAYS ? p->capacity : WAYS;
    uint32_t sets = p->capacity / *ways;
    return p->proofs + (uint32_t)(hash >> 32) % sets * *ways;
}

void copal__proven_add(copal__proven_t *p, copal_time_t now, uint64_t peer_hash)
{
    uint32_t ways;
    copal__proof_t *set = set_of(p, peer_hash, &ways), *best = set;
    for (uint32_t i = 0; i < ways; i++) {
        if (!set[i].set || set[i].hash == peer_hash) {
            best = &set[i];
            break;
        }
        if (set[i].until < best->until)
            best = &set[i];
    }
    *best = (copal__proof_t){peer_hash, now + COPAL__PROVEN_FOR, true};
}

bool copal__proven_has(const copal__proven_t *p, copal_time_t now, uint64_t peer_hash)
{
    uint32_t ways;
    const copal__proof_t *set = set_of(p, peer_hash, &ways);
    for (uint32_t i = 0; i < ways; i++)
        if (set[i].set && set[i].hash == peer_hash)
            return now < set[i].until;
    return false;
}
