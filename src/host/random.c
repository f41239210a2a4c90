/* The system's randomness, asked for in larger parts: an endpoint takes a few octets for each request. */
#define _GNU_SOURCE 1
#include "host.h"

#include <string.h>

/* What was given out is wiped, so that a look into the memory tells no token of the past. */
void copal__worker_random(void *state, void *buffer, size_t size)
{
    copal__worker_t *worker = state;
    if (size > COPAL__RANDOM_POOL) {
        copal__random(buffer, size);
        return;
    }
    if (size > worker->random_left) {
        copal__random(worker->random_pool, COPAL__RANDOM_POOL);
        worker->random_left = COPAL__RANDOM_POOL;
    }
    worker->random_left -= size;
    memcpy(buffer, worker->random_pool + worker->random_left, size);
    memset(worker->random_pool + worker->random_left, 0, size);
}
