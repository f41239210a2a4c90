/* The filter's public calls, but for copal_dtls_receive. */
#include "handshake.h"
#include "session.h"

#include <string.h>

enum { UNANSWERED = 8000, RENEWALS = 5 }; /* milliseconds; doubled by each renewal in vain, up to so often */

enum { LARGEST = 1 << 30 }; /* number of sessions or handshakes */

/* ---- beginning and end ------------------------------------------------------------------------------- */

static copal_dtls_limits_t complete(const copal_dtls_limits_t *limits)
{
    return (copal_dtls_limits_t){
        .sessions = limits->sessions ? limits->sessions : 64,
        .handshakes = limits->handshakes ? limits->handshakes : 8,
        .datagram_size = limits->datagram_size ? limits->datagram_size : 1152,
        .idle_timeout = limits->idle_timeout ? limits->idle_timeout : 24 * 60 * 60 * 1000,
        .handshake_timeout = limits->handshake_timeout ? limits->handshake_timeout : 60 * 1000,
    };
}

/* Lays everything out behind `d`, whose limits are set. */
static void lay(copal_dtls_t *d, copal__carver_t *carver)
{
    copal__carve(carver, 1, sizeof *d);
    d->scratch = copal__carve(carver, 1, (size_t)d->config.limits.datagram_size + COPAL_DTLS_OVERHEAD);
    copal__handshakes_lay(d, carver);
    copal__sessions_lay(d, carver);
}

size_t copal_dtls_size(const copal_dtls_limits_t *limits)
{
    copal_dtls_t d = {.config.limits = complete(limits)};
    copal__carver_t carver = {0};
    lay(&d, &carver);
    return carver.used;
}

int copal_dtls_init(copal_dtls_t **dtls, void *memory, size_t size, const copal_dtls_config_t *config)
{
    const copal_dtls_limits_t limits = complete(&config->limits);
    const size_t needed = copal_dtls_size(&limits);
    if (!config->backend || !config->random || !config->transmit || !config->deliver || !config->changed)
        return COPAL_EINVAL;
    if (needed == SIZE_MAX || limits.sessions > LARGEST || limits.handshakes > LARGEST ||
        limits.datagram_size > COPAL__CONTENT)
        return COPAL_EINVAL;
    if (size < needed)
        return COPAL_ESPACE;
    copal_dtls_t *d = memory;
    copal__carver_t carver = {.base = memory};
    d->config = *config;
    d->config.limits = limits;
    lay(d, &carver);
    config->random(config->random_state, &d->key, sizeof d->key);
    d->cipher = config->backend->cipher_open();
    if (!d->cipher)
        return COPAL_ENOMEM;
    *dtls = d;
    return 0;
}

void copal_dtls_close(copal_dtls_t *dtls)
{
    if (!dtls)
        return;
    for (uint32_t slot; (slot = copal__list_first(&dtls->pendings_by_age)) != COPAL__NONE;)
        copal__handshake_drop(dtls, slot);
    for (uint32_t slot = 0; slot < dtls->session_pool.fresh; slot++)
        if (dtls->sessions[slot].credentials)
            copal__session_drop(dtls, slot);
    dtls->config.backend->cipher_close(dtls->cipher);
}

/* ---- sessions of our own ------------------------------------------------------------------------------ */

static char *put_decimal(char *out, unsigned number)
{
    if (number >= 10)
        out = put_decimal(out, number / 10);
    *out = (char)('0' + number % 10);
    return out + 1;
}

/* An address as the text of a literal: what a certificate must be for where no name was given. */
static void write_address(char out[COPAL__NAME_SIZE], const copal_peer_t *address)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *octet = address->data;
    if (address->size == 4 + 2) {
        for (unsigned i = 0; i < 4; i++, *out++ = '.')
            out = put_decimal(out, octet[i]);
    } else if (address->size >= 16 + 2) {
        for (unsigned i = 0; i < 16; i += 2, *out++ = ':')
            for (unsigned j = 0; j < 4; j++)
                *out++ = digits[octet[i + j / 2] >> (j % 2 ? 0 : 4) & 15];
    } else {
        *out++ = '?'; /* no address of IP: no certificate is for it */
        out++;
    }
    out[-1] = '\0';
}

int copal_dtls_connect(copal_dtls_t *dtls, copal_time_t now, copal_credentials_t *credentials,
                       const copal_peer_t *address, uint32_t via, const char *name, copal_peer_t *peer)
{
    char literal[COPAL__NAME_SIZE];
    if (copal__credentials_server(credentials) || copal__credentials_backend(credentials) != dtls->config.backend ||
        address->size > COPAL_PEER_SIZE - COPAL_DTLS_PEER_SIZE || (name && strlen(name) >= COPAL__NAME_SIZE))
        return COPAL_EINVAL;
    if (!name) {
        write_address(literal, address);
        name = literal;
    }
    uint32_t slot = copal__session_between(dtls, address, via);
    if (slot != COPAL__NONE &&
        (dtls->sessions[slot].credentials != credentials || strcmp(dtls->names[slot], name) != 0))
        return COPAL_EEXIST;
    if (slot == COPAL__NONE) {
        slot = copal__session_take(dtls, address, via, credentials);
        if (slot == COPAL__NONE)
            return COPAL_EFULL;
        memcpy(dtls->names[slot], name, strlen(name) + 1);
        int status = copal__handshake_begin(dtls, now, slot);
        if (status < 0) {
            copal__session_drop(dtls, slot);
            return status;
        }
    }
    *peer = copal__session_peer(dtls, slot);
    return 0;
}

void copal_dtls_disconnect(copal_dtls_t *dtls, copal_time_t now, const copal_credentials_t *credentials)
{
    (void)now;
    if (!credentials)
        return; /* else entries that are free would have them */
    for (uint32_t slot = 0; slot < dtls->session_pool.fresh; slot++) {
        if (dtls->sessions[slot].credentials != credentials)
            continue;
        copal__session_say_goodbye(dtls, slot);
        copal__session_drop(dtls, slot);
    }
    for (uint32_t slot = copal__list_first(&dtls->pendings_by_age), next; slot != COPAL__NONE; slot = next) {
        next = dtls->pending_links[slot].next - 1;
        if (dtls->pendings[slot].credentials == credentials)
            copal__handshake_drop(dtls, slot);
    }
}

/* ---- sending ------------------------------------------------------------------------------------------ */

/* Begins to renew the keys of a client's session that has had no answer for long: the server may have forgotten it. */
static void doubt(copal_dtls_t *d, copal_time_t now, uint32_t slot)
{
    copal__session_t *s = &d->sessions[slot];
    if (s->asked == COPAL_NEVER) {
        s->asked = now;
        return;
    }
    if (s->handshake != COPAL__NONE || now - s->asked < (copal_time_t)UNANSWERED << s->renewals)
        return;
    if (copal__handshake_begin(d, now, slot) == 0 && s->renewals < RENEWALS)
        s->renewals++;
}

int copal_dtls_protect(copal_dtls_t *dtls, copal_time_t now, const copal_datagram_t *message, uint8_t *buffer,
                       copal_datagram_t *out)
{
    uint32_t slot = copal__session_of(dtls, message->to);
    if (slot == COPAL__NONE)
        return COPAL_ESTALE;
    if (message->bytes.size > dtls->config.limits.datagram_size)
        return COPAL_ESPACE;
    copal__session_t *s = &dtls->sessions[slot];
    if (!s->suite) {
        copal__handshake_keep(dtls, s->handshake, message->bytes);
        return 1;
    }
    int size = copal__session_seal(dtls, s, COPAL__APPLICATION_DATA, message->bytes, buffer);
    if (size < 0)
        return size;
    copal__session_use(dtls, now, slot);
    if (!s->server)
        doubt(dtls, now, slot);
    *out = (copal_datagram_t){&s->address, s->via, {buffer, (size_t)size}};
    return 0;
}

/* ---- time --------------------------------------------------------------------------------------------- */

static copal_time_t next_idle(const copal_dtls_t *d)
{
    uint32_t oldest = copal__list_first(&d->sessions_by_use);
    return oldest == COPAL__NONE ? COPAL_NEVER : d->sessions[oldest].used + d->config.limits.idle_timeout;
}

void copal_dtls_run(copal_dtls_t *dtls, copal_time_t now)
{
    for (uint32_t slot; (slot = copal__timer_due(&dtls->timers, now)) != COPAL__NONE;)
        copal__handshake_run(dtls, now, slot);
    while (next_idle(dtls) <= now) {
        uint32_t slot = copal__list_first(&dtls->sessions_by_use);
        copal__session_say_goodbye(dtls, slot);
        copal__session_end(dtls, now, slot, COPAL_ESTALE, "it was not used for long");
    }
}

copal_time_t copal_dtls_next_timeout(const copal_dtls_t *dtls)
{
    copal_time_t timer = copal__timer_next(&dtls->timers), idle = next_idle(dtls);
    return timer < idle ? timer : idle;
}

void copal_dtls_unreachable(copal_dtls_t *dtls, copal_time_t now, const copal_peer_t *address, copal_bytes_t quoted)
{
    uint64_t hash = copal__address_hash(dtls, address->data, address->size);
    for (uint32_t slot = copal__index_first(&dtls->pending_index, hash); slot != COPAL__NONE;
         slot = copal__index_next(&dtls->pending_index, slot)) {
        const copal__pending_t *h = &dtls->pendings[slot];
        /* The random octets of the ClientHello show that it is not forged. */
        if (!h->server && !h->heard && !dtls->sessions[h->session].suite && h->sent_size == COPAL__SENT_SIZE &&
            quoted.size >= COPAL__SENT_SIZE && memcmp(quoted.data, h->sent, COPAL__SENT_SIZE) == 0) {
            copal__handshake_fail(dtls, now, slot, COPAL_EUNREACHABLE, NULL);
            return;
        }
    }
}

uint32_t copal_dtls_sessions(const copal_dtls_t *dtls)
{
    return dtls->established;
}

uint32_t copal_dtls_handshakes(const copal_dtls_t *dtls)
{
    return dtls->pending_pool.used;
}

const copal_dtls_counters_t *copal_dtls_counters(const copal_dtls_t *dtls)
{
    return &dtls->counters;
}
