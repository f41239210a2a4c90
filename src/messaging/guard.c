#include "guard.h"

void copal__guard_lay(copal__guard_t *g, copal__carver_t *carver, uint32_t networks)
{
    g->buckets = copal__carve(carver, networks, sizeof *g->buckets);
    g->mask = networks - 1;
}

static void settle(copal__guard_t *g, copal__bucket_t *b)
{
    bool low = b->empty || b->spent > g->half;
    g->low += (uint32_t)low - b->low;
    b->low = low;
}

void copal__guard_reopen(copal__guard_t *g, copal__bucket_t *b, copal_time_t now)
{
    if (b->empty && b->spent <= g->half && now - b->withheld >= COPAL__GUARD_QUIET) {
        b->empty = false;
        settle(g, b);
    }
}

uint32_t copal__guard_room(copal__guard_t *g, copal__bucket_t *b, copal_time_t now)
{
    copal__guard_reopen(g, b, now);
    return b->empty || b->spent > 2 * g->half ? 0 : 2 * g->half - b->spent;
}

void copal__guard_refill(copal__guard_t *g, copal__bucket_t *b, size_t octets)
{
    b->spent = octets < b->spent ? b->spent - (uint32_t)octets : 0;
    settle(g, b);
}

void copal__guard_withhold(copal__guard_t *g, copal__bucket_t *b, copal_time_t now)
{
    b->empty = true;
    b->withheld = now;
    settle(g, b);
}

bool copal__guard_may_ping(const copal__bucket_t *b, copal_time_t now)
{
    return !b->has_pinged || now - b->pinged >= COPAL__PING_INTERVAL;
}

static bool is_awaited(const copal__bucket_t *b, copal_time_t now, uint64_t peer_hash)
{
    return b->awaits && b->pinged_peer == peer_hash && now - b->pinged < COPAL__PING_PATIENCE;
}

uint16_t copal__guard_ping(copal__guard_t *g, copal__bucket_t *b, copal_time_t now, uint64_t peer_hash, uint16_t drawn)
{
    if (!is_awaited(b, now, peer_hash))
        b->ping_id = drawn;
    b->pinged = now;
    b->pinged_peer = peer_hash;
    b->has_pinged = b->awaits = g->has_pinged = true;
    return b->ping_id;
}

bool copal__guard_is_proof(copal__bucket_t *b, copal_time_t now, uint64_t peer_hash, uint16_t id)
{
    if (!is_awaited(b, now, peer_hash))
        return false;
    b->awaits = false;
    return b->ping_id == id;
}
