/* Answers on their way out: written in place, sent in batches. */
#ifndef COPAL_MESSAGING_OUTBOX_H
#define COPAL_MESSAGING_OUTBOX_H

#include "copal/base.h"
#include "memory.h"

#define COPAL__EMPTY_SIZE 4u /* octets of an Empty message: its header */

typedef struct {
    copal_peer_t to;
    copal_datagram_t datagram;
} copal__posted_t;

typedef struct {
    copal__posted_t *posted;
    uint8_t *buffer;
    size_t tail; /* first free octet of the buffer */
    uint32_t capacity, count, taken;
} copal__outbox_t;

void copal__outbox_lay(copal__outbox_t *o, copal__carver_t *carver, uint32_t capacity, size_t datagram_size);
/** Whether there is room for one datagram of the full size, and behind it an Empty message; false: the batch must be sent first. */
static inline bool copal__outbox_has_room(copal__outbox_t *o)
{
    if (o->taken == o->count)
        o->tail = o->taken = o->count = 0;
    return o->count < o->capacity;
}

/** Where that room is, the same until it is posted. */
static inline uint8_t *copal__outbox_place(const copal__outbox_t *o) { return o->buffer + o->tail; }

/** Posts the first `size` octets of that room. */
static inline void copal__outbox_post(copal__outbox_t *o, const copal_from_t *to, size_t size)
{
    copal__posted_t *posted = &o->posted[o->count++];
    posted->to = to->peer;
    posted->datagram = (copal_datagram_t){&posted->to, to->via, {copal__outbox_place(o), size}};
    o->tail += size;
}
/** Takes the next one; false where there is none. It stays as it is until the next copal__outbox_has_room. */
static inline bool copal__outbox_take(copal__outbox_t *o, copal_datagram_t *out)
{
    if (o->taken == o->count)
        return false;
    *out = o->posted[o->taken++].datagram;
    return true;
}

#endif
