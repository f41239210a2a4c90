/* A host without memory: what was asked for ends with an error, and nothing is left of it. */
#define _GNU_SOURCE 1
#include "no_memory.h"

#include "host/wire.h"

#include <stdio.h>

enum { LARGE = 20000 };

static uint8_t large[LARGE];
static uint16_t port;
static char uri[64];
static copal_host_t *host;

/* ---- a server that has memory, and those who ask it -------------------------------------------------------- */

static int server_open(void **state)
{
    copal_host_t *server = wire_host(&(copal_host_config_t){.timing = {.leisure = 1}}, "127.0.0.1", &port);
    const copal_value_options_t options = {.content_format = 42, .max_age = -1, .methods = COPAL_METHODS_ALL};
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(i / 7);
    assert_int_equal(
        copal_tree_add_value(copal_host_tree(server), "large", (copal_bytes_t){large, LARGE}, &options, NULL), 0);
    assert_int_equal(copal_host_discoverable(server), 0);
    assert_int_equal(copal_host_start(server), 0);
    assert_int_equal(copal_host_open(&host, NULL), 0);
    snprintf(uri, sizeof uri, "coap://localhost:%u/large", (unsigned)port);
    *state = server;
    return 0;
}

static int server_close(void **state)
{
    copal_host_close(host);
    copal_host_close(*state);
    return 0;
}

static int get_it(void)
{
    copal_answer_t answer;
    const int status = copal_get(uri, &answer);
    enough_memory();
    if (status == 0) {
        assert_int_equal(answer.size, LARGE);
        assert_memory_equal(answer.payload, large, LARGE);
    } else {
        assert_null(answer.payload);
    }
    copal_answer_free(&answer);
    return status;
}

/* ERESOLVE: the C library cannot read its files, and says that there is no such name. */
static void a_get_without_memory_says_so(void **state)
{
    (void)state;
    each_without_memory(get_it, 10, (const int[]){COPAL_ENOMEM, COPAL_ERESOLVE, 0});
}

static int put_it(void)
{
    copal_answer_t answer;
    const copal_ask_t ask = {.uri = uri, .method = COPAL_PUT, .payload = {large, LARGE}};
    const int status = copal_host_ask(host, &ask, &answer);
    enough_memory();
    if (status == 0)
        assert_int_equal(answer.code, COPAL_CHANGED);
    copal_answer_free(&answer);
    return status;
}

static void an_upload_without_memory_says_so_and_the_host_goes_on(void **state)
{
    (void)state;
    each_without_memory(put_it, 5, (const int[]){COPAL_ENOMEM, COPAL_ERESOLVE, 0});
}

/* ---- a group ---------------------------------------------------------------------------------------------- */

static int heard; /* 1: not yet */

static int collect(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    (void)task;
    assert_int_equal(offset, 0);
    assert_int_equal(piece.size, LARGE);
    assert_memory_equal(piece.data, large, LARGE);
    return 0;
}

static void hear(copal_task_t *task, const copal_response_t *response)
{
    (void)task;
    heard = response->status;
}

static int ask_group(void)
{
    copal_peer_t group;
    copal_task_t task = {.write = collect, .done = hear};
    const int count = copal_peers_of_group(&group, 1, "224.0.1.187%lo", port);
    assert_int_equal(count, 1);
    int status = copal_host_transfer(host, &(copal_ask_t){.to = &group, .path = copal_text("large")}, &task);
    heard = 1;
    while (status >= 0 && heard == 1)
        assert_int_equal(copal_host_step(host, -1), 0);
    enough_memory();
    if (status < 0)
        return status;
    assert_int_equal(copal_host_transfer_cancel(host, &task), 0);
    return heard;
}

static void an_answer_of_a_group_that_there_is_no_memory_for_is_told_as_such(void **state)
{
    (void)state;
    each_without_memory(ask_group, 4, (const int[]){COPAL_ENOMEM, 0});
}

/* ---- opening, listening ----------------------------------------------------------------------------------- */

static int open_and_listen(void)
{
    copal_host_t *server;
    int status = copal_host_open(&server, NULL);
    if (status < 0)
        return status;
    status = copal_host_listen(server, "127.0.0.1", 0, NULL);
    if (status == 0)
        status = copal_host_discoverable(server);
    const int reason = errno;
    enough_memory();
    copal_host_close(server);
    return status == COPAL_ESYSTEM && reason == ENOMEM ? COPAL_ENOMEM : status;
}

static void a_server_without_memory_does_not_begin(void **state)
{
    (void)state;
    each_without_memory(open_and_listen, 3, (const int[]){COPAL_ENOMEM, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_get_without_memory_says_so, server_open, server_close),
        cmocka_unit_test_setup_teardown(an_upload_without_memory_says_so_and_the_host_goes_on, server_open,
                                        server_close),
        cmocka_unit_test_setup_teardown(an_answer_of_a_group_that_there_is_no_memory_for_is_told_as_such, server_open,
                                        server_close),
        cmocka_unit_test(a_server_without_memory_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
