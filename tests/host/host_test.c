#define _GNU_SOURCE 1
#include "copal/counters.h"
#include "host/udp.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

/* ---- a machine without IPv6 ------------------------------------------------------------------------- */

static bool without_ipv6;

/* Stands before the C library's. */
int socket(int family, int type, int protocol)
{
    if (without_ipv6 && family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}

/* ---- listening -------------------------------------------------------------------------------------- */

/* Asks a host that runs, from a socket bound to `from`, and sees what comes back and from where. */
static void assert_answers(const char *from, const char *to, uint16_t port)
{
    uint8_t out[64], in[256];
    int fd = wire_open(from);
    copal_peer_t asked = wire_peer(to, port), answerer;
    for (uint16_t id = 1; id <= 2; id++) {
        wire_send(fd, &asked, wire_get(out, sizeof out, id, "v"));
        copal_message_t answer = wire_receive(fd, in, sizeof in, &answerer);
        assert_int_equal(answer.type, COPAL_ACK);
        assert_int_equal(answer.id, id);
        assert_int_equal(answer.code, COPAL_CONTENT);
        assert_bytes(answer.payload, "hello");
        assert_same_peer(&answerer, &asked);
    }
    close(fd);
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
    static const struct {
        const char *listen, *from, *to;
    } ways[] = {
        {"127.0.0.1", "127.0.0.1", "127.0.0.1"},
        {"127.0.0.2", "127.0.0.1", "127.0.0.2"},
        {"0.0.0.0", "127.0.0.1", "127.0.0.2"},
        {"0.0.0.0", "127.0.0.3", "127.0.0.1"},
        {"::", "127.0.0.1", "127.0.0.2"},
        {"::", "::1", "::1"},
        {"::1", "::1", "::1"},
        {"::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        uint16_t port;
        copal_host_t *host = wire_host(NULL, ways[i].listen, &port);
        assert_int_equal(copal_host_start(host), 0);
        assert_answers(ways[i].from, ways[i].to, port);
        copal_host_close(host);
    }
}

static void one_socket_answers_at_several_addresses_in_turn(void **state)
{
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "::", &port);
    (void)state;
    assert_int_equal(copal_host_start(host), 0);
    for (int i = 0; i < 3; i++) {
        assert_answers("127.0.0.1", "127.0.0.2", port);
        assert_answers("::1", "::1", port);
        assert_answers("127.0.0.1", "127.0.0.3", port);
    }
    copal_host_close(host);
}

static void a_host_listens_on_several_addresses(void **state)
{
    uint16_t first, second;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &first);
    (void)state;
    assert_int_equal(copal_host_start(host), 0);
    assert_answers("127.0.0.1", "127.0.0.1", first);
    assert_int_equal(copal_host_listen(host, "127.0.0.1", 0, &second), 0); /* while it sleeps */
    assert_answers("127.0.0.1", "127.0.0.1", second);
    assert_int_not_equal(first, second);
    copal_host_close(host);
}

static void several_workers_take_a_system_that_spreads_peers_over_sockets(void **state)
{
    copal_host_t *host = NULL;
    (void)state;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = 2}), copal__udp_shares ? 0 : COPAL_EUNSUPPORTED);
    copal_host_close(host);
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = 65, .memory = (size_t)1 << 30}), COPAL_EINVAL);
}

typedef struct {
    copal_host_t *host;
    unsigned ticks, counted;
} ticking_t;

static void count_tick(void *user)
{
    ticking_t *clock = user;
    copal_host_counters_t counters;
    copal_host_counters(clock->host, &counters);
    clock->counted += counters.observers == 0;
    clock->ticks++;
}

static void a_tick_comes_while_nothing_else_does_and_may_look_at_the_counters(void **state)
{
    ticking_t clock = {0};
    uint16_t port;
    (void)state;
    clock.host = wire_host(&(copal_host_config_t){.tick = count_tick, .user = &clock}, "127.0.0.1", &port);
    while (clock.ticks < 2)
        assert_int_equal(copal_host_step(clock.host, -1), 0);
    assert_int_equal(clock.counted, 2);
    copal_host_close(clock.host);
}

typedef struct {
    copal_host_t *host;
    bool ready, changed;
} changing_t;

static void change_value(void *user)
{
    changing_t *c = user;
    copal_handle_t v;
    if (!c->ready || c->changed)
        return;
    assert_int_equal(copal_tree_find(copal_host_tree(c->host), "v", &v), 0);
    assert_int_equal(copal_tree_set_value(copal_host_tree(c->host), v, copal_text("changed")), 0);
    c->changed = true;
}

/* Whether a step would not wait. */
static bool is_due(copal_host_t *host)
{
    int descriptors[8 * COPAL_HOST_DESCRIPTORS];
    const size_t count = copal_host_descriptors(host, descriptors, sizeof descriptors / sizeof *descriptors);
    bool due = copal_host_timeout(host) == 0;
    for (size_t i = 0; i < count; i++)
        due |= poll(&(struct pollfd){.fd = descriptors[i], .events = POLLIN}, 1, 0) > 0;
    return due;
}

static void what_a_tick_changes_is_told_at_once(void **state)
{
    changing_t c = {0};
    uint8_t out[64], in[256];
    uint16_t port;
    copal_writer_t w;
    copal_bytes_t datagram;
    (void)state;
    c.host = wire_host(&(copal_host_config_t){.tick = change_value, .user = &c}, "127.0.0.1", &port);
    const int fd = wire_open("127.0.0.1");
    const copal_peer_t to = wire_peer("127.0.0.1", port);
    copal_writer_init(&w, out, sizeof out);
    copal_write_header(&w, COPAL_CON, COPAL_GET, 1, copal_text("t"));
    copal_write_option_uint(&w, COPAL_OPTION_OBSERVE, 0);
    copal_write_path(&w, copal_text("v"));
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    wire_send(fd, &to, datagram);
    copal_host_counters_t counters = {0};
    while (counters.observers == 0) {
        assert_int_equal(copal_host_step(c.host, -1), 0);
        copal_host_counters(c.host, &counters);
    }
    wire_receive(fd, in, sizeof in, NULL);
    c.ready = true;
    while (!c.changed)
        assert_int_equal(copal_host_step(c.host, -1), 0);
    assert_true(is_due(c.host));
    assert_int_equal(copal_host_step(c.host, 0), 0);
    assert_bytes(wire_receive(fd, in, sizeof in, NULL).payload, "changed");
    close(fd);
    copal_host_close(c.host);
}

/* What is due is not put off by it, nor a stop. */
static void a_host_that_polls_busily_answers_and_ends_its_turns(void **state)
{
    copal_host_t *host = NULL;
    uint16_t port;
    (void)state;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.busy_poll = 1000001}), COPAL_EINVAL);
    host = wire_host(&(copal_host_config_t){.busy_poll = 1000000}, "127.0.0.1", &port);
    for (int turn = 0; turn < 200; turn++) /* each a second, were it not for its time-out */
        assert_int_equal(copal_host_step(host, 1), 0);
    assert_int_equal(copal_host_start(host), 0);
    assert_answers("127.0.0.1", "127.0.0.1", port);
    copal_host_stop(host);
    copal_host_close(host);
}

static void a_port_in_use_is_said_to_be(void **state)
{
    static const char *const taken[][2] = {
        {"127.0.0.1", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"127.0.0.1", "0.0.0.0"}, {"::", "::"},
        {"::", "127.0.0.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        uint16_t port;
        copal_host_t *first = wire_host(NULL, taken[i][0], &port), *second;
        assert_int_equal(copal_host_open(&second, NULL), 0);
        const size_t before = copal_host_descriptors(second, NULL, 0);
        errno = 0;
        assert_int_equal(copal_host_listen(second, taken[i][1], port, NULL), COPAL_ESYSTEM);
        assert_int_equal(errno, EADDRINUSE);
        assert_int_equal(copal_host_descriptors(second, NULL, 0), before);
        copal_host_close(first);
        assert_int_equal(copal_host_listen(second, taken[i][1], port, &port), 0);
        copal_host_close(second);
    }
}

static void the_given_port_is_the_bound_one(void **state)
{
    uint16_t port, again = 0;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    (void)state;
    assert_int_not_equal(port, 0);
    copal_host_close(host);
    assert_int_equal(copal_host_open(&host, NULL), 0);
    assert_int_equal(copal_host_listen(host, "127.0.0.1", port, &again), 0);
    assert_int_equal(again, port);
    copal_host_close(host);
}

static void without_ipv6_any_is_any_ipv4(void **state)
{
    uint16_t port;
    (void)state;
    without_ipv6 = true;
    copal_host_t *host = wire_host(NULL, "::", &port);
    assert_int_equal(copal_host_listen(host, "::1", 0, NULL), COPAL_ESYSTEM);
    assert_int_equal(copal_host_start(host), 0);
    assert_answers("127.0.0.1", "127.0.0.2", port);
    copal_host_close(host);
    without_ipv6 = false;
}

static void only_unicast_literals_can_be_listened_on(void **state)
{
    copal_host_t *host;
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    assert_int_equal(copal_host_listen(host, "localhost", 0, NULL), COPAL_EINVAL);
    assert_int_equal(copal_host_listen(host, "", 0, NULL), COPAL_EINVAL);
    assert_int_equal(copal_host_listen(host, "224.0.1.187", 0, NULL), COPAL_EINVAL);
    assert_int_equal(copal_host_listen(host, "ff02::fd%1", 0, NULL), COPAL_EINVAL);
    assert_int_equal(copal_host_listen(host, "192.0.2.1", 0, NULL), COPAL_ESYSTEM);
    assert_int_equal(errno, EADDRNOTAVAIL);
    copal_host_close(host);
}

static void twenty_four_addresses_are_the_most(void **state)
{
    copal_host_t *host;
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    for (int i = 0; i < 24; i++)
        assert_int_equal(copal_host_listen(host, "127.0.0.1", 0, NULL), 0);
    assert_int_equal(copal_host_listen(host, "127.0.0.1", 0, NULL), COPAL_EFULL);
    copal_host_close(host);
}

/* ---- what comes and goes ------------------------------------------------------------------------------ */

static void rfc7252_4_6_a_larger_datagram_is_answered_too_large(void **state)
{
    static uint8_t large[60000];
    const copal_limits_t small = {.datagram_size = 256, .payload_size = 128};
    copal_host_config_t config = {.memory = 1 << 20, .server = small, .client = small};
    uint8_t in[256];
    uint16_t port;
    copal_host_t *host = wire_host(&config, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    copal_bytes_t head = wire_get(large, sizeof large, 7, "v");
    (void)state;
    memset(large + head.size, 'x', sizeof large - head.size);
    large[head.size] = 0xff;
    assert_int_equal(copal_host_start(host), 0);
    for (size_t size = 257; size <= sizeof large; size = size == 257 ? sizeof large : size + 1) {
        large[3]++;
        wire_send(fd, &to, (copal_bytes_t){large, size});
        copal_message_t answer = wire_receive(fd, in, sizeof in, NULL);
        assert_int_equal(answer.code, COPAL_REQUEST_ENTITY_TOO_LARGE);
        assert_int_equal(answer.id, large[2] << 8 | large[3]);
    }
    large[3]++;
    wire_send(fd, &to, (copal_bytes_t){large, 256});
    assert_int_equal(wire_receive(fd, in, sizeof in, NULL).code, COPAL_CONTENT);
    close(fd);
    copal_host_close(host);
}

/* Far more than a batch, there before the host looks. */
static void five_hundred_requests_at_once_are_all_answered(void **state)
{
    enum { REQUESTS = 500 };
    bool answered[REQUESTS] = {false};
    uint8_t buffer[64];
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "::", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1"), room = 1 << 20;
    (void)state;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    for (uint16_t id = 0; id < REQUESTS / 2; id++)
        wire_send(fd, &to, wire_get(buffer, sizeof buffer, id, "v"));
    assert_int_equal(copal_host_start(host), 0);
    for (uint16_t id = REQUESTS / 2; id < REQUESTS; id++)
        wire_send(fd, &to, wire_get(buffer, sizeof buffer, id, "v"));
    for (int i = 0; i < REQUESTS; i++) {
        copal_message_t answer = wire_receive(fd, buffer, sizeof buffer, NULL);
        assert_true(answer.id < REQUESTS && !answered[answer.id]);
        assert_int_equal(answer.code, COPAL_CONTENT);
        answered[answer.id] = true;
    }
    close(fd);
    copal_host_close(host);
}

static void write_done(void *user, copal_writer_t *w)
{
    ++*(int *)user;
    copal_write_text(w, "done");
}

static copal_handle_t waiting;

static void defer(void *user, copal_call_t *call)
{
    int *deferred = user;
    assert_int_equal(copal_defer(call, &waiting), 0);
    *deferred = 1;
}

static void a_deferred_answer_is_given_once(void **state)
{
    uint8_t out[64], in[64];
    int deferred = 0, written = 0;
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = defer, .user = &deferred};
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(copal_tree_add_handler(copal_host_tree(host), "later", &handler, NULL), 0);
    wire_send(fd, &to, wire_get(out, sizeof out, 1, "later"));
    while (!deferred)
        assert_int_equal(copal_host_step(host, -1), 0);
    assert_int_equal(copal_host_reply(host, waiting, COPAL_CONTENT, write_done, &written), 0);
    assert_int_equal(copal_host_reply(host, waiting, COPAL_CONTENT, write_done, &written), COPAL_ESTALE);
    assert_int_equal(written, 1);
    assert_int_equal(copal_host_step(host, -1), 0);
    assert_bytes(wire_receive(fd, in, sizeof in, NULL).payload, "done");
    close(fd);
    copal_host_close(host);
}

/* ---- callbacks of the tree ------------------------------------------------------------------------------ */

typedef struct {
    int created, patched;
} told_t;

static void count_created(void *user, copal_tree_t *tree, copal_handle_t resource)
{
    const copal_value_options_t options = {
        .content_format = 50, .max_age = -1, .methods = COPAL_METHODS_ALL | COPAL_METHOD(COPAL_PATCH)};
    ((told_t *)user)->created++;
    assert_int_equal(copal_tree_set_options(tree, resource, &options), 0);
}

static copal_code_t count_patched(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out,
                                  size_t *size)
{
    (void)format, (void)value, (void)out;
    ((told_t *)user)->patched++;
    *size = patch.size;
    memcpy(out, patch.data, patch.size);
    return 0;
}

static void what_the_config_calls_is_given_the_config_s_pointer(void **state)
{
    told_t told = {0};
    const copal_host_config_t config = {
        .dynamic = true, .created = count_created, .patch = count_patched, .user = &told};
    uint16_t port;
    copal_answer_t answer;
    copal_host_t *host = wire_host(&config, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    copal_ask_t ask = {.to = &to, .path = copal_text("new"), .method = COPAL_PUT, .payload = copal_text("x"),
                       .has_content_format = true, .content_format = 50};
    (void)state;
    assert_int_equal(copal_host_ask(host, &ask, &answer), 0);
    copal_answer_free(&answer);
    ask.method = COPAL_PATCH;
    assert_int_equal(copal_host_ask(host, &ask, &answer), 0);
    assert_int_equal(answer.code, COPAL_CHANGED);
    copal_answer_free(&answer);
    assert_int_equal(told.created, 1);
    assert_int_equal(told.patched, 1);
    copal_host_close(host);
}

/* ---- beginning and end ---------------------------------------------------------------------------------- */

/* The number that the next descriptor would have, and the pages of address space in use. */
static void count_resources(int *descriptors, long *pages)
{
    *descriptors = open("/dev/null", O_RDONLY);
    assert_true(*descriptors >= 0);
    close(*descriptors);
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", pages), 1);
    fclose(file);
}

/* Nothing can be deferred, so that any handle is one of nothing. */
static void a_server_of_no_slots_knows_no_handle(void **state)
{
    static const uint32_t notifications[] = {1, 2, 3, COPAL_LIMIT_NONE};
    (void)state;
    for (size_t i = 0; i < sizeof notifications / sizeof *notifications; i++) {
        copal_host_t *host;
        const copal_host_config_t config = {.server = {.requests = COPAL_LIMIT_NONE, .deferred = COPAL_LIMIT_NONE,
                                                       .observers = COPAL_LIMIT_NONE, .notifications = notifications[i]}};
        assert_int_equal(copal_host_open(&host, &config), 0);
        assert_int_equal(copal_host_reply(host, (copal_handle_t){0, 0}, COPAL_CONTENT, NULL, NULL), COPAL_ESTALE);
        assert_int_equal(copal_host_reply(host, (copal_handle_t){3, 1}, COPAL_CONTENT, NULL, NULL), COPAL_ESTALE);
        copal_host_close(host);
    }
}

static void a_thousand_lives_leak_nothing(void **state)
{
    int before = 0, after;
    long pages_before = 0, pages_after;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint16_t port;
        copal_host_t *host = wire_host(NULL, "::", &port);
        assert_int_equal(copal_host_start(host), 0);
        copal_host_stop(host);
        assert_int_equal(copal_host_start(host), 0);
        copal_host_close(host); /* stops it, too */
        if (i == 10)
            count_resources(&before, &pages_before);
    }
    count_resources(&after, &pages_after);
    assert_int_equal(before, after);
    assert_true((pages_after - pages_before) * sysconf(_SC_PAGESIZE) < 100L << 20); /* two hosts */
}

static void a_host_that_cannot_be_opened_leaves_nothing(void **state)
{
    copal_host_t *host;
    copal_host_config_t bad_address = {.client_address = "localhost"};
    copal_host_config_t bad_limit = {.server.counters = 3};
    int before, after;
    long pages;
    (void)state;
    count_resources(&before, &pages);
    assert_int_equal(copal_host_open(&host, &bad_address), COPAL_EINVAL);
    assert_int_equal(copal_host_open(&host, &bad_limit), COPAL_EINVAL);
    count_resources(&after, &pages);
    assert_int_equal(before, after);
    copal_host_close(NULL);
}

typedef struct {
    int in, out;
    copal_peer_t peer;
} trace_t;

static void count(void *user, bool outgoing, const copal_peer_t *peer, copal_bytes_t datagram)
{
    trace_t *trace = user;
    assert_true(datagram.size >= 4);
    ++*(outgoing ? &trace->out : &trace->in);
    trace->peer = *peer;
}

static void a_trace_sees_what_comes_and_goes(void **state)
{
    trace_t trace = {0};
    copal_host_config_t config = {.trace = count, .user = &trace};
    uint8_t out[64], in[64];
    uint16_t port;
    copal_host_t *host = wire_host(&config, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    copal_peer_t self = wire_self(fd);
    (void)state;
    wire_send(fd, &to, wire_get(out, sizeof out, 1, "v"));
    assert_int_equal(copal_host_step(host, -1), 0);
    wire_receive(fd, in, sizeof in, NULL);
    assert_int_equal(trace.in, 1);
    assert_int_equal(trace.out, 1);
    assert_same_peer(&trace.peer, &self);
    close(fd);
    copal_host_close(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_leaves_from_the_address_that_was_asked),
        cmocka_unit_test(one_socket_answers_at_several_addresses_in_turn),
        cmocka_unit_test(a_host_listens_on_several_addresses),
        cmocka_unit_test(several_workers_take_a_system_that_spreads_peers_over_sockets),
        cmocka_unit_test(a_tick_comes_while_nothing_else_does_and_may_look_at_the_counters),
        cmocka_unit_test(what_a_tick_changes_is_told_at_once),
        cmocka_unit_test(a_host_that_polls_busily_answers_and_ends_its_turns),
        cmocka_unit_test(a_port_in_use_is_said_to_be),
        cmocka_unit_test(the_given_port_is_the_bound_one),
        cmocka_unit_test(without_ipv6_any_is_any_ipv4),
        cmocka_unit_test(only_unicast_literals_can_be_listened_on),
        cmocka_unit_test(twenty_four_addresses_are_the_most),
        cmocka_unit_test(rfc7252_4_6_a_larger_datagram_is_answered_too_large),
        cmocka_unit_test(five_hundred_requests_at_once_are_all_answered),
        cmocka_unit_test(a_deferred_answer_is_given_once),
        cmocka_unit_test(what_the_config_calls_is_given_the_config_s_pointer),
        cmocka_unit_test(a_server_of_no_slots_knows_no_handle),
        cmocka_unit_test(a_thousand_lives_leak_nothing),
        cmocka_unit_test(a_host_that_cannot_be_opened_leaves_nothing),
        cmocka_unit_test(a_trace_sees_what_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
