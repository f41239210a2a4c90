/* Being heard by multicast, and asking by it, on the loopback interface, which does IPv4 only. (IPv6, and several hosts:
 * tests/tool/test_multicast.py.) */
#define _GNU_SOURCE 1
#include "host/group.h"
#include "wire.h"

#include <net/if.h>

/* ---- the server --------------------------------------------------------------------------------------- */

static const copal_host_config_t at_once = {.timing = {.leisure = 1}};

/* A host that listens on `address` and is discoverable, running. */
static copal_host_t *discoverable(const char *address, uint16_t *port)
{
    copal_host_t *host = wire_host(&at_once, address, port);
    assert_int_equal(copal_host_discoverable(host), 0);
    assert_int_equal(copal_host_start(host), 0);
    return host;
}

/* A socket that sends to groups by the loopback interface. */
static int open_asker(void)
{
    int fd = wire_open("127.0.0.1");
    const struct ip_mreqn by = {.imr_ifindex = (int)if_nametoindex("lo")};
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
    return fd;
}

static copal_bytes_t get(uint8_t *buffer, size_t capacity, copal_type_t type, uint16_t id, const char *path)
{
    copal_bytes_t datagram = wire_get(buffer, capacity, id, path);
    buffer[0] = (uint8_t)((buffer[0] & 0xcf) | (unsigned)type << 4);
    return datagram;
}

static void rfc7252_8_a_request_to_the_group_is_answered_from_the_address_that_is_listened_on(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.7"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        uint16_t port;
        uint8_t out[64], in[256];
        copal_host_t *host = discoverable(addresses[i], &port);
        copal_peer_t group = wire_peer("224.0.1.187", port), self = wire_peer(addresses[i], port), from;
        int fd = open_asker();
        wire_send(fd, &group, get(out, sizeof out, COPAL_NON, 1, "v"));
        copal_message_t answer = wire_receive(fd, in, sizeof in, &from);
        assert_int_equal(answer.type, COPAL_NON);
        assert_int_equal(answer.code, COPAL_CONTENT);
        assert_bytes(answer.payload, "hello");
        assert_same_peer(&from, &self);
        close(fd);
        copal_host_close(host);
    }
}

/* What is not answered is followed by what is, and that is the first to come. */
static void by_multicast_there_is_no_acknowledgement_no_reset_and_no_error(void **state)
{
    (void)state;
    uint16_t port;
    uint8_t out[64], in[256];
    copal_host_t *host = discoverable("127.0.0.1", &port);
    copal_peer_t group = wire_peer("224.0.1.187", port);
    int fd = open_asker();
    wire_send(fd, &group, get(out, sizeof out, COPAL_CON, 1, "v"));
    wire_send(fd, &group, get(out, sizeof out, COPAL_NON, 2, "none"));
    wire_send(fd, &group, (copal_bytes_t){(const uint8_t[]){0x40, 0, 0, 3}, 4}); /* a ping */
    wire_send(fd, &group, get(out, sizeof out, COPAL_NON, 4, "v"));
    assert_int_equal(wire_receive(fd, in, sizeof in, NULL).code, COPAL_CONTENT);
    close(fd);
    copal_host_close(host);
}

static void two_servers_of_a_machine_hear_a_group_each_by_its_own_address(void **state)
{
    (void)state;
    uint16_t port, seen = 0;
    uint8_t out[64], in[256];
    copal_host_t *first = discoverable("127.0.0.1", &port), *second;
    assert_int_equal(copal_host_open(&second, &at_once), 0);
    assert_int_equal(copal_host_listen(second, "127.0.0.2", port, NULL), 0);
    assert_int_equal(copal_host_discoverable(second), 0);
    assert_int_equal(copal_host_start(second), 0);
    copal_peer_t group = wire_peer("224.0.1.187", port), from;
    int fd = open_asker();
    wire_send(fd, &group, get(out, sizeof out, COPAL_NON, 1, ".well-known/core"));
    for (int i = 0; i < 2; i++) {
        wire_receive(fd, in, sizeof in, &from);
        seen |= (uint16_t)(1u << from.data[3]);
    }
    assert_int_equal(seen, 1 << 1 | 1 << 2);
    close(fd);
    copal_host_close(first);
    copal_host_close(second);
}

static void a_server_that_is_not_discoverable_hears_no_group(void **state)
{
    (void)state;
    uint16_t port;
    uint8_t out[64], in[256];
    copal_host_t *deaf, *host = discoverable("127.0.0.1", &port);
    assert_int_equal(copal_host_open(&deaf, &at_once), 0);
    assert_int_equal(copal_host_listen(deaf, "127.0.0.2", port, NULL), 0);
    assert_int_equal(copal_host_start(deaf), 0);
    copal_peer_t group = wire_peer("224.0.1.187", port), other = wire_peer("127.0.0.2", port), from;
    int fd = open_asker();
    for (uint16_t id = 1; id <= 20; id++) {
        wire_send(fd, &group, get(out, sizeof out, COPAL_NON, id, ".well-known/core"));
        wire_receive(fd, in, sizeof in, &from);
        assert_int_equal(from.data[3], 1);
        wire_send(fd, &other, wire_get(out, sizeof out, id, "none")); /* it is there */
        assert_int_equal(wire_receive(fd, in, sizeof in, &from).code, COPAL_NOT_FOUND);
    }
    close(fd);
    copal_host_close(host);
    copal_host_close(deaf);
}

static void what_keeps_a_host_from_being_discoverable_is_told(void **state)
{
    (void)state;
    copal_host_t *host;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    assert_int_equal(copal_host_discoverable(host), COPAL_ENOTFOUND);
    for (int i = 0; i < 24; i++)
        assert_int_equal(copal_host_listen(host, "127.0.0.1", 0, NULL), 0);
    size_t before = copal_host_descriptors(host, NULL, 0);
    assert_int_equal(copal_host_discoverable(host), COPAL_EFULL);
    assert_int_equal(copal_host_descriptors(host, NULL, 0), before);
    copal_host_close(host);
    assert_int_equal(copal_host_open(&host, NULL), 0);
    assert_int_equal(copal_host_listen(host, "127.0.0.1", 0, NULL), 0);
    before = copal_host_descriptors(host, NULL, 0);
    assert_int_equal(copal_host_discoverable(host), 0);
    assert_int_equal(copal_host_discoverable(host), COPAL_EEXIST);
    assert_int_equal(copal_host_descriptors(host, NULL, 0), before + 1);
    copal_host_close(host);
}

static void the_interface_of_an_address_is_found(void **state)
{
    (void)state;
    const copal_peer_t here = wire_peer("127.0.0.1", 5683), six = wire_peer("::1", 1), any = wire_peer("::", 5683),
                       elsewhere = wire_peer("192.0.2.1", 5683);
    const struct {
        const copal_peer_t *address;
        uint32_t index;
    } rows[] = {{&here, if_nametoindex("lo")}, {&six, if_nametoindex("lo")}, {&any, 0}, {&elsewhere, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t index;
        assert_int_equal(copal__interface_of(rows[i].address, &index), 0);
        assert_int_equal(index, rows[i].index);
    }
}

/* ---- the client -------------------------------------------------------------------------------------------- */

enum { SENDERS = 8, BODY = 5000 };

/* What came of a task to a group. */
typedef struct {
    copal_task_t task; /* first */
    unsigned answers, errors, ends;
    copal_peer_t senders[SENDERS];
    copal_code_t codes[SENDERS];
    int status;
    size_t sizes[SENDERS], written;
    uint8_t body[BODY];
} crowd_t;

static int write_piece(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    crowd_t *c = (crowd_t *)task;
    assert_true(offset + piece.size <= BODY);
    if (piece.size)
        memcpy(c->body + offset, piece.data, piece.size);
    c->written = offset + piece.size;
    return 0;
}

static void done(copal_task_t *task, const copal_response_t *response)
{
    crowd_t *c = (crowd_t *)task;
    c->ends += response->ended;
    if (response->ended)
        assert_null(response->message);
    if (response->message) {
        assert_true(c->answers < SENDERS);
        c->senders[c->answers] = response->from->peer;
        c->sizes[c->answers] = c->written;
        c->codes[c->answers] = response->message->code;
        c->answers++;
    } else if (!response->ended) {
        c->status = response->status;
        c->errors++;
    }
    c->written = 0;
}

/* Asks all that hear the group on the loopback interface, and waits for the end. */
static void ask_group(copal_host_t *client, uint16_t port, copal_ask_t ask, crowd_t *c)
{
    const copal_peer_t group = wire_peer("224.0.1.187%lo", port);
    *c = (crowd_t){.task = {.write = write_piece, .done = done}};
    ask.to = &group;
    ask.timeout = 2000;
    assert_true(copal_host_transfer(client, &ask, &c->task) >= 0);
    while (!c->ends)
        assert_int_equal(copal_host_step(client, -1), 0);
}

static copal_host_t *open_client(void)
{
    copal_host_t *client;
    assert_int_equal(copal_host_open(&client, NULL), 0);
    return client;
}

static copal_host_t *serve_large(uint16_t *port, uint8_t fill)
{
    uint8_t body[BODY];
    const copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL, .etag = true};
    copal_host_t *host;
    char address[] = {'1', '2', '7', '.', '0', '.', '0', '.', (char)('0' + fill), 0};
    memset(body, fill, sizeof body);
    assert_int_equal(copal_host_open(&host, &at_once), 0);
    assert_int_equal(copal_host_listen(host, address, *port, port), 0);
    assert_int_equal(copal_tree_add_value(copal_host_tree(host), "large", (copal_bytes_t){body, BODY}, &options, NULL), 0);
    assert_int_equal(copal_host_discoverable(host), 0);
    assert_int_equal(copal_host_start(host), 0);
    return host;
}

static void one_request_has_many_answers_each_with_its_sender(void **state)
{
    (void)state;
    uint16_t port = 0;
    crowd_t c;
    copal_host_t *servers[3], *client = open_client();
    for (uint8_t i = 0; i < 3; i++)
        servers[i] = serve_large(&port, (uint8_t)(i + 1));
    ask_group(client, port, (copal_ask_t){.path = copal_text(".well-known/core")}, &c);
    assert_int_equal(c.answers, 3);
    assert_int_equal(c.ends, 1);
    unsigned seen = 0;
    for (unsigned i = 0; i < 3; i++) {
        seen |= 1u << c.senders[i].data[3];
        assert_int_equal(c.codes[i], COPAL_CONTENT);
        assert_true(c.sizes[i] >= strlen("</large>"));
    }
    assert_int_equal(seen, 1u << 1 | 1u << 2 | 1u << 3);
    copal_host_close(client);
    for (int i = 0; i < 3; i++)
        copal_host_close(servers[i]);
}

static void rfc7959_2_8_what_does_not_fit_a_datagram_is_fetched_from_its_sender_alone(void **state)
{
    (void)state;
    uint16_t port = 0;
    crowd_t c;
    copal_host_t *servers[2], *client = open_client();
    for (uint8_t i = 0; i < 2; i++)
        servers[i] = serve_large(&port, (uint8_t)(i + 1));
    ask_group(client, port, (copal_ask_t){.path = copal_text("large")}, &c);
    assert_int_equal(c.answers, 2);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(c.sizes[i], BODY);
    assert_int_equal(c.body[0], c.senders[1].data[3]);
    assert_int_equal(c.body[BODY - 1], c.senders[1].data[3]);
    assert_int_not_equal(c.senders[0].data[3], c.senders[1].data[3]);
    assert_int_equal(c.ends, 1);
    copal_host_close(client);
    for (int i = 0; i < 2; i++)
        copal_host_close(servers[i]);
}

static void bodies_that_are_too_large_for_the_memory_are_told_of_as_such(void **state)
{
    (void)state;
    static uint8_t large[100 << 10];
    uint16_t port = 0;
    crowd_t c;
    copal_host_t *client, *host = serve_large(&port, 1);
    const copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    assert_int_equal(copal_host_open(&client, &(copal_host_config_t){.memory = 64 << 10, .workers = 1}), 0);
    assert_int_equal(copal_tree_add_value(copal_host_tree(host), "huge", (copal_bytes_t){large, sizeof large}, &options, NULL), 0);
    ask_group(client, port, (copal_ask_t){.path = copal_text("huge")}, &c);
    assert_int_equal(c.answers, 0);
    assert_int_equal(c.errors, 1);
    assert_int_equal(c.status, COPAL_ESPACE);
    assert_int_equal(c.ends, 1);
    copal_host_close(client);
    copal_host_close(host);
}

static crowd_t cancelled;

static void cancel(copal_task_t *task, const copal_response_t *response)
{
    (void)response;
    cancelled.answers++;
    assert_int_equal(copal_host_transfer_cancel(task->transfer.read ? NULL : (copal_host_t *)task->waiter_, task), 0);
}

static void it_can_be_cancelled_while_bodies_are_being_fetched_and_when_one_is_told_of(void **state)
{
    (void)state;
    uint16_t port = 0;
    copal_host_t *servers[2], *client = open_client();
    for (uint8_t i = 0; i < 2; i++)
        servers[i] = serve_large(&port, (uint8_t)(i + 1));
    const copal_peer_t group = wire_peer("224.0.1.187%lo", port);
    for (int inside = 0; inside < 2; inside++) {
        const copal_ask_t ask = {.to = &group, .path = copal_text("large"), .timeout = 60000};
        cancelled = (crowd_t){.task = {.write = write_piece, .done = cancel, .waiter_ = client}};
        assert_true(copal_host_transfer(client, &ask, &cancelled.task) >= 0);
        for (int i = 0; inside ? !cancelled.answers : i < 2; i++)
            assert_int_equal(copal_host_step(client, -1), 0);
        assert_int_equal(copal_host_transfer_cancel(client, &cancelled.task), inside ? COPAL_ESTALE : 0);
        assert_int_equal(cancelled.answers, inside);
    }
    const copal_ask_t ask = {.to = &group, .path = copal_text("large")};
    assert_true(copal_host_transfer(client, &ask, &cancelled.task) >= 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(copal_host_step(client, -1), 0);
    copal_host_close(client); /* and what is under way goes with it */
    for (int i = 0; i < 2; i++)
        copal_host_close(servers[i]);
}

static void a_blocking_request_is_for_one_host(void **state)
{
    (void)state;
    copal_host_t *client = open_client();
    copal_answer_t answer;
    assert_int_equal(copal_host_ask(client, &(copal_ask_t){.uri = "coap://224.0.1.187/"}, &answer), COPAL_EINVAL);
    copal_host_close(client);
}

static void a_group_has_a_peer_for_each_interface_or_the_one_it_names(void **state)
{
    (void)state;
    copal_peer_t peers[COPAL_INTERFACES];
    const uint32_t lo = if_nametoindex("lo");
    int count = copal_peers_of_group(peers, COPAL_INTERFACES, "224.0.1.187", 5683);
    bool has_lo = false;
    assert_true(count >= 1);
    for (int i = 0; i < count; i++) {
        assert_true(copal__peer_scope(&peers[i]) != 0);
        has_lo = has_lo || copal__peer_scope(&peers[i]) == lo;
        for (int j = 0; j < i; j++)
            assert_int_not_equal(copal__peer_scope(&peers[i]), copal__peer_scope(&peers[j]));
    }
    assert_true(has_lo);
    assert_int_equal(copal_peers_of_group(peers, 1, "224.0.1.187", 5683), 1);
    assert_int_equal(copal_peers_of_group(peers, COPAL_INTERFACES, "ff05::fd%lo", 61), 1);
    char text[64];
    uint16_t port;
    copal_peer_to_text(&peers[0], text, sizeof text, &port);
    assert_string_equal(text, "ff05::fd%lo");
    assert_int_equal(port, 61);
    assert_int_equal(copal_peers_of_group(peers, COPAL_INTERFACES, "127.0.0.1", 1), COPAL_EINVAL);
    assert_int_equal(copal_peers_of_group(peers, COPAL_INTERFACES, "ff02::fd%nowhere", 1), COPAL_EINVAL);
    assert_int_equal(copal_peers_of_group(peers, COPAL_INTERFACES, "localhost", 1), COPAL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_8_a_request_to_the_group_is_answered_from_the_address_that_is_listened_on),
        cmocka_unit_test(by_multicast_there_is_no_acknowledgement_no_reset_and_no_error),
        cmocka_unit_test(two_servers_of_a_machine_hear_a_group_each_by_its_own_address),
        cmocka_unit_test(a_server_that_is_not_discoverable_hears_no_group),
        cmocka_unit_test(what_keeps_a_host_from_being_discoverable_is_told),
        cmocka_unit_test(the_interface_of_an_address_is_found),
        cmocka_unit_test(one_request_has_many_answers_each_with_its_sender),
        cmocka_unit_test(rfc7959_2_8_what_does_not_fit_a_datagram_is_fetched_from_its_sender_alone),
        cmocka_unit_test(bodies_that_are_too_large_for_the_memory_are_told_of_as_such),
        cmocka_unit_test(it_can_be_cancelled_while_bodies_are_being_fetched_and_when_one_is_told_of),
        cmocka_unit_test(a_blocking_request_is_for_one_host),
        cmocka_unit_test(a_group_has_a_peer_for_each_interface_or_the_one_it_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
