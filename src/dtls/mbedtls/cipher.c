#include "mbedtls.h"

#include <mbedtls/ccm.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <stdlib.h>

/* A context for each AEAD, which is given a new key for each record: sessions then need no more than their keys. */
typedef struct {
    mbedtls_ccm_context ccm;
    mbedtls_gcm_context gcm;
    mbedtls_chachapoly_context chachapoly;
} mbedtls_cipher_t;

enum { KEY_BITS = 128, NONCE = 12 };

void *copal__mbedtls_cipher_open(void)
{
    mbedtls_cipher_t *cipher = calloc(1, sizeof *cipher);
    if (!cipher)
        return NULL;
    mbedtls_ccm_init(&cipher->ccm);
    mbedtls_gcm_init(&cipher->gcm);
    mbedtls_chachapoly_init(&cipher->chachapoly);
    return cipher;
}

void copal__mbedtls_cipher_close(void *state)
{
    mbedtls_cipher_t *cipher = state;
    if (!cipher)
        return;
    mbedtls_ccm_free(&cipher->ccm);
    mbedtls_gcm_free(&cipher->gcm);
    mbedtls_chachapoly_free(&cipher->chachapoly);
    free(cipher);
}

static int set_key(mbedtls_cipher_t *cipher, const copal__suite_t *suite, const uint8_t *key)
{
    if (suite->aead == COPAL__CHACHA20_POLY1305)
        return mbedtls_chachapoly_setkey(&cipher->chachapoly, key);
    if (suite->aead == COPAL__AES_128_GCM)
        return mbedtls_gcm_setkey(&cipher->gcm, MBEDTLS_CIPHER_ID_AES, key, KEY_BITS);
    return mbedtls_ccm_setkey(&cipher->ccm, MBEDTLS_CIPHER_ID_AES, key, KEY_BITS);
}

int copal__mbedtls_seal(void *state, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                        copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out)
{
    mbedtls_cipher_t *cipher = state;
    uint8_t *tag = out + size;
    int error = set_key(cipher, suite, key);
    if (error == 0 && suite->aead == COPAL__CHACHA20_POLY1305)
        error = mbedtls_chachapoly_encrypt_and_tag(&cipher->chachapoly, size, nonce, additional.data, additional.size,
                                                   in, out, tag);
    else if (error == 0 && suite->aead == COPAL__AES_128_GCM)
        error = mbedtls_gcm_crypt_and_tag(&cipher->gcm, MBEDTLS_GCM_ENCRYPT, size, nonce, NONCE, additional.data,
                                          additional.size, in, out, suite->tag_size, tag);
    else if (error == 0)
        error = mbedtls_ccm_encrypt_and_tag(&cipher->ccm, size, nonce, NONCE, additional.data, additional.size, in, out,
                                            tag, suite->tag_size);
    return error == 0 ? 0 : COPAL_ESYSTEM;
}

int copal__mbedtls_unseal(void *state, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                          copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out)
{
    mbedtls_cipher_t *cipher = state;
    const uint8_t *tag = in + size;
    int error = set_key(cipher, suite, key);
    if (error == 0 && suite->aead == COPAL__CHACHA20_POLY1305)
        error = mbedtls_chachapoly_auth_decrypt(&cipher->chachapoly, size, nonce, additional.data, additional.size, tag,
                                                in, out);
    else if (error == 0 && suite->aead == COPAL__AES_128_GCM)
        error = mbedtls_gcm_auth_decrypt(&cipher->gcm, size, nonce, NONCE, additional.data, additional.size, tag,
                                         suite->tag_size, in, out);
    else if (error == 0)
        error = mbedtls_ccm_auth_decrypt(&cipher->ccm, size, nonce, NONCE, additional.data, additional.size, in, out,
                                         tag, suite->tag_size);
    return error == 0 ? 0 : COPAL_EFORMAT;
}
