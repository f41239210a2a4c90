/* What a server's filter tells who keeps a log: what became of each client, and why. */
#include "secured.h"

#include <string.h>

/* Asserts that the server was told so of its client, once since `before`. */
static void told(const station_t *server, unsigned before, const station_t *client, int status, const char *reason)
{
    check_equal(server->served, before + 1);
    check_equal(server->served_status, status);
    check(peer_equal(&server->client, &client->address));
    check_bytes(copal_text(server->served_reason), copal_text(reason));
}
#define told(...) CHECKED(told(__VA_ARGS__))

/* ---- sessions ----------------------------------------------------------------------------------------- */

static void a_session_is_told_when_it_begins_and_when_the_client_ends_it(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    told(t.server, 0, t.client, 0, "");
    copal_dtls_disconnect(t.client->dtls, t.lane.now, t.client_credentials);
    lane_run_for(&t.lane, 100);
    told(t.server, 1, t.client, COPAL_ECLOSED, "the client closed the session");
    assert_int_equal(t.client->served, 0); /* who asks hears it otherwise */
    secured_close(&t);
}

static void a_session_that_ends_by_itself_is_told_with_its_reason(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, &(copal_dtls_limits_t){.idle_timeout = 60000});
    secured_talk(&t, "hello");
    t.client->deaf = true;
    lane_run_for(&t.lane, 61000);
    told(t.server, 1, t.client, COPAL_ESTALE, "it was not used for long");
    secured_close(&t);
}

static void who_makes_room_is_told_and_not_who_takes_it(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, &(copal_dtls_limits_t){.sessions = 1});
    secured_talk(&t, "hello");
    station_t *other = lane_add(&t.lane, &toy_dtls, NULL, NULL);
    station_connect(other, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 1000);
    told(t.server, 2, t.client, COPAL_ESTALE, "it made room for another session");
    secured_close(&t);
}

static void of_a_client_that_was_restarted_the_former_session_ends(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "before");
    station_restart(t.client, &toy_dtls, NULL);
    secured_talk(&t, "after");
    told(t.server, 2, t.client, 0, ""); /* begun, ended, begun */
    secured_close(&t);
}

/* ---- handshakes --------------------------------------------------------------------------------------- */

static void another_key_is_told_as_what_cannot_be_read(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    copal_credentials_t *wrong = credentials_of(&toy_dtls, false, "wrong");
    station_connect(t.client, t.server, wrong, NULL);
    lane_run_for(&t.lane, 59000);
    assert_int_equal(t.server->served, 0);
    lane_run_for(&t.lane, 3000);
    told(t.server, 0, t.client, COPAL_EHANDSHAKE,
         "what the client sent under its key cannot be read, as where it has another key, or an identity that nobody "
         "has");
    copal_credentials_close(wrong);
    secured_close(&t);
}

/* A client that sends its hello with the cookie, and hears no more. */
static void fall_silent(secured_t *t)
{
    station_connect(t->client, t->server, t->client_credentials, NULL);
    lane_run_for(&t->lane, 35);
    t->client->deaf = true;
    lane_run_for(&t->lane, 20); /* the ServerHello is lost */
    check_equal(copal_dtls_handshakes(t->server->dtls), 1);
    check_equal(t->server->served, 0);
}
#define fall_silent(...) CHECKED(fall_silent(__VA_ARGS__))

static void silence_is_told(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    fall_silent(&t);
    lane_run_for(&t.lane, 62000);
    told(t.server, 0, t.client, COPAL_ETIMEOUT, "the client stopped answering");
    secured_close(&t);
}

/* Anybody may have sent it: it is a reason, and ends nothing. */
static void an_alert_in_clear_is_the_reason_told_at_the_end(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    fall_silent(&t);
    station_hear(t.server, &t.client->address, 0, BYTES(21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 48));
    lane_run_for(&t.lane, 50000);
    assert_int_equal(t.server->served, 0);
    lane_run_for(&t.lane, 12000);
    told(t.server, 0, t.client, COPAL_EHANDSHAKE, "the client does not know the authority of our certificate");
    secured_close(&t);
}

static void a_handshake_that_makes_room_is_told(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, &(copal_dtls_limits_t){.handshakes = 1});
    fall_silent(&t);
    station_t *other = lane_add(&t.lane, &toy_dtls, NULL, NULL);
    station_connect(other, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 35);
    told(t.server, 0, t.client, COPAL_EFULL, "it made room for another handshake");
    secured_close(&t);
}

static void a_handshake_that_the_client_begins_anew_is_told(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    fall_silent(&t);
    t.client->deaf = false;
    station_restart(t.client, &toy_dtls, NULL);
    station_connect(t.client, t.server, t.client_credentials, NULL);
    lane_run_for(&t.lane, 35);
    told(t.server, 0, t.client, COPAL_EHANDSHAKE, "the client has begun anew");
    secured_close(&t);
}

static void what_we_end_ourselves_is_not_told(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    copal_dtls_disconnect(t.server->dtls, t.lane.now, t.server_credentials);
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 0);
    assert_int_equal(t.server->served, 1);
    secured_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_told_when_it_begins_and_when_the_client_ends_it),
        cmocka_unit_test(a_session_that_ends_by_itself_is_told_with_its_reason),
        cmocka_unit_test(who_makes_room_is_told_and_not_who_takes_it),
        cmocka_unit_test(of_a_client_that_was_restarted_the_former_session_ends),
        cmocka_unit_test(another_key_is_told_as_what_cannot_be_read),
        cmocka_unit_test(silence_is_told),
        cmocka_unit_test(an_alert_in_clear_is_the_reason_told_at_the_end),
        cmocka_unit_test(a_handshake_that_makes_room_is_told),
        cmocka_unit_test(a_handshake_that_the_client_begins_anew_is_told),
        cmocka_unit_test(what_we_end_ourselves_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
