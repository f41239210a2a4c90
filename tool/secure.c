/* The options of DTLS, and the credentials that they come to. */
#include "secure.h"

#include <stdlib.h>
#include <string.h>

bool tool_secret_option(tool_secrets_t *secrets, int id, const char *value)
{
    switch (id) {
    case TOOL_OPTION_PSK:
        secrets->key = value;
        return true;
    case TOOL_OPTION_PSK_FILE:
        secrets->keys = value;
        return true;
    case TOOL_OPTION_IDENTITY:
        secrets->identity = value;
        return true;
    case TOOL_OPTION_HINT:
        secrets->hint = value;
        return true;
    case TOOL_OPTION_CERT:
        secrets->certificate = value;
        return true;
    case TOOL_OPTION_KEY:
        secrets->private_key = value;
        return true;
    case TOOL_OPTION_CA:
        secrets->authorities = value;
        return true;
    default:
        return false;
    }
}

const char *tool_secrets_given(const tool_secrets_t *secrets)
{
    return secrets->key           ? "--psk"
           : secrets->keys        ? "--psk-file"
           : secrets->certificate ? "--cert"
           : secrets->authorities ? "--ca"
           : secrets->private_key ? "--key"
           : secrets->identity    ? "--identity"
           : secrets->hint        ? "--hint"
                                  : NULL;
}

/** What options must not, or must, stand together. */
static int check(const tool_command_t *command, const tool_secrets_t *secrets)
{
    if (secrets->key && secrets->keys)
        return tool_option_error(command, "--psk and --psk-file both say which keys are good; take one of them");
    if (secrets->private_key && !secrets->certificate)
        return tool_option_error(command, "--key is that of a certificate; --cert is missing");
    if (secrets->identity && !secrets->key && !secrets->keys)
        return tool_option_error(command, "--identity is the name of a key; --psk is missing");
    return 0;
}

static int name_option(const tool_command_t *command, const char *option, const char *text, uint8_t *buffer,
                       copal_bytes_t *name)
{
    if (tool_parse_octets(text, buffer, COPAL_IDENTITY_SIZE, name) && name->size > 0)
        return 0;
    return tool_option_error(command, "%s takes text, or octets in hexadecimal as 0x1234, of 1 to %u octets, not '%s'",
                             option, COPAL_IDENTITY_SIZE, text);
}

/* ---- what they come to ------------------------------------------------------------------------------------ */

/** While credentials are opened: what they are of. */
typedef struct {
    copal_credentials_config_t config;
    tool_keys_t *keys;
    uint8_t key[COPAL_KEY_SIZE], identity[COPAL_IDENTITY_SIZE], hint[COPAL_IDENTITY_SIZE];
} opening_t;

static int read_options(const tool_command_t *command, const tool_secrets_t *secrets, opening_t *o)
{
    copal_credentials_config_t *config = &o->config;
    int status = check(command, secrets);
    if (status == 0 && secrets->key)
        status = tool_parse_key(command, secrets->key, o->key, &config->key);
    if (status == 0 && secrets->identity)
        status = name_option(command, "--identity", secrets->identity, o->identity, &config->identity);
    if (status == 0 && secrets->hint)
        status = name_option(command, "--hint", secrets->hint, o->hint, &config->hint);
    if (status == 0 && secrets->keys)
        status = tool_keys_open(command, &o->keys, secrets->keys);
    config->certificate = secrets->certificate;
    config->private_key = secrets->private_key;
    config->authorities = secrets->authorities;
    return status;
}

static int open_credentials(const tool_command_t *command, opening_t *o, copal_credentials_t **credentials)
{
    char problem[COPAL_PROBLEM_SIZE] = "";
    const copal_dtls_backend_t *backend = tool_dtls();
    if (!backend)
        return TOOL_REFUSED;
    int error = copal_credentials_open(credentials, backend, &o->config, problem, sizeof problem);
    return error ? tool_usage_error(command, "%s", *problem ? problem : copal_error_text(error)) : 0;
}

/* ---- of a client ------------------------------------------------------------------------------------------- */

/** The key of the identity from the file of keys. */
static int choose_key(const tool_command_t *command, opening_t *o)
{
    copal_credentials_config_t *config = &o->config;
    if (config->identity.size == 0)
        config->identity = tool_keys_only_identity(o->keys);
    if (config->identity.size == 0)
        return tool_option_error(command, "--psk-file has several identities; say by --identity which to use");
    int size = tool_keys_find(o->keys, config->identity, o->key);
    if (size < 0)
        return tool_usage_error(command, "--psk-file has no key for this --identity");
    config->key = (copal_bytes_t){o->key, (size_t)size};
    return 0;
}

/** Arguments are seen by everybody on the machine; the environment is not. */
static void look_around(tool_secrets_t *secrets)
{
    if (secrets->key || secrets->keys || secrets->certificate || secrets->authorities)
        return;
    secrets->key = getenv("COPAL_PSK");
    if (!secrets->identity)
        secrets->identity = getenv("COPAL_IDENTITY");
}

static int open_client(const tool_command_t *command, const tool_secrets_t *secrets, opening_t *o,
                       copal_credentials_t **credentials)
{
    int status = read_options(command, secrets, o);
    if (status == 0 && o->keys)
        status = choose_key(command, o);
    if (status)
        return status;
    if (o->config.key.size > 0 && o->config.identity.size == 0)
        return tool_option_error(command, "--psk goes with --identity, the name by which the server knows the key");
    if (secrets->authorities && strcmp(secrets->authorities, "system") == 0)
        o->config.authorities = NULL;
    return open_credentials(command, o, credentials);
}

int tool_client_credentials(const tool_command_t *command, const tool_secrets_t *given,
                            copal_credentials_t **credentials)
{
    tool_secrets_t secrets = *given;
    opening_t o = {.config = {.server = false}};
    look_around(&secrets);
    if (!secrets.key && !secrets.keys && !secrets.certificate && !secrets.authorities)
        return tool_usage_error(command,
                                "coaps:// needs --psk and --identity (or COPAL_PSK and COPAL_IDENTITY in the "
                                "environment), or --ca with the file of an authority, or 'system' for those of "
                                "this machine");
    int status = open_client(command, &secrets, &o, credentials);
    tool_keys_close(o.keys);
    memset(o.key, 0, sizeof o.key);
    return status;
}

/* ---- of a server ------------------------------------------------------------------------------------------- */

int tool_server_credentials(const tool_command_t *command, const tool_secrets_t *secrets, tool_keys_t **keys,
                            copal_credentials_t **credentials)
{
    opening_t o = {.config = {.server = true}};
    int status = read_options(command, secrets, &o);
    if (status == 0 && secrets->keys && secrets->identity)
        status = tool_option_error(command, "--psk-file says which identities there are; --identity goes with --psk");
    if (status == 0 && secrets->identity) /* only this one */
        status = tool_keys_of_one(command, &o.keys, o.config.identity, o.config.key);
    if (o.keys) {
        o.config.find_key = tool_keys_find;
        o.config.user = *keys ? *keys : o.keys;
        o.config.key = o.config.identity = (copal_bytes_t){NULL, 0};
    }
    if (status == 0)
        status = open_credentials(command, &o, credentials);
    memset(o.key, 0, sizeof o.key);
    if (!*keys)
        *keys = o.keys;
    else if (status == 0 && o.keys)
        tool_keys_replace(*keys, o.keys);
    else
        tool_keys_close(o.keys);
    return status;
}
