/* How a host's memory is shared out. */
#define _GNU_SOURCE 1
#include "host.h"

#include "scale.h"

enum {
    WHOLE = 1024,         /* the proportions' unit; they may take up to twice as much where that fits */
    NETWORK_BYTES = 256 << 10,
    HANDSHAKE_SIZE = 4096 /* octets of a datagram of certificates, which may come whole where the network takes it */
};

#define LONGEST_BUSY 1000000u /* microseconds */
#define LEAST_MEMORY   ((size_t)64 << 10)
#define DEFAULT_MEMORY ((size_t)64 << 20)
#define LARGEST_VALUE  ((size_t)1 << 20)
#define LARGEST_ARENA  ((size_t)UINT32_MAX) /* a tree takes no more than about twice that */

static uint32_t clamp(size_t value, size_t least, size_t most)
{
    return (uint32_t)(value < least ? least : value > most ? most : value);
}

static void suggest(uint32_t *field, uint32_t value)
{
    if (*field == 0)
        *field = value;
}

static uint32_t power_of_two(uint32_t value)
{
    uint32_t power = 1;
    while (power <= value / 2)
        power *= 2;
    return power;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Sizes that no memory changes (RFC 7252 section 4.6; RFC 8974 section 2.2.2). */
static void suggest_sizes(copal_limits_t *limits)
{
    suggest(&limits->datagram_size, 1152);
    suggest(&limits->payload_size, limits->datagram_size < 1024 ? limits->datagram_size : 1024);
    suggest(&limits->token_size, 8);
}

/* A session takes some 300 octets; a handshake, tens of thousands of the library's, which are not counted here. */
static void share_out_dtls(copal_host_config_t *config, size_t memory)
{
    const size_t share = memory / config->workers;
    suggest(&config->server_dtls.sessions, clamp(share / 6000, 8, 1 << 24));
    suggest(&config->server_dtls.handshakes, clamp(share / 900000, 2, 1 << 12));
    suggest(&config->client_dtls.sessions, clamp(memory >> 16, 4, 1 << 20));
    suggest(&config->client_dtls.handshakes, clamp(memory >> 20, 2, 1 << 12));
    config->server_dtls.datagram_size = config->server.datagram_size;
    config->client_dtls.datagram_size = config->client.datagram_size;
}

/* The proportions. A deferred or own request and a confirmable notification take a datagram's room; an observer 116 octets,
 * and a fourth of all is theirs. Another fourth is for requests that are remembered: 64 with message IDs in a row take 112
 * octets, and so does one of a peer that asks no more; octets of their replies are apart, where one datagram must fit in any
 * case. The bounds above are for memories of many gigabytes. What a server has, each worker has, of its share. */
static void share_out(copal_host_config_t *config, size_t memory)
{
    const size_t share = memory / config->workers;
    uint32_t batch = clamp(share >> 15, 3, COPAL__BATCH);
    suggest_sizes(&config->server);
    suggest_sizes(&config->client);
    suggest(&config->server.network_bytes, NETWORK_BYTES);
    suggest(&config->server.requests, 1);
    suggest(&config->server.deferred, clamp(share >> 15, 2, 1 << 20));
    suggest(&config->server.remembered, clamp(share / 470, 16, 1 << 24));
    suggest(&config->server.remembered_bytes,
            larger(clamp(share >> 4, 0, (size_t)1 << 30), 2 * config->server.datagram_size));
    suggest(&config->server.proven, clamp(share >> 12, 8, 1 << 20));
    suggest(&config->server.counters, power_of_two(clamp(share >> 14, 4, 1 << 16)));
    suggest(&config->server.networks, power_of_two(clamp(share >> 15, 4, 1 << 16)));
    suggest(&config->server.batch, batch);
    suggest(&config->server.observers, clamp(share / 500, 8, 1 << 24));
    suggest(&config->server.observed, clamp(share >> 13, 8, 1 << 20));
    suggest(&config->server.notifications, clamp(share >> 15, 2, 1 << 20));
    suggest(&config->server.rests, clamp(share >> 21, 1, 4096));
    suggest(&config->server.rest_size, clamp(share >> 6, 1, 1 << 15));
    suggest(&config->client.requests, clamp(memory >> 15, 2, 1 << 20));
    suggest(&config->client.deferred, 1);
    suggest(&config->client.remembered, 4);
    suggest(&config->client.remembered_bytes, 2 * config->client.datagram_size);
    suggest(&config->client.proven, 4);
    suggest(&config->client.counters, power_of_two(clamp(memory >> 14, 4, 1 << 16)));
    suggest(&config->client.observers, 1); /* it serves nobody */
    suggest(&config->client.observed, 1);
    suggest(&config->client.observed_size, 1);
    suggest(&config->client.notifications, 1);
    suggest(&config->client.networks, 1);
    suggest(&config->client.rests, 1);
    suggest(&config->client.rest_size, 1);
    suggest(&config->client.batch, batch);
    suggest(&config->tree.resources, clamp(memory >> 13, 8, 1 << 20));
    suggest(&config->tree.uploads, clamp(memory >> 16, 4, 1 << 16));
    suggest(&config->tree.dynamic, config->tree.resources / 2);
    suggest(&config->tree.value_size, clamp(memory >> 4, 1024, LARGEST_VALUE));
    if (config->tree.arena == 0)
        config->tree.arena = clamp(memory >> 2, 4096, LARGEST_ARENA);
    if (config->dtls)
        share_out_dtls(config, memory);
}

static void lay_worker(copal__place_of_work_t *place, copal__carver_t *carver, const copal__layout_t *layout,
                       const copal_host_config_t *config)
{
    const uint32_t message = larger(config->server.datagram_size, config->client.datagram_size);
    const uint32_t sealed = config->dtls ? message + COPAL_DTLS_OVERHEAD : 0;
    const uint32_t size = config->dtls ? larger(sealed, HANDSHAKE_SIZE) : message;
    const uint32_t batch = larger(config->server.batch, config->client.batch);
    place->server = copal__carve(carver, layout->server_size, 1);
    place->dtls = copal__carve(carver, layout->server_dtls_size, 1);
    copal__batch_lay(&place->batch, carver, batch < COPAL__BATCH ? batch : COPAL__BATCH, size, sealed);
}

void copal__host_lay(copal__layout_t *layout, copal__carver_t *carver, const copal_host_config_t *config)
{
    layout->server_size = copal_endpoint_size(&config->server);
    layout->server_dtls_size = config->dtls ? copal_dtls_size(&config->server_dtls) : 0;
    layout->client_size = copal_endpoint_size(&config->client);
    layout->client_dtls_size = config->dtls ? copal_dtls_size(&config->client_dtls) : 0;
    layout->tree_size = copal_tree_size(&config->tree);
    layout->host = copal__carve(carver, 1, sizeof(copal_host_t));
    layout->workers = copal__carve(carver, config->workers, sizeof *layout->workers);
    layout->client = copal__carve(carver, layout->client_size, 1);
    layout->client_dtls = copal__carve(carver, layout->client_dtls_size, 1);
    layout->tree = copal__carve(carver, layout->tree_size, 1);
    for (uint32_t i = 0; i < config->workers; i++)
        lay_worker(&layout->places[i], carver, layout, config);
}

/* SIZE_MAX: there is no such host. */
static size_t total(const copal_host_config_t *config)
{
    copal__layout_t layout;
    copal__carver_t carver = {NULL, 0};
    copal__host_lay(&layout, &carver, config);
    return layout.tree_size > 0 ? carver.used : SIZE_MAX;
}

/* The largest share for which all fits; limits that the caller gave count in full. */
int copal_host_scale(copal_host_config_t *config)
{
    const size_t memory = config->memory ? config->memory : DEFAULT_MEMORY;
    suggest(&config->workers, 1);
    if (config->workers > COPAL__WORKERS || config->busy_poll > LONGEST_BUSY || memory / config->workers < LEAST_MEMORY)
        return COPAL_EINVAL;
    config->tree.workers = config->workers;
    copal_host_config_t scaled = *config;
    size_t low = 0;
    for (size_t step = WHOLE; step > 0; step /= 2) {
        scaled = *config;
        share_out(&scaled, memory / WHOLE * (low + step));
        if (total(&scaled) <= memory)
            low += step;
    }
    scaled = *config;
    share_out(&scaled, memory / WHOLE * low);
    if (total(&scaled) > memory)
        return COPAL_EINVAL;
    *config = scaled;
    config->memory = memory;
    return 0;
}
