/* The backend of Mbed TLS 2.28 and 3.6. What these two do differently is in the folders 2 and 3, of which the build takes one. */
#ifndef COPAL_DTLS_MBEDTLS_H
#define COPAL_DTLS_MBEDTLS_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <pthread.h>

#include "../backend.h"

typedef struct copal__mbedtls_handshake_t copal__mbedtls_handshake_t;

/** Mbed TLS draws random numbers, signs and gives keys away by what a configuration holds, and locks none of it. So
 *  handshakes of one credentials take turns, and `current` is whose turn it is. */
typedef struct {
    pthread_mutex_t turn;
    copal__mbedtls_handshake_t *current;
    mbedtls_ssl_config config;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt certificate, authorities;
    mbedtls_pk_context private_key;
    bool server;
    size_t key_size;
    uint8_t key[COPAL_KEY_SIZE];
    int (*find_key)(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE]);
    void *user;
} copal__mbedtls_credentials_t;

struct copal__mbedtls_handshake_t {
    copal__mbedtls_credentials_t *credentials;
    mbedtls_ssl_context ssl;
    void (*write)(void *context, copal_bytes_t datagram);
    void *context;
    const char *name; /* what the certificate must be for; NULL: anybody */
    copal_time_t now;
    copal_time_t first, second; /* when the two times of Mbed TLS's timer are over; COPAL_NEVER: it is not set */
    const uint8_t *in;          /* the datagram that came and has not been read */
    size_t in_size;
    bool begun;                      /* a client: its ClientHello was sent */
    bool exported;                   /* the secret was told */
    uint8_t secret[48], randoms[64]; /* the server's first, as the key block is made of them */
    char reason[160];
};

/** Whether a certificate is for a host name or a literal address. */
bool copal__mbedtls_is_for(const mbedtls_x509_crt *certificate, const char *name);
/** Whether a name is a literal address: its 4 or 16 octets, or 0. */
size_t copal__mbedtls_address(const char *name, uint8_t address[16]);

/** Why a handshake failed: COPAL_EHANDSHAKE or COPAL_ECERTIFICATE, with a sentence in its `reason`. */
int copal__mbedtls_failure(copal__mbedtls_handshake_t *handshake, int error);

/* ---- what is in the folders 2 and 3 ---- */

/** Lets Mbed TLS call copal__mbedtls_exported for a handshake whose turn it is. */
void copal__mbedtls_export(copal__mbedtls_handshake_t *handshake);
void copal__mbedtls_exported(copal__mbedtls_handshake_t *handshake, const uint8_t *secret, const uint8_t *client_random,
                             const uint8_t *server_random);
/** The error of a server that finds no suite. */
extern const int copal__mbedtls_no_suite;
/** As mbedtls_pk_parse_keyfile and mbedtls_pk_check_pair. */
int copal__mbedtls_read_key(copal__mbedtls_credentials_t *credentials, const char *file);
int copal__mbedtls_check_key(copal__mbedtls_credentials_t *credentials);

/* ---- the functions of the backend ---- */

int copal__mbedtls_credentials_open(void **credentials, const copal_credentials_config_t *config, char *problem,
                                    size_t capacity);
void copal__mbedtls_credentials_close(void *credentials);

int copal__mbedtls_open(void **handshake, const copal__handshake_config_t *config);
void copal__mbedtls_close(void *handshake);
int copal__mbedtls_receive(void *handshake, copal_time_t now, uint8_t *datagram, size_t size);
int copal__mbedtls_run(void *handshake, copal_time_t now);
copal_time_t copal__mbedtls_timeout(const void *handshake, copal_time_t now);
int copal__mbedtls_keys(void *handshake, copal__keys_t *keys);
const char *copal__mbedtls_reason(const void *handshake);

void *copal__mbedtls_cipher_open(void);
void copal__mbedtls_cipher_close(void *cipher);
int copal__mbedtls_seal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                        copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out);
int copal__mbedtls_unseal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                          copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out);

#endif
