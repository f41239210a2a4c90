/* What comes in: each record of a datagram finds its session, its handshake, or none. */
#include "alert.h"
#include "handshake.h"
#include "session.h"

#include <string.h>

/* ---- sessions ---------------------------------------------------------------------------------------- */

static void hear_alert(copal_dtls_t *d, copal_time_t now, uint32_t slot, copal_bytes_t alert)
{
    if (alert.size != 2)
        return;
    if (alert.data[1] == COPAL__CLOSE_NOTIFY)
        copal__session_say_goodbye(d, slot); /* RFC 5246 section 7.2.1: answered with our own */
    else if (alert.data[0] != COPAL__FATAL)
        return;
    copal__session_end(d, now, slot, COPAL_ECLOSED, copal__alert_text(alert.data[1], d->sessions[slot].server));
}

static void hear_handshake(copal_dtls_t *d, copal__session_t *s, copal_bytes_t message)
{
    static const uint8_t no_renegotiation[] = {COPAL__WARNING, COPAL__NO_RENEGOTIATION};
    if (message.size == 0)
        return;
    if (message.data[0] == COPAL__FINISHED && s->flight_size > 0) {
        /* What we sent last got lost (RFC 6347 section 4.2.4). The same octets again: no nonce is used twice. */
        copal__transmit(d, &s->address, s->via, (copal_bytes_t){s->flight, s->flight_size});
    } else if (message.data[0] == COPAL__CLIENT_HELLO && s->server) {
        copal__session_send(d, s, COPAL__ALERT, (copal_bytes_t){no_renegotiation, sizeof no_renegotiation});
    } /* a HelloRequest may be ignored (RFC 5246 section 7.4.1.1) */
}

static void hear_message(copal_dtls_t *d, copal_time_t now, uint32_t slot, const copal_from_t *from,
                         copal_bytes_t message)
{
    const copal_from_t session = {
        .peer = copal__session_peer(d, slot), .via = from->via, .proven = true, .network = from->network};
    d->sessions[slot].flight_size = 0;
    if (message.size > 0)
        d->config.deliver(d->config.user, now, &session, message);
}

/* False: the record is not authentic, or was there before. */
static bool hear(copal_dtls_t *d, copal_time_t now, uint32_t slot, const copal_from_t *from,
                 const copal__record_t *record)
{
    copal__session_t *s = &d->sessions[slot];
    copal_bytes_t content;
    if (!copal__window_is_new(&s->window, COPAL__SEQUENCE(record->number)) ||
        !copal__record_unprotect(d->config.backend, d->cipher, s->suite, &s->read, record, &content))
        return false;
    copal__window_add(&s->window, COPAL__SEQUENCE(record->number));
    copal__session_use(d, now, slot);
    s->asked = COPAL_NEVER;
    s->renewals = 0;
    /* The server still has the old keys, so there is no need of new ones; unless it may have them already. */
    if (s->handshake != COPAL__NONE && d->pendings[s->handshake].number == 0)
        copal__handshake_drop(d, s->handshake);
    if (record->type == COPAL__APPLICATION_DATA)
        hear_message(d, now, slot, from, content);
    else if (record->type == COPAL__ALERT)
        hear_alert(d, now, slot, content);
    else if (record->type == COPAL__HANDSHAKE)
        hear_handshake(d, s, content);
    return true;
}

/* ---- records ----------------------------------------------------------------------------------------- */

/* A record under keys: of the session, else of the handshake that goes on beside it. */
static bool take_protected(copal_dtls_t *d, copal_time_t now, const copal_from_t *from, const copal__record_t *record)
{
    uint32_t handshake = copal__handshake_at(d, &from->peer, from->via);
    uint32_t session = copal__session_at(d, &from->peer, from->via);
    const bool spared =
        handshake != COPAL__NONE && record->size <= d->config.limits.datagram_size + COPAL_DTLS_OVERHEAD;
    if (session != COPAL__NONE) {
        if (spared)
            memcpy(d->scratch, record->data, record->size);
        if (hear(d, now, session, from, record))
            return true;
        if (spared)
            memcpy(record->data, d->scratch, record->size);
    }
    if (!spared)
        return false;
    copal__handshake_feed(d, now, handshake, record);
    return true;
}

/* A ClientHello with a right cookie: one more of the handshake under way, or the first of a new one. */
static bool begin(copal_dtls_t *d, copal_time_t now, copal_credentials_t *credentials, const copal_from_t *from,
                  uint64_t digest, const copal__record_t *record)
{
    uint32_t session = copal__session_at(d, &from->peer, from->via);
    uint32_t handshake = copal__handshake_at(d, &from->peer, from->via);
    if (session != COPAL__NONE && d->sessions[session].hello == digest)
        return false; /* a late copy of that which began the session */
    if (handshake != COPAL__NONE && d->pendings[handshake].hello != digest) {
        if (!d->pendings[handshake].server)
            return false;
        copal__handshake_fail(d, now, handshake, COPAL_EHANDSHAKE, "the client has begun anew");
        handshake = COPAL__NONE;
    }
    if (handshake == COPAL__NONE && copal__handshake_accept(d, now, credentials, from, digest, &handshake) < 0)
        return false;
    copal__handshake_feed(d, now, handshake, record);
    return true;
}

static bool take_hello(copal_dtls_t *d, copal_time_t now, copal_credentials_t *credentials, const copal_from_t *from,
                       const copal__hello_t *hello, const copal__record_t *record)
{
    uint64_t digest = copal__hello_digest(&d->key, hello);
    copal__cookies_turn(&d->cookies, now, d->config.random, d->config.random_state);
    if (copal__cookie_is_right(&d->cookies, from, digest, hello->cookie))
        return begin(d, now, credentials, from, digest, record);
    uint8_t answer[COPAL__VERIFY_SIZE];
    copal__cookie_give(&d->cookies, from, digest, record, answer);
    d->counters.hellos++;
    copal__transmit(d, &from->peer, from->via, (copal_bytes_t){answer, sizeof answer});
    return true;
}

/* A record in clear: part of a handshake, or of the attempt to begin one. */
static bool take_open(copal_dtls_t *d, copal_time_t now, copal_credentials_t *credentials, const copal_from_t *from,
                      const copal__record_t *record, bool first)
{
    copal__hello_t hello;
    if (copal__hello_read(&hello, record))
        return first && credentials && copal__credentials_server(credentials) &&
               take_hello(d, now, credentials, from, &hello, record);
    uint32_t handshake = copal__handshake_at(d, &from->peer, from->via);
    if (handshake == COPAL__NONE)
        return false;
    if (record->type == COPAL__ALERT)
        copal__handshake_alert(d, now, handshake, (copal_bytes_t){record->fragment, record->fragment_size});
    else if (record->type == COPAL__HANDSHAKE || record->type == COPAL__CHANGE_CIPHER_SPEC)
        copal__handshake_feed(d, now, handshake, record);
    else
        return false;
    return true;
}

void copal_dtls_receive(copal_dtls_t *d, copal_time_t now, copal_credentials_t *credentials, const copal_from_t *from,
                        uint8_t *datagram, size_t size)
{
    copal__record_t record;
    if (from->multicast || from->peer.size > COPAL_PEER_SIZE - COPAL_DTLS_PEER_SIZE)
        size = 0;
    /* A datagram may hold several records (RFC 6347 section 4.1.1), of both epochs. */
    for (size_t at = 0; at < size; at += record.size) {
        bool taken = false;
        if (!copal__record_read(&record, datagram + at, size - at)) {
            d->counters.dropped++;
            return;
        }
        if (COPAL__EPOCH(record.number) == 0)
            taken = take_open(d, now, credentials, from, &record, at == 0);
        else if (COPAL__EPOCH(record.number) == 1)
            taken = take_protected(d, now, from, &record);
        d->counters.dropped += !taken;
    }
}
