/* The encoded form of one option head, shared by whoever reads it (RFC 7252 section 3.1). */
#ifndef COPAL_MESSAGE_OPTION_H
#define COPAL_MESSAGE_OPTION_H

#include "copal/message.h"

/** Completes a 4-bit field of 13 or more: 13 takes one octet at `at`, 14 two, 15 is reserved. Returns what is behind
 *  them, or NULL where the field is 15 or `end` comes first. Serves delta, length and RFC 8974's token length. */
const uint8_t *copal__extended(const uint8_t *at, const uint8_t *end, size_t *field);

/** Reads the head of the option at `at`, before `end`: adds its delta to `*number` and returns where its value of
 *  `*length` octets begins, or NULL where it is not well-formed. */
static inline const uint8_t *copal__option_head(const uint8_t *at, const uint8_t *end, size_t *number, size_t *length)
{
    size_t delta = *at >> 4;
    *length = *at++ & 15u;
    if (delta > 12 && !(at = copal__extended(at, end, &delta)))
        return NULL;
    if (*length > 12 && !(at = copal__extended(at, end, length)))
        return NULL;
    *number += delta;
    return *length <= (size_t)(end - at) && *number <= UINT16_MAX ? at : NULL;
}

#endif
