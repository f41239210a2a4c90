/* A server: a value that clients read and write, and a function that answers.
 *
 *     $ build/examples/server &
 *     $ build/copal get coap://localhost/greeting
 */
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void tell_time(void *user, copal_call_t *call)
{
    (void)user;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)time(NULL));
    copal_reply_text(call, COPAL_CONTENT, text);
}

int main(int argc, char **argv)
{
    copal_host_t *host;
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_PORT;
    if (copal_host_open(&host, NULL) < 0 || copal_host_listen(host, "::", port, &port) < 0) {
        perror("server");
        return 1;
    }
    copal_value_options_t options = {.content_format = 0, .max_age = -1, .methods = COPAL_METHODS_ALL};
    copal_tree_add_value(copal_host_tree(host), "greeting", copal_text("hello"), &options, NULL);
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = tell_time};
    copal_tree_add_handler(copal_host_tree(host), "time", &handler, NULL);
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);
    return copal_host_run(host) < 0;
}
