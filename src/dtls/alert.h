/* What alerts mean (RFC 5246 section 7.2), told to people. */
#ifndef COPAL_DTLS_ALERT_H
#define COPAL_DTLS_ALERT_H

#include <stdbool.h>
#include <stdint.h>

/** A sentence about who sent it, a client or a server; static. */
const char *copal__alert_text(uint8_t description, bool client);

#endif
