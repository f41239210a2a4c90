/* A library of cryptography that protects nothing, for the tests of the DTLS filter: handshakes that look like DTLS
 * from outside and follow from a seed, and an AEAD made of a hash. It fails the test where a nonce is used for two
 * plaintexts. */
#ifndef TESTS_SUPPORT_TOY_H
#define TESTS_SUPPORT_TOY_H

#include "dtls/backend.h"
#include "support/random.h"

/** A certificate is a text: a server's `certificate`, which a client with `authorities` believes if it is the name. */
extern const copal_dtls_backend_t toy_dtls;

typedef struct {
    random_t random;
    uint64_t run;                              /* how often it was begun anew */
    uint16_t suite;                            /* of every handshake (0xc0a8) */
    bool is_full;                              /* out of memory */
    unsigned handshakes, credentials, ciphers; /* that live */
} toy_t;
extern toy_t toy;

/** Begins anew. */
void toy_reset(uint64_t seed);

#endif
