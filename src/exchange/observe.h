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

/** Ends the peer's observation with this request's token, if there is one. */
void copal__observe_deregister(copal__serving_t *s);
/** Registers the peer for this request, in place of what it has registered by its token. NULL: there is no room. */
copal__observer_t *copal__observe_begin(copal__serving_t *s);
/** Whether this answer, of that code, may be a state that is observed, and has room for Observe. */
bool copal__observe_may(copal_code_t code, const copal_writer_t *w);

/* notify.c */

/** Whether it has to be told by CON, whatever room there is for those. */
bool copal__notify_must_confirm(const copal_endpoint_t *e, const copal__observer_t *o);
/** Whether it ought to be told by CON, where there is room. */
bool copal__notify_should_confirm(const copal_endpoint_t *e, const copal__observer_t *o);
/** Gives the slot of a CON back. */
void copal__notify_close(copal_endpoint_t *e, copal__slot_t *s);
/** Lets the next observer of a client be told for which there is room again. */
void copal__notify_release(copal_endpoint_t *e, uint64_t peer_hash);

int copal__notify_reset(copal_endpoint_t *e, const copal__arrival_t *a);
size_t copal__notify_send(copal_endpoint_t *e, copal_datagram_t *out, size_t capacity);

/* notify_later.c: as copal__observing_t says */

void copal__notify_defer(copal__serving_t *serving, copal__slot_t *s);
copal_code_t copal__notify_commit(copal_endpoint_t *e, copal__slot_t *s);
void copal__notify_conclude(copal_endpoint_t *e, copal__slot_t *s, bool alive);

#endif
