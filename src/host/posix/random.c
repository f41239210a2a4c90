#define _GNU_SOURCE 1
#include "../udp.h"

#include <stdlib.h>
#include <unistd.h>

/* getentropy gives at most 256 octets at a time (POSIX.1-2024). */
void copal__random(void *buffer, size_t size)
{
    uint8_t *at = buffer;
    while (size > 0) {
        size_t part = size < 256 ? size : 256;
        if (getentropy(at, part) != 0)
            abort();
        at += part;
        size -= part;
    }
}
