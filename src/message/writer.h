/* What the writers of options share. */
#ifndef COPAL_MESSAGE_WRITER_H
#define COPAL_MESSAGE_WRITER_H

#include "copal/message.h"

/** Writes an option whose value of `size` octets the caller fills in at once, where this points; NULL on the errors of
 *  copal_write_option, with the writer's error set. */
uint8_t *copal__write_space(copal_writer_t *w, uint16_t number, size_t size);

/** Takes the first option `number` out, if there is one. */
void copal__write_remove(copal_writer_t *w, uint16_t number);

#endif
