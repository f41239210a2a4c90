/* What options say, checked against the rules of RFC 7252 section 5.4. */
#ifndef COPAL_EXCHANGE_OPTIONS_H
#define COPAL_EXCHANGE_OPTIONS_H

#include "../message/hash.h"
#include "copal/endpoint.h"

/** Reads the options of a request that copal__message_head has begun to view, and completes it. Returns 0, or COPAL_EFORMAT,
 *  or the code to answer with: 4.02 (with `*culprit` the option's number), 5.05, or 4.00. `first_only` is copal_service_t's. */
int copal__request_options(copal_request_options_t *o, copal_message_t *m, bool first_only, uint16_t *culprit);
/** Whether a response holds a critical option that is not understood. */
bool copal__response_is_critical(const copal_message_t *m);

/** The hash of what all requests of one operation in blocks have in common: method, `via`, the peer by its hash, and
 *  options (RFC 9175 section 3.3). `settled`: preconditions are not among those, its first exchange has settled them. */
uint64_t copal__operation_key(const copal__key_t *key, const copal_call_t *call, uint64_t peer, bool settled);

#endif
