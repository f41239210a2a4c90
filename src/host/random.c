/* The system's randomness, asked for in larger parts: an endpoint takes a few octets for each request. */
#define _GNU_SOURCE 1
#include "host.h"

#include <string.h>

/* What was given out is wiped, so that a look into the memory tells no token of the past. */
void copal__host_random(void *state, void *buffer, size_t size)
{
    copal_host_t *host = state;
    if (size > COPAL__RANDOM_POOL) {
        copal__random(buffer, size);
        return;
    }
    if (size > host->random_left) {
        copal__random(host->random_pool, COPAL__RANDOM_POOL);
        host->random_left = COPAL__RANDOM_POOL;
    }
    host->random_left -= size;
    memcpy(buffer, host->random_pool + host->random_left, size);
    memset(host->random_pool + host->random_left, 0, size);
}
