/* What options say, checked against the rules of RFC 7252 section 5.4. */
#ifndef COPAL_EXCHANGE_OPTIONS_H
#define COPAL_EXCHANGE_OPTIONS_H

#include "copal/endpoint.h"

/** Reads the options of a request that copal__message_head has begun to view, and completes it. Returns 0, or COPAL_EFORMAT,
 *  or the code to answer with: 4.02 (with `*culprit` the option's number), 5.05, or 4.00. `first_only` is copal_service_t's. */
int copal__request_options(copal_request_options_t *o, copal_message_t *m, bool first_only, uint16_t *culprit);
/** Whether a response holds a critical option that is not understood. */
bool copal__response_is_critical(const copal_message_t *m);

#endif
