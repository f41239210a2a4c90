/* Transfers between two endpoints in weather that follows from a seed, of a body that changes meanwhile: each ends with
 * one whole state, or with an error.
 *   transfer_weather_test              10,000 seeds (environment: COPAL_SEEDS=n for another number)
 *   transfer_weather_test --seed 4711  one seed, to replay what failed */
#include "copal/transfer.h"
#include "support/bench.h"
#include "support/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRANSFERS 4u
#define BODY_MOST 6000u

typedef struct simulation_t simulation_t;

typedef struct {
    copal_transfer_t transfer; /* first */
    simulation_t *sim;
    uint8_t body[BODY_MOST];
    size_t size;
    unsigned outcomes;
    int status;
    copal_code_t code;
    bool begun, cancelled;
} job_t;

struct simulation_t {
    network_t network;
    node_t *server, *client;
    uint32_t states; /* how many there were so far */
    job_t jobs[TRANSFERS];
    uint32_t count;
};

/* What was met over all seeds. */
static struct {
    uint64_t whole, failed, changed, timed_out, cancelled;
} seen;

static uint32_t roll(simulation_t *sim, uint32_t bound) { return random_below(&sim->network.random, bound); }

/* ---- states: the size and each octet of one follow from its number -------------------------------------------- */

static size_t size_of(uint32_t state) { return state * 7919u % BODY_MOST; }

static uint8_t octet_of(uint32_t state, size_t i) { return (uint8_t)(state * 31 + i * 7 + (i >> 8)); }

static void serve(void *context, copal_call_t *call)
{
    simulation_t *sim = context;
    uint8_t body[BODY_MOST];
    const size_t size = size_of(sim->states);
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    copal_write_option_uint(w, COPAL_OPTION_ETAG, sim->states);
    for (size_t i = 0; i < size; i++)
        body[i] = octet_of(sim->states, i);
    copal_write_payload(w, (copal_bytes_t){body, size});
}

static void change(void *context)
{
    simulation_t *sim = context;
    sim->states++;
}

/* The number of the state that a body is; 0: of none, it is torn. */
static uint32_t state_of(const job_t *j)
{
    for (uint32_t state = 1; state <= j->sim->states; state++) {
        size_t i = 0;
        while (i < j->size && j->body[i] == octet_of(state, i))
            i++;
        if (j->size == size_of(state) && i == j->size)
            return state;
    }
    return 0;
}

/* ---- the client --------------------------------------------------------------------------------------------------- */

static void write_options(copal_transfer_t *t, copal_writer_t *w, copal_part_t part)
{
    (void)t, (void)part;
    copal_write_option(w, COPAL_OPTION_URI_PATH, copal_text("a"));
}

static int take(copal_transfer_t *t, size_t offset, copal_bytes_t piece)
{
    job_t *j = (job_t *)t;
    if (offset == 0)
        j->size = 0;
    check_equal(offset, j->size);
    check(offset + piece.size <= BODY_MOST);
    if (piece.size)
        memcpy(j->body + offset, piece.data, piece.size);
    j->size += piece.size;
    return 0;
}

static void done(copal_transfer_t *t, const copal_response_t *response)
{
    job_t *j = (job_t *)t;
    check(response->ended);
    check(!j->cancelled);
    check_equal(++j->outcomes, 1);
    j->status = response->status;
    j->code = response->message ? response->message->code : 0;
    if (j->status == 0 && j->code == COPAL_CONTENT)
        check(state_of(j) > 0);
}

static void cancel(void *context)
{
    job_t *j = context;
    const int status = copal_transfer_cancel(&j->transfer, j->sim->network.now);
    check_equal(status, j->outcomes ? COPAL_ESTALE : 0);
    j->cancelled = status == 0;
}

static void begin(void *context)
{
    job_t *j = context;
    simulation_t *sim = j->sim;
    j->transfer = (copal_transfer_t){
        .request = {.to = &sim->server->peer, .code = roll(sim, 4) ? COPAL_GET : COPAL_FETCH,
                    .confirmable = roll(sim, 8) != 0, .timeout = 4000000},
        .options = write_options, .write = take, .done = done,
        .block_size = (uint16_t)(16u << roll(sim, 7)), .blocks = roll(sim, 2)};
    const int id = copal_transfer_start(sim->client->endpoint, sim->network.now, &j->transfer);
    check(id >= 0 && id <= 65535);
    j->begun = true;
    if (roll(sim, 10) == 0)
        network_at(&sim->network, sim->network.now + roll(sim, 60000), cancel, j);
}

/* ---- a seed ----------------------------------------------------------------------------------------------------- */

static weather_t draw_weather(random_t *r)
{
    weather_t w = {.delay = random_below(r, 400), .jitter = random_below(r, 400), .reordering = random_below(r, 200),
                   .late = random_below(r, 10000)};
    if (random_below(r, 3))
        w.duplication = random_below(r, 300);
    if (random_below(r, 3))
        w.loss = random_below(r, 500);
    return w;
}

static void set_up(simulation_t *sim, uint64_t seed)
{
    random_t r = random_from(~seed);
    const weather_t weather = draw_weather(&r);
    sim->states = 1 + random_below(&r, 1000);
    network_open(&sim->network, seed, &weather);
    copal_config_t config = {.limits = {.requests = TRANSFERS, .counters = 4, .remembered = 16, .batch = 8},
                             .timing = {.nstart = 1 + random_below(&r, 4)}};
    sim->client = network_add(&sim->network, &config, NULL);
    config.service = (copal_service_t){.handle = serve, .context = sim};
    sim->server = network_add(&sim->network, &config, NULL);
    sim->count = 1 + random_below(&r, TRANSFERS);
    for (uint32_t i = 0; i < sim->count; i++) {
        sim->jobs[i].sim = sim;
        network_at(&sim->network, sim->network.now + random_below(&r, 10000), begin, &sim->jobs[i]);
    }
    for (uint32_t changes = random_below(&r, 3) * random_below(&r, 4); changes > 0; changes--)
        network_at(&sim->network, sim->network.now + random_below(&r, 30000), change, sim);
}

static void judge(const job_t *j)
{
    check(j->begun);
    check_equal(j->outcomes, j->cancelled ? 0 : 1);
    seen.cancelled += j->cancelled;
    if (j->cancelled)
        return;
    check(j->status == 0 || j->status == COPAL_ETIMEOUT || j->status == COPAL_EFORMAT);
    if (j->status == COPAL_ETIMEOUT)
        check(j->sim->network.weather.loss > 0);
    seen.whole += j->status == 0 && j->code == COPAL_CONTENT;
    seen.failed += j->status == 0 && j->code != COPAL_CONTENT;
    seen.changed += j->status == COPAL_EFORMAT;
    seen.timed_out += j->status == COPAL_ETIMEOUT;
}

static void run_seed(uint64_t seed)
{
    static simulation_t sim;
    char note[80];
    snprintf(note, sizeof note, "replay with: transfer_weather_test --seed %llu", (unsigned long long)seed);
    check_note(note);
    memset(&sim, 0, sizeof sim);
    set_up(&sim, seed);
    network_run(&sim.network, COPAL_NEVER);
    for (uint32_t i = 0; i < sim.count; i++)
        judge(&sim.jobs[i]);
    check(copal_endpoint_next_timeout(sim.client->endpoint) == COPAL_NEVER);
    network_close(&sim.network);
    check_note(NULL);
}

/* ---- all seeds -------------------------------------------------------------------------------------------------- */

static uint64_t first_seed = 1, seed_count = 10000;

static void a_body_is_whole_or_the_transfer_says_that_it_is_not(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++)
        run_seed(seed);
    if (seed_count < 1000)
        return;
    /* The weather was bad enough for the promises to mean something. */
    assert_true(seen.whole > seed_count && seen.changed > seed_count / 100 && seen.timed_out > seed_count / 20);
    assert_true(seen.failed > seed_count / 1000 && seen.cancelled > seed_count / 20);
}

int main(int argc, char **argv)
{
    if (getenv("COPAL_SEEDS"))
        seed_count = strtoull(getenv("COPAL_SEEDS"), NULL, 10);
    if (argc == 3 && strcmp(argv[1], "--seed") == 0) {
        first_seed = strtoull(argv[2], NULL, 10);
        seed_count = 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_body_is_whole_or_the_transfer_says_that_it_is_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
