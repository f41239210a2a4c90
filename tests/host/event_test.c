/* What a host tells of its server for a log: sessions, handshakes that failed, networks that are cut off. */
#include "secure.h"

#include <pthread.h>

enum { EVENTS = 16, REASON = 160 };

/* What came, from whichever worker. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t came;
    unsigned count;
    struct {
        copal_event_t event;
        copal_peer_t peer;
        char reason[REASON];
    } all[EVENTS];
} diary_t;

static void note(void *user, const copal_event_t *event)
{
    diary_t *diary = user;
    pthread_mutex_lock(&diary->lock);
    if (diary->count < EVENTS) {
        diary->all[diary->count].event = *event;
        diary->all[diary->count].peer = *event->peer;
        snprintf(diary->all[diary->count++].reason, REASON, "%s", event->reason ? event->reason : "");
    }
    pthread_cond_signal(&diary->came);
    pthread_mutex_unlock(&diary->lock);
}

/* Waits until so many have come. */
static void wait_for(diary_t *diary, unsigned count)
{
    pthread_mutex_lock(&diary->lock);
    while (diary->count < count)
        pthread_cond_wait(&diary->came, &diary->lock);
    pthread_mutex_unlock(&diary->lock);
}

#define DIARY                                                               \
    {                                                                       \
        .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER \
    }

static void assert_loopback(const copal_peer_t *peer)
{
    char address[64];
    uint16_t port;
    copal_peer_to_text(peer, address, sizeof address, &port);
    assert_string_equal(address, "127.0.0.1");
    assert_true(port > 0);
}

static void a_session_is_told_when_it_begins_and_ends(void **state)
{
    uint16_t port;
    diary_t diary = DIARY;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server =
        secure_host(&(copal_host_config_t){.event = note, .user = &diary}, theirs, "127.0.0.1", &port);
    copal_host_t *client = secure_client(NULL);
    (void)state;
    assert_int_equal(get(client, ours, port, "v", "hello"), 0);
    assert_int_equal(copal_host_disconnect(client, ours), 0);
    wait_for(&diary, 2);
    assert_int_equal(diary.all[0].event.kind, COPAL_SESSION_BEGUN);
    assert_int_equal(diary.all[1].event.kind, COPAL_SESSION_ENDED);
    assert_int_equal(diary.all[1].event.status, COPAL_ECLOSED);
    assert_string_equal(diary.all[1].reason, "the client closed the session");
    assert_loopback(&diary.all[0].peer);
    assert_same_peer(&diary.all[0].peer, &diary.all[1].peer);
    copal_host_close(client);
    copal_host_close(server);
    assert_int_equal(diary.count, 2);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

static void a_handshake_that_failed_is_told_with_who_and_why(void **state)
{
    uint16_t port;
    diary_t diary = DIARY;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("guess", "anybody");
    const copal_host_config_t config = {.event = note, .user = &diary, .server_dtls.handshake_timeout = 500};
    copal_host_t *server = secure_host(&config, theirs, "127.0.0.1", &port);
    copal_host_t *client = secure_client(&(copal_host_config_t){.client_dtls.handshake_timeout = 500});
    (void)state;
    assert_int_equal(get(client, ours, port, "v", NULL), COPAL_EHANDSHAKE);
    wait_for(&diary, 1);
    assert_int_equal(diary.all[0].event.kind, COPAL_HANDSHAKE_FAILED);
    assert_int_equal(diary.all[0].event.status, COPAL_EHANDSHAKE);
    assert_non_null(strstr(diary.all[0].reason, "another key"));
    assert_loopback(&diary.all[0].peer);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

/* Once, however often it is asked: a flood makes one event. */
static void rfc7252_11_3_a_network_is_told_when_it_is_cut_off(void **state)
{
    uint16_t port;
    char large[900] = {0};
    uint8_t out[64], in[2048];
    diary_t diary = DIARY;
    copal_host_t *server;
    const copal_host_config_t config = {.event = note, .user = &diary, .server.network_bytes = 64};
    const copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    (void)state;
    assert_int_equal(copal_host_open(&server, &config), 0);
    assert_int_equal(copal_tree_add_value(copal_host_tree(server), "large",
                                          (copal_bytes_t){(uint8_t *)large, sizeof large}, &options, NULL),
                     0);
    assert_int_equal(copal_host_listen(server, "127.0.0.1", 0, &port), 0);
    assert_int_equal(copal_host_start(server), 0);
    const int fd = wire_open("127.0.0.1");
    const copal_peer_t to = wire_peer("127.0.0.1", port), self = wire_self(fd);
    for (uint16_t id = 1; id <= 3; id++) {
        wire_send(fd, &to, wire_get(out, sizeof out, id, "large"));
        assert_true(wire_receive(fd, in, sizeof in, NULL).payload.size < sizeof large);
    }
    copal_host_close(server);
    assert_int_equal(diary.count, 1);
    assert_int_equal(diary.all[0].event.kind, COPAL_NETWORK_CUT);
    assert_int_equal(diary.all[0].event.network, 3);
    assert_same_peer(&diary.all[0].peer, &self);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_told_when_it_begins_and_ends),
        cmocka_unit_test(a_handshake_that_failed_is_told_with_who_and_why),
        cmocka_unit_test(rfc7252_11_3_a_network_is_told_when_it_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
