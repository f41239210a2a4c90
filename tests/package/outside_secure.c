/* A program outside of the tree: it serves a value by DTLS, and asks itself for it. */
#include <copal/host.h>

#include <stdio.h>

#ifndef BACKEND
#define BACKEND copal_dtls_openssl
#endif

int main(void)
{
    const copal_credentials_config_t serves = {.server = true, .key = copal_text("secret")};
    const copal_credentials_config_t asks = {.key = copal_text("secret"), .identity = copal_text("us")};
    copal_credentials_t *server, *client;
    copal_host_t *host;
    uint16_t port;
    char uri[64];
    copal_answer_t answer;
    if (copal_host_open(&host, &(copal_host_config_t){.dtls = &BACKEND}) != 0 ||
        copal_credentials_open(&server, &BACKEND, &serves, NULL, 0) != 0 ||
        copal_credentials_open(&client, &BACKEND, &asks, NULL, 0) != 0 ||
        copal_host_listen_secure(host, server, "127.0.0.1", 0, &port) != 0)
        return 1;
    copal_tree_add_value(copal_host_tree(host), "greeting", copal_text("hello"),
                         &(copal_value_options_t){.max_age = -1, .methods = COPAL_METHOD(COPAL_GET)}, NULL);
    snprintf(uri, sizeof uri, "coaps://127.0.0.1:%u/greeting", (unsigned)port);
    if (copal_host_start(host) != 0 ||
        copal_host_ask(host, &(copal_ask_t){.uri = uri, .credentials = client}, &answer) != 0)
        return 1;
    printf("%s\n", (const char *)answer.payload);
    copal_answer_free(&answer);
    copal_host_stop(host);
    copal_host_close(host);
    copal_credentials_close(client);
    copal_credentials_close(server);
    return 0;
}
