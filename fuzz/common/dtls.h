/* Two DTLS filters, a client's and a server's, by a library or by the tests' toy: the octets are steps of the network, the
 * clock, both ends, and of others. The first octet says by which, and whether there is a session already. A message is
 * delivered once at most, and only where the other end said it; who has shown nothing is sent no more than it sent. */
#ifndef FUZZ_COMMON_DTLS_H
#define FUZZ_COMMON_DTLS_H

#include "copal/dtls.h"

int dtls_steps(const copal_dtls_backend_t *library, const uint8_t *data, size_t size);

#endif
