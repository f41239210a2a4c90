/* Sessions: how they come, are renewed, replaced, and end. */
#include "secured.h"

#include "dtls/session.h"

#include <string.h>

static const copal_dtls_counters_t *counters(const station_t *s)
{
    return copal_dtls_counters(s->dtls);
}

static void a_session_takes_320_octets(void **state)
{
    copal_dtls_limits_t some = {.sessions = 1000}, more = {.sessions = 2000};
    size_t each = (copal_dtls_size(&more) - copal_dtls_size(&some)) / 1000 - COPAL__NAME_SIZE;
    (void)state;
    assert_int_equal(sizeof(copal__session_t), 296);
    assert_in_range(each, 296, 320); /* with its links and half a head of the index */
}

static void past_the_limit_the_one_not_used_for_longest_makes_room(void **state)
{
    secured_t t;
    const copal_dtls_limits_t two = {.sessions = 2};
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    station_t *small = lane_add(&t.lane, &toy_dtls, &two, t.server_credentials), *clients[3];
    copal_peer_t peers[3];
    small->echoes = true;
    for (unsigned i = 0; i < 3; i++) {
        clients[i] = lane_add(&t.lane, &toy_dtls, &two, NULL);
        if (i == 2)
            assert_int_equal(station_say(clients[0], &peers[0], "still here"), 0);
        lane_run_for(&t.lane, 1000);
        peers[i] = station_connect(clients[i], small, t.client_credentials, NULL);
        station_say(clients[i], &peers[i], "hello");
        lane_run_for(&t.lane, 1000);
        assert_true(station_heard(clients[i], "hello"));
    }
    assert_int_equal(copal_dtls_sessions(small->dtls), 2);
    assert_int_equal(counters(small)->evicted, 1);
    assert_int_equal(clients[0]->changes + clients[2]->changes, 0);
    assert_int_equal(clients[1]->changes, 1);
    assert_int_equal(clients[1]->status, COPAL_ECLOSED);
    assert_true(peer_equal(&clients[1]->changed, &peers[1]));
    assert_int_equal(station_say(clients[1], &peers[1], "?"), COPAL_ESTALE);
    secured_close(&t);
}

static void a_client_past_its_limit_is_told_which_session_made_room(void **state)
{
    secured_t t;
    const copal_dtls_limits_t one = {.sessions = 1};
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    station_t *other = lane_add(&t.lane, &toy_dtls, NULL, t.server_credentials);
    station_t *client = lane_add(&t.lane, &toy_dtls, &one, NULL);
    const copal_peer_t first = station_connect(client, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 1000);
    station_connect(client, other, t.client_credentials, NULL);
    assert_int_equal(client->changes, 0); /* only when the other has come to be */
    lane_run_for(&t.lane, 1000);
    assert_int_equal(client->changes, 1);
    assert_int_equal(client->status, COPAL_ESTALE);
    assert_true(peer_equal(&client->changed, &first));
    assert_int_equal(copal_dtls_sessions(client->dtls), 1);
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 0); /* it was told */
    secured_close(&t);
}

static void unused_sessions_end_and_used_ones_stay(void **state)
{
    secured_t t;
    const copal_dtls_limits_t limits = {.idle_timeout = 60000};
    (void)state;
    secured_open(&t, 1, NULL, &limits);
    secured_talk(&t, "hello");
    for (unsigned i = 0; i < 5; i++) {
        lane_run_for(&t.lane, 50000);
        secured_talk(&t, "hello");
    }
    assert_int_equal(counters(t.client)->begun, 1);
    const copal_time_t used = t.lane.now - 980; /* when the answer came */
    assert_int_equal(copal_dtls_next_timeout(t.client->dtls), used + 60000);
    lane_run(&t.lane, used + 59999);
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    lane_run_for(&t.lane, 1000);
    assert_int_equal(copal_dtls_sessions(t.client->dtls) + copal_dtls_sessions(t.server->dtls), 0);
    assert_int_equal(t.client->changes, 1);
    assert_true(copal_dtls_next_timeout(t.client->dtls) == COPAL_NEVER);
    secured_close(&t);
}

static void who_only_sends_uses_his_session(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, &(copal_dtls_limits_t){.idle_timeout = 60000});
    secured_talk(&t, "hello");
    for (unsigned i = 0; i < 10; i++) {
        lane_run_for(&t.lane, 7000);
        t.client->deaf = true;
        assert_int_equal(station_say(t.client, &t.peer, "report"), 0);
    }
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    secured_close(&t);
}

/* RFC 6347 section 4.2.8: a client that has forgotten everything begins anew from the same address. */
static void rfc6347_4_2_8_a_restarted_client_is_taken_for_a_new_peer(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "before");
    const copal_peer_t before = t.server->from.peer;
    station_restart(t.client, &toy_dtls, NULL);
    secured_talk(&t, "after");
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 1);
    assert_false(peer_equal(&before, &t.server->from.peer));
    assert_int_equal(station_say(t.server, &before, "?"), COPAL_ESTALE);
    assert_int_equal(t.server->changes, 0); /* nobody there asked for it */
    secured_close(&t);
}

static void the_old_session_stays_until_the_new_handshake_has_succeeded(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "before");
    /* Somebody at the same address, with a wrong key. */
    copal_credentials_t *wrong = credentials_of(&toy_dtls, false, "wrong");
    station_t *imposter = lane_add(&t.lane, &toy_dtls, NULL, NULL);
    imposter->address = t.client->address;
    copal_peer_t peer = station_connect(imposter, t.server, wrong, NULL);
    station_say(imposter, &peer, "evil");
    lane_run_for(&t.lane, 5000);
    assert_int_equal(copal_dtls_handshakes(t.server->dtls), 1);
    secured_talk(&t, "still");
    lane_run_for(&t.lane, 200000);
    assert_int_equal(imposter->changes, 1);
    assert_int_equal(imposter->status, COPAL_EHANDSHAKE);
    secured_talk(&t, "and still");
    assert_int_equal(counters(t.client)->begun, 1);
    copal_credentials_close(wrong);
    secured_close(&t);
}

/* ---- renewal ------------------------------------------------------------------------------------------ */

static void a_client_renews_its_keys_when_the_server_has_forgotten_them(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "before");
    station_restart(t.server, &toy_dtls, NULL);
    assert_int_equal(station_say(t.client, &t.peer, "one"), 0);
    lane_run_for(&t.lane, 7999);
    assert_int_equal(station_say(t.client, &t.peer, "two"), 0);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 0);
    lane_run_for(&t.lane, 1);
    assert_int_equal(station_say(t.client, &t.peer, "three"), 0); /* under the old keys */
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 1);
    lane_run_for(&t.lane, 1000);
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(t.client->status, 0);
    assert_true(peer_equal(&t.client->changed, &t.peer));
    assert_int_equal(station_say(t.client, &t.peer, "four"), 0); /* the peer is the same */
    lane_run_for(&t.lane, 1000);
    assert_true(station_heard(t.client, "four"));
    secured_close(&t);
}

static void a_server_that_answers_after_all_keeps_the_old_keys(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "before");
    t.server->echoes = false;
    assert_int_equal(station_say(t.client, &t.peer, "one"), 0);
    lane_run_for(&t.lane, 8000);
    assert_int_equal(station_say(t.client, &t.peer, "two"), 0);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 1);
    assert_int_equal(station_say(t.server, &t.server->from.peer, "here I am"), 0);
    lane_run_for(&t.lane, 15); /* it arrives before the handshake gets anywhere */
    assert_true(station_heard(t.client, "here I am"));
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 0);
    assert_int_equal(t.client->changes, 0);
    lane_run_for(&t.lane, 100000);
    t.server->echoes = true;
    secured_talk(&t, "after");
    assert_int_equal(counters(t.server)->completed, 1);
    secured_close(&t);
}

static void a_server_that_never_answers_is_renewed_less_and_less_often(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.server->echoes = false;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 1000);
    for (unsigned i = 0; i < 1000; i++) { /* a report every second */
        assert_int_equal(station_say(t.client, &t.peer, "report"), 0);
        lane_run_for(&t.lane, 1000);
    }
    assert_int_equal(t.server->messages, 1000);
    assert_int_equal(counters(t.client)->completed, 1 + 7); /* after 8, 16, 32, 64, 128, 256, 256 seconds */
    secured_close(&t);
}

/* The server that was started again gets a message, and that alone. */
static void a_message_that_waited_for_the_handshake_is_missed_too(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.server->echoes = false;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    assert_int_equal(station_say(t.client, &t.peer, "one"), 1);
    lane_run_for(&t.lane, 60); /* the handshake is done, the message leaves */
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    lane_run_for(&t.lane, 8000);
    assert_int_equal(station_say(t.client, &t.peer, "two"), 0);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 1);
    secured_close(&t);
}

static void an_answer_ends_the_patience_that_renewals_in_vain_have_made(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.server->echoes = false;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 1000);
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(station_say(t.client, &t.peer, "report"), 0);
        lane_run_for(&t.lane, 1000);
    }
    assert_int_equal(counters(t.client)->begun, 1 + 3);
    t.server->echoes = true;
    secured_talk(&t, "here?");
    station_restart(t.server, &toy_dtls, NULL);
    assert_int_equal(station_say(t.client, &t.peer, "one"), 0);
    lane_run_for(&t.lane, 8000);
    assert_int_equal(station_say(t.client, &t.peer, "two"), 0);
    assert_int_equal(counters(t.client)->begun, 1 + 3 + 1);
    secured_close(&t);
}

static bool lose_servers_change_of_keys(lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    (void)size;
    return from != &lane->stations[0] || data[0] != COPAL__CHANGE_CIPHER_SPEC;
}

/* The server has the new keys since our Finished came; a record from before, that was long on its way, says nothing. */
static void a_late_record_under_the_old_keys_does_not_end_a_renewal_that_may_have_succeeded(void **state)
{
    secured_t t;
    uint8_t late[100];
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "before");
    int size = copal__session_seal(t.server->dtls, &t.server->dtls->sessions[0], COPAL__APPLICATION_DATA,
                                   copal_text("late"), late);
    t.server->echoes = false;
    assert_int_equal(station_say(t.client, &t.peer, "one"), 0);
    lane_run_for(&t.lane, 8000);
    t.lane.tap = lose_servers_change_of_keys;
    assert_int_equal(station_say(t.client, &t.peer, "two"), 0);
    lane_run_for(&t.lane, 500);
    station_hear(t.client, &t.server->address, 0, (copal_bytes_t){late, (size_t)size});
    assert_true(station_heard(t.client, "late"));
    t.lane.tap = NULL;
    t.server->echoes = true;
    lane_run_for(&t.lane, 2000); /* our Finished comes again, and theirs */
    assert_int_equal(t.client->changes, 1);
    secured_talk(&t, "after");
    assert_int_equal(counters(t.client)->begun, 2);
    secured_close(&t);
}

static void a_renewal_that_fails_ends_the_session(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "before");
    t.server->deaf = true;
    assert_int_equal(station_say(t.client, &t.peer, "one"), 0);
    lane_run_for(&t.lane, 8000);
    assert_int_equal(station_say(t.client, &t.peer, "two"), 0);
    lane_run_for(&t.lane, 70000);
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(t.client->status, COPAL_ETIMEOUT);
    assert_int_equal(station_say(t.client, &t.peer, "three"), COPAL_ESTALE);
    secured_close(&t);
}

static void a_session_without_room_for_a_renewal_goes_on(void **state)
{
    secured_t t;
    const copal_dtls_limits_t limits = {.handshakes = 1};
    (void)state;
    secured_open(&t, 1, NULL, &limits);
    station_t *mute = lane_add(&t.lane, &toy_dtls, NULL, NULL);
    secured_talk(&t, "before");
    station_connect(t.client, mute, t.client_credentials, NULL);
    t.server->echoes = false;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(station_say(t.client, &t.peer, "report"), 0);
        lane_run_for(&t.lane, 2000);
    }
    assert_int_equal(t.server->messages, 11);
    assert_int_equal(counters(t.client)->begun, 2);
    secured_close(&t);
}

/* ---- ends --------------------------------------------------------------------------------------------- */

static void disconnecting_ends_what_these_credentials_have_and_nothing_else(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    copal_credentials_t *others = credentials_of(&toy_dtls, false, "secret");
    station_t *second = lane_add(&t.lane, &toy_dtls, NULL, t.server_credentials);
    station_t *mute = lane_add(&t.lane, &toy_dtls, NULL, NULL);
    secured_talk(&t, "hello");
    const copal_peer_t other = station_connect(t.client, second, others, NULL);
    station_connect(t.client, mute, t.client_credentials, NULL);
    lane_run_for(&t.lane, 1000);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 1);
    copal_dtls_disconnect(t.client->dtls, t.lane.now, t.client_credentials);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 0);
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    assert_int_equal(station_say(t.client, &t.peer, "?"), COPAL_ESTALE);
    assert_int_equal(station_say(t.client, &other, "hello"), 0);
    lane_run_for(&t.lane, 1000);
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 0);
    assert_true(station_heard(second, "hello"));
    assert_int_equal(t.client->changes, 0);
    copal_credentials_close(others);
    secured_close(&t);
}

/* As from who asks with credentials or without. Entries that are free again have none either. */
static void disconnecting_without_credentials_ends_nothing(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    copal_dtls_disconnect(t.client->dtls, t.lane.now, t.client_credentials);
    lane_run_for(&t.lane, 1000);
    const uint64_t failed = copal_dtls_counters(t.client->dtls)->failed;
    copal_dtls_disconnect(t.client->dtls, t.lane.now, NULL);
    assert_int_equal(copal_dtls_counters(t.client->dtls)->failed, failed);
    secured_close(&t);
}

static void a_server_disconnects_whom_its_credentials_let_in(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    copal_dtls_disconnect(t.server->dtls, t.lane.now, t.server_credentials);
    lane_run_for(&t.lane, 1000);
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(t.client->status, COPAL_ECLOSED);
    assert_int_equal(copal_dtls_sessions(t.server->dtls) + copal_dtls_sessions(t.client->dtls), 0);
    secured_close(&t);
}

static void a_slot_taken_again_is_another_peer(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "one");
    const copal_peer_t first = t.peer;
    copal_dtls_disconnect(t.client->dtls, t.lane.now, t.client_credentials);
    secured_talk(&t, "two");
    assert_false(peer_equal(&first, &t.peer));
    assert_int_equal(station_say(t.client, &first, "?"), COPAL_ESTALE);
    secured_close(&t);
}

static void peers_that_are_no_sessions_are_stale(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "one");
    for (unsigned i = 0; i < t.peer.size; i++) {
        copal_peer_t wrong = t.peer;
        wrong.data[i] ^= 0x80;
        assert_int_equal(station_say(t.client, &wrong, "?"), COPAL_ESTALE);
    }
    for (uint8_t size = 0; size < t.peer.size; size++) {
        copal_peer_t wrong = t.peer;
        wrong.size = size;
        assert_int_equal(station_say(t.client, &wrong, "?"), COPAL_ESTALE);
    }
    secured_close(&t);
}

/* RFC 6347 section 4.1: numbers must not begin anew. */
static void rfc6347_4_1_no_number_is_used_twice_in_an_epoch(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "one");
    t.client->dtls->sessions[0].number = COPAL__EPOCH_1 | COPAL__SEQUENCE_MAX;
    assert_int_equal(station_say(t.client, &t.peer, "the last one"), 0);
    assert_int_equal(station_say(t.client, &t.peer, "?"), COPAL_ESTALE);
    lane_run_for(&t.lane, 1000);
    assert_true(station_heard(t.client, "the last one"));
    secured_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_takes_320_octets),
        cmocka_unit_test(past_the_limit_the_one_not_used_for_longest_makes_room),
        cmocka_unit_test(a_client_past_its_limit_is_told_which_session_made_room),
        cmocka_unit_test(unused_sessions_end_and_used_ones_stay),
        cmocka_unit_test(who_only_sends_uses_his_session),
        cmocka_unit_test(rfc6347_4_2_8_a_restarted_client_is_taken_for_a_new_peer),
        cmocka_unit_test(the_old_session_stays_until_the_new_handshake_has_succeeded),
        cmocka_unit_test(a_client_renews_its_keys_when_the_server_has_forgotten_them),
        cmocka_unit_test(a_server_that_answers_after_all_keeps_the_old_keys),
        cmocka_unit_test(a_server_that_never_answers_is_renewed_less_and_less_often),
        cmocka_unit_test(a_message_that_waited_for_the_handshake_is_missed_too),
        cmocka_unit_test(an_answer_ends_the_patience_that_renewals_in_vain_have_made),
        cmocka_unit_test(a_late_record_under_the_old_keys_does_not_end_a_renewal_that_may_have_succeeded),
        cmocka_unit_test(a_renewal_that_fails_ends_the_session),
        cmocka_unit_test(a_session_without_room_for_a_renewal_goes_on),
        cmocka_unit_test(disconnecting_ends_what_these_credentials_have_and_nothing_else),
        cmocka_unit_test(disconnecting_without_credentials_ends_nothing),
        cmocka_unit_test(a_server_disconnects_whom_its_credentials_let_in),
        cmocka_unit_test(a_slot_taken_again_is_another_peer),
        cmocka_unit_test(peers_that_are_no_sessions_are_stale),
        cmocka_unit_test(rfc6347_4_1_no_number_is_used_twice_in_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
