/* The credentials of the server and of each session with psk. They are memory of malloc's and listed here: at a soft reset the
 * collector gives the script's objects back in any order. */
#include <stdlib.h>

#include "network_coap.h"

typedef struct secret_t {
    struct secret_t *next;
    copal_credentials_t *credentials;
} secret_t;

static secret_t *secrets;

/* Checks what the library does not know how to say. */
static void check_sizes(const copal_credentials_config_t *config)
{
    if (config->key.size == 0 || config->key.size > COPAL_KEY_SIZE) {
        mp_raise_ValueError(MP_ERROR_TEXT("psk must have 1 to 64 octets"));
    }
    if (config->hint.size > COPAL_IDENTITY_SIZE) {
        mp_raise_ValueError(MP_ERROR_TEXT("hint must have 0 to 128 octets"));
    }
    if (!config->server && (config->identity.size == 0 || config->identity.size > COPAL_IDENTITY_SIZE)) {
        mp_raise_ValueError(MP_ERROR_TEXT("identity must have 1 to 128 octets"));
    }
}

static copal_credentials_t *open_credentials(const copal_credentials_config_t *config)
{
    char problem[COPAL_PROBLEM_SIZE] = "";
    secret_t *secret = malloc(sizeof *secret);
    if (secret == NULL) {
        coap_raise(COPAL_ENOMEM);
    }
    int error = copal_credentials_open(&secret->credentials, &COAP_DTLS, config, problem, sizeof problem);
    if (error != 0) {
        free(secret);
        if (problem[0] != 0) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s"), problem);
        }
        coap_raise(error);
    }
    secret->next = secrets;
    secrets = secret;
    return secret->credentials;
}

copal_credentials_t *coap_credentials_open(bool server, mp_obj_t key, mp_obj_t name)
{
    if (coap_given(key) != coap_given(name)) {
        mp_raise_ValueError(MP_ERROR_TEXT("psk and its hint or identity go together"));
    }
    if (!coap_given(key)) {
        return NULL;
    }
    copal_credentials_config_t config = {.server = server, .key = coap_octets(key)};
    if (server) {
        config.hint = coap_octets(name);
    } else {
        config.identity = coap_octets(name);
    }
    check_sizes(&config);
    return open_credentials(&config);
}

/* A server with whom there is a session is told that nothing more comes. */
static void end(secret_t **at)
{
    secret_t *secret = *at;
    *at = secret->next;
    if (coap_state.host != NULL) {
        copal_host_disconnect(coap_state.host, secret->credentials);
    }
    copal_credentials_close(secret->credentials);
    free(secret);
}

void coap_credentials_close(const copal_credentials_t *credentials)
{
    for (secret_t **at = &secrets; *at != NULL; at = &(*at)->next) {
        if ((*at)->credentials == credentials) {
            end(at);
            return;
        }
    }
}

void coap_credentials_clear(void)
{
    while (secrets != NULL) {
        end(&secrets);
    }
}
