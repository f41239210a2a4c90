/* A client and a server with pre-shared keys, on a lane with fine weather: what most tests of the filter begin with. */
#ifndef TESTS_DTLS_SECURED_H
#define TESTS_DTLS_SECURED_H

#include "support/bench.h"
#include "support/lane.h"
#include "support/toy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct {
    lane_t lane;
    copal_credentials_t *server_credentials, *client_credentials;
    station_t *server, *client;
    copal_peer_t peer; /* the server, to the client */
} secured_t;

static inline copal_credentials_t *credentials_of(const copal_dtls_backend_t *backend, bool server, const char *key)
{
    copal_credentials_t *credentials;
    const copal_credentials_config_t config = {
        .server = server, .key = copal_text(key), .identity = server ? NO_BYTES : copal_text("somebody")};
    check_equal(copal_credentials_open(&credentials, backend, &config, NULL, 0), 0);
    return credentials;
}

/** The two, each by its backend, and no word between them yet. */
static inline void secured_open_by(secured_t *t, const copal_dtls_backend_t *client, const copal_dtls_backend_t *server,
                                   uint64_t seed, const weather_t *weather, const copal_dtls_limits_t *limits)
{
    toy_reset(seed);
    lane_open(&t->lane, seed, weather);
    t->server_credentials = credentials_of(server, true, "secret");
    t->client_credentials = credentials_of(client, false, "secret");
    t->server = lane_add(&t->lane, server, limits, t->server_credentials);
    t->client = lane_add(&t->lane, client, limits, NULL);
    t->server->echoes = true;
}

static inline void secured_open(secured_t *t, uint64_t seed, const weather_t *weather,
                                const copal_dtls_limits_t *limits)
{
    secured_open_by(t, &toy_dtls, &toy_dtls, seed, weather, limits);
}

/** Connects, says something, and asserts that it came back. */
static inline void secured_talk(secured_t *t, const char *text)
{
    const unsigned before = t->client->messages;
    t->peer = station_connect(t->client, t->server, t->client_credentials, NULL);
    check(station_say(t->client, &t->peer, text) >= 0);
    lane_run_for(&t->lane, 1000);
    check_equal(t->client->messages, before + 1);
    check(station_heard(t->client, text));
}

/** Asserts that nothing of the library is left behind. */
static inline void secured_close(secured_t *t)
{
    lane_close(&t->lane);
    copal_credentials_close(t->server_credentials);
    copal_credentials_close(t->client_credentials);
    check_equal(toy.handshakes + toy.credentials + toy.ciphers, 0);
}

#define secured_talk(...)  CHECKED(secured_talk(__VA_ARGS__))
#define secured_close(...) CHECKED(secured_close(__VA_ARGS__))

#endif
