/* A side of a host: an endpoint with sockets of its own. The server is one, the client another, so that they do not
 * share message IDs. */
#ifndef COPAL_HOST_SIDE_H
#define COPAL_HOST_SIDE_H

#include "batch.h"
#include "copal/counters.h"

/* Each of a client's has 49,152 message IDs or more in an EXCHANGE_LIFETIME, so that these do for the 2^20 blocks of the
 * largest body. */
enum { COPAL__SOCKETS = 24 };

typedef struct {
    int fd;
    int family;
    bool ready;                         /* something is there to be received, or was just now */
    bool secure;                        /* it carries records */
    bool joins;                         /* as copal__udp_send says */
    bool group;                         /* of a server: it hears a group, and sends nothing; of a client: it asks groups */
    uint8_t answers;                    /* the socket that answers what this one hears: itself, or whose group it is */
    copal_credentials_t *credentials;   /* of a server's secured socket; else NULL */
    uint8_t shown;                      /* of a server: one more than the secured socket whose links it answers with, and
                                         * with nothing else; 0: it serves */
} copal__socket_t;

typedef struct {
    copal_endpoint_t *endpoint;
    copal_dtls_t *dtls; /* NULL: no socket is secured */
    copal__locals_t *locals;
    copal__batch_t *batch; /* both sides share it: only one of them is busy at a time */
    copal_trace_t trace;
    copal_listener_t event;
    void *user;
    const char *reason; /* of a session's end, while the endpoint is told; NULL: nothing more is known */
    copal_socket_counters_t counters; /* `overflowed` is the system's to count */
    bool receiving;     /* datagrams are being handed in */
    bool client; /* wants ICMP errors, which only its requests can use, and leaves local addresses to the kernel */
    uint8_t count;
    copal__socket_t sockets[COPAL__SOCKETS];
} copal__side_t;

/** The socket of a `via`: its lower 8 bits. Above is the number of a local address, 0 for the kernel's choice. */
#define COPAL__VIA_SOCKET(via) ((via)&0xffu)
#define COPAL__VIA_LOCAL(via)  ((via) >> 8)

/** Makes a socket for a side, bound to `local`, whose port is then the one in use where it was 0. IPv6's "any" takes IPv4 as well
 *  if `dual`. It has the address alone, so that a second server on the same port is told so, or `shared` with others that
 *  share theirs by copal__udp_share. -1: errno. */
int copal__side_bind(const copal__side_t *side, copal_peer_t *local, bool dual, bool shared);
/** Makes a socket that somebody else has bound ready for a side; `local` is its address then. Its family; COPAL_EINVAL: it is none of
 *  datagrams over IP, or not bound. COPAL_ESYSTEM: errno. */
int copal__side_adopt(int fd, copal_peer_t *local);
/** Adds it to the side, which has fewer than COPAL__SOCKETS. Returns its number. */
int copal__side_add(copal__side_t *side, int fd, int family);
/** Both, for a socket that is neither dual nor shared. COPAL_EFULL: there are COPAL__SOCKETS; COPAL_ESYSTEM: errno, and
 *  nothing is half made. */
int copal__side_open(copal__side_t *side, copal_peer_t *local);

/** The address and port that a socket is bound to. 0; -1: errno. */
int copal__side_local(const copal__side_t *side, uint32_t number, copal_peer_t *local);

/** Closes the sockets from `count` on, which something that failed has opened, and keeps errno. */
void copal__side_cut(copal__side_t *side, uint8_t count);

/** Closes its sockets and its filter. */
void copal__side_close(copal__side_t *side);

/** Makes its filter, of what `config` says but for the callbacks. */
int copal__side_secure(copal__side_t *side, void *memory, size_t size, copal_dtls_config_t *config);

/** Does what is due of its filter, if it has one. */
void copal__side_run_filter(copal__side_t *side, copal_time_t now);
static inline void copal__side_run(copal__side_t *side, copal_time_t now)
{
    if (side->dtls)
        copal__side_run_filter(side, now);
}

/** When there is something to be sent or run. */
static inline copal_time_t copal__side_next_timeout(const copal__side_t *side)
{
    const copal_time_t endpoint = copal_endpoint_next_timeout(side->endpoint);
    const copal_time_t dtls = side->dtls ? copal_dtls_next_timeout(side->dtls) : COPAL_NEVER;
    return endpoint < dtls ? endpoint : dtls;
}

/** Receives one batch from each socket that is ready. Returns whether any still is. */
bool copal__side_receive(copal__side_t *side, copal_time_t now);

/** Sends what is due, up to a number of batches: where one change is told to very many, others are not kept waiting. What
 *  is left is due when the next turn comes. */
enum { COPAL__BATCHES = 16 };
void copal__side_send_batches(copal__side_t *side, copal_time_t now);
static inline void copal__side_send(copal__side_t *side, copal_time_t now)
{
    if (copal_endpoint_next_timeout(side->endpoint) <= now)
        copal__side_send_batches(side, now);
}

/* ---- between side.c and secure.c ---------------------------------------------------------------- */

/** Sends one datagram of the filter's at once. */
void copal__side_transmit(copal__side_t *side, const copal_datagram_t *datagram);

/** Hands a message to the endpoint. */
void copal__side_take(copal__side_t *side, copal_time_t now, const copal_from_t *from, copal_bytes_t message);

/** Makes a record of the message at `index` of the batch. False: nothing is to be sent now. */
bool copal__side_protect(copal__side_t *side, size_t index, copal_time_t now, copal_datagram_t *datagram);

/** Notes what cannot be sent: whose it is hears of it by copal__side_settle. */
void copal__side_note(copal__side_t *side, copal__failed_t what, const copal_datagram_t *datagram);

/** Tells the endpoint that the session a message was for is gone. */
void copal__side_forget(copal__side_t *side, copal_time_t now, const copal__failure_t *failure);

/** Tells of all that could not be sent. */
void copal__side_tell_failures(copal__side_t *side, copal_time_t now);
static inline void copal__side_settle(copal__side_t *side, copal_time_t now)
{
    if (side->batch->failed > 0)
        copal__side_tell_failures(side, now);
}

#endif
