/* No amplifier: what may leave to an address that has not shown it is real. */
#include "state.h"

static void withhold(copal_endpoint_t *e, copal__bucket_t *b)
{
    e->counters.cut += !b->empty;
    e->counters.withheld++;
    copal__guard_withhold(&e->guard, b, e->now);
}

/* ---- at once ---------------------------------------------------------------------------------------------- */

bool copal__is_proven(const copal_endpoint_t *e, const copal_from_t *from, uint64_t hash)
{
    return from->proven || copal__proven_has(&e->proven, e->now, hash);
}

bool copal__answer_affordable(copal_endpoint_t *e, const copal_from_t *from, size_t octets)
{
    copal__bucket_t *b = copal__guard_bucket(&e->guard, &from->peer, from->network);
    return octets <= e->credit || octets <= e->credit + copal__guard_room(&e->guard, b, e->now) ||
           copal__is_proven(e, from, copal__peer_hash(e, &from->peer));
}

void copal__answer_withhold(copal_endpoint_t *e, const copal_from_t *from)
{
    withhold(e, copal__guard_bucket(&e->guard, &from->peer, from->network));
}

/* Asks who sent a request for a proof: an empty CON, which nearly everybody answers with Reset (RFC 7252 section 4.3). Its
 * message ID is drawn, so that only who gets it knows it; and is none that a Reset could mean a message of ours by.
 * Octets posted. */
static size_t ask_for_proof(copal_endpoint_t *e, const copal__arrival_t *a, copal__bucket_t *b, uint64_t hash)
{
    uint16_t id;
    e->config.random(e->config.random_state, &id, sizeof id);
    if (copal__slot_by_id(e, &a->from->peer, a->from->via, id))
        return 0;
    copal__post_empty(e, a->from, COPAL_CON, copal__guard_ping(&e->guard, b, e->now, hash, id));
    return COPAL__EMPTY_SIZE;
}

static bool is_request(const copal__arrival_t *a)
{
    return a->message.code != COPAL_EMPTY && COPAL_CODE_CLASS(a->message.code) == 0 && !a->from->multicast;
}

static void account_for_unproven(copal_endpoint_t *e, const copal__arrival_t *a, copal__bucket_t *b, size_t out)
{
    uint64_t hash = copal__peer_hash(e, &a->from->peer);
    if (copal__is_proven(e, a->from, hash))
        return;
    if (is_request(a) && copal__guard_may_ping(b, e->now) &&
        out + COPAL__EMPTY_SIZE <= e->credit + copal__guard_room(&e->guard, b, e->now))
        out += ask_for_proof(e, a, b, hash);
    if (out > e->credit)
        copal__guard_spend(&e->guard, b, out - e->credit);
    else
        copal__guard_refill(&e->guard, b, e->credit - out);
}

void copal__account(copal_endpoint_t *e, const copal__arrival_t *a, size_t out)
{
    copal__bucket_t *b = copal__guard_bucket(&e->guard, &a->from->peer, a->from->network);
    copal__guard_reopen(&e->guard, b, e->now);
    if (b->low)
        account_for_unproven(e, a, b, out);
    else if (out > e->credit && !a->from->proven)
        copal__guard_spend(&e->guard, b, out - e->credit);
}

bool copal__is_proof(copal_endpoint_t *e, const copal__arrival_t *a)
{
    uint64_t hash = copal__peer_hash(e, &a->from->peer);
    copal__bucket_t *b = copal__guard_bucket(&e->guard, &a->from->peer, a->from->network);
    if (!copal__guard_is_proof(b, e->now, hash, a->message.id))
        return false;
    copal__proven_add(&e->proven, e->now, hash);
    return true;
}

/* ---- later ------------------------------------------------------------------------------------------------ */

copal__address_t copal__address_of(copal_endpoint_t *e, const copal_from_t *from, uint32_t keeps)
{
    uint32_t credit = e->credit > keeps ? (uint32_t)e->credit - keeps : 0;
    e->credit -= credit;
    return (copal__address_t){.credit = credit, .network = from->network, .proven = from->proven};
}

static bool is_real(const copal_endpoint_t *e, const copal__address_t *a, uint64_t hash)
{
    return a->proven || copal__proven_has(&e->proven, e->now, hash);
}

bool copal__address_affordable(copal_endpoint_t *e, const copal_peer_t *peer, uint64_t hash, const copal__address_t *a,
                               size_t octets)
{
    copal__bucket_t *b = copal__guard_bucket(&e->guard, peer, a->network);
    return octets <= a->credit + (size_t)copal__guard_room(&e->guard, b, e->now) || is_real(e, a, hash);
}

void copal__address_withhold(copal_endpoint_t *e, const copal_peer_t *peer, const copal__address_t *a)
{
    withhold(e, copal__guard_bucket(&e->guard, peer, a->network));
}

bool copal__address_spend(copal_endpoint_t *e, const copal_peer_t *peer, uint64_t hash, copal__address_t *a,
                          size_t octets)
{
    if (octets <= a->credit) {
        a->credit -= (uint32_t)octets;
        return true;
    }
    copal__bucket_t *b = copal__guard_bucket(&e->guard, peer, a->network);
    if (a->proven || (b->low && is_real(e, a, hash)))
        return true;
    uint32_t more = (uint32_t)octets - a->credit;
    if (more > copal__guard_room(&e->guard, b, e->now)) {
        if (b->empty)
            e->counters.withheld++; /* what nobody asks for now does not keep it so */
        else
            withhold(e, b);
        return false;
    }
    copal__guard_spend(&e->guard, b, more);
    a->spent += more;
    a->credit = 0;
    return true;
}

void copal__address_release(copal_endpoint_t *e, const copal_peer_t *peer, uint64_t hash, const copal__address_t *a)
{
    copal__bucket_t *b = copal__guard_bucket(&e->guard, peer, a->network);
    if (b->low && !is_real(e, a, hash))
        copal__guard_refill(&e->guard, b, a->credit);
}

void copal__address_refund(copal_endpoint_t *e, const copal_peer_t *peer, const copal__address_t *a)
{
    if (a->spent)
        copal__guard_refill(&e->guard, copal__guard_bucket(&e->guard, peer, a->network), a->spent);
}
