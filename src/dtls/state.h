/* The state of a filter, which its files share: sessions, handshakes under way, and what both need. */
#ifndef COPAL_DTLS_STATE_H
#define COPAL_DTLS_STATE_H

#include "../messaging/list.h"
#include "../messaging/timer.h"
#include "hello.h"
#include "window.h"

enum {
    COPAL__NAME_SIZE = 256,  /* of what a server is called, with its NUL */
    COPAL__FLIGHT_SIZE = 96, /* of ChangeCipherSpec and Finished: 14 octets, and 53 to 61 */
    COPAL__WAITING = 4,      /* messages that wait for one handshake */
    COPAL__SENT_SIZE = 64,   /* of the start of a datagram, up to the random octets of a ClientHello and some */
};

/** An association: its keys, and who is at its other end. Its slot is taken as soon as a client asks for it. */
typedef struct {
    copal_peer_t address;
    uint32_t via, generation;
    copal_credentials_t *credentials; /* held */
    const copal__suite_t *suite;      /* NULL: there are no keys yet */
    copal__secret_t read, write;
    copal__window_t window;
    uint64_t number; /* of the next record to send */
    uint64_t hello;  /* of a server: digest of the ClientHello that began it */
    copal_time_t used;
    copal_time_t asked;  /* of a client: when it sent something, and nothing came since; or COPAL_NEVER */
    uint32_t handshake;  /* of a client: the one that is to give it keys, or COPAL__NONE */
    uint8_t renewals;    /* since a record came last */
    bool server;         /* we are */
    uint8_t flight_size; /* 0: it has arrived */
    uint8_t flight[COPAL__FLIGHT_SIZE]; /* of a server: what it sent last in the handshake, in case that got lost */
} copal__session_t;

/** A handshake under way. */
typedef struct {
    copal_dtls_t *dtls;
    void *object;                     /* the library's */
    copal_credentials_t *credentials; /* held */
    copal_peer_t address;
    uint32_t via;
    bool server;       /* we are */
    bool heard;        /* of a client: something came from the server; of a server: something under keys */
    bool moved;        /* the library sent a message that it had not sent before */
    uint32_t session;  /* of a client: what it is for */
    uint32_t messages; /* one more than the highest message_seq that we sent */
    uint64_t hello;    /* of a server: digest of the ClientHello that began it */
    uint64_t number;   /* one more than the highest one of epoch 1 that we sent; 0: none */
    copal_time_t deadline;
    const char *alert; /* what an alert said that may be forged, or NULL */
    uint8_t waiting;   /* messages */
    uint16_t waiting_sizes[COPAL__WAITING];
    uint8_t flight_size, sent_size;
    uint8_t flight[COPAL__FLIGHT_SIZE];
    uint8_t sent[COPAL__SENT_SIZE]; /* how the last datagram began */
} copal__pending_t;

struct copal_dtls_t {
    copal_dtls_config_t config; /* with its defaults */
    copal_dtls_counters_t counters;
    copal__key_t key;
    copal__cookies_t cookies;
    void *cipher;
    uint8_t *scratch; /* of one datagram */

    copal__session_t *sessions;      /* limits.sessions that have keys, and those that wait for their first handshake */
    char (*names)[COPAL__NAME_SIZE]; /* of servers, by session; a server's filter never touches them */
    copal__pool_t session_pool;
    copal__index_t session_index;  /* by address */
    copal__list_t sessions_by_use; /* those that have keys */
    copal__link_pair_t *session_links;
    uint32_t established;

    copal__pending_t *pendings;
    uint8_t *waiting; /* messages of each, one after the other */
    copal__pool_t pending_pool;
    copal__index_t pending_index; /* by address */
    copal__list_t pendings_by_age;
    copal__link_pair_t *pending_links;
    copal__timers_t timers; /* of handshakes */
};

static inline uint64_t copal__address_hash(const copal_dtls_t *d, const uint8_t *data, size_t size)
{
    return copal__hash(&d->key, 0, data, size);
}

/** Tells who keeps a log what became of a client, if anybody does. */
static inline void copal__tell_served(const copal_dtls_t *d, const copal_peer_t *address, int status,
                                      const char *reason)
{
    if (d->config.served)
        d->config.served(d->config.user, address, status, reason);
}

/** Sends a datagram to an address. */
static inline void copal__transmit(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via,
                                   copal_bytes_t bytes)
{
    d->config.transmit(d->config.user, &(copal_datagram_t){address, via, bytes});
}

#endif
