/* A server inside a libuv loop: coap://localhost/seconds counts up and can be observed, until Ctrl-C.
 *
 *     $ build/examples/uv &
 *     $ build/copal observe coap://localhost/seconds
 */
#define _POSIX_C_SOURCE 200809L /* libuv's header needs it */
#include "../adapters/uv.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    copal_host_t *host;
    copal_handle_t seconds;
    unsigned count;
    copal_uv_t uv;
    uv_timer_t timer;
    uv_signal_t interrupted, terminated;
} app_t;

static void count_up(uv_timer_t *timer)
{
    app_t *app = timer->data;
    char text[16];
    snprintf(text, sizeof text, "%u", ++app->count);
    copal_tree_set_value(copal_host_tree(app->host), app->seconds, copal_text(text));
}

/* With nothing left in it the loop ends. */
static void end(uv_signal_t *handle, int number)
{
    (void)number;
    app_t *app = handle->data;
    copal_uv_detach(&app->uv, NULL);
    uv_close((uv_handle_t *)&app->timer, NULL);
    uv_close((uv_handle_t *)&app->interrupted, NULL);
    uv_close((uv_handle_t *)&app->terminated, NULL);
}

int main(int argc, char **argv)
{
    app_t app = {0};
    uv_loop_t *loop = uv_default_loop();
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_PORT;
    if (copal_host_open(&app.host, NULL) < 0 || copal_host_listen(app.host, "::", port, &port) < 0) {
        perror("uv");
        return 1;
    }
    copal_value_options_t options = {.content_format = 0, .max_age = 2, .methods = COPAL_METHOD(COPAL_GET)};
    copal_tree_add_value(copal_host_tree(app.host), "seconds", copal_text("0"), &options, &app.seconds);

    copal_uv_attach(&app.uv, loop, app.host);
    uv_timer_init(loop, &app.timer);
    uv_signal_init(loop, &app.interrupted);
    uv_signal_init(loop, &app.terminated);
    app.timer.data = app.interrupted.data = app.terminated.data = &app;
    uv_timer_start(&app.timer, count_up, 1000, 1000);
    uv_signal_start_oneshot(&app.interrupted, end, SIGINT);
    uv_signal_start_oneshot(&app.terminated, end, SIGTERM);
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);

    uv_run(loop, UV_RUN_DEFAULT);
    copal_host_close(app.host);
    return uv_loop_close(loop) != 0 || app.uv.status != 0;
}
