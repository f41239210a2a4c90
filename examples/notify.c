/* A server whose clients can ask to be told of changes (RFC 7641): of a value that is set each second, and of what a
 * function answers.
 *
 *     $ build/examples/notify &
 *     $ build/copal observe coap://localhost/seconds
 *     $ build/copal observe coap://localhost/load
 */
#define _DEFAULT_SOURCE 1 /* getloadavg */
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void tell_load(void *user, copal_call_t *call)
{
    (void)user;
    double load = 0;
    char text[32];
    getloadavg(&load, 1);
    snprintf(text, sizeof text, "%.2f", load);
    copal_reply_text(call, COPAL_CONTENT, text);
}

/* Changes things from a thread that does not run the host. Never returns. */
static void count(copal_tree_t *tree, copal_handle_t seconds, copal_handle_t load)
{
    for (unsigned i = 1;; i++) {
        char text[16];
        sleep(1);
        snprintf(text, sizeof text, "%u", i);
        copal_tree_set_value(tree, seconds, copal_text(text));
        if (i % 5 == 0)
            copal_tree_changed(tree, load);
    }
}

int main(int argc, char **argv)
{
    copal_host_t *host;
    copal_handle_t seconds, load;
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_PORT;
    if (copal_host_open(&host, NULL) < 0 || copal_host_listen(host, "::", port, &port) < 0) {
        perror("notify");
        return 1;
    }
    copal_tree_t *tree = copal_host_tree(host);
    copal_value_options_t options = {.content_format = 0, .max_age = 60, .methods = COPAL_METHOD(COPAL_GET)};
    copal_tree_add_value(tree, "seconds", copal_text("0"), &options, &seconds);
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .observable = true, .handle = tell_load};
    copal_tree_add_handler(tree, "load", &handler, &load);
    if (copal_host_start(host) < 0) {
        perror("notify");
        return 1;
    }
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);
    count(tree, seconds, load);
}
