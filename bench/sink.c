/* A server of a program that counts: sink PORT [MEGABYTES] takes a POST of /v at 127.0.0.1:PORT and counts how often that ran, which a GET
 * tells; and has a body of that size at /b (100). A host as it comes, in 256 MB. Ends with SIGTERM. */
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int read_zeros(void *context, size_t offset, void *out, size_t size)
{
    (void)context;
    (void)offset;
    memset(out, 0, size);
    return 0;
}

static void hand_out(void *user, copal_call_t *call)
{
    copal_write_body(copal_reply(call, COPAL_CONTENT), *(const size_t *)user, read_zeros, NULL);
}

int main(int argc, char **argv)
{
    const copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_POST), .handle = handle};
    size_t octets = (size_t)(argc == 3 ? atoi(argv[2]) : 100) << 20;
    const copal_handler_t body = {.methods = COPAL_METHOD(COPAL_GET), .handle = hand_out, .user = &octets};
    const copal_host_config_t config = {.memory = 256u << 20};
    copal_host_t *host;
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: sink PORT [MEGABYTES]\n");
        return 2;
    }
    if (copal_host_open(&host, &config) < 0 ||
        copal_tree_add_handler(copal_host_tree(host), "v", &handler, NULL) < 0 ||
        copal_tree_add_handler(copal_host_tree(host), "b", &body, NULL) < 0 ||
        copal_host_listen(host, "127.0.0.1", (uint16_t)atoi(argv[1]), NULL) < 0) {
        perror("sink");
        return 1;
    }
    return copal_host_run(host) < 0;
}
