/* Random numbers that repeat: everything in a test follows from one seed. */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t state;
} random_t;

random_t random_from(uint64_t seed);
uint64_t random_next(random_t *r);
/** 0 to bound - 1; bound is at least 1. */
uint32_t random_below(random_t *r, uint32_t bound);
/** As copal_config_t.random wants it; `state` is a random_t. */
void random_fill(void *state, void *buffer, size_t size);

#endif
