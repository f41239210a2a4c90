/* What a host has received, refused and lost, for who runs it: as numbers, as a list of them, and as a resource. */
#ifndef COPAL_COUNTERS_H
#define COPAL_COUNTERS_H

#include "copal/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What happened at the sockets. */
typedef struct {
    uint64_t overflowed;  /* datagrams that the system dropped since they came quicker than they were read; 0 where it does not
                           * tell (it does on Linux) */
    uint64_t unsent;      /* datagrams that it had no room for */
    uint64_t unreachable; /* datagrams that it said cannot get where they go, at once or by ICMP (RFC 7252 section 4.2) */
} copal_socket_counters_t;

/** All that a host counts, since it was opened: of its server, summed over all workers, and of its client. */
typedef struct {
    copal_counters_t server, client;           /* each field is described in copal/endpoint.h */
    copal_dtls_counters_t server_dtls, client_dtls; /* in copal/dtls.h; 0 without DTLS */
    copal_socket_counters_t server_sockets, client_sockets;
    uint64_t observers; /* at present: observations that peers have */
    uint64_t pending;   /* messages and calls of the server under way, as copal_endpoint_pending says */
    uint64_t requests;  /* the same of the client */
    uint64_t uploads;   /* bodies that are coming in by Block1 */
    uint64_t sessions, handshakes; /* DTLS, of both sides */
} copal_host_counters_t;

/** Fills them in. Takes the lock of one worker after the other, for a moment each. */
void copal_host_counters(copal_host_t *host, copal_host_counters_t *counters);

/** One number of them. */
typedef struct {
    const char *side;  /* "server", "client", or "" for what is of both */
    const char *name;  /* the field's, with what an index of it stands for: "refused", "requests_get", "dtls_hellos" */
    const char *metric; /* the same as Prometheus would name it, without a prefix: "refused_total", "requests_total" */
    const char *label; /* what tells it from others of that metric, ready for Prometheus: "method=\"GET\""; or NULL */
    const char *text;  /* what it is, a sentence without full stop */
    bool gauge;        /* it is how many there are at present, and may fall */
    uint64_t value;
} copal_count_t;

/** The number at `index`, from 0 on; false: there are no more. Those of one metric follow each other, and so do the two sides of each. */
bool copal_counters_at(const copal_host_counters_t *counters, size_t index, copal_count_t *count);

/** Adds a resource that tells them: a line for each as text, or with Accept 50 JSON: {"server": {"received": 1, …}, "client":
 *  {…}, "observers": 0, …}. They are at most a second old, so that blocks of one answer are of one moment. Everybody who can
 *  reach the server can read it. As copal_tree_add_handler. */
int copal_host_add_counters(copal_host_t *host, const char *path, copal_handle_t *resource);

#ifdef __cplusplus
}
#endif
#endif
