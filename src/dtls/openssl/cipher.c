#include "openssl.h"

/* A context for each AEAD, which is given a new key for each record: sessions then need no more than their keys. */
enum { AEADS = COPAL__CHACHA20_POLY1305 + 1 };
typedef struct {
    EVP_CIPHER_CTX *contexts[AEADS];
} openssl_cipher_t;

static const struct {
    const char *name;
    int tag_size; /* to be told before the text, as CCM needs it; 0: it is not */
} aeads[AEADS] = {
    [COPAL__AES_128_CCM_8] = {"AES-128-CCM", 8},
    [COPAL__AES_128_CCM] = {"AES-128-CCM", 16},
    [COPAL__AES_128_GCM] = {"AES-128-GCM", 0},
    [COPAL__CHACHA20_POLY1305] = {"ChaCha20-Poly1305", 0},
};

/* The sizes of nonce and tag are told once; they outlive new keys. */
static EVP_CIPHER_CTX *prepare(copal__aead_t aead)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, aeads[aead].name, NULL);
    int tag_size = aeads[aead].tag_size;
    bool ok = context && cipher && EVP_EncryptInit_ex2(context, cipher, NULL, NULL, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL) == 1 &&
              (tag_size == 0 || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_size, NULL) == 1);
    EVP_CIPHER_free(cipher); /* the context holds it */
    if (ok)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

void *copal__openssl_cipher_open(void)
{
    openssl_cipher_t *cipher = OPENSSL_zalloc(sizeof *cipher);
    for (int aead = 0; cipher && aead < AEADS; aead++) {
        cipher->contexts[aead] = prepare((copal__aead_t)aead);
        if (!cipher->contexts[aead]) {
            copal__openssl_cipher_close(cipher);
            return NULL;
        }
    }
    return cipher;
}

void copal__openssl_cipher_close(void *state)
{
    openssl_cipher_t *cipher = state;
    for (int aead = 0; cipher && aead < AEADS; aead++)
        EVP_CIPHER_CTX_free(cipher->contexts[aead]);
    OPENSSL_free(cipher);
}

/* CCM must know how long the text is before it takes what is authenticated only. */
static bool begin(EVP_CIPHER_CTX *context, const copal__suite_t *suite, copal_bytes_t additional, size_t size)
{
    int done;
    if (aeads[suite->aead].tag_size && EVP_CipherUpdate(context, NULL, &done, NULL, (int)size) != 1)
        return false;
    return EVP_CipherUpdate(context, NULL, &done, additional.data, (int)additional.size) == 1;
}

int copal__openssl_seal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                        copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out)
{
    EVP_CIPHER_CTX *context = ((openssl_cipher_t *)cipher)->contexts[suite->aead];
    int done, last;
    bool ok = EVP_EncryptInit_ex2(context, NULL, key, nonce, NULL) == 1 && begin(context, suite, additional, size) &&
              EVP_EncryptUpdate(context, out, &done, in, (int)size) == 1 &&
              EVP_EncryptFinal_ex(context, out + done, &last) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, suite->tag_size, out + size) == 1;
    return ok ? 0 : COPAL_ESYSTEM;
}

/* Of CCM the update is the verdict; of the others what ends it. */
int copal__openssl_unseal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                          copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out)
{
    EVP_CIPHER_CTX *context = ((openssl_cipher_t *)cipher)->contexts[suite->aead];
    int done, last;
    bool ok = EVP_DecryptInit_ex2(context, NULL, key, nonce, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, suite->tag_size, (void *)(in + size)) == 1 &&
              begin(context, suite, additional, size) && EVP_DecryptUpdate(context, out, &done, in, (int)size) == 1 &&
              EVP_DecryptFinal_ex(context, out + done, &last) == 1;
    return ok ? 0 : COPAL_EFORMAT;
}
