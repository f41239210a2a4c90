/* Hosts that speak DTLS by pre-shared keys. */
#ifndef COPAL_TESTS_HOST_SECURE_H
#define COPAL_TESTS_HOST_SECURE_H

#include "wire.h"

#include <stdio.h>

static inline copal_credentials_t *credentials_of(const copal_credentials_config_t *config)
{
    copal_credentials_t *credentials;
    char problem[COPAL_PROBLEM_SIZE] = "";
    const int status = copal_credentials_open(&credentials, &copal_dtls_openssl, config, problem, sizeof problem);
    if (status < 0)
        fail_msg("%s: %s", copal_error_text(status), problem);
    return credentials;
}

static inline copal_credentials_t *server_key(const char *key)
{
    return credentials_of(&(copal_credentials_config_t){.server = true, .key = copal_text(key)});
}

static inline copal_credentials_t *client_key(const char *key, const char *identity)
{
    return credentials_of(&(copal_credentials_config_t){.key = copal_text(key), .identity = copal_text(identity)});
}

/* A host with the value "v" = "hello", which listens on `address` with these credentials, and runs. */
static inline copal_host_t *secure_host(const copal_host_config_t *given, copal_credentials_t *credentials,
                                        const char *address, uint16_t *port)
{
    copal_host_config_t config = given ? *given : (copal_host_config_t){0};
    copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    copal_host_t *host;
    config.dtls = &copal_dtls_openssl;
    config.dynamic = true;
    assert_int_equal(copal_host_open(&host, &config), 0);
    assert_int_equal(copal_tree_add_value(copal_host_tree(host), "v", copal_text("hello"), &options, NULL), 0);
    assert_int_equal(copal_host_listen_secure(host, credentials, address, 0, port), 0);
    assert_int_equal(copal_host_start(host), 0);
    return host;
}

static inline copal_host_t *secure_client(const copal_host_config_t *given)
{
    copal_host_config_t config = given ? *given : (copal_host_config_t){0};
    copal_host_t *host;
    config.dtls = &copal_dtls_openssl;
    assert_int_equal(copal_host_open(&host, &config), 0);
    return host;
}

/* A client for handshakes that are to fail: it waits for them not as long as others do. */
static inline copal_host_t *hasty_client(void)
{
    return secure_client(&(copal_host_config_t){.client_dtls = {.handshake_timeout = 500}});
}

/* GET of a path of 127.0.0.1 by these credentials: the status, and where that is 0 the payload is `expected`. */
static inline int get(copal_host_t *host, copal_credentials_t *credentials, uint16_t port, const char *path,
                      const char *expected)
{
    char uri[128];
    copal_answer_t answer;
    snprintf(uri, sizeof uri, "coaps://127.0.0.1:%u/%s", (unsigned)port, path);
    const int status = copal_host_ask(host, &(copal_ask_t){.uri = uri, .credentials = credentials}, &answer);
    if (status == 0) {
        assert_string_equal((char *)answer.payload, expected);
        copal_answer_free(&answer);
    }
    return status;
}

#endif
