/* Requests of our own (RFC 7252 section 5.2), and PROBING_RATE (section 4.7). */
#include "../message/writer.h"
#include "state.h"

#include <string.h>

#define TOKEN_DRAWN 8u /* octets of a token we draw (section 5.3.1) */

/* ---- life of a request ---------------------------------------------------------------------------- */

void copal__request_discard(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__line_leave(e, s);
    copal__slot_close(e, s);
    e->asking--;
}

void copal__request_tell(copal_endpoint_t *e, copal__slot_t *s, int status, bool ended, const copal_message_t *message,
                         const copal_from_t *from)
{
    uint8_t token[UINT8_MAX]; /* a copy: the callback may begin a request in this very slot */
    copal_response_t response = {.request = copal__slot_handle(e, s), .id = s->asking.first_id,
                                 .token = {token, s->asking.token_size}, .status = status, .ended = ended, .message = message,
                                 .from = from, .now = e->now};
    copal_receiver_t *receiver = s->asking.receiver;
    memcpy(token, s->w.data + s->asking.token_at, s->asking.token_size);
    if (ended)
        copal__request_discard(e, s);
    if (receiver)
        receiver->receive(receiver, &response);
}

void copal__request_fail(copal_endpoint_t *e, copal__slot_t *s, int status, const copal_from_t *from)
{
    bool goes_on = s->asking.observes == COPAL__REGISTERED;
    if (goes_on)
        copal__watch_retry(e, s);
    copal__request_tell(e, s, status, !goes_on, NULL, from);
}

void copal__request_launch(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__slot_forget_id(e, s);
    if (copal__slot_identify(e, s))
        copal__line_enter(e, s);
    else
        copal__line_leave(e, s);
}

bool copal__request_wants_nothing(const copal__slot_t *s)
{
    return (s->asking.unwanted & COPAL_NO_RESPONSE_ALL) == COPAL_NO_RESPONSE_ALL;
}

static copal_time_t probing_time(const copal_endpoint_t *e, const copal__slot_t *s)
{
    return (copal_time_t)((uint32_t)s->w.size * 1000 / e->config.timing.probing_rate);
}

/* A NON request that wants no response has left, and that is all for who made it: its handle is stale. Its octets count
 * all the same: it stays until PROBING_RATE lets the next one go. */
static void part(copal_endpoint_t *e, copal__slot_t *s)
{
    copal_receiver_t *receiver = s->asking.receiver;
    const copal_response_t response = {.request = copal__slot_handle(e, s), .id = s->asking.first_id, .ended = true, .now = e->now,
                                       .token = {s->w.data + s->asking.token_at, s->asking.token_size}};
    s->asking.receiver = NULL;
    s->generation += s->generation == UINT32_MAX ? 2 : 1;
    s->deadline = e->now + probing_time(e, s);
    copal__slot_wake(e, s, COPAL_NEVER);
    receiver->receive(receiver, &response);
}

/* What a request ends with when its time is over. One that was acknowledged, and wants no success to be told of, has had
 * all that it asked for (RFC 7967 section 2.1). */
static int status_at_end(const copal__slot_t *s)
{
    if (s->asking.group && s->stand == COPAL__EXPECTING)
        return 0; /* whoever has not answered does not */
    bool acknowledged = s->confirmable && s->stand == COPAL__EXPECTING;
    return acknowledged && copal__is_unwanted(s->asking.unwanted, COPAL_CONTENT) ? 0 : COPAL_ETIMEOUT;
}

/* A NON request is expected to be answered for as long as keeps the average below PROBING_RATE (section 4.7). */
static bool send_non(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out)
{
    copal__identifier_touch(&e->identifiers, copal__pair(s->hash, s->via), s->id, copal__id_rests_until(e, false));
    s->stand = COPAL__EXPECTING;
    if (s->asking.receiver && copal__request_wants_nothing(s))
        s->deadline = e->now; /* to be told as soon as what is in `out` has left */
    copal__slot_wake(e, s, e->now + probing_time(e, s));
    copal__slot_emit(s, out);
    return true;
}

static bool due(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out)
{
    if (copal__slot_is_over(e, s)) {
        if (s->stand == COPAL__EXPECTING && !s->confirmable && s->asking.receiver && copal__request_wants_nothing(s))
            part(e, s);
        else
            copal__request_fail(e, s, status_at_end(s), NULL);
        return false;
    }
    if (s->stand == COPAL__OBSERVING) {
        copal__watch_renew(e, s);
        return false;
    }
    if (s->stand == COPAL__NO_ID) {
        copal__request_launch(e, s);
        if (!s->asking.echoed && s->asking.observes != COPAL__REGISTERED)
            s->asking.first_id = s->id;
        return false;
    }
    if (s->stand == COPAL__EXPECTING) {
        copal__line_leave(e, s);
        copal__slot_wake(e, s, COPAL_NEVER);
        return false;
    }
    return s->confirmable ? copal__slot_transmit(e, s, out) : send_non(e, s, out);
}

const copal__kind_t copal__requests = {due, copal__request_settle, NULL};

void copal_endpoint_unreachable(copal_endpoint_t *e, copal_time_t now, const copal_peer_t *peer, copal_bytes_t quoted)
{
    if (quoted.size < 4)
        return;
    copal__slot_t *s = copal__slot_by_id(e, peer, 0, (uint16_t)(quoted.data[2] << 8 | quoted.data[3]));
    if (!s || s->kind != &copal__requests)
        return;
    size_t known = (size_t)s->asking.token_at + s->asking.token_size;
    if (quoted.size < known || memcmp(quoted.data, s->w.data, known) != 0)
        return;
    e->now = now;
    copal__request_fail(e, s, COPAL_EUNREACHABLE, NULL);
}

/* ---- the application's side ------------------------------------------------------------------------- */

/* No two open requests to a peer share a token, except the empty one. */
void copal__request_redraw(copal_endpoint_t *e, copal__slot_t *s)
{
    uint8_t *token = s->w.data + s->asking.token_at;
    uint64_t name;
    if (!s->asking.drawn)
        return;
    do {
        e->config.random(e->config.random_state, token, TOKEN_DRAWN);
        name = copal__request_name(e, s->hash, s->asking.group, (copal_bytes_t){token, TOKEN_DRAWN});
    } while (copal__slot_named(e, name, NULL));
    copal__index_remove(&e->named, s->name, s->number);
    s->name = name;
    copal__index_add(&e->named, name, s->number);
}

/* "Such multicast requests MUST be Non-confirmable" (section 8.1); "only the token MUST match" (section 8.2). */
static bool can_be_asked(const copal_request_t *request, copal_bytes_t token)
{
    return !request->group || (!request->confirmable && !request->observe && token.size);
}

int copal_request_begin(copal_endpoint_t *e, const copal_request_t *request, copal_handle_t *handle, copal_writer_t **w)
{
    static const uint8_t undrawn[TOKEN_DRAWN];
    bool ping = request->code == COPAL_EMPTY, draws = !request->given_token && !ping;
    copal_bytes_t token = {undrawn, draws ? TOKEN_DRAWN : 0};
    if (request->given_token)
        token = request->token;
    if ((ping ? !request->confirmable || token.size : COPAL_CODE_CLASS(request->code) != 0) ||
        (!draws && token.size > e->config.limits.token_size) || !can_be_asked(request, token) ||
        (request->observe && (!token.size || (request->code != COPAL_GET && request->code != COPAL_FETCH))))
        return COPAL_EINVAL;
    uint64_t hash = copal__peer_hash(e, request->to), name = copal__request_name(e, hash, request->group, token);
    if (!draws && token.size && copal__slot_named(e, name, NULL))
        return COPAL_EEXIST;
    if (e->asking == e->config.limits.requests)
        return COPAL_EFULL;
    e->asking++;
    e->respond = copal__response_receive;
    copal__slot_t *s = copal__slot_open(e, &copal__requests, request->to, request->via, hash, name);
    s->confirmable = request->confirmable;
    copal_time_t usual = request->group ? e->config.timing.leisure + e->config.timing.ack_timeout : e->exchange_lifetime;
    s->deadline = request->timeout ? (copal_time_t)request->timeout : usual;
    copal_write_header(&s->w, request->confirmable ? COPAL_CON : COPAL_NON, request->code, 0, token);
    s->asking.drawn = draws;
    s->asking.group = request->group;
    e->asks_groups |= request->group;
    s->asking.observes = request->observe ? COPAL__ASKED : COPAL__PLAIN;
    s->asking.token_size = (uint8_t)token.size;
    s->asking.token_at = (uint16_t)(s->w.size - token.size);
    copal__request_redraw(e, s);
    *handle = copal__slot_handle(e, s);
    *w = &s->w;
    return 0;
}

/* "A GET request to a multicast group MUST NOT contain an ETag option" (section 8.2.1). */
static bool has_etag(const copal_writer_t *w)
{
    copal_option_t option;
    return copal__written(w, COPAL_OPTION_ETAG, &option);
}

static uint8_t unwanted(const copal_writer_t *w)
{
    copal_option_t option;
    bool said = w->number >= COPAL_OPTION_NO_RESPONSE && copal__written(w, COPAL_OPTION_NO_RESPONSE, &option);
    return said ? (uint8_t)copal_option_uint(&option) : 0;
}

int copal_request_commit(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle, copal_receiver_t *receiver)
{
    copal__slot_t *s = copal__slot_find(e, handle, &copal__requests);
    if (!s || s->stand != COPAL__OPEN)
        return COPAL_ESTALE;
    if (s->asking.observes)
        copal_write_option_uint(&s->w, COPAL_OPTION_OBSERVE, 0);
    int error = s->w.error;
    if (!error && ((s->w.data[1] == COPAL_EMPTY && s->w.size > 4) || (s->asking.group && has_etag(&s->w))))
        error = COPAL_EINVAL;
    if (error) {
        copal__request_discard(e, s);
        return error;
    }
    e->now = now;
    s->deadline += now;
    s->asking.receiver = receiver;
    s->asking.unwanted = s->asking.observes ? 0 : unwanted(&s->w);
    s->asking.order = e->order++;
    copal__request_launch(e, s);
    s->asking.first_id = s->id;
    return 0;
}

int copal_request_cancel(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle)
{
    copal__slot_t *s = copal__slot_find(e, handle, &copal__requests);
    if (!s)
        return COPAL_ESTALE;
    e->now = now;
    copal__request_discard(e, s);
    return 0;
}

int copal_request_id(const copal_endpoint_t *e, copal_handle_t handle)
{
    const copal__slot_t *s = copal__slot_find(e, handle, &copal__requests);
    if (!s || s->stand == COPAL__OPEN)
        return COPAL_ESTALE;
    return s->stand == COPAL__NO_ID ? COPAL_EFULL : s->asking.first_id;
}
