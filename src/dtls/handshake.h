/* The pool of handshakes under way: a library's object each, fed record by record, until there are keys. */
#ifndef COPAL_DTLS_HANDSHAKE_H
#define COPAL_DTLS_HANDSHAKE_H

#include "state.h"

void copal__handshakes_lay(copal_dtls_t *d, copal__carver_t *carver);

/** The one with an address, at `via`; COPAL__NONE. */
uint32_t copal__handshake_at(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via);

/** Begins a server's, for a ClientHello that has shown its address to be real; feed it next. COPAL_EFULL,
 *  COPAL_ENOMEM. */
int copal__handshake_accept(copal_dtls_t *d, copal_time_t now, copal_credentials_t *credentials,
                            const copal_from_t *from, uint64_t hello, uint32_t *slot);
/** Begins a client's, for a session. COPAL_EFULL, COPAL_ENOMEM. */
int copal__handshake_begin(copal_dtls_t *d, copal_time_t now, uint32_t session);

void copal__handshake_feed(copal_dtls_t *d, copal_time_t now, uint32_t slot, const copal__record_t *record);
/** Takes an alert that nothing shows to be real: a client's handshake then has a few seconds left to succeed. */
void copal__handshake_alert(copal_dtls_t *d, copal_time_t now, uint32_t slot, copal_bytes_t alert);
void copal__handshake_run(copal_dtls_t *d, copal_time_t now, uint32_t slot);
/** Keeps a message until a client's is done, where there is room. */
void copal__handshake_keep(copal_dtls_t *d, uint32_t slot, copal_bytes_t message);

/** Ends it, and tells so; a client's session goes with it. */
void copal__handshake_fail(copal_dtls_t *d, copal_time_t now, uint32_t slot, int status, const char *reason);
/** Ends it, and nothing else. */
void copal__handshake_drop(copal_dtls_t *d, uint32_t slot);

#endif
