/* The filter with the libraries that there are, each as client and as server of each. COPAL_SEEDS=n: another number of
 * seeds. */
#include "secured.h"

#include "dtls/mbedtls/mbedtls.h"
#include "dtls/openssl/openssl.h"
#include "dtls/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- backends ------------------------------------------------------------------------------------------ */

static unsigned soon(SSL *ssl, unsigned before)
{
    (void)ssl, (void)before;
    return 16000; /* microseconds; at 15,000 it takes the time to be over */
}

/* OpenSSL takes its time from the machine. While that waits, the lane's clock runs ahead by some seconds. */
static int open_hasty(void **handshake, const copal__handshake_config_t *config)
{
    int status = copal__openssl_open(handshake, config);
    if (status == 0)
        DTLS_set_timer_cb(((copal__openssl_handshake_t *)*handshake)->ssl, soon);
    return status;
}

static copal_dtls_backend_t hasty_openssl;
static const copal_dtls_backend_t *const backends[] = {&hasty_openssl, &copal_dtls_mbedtls};
enum { PAIRS = 4 };

/* Opens the pair of that number, for a test with its note. */
static void open_pair(secured_t *t, unsigned pair, uint64_t seed, const weather_t *weather)
{
    static char note[100];
    const copal_dtls_backend_t *client = backends[pair / 2], *server = backends[pair % 2];
    snprintf(note, sizeof note, "client %s, server %s, seed %llu", client->name, server->name,
             (unsigned long long)seed);
    check_note(note);
    secured_open_by(t, client, server, seed, weather, &(copal_dtls_limits_t){.handshake_timeout = 600000});
}

static void close_pair(secured_t *t)
{
    check_note(NULL);
    secured_close(t);
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

enum { NUMBERS = 4096 };

/* What each of the two has sent under each number of epoch 1, while its keys are the same. */
typedef struct {
    uint64_t digests[2][NUMBERS];
    unsigned lose; /* so many datagrams of the server's that begin with a ChangeCipherSpec */
} numbers_t;

/* No number is for two records: a nonce is made of it. A copy to the octet is none the worse. */
static bool watch_numbers(lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    numbers_t *n = lane->context;
    copal__record_t record;
    for (size_t at = 0; copal__record_read(&record, data + at, size - at); at += record.size) {
        if (COPAL__EPOCH(record.number) != 1)
            continue;
        check(COPAL__SEQUENCE(record.number) < NUMBERS);
        uint64_t *digest = &n->digests[from - lane->stations][COPAL__SEQUENCE(record.number)];
        uint64_t own = copal__hash(&(copal__key_t){1, 2}, 0, record.data, record.size);
        check(*digest == 0 || *digest == own);
        *digest = own;
    }
    return from != &lane->stations[0] || data[0] != COPAL__CHANGE_CIPHER_SPEC || n->lose == 0 || (n->lose--, false);
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void each_speaks_with_each(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        secured_t t;
        char largest[1153];
        memset(largest, 'x', 1152);
        largest[1152] = '\0';
        open_pair(&t, pair, 1, NULL);
        secured_talk(&t, "hello");
        secured_talk(&t, largest);
        copal_dtls_disconnect(t.client->dtls, t.lane.now, t.client_credentials);
        lane_run_for(&t.lane, 100);
        check_equal(copal_dtls_sessions(t.server->dtls), 0);
        secured_talk(&t, "again");
        close_pair(&t);
    }
}

static void restarts_of_either_are_got_over(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        secured_t t;
        open_pair(&t, pair, 1, NULL);
        secured_talk(&t, "before");
        station_restart(t.client, backends[pair / 2], NULL);
        secured_talk(&t, "a client that knows nothing");
        check_equal(copal_dtls_sessions(t.server->dtls), 1);
        station_restart(t.server, backends[pair % 2], NULL);
        check_equal(station_say(t.client, &t.peer, "a server that knows nothing"), 0);
        lane_run_for(&t.lane, 8000);
        check_equal(station_say(t.client, &t.peer, "still nothing"), 0);
        lane_run_for(&t.lane, 1000);
        check_equal(t.client->changes, 1);
        check_equal(t.client->status, 0);
        secured_talk(&t, "at last");
        close_pair(&t);
    }
}

static void rfc6347_4_2_4_a_lost_last_flight_comes_again(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        secured_t t;
        numbers_t numbers = {.lose = 2};
        open_pair(&t, pair, 1, NULL);
        t.lane.tap = watch_numbers;
        t.lane.context = &numbers;
        t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
        check_equal(station_say(t.client, &t.peer, "hello"), 1);
        lane_run_for(&t.lane, 100000);
        check_equal(numbers.lose, 0);
        check_equal(t.client->messages, 1);
        check_equal(copal_dtls_counters(t.server->dtls)->begun, 1);
        close_pair(&t);
    }
}

static void a_wrong_key_fails_and_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        secured_t t;
        open_pair(&t, pair, 1, NULL);
        copal_credentials_t *wrong = credentials_of(backends[pair / 2], false, "wrong");
        station_connect(t.client, t.server, wrong, NULL);
        lane_run_for(&t.lane, 2000000);
        check_equal(t.client->changes, 1);
        check_equal(t.client->status, COPAL_EHANDSHAKE);
        check(strlen(t.client->reason) > 0);
        check_equal(copal_dtls_handshakes(t.server->dtls) + copal_dtls_handshakes(t.client->dtls), 0);
        check_equal(copal_dtls_counters(t.server->dtls)->failed, 1);
        secured_talk(&t, "with the right key");
        copal_credentials_close(wrong);
        close_pair(&t);
    }
}

/* 30 % of all datagrams lost, 30 % doubled, 30 % late. */
static void handshake_in_a_storm(unsigned pair, uint64_t seed)
{
    const weather_t storm = {
        .delay = 20, .jitter = 50, .loss = 300, .duplication = 300, .reordering = 300, .late = 2000};
    secured_t t;
    numbers_t numbers = {0};
    open_pair(&t, pair, seed, &storm);
    t.lane.tap = watch_numbers;
    t.lane.context = &numbers;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    for (unsigned i = 0; i < 60 && copal_dtls_sessions(t.client->dtls) == 0; i++)
        lane_run_for(&t.lane, 10000);
    t.lane.weather = (weather_t){.delay = 10};
    secured_talk(&t, "hello");
    check_equal(t.client->changes, 0);
    check_equal(copal_dtls_counters(t.client->dtls)->begun, 1);
    close_pair(&t);
}

static uint64_t seeds;

static void handshakes_get_through_a_storm(unsigned pair)
{
    for (uint64_t seed = 0; seed < seeds; seed++)
        handshake_in_a_storm(pair, seed);
}

static void openssl_gets_through_a_storm_to_openssl(void **state)
{
    (void)state, handshakes_get_through_a_storm(0);
}
static void openssl_gets_through_a_storm_to_mbedtls(void **state)
{
    (void)state, handshakes_get_through_a_storm(1);
}
static void mbedtls_gets_through_a_storm_to_openssl(void **state)
{
    (void)state, handshakes_get_through_a_storm(2);
}
static void mbedtls_gets_through_a_storm_to_mbedtls(void **state)
{
    (void)state, handshakes_get_through_a_storm(3);
}

int main(void)
{
    const char *number = getenv("COPAL_SEEDS");
    seeds = number ? strtoull(number, NULL, 10) : 50;
    hasty_openssl = copal_dtls_openssl;
    hasty_openssl.open = open_hasty;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_speaks_with_each),
        cmocka_unit_test(restarts_of_either_are_got_over),
        cmocka_unit_test(rfc6347_4_2_4_a_lost_last_flight_comes_again),
        cmocka_unit_test(a_wrong_key_fails_and_leaves_nothing),
        cmocka_unit_test(openssl_gets_through_a_storm_to_openssl),
        cmocka_unit_test(openssl_gets_through_a_storm_to_mbedtls),
        cmocka_unit_test(mbedtls_gets_through_a_storm_to_openssl),
        cmocka_unit_test(mbedtls_gets_through_a_storm_to_mbedtls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
