#define _GNU_SOURCE 1
#include "../../adapters/poll.h"
#include "host/udp.h"
#include "wire.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* ---- stopping ------------------------------------------------------------------------------------------- */

static void *stop_from_thread(void *host)
{
    copal_host_stop(host);
    return NULL;
}

static void another_thread_stops_it(void **state)
{
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    pthread_t thread;
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, host), 0);
        assert_int_equal(copal_host_run(host), 0);
        pthread_join(thread, NULL);
    }
    copal_host_close(host);
}

static copal_host_t *signalled;

static void stop_from_signal(int number)
{
    (void)number;
    copal_host_stop(signalled);
}

static void *send_signal(void *thread)
{
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

static void a_signal_handler_stops_it(void **state)
{
    pthread_t self = pthread_self(), thread;
    struct sigaction action = {.sa_handler = stop_from_signal};
    (void)state;
    assert_int_equal(copal_host_open(&signalled, NULL), 0);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, send_signal, &self), 0);
        assert_int_equal(copal_host_run(signalled), 0);
        pthread_join(thread, NULL);
    }
    copal_host_close(signalled);
}

static void a_stop_just_before_the_run_counts_once(void **state)
{
    copal_host_t *host;
    pthread_t thread;
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    copal_host_stop(host);
    assert_int_equal(copal_host_run(host), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, host), 0);
    assert_int_equal(copal_host_run(host), 0);
    pthread_join(thread, NULL);
    copal_host_close(host);
}

static void stop_inside(void *host, copal_call_t *call)
{
    copal_reply_text(call, COPAL_CONTENT, "bye");
    copal_host_stop(host);
}

static void a_handler_stops_it_and_is_still_answered(void **state)
{
    uint8_t out[64], in[64];
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = stop_inside, .user = host};
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(copal_tree_add_handler(copal_host_tree(host), "stop", &handler, NULL), 0);
    wire_send(fd, &to, wire_get(out, sizeof out, 1, "stop"));
    assert_int_equal(copal_host_run(host), 0);
    assert_bytes(wire_receive(fd, in, sizeof in, NULL).payload, "bye");
    wire_send(fd, &to, wire_get(out, sizeof out, 2, "stop"));
    assert_int_equal(copal_host_start(host), 0); /* and so does the thread */
    assert_bytes(wire_receive(fd, in, sizeof in, NULL).payload, "bye");
    copal_host_close(host);
    close(fd);
}

static void one_thread_runs_it_at_a_time(void **state)
{
    copal_host_t *host;
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    assert_int_equal(copal_host_start(host), 0);
    assert_int_equal(copal_host_start(host), COPAL_EEXIST);
    assert_int_equal(copal_host_run(host), COPAL_EEXIST);
    copal_host_stop(host);
    copal_host_stop(host);
    assert_int_equal(copal_host_run(host), 0); /* the second stop found nothing to stop, and counts */
    assert_int_equal(copal_host_start(host), 0);
    copal_host_close(host);
}

static void tell_blocked(void *user, copal_call_t *call)
{
    sigset_t blocked;
    (void)user;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    bool all = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGUSR1);
    copal_reply_text(call, COPAL_CONTENT, all ? "blocked" : "open");
}

static void a_thread_of_ours_takes_no_signals(void **state)
{
    uint8_t out[64], in[64];
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = tell_blocked};
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(copal_tree_add_handler(copal_host_tree(host), "signals", &handler, NULL), 0);
    assert_int_equal(copal_host_start(host), 0);
    wire_send(fd, &to, wire_get(out, sizeof out, 1, "signals"));
    assert_bytes(wire_receive(fd, in, sizeof in, NULL).payload, "blocked");
    copal_host_close(host);
    close(fd);
}

/* ---- from other threads ----------------------------------------------------------------------------------- */

typedef struct {
    copal_host_t *host;
    copal_handle_t later;
    pthread_t thread;
} work_t;

static void write_done(void *user, copal_writer_t *w)
{
    (void)user;
    copal_write_text(w, "done");
}

static void *work(void *context)
{
    work_t *job = context;
    assert_int_equal(copal_host_reply(job->host, job->later, COPAL_CONTENT, write_done, NULL), 0);
    return NULL;
}

static void begin_work(void *context, copal_call_t *call)
{
    work_t *job = context;
    assert_int_equal(copal_defer(call, &job->later), 0);
    assert_int_equal(pthread_create(&job->thread, NULL, work, job), 0);
}

/* The thread waits in the host's lock until the turn is over, and then wakes the loop; otherwise an hour would pass. */
static void another_thread_answers_a_deferred_request(void **state)
{
    copal_host_config_t config = {.timing = {.ack_delay = 3600 * 1000}};
    uint8_t out[64], in[64];
    uint16_t port;
    copal_host_t *host = wire_host(&config, "127.0.0.1", &port);
    work_t job = {.host = host};
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = begin_work, .user = &job};
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(copal_tree_add_handler(copal_host_tree(host), "later", &handler, NULL), 0);
    assert_int_equal(copal_host_start(host), 0);
    for (uint16_t id = 1; id <= 20; id++) {
        wire_send(fd, &to, wire_get(out, sizeof out, id, "later"));
        copal_message_t answer = wire_receive(fd, in, sizeof in, NULL);
        assert_int_equal(answer.type, COPAL_ACK);
        assert_int_equal(answer.id, id);
        assert_bytes(answer.payload, "done");
        pthread_join(job.thread, NULL);
    }
    copal_host_close(host);
    close(fd);
}

typedef struct {
    copal_receiver_t receiver;
    copal_host_t *host;
    atomic_int *left;
} request_t;

static void count_down(copal_receiver_t *self, const copal_response_t *response)
{
    request_t *request = (request_t *)(void *)self;
    assert_int_equal(response->status, 0);
    assert_bytes(response->message->payload, "hello");
    if (atomic_fetch_sub(request->left, 1) == 1)
        copal_host_stop(request->host);
}

/* Server and client in one loop; requests come from this thread while another one runs it. */
static void another_thread_makes_requests(void **state)
{
    enum { REQUESTS = 100 };
    uint16_t port;
    atomic_int left = REQUESTS;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    copal_ask_t ask = {.to = &to, .path = copal_text("v")};
    request_t requests[REQUESTS];
    (void)state;
    assert_int_equal(copal_host_start(host), 0);
    for (int i = 0; i < REQUESTS; i++) {
        requests[i] = (request_t){{count_down}, host, &left};
        assert_true(copal_host_request(host, &ask, &requests[i].receiver, NULL) >= 0);
    }
    while (atomic_load(&left) > 0)
        usleep(1000);
    copal_host_close(host);
}

/* ---- in another loop -------------------------------------------------------------------------------------- */

static void a_poll_loop_serves_it(void **state)
{
    uint8_t out[64], in[64];
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    struct pollfd fds[1 + COPAL_HOST_DESCRIPTORS] = {{.fd = fd, .events = POLLIN}};
    (void)state;
    for (uint16_t id = 1; id <= 3; id++) {
        wire_send(fd, &to, wire_get(out, sizeof out, id, "v"));
        do {
            int timeout = -1;
            nfds_t count = 1 + copal_poll_prepare(host, fds + 1, COPAL_HOST_DESCRIPTORS, &timeout);
            assert_true(poll(fds, count, timeout) >= 0);
            assert_int_equal(copal_poll_serve(host), 0);
        } while (!fds[0].revents);
        assert_int_equal(wire_receive(fd, in, sizeof in, NULL).id, id);
    }
    close(fd);
    copal_host_close(host);
}

static void a_poll_loop_asks_with_it(void **state)
{
    uint16_t port;
    atomic_int left = 1;
    copal_host_t *server = wire_host(NULL, "127.0.0.1", &port), *host;
    copal_peer_t to = wire_peer("127.0.0.1", port);
    copal_ask_t ask = {.to = &to, .path = copal_text("v")};
    struct pollfd fds[COPAL_HOST_DESCRIPTORS];
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    request_t request = {{count_down}, host, &left};
    int timeout = -1;
    const nfds_t before = copal_poll_prepare(host, fds, COPAL_HOST_DESCRIPTORS, &timeout);
    assert_int_equal(timeout, -1);
    assert_int_equal(copal_host_start(server), 0);
    assert_true(copal_host_request(host, &ask, &request.receiver, NULL) >= 0);
    assert_int_equal(poll(fds, 1, -1), 1); /* the request is seen by a loop that slept already */
    while (left > 0) {
        assert_int_equal(copal_poll_serve(host), 0);
        timeout = -1;
        nfds_t count = copal_poll_prepare(host, fds, COPAL_HOST_DESCRIPTORS, &timeout);
        assert_int_equal(count, before + 1);
        assert_true(left == 0 || timeout >= 0); /* a retransmission is due some day */
        if (left > 0)
            assert_true(poll(fds, count, timeout) >= 0);
    }
    copal_host_close(host);
    copal_host_close(server);
}

static void of_several_workers_no_more_descriptors_are_told_than_one_has_at_most(void **state)
{
    copal_host_t *host;
    struct pollfd fds[4 * COPAL_HOST_DESCRIPTORS];
    int timeout = -1;
    (void)state;
    if (!copal__udp_shares)
        return;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = 60}), 0);
    const nfds_t count = copal_poll_prepare(host, fds, sizeof fds / sizeof *fds, &timeout);
    assert_int_equal(count, COPAL_HOST_DESCRIPTORS);
    for (nfds_t i = 0; i < count; i++)
        assert_true(fcntl(fds[i].fd, F_GETFD) >= 0);
    copal_host_close(host);
}

static void a_step_without_time_does_not_wait(void **state)
{
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "::", &port);
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(copal_host_step(host, 0), 0);
    assert_int_equal(copal_host_timeout(host), -1);
    copal_host_close(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_thread_stops_it),
        cmocka_unit_test(a_signal_handler_stops_it),
        cmocka_unit_test(a_stop_just_before_the_run_counts_once),
        cmocka_unit_test(a_handler_stops_it_and_is_still_answered),
        cmocka_unit_test(one_thread_runs_it_at_a_time),
        cmocka_unit_test(a_thread_of_ours_takes_no_signals),
        cmocka_unit_test(another_thread_answers_a_deferred_request),
        cmocka_unit_test(another_thread_makes_requests),
        cmocka_unit_test(a_poll_loop_serves_it),
        cmocka_unit_test(a_poll_loop_asks_with_it),
        cmocka_unit_test(of_several_workers_no_more_descriptors_are_told_than_one_has_at_most),
        cmocka_unit_test(a_step_without_time_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
