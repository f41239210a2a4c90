#include "backend.h"

#include <stdatomic.h>
#include <stdlib.h>

struct copal_credentials_t {
    const copal_dtls_backend_t *backend;
    void *state; /* the backend's */
    atomic_uint holders;
    bool server;
};

static int refused(char *problem, size_t capacity, const char *sentence)
{
    return copal__problem(&(copal__problem_t){problem, capacity}, COPAL_EINVAL, NULL, sentence);
}

static int check(const copal_credentials_config_t *c, char *problem, size_t capacity)
{
    bool keyed = c->key.size > 0 || c->find_key;
    if (c->key.size > COPAL_KEY_SIZE)
        return refused(problem, capacity, "the key is too long");
    if (c->identity.size > COPAL_IDENTITY_SIZE || c->hint.size > COPAL_IDENTITY_SIZE)
        return refused(problem, capacity, "the identity or hint is too long");
    if (c->private_key && !c->certificate)
        return refused(problem, capacity, "a private key without its certificate");
    if (c->server) {
        if (c->identity.size > 0)
            return refused(problem, capacity, "a server has no identity");
        if (c->hint.size > 0 && !keyed)
            return refused(problem, capacity, "a hint without a key");
        return keyed || c->certificate ? 0 : refused(problem, capacity, "a server needs a key or a certificate");
    }
    if (c->find_key || c->hint.size > 0)
        return refused(problem, capacity, "a client has neither a hint nor keys to choose from");
    if ((c->key.size > 0) != (c->identity.size > 0))
        return refused(problem, capacity, "a client's key and identity go together");
    return 0;
}

int copal_credentials_open(copal_credentials_t **credentials, const copal_dtls_backend_t *backend,
                           const copal_credentials_config_t *config, char *problem, size_t capacity)
{
    if (problem && capacity > 0)
        problem[0] = '\0';
    int status = check(config, problem, capacity);
    if (status < 0)
        return status;
    copal_credentials_t *c = malloc(sizeof *c);
    if (!c)
        return COPAL_ENOMEM;
    c->backend = backend;
    c->server = config->server;
    atomic_init(&c->holders, 1);
    status = backend->credentials_open(&c->state, config, problem, capacity);
    if (status < 0) {
        free(c);
        return status;
    }
    *credentials = c;
    return 0;
}

void copal_credentials_close(copal_credentials_t *credentials)
{
    if (!credentials || atomic_fetch_sub(&credentials->holders, 1) > 1)
        return;
    credentials->backend->credentials_close(credentials->state);
    free(credentials);
}

copal_credentials_t *copal__credentials_hold(copal_credentials_t *credentials)
{
    atomic_fetch_add(&credentials->holders, 1);
    return credentials;
}

const copal_dtls_backend_t *copal__credentials_backend(const copal_credentials_t *credentials)
{
    return credentials->backend;
}

void *copal__credentials_state(const copal_credentials_t *credentials)
{
    return credentials->state;
}

bool copal__credentials_server(const copal_credentials_t *credentials)
{
    return credentials->server;
}
