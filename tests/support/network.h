/* A network in one process: endpoints on one clock that only the test moves, and between them weather. All of it
 * follows from one seed, so that a run can be replayed. */
#ifndef TESTS_SUPPORT_NETWORK_H
#define TESTS_SUPPORT_NETWORK_H

#include "copal/copal.h"
#include "support/check.h"
#include "support/random.h"

/** What happens to a datagram. A copy of it (duplication) meets weather of its own. */
typedef struct {
    uint32_t delay, jitter;    /* milliseconds; jitter is the most that is added */
    uint32_t loss, duplication; /* per mille */
    uint32_t reordering;       /* per mille that take `late` milliseconds more */
    uint32_t late;
} weather_t;

/** An endpoint in the network, and the tree it serves, if any. */
typedef struct {
    copal_endpoint_t *endpoint;
    copal_tree_t *tree;
    void *memory, *tree_memory;
    copal_peer_t peer;
    random_t random;
} node_t;

#define NETWORK_NODES 8u

typedef struct {
    random_t random;
    weather_t weather;
    copal_time_t now;
    node_t nodes[NETWORK_NODES];
    uint32_t node_count;
    struct event *events; /* a heap, the earliest first */
    uint32_t event_count, event_capacity, events_made;
    uint32_t datagrams; /* sent so far */
} network_t;

void network_open(network_t *n, uint64_t seed, const weather_t *weather);
void network_close(network_t *n);

/** Adds an endpoint; `random` comes from the seed. With `tree_limits` it serves a tree of its own. */
node_t *network_add(network_t *n, const copal_config_t *config, const copal_tree_limits_t *tree_limits);

/** Calls `act` at that time, before any endpoint does what is due then. */
void network_at(network_t *n, copal_time_t time, void (*act)(void *context), void *context);

/** Runs until nothing is due any more, or `until`. The clock then stands there, or at `until`. */
void network_run(network_t *n, copal_time_t until);

#endif
