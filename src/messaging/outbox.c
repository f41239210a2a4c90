#include "outbox.h"

void copal__outbox_lay(copal__outbox_t *o, copal__carver_t *carver, uint32_t capacity, size_t datagram_size)
{
    o->posted = copal__carve(carver, (size_t)capacity + 1, sizeof *o->posted);
    o->buffer = copal__carve(carver, capacity, datagram_size);
    copal__carve_links(carver, 1, COPAL__EMPTY_SIZE); /* behind it */
    o->capacity = capacity;
    o->tail = o->count = o->taken = 0;
}
