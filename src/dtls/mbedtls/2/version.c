#include "../mbedtls.h"

const int copal__mbedtls_no_suite = MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN;

/* The key block that comes along is not taken, since 3.6 has none. */
static int exported(void *credentials, const unsigned char *secret, const unsigned char *block, size_t mac_size,
                    size_t key_size, size_t iv_size, const unsigned char client_random[32],
                    const unsigned char server_random[32], mbedtls_tls_prf_types prf)
{
    copal__mbedtls_credentials_t *shared = credentials;
    (void)block, (void)mac_size, (void)key_size, (void)iv_size, (void)prf;
    copal__mbedtls_exported(shared->current, secret, client_random, server_random);
    return 0;
}

void copal__mbedtls_export(copal__mbedtls_handshake_t *handshake)
{
    copal__mbedtls_credentials_t *credentials = handshake->credentials;
    mbedtls_ssl_conf_export_keys_ext_cb(&credentials->config, exported, credentials);
}

int copal__mbedtls_read_key(copal__mbedtls_credentials_t *credentials, const char *file)
{
    return mbedtls_pk_parse_keyfile(&credentials->private_key, file, NULL);
}

int copal__mbedtls_check_key(copal__mbedtls_credentials_t *credentials)
{
    return mbedtls_pk_check_pair(&credentials->certificate.pk, &credentials->private_key);
}
