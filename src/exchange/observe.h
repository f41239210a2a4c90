/* What beginning and telling have in common, of the server side of Observe (RFC 7641 section 4). */
#ifndef COPAL_EXCHANGE_OBSERVE_H
#define COPAL_EXCHANGE_OBSERVE_H

#include "state.h"

/** Whether an answer of this code and with these options may follow the first one: it is of the same Content-Format. The
 *  first that can have one decides. */
bool copal__observer_fits(copal__observer_t *o, copal_code_t code, const copal_writer_t *w);
/** Writes Observe into an answer that has room for it. */
void copal__observe_write(copal__subject_t *s, copal_writer_t *w);
/** Ends an observation, silently. */
void copal__observe_end(copal_endpoint_t *e, copal__observer_t *o);
/** Sets the observers' timer to what comes next. */
void copal__observe_wake(copal_endpoint_t *e);

/* notify.c */

int copal__notify_reset(copal_endpoint_t *e, const copal__arrival_t *a);
size_t copal__notify_send(copal_endpoint_t *e, copal_datagram_t *out, size_t capacity);

#endif
