#include "support/toy.h"

#include "message/hash.h"
#include "support/check.h"

#include <stdlib.h>
#include <string.h>

/* The handshake, with retransmission of whole flights (RFC 6347 section 4.2.4):
 *     ClientHello ->                                     <- HelloVerifyRequest (the filter's)
 *     ClientHello with cookie ->                         <- ServerHello, with a certificate's text
 *     ClientKeyExchange, ChangeCipherSpec, Finished ->   <- ChangeCipherSpec, Finished */
enum { HELLO = 1, VERIFY = 3, SERVER_HELLO = 2, KEY_EXCHANGE = 16, FINISHED = 20 };
enum { CCS = 20, HANDSHAKE = 22 };
enum { FIRST_WAIT = 1000, LONGEST_WAIT = 60000 };

toy_t toy;

typedef struct {
    bool server;
    uint8_t key[COPAL_KEY_SIZE], identity[COPAL_IDENTITY_SIZE];
    size_t key_size, identity_size;
    int (*find_key)(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE]);
    void *user;
    char certificate[64];
    bool checks; /* it has authorities */
} credentials_t;

typedef struct {
    copal__handshake_config_t config;
    const credentials_t *credentials;
    uint8_t client_random[32], server_random[32], cookie[32], identity[COPAL_IDENTITY_SIZE];
    size_t cookie_size, identity_size;
    copal__keys_t keys;
    bool has_keys, has_ccs;
    unsigned flight;       /* the one to send and send again; 0: none yet */
    uint8_t message;       /* message_seq of its first message */
    uint64_t numbers[2];   /* next record of each epoch */
    copal_time_t at, wait; /* it goes out again */
    const char *reason;
} handshake_t;

void toy_reset(uint64_t seed)
{
    toy = (toy_t){.random = random_from(seed), .run = toy.run + 1, .suite = 0xc0a8};
}

/* ---- credentials ------------------------------------------------------------------------------------- */

static int credentials_open(void **credentials, const copal_credentials_config_t *config, char *problem,
                            size_t capacity)
{
    (void)problem, (void)capacity;
    if (toy.is_full)
        return COPAL_ENOMEM;
    credentials_t *c = calloc(1, sizeof *c);
    c->server = config->server;
    c->key_size = config->key.size;
    c->identity_size = config->identity.size;
    if (c->key_size > 0)
        memcpy(c->key, config->key.data, c->key_size);
    if (c->identity_size > 0)
        memcpy(c->identity, config->identity.data, c->identity_size);
    c->find_key = config->find_key;
    c->user = config->user;
    if (config->certificate)
        strncpy(c->certificate, config->certificate, sizeof c->certificate - 1);
    c->checks = config->authorities != NULL;
    toy.credentials++;
    *credentials = c;
    return 0;
}

static void credentials_close(void *credentials)
{
    toy.credentials--;
    free(credentials);
}

/* ---- protection -------------------------------------------------------------------------------------- */

static uint64_t digest(uint64_t start, const void *data, size_t size)
{
    return copal__hash(&(copal__key_t){start, 1}, 0, data, size);
}

/* Which plaintext each key and nonce was used for; the older ones are forgotten. */
static void notice(uint64_t use, uint64_t content)
{
    static struct {
        uint64_t use, content;
    } uses[1 << 16];
    const size_t place = use % (1 << 16);
    if (uses[place].use == use)
        check(uses[place].content == content); /* a nonce for two plaintexts */
    uses[place].use = use;
    uses[place].content = content;
}

static uint64_t start_of(const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce)
{
    return digest(digest(suite->aead, key, suite->key_size), nonce, 12);
}

static uint64_t tag_of(uint64_t start, copal_bytes_t additional, const uint8_t *plain, size_t size)
{
    return digest(digest(start, additional.data, additional.size), plain, size);
}

static void mix(uint64_t start, const uint8_t *in, size_t size, uint8_t *out)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t stream = digest(start + 1, &i, sizeof i);
        for (size_t j = i; j < size && j < i + 8; j++, stream >>= 8)
            out[j] = in[j] ^ (uint8_t)stream;
    }
}

static int seal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out)
{
    const uint64_t start = start_of(suite, key, nonce), tag = tag_of(start, additional, in, size);
    (void)cipher;
    notice(digest(toy.run, &start, sizeof start), tag);
    mix(start, in, size, out);
    for (size_t i = 0; i < suite->tag_size; i++)
        out[size + i] = (uint8_t)(tag >> (i % 8 * 8));
    return 0;
}

static int unseal(void *cipher, const copal__suite_t *suite, const uint8_t *key, const uint8_t *nonce,
                  copal_bytes_t additional, const uint8_t *in, size_t size, uint8_t *out)
{
    const uint64_t start = start_of(suite, key, nonce);
    uint8_t given[COPAL__SUITE_TAG];
    (void)cipher;
    memcpy(given, in + size, suite->tag_size);
    mix(start, in, size, out);
    const uint64_t tag = tag_of(start, additional, out, size);
    for (size_t i = 0; i < suite->tag_size; i++)
        if (given[i] != (uint8_t)(tag >> (i % 8 * 8)))
            return COPAL_EFORMAT;
    return 0;
}

static void *cipher_open(void)
{
    toy.ciphers += !toy.is_full;
    return toy.is_full ? NULL : &toy;
}

static void cipher_close(void *cipher)
{
    (void)cipher;
    toy.ciphers--;
}

/* ---- what goes out ----------------------------------------------------------------------------------- */

typedef struct {
    uint8_t data[1024];
    size_t size;
} datagram_t;

static void put(datagram_t *d, const void *data, size_t size)
{
    if (size > 0)
        memcpy(d->data + d->size, data, size);
    d->size += size;
}

static void put_header(handshake_t *h, datagram_t *d, uint8_t type, unsigned epoch, size_t size)
{
    uint64_t number = (uint64_t)epoch << 48 | h->numbers[epoch]++;
    uint8_t header[13] = {type, 0xfe, 0xfd, [11] = (uint8_t)(size >> 8), [12] = (uint8_t)size};
    for (unsigned i = 0; i < 8; i++)
        header[3 + i] = (uint8_t)(number >> (56 - 8 * i));
    put(d, header, sizeof header);
}

static void put_message(datagram_t *d, uint8_t type, uint8_t message, const void *body, size_t size)
{
    const uint8_t header[12] = {type, 0, (uint8_t)(size >> 8), (uint8_t)size, 0, message, 0, 0,
                                0,    0, (uint8_t)(size >> 8), (uint8_t)size};
    put(d, header, sizeof header);
    put(d, body, size);
}

static void put_hello(handshake_t *h, datagram_t *d)
{
    static const uint8_t suites[] = {0, 2, 0xc0, 0xa8, 1, 0};
    datagram_t body = {{0xfe, 0xfd}, 2};
    put(&body, h->client_random, 32);
    put(&body, "", 1); /* no session */
    put(&body, &(uint8_t){(uint8_t)h->cookie_size}, 1);
    put(&body, h->cookie, h->cookie_size);
    put(&body, suites, sizeof suites);
    put_header(h, d, HANDSHAKE, 0, 12 + body.size);
    put_message(d, HELLO, h->message, body.data, body.size);
}

static void put_server_hello(handshake_t *h, datagram_t *d)
{
    datagram_t body = {{0}, 0};
    put(&body, h->server_random, 32);
    put(&body, h->credentials->certificate, sizeof h->credentials->certificate);
    put_header(h, d, HANDSHAKE, 0, 12 + body.size);
    put_message(d, SERVER_HELLO, h->message, body.data, body.size);
}

static void put_finished(handshake_t *h, datagram_t *d, uint8_t message)
{
    const copal__suite_t *suite = h->keys.suite;
    const bool server = h->credentials->server;
    datagram_t plain = {{0}, 0}, sealed = {{0}, 0};
    uint8_t nonce[12], additional[13];
    put_header(h, d, CCS, 0, 1);
    put(d, "\1", 1);
    put_message(&plain, FINISHED, message, server ? "server is done" : "client is done", 12);
    put_header(h, d, HANDSHAKE, 1, suite->explicit_size + plain.size + suite->tag_size);
    const uint8_t *number = d->data + d->size - 10;
    memcpy(nonce, server ? h->keys.server_iv : h->keys.client_iv, 12);
    for (unsigned i = 0; i < 8; i++)
        nonce[4 + i] = suite->explicit_size ? number[i] : nonce[4 + i] ^ number[i];
    memcpy(additional, number, 8);
    memcpy(additional + 8, (const uint8_t[]){HANDSHAKE, 0xfe, 0xfd, 0, (uint8_t)plain.size}, 5);
    put(&sealed, number, suite->explicit_size);
    seal(NULL, suite, server ? h->keys.server_key : h->keys.client_key, nonce, (copal_bytes_t){additional, 13},
         plain.data, plain.size, sealed.data + sealed.size);
    put(d, sealed.data, sealed.size + plain.size + suite->tag_size);
}

static void send_flight(handshake_t *h)
{
    datagram_t d = {{0}, 0};
    if (h->flight == 1 && !h->credentials->server) {
        put_hello(h, &d);
    } else if (h->flight == 1) {
        put_server_hello(h, &d);
    } else if (h->credentials->server) {
        put_finished(h, &d, h->message);
    } else {
        put_header(h, &d, HANDSHAKE, 0, 12 + h->credentials->identity_size);
        put_message(&d, KEY_EXCHANGE, h->message, h->credentials->identity, h->credentials->identity_size);
        put_finished(h, &d, (uint8_t)(h->message + 1));
    }
    h->config.write(h->config.context, (copal_bytes_t){d.data, d.size});
}

static void begin_flight(handshake_t *h, copal_time_t now, unsigned flight, uint8_t message)
{
    h->flight = flight;
    h->message = message;
    h->wait = FIRST_WAIT;
    h->at = now + h->wait;
    send_flight(h);
}

/* ---- what comes in ----------------------------------------------------------------------------------- */

static void make_keys(handshake_t *h, const uint8_t *key, size_t key_size)
{
    uint64_t secret = digest(digest(digest(7, key, key_size), h->client_random, 32), h->server_random, 32);
    uint8_t *octets[] = {h->keys.client_key, h->keys.server_key, h->keys.client_iv, h->keys.server_iv};
    const size_t sizes[] = {COPAL__SUITE_KEY, COPAL__SUITE_KEY, COPAL__SUITE_IV, COPAL__SUITE_IV};
    h->keys.suite = copal__suite_find(toy.suite);
    for (unsigned i = 0; i < 4; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            octets[i][j] = (uint8_t)digest(secret + i, &j, sizeof j);
    h->has_keys = true;
}

static int client_hears(handshake_t *h, copal_time_t now, uint8_t type, const uint8_t *body, size_t size)
{
    if (type == VERIFY && h->flight == 1 && h->cookie_size == 0 && size > 3 && size - 3 <= sizeof h->cookie) {
        h->cookie_size = size - 3;
        memcpy(h->cookie, body + 3, h->cookie_size);
        begin_flight(h, now, 1, 1);
    } else if (type == SERVER_HELLO && h->flight == 1 && size == 32 + sizeof h->credentials->certificate) {
        memcpy(h->server_random, body, 32);
        if (h->credentials->checks && strncmp((const char *)body + 32, h->config.name, size - 32) != 0) {
            h->reason = "the certificate is for another host";
            return COPAL_ECERTIFICATE;
        }
        make_keys(h, h->credentials->key, h->credentials->key_size);
        begin_flight(h, now, 2, 2);
    }
    return COPAL__HANDSHAKE_GOES_ON;
}

static int server_hears(handshake_t *h, copal_time_t now, uint8_t type, uint8_t message, const uint8_t *body,
                        size_t size)
{
    const credentials_t *c = h->credentials;
    if (type == HELLO && h->flight == 0 && size > 34) {
        memcpy(h->client_random, body + 2, 32);
        begin_flight(h, now, 1, message);
    } else if (type == HELLO && h->flight == 1) {
        send_flight(h);
    } else if (type == KEY_EXCHANGE && h->flight == 1 && !h->has_keys && size <= sizeof h->identity) {
        uint8_t key[COPAL_KEY_SIZE] = {0};
        int key_size = c->find_key ? c->find_key(c->user, (copal_bytes_t){body, size}, key) : (int)c->key_size;
        if (key_size < 0)
            key_size = 1; /* looks like a wrong key */
        make_keys(h, c->find_key ? key : c->key, (size_t)key_size);
    }
    return COPAL__HANDSHAKE_GOES_ON;
}

static int hear_finished(handshake_t *h, copal_time_t now, uint8_t *record, size_t size)
{
    const copal__suite_t *suite = h->keys.suite;
    const bool server = h->credentials->server;
    uint8_t nonce[12], additional[13];
    if (!h->has_keys || !h->has_ccs || record[0] != HANDSHAKE ||
        size < (size_t)suite->explicit_size + suite->tag_size + 12)
        return COPAL__HANDSHAKE_GOES_ON;
    const size_t plain = size - suite->explicit_size - suite->tag_size;
    uint8_t *in = record + 13 + suite->explicit_size;
    memcpy(nonce, server ? h->keys.client_iv : h->keys.server_iv, 12);
    for (unsigned i = 0; i < 8; i++)
        nonce[4 + i] = suite->explicit_size ? record[13 + i] : nonce[4 + i] ^ record[3 + i];
    memcpy(additional, record + 3, 8);
    memcpy(additional + 8, (const uint8_t[]){HANDSHAKE, 0xfe, 0xfd, (uint8_t)(plain >> 8), (uint8_t)plain}, 5);
    if (unseal(NULL, suite, server ? h->keys.client_key : h->keys.server_key, nonce, (copal_bytes_t){additional, 13},
               in, plain, in) < 0 ||
        in[0] != FINISHED)
        return COPAL__HANDSHAKE_GOES_ON;
    if (server)
        begin_flight(h, now, 2, (uint8_t)(h->message + 1));
    return COPAL__HANDSHAKE_DONE;
}

static int receive(void *handshake, copal_time_t now, uint8_t *datagram, size_t size)
{
    handshake_t *h = handshake;
    int status = COPAL__HANDSHAKE_GOES_ON;
    while (status == COPAL__HANDSHAKE_GOES_ON && size >= 13) {
        const size_t fragment = (size_t)datagram[11] << 8 | datagram[12];
        const uint8_t *message = datagram + 13;
        if (fragment > size - 13)
            break;
        if (datagram[4] == 1)
            status = hear_finished(h, now, datagram, fragment);
        else if (datagram[0] == CCS)
            h->has_ccs |= h->has_keys;
        else if (datagram[0] != HANDSHAKE)
            status = COPAL_EHANDSHAKE; /* it believes whatever is in clear */
        else if (datagram[0] == HANDSHAKE && fragment >= 12 && fragment - 12 == ((size_t)message[2] << 8 | message[3]))
            status = h->credentials->server ? server_hears(h, now, message[0], message[5], message + 12, fragment - 12)
                                            : client_hears(h, now, message[0], message + 12, fragment - 12);
        datagram += 13 + fragment;
        size -= 13 + fragment;
    }
    return status;
}

/* ---- the rest ---------------------------------------------------------------------------------------- */

static int handshake_open(void **handshake, const copal__handshake_config_t *config)
{
    if (toy.is_full)
        return COPAL_ENOMEM;
    handshake_t *h = calloc(1, sizeof *h);
    h->config = *config;
    h->credentials = config->credentials;
    h->at = COPAL_NEVER;
    random_fill(&toy.random, h->credentials->server ? h->server_random : h->client_random, 32);
    toy.handshakes++;
    *handshake = h;
    return 0;
}

static void handshake_close(void *handshake)
{
    toy.handshakes--;
    free(handshake);
}

static int run(void *handshake, copal_time_t now)
{
    handshake_t *h = handshake;
    if (h->flight == 0 && !h->credentials->server) {
        begin_flight(h, now, 1, 0);
    } else if (h->at <= now) {
        h->wait = 2 * h->wait < LONGEST_WAIT ? 2 * h->wait : LONGEST_WAIT;
        h->at = now + h->wait;
        send_flight(h);
    }
    return COPAL__HANDSHAKE_GOES_ON;
}

static copal_time_t timeout(const void *handshake, copal_time_t now)
{
    (void)now;
    return ((const handshake_t *)handshake)->at;
}

static int keys(void *handshake, copal__keys_t *out)
{
    *out = ((handshake_t *)handshake)->keys;
    return 0;
}

static const char *reason(const void *handshake)
{
    return ((const handshake_t *)handshake)->reason;
}

const copal_dtls_backend_t toy_dtls = {
    .name = "toy",
    .credentials_open = credentials_open,
    .credentials_close = credentials_close,
    .open = handshake_open,
    .close = handshake_close,
    .receive = receive,
    .run = run,
    .timeout = timeout,
    .keys = keys,
    .reason = reason,
    .cipher_open = cipher_open,
    .cipher_close = cipher_close,
    .seal = seal,
    .unseal = unseal,
};
