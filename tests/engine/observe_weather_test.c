/* Observing with copal at both ends, in weather that follows from a seed, with a server that restarts and loses its
 * observers: once the weather is calm, each client holds the newest state.
 *   observe_weather_test                10,000 seeds (environment: COPAL_SEEDS=n for another number)
 *   observe_weather_test --seed 4711    one seed, to replay what failed (environment: COPAL_SEED=4711) */
#include "support/bench.h"
#include "support/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WATCHERS  6u
#define RESOURCES 2u
#define STORM     600000                  /* milliseconds */
#define PATIENCE  ((copal_time_t)2000000) /* the longest silence, and what may be on its way before and after it */

typedef struct simulation_t simulation_t;

typedef struct {
    bool exists, defers, confirmable;
    uint32_t value, generation, max_age;
} resource_t;

/* One who wants to know a resource's state, and asks again whenever that was ended. */
typedef struct {
    copal_receiver_t receiver; /* first */
    simulation_t *sim;
    node_t *node;
    copal_handle_t handle;
    uint32_t resource;
    bool open, observed, knows;
    uint32_t value; /* what it holds */
    copal_code_t code;
} watcher_t;

/* An answer that is given later. */
typedef struct {
    simulation_t *sim;
    copal_handle_t later;
    uint32_t resource, life;
} job_t;

struct simulation_t {
    network_t network;
    copal_config_t server_config;
    node_t *server;
    uint32_t life; /* of the server: counts its restarts */
    resource_t resources[RESOURCES];
    watcher_t watchers[WATCHERS];
    uint32_t count;
    job_t jobs[4096];
    uint32_t job_count;
    bool calm;
};

/* What was met over all seeds. */
static struct {
    uint64_t told, ended, silent, restarts, registered_again, ended_by_us;
} seen;

static uint32_t roll(simulation_t *sim, uint32_t bound) { return random_below(&sim->network.random, bound); }

/* ---- the server ------------------------------------------------------------------------------------------- */

static void write_state(const resource_t *r, copal_writer_t *w)
{
    copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, r->max_age);
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)&r->value, sizeof r->value});
}

static void answer_later(void *context)
{
    job_t *job = context;
    const resource_t *r = &job->sim->resources[job->resource];
    copal_endpoint_t *e = job->sim->server->endpoint;
    copal_writer_t *w;
    if (job->life != job->sim->life || copal_later_begin(e, job->later, r->exists ? COPAL_CONTENT : COPAL_NOT_FOUND, &w))
        return; /* it has restarted, or was told to forget it */
    if (r->exists)
        write_state(r, w);
    check_equal(copal_later_commit(e, job->sim->network.now, job->later), 0);
}

static bool defer(simulation_t *sim, copal_call_t *call, uint32_t resource)
{
    job_t *job = &sim->jobs[sim->job_count];
    if (sim->job_count == sizeof sim->jobs / sizeof *sim->jobs || copal_defer(call, &job->later) != 0)
        return false;
    sim->job_count++;
    job->sim = sim;
    job->resource = resource;
    job->life = sim->life;
    network_at(&sim->network, sim->network.now + roll(sim, 2) * roll(sim, 5000), answer_later, job);
    return true;
}

static void serve(void *context, copal_call_t *call)
{
    simulation_t *sim = context;
    copal_option_t path;
    check(copal_option_find(call->request, COPAL_OPTION_URI_PATH, &path));
    uint32_t resource = path.value.data[0] - (uint32_t)'a';
    const resource_t *r = &sim->resources[resource];
    if (r->exists)
        copal_observe(call, (copal_handle_t){resource, r->generation}, r->confirmable);
    if (r->defers && roll(sim, 2) && defer(sim, call, resource))
        return;
    copal_writer_t *w = copal_reply(call, r->exists ? COPAL_CONTENT : COPAL_NOT_FOUND);
    if (r->exists)
        write_state(r, w);
}

static void change(simulation_t *sim, uint32_t resource)
{
    resource_t *r = &sim->resources[resource];
    bool goes = !sim->calm && r->exists && roll(sim, 10) == 0;
    r->generation += !r->exists;
    r->exists = !goes;
    r->value++;
    copal_notify(sim->server->endpoint, sim->network.now, resource);
}

static void change_one(void *context)
{
    simulation_t *sim = context;
    change(sim, roll(sim, RESOURCES));
}

/* It knows nothing of what was before, but its state. */
static void restart(void *context)
{
    simulation_t *sim = context;
    copal_config_t config = sim->server_config;
    size_t size = copal_endpoint_size(&config.limits);
    config.random = random_fill;
    config.random_state = &sim->server->random;
    memset(sim->server->memory, 0, size);
    check_equal(copal_endpoint_init(&sim->server->endpoint, sim->server->memory, size, &config), 0);
    sim->life++;
    seen.restarts++;
}

/* ---- who observes ------------------------------------------------------------------------------------------ */

static void begin(void *context);

static void begin_soon(watcher_t *w)
{
    w->open = false;
    network_at(&w->sim->network, w->sim->network.now + 1000 + roll(w->sim, 20000), begin, w);
}

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    watcher_t *w = (watcher_t *)self;
    simulation_t *sim = w->sim;
    check(w->open);
    check(response->request.slot == w->handle.slot && response->request.generation == w->handle.generation);
    if (response->status)
        check(response->status == COPAL_ETIMEOUT && response->ended == !w->observed);
    seen.silent += response->status && !response->ended;
    if (response->message) {
        uint32_t before = w->value;
        w->knows = true;
        w->code = response->message->code;
        if (w->code == COPAL_CONTENT)
            memcpy(&w->value, response->message->payload.data, sizeof w->value);
        if (w->observed && sim->life == 0) /* only another life of the server may count anew */
            check(w->value >= before);
        seen.registered_again += w->observed && w->value == before;
    }
    w->observed = !response->ended;
    seen.told++;
    seen.ended += response->ended;
    if (response->ended)
        begin_soon(w);
}

static void begin(void *context)
{
    watcher_t *watcher = context;
    simulation_t *sim = watcher->sim;
    copal_request_t request = {.to = &sim->server->peer, .code = COPAL_GET, .confirmable = roll(sim, 4) != 0,
                               .observe = true, .timeout = roll(sim, 2) ? 0 : 20000 + roll(sim, 100000)};
    copal_writer_t *w;
    check_equal(copal_request_begin(watcher->node->endpoint, &request, &watcher->handle, &w), 0);
    copal_write_option(w, COPAL_OPTION_URI_PATH, BYTES((uint8_t)('a' + watcher->resource)));
    check_equal(copal_request_commit(watcher->node->endpoint, sim->network.now, watcher->handle, &watcher->receiver), 0);
    watcher->open = true;
    watcher->observed = false;
}

/* Somebody loses interest, in either way, and comes back. */
static void leave(void *context)
{
    simulation_t *sim = context;
    watcher_t *w = &sim->watchers[roll(sim, sim->count)];
    copal_endpoint_t *e = w->node->endpoint;
    if (!w->open)
        return;
    int status = roll(sim, 2) ? copal_request_cancel(e, sim->network.now, w->handle)
                              : copal_request_deregister(e, sim->network.now, w->handle);
    check_equal(status, 0);
    seen.ended_by_us++;
    begin_soon(w);
}

/* ---- a seed ------------------------------------------------------------------------------------------------- */

static void set_weather(simulation_t *sim, random_t *r)
{
    weather_t *w = &sim->network.weather;
    *w = (weather_t){.delay = random_below(r, 1000), .jitter = random_below(r, 2000), .late = random_below(r, 60000),
                     .reordering = random_below(r, 200), .duplication = random_below(r, 300)};
    if (random_below(r, 4))
        w->loss = random_below(r, 500);
}

static void go_dark(void *context) { ((simulation_t *)context)->network.weather.loss = 1000; }

static void go_light(void *context)
{
    simulation_t *sim = context;
    if (!sim->calm)
        sim->network.weather.loss = 200;
}

static void plan(simulation_t *sim, random_t *r, uint32_t most, void (*act)(void *context))
{
    for (uint32_t i = random_below(r, most); i > 0; i--)
        network_at(&sim->network, sim->network.now + random_below(r, STORM), act, sim);
}

static void set_up(simulation_t *sim, uint64_t seed)
{
    random_t r = random_from(~seed);
    network_open(&sim->network, seed, &(weather_t){0});
    set_weather(sim, &r);
    sim->server_config = (copal_config_t){
        .limits = {.observers = random_below(&r, 4) ? 64 : 1 + random_below(&r, 8), .observed = 4, .deferred = 4,
                   .remembered = 16, .batch = 8, .counters = 1, .datagram_size = 128, .networks = 1,
                   .notifications = 1 + random_below(&r, 4), .remembered_bytes = 4096},
        .timing = {.confirm_interval = random_below(&r, 2) ? 0 : 20000},
        .service = {.handle = serve, .context = sim}};
    sim->server = network_add(&sim->network, &sim->server_config, NULL);
    for (uint32_t i = 0; i < RESOURCES; i++)
        sim->resources[i] = (resource_t){.exists = true, .defers = random_below(&r, 3) == 0, .generation = 1,
                                         .confirmable = random_below(&r, 3) == 0, .max_age = random_below(&r, 100)};
    copal_config_t config = {.limits = {.requests = 32, .counters = 1, .batch = 8, .datagram_size = 128, .remembered = 4,
                                        .remembered_bytes = 4096, .networks = 1},
                             .timing = {.nstart = 1 + random_below(&r, 3)}};
    uint32_t clients = 1 + random_below(&r, 3);
    for (uint32_t i = 0; i < clients; i++)
        network_add(&sim->network, &config, NULL);
    sim->count = clients + random_below(&r, WATCHERS - clients + 1);
    for (uint32_t i = 0; i < sim->count; i++) {
        sim->watchers[i] = (watcher_t){.receiver = {receive}, .sim = sim, .node = &sim->network.nodes[1 + i % clients],
                                       .resource = random_below(&r, RESOURCES)};
        begin_soon(&sim->watchers[i]);
    }
    plan(sim, &r, 60, change_one);
    plan(sim, &r, 4, restart);
    plan(sim, &r, 6, leave);
    if (random_below(&r, 3) == 0) {
        copal_time_t dark = sim->network.now + random_below(&r, STORM);
        network_at(&sim->network, dark, go_dark, sim);
        network_at(&sim->network, dark + random_below(&r, STORM), go_light, sim);
    }
}

/* `all`: also who found no room among the observers, and asks now and then. */
static void judge(simulation_t *sim, bool all)
{
    for (uint32_t i = 0; i < sim->count; i++) {
        const watcher_t *w = &sim->watchers[i];
        const resource_t *r = &sim->resources[w->resource];
        if (!all && !w->observed)
            continue;
        check(w->knows);
        check_equal(w->code, r->exists ? COPAL_CONTENT : COPAL_NOT_FOUND);
        if (r->exists)
            check_equal(w->value, r->value);
    }
}

static void run_seed(uint64_t seed)
{
    static simulation_t sim;
    char note[80];
    snprintf(note, sizeof note, "replay with: observe_weather_test --seed %llu", (unsigned long long)seed);
    check_note(note);
    memset(&sim, 0, sizeof sim);
    set_up(&sim, seed);
    network_run(&sim.network, sim.network.now + STORM);
    if (roll(&sim, 2)) /* it changes for the last time in the storm, or loses all observers in it */
        change_one(&sim);
    else
        restart(&sim);
    network_run(&sim.network, sim.network.now + roll(&sim, 2000));
    sim.calm = true;
    sim.network.weather = (weather_t){.delay = 20};
    network_run(&sim.network, sim.network.now + PATIENCE);
    judge(&sim, true);
    for (uint32_t i = 0; i < RESOURCES; i++) /* and each change from now on is heard of soon */
        change(&sim, i);
    network_run(&sim.network, sim.network.now + 10000);
    judge(&sim, false);
    network_close(&sim.network);
    check_note(NULL);
}

/* ---- all seeds ---------------------------------------------------------------------------------------------- */

static uint64_t first_seed = 1, seed_count = 10000;

static void who_observes_holds_the_newest_state_once_the_weather_is_calm(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++)
        run_seed(seed);
    if (getenv("COPAL_SHOW"))
        printf("told %llu ended %llu silent %llu restarts %llu again %llu left %llu\n", (unsigned long long)seen.told,
               (unsigned long long)seen.ended, (unsigned long long)seen.silent, (unsigned long long)seen.restarts,
               (unsigned long long)seen.registered_again, (unsigned long long)seen.ended_by_us);
    if (seed_count < 1000)
        return;
    /* The weather was bad enough for the promises to mean something. */
    assert_true(seen.told > 20 * seed_count && seen.silent > seed_count / 10 && seen.ended > seed_count);
    assert_true(seen.restarts > seed_count && seen.registered_again > seed_count && seen.ended_by_us > seed_count);
}

int main(int argc, char **argv)
{
    const char *seed = getenv("COPAL_SEED");
    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        seed = argv[2];
    if (getenv("COPAL_SEEDS"))
        seed_count = strtoull(getenv("COPAL_SEEDS"), NULL, 10);
    if (seed) {
        first_seed = strtoull(seed, NULL, 10);
        seed_count = 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_observes_holds_the_newest_state_once_the_weather_is_calm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
