/* What comes back for requests of ours: acknowledgements, Resets, responses (RFC 7252 sections 4.2, 4.3, 5.3.2). */
#include "../message/writer.h"
#include "options.h"
#include "state.h"

#include <string.h>

static bool is_ping(const copal__slot_t *s) { return s->w.data[1] == COPAL_EMPTY; }

static bool token_matches(const copal__slot_t *s, copal_bytes_t token)
{
    return s->asking.token_size == token.size && !memcmp(s->w.data + s->asking.token_at, token.data, token.size);
}

/* Whether `b` rather than `a` is the one that a response without token answers: the oldest that was acknowledged
 * (section 5.3.1 leaves such a client to match otherwise). */
static bool is_better(const copal__slot_t *a, const copal__slot_t *b)
{
    if (!a || a->stand != b->stand)
        return !a || b->stand == COPAL__EXPECTING;
    return copal__request_is_older(b, a);
}

static bool has_observe(const copal_message_t *m)
{
    copal_option_t observe;
    return copal_option_find(m, COPAL_OPTION_OBSERVE, &observe);
}

/* Whether a response that came in a message of its own may be this one's. A notification is not what answers the request to
 * send no more of them (RFC 7641 section 4.1). */
static bool waits_for(const copal__slot_t *s, const copal_message_t *m)
{
    if (s->asking.observes == COPAL__LEAVING && has_observe(m))
        return false;
    return s->asking.observes == COPAL__REGISTERED ||
           ((s->stand == COPAL__SENT || s->stand == COPAL__EXPECTING) && !is_ping(s));
}

/* The one to this peer, or to a group, that it answers. */
static copal__slot_t *search(const copal_endpoint_t *e, uint64_t hash, bool group, const copal__arrival_t *a)
{
    copal_bytes_t token = a->message.token;
    uint64_t name = copal__request_name(e, hash, group, token);
    copal__slot_t *best = NULL;
    for (copal__slot_t *s = NULL; (s = copal__slot_named(e, name, s));) {
        if (s->kind == &copal__requests && s->asking.group == group &&
            (group || copal__peer_equal(&s->peer, &a->from->peer)) && token_matches(s, token) &&
            waits_for(s, &a->message) && is_better(best, s))
            best = s;
    }
    return best;
}

static copal__slot_t *by_token(const copal_endpoint_t *e, uint64_t hash, const copal__arrival_t *a)
{
    copal__slot_t *s = search(e, hash, false, a);
    return s || !e->asks_groups || a->from->multicast ? s : search(e, hash, true, a);
}

/* A second challenge, made when a copy of the first request came in, says nothing about the one with the Echo, unless it
 * came with what that one alone has: its message ID, or a token drawn for it. */
static bool is_same_echo(const copal__slot_t *s, const copal_option_t *echo)
{
    copal_option_t ours;
    return copal__written(&s->w, COPAL_OPTION_ECHO, &ours) && ours.value.size == echo->value.size &&
           !memcmp(ours.value.data, echo->value.data, echo->value.size);
}

/* A 4.01 with Echo asks for the same request once more, with that value (RFC 9175 section 2.3). False: it is the answer. */
static bool answer_challenge(copal_endpoint_t *e, copal__slot_t *s, const copal_message_t *m, bool piggybacked)
{
    copal_option_t echo;
    if (m->code != COPAL_UNAUTHORIZED || !copal_option_find(m, COPAL_OPTION_ECHO, &echo))
        return false;
    if (s->stand == COPAL__OBSERVING)
        return true; /* of a registration that is answered */
    if (s->asking.echoed)
        return !piggybacked && !s->asking.drawn && is_same_echo(s, &echo);
    copal_write_option(&s->w, COPAL_OPTION_ECHO, echo.value);
    if (s->w.error)
        return false;
    s->asking.echoed = true;
    copal__request_redraw(e, s);
    copal__request_launch(e, s);
    return true;
}

/* What a response means for its request: 0, or the error that the request ends with. */
static int status_of(const copal__arrival_t *a)
{
    return a->oversize ? COPAL_ESPACE : copal__response_is_critical(&a->message) ? COPAL_ECRITICAL : 0;
}

/* One of many; more may come. */
static void take_answer(copal_endpoint_t *e, copal__slot_t *s, int status, const copal__arrival_t *a)
{
    copal__line_leave(e, s);
    copal__slot_wake(e, s, COPAL_NEVER);
    copal__request_tell(e, s, status, false, status ? NULL : &a->message, a->from);
}

static void conclude(copal_endpoint_t *e, copal__slot_t *s, int status, const copal__arrival_t *a, bool piggybacked)
{
    if (s->asking.group)
        take_answer(e, s, status, a);
    else if (status)
        copal__request_tell(e, s, status, true, NULL, a->from);
    else if (!answer_challenge(e, s, &a->message, piggybacked) && !copal__watch_take(e, s, a, piggybacked))
        copal__request_tell(e, s, 0, true, &a->message, a->from);
}

int copal__request_settle(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a)
{
    const copal_message_t *m = &a->message;
    bool ping = is_ping(s);
    if (m->code != COPAL_EMPTY) {
        if (ping || !s->confirmable || !token_matches(s, m->token))
            return COPAL_EIGNORED;
        conclude(e, s, status_of(a), a, true);
    } else if (ping || m->type == COPAL_RST) {
        copal__request_fail(e, s, ping ? 0 : COPAL_ERESET, a->from);
    } else if (s->stand == COPAL__SENT && copal__request_wants_nothing(s)) {
        copal__request_tell(e, s, 0, true, NULL, a->from);
    } else if (s->stand == COPAL__SENT) {
        s->stand = COPAL__EXPECTING;
        copal__line_leave(e, s);
        copal__slot_wake(e, s, COPAL_NEVER);
    } else {
        return COPAL_EIGNORED;
    }
    return 0;
}

/* Taken once; when it comes again it is acknowledged again, and nothing else (section 4.5). What is not wanted is
 * rejected with Reset, a notification that is NON, too: so the server learns of it (RFC 7641 section 3.6). */
int copal__response_receive(copal_endpoint_t *e, const copal__arrival_t *a)
{
    const copal_message_t *m = &a->message;
    uint64_t hash = copal__peer_hash(e, &a->from->peer), key = copal__message_key(hash, a->from->via, m->id);
    copal__taken_t *taken = &e->taken[(uint32_t)key % e->config.limits.requests];
    bool again = taken->key == key && e->now < taken->until;
    copal__slot_t *s = again ? NULL : by_token(e, hash, a);
    int status = s ? status_of(a) : 0;
    bool takes = again || (s && !status);
    if (takes && !again) /* its message ID names it for an EXCHANGE_LIFETIME from the first time on */
        *taken = (copal__taken_t){key, e->now + e->exchange_lifetime};
    if (!a->from->multicast && (m->type == COPAL_CON || (!takes && has_observe(m))))
        copal__post_empty(e, a->from, takes ? COPAL_ACK : COPAL_RST, m->id);
    if (!s)
        return COPAL_EIGNORED;
    conclude(e, s, status, a, false);
    return 0;
}
