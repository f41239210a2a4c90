#define _GNU_SOURCE 1
#include "secure.h"

#include "host/host.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

/* ---- a resource that shows who asks ----------------------------------------------------------------------- */

enum { SHOWN = 2 * COPAL_PEER_SIZE + 1 };

static void show_peer(void *user, copal_call_t *call)
{
    char text[SHOWN];
    (void)user;
    for (unsigned i = 0; i < call->from->peer.size; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned)call->from->peer.data[i]);
    copal_reply_text(call, COPAL_CONTENT, text);
}

static void add_peer_resource(copal_host_t *host)
{
    const copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = show_peer};
    assert_int_equal(copal_tree_add_handler(copal_host_tree(host), "peer", &handler, NULL), 0);
}

static void ask_who_we_are(copal_host_t *host, copal_credentials_t *credentials, uint16_t port, char shown[SHOWN])
{
    copal_answer_t answer;
    const copal_peer_t to = wire_peer("127.0.0.1", port);
    const copal_ask_t ask = {.to = &to, .path = copal_text("peer"), .credentials = credentials};
    assert_int_equal(copal_host_ask(host, &ask, &answer), 0);
    snprintf(shown, SHOWN, "%s", (char *)answer.payload);
    copal_answer_free(&answer);
}

/* ---- sessions ------------------------------------------------------------------------------------------------ */

static void rfc7252_9_1_3_1_who_has_the_key_is_answered(void **state)
{
    static const char *const listened[] = {"127.0.0.1", "0.0.0.0", "::"};
    (void)state;
    for (size_t i = 0; i < sizeof listened / sizeof *listened; i++) {
        uint16_t port;
        copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "anybody");
        copal_host_t *server = secure_host(NULL, theirs, listened[i], &port), *client = secure_client(NULL);
        copal_credentials_close(theirs); /* who listens keeps it */
        assert_int_equal(get(client, ours, port, "v", "hello"), 0);
        assert_int_equal(get(client, ours, port, "v", "hello"), 0);
        copal_credentials_close(ours);
        copal_host_close(client);
        copal_host_close(server);
    }
}

static void who_has_another_key_is_not_answered(void **state)
{
    uint16_t port;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("guess", "anybody");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port);
    copal_host_t *client = hasty_client();
    copal_answer_t answer;
    char uri[64];
    (void)state;
    snprintf(uri, sizeof uri, "coaps://127.0.0.1:%u/v", (unsigned)port);
    assert_int_equal(copal_host_ask(client, &(copal_ask_t){.uri = uri, .credentials = ours}, &answer),
                     COPAL_EHANDSHAKE);
    assert_true(strlen(answer.problem) > 0);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

static void what_comes_without_dtls_is_not_heard(void **state)
{
    uint16_t port;
    uint8_t out[64], in[64];
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port), *client = secure_client(NULL);
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_peer("127.0.0.1", port);
    (void)state;
    wire_send(fd, &to, wire_get(out, sizeof out, 1, "v"));
    assert_int_equal(get(client, ours, port, "v", "hello"), 0); /* came later */
    assert_int_equal(recv(fd, in, sizeof in, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

static void rfc7252_9_1_2_a_session_is_part_of_who_the_peer_is(void **state)
{
    uint16_t port;
    char first[SHOWN], again[SHOWN], other[SHOWN], later[SHOWN];
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_credentials_t *others = client_key("secret", "others");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port), *client = secure_client(NULL);
    add_peer_resource(server);
    (void)state;
    ask_who_we_are(client, ours, port, first);
    ask_who_we_are(client, others, port, other);
    ask_who_we_are(client, ours, port, again); /* neither is in the other's way */
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_int_equal(copal_host_disconnect(client, ours), 0);
    ask_who_we_are(client, ours, port, later);
    assert_string_not_equal(first, later);
    ask_who_we_are(client, others, port, later);
    assert_string_equal(other, later);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(others);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

static void one_host_serves_and_asks_with_and_without_dtls(void **state)
{
    uint16_t secure, plain;
    char uri[64];
    copal_answer_t answer;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *host = secure_host(NULL, theirs, "127.0.0.1", &secure);
    (void)state;
    assert_int_equal(copal_host_listen(host, "127.0.0.1", 0, &plain), 0);
    assert_int_equal(get(host, ours, secure, "v", "hello"), 0);
    snprintf(uri, sizeof uri, "coap://127.0.0.1:%u/v", (unsigned)plain);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.uri = uri}, &answer), 0);
    assert_string_equal((char *)answer.payload, "hello");
    copal_answer_free(&answer);
    assert_int_equal(get(host, ours, secure, "v", "hello"), 0);
    copal_host_close(host);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

static void a_host_name_is_asked_at_the_address_where_the_server_is(void **state)
{
    uint16_t port;
    char uri[64];
    copal_answer_t answer;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port), *client = secure_client(NULL);
    (void)state;
    snprintf(uri, sizeof uri, "coaps://localhost:%u/v", (unsigned)port);
    assert_int_equal(copal_host_ask(client, &(copal_ask_t){.uri = uri, .credentials = ours}, &answer), 0);
    assert_string_equal((char *)answer.payload, "hello");
    copal_answer_free(&answer);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

static void where_nobody_listens_a_session_is_unreachable(void **state)
{
    int fd = wire_open("127.0.0.1");
    const copal_peer_t self = wire_self(fd);
    copal_credentials_t *ours = client_key("secret", "us");
    copal_host_t *client = copal__udp_has_errors ? secure_client(NULL) : hasty_client();
    (void)state;
    close(fd);
    assert_int_equal(get(client, ours, copal__peer_port(&self), "v", NULL),
                     copal__udp_has_errors ? COPAL_EUNREACHABLE : COPAL_ETIMEOUT);
    copal_host_close(client);
    copal_credentials_close(ours);
}

/* ---- large bodies and observing -------------------------------------------------------------------------------- */

static void bodies_of_any_size_go_and_come_through_a_session(void **state)
{
    enum { SIZE = 200000 };
    uint16_t port;
    char uri[64];
    copal_answer_t answer;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port), *client = secure_client(NULL);
    uint8_t *body = malloc(SIZE);
    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (uint8_t)(i * i >> 7);
    snprintf(uri, sizeof uri, "coaps://127.0.0.1:%u/new", (unsigned)port);
    copal_ask_t ask = {.uri = uri, .credentials = ours, .method = COPAL_PUT, .payload = {body, SIZE}};
    assert_int_equal(copal_host_ask(client, &ask, &answer), 0);
    assert_int_equal(answer.code, COPAL_CREATED);
    copal_answer_free(&answer);
    ask = (copal_ask_t){.uri = uri, .credentials = ours};
    assert_int_equal(copal_host_ask(client, &ask, &answer), 0);
    assert_int_equal(answer.size, SIZE);
    assert_memory_equal(answer.payload, body, SIZE);
    copal_answer_free(&answer);
    free(body);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

static uint32_t sessions_of(copal_host_t *server)
{
    uint32_t sessions = 0;
    for (uint32_t i = 0; i < server->worker_count; i++) {
        copal__worker_enter(&server->workers[i]);
        sessions += copal_dtls_sessions(server->workers[i].server.dtls);
        copal__worker_leave(&server->workers[i]);
    }
    return sessions;
}

static void rfc7252_4_4_a_download_that_has_used_up_its_message_ids_goes_on_in_another_session(void **state)
{
    enum { BLOCK = 16, SIZE = 40000 * BLOCK }; /* a counter has 65,536, of which 49,152 can be used at least */
    uint16_t port;
    char uri[64];
    copal_answer_t answer;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port);
    copal_host_t *client = secure_client(NULL);
    uint8_t *body = malloc(SIZE);
    copal_handle_t v;
    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (uint8_t)(i * i >> 7);
    assert_int_equal(copal_tree_find(copal_host_tree(server), "v", &v), 0);
    assert_int_equal(copal_tree_set_value(copal_host_tree(server), v, (copal_bytes_t){body, SIZE}), 0);
    snprintf(uri, sizeof uri, "coaps://127.0.0.1:%u/v", (unsigned)port);
    const copal_ask_t ask = {.uri = uri, .credentials = ours, .block_size = BLOCK};
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(copal_host_ask(client, &ask, &answer), 0);
        assert_int_equal(answer.size, SIZE);
        assert_memory_equal(answer.payload, body, SIZE);
        assert_int_equal(sessions_of(server), i);
        copal_answer_free(&answer);
    }
    free(body);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

typedef struct {
    copal_receiver_t receiver;
    unsigned told;
    int status;
    char last[64];
} watcher_t;

static void watch(copal_receiver_t *self, const copal_response_t *response)
{
    watcher_t *watcher = (watcher_t *)(void *)self;
    watcher->told++;
    watcher->status = response->status;
    if (response->message)
        snprintf(watcher->last, sizeof watcher->last, "%.*s", (int)response->message->payload.size,
                 (const char *)response->message->payload.data);
}

static void begin_to_watch(copal_host_t *client, copal_credentials_t *credentials, uint16_t port, watcher_t *watcher)
{
    const copal_peer_t to = wire_peer("127.0.0.1", port);
    const copal_ask_t ask = {.to = &to, .path = copal_text("v"), .credentials = credentials, .observe = true};
    *watcher = (watcher_t){.receiver = {watch}};
    assert_true(copal_host_request(client, &ask, &watcher->receiver, NULL) >= 0);
    while (watcher->told < 1)
        assert_int_equal(copal_host_step(client, -1), 0);
    assert_int_equal(watcher->status, 0);
}

static void what_is_observed_is_told_through_the_session(void **state)
{
    uint16_t port;
    watcher_t watcher;
    copal_handle_t v;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port), *client = secure_client(NULL);
    (void)state;
    begin_to_watch(client, ours, port, &watcher);
    assert_string_equal(watcher.last, "hello");
    assert_int_equal(copal_tree_find(copal_host_tree(server), "v", &v), 0);
    assert_int_equal(copal_tree_set_value(copal_host_tree(server), v, copal_text("news")), 0);
    while (watcher.told < 2)
        assert_int_equal(copal_host_step(client, -1), 0);
    assert_string_equal(watcher.last, "news");
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

/* ---- what is refused ------------------------------------------------------------------------------------------- */

static void credentials_and_scheme_go_together(void **state)
{
    uint16_t port;
    copal_answer_t answer;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *host = secure_client(NULL), *plain;
    (void)state;
    assert_int_equal(copal_host_open(&plain, NULL), 0);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.uri = "coaps://127.0.0.1/"}, &answer), COPAL_EINVAL);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.uri = "coap://127.0.0.1/", .credentials = ours}, &answer),
                     COPAL_EINVAL);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.uri = "coaps://127.0.0.1/", .credentials = theirs}, &answer),
                     COPAL_EINVAL);
    assert_int_equal(copal_host_request(host, &(copal_ask_t){.uri = "coaps://224.0.1.187/", .credentials = ours}, NULL, NULL),
                     COPAL_EUNSUPPORTED);
    assert_int_equal(copal_host_ask(plain, &(copal_ask_t){.uri = "coaps://127.0.0.1/", .credentials = ours}, &answer),
                     COPAL_EUNSUPPORTED);
    assert_int_equal(copal_host_listen_secure(plain, theirs, "127.0.0.1", 0, &port), COPAL_EUNSUPPORTED);
    assert_int_equal(copal_host_listen_secure(host, ours, "127.0.0.1", 0, &port), COPAL_EINVAL);
    copal_host_close(plain);
    copal_host_close(host);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static uint32_t observers_of(copal__worker_t *worker)
{
    copal__worker_enter(worker);
    const uint32_t observers = copal_endpoint_observers(worker->server.endpoint);
    copal__worker_leave(worker);
    return observers;
}

static void a_server_that_is_full_gives_the_oldest_session_up_and_what_it_observes(void **state)
{
    uint16_t port;
    watcher_t watcher;
    copal_handle_t v;
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server = secure_host(&(copal_host_config_t){.server_dtls.sessions = 1, .workers = 1}, theirs, "127.0.0.1", &port);
    copal_host_t *first = secure_client(NULL), *second = secure_client(NULL);
    (void)state;
    begin_to_watch(first, ours, port, &watcher);
    assert_int_equal(get(second, ours, port, "v", "hello"), 0);
    while (watcher.told < 2)
        assert_int_equal(copal_host_step(first, -1), 0); /* the server said goodbye */
    assert_int_equal(watcher.status, COPAL_ECLOSED);
    assert_int_equal(copal_tree_find(copal_host_tree(server), "v", &v), 0);
    assert_int_equal(copal_tree_set_value(copal_host_tree(server), v, copal_text("news")), 0);
    do
        assert_int_equal(get(second, ours, port, "v", "news"), 0);
    while (observers_of(&server->workers[0]) > 0);
    copal_host_close(first);
    copal_host_close(second);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

/* ---- by multicast -------------------------------------------------------------------------------------------------- */

static void send_to_group(int fd, uint16_t id, const char *path)
{
    uint8_t out[64];
    const copal_peer_t group = wire_peer("224.0.1.187", COPAL_PORT);
    const copal_bytes_t request = wire_get(out, sizeof out, id, path);
    out[0] |= COPAL_NON << 4;
    wire_send(fd, &group, request);
}

/* The next answer from 127.0.0.77: other servers may run on this machine. */
static copal_message_t receive_answer(int fd, uint8_t *in, size_t capacity, copal_peer_t *from)
{
    copal_message_t answer;
    do
        answer = wire_receive(fd, in, capacity, from);
    while (from->data[3] != 77);
    return answer;
}

static void rfc7252_8_1_a_host_of_dtls_only_is_discovered_with_links_of_coaps_and_serves_nothing_else(void **state)
{
    uint16_t port;
    uint8_t in[1280], out[64];
    char links[64];
    copal_peer_t from;
    copal_credentials_t *theirs = server_key("secret");
    copal_host_t *host = secure_host(&(copal_host_config_t){.timing.leisure = 1}, theirs, "127.0.0.77", &port);
    const struct ip_mreqn by = {.imr_ifindex = (int)if_nametoindex("lo")};
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
    assert_int_equal(copal_host_discoverable(host), 0);
    send_to_group(fd, 1, "v");
    send_to_group(fd, 2, ".well-known/core");
    copal_message_t answer = receive_answer(fd, in, sizeof in, &from);
    snprintf(links, sizeof links, "<coaps://127.0.0.77:%u/v>;obs", (unsigned)port);
    assert_int_equal(answer.code, COPAL_CONTENT);
    assert_bytes(answer.payload, links);
    wire_send(fd, &from, wire_get(out, sizeof out, 3, "v"));
    answer = receive_answer(fd, in, sizeof in, &from);
    assert_int_equal(answer.id, 3);
    assert_int_equal(answer.code, COPAL_NOT_FOUND);
    close(fd);
    copal_host_close(host);
    copal_credentials_close(theirs);
}

static void where_some_listen_without_dtls_those_are_discovered(void **state)
{
    uint16_t port;
    uint8_t in[1280], out[64];
    copal_peer_t from;
    copal_credentials_t *theirs = server_key("secret");
    copal_host_t *host = secure_host(&(copal_host_config_t){.timing.leisure = 1}, theirs, "127.0.0.77", &port);
    const struct ip_mreqn by = {.imr_ifindex = (int)if_nametoindex("lo")};
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
    assert_int_equal(copal_host_listen(host, "127.0.0.77", 0, &port), 0);
    assert_int_equal(copal_host_discoverable(host), 0);
    copal_peer_t group = wire_peer("224.0.1.187", port);
    const copal_bytes_t request = wire_get(out, sizeof out, 1, ".well-known/core");
    out[0] |= COPAL_NON << 4;
    wire_send(fd, &group, request);
    assert_bytes(receive_answer(fd, in, sizeof in, &from).payload, "</v>;obs");
    assert_int_equal(copal__peer_port(&from), port);
    close(fd);
    copal_host_close(host);
    copal_credentials_close(theirs);
}

/* ---- tracing ---------------------------------------------------------------------------------------------------- */

typedef struct {
    unsigned messages, wrong;
    copal_peer_t peer;
} traced_t;

static void trace(void *user, bool outgoing, const copal_peer_t *peer, copal_bytes_t message)
{
    traced_t *traced = user;
    copal_message_t parsed;
    (void)outgoing;
    traced->messages++;
    traced->wrong += copal_message_parse(&parsed, message) != 0;
    traced->peer = *peer;
}

static void a_trace_shows_what_is_inside_of_records(void **state)
{
    uint16_t port, shown;
    char address[64];
    traced_t traced = {0};
    copal_credentials_t *theirs = server_key("secret"), *ours = client_key("secret", "us");
    copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port);
    copal_host_t *client = secure_client(&(copal_host_config_t){.trace = trace, .user = &traced});
    (void)state;
    assert_int_equal(get(client, ours, port, "v", "hello"), 0);
    assert_int_equal(traced.messages, 2);
    assert_int_equal(traced.wrong, 0);
    copal_peer_to_text(&traced.peer, address, sizeof address, &shown);
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(shown, port);
    copal_host_close(client);
    copal_host_close(server);
    copal_credentials_close(ours);
    copal_credentials_close(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_9_1_3_1_who_has_the_key_is_answered),
        cmocka_unit_test(who_has_another_key_is_not_answered),
        cmocka_unit_test(what_comes_without_dtls_is_not_heard),
        cmocka_unit_test(rfc7252_9_1_2_a_session_is_part_of_who_the_peer_is),
        cmocka_unit_test(one_host_serves_and_asks_with_and_without_dtls),
        cmocka_unit_test(a_host_name_is_asked_at_the_address_where_the_server_is),
        cmocka_unit_test(where_nobody_listens_a_session_is_unreachable),
        cmocka_unit_test(bodies_of_any_size_go_and_come_through_a_session),
        cmocka_unit_test(rfc7252_4_4_a_download_that_has_used_up_its_message_ids_goes_on_in_another_session),
        cmocka_unit_test(what_is_observed_is_told_through_the_session),
        cmocka_unit_test(credentials_and_scheme_go_together),
        cmocka_unit_test(a_server_that_is_full_gives_the_oldest_session_up_and_what_it_observes),
        cmocka_unit_test(rfc7252_8_1_a_host_of_dtls_only_is_discovered_with_links_of_coaps_and_serves_nothing_else),
        cmocka_unit_test(where_some_listen_without_dtls_those_are_discovered),
        cmocka_unit_test(a_trace_shows_what_is_inside_of_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
