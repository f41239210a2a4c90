#include "openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* copal__suites by the names of OpenSSL, in the same order. */
#define CERTIFICATE_SUITES                                                                                        \
    "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:" \
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
#define PSK_SUITES \
    "ECDHE-PSK-CHACHA20-POLY1305:PSK-AES128-CCM8:PSK-AES128-CCM:PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305"

/* A file that cannot be read gets what the system says of it. */
static int say_of_file(const copal__problem_t *problem, const char *file, const char *sentence)
{
    unsigned long error = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(error))
        sentence = strerror(ERR_GET_REASON(error));
    return copal__problem(problem, COPAL_ECERTIFICATE, file, sentence);
}

/* A level would rule the suites of CCM_8 out, whose tag has 64 bits, and with them what every CoAP node speaks (RFC 7252
 * section 9.1.3). */
static int secure(const SSL *ssl, const SSL_CTX *context, int operation, int bits, int nid, void *other, void *ex)
{
    copal__openssl_credentials_t *credentials = ex;
    if (operation == SSL_SECOP_CIPHER_SUPPORTED || operation == SSL_SECOP_CIPHER_SHARED ||
        operation == SSL_SECOP_CIPHER_CHECK)
        return 1;
    return credentials->secure(ssl, context, operation, bits, nid, other, NULL);
}

/* A private key that is encrypted is not asked for on a terminal. */
static int no_passphrase(char *buffer, int capacity, int writing, void *user)
{
    (void)buffer, (void)capacity, (void)writing, (void)user;
    return -1;
}

/* The filter has checked it. */
static int accept_cookie(SSL *ssl, const uint8_t *cookie, unsigned size)
{
    (void)ssl, (void)cookie, (void)size;
    return 1;
}

/* No tickets and no sessions to resume: the records are not the library's, and a full handshake is the only one whose last
 * flight is known to be the server's. */
static void restrict_context(copal__openssl_credentials_t *credentials)
{
    SSL_CTX *context = credentials->context;
    SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cookie_verify_cb(context, accept_cookie);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_security_level(context, 2);
    credentials->secure = SSL_CTX_get_security_callback(context);
    SSL_CTX_set0_security_ex_data(context, credentials);
    SSL_CTX_set_security_callback(context, secure);
}

/* OpenSSL takes identity and hint as C strings. */
static int use_keys(copal__openssl_credentials_t *credentials, const copal_credentials_config_t *config,
                    const copal__problem_t *problem)
{
    char hint[COPAL_IDENTITY_SIZE + 1] = {0};
    if ((config->identity.size && memchr(config->identity.data, 0, config->identity.size)) ||
        (config->hint.size && memchr(config->hint.data, 0, config->hint.size)))
        return copal__problem(problem, COPAL_EUNSUPPORTED, NULL, "OpenSSL sends no identity or hint that holds a NUL");
    if (config->key.size)
        memcpy(credentials->key, config->key.data, config->key.size);
    credentials->key_size = config->key.size;
    if (config->identity.size)
        memcpy(credentials->identity, config->identity.data, config->identity.size);
    credentials->find_key = config->find_key;
    credentials->user = config->user;
    if (!config->server) {
        copal__openssl_psk_client(credentials->context);
        return 0;
    }
    if (config->hint.size) {
        memcpy(hint, config->hint.data, config->hint.size);
        if (SSL_CTX_use_psk_identity_hint(credentials->context, hint) != 1)
            return COPAL_ENOMEM;
    }
    copal__openssl_psk_server(credentials->context);
    return 0;
}

static int use_certificate(SSL_CTX *context, const copal_credentials_config_t *config, const copal__problem_t *problem)
{
    const char *key = config->private_key ? config->private_key : config->certificate;
    if (SSL_CTX_use_certificate_chain_file(context, config->certificate) != 1)
        return say_of_file(problem, config->certificate, "holds no certificate that can be used");
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1)
        return 0;
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
        return say_of_file(problem, key, "holds the private key of another certificate");
    return say_of_file(problem, key, "holds no private key that can be used; it must not be encrypted");
}

/* Names with wildcards are not allowed (RFC 7252 section 9.1.3.3, RFC 7925 section 4.4.1). */
static int use_authorities(SSL_CTX *context, const copal_credentials_config_t *config, const copal__problem_t *problem)
{
    X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(context), X509_CHECK_FLAG_NO_WILDCARDS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (!config->authorities)
        return SSL_CTX_set_default_verify_paths(context) == 1 ? 0 : COPAL_ENOMEM;
    if (SSL_CTX_load_verify_file(context, config->authorities) != 1)
        return say_of_file(problem, config->authorities, "holds no certificate of an authority");
    if (config->server)
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(config->authorities));
    return 0;
}

static int configure(copal__openssl_credentials_t *credentials, const copal_credentials_config_t *config,
                     const copal__problem_t *problem)
{
    bool keys = config->key.size || config->find_key;
    bool certificates = config->server ? config->certificate != NULL : !keys;
    const char *suites = keys && certificates ? CERTIFICATE_SUITES ":" PSK_SUITES
                         : keys               ? PSK_SUITES
                                              : CERTIFICATE_SUITES;
    int status = 0;
    restrict_context(credentials);
    if (SSL_CTX_set_cipher_list(credentials->context, suites) != 1)
        return copal__problem(problem, COPAL_EUNSUPPORTED, NULL, "this OpenSSL has none of the cipher suites");
    if (keys)
        status = use_keys(credentials, config, problem);
    if (status == 0 && config->certificate)
        status = use_certificate(credentials->context, config, problem);
    if (status == 0 && certificates && (config->authorities || !config->server))
        status = use_authorities(credentials->context, config, problem);
    return status;
}

int copal__openssl_credentials_open(void **opened, const copal_credentials_config_t *config, char *text,
                                    size_t capacity)
{
    copal__problem_t problem = {text, capacity};
    copal__openssl_credentials_t *credentials = OPENSSL_zalloc(sizeof *credentials);
    int status = COPAL_ENOMEM;
    ERR_clear_error();
    if (!credentials)
        return status;
    credentials->server = config->server;
    credentials->context = SSL_CTX_new(config->server ? DTLS_server_method() : DTLS_client_method());
    credentials->datagrams = copal__openssl_datagrams();
    credentials->prf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    if (credentials->context && credentials->datagrams && credentials->prf)
        status = configure(credentials, config, &problem);
    if (status != 0) {
        copal__openssl_credentials_close(credentials);
        return status;
    }
    *opened = credentials;
    return 0;
}

void copal__openssl_credentials_close(void *state)
{
    copal__openssl_credentials_t *credentials = state;
    SSL_CTX_free(credentials->context);
    BIO_meth_free(credentials->datagrams);
    EVP_KDF_free(credentials->prf);
    OPENSSL_clear_free(credentials, sizeof *credentials);
}
