/* Certificates (RFC 5280) that are made as an input says, and signed by keys of ours: the same keys in each run. */
#ifndef FUZZ_COMMON_MADE_H
#define FUZZ_COMMON_MADE_H

#include "copal/base.h"

enum { MADE_MOST = 1200 };

/** DER. */
typedef struct {
    uint8_t data[MADE_MOST];
    size_t size;
} der_t;

/** Who signs. The authority alone is believed; it has signed the one in between, which is an authority, and the host, which is
 *  none. SELF is the host's key, under the name that the certificate is of. */
enum { AUTHORITY, BETWEEN, HOST, OTHER_AUTHORITY, SIGNERS, SELF = SIGNERS };
enum { VALID, EXPIRED, NOT_YET_VALID, DATES };
enum { NO_USAGE, FOR_SIGNATURES, FOR_KEYS_ONLY, USAGES };              /* section 4.2.1.3 */
enum { NO_PURPOSE, FOR_SERVERS, FOR_CLIENTS, FOR_ANYTHING, PURPOSES }; /* section 4.2.1.12 */
enum { NO_CONSTRAINTS, NO_AUTHORITY, IS_AUTHORITY, CONSTRAINTS };      /* section 4.2.1.9 */

typedef struct {
    unsigned signer, dates, usage, purpose, constraints;
    unsigned key;              /* whose: one of the signers */
    copal_bytes_t common_name; /* empty: none */
    copal_bytes_t names;       /* SubjectAltName: what is in its sequence; empty: there is no such extension */
    copal_bytes_t extension;   /* another: what is in its sequence; empty: there is none */
} made_t;

void der_add(der_t *der, copal_bytes_t octets);
/** What was added since its size was `start` becomes the content of an element. */
void der_wrap(der_t *der, size_t start, uint8_t tag);

/** What is to be signed. */
void made_content(der_t *der, const made_t *made);
/** Makes it a certificate. */
void made_sign(der_t *der, unsigned signer);

/** Makes keys, and the certificates of those who sign. Once. */
void made_open(void);
/** Of one who signs, but SELF. */
copal_bytes_t made_certificate(unsigned signer);
/** Writes one as PEM, with its key. */
void made_write(unsigned signer, const char *file);

#endif
