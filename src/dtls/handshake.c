#include "handshake.h"

#include "alert.h"
#include "session.h"

#include <string.h>

enum {
    AFTER_ALERT = 3000
}; /* milliseconds that a handshake has left to succeed when an alert came that may be forged */

void copal__handshakes_lay(copal_dtls_t *d, copal__carver_t *carver)
{
    const uint32_t count = d->config.limits.handshakes;
    d->pendings = copal__carve(carver, count, sizeof *d->pendings);
    d->waiting = copal__carve(carver, (size_t)count * COPAL__WAITING, d->config.limits.datagram_size);
    d->pending_links = copal__carve(carver, count, sizeof *d->pending_links);
    copal__pool_lay(&d->pending_pool, carver, count);
    copal__index_lay(&d->pending_index, carver, count);
    copal__timers_lay(&d->timers, carver, count);
}

static bool same_address(const copal_peer_t *a, const copal_peer_t *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

uint32_t copal__handshake_at(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via)
{
    if (d->pending_pool.used == 0) /* as mostly: the address need not be hashed */
        return COPAL__NONE;
    uint64_t hash = copal__address_hash(d, address->data, address->size);
    uint32_t slot = copal__index_first(&d->pending_index, hash);
    while (slot != COPAL__NONE && (d->pendings[slot].via != via || !same_address(&d->pendings[slot].address, address)))
        slot = copal__index_next(&d->pending_index, slot);
    return slot;
}

/* ---- what the library sends ------------------------------------------------------------------------- */

/* Reads a record on its way out for what the filter must know of it. */
static void notice(copal__pending_t *h, const copal__record_t *record)
{
    if (COPAL__EPOCH(record->number) == 1) {
        /* The library's nonces are used: those of the session go on behind them. */
        h->moved |= h->number == 0;
        if (record->number >= h->number)
            h->number = record->number + 1;
    } else if (record->type == COPAL__HANDSHAKE && record->fragment_size >= COPAL__MESSAGE_HEADER) {
        uint32_t message = (uint32_t)record->fragment[4] << 8 | record->fragment[5];
        if (message >= h->messages) {
            h->messages = message + 1;
            h->moved = true;
        }
    }
}

/* Keeps a ChangeCipherSpec and the Finished that follows it. */
static void keep_flight(copal__pending_t *h, const copal__record_t *record)
{
    if (record->type == COPAL__CHANGE_CIPHER_SPEC)
        h->flight_size = 0;
    else if (COPAL__EPOCH(record->number) == 0 || h->flight_size == 0)
        return;
    if (record->size > COPAL__FLIGHT_SIZE - (size_t)h->flight_size) {
        h->flight_size = 0;
        return;
    }
    memcpy(h->flight + h->flight_size, record->data, record->size);
    h->flight_size = (uint8_t)(h->flight_size + record->size);
}

/* As copal__handshake_config_t has it. */
static void write(void *context, copal_bytes_t datagram)
{
    copal__pending_t *h = context;
    uint8_t *data = (uint8_t *)(uintptr_t)datagram.data; /* records are views to write to; here they are only read */
    copal__record_t record;
    for (size_t at = 0; copal__record_read(&record, data + at, datagram.size - at); at += record.size) {
        notice(h, &record);
        keep_flight(h, &record);
    }
    h->sent_size = (uint8_t)(datagram.size < COPAL__SENT_SIZE ? datagram.size : COPAL__SENT_SIZE);
    memcpy(h->sent, datagram.data, h->sent_size);
    copal__transmit(h->dtls, &h->address, h->via, datagram);
}

/* ---- ends -------------------------------------------------------------------------------------------- */

static void end(copal_dtls_t *d, uint32_t slot)
{
    copal__pending_t *h = &d->pendings[slot];
    d->config.backend->close(h->object);
    copal_credentials_close(h->credentials);
    if (h->session != COPAL__NONE)
        d->sessions[h->session].handshake = COPAL__NONE;
    copal__index_remove(&d->pending_index, copal__address_hash(d, h->address.data, h->address.size), slot);
    copal__list_remove(&d->pendings_by_age, d->pending_links, slot);
    copal__timer_set(&d->timers, slot, COPAL_NEVER);
    copal__pool_give(&d->pending_pool, slot);
}

void copal__handshake_drop(copal_dtls_t *d, uint32_t slot)
{
    d->counters.failed++;
    end(d, slot);
}

void copal__handshake_fail(copal_dtls_t *d, copal_time_t now, uint32_t slot, int status, const char *reason)
{
    const copal__pending_t *h = &d->pendings[slot];
    if (!h->server) {
        copal__session_end(d, now, h->session, status, reason);
        return;
    }
    copal__tell_served(d, &h->address, status, reason); /* which may be the library's, and goes with it */
    copal__handshake_drop(d, slot);
}

/* The session that a server's handshake has led to. */
static uint32_t accepted(copal_dtls_t *d, const copal__pending_t *h)
{
    uint32_t slot = copal__session_take(d, &h->address, h->via, h->credentials);
    copal__session_t *s = &d->sessions[slot];
    s->hello = h->hello;
    s->flight_size = h->flight_size;
    memcpy(s->flight, h->flight, h->flight_size);
    return slot;
}

static void send_waiting(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    const copal__pending_t *h = &d->pendings[slot];
    const uint8_t *message = d->waiting + (size_t)slot * COPAL__WAITING * d->config.limits.datagram_size;
    for (unsigned i = 0; i < h->waiting; i++, message += d->config.limits.datagram_size) {
        copal__session_send(d, &d->sessions[h->session], COPAL__APPLICATION_DATA,
                            (copal_bytes_t){message, h->waiting_sizes[i]});
        d->sessions[h->session].asked = now;
    }
}

static void wipe(copal__keys_t *keys)
{
    volatile uint8_t *octets = (volatile uint8_t *)keys;
    for (size_t i = 0; i < sizeof *keys; i++)
        octets[i] = 0;
}

static void complete(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    const copal__pending_t *h = &d->pendings[slot];
    copal__keys_t keys;
    /* Who is done has sent a Finished, which is of epoch 1. */
    if (h->number == 0 || d->config.backend->keys(h->object, &keys) < 0) {
        wipe(&keys);
        copal__handshake_fail(d, now, slot, COPAL_EHANDSHAKE, NULL);
        return;
    }
    const uint32_t former = copal__session_between(d, &h->address, h->via);
    const bool renewed = former != COPAL__NONE && d->sessions[former].suite;
    const uint32_t session = h->server ? accepted(d, h) : h->session;
    copal__session_key(d, now, session, &keys, h->number);
    wipe(&keys);
    if (!h->server)
        send_waiting(d, now, slot);
    d->counters.completed++;
    end(d, slot);
    /* From here on the user may connect and so take the entry. */
    const copal_peer_t peer = copal__session_peer(d, session);
    if (former == session && renewed)
        d->config.changed(d->config.user, now, &peer, 0, NULL);
    else if (former != session && former != COPAL__NONE)
        copal__session_end(d, now, former, COPAL_ESTALE, "another session with the same address took its place");
    if (d->sessions[session].server)
        copal__tell_served(d, &d->sessions[session].address, 0, NULL);
    copal__sessions_trim(d, now);
}

/* ---- progress ---------------------------------------------------------------------------------------- */

static void set_timer(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    const copal__pending_t *h = &d->pendings[slot];
    copal_time_t at = d->config.backend->timeout(h->object, now);
    if (at <= now)
        at = now + 1;
    copal__timer_set(&d->timers, slot, at < h->deadline ? at : h->deadline);
}

/* What follows from a step of the library. */
static void settle(copal_dtls_t *d, copal_time_t now, uint32_t slot, int status)
{
    copal__pending_t *h = &d->pendings[slot];
    if (status == COPAL__HANDSHAKE_DONE) {
        complete(d, now, slot);
        return;
    }
    if (status < 0) {
        const char *reason = d->config.backend->reason(h->object);
        copal__handshake_fail(d, now, slot, status, reason ? reason : h->alert);
        return;
    }
    if (h->moved) {
        h->moved = false;
        h->deadline = now + d->config.limits.handshake_timeout;
    }
    set_timer(d, now, slot);
}

void copal__handshake_feed(copal_dtls_t *d, copal_time_t now, uint32_t slot, const copal__record_t *record)
{
    copal__pending_t *h = &d->pendings[slot];
    if (!h->server && h->sent_size == 0)
        return; /* it has asked nothing yet */
    h->heard |= !h->server || COPAL__EPOCH(record->number) > 0;
    settle(d, now, slot, d->config.backend->receive(h->object, now, record->data, record->size));
}

/* A Finished under another key is dropped silently (RFC 6347 section 4.1.2.7), by either end. */
static void give_up_client(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    const copal__pending_t *h = &d->pendings[slot];
    if (h->number > 0)
        copal__handshake_fail(d, now, slot, COPAL_EHANDSHAKE,
                              "the server fell silent over our Finished, as where it has another key");
    else
        copal__handshake_fail(d, now, slot, COPAL_ETIMEOUT,
                              h->heard ? "the server stopped answering" : "the server does not answer");
}

static void give_up_server(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    if (d->pendings[slot].heard)
        copal__handshake_fail(d, now, slot, COPAL_EHANDSHAKE,
                              "what the client sent under its key cannot be read, as where it has another key, or an "
                              "identity that nobody has");
    else
        copal__handshake_fail(d, now, slot, COPAL_ETIMEOUT, "the client stopped answering");
}

void copal__handshake_run(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    const copal__pending_t *h = &d->pendings[slot];
    if (now < h->deadline)
        settle(d, now, slot, d->config.backend->run(h->object, now));
    else if (h->alert)
        copal__handshake_fail(d, now, slot, COPAL_EHANDSHAKE, h->alert);
    else if (h->server)
        give_up_server(d, now, slot);
    else
        give_up_client(d, now, slot);
}

void copal__handshake_alert(copal_dtls_t *d, copal_time_t now, uint32_t slot, copal_bytes_t alert)
{
    copal__pending_t *h = &d->pendings[slot];
    if (h->sent_size == 0 || alert.size != 2 || alert.data[0] != COPAL__FATAL)
        return;
    h->alert = copal__alert_text(alert.data[1], h->server);
    if (h->server)
        return; /* nobody waits for it */
    h->heard = true;
    if (h->deadline > now + AFTER_ALERT)
        h->deadline = now + AFTER_ALERT;
    set_timer(d, now, slot);
}

void copal__handshake_keep(copal_dtls_t *d, uint32_t slot, copal_bytes_t message)
{
    copal__pending_t *h = &d->pendings[slot];
    uint8_t *place = d->waiting + (size_t)slot * COPAL__WAITING * d->config.limits.datagram_size;
    for (unsigned i = 0; i < h->waiting; i++, place += d->config.limits.datagram_size)
        if (h->waiting_sizes[i] == message.size && memcmp(place, message.data, message.size) == 0)
            return; /* sent again meanwhile */
    if (h->waiting == COPAL__WAITING)
        return;
    memcpy(place, message.data, message.size);
    h->waiting_sizes[h->waiting++] = (uint16_t)message.size;
}

/* ---- beginnings --------------------------------------------------------------------------------------- */

static bool same_network(const copal__pending_t *h, const copal_from_t *from)
{
    size_t size = from->network > 0 && from->network < from->peer.size ? from->network : from->peer.size;
    return h->address.size >= size && memcmp(h->address.data, from->peer.data, size) == 0;
}

/* The server's handshake that was begun first: of all, or of those from the network of `from`, where those are a
 * quarter of all there may be. A server's makes no progress but at its beginning and its end. COPAL__NONE: there is
 * none. */
static uint32_t oldest(const copal_dtls_t *d, const copal_from_t *from)
{
    uint32_t of_all = COPAL__NONE, of_network = COPAL__NONE, count = 0;
    for (uint32_t slot = copal__list_first(&d->pendings_by_age); slot != COPAL__NONE;
         slot = d->pending_links[slot].next - 1) {
        const copal__pending_t *h = &d->pendings[slot];
        if (!h->server)
            continue;
        if (of_all == COPAL__NONE)
            of_all = slot;
        if (from && same_network(h, from) && count++ == 0)
            of_network = slot;
    }
    return count > 0 && count >= d->pending_pool.capacity / 4 ? of_network : of_all;
}

/* A free entry, at the cost of a server's handshake (for `from`, or for one of our own) if need be; COPAL__NONE. */
static uint32_t take(copal_dtls_t *d, copal_time_t now, const copal_from_t *from)
{
    uint32_t slot = copal__pool_take(&d->pending_pool);
    if (slot != COPAL__NONE)
        return slot;
    slot = oldest(d, from);
    if (slot == COPAL__NONE)
        return COPAL__NONE;
    copal__handshake_fail(d, now, slot, COPAL_EFULL, "it made room for another handshake");
    return copal__pool_take(&d->pending_pool);
}

static int begin(copal_dtls_t *d, copal_time_t now, uint32_t slot, const copal__pending_t *start, const char *name)
{
    copal__pending_t *h = &d->pendings[slot];
    *h = *start;
    h->dtls = d;
    h->deadline = now + d->config.limits.handshake_timeout;
    const copal__handshake_config_t config = {
        .credentials = copal__credentials_state(h->credentials),
        .name = name,
        .mtu = d->config.limits.datagram_size + COPAL_DTLS_OVERHEAD,
        .write = write,
        .context = h,
    };
    int status = d->config.backend->open(&h->object, &config);
    if (status < 0) {
        copal__pool_give(&d->pending_pool, slot);
        return status;
    }
    copal__credentials_hold(h->credentials);
    copal__index_add(&d->pending_index, copal__address_hash(d, h->address.data, h->address.size), slot);
    copal__list_add(&d->pendings_by_age, d->pending_links, slot);
    copal__timer_set(&d->timers, slot, now);
    d->counters.begun++;
    return 0;
}

int copal__handshake_accept(copal_dtls_t *d, copal_time_t now, copal_credentials_t *credentials,
                            const copal_from_t *from, uint64_t hello, uint32_t *slot)
{
    *slot = take(d, now, from);
    if (*slot == COPAL__NONE)
        return COPAL_EFULL;
    const copal__pending_t start = {
        .credentials = credentials,
        .address = from->peer,
        .via = from->via,
        .server = true,
        .session = COPAL__NONE,
        .hello = hello,
    };
    return begin(d, now, *slot, &start, NULL);
}

int copal__handshake_begin(copal_dtls_t *d, copal_time_t now, uint32_t session)
{
    copal__session_t *s = &d->sessions[session];
    uint32_t slot = take(d, now, NULL);
    if (slot == COPAL__NONE)
        return COPAL_EFULL;
    const copal__pending_t start = {
        .credentials = s->credentials,
        .address = s->address,
        .via = s->via,
        .session = session,
    };
    int status = begin(d, now, slot, &start, d->names[session]);
    if (status == 0)
        s->handshake = slot;
    return status;
}
