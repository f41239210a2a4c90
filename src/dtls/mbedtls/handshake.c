#include "mbedtls.h"

#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>

static int read_datagram(void *state, unsigned char *buffer, size_t capacity)
{
    copal__mbedtls_handshake_t *handshake = state;
    if (!handshake->in)
        return MBEDTLS_ERR_SSL_WANT_READ;
    size_t size = handshake->in_size < capacity ? handshake->in_size : capacity;
    memcpy(buffer, handshake->in, size);
    handshake->in = NULL;
    return (int)size;
}

static int write_datagram(void *state, const unsigned char *data, size_t size)
{
    copal__mbedtls_handshake_t *handshake = state;
    handshake->write(handshake->context, (copal_bytes_t){data, size});
    return (int)size;
}

static void set_timer(void *state, uint32_t first, uint32_t second)
{
    copal__mbedtls_handshake_t *handshake = state;
    handshake->first = second ? handshake->now + first : COPAL_NEVER;
    handshake->second = second ? handshake->now + second : COPAL_NEVER;
}

/* The numbers are those that mbedtls_ssl_get_timer_t asks for. */
static int get_timer(void *state)
{
    const copal__mbedtls_handshake_t *handshake = state;
    if (handshake->second == COPAL_NEVER)
        return -1;
    return handshake->now >= handshake->second ? 2 : handshake->now >= handshake->first;
}

static int check_name(void *state, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    const copal__mbedtls_handshake_t *handshake = state;
    if (depth == 0 && handshake->name && !copal__mbedtls_is_for(certificate, handshake->name))
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

void copal__mbedtls_exported(copal__mbedtls_handshake_t *handshake, const uint8_t *secret, const uint8_t *client_random,
                             const uint8_t *server_random)
{
    memcpy(handshake->secret, secret, sizeof handshake->secret);
    memcpy(handshake->randoms, server_random, 32);
    memcpy(handshake->randoms + 32, client_random, 32);
    handshake->exported = true;
}

/* A name is told to the server, too, unless it is an address (RFC 6066 section 3, RFC 7252 section 9.1). */
static bool prepare(copal__mbedtls_handshake_t *handshake, const copal__handshake_config_t *config)
{
    mbedtls_ssl_context *ssl = &handshake->ssl;
    uint8_t address[16];
    const char *host = config->name && copal__mbedtls_address(config->name, address) == 0 ? config->name : NULL;
    if (mbedtls_ssl_setup(ssl, &handshake->credentials->config) != 0)
        return false;
    mbedtls_ssl_set_bio(ssl, handshake, write_datagram, read_datagram, NULL);
    mbedtls_ssl_set_timer_cb(ssl, handshake, set_timer, get_timer);
    mbedtls_ssl_set_mtu(ssl, (uint16_t)config->mtu);
    copal__mbedtls_export(handshake);
    if (handshake->credentials->server) /* without a client there would be no cookies */
        return mbedtls_ssl_set_client_transport_id(ssl, (const unsigned char *)"", 1) == 0;
    mbedtls_ssl_set_verify(ssl, check_name, handshake);
    return mbedtls_ssl_set_hostname(ssl, host) == 0;
}

int copal__mbedtls_open(void **opened, const copal__handshake_config_t *config)
{
    copal__mbedtls_handshake_t *handshake = calloc(1, sizeof *handshake);
    if (!handshake)
        return COPAL_ENOMEM;
    handshake->credentials = config->credentials;
    handshake->write = config->write;
    handshake->context = config->context;
    handshake->name = config->name;
    handshake->first = handshake->second = COPAL_NEVER;
    mbedtls_ssl_init(&handshake->ssl);
    pthread_mutex_lock(&handshake->credentials->turn);
    bool ok = prepare(handshake, config);
    pthread_mutex_unlock(&handshake->credentials->turn);
    if (!ok) {
        copal__mbedtls_close(handshake);
        return COPAL_ENOMEM;
    }
    *opened = handshake;
    return 0;
}

void copal__mbedtls_close(void *state)
{
    copal__mbedtls_handshake_t *handshake = state;
    mbedtls_ssl_free(&handshake->ssl);
    mbedtls_platform_zeroize(handshake, sizeof *handshake);
    free(handshake);
}

static int proceed(copal__mbedtls_handshake_t *handshake)
{
    copal__mbedtls_credentials_t *credentials = handshake->credentials;
    pthread_mutex_lock(&credentials->turn);
    credentials->current = handshake;
    int error = mbedtls_ssl_handshake(&handshake->ssl);
    credentials->current = NULL;
    pthread_mutex_unlock(&credentials->turn);
    if (error == 0)
        return COPAL__HANDSHAKE_DONE;
    return error == MBEDTLS_ERR_SSL_WANT_READ ? COPAL__HANDSHAKE_GOES_ON : copal__mbedtls_failure(handshake, error);
}

int copal__mbedtls_receive(void *state, copal_time_t now, uint8_t *datagram, size_t size)
{
    copal__mbedtls_handshake_t *handshake = state;
    handshake->now = now;
    handshake->in = datagram;
    handshake->in_size = size;
    int status = proceed(handshake);
    handshake->in = NULL;
    return status;
}

int copal__mbedtls_run(void *state, copal_time_t now)
{
    copal__mbedtls_handshake_t *handshake = state;
    if (copal__mbedtls_timeout(handshake, now) > now)
        return COPAL__HANDSHAKE_GOES_ON;
    handshake->now = now;
    handshake->begun = true;
    return proceed(handshake);
}

copal_time_t copal__mbedtls_timeout(const void *state, copal_time_t now)
{
    const copal__mbedtls_handshake_t *handshake = state;
    return handshake->begun || handshake->credentials->server ? handshake->second : now;
}

const char *copal__mbedtls_reason(const void *state)
{
    const copal__mbedtls_handshake_t *handshake = state;
    return handshake->reason[0] ? handshake->reason : NULL;
}

/* The key block is PRF(master secret, "key expansion", server random + client random) (RFC 5246 section 6.3). The secret is
 * told before the other's Finished was seen, so only a handshake that is done has keys. */
int copal__mbedtls_keys(void *state, copal__keys_t *keys)
{
    copal__mbedtls_handshake_t *handshake = state;
    const char *name = mbedtls_ssl_get_ciphersuite(&handshake->ssl);
    const copal__suite_t *suite = copal__suite_find((uint16_t)mbedtls_ssl_get_ciphersuite_id(name));
    uint8_t block[COPAL__KEY_BLOCK];
    if (!suite || !handshake->exported ||
        mbedtls_ssl_tls_prf(MBEDTLS_SSL_TLS_PRF_SHA256, handshake->secret, sizeof handshake->secret, "key expansion",
                            handshake->randoms, sizeof handshake->randoms, block,
                            2u * (suite->key_size + suite->iv_size)) != 0)
        return COPAL_EHANDSHAKE;
    copal__keys_divide(keys, suite, block);
    mbedtls_platform_zeroize(block, sizeof block);
    return 0;
}
