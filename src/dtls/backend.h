/* What a library of cryptography gives to the filter: credentials, handshakes, and the protection of single records.
 * Each is a const struct in a folder beside this file; one suite of tests runs against each of them and crosswise. */
#ifndef COPAL_DTLS_BACKEND_H
#define COPAL_DTLS_BACKEND_H

#include "copal/dtls.h"
#include "suite.h"

/** What a handshake agreed on: the key block of RFC 5246 section 6.3, without MAC keys. */
typedef struct {
    const copal__suite_t *suite;
    uint8_t client_key[COPAL__SUITE_KEY], server_key[COPAL__SUITE_KEY];
    uint8_t client_iv[COPAL__SUITE_IV], server_iv[COPAL__SUITE_IV];
} copal__keys_t;

/** Divides a key block: client's key, server's key, client's IV, server's IV. */
enum { COPAL__KEY_BLOCK = 2 * (COPAL__SUITE_KEY + COPAL__SUITE_IV) };
void copal__keys_divide(copal__keys_t *keys, const copal__suite_t *suite, const uint8_t *block);

/** Where the sentence goes that says why credentials cannot be opened. */
typedef struct {
    char *text; /* NULL: nobody wants to know */
    size_t capacity;
} copal__problem_t;

/** Writes a sentence, of a file unless that is NULL, and returns `status`. */
int copal__problem(const copal__problem_t *problem, int status, const char *file, const char *sentence);

/** How a handshake is to be done. Lent until it is closed. */
typedef struct {
    void *credentials; /* as credentials_open made them; their role is the handshake's */
    const char *name;  /* of a client: what the certificate must be for, a host name or a literal address */
    uint32_t mtu;      /* octets of the largest datagram to send */
    /** Sends a datagram. Called within the functions below. */
    void (*write)(void *context, copal_bytes_t datagram);
    void *context;
} copal__handshake_config_t;

/** What receive and run say of a handshake: it goes on, it is done (keys may be asked for, the object closed), or a
 *  negative error: COPAL_EHANDSHAKE, COPAL_ECERTIFICATE. */
enum { COPAL__HANDSHAKE_GOES_ON = 1, COPAL__HANDSHAKE_DONE = 0 };

struct copal_dtls_backend_t {
    const char *name;

    /** As copal_credentials_open, which has checked sizes and roles. May be used by several threads at once. */
    int (*credentials_open)(void **credentials, const copal_credentials_config_t *config, char *problem,
                            size_t capacity);
    void (*credentials_close)(void *credentials);

    /** A server's handshake is begun for a ClientHello whose cookie was right; that is the first that it receives, with
     *  its cookie, and with message_seq as the client counted it. It answers with no HelloVerifyRequest of its own. A
     *  client's sends its ClientHello within the first `run`. 0, COPAL_ENOMEM. */
    int (*open)(void **handshake, const copal__handshake_config_t *config);
    void (*close)(void *handshake);
    /** A datagram for it, which it may overwrite. What it cannot use it drops silently (RFC 6347 section 4.1.2.7). */
    int (*receive)(void *handshake, copal_time_t now, uint8_t *datagram, size_t size);
    /** What is due by its timer. */
    int (*run)(void *handshake, copal_time_t now);
    /** When `run` is due, or COPAL_NEVER. */
    copal_time_t (*timeout)(const void *handshake, copal_time_t now);
    /** Of a handshake that is done. 0, or COPAL_EHANDSHAKE. */
    int (*keys)(void *handshake, copal__keys_t *keys);
    /** A sentence about why it failed, or NULL; lives as long as the handshake. */
    const char *(*reason)(const void *handshake);

    /** A context for protecting records, made once for a filter. NULL: out of memory. */
    void *(*cipher_open)(void);
    void (*cipher_close)(void *cipher);
    /** Encrypts `size` octets from `in` to `out`, which may be the same, and appends the suite's tag. The nonce has 12
     *  octets (RFC 6655 section 3, RFC 5288 section 3, RFC 7905 section 2). 0, or COPAL_ESYSTEM. */
    int (*seal)(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out);
    /** Decrypts `size` octets and the tag behind them. 0, or COPAL_EFORMAT: it is not authentic; `out` is then not to
     *  be used. */
    int (*unseal)(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                  copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out);
};

/** The backend's part of credentials, and how they are shared. */
const copal_dtls_backend_t *copal__credentials_backend(const copal_credentials_t *credentials);
void *copal__credentials_state(const copal_credentials_t *credentials);
bool copal__credentials_server(const copal_credentials_t *credentials);
/** One holder more, for copal_credentials_close. */
copal_credentials_t *copal__credentials_hold(copal_credentials_t *credentials);

#endif
