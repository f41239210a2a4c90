/* Calls answered later: the empty ACK, and the separate response (RFC 7252 section 5.2.2). */
#include "state.h"

#include <string.h>

static copal__later_t *later_of(const copal_endpoint_t *e, uint32_t slot)
{
    return &e->laters[slot - e->config.limits.requests];
}

uint32_t copal__later_by_key(const copal_endpoint_t *e, uint64_t key)
{
    uint32_t at = copal__index_first(&e->running, key);
    while (at != COPAL__NONE && e->laters[at].key != key)
        at = copal__index_next(&e->running, at);
    return at == COPAL__NONE ? at : at + e->config.limits.requests;
}

void copal__later_end(copal_endpoint_t *e, uint32_t slot)
{
    uint32_t at = slot - e->config.limits.requests;
    copal__slot_forget_id(e, slot);
    copal__index_remove(&e->running, e->laters[at].key, at);
    copal__timer_set(&e->timers, slot, COPAL_NEVER);
    e->slots[slot].stand = COPAL__FREE;
    copal__pool_give(&e->later_pool, at);
}

int copal_defer(copal_call_t *call, copal_handle_t *handle)
{
    copal__serving_t *serving = (copal__serving_t *)(void *)call;
    copal_endpoint_t *e = call->endpoint;
    const copal_message_t *m = call->request;
    serving->fallback = COPAL_BAD_REQUEST; /* RFC 8974 section 2.2.2 */
    if (call->from->multicast || m->token.size > e->config.limits.token_size)
        return COPAL_EINVAL;
    serving->fallback = COPAL_SERVICE_UNAVAILABLE;
    uint32_t at = copal__pool_take(&e->later_pool);
    if (at == COPAL__NONE)
        return COPAL_EFULL;
    if (!serving->hashed) {
        serving->hash = copal__peer_hash(e, &call->from->peer);
        serving->key = copal__message_key(serving->hash, call->from->via, m->id);
        serving->hashed = true;
    }
    uint32_t slot = at + e->config.limits.requests;
    copal__slot_t *s = copal__slot_open(e, slot, &call->from->peer, call->from->via, serving->hash);
    s->confirmable = m->type == COPAL_CON;
    s->deadline = call->now + e->exchange_lifetime;
    s->stand = s->confirmable ? COPAL__HELD : COPAL__PROMISED;
    s->w.size = (size_t)((m->payload.size ? m->payload.data + m->payload.size : m->options.data + m->options.size) -
                         call->datagram.data);
    memcpy(s->w.data, call->datagram.data, s->w.size);
    e->laters[at] = (copal__later_t){.key = serving->key, .memory = serving->memory, .block2 = serving->options.block2,
                                     .request_id = m->id, .keeps_request = true,
                                     .token_end = (uint16_t)(m->options.data - call->datagram.data)};
    copal__index_add(&e->running, serving->key, at);
    copal__timer_set(&e->timers, slot, s->confirmable ? call->now + e->config.timing.ack_delay : s->deadline);
    serving->deferred = true;
    *handle = copal__slot_handle(e, slot);
    return 0;
}

void copal__later_duplicate(copal_endpoint_t *e, uint32_t slot)
{
    copal__slot_t *s = &e->slots[slot];
    if (!s->confirmable || s->stand == COPAL__ONCE)
        return; /* NON: ignored (section 4.3); ONCE: the answer leaves anyway */
    copal_from_t to = {.peer = s->peer, .via = s->via};
    copal__post_empty(e, &to, COPAL_ACK, later_of(e, slot)->request_id);
    if (s->stand == COPAL__HELD) {
        s->stand = COPAL__PROMISED;
        copal__timer_set(&e->timers, slot, s->deadline);
    }
}

void copal__later_adopt(copal_endpoint_t *e, uint32_t slot, const copal_message_t *again)
{
    copal__later_t *later = later_of(e, slot);
    copal_writer_t *w = &e->slots[slot].w;
    copal_message_t former;
    if (copal_message_parse(&former, (copal_bytes_t){w->data, w->size}))
        return;
    if (former.token.size == again->token.size && again->token.size)
        memcpy(w->data + later->token_end - again->token.size, again->token.data, again->token.size);
    later->request_id = again->id;
    copal__later_duplicate(e, slot);
}

int copal_later_request(copal_endpoint_t *e, copal_handle_t handle, copal_message_t *request)
{
    uint32_t slot = copal__slot_find(e, handle, true);
    if (slot == COPAL__NONE || !later_of(e, slot)->keeps_request)
        return COPAL_ESTALE;
    const copal_writer_t *w = &e->slots[slot].w;
    return copal_message_parse(request, (copal_bytes_t){w->data, w->size});
}

static bool is_answered(const copal__slot_t *s) { return s->stand != COPAL__HELD && s->stand != COPAL__PROMISED; }

/* Starts the answer over the request, whose token is in its place already. */
static void restart(copal_endpoint_t *e, uint32_t slot, copal_code_t code)
{
    copal__slot_t *s = &e->slots[slot];
    copal__later_t *later = later_of(e, slot);
    uint8_t *data = s->w.data;
    copal_writer_init(&s->w, data, e->config.limits.datagram_size);
    data[1] = code;
    s->w.size = s->w.options = later->token_end;
    later->keeps_request = false;
    if (COPAL_CODE_CLASS(code) == 2)
        copal__block_open(e, &s->w, later->block2);
}

int copal_later_begin(copal_endpoint_t *e, copal_handle_t handle, copal_code_t code, copal_writer_t **w)
{
    uint32_t slot = copal__slot_find(e, handle, true);
    if (slot == COPAL__NONE || is_answered(&e->slots[slot]))
        return COPAL_ESTALE;
    restart(e, slot, code);
    *w = &e->slots[slot].w;
    return 0;
}

static int close_answer(copal_endpoint_t *e, uint32_t slot)
{
    copal_writer_t *w = &e->slots[slot].w;
    int error = COPAL_CODE_CLASS(w->data[1]) == 2 ? copal__block_close(w, later_of(e, slot)->block2) : w->error;
    if (error == COPAL_ENOTFOUND) {
        restart(e, slot, COPAL_BAD_REQUEST);
        copal_write_text(w, "no such block");
        return 0;
    }
    if (error)
        restart(e, slot, COPAL_INTERNAL_SERVER_ERROR);
    return error;
}

static void set_type(copal_writer_t *w, copal_type_t type)
{
    w->data[0] = (uint8_t)((w->data[0] & 0xcfu) | (unsigned)type << 4);
}

/* A response of its own needs a message ID of ours; a NON leaves once, a CON until it is acknowledged. */
static void launch(copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    copal__slot_t *s = &e->slots[slot];
    if (!copal__slot_identify(e, now, slot))
        return;
    s->stand = s->confirmable ? COPAL__READY : COPAL__ONCE;
    copal__timer_set(&e->timers, slot, now);
}

int copal_later_commit(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle)
{
    uint32_t slot = copal__slot_find(e, handle, true);
    if (slot == COPAL__NONE || is_answered(&e->slots[slot]) || later_of(e, slot)->keeps_request)
        return COPAL_ESTALE;
    copal__slot_t *s = &e->slots[slot];
    copal__later_t *later = later_of(e, slot);
    int error = close_answer(e, slot);
    bool piggybacked = s->stand == COPAL__HELD;
    copal_bytes_t reply = copal__reply_bytes(&s->w);
    if (!piggybacked)
        reply.size = 0; /* a duplicate gets an empty ACK, or nothing */
    copal__remembered_reply(&e->remembered, later->memory, later->key, piggybacked ? COPAL__REPLIED : COPAL__SEPARATE,
                            s->w.data[1], reply);
    set_type(&s->w, piggybacked ? COPAL_ACK : s->confirmable ? COPAL_CON : COPAL_NON);
    if (piggybacked) { /* the message ID is the request's and in its place */
        s->stand = COPAL__ONCE;
        copal__timer_set(&e->timers, slot, now);
    } else {
        s->deadline = now + e->exchange_lifetime;
        launch(e, now, slot);
    }
    return error;
}

static void acknowledge(copal_endpoint_t *e, uint32_t slot, copal_datagram_t *out)
{
    copal__slot_t *s = &e->slots[slot];
    copal__later_t *later = later_of(e, slot);
    later->ack[0] = 1u << 6 | COPAL_ACK << 4;
    later->ack[1] = COPAL_EMPTY;
    later->ack[2] = (uint8_t)(later->request_id >> 8);
    later->ack[3] = (uint8_t)later->request_id;
    s->stand = COPAL__PROMISED;
    copal__timer_set(&e->timers, slot, s->deadline);
    *out = (copal_datagram_t){&s->peer, s->via, {later->ack, sizeof later->ack}};
}

bool copal__later_due(copal_endpoint_t *e, copal_time_t now, uint32_t slot, copal_datagram_t *out)
{
    copal__slot_t *s = &e->slots[slot];
    if (s->stand == COPAL__ONCE) {
        *out = (copal_datagram_t){&s->peer, s->via, {s->w.data, s->w.size}};
        copal__later_end(e, slot); /* its octets stay until the slot is taken again */
        return true;
    }
    if (now >= s->deadline || copal__slot_is_over(e, s)) {
        copal__later_end(e, slot);
        return false;
    }
    if (s->stand == COPAL__NO_ID) {
        launch(e, now, slot);
        return false;
    }
    if (s->stand != COPAL__HELD)
        return copal__slot_transmit(e, now, slot, out);
    acknowledge(e, slot, out);
    return true;
}
