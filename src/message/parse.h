/* Parsing in two steps: who reads every option anyway need not pass over them before, to find where they end. */
#ifndef COPAL_MESSAGE_PARSE_H
#define COPAL_MESSAGE_PARSE_H

#include "copal/message.h"

/** Views header and token. All that is behind them stands in `options`, and must be read and checked before that means
 *  anything. As copal_message_parse. */
int copal__message_head(copal_message_t *message, copal_bytes_t datagram);

/** Completes it where `at` is the place that a reader of those octets does not go beyond. COPAL_EFORMAT: that is neither the
 *  end nor the marker of a payload. */
int copal__message_tail(copal_message_t *message, const uint8_t *at);

/** Passes over the options, and completes it. */
int copal__message_check(copal_message_t *message);

#endif
