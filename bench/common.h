/* What the loaders share. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

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

#endif
