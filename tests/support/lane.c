#include "support/lane.h"

#include "support/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct passing {
    copal_time_t time;
    uint64_t order;
    unsigned from, to;
    size_t size;
    uint8_t *data; /* exactly `size` octets */
};

void lane_open(lane_t *lane, uint64_t seed, const weather_t *weather)
{
    *lane = (lane_t){.random = random_from(seed), .weather = weather ? *weather : (weather_t){.delay = 10}};
    lane->now = (copal_time_t)(seed % 7) * 30000 - 60000; /* the clock's origin is any */
}

void lane_close(lane_t *lane)
{
    for (size_t i = 0; i < lane->passing_count; i++)
        free(lane->passing[i].data);
    free(lane->passing);
    for (unsigned i = 0; i < lane->count; i++) {
        copal_dtls_close(lane->stations[i].dtls);
        free(lane->stations[i].memory);
    }
}

/* ---- weather ------------------------------------------------------------------------------------------ */

static bool happens(lane_t *lane, uint32_t per_mille)
{
    return random_below(&lane->random, 1000) < per_mille;
}

static void throw_in(lane_t *lane, unsigned from, unsigned to, const uint8_t *data, size_t size)
{
    const weather_t *w = &lane->weather;
    if (happens(lane, w->loss))
        return;
    copal_time_t time = lane->now + w->delay + random_below(&lane->random, w->jitter + 1);
    if (happens(lane, w->reordering))
        time += random_below(&lane->random, w->late + 1);
    if (lane->passing_count == lane->passing_capacity) {
        lane->passing_capacity = lane->passing_capacity ? 2 * lane->passing_capacity : 16;
        lane->passing = realloc(lane->passing, lane->passing_capacity * sizeof *lane->passing);
    }
    struct passing *p = &lane->passing[lane->passing_count++];
    *p = (struct passing){time, lane->order++, from, to, size, malloc(size)};
    memcpy(p->data, data, size);
}

static void carry(station_t *from, const copal_datagram_t *out)
{
    lane_t *lane = from->lane;
    uint8_t data[2048];
    const size_t size = out->bytes.size;
    check(size > 0 && size <= sizeof data);
    memcpy(data, out->bytes.data, size);
    lane->datagrams++;
    if (lane->tap && !lane->tap(lane, from, data, size))
        return;
    for (unsigned to = 0; to < lane->count; to++) {
        if (!peer_equal(out->to, &lane->stations[to].address))
            continue;
        throw_in(lane, (unsigned)(from - lane->stations), to, data, size);
        if (happens(lane, lane->weather.duplication))
            throw_in(lane, (unsigned)(from - lane->stations), to, data, size);
    }
}

/* ---- stations ----------------------------------------------------------------------------------------- */

static void transmit(void *user, const copal_datagram_t *datagram)
{
    carry(user, datagram);
}

static void deliver(void *user, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    station_t *s = user;
    check_equal(now, s->lane->now);
    check(message.size <= LANE_TEXT);
    check(from->proven);
    s->messages++;
    memcpy(s->text, message.data, message.size);
    s->text[message.size] = '\0';
    s->from = *from;
    if (s->hears)
        s->hears(s, from);
    if (s->echoes)
        check_equal(station_say(s, &from->peer, s->text), 0);
}

static void changed(void *user, copal_time_t now, const copal_peer_t *peer, int status, const char *reason)
{
    station_t *s = user;
    check_equal(now, s->lane->now);
    s->changes++;
    s->status = status;
    s->changed = *peer;
    strncpy(s->reason, reason ? reason : "", sizeof s->reason - 1);
}

static void served(void *user, const copal_peer_t *address, int status, const char *reason)
{
    station_t *s = user;
    s->served++;
    s->served_status = status;
    s->client = *address;
    snprintf(s->served_reason, sizeof s->served_reason, "%s", reason ? reason : "");
}

static void make(station_t *s, const copal_dtls_backend_t *backend, const copal_dtls_limits_t *limits)
{
    const copal_dtls_config_t config = {.backend = backend,
                                        .limits = *limits,
                                        .random = random_fill,
                                        .random_state = &s->random,
                                        .transmit = transmit,
                                        .deliver = deliver,
                                        .changed = changed,
                                        .served = served,
                                        .user = s};
    const size_t size = copal_dtls_size(limits);
    s->memory = calloc(1, size);
    check_equal(copal_dtls_init(&s->dtls, s->memory, size, &config), 0);
}

station_t *lane_add(lane_t *lane, const copal_dtls_backend_t *backend, const copal_dtls_limits_t *limits,
                    copal_credentials_t *listens)
{
    check(lane->count < LANE_STATIONS);
    station_t *s = &lane->stations[lane->count];
    *s = (station_t){.lane = lane, .address = peer_of(0x0a000001u + lane->count), .listens = listens};
    s->random = random_from(random_next(&lane->random));
    lane->count++;
    make(s, backend, limits ? limits : &(copal_dtls_limits_t){0});
    return s;
}

void station_restart(station_t *s, const copal_dtls_backend_t *backend, const copal_dtls_limits_t *limits)
{
    copal_dtls_close(s->dtls);
    free(s->memory);
    make(s, backend, limits ? limits : &(copal_dtls_limits_t){0});
}

copal_peer_t station_connect(station_t *s, const station_t *to, copal_credentials_t *credentials, const char *name)
{
    copal_peer_t peer;
    check_equal(copal_dtls_connect(s->dtls, s->lane->now, credentials, &to->address, s->via, name, &peer), 0);
    check_equal(peer.size, to->address.size + COPAL_DTLS_PEER_SIZE);
    return peer;
}

int station_say(station_t *s, const copal_peer_t *peer, const char *text)
{
    uint8_t buffer[LANE_TEXT + COPAL_DTLS_OVERHEAD];
    copal_datagram_t out, message = {peer, 0, copal_text(text)};
    int status = copal_dtls_protect(s->dtls, s->lane->now, &message, buffer, &out);
    if (status == 0) {
        check(out.bytes.size <= strlen(text) + COPAL_DTLS_OVERHEAD);
        carry(s, &out);
    }
    return status;
}

void station_hear(station_t *s, const copal_peer_t *from, uint32_t via, copal_bytes_t datagram)
{
    /* A copy of exactly its size, so that a sanitizer sees any octet read beyond. */
    uint8_t *data = malloc(datagram.size);
    const copal_from_t where = {.peer = *from, .via = via, .network = 3};
    memcpy(data, datagram.data, datagram.size);
    copal_dtls_receive(s->dtls, s->lane->now, s->listens, &where, data, datagram.size);
    free(data);
}

bool station_heard(const station_t *s, const char *text)
{
    return s->messages > 0 && strcmp(s->text, text) == 0;
}

/* ---- time --------------------------------------------------------------------------------------------- */

/* Hands in the datagram that is to arrive first, if that is by now. */
static bool arrive(lane_t *lane)
{
    size_t first = 0;
    for (size_t i = 1; i < lane->passing_count; i++) {
        const struct passing *p = &lane->passing[i], *f = &lane->passing[first];
        if (p->time < f->time || (p->time == f->time && p->order < f->order))
            first = i;
    }
    if (lane->passing_count == 0 || lane->passing[first].time > lane->now)
        return false;
    struct passing p = lane->passing[first];
    lane->passing[first] = lane->passing[--lane->passing_count];
    if (!lane->stations[p.to].deaf)
        station_hear(&lane->stations[p.to], &lane->stations[p.from].address, lane->stations[p.to].via,
                     (copal_bytes_t){p.data, p.size});
    free(p.data);
    return true;
}

static copal_time_t next_time(const lane_t *lane)
{
    copal_time_t next = COPAL_NEVER;
    for (size_t i = 0; i < lane->passing_count; i++)
        if (lane->passing[i].time < next)
            next = lane->passing[i].time;
    for (unsigned i = 0; i < lane->count; i++) {
        copal_time_t due = copal_dtls_next_timeout(lane->stations[i].dtls);
        if (due < next)
            next = due;
    }
    return next;
}

void lane_run(lane_t *lane, copal_time_t until)
{
    for (copal_time_t next; (next = next_time(lane)) <= until && next != COPAL_NEVER;) {
        if (next > lane->now)
            lane->now = next;
        while (arrive(lane))
            continue;
        for (unsigned i = 0; i < lane->count; i++) {
            copal_dtls_run(lane->stations[i].dtls, lane->now);
            check(copal_dtls_next_timeout(lane->stations[i].dtls) > lane->now);
        }
    }
    if (until != COPAL_NEVER && lane->now < until)
        lane->now = until;
}

void lane_run_for(lane_t *lane, copal_time_t milliseconds)
{
    lane_run(lane, lane->now + milliseconds);
}
