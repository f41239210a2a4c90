/* The table of sessions: found by address or by peer, ended when they are closed, unused, or make room. */
#ifndef COPAL_DTLS_SESSION_H
#define COPAL_DTLS_SESSION_H

#include "state.h"

void copal__sessions_lay(copal_dtls_t *d, copal__carver_t *carver);

/** The peer that is the session: the octets of its address, of its slot, of its generation. */
copal_peer_t copal__session_peer(const copal_dtls_t *d, uint32_t slot);
/** The session with an address, by `via`: there are no two (RFC 6347 section 4.2.8). COPAL__NONE. */
uint32_t copal__session_between(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via);
/** The same if it has keys. */
uint32_t copal__session_at(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via);
/** The session that a peer names; COPAL__NONE. */
uint32_t copal__session_of(const copal_dtls_t *d, const copal_peer_t *peer);

/** A new one without keys, for a handshake. There is room for one for each handshake that may be under way, so
 *  COPAL__NONE means that these are all our own. */
uint32_t copal__session_take(copal_dtls_t *d, const copal_peer_t *address, uint32_t via,
                             copal_credentials_t *credentials);
/** Gives it keys, in place of those it may have. `number`: of the first record to send. */
void copal__session_key(copal_dtls_t *d, copal_time_t now, uint32_t slot, const copal__keys_t *keys, uint64_t number);
/** Gives up those that have not been used for longest, as long as there are too many. */
void copal__sessions_trim(copal_dtls_t *d, copal_time_t now);
/** It was used now. */
void copal__session_use(copal_dtls_t *d, copal_time_t now, uint32_t slot);
/** Seals a record of it into `out`, of COPAL_DTLS_OVERHEAD more octets than `content`. Its size; COPAL_ESTALE: its
 *  numbers are used up, and must not begin anew (RFC 6347 section 4.1); COPAL_ESYSTEM. */
int copal__session_seal(copal_dtls_t *d, copal__session_t *s, uint8_t type, copal_bytes_t content, uint8_t *out);
/** Seals a record and sends it at once. */
void copal__session_send(copal_dtls_t *d, copal__session_t *s, uint8_t type, copal_bytes_t content);

/** Gives a session up, and its handshake if there is one, and tells so. A client's user is told when all else is done: he
 *  may connect anew. */
void copal__session_end(copal_dtls_t *d, copal_time_t now, uint32_t slot, int status, const char *reason);
/** The same without telling the user. */
void copal__session_drop(copal_dtls_t *d, uint32_t slot);
/** Says to its peer that it ends. */
void copal__session_say_goodbye(copal_dtls_t *d, uint32_t slot);

#endif
