#include "hello.h"

#include <string.h>

enum { KEY_LIFE = 60 * 1000 };              /* milliseconds; a cookie is good for one to two of them */
enum { BEFORE = 1, AFTER, WHOLE, ADDRESS }; /* tweaks */

static size_t number_of(const uint8_t *data, unsigned octets)
{
    size_t number = 0;
    while (octets--)
        number = number << 8 | *data++;
    return number;
}

/* Takes a vector with a length of so many octets from the front of `rest`. */
static bool take_vector(copal_bytes_t *rest, unsigned octets, copal_bytes_t *vector)
{
    if (rest->size < octets || number_of(rest->data, octets) > rest->size - octets)
        return false;
    *vector = (copal_bytes_t){rest->data + octets, number_of(rest->data, octets)};
    *rest = (copal_bytes_t){vector->data + vector->size, rest->size - octets - vector->size};
    return true;
}

bool copal__hello_read(copal__hello_t *hello, const copal__record_t *record)
{
    enum { FIXED = 2 + 32 }; /* version, random */
    const uint8_t *message = record->fragment;
    size_t size = record->fragment_size - COPAL__MESSAGE_HEADER;
    if (record->type != COPAL__HANDSHAKE || record->fragment_size < COPAL__MESSAGE_HEADER + FIXED ||
        message[0] != COPAL__CLIENT_HELLO)
        return false;
    if (number_of(message + 1, 3) != size || number_of(message + 6, 3) != 0 || number_of(message + 9, 3) != size)
        return false; /* a fragment: to put it together would take state (RFC 6347 section 4.2.1) */
    copal_bytes_t body = {message + COPAL__MESSAGE_HEADER, size}, rest = {body.data + FIXED, size - FIXED}, vector;
    if (!take_vector(&rest, 1, &vector)) /* session ID */
        return false;
    hello->before = (copal_bytes_t){body.data, (size_t)(rest.data - body.data)};
    if (!take_vector(&rest, 1, &hello->cookie))
        return false;
    const uint8_t *after = rest.data;
    if (!take_vector(&rest, 2, &vector) || !take_vector(&rest, 1, &vector)) /* cipher suites, compression methods */
        return false;
    hello->after = (copal_bytes_t){after, (size_t)(rest.data - after)};
    return true;
}

uint64_t copal__hello_digest(const copal__key_t *key, const copal__hello_t *hello)
{
    uint64_t parts[] = {copal__hash(key, BEFORE, hello->before.data, hello->before.size),
                        copal__hash(key, AFTER, hello->after.data, hello->after.size)};
    return copal__hash(key, WHOLE, parts, sizeof parts);
}

void copal__cookies_turn(copal__cookies_t *cookies, copal_time_t now, void (*random)(void *, void *, size_t),
                         void *state)
{
    if (cookies->made && now - cookies->since < KEY_LIFE)
        return;
    /* One that has not been in use for so long is not to be believed either. */
    if (cookies->made && now - cookies->since < 2 * KEY_LIFE)
        cookies->before = cookies->now;
    else
        random(state, &cookies->before, sizeof cookies->before);
    random(state, &cookies->now, sizeof cookies->now);
    cookies->since = now;
    cookies->made = true;
}

static void make_cookie(const copal__key_t *key, const copal_from_t *from, uint64_t digest, uint8_t out[COPAL__COOKIE])
{
    uint8_t data[sizeof digest + sizeof from->via + COPAL_PEER_SIZE], size = from->peer.size;
    memcpy(data, &digest, sizeof digest);
    memcpy(data + sizeof digest, &from->via, sizeof from->via);
    memcpy(data + sizeof digest + sizeof from->via, from->peer.data, size);
    uint64_t hash = copal__hash(key, ADDRESS, data, sizeof digest + sizeof from->via + size);
    memcpy(out, &hash, COPAL__COOKIE);
}

bool copal__cookie_is_right(const copal__cookies_t *cookies, const copal_from_t *from, uint64_t digest,
                            copal_bytes_t cookie)
{
    uint8_t right[COPAL__COOKIE];
    if (cookie.size != COPAL__COOKIE)
        return false;
    make_cookie(&cookies->now, from, digest, right);
    if (memcmp(right, cookie.data, COPAL__COOKIE) == 0)
        return true;
    make_cookie(&cookies->before, from, digest, right);
    return memcmp(right, cookie.data, COPAL__COOKIE) == 0;
}

void copal__cookie_give(const copal__cookies_t *cookies, const copal_from_t *from, uint64_t digest,
                        const copal__record_t *record, uint8_t out[COPAL__VERIFY_SIZE])
{
    /* Version 1.0 whatever follows, and the number of the ClientHello's record (RFC 6347 section 4.2.1). */
    enum { BODY = 3 + COPAL__COOKIE, MESSAGE = COPAL__MESSAGE_HEADER + BODY };
    static const uint8_t start[] = {COPAL__HANDSHAKE,
                                    0xfe,
                                    0xff,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    MESSAGE,
                                    COPAL__HELLO_VERIFY_REQUEST,
                                    0,
                                    0,
                                    BODY,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    BODY,
                                    0xfe,
                                    0xff,
                                    COPAL__COOKIE};
    memcpy(out, start, sizeof start);
    memcpy(out + 3, record->data + 3, 8);
    make_cookie(&cookies->now, from, digest, out + sizeof start);
}
