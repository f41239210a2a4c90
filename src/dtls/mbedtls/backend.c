#include "mbedtls.h"

const copal_dtls_backend_t copal_dtls_mbedtls = {
    .name = "Mbed TLS",
    .credentials_open = copal__mbedtls_credentials_open,
    .credentials_close = copal__mbedtls_credentials_close,
    .open = copal__mbedtls_open,
    .close = copal__mbedtls_close,
    .receive = copal__mbedtls_receive,
    .run = copal__mbedtls_run,
    .timeout = copal__mbedtls_timeout,
    .keys = copal__mbedtls_keys,
    .reason = copal__mbedtls_reason,
    .cipher_open = copal__mbedtls_cipher_open,
    .cipher_close = copal__mbedtls_cipher_close,
    .seal = copal__mbedtls_seal,
    .unseal = copal__mbedtls_unseal,
};
