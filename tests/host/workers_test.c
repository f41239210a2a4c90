/* Several workers serve one tree: whichever of them a peer comes to, it is served as if there were one. */
#define _GNU_SOURCE 1
#include "host/host.h"
#include "secure.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { WORKERS = 4, PEERS = 64 }; /* so many peers that no worker has none: once in 10 million times one would */

typedef struct {
    copal_host_t *host;
    copal_peer_t at;
    int fds[PEERS];
    uint8_t in[2048];
} place_t;

/* The process's own: what is still sent to observers that are gone would come to whoever got their port at 127.0.0.1. */
static char own_address[sizeof "127.255.255.255"];

static void choose_address(void)
{
    const unsigned id = (unsigned)getpid();
    snprintf(own_address, sizeof own_address, "127.%u.%u.%u", 128 | (id >> 16 & 63), id >> 8 & 255, id & 255);
}

static void open_place(place_t *p, const copal_host_config_t *given)
{
    uint16_t port;
    copal_host_config_t config = given ? *given : (copal_host_config_t){0};
    config.workers = WORKERS;
    p->host = wire_host(&config, own_address, &port);
    p->at = wire_peer(own_address, port);
    for (int i = 0; i < PEERS; i++)
        p->fds[i] = wire_open(own_address);
}

static void close_place(place_t *p)
{
    copal_host_close(p->host);
    for (int i = 0; i < PEERS; i++)
        close(p->fds[i]);
}

static void add_handler(place_t *p, const char *path, void (*handle)(void *user, copal_call_t *call), void *user)
{
    const copal_handler_t handler = {.methods = COPAL_METHODS_ALL, .handle = handle, .user = user};
    assert_int_equal(copal_tree_add_handler(copal_host_tree(p->host), path, &handler, NULL), 0);
}

static void ask(place_t *p, int peer, copal_code_t method, const char *path, int observe, const char *payload)
{
    uint8_t out[128];
    copal_writer_t w;
    copal_bytes_t datagram;
    static uint16_t id;
    copal_writer_init(&w, out, sizeof out);
    copal_write_header(&w, COPAL_CON, method, ++id, copal_text("t"));
    if (observe >= 0)
        copal_write_option_uint(&w, COPAL_OPTION_OBSERVE, (uint32_t)observe);
    copal_write_path(&w, copal_text(path));
    copal_write_payload(&w, copal_text(payload));
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    wire_send(p->fds[peer], &p->at, datagram);
}

/* The next message; one that is confirmable is acknowledged. */
static copal_message_t receive(place_t *p, int peer)
{
    const copal_message_t m = wire_receive(p->fds[peer], p->in, sizeof p->in, NULL);
    const uint8_t ack[] = {0x60, COPAL_EMPTY, (uint8_t)(m.id >> 8), (uint8_t)m.id};
    if (m.type == COPAL_CON)
        wire_send(p->fds[peer], &p->at, (copal_bytes_t){ack, sizeof ack});
    return m;
}

/* The next response. */
static copal_message_t answer(place_t *p, int peer)
{
    copal_message_t m;
    do
        m = receive(p, peer);
    while (m.code == COPAL_EMPTY);
    return m;
}

static void assert_all_are_told(place_t *p, const char *value)
{
    for (int i = 0; i < PEERS; i++)
        assert_bytes(answer(p, i).payload, value);
}

static uint32_t observers_of(copal_host_t *host, uint32_t worker)
{
    copal__worker_enter(&host->workers[worker]);
    const uint32_t observers = copal_endpoint_observers(host->workers[worker].server.endpoint);
    copal__worker_leave(&host->workers[worker]);
    return observers;
}

/* ---- one tree ------------------------------------------------------------------------------------------------ */

static void what_one_worker_changes_those_are_told_that_observe_at_any(void **state)
{
    place_t p;
    copal_handle_t v;
    (void)state;
    open_place(&p, &(copal_host_config_t){.timing.notify_interval = 1});
    assert_int_equal(copal_host_start(p.host), 0);
    for (int i = 0; i < PEERS; i++)
        ask(&p, i, COPAL_GET, "v", 0, "");
    assert_all_are_told(&p, "hello");
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_in_range(observers_of(p.host, i), 1, PEERS - WORKERS + 1);
    const int other = wire_open(own_address);
    uint8_t out[64], in[64];
    copal_writer_t w;
    copal_bytes_t put;
    copal_writer_init(&w, out, sizeof out);
    copal_write_header(&w, COPAL_CON, COPAL_PUT, 1, copal_text("p"));
    copal_write_path(&w, copal_text("v"));
    copal_write_payload(&w, copal_text("put"));
    assert_int_equal(copal_writer_finish(&w, &put), 0);
    wire_send(other, &p.at, put);
    assert_int_equal(wire_receive(other, in, sizeof in, NULL).code, COPAL_CHANGED);
    assert_all_are_told(&p, "put");
    assert_int_equal(copal_tree_find(copal_host_tree(p.host), "v", &v), 0);
    assert_int_equal(copal_tree_set_value(copal_host_tree(p.host), v, copal_text("set")), 0);
    assert_all_are_told(&p, "set");
    close(other);
    close_place(&p);
}

static void a_peer_comes_to_the_same_worker_always(void **state)
{
    place_t p;
    (void)state;
    open_place(&p, NULL);
    assert_int_equal(copal_host_start(p.host), 0);
    for (int round = 0; round < 5; round++) {
        uint32_t observers = 0;
        for (int i = 0; i < PEERS; i++)
            ask(&p, i, COPAL_GET, "v", 0, ""); /* the same token: it is the observation that was there */
        assert_all_are_told(&p, "hello");
        for (uint32_t i = 0; i < WORKERS; i++)
            observers += observers_of(p.host, i);
        assert_int_equal(observers, PEERS);
    }
    close_place(&p);
}

static void one_thread_that_steps_serves_all_workers(void **state)
{
    place_t p;
    (void)state;
    open_place(&p, NULL);
    for (int i = 0; i < PEERS; i++) {
        ask(&p, i, COPAL_GET, "v", -1, "");
        assert_int_equal(copal_host_step(p.host, -1), 0);
        assert_bytes(answer(&p, i).payload, "hello");
    }
    close_place(&p);
}

static void a_second_host_is_told_that_the_port_is_in_use(void **state)
{
    place_t p;
    copal_host_t *second;
    (void)state;
    open_place(&p, NULL);
    assert_int_equal(copal_host_open(&second, &(copal_host_config_t){.workers = 2}), 0);
    assert_int_equal(copal_host_listen(second, own_address, copal__peer_port(&p.at), NULL), COPAL_ESYSTEM);
    assert_int_equal(errno, EADDRINUSE);
    copal_host_close(second);
    close_place(&p);
}

/* ---- from one worker to another ----------------------------------------------------------------------------- */

typedef struct {
    copal_host_t *host;
    pthread_mutex_t mutex;
    copal_handle_t waiting;
    bool waits;
} swap_t;

/* Each call is answered by the next one, at whatever worker that comes in. */
static void swap(void *user, copal_call_t *call)
{
    swap_t *swap = user;
    copal_handle_t mine, other;
    if (copal_defer(call, &mine) != 0)
        return;
    pthread_mutex_lock(&swap->mutex);
    const bool met = swap->waits;
    other = swap->waiting;
    swap->waiting = mine;
    swap->waits = true;
    pthread_mutex_unlock(&swap->mutex);
    if (met && copal_host_reply(swap->host, other, COPAL_CONTENT, NULL, NULL) != 0)
        abort(); /* nobody else answers it */
}

/* Answers the call that waits for the next one, if there is one. */
static void answer_the_last(swap_t *swap)
{
    pthread_mutex_lock(&swap->mutex);
    const copal_handle_t last = swap->waiting;
    const bool waits = swap->waits;
    swap->waits = false;
    pthread_mutex_unlock(&swap->mutex);
    if (waits)
        assert_int_equal(copal_host_reply(swap->host, last, COPAL_CONTENT, NULL, NULL), 0);
}

static void handlers_answer_calls_of_each_other_s_workers(void **state)
{
    enum { ROUNDS = 20 };
    place_t p;
    swap_t s = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    (void)state;
    open_place(&p, NULL);
    s.host = p.host;
    add_handler(&p, "swap", swap, &s);
    assert_int_equal(copal_host_start(p.host), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PEERS; i++)
            ask(&p, i, COPAL_POST, "swap", -1, "");
        for (int i = 0; i < PEERS; i++) {
            struct pollfd there = {.fd = p.fds[i], .events = POLLIN};
            do
                while (poll(&there, 1, 10) == 0)
                    answer_the_last(&s);
            while (receive(&p, i).code == COPAL_EMPTY);
        }
    }
    close_place(&p);
}

typedef struct {
    copal_receiver_t receiver;
    copal_host_t *host;
    copal_handle_t later;
} forwarded_t;

static void pass_on(copal_receiver_t *self, const copal_response_t *response)
{
    forwarded_t *forwarded = (forwarded_t *)(void *)self;
    copal_host_reply(forwarded->host, forwarded->later, response->message ? response->message->code : COPAL_BAD_GATEWAY,
                     NULL, NULL);
    free(forwarded);
}

typedef struct {
    copal_host_t *host;
    const copal_peer_t *to;
} forwarder_t;

static void forward(void *user, copal_call_t *call)
{
    const forwarder_t *forwarder = user;
    forwarded_t *forwarded = calloc(1, sizeof *forwarded);
    forwarded->receiver.receive = pass_on;
    forwarded->host = forwarder->host;
    const copal_ask_t request = {.to = forwarder->to, .path = copal_text("v")};
    if (copal_defer(call, &forwarded->later) != 0 ||
        copal_host_request(forwarder->host, &request, &forwarded->receiver, NULL) < 0)
        free(forwarded);
}

/* The first worker, whose the client is, receives what the others ask for, and answers calls of theirs. */
static void handlers_of_all_workers_ask_by_the_host_s_client(void **state)
{
    place_t p;
    (void)state;
    open_place(&p, &(copal_host_config_t){.timing.nstart = PEERS});
    add_handler(&p, "forward", forward, &(forwarder_t){p.host, &p.at});
    assert_int_equal(copal_host_start(p.host), 0);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < PEERS; i++)
            ask(&p, i, COPAL_GET, "forward", -1, "");
        for (int i = 0; i < PEERS; i++)
            assert_int_equal(answer(&p, i).code, COPAL_CONTENT);
    }
    close_place(&p);
}

typedef struct {
    copal_task_t task; /* first */
    copal_host_t *host;
    atomic_bool visits, cancelled, cut;
} taker_t;

/* Another thread has time to do what it may. */
static int take_and_visit(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    taker_t *taker = (taker_t *)task;
    (void)offset, (void)piece;
    copal__worker_enter(&taker->host->workers[1]);
    atomic_store(&taker->visits, true);
    for (int i = 0; i < 50 && !atomic_load(&taker->cancelled); i++)
        poll(NULL, 0, 2);
    atomic_store(&taker->cut, atomic_load(&taker->cancelled));
    copal__worker_leave(&taker->host->workers[1]);
    return 0;
}

static void nothing(copal_task_t *task, const copal_response_t *response)
{
    (void)task, (void)response;
}

/* What takes a body is not done when it calls another worker, so that the transfer must not go from under it. */
static void a_transfer_is_not_cancelled_while_what_takes_its_body_calls_another_worker(void **state)
{
    place_t p;
    (void)state;
    open_place(&p, NULL);
    taker_t taker = {.task = {.write = take_and_visit, .done = nothing}, .host = p.host};
    assert_int_equal(copal_host_start(p.host), 0);
    assert_true(copal_host_transfer(p.host, &(copal_ask_t){.to = &p.at, .path = copal_text("v")}, &taker.task) >= 0);
    while (!atomic_load(&taker.visits))
        sched_yield();
    const int status = copal_host_transfer_cancel(p.host, &taker.task);
    atomic_store(&taker.cancelled, true);
    copal_host_stop(p.host);
    assert_false(atomic_load(&taker.cut));
    assert_int_equal(status, COPAL_ESTALE);
    close_place(&p);
}

static void *pass_by(void *worker)
{
    copal__worker_enter(worker);
    copal__worker_leave(worker);
    return NULL;
}

/* As where a handler begins a transfer whose body is read from what calls the host. */
static void a_visit_from_within_a_visit_leads_back_whoever_passes_by(void **state)
{
    copal_host_t *host;
    pthread_t thread;
    (void)state;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = WORKERS}), 0);
    copal__worker_t *w = host->workers;
    copal__worker_enter(&w[1]);
    copal__worker_enter(&w[0]);
    copal__worker_enter(&w[2]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread, NULL, pass_by, &w[i]), 0);
        pthread_join(thread, NULL);
        assert_true(w[i].lent);
    }
    copal__worker_leave(&w[2]);
    assert_true(copal__lock_is_mine(&w[0].lock) && !w[0].lent);
    copal__worker_leave(&w[0]);
    assert_true(copal__lock_is_mine(&w[1].lock) && !w[1].lent);
    copal__worker_leave(&w[1]);
    assert_false(copal__host_is_inside(host));
    copal_host_close(host);
}

static void *pass_by_and_visit(void *workers)
{
    copal__worker_t *w = workers;
    copal__worker_enter(&w[0]);
    copal__worker_enter(&w[2]);
    copal__worker_leave(&w[2]);
    copal__worker_leave(&w[0]);
    return NULL;
}

/* As where a transfer's body is read from what calls the host, in another thread than that of the turn. */
static void a_lock_stays_lent_though_another_thread_that_visited_is_back(void **state)
{
    copal_host_t *host;
    pthread_t thread;
    (void)state;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = WORKERS}), 0);
    copal__worker_t *w = host->workers;
    copal__worker_enter(&w[0]);
    copal__worker_enter(&w[1]);
    assert_int_equal(pthread_create(&thread, NULL, pass_by_and_visit, w), 0);
    pthread_join(thread, NULL);
    assert_true(w[0].lent);
    copal__worker_leave(&w[1]);
    assert_false(w[0].lent);
    copal__worker_leave(&w[0]);
    copal_host_close(host);
}

/* Bit 63 is the last one of those that name them. */
static void the_last_of_as_many_workers_as_there_may_be_hears_of_changes(void **state)
{
    copal_host_t *host;
    (void)state;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = COPAL__WORKERS}), 0);
    copal__host_changed(host, (uint64_t)1 << (COPAL__WORKERS - 1));
    for (uint32_t i = 0; i < COPAL__WORKERS; i++) {
        struct pollfd wake = {.fd = host->workers[i].wake[0], .events = POLLIN};
        assert_int_equal(poll(&wake, 1, 0), i == COPAL__WORKERS - 1);
    }
    copal_host_close(host);
}

/* ---- bounds ----------------------------------------------------------------------------------------------------- */

/* Whatever workers they come to: the octets beyond three times those of the requests are counted, until nothing comes. */
static void a_network_gets_as_many_octets_without_proof_as_from_one_worker(void **state)
{
    enum { BUDGET = 64 << 10, ROUNDS = 8 };
    static const char value[1000];
    place_t p;
    copal_handle_t v;
    size_t beyond = 0;
    (void)state;
    open_place(&p, &(copal_host_config_t){.server.network_bytes = BUDGET});
    assert_int_equal(copal_tree_find(copal_host_tree(p.host), "v", &v), 0);
    assert_int_equal(copal_tree_set_value(copal_host_tree(p.host), v, (copal_bytes_t){(const uint8_t *)value, sizeof value}), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PEERS; i++) {
            ask(&p, i, COPAL_GET, "v", -1, "");
            assert_int_equal(copal_host_step(p.host, -1), 0);
            for (ssize_t got; (got = recv(p.fds[i], p.in, sizeof p.in, MSG_DONTWAIT)) >= 0;)
                beyond += got > 21 ? (size_t)got - 21 : 0; /* three times the seven octets of the request */
        }
    }
    assert_in_range(beyond, BUDGET / 8, BUDGET);
    close_place(&p);
}

/* ---- storms ------------------------------------------------------------------------------------------------- */

typedef struct {
    copal_peer_t at;
    uint16_t secure_port;
    copal_credentials_t *key;
    copal_tree_t *tree;
    atomic_bool over;
    atomic_uint served;
} storm_t;

static int ask_for(copal_host_t *client, storm_t *storm, copal_code_t method, const char *path, const char *payload)
{
    copal_answer_t got;
    const copal_ask_t request = {.to = &storm->at, .method = method, .path = copal_text(path),
                                 .payload = copal_text(payload), .timeout = 100};
    const int status = copal_host_ask(client, &request, &got);
    if (status == 0) {
        atomic_fetch_add(&storm->served, 1);
        copal_answer_free(&got);
    }
    return status;
}

static void ignore(copal_receiver_t *self, const copal_response_t *response)
{
    (void)self, (void)response;
}

/* A client that observes, changes, creates and deletes, and begins a session, each time with a port of its own. */
static void *be_busy(void *context)
{
    storm_t *storm = context;
    copal_receiver_t receiver = {ignore};
    while (!storm->over) {
        copal_host_t *client = NULL;
        copal_answer_t got;
        char uri[64];
        if (copal_host_open(&client, &(copal_host_config_t){.workers = 1, .client_address = own_address, .dtls = &copal_dtls_openssl}) != 0)
            abort();
        copal_host_request(client, &(copal_ask_t){.to = &storm->at, .path = copal_text("v"), .observe = true}, &receiver, NULL);
        ask_for(client, storm, COPAL_PUT, "v", "put");
        ask_for(client, storm, COPAL_PUT, "new", "made");
        ask_for(client, storm, COPAL_GET, ".well-known/core", "");
        ask_for(client, storm, COPAL_DELETE, "new", "");
        snprintf(uri, sizeof uri, "coaps://%s:%u/v", own_address, (unsigned)storm->secure_port);
        if (copal_host_ask(client, &(copal_ask_t){.uri = uri, .credentials = storm->key, .timeout = 100}, &got) == 0)
            copal_answer_free(&got);
        copal_host_close(client);
    }
    return NULL;
}

static void *set_often(void *context)
{
    storm_t *storm = context;
    copal_handle_t v;
    while (!storm->over) {
        if (copal_tree_find(storm->tree, "v", &v) == 0)
            copal_tree_set_value(storm->tree, v, copal_text("set"));
        sched_yield();
    }
    return NULL;
}

static void a_storm_is_served_while_the_host_stops_and_starts(void **state)
{
    enum { BUSY = 3, STOPS = 10, SERVED = 40 };
    copal_credentials_t *theirs = server_key("secret");
    storm_t storm = {.key = client_key("secret", "us")};
    pthread_t threads[BUSY + 1];
    place_t p;
    (void)state;
    open_place(&p, &(copal_host_config_t){.dtls = &copal_dtls_openssl, .dynamic = true, .timing.notify_interval = 1});
    assert_int_equal(copal_host_listen_secure(p.host, theirs, own_address, 0, &storm.secure_port), 0);
    storm.at = p.at;
    storm.tree = copal_host_tree(p.host);
    for (int i = 0; i < BUSY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_busy, &storm), 0);
    assert_int_equal(pthread_create(&threads[BUSY], NULL, set_often, &storm), 0);
    for (int i = 0; i < STOPS; i++) {
        const unsigned before = storm.served;
        assert_int_equal(copal_host_start(p.host), 0);
        while (storm.served < before + SERVED)
            usleep(1000);
        copal_host_stop(p.host);
    }
    storm.over = true;
    for (int i = 0; i <= BUSY; i++)
        pthread_join(threads[i], NULL);
    copal_credentials_close(storm.key);
    copal_credentials_close(theirs);
    close_place(&p);
}

static void several_workers_adopt_nothing(void **state)
{
    copal_host_t *host;
    const int fd = wire_open(own_address);
    (void)state;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = 2}), 0);
    assert_int_equal(copal_host_adopt(host, NULL, fd, NULL), COPAL_EUNSUPPORTED);
    copal_host_close(host);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_worker_changes_those_are_told_that_observe_at_any),
        cmocka_unit_test(a_peer_comes_to_the_same_worker_always),
        cmocka_unit_test(one_thread_that_steps_serves_all_workers),
        cmocka_unit_test(a_second_host_is_told_that_the_port_is_in_use),
        cmocka_unit_test(handlers_answer_calls_of_each_other_s_workers),
        cmocka_unit_test(handlers_of_all_workers_ask_by_the_host_s_client),
        cmocka_unit_test(a_transfer_is_not_cancelled_while_what_takes_its_body_calls_another_worker),
        cmocka_unit_test(a_visit_from_within_a_visit_leads_back_whoever_passes_by),
        cmocka_unit_test(a_lock_stays_lent_though_another_thread_that_visited_is_back),
        cmocka_unit_test(the_last_of_as_many_workers_as_there_may_be_hears_of_changes),
        cmocka_unit_test(a_network_gets_as_many_octets_without_proof_as_from_one_worker),
        cmocka_unit_test(several_workers_adopt_nothing),
        cmocka_unit_test(a_storm_is_served_while_the_host_stops_and_starts),
    };
    choose_address();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
