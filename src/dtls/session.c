#include "session.h"

#include "handshake.h"

#include <string.h>

void copal__sessions_lay(copal_dtls_t *d, copal__carver_t *carver)
{
    const uint32_t count = d->config.limits.sessions + d->config.limits.handshakes;
    d->sessions = copal__carve(carver, count, sizeof *d->sessions);
    d->names = copal__carve(carver, count, sizeof *d->names);
    d->session_links = copal__carve(carver, count, sizeof *d->session_links);
    copal__pool_lay(&d->session_pool, carver, count);
    copal__index_lay(&d->session_index, carver, count);
}

/* ---- finding --------------------------------------------------------------------------------------- */

copal_peer_t copal__session_peer(const copal_dtls_t *d, uint32_t slot)
{
    const copal__session_t *s = &d->sessions[slot];
    copal_peer_t peer = s->address;
    memcpy(peer.data + peer.size, &slot, sizeof slot);
    memcpy(peer.data + peer.size + sizeof slot, &s->generation, sizeof s->generation);
    peer.size = (uint8_t)(peer.size + COPAL_DTLS_PEER_SIZE);
    return peer;
}

static bool same_peer(const copal_peer_t *a, const copal_peer_t *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* With `via`, since a client may have many sessions with one server. */
static uint64_t hash_of(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via)
{
    return copal__hash(&d->key, via, address->data, address->size);
}

uint32_t copal__session_between(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via)
{
    uint32_t slot = copal__index_first(&d->session_index, hash_of(d, address, via));
    while (slot != COPAL__NONE && (d->sessions[slot].via != via || !same_peer(&d->sessions[slot].address, address)))
        slot = copal__index_next(&d->session_index, slot);
    return slot;
}

uint32_t copal__session_at(const copal_dtls_t *d, const copal_peer_t *address, uint32_t via)
{
    uint32_t slot = copal__session_between(d, address, via);
    return slot != COPAL__NONE && d->sessions[slot].suite ? slot : COPAL__NONE;
}

uint32_t copal__session_of(const copal_dtls_t *d, const copal_peer_t *peer)
{
    uint32_t slot;
    if (peer->size < COPAL_DTLS_PEER_SIZE || peer->size > COPAL_PEER_SIZE)
        return COPAL__NONE;
    memcpy(&slot, peer->data + peer->size - COPAL_DTLS_PEER_SIZE, sizeof slot);
    if (slot >= d->session_pool.fresh || !d->sessions[slot].credentials)
        return COPAL__NONE;
    const copal_peer_t right = copal__session_peer(d, slot);
    return same_peer(&right, peer) ? slot : COPAL__NONE;
}

/* ---- coming and going ------------------------------------------------------------------------------ */

uint32_t copal__session_take(copal_dtls_t *d, const copal_peer_t *address, uint32_t via,
                             copal_credentials_t *credentials)
{
    uint32_t slot = copal__pool_take(&d->session_pool);
    if (slot == COPAL__NONE)
        return slot;
    copal__session_t *s = &d->sessions[slot];
    *s = (copal__session_t){
        .address = *address,
        .via = via,
        .generation = s->generation + 1,
        .credentials = copal__credentials_hold(credentials),
        .asked = COPAL_NEVER,
        .handshake = COPAL__NONE,
        .server = copal__credentials_server(credentials),
    };
    copal__index_add(&d->session_index, hash_of(d, address, via), slot);
    return slot;
}

void copal__session_key(copal_dtls_t *d, copal_time_t now, uint32_t slot, const copal__keys_t *keys, uint64_t number)
{
    copal__session_t *s = &d->sessions[slot];
    copal__secret_t *client = s->server ? &s->read : &s->write, *server = s->server ? &s->write : &s->read;
    memcpy(client->key, keys->client_key, sizeof client->key);
    memcpy(client->iv, keys->client_iv, sizeof client->iv);
    memcpy(server->key, keys->server_key, sizeof server->key);
    memcpy(server->iv, keys->server_iv, sizeof server->iv);
    if (s->suite)
        copal__list_remove(&d->sessions_by_use, d->session_links, slot);
    else
        d->established++;
    copal__list_add(&d->sessions_by_use, d->session_links, slot);
    s->suite = keys->suite;
    s->number = number;
    /* Of epoch 1 the library has read no more than a Finished: that one may come again (RFC 6347 section 4.2.4). */
    s->window = (copal__window_t){0};
    s->used = now;
    s->asked = COPAL_NEVER;
}

void copal__session_use(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    if (d->sessions[slot].used == now)
        return;
    d->sessions[slot].used = now;
    copal__list_remove(&d->sessions_by_use, d->session_links, slot);
    copal__list_add(&d->sessions_by_use, d->session_links, slot);
}

void copal__sessions_trim(copal_dtls_t *d, copal_time_t now)
{
    while (d->established > d->config.limits.sessions) {
        uint32_t oldest = copal__list_first(&d->sessions_by_use);
        d->counters.evicted++;
        copal__session_say_goodbye(d, oldest);
        copal__session_end(d, now, oldest, COPAL_ESTALE, "it made room for another session");
    }
}

static void forget(copal_dtls_t *d, uint32_t slot)
{
    copal__session_t *s = &d->sessions[slot];
    if (s->suite) {
        copal__list_remove(&d->sessions_by_use, d->session_links, slot);
        d->established--;
    }
    copal__index_remove(&d->session_index, hash_of(d, &s->address, s->via), slot);
    copal_credentials_close(s->credentials);
    *s = (copal__session_t){.generation = s->generation}; /* nothing remains of its keys */
    copal__pool_give(&d->session_pool, slot);
}

void copal__session_drop(copal_dtls_t *d, uint32_t slot)
{
    if (d->sessions[slot].handshake != COPAL__NONE)
        copal__handshake_drop(d, d->sessions[slot].handshake);
    forget(d, slot);
}

void copal__session_end(copal_dtls_t *d, copal_time_t now, uint32_t slot, int status, const char *reason)
{
    const bool server = d->sessions[slot].server;
    const copal_peer_t peer = copal__session_peer(d, slot);
    const uint32_t handshake = d->sessions[slot].handshake;
    if (handshake != COPAL__NONE)
        d->pendings[handshake].session = COPAL__NONE;
    if (server)
        copal__tell_served(d, &d->sessions[slot].address, status, reason);
    forget(d, slot);
    if (!server)
        d->config.changed(d->config.user, now, &peer, status, reason);
    if (handshake != COPAL__NONE)
        copal__handshake_drop(d, handshake); /* the reason may be its own */
}

/* ---- sending --------------------------------------------------------------------------------------- */

int copal__session_seal(copal_dtls_t *d, copal__session_t *s, uint8_t type, copal_bytes_t content, uint8_t *out)
{
    if (COPAL__EPOCH(s->number) != 1)
        return COPAL_ESTALE;
    return copal__record_protect(d->config.backend, d->cipher, s->suite, &s->write, s->number++, type, content, out);
}

void copal__session_send(copal_dtls_t *d, copal__session_t *s, uint8_t type, copal_bytes_t content)
{
    int size = copal__session_seal(d, s, type, content, d->scratch);
    if (size > 0)
        copal__transmit(d, &s->address, s->via, (copal_bytes_t){d->scratch, (size_t)size});
}

void copal__session_say_goodbye(copal_dtls_t *d, uint32_t slot)
{
    static const uint8_t close_notify[] = {COPAL__WARNING, COPAL__CLOSE_NOTIFY};
    copal__session_t *s = &d->sessions[slot];
    if (s->suite)
        copal__session_send(d, s, COPAL__ALERT, (copal_bytes_t){close_notify, sizeof close_notify});
}
