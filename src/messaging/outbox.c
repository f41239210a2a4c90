#include "outbox.h"

void copal__outbox_lay(copal__outbox_t *o, copal__carver_t *carver, uint32_t capacity, size_t datagram_size)
{
    o->posted = copal__carve(carver, (size_t)capacity + 1, sizeof *o->posted);
    o->buffer = copal__carve(carver, 1, capacity * datagram_size + COPAL__EMPTY_SIZE);
    o->capacity = capacity;
    o->tail = o->count = o->taken = 0;
}

void copal__outbox_post(copal__outbox_t *o, const copal_from_t *to, size_t size)
{
    copal__posted_t *posted = &o->posted[o->count++];
    posted->to = to->peer;
    posted->datagram = (copal_datagram_t){&posted->to, to->via, {copal__outbox_place(o), size}};
    o->tail += size;
}
