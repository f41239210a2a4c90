#include "openssl.h"

const copal_dtls_backend_t copal_dtls_openssl = {
    .name = "OpenSSL",
    .credentials_open = copal__openssl_credentials_open,
    .credentials_close = copal__openssl_credentials_close,
    .open = copal__openssl_open,
    .close = copal__openssl_close,
    .receive = copal__openssl_receive,
    .run = copal__openssl_run,
    .timeout = copal__openssl_timeout,
    .keys = copal__openssl_keys,
    .reason = copal__openssl_reason,
    .cipher_open = copal__openssl_cipher_open,
    .cipher_close = copal__openssl_cipher_close,
    .seal = copal__openssl_seal,
    .unseal = copal__openssl_unseal,
};
