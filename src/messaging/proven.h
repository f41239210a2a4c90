/* Addresses that have shown they are real, for some minutes. Bounded: the one shown longest ago makes room. */
#ifndef COPAL_MESSAGING_PROVEN_H
#define COPAL_MESSAGING_PROVEN_H

#include "copal/base.h"
#include "memory.h"

#define COPAL__PROVEN_FOR (5 * 60 * 1000) /* milliseconds */

typedef struct {
    uint64_t hash;
    copal_time_t until;
    bool set;
} copal__proof_t;

typedef struct {
    copal__proof_t *proofs;
    uint32_t capacity;
    uint64_t displaced; /* proofs that still held and made room, counted */
} copal__proven_t;

void copal__proven_lay(copal__proven_t *p, copal__carver_t *carver, uint32_t capacity);
void copal__proven_add(copal__proven_t *p, copal_time_t now, uint64_t peer_hash);
bool copal__proven_has(const copal__proven_t *p, copal_time_t now, uint64_t peer_hash);

#endif
