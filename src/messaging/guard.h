/* What may go to addresses that have not shown they are real, so that a request with a forged address gains nothing for who
 * sends it. Counted by network, in a fixed table by hash: networks whose hashes meet share a bucket. A bucket holds what
 * left beyond the credit of what came in, which is three times its octets. Until half of it is spent it is only added to,
 * whoever it is for: that costs next to nothing. From then on it counts for those who are not proven, and is refilled. */
#ifndef COPAL_MESSAGING_GUARD_H
#define COPAL_MESSAGING_GUARD_H

#include "copal/base.h"
#include "memory.h"

#define COPAL__CREDIT 3u /* octets out for one in */

/* Milliseconds. */
#define COPAL__PING_INTERVAL 1000  /* between two pings of a bucket */
#define COPAL__PING_PATIENCE 5000  /* a Reset that comes later proves nothing */
#define COPAL__GUARD_QUIET   10000 /* without an answer withheld, before an empty bucket is one to spend from again */

typedef struct {
    copal_time_t withheld; /* the last time; valid while `empty` */
    copal_time_t pinged;   /* valid where it `has_pinged` */
    uint64_t pinged_peer;  /* hash */
    uint32_t spent;        /* octets */
    uint16_t ping_id;
    bool has_pinged;
    bool awaits; /* the Reset with `ping_id` proves `pinged_peer` */
    bool empty;  /* it could not pay for an answer: nothing is spent from it, though it may be refilled */
    bool low;    /* empty, or more than half of it is spent */
} copal__bucket_t;

typedef struct {
    copal__bucket_t *buckets;
    uint64_t secret;
    uint32_t mask;
    uint32_t half;   /* of the octets that a bucket may spend */
    uint32_t low;    /* how many are: while none is, only what goes beyond its credit needs to be looked at */
    bool has_pinged; /* a Reset may be the answer to that */
} copal__guard_t;

/** `networks` is a power of two; `secret` and `half` are the caller's to set. */
void copal__guard_lay(copal__guard_t *g, copal__carver_t *carver, uint32_t networks);

/** The bucket of the network that the first `network` octets of a peer name; 0: all. Nobody gains much by knowing which ones
 *  share it, so a hash of a few steps will do. */
static inline copal__bucket_t *copal__guard_bucket(const copal__guard_t *g, const copal_peer_t *peer, unsigned network)
{
    const uint8_t *at = peer->data;
    uint64_t hash = (uint64_t)at[7] << 56 | (uint64_t)at[6] << 48 | (uint64_t)at[5] << 40 | (uint64_t)at[4] << 32 |
                    (uint64_t)at[3] << 24 | (uint64_t)at[2] << 16 | (uint64_t)at[1] << 8 | at[0]; /* one load */
    if (network - 1 < 7) {
        hash = (hash & ~(UINT64_MAX << 8 * network)) * g->secret;
    } else {
        hash = 0;
        for (unsigned i = 0; i < peer->size; i++)
            hash = (hash + at[i]) * g->secret;
    }
    return &g->buckets[(uint32_t)(hash >> 32) & g->mask];
}

/** Octets that any bucket has room for, whichever it is. */
static inline size_t copal__guard_least_room(const copal__guard_t *g) { return g->low ? 0 : g->half; }

/** One that is empty is one to spend from again, if it is time for that. */
void copal__guard_reopen(copal__guard_t *g, copal__bucket_t *b, copal_time_t now);
/** Octets that it may spend. */
uint32_t copal__guard_room(copal__guard_t *g, copal__bucket_t *b, copal_time_t now);
/** It spends octets, at most those. */
static inline void copal__guard_spend(copal__guard_t *g, copal__bucket_t *b, size_t octets)
{
    b->spent += (uint32_t)octets;
    if (b->spent > g->half && !b->low) {
        b->low = true;
        g->low++;
    }
}

/** Takes back what was spent. What was not is no credit for later. */
void copal__guard_refill(copal__guard_t *g, copal__bucket_t *b, size_t octets);
/** An answer was too long for it: it is empty, until it is refilled to a half and nobody wanted more for a while. */
void copal__guard_withhold(copal__guard_t *g, copal__bucket_t *b, copal_time_t now);

/** Whether it is time to ask a peer of a bucket that is low for a proof. */
bool copal__guard_may_ping(const copal__bucket_t *b, copal_time_t now);
/** The message ID of a ping that leaves to this peer now: that of the last one while it awaits its Reset, or `drawn`. */
uint16_t copal__guard_ping(copal__guard_t *g, copal__bucket_t *b, copal_time_t now, uint64_t peer_hash, uint16_t drawn);
/** Whether a Reset answers the ping. One with another ID shows that somebody guesses: then no other does, either. */
bool copal__guard_is_proof(copal__bucket_t *b, copal_time_t now, uint64_t peer_hash, uint16_t id);

#endif
