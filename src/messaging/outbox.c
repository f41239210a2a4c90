#include "outbox.h"

void copal__outbox_lay(copal__outbox_t *o, copal__carver_t *carver, uint32_t capacity, size_t datagram_size)
{
    o->posted = copal__carve(carver, (size_t)capacity + 1, sizeof *o->posted);
    o->buffer = copal__carve(carver, 1, capacity * datagram_size + COPAL__EMPTY_SIZE);
    o->capacity = capacity;
    o->tail = o->count = o->taken = 0;
}
