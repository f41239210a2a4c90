#include "secured.h"

#include <stdlib.h>
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

static void by_one_socket_there_is_one_session_with_an_address(void **state)
{
    secured_t t;
    copal_peer_t peer;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    copal_credentials_t *others = credentials_of(&toy_dtls, false, "secret");
    for (unsigned established = 0; established < 2; established++) {
        station_connect(t.client, t.server, t.client_credentials, "name");
        assert_int_equal(copal_dtls_connect(t.client->dtls, t.lane.now, others, &t.server->address, 0, "name", &peer),
                         COPAL_EEXIST);
        assert_int_equal(
            copal_dtls_connect(t.client->dtls, t.lane.now, t.client_credentials, &t.server->address, 0, "other", &peer),
            COPAL_EEXIST);
        assert_int_equal(
            copal_dtls_connect(t.client->dtls, t.lane.now, t.client_credentials, &t.server->address, 0, NULL, &peer),
            COPAL_EEXIST);
        lane_run_for(&t.lane, 1000);
    }
    assert_int_equal(copal_dtls_connect(t.client->dtls, t.lane.now, others, &t.server->address, 1, "name", &peer), 0);
    copal_credentials_close(others);
    secured_close(&t);
}

static void connecting_looks_at_its_arguments(void **state)
{
    secured_t t;
    copal_peer_t peer, far = {COPAL_PEER_SIZE - COPAL_DTLS_PEER_SIZE + 1, {1}};
    copal_dtls_backend_t other = toy_dtls;
    char name[257];
    (void)state;
    memset(name, 'x', 256);
    name[256] = '\0';
    secured_open(&t, 1, NULL, NULL);
    copal_credentials_t *foreign = credentials_of(&other, false, "secret");
    copal_dtls_t *dtls = t.client->dtls;
    const copal_peer_t *address = &t.server->address;
    assert_int_equal(copal_dtls_connect(dtls, 0, t.server_credentials, address, 0, NULL, &peer), COPAL_EINVAL);
    assert_int_equal(copal_dtls_connect(dtls, 0, foreign, address, 0, NULL, &peer), COPAL_EINVAL);
    assert_int_equal(copal_dtls_connect(dtls, 0, t.client_credentials, address, 0, name, &peer), COPAL_EINVAL);
    assert_int_equal(copal_dtls_connect(dtls, 0, t.client_credentials, &far, 0, NULL, &peer), COPAL_EINVAL);
    name[255] = '\0';
    assert_int_equal(copal_dtls_connect(dtls, 0, t.client_credentials, address, 0, name, &peer), 0);
    copal_credentials_close(foreign);
    secured_close(&t);
}

/* ---- beginning ----------------------------------------------------------------------------------------- */

static void ignore_datagram(void *user, const copal_datagram_t *datagram)
{
    (void)user, (void)datagram;
}

static void ignore_message(void *user, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    (void)user, (void)now, (void)from, (void)message;
}

static void ignore_change(void *user, copal_time_t now, const copal_peer_t *peer, int status, const char *reason)
{
    (void)user, (void)now, (void)peer, (void)status, (void)reason;
}

static void a_filter_takes_the_memory_it_says_and_not_an_octet_less(void **state)
{
    copal_dtls_config_t config = {.backend = &toy_dtls,
                                  .random = random_fill,
                                  .random_state = &toy.random,
                                  .transmit = ignore_datagram,
                                  .deliver = ignore_message,
                                  .changed = ignore_change};
    const size_t size = copal_dtls_size(&config.limits);
    copal_dtls_t *dtls = NULL;
    void *memory = calloc(1, size);
    (void)state;
    toy_reset(1);
    assert_int_equal(copal_dtls_init(&dtls, memory, size - 1, &config), COPAL_ESPACE);
    toy.is_full = true;
    assert_int_equal(copal_dtls_init(&dtls, memory, size, &config), COPAL_ENOMEM);
    memset(memory, 0, size);
    toy.is_full = false;
    assert_int_equal(copal_dtls_init(&dtls, memory, size, &config), 0);
    assert_true(copal_dtls_next_timeout(dtls) == COPAL_NEVER);
    copal_dtls_close(dtls);
    copal_dtls_close(NULL);
    assert_int_equal(toy.ciphers, 0);
    free(memory);
}

static void what_cannot_be_a_filter_is_refused(void **state)
{
    const copal_dtls_config_t good = {.backend = &toy_dtls,
                                      .random = random_fill,
                                      .random_state = &toy.random,
                                      .transmit = ignore_datagram,
                                      .deliver = ignore_message,
                                      .changed = ignore_change};
    copal_dtls_config_t bad[] = {good, good, good, good, good, good, good, good};
    copal_dtls_t *dtls;
    (void)state;
    bad[0].backend = NULL;
    bad[1].random = NULL;
    bad[2].transmit = NULL;
    bad[3].deliver = NULL;
    bad[4].changed = NULL;
    bad[5].limits.datagram_size = (1 << 14) + 1;
    bad[6].limits.sessions = UINT32_MAX;
    bad[7].limits.handshakes = UINT32_MAX;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(copal_dtls_init(&dtls, NULL, SIZE_MAX, &bad[i]), COPAL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_waits_for_the_handshake_and_comes_back),
        cmocka_unit_test(what_comes_out_of_a_session_is_proven_and_names_it),
        cmocka_unit_test(who_connects_again_gets_the_same_session),
        cmocka_unit_test(by_one_socket_there_is_one_session_with_an_address),
        cmocka_unit_test(connecting_looks_at_its_arguments),
        cmocka_unit_test(a_filter_takes_the_memory_it_says_and_not_an_octet_less),
        cmocka_unit_test(what_cannot_be_a_filter_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
