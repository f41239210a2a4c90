#include "mbedtls.h"

#include <errno.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <stdlib.h>
#include <string.h>

/* copal__suites by the names of Mbed TLS, in the same order. */
#define CERTIFICATE_SUITES                                                                                      \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM,                       \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
#define PSK_SUITES                                                                           \
    MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, \
        MBEDTLS_TLS_PSK_WITH_AES_128_CCM, MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256,           \
        MBEDTLS_TLS_PSK_WITH_CHACHA20_POLY1305_SHA256

/* Left alone, 2.28 takes the largest curve that both have, at six milliseconds a handshake. RFC 7252 section 9.1.3 wants
 * secp256r1; Curve25519 is a little quicker. */
static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                              MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE};

static const int certificate_suites[] = {CERTIFICATE_SUITES, 0};
static const int psk_suites[] = {PSK_SUITES, 0};
static const int all_suites[] = {CERTIFICATE_SUITES, PSK_SUITES, 0};

/* A file that cannot be read gets what the system says of it. */
static int say_of_file(const copal__problem_t *problem, const char *file, int error, const char *sentence)
{
    if (error == MBEDTLS_ERR_PK_FILE_IO_ERROR)
        sentence = strerror(errno);
    return copal__problem(problem, COPAL_ECERTIFICATE, file, sentence);
}

/* An identity that nobody has gets a key that nobody has: the handshake then fails as it does with a wrong key, and tells
 * nobody which identities there are (RFC 4279 section 7.3). */
static int find_key(void *state, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t size)
{
    copal__mbedtls_credentials_t *credentials = state;
    uint8_t key[COPAL_KEY_SIZE];
    int found = (int)credentials->key_size;
    memcpy(key, credentials->key, sizeof key);
    if (credentials->find_key)
        found = size <= COPAL_IDENTITY_SIZE
                    ? credentials->find_key(credentials->user, (copal_bytes_t){identity, size}, key)
                    : COPAL_ENOTFOUND;
    if (found <= 0 || found > MBEDTLS_PSK_MAX_LEN || found > (int)sizeof key) {
        found = 16;
        if (mbedtls_ctr_drbg_random(&credentials->random, key, (size_t)found) != 0)
            return -1;
    }
    return mbedtls_ssl_set_hs_psk(ssl, key, (size_t)found);
}

/* The filter has checked it, so that no HelloVerifyRequest is ever written. */
static int check_cookie(void *user, const unsigned char *cookie, size_t size, const unsigned char *client,
                        size_t client_size)
{
    (void)user, (void)cookie, (void)size, (void)client, (void)client_size;
    return 0;
}

static int write_cookie(void *user, unsigned char **at, unsigned char *end, const unsigned char *client,
                        size_t client_size)
{
    (void)user, (void)at, (void)end, (void)client, (void)client_size;
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

#define STRING(number)  STRING_(number)
#define STRING_(number) #number

static int use_keys(copal__mbedtls_credentials_t *credentials, const copal_credentials_config_t *config,
                    const copal__problem_t *problem)
{
    if (config->hint.size)
        return copal__problem(problem, COPAL_EUNSUPPORTED, NULL, "Mbed TLS sends no hint");
    if (config->key.size > MBEDTLS_PSK_MAX_LEN)
        return copal__problem(problem, COPAL_EUNSUPPORTED, NULL,
                              "this Mbed TLS takes no key of more than " STRING(MBEDTLS_PSK_MAX_LEN) " octets");
    if (!config->server)
        return mbedtls_ssl_conf_psk(&credentials->config, config->key.data, config->key.size, config->identity.data,
                                    config->identity.size) == 0
                   ? 0
                   : COPAL_ENOMEM;
    if (config->key.size)
        memcpy(credentials->key, config->key.data, config->key.size);
    credentials->key_size = config->key.size;
    credentials->find_key = config->find_key;
    credentials->user = config->user;
    mbedtls_ssl_conf_psk_cb(&credentials->config, find_key, credentials);
    return 0;
}

static int use_certificate(copal__mbedtls_credentials_t *credentials, const copal_credentials_config_t *config,
                           const copal__problem_t *problem)
{
    const char *key = config->private_key ? config->private_key : config->certificate;
    int error = mbedtls_x509_crt_parse_file(&credentials->certificate, config->certificate);
    if (error != 0)
        return say_of_file(problem, config->certificate, error, "holds no certificate that can be used");
    error = copal__mbedtls_read_key(credentials, key);
    if (error != 0)
        return say_of_file(problem, key, error, "holds no private key that can be used; it must not be encrypted");
    if (copal__mbedtls_check_key(credentials) != 0)
        return say_of_file(problem, key, 0, "holds the private key of another certificate");
    return mbedtls_ssl_conf_own_cert(&credentials->config, &credentials->certificate, &credentials->private_key) == 0
               ? 0
               : COPAL_ENOMEM;
}

static int use_authorities(copal__mbedtls_credentials_t *credentials, const copal_credentials_config_t *config,
                           const copal__problem_t *problem)
{
    if (!config->authorities)
        return copal__problem(problem, COPAL_EUNSUPPORTED, NULL,
                              "Mbed TLS knows no authorities of the system; a file must be named");
    int error = mbedtls_x509_crt_parse_file(&credentials->authorities, config->authorities);
    if (error < 0)
        return say_of_file(problem, config->authorities, error, "holds no certificate of an authority");
    mbedtls_ssl_conf_ca_chain(&credentials->config, &credentials->authorities, NULL);
    mbedtls_ssl_conf_authmode(&credentials->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    return 0;
}

/* No tickets and no sessions to resume, as the records are not the library's; renegotiation is off by itself. */
static int configure(copal__mbedtls_credentials_t *credentials, const copal_credentials_config_t *config,
                     const copal__problem_t *problem)
{
    mbedtls_ssl_config *conf = &credentials->config;
    bool keys = config->key.size || config->find_key;
    bool certificates = config->server ? config->certificate != NULL : !keys;
    int role = config->server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
    int status = 0;
    if (mbedtls_ssl_config_defaults(conf, role, MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
        mbedtls_ctr_drbg_seed(&credentials->random, mbedtls_entropy_func, &credentials->entropy, NULL, 0) != 0)
        return COPAL_ENOMEM;
    mbedtls_ssl_conf_rng(conf, mbedtls_ctr_drbg_random, &credentials->random);
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_curves(conf, curves);
    mbedtls_ssl_conf_ciphersuites(conf, keys && certificates ? all_suites : keys ? psk_suites : certificate_suites);
    if (config->server)
        mbedtls_ssl_conf_dtls_cookies(conf, write_cookie, check_cookie, NULL);
    if (keys)
        status = use_keys(credentials, config, problem);
    if (status == 0 && config->certificate)
        status = use_certificate(credentials, config, problem);
    if (status == 0 && certificates && (config->authorities || !config->server))
        status = use_authorities(credentials, config, problem);
    return status;
}

int copal__mbedtls_credentials_open(void **opened, const copal_credentials_config_t *config, char *text,
                                    size_t capacity)
{
    copal__problem_t problem = {text, capacity};
    copal__mbedtls_credentials_t *credentials = calloc(1, sizeof *credentials);
    if (!credentials)
        return COPAL_ENOMEM;
    if (pthread_mutex_init(&credentials->turn, NULL) != 0) {
        free(credentials);
        return COPAL_ENOMEM;
    }
    credentials->server = config->server;
    mbedtls_ssl_config_init(&credentials->config);
    mbedtls_entropy_init(&credentials->entropy);
    mbedtls_ctr_drbg_init(&credentials->random);
    mbedtls_x509_crt_init(&credentials->certificate);
    mbedtls_x509_crt_init(&credentials->authorities);
    mbedtls_pk_init(&credentials->private_key);
    int status = configure(credentials, config, &problem);
    if (status != 0)
        copal__mbedtls_credentials_close(credentials);
    else
        *opened = credentials;
    return status;
}

void copal__mbedtls_credentials_close(void *state)
{
    copal__mbedtls_credentials_t *credentials = state;
    mbedtls_ssl_config_free(&credentials->config);
    mbedtls_pk_free(&credentials->private_key);
    mbedtls_x509_crt_free(&credentials->authorities);
    mbedtls_x509_crt_free(&credentials->certificate);
    mbedtls_ctr_drbg_free(&credentials->random);
    mbedtls_entropy_free(&credentials->entropy);
    pthread_mutex_destroy(&credentials->turn);
    mbedtls_platform_zeroize(credentials->key, sizeof credentials->key);
    free(credentials);
}
