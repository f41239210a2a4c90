/* The octets of a fuzzer, read as decisions: where they are used up everything is 0, so each input ends. */
#ifndef FUZZ_COMMON_INPUT_H
#define FUZZ_COMMON_INPUT_H

#include "copal/base.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const uint8_t *at, *end;
} input_t;

static inline input_t input_of(const uint8_t *data, size_t size) { return (input_t){data, data + size}; }

static inline size_t input_left(const input_t *in) { return (size_t)(in->end - in->at); }

static inline uint8_t input_octet(input_t *in) { return in->at < in->end ? *in->at++ : 0; }

/** 0 to `bound` - 1; `bound` is at most 2^16. */
static inline uint32_t input_below(input_t *in, uint32_t bound)
{
    const uint32_t high = bound > 256 ? (uint32_t)input_octet(in) << 8 : 0;
    return (high | input_octet(in)) % bound;
}

/** The next `size` octets, or as many as there are; borrowed. */
static inline copal_bytes_t input_take(input_t *in, size_t size)
{
    const copal_bytes_t taken = {in->at, size < input_left(in) ? size : input_left(in)};
    in->at += taken.size;
    return taken;
}

/** A copy of exactly their size, to be freed, so that a sanitizer sees any octet read beyond. Never NULL. */
static inline uint8_t *octets_copy(copal_bytes_t octets)
{
    uint8_t *copy = malloc(octets.size ? octets.size : 1);
    if (octets.size)
        memcpy(copy, octets.data, octets.size);
    return copy;
}

/** A copy with a NUL behind it, to be freed. */
static inline char *text_copy(copal_bytes_t octets)
{
    char *copy = calloc(1, octets.size + 1);
    if (octets.size)
        memcpy(copy, octets.data, octets.size);
    return copy;
}

/** What libFuzzer and AFL++ call for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
