/* Peers that observe a host's resources are told, whichever thread changes them. */
#define _GNU_SOURCE 1
#include "host/host.h"
#include "wire.h"

#include <pthread.h>
#include <sched.h>

/* A GET with Observe; its token is the message ID. */
static void ask(int fd, const copal_peer_t *to, copal_type_t type, uint16_t id, const char *path, uint32_t observe)
{
    uint8_t buffer[64], token[2] = {(uint8_t)(id >> 8), (uint8_t)id};
    copal_writer_t w;
    copal_bytes_t datagram;
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_header(&w, type, COPAL_GET, id, (copal_bytes_t){token, 2});
    copal_write_option_uint(&w, COPAL_OPTION_OBSERVE, observe);
    copal_write_path(&w, copal_text(path));
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    wire_send(fd, to, datagram);
}

static void assert_observed(const copal_message_t *message, const char *payload)
{
    copal_option_t option;
    assert_true(copal_option_find(message, COPAL_OPTION_OBSERVE, &option));
    assert_int_equal(message->code, COPAL_CONTENT);
    assert_bytes(message->payload, payload);
}

typedef struct {
    copal_host_t *host;
    copal_peer_t at;
    int fd;
    copal_handle_t v;
    uint8_t in[2048];
} place_t;

static void open_with(place_t *p, const copal_host_config_t *config)
{
    uint16_t port;
    p->host = wire_host(config, "127.0.0.1", &port);
    p->at = wire_peer("127.0.0.1", port);
    p->fd = wire_open("127.0.0.1");
    assert_int_equal(copal_tree_find(copal_host_tree(p->host), "v", &p->v), 0);
}

static void open_place(place_t *p)
{
    open_with(p, NULL);
}

static void close_place(place_t *p)
{
    copal_host_close(p->host);
    close(p->fd);
}

static int set(place_t *p, const char *value)
{
    return copal_tree_set_value(copal_host_tree(p->host), p->v, copal_text(value));
}

static void a_value_set_in_another_thread_is_told_at_once(void **state)
{
    place_t p;
    (void)state;
    open_place(&p);
    assert_int_equal(copal_host_start(p.host), 0);
    for (uint16_t i = 0; i < 20; i++) {
        ask(p.fd, &p.at, COPAL_CON, i, "v", 0);
        copal_message_t m = wire_receive(p.fd, p.in, sizeof p.in, NULL);
        assert_int_equal(m.type, COPAL_ACK);
        assert_int_equal(set(&p, i % 2 ? "odd" : "even"), 0);
        m = wire_receive(p.fd, p.in, sizeof p.in, NULL);
        assert_observed(&m, i % 2 ? "odd" : "even");
        assert_int_equal(m.token.data[1], i);
        ask(p.fd, &p.at, COPAL_CON, i, "v", 1);
        wire_receive(p.fd, p.in, sizeof p.in, NULL);
    }
    close_place(&p);
}

/* A handler in the thread that runs the host sets another resource's value. */
static void set_inside(void *user, copal_call_t *call)
{
    assert_int_equal(set(user, "inside"), 0);
    copal_reply_text(call, COPAL_CONTENT, "done");
}

static void a_value_set_in_a_handler_is_told_in_the_same_turn(void **state)
{
    place_t p;
    uint8_t out[64];
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = set_inside, .user = &p};
    (void)state;
    open_place(&p);
    assert_int_equal(copal_tree_add_handler(copal_host_tree(p.host), "set", &handler, NULL), 0);
    ask(p.fd, &p.at, COPAL_CON, 1, "v", 0);
    wire_send(p.fd, &p.at, wire_get(out, sizeof out, 2, "set"));
    assert_int_equal(copal_host_step(p.host, -1), 0);
    copal_message_t m = wire_receive(p.fd, p.in, sizeof p.in, NULL);
    assert_observed(&m, "hello");
    assert_bytes(wire_receive(p.fd, p.in, sizeof p.in, NULL).payload, "done");
    m = wire_receive(p.fd, p.in, sizeof p.in, NULL);
    assert_observed(&m, "inside");
    close_place(&p);
}

/* What an application guards by a lock of its own, in handlers and where it changes it. */
static struct {
    pthread_mutex_t mutex;
    place_t place;
    atomic_bool asked;
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void answer_locked(void *user, copal_call_t *call)
{
    (void)user;
    shared.asked = true;
    pthread_mutex_lock(&shared.mutex);
    copal_reply_text(call, COPAL_CONTENT, "locked");
    pthread_mutex_unlock(&shared.mutex);
}

static void a_value_may_be_set_inside_a_lock_that_a_handler_waits_for(void **state)
{
    place_t *p = &shared.place;
    uint8_t out[64];
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = answer_locked};
    (void)state;
    open_place(p);
    assert_int_equal(copal_tree_add_handler(copal_host_tree(p->host), "locked", &handler, NULL), 0);
    ask(p->fd, &p->at, COPAL_CON, 1, "v", 0);
    assert_int_equal(copal_host_step(p->host, -1), 0);
    wire_receive(p->fd, p->in, sizeof p->in, NULL);
    pthread_mutex_lock(&shared.mutex);
    wire_send(p->fd, &p->at, wire_get(out, sizeof out, 2, "locked"));
    assert_int_equal(copal_host_start(p->host), 0);
    while (!shared.asked)
        sched_yield();
    assert_int_equal(set(p, "set"), 0);
    pthread_mutex_unlock(&shared.mutex);
    assert_bytes(wire_receive(p->fd, p->in, sizeof p->in, NULL).payload, "locked");
    copal_message_t m = wire_receive(p->fd, p->in, sizeof p->in, NULL);
    assert_observed(&m, "set");
    close_place(p);
}

/* Tells `many` of a change, and acknowledges each: the first notification to an address that is not known to be real is
 * confirmable, and only one is on its way to a peer. */
static void tell_all_once(place_t *p, unsigned many)
{
    assert_int_equal(set(p, "first"), 0);
    for (unsigned i = 0; i < many; i++) {
        assert_int_equal(copal_host_step(p->host, -1), 0);
        copal_message_t m = wire_receive(p->fd, p->in, sizeof p->in, NULL);
        assert_int_equal(m.type, COPAL_CON);
        uint8_t ack[] = {0x60, COPAL_EMPTY, (uint8_t)(m.id >> 8), (uint8_t)m.id};
        wire_send(p->fd, &p->at, (copal_bytes_t){ack, sizeof ack});
    }
    assert_int_equal(copal_host_step(p->host, -1), 0);
}

/* So many that one turn must not tell all of them. A request that comes meanwhile is answered in the next turn. */
static void one_change_told_to_many_keeps_nobody_waiting(void **state)
{
    enum { MANY = 3000, IN_A_TURN = COPAL__BATCHES * COPAL__BATCH };
    const copal_host_config_t config = {.timing.notify_interval = 1, .workers = 1};
    place_t p;
    uint8_t out[64];
    (void)state;
    open_with(&p, &config);
    for (uint16_t i = 0; i < MANY; i++) {
        ask(p.fd, &p.at, COPAL_CON, i, "v", 0);
        assert_int_equal(copal_host_step(p.host, -1), 0);
        wire_receive(p.fd, p.in, sizeof p.in, NULL);
    }
    int other = wire_open("127.0.0.1");
    const copal_counters_t *counters = copal_endpoint_counters(p.host->workers[0].server.endpoint);
    assert_int_equal(copal_endpoint_observers(p.host->workers[0].server.endpoint), MANY);
    tell_all_once(&p, MANY);
    assert_int_equal(counters->notifications, MANY);
    usleep(2000); /* so that the next may be NON */
    assert_int_equal(set(&p, "new"), 0);
    assert_int_equal(copal_host_step(p.host, -1), 0);
    assert_in_range(counters->notifications, MANY + 1, MANY + IN_A_TURN);
    wire_send(other, &p.at, wire_get(out, sizeof out, 1, "v"));
    assert_int_equal(copal_host_timeout(p.host), 0);
    assert_int_equal(copal_host_step(p.host, -1), 0);
    assert_bytes(wire_receive(other, p.in, sizeof p.in, NULL).payload, "new");
    assert_in_range(counters->notifications, MANY + IN_A_TURN, MANY + 2 * IN_A_TURN);
    while (counters->notifications < 2 * MANY)
        assert_int_equal(copal_host_step(p.host, 0), 0);
    close(other);
    close_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_set_in_another_thread_is_told_at_once),
        cmocka_unit_test(a_value_set_in_a_handler_is_told_in_the_same_turn),
        cmocka_unit_test(a_value_may_be_set_inside_a_lock_that_a_handler_waits_for),
        cmocka_unit_test(one_change_told_to_many_keeps_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
