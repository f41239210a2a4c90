/* Whole networks of endpoints, each client and server at once, in weather that follows from a seed.
 *   simulation_test                   10,000 seeds (environment: COPAL_SEEDS=n for another number)
 *   simulation_test --seed 4711       one seed, to replay what failed (environment: COPAL_SEED=4711)
 *   simulation_test --seeds 1000000   more */
#include "support/bench.h"
#include "support/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLANNED 16u
#define EXCHANGES (PLANNED * 4u) /* receivers begin more */
#define SETTLED ((copal_time_t)1000000000)
#define PROBE 9999u /* the number of a request that is deferred, to count what is free */

enum behaviour { AT_ONCE, DEFERRED, NEVER };
enum condition { NO_CONDITION, IF_MATCH, IF_NONE_MATCH };

typedef struct simulation_t simulation_t;

/* One request: what was planned, and what became of it. */
typedef struct {
    copal_receiver_t receiver; /* first */
    simulation_t *sim;
    uint32_t number;
    /* the plan */
    node_t *from, *to;
    copal_code_t code;
    bool confirmable, followed;
    enum condition condition;
    enum behaviour behaviour;
    uint32_t delay; /* of the answer; it may still ride on the ACK, or not */
    uint32_t body_size;
    uint32_t timeout;
    bool to_be_cancelled;
    /* what became of it */
    copal_handle_t handle, later;
    bool committed, cancelled, in_progress;
    unsigned outcomes, runs;
    int status;
} exchange_t;

struct simulation_t {
    network_t network;
    bool tight; /* limits are small enough to be met */
    copal_limits_t limits;
    exchange_t exchanges[EXCHANGES];
    uint32_t count;
    int probed; /* what copal_defer said to a PROBE */
};

static uint32_t roll(simulation_t *sim, uint32_t bound) { return random_below(&sim->network.random, bound); }

/* ---- server side ----------------------------------------------------------------------------------- */

/* "17 " and then octets that depend on 17 and their place: a body that names its request wherever it is cut. */
static uint8_t octet_of(const exchange_t *x, size_t i)
{
    char name[12];
    size_t size = (size_t)snprintf(name, sizeof name, "%u ", (unsigned)x->number);
    return i < size ? (uint8_t)name[i] : (uint8_t)(x->number * 31 + i * 7 + (i >> 8));
}

static void write_body(const exchange_t *x, copal_writer_t *w)
{
    uint8_t body[4096];
    for (size_t i = 0; i < x->body_size; i++)
        body[i] = octet_of(x, i);
    copal_write_payload(w, (copal_bytes_t){body, x->body_size});
}

static void answer_later(void *context)
{
    exchange_t *x = context;
    copal_endpoint_t *e = x->to->endpoint;
    copal_message_t request;
    if (!x->in_progress) /* answered already, from within a handler */
        return;
    copal_option_t query;
    copal_writer_t *w;
    check_equal(copal_later_request(e, x->later, &request), 0);
    check_equal(request.code, x->code);
    check(copal_option_find(&request, COPAL_OPTION_URI_QUERY, &query));
    check_equal(copal_option_uint(&query), x->number);
    check_equal(copal_later_begin(e, x->later, COPAL_CONTENT, &w), 0);
    write_body(x, w);
    check_equal(copal_later_commit(e, x->sim->network.now, x->later), 0);
    check_equal(copal_later_begin(e, x->later, COPAL_CONTENT, &w), COPAL_ESTALE);
    x->in_progress = false;
}

static void find_stale(void *context)
{
    exchange_t *x = context;
    copal_writer_t *w;
    check_equal(copal_later_begin(x->to->endpoint, x->later, COPAL_CONTENT, &w), COPAL_ESTALE);
    x->in_progress = false;
}

static void defer(exchange_t *x, copal_call_t *call)
{
    if (copal_defer(call, &x->later) != 0) {
        check(x->sim->tight);
        copal_reply_text(call, COPAL_SERVICE_UNAVAILABLE, NULL);
        return;
    }
    x->in_progress = true;
    if (x->behaviour == DEFERRED)
        network_at(&x->sim->network, call->now + x->delay, answer_later, x);
    else
        network_at(&x->sim->network, call->now + 260000, find_stale, x);
}

static exchange_t *plan(simulation_t *sim);
static void begin(void *context);
static void cancel(void *context);

/* Handlers and receivers may do anything: answer a deferred call, begin a request, cancel one. */
static void do_something_else(simulation_t *sim, node_t *node)
{
    exchange_t *x = &sim->exchanges[roll(sim, sim->count)];
    switch (roll(sim, 10)) {
    case 0:
        if (x->in_progress && x->behaviour == DEFERRED && x->to == node)
            answer_later(x);
        break;
    case 1:
        if (x->from == node)
            cancel(x);
        break;
    case 2:
        if (sim->count < EXCHANGES) {
            x = plan(sim);
            if (x->from == node)
                begin(x);
        }
        break;
    default:
        break;
    }
}

static void serve(void *context, copal_call_t *call)
{
    simulation_t *sim = context;
    copal_option_t query;
    check(copal_option_find(call->request, COPAL_OPTION_URI_QUERY, &query));
    uint32_t number = copal_option_uint(&query);
    if (number == PROBE) {
        copal_handle_t later;
        sim->probed = copal_defer(call, &later);
        if (sim->probed != 0)
            copal_reply_text(call, COPAL_SERVICE_UNAVAILABLE, NULL);
        return;
    }
    check(number < sim->count);
    exchange_t *x = &sim->exchanges[number];
    check_equal(call->request->code, x->code);
    check(call->endpoint == x->to->endpoint);
    check(peer_equal(&call->from->peer, &x->from->peer));
    check(!x->in_progress); /* a duplicate of a request in progress is recognised, whatever its method */
    x->runs++;
    do_something_else(sim, x->to);
    if (x->behaviour == AT_ONCE)
        write_body(x, copal_reply(call, COPAL_CONTENT));
    else
        defer(x, call);
}

/* ---- client side ----------------------------------------------------------------------------------- */

static void cancel(void *context)
{
    exchange_t *x = context;
    if (!x->committed || x->cancelled)
        return;
    int ended = copal_request_cancel(x->from->endpoint, x->sim->network.now, x->handle);
    check_equal(ended, x->outcomes ? COPAL_ESTALE : 0);
    x->cancelled = ended == 0;
    check_equal(copal_request_cancel(x->from->endpoint, x->sim->network.now, x->handle), COPAL_ESTALE);
}

/* Whether the server has met the bound of what may go to a network. */
static bool withholds(const exchange_t *x)
{
    return x->sim->tight && copal_endpoint_counters(x->to->endpoint)->withheld > 0;
}

static void check_body(const exchange_t *x, const copal_message_t *message)
{
    if (message->code == COPAL_SERVICE_UNAVAILABLE || message->code == COPAL_TOO_MANY_REQUESTS) {
        check(x->sim->tight);
        return;
    }
    bool reads = x->code == COPAL_GET || x->code == COPAL_FETCH;
    if (message->code == (reads ? COPAL_UNAUTHORIZED : COPAL_CHANGED)) { /* cut: our network has had its octets */
        check(withholds(x));
        check_equal(message->payload.size, 0);
        return;
    }
    check_equal(message->code, COPAL_CONTENT);
    size_t size = x->body_size;
    int64_t block2 = option_of(message, COPAL_OPTION_BLOCK2);
    if (block2 >= 0) {
        check(size > message->payload.size);
        check(withholds(x) ? block2 >= 8 && block2 <= 8 + 6 : block2 == 8 + 6); /* the first octets, and more follow */
        size = (size_t)16 << (block2 & 7);
    }
    check_equal(message->payload.size, size);
    for (size_t i = 0; i < size; i++)
        check_equal(message->payload.data[i], octet_of(x, i));
}

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    exchange_t *x = (exchange_t *)self;
    check_equal(++x->outcomes, 1);
    check(!x->cancelled);
    x->status = response->status;
    if (response->status == 0 && x->code != COPAL_EMPTY) {
        check(peer_equal(&response->from->peer, &x->to->peer));
        check_body(x, response->message);
    } else {
        check(response->message == NULL);
    }
    check_equal(copal_request_cancel(x->from->endpoint, response->now, x->handle), COPAL_ESTALE);
    do_something_else(x->sim, x->from);
    if (x->followed && x->sim->count < EXCHANGES) {
        exchange_t *next = plan(x->sim);
        next->from = x->from;
        next->to = x->to;
        begin(next);
    }
}

static void begin(void *context)
{
    exchange_t *x = context;
    copal_request_t request = {.to = &x->to->peer, .code = x->code, .confirmable = x->confirmable,
                               .timeout = x->timeout};
    copal_writer_t *w;
    int error = copal_request_begin(x->from->endpoint, &request, &x->handle, &w);
    if (error != 0) {
        check_equal(error, COPAL_EFULL);
        check(x->sim->tight);
        return;
    }
    if (x->code != COPAL_EMPTY) {
        if (x->condition == IF_MATCH)
            copal_write_option(w, COPAL_OPTION_IF_MATCH, copal_text("tag"));
        if (x->condition == IF_NONE_MATCH)
            copal_write_option(w, COPAL_OPTION_IF_NONE_MATCH, NO_BYTES);
        copal_write_option_uint(w, COPAL_OPTION_URI_QUERY, x->number);
        copal_write_text(w, "payload");
    }
    check_equal(copal_request_commit(x->from->endpoint, x->sim->network.now, x->handle, &x->receiver), 0);
    x->committed = true;
    if (x->to_be_cancelled)
        network_at(&x->sim->network, x->sim->network.now + roll(x->sim, 10000), cancel, x);
}

/* ---- plans ----------------------------------------------------------------------------------------- */

static exchange_t *plan(simulation_t *sim)
{
    static const copal_code_t codes[] = {COPAL_GET,    COPAL_GET,   COPAL_PUT,   COPAL_POST, COPAL_POST,
                                         COPAL_DELETE, COPAL_PATCH, COPAL_EMPTY, COPAL_FETCH};
    network_t *n = &sim->network;
    exchange_t *x = &sim->exchanges[sim->count];
    uint32_t from = roll(sim, n->node_count), to = (from + 1 + roll(sim, n->node_count - 1)) % n->node_count;
    *x = (exchange_t){.receiver = {receive}, .sim = sim, .number = sim->count++,
                      .from = &n->nodes[from], .to = &n->nodes[to],
                      .code = codes[roll(sim, sizeof codes)],
                      .confirmable = roll(sim, 4) != 0, .followed = roll(sim, 4) == 0,
                      .condition = roll(sim, 4) == 0 ? IF_MATCH + roll(sim, 2) : NO_CONDITION,
                      .behaviour = roll(sim, 8) == 0 ? NEVER : roll(sim, 3) == 0 ? DEFERRED : AT_ONCE,
                      .delay = roll(sim, 2) ? roll(sim, 200) : roll(sim, 20000),
                      .body_size = roll(sim, 8) == 0 ? 3 + roll(sim, 4000) : 3 + roll(sim, 40),
                      .timeout = roll(sim, 4) == 0 ? 0 : roll(sim, 8) == 0 ? 1 + roll(sim, 20000) : 4000000,
                      .to_be_cancelled = roll(sim, 10) == 0};
    if (x->code == COPAL_EMPTY)
        x->confirmable = true;
    return x;
}

static weather_t draw_weather(random_t *r)
{
    weather_t w = {.delay = random_below(r, 2000), .jitter = random_below(r, 3000),
                   .reordering = random_below(r, 200), .late = random_below(r, 10000)};
    if (random_below(r, 4) == 0)
        w = (weather_t){.delay = random_below(r, 50)};
    if (random_below(r, 3))
        w.duplication = random_below(r, 300);
    if (random_below(r, 3)) {
        w.loss = random_below(r, 500);
        w.late = random_below(r, 80000);
    }
    return w;
}

static void set_up(simulation_t *sim, uint64_t seed)
{
    random_t r = random_from(~seed);
    weather_t weather = draw_weather(&r);
    sim->tight = random_below(&r, 3) == 0;
    sim->limits = (copal_limits_t){.requests = 64, .deferred = 64, .remembered = 512, .proven = 8, .counters = 4,
                                   .batch = 8};
    if (sim->tight)
        sim->limits = (copal_limits_t){.requests = 3, .deferred = 2, .remembered = 4 + random_below(&r, 30),
                                       .remembered_bytes = 1280 + random_below(&r, 2) * random_below(&r, 4000),
                                       .proven = 1 + random_below(&r, 4), .counters = 1, .batch = 1,
                                       .networks = 1, .network_bytes = 1 + random_below(&r, 2) * random_below(&r, 20000)};
    copal_config_t config = {.limits = sim->limits, .service = {.handle = serve, .context = sim}};
    config.timing.nstart = 1 + (random_below(&r, 4) == 0) * random_below(&r, 4);
    network_open(&sim->network, seed, &weather);
    for (uint32_t i = 2 + random_below(&r, 3); i > 0; i--)
        network_add(&sim->network, &config, NULL);
    for (uint32_t i = 1 + random_below(&r, PLANNED); i > 0; i--)
        network_at(&sim->network, sim->network.now + random_below(&r, 30000), begin, plan(sim));
}

/* ---- judgement ------------------------------------------------------------------------------------- */

static bool runs_at_most_once(const exchange_t *x)
{
    if (x->code == COPAL_POST || x->code == COPAL_PATCH || x->condition != NO_CONDITION)
        return true;
    return !x->sim->tight && (x->code == COPAL_PUT || x->code == COPAL_DELETE); /* all replies are remembered */
}

static void judge(const exchange_t *x, uint64_t seed)
{
    bool calm = x->sim->network.weather.loss == 0, patient = x->timeout > 3000000;
    char note[160];
    snprintf(note, sizeof note,
             "replay with: simulation_test --seed %llu; exchange %u: code %u, %s, behaviour %d, delay %u",
             (unsigned long long)seed, (unsigned)x->number, x->code, x->confirmable ? "CON" : "NON", (int)x->behaviour,
             (unsigned)x->delay);
    check_note(note);
    check(x->status == 0 || x->status == COPAL_ETIMEOUT);
    check_equal(x->outcomes, x->committed && !x->cancelled ? 1 : 0);
    if (runs_at_most_once(x))
        check(x->runs <= 1);
    if (x->outcomes && x->status == 0 && x->code != COPAL_EMPTY && !x->sim->tight)
        check(x->runs >= 1);
    if (calm && patient && x->outcomes && (x->code == COPAL_EMPTY || x->behaviour != NEVER) && !withholds(x))
        check_equal(x->status, 0);
}

/* Nothing is due any more, and every slot is free again. */
static void check_nothing_leaked(simulation_t *sim, node_t *node)
{
    copal_handle_t handles[64], extra;
    copal_writer_t *w;
    copal_request_t request = {.to = &node->peer, .code = COPAL_GET};
    copal_from_t from = {.peer = peer_of(1)};
    sim->network.now += SETTLED;
    check_equal(copal_endpoint_send(node->endpoint, sim->network.now, &(copal_datagram_t){0}, 1), 0);
    check(copal_endpoint_next_timeout(node->endpoint) == COPAL_NEVER);
    for (uint32_t i = 0; i < sim->limits.requests; i++)
        check_equal(copal_request_begin(node->endpoint, &request, &handles[i], &w), 0);
    check_equal(copal_request_begin(node->endpoint, &request, &extra, &w), COPAL_EFULL);
    for (uint32_t i = 0; i < sim->limits.requests; i++)
        check_equal(copal_request_cancel(node->endpoint, sim->network.now, handles[i]), 0);
    for (uint32_t i = 0; i <= sim->limits.deferred; i++) {
        message_t m;
        message_start(&m, COPAL_NON, COPAL_GET, (uint16_t)i, BYTES(1));
        copal_write_option_uint(&m.w, COPAL_OPTION_URI_QUERY, PROBE);
        check_equal(copal_endpoint_receive(node->endpoint, sim->network.now, &from, message_end(&m)), 0);
        check_equal(sim->probed, i < sim->limits.deferred ? 0 : COPAL_EFULL);
        copal_endpoint_send(node->endpoint, sim->network.now, &(copal_datagram_t){0}, 1); /* it may be pinged */
    }
    network_run(&sim->network, COPAL_NEVER);
    check(copal_endpoint_next_timeout(node->endpoint) == COPAL_NEVER);
}

/* What was met over all seeds. */
static struct {
    uint64_t answered, timed_out, cancelled;
    copal_counters_t counters;
} seen;

static void add_up(const simulation_t *sim)
{
    for (uint32_t i = 0; i < sim->count; i++) {
        const exchange_t *x = &sim->exchanges[i];
        seen.answered += x->outcomes && x->status == 0;
        seen.timed_out += x->outcomes && x->status == COPAL_ETIMEOUT;
        seen.cancelled += x->cancelled;
    }
    for (uint32_t i = 0; i < sim->network.node_count; i++) {
        const copal_counters_t *c = copal_endpoint_counters(sim->network.nodes[i].endpoint);
        seen.counters.retransmitted += c->retransmitted;
        seen.counters.duplicates += c->duplicates;
        seen.counters.challenged += c->challenged;
        seen.counters.refused += c->refused;
        seen.counters.withheld += c->withheld;
        check_equal(c->malformed, 0);
        check_equal(c->dropped, 0);
    }
}

static void run_seed(uint64_t seed)
{
    static simulation_t sim;
    char note[80];
    snprintf(note, sizeof note, "replay with: simulation_test --seed %llu", (unsigned long long)seed);
    check_note(note);
    memset(&sim, 0, sizeof sim);
    set_up(&sim, seed);
    network_run(&sim.network, COPAL_NEVER);
    check(sim.network.datagrams < 10000);
    for (uint32_t i = 0; i < sim.count; i++)
        judge(&sim.exchanges[i], seed);
    check_note(note);
    add_up(&sim);
    for (uint32_t i = 0; i < sim.network.node_count; i++)
        check_nothing_leaked(&sim, &sim.network.nodes[i]);
    network_close(&sim.network);
    check_note(NULL);
}

/* ---- all seeds ------------------------------------------------------------------------------------- */

static uint64_t first_seed = 1, seed_count = 10000;

static void every_promise_holds_in_any_weather(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++)
        run_seed(seed);
    if (seed_count < 1000)
        return;
    /* The weather was bad enough for the promises to mean something. */
    assert_true(seen.answered > seed_count && seen.timed_out > seed_count / 10 && seen.cancelled > seed_count / 10);
    assert_true(seen.counters.retransmitted > seed_count && seen.counters.duplicates > seed_count);
    assert_true(seen.counters.challenged > seed_count / 100 && seen.counters.refused > seed_count / 100);
    assert_true(seen.counters.withheld > seed_count / 10);
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
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        choose(NULL, argv[2]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_promise_holds_in_any_weather)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
