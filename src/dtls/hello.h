/* A server's first answer without any state (RFC 6347 section 4.2.1): a ClientHello without a cookie gets one, which is
 * a hash of itself and of where it came from. */
#ifndef COPAL_DTLS_HELLO_H
#define COPAL_DTLS_HELLO_H

#include "../message/hash.h"
#include "record.h"

/** A ClientHello: its body up to the extensions, in three parts. Those a client may add to once it has its cookie, as
 *  RFC 6347 section 4.2.1 names what must stay: version, random, session ID, cipher suites, compression methods. */
typedef struct {
    copal_bytes_t before, cookie, after;
} copal__hello_t;

enum { COPAL__COOKIE = 8, COPAL__VERIFY_SIZE = COPAL__RECORD_HEADER + COPAL__MESSAGE_HEADER + 3 + COPAL__COOKIE };

/** Views the ClientHello in a record of epoch 0; false: it is none, or not whole. */
bool copal__hello_read(copal__hello_t *hello, const copal__record_t *record);
/** A hash of it without its cookie and extensions: a ClientHello that comes again has the same. */
uint64_t copal__hello_digest(const copal__key_t *key, const copal__hello_t *hello);

/** The keys of cookies: the one that is given out now, and the one before. */
typedef struct {
    copal__key_t now, before;
    copal_time_t since;
    bool made;
} copal__cookies_t;

/** Draws a new key where the one there is has served for a minute. */
void copal__cookies_turn(copal__cookies_t *cookies, copal_time_t now, void (*random)(void *, void *, size_t),
                         void *state);
/** Whether a ClientHello with this digest holds the cookie that was given to this address. */
bool copal__cookie_is_right(const copal__cookies_t *cookies, const copal_from_t *from, uint64_t digest,
                            copal_bytes_t cookie);
/** The datagram that answers a ClientHello which holds none. */
void copal__cookie_give(const copal__cookies_t *cookies, const copal_from_t *from, uint64_t digest,
                        const copal__record_t *record, uint8_t out[COPAL__VERIFY_SIZE]);

#endif
