/* What the loaders share. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/** Milliseconds of a clock that never goes back. */
static inline int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/** Ends the program: `what`, and what errno says. */
static inline void fail(const char *what)
{
    perror(what);
    exit(1);
}

enum { HEAD = 8 /* octets of header and token */ };

/** The value of an option of a message, or NULL. Good for answers of a few options, all of them short. */
static inline const uint8_t *find_option(const uint8_t *data, size_t size, unsigned wanted, size_t *length)
{
    unsigned number = 0;
    for (size_t at = HEAD; at < size && data[at] != 0xff; at += *length) {
        unsigned delta = data[at] >> 4;
        *length = data[at++] & 15;
        if (delta == 13 && at < size)
            delta = 13u + data[at++];
        if (*length == 13 && at < size)
            *length = 13u + data[at++];
        number += delta;
        if (number == wanted)
            return at + *length <= size ? data + at : NULL;
    }
    return NULL;
}

#endif
