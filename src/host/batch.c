#define _GNU_SOURCE 1
#include "batch.h"

static void point(copal__slot_t *slot, copal__place_t *place)
{
    slot->header.msg_name = &place->address;
    slot->header.msg_iov = &place->vector;
    slot->header.msg_iovlen = 1;
}

void copal__batch_lay(copal__batch_t *batch, copal__carver_t *carver, unsigned capacity, size_t size,
                      size_t sealed_size)
{
    batch->capacity = capacity;
    batch->in = copal__carve(carver, capacity, sizeof *batch->in);
    batch->out = copal__carve(carver, capacity, sizeof *batch->out);
    batch->in_places = copal__carve(carver, capacity, sizeof *batch->in_places);
    batch->out_places = copal__carve(carver, capacity, sizeof *batch->out_places);
    batch->datagrams = copal__carve(carver, capacity, sizeof *batch->datagrams);
    batch->failures_most = sealed_size ? capacity : 1; /* sessions may end by the dozen */
    batch->failures = copal__carve(carver, batch->failures_most, sizeof *batch->failures);
    batch->failed = 0;
    batch->sealed = sealed_size ? copal__carve(carver, capacity, sealed_size) : NULL;
    batch->sealed_size = sealed_size;
    uint8_t *buffers = copal__carve(carver, capacity, size + 1);
    if (!buffers)
        return;
    for (unsigned i = 0; i < capacity; i++) {
        copal__place_t *place = &batch->in_places[i];
        place->vector = (struct iovec){buffers + i * (size + 1), size + 1};
        point(&batch->in[i], place);
        batch->in[i].header.msg_control = place->control;
        copal__batch_rearm(&batch->in[i]);
        point(&batch->out[i], &batch->out_places[i]);
    }
}
