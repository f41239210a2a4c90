/* Octets of memory that useful configurations of the core take, on the machine that runs it: bench/size asks a
 * Cortex-M4. Each is a line: the endpoint, the tree, and what they are for. */
#include "copal/tree.h"

#include <stdio.h>

/* No small machine needs room for a message of 1,152 octets: 256 of payload, in blocks where it is more. */
/* A sensor with four values, whom a few ask: messages of up to 128 octets of payload, one at a time. */
static const copal_limits_t least = {.datagram_size = 160,
                                     .payload_size = 128,
                                     .token_size = 8,
                                     .requests = 1,
                                     .deferred = 1,
                                     .remembered = 4,
                                     .remembered_bytes = 256,
                                     .proven = 2,
                                     .counters = 1,
                                     .batch = 1,
                                     .observers = 1,
                                     .observed = 1,
                                     .observed_size = 32,
                                     .notifications = 1,
                                     .networks = 1,
                                     .rests = 1,
                                     .rest_size = 64};
static const copal_limits_t client = {.datagram_size = 320,
                                      .payload_size = 256,
                                      .requests = 4,
                                      .deferred = 1,
                                      .remembered = 1,
                                      .remembered_bytes = 512,
                                      .proven = 1,
                                      .counters = 1,
                                      .batch = 4,
                                      .observers = 1,
                                      .observed = 1,
                                      .notifications = 1,
                                      .networks = 1,
                                      .rests = 1,
                                      .rest_size = 64};
static const copal_limits_t server = {.datagram_size = 320,
                                      .payload_size = 256,
                                      .requests = 1,
                                      .deferred = 1,
                                      .remembered = 16,
                                      .remembered_bytes = 1024,
                                      .proven = 8,
                                      .counters = 1,
                                      .batch = 4,
                                      .observers = 1,
                                      .observed = 1,
                                      .notifications = 1,
                                      .networks = 4,
                                      .rests = 1,
                                      .rest_size = 512};
static const copal_limits_t both = {.datagram_size = 320,
                                    .payload_size = 256,
                                    .requests = 4,
                                    .deferred = 2,
                                    .remembered = 16,
                                    .remembered_bytes = 1024,
                                    .proven = 8,
                                    .counters = 1,
                                    .batch = 4,
                                    .observers = 8,
                                    .observed = 4,
                                    .notifications = 2,
                                    .networks = 4,
                                    .rests = 1,
                                    .rest_size = 512};
static const copal_limits_t usual;

static const copal_tree_limits_t four = {.resources = 4, .value_size = 32, .uploads = 1};
static const copal_tree_limits_t resources = {.resources = 10, .value_size = 256, .uploads = 1};
static const copal_tree_limits_t usual_resources;

static const struct {
    const char *what;
    const copal_limits_t *limits;
    const copal_tree_limits_t *tree;
} configurations[] = {
    {"a server of 4 small values and one peer at a time", &least, &four},
    {"a client of 4 requests", &client, NULL},
    {"a server of 10 resources and 8 peers", &server, &resources},
    {"a server of 10 resources and 8 peers who observe, and a client of 4 requests", &both, &resources},
    {"what no limit was set for", &usual, &usual_resources},
};

int main(void)
{
    for (size_t i = 0; i < sizeof configurations / sizeof *configurations; i++) {
        const copal_tree_limits_t *tree = configurations[i].tree;
        printf("%7lu %7lu  %s\n",
               (unsigned long)copal_endpoint_size(configurations[i].limits), /* newlib knows no %zu */
               (unsigned long)(tree ? copal_tree_size(tree) : 0), configurations[i].what);
    }
    return 0;
}
