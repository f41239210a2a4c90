/* What the writers of options share. */
#ifndef COPAL_MESSAGE_WRITER_H
#define COPAL_MESSAGE_WRITER_H

#include "copal/message.h"

/** Writes an option whose value of `size` octets the caller fills in at once, where this points; NULL on the errors of
 *  copal_write_option, with the writer's error set. */
uint8_t *copal__write_space(copal_writer_t *w, uint16_t number, size_t size);

#define COPAL__PAYLOAD_MARKER 0xff

/** Writes options and payload that are kept as they stand in a message: `head` octets of options, of which `last` is the number
 *  of the last, then the marker and `size` octets. Into a writer that holds neither yet. */
void copal__write_kept(copal_writer_t *w, const uint8_t *kept, size_t head, uint16_t last, size_t size);

/** The first option `number` that was written, borrowed until something else is; false: there is none. */
bool copal__written(const copal_writer_t *w, uint16_t number, copal_option_t *option);
/** Takes the first option `number` out, if there is one. */
void copal__write_remove(copal_writer_t *w, uint16_t number);

#endif
