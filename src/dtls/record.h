/* Records (RFC 6347 section 4.1), and their protection by an AEAD (RFC 5246 section 6.2.3.3). */
#ifndef COPAL_DTLS_RECORD_H
#define COPAL_DTLS_RECORD_H

#include "backend.h"

enum { COPAL__CHANGE_CIPHER_SPEC = 20, COPAL__ALERT = 21, COPAL__HANDSHAKE = 22, COPAL__APPLICATION_DATA = 23 };
/** Of handshake messages (RFC 5246 section 7.4, RFC 6347 section 4.3.2). */
enum { COPAL__HELLO_REQUEST = 0, COPAL__CLIENT_HELLO = 1, COPAL__HELLO_VERIFY_REQUEST = 3, COPAL__FINISHED = 20 };
/** Of alerts (section 7.2). */
enum { COPAL__WARNING = 1, COPAL__FATAL = 2, COPAL__CLOSE_NOTIFY = 0, COPAL__NO_RENEGOTIATION = 100 };

enum { COPAL__RECORD_HEADER = 13, COPAL__MESSAGE_HEADER = 12 };
enum { COPAL__CONTENT = 1 << 14 }; /* octets of the largest content (RFC 5246 section 6.2.1) */

/** The number of a record: its epoch, and 48 bits of sequence. */
#define COPAL__EPOCH(number)    ((number) >> 48)
#define COPAL__SEQUENCE(number) ((number)&COPAL__SEQUENCE_MAX)
#define COPAL__SEQUENCE_MAX     0xffffffffffffull
#define COPAL__EPOCH_1          (1ull << 48)

/** A record as it stands in a datagram. */
typedef struct {
    uint8_t *data; /* header and fragment */
    size_t size;
    uint8_t type;
    uint64_t number;
    uint8_t *fragment;
    size_t fragment_size;
} copal__record_t;

/** The record at the start of `data`; false: there is none of DTLS that is whole. */
bool copal__record_read(copal__record_t *record, uint8_t *data, size_t size);

/** What protects one direction. */
typedef struct {
    uint8_t key[COPAL__SUITE_KEY], iv[COPAL__SUITE_IV];
} copal__secret_t;

/** Writes the record that holds `content`, which may not overlap `out`, of COPAL_DTLS_OVERHEAD more. Its size;
 *  COPAL_ESYSTEM: the library failed. */
int copal__record_protect(const copal_dtls_backend_t *backend, void *cipher, const copal__suite_t *suite,
                          const copal__secret_t *secret, uint64_t number, uint8_t type, copal_bytes_t content,
                          uint8_t *out);
/** Decrypts a record in place; `content` then lies in it. False: it is not authentic, and overwritten. */
bool copal__record_unprotect(const copal_dtls_backend_t *backend, void *cipher, const copal__suite_t *suite,
                             const copal__secret_t *secret, const copal__record_t *record, copal_bytes_t *content);

#endif
