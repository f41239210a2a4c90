/* A value as it is answered: options encoded, payload behind them. */
#ifndef COPAL_RESOURCE_VALUE_H
#define COPAL_RESOURCE_VALUE_H

#include "arena.h"
#include "copal/tree.h"

/** The Content-Format of values that may be patched: application/json. */
#define COPAL__JSON 50

/** Never changes once it is published; a new one takes its place. The options are those of a 2.05, the first delta
 *  counted from 0. ETag comes first, so that what sorts behind it can be told apart. */
typedef struct {
    uint32_t size; /* octets of the payload */
    uint32_t max_age;
    int32_t content_format;
    uint16_t counter; /* of changes, 1 to 65535; goes on while ETag is off */
    uint8_t methods;
    bool confirm;
    uint8_t tag;      /* octets of the ETag option; 0: ETag is off */
    uint8_t head;     /* octets of all options */
    uint8_t last;     /* number of the last option; 0: none */
    uint8_t octets[]; /* options; where there is a payload its marker, and the payload */
} copal__value_t;

/** Whether the properties are in the range that copal_value_options_t documents; `patches`: the tree can patch values. */
bool copal__value_options_ok(const copal_value_options_t *options, bool patches);

/** A value in a block of its own; NULL: no room. */
copal__value_t *copal__value_make(copal__arena_t *arena, copal_bytes_t payload, const copal_value_options_t *options,
                                  uint16_t counter);

void copal__value_options(const copal__value_t *value, copal_value_options_t *options);

static inline copal_bytes_t copal__value_payload(const copal__value_t *value)
{
    return (copal_bytes_t){value->octets + value->head + (value->size > 0), value->size};
}

/** Options, marker and payload. */
static inline copal_bytes_t copal__value_whole(const copal__value_t *value)
{
    return (copal_bytes_t){value->octets, (size_t)value->head + (value->size > 0) + value->size};
}

/** The value of the ETag option; empty while ETag is off. */
static inline copal_bytes_t copal__value_tag(const copal__value_t *value)
{
    return (copal_bytes_t){value->octets + 1, value->tag ? value->tag - 1u : 0};
}

#endif
