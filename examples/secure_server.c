/* A server that speaks DTLS, with a pre-shared key for each of those who may ask.
 *
 *     $ build/examples/secure_server &
 *     $ build/copal get coaps://localhost/greeting --identity anna --psk first
 */
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Keys of real programs are drawn at random and do not stand in their source. */
static const struct {
    const char *identity, *key;
} known[] = {{"anna", "first"}, {"bert", "second"}};

static int find_key(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE])
{
    (void)user;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (identity.size != strlen(known[i].identity) || memcmp(identity.data, known[i].identity, identity.size) != 0)
            continue;
        size_t size = strlen(known[i].key);
        memcpy(key, known[i].key, size);
        return (int)size;
    }
    return COPAL_ENOTFOUND;
}

static void greet(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply_text(call, COPAL_CONTENT, "hello");
}

int main(int argc, char **argv)
{
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_SECURE_PORT;
    copal_host_t *host;
    copal_credentials_t *credentials;
    const copal_credentials_config_t keys = {.server = true, .find_key = find_key};
    const copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = greet};
    if (copal_host_open(&host, &(copal_host_config_t){.dtls = &copal_dtls_openssl}) < 0)
        return 1;
    if (copal_credentials_open(&credentials, &copal_dtls_openssl, &keys, NULL, 0) < 0)
        return 1;
    if (copal_tree_add_handler(copal_host_tree(host), "greeting", &handler, NULL) < 0)
        return 1;
    if (copal_host_listen_secure(host, credentials, "::", port, &port) < 0) {
        perror("listen");
        return 1;
    }
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);
    int status = copal_host_run(host) < 0;
    copal_host_close(host);
    copal_credentials_close(credentials);
    return status;
}
