/* Octets of memory that useful configurations of the core take, on the machine that runs it: bench/size asks a
 * Cortex-M4. Each is a line: the endpoint, the tree, and what they are for. */
#include "copal/tree.h"

#include <stdio.h>
#include <string.h>

/* No small machine needs room for a message of 1,152 octets: 256 of payload, in blocks where it is more. */
/* A sensor whose state peers ask for, and one observes; it answers by a service of its own, and takes nothing from them.
 * Messages of up to 96 octets, which a frame of IEEE 802.15.4 has room for, 48 of them payload, one at a time. */
static const copal_limits_t sensor = {.datagram_size = 96,
                                      .payload_size = 48,
                                      .requests = COPAL_LIMIT_NONE,
                                      .deferred = COPAL_LIMIT_NONE,
                                      .remembered = COPAL_LIMIT_NONE,
                                      .proven = 2,
                                      .counters = 1,
                                      .batch = 1,
                                      .observers = 1,
                                      .observed = 1,
                                      .observed_size = 24,
                                      .notifications = 1,
                                      .networks = 1,
                                      .rests = COPAL_LIMIT_NONE};
/* The same with four values of up to 32 octets, which peers may set, and a request of its own at a time. */
static const copal_limits_t least = {.datagram_size = 96,
                                     .payload_size = 48,
                                     .requests = 1,
                                     .deferred = COPAL_LIMIT_NONE,
                                     .remembered = 4,
                                     .remembered_bytes = 192,
                                     .proven = 2,
                                     .counters = 1,
                                     .batch = 1,
                                     .observers = 1,
                                     .observed = 1,
                                     .observed_size = 24,
                                     .notifications = 1,
                                     .networks = 1,
                                     .rests = COPAL_LIMIT_NONE};
/* It reports, one request at a time, and serves nobody. */
static const copal_limits_t reporter = {.datagram_size = 96,
                                        .payload_size = 48,
                                        .requests = 1,
                                        .deferred = COPAL_LIMIT_NONE,
                                        .remembered = COPAL_LIMIT_NONE,
                                        .proven = 1,
                                        .counters = 1,
                                        .batch = 1,
                                        .observers = COPAL_LIMIT_NONE,
                                        .networks = 1,
                                        .rests = COPAL_LIMIT_NONE};
static const copal_limits_t client = {.datagram_size = 320,
                                      .payload_size = 256,
                                      .requests = 4,
                                      .deferred = COPAL_LIMIT_NONE,
                                      .remembered = COPAL_LIMIT_NONE,
                                      .proven = 1,
                                      .counters = 1,
                                      .batch = 4,
                                      .observers = COPAL_LIMIT_NONE,
                                      .networks = 1,
                                      .rests = COPAL_LIMIT_NONE};
static const copal_limits_t server = {.datagram_size = 320,
                                      .payload_size = 256,
                                      .requests = COPAL_LIMIT_NONE,
                                      .deferred = 1,
                                      .remembered = 16,
                                      .remembered_bytes = 1024,
                                      .proven = 8,
                                      .counters = 1,
                                      .batch = 4,
                                      .observers = COPAL_LIMIT_NONE,
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

static const copal_tree_limits_t four = {.resources = 4, .value_size = 32, .uploads = 1, .arena = 800};
static const copal_tree_limits_t resources = {.resources = 10, .value_size = 256, .uploads = 1};
static const copal_tree_limits_t usual_resources;

static const struct {
    const char *what;
    const copal_limits_t *limits;
    const copal_tree_limits_t *tree;
} configurations[] = {
    {"a service of its own that one peer observes", &sensor, NULL},
    {"a server of 4 small values, one observer, and a client of one request at a time", &least, &four},
    {"a client of one request at a time", &reporter, NULL},
    {"a client of 4 requests", &client, NULL},
    {"a server of 10 resources and 8 peers", &server, &resources},
    {"a server of 10 resources and 8 peers who observe, and a client of 4 requests", &both, &resources},
    {"what no limit was set for", &usual, &usual_resources},
};

static _Alignas(max_align_t) uint8_t memory[256 * 1024];

static void fill(void *state, void *buffer, size_t size)
{
    (void)state;
    memset(buffer, 1, size);
}

/* Whether the memory is enough for four values, each replaced by the largest. */
static bool holds_values(const copal_tree_limits_t *limits)
{
    copal_tree_t *tree;
    copal_handle_t value;
    char path[] = "in/0";
    static const uint8_t octets[32];
    const copal_tree_config_t config = {.limits = *limits, .random = fill, .observable = true};
    const copal_value_options_t options = {.content_format = 0, .max_age = 60, .etag = true, .methods = COPAL_METHODS_ALL};
    memset(memory, 0, sizeof memory);
    if (copal_tree_init(&tree, memory, sizeof memory, &config))
        return false;
    for (; path[3] < '4'; path[3]++)
        if (copal_tree_add_value(tree, path, (copal_bytes_t){octets, sizeof octets}, &options, &value) ||
            copal_tree_set_value(tree, value, (copal_bytes_t){octets, sizeof octets}))
            return false;
    return true;
}

static bool is_sound(const copal_limits_t *limits)
{
    copal_endpoint_t *endpoint;
    const copal_config_t config = {.limits = *limits, .random = fill};
    memset(memory, 0, sizeof memory);
    return !copal_endpoint_init(&endpoint, memory, sizeof memory, &config);
}

int main(void)
{
    for (size_t i = 0; i < sizeof configurations / sizeof *configurations; i++) {
        const copal_tree_limits_t *tree = configurations[i].tree;
        const char *what = configurations[i].what;
        if (!is_sound(configurations[i].limits) || (tree && !holds_values(tree))) {
            printf("no room: %s\n", what);
            return 1;
        }
        printf("%7lu %7lu  %s\n",
               (unsigned long)copal_endpoint_size(configurations[i].limits), /* newlib knows no %zu */
               (unsigned long)(tree ? copal_tree_size(tree) : 0), what);
    }
    return 0;
}
