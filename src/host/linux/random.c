#define _GNU_SOURCE 1
#include "../udp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void copal__random(void *buffer, size_t size)
{
    uint8_t *at = buffer;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}
