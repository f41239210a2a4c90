/* A server whose resources are observed, in weather that follows from a seed; the clients are octets in the test's hand.
 *   observe_simulation_test                   10,000 seeds (environment: COPAL_SEEDS=n for another number)
 *   observe_simulation_test --seed 4711       one seed, to replay what failed (environment: COPAL_SEED=4711) */
#include "../../src/message/hash.h"
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLIENTS   4u
#define RESOURCES 3u
#define HELD      3u    /* observations of a client at a time */
#define TOKENS    64u   /* of a client, over all */
#define EVENTS    256u
#define MESSAGES  2048u /* of the server to a client */
#define STORM     ((copal_time_t)600000)
#define LIFETIME  247000 /* EXCHANGE_LIFETIME */
#define INTERVAL  3000
#define PATIENCE  ((copal_time_t)2000000) /* till all observers have timed out, one after the other */
#define LONG_AGO  (INT64_MIN / 2)

/* What the server knows of an observation, as far as its octets tell. */
typedef struct {
    int64_t number; /* of Observe, sent last; -1: none */
    copal_time_t left;
    int32_t last_id; /* of the last notification that can still be rejected; -1: none */
    bool rejected;  /* that was handed in: nothing more may leave */
    bool composed;  /* the service has answered for a notification that was not seen yet */
    bool told;      /* the service was asked since the last change of all */
} trace_t;

/* What a client knows of it. */
typedef struct {
    uint8_t token; /* 0: none */
    uint8_t resource;
    bool answered, observing;
    unsigned value;
    int64_t number;
    copal_time_t at;
    uint16_t id; /* of the request */
} held_t;

typedef struct {
    bool dead, proven, answers_non;
    uint8_t tokens; /* given out */
    uint16_t id;
    held_t held[HELD];
    trace_t traces[TOKENS];
    struct {
        uint16_t id;
        uint64_t digest;
        copal_time_t at;
    } messages[MESSAGES];
    uint32_t count;
} client_t;

typedef struct {
    bool exists, confirmable, defers;
    unsigned value;
    uint32_t generation;
} resource_t;

typedef enum { TO_SERVER, TO_CLIENT, COMMIT } what_t;

typedef struct {
    copal_time_t time;
    what_t what;
    uint32_t client;
    copal_handle_t later;
    uint8_t resource;
    size_t size;
    uint8_t data[96];
} event_t;

typedef struct {
    copal_endpoint_t *endpoint;
    void *memory;
    random_t random;
    copal_time_t now;
    uint32_t loss, duplication, delay; /* per mille; ms */
    client_t clients[CLIENTS];
    resource_t resources[RESOURCES];
    event_t events[EVENTS];
    uint32_t event_count;
} simulation_t;

static struct {
    uint64_t notifications, retransmitted, rejected, ended, held;
} seen;

static uint32_t roll(simulation_t *sim, uint32_t bound) { return random_below(&sim->random, bound); }

static event_t *add_event(simulation_t *sim, what_t what, copal_time_t time)
{
    check(sim->event_count < EVENTS);
    event_t *event = &sim->events[sim->event_count++];
    event->what = what;
    event->time = time;
    return event;
}

static void throw_in(simulation_t *sim, what_t what, uint32_t client, copal_bytes_t bytes)
{
    for (int copies = 1 + (roll(sim, 1000) < sim->duplication); copies; copies--) {
        if (roll(sim, 1000) < sim->loss)
            continue;
        event_t *event = add_event(sim, what, sim->now + roll(sim, sim->delay + 1));
        check(bytes.size <= sizeof event->data);
        event->client = client;
        event->size = bytes.size;
        memcpy(event->data, bytes.data, bytes.size);
    }
}

/* ---- the server -------------------------------------------------------------------------------------------------- */

static uint32_t client_of(const copal_peer_t *peer)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        copal_peer_t other = peer_of(i);
        if (peer_equal(peer, &other))
            return i;
    }
    check(false);
    return 0;
}

static trace_t *trace_of(simulation_t *sim, uint32_t client, copal_bytes_t token)
{
    check_equal(token.size, 1);
    check(token.data[0] < TOKENS);
    return &sim->clients[client].traces[token.data[0]];
}

static void write_value(const resource_t *r, copal_writer_t *w)
{
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)&r->value, sizeof r->value});
}

static void serve(void *context, copal_call_t *call)
{
    simulation_t *sim = context;
    copal_option_t path;
    check(copal_option_find(call->request, COPAL_OPTION_URI_PATH, &path));
    uint32_t slot = (uint32_t)(path.value.data[0] - 'a');
    resource_t *r = &sim->resources[slot];
    if (call->notification) {
        trace_t *trace = trace_of(sim, client_of(&call->from->peer), call->request->token);
        check(!trace->rejected);
        trace->told = true;
        trace->composed = !r->defers;
    }
    if (!r->exists) {
        copal_reply_text(call, COPAL_NOT_FOUND, NULL);
        return;
    }
    copal_observe(call, (copal_handle_t){slot, r->generation}, r->confirmable);
    copal_handle_t later;
    if (r->defers && roll(sim, 4) && copal_defer(call, &later) == 0) {
        event_t *event = add_event(sim, COMMIT, sim->now + roll(sim, 1000));
        event->later = later;
        event->resource = (uint8_t)slot;
        return;
    }
    write_value(r, copal_reply(call, COPAL_CONTENT));
}

static void commit(simulation_t *sim, const event_t *event)
{
    const resource_t *r = &sim->resources[event->resource];
    copal_writer_t *w;
    if (copal_later_begin(sim->endpoint, event->later, r->exists ? COPAL_CONTENT : COPAL_NOT_FOUND, &w) != 0)
        return;
    if (r->exists)
        write_value(r, w);
    check_equal(copal_later_commit(sim->endpoint, sim->now, event->later), 0);
}

/* A message ID is used once within EXCHANGE_LIFETIME, but for the same octets. True: it is new. */
static bool is_first(simulation_t *sim, client_t *c, const copal_datagram_t *out, uint16_t id)
{
    const copal__key_t key = {1, 2};
    uint64_t digest = copal__hash(&key, 0, out->bytes.data, out->bytes.size);
    for (uint32_t i = c->count; i > 0; i--) {
        if (c->messages[i - 1].id != id || c->messages[i - 1].at + LIFETIME <= sim->now)
            continue;
        check(c->messages[i - 1].digest == digest);
        return false;
    }
    check(c->count < MESSAGES);
    c->messages[c->count].id = id;
    c->messages[c->count].digest = digest;
    c->messages[c->count++].at = sim->now;
    return true;
}

static void watch(simulation_t *sim, const copal_datagram_t *out)
{
    copal_message_t m;
    uint32_t client = client_of(out->to);
    client_t *c = &sim->clients[client];
    check_equal(copal_message_parse(&m, out->bytes), 0);
    if (m.code == COPAL_EMPTY)
        return;
    trace_t *trace = trace_of(sim, client, m.token);
    if (m.type != COPAL_ACK && !is_first(sim, c, out, m.id))
        return;
    int64_t number = option_of(&m, COPAL_OPTION_OBSERVE);
    bool composed = trace->composed;
    trace->composed = false;
    if (number < 0) { /* a plain answer, or the end */
        check(!composed || COPAL_CODE_CLASS(m.code) != 2);
        trace->left = LONG_AGO;
        return;
    }
    check_equal(COPAL_CODE_CLASS(m.code), 2);
    if (trace->number >= 0) /* RFC 7641 section 4.4 */
        check(trace->number != number && ((number - trace->number) & 0xffffff) < 0x800000);
    if (m.type == COPAL_NON && composed) /* section 4.5.1 */
        check(sim->now - trace->left >= INTERVAL);
    if (m.type != COPAL_ACK) {
        trace->left = sim->now;
        trace->last_id = composed ? m.id : -1;
    }
    trace->number = number;
}

static size_t pump_once(simulation_t *sim, size_t capacity)
{
    copal_datagram_t out[8];
    size_t count = copal_endpoint_send(sim->endpoint, sim->now, out, capacity);
    for (size_t i = 0; i < count; i++) {
        watch(sim, &out[i]);
        throw_in(sim, TO_CLIENT, client_of(out[i].to), out[i].bytes);
    }
    return count;
}

static void pump(simulation_t *sim)
{
    size_t capacity = 1 + roll(sim, 8);
    for (unsigned turns = 0; pump_once(sim, capacity); turns++)
        check(turns < 1000);
    check(copal_endpoint_next_timeout(sim->endpoint) > sim->now);
}

/* What the server learns with this datagram. */
static void learn(simulation_t *sim, const event_t *event)
{
    copal_message_t m;
    client_t *c = &sim->clients[event->client];
    check_equal(copal_message_parse(&m, (copal_bytes_t){event->data, event->size}), 0);
    if (m.code != COPAL_EMPTY) {
        trace_t *trace = trace_of(sim, event->client, m.token);
        trace->rejected = trace->rejected && option_of(&m, COPAL_OPTION_OBSERVE) != 0;
        trace->last_id = -1;
    }
    for (uint32_t token = 0; token < TOKENS && m.code == COPAL_EMPTY; token++) {
        trace_t *trace = &c->traces[token];
        if (trace->last_id != m.id)
            continue;
        trace->rejected = m.type == COPAL_RST;
        trace->last_id = -1;
        if (trace->rejected)
            trace->left = LONG_AGO;
        seen.rejected += trace->rejected;
    }
}

static void receive(simulation_t *sim, const event_t *event)
{
    copal_from_t from = {.peer = peer_of(event->client), .proven = sim->clients[event->client].proven};
    copal_bytes_t datagram = {event->data, event->size};
    if (copal_endpoint_receive(sim->endpoint, sim->now, &from, datagram) == COPAL_EFULL) {
        pump(sim);
        check(copal_endpoint_receive(sim->endpoint, sim->now, &from, datagram) != COPAL_EFULL);
    }
    learn(sim, event);
    pump_once(sim, 1); /* the answer, before any notification is composed */
}

/* ---- the clients ------------------------------------------------------------------------------------------------- */

static void send_empty(simulation_t *sim, uint32_t client, copal_type_t type, uint16_t id)
{
    uint8_t empty[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(id >> 8), (uint8_t)id};
    throw_in(sim, TO_SERVER, client, (copal_bytes_t){empty, sizeof empty});
}

static void ask(simulation_t *sim, uint32_t client, held_t *h, uint32_t observe)
{
    client_t *c = &sim->clients[client];
    message_t m;
    h->id = c->id++;
    message_start(&m, roll(sim, 2) ? COPAL_CON : COPAL_NON, COPAL_GET, h->id, (copal_bytes_t){&h->token, 1});
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, observe);
    copal_write_option(&m.w, COPAL_OPTION_URI_PATH, BYTES((uint8_t)('a' + h->resource)));
    throw_in(sim, TO_SERVER, client, message_end(&m));
}

/* Another message type was used: section 3.4 does not care. */
static void take(simulation_t *sim, held_t *h, const copal_message_t *m)
{
    int64_t number = option_of(m, COPAL_OPTION_OBSERVE);
    bool fresh = !h->answered || number < 0 || h->number < 0 || sim->now > h->at + 128000 ||
                 (((number - h->number) & 0xffffff) < 0x800000 && number != h->number);
    if (!fresh)
        return;
    h->answered = true;
    h->observing = number >= 0;
    h->number = number;
    h->at = sim->now;
    if (m->code == COPAL_CONTENT)
        memcpy(&h->value, m->payload.data, sizeof h->value);
    if (!h->observing) { /* ended, or never begun */
        h->token = 0;
        seen.ended++;
    }
}

static void client_receive(simulation_t *sim, const event_t *event)
{
    client_t *c = &sim->clients[event->client];
    copal_message_t m;
    check_equal(copal_message_parse(&m, (copal_bytes_t){event->data, event->size}), 0);
    if (c->dead || m.code == COPAL_EMPTY)
        return;
    held_t *h = c->held;
    while (h < c->held + HELD && !(h->token && h->token == m.token.data[0]))
        h++;
    bool known = h < c->held + HELD && (m.type != COPAL_ACK || m.id == h->id);
    if (known)
        take(sim, h, &m);
    if (m.type == COPAL_CON || (m.type == COPAL_NON && !known && c->answers_non))
        send_empty(sim, event->client, known ? COPAL_ACK : COPAL_RST, m.id);
}

static void act(simulation_t *sim, uint32_t client)
{
    client_t *c = &sim->clients[client];
    held_t *h = &c->held[roll(sim, HELD)];
    uint32_t what = roll(sim, 100);
    if (c->dead)
        return;
    if (!h->token && c->tokens < TOKENS - 1) {
        *h = (held_t){.token = ++c->tokens, .resource = (uint8_t)roll(sim, RESOURCES)};
        ask(sim, client, h, 0);
    } else if (h->token && (!h->answered || what < 20)) {
        ask(sim, client, h, 0);
    } else if (h->token && what < 40) {
        if (what < 30) /* else it just forgets */
            ask(sim, client, h, 1);
        h->token = 0;
    } else if (what < 45) { /* restarts from the same port */
        memset(c->held, 0, sizeof c->held);
        c->id = (uint16_t)random_next(&sim->random);
    } else if (what < 46) {
        c->dead = true;
    }
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static void change(simulation_t *sim, uint32_t slot)
{
    resource_t *r = &sim->resources[slot];
    if (r->exists && roll(sim, 20) == 0) {
        r->exists = false;
    } else if (!r->exists) {
        r->exists = true;
        r->generation++;
    }
    r->value++;
    copal_notify(sim->endpoint, sim->now, slot);
}

static event_t *first_event(simulation_t *sim)
{
    event_t *first = sim->event_count ? &sim->events[0] : NULL;
    for (uint32_t i = 1; i < sim->event_count; i++)
        if (sim->events[i].time < first->time)
            first = &sim->events[i];
    return first;
}

static void run(simulation_t *sim, copal_time_t until)
{
    for (;;) {
        event_t *first = first_event(sim);
        copal_time_t next = copal_endpoint_next_timeout(sim->endpoint);
        bool arrives = first && first->time <= next;
        if (arrives)
            next = first->time;
        if (next > until)
            break;
        sim->now = next > sim->now ? next : sim->now;
        if (arrives) {
            event_t event = *first;
            *first = sim->events[--sim->event_count];
            if (event.what == COMMIT)
                commit(sim, &event);
            else
                (event.what == TO_SERVER ? receive : client_receive)(sim, &event);
        }
        pump(sim);
    }
    sim->now = until;
}

static void set_up(simulation_t *sim, uint64_t seed)
{
    random_t r = random_from(~seed);
    memset(sim, 0, sizeof *sim);
    sim->random = random_from(seed);
    sim->now = (copal_time_t)(seed % 7) * 30000 - 60000;
    sim->loss = random_below(&r, 3) ? random_below(&r, 500) : 0;
    sim->duplication = random_below(&r, 300);
    sim->delay = random_below(&r, 4) ? random_below(&r, 3000) : 20;
    copal_config_t config = {
        .limits = {.observers = 3 + random_below(&r, 12), .observed = 1 + random_below(&r, 4),
                   .notifications = 1 + random_below(&r, 4), .deferred = 1 + random_below(&r, 4), .counters = 1,
                   .batch = 1 + random_below(&r, 8), .remembered = 4, .remembered_bytes = 2048, .proven = 1,
                   .datagram_size = 128, .networks = 1},
        .timing = {.confirm_interval = random_below(&r, 2) ? 0 : 20000, .notify_interval = INTERVAL},
        .service = {.handle = serve, .context = sim},
        .random = random_fill,
        .random_state = &sim->random};
    size_t size = copal_endpoint_size(&config.limits);
    sim->memory = calloc(1, size);
    check_equal(copal_endpoint_init(&sim->endpoint, sim->memory, size, &config), 0);
    bool defers = random_below(&r, 3) == 0;
    for (uint32_t i = 0; i < RESOURCES; i++)
        sim->resources[i] = (resource_t){.exists = true, .confirmable = random_below(&r, 3) == 0, .defers = defers,
                                         .generation = 1};
    for (uint32_t i = 0; i < CLIENTS; i++) {
        client_t *c = &sim->clients[i];
        c->proven = random_below(&r, 2);
        c->answers_non = random_below(&r, 4) != 0;
        for (uint32_t token = 0; token < TOKENS; token++)
            c->traces[token] = (trace_t){.number = -1, .left = LONG_AGO, .last_id = -1};
    }
}

static void storm(simulation_t *sim)
{
    copal_time_t end = sim->now + STORM / (1 + roll(sim, 8));
    uint32_t pace = 200 + roll(sim, 20000);
    while (sim->now < end) {
        run(sim, sim->now + roll(sim, pace));
        if (roll(sim, 2))
            change(sim, roll(sim, RESOURCES));
        act(sim, roll(sim, CLIENTS));
        pump(sim);
    }
}

/* ---- judgement --------------------------------------------------------------------------------------------------- */

/* Whom the service was asked for after the last change holds the newest state, if it lives and holds the token. */
static void judge(simulation_t *sim)
{
    sim->loss = sim->duplication = 0;
    run(sim, sim->now + PATIENCE);
    for (uint32_t i = 0; i < CLIENTS; i++)
        for (uint32_t token = 0; token < TOKENS; token++)
            sim->clients[i].traces[token].told = false;
    for (uint32_t slot = 0; slot < RESOURCES; slot++) {
        sim->resources[slot].exists = true;
        sim->resources[slot].value++;
        copal_notify(sim->endpoint, sim->now, slot);
    }
    uint32_t observers = copal_endpoint_observers(sim->endpoint), told = 0;
    run(sim, sim->now + PATIENCE);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        client_t *c = &sim->clients[i];
        for (uint32_t token = 0; token < TOKENS; token++)
            told += c->traces[token].told;
        for (held_t *h = c->held; h < c->held + HELD && !c->dead; h++) {
            if (!h->token || !c->traces[h->token].told)
                continue;
            check(h->observing);
            check_equal(h->value, sim->resources[h->resource].value);
            seen.held++;
        }
    }
    check_equal(told, observers);
}

/* Once nobody is there any more, all are forgotten in the end, and nothing is due. */
static void check_nothing_left(simulation_t *sim)
{
    for (uint32_t i = 0; i < CLIENTS; i++)
        sim->clients[i].dead = true;
    for (unsigned turns = 0; copal_endpoint_observers(sim->endpoint); turns++) {
        check(turns < 40);
        for (uint32_t slot = 0; slot < RESOURCES; slot++)
            copal_notify(sim->endpoint, sim->now, slot);
        run(sim, sim->now + 700000);
    }
    run(sim, sim->now + 700000);
    check(copal_endpoint_next_timeout(sim->endpoint) == COPAL_NEVER);
    check_equal(sim->event_count, 0);
}

static void run_seed(uint64_t seed)
{
    static simulation_t sim;
    char note[80];
    snprintf(note, sizeof note, "replay with: observe_simulation_test --seed %llu", (unsigned long long)seed);
    check_note(note);
    set_up(&sim, seed);
    storm(&sim);
    judge(&sim);
    check_nothing_left(&sim);
    const copal_counters_t *c = copal_endpoint_counters(sim.endpoint);
    seen.notifications += c->notifications;
    seen.retransmitted += c->retransmitted;
    check_equal(c->malformed, 0);
    free(sim.memory);
    check_note(NULL);
}

/* ---- all seeds --------------------------------------------------------------------------------------------------- */

static uint64_t first_seed = 1, seed_count = 10000;

static void who_observes_ends_up_with_the_newest_state_in_any_weather(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++)
        run_seed(seed);
    if (seed_count < 1000)
        return;
    /* The weather was bad enough, and there was enough to lose. */
    assert_true(seen.notifications > 10 * seed_count && seen.retransmitted > seed_count);
    assert_true(seen.rejected > seed_count / 10 && seen.ended > seed_count / 10 && seen.held > seed_count / 2);
}

static void choose(const char *seed, const char *seeds)
{
    if (seeds)
        seed_count = strtoull(seeds, NULL, 10);
    if (seed) {
        first_seed = strtoull(seed, NULL, 10);
        seed_count = 1;
    }
}

int main(int argc, char **argv)
{
    choose(getenv("COPAL_SEED"), getenv("COPAL_SEEDS"));
    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        choose(argv[2], NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_observes_ends_up_with_the_newest_state_in_any_weather)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
