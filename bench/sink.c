/* A server of a program that counts: sink PORT takes a POST of /v at 127.0.0.1:PORT and counts how often that ran, which a GET
 * tells; a host as it comes, in 256 MB. Ends with SIGTERM. */
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned long runs;

static void handle(void *user, copal_call_t *call)
{
    char text[24];
    (void)user;
    if (call->request->code == COPAL_POST) {
        runs++;
        copal_reply(call, COPAL_CHANGED);
        return;
    }
    snprintf(text, sizeof text, "%lu", runs);
    copal_reply_text(call, COPAL_CONTENT, text);
}

int main(int argc, char **argv)
{
    const copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_POST), .handle = handle};
    const copal_host_config_t config = {.memory = 256u << 20};
    copal_host_t *host;
    if (argc != 2) {
        fprintf(stderr, "usage: sink PORT\n");
        return 2;
    }
    if (copal_host_open(&host, &config) < 0 ||
        copal_tree_add_handler(copal_host_tree(host), "v", &handler, NULL) < 0 ||
        copal_host_listen(host, "127.0.0.1", (uint16_t)atoi(argv[1]), NULL) < 0) {
        perror("sink");
        return 1;
    }
    return copal_host_run(host) < 0;
}
