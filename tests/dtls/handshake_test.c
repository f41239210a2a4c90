/* Handshakes: their pool, how they fail, and what is left of them. */
#include "secured.h"

#include "dtls/handshake.h"

#include <stdio.h>
#include <string.h>

static const copal_dtls_counters_t *counters(const station_t *s)
{
    return copal_dtls_counters(s->dtls);
}

/* ---- failure ------------------------------------------------------------------------------------------ */

static void a_wrong_key_is_a_failed_handshake_and_leaves_nothing(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    copal_credentials_t *wrong = credentials_of(&toy_dtls, false, "wrong");
    copal_peer_t peer = station_connect(t.client, t.server, wrong, NULL);
    const copal_time_t begun = t.lane.now;
    assert_int_equal(station_say(t.client, &peer, "?"), 1);
    lane_run(&t.lane, begun + 60000);
    assert_int_equal(t.client->changes, 0);
    lane_run(&t.lane, begun + 61000); /* since the last progress, which was the client's Finished */
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(t.client->status, COPAL_EHANDSHAKE);
    assert_non_null(strstr(t.client->reason, "another key"));
    assert_true(peer_equal(&t.client->changed, &peer));
    assert_int_equal(station_say(t.client, &peer, "?"), COPAL_ESTALE);
    lane_run_for(&t.lane, 100);
    assert_int_equal(toy.handshakes, 0);
    assert_int_equal(counters(t.client)->failed + counters(t.server)->failed, 2);
    assert_true(copal_dtls_next_timeout(t.server->dtls) == COPAL_NEVER);
    copal_credentials_close(wrong);
    secured_close(&t);
}

static void nobody_there_is_a_timeout(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.server->deaf = true;
    station_connect(t.client, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 61000);
    assert_int_equal(t.client->status, COPAL_ETIMEOUT);
    assert_string_equal(t.client->reason, "the server does not answer");
    assert_int_equal(t.lane.datagrams, 6); /* 0, 1, 3, 7, 15, 31 seconds */
    secured_close(&t);
}

static void a_certificate_for_another_host_is_told_with_its_reason(void **state)
{
    secured_t t;
    copal_credentials_t *server, *client;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    const copal_credentials_config_t serving = {.server = true, .certificate = "10.0.0.3"},
                                     asking = {.authorities = "all"};
    assert_int_equal(copal_credentials_open(&server, &toy_dtls, &serving, NULL, 0), 0);
    assert_int_equal(copal_credentials_open(&client, &toy_dtls, &asking, NULL, 0), 0);
    station_t *certified = lane_add(&t.lane, &toy_dtls, NULL, server);
    certified->address = (copal_peer_t){6, {10, 0, 0, 3, 0x16, 0x34}};
    station_connect(t.client, certified, client, "example.com");
    lane_run_for(&t.lane, 1000);
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(t.client->status, COPAL_ECERTIFICATE);
    assert_string_equal(t.client->reason, "the certificate is for another host");
    /* No name: the address itself. */
    station_connect(t.client, certified, client, NULL);
    lane_run_for(&t.lane, 1000);
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    copal_credentials_close(server);
    copal_credentials_close(client);
    secured_close(&t);
}

static void addresses_are_written_as_literals(void **state)
{
    const struct {
        copal_peer_t address;
        const char *name;
    } rows[] = {
        {{6, {192, 0, 2, 10, 0x16, 0x34}}, "192.0.2.10"},
        {{18, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x1f}}, "2001:0db8:0000:0000:0000:0000:0000:001f"},
        {{22, {0xfe, 0x80, [15] = 1, [21] = 2}}, "fe80:0000:0000:0000:0000:0000:0000:0001"},
        {{3, {1, 2, 3}}, "?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        secured_t t;
        copal_peer_t peer;
        secured_open(&t, 1, NULL, NULL);
        assert_int_equal(copal_dtls_connect(t.client->dtls, 0, t.client_credentials, &rows[i].address, 0, NULL, &peer),
                         0);
        assert_string_equal(t.client->dtls->names[0], rows[i].name);
        secured_close(&t);
    }
}

static void a_library_without_memory_is_told_and_leaves_nothing(void **state)
{
    secured_t t;
    copal_peer_t peer;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    toy.is_full = true;
    assert_int_equal(copal_dtls_connect(t.client->dtls, 0, t.client_credentials, &t.server->address, 0, NULL, &peer),
                     COPAL_ENOMEM);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 0);
    assert_true(copal_dtls_next_timeout(t.client->dtls) == COPAL_NEVER);
    toy.is_full = false;
    secured_talk(&t, "hello");
    secured_close(&t);
}

static void ten_thousand_failed_handshakes_leave_nothing(void **state)
{
    secured_t t;
    const copal_dtls_limits_t limits = {.handshakes = 64};
    (void)state;
    secured_open(&t, 1, NULL, &limits);
    copal_credentials_t *wrong = credentials_of(&toy_dtls, false, "wrong");
    for (unsigned i = 0; i < 10000; i++) {
        copal_peer_t peer;
        t.client->address = peer_of(1000 + i % 500); /* as from many ports */
        while (copal_dtls_connect(t.client->dtls, t.lane.now, wrong, &t.server->address, i, NULL, &peer) == COPAL_EFULL)
            lane_run_for(&t.lane, 10000);
    }
    lane_run_for(&t.lane, 200000);
    assert_int_equal(t.client->changes, 10000);
    assert_int_equal(counters(t.client)->failed, 10000);
    assert_int_equal(counters(t.server)->begun, counters(t.server)->failed);
    assert_int_equal(toy.handshakes, 0);
    assert_int_equal(t.client->dtls->session_pool.used + t.server->dtls->session_pool.used, 0);
    assert_true(copal_dtls_next_timeout(t.client->dtls) == COPAL_NEVER);
    assert_true(copal_dtls_next_timeout(t.server->dtls) == COPAL_NEVER);
    t.client->address = peer_of(5);
    secured_talk(&t, "hello");
    copal_credentials_close(wrong);
    secured_close(&t);
}

/* ---- the pool ----------------------------------------------------------------------------------------- */

static void a_client_is_full_at_its_limit(void **state)
{
    secured_t t;
    const copal_dtls_limits_t limits = {.handshakes = 3};
    copal_peer_t peer;
    (void)state;
    secured_open(&t, 1, NULL, &limits);
    for (uint32_t via = 0; via < 3; via++)
        assert_int_equal(
            copal_dtls_connect(t.client->dtls, t.lane.now, t.client_credentials, &t.server->address, via, NULL, &peer),
            0);
    assert_int_equal(
        copal_dtls_connect(t.client->dtls, t.lane.now, t.client_credentials, &t.server->address, 3, NULL, &peer),
        COPAL_EFULL);
    lane_run_for(&t.lane, 1000); /* by the socket 0 it is answered, the others hear nothing */
    assert_int_equal(
        copal_dtls_connect(t.client->dtls, t.lane.now, t.client_credentials, &t.server->address, 3, NULL, &peer), 0);
    secured_close(&t);
}

/* Clients that send their hello with its cookie, and then nothing. */
static void begin_and_stop(secured_t *t, uint32_t from, uint8_t network)
{
    t->client->address = peer_of(from);
    t->client->address.data[0] = network;
    t->client->via = from;
    station_connect(t->client, t->server, t->client_credentials, NULL);
}

/* Keeps all from getting further than their hello. */
static bool only_hellos(lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    (void)lane;
    return from != &lane->stations[1] || (size > 13 && data[0] == 22 && data[13] == 1);
}

static void a_full_server_gives_up_the_one_begun_first(void **state)
{
    secured_t t;
    const copal_dtls_limits_t limits = {.handshakes = 4};
    (void)state;
    secured_open(&t, 1, NULL, &limits);
    t.lane.tap = only_hellos;
    station_t *clients[5];
    for (unsigned i = 0; i < 5; i++) {
        clients[i] = i == 0 ? t.client : lane_add(&t.lane, &toy_dtls, NULL, NULL);
        clients[i]->address = peer_of(20 + i);
        clients[i]->address.data[0] = (uint8_t)i; /* networks of their own */
        station_connect(clients[i], t.server, t.client_credentials, NULL);
        lane_run_for(&t.lane, 35); /* the ServerHello is on its way */
        clients[i]->deaf = true;
    }
    assert_int_equal(copal_dtls_handshakes(t.server->dtls), 4);
    assert_int_equal(counters(t.server)->begun, 5);
    assert_int_equal(copal__handshake_at(t.server->dtls, &clients[0]->address, 0), COPAL__NONE);
    for (unsigned i = 1; i < 5; i++)
        assert_int_not_equal(copal__handshake_at(t.server->dtls, &clients[i]->address, 0), COPAL__NONE);
    secured_close(&t);
}

/* Whoever begins handshakes from one network without end pushes out his own first. */
static void one_network_does_not_lock_out_others(void **state)
{
    secured_t t;
    const copal_dtls_limits_t limits = {.handshakes = 16}, many = {.handshakes = 200, .sessions = 400};
    (void)state;
    secured_open(&t, 1, NULL, &limits);
    station_restart(t.client, &toy_dtls, &many);
    station_t *other = lane_add(&t.lane, &toy_dtls, NULL, NULL);
    other->address.data[0] = 77;
    station_connect(other, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 35);
    other->deaf = true; /* its ServerHello gets lost, and comes again a second later */
    lane_run_for(&t.lane, 10);
    other->deaf = false;
    t.lane.tap = only_hellos;
    for (uint32_t i = 0; i < 100; i++) {
        begin_and_stop(&t, 100 + i, 1);
        lane_run_for(&t.lane, 50);
    }
    assert_int_equal(copal_dtls_handshakes(t.server->dtls), 16);
    assert_int_equal(copal_dtls_sessions(other->dtls), 1); /* it could go on where it was */
    assert_int_equal(counters(t.server)->begun, 1 + 100);
    secured_close(&t);
}

/* ---- messages that wait ------------------------------------------------------------------------------- */

static void four_messages_wait_once_each_and_a_fifth_is_lost(void **state)
{
    static const char *const texts[] = {"one", "two", "one", "three", "four", "five", "two"};
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(station_say(t.client, &t.peer, texts[i]), 1);
    lane_run_for(&t.lane, 1000);
    assert_int_equal(t.server->messages, 4);
    assert_true(station_heard(t.server, "four"));
    secured_close(&t);
}

static void the_largest_message_waits_and_one_octet_more_is_refused(void **state)
{
    secured_t t;
    const copal_dtls_limits_t limits = {.datagram_size = 100};
    char text[102];
    (void)state;
    memset(text, 'x', 101);
    text[101] = '\0';
    secured_open(&t, 1, NULL, &limits);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    assert_int_equal(station_say(t.client, &t.peer, text), COPAL_ESPACE);
    text[100] = '\0';
    assert_int_equal(station_say(t.client, &t.peer, text), 1);
    lane_run_for(&t.lane, 1000);
    assert_true(station_heard(t.client, text));
    assert_int_equal(station_say(t.client, &t.peer, text), 0);
    text[100] = 'x';
    assert_int_equal(station_say(t.client, &t.peer, text), COPAL_ESPACE);
    secured_close(&t);
}

/* ---- what must not be believed ------------------------------------------------------------------------ */

static void a_forged_alert_does_not_end_a_handshake_that_goes_on(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    const copal_bytes_t alert = BYTES(21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40);
    for (unsigned i = 0; i < 70; i++) {
        station_hear(t.client, &t.server->address, 0, alert);
        station_hear(t.server, &t.client->address, 0, alert);
        lane_run_for(&t.lane, 1);
    }
    assert_int_equal(copal_dtls_sessions(t.client->dtls) + copal_dtls_sessions(t.server->dtls), 2);
    station_hear(t.client, &t.server->address, 0, alert);
    station_hear(t.server, &t.client->address, 0, alert);
    secured_talk(&t, "hello");
    secured_close(&t);
}

static void an_alert_tells_a_client_soon_why_nothing_comes(void **state)
{
    static const struct {
        uint8_t level, description;
        const char *reason;
        int status;
        copal_time_t after;
    } rows[] = {
        {2, 115, "the server does not know our identity", COPAL_EHANDSHAKE, 3000},
        {2, 48, "the server does not know the authority of our certificate", COPAL_EHANDSHAKE, 3000},
        {2, 200, "the server refused", COPAL_EHANDSHAKE, 3000},
        {1, 112, "the server does not answer", COPAL_ETIMEOUT, 60000}, /* a warning */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        secured_t t;
        secured_open(&t, 1, NULL, NULL);
        t.server->deaf = true;
        station_connect(t.client, t.server, t.client_credentials, NULL);
        lane_run_for(&t.lane, 0);
        const copal_bytes_t alert =
            BYTES(21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, rows[i].level, rows[i].description);
        station_hear(t.client, &t.server->address, 0, alert);
        lane_run_for(&t.lane, rows[i].after / 2);
        station_hear(t.client, &t.server->address, 0, alert); /* once more does not put it off */
        lane_run_for(&t.lane, rows[i].after / 2 - 1);
        assert_int_equal(t.client->changes, 0);
        lane_run_for(&t.lane, 1);
        assert_int_equal(t.client->changes, 1);
        assert_int_equal(t.client->status, rows[i].status);
        assert_string_equal(t.client->reason, rows[i].reason);
        secured_close(&t);
    }
}

/* In clear anybody can send these. The library would believe them, and fail. */
static void what_is_no_part_of_a_handshake_is_not_shown_to_the_library(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    for (unsigned i = 0; i < 70; i++) {
        for (uint8_t type = 0; type < 30; type++) {
            if (type == 20 || type == 22)
                continue;
            const copal_bytes_t record = BYTES(type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0);
            station_hear(t.client, &t.server->address, 0, record);
            station_hear(t.server, &t.client->address, 0, record);
        }
        lane_run_for(&t.lane, 1);
    }
    assert_int_equal(copal_dtls_sessions(t.client->dtls) + copal_dtls_sessions(t.server->dtls), 2);
    secured_close(&t);
}

static void what_comes_before_the_hello_went_is_dropped(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    station_hear(t.client, &t.server->address, 0,
                 BYTES(22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 13, 14, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0));
    station_hear(t.client, &t.server->address, 0, BYTES(21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40));
    lane_run_for(&t.lane, 100);
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    secured_close(&t);
}

static void cve_2021_42141_42142_records_of_an_epoch_that_has_not_begun_are_dropped(void **state)
{
    static const uint8_t epochs[] = {0, 1, 2, 255};
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    for (unsigned i = 0; i < 70; i++) {
        for (uint8_t type = 20; type < 24; type++) {
            const uint8_t epoch = epochs[i % 4];
            const copal_bytes_t record = BYTES(type, 0xfe, 0xfd, 255, epoch, 255, 255, 255, 255, 255, 255, 0, 2, 1, 0);
            station_hear(t.client, &t.server->address, 0, record);
            station_hear(t.server, &t.client->address, 0, record);
        }
        lane_run_for(&t.lane, 1);
    }
    assert_int_equal(copal_dtls_sessions(t.client->dtls) + copal_dtls_sessions(t.server->dtls), 2);
    secured_talk(&t, "hello");
    secured_close(&t);
}

/* Two that ask each other by the same sockets: each takes the other's hello for none of its handshake. */
static void two_that_ask_each_other_at_once_both_fail(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    copal_credentials_t *also = credentials_of(&toy_dtls, true, "secret");
    t.client->listens = also;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    copal_peer_t back = station_connect(t.server, t.client, t.client_credentials, NULL);
    lane_run_for(&t.lane, 30000);
    assert_int_equal(station_say(t.client, &t.peer, "?"), 1);
    assert_int_equal(station_say(t.server, &back, "?"), 1);
    lane_run_for(&t.lane, 100000);
    assert_int_equal(t.client->changes + t.server->changes, 2);
    assert_int_equal(toy.handshakes, 0);
    secured_talk(&t, "one after the other");
    copal_credentials_close(also);
    secured_close(&t);
}

static void unreachable_is_believed_of_our_own_hello_only(void **state)
{
    secured_t t;
    uint8_t hello[64] = {0};
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.server->deaf = true;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 5000);
    memcpy(hello, t.client->dtls->pendings[0].sent, sizeof hello);
    copal_dtls_unreachable(t.client->dtls, t.lane.now, &t.server->address, (copal_bytes_t){hello, 63});
    copal_dtls_unreachable(t.client->dtls, t.lane.now, &t.client->address, (copal_bytes_t){hello, 64});
    hello[50] ^= 1;
    copal_dtls_unreachable(t.client->dtls, t.lane.now, &t.server->address, (copal_bytes_t){hello, 64});
    assert_int_equal(t.client->changes, 0);
    hello[50] ^= 1;
    copal_dtls_unreachable(t.client->dtls, t.lane.now, &t.server->address, (copal_bytes_t){hello, 64});
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(t.client->status, COPAL_EUNREACHABLE);
    assert_int_equal(station_say(t.client, &t.peer, "?"), COPAL_ESTALE);
    secured_close(&t);
}

static void unreachable_is_not_believed_once_the_server_has_answered(void **state)
{
    secured_t t;
    uint8_t hello[64];
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 25); /* its HelloVerifyRequest has come */
    memcpy(hello, t.client->dtls->pendings[0].sent, sizeof hello);
    copal_dtls_unreachable(t.client->dtls, t.lane.now, &t.server->address, (copal_bytes_t){hello, 64});
    lane_run_for(&t.lane, 1000);
    assert_int_equal(t.client->changes, 0);
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    /* A renewal does not believe it either. */
    t.server->deaf = true;
    station_say(t.client, &t.peer, "one");
    lane_run_for(&t.lane, 8000);
    station_say(t.client, &t.peer, "two");
    lane_run_for(&t.lane, 100);
    memcpy(hello, t.client->dtls->pendings[0].sent, sizeof hello);
    copal_dtls_unreachable(t.client->dtls, t.lane.now, &t.server->address, (copal_bytes_t){hello, 64});
    assert_int_equal(t.client->changes, 0);
    secured_close(&t);
}

/* ---- the last flight ---------------------------------------------------------------------------------- */

static bool lose_servers_finished(lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    unsigned *left = lane->context;
    (void)size;
    return from != &lane->stations[0] || data[0] != 20 || *left == 0 || (--*left, false);
}

/* RFC 6347 section 4.2.4 */
static void rfc6347_4_2_4_a_lost_last_flight_is_sent_again_to_the_octet(void **state)
{
    secured_t t;
    unsigned left = 3;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.lane.tap = lose_servers_finished;
    t.lane.context = &left;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    assert_int_equal(station_say(t.client, &t.peer, "hello"), 1);
    lane_run_for(&t.lane, 900);
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 1);
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 0);
    assert_int_equal(toy.handshakes, 1); /* the client's: the server's is gone for good */
    lane_run_for(&t.lane, 20000);
    assert_int_equal(left, 0);
    assert_true(station_heard(t.client, "hello"));
    assert_int_equal(t.server->dtls->sessions[0].flight_size, 0); /* not any more */
    secured_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_key_is_a_failed_handshake_and_leaves_nothing),
        cmocka_unit_test(nobody_there_is_a_timeout),
        cmocka_unit_test(a_certificate_for_another_host_is_told_with_its_reason),
        cmocka_unit_test(addresses_are_written_as_literals),
        cmocka_unit_test(a_library_without_memory_is_told_and_leaves_nothing),
        cmocka_unit_test(ten_thousand_failed_handshakes_leave_nothing),
        cmocka_unit_test(a_client_is_full_at_its_limit),
        cmocka_unit_test(a_full_server_gives_up_the_one_begun_first),
        cmocka_unit_test(one_network_does_not_lock_out_others),
        cmocka_unit_test(four_messages_wait_once_each_and_a_fifth_is_lost),
        cmocka_unit_test(the_largest_message_waits_and_one_octet_more_is_refused),
        cmocka_unit_test(a_forged_alert_does_not_end_a_handshake_that_goes_on),
        cmocka_unit_test(an_alert_tells_a_client_soon_why_nothing_comes),
        cmocka_unit_test(what_is_no_part_of_a_handshake_is_not_shown_to_the_library),
        cmocka_unit_test(what_comes_before_the_hello_went_is_dropped),
        cmocka_unit_test(cve_2021_42141_42142_records_of_an_epoch_that_has_not_begun_are_dropped),
        cmocka_unit_test(two_that_ask_each_other_at_once_both_fail),
        cmocka_unit_test(unreachable_is_believed_of_our_own_hello_only),
        cmocka_unit_test(unreachable_is_not_believed_once_the_server_has_answered),
        cmocka_unit_test(rfc6347_4_2_4_a_lost_last_flight_is_sent_again_to_the_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
