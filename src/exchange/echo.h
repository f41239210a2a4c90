/* Echo: a value that proves an address, without state at the server (RFC 9175 section 2). */
#ifndef COPAL_EXCHANGE_ECHO_H
#define COPAL_EXCHANGE_ECHO_H

#include "state.h"

/** Writes the Echo option of a challenge: time, and which request it is for, under a keyed hash. */
void copal__echo_write(const copal__serving_t *s, copal_writer_t *w);

/** The same to who only reads: such a request may run again, so the value does not say which one it is for. With it a challenge
 *  is within three times any request that has a path. */
void copal__echo_write_short(const copal__serving_t *s, copal_writer_t *w);

/** Whether the request's Echo is one of ours for this peer, and fresh. If this request is the one that was challenged, sent
 *  again, ID, check and key of `first` become those of the message that was challenged; else they stay as they are. */
bool copal__echo_check(const copal__serving_t *s, copal__origin_t *first);

#endif
