/* A handshake in which what one end shows as its certificates is the input: octets as they are, or certificates that are made as
 * the octets say and signed by somebody. Who is believed is the host that was asked for, by whom is believed; and who is is
 * believed. The one who shows speaks by OpenSSL. */
#ifndef FUZZ_COMMON_CERTIFICATE_H
#define FUZZ_COMMON_CERTIFICATE_H

#include "copal/dtls.h"

/** The other end, a client or a server, is of `library`. */
int certificate_shown(const copal_dtls_backend_t *library, const uint8_t *data, size_t size);

#endif
