/* DTLS 1.2 (RFC 6347) for CoAP (RFC 7252 section 9): a filter between datagrams and endpoints, without sockets and
 * clock. A library does the handshake; what it agreed on is taken from it, and the filter protects the records. */
#ifndef COPAL_DTLS_H
#define COPAL_DTLS_H

#include "copal/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A library of cryptography. Naming one links it. */
typedef struct copal_dtls_backend_t copal_dtls_backend_t;
extern const copal_dtls_backend_t copal_dtls_openssl; /* OpenSSL 3.0 and later */
extern const copal_dtls_backend_t copal_dtls_mbedtls; /* Mbed TLS 2.28, 3.6; where copal was built with it. For a
                                                 * host with several workers it must have MBEDTLS_THREADING_C, as
                                                 * Debian's has */

/* ---- credentials --------------------------------------------------------------------------------- */

#define COPAL_KEY_SIZE      64u  /* octets of the longest pre-shared key (RFC 4279 section 5.3) */
#define COPAL_IDENTITY_SIZE 128u /* octets of the longest identity, and of the longest hint (section 5.3) */

/** Who we are and whom we believe: pre-shared keys, or certificates, or both for a server. All is copied or read by
 *  copal_credentials_open; files are PEM. */
typedef struct {
    bool server;
    /* Pre-shared keys (RFC 7252 section 9.1.3.1). Octets of any value. */
    copal_bytes_t key;      /* 1 to COPAL_KEY_SIZE; of a server: of any identity, unless find_key is given */
    copal_bytes_t identity; /* of a client, up to COPAL_IDENTITY_SIZE */
    copal_bytes_t hint;     /* of a server, up to COPAL_IDENTITY_SIZE; empty: none is sent */
    /** Of a server: writes the key of an identity and returns its size, or COPAL_ENOTFOUND. Called in the threads
     *  that run filters. An unknown identity then looks like a wrong key to the peer. */
    int (*find_key)(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE]);
    void *user;
    /* Certificates (section 9.1.3.3) */
    const char *certificate; /* file of our own, with those that lead to an authority; NULL: none */
    const char *private_key; /* file of its key; NULL: it is in `certificate` */
    const char *authorities; /* file of those whom we believe. Of a client: NULL is the system's, where the backend
                              * knows of such; of a server: clients must show a certificate, NULL: they are not asked */
} copal_credentials_config_t;

/** Shared: handshakes under way and whoever listens with them keep them alive beyond copal_credentials_close. Opening
 *  and closing may be done in any thread. */
typedef struct copal_credentials_t copal_credentials_t;

/** COPAL_EINVAL: neither key nor certificate where one is needed (a client may have neither: it then only believes
 *  authorities), a size out of range, a client's key without identity or identity without key. COPAL_ECERTIFICATE: a
 *  file cannot be used. COPAL_EUNSUPPORTED: the backend cannot do this: an identity or hint with a NUL (OpenSSL); a
 *  hint, a key of more than MBEDTLS_PSK_MAX_LEN octets, which is 32 or 48 by default, or the system's authorities
 *  (Mbed TLS). COPAL_ENOMEM. `problem` (may be NULL) gets a sentence that says more, static or, of a file, in the
 *  caller's buffer of `capacity` octets. */
int copal_credentials_open(copal_credentials_t **credentials, const copal_dtls_backend_t *backend,
                           const copal_credentials_config_t *config, char *problem, size_t capacity);
/** NULL is allowed. */
void copal_credentials_close(copal_credentials_t *credentials);

/* ---- the filter ---------------------------------------------------------------------------------- */

/** Every bound of a filter; 0 takes the default in brackets. */
typedef struct {
    uint32_t sessions;          /* established ones (64), 320 octets each, and 256 more for the name of a server that we
                                 * asked. A handshake that succeeds past it takes the place of the session that has not
                                 * been used for longest */
    uint32_t handshakes;        /* under way (8); each takes 40 to 70 KiB of the library's own memory. Past it a server
                                 * gives up the one that was begun first, a client says EFULL */
    uint32_t datagram_size;     /* octets of the largest message inside a record (1152) */
    uint32_t idle_timeout;      /* milliseconds after which an unused session ends (24 hours) */
    uint32_t handshake_timeout; /* milliseconds without progress after which a handshake fails (60,000) */
} copal_dtls_limits_t;

/** What happened, counted since init. */
typedef struct {
    uint64_t hellos;                   /* ClientHellos answered without state, by HelloVerifyRequest */
    uint64_t begun, completed, failed; /* handshakes; failed: also timed out and given up */
    uint64_t evicted;                  /* sessions that made room for others */
    uint64_t dropped;                  /* records that were replayed, forged, malformed, or of no session */
} copal_dtls_counters_t;

typedef struct copal_dtls_t copal_dtls_t;

typedef struct {
    const copal_dtls_backend_t *backend;
    copal_dtls_limits_t limits;
    void (*random)(void *state, void *buffer, size_t size); /* unpredictable octets; never fails */
    void *random_state;
    /* All of these are called within the filter's functions and must not call them, but for what they say. deliver and
     * changed are called within copal_dtls_receive, copal_dtls_run and copal_dtls_unreachable only. */
    /** A datagram of the filter's own to be sent at once: handshakes, alerts, what waited for a handshake. */
    void (*transmit)(void *user, const copal_datagram_t *datagram);
    /** A message that came in a record: octets lie in the datagram handed in. `from` is the session: a peer that is
     *  address and session, proven. copal_dtls_protect and copal_dtls_connect may be called inside. */
    void (*deliver)(void *user, copal_time_t now, const copal_from_t *from, copal_bytes_t message);
    /** What became of a session that copal_dtls_connect named `peer`. 0: its keys were renewed, since the server had
     *  not answered for some seconds; a message sent before may have reached it. Else it is gone: EHANDSHAKE,
     *  ECERTIFICATE, ETIMEOUT and EUNREACHABLE: it was never there, or could not be renewed; ECLOSED: the server closed
     *  it; ESTALE: it made room, or was not used for limits.idle_timeout. `reason` is a sentence, or NULL, and
     *  borrowed. copal_dtls_protect and copal_dtls_connect may be called inside: what is gone is not found there any
     *  more. */
    void (*changed)(void *user, copal_time_t now, const copal_peer_t *peer, int status, const char *reason);
    /** What became of a client of ours, for who keeps a log; NULL: nobody does. 0: a session with this address has begun.
     *  EHANDSHAKE, ECERTIFICATE and ETIMEOUT: its handshake failed; EFULL: that made room for another one. ECLOSED: the client
     *  has ended its session; ESTALE: it made room, was not used for limits.idle_timeout, or the client began a new one. `reason`
     *  as above. What copal_dtls_disconnect and copal_dtls_close end is not told. */
    void (*served)(void *user, const copal_peer_t *address, int status, const char *reason);
    void *user;
} copal_dtls_config_t;

/** The octets of memory that a filter of these limits takes. */
size_t copal_dtls_size(const copal_dtls_limits_t *limits);

/** Makes a filter inside `memory`, which must be all zero, aligned for any type, and stays lent. `config` is copied.
 *  COPAL_ESPACE: size is below copal_dtls_size. COPAL_EINVAL. COPAL_ENOMEM: from the library. */
int copal_dtls_init(copal_dtls_t **dtls, void *memory, size_t size, const copal_dtls_config_t *config);
/** Ends everything silently, and gives back what the library took. NULL is allowed. */
void copal_dtls_close(copal_dtls_t *dtls);

/** Takes a datagram that came from an address, and overwrites it. `credentials`: those of the server that listens
 *  there, so that a ClientHello with a cookie begins a handshake; NULL where only sessions of our own asking are.
 *  Nothing is answered that is larger than what came, until the address has shown that it is real. */
void copal_dtls_receive(copal_dtls_t *dtls, copal_time_t now, copal_credentials_t *credentials,
                        const copal_from_t *from, uint8_t *datagram, size_t size);

/** Names the session with the server at an address in `peer`, to which requests are then sent: the one there is by this
 *  `via`, with these credentials and name, or a new one, whose handshake begins with the next copal_dtls_run. Another
 *  socket of ours is another client to the server, so that it has message IDs of its own. `name` is what the server's
 *  certificate must be for, a host name or a literal address; NULL: the address itself. The name is copied.
 *  COPAL_EEXIST: by this `via` there is a session with the address already, by other credentials or another name; to
 *  the server it would be replaced (RFC 6347 section 4.2.8), so take another socket. COPAL_EFULL: limits.handshakes are
 *  under way. COPAL_EINVAL: credentials of a server, or of another backend; a name over 255 octets. COPAL_ENOMEM. */
int copal_dtls_connect(copal_dtls_t *dtls, copal_time_t now, copal_credentials_t *credentials,
                       const copal_peer_t *address, uint32_t via, const char *name, copal_peer_t *peer);
/** Ends the sessions and handshakes of these credentials, and tells the peers (close_notify), but not the user. Those of NULL
 *  are none. */
void copal_dtls_disconnect(copal_dtls_t *dtls, copal_time_t now, const copal_credentials_t *credentials);

/** Protects a message for its session: `out` is then the datagram to send, whose octets lie in `buffer`, of
 *  COPAL_DTLS_OVERHEAD more than the message. 1: nothing is to be sent now: the handshake is under way, and what there
 *  is room for leaves after it. COPAL_ESTALE: there is no such session. COPAL_ESPACE: it is over limits.datagram_size.
 *  COPAL_ESYSTEM: the library failed. */
#define COPAL_DTLS_OVERHEAD 37u
int copal_dtls_protect(copal_dtls_t *dtls, copal_time_t now, const copal_datagram_t *message, uint8_t *buffer,
                       copal_datagram_t *out);

/** Does what is due at `now`: handshakes send again or fail, unused sessions end. */
void copal_dtls_run(copal_dtls_t *dtls, copal_time_t now);
/** When copal_dtls_run must be called next, or COPAL_NEVER. */
copal_time_t copal_dtls_next_timeout(const copal_dtls_t *dtls);

/** Tells of an ICMP error for a datagram to an address that started with `quoted`, which counts if it is 64 octets or
 *  more. It ends a handshake that we began and that has had no answer yet; what is established does not believe it. */
void copal_dtls_unreachable(copal_dtls_t *dtls, copal_time_t now, const copal_peer_t *address, copal_bytes_t quoted);

/** Sessions established, and handshakes under way, at present. */
uint32_t copal_dtls_sessions(const copal_dtls_t *dtls);
uint32_t copal_dtls_handshakes(const copal_dtls_t *dtls);
const copal_dtls_counters_t *copal_dtls_counters(const copal_dtls_t *dtls);

/** A session's peer is its address's octets, and these. */
#define COPAL_DTLS_PEER_SIZE 8u

#ifdef __cplusplus
}
#endif
#endif
