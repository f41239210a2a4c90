/* The backend of OpenSSL 3.0 and later. One SSL_CTX for credentials, one SSL for a handshake, whose datagrams come and go by a
 * BIO of our own. */
#ifndef COPAL_DTLS_OPENSSL_H
#define COPAL_DTLS_OPENSSL_H

#include <openssl/kdf.h>
#include <openssl/ssl.h>

#include "../backend.h"

/** Not changed after opening, so that handshakes of several threads share them. */
typedef struct {
    SSL_CTX *context;
    BIO_METHOD *datagrams;
    EVP_KDF *prf;
    bool server;
    size_t key_size;
    uint8_t key[COPAL_KEY_SIZE];
    char identity[COPAL_IDENTITY_SIZE + 1];
    int (*find_key)(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE]);
    void *user;
    /** What security asks of keys, signatures and curves; which suites are good enough is for us to say. */
    int (*secure)(const SSL *ssl, const SSL_CTX *context, int operation, int bits, int nid, void *other, void *ex);
} copal__openssl_credentials_t;

typedef struct {
    copal__openssl_credentials_t *credentials;
    SSL *ssl;
    void (*write)(void *context, copal_bytes_t datagram);
    void *context;
    uint8_t *in; /* the datagram that came and has not been read */
    size_t in_size;
    bool begun;      /* a server: the ClientHello was taken; a client: it was sent */
    bool identified; /* a server: the client told an identity of a size that is allowed */
    size_t identity_size;
    uint8_t identity[COPAL_IDENTITY_SIZE]; /* as it stands in the ClientKeyExchange */
    const char *reason;
} copal__openssl_handshake_t;

/** Reads and writes the datagrams of the handshake that is a BIO's data. NULL: out of memory. */
BIO_METHOD *copal__openssl_datagrams(void);

/** Lets a context use the pre-shared keys of its credentials. `handshake` is the application data of each SSL. */
void copal__openssl_psk_server(SSL_CTX *context);
void copal__openssl_psk_client(SSL_CTX *context);

/** Why a handshake failed, by the thread's error queue: COPAL_EHANDSHAKE or COPAL_ECERTIFICATE, and a static sentence. */
int copal__openssl_failure(SSL *ssl, const char **reason);

int copal__openssl_credentials_open(void **credentials, const copal_credentials_config_t *config, char *problem,
                                    size_t capacity);
void copal__openssl_credentials_close(void *credentials);

int copal__openssl_open(void **handshake, const copal__handshake_config_t *config);
void copal__openssl_close(void *handshake);
int copal__openssl_receive(void *handshake, copal_time_t now, uint8_t *datagram, size_t size);
int copal__openssl_run(void *handshake, copal_time_t now);
copal_time_t copal__openssl_timeout(const void *handshake, copal_time_t now);
int copal__openssl_keys(void *handshake, copal__keys_t *keys);
const char *copal__openssl_reason(const void *handshake);

void *copal__openssl_cipher_open(void);
void copal__openssl_cipher_close(void *cipher);
int copal__openssl_seal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                        copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out);
int copal__openssl_unseal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                          copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out);

#endif
