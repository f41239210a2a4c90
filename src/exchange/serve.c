/* A peer's request: checked, held against duplicates, executed, answered (RFC 7252 sections 4.5, 5.2, 5.4; RFC 9175). */
#include "options.h"
#include "state.h"

#include <string.h>

#define ECHO_TWEAK 0x6563686fu
#define ECHO_SIZE 12u                  /* 4 octets of time, 8 of keyed hash */
#define ECHO_LIFE (5u * 60u)           /* in units of 1,024 ms */

/* ---- Echo: a value that proves the address it was sent to, without state (RFC 9175 section 2.3) ------- */

static uint64_t echo_hash(const copal_endpoint_t *e, uint64_t peer_hash, uint32_t time)
{
    uint64_t data[2] = {peer_hash, time};
    return copal__hash(&e->key, ECHO_TWEAK, data, sizeof data);
}

static void write_echo(copal__serving_t *s, copal_writer_t *w)
{
    uint8_t value[ECHO_SIZE];
    uint32_t time = (uint32_t)((uint64_t)s->call.now >> 10);
    uint64_t hash = echo_hash(s->call.endpoint, s->hash, time);
    memcpy(value, &time, sizeof time);
    memcpy(value + sizeof time, &hash, sizeof hash);
    copal_write_option(w, COPAL_OPTION_ECHO, (copal_bytes_t){value, sizeof value});
}

static bool echo_is_ours(const copal__serving_t *s)
{
    uint32_t time;
    uint64_t hash;
    if (s->options.echo.size != ECHO_SIZE)
        return false;
    memcpy(&time, s->options.echo.data, sizeof time);
    memcpy(&hash, s->options.echo.data + sizeof time, sizeof hash);
    uint32_t age = (uint32_t)((uint64_t)s->call.now >> 10) - time;
    return age <= ECHO_LIFE && hash == echo_hash(s->call.endpoint, s->hash, time);
}

static void identify(copal__serving_t *s)
{
    if (s->hashed)
        return;
    s->hash = copal__peer_hash(s->call.endpoint, &s->call.from->peer);
    s->key = copal__message_key(s->hash, s->call.from->via, s->call.request->id);
    s->hashed = true;
}

/* ---- duplicates ------------------------------------------------------------------------------------------ */

/* How long a request's message ID names it (section 4.8.2). */
static copal_time_t lifetime(const copal__serving_t *s)
{
    const copal_endpoint_t *e = s->call.endpoint;
    return s->call.request->type == COPAL_CON ? e->exchange_lifetime : e->non_lifetime;
}

static void replay(copal__serving_t *s, const copal__memory_t *entry)
{
    copal_endpoint_t *e = s->call.endpoint;
    const copal_message_t *m = s->call.request;
    if (m->type != COPAL_CON)
        return; /* section 4.3: silently ignored */
    if (entry->outcome != COPAL__REPLIED) {
        copal__post_empty(e, s->call.from, COPAL_ACK, m->id);
        return;
    }
    copal_writer_t w;
    copal_writer_init(&w, copal__outbox_room(&e->outbox), e->config.limits.datagram_size);
    copal_write_header(&w, COPAL_ACK, entry->code, m->id, m->token);
    if (w.error || entry->size > w.capacity - w.size)
        return; /* the same ID with another, longer token: no duplicate, and no sound request */
    copal__remembered_copy(&e->remembered, entry, w.data + w.size);
    copal__outbox_post(&e->outbox, s->call.from, w.size + entry->size);
}

static bool is_safe(copal_code_t method) { return method == COPAL_GET || method == COPAL_FETCH; }

/* What must run once: what is not idempotent, or was made conditional on a state that it changes. */
static bool must_stay(const copal__serving_t *s)
{
    copal_code_t method = s->call.request->code;
    return method == COPAL_POST || method == COPAL_PATCH || s->options.if_matches || s->options.if_none_match;
}

static bool is_duplicate(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    bool unsafe = !is_safe(s->call.request->code);
    if (!unsafe && !e->later_pool.used)
        return false;
    identify(s);
    uint32_t running = e->later_pool.used ? copal__later_by_key(e, s->key) : COPAL__NONE;
    if (running != COPAL__NONE) {
        copal__later_duplicate(e, running);
        return true;
    }
    const copal__memory_t *entry = unsafe ? copal__remembered_find(&e->remembered, s->call.now, s->key) : NULL;
    if (entry)
        replay(s, entry);
    return entry;
}

/* ---- admission -------------------------------------------------------------------------------------------- */

static void challenge(copal__serving_t *s)
{
    write_echo(s, copal_reply(&s->call, COPAL_UNAUTHORIZED));
    s->call.endpoint->counters.challenged++;
}

static void refuse(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    copal_time_t wait = copal__remembered_room_at(&e->remembered, s->call.now) - s->call.now;
    copal_writer_t *w = copal_reply(&s->call, COPAL_SERVICE_UNAVAILABLE);
    copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, ((uint32_t)wait + 999) / 1000);
    e->counters.refused++;
}

static bool is_proven(copal__serving_t *s)
{
    return s->call.from->proven || copal__proven_has(&s->call.endpoint->proven, s->call.now, s->hash);
}

/* Makes the entry that keeps a request with effects from running twice. False: it was refused, and answered. */
static bool admit(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    if (is_safe(s->call.request->code))
        return true;
    bool hard = must_stay(s);
    if (hard && copal__remembered_crowded(&e->remembered, s->call.now) && !is_proven(s)) {
        challenge(s);
        return false;
    }
    s->memory = copal__remembered_add(&e->remembered, s->call.now, s->key, s->hash, hard, lifetime(s));
    if (hard && s->memory == COPAL__NONE) {
        refuse(s);
        return false;
    }
    return true;
}

/* ---- execution and answer ------------------------------------------------------------------------------------ */

static void execute(copal__serving_t *s)
{
    const copal_service_t *service = &s->call.endpoint->config.service;
    if (s->call.request->code > COPAL_IPATCH)
        copal_reply_text(&s->call, COPAL_METHOD_NOT_ALLOWED, NULL); /* section 5.8 */
    else if (!service->handle)
        copal_reply_text(&s->call, COPAL_NOT_FOUND, NULL);
    else
        service->handle(service->context, &s->call);
    if (!s->answered && !s->deferred)
        copal_reply_text(&s->call, COPAL_INTERNAL_SERVER_ERROR, NULL);
}

static void remember(copal__serving_t *s)
{
    bool empty = s->call.request->type != COPAL_CON; /* a duplicate NON is ignored: no reply is needed */
    copal_bytes_t reply = copal__reply_bytes(&s->w);
    if (empty)
        reply.size = 0;
    copal__remembered_reply(&s->call.endpoint->remembered, s->memory, s->key, COPAL__REPLIED, s->w.data[1], reply);
}

static void post(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    if (s->call.request->type == COPAL_NON) {
        uint16_t id;
        identify(s);
        if (copal__identifier_take(&e->identifiers, s->call.now, s->hash, &id) != COPAL_NEVER) {
            e->counters.dropped++;
            return;
        }
        s->w.data[2] = (uint8_t)(id >> 8);
        s->w.data[3] = (uint8_t)id;
    }
    copal__outbox_post(&e->outbox, s->call.from, s->w.size);
}

static void finish(copal__serving_t *s)
{
    bool success = COPAL_CODE_CLASS(s->w.data[1]) == 2;
    int error = success ? copal__block_close(&s->w, s->options.block2) : s->w.error;
    if (error == COPAL_ENOTFOUND)
        copal_reply_text(&s->call, COPAL_BAD_REQUEST, "no such block");
    else if (error)
        copal_reply_text(&s->call, COPAL_INTERNAL_SERVER_ERROR, NULL);
    if (s->memory != COPAL__NONE)
        remember(s);
    if (s->call.from->multicast && COPAL_CODE_CLASS(s->w.data[1]) != 2)
        return; /* section 8.2: no error where nobody asked this server */
    post(s);
}

/* "critical option 2049": the diagnostic of section 5.4.1. */
static void explain(copal_writer_t *w, uint16_t number)
{
    char digits[5];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    copal_write_text(w, "critical option ");
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)digits + at, sizeof digits - at});
    copal_write_text(w, " not understood");
}

int copal__request_receive(copal_endpoint_t *e, copal_time_t now, const copal_from_t *from, const copal_message_t *m,
                 copal_bytes_t datagram, bool oversize)
{
    copal__serving_t s;
    uint16_t culprit = 0;
    s.call = (copal_call_t){e, now, from, m, &s.options, datagram, 0};
    s.memory = COPAL__NONE;
    s.hashed = s.answered = s.deferred = false;
    copal_code_t refusal = copal__request_options(&s.options, m, e->config.service.first_only, &culprit);
    if (oversize)
        refusal = COPAL_REQUEST_ENTITY_TOO_LARGE;
    if (refusal == COPAL_BAD_OPTION && m->type == COPAL_NON)
        return COPAL_EIGNORED; /* section 5.4.1: a NON with an unknown critical option is rejected silently */
    if (refusal) {
        copal_reply_text(&s.call, refusal, NULL);
        if (culprit)
            explain(&s.w, culprit);
        finish(&s);
        return 0;
    }
    if (is_duplicate(&s)) {
        e->counters.duplicates++;
        return 0;
    }
    if (s.options.echo.size) {
        identify(&s);
        if (echo_is_ours(&s))
            copal__proven_add(&e->proven, now, s.hash);
    }
    if (admit(&s))
        execute(&s);
    if (!s.deferred)
        finish(&s);
    return 0;
}
