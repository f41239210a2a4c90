/* More requests to one peer than there are message IDs (RFC 7252 section 4.4): the client takes further local ports. */
#define _GNU_SOURCE 1
#include "wire.h"

#include <stdlib.h>

enum {
    AT_ONCE = 64,
    ALL_IDS = 65536,
    PORTS = 8, /* more than any of these tests needs */
};

typedef struct {
    copal_receiver_t receiver;
    int answered;
} client_t;

/* What the peer has seen: each message ID of each port, once. */
typedef struct {
    int fd;
    int ports;
    copal_peer_t port[PORTS];
    bool seen[PORTS][ALL_IDS];
} server_t;

static void count(copal_receiver_t *self, const copal_response_t *response)
{
    client_t *client = (client_t *)(void *)self;
    assert_int_equal(response->status, 0);
    assert_int_equal(response->message->code, COPAL_CONTENT);
    client->answered++;
}

static void note(server_t *server, const copal_peer_t *from, uint16_t id)
{
    int i = 0;
    while (i < server->ports && memcmp(&server->port[i], from, sizeof *from) != 0)
        i++;
    assert_true(i < PORTS);
    if (i == server->ports)
        server->port[server->ports++] = *from;
    assert_false(server->seen[i][id]);
    server->seen[i][id] = true;
}

static void answer_one(server_t *server)
{
    uint8_t in[128], out[64];
    copal_peer_t from;
    copal_writer_t w;
    copal_bytes_t datagram;
    const copal_message_t request = wire_receive(server->fd, in, sizeof in, &from);
    note(server, &from, request.id);
    copal_writer_init(&w, out, sizeof out);
    copal_write_header(&w, request.type == COPAL_CON ? COPAL_ACK : COPAL_NON, COPAL_CONTENT, request.id, request.token);
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    wire_send(server->fd, &from, datagram);
}

static copal_host_t *open_client(uint32_t counters)
{
    copal_host_t *host;
    const copal_host_config_t config = {
        .timing = {.nstart = AT_ONCE, .probing_rate = UINT32_MAX, .ack_timeout = WIRE_PATIENCE * 1000},
        .client = {.requests = AT_ONCE, .counters = counters},
    };
    assert_int_equal(copal_host_open(&host, &config), 0);
    return host;
}

static server_t *open_server(void)
{
    server_t *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->fd = wire_open("127.0.0.1");
    return server;
}

static void close_server(server_t *server)
{
    close(server->fd);
    free(server);
}

/* As many as are asked for, and all are answered; or as there are message IDs. */
static int ask(copal_host_t *host, server_t *server, bool non, int requests)
{
    const copal_peer_t to = wire_self(server->fd);
    const copal_ask_t what = {.to = &to, .non_confirmable = non};
    client_t client = {.receiver = {count}};
    int asked = 0, status = 0;
    while (asked < requests && status >= 0) {
        int answers = 0;
        while (answers < AT_ONCE && asked + answers < requests && status >= 0) {
            status = copal_host_request(host, &what, &client.receiver, NULL);
            answers += status >= 0;
        }
        asked += answers;
        assert_int_equal(copal_host_step(host, 0), 0);
        for (int i = 0; i < answers; i++)
            answer_one(server);
        while (client.answered < asked)
            assert_int_equal(copal_host_step(host, -1), 0);
    }
    assert_true(status >= 0 || status == COPAL_EFULL);
    return asked;
}

/* One port has 65,536 in an EXCHANGE_LIFETIME, so these take three. */
static void ask_more_than_two_ports_have(bool non)
{
    enum { REQUESTS = 2 * ALL_IDS + AT_ONCE };
    copal_host_t *host = open_client(0);
    server_t *server = open_server();
    assert_int_equal(ask(host, server, non, REQUESTS), REQUESTS);
    assert_in_range(server->ports, 3, PORTS);
    close_server(server);
    copal_host_close(host);
}

static void rfc7252_4_4_requests_go_on_from_another_port_when_message_ids_run_out(void **state)
{
    (void)state;
    ask_more_than_two_ports_have(false);
}

static void rfc7252_4_4_so_do_those_in_a_non(void **state)
{
    (void)state;
    ask_more_than_two_ports_have(true);
}

/* The new port is the first for a second peer, and has all its message IDs for that. */
static void another_peer_is_asked_from_the_port_that_was_taken_last(void **state)
{
    copal_host_t *host = open_client(0);
    server_t *first = open_server(), *second = open_server();
    (void)state;
    assert_int_equal(ask(host, first, false, ALL_IDS + 1), ALL_IDS + 1);
    assert_int_equal(ask(host, second, false, 1), 1);
    assert_same_peer(&second->port[0], &first->port[first->ports - 1]);
    close_server(first);
    close_server(second);
    copal_host_close(host);
}

/* On a host whose message IDs are unique over all peers, another port has no others. */
static void with_one_counter_there_is_one_port(void **state)
{
    copal_host_t *host = open_client(1);
    server_t *server = open_server();
    (void)state;
    assert_in_range(ask(host, server, false, ALL_IDS + 1), ALL_IDS * 3 / 4, ALL_IDS);
    assert_int_equal(server->ports, 1);
    close_server(server);
    copal_host_close(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_4_4_requests_go_on_from_another_port_when_message_ids_run_out),
        cmocka_unit_test(rfc7252_4_4_so_do_those_in_a_non),
        cmocka_unit_test(another_peer_is_asked_from_the_port_that_was_taken_last),
        cmocka_unit_test(with_one_counter_there_is_one_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
