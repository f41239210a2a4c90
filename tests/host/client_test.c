#define _GNU_SOURCE 1
#include "wire.h"

#include "host/local.h"
#include "host/udp.h"

#include <errno.h>
#include <stdio.h>

/* ---- outcomes ------------------------------------------------------------------------------------------- */

typedef struct {
    copal_receiver_t receiver;
    int ended; /* times */
    int told;  /* times, the end included */
    int status;
    uint16_t id;
    copal_code_t code;
    uint8_t payload[64];
    size_t size;
} outcome_t;

static void keep(copal_receiver_t *self, const copal_response_t *response)
{
    outcome_t *outcome = (outcome_t *)(void *)self;
    outcome->ended += response->ended;
    outcome->told++;
    outcome->status = response->status;
    outcome->id = response->id;
    if (!response->message)
        return;
    outcome->code = response->message->code;
    outcome->size = response->message->payload.size;
    assert_true(outcome->size <= sizeof outcome->payload);
    memcpy(outcome->payload, response->message->payload.data, outcome->size);
}

static int ask(copal_host_t *host, const copal_ask_t *what, outcome_t *outcome)
{
    *outcome = (outcome_t){.receiver = {keep}};
    return copal_host_request(host, what, &outcome->receiver, NULL);
}

static void wait_for(copal_host_t *host, const outcome_t *outcome)
{
    while (!outcome->ended)
        assert_int_equal(copal_host_step(host, -1), 0);
    assert_int_equal(outcome->ended, 1);
}

static copal_host_t *open_client(const copal_host_config_t *config)
{
    copal_host_t *host;
    assert_int_equal(copal_host_open(&host, config), 0);
    return host;
}

/* ---- whom ----------------------------------------------------------------------------------------------- */

static void a_uri_is_asked_over_either_family(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]",     "[::ffff:127.0.0.2]",
                                        "localhost", "LOCALHOST", "l%6fcalhost"};
    uint16_t port;
    copal_host_t *server = wire_host(NULL, "::", &port), *host = open_client(NULL);
    (void)state;
    assert_int_equal(copal_host_start(server), 0);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char uri[64];
        outcome_t outcome;
        snprintf(uri, sizeof uri, "coap://%s:%u/v", hosts[i], (unsigned)port);
        int id = ask(host, &(copal_ask_t){.uri = uri}, &outcome);
        assert_true(id >= 0);
        wait_for(host, &outcome);
        assert_int_equal(outcome.status, 0);
        assert_int_equal(outcome.id, id);
        assert_int_equal(outcome.code, COPAL_CONTENT);
        assert_memory_equal(outcome.payload, "hello", 5);
    }
    copal_host_close(host);
    copal_host_close(server);
}

/* fe80::1 on the loopback interface is nobody's: what counts is that the zone is understood and the socket takes it. */
static void a_zone_may_stand_in_a_uri_in_both_ways(void **state)
{
    copal_host_t *host = open_client(NULL);
    outcome_t outcome;
    (void)state;
    assert_true(ask(host, &(copal_ask_t){.uri = "coap://[fe80::1%25lo]/v"}, &outcome) >= 0);
    assert_true(ask(host, &(copal_ask_t){.uri = "coap://[fe80::1%lo]:61/v"}, &outcome) >= 0);
    assert_int_equal(ask(host, &(copal_ask_t){.uri = "coap://[fe80::1%25nowhere]/v"}, &outcome), COPAL_ERESOLVE);
    copal_host_close(host);
}

static void what_cannot_be_asked_is_told_apart(void **state)
{
    copal_host_t *host = open_client(NULL);
    copal_peer_t group = wire_peer("224.0.1.187", 5683), none = {.size = 3};
    outcome_t outcome;
    (void)state;
    assert_int_equal(ask(host, &(copal_ask_t){.uri = "http://localhost/"}, &outcome), COPAL_EURI);
    assert_int_equal(ask(host, &(copal_ask_t){.uri = "coaps://localhost/"}, &outcome), COPAL_EUNSUPPORTED);
    assert_int_equal(ask(host, &(copal_ask_t){.uri = "coap://x%00y/"}, &outcome), COPAL_ERESOLVE);
    assert_int_equal(ask(host, &(copal_ask_t){.to = &group, .ping = true}, &outcome), COPAL_EINVAL);
    assert_int_equal(ask(host, &(copal_ask_t){.to = &group, .observe = true}, &outcome), COPAL_EINVAL);
    assert_int_equal(ask(host, &(copal_ask_t){.to = &group, .etag = copal_text("x")}, &outcome), COPAL_EINVAL);
    assert_int_equal(ask(host, &(copal_ask_t){.to = &none}, &outcome), COPAL_EINVAL);
    assert_int_equal(ask(host, &(copal_ask_t){.path = copal_text("v")}, &outcome), COPAL_EINVAL);
    copal_peer_t to = wire_peer("127.0.0.1", 9);
    assert_int_equal(ask(host, &(copal_ask_t){.to = &to, .path = copal_text("%zz")}, &outcome), COPAL_EINVAL);
    assert_int_equal(ask(host, &(copal_ask_t){.to = &to, .payload = {(uint8_t[2000]){0}, 2000}}, &outcome),
                     COPAL_ESPACE);
    copal_host_close(host);
}

static void the_client_s_address_can_be_given(void **state)
{
    copal_host_config_t config = {.client_address = "127.0.0.9"};
    uint8_t in[64];
    copal_host_t *host = open_client(&config);
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_self(fd), from, v6 = wire_peer("::1", 9);
    char text[64];
    outcome_t outcome;
    (void)state;
    assert_true(ask(host, &(copal_ask_t){.to = &to}, &outcome) >= 0);
    assert_int_equal(copal_host_step(host, 0), 0);
    wire_receive(fd, in, sizeof in, &from);
    copal_peer_to_text(&from, text, sizeof text, NULL);
    assert_string_equal(text, "127.0.0.9");
    errno = 0;
    assert_int_equal(ask(host, &(copal_ask_t){.to = &v6}, &outcome), COPAL_ESYSTEM);
    assert_int_equal(errno, EAFNOSUPPORT);
    close(fd);
    copal_host_close(host);
}

/* An address of one's own keeps the URI's options: a name server is not asked. */
static void an_address_may_be_given_beside_the_uri(void **state)
{
    uint8_t in[128];
    copal_option_t option;
    copal_host_t *host = open_client(NULL);
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_self(fd);
    outcome_t outcome;
    (void)state;
    assert_true(ask(host, &(copal_ask_t){.to = &to, .uri = "coap://Device.example/a?b"}, &outcome) >= 0);
    assert_int_equal(copal_host_step(host, 0), 0);
    copal_message_t request = wire_receive(fd, in, sizeof in, NULL);
    assert_true(copal_option_find(&request, COPAL_OPTION_URI_HOST, &option));
    assert_bytes(option.value, "device.example");
    close(fd);
    copal_host_close(host);
}

/* ---- what ----------------------------------------------------------------------------------------------- */

static void assert_next_option(copal_option_reader_t *reader, uint16_t number, const char *value)
{
    copal_option_t option;
    assert_true(copal_option_next(reader, &option));
    assert_int_equal(option.number, number);
    assert_bytes(option.value, value);
}

static void every_field_of_an_ask_reaches_the_wire(void **state)
{
    uint8_t in[128];
    copal_host_t *host = open_client(NULL);
    int fd = wire_open("::1");
    copal_peer_t to = wire_self(fd);
    outcome_t outcome;
    copal_ask_t what = {
        .to = &to,
        .path = copal_text("a/b?c=d"),
        .method = COPAL_PUT,
        .has_content_format = true,
        .content_format = 50,
        .has_accept = true,
        .accept = 60,
        .if_none_match = true,
        .etag = copal_text("E"),
        .has_if_match = true,
        .if_match = copal_text("M"),
        .given_token = true,
        .token = copal_text("tok"),
        .payload = copal_text("body"),
    };
    (void)state;
    int id = ask(host, &what, &outcome);
    assert_int_equal(copal_host_step(host, 0), 0);
    copal_message_t request = wire_receive(fd, in, sizeof in, NULL);
    assert_int_equal(request.type, COPAL_CON);
    assert_int_equal(request.code, COPAL_PUT);
    assert_int_equal(request.id, id);
    assert_bytes(request.token, "tok");
    assert_bytes(request.payload, "body");
    copal_option_reader_t options = copal_message_options(&request);
    copal_option_t none;
    assert_next_option(&options, COPAL_OPTION_IF_MATCH, "M");
    assert_next_option(&options, COPAL_OPTION_ETAG, "E");
    assert_next_option(&options, COPAL_OPTION_IF_NONE_MATCH, "");
    assert_next_option(&options, COPAL_OPTION_URI_PATH, "a");
    assert_next_option(&options, COPAL_OPTION_URI_PATH, "b");
    assert_next_option(&options, COPAL_OPTION_CONTENT_FORMAT, "2");
    assert_next_option(&options, COPAL_OPTION_URI_QUERY, "c=d");
    assert_next_option(&options, COPAL_OPTION_ACCEPT, "<");
    assert_false(copal_option_next(&options, &none));
    close(fd);
    copal_host_close(host);
}

static void an_ask_without_options_is_header_token_and_payload(void **state)
{
    uint8_t in[128];
    copal_host_t *host = open_client(NULL);
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_self(fd);
    outcome_t outcome;
    copal_ask_t what = {.to = &to,
                        .path = copal_text("a"),
                        .has_accept = true,
                        .no_options = true,
                        .non_confirmable = true,
                        .given_token = true,
                        .payload = copal_text("x")};
    (void)state;
    assert_true(ask(host, &what, &outcome) >= 0);
    assert_int_equal(copal_host_step(host, 0), 0);
    copal_message_t request = wire_receive(fd, in, sizeof in, NULL);
    assert_int_equal(request.type, COPAL_NON);
    assert_int_equal(request.code, COPAL_GET);
    assert_int_equal(request.token.size, 0);
    assert_int_equal(request.options.size, 0);
    assert_bytes(request.payload, "x");
    close(fd);
    copal_host_close(host);
}

/* ---- ends ------------------------------------------------------------------------------------------------- */

static void rfc7252_4_3_a_ping_ends_with_the_reset(void **state)
{
    uint16_t port;
    copal_host_t *server = wire_host(NULL, "127.0.0.1", &port), *host = open_client(NULL);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    outcome_t outcome;
    (void)state;
    assert_int_equal(copal_host_start(server), 0);
    assert_true(ask(host, &(copal_ask_t){.to = &to, .ping = true}, &outcome) >= 0);
    wait_for(host, &outcome);
    assert_int_equal(outcome.status, 0);
    copal_host_close(host);
    copal_host_close(server);
}

/* Retransmissions would take over a minute by default. Where the system cannot tell which request an ICMP error is
 * about, it is not taken into account (RFC 7252 section 4.2), so the time-out is set to come soon. */
static void rfc7252_4_2_port_unreachable_ends_a_request(void **state)
{
    static const char *const closed[] = {"127.0.0.1", "::1"};
    copal_host_config_t soon = {.timing = {.ack_timeout = 1, .max_retransmit = 1}};
    (void)state;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        copal_host_t *host = open_client(copal__udp_has_errors ? NULL : &soon);
        int fd = wire_open(closed[i]);
        copal_peer_t to = wire_self(fd);
        outcome_t outcome;
        close(fd);
        assert_true(ask(host, &(copal_ask_t){.to = &to}, &outcome) >= 0);
        wait_for(host, &outcome);
        assert_int_equal(outcome.status, copal__udp_has_errors ? COPAL_EUNREACHABLE : COPAL_ETIMEOUT);
        copal_host_close(host);
    }
}

/* 127.0.0.1 may not leave the machine, so the kernel refuses to send this. The one behind it in the batch goes. */
static void what_cannot_be_sent_ends_at_once_and_the_next_one_is_sent(void **state)
{
    copal_host_config_t config = {.client_address = "127.0.0.1"};
    uint16_t port;
    copal_host_t *server = wire_host(NULL, "127.0.0.1", &port), *host = open_client(&config);
    copal_peer_t nowhere = wire_peer("192.0.2.1", 5683), to = wire_peer("127.0.0.1", port);
    outcome_t lost, found;
    (void)state;
    assert_int_equal(copal_host_start(server), 0);
    assert_true(ask(host, &(copal_ask_t){.to = &nowhere}, &lost) >= 0);
    copal_ask_t once = {.to = &to, .path = copal_text("v"), .non_confirmable = true, .timeout = WIRE_PATIENCE * 1000};
    assert_true(ask(host, &once, &found) >= 0);
    assert_int_equal(copal_host_step(host, 0), 0);
    assert_int_equal(lost.ended, 1);
    assert_int_equal(lost.status, COPAL_EUNREACHABLE);
    wait_for(host, &found);
    assert_int_equal(found.status, 0);
    copal_host_close(host);
    copal_host_close(server);
}

/* Each ICMP error of a peer that is gone meets a datagram to another one that is just being sent. What is asked in a
 * NON is sent once only. */
static void errors_of_some_peers_are_not_those_of_others(void **state)
{
    enum { EACH = COPAL__LOCALS }; /* the server answers from as many addresses */
    copal_host_config_t soon = {.timing = {.ack_timeout = 200, .max_retransmit = 1}};
    uint16_t port;
    copal_host_t *server = wire_host(NULL, "0.0.0.0", &port), *host = open_client(&soon);
    static outcome_t good[EACH], bad[EACH];
    int gone[EACH];
    (void)state;
    assert_int_equal(copal_host_start(server), 0);
    for (int i = 0; i < EACH; i++)
        gone[i] = wire_open("127.0.0.1");
    for (int i = 0; i < EACH; i++) {
        char address[32];
        snprintf(address, sizeof address, "127.0.1.%d", i + 1);
        copal_peer_t to = wire_peer(address, port), closed = wire_self(gone[i]);
        copal_ask_t once = {
            .to = &to, .path = copal_text("v"), .non_confirmable = true, .timeout = WIRE_PATIENCE * 1000};
        close(gone[i]);
        assert_true(ask(host, &once, &good[i]) >= 0);
        assert_true(ask(host, &(copal_ask_t){.to = &closed}, &bad[i]) >= 0);
    }
    for (int i = 0; i < EACH; i++) {
        wait_for(host, &good[i]);
        wait_for(host, &bad[i]);
        assert_int_equal(good[i].status, 0);
        assert_int_equal(bad[i].status, copal__udp_has_errors ? COPAL_EUNREACHABLE : COPAL_ETIMEOUT);
    }
    copal_host_close(host);
    copal_host_close(server);
}

static void a_cancelled_request_ends_silently(void **state)
{
    copal_host_t *host = open_client(NULL);
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_self(fd);
    outcome_t outcome = {.receiver = {keep}};
    copal_handle_t handle;
    (void)state;
    assert_true(copal_host_request(host, &(copal_ask_t){.to = &to}, &outcome.receiver, &handle) >= 0);
    assert_int_equal(copal_host_cancel(host, handle), 0);
    assert_int_equal(copal_host_cancel(host, handle), COPAL_ESTALE);
    assert_int_equal(copal_host_step(host, 0), 0);
    assert_int_equal(copal_host_timeout(host), -1);
    assert_int_equal(outcome.ended, 0);
    close(fd);
    copal_host_close(host);
}

/* What the observer under test sends next. */
static copal_message_t next_request(copal_host_t *host, int fd, uint8_t *buffer, size_t capacity, copal_peer_t *from)
{
    assert_int_equal(copal_host_step(host, 0), 0);
    return wire_receive(fd, buffer, capacity, from);
}

static void tell(int fd, const copal_peer_t *to, copal_type_t type, uint16_t id, copal_bytes_t token, int observe,
                 const char *text)
{
    uint8_t buffer[64];
    copal_writer_t w;
    copal_bytes_t datagram;
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_header(&w, type, COPAL_CONTENT, id, token);
    if (observe >= 0)
        copal_write_option_uint(&w, COPAL_OPTION_OBSERVE, (uint32_t)observe);
    copal_write_text(&w, text);
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    wire_send(fd, to, datagram);
}

static void wait_until_told(copal_host_t *host, const outcome_t *outcome, int times)
{
    while (outcome->told < times)
        assert_int_equal(copal_host_step(host, -1), 0);
}

static void rfc7641_an_observation_is_told_of_each_state_until_it_is_cancelled(void **state)
{
    copal_host_t *host = open_client(NULL);
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_self(fd), self;
    outcome_t outcome = {.receiver = {keep}};
    copal_handle_t handle;
    copal_option_t option;
    uint8_t buffer[128], again[128];
    (void)state;
    copal_ask_t observe = {.to = &to, .path = copal_text("v"), .observe = true};
    assert_true(copal_host_request(host, &observe, &outcome.receiver, &handle) >= 0);
    copal_message_t request = next_request(host, fd, buffer, sizeof buffer, &self);
    assert_true(copal_option_find(&request, COPAL_OPTION_OBSERVE, &option));
    assert_int_equal(option.value.size, 0);
    tell(fd, &self, COPAL_ACK, request.id, request.token, 1, "one");
    wait_until_told(host, &outcome, 1);
    tell(fd, &self, COPAL_NON, 77, request.token, 2, "two");
    wait_until_told(host, &outcome, 2);
    assert_bytes((copal_bytes_t){outcome.payload, outcome.size}, "two");
    assert_int_equal(outcome.ended, 0);

    assert_int_equal(copal_host_cancel(host, handle), 0);
    assert_int_equal(copal_host_cancel(host, handle), COPAL_ESTALE);
    copal_message_t last = next_request(host, fd, again, sizeof again, &self);
    assert_true(copal_option_find(&last, COPAL_OPTION_OBSERVE, &option));
    assert_int_equal(copal_option_uint(&option), 1);
    assert_int_equal(last.token.size, request.token.size);
    assert_memory_equal(last.token.data, request.token.data, last.token.size);
    tell(fd, &self, COPAL_ACK, last.id, last.token, -1, "two");
    while (copal_host_timeout(host) >= 0) /* the answer ends the deregistration */
        assert_int_equal(copal_host_step(host, -1), 0);
    assert_int_equal(outcome.told, 2);
    close(fd);
    copal_host_close(host);
}

static void an_answer_is_not_waited_for_where_many_may_come(void **state)
{
    copal_host_t *host = open_client(NULL);
    copal_answer_t answer;
    (void)state;
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.uri = "coap://127.0.0.1", .observe = true}, &answer),
                     COPAL_EINVAL);
    copal_host_close(host);
}

static void the_addresses_of_a_uri_can_be_had(void **state)
{
    copal_peer_t peers[4];
    (void)state;
    copal_peer_t four = wire_peer("127.0.0.1", 61616), six = wire_peer("::1", COPAL_PORT);
    assert_int_equal(copal_peers_from_uri(peers, 4, "coap://127.0.0.1:61616/a"), 1);
    assert_same_peer(&peers[0], &four);
    assert_int_equal(copal_peers_from_uri(peers, 4, "coap://[::1]"), 1);
    assert_same_peer(&peers[0], &six);
    assert_in_range(copal_peers_from_uri(peers, 4, "coap://localhost/"), 1, 4);
    assert_int_equal(copal_peers_from_uri(peers, 1, "coap://localhost/"), 1);
    assert_int_equal(copal_peers_from_uri(peers, 4, "coaps://127.0.0.1"), 1);
    assert_int_equal(copal__peer_port(&peers[0]), COPAL_SECURE_PORT);
    assert_int_equal(copal_peers_from_uri(peers, 4, "127.0.0.1"), COPAL_EURI);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uri_is_asked_over_either_family),
        cmocka_unit_test(a_zone_may_stand_in_a_uri_in_both_ways),
        cmocka_unit_test(what_cannot_be_asked_is_told_apart),
        cmocka_unit_test(the_client_s_address_can_be_given),
        cmocka_unit_test(an_address_may_be_given_beside_the_uri),
        cmocka_unit_test(every_field_of_an_ask_reaches_the_wire),
        cmocka_unit_test(an_ask_without_options_is_header_token_and_payload),
        cmocka_unit_test(rfc7252_4_3_a_ping_ends_with_the_reset),
        cmocka_unit_test(rfc7252_4_2_port_unreachable_ends_a_request),
        cmocka_unit_test(what_cannot_be_sent_ends_at_once_and_the_next_one_is_sent),
        cmocka_unit_test(errors_of_some_peers_are_not_those_of_others),
        cmocka_unit_test(a_cancelled_request_ends_silently),
        cmocka_unit_test(rfc7641_an_observation_is_told_of_each_state_until_it_is_cancelled),
        cmocka_unit_test(an_answer_is_not_waited_for_where_many_may_come),
        cmocka_unit_test(the_addresses_of_a_uri_can_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
