/* A host in a libuv loop: each test ends when the loop has nothing left to do, so one that forgets a handle hangs. */
#define _POSIX_C_SOURCE 200809L
#include "../adapters/uv.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    copal_receiver_t receiver; /* first */
    copal_host_t *host;
    copal_uv_t uv;
    uv_loop_t loop;
    uint16_t port;
    char uri[64], answer[16];
    int status, closed;
} world_t;

static void answered(copal_receiver_t *self, const copal_response_t *response)
{
    world_t *world = (world_t *)(void *)self;
    world->status = response->status;
    if (response->message)
        snprintf(world->answer, sizeof world->answer, "%.*s", (int)response->message->payload.size,
                 (const char *)response->message->payload.data);
    copal_uv_detach(&world->uv, NULL);
}

static void listen_on(world_t *world, const char *address)
{
    assert_int_equal(copal_host_listen(world->host, address, 0, &world->port), 0);
    snprintf(world->uri, sizeof world->uri, "coap://%s:%u/a", address, (unsigned)world->port);
}

static void ask(world_t *world)
{
    world->receiver.receive = answered;
    assert_true(copal_host_request(world->host, &(copal_ask_t){.uri = world->uri}, &world->receiver, NULL) >= 0);
}

static void begin(world_t *world, const copal_host_config_t *config)
{
    memset(world, 0, sizeof *world);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(copal_host_open(&world->host, config), 0);
    copal_value_options_t options = {.content_format = 0, .max_age = -1, .methods = COPAL_METHODS_ALL};
    copal_tree_add_value(copal_host_tree(world->host), "a", copal_text("hello"), &options, NULL);
    copal_uv_attach(&world->uv, &world->loop, world->host);
}

static void run(world_t *world)
{
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(world->uv.status, 0);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

static void server_and_client_are_served_by_the_loop(void **state)
{
    (void)state;
    world_t world;
    begin(&world, NULL);
    listen_on(&world, "127.0.0.1");
    ask(&world);
    run(&world);
    assert_int_equal(world.status, 0);
    assert_string_equal(world.answer, "hello");
    copal_host_close(world.host);
}

static void later(uv_timer_t *timer)
{
    world_t *world = timer->data;
    listen_on(world, "127.0.0.1");
    ask(world);
    uv_close((uv_handle_t *)timer, NULL);
}

static void what_is_opened_while_the_loop_runs_is_watched_too(void **state)
{
    (void)state;
    world_t world;
    uv_timer_t timer;
    begin(&world, NULL);
    uv_timer_init(&world.loop, &timer);
    timer.data = &world;
    uv_timer_start(&timer, later, 1, 0);
    run(&world);
    assert_string_equal(world.answer, "hello");
    copal_host_close(world.host);
}

static void what_is_due_is_done_though_nothing_comes(void **state)
{
    (void)state;
    world_t world;
    copal_host_t *silent; /* it has a socket, and nobody serves it */
    begin(&world, &(copal_host_config_t){.timing = {.ack_timeout = 5, .max_retransmit = 2}});
    assert_int_equal(copal_host_open(&silent, NULL), 0);
    assert_int_equal(copal_host_listen(silent, "127.0.0.1", 0, &world.port), 0);
    snprintf(world.uri, sizeof world.uri, "coap://127.0.0.1:%u/a", (unsigned)world.port);
    ask(&world);
    run(&world);
    assert_int_equal(world.status, COPAL_ETIMEOUT);
    copal_host_close(world.host);
    copal_host_close(silent);
}

static void *ask_elsewhere(void *data)
{
    uv_async_t *done = data;
    world_t *world = done->data;
    copal_answer_t answer = {0};
    world->status = copal_host_ask(world->host, &(copal_ask_t){.uri = world->uri}, &answer);
    if (world->status == 0)
        snprintf(world->answer, sizeof world->answer, "%s", (const char *)answer.payload);
    copal_answer_free(&answer);
    uv_async_send(done);
    return NULL;
}

static void ended(uv_async_t *done)
{
    world_t *world = done->data;
    copal_uv_detach(&world->uv, NULL);
    uv_close((uv_handle_t *)done, NULL);
}

static void another_thread_may_use_the_host(void **state)
{
    (void)state;
    world_t world;
    uv_async_t done;
    pthread_t thread;
    begin(&world, NULL);
    listen_on(&world, "127.0.0.1");
    assert_int_equal(uv_async_init(&world.loop, &done, ended), 0);
    done.data = &world;
    assert_int_equal(pthread_create(&thread, NULL, ask_elsewhere, &done), 0);
    run(&world);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(world.status, 0);
    assert_string_equal(world.answer, "hello");
    copal_host_close(world.host);
}

static void close_host(copal_uv_t *uv)
{
    world_t *world = uv->data;
    world->closed++;
    copal_host_close(world->host);
}

static void leave(uv_idle_t *idle)
{
    world_t *world = idle->data;
    copal_uv_detach(&world->uv, close_host);
    assert_int_equal(world->closed, 0);
    uv_close((uv_handle_t *)idle, NULL);
}

static void the_host_may_be_closed_once_it_is_told_so(void **state)
{
    (void)state;
    world_t world;
    uv_idle_t idle;
    begin(&world, NULL);
    listen_on(&world, "127.0.0.1");
    world.uv.data = &world;
    uv_idle_init(&world.loop, &idle);
    idle.data = &world;
    uv_idle_start(&idle, leave);
    run(&world);
    assert_int_equal(world.closed, 1);
}

static void a_host_of_more_descriptors_than_are_watched_says_so(void **state)
{
    (void)state;
    world_t world;
    begin(&world, &(copal_host_config_t){.workers = 40});
    listen_on(&world, "127.0.0.1"); /* each worker has a socket, and a descriptor that wakes it */
    assert_int_equal(uv_run(&world.loop, UV_RUN_NOWAIT), 1);
    assert_int_equal(world.uv.status, COPAL_EFULL);
    copal_uv_detach(&world.uv, NULL);
    assert_int_equal(uv_run(&world.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    copal_host_close(world.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_and_client_are_served_by_the_loop),
        cmocka_unit_test(what_is_opened_while_the_loop_runs_is_watched_too),
        cmocka_unit_test(what_is_due_is_done_though_nothing_comes),
        cmocka_unit_test(another_thread_may_use_the_host),
        cmocka_unit_test(the_host_may_be_closed_once_it_is_told_so),
        cmocka_unit_test(a_host_of_more_descriptors_than_are_watched_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
