#define _GNU_SOURCE
#include "wire.h"

#include <pthread.h>

enum { ASKERS = 4, ASKS = 1000, RUNS = 300 };

typedef struct {
    copal_host_t *host;
    copal_peer_t to;
    int failed;
} asker_t;

static void *ask_often(void *context)
{
    asker_t *asker = context;
    for (int i = 0; i < ASKS; i++) {
        copal_answer_t answer;
        copal_ask_t ask = {.to = &asker->to, .path = copal_text("v"), .non_confirmable = true};
        int status = copal_host_ask(asker->host, &ask, &answer);
        if (status == 0)
            copal_answer_free(&answer);
        asker->failed += status != 0;
    }
    return NULL;
}

/* One thread's turn takes in what another one sleeps for; that must not sleep on until its request times out. */
static void threads_that_ask_without_a_runner_do_not_miss_their_answers(void **state)
{
    uint16_t port;
    copal_host_t *server = wire_host(NULL, "127.0.0.1", &port), *client;
    copal_host_config_t config = {.timing = {.nstart = ASKERS}};
    asker_t askers[ASKERS];
    pthread_t threads[ASKERS];
    (void)state;
    assert_int_equal(copal_host_start(server), 0);
    assert_int_equal(copal_host_open(&client, &config), 0);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (asker_t){client, wire_peer("127.0.0.1", port), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].failed, 0);
    }
    copal_host_close(client);
    copal_host_close(server);
}

static void *ask_nobody(void *context)
{
    asker_t *asker = context;
    copal_answer_t answer;
    asker->failed = copal_host_ask(asker->host, &(copal_ask_t){.to = &asker->to, .ping = true}, &answer);
    return NULL;
}

/* Both sleep on the same descriptors; the one that is to stop must not miss it. */
static void a_host_stops_while_another_thread_asks(void **state)
{
    uint8_t reset[4], buffer[64];
    int silent = wire_open("127.0.0.1");
    copal_host_t *host;
    copal_peer_t from;
    pthread_t thread;
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    asker_t asker = {host, wire_self(silent), 0};
    assert_int_equal(pthread_create(&thread, NULL, ask_nobody, &asker), 0);
    copal_message_t ping = wire_receive(silent, buffer, sizeof buffer, &from);
    for (int i = 0; i < RUNS; i++) {
        assert_int_equal(copal_host_start(host), 0);
        usleep((useconds_t)(i % 30) * 10);
        copal_host_stop(host);
    }
    memcpy(reset, (uint8_t[]){0x70, 0, (uint8_t)(ping.id >> 8), (uint8_t)ping.id}, sizeof reset);
    wire_send(silent, &from, (copal_bytes_t){reset, sizeof reset});
    pthread_join(thread, NULL);
    assert_int_equal(asker.failed, 0);
    copal_host_close(host);
    close(silent);
}

static int stepped, ran;

static void step_inside(void *host, copal_call_t *call)
{
    stepped = copal_host_step(host, 0);
    ran = copal_host_run(host);
    copal_reply_text(call, COPAL_CONTENT, "x");
}

static void a_callback_cannot_run_its_own_host(void **state)
{
    uint16_t port;
    uint8_t buffer[64];
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_handler_t handler = {.methods = COPAL_METHODS_ALL, .handle = step_inside, .user = host};
    copal_peer_t server = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(copal_tree_add_handler(copal_host_tree(host), "h", &handler, NULL), 0);
    wire_send(fd, &server, wire_get(buffer, sizeof buffer, 1, "h"));
    assert_int_equal(copal_host_step(host, -1), 0);
    assert_int_equal(stepped, COPAL_EINVAL);
    assert_int_equal(ran, COPAL_EINVAL);
    assert_bytes(wire_receive(fd, buffer, sizeof buffer, NULL).payload, "x");
    copal_host_close(host);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_ask_without_a_runner_do_not_miss_their_answers),
        cmocka_unit_test(a_host_stops_while_another_thread_asks),
        cmocka_unit_test(a_callback_cannot_run_its_own_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
