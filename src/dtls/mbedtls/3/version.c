#include "../mbedtls.h"

const int copal__mbedtls_no_suite = MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE;

static void exported(void *handshake, mbedtls_ssl_key_export_type type, const unsigned char *secret, size_t size,
                     const unsigned char client_random[32], const unsigned char server_random[32],
                     mbedtls_tls_prf_types prf)
{
    (void)size, (void)prf;
    if (type == MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET)
        copal__mbedtls_exported(handshake, secret, client_random, server_random);
}

void copal__mbedtls_export(copal__mbedtls_handshake_t *handshake)
{
    mbedtls_ssl_set_export_keys_cb(&handshake->ssl, exported, handshake);
}

int copal__mbedtls_read_key(copal__mbedtls_credentials_t *credentials, const char *file)
{
    return mbedtls_pk_parse_keyfile(&credentials->private_key, file, NULL, mbedtls_ctr_drbg_random,
                                    &credentials->random);
}

int copal__mbedtls_check_key(copal__mbedtls_credentials_t *credentials)
{
    return mbedtls_pk_check_pair(&credentials->certificate.pk, &credentials->private_key, mbedtls_ctr_drbg_random,
                                 &credentials->random);
}
