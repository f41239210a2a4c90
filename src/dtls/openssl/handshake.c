#include "openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/x509v3.h>
#include <sys/time.h>

/* A name is told to the server, too, unless it is an address (RFC 6066 section 3, RFC 7252 section 9.1). */
static bool expect(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name) == 1)
        return true;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool prepare(copal__openssl_handshake_t *handshake, const copal__handshake_config_t *config)
{
    BIO *bio = BIO_new(handshake->credentials->datagrams);
    handshake->ssl = SSL_new(handshake->credentials->context);
    if (!bio || !handshake->ssl) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, handshake);
    BIO_set_init(bio, 1);
    SSL_set_bio(handshake->ssl, bio, bio);
    if (SSL_set_app_data(handshake->ssl, handshake) != 1)
        return false;
    SSL_set_mtu(handshake->ssl, (long)config->mtu);
    if (handshake->credentials->server)
        SSL_set_accept_state(handshake->ssl);
    else
        SSL_set_connect_state(handshake->ssl);
    return !config->name || handshake->credentials->server || expect(handshake->ssl, config->name);
}

int copal__openssl_open(void **opened, const copal__handshake_config_t *config)
{
    copal__openssl_handshake_t *handshake = OPENSSL_zalloc(sizeof *handshake);
    if (!handshake)
        return COPAL_ENOMEM;
    handshake->credentials = config->credentials;
    handshake->write = config->write;
    handshake->context = config->context;
    if (!prepare(handshake, config)) {
        copal__openssl_close(handshake);
        return COPAL_ENOMEM;
    }
    *opened = handshake;
    return 0;
}

void copal__openssl_close(void *state)
{
    copal__openssl_handshake_t *handshake = state;
    SSL_free(handshake->ssl);
    OPENSSL_free(handshake);
}

static int proceed(copal__openssl_handshake_t *handshake)
{
    int done = SSL_do_handshake(handshake->ssl);
    if (done == 1)
        return COPAL__HANDSHAKE_DONE;
    if (SSL_get_error(handshake->ssl, done) == SSL_ERROR_WANT_READ)
        return COPAL__HANDSHAKE_GOES_ON;
    return copal__openssl_failure(handshake->ssl, &handshake->reason);
}

/* A server takes message_seq 1 as the first by no other way than DTLSv1_listen; it writes nothing when the cookie is right. It
 * takes no other: a client whose cookie grew old on the way, so that it was asked twice, is not answered and begins anew. */
static bool take_hello(copal__openssl_handshake_t *handshake)
{
    BIO_ADDR *nobody = BIO_ADDR_new();
    bool heard = nobody && DTLSv1_listen(handshake->ssl, nobody) == 1;
    BIO_ADDR_free(nobody);
    return heard;
}

int copal__openssl_receive(void *state, copal_time_t now, uint8_t *datagram, size_t size)
{
    copal__openssl_handshake_t *handshake = state;
    int status = COPAL__HANDSHAKE_GOES_ON;
    (void)now;
    ERR_clear_error();
    handshake->in = datagram;
    handshake->in_size = size;
    if (!handshake->begun && handshake->credentials->server)
        handshake->begun = take_hello(handshake);
    if (handshake->begun)
        status = proceed(handshake);
    handshake->in = NULL;
    return status;
}

/* OpenSSL counts time by a clock of its own. */
int copal__openssl_run(void *state, copal_time_t now)
{
    copal__openssl_handshake_t *handshake = state;
    (void)now;
    ERR_clear_error();
    if (handshake->begun)
        return DTLSv1_handle_timeout(handshake->ssl) < 0 ? copal__openssl_failure(handshake->ssl, &handshake->reason)
                                                         : COPAL__HANDSHAKE_GOES_ON;
    if (handshake->credentials->server)
        return COPAL__HANDSHAKE_GOES_ON;
    handshake->begun = true;
    return proceed(handshake);
}

copal_time_t copal__openssl_timeout(const void *state, copal_time_t now)
{
    const copal__openssl_handshake_t *handshake = state;
    struct timeval left;
    if (!handshake->begun)
        return handshake->credentials->server ? COPAL_NEVER : now;
    if (DTLSv1_get_timeout(handshake->ssl, &left) != 1)
        return COPAL_NEVER;
    return now + (copal_time_t)left.tv_sec * 1000 + (left.tv_usec + 999) / 1000;
}

const char *copal__openssl_reason(const void *state)
{
    return ((const copal__openssl_handshake_t *)state)->reason;
}

/* The key block is PRF(master secret, "key expansion", server random + client random) (RFC 5246 section 6.3). */
static bool expand(copal__openssl_handshake_t *handshake, uint8_t *block, size_t size)
{
    char digest[] = "SHA2-256", label[] = "key expansion";
    uint8_t master[SSL_MAX_MASTER_KEY_LENGTH], randoms[2 * SSL3_RANDOM_SIZE];
    size_t secret = SSL_SESSION_get_master_key(SSL_get0_session(handshake->ssl), master, sizeof master);
    SSL_get_server_random(handshake->ssl, randoms, SSL3_RANDOM_SIZE);
    SSL_get_client_random(handshake->ssl, randoms + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, secret),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, randoms, sizeof randoms),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX *prf = EVP_KDF_CTX_new(handshake->credentials->prf);
    bool ok = prf && EVP_KDF_derive(prf, block, size, parameters) == 1;
    EVP_KDF_CTX_free(prf);
    OPENSSL_cleanse(master, sizeof master);
    return ok;
}

int copal__openssl_keys(void *state, copal__keys_t *keys)
{
    copal__openssl_handshake_t *handshake = state;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(handshake->ssl);
    const copal__suite_t *suite = cipher ? copal__suite_find(SSL_CIPHER_get_protocol_id(cipher)) : NULL;
    uint8_t block[COPAL__KEY_BLOCK];
    if (!suite || !expand(handshake, block, 2u * (suite->key_size + suite->iv_size)))
        return COPAL_EHANDSHAKE;
    copal__keys_divide(keys, suite, block);
    OPENSSL_cleanse(block, sizeof block);
    return 0;
}
