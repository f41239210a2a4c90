#include "support/network.h"

#include "exchange/state.h"
#include "support/bench.h"

#include <stdlib.h>
#include <string.h>

/* A datagram that arrives, or an act of the test. */
struct event {
    copal_time_t time;
    uint32_t order; /* events of one time come in the order they were made */
    uint32_t from, to;
    size_t size;
    uint8_t *data; /* exactly `size` octets, so that a sanitizer sees any octet read beyond; NULL: an act */
    void (*act)(void *context);
    void *context;
};

void network_open(network_t *n, uint64_t seed, const weather_t *weather)
{
    *n = (network_t){.random = random_from(seed), .weather = *weather};
    n->now = (copal_time_t)(seed % 7) * 30000 - 60000; /* the clock's origin is any */
}

void network_close(network_t *n)
{
    for (uint32_t i = 0; i < n->event_count; i++)
        free(n->events[i].data);
    free(n->events);
    for (uint32_t i = 0; i < n->node_count; i++) {
        free(n->nodes[i].memory);
        free(n->nodes[i].tree_memory);
    }
}

static copal_tree_t *make_tree(node_t *node, const copal_tree_limits_t *limits)
{
    copal_tree_config_t config = {.limits = *limits, .random = random_fill, .random_state = &node->random, .observable = true};
    copal_tree_t *tree;
    size_t size = copal_tree_size(limits);
    node->tree_memory = calloc(1, size);
    check_equal(copal_tree_init(&tree, node->tree_memory, size, &config), 0);
    return tree;
}

node_t *network_add(network_t *n, const copal_config_t *config, const copal_tree_limits_t *tree_limits)
{
    check(n->node_count < NETWORK_NODES);
    node_t *node = &n->nodes[n->node_count];
    copal_config_t own = *config;
    *node = (node_t){.peer = peer_of(0x0a000001u + n->node_count), .random = random_from(random_next(&n->random))};
    n->node_count++;
    if (tree_limits) {
        node->tree = make_tree(node, tree_limits);
        own.service = copal_tree_service(node->tree, 0);
    }
    own.random = random_fill;
    own.random_state = &node->random;
    size_t size = copal_endpoint_size(&own.limits);
    node->memory = calloc(1, size);
    check_equal(copal_endpoint_init(&node->endpoint, node->memory, size, &own), 0);
    return node;
}

/* ---- the heap of events ---------------------------------------------------------------------------- */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->time < b->time || (a->time == b->time && a->order < b->order);
}

static void push(network_t *n, struct event event)
{
    if (n->event_count == n->event_capacity) {
        n->event_capacity = n->event_capacity ? 2 * n->event_capacity : 64;
        n->events = realloc(n->events, n->event_capacity * sizeof *n->events);
    }
    event.order = n->events_made++;
    uint32_t i = n->event_count++;
    for (; i > 0 && earlier(&event, &n->events[(i - 1) / 2]); i = (i - 1) / 2)
        n->events[i] = n->events[(i - 1) / 2];
    n->events[i] = event;
}

static struct event pop(network_t *n)
{
    struct event first = n->events[0], last = n->events[--n->event_count];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < n->event_count; i = child) {
        if (child + 1 < n->event_count && earlier(&n->events[child + 1], &n->events[child]))
            child++;
        if (!earlier(&n->events[child], &last))
            break;
        n->events[i] = n->events[child];
    }
    n->events[i] = last;
    return first;
}

void network_at(network_t *n, copal_time_t time, void (*act)(void *context), void *context)
{
    push(n, (struct event){.time = time, .act = act, .context = context});
}

/* ---- weather --------------------------------------------------------------------------------------- */

static bool happens(network_t *n, uint32_t per_mille) { return random_below(&n->random, 1000) < per_mille; }

static void throw_in(network_t *n, uint32_t from, uint32_t to, copal_bytes_t bytes)
{
    const weather_t *w = &n->weather;
    if (happens(n, w->loss))
        return;
    struct event event = {.time = n->now + w->delay + random_below(&n->random, w->jitter + 1), .from = from, .to = to,
                          .size = bytes.size, .data = malloc(bytes.size)};
    if (happens(n, w->reordering))
        event.time += random_below(&n->random, w->late + 1);
    memcpy(event.data, bytes.data, bytes.size);
    push(n, event);
}

static void carry(network_t *n, uint32_t from, const copal_datagram_t *out)
{
    n->datagrams++;
    for (uint32_t to = 0; to < n->node_count; to++) {
        if (!peer_equal(out->to, &n->nodes[to].peer))
            continue;
        throw_in(n, from, to, out->bytes);
        if (happens(n, n->weather.duplication))
            throw_in(n, from, to, out->bytes);
    }
}

/* ---- turns ----------------------------------------------------------------------------------------- */

static void tell(network_t *n, const node_t *node)
{
    uint32_t slot;
    while (node->tree && copal_tree_next_change(node->tree, 0, &slot))
        copal_notify(node->endpoint, n->now, slot);
}

/* Lets a node send all that is due. Afterwards nothing may be due at this time any more, or a host would spin. */
static void pump(network_t *n, uint32_t index)
{
    copal_endpoint_t *e = n->nodes[index].endpoint;
    copal_datagram_t out[8];
    size_t count, capacity = 1 + random_below(&n->random, 8);
    tell(n, &n->nodes[index]);
    for (unsigned turns = 0; (count = copal_endpoint_send(e, n->now, out, capacity)) > 0; turns++) {
        check(count <= capacity);
        check(turns < 100000);
        for (size_t i = 0; i < count; i++) {
            check(out[i].bytes.size <= e->config.limits.datagram_size); /* as in bench_take */
            carry(n, index, &out[i]);
        }
    }
    check(copal_endpoint_next_timeout(e) > n->now);
}

static void happen(network_t *n, struct event *event)
{
    if (event->act) {
        event->act(event->context);
        return;
    }
    copal_endpoint_t *e = n->nodes[event->to].endpoint;
    copal_from_t from = {.peer = n->nodes[event->from].peer};
    copal_bytes_t datagram = {event->data, event->size};
    if (copal_endpoint_receive(e, n->now, &from, datagram) == COPAL_EFULL) {
        pump(n, event->to);
        check(copal_endpoint_receive(e, n->now, &from, datagram) != COPAL_EFULL);
    }
    free(event->data);
}

static copal_time_t next_time(const network_t *n)
{
    copal_time_t next = n->event_count ? n->events[0].time : COPAL_NEVER;
    for (uint32_t i = 0; i < n->node_count; i++) {
        copal_time_t due = copal_endpoint_next_timeout(n->nodes[i].endpoint);
        if (due < next)
            next = due;
    }
    return next;
}

void network_run(network_t *n, copal_time_t until)
{
    for (uint32_t i = 0; i < n->node_count; i++)
        tell(n, &n->nodes[i]);
    for (copal_time_t next; (next = next_time(n)) <= until && next != COPAL_NEVER;) {
        if (next > n->now)
            n->now = next;
        while (n->event_count && n->events[0].time <= n->now) {
            struct event event = pop(n);
            happen(n, &event);
        }
        for (uint32_t i = 0; i < n->node_count; i++)
            pump(n, i);
    }
    if (until != COPAL_NEVER && n->now < until)
        n->now = until;
}
