/* The endpoint as a whole: its memory, what comes in, what goes out. */
#include "../message/parse.h"
#include "state.h"

#include <string.h>

#define MAX_LATENCY 100000 /* milliseconds (RFC 7252 section 4.8.2) */
#define GUARD_TWEAK 0x67756172u

/* ---- memory ----------------------------------------------------------------------------------------------- */

static const copal_limits_t default_limits = {
    .datagram_size = 1152,
    .payload_size = 1024,
    .token_size = 8,
    .requests = 16,
    .deferred = 16,
    .remembered = 256,
    .remembered_bytes = 32 * 1024,
    .proven = 64,
    .counters = 256,
    .batch = 64,
    .observers = 16,
    .observed = 8,
    .observed_size = 96,
    .notifications = 4,
    .networks = 64,
    .network_bytes = 256 * 1024,
    .rests = 4,
    .rest_size = 4096,
};

static const copal_timing_t default_timing = {
    .ack_timeout = 2000,
    .ack_random_permille = 1500,
    .max_retransmit = 4,
    .nstart = 1,
    .probing_rate = 1,
    .ack_delay = 200,
    .leisure = 5000,
    .notify_interval = 3000,
    .confirm_interval = 600000,
};

/* Puts the defaults where fields are 0; all of them are of 32 bits. */
static void complete(void *fields, const void *defaults, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint32_t)) {
        uint32_t field;
        memcpy(&field, (const uint8_t *)fields + at, sizeof field);
        if (!field)
            memcpy((uint8_t *)fields + at, (const uint8_t *)defaults + at, sizeof field);
    }
}

static void complete_limits(copal_limits_t *l)
{
    uint32_t *const spared[] = {&l->requests, &l->deferred, &l->remembered, &l->observers, &l->rests};
    bool payload = l->payload_size, observed = l->observed_size;
    complete(l, &default_limits, sizeof *l);
    for (size_t i = 0; i < sizeof spared / sizeof *spared; i++)
        if (*spared[i] == COPAL_LIMIT_NONE)
            *spared[i] = 0;
    if (!l->observers)
        l->observed = l->notifications = 0;
    if (!l->remembered)
        l->remembered_bytes = 0;
    if (!payload && l->payload_size > l->datagram_size)
        l->payload_size = l->datagram_size;
    if (!observed && l->observed_size > l->datagram_size)
        l->observed_size = l->datagram_size;
}

static bool limits_are_valid(const copal_limits_t *l)
{
    return l->datagram_size >= 64 && l->datagram_size <= UINT16_MAX && l->payload_size >= 16 &&
           l->payload_size <= l->datagram_size && l->token_size <= UINT8_MAX && !(l->counters & (l->counters - 1)) &&
           !(l->networks & (l->networks - 1)) && l->network_bytes <= INT32_MAX &&
           (!l->remembered || l->remembered_bytes >= copal__remembered_least(l->datagram_size)) &&
           l->requests < 1u << 29 && l->deferred < 1u << 29 && l->notifications < 1u << 29 && l->observers < 1u << 30 &&
           l->observed < 1u << 30 && l->observed_size <= l->datagram_size && l->rests <= 4096 &&
           l->rest_size <= INT32_MAX;
}

static bool timing_is_valid(const copal_timing_t *t)
{
    return t->ack_timeout <= 1000000 && t->ack_random_permille >= 1000 && t->ack_random_permille <= 4000 &&
           t->max_retransmit <= 20 && t->notify_interval <= INT32_MAX && t->leisure <= 2 * MAX_LATENCY &&
           t->ack_timeout * t->ack_random_permille / 1000 <= 0x7fffffffu >> t->max_retransmit;
}

/* Times as many places for clients as there are other CONs on their way: hardly any two of these share one. */
#define CLIENTS_MORE 16u

static void lay_out_observers(copal__observers_t *t, copal__carver_t *carver, const copal_limits_t *l)
{
    t->subjects = copal__carve(carver, l->observed, sizeof *t->subjects);
    t->observed = copal__carve(carver, l->observed, sizeof *t->observed);
    t->observers = copal__carve(carver, l->observers, sizeof *t->observers);
    t->request_size = COPAL__REQUEST_MORE + l->observed_size;
    t->requests = copal__carve(carver, (size_t)l->observed + !!l->observed, t->request_size); /* and the draft */
    copal__pool_lay(&t->subject_pool, carver, l->observed);
    copal__pool_lay(&t->observed_pool, carver, l->observed);
    copal__pool_lay(&t->pool, carver, l->observers);
    copal__index_lay(&t->by_slot, carver, l->observed);
    copal__index_lay(&t->by_request, carver, l->observed);
    copal__index_lay(&t->by_token, carver, l->observers);
    copal__index_lay(&t->by_id, carver, l->observers);
    t->client_mask = 0;
    while (t->client_mask / CLIENTS_MORE + 1 < l->notifications)
        t->client_mask = 2 * t->client_mask + 1;
    t->clients = copal__carve_links(carver, (size_t)t->client_mask + 1, sizeof *t->clients);
    t->changed_links = copal__carve_links(carver, l->observed, sizeof *t->changed_links);
    t->ring_links = copal__carve_links(carver, l->observers, sizeof *t->ring_links);
    t->stand_links = copal__carve_links(carver, l->observers, sizeof *t->stand_links);
}

/* Lays out all that is behind the endpoint itself; how many octets it takes together. */
static size_t lay_out(copal_endpoint_t *e, void *memory, const copal_limits_t *l)
{
    copal__carver_t carver = {memory, sizeof *e};
    uint32_t slots = l->requests + l->deferred + l->notifications;
    copal__outbox_lay(&e->outbox, &carver, l->batch, l->datagram_size);
    copal__timers_lay(&e->timers, &carver, slots + 1); /* and that of the observers */
    copal__identifiers_lay(&e->identifiers, &carver, l->counters);
    copal__remembered_lay(&e->remembered, &carver, l->remembered, l->remembered_bytes, l->datagram_size);
    copal__proven_lay(&e->proven, &carver, l->proven);
    copal__guard_lay(&e->guard, &carver, l->networks);
    e->slots = copal__carve(&carver, slots, sizeof *e->slots);
    e->buffers = copal__carve(&carver, slots, l->datagram_size);
    e->taken = copal__carve(&carver, l->requests, sizeof *e->taken);
    copal__pool_lay(&e->slot_pool, &carver, slots);
    copal__index_lay(&e->sent, &carver, slots);
    copal__index_lay(&e->named, &carver, slots);
    copal__pool_lay(&e->line_pool, &carver, l->requests);
    e->lines = copal__carve(&carver, l->requests, sizeof *e->lines);
    e->line_links = copal__carve_links(&carver, slots, sizeof *e->line_links);
    copal__index_lay(&e->by_peer, &carver, l->requests);
    lay_out_observers(&e->observers, &carver, l);
    copal__rests_lay(&e->rests, &carver, l->rests, l->rest_size);
    return carver.used;
}

size_t copal_endpoint_size(const copal_limits_t *limits)
{
    copal_endpoint_t measure;
    copal_limits_t complete = *limits;
    complete_limits(&complete);
    return lay_out(&measure, NULL, &complete);
}

static void derive_lifetimes(copal_endpoint_t *e)
{
    const copal_timing_t *t = &e->config.timing;
    uint32_t span = t->ack_timeout * t->ack_random_permille / 1000 * ((1u << t->max_retransmit) - 1);
    e->transmit_span = span;
    e->non_lifetime = span + MAX_LATENCY;
    e->exchange_lifetime = span + 2 * MAX_LATENCY + t->ack_timeout;
}

int copal_endpoint_init_client(copal_endpoint_t **endpoint, void *memory, size_t size, const copal_config_t *config)
{
    copal_endpoint_t *e = memory;
    copal_limits_t l = config->limits;
    if (size < sizeof *e)
        return COPAL_ESPACE;
    e->config.timing = config->timing;
    complete_limits(&l);
    complete(&e->config.timing, &default_timing, sizeof default_timing);
    if (!config->random || !limits_are_valid(&l) || !timing_is_valid(&e->config.timing))
        return COPAL_EINVAL;
    if (size < lay_out(e, memory, &l))
        return COPAL_ESPACE;
    e->config = (copal__config_t){
        .limits = {l.datagram_size, l.payload_size, l.token_size, l.requests, l.deferred, l.notifications},
        .timing = e->config.timing, .random = config->random, .random_state = config->random_state,
        .first_slot = config->first_slot};
    derive_lifetimes(e);
    e->take = copal__take;
    e->guard.half = l.network_bytes / 2;
    e->identifiers.random = config->random;
    e->identifiers.random_state = config->random_state;
    config->random(config->random_state, &e->key, sizeof e->key);
    e->guard.secret = copal__hash(&e->key, GUARD_TWEAK, NULL, 0) | 1;
    *endpoint = e;
    return 0;
}

int copal_endpoint_init(copal_endpoint_t **endpoint, void *memory, size_t size, const copal_config_t *config)
{
    int error = copal_endpoint_init_client(endpoint, memory, size, config);
    if (error)
        return error;
    (*endpoint)->config.service = config->service;
    (*endpoint)->server = &copal__server;
    (*endpoint)->take = copal__take_ready;
    return 0;
}

/* ---- in --------------------------------------------------------------------------------------------------- */

void copal__put_empty(uint8_t *at, copal_type_t type, uint16_t id)
{
    at[0] = (uint8_t)(1u << 6 | (unsigned)type << 4);
    at[1] = COPAL_EMPTY;
    at[2] = (uint8_t)(id >> 8);
    at[3] = (uint8_t)id;
}

void copal__post_empty(copal_endpoint_t *e, const copal_from_t *to, copal_type_t type, uint16_t id)
{
    copal__put_empty(copal__outbox_place(&e->outbox), type, id);
    copal__outbox_post(&e->outbox, to, COPAL__EMPTY_SIZE);
}

/* A CON that cannot be processed is answered with Reset (section 4.2), never by multicast (8.1); anything else is
 * ignored (sections 4.2, 4.3). */
static void reject(copal_endpoint_t *e, const copal__arrival_t *a)
{
    if (a->message.type == COPAL_CON && !a->from->multicast)
        copal__post_empty(e, a->from, COPAL_RST, a->message.id);
}

/* Of a datagram over the limit only header and token are looked at; an Empty one is no message at all (section 4.1), and none
 * is one whose token ends beyond: there need not be more octets than of the largest message. */
static copal_bytes_t cut(copal_bytes_t datagram, size_t most)
{
    const uint8_t *data = datagram.data;
    unsigned nibble = data[0] & 15u;
    size_t size = 4 + nibble; /* RFC 8974 section 2.1: 13 and 14 announce more */
    if (nibble == 13)
        size = 4 + 1 + 13 + (size_t)data[4];
    else if (nibble == 14)
        size = 4 + 2 + 269 + ((size_t)data[4] << 8 | data[5]);
    datagram.size = data[1] != COPAL_EMPTY && nibble != 15 && size <= most ? size : most;
    return datagram;
}

/* An acknowledgement or a Reset goes to what it answers; a request in an ACK is none (section 4.2). */
static int settle(copal_endpoint_t *e, const copal__arrival_t *a)
{
    if (a->message.type == COPAL_RST && e->guard.has_pinged && e->server->is_proof(e, a))
        return 0;
    copal__slot_t *s = copal__slot_by_id(e, &a->from->peer, a->from->via, a->message.id);
    if (s && e->asks_groups && a->message.type == COPAL_RST && s->via != a->from->via)
        s = NULL; /* it may mean what was sent to a group by another of our sockets (section 8.1) */
    bool is_request = a->message.code != COPAL_EMPTY && COPAL_CODE_CLASS(a->message.code) == 0;
    if (!s && e->observing && a->message.type == COPAL_RST)
        return e->observing->reset(e, a);
    return s && !is_request ? s->kind->settle(e, s, a) : COPAL_EIGNORED;
}

/* Any message but a request that is served. */
static int take_other(copal_endpoint_t *e, copal__arrival_t *a)
{
    copal_type_t type = a->message.type;
    copal_code_t code = a->message.code;
    unsigned class_ = COPAL_CODE_CLASS(code);
    int error = copal__message_check(&a->message);
    if (error || class_ == 1 || class_ >= 6 || (type == COPAL_RST && code != COPAL_EMPTY))
        return COPAL_EFORMAT;
    if (type == COPAL_ACK || type == COPAL_RST) {
        error = settle(e, a);
        e->counters.resets += type == COPAL_RST && !error;
        return error;
    }
    if (class_ != 0 && e->respond)
        return e->respond(e, a);
    reject(e, a);
    return COPAL_EIGNORED;
}

static int dispatch(copal_endpoint_t *e, copal__arrival_t *a)
{
    const copal_message_t *m = &a->message;
    bool is_request = m->code != COPAL_EMPTY && COPAL_CODE_CLASS(m->code) == 0 && m->type <= COPAL_NON;
    int error = is_request && e->server ? e->server->receive(e, a) : take_other(e, a);
    if (error == COPAL_EFORMAT)
        reject(e, a);
    return error;
}

int copal__take(copal_endpoint_t *e, const copal_from_t *from, copal_bytes_t datagram)
{
    copal__arrival_t a = {.from = from, .datagram = datagram, .oversize = datagram.size > e->config.limits.datagram_size};
    size_t before = e->outbox.tail;
    int error = copal__message_head(&a.message, a.oversize ? cut(datagram, e->config.limits.datagram_size) : datagram);
    if (error == COPAL_EFORMAT)
        reject(e, &a);
    else if (!error)
        error = dispatch(e, &a);
    size_t out = e->outbox.tail - before;
    if (out > e->credit || e->guard.low)
        e->server->account(e, &a, out);
    if (error == COPAL_EFORMAT || error == COPAL_EVERSION)
        e->counters.malformed++;
    e->counters.ignored += error == COPAL_EIGNORED;
    return error;
}

int copal_endpoint_receive(copal_endpoint_t *e, copal_time_t now, const copal_from_t *from, copal_bytes_t datagram)
{
    if (!copal__outbox_has_room(&e->outbox))
        return COPAL_EFULL;
    e->now = now;
    e->counters.received++;
    e->credit = COPAL__CREDIT * datagram.size;
    return e->take(e, from, datagram);
}

/* ---- out -------------------------------------------------------------------------------------------------- */

size_t copal_endpoint_send(copal_endpoint_t *e, copal_time_t now, copal_datagram_t *out, size_t capacity)
{
    size_t count = 0;
    bool lends = false; /* the memory of a slot is in `out` */
    copal__outbox_has_room(&e->outbox); /* nothing of the last call is held any more */
    while (count < capacity && copal__outbox_take(&e->outbox, &out[count]))
        count++;
    for (uint32_t slot; count < capacity && (slot = copal__timer_due(&e->timers, now)) != COPAL__NONE;) {
        e->now = now; /* a callback may have told another time */
        if (slot == copal__observers_timer(e)) {
            if (lends || e->outbox.count == e->outbox.capacity)
                break; /* handlers may reuse that memory */
            count += e->observing->send(e, &out[count], capacity - count);
            continue;
        }
        copal__slot_t *s = &e->slots[slot];
        const bool over = copal__slot_is_over(e, s);
        if (count && over)
            break; /* its callback may reuse the memory of what is in `out` */
        e->counters.unacknowledged += over && s->stand == COPAL__SENT;
        bool sends = s->kind->due(e, s, &out[count]);
        count += sends;
        lends |= sends;
    }
    e->counters.sent += count;
    return count;
}

copal_time_t copal_endpoint_next_timeout(const copal_endpoint_t *e)
{
    return e->outbox.taken < e->outbox.count ? INT64_MIN : copal__timer_next(&e->timers);
}

uint32_t copal_endpoint_pending(const copal_endpoint_t *e) { return e->slot_pool.used; }

uint32_t copal_endpoint_observers(const copal_endpoint_t *e) { return e->observers.pool.used; }

const copal_counters_t *copal_endpoint_counters(copal_endpoint_t *e)
{
    e->counters.forgotten = e->remembered.forgotten;
    e->counters.displaced = e->proven.displaced;
    return &e->counters;
}
