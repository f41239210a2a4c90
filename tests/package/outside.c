/* A program outside of the tree: it serves a value, and asks itself for it. */
#include <copal/host.h>

#include <stdio.h>

int main(void)
{
    copal_host_t *host;
    uint16_t port = 0;
    char uri[64];
    copal_answer_t answer = {0};
    copal_value_options_t options = {0};
    options.max_age = -1;
    options.methods = COPAL_METHOD(COPAL_GET);
    if (copal_host_open(&host, NULL) != 0 || copal_host_listen(host, "127.0.0.1", 0, &port) != 0)
        return 1;
    copal_tree_add_value(copal_host_tree(host), "greeting", copal_text("hello"), &options, NULL);
    snprintf(uri, sizeof uri, "coap://127.0.0.1:%u/greeting", (unsigned)port);
    copal_ask_t ask = {0};
    ask.uri = uri;
    if (copal_host_start(host) != 0 || copal_host_ask(host, &ask, &answer) != 0)
        return 1;
    printf("%s\n", (const char *)answer.payload);
    copal_answer_free(&answer);
    copal_host_stop(host);
    copal_host_close(host);
    return 0;
}
