#include "common/world.h"

#include "common/served.h"
#include "message/hash.h"

enum { MAX_LATENCY = 100000, PUMPS = 10000, SETTLES = 20000 };

/* ---- the wire ------------------------------------------------------------------------------------------------------ */

void world_lose(world_t *w, unsigned place)
{
    free(w->wire[place].data);
    w->passing--;
    memmove(&w->wire[place], &w->wire[place + 1], (w->passing - place) * sizeof w->wire[0]);
}

static void throw_in(world_t *w, const passing_t *p, copal_bytes_t bytes)
{
    if (w->passing == WIRE)
        world_lose(w, 0);
    passing_t *place = &w->wire[w->passing++];
    *place = *p;
    place->sent = w->now;
    place->size = bytes.size;
    place->data = octets_copy(bytes);
}

/* What goes to somebody who cannot hear it: within what an unproven network may get (the guard). */
static void count_other(other_t *other, copal_bytes_t bytes)
{
    other->received += bytes.size;
    check(other->received <= NETWORK_BYTES + 3 * other->sent);
    other->known[bytes.data[2] << 5 | bytes.data[3] >> 3] |= (uint8_t)(1u << (bytes.data[3] & 7));
}

static bool knows(const other_t *other, copal_bytes_t bytes)
{
    return other->known[bytes.data[2] << 5 | bytes.data[3] >> 3] >> (bytes.data[3] & 7) & 1;
}

static void carry_from_server(world_t *w, const copal_datagram_t *out)
{
    for (unsigned i = 0; i < OTHERS; i++)
        if (peer_equal(out->to, &w->others[i].peer))
            count_other(&w->others[i], out->bytes);
    for (uint32_t via = 0; via < 2; via++) {
        const copal_peer_t client = world_client(via);
        if (peer_equal(out->to, &client))
            throw_in(w, &(passing_t){.from = peer_of(0x0a000001u), .via = via}, out->bytes);
    }
}

static void carry_from_client(world_t *w, const copal_datagram_t *out)
{
    const bool multicast = out->to->data[0] == 224;
    w->last_size = out->bytes.size;
    memcpy(w->last, out->bytes.data, out->bytes.size);
    throw_in(w, &(passing_t){.to_server = true, .multicast = multicast, .from = world_client(out->via)}, out->bytes);
}

static int hand_in(world_t *w, end_t *end, const copal_from_t *from, copal_bytes_t datagram)
{
    uint8_t *copy = octets_copy(datagram);
    int status = copal_endpoint_receive(end->endpoint, w->now, from, (copal_bytes_t){copy, datagram.size});
    if (status == COPAL_EFULL) {
        world_pump(w);
        status = copal_endpoint_receive(end->endpoint, w->now, from, (copal_bytes_t){copy, datagram.size});
        check(status != COPAL_EFULL);
    }
    free(copy);
    check(status == 0 || status == COPAL_EFORMAT || status == COPAL_EVERSION || status == COPAL_EIGNORED);
    return status;
}

void world_deliver(world_t *w, unsigned place, bool again)
{
    passing_t p = w->wire[place];
    const copal_from_t from = {.peer = p.from, .via = p.via, .multicast = p.multicast, .network = 3};
    p.data = octets_copy((copal_bytes_t){p.data, p.size});
    if (!again)
        world_lose(w, place);
    hand_in(w, p.to_server ? &w->server : &w->client, &from, (copal_bytes_t){p.data, p.size});
    free(p.data);
}

/* Who cannot hear cannot reject with the right message ID either, but by a guess: those are left out. */
void world_hear_other(world_t *w, unsigned other, bool multicast, copal_bytes_t datagram)
{
    other_t *o = &w->others[other];
    const copal_from_t from = {.peer = o->peer, .multicast = multicast, .network = 3};
    if (datagram.size >= 4 && datagram.data[0] >> 4 >= 6 && knows(o, datagram))
        return;
    o->sent += datagram.size;
    hand_in(w, &w->server, &from, datagram);
}

void world_hear_client(world_t *w, copal_bytes_t datagram)
{
    const copal_from_t from = {.peer = peer_of(0x0a000001u), .network = 3};
    w->spoiled = true;
    hand_in(w, &w->client, &from, datagram);
}

/* ---- turns --------------------------------------------------------------------------------------------------------- */

static void pump(world_t *w, end_t *end)
{
    copal_datagram_t out[4];
    size_t count;
    for (unsigned turns = 0; (count = copal_endpoint_send(end->endpoint, w->now, out, 4)) > 0; turns++) {
        check(count <= 4);
        check(turns < PUMPS);
        for (size_t i = 0; i < count; i++) {
            check(out[i].bytes.size <= w->limits.datagram_size);
            copal_message_t message;
            check_equal(copal_message_parse(&message, out[i].bytes), 0);
            if (end == &w->server)
                carry_from_server(w, &out[i]);
            else
                carry_from_client(w, &out[i]);
        }
    }
    check(copal_endpoint_next_timeout(end->endpoint) > w->now);
}

void world_pump(world_t *w)
{
    uint32_t slot;
    while (copal_tree_next_change(w->tree, 0, &slot))
        copal_notify(w->server.endpoint, w->now, slot);
    pump(w, &w->server);
    pump(w, &w->client);
    copal_tree_quiescent(w->tree, 0);
}

void world_wait(world_t *w, copal_time_t milliseconds)
{
    w->now += milliseconds;
    while (w->passing > 0 && w->now - w->wire[0].sent > MAX_LATENCY)
        world_lose(w, 0);
}

static copal_time_t next_time(const world_t *w)
{
    const copal_time_t a = copal_endpoint_next_timeout(w->server.endpoint),
                       b = copal_endpoint_next_timeout(w->client.endpoint);
    return a < b ? a : b;
}

void world_wait_until_due(world_t *w)
{
    const copal_time_t next = next_time(w), most = 3600 * 1000;
    world_wait(w, next == COPAL_NEVER || next - w->now > most ? most : next - w->now);
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static void open_end(world_t *w, end_t *end, uint64_t seed, const copal_service_t *service)
{
    end->random = random_from(seed);
    copal_config_t config = {.limits = w->limits, .random = random_fill, .random_state = &end->random};
    if (service)
        config.service = *service;
    const size_t size = copal_endpoint_size(&config.limits);
    end->memory = calloc(1, size);
    check_equal(copal_endpoint_init(&end->endpoint, end->memory, size, &config), 0);
}

static void open_tree(world_t *w, bool tight)
{
    const copal_tree_config_t config = {.limits = {.resources = 12, .value_size = 2000, .uploads = tight ? 2 : 0,
                                                   .arena = tight ? 6000 : 0},
                                        .random = random_fill,
                                        .random_state = &w->tree_random,
                                        .dynamic = true,
                                        .post_creates = true,
                                        .observable = true};
    const size_t size = copal_tree_size(&config.limits);
    w->tree_memory = calloc(1, size);
    check_equal(copal_tree_init(&w->tree, w->tree_memory, size, &config), 0);
    served_add(w);
}

world_t *world_open(const uint8_t *data, size_t size, bool tight)
{
    world_t *w = calloc(1, sizeof *w);
    /* What is drawn follows from all of the input, so that no input holds what could not be known: keys, Echo values. */
    const uint64_t seed = copal__hash(&(copal__key_t){1, 2}, 0, data, size);
    w->now = (copal_time_t)(seed % 7) * 30000 - 60000; /* the clock's origin is any */
    w->tree_random = random_from(seed + 2);
    w->limits = (copal_limits_t){.datagram_size = 1152, .requests = 8, .deferred = 8, .remembered = 64, .proven = 4,
                                 .counters = 4, .batch = 8, .network_bytes = NETWORK_BYTES};
    if (tight) {
        w->limits.datagram_size = 300;
        w->limits.payload_size = 64;
        w->limits.requests = w->limits.deferred = 3;
        w->limits.remembered = 6;
        w->limits.remembered_bytes = 1000;
        w->limits.counters = w->limits.proven = w->limits.batch = w->limits.rests = 1;
        w->limits.observers = 3;
        w->limits.observed = w->limits.notifications = 2;
        w->limits.networks = 1;
    }
    for (unsigned i = 0; i < OTHERS; i++)
        w->others[i].peer = peer_of(0x0c000001u + (i << 8));
    open_tree(w, tight);
    const copal_service_t service = copal_tree_service(w->tree, 0);
    open_end(w, &w->server, seed, &service);
    open_end(w, &w->client, seed + 1, NULL);
    copal_endpoint_hear_groups(w->server.endpoint);
    return w;
}

/* ---- closing ------------------------------------------------------------------------------------------------------- */

static void settle(world_t *w)
{
    world_pump(w);
    for (unsigned turns = 0; next_time(w) != COPAL_NEVER; turns++) {
        check(turns < SETTLES);
        while (w->passing > 0)
            world_lose(w, 0);
        w->now = next_time(w);
        world_pump(w);
    }
}

static void check_client(world_t *w)
{
    copal_handle_t handles[8], extra;
    copal_writer_t *out;
    const copal_peer_t to = peer_of(1);
    const copal_request_t request = {.to = &to, .code = COPAL_GET};
    for (uint32_t i = 0; i < w->limits.requests; i++)
        check_equal(copal_request_begin(w->client.endpoint, &request, &handles[i], &out), 0);
    check_equal(copal_request_begin(w->client.endpoint, &request, &extra, &out), COPAL_EFULL);
}

static void check_server(world_t *w)
{
    for (uint32_t i = 0; i <= w->limits.deferred; i++) {
        message_t m;
        const copal_from_t from = {.peer = peer_of(0x0d000001u + (i << 8)), .network = 3};
        const copal_bytes_t token = {(const uint8_t *)"p", 1};
        w->probed = 1;
        hand_in(w, &w->server, &from, message_make(&m, COPAL_NON, COPAL_GET, (uint16_t)i, token, "probe", NULL));
        check_equal(w->probed, i < w->limits.deferred ? 0 : COPAL_EFULL);
        world_pump(w);
    }
}

void world_close(world_t *w)
{
    world_pump(w);
    for (unsigned i = 0; i < w->count; i++)
        if (w->jobs[i].kind == OBSERVATION || w->jobs[i].transfer.request.observe)
            world_cancel(w, &w->jobs[i], false);
    settle(w);
    for (unsigned i = 0; i < w->count; i++)
        check(!w->jobs[i].begun || w->jobs[i].ended || w->jobs[i].cancelled);
    check_client(w);
    check_server(w);
    copal_tree_close(w->tree);
    check_equal(w->held, 0);
    while (w->passing > 0)
        world_lose(w, 0);
    free(w->server.memory);
    free(w->client.memory);
    free(w->tree_memory);
    free(w);
}
