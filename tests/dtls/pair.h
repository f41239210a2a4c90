/* A client's and a server's handshake in one process, each of any backend, and the wire between them. What the filter does
 * is done by hand here: cookies, and the last flight again. */
#ifndef TESTS_DTLS_PAIR_H
#define TESTS_DTLS_PAIR_H

#define _POSIX_C_SOURCE 200809L /* nanosleep */

#include "dtls/backend.h"
#include "dtls/mbedtls/mbedtls.h"
#include "dtls/openssl/openssl.h"
#include "support/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CLIENT, SERVER, ENDS };
enum { DATAGRAMS = 64, MTU = 1200, COOKIE = 16 };

typedef struct pair_t pair_t;

typedef struct {
    uint8_t to;
    size_t size;
    uint8_t data[MTU];
} datagram_t;

typedef struct {
    pair_t *pair;
    const copal_dtls_backend_t *backend;
    void *credentials, *handshake;
    int status;
    char reason[200];
    copal__keys_t keys;
    unsigned sent, sent_before; /* datagrams, altogether and before the last call */
    datagram_t all[DATAGRAMS];
} end_t;

struct pair_t {
    copal_time_t now;
    end_t ends[ENDS];
    datagram_t queue[DATAGRAMS];
    unsigned head, tail;
    bool hurry; /* time passes, and what was lost is sent again */
    unsigned (*fate)(pair_t *pair, const end_t *from,
                     const datagram_t *datagram); /* how many copies arrive; NULL: one */
    void *context;
};

/* ---- backends ---- */

static const copal_dtls_backend_t *const backends[] = {&copal_dtls_openssl, &copal_dtls_mbedtls};
enum { BACKENDS = sizeof backends / sizeof backends[0] };

/** Runs a test for each client with each server. */
#define EACH_PAIR(client, server)                                                                                     \
    for (unsigned i_ = 0; i_ < BACKENDS * BACKENDS && named(i_); i_++)                                                \
        for (const copal_dtls_backend_t *client = backends[i_ / BACKENDS], *server = backends[i_ % BACKENDS]; client; \
             client = NULL)

static inline bool named(unsigned pair)
{
    static char note[80];
    snprintf(note, sizeof note, "client %s, server %s", backends[pair / BACKENDS]->name,
             backends[pair % BACKENDS]->name);
    check_note(note);
    return true;
}

static inline unsigned patient(SSL *ssl, unsigned before)
{
    (void)ssl, (void)before;
    return 3600u * 1000000u;
}

static inline unsigned hurried(SSL *ssl, unsigned before)
{
    (void)ssl, (void)before;
    return 20000;
}

/* OpenSSL looks at the machine's clock: in tests its timers never run out, or very soon. */
static inline void set_timers(end_t *end)
{
    if (end->backend == &copal_dtls_openssl)
        DTLS_set_timer_cb(((copal__openssl_handshake_t *)end->handshake)->ssl, end->pair->hurry ? hurried : patient);
}

typedef struct {
    int numbers[2];   /* as Mbed TLS takes them */
    const char *name; /* as OpenSSL calls it */
} named_suite_t;

/** Lets an end have one suite only. */
static inline void only_suite(end_t *end, const named_suite_t *suite)
{
    if (end->backend == &copal_dtls_openssl)
        check_equal(SSL_CTX_set_cipher_list(((copal__openssl_credentials_t *)end->credentials)->context, suite->name),
                    1);
    else
        mbedtls_ssl_conf_ciphersuites(&((copal__mbedtls_credentials_t *)end->credentials)->config, suite->numbers);
}

/* ---- the wire ---- */

static inline void pair_queue(pair_t *pair, const end_t *from, const datagram_t *d)
{
    for (unsigned copies = pair->fate ? pair->fate(pair, from, d) : 1; copies; copies--) {
        check(pair->tail - pair->head < DATAGRAMS);
        pair->queue[pair->tail++ % DATAGRAMS] = *d;
    }
}

static inline void pair_write(void *context, copal_bytes_t datagram)
{
    end_t *end = context;
    pair_t *pair = end->pair;
    check(datagram.size <= MTU && end->sent < DATAGRAMS);
    datagram_t *d = &end->all[end->sent++];
    *d = (datagram_t){.to = end == &pair->ends[CLIENT] ? SERVER : CLIENT, .size = datagram.size};
    memcpy(d->data, datagram.data, datagram.size);
    pair_queue(pair, end, d);
}

/* Where the cookie's size stands in a datagram that begins with a ClientHello; 0: it does not. */
static inline size_t cookie_at(const datagram_t *d)
{
    enum { SESSION = 13 + 12 + 2 + 32 };
    return d->data[0] == 22 && d->data[13] == 1 ? SESSION + 1u + d->data[SESSION] : 0;
}

static inline void verify_hello(pair_t *pair, const datagram_t *hello)
{
    datagram_t d = {.to = CLIENT, .size = 13 + 12 + 3 + COOKIE};
    static const uint8_t head[] = {22, 0xfe, 0xff}, message[] = {3, 0, 0, 3 + COOKIE, 0, 0, 0, 0, 0, 0, 0, 3 + COOKIE};
    memcpy(d.data, head, sizeof head);
    memcpy(d.data + 3, hello->data + 3, 8);
    d.data[12] = 12 + 3 + COOKIE;
    memcpy(d.data + 13, message, sizeof message);
    memcpy(d.data + 25, (const uint8_t[]){0xfe, 0xff, COOKIE}, 3);
    memset(d.data + 28, 0xc0, COOKIE);
    pair->queue[pair->tail++ % DATAGRAMS] = d;
}

static inline void pair_open(end_t *end, const char *name)
{
    copal__handshake_config_t config = {
        .credentials = end->credentials, .name = name, .mtu = MTU, .write = pair_write, .context = end};
    const int status = end->backend->open(&end->handshake, &config);
    end->status = status < 0 ? status : COPAL__HANDSHAKE_GOES_ON;
    if (status == 0)
        set_timers(end);
}

static inline void pair_settle(end_t *end, int status)
{
    end->status = status;
    if (status == COPAL__HANDSHAKE_GOES_ON)
        return;
    if (status == COPAL__HANDSHAKE_DONE && end->backend->keys(end->handshake, &end->keys) < 0)
        end->status = COPAL_EHANDSHAKE;
    const char *reason = end->backend->reason(end->handshake);
    snprintf(end->reason, sizeof end->reason, "%s", reason ? reason : "");
    end->backend->close(end->handshake);
    end->handshake = NULL;
}

static inline bool has_protected_record(const datagram_t *d)
{
    enum { HEADER = 13, EPOCH = 4, LENGTH = 11 };
    for (size_t at = 0; at + HEADER <= d->size;
         at += HEADER + ((size_t)d->data[at + LENGTH] << 8) + d->data[at + LENGTH + 1])
        if (d->data[at + EPOCH])
            return true;
    return false;
}

/* The last flight comes again for a Finished that comes again. */
static inline void repeat_flight(end_t *end)
{
    for (unsigned i = end->sent_before; i < end->sent; i++)
        pair_queue(end->pair, end, &end->all[i]);
}

static inline void pair_deliver(pair_t *pair, datagram_t *d)
{
    end_t *end = &pair->ends[d->to];
    size_t cookie = cookie_at(d);
    if (d->to == SERVER && !end->handshake && end->status == COPAL__HANDSHAKE_GOES_ON) {
        if (cookie && d->data[cookie] == 0)
            verify_hello(pair, d);
        if (!cookie || d->data[cookie] == 0)
            return;
        pair_open(end, NULL);
    }
    if (end->handshake && !(d->to == SERVER && cookie && d->data[cookie] == 0)) {
        end->sent_before = end->sent;
        pair_settle(end, end->backend->receive(end->handshake, pair->now, d->data, d->size));
    } else if (d->to == SERVER && end->status == COPAL__HANDSHAKE_DONE && has_protected_record(d))
        repeat_flight(end);
}

/* ---- both ends ---- */

static inline void pair_credentials(end_t *end, const copal_dtls_backend_t *backend,
                                    const copal_credentials_config_t *config)
{
    char problem[200] = "";
    end->backend = backend;
    int status = backend->credentials_open(&end->credentials, config, problem, sizeof problem);
    if (status != 0)
        print_message("%s\n", problem);
    check_equal(status, 0);
}

static inline void pair_make(pair_t *pair, const copal_dtls_backend_t *client, const copal_credentials_config_t *asks,
                             const copal_dtls_backend_t *server, const copal_credentials_config_t *answers)
{
    *pair = (pair_t){.now = 1000000};
    for (int i = 0; i < ENDS; i++) {
        pair->ends[i].pair = pair;
        pair->ends[i].status = COPAL__HANDSHAKE_GOES_ON;
    }
    pair_credentials(&pair->ends[CLIENT], client, asks);
    pair_credentials(&pair->ends[SERVER], server, answers);
}

static inline void pair_free(pair_t *pair)
{
    for (int i = 0; i < ENDS; i++) {
        end_t *end = &pair->ends[i];
        if (end->handshake)
            end->backend->close(end->handshake);
        end->backend->credentials_close(end->credentials);
    }
}

static inline void pair_run(pair_t *pair)
{
    for (int i = 0; i < ENDS; i++) {
        end_t *end = &pair->ends[i];
        if (end->handshake && end->backend->timeout(end->handshake, pair->now) <= pair->now)
            pair_settle(end, end->backend->run(end->handshake, pair->now));
    }
}

/** Until nothing is on the wire any more. */
static inline void pair_talk(pair_t *pair)
{
    while (pair->head != pair->tail) {
        datagram_t d = pair->queue[pair->head++ % DATAGRAMS];
        pair_deliver(pair, &d);
    }
}

static inline bool pair_settled(const pair_t *pair)
{
    return pair->ends[CLIENT].status != COPAL__HANDSHAKE_GOES_ON &&
           pair->ends[SERVER].status != COPAL__HANDSHAKE_GOES_ON;
}

static inline copal_time_t pair_timeout(const pair_t *pair)
{
    copal_time_t first = COPAL_NEVER;
    for (int i = 0; i < ENDS; i++) {
        const end_t *end = &pair->ends[i];
        copal_time_t timeout = end->handshake ? end->backend->timeout(end->handshake, pair->now) : COPAL_NEVER;
        first = timeout < first ? timeout : first;
    }
    return first;
}

/** Begins, and goes on until both have ended or nothing more can come. With `hurry` time passes meanwhile. */
static inline void pair_shake(pair_t *pair, const char *name)
{
    pair_open(&pair->ends[CLIENT], name);
    pair_run(pair);
    pair_talk(pair);
    for (unsigned rounds = 0; pair->hurry && !pair_settled(pair) && rounds < 1000; rounds++) {
        copal_time_t next = pair_timeout(pair);
        if (next == COPAL_NEVER)
            break;
        if (next - pair->now <= 20) /* OpenSSL's; others take the time that they are told */
            nanosleep(&(struct timespec){.tv_nsec = (next > pair->now ? next - pair->now : 0) * 1000000}, NULL);
        pair->now = next > pair->now ? next : pair->now;
        pair_run(pair);
        pair_talk(pair);
    }
}

/** Both are done, with the same keys, and what one protects the other can read. */
static inline void check_agreement(pair_t *pair)
{
    end_t *client = &pair->ends[CLIENT], *server = &pair->ends[SERVER];
    const copal__keys_t *a = &client->keys, *b = &server->keys;
    for (int i = 0; i < ENDS; i++) {
        if (pair->ends[i].status < 0)
            print_message("%s: %s\n", i == CLIENT ? "client" : "server", pair->ends[i].reason);
        check_equal(pair->ends[i].status, COPAL__HANDSHAKE_DONE);
    }
    check(a->suite && a->suite == b->suite);
    check(memcmp(a, b, sizeof *a) == 0);
    check(memcmp(a->client_key, a->server_key, a->suite->key_size) != 0);
    uint8_t nonce[12] = {7}, text[40] = "sealed by a client", out[40 + COPAL__SUITE_TAG];
    void *sealer = client->backend->cipher_open(), *opener = server->backend->cipher_open();
    copal_bytes_t additional = copal_text("header");
    check_equal(client->backend->seal(sealer, a->suite, a->client_key, nonce, additional, text, sizeof text, out), 0);
    check_equal(server->backend->unseal(opener, b->suite, b->client_key, nonce, additional, out, sizeof text, out), 0);
    check(memcmp(out, text, sizeof text) == 0);
    client->backend->cipher_close(sealer);
    server->backend->cipher_close(opener);
}

#endif
