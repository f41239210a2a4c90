/* The short way of the request that servers of values get most: a CON GET with nothing but a path, for an answer that is
 * kept as it stands in a message. It takes what the long way (serve.c) would find nothing to decide about, and answers the
 * same to the octet. */
#include "state.h"

#include <string.h>

#define CON_GET_HEAD 0x40u /* version 1, CON; below it the length of the token */
#define ACK_HEAD     0x60u
#define PATH_HEAD    0xb0u /* Uri-Path as the first option; those that follow have delta 0 */
#define HEADER_SIZE  4u
#define SHORT        12u /* octets of a token or segment whose length stands in four bits */

/* Where the Uri-Path options end that begin at `at`, if all are short and nothing else is there; else NULL. "." and ".." are in
 * no path of a resource. */
static inline const uint8_t *pass_path(const uint8_t *at, const uint8_t *end)
{
    for (unsigned head = PATH_HEAD; at < end; head = 0) {
        const unsigned length = *at ^ head;
        at++;
        if (length > SHORT || length > (size_t)(end - at))
            return NULL;
        at += length;
    }
    return at;
}

/* The path, if the datagram is such a request; else it is empty. */
static inline copal_bytes_t plain_path(copal_bytes_t datagram)
{
    const uint8_t *at = datagram.data, *end = at + datagram.size;
    const copal_bytes_t none = {0};
    if (datagram.size <= HEADER_SIZE || at[1] != COPAL_GET || (unsigned)(at[0] - CON_GET_HEAD) > SHORT)
        return none;
    const size_t token = at[0] - CON_GET_HEAD;
    if (token >= datagram.size - HEADER_SIZE)
        return none;
    at += HEADER_SIZE + token;
    return pass_path(at, end) ? (copal_bytes_t){at, (size_t)(end - at)} : none;
}

/* Whether nothing depends on more than the datagram and its peer: it came to this server alone, no call is deferred that it
 * could be a copy of. */
static inline bool is_calm(const copal_endpoint_t *e, const copal_from_t *from)
{
    return e->config.service.ready && !from->multicast && !e->deferred;
}

/* Whether the guard has no more to do than to add up: the network's bucket is not low, or the address is proven. */
static bool is_trusted(copal_endpoint_t *e, const copal_from_t *from)
{
    copal__bucket_t *b = copal__guard_bucket(&e->guard, &from->peer, from->network);
    copal__guard_reopen(&e->guard, b, e->now);
    return !b->low || from->proven || copal__proven_has(&e->proven, e->now, copal__peer_hash(e, &from->peer));
}

/* What goes beyond the credit; from a bucket that is low nothing is spent for who is proven. */
static inline void spend(copal_endpoint_t *e, const copal_from_t *from, size_t octets)
{
    copal__bucket_t *b = copal__guard_bucket(&e->guard, &from->peer, from->network);
    if (!b->low)
        copal__guard_spend(&e->guard, b, octets);
}

/* Whether no payload of so many octets needs a block (copal__answer_open), nor too much credit. */
static inline bool fits(const copal_endpoint_t *e, size_t header, size_t size)
{
    const copal__bounds_t *limits = &e->config.limits;
    return size <= limits->payload_size &&
           header + COPAL__OPTIONS_ROOM + limits->payload_size <= limits->datagram_size &&
           header + size + COPAL__CLOSING_MOST <= e->credit + e->guard.half;
}

/* False: it is to be taken the long way, and nothing has happened. */
static inline bool answer(copal_endpoint_t *e, const copal_from_t *from, copal_bytes_t datagram)
{
    const copal_service_t *service = &e->config.service;
    copal_bytes_t path, whole;
    if (!is_calm(e, from) || datagram.size > e->config.limits.datagram_size || !(path = plain_path(datagram)).size ||
        (e->guard.low && !is_trusted(e, from)) || !service->ready(service->context, from, path, &whole))
        return false;
    const size_t header = (size_t)(path.data - datagram.data);
    if (!fits(e, header, whole.size))
        return false;
    uint8_t *out = copal__outbox_place(&e->outbox);
    out[0] = (uint8_t)(datagram.data[0] ^ CON_GET_HEAD ^ ACK_HEAD);
    out[1] = COPAL_CONTENT;
    memcpy(out + 2, datagram.data + 2, 2);
    if (header > HEADER_SIZE)
        memcpy(out + HEADER_SIZE, datagram.data + HEADER_SIZE, header - HEADER_SIZE);
    if (whole.size)
        memcpy(out + header, whole.data, whole.size);
    copal__outbox_post(&e->outbox, from, header + whole.size);
    e->counters.requests[COPAL_GET]++;
    e->counters.answers[0]++;
    if (header + whole.size > e->credit && !from->proven)
        spend(e, from, header + whole.size - e->credit);
    return true;
}

int copal__take_ready(copal_endpoint_t *e, const copal_from_t *from, copal_bytes_t datagram)
{
    return answer(e, from, datagram) ? 0 : copal__take(e, from, datagram);
}
