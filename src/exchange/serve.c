/* A peer's request: checked, held against duplicates, executed, answered (RFC 7252 sections 4.5, 5.2, 5.4). */
#include "echo.h"
#include "options.h"

#define USUAL_ANSWER 64u /* octets of the answer to a POST */
#define BARE_ANSWER  20u /* octets that one to any other method has beside its token: the header, an option or two */

/* Of what tells requests apart at little cost; a client that uses no tokens has the sizes left. */
static uint8_t check_of(const copal_message_t *m)
{
    uint32_t sum = m->code + (uint32_t)(m->options.size * 31 + m->payload.size * 7);
    for (size_t i = 0; i < m->token.size; i++)
        sum = sum * 33 + m->token.data[i];
    return (uint8_t)(sum % 255 + 1);
}

void copal__serving_identify(copal__serving_t *s)
{
    if (s->identified)
        return;
    const copal_endpoint_t *e = s->call.endpoint;
    bool confirmable = s->call.request->type == COPAL_CON;
    s->origin.id = s->call.request->id;
    s->origin.check = check_of(s->call.request);
    s->origin.peer = copal__peer_hash(e, &s->call.from->peer);
    s->origin.key = copal__message_key(s->origin.peer, s->call.from->via, s->origin.id);
    s->origin.until = copal__id_rests_until(e, confirmable);
    s->identified = true;
}

/* Sends the answer that is written, or keeps it for its moment. */
static void post(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    if (s->call.from->multicast) {
        e->keep(s);
        return;
    }
    if (s->call.request->type == COPAL_NON) {
        copal__serving_identify(s);
        const uint64_t pair = copal__pair(s->origin.peer, s->call.from->via);
        uint32_t id = copal__identifier_take(&e->identifiers, e->now, pair, copal__id_rests_until(e, false));
        if (id == COPAL__NONE) {
            e->counters.dropped++;
            return;
        }
        s->w.data[2] = (uint8_t)(id >> 8);
        s->w.data[3] = (uint8_t)id;
    }
    copal__outbox_post(&e->outbox, s->call.from, s->w.size);
}

static bool is_unwanted(const copal__serving_t *s) { return copal__is_unwanted(s->options.no_response, s->code); }

/* Sends the answer, or what is left of one that is not wanted: the acknowledgement. */
static void respond(copal__serving_t *s)
{
    if (!is_unwanted(s))
        post(s);
    else if (s->call.request->type == COPAL_CON)
        copal__post_empty(s->call.endpoint, s->call.from, COPAL_ACK, s->call.request->id);
}

/* ---- duplicates ------------------------------------------------------------------------------------------ */

/* What it says is not there in a code alone. */
static bool needs_more_than_code(copal_code_t code) { return code == COPAL_CONTENT || code == COPAL_UNAUTHORIZED; }

static void replay(copal__serving_t *s, const copal__found_t *found)
{
    copal_endpoint_t *e = s->call.endpoint;
    if (s->call.request->type != COPAL_CON)
        return; /* section 4.3: silently ignored */
    if (found->code == COPAL_EMPTY) {
        copal__post_empty(e, s->call.from, COPAL_ACK, s->call.request->id);
        return;
    }
    copal_writer_t *w = copal_reply(&s->call, found->code);
    if (w->error || found->size > w->capacity - w->size)
        return; /* the same ID and check with another, longer token: no duplicate, and no sound request */
    size_t size = w->size + found->size;
    if (copal__answer_affordable(e, s->call.from, size)) {
        copal__remembered_copy(&e->remembered, found, w->data + w->size);
    } else {
        copal__answer_withhold(e, s->call.from);
        if (needs_more_than_code(found->code))
            return;
        size = w->size;
    }
    copal__outbox_post(&e->outbox, s->call.from, size);
}

static bool is_conditional(const copal__serving_t *s) { return s->options.if_matches || s->options.if_none_match; }

/* More of the body follows: the request itself has no effect but that the upload goes on. */
static bool has_more(const copal__serving_t *s) { return s->options.block1 >= 0 && s->options.block1 & 8; }

/* It is not the whole of a body: from the number on, or by what follows (RFC 7959 section 2.2). */
static bool is_part(const copal__serving_t *s) { return s->options.block1 >= 8; }

static bool reads(const copal__serving_t *s)
{
    copal_code_t method = s->call.request->code;
    return method == COPAL_GET || method == COPAL_FETCH || s->rest;
}

static bool is_safe(const copal__serving_t *s)
{
    return s->rest || (reads(s) && !is_conditional(s) && !is_part(s));
}

/* What must run once: what is not idempotent, or was made conditional on a state that it changes. */
static bool must_stay(const copal__serving_t *s)
{
    copal_code_t method = s->call.request->code;
    return (method == COPAL_POST || method == COPAL_PATCH || is_conditional(s)) && !has_more(s);
}

/* Its answer cannot be made again for each block of it: that would be to run it again, or, where its body came by Block1,
 * to run it without. */
static bool runs_once(const copal__serving_t *s) { return !reads(s) || is_part(s); }

/* Asks for the rest of such an answer: "similar to the requests in the Block1 phase, but leaves out the Block1 Options"
 * (RFC 7959 section 2.7), and the payload. */
static bool wants_rest(const copal__serving_t *s)
{
    copal_code_t method = s->call.request->code;
    bool whole = method == COPAL_GET || (method == COPAL_FETCH && s->call.request->payload.size);
    return s->options.block2 >= 16 && !whole;
}

/* The call that answers this request later, if there is one. */
static copal__slot_t *running(const copal_endpoint_t *e, const copal__origin_t *origin)
{
    copal__slot_t *slot = e->deferred ? copal__slot_named(e, origin->key, NULL) : NULL;
    while (slot && !(slot->kind->again && slot->later.check == origin->check))
        slot = copal__slot_named(e, origin->key, slot);
    return slot;
}

static bool is_duplicate(copal__serving_t *s, bool safe)
{
    copal_endpoint_t *e = s->call.endpoint;
    copal__serving_identify(s);
    copal__slot_t *slot = running(e, &s->origin);
    if (slot) {
        slot->kind->again(slot, s);
        return true;
    }
    if (safe)
        return false;
    copal__remembered_expire(&e->remembered, e->now);
    copal__found_t found;
    if (!copal__remembered_find(&e->remembered, &s->origin, &found))
        return false;
    replay(s, &found);
    return true;
}

/* ---- admission -------------------------------------------------------------------------------------------- */

static void challenge(copal__serving_t *s)
{
    copal__echo_write(s, copal_reply(&s->call, COPAL_UNAUTHORIZED));
    s->call.endpoint->counters.challenged++;
}

/* 4.29 "is only returned to the client(s) sending requests too frequently"; where others have taken the room, "5.03 [...] is
 * more appropriate" (RFC 8516 section 3). */
static void refuse(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    bool share = copal__remembered_is_full(&e->remembered, &s->origin);
    copal_time_t wait = copal__remembered_room_at(&e->remembered, &s->origin) - e->now;
    copal_writer_t *w = copal_reply(&s->call, share ? COPAL_TOO_MANY_REQUESTS : COPAL_SERVICE_UNAVAILABLE);
    if (wait > 0) /* else it waits for what began before, or there is none, and the default is as good: a minute */
        copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, ((uint32_t)wait + 999) / 1000);
}

/* Whether an address must be proven before a request with effects runs: the memory for those is short, or there is not even
 * room for a usual small answer. */
static bool must_prove(const copal__serving_t *s, bool hard)
{
    copal_endpoint_t *e = s->call.endpoint;
    bool crowded = hard && copal__remembered_crowded(&e->remembered);
    const copal_message_t *m = s->call.request;
    size_t usual = m->code == COPAL_POST ? USUAL_ANSWER : BARE_ANSWER + m->token.size;
    bool poor = e->guard.low && e->credit < usual && !copal__answer_affordable(e, s->call.from, usual);
    return poor || (crowded && !copal__is_proven(e, s->call.from, s->origin.peer));
}

/* An Echo of ours proves the address of who only reads, too. */
static void take_proof(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    copal__origin_t challenged;
    copal__serving_identify(s);
    if (copal__echo_check(s, &challenged))
        copal__proven_add(&e->proven, e->now, s->origin.peer);
}

bool copal__call_challenge(copal_call_t *call)
{
    copal__serving_t *s = (copal__serving_t *)(void *)call;
    copal__serving_identify(s);
    if (copal__is_proven(s->call.endpoint, call->from, s->origin.peer))
        return false;
    challenge(s);
    return true;
}

/* An Echo of ours proves the address, and tells which message was challenged. That one has not run: from now on it
 * never will, since this is it again. Unless it was let in meanwhile, by the proof of another: then its reply is the
 * answer. */
static bool is_answered_already(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    copal__origin_t challenged = s->origin;
    if (!s->options.echo.size || s->call.from->multicast || !copal__echo_check(s, &challenged))
        return false;
    copal__proven_add(&e->proven, e->now, s->origin.peer);
    if (challenged.key == s->origin.key)
        return false;
    copal__found_t first;
    bool answered = copal__remembered_find(&e->remembered, &challenged, &first) && first.outcome != COPAL__RESENT;
    copal__slot_t *slot = answered && first.outcome == COPAL__RUNNING ? running(e, &challenged) : NULL;
    if (slot && !slot->kind->again(slot, s)) {
        copal_reply_text(&s->call, COPAL_SERVICE_UNAVAILABLE, NULL);
        respond(s);
    } else if (answered && !slot) {
        replay(s, &first);
    }
    if (!answered || copal__remembered_settle(&e->remembered, &s->origin))
        s->unsettled = !copal__remembered_settle(&e->remembered, &challenged);
    return answered;
}

/* Makes the entry that keeps a request with effects from running twice. False: it was refused, and answered. */
static bool admit(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    bool hard = must_stay(s);
    if (must_prove(s, hard)) {
        challenge(s);
        return false;
    }
    s->memory = s->unsettled ? NULL : copal__remembered_add(&e->remembered, &s->origin, hard);
    if (hard && !s->memory) {
        refuse(s);
        return false;
    }
    return true;
}

/* ---- execution and answer ------------------------------------------------------------------------------------ */

void copal__serving_execute(copal__serving_t *s)
{
    const copal_service_t *service = &s->call.endpoint->config.service;
    if (s->call.request->code > COPAL_IPATCH)
        copal_reply_text(&s->call, COPAL_METHOD_NOT_ALLOWED, NULL); /* section 5.8 */
    else if (!service->handle)
        copal_reply_text(&s->call, COPAL_NOT_FOUND, NULL);
    else if (is_part(s) && !service->parts)
        copal_reply_text(&s->call, COPAL_REQUEST_ENTITY_TOO_LARGE, NULL);
    else
        service->handle(service->context, &s->call);
    if (!s->answered && !s->deferred)
        copal_reply_text(&s->call, s->fallback, NULL);
}

/* Whether it is a 2.xx that takes no more options, as most are. */
static bool is_complete(const copal__serving_t *s)
{
    return COPAL_CODE_CLASS(s->code) == 2 && !s->w.error && s->w.total <= s->w.window && s->options.block1 < 0 &&
           s->options.block2 < 0 && !s->keeping.rest;
}

void copal__serving_close(copal__serving_t *s)
{
    const copal__asked_t asked = copal__asked(&s->options);
    copal__keeping_end(&s->keeping, &s->w);
    copal_code_t instead = copal__answer_close(&s->w, s->code, &asked);
    if (!instead)
        return;
    size_t most = s->w.capacity; /* no more than was found to be affordable, for this one as well */
    copal_reply_text(&s->call, instead, s->w.error ? NULL : "no such block");
    if (s->w.size <= most)
        s->w.capacity = most;
    copal__answer_close(&s->w, instead, &asked);
}

/* Makes the answer fit what may leave to an address that is not proven; false: nothing may. One that only reads is told to
 * prove itself where no block is small enough (RFC 9175 section 2.4); what has had effects is never told that. */
static bool fit(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    const copal__asked_t asked = copal__asked(&s->options);
    size_t size = s->w.error ? 0 : copal__answer_size(&s->w, &asked);
    size_t most = e->credit < s->w.capacity ? e->credit : s->w.capacity; /* a datagram has no more room, whoever paid */
    if (copal__answer_affordable(e, s->call.from, size + COPAL__CLOSING_MORE))
        return true;
    if (size <= e->credit) {
        s->w.capacity = most; /* no room for what need not be said */
        return true;
    }
    copal__answer_withhold(e, s->call.from);
    bool cuttable = reads(s) && copal__keeping_reaches(&s->keeping, &s->w);
    bool fits = copal__answer_fit(&s->w, &asked, cuttable, most - COPAL__EMPTY_SIZE) || /* room for a ping */
                copal__answer_fit(&s->w, &asked, cuttable, most);
    if (!fits && is_safe(s)) {
        copal__serving_identify(s);
        copal__echo_write_short(s, copal_reply(&s->call, COPAL_UNAUTHORIZED));
        fits = s->w.size <= most;
        s->w.capacity = fits ? most : s->w.capacity;
        e->counters.challenged += fits;
    }
    s->code = s->w.data[1];
    return fits;
}

static void finish(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    size_t surely = e->credit + copal__guard_least_room(&e->guard);
    bool fits = s->w.size + COPAL__CLOSING_MOST <= surely || is_unwanted(s) || fit(s);
    if (!is_complete(s))
        copal__serving_close(s);
    if (e->observing && s->options.observe == 0 && fits)
        e->observing->answered(s);
    if (s->memory) /* a duplicate NON is ignored: its reply is not needed */
        copal__remembered_reply(&e->remembered, s->memory, s->origin.key, is_unwanted(s) ? NULL : &s->w,
                                s->call.request->type == COPAL_CON);
    copal__count_answer(e, s->code);
    if (fits && !s->w.error) /* an error: not even a token that came in a datagram over the limit */
        respond(s);
}

/* A block of an answer that is kept. Where that is gone a request with effects must not run again, and a FETCH with a
 * Content-Format, as each must have that has a body (RFC 8132 section 2.3.1), is nothing without it. False: it is a
 * FETCH that never had one. */
static bool answer_rest(copal__serving_t *s)
{
    copal__rest_t *rest = copal__rest_find(&s->call);
    bool fetch = s->call.request->code == COPAL_FETCH;
    if (!rest && fetch && s->options.content_format < 0)
        return false;
    s->rest = true;
    if (s->options.echo.size)
        take_proof(s);
    if (rest)
        copal__rest_reply(&s->call, rest);
    else
        copal_reply_text(&s->call, fetch ? COPAL_REQUEST_ENTITY_INCOMPLETE : COPAL_BAD_REQUEST, "no such block");
    return true;
}

/* A part that came in too large a datagram: there are smaller blocks (RFC 7959 section 2.9.3). What of the datagram is
 * certain to be there holds the options, as a rule. */
static void suggest_smaller(copal__serving_t *s)
{
    const copal__bounds_t *limits = &s->call.endpoint->config.limits;
    copal_message_t m;
    copal_option_t option;
    copal_block_t block;
    const copal_bytes_t start = {s->call.datagram.data, limits->datagram_size};
    if (copal_message_parse(&m, start) || !copal_option_find(&m, COPAL_OPTION_BLOCK1, &option) ||
        copal_block_decode(&block, copal_option_uint(&option)) || !block.szx)
        return;
    const uint8_t most = copal__szx_within(limits->payload_size), smaller = (uint8_t)(block.szx - 1);
    block = (copal_block_t){block.number, false, smaller < most ? smaller : most};
    copal_write_option_uint(&s->w, COPAL_OPTION_BLOCK1, copal_block_encode(&block));
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

/* By multicast nobody asked this server in particular, and no errors are wanted (RFC 7252 section 8.2), unless "showing
 * 'interest' in specific response classes", when "any default behavior of suppressing responses [...] MUST be overridden"
 * (RFC 7967 section 2.1). */
static void read_interest(copal__serving_t *s)
{
    copal_option_t option;
    if (copal_option_find(s->call.request, COPAL_OPTION_NO_RESPONSE, &option))
        s->options.no_response = (uint8_t)copal_option_uint(&option);
    else if (s->call.from->multicast)
        s->options.no_response = COPAL_NO_RESPONSE_4XX | COPAL_NO_RESPONSE_5XX;
}

/* What is wanted of the answer may stand behind the option that made it a refusal. */
static void read_wishes(copal__serving_t *s)
{
    copal_option_t option;
    read_interest(s);
    if (copal_option_find(s->call.request, COPAL_OPTION_ACCEPT, &option))
        s->options.accept = (int32_t)copal_option_uint(&option);
}

/* The answer to a request that is not to be executed as it is. */
static void decline(copal__serving_t *s, copal_code_t code, uint16_t culprit)
{
    copal_reply_text(&s->call, code, NULL);
    if (culprit)
        explain(&s->w, culprit);
    if (code == COPAL_REQUEST_ENTITY_TOO_LARGE)
        suggest_smaller(s);
    read_wishes(s);
}

/* Executes it, unless something forbids that. False: there is nothing to be answered. */
static bool serve(copal__serving_t *s)
{
    copal_endpoint_t *e = s->call.endpoint;
    bool multicast = s->call.from->multicast;
    if (multicast)
        read_interest(s);
    if (wants_rest(s) && answer_rest(s))
        return true;
    if (runs_once(s) && !multicast)
        copal__keeping_begin(&s->keeping, &s->call);
    if (e->observing && s->options.observe == 1)
        e->observing->deregister(s); /* whatever becomes of it (RFC 7641 section 4.1) */
    /* A safe one is looked up only among calls in progress. Copies of one by multicast would be answers to many. */
    bool safe = is_safe(s) && !multicast;
    if (((!safe || e->deferred) && is_duplicate(s, safe)) || (!safe && is_answered_already(s))) {
        e->counters.duplicates++;
        return false;
    }
    if (safe && s->options.echo.size)
        take_proof(s);
    if (safe || admit(s))
        copal__serving_execute(s);
    return !s->deferred;
}

int copal__request_receive(copal_endpoint_t *e, copal__arrival_t *a)
{
    copal__serving_t s;
    uint16_t culprit = 0;
    copal_message_t *m = &a->message;
    int refusal = copal__request_options(&s.options, m, e->config.service.first_only, &culprit);
    if (refusal == COPAL_EFORMAT)
        return refusal;
    if (a->from->multicast && (m->type == COPAL_CON || !e->keep))
        return COPAL_EIGNORED; /* "Such multicast requests MUST be Non-confirmable" (section 8.1) */
    e->counters.requests[m->code <= COPAL_IPATCH ? m->code : 0]++;
    s.call = (copal_call_t){e, e->now, a->from, m, &s.options, a->datagram, 0, false};
    s.memory = NULL;
    s.observer = COPAL__NONE;
    s.fallback = COPAL_INTERNAL_SERVER_ERROR;
    s.keeping = (copal__keeping_t){0};
    s.rest = s.identified = s.answered = s.deferred = s.observable = s.unsettled = false;
    if (a->oversize)
        refusal = COPAL_REQUEST_ENTITY_TOO_LARGE;
    if (refusal == COPAL_BAD_OPTION && m->type == COPAL_NON)
        return COPAL_EIGNORED; /* section 5.4.1: a NON with an unknown critical option is rejected silently */
    if (refusal)
        decline(&s, (copal_code_t)refusal, culprit);
    else if (!serve(&s))
        return 0;
    finish(&s);
    return 0;
}

const copal__server_t copal__server = {copal__request_receive, copal__account, copal__is_proof};
