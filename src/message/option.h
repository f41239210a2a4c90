/* Fields that are extended by one or two octets (RFC 7252 section 3.1, RFC 8974 section 2.1). */
#ifndef COPAL_MESSAGE_OPTION_H
#define COPAL_MESSAGE_OPTION_H

#include "copal/message.h"

/** Completes a 4-bit field of 13 or more: 13 takes one octet at `at`, 14 two, 15 is reserved. Returns what is behind
 *  them, or NULL where the field is 15 or `end` comes first. Serves delta, length and RFC 8974's token length. */
const uint8_t *copal__extended(const uint8_t *at, const uint8_t *end, size_t *field);

#endif
