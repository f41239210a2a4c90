/* Uploads from several clients to one server, in weather that follows from a seed: each body is taken whole or not at all,
 * what must run once does, the client is told what happened, in blocks too, and nothing that was begun is left behind.
 *   upload_simulation_test              5,000 seeds (environment: COPAL_SEEDS=n for another number)
 *   upload_simulation_test --seed 4711  one seed, to replay what failed */
#include "copal/transfer.h"
#include "support/bench.h"
#include "support/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLIENTS   3u
#define JOBS      8u
#define BODIES    64u /* that an intake holds at a time */
#define BODY_MOST 4000u

typedef struct simulation_t simulation_t;

typedef struct {
    copal_transfer_t transfer; /* first */
    simulation_t *sim;
    node_t *client;
    bool to_value, cancelled;
    bool answered; /* wants its own body back as the answer */
    uint8_t answer[BODY_MOST];
    unsigned outcomes, ended; /* ended: how often the handler took it whole */
    int status;
    copal_code_t code;
} job_t;

/* A body at the server. */
typedef struct {
    simulation_t *sim;
    size_t size;
    uint8_t octets[BODY_MOST];
    bool used;
} body_t;

struct simulation_t {
    network_t network;
    node_t *server;
    copal_handle_t value;
    bool tight;
    job_t jobs[JOBS];
    uint32_t count;
    body_t bodies[BODIES];
    uint64_t held; /* bodies begun and neither ended nor dropped */
};

/* What was met over all seeds. */
static struct {
    uint64_t whole, refused, timed_out, cancelled, in_blocks, dropped, both_ways, gone;
} seen;

static uint32_t roll(simulation_t *sim, uint32_t bound) { return random_below(&sim->network.random, bound); }

/* ---- bodies: the first octet is the job's number, the others follow from it ------------------------------------- */

static uint8_t octet_of(uint32_t job, size_t i) { return (uint8_t)(i ? job * 31 + i * 7 + (i >> 8) : job); }

static bool is_whole(simulation_t *sim, const uint8_t *octets, size_t size)
{
    if (!size || octets[0] >= sim->count || sim->jobs[octets[0]].transfer.size != size)
        return false;
    for (size_t i = 1; i < size; i++)
        if (octets[i] != octet_of(octets[0], i))
            return false;
    return true;
}

/* ---- the server: a handler with an intake, and a value ---------------------------------------------------------- */

static copal_code_t begin_body(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    simulation_t *sim = user;
    (void)call, (void)size, (void)most;
    size_t i = 0;
    while (i < BODIES && sim->bodies[i].used)
        i++;
    check(i < BODIES);
    sim->bodies[i] = (body_t){.sim = sim, .used = true};
    sim->held++;
    *body = &sim->bodies[i];
    return 0;
}

static copal_code_t take(void *body, copal_bytes_t piece)
{
    body_t *b = body;
    check(b->used);
    check(b->size + piece.size <= BODY_MOST);
    memcpy(b->octets + b->size, piece.data, piece.size);
    b->size += piece.size;
    return 0;
}

static void release(body_t *b)
{
    check(b->used);
    b->used = false;
    b->sim->held--;
}

static void end(void *body, copal_call_t *call)
{
    body_t *b = body;
    check(is_whole(b->sim, b->octets, b->size));
    job_t *j = &b->sim->jobs[b->octets[0]];
    j->ended++;
    release(b);
    copal_writer_t *w = copal_reply(call, COPAL_CHANGED);
    if (j->answered)
        copal_write_payload(w, (copal_bytes_t){b->octets, b->size});
}

static void drop(void *body)
{
    seen.dropped++;
    release(body);
}

static const copal_intake_t intake = {.begin = begin_body, .take = take, .end = end, .drop = drop};

static void handle(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply(call, COPAL_CONTENT);
}

static void check_value(void *context)
{
    simulation_t *sim = context;
    uint8_t value[BODY_MOST];
    size_t size;
    check_equal(copal_tree_get_value(sim->server->tree, sim->value, value, sizeof value, &size), 0);
    check(size == 0 || is_whole(sim, value, size));
}

/* ---- the clients -------------------------------------------------------------------------------------------------- */

static void write_options(copal_transfer_t *t, copal_writer_t *w, copal_part_t part)
{
    const job_t *j = (const job_t *)t;
    (void)part;
    copal_write_option(w, COPAL_OPTION_URI_PATH, copal_text(j->to_value ? "value" : "intake"));
    if (t->request.code == COPAL_FETCH)
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 42); /* RFC 8132 section 2.3.1 */
}

static int read_body(void *context, size_t offset, void *out, size_t size)
{
    const job_t *j = context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = octet_of((uint32_t)(j - j->sim->jobs), offset + i);
    return 0;
}

static int write_answer(copal_transfer_t *t, size_t offset, copal_bytes_t piece)
{
    job_t *j = (job_t *)t;
    check(offset + piece.size <= BODY_MOST);
    if (piece.size)
        memcpy(j->answer + offset, piece.data, piece.size);
    return 0;
}

static void done(copal_transfer_t *t, const copal_response_t *response)
{
    job_t *j = (job_t *)t;
    check(!j->cancelled);
    check_equal(++j->outcomes, 1);
    j->status = response->status;
    j->code = response->message ? response->message->code : 0;
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
    check(copal_transfer_start(j->client->endpoint, sim->network.now, &j->transfer) >= 0);
    if (roll(sim, 8) == 0)
        network_at(&sim->network, sim->network.now + roll(sim, 30000), cancel, j);
}

/* ---- a seed ----------------------------------------------------------------------------------------------------- */

static weather_t draw_weather(random_t *r)
{
    weather_t w = {.delay = random_below(r, 400), .jitter = random_below(r, 400), .reordering = random_below(r, 200),
                   .late = random_below(r, 20000)};
    if (random_below(r, 3))
        w.duplication = random_below(r, 300);
    if (random_below(r, 3))
        w.loss = random_below(r, 400);
    return w;
}

static void plan(simulation_t *sim, job_t *j)
{
    static const copal_code_t codes[] = {COPAL_POST, COPAL_POST, COPAL_PUT, COPAL_FETCH, COPAL_PATCH, COPAL_IPATCH};
    *j = (job_t){.sim = sim, .client = &sim->network.nodes[1 + roll(sim, CLIENTS)], .to_value = roll(sim, 3) == 0};
    j->transfer = (copal_transfer_t){
        .request = {.to = &sim->server->peer, .code = codes[roll(sim, j->to_value ? 3 : sizeof codes)],
                    .confirmable = roll(sim, 8) != 0, .timeout = 4000000},
        .options = write_options, .read = read_body, .context = j, .size = 1 + roll(sim, BODY_MOST), .done = done,
        .block_size = (uint16_t)(16u << (3 + roll(sim, 4)))};
    if (roll(sim, 4) == 0)
        j->transfer.size = 1 + roll(sim, 200);
    j->answered = !j->to_value && roll(sim, 2);
    if (j->answered)
        j->transfer.write = write_answer;
}

static void set_up(simulation_t *sim, uint64_t seed)
{
    random_t r = random_from(~seed);
    const weather_t weather = draw_weather(&r);
    const copal_handler_t handler = {.methods = 0xff << 1, .intake = &intake, .handle = handle, .user = sim};
    const copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    network_open(&sim->network, seed, &weather);
    sim->tight = random_below(&r, 2);
    copal_config_t config = {.limits = {.requests = JOBS, .counters = 4, .remembered = sim->tight ? 12 : 400, .batch = 8,
                                        .payload_size = random_below(&r, 3) ? 0 : 256, .rests = sim->tight ? 1 : 8},
                             .timing = {.nstart = 1 + random_below(&r, 4)}};
    const copal_tree_limits_t limits = {.value_size = BODY_MOST, .uploads = sim->tight ? 4 : 40,
                                        .arena = sim->tight ? 20000 : 200000};
    sim->server = network_add(&sim->network, &config, &limits);
    check_equal(copal_tree_add_handler(sim->server->tree, "intake", &handler, NULL), 0);
    check_equal(copal_tree_add_value(sim->server->tree, "value", copal_text(""), &options, &sim->value), 0);
    for (uint32_t i = 0; i < CLIENTS; i++)
        network_add(&sim->network, &config, NULL);
    sim->count = 1 + random_below(&r, JOBS);
    for (uint32_t i = 0; i < sim->count; i++) {
        plan(sim, &sim->jobs[i]);
        network_at(&sim->network, sim->network.now + random_below(&r, 20000), begin, &sim->jobs[i]);
    }
    for (uint32_t i = 0; i < 20; i++)
        network_at(&sim->network, sim->network.now + random_below(&r, 60000), check_value, sim);
}

static void judge(const job_t *j)
{
    const copal_code_t method = j->transfer.request.code;
    const bool once = method == COPAL_POST || method == COPAL_PATCH, calm = j->sim->network.weather.loss == 0;
    check_equal(j->outcomes, j->cancelled ? 0 : 1);
    if (once)
        check(j->ended <= 1);
    seen.cancelled += j->cancelled;
    if (j->cancelled)
        return;
    check(j->status == 0 || (j->status == COPAL_ETIMEOUT && (!calm || !j->transfer.request.confirmable)));
    const bool whole = j->status == 0 && j->code == COPAL_CHANGED;
    if (whole && !j->to_value)
        check(j->ended > 0);
    if (whole && j->answered && j->transfer.received) /* else the server had no room to send it (the guard) */
        check(j->transfer.received == j->transfer.size && is_whole(j->sim, j->answer, j->transfer.size));
    const bool gone = j->status == 0 && !whole && j->transfer.received > 0; /* the rest of its answer */
    if (j->status == 0 && !whole) {
        check(COPAL_CODE_CLASS(j->code) > 2);
        check(!once || j->ended == gone);
    }
    seen.both_ways += whole && j->transfer.received > 1024;
    seen.gone += gone;
    seen.whole += whole;
    seen.in_blocks += whole && j->transfer.size > 1024;
    seen.refused += j->status == 0 && !whole;
    seen.timed_out += j->status != 0;
}

static void run_seed(uint64_t seed)
{
    static simulation_t sim;
    char note[80];
    snprintf(note, sizeof note, "replay with: upload_simulation_test --seed %llu", (unsigned long long)seed);
    check_note(note);
    memset(&sim, 0, sizeof sim);
    set_up(&sim, seed);
    network_run(&sim.network, COPAL_NEVER);
    check_value(&sim);
    for (uint32_t i = 0; i < sim.count; i++)
        judge(&sim.jobs[i]);
    copal_tree_close(sim.server->tree);
    check_equal(sim.held, 0);
    network_close(&sim.network);
    check_note(NULL);
}

/* ---- all seeds -------------------------------------------------------------------------------------------------- */

static uint64_t first_seed = 1, seed_count = 5000;

static void a_body_is_taken_whole_and_once_or_not_at_all(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++)
        run_seed(seed);
    if (getenv("COPAL_SHOW"))
        printf("whole %llu (in blocks %llu, both ways %llu) refused %llu (answers gone %llu) timed out %llu cancelled %llu "
               "dropped %llu\n",
               (unsigned long long)seen.whole, (unsigned long long)seen.in_blocks, (unsigned long long)seen.both_ways,
               (unsigned long long)seen.refused, (unsigned long long)seen.gone, (unsigned long long)seen.timed_out,
               (unsigned long long)seen.cancelled, (unsigned long long)seen.dropped);
    if (seed_count < 1000)
        return;
    /* The weather was bad enough for the promises to mean something. */
    assert_true(seen.in_blocks > seed_count / 2 && seen.refused > seed_count / 100 && seen.timed_out > seed_count / 50);
    assert_true(seen.both_ways > seed_count / 4 && seen.gone > 0);
    assert_true(seen.cancelled > seed_count / 20 && seen.dropped > seed_count / 20);
}

int main(int argc, char **argv)
{
    if (getenv("COPAL_SEEDS"))
        seed_count = strtoull(getenv("COPAL_SEEDS"), NULL, 10);
    if (argc == 3 && strcmp(argv[1], "--seed") == 0) {
        first_seed = strtoull(argv[2], NULL, 10);
        seed_count = 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_body_is_taken_whole_and_once_or_not_at_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
