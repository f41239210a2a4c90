#include "proven.h"

#define WAYS 8u /* entries that compete for one place */

void copal__proven_lay(copal__proven_t *p, copal__carver_t *carver, uint32_t capacity)
{
    p->capacity = capacity;
    p->proofs = copal__carve(carver, capacity, sizeof *p->proofs);
}

/* The place of this hash: the proof that is there, or the one that makes room for it, a free one or the oldest. */
static copal__proof_t *place_of(const copal__proven_t *p, uint64_t hash)
{
    uint32_t ways = p->capacity < WAYS ? p->capacity : WAYS, sets = p->capacity / ways;
    copal__proof_t *proof = p->proofs + (uint32_t)(hash >> 32) % sets * ways, *best = proof;
    for (; ways; ways--, proof++) {
        if (!proof->set || proof->hash == hash)
            return proof;
        if (proof->until < best->until)
            best = proof;
    }
    return best;
}

void copal__proven_add(copal__proven_t *p, copal_time_t now, uint64_t peer_hash)
{
    copal__proof_t *proof = place_of(p, peer_hash);
    p->displaced += proof->set && proof->hash != peer_hash && now < proof->until;
    *proof = (copal__proof_t){peer_hash, now + COPAL__PROVEN_FOR, true};
}

bool copal__proven_has(const copal__proven_t *p, copal_time_t now, uint64_t peer_hash)
{
    const copal__proof_t *proof = place_of(p, peer_hash);
    return proof->set && proof->hash == peer_hash && now < proof->until;
}
