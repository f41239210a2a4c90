/* Clients and a server whose filters speak through weather that follows from a seed, and that start anew at any time.
 *   simulation_test                  1,000 seeds (environment: COPAL_SEEDS=n for another number)
 *   simulation_test --seed 4711      one seed, to replay what failed (environment: COPAL_SEED=4711)
 *   simulation_test --seeds 100000   more */
#include "secured.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 3, TEXTS = 200, PATIENCE = 600000 };

typedef struct {
    secured_t secured; /* first: the lane */
    copal_credentials_t *wrong;
    station_t *clients[CLIENTS];
    copal_peer_t peers[CLIENTS];
    bool connected[CLIENTS];
    unsigned said;
    bool at_server[TEXTS], at_client[TEXTS];
} simulation_t;

static uint32_t roll(simulation_t *sim, uint32_t bound)
{
    return random_below(&sim->secured.lane.random, bound);
}

/* Each text is said once, so it is heard once at most, whatever the network makes of it. */
static void hears(station_t *s, const copal_from_t *from)
{
    simulation_t *sim = (simulation_t *)s->lane;
    bool *heard = s->listens ? sim->at_server : sim->at_client;
    const unsigned client = (unsigned)s->text[0] - '0';
    const unsigned number = (unsigned)strtoul(s->text + 2, NULL, 10);
    check(client < CLIENTS && number < sim->said);
    check(!heard[number]);
    heard[number] = true;
    if (s->listens) /* it is who it says it is */
        check(memcmp(from->peer.data, sim->clients[client]->address.data, sim->clients[client]->address.size) == 0);
    else
        check(sim->at_server[number] && peer_equal(&from->peer, &sim->peers[client]));
}

static void say(simulation_t *sim, unsigned i)
{
    station_t *client = sim->clients[i];
    char text[40];
    copal_credentials_t *credentials = roll(sim, 20) == 0 ? sim->wrong : sim->secured.client_credentials;
    copal_peer_t peer;
    int status =
        copal_dtls_connect(client->dtls, client->lane->now, credentials, &sim->secured.server->address, 0, NULL, &peer);
    check(status == 0 || status == COPAL_EEXIST || status == COPAL_EFULL);
    if (status < 0)
        return;
    sim->peers[i] = peer;
    sim->connected[i] = true;
    snprintf(text, sizeof text, "%u %u", i, sim->said++);
    check(station_say(client, &peer, text) >= 0);
}

static void act(simulation_t *sim)
{
    lane_t *lane = &sim->secured.lane;
    const unsigned i = roll(sim, CLIENTS);
    const copal_dtls_limits_t tight = {
        .sessions = 1 + roll(sim, 3), .handshakes = 1 + roll(sim, 3), .idle_timeout = 200000};
    switch (roll(sim, 20)) {
    case 0:
        station_restart(sim->clients[i], &toy_dtls, &tight);
        break;
    case 1:
        if (roll(sim, 4) == 0)
            station_restart(sim->secured.server, &toy_dtls, &tight);
        break;
    case 2:
        copal_dtls_disconnect(sim->clients[i]->dtls, lane->now, sim->secured.client_credentials);
        break;
    case 3:
        lane_run_for(lane, roll(sim, 100000));
        break;
    default:
        say(sim, i);
    }
    lane_run_for(lane, roll(sim, 4000));
}

static void open_simulation(simulation_t *sim, uint64_t seed)
{
    random_t r = random_from(seed);
    const weather_t weather = {.delay = random_below(&r, 200),
                               .jitter = random_below(&r, 200),
                               .loss = random_below(&r, 301),
                               .duplication = random_below(&r, 301),
                               .reordering = random_below(&r, 301),
                               .late = 3000};
    *sim = (simulation_t){0};
    secured_open(&sim->secured, seed, &weather, NULL);
    toy.suite = copal__suites[seed % 11].number;
    sim->wrong = credentials_of(&toy_dtls, false, "wrong");
    sim->secured.server->hears = hears;
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim->clients[i] = i == 0 ? sim->secured.client : lane_add(&sim->secured.lane, &toy_dtls, NULL, NULL);
        sim->clients[i]->hears = hears;
    }
}

/* The weather calms: all that was begun comes to its end, and everybody can speak. */
static void calm_down(simulation_t *sim)
{
    lane_t *lane = &sim->secured.lane;
    lane->weather = (weather_t){.delay = 10};
    lane_run_for(lane, PATIENCE);
    check_equal(toy.handshakes, 0);
    station_restart(sim->secured.server, &toy_dtls, NULL);
    for (unsigned i = 0; i < CLIENTS; i++) {
        unsigned before = sim->clients[i]->messages;
        copal_dtls_disconnect(sim->clients[i]->dtls, lane->now, sim->wrong);
        sim->secured.lane.random = random_from(1); /* nobody says anything by a wrong key */
        for (unsigned tries = 0; tries < 8 && sim->clients[i]->messages == before; tries++) {
            say(sim, i);
            lane_run_for(lane, 60000);
        }
        check(sim->clients[i]->messages > before);
    }
}

static void simulate(uint64_t seed)
{
    simulation_t *sim = malloc(sizeof *sim);
    char note[40];
    snprintf(note, sizeof note, "seed %llu", (unsigned long long)seed);
    check_note(note);
    open_simulation(sim, seed);
    while (sim->said < 60)
        act(sim);
    calm_down(sim);
    copal_credentials_close(sim->wrong);
    secured_close(&sim->secured);
    check_note(NULL);
    free(sim);
}

static uint64_t first = 0, count = 1000;

static void every_promise_holds_in_any_weather(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < count; i++)
        simulate(first + i);
}

static void choose(const char *seed, const char *seeds)
{
    if (seeds)
        count = strtoull(seeds, NULL, 10);
    if (seed) {
        first = strtoull(seed, NULL, 10);
        count = 1;
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
