#include "secured.h"

#include <string.h>

static void a_message_waits_for_the_handshake_and_comes_back(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls), 1);
    assert_int_equal(station_say(t.client, &t.peer, "hello"), 1);
    lane_run_for(&t.lane, 1000);
    assert_true(station_heard(t.server, "hello"));
    assert_true(station_heard(t.client, "hello"));
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 1);
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 1);
    assert_int_equal(copal_dtls_handshakes(t.client->dtls) + copal_dtls_handshakes(t.server->dtls), 0);
    assert_int_equal(toy.handshakes, 0); /* the library's objects are gone */
    assert_int_equal(t.lane.datagrams, 2 + 2 + 2 + 2);
    secured_close(&t);
}

static void what_comes_out_of_a_session_is_proven_and_names_it(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    assert_true(t.client->from.proven);
    assert_true(peer_equal(&t.client->from.peer, &t.peer));
    assert_int_equal(t.server->from.peer.size, t.client->address.size + COPAL_DTLS_PEER_SIZE);
    assert_memory_equal(t.server->from.peer.data, t.client->address.data, t.client->address.size);
    assert_int_equal(t.server->from.network, 3);
    secured_close(&t);
}

static void who_connects_again_gets_the_same_session(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "one");
    const copal_peer_t first = t.peer;
    secured_talk(&t, "two");
    assert_true(peer_equal(&first, &t.peer));
    assert_int_equal(copal_dtls_counters(t.client->dtls)->begun, 1);
    secured_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_waits_for_the_handshake_and_comes_back),
        cmocka_unit_test(what_comes_out_of_a_session_is_proven_and_names_it),
        cmocka_unit_test(who_connects_again_gets_the_same_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
