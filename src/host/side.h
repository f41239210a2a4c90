/* A side of a host: an endpoint with sockets of its own. The server is one, the client another, so that they do not
 * share message IDs. */
#ifndef COPAL_HOST_SIDE_H
#define COPAL_HOST_SIDE_H

#include "batch.h"
#include "copal/host.h"

/* Each of a client's has 49,152 message IDs or more in an EXCHANGE_LIFETIME, so that these do for the 2^20 blocks of the
 * largest body. */
enum { COPAL__SOCKETS = 24 };

typedef struct {
    int fd;
    int family;
    bool ready; /* something is there to be received, or was just now */
} copal__socket_t;

typedef struct {
    copal_endpoint_t *endpoint;
    copal__locals_t *locals;
    copal__batch_t *batch; /* both sides share it: only one of them is busy at a time */
    copal_trace_t trace;
    void *user;
    bool client; /* wants ICMP errors, which only its requests can use, and leaves local addresses to the kernel */
    uint8_t count;
    copal__socket_t sockets[COPAL__SOCKETS];
} copal__side_t;

/** The socket of a `via`: its lower 8 bits. Above is the number of a local address, 0 for the kernel's choice. */
#define COPAL__VIA_SOCKET(via) ((via)&0xffu)
#define COPAL__VIA_LOCAL(via)  ((via) >> 8)

/** Adds a socket bound to `local`, whose port is then the one in use where it was 0. IPv6's "any" takes IPv4 as well
 *  if `dual`. Returns its number; COPAL_EFULL: there are COPAL__SOCKETS; COPAL_ESYSTEM: errno, and nothing is half
 *  made. */
int copal__side_open(copal__side_t *side, copal_peer_t *local, bool dual);

void copal__side_close(copal__side_t *side);

/** Receives one batch from each socket that is ready. Returns whether any still is. */
bool copal__side_receive(copal__side_t *side, copal_time_t now);

/** Sends up to one batch of what is due. False: nothing is. */
bool copal__side_send_batch(copal__side_t *side, copal_time_t now);

/** Sends what is due, up to a number of batches: where one change is told to very many, others are not kept waiting. What
 *  is left is due when the next turn comes. */
enum { COPAL__BATCHES = 16 };
static inline void copal__side_send(copal__side_t *side, copal_time_t now)
{
    for (unsigned i = 0; i < COPAL__BATCHES && copal_endpoint_next_timeout(side->endpoint) <= now; i++)
        if (!copal__side_send_batch(side, now))
            return;
}

#endif
