#include "state.h"

#include <string.h>

uint64_t copal__peer_hash(const copal_endpoint_t *e, const copal_peer_t *peer)
{
    return copal__hash(&e->key, 0, peer->data, peer->size);
}

uint64_t copal__message_key(uint64_t peer_hash, uint32_t via, uint16_t id)
{
    uint64_t x = peer_hash ^ ((uint64_t)via << 16 | id) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

bool copal__peer_equal(const copal_peer_t *a, const copal_peer_t *b)
{
    return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

uint32_t copal__slot_find(const copal_endpoint_t *e, copal_handle_t handle, bool calls)
{
    uint32_t first = calls ? e->config.limits.requests : 0;
    uint32_t count = calls ? e->config.limits.deferred : e->config.limits.requests;
    if (handle.slot - first >= count || handle.slot < first)
        return COPAL__NONE;
    const copal__slot_t *s = &e->slots[handle.slot];
    return s->stand != COPAL__FREE && s->generation == handle.generation ? handle.slot : COPAL__NONE;
}

copal__slot_t *copal__slot_open(copal_endpoint_t *e, uint32_t slot, const copal_peer_t *peer, uint32_t via, uint64_t hash)
{
    copal__slot_t *s = &e->slots[slot];
    uint32_t generation = s->generation + 1;
    *s = (copal__slot_t){.peer = *peer, .via = via, .hash = hash, .generation = generation ? generation : 1};
    copal_writer_init(&s->w, e->buffers + (size_t)slot * e->config.limits.datagram_size, e->config.limits.datagram_size);
    return s;
}

copal_handle_t copal__slot_handle(const copal_endpoint_t *e, uint32_t slot)
{
    return (copal_handle_t){slot, e->slots[slot].generation};
}

bool copal__slot_identify(copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    copal__slot_t *s = &e->slots[slot];
    copal_time_t when = copal__identifier_take(&e->identifiers, now, s->hash, &s->id);
    if (when != COPAL_NEVER) {
        s->stand = COPAL__NO_ID;
        copal__timer_set(&e->timers, slot, when < s->deadline ? when : s->deadline);
        return false;
    }
    s->w.data[2] = (uint8_t)(s->id >> 8);
    s->w.data[3] = (uint8_t)s->id;
    copal__index_add(&e->sent, copal__message_key(s->hash, 0, s->id), slot);
    s->has_id = true;
    return true;
}

void copal__slot_forget_id(copal_endpoint_t *e, uint32_t slot)
{
    copal__slot_t *s = &e->slots[slot];
    if (s->has_id)
        copal__index_remove(&e->sent, copal__message_key(s->hash, 0, s->id), slot);
    s->has_id = false;
}

uint32_t copal__slot_by_id(const copal_endpoint_t *e, uint64_t hash, const copal_peer_t *peer, uint16_t id)
{
    uint32_t slot = copal__index_first(&e->sent, copal__message_key(hash, 0, id));
    for (; slot != COPAL__NONE; slot = copal__index_next(&e->sent, slot)) {
        const copal__slot_t *s = &e->slots[slot];
        if (s->id == id && (s->stand == COPAL__SENT || s->stand == COPAL__EXPECTING) && copal__peer_equal(&s->peer, peer))
            break;
    }
    return slot;
}

/* ACK_TIMEOUT to ACK_TIMEOUT * ACK_RANDOM_FACTOR (section 4.2). */
static uint32_t first_interval(copal_endpoint_t *e)
{
    const copal_timing_t *timing = &e->config.timing;
    uint32_t spread = timing->ack_timeout * (timing->ack_random_permille - 1000) / 1000, draw;
    e->config.random(e->config.random_state, &draw, sizeof draw);
    return timing->ack_timeout + (uint32_t)((uint64_t)spread * draw >> 32);
}

bool copal__slot_is_over(const copal_endpoint_t *e, const copal__slot_t *s)
{
    return s->stand == COPAL__SENT && s->tries >= e->config.timing.max_retransmit;
}

bool copal__slot_transmit(copal_endpoint_t *e, copal_time_t now, uint32_t slot, copal_datagram_t *out)
{
    copal__slot_t *s = &e->slots[slot];
    if (s->stand == COPAL__READY) {
        s->stand = COPAL__SENT;
        s->tries = 0;
        s->interval = first_interval(e);
        s->last = now + e->transmit_span;
        copal__identifier_touch(&e->identifiers, now, s->hash, s->id);
    } else {
        s->tries++;
        s->interval *= 2;
    }
    copal_time_t again = now + s->interval;
    copal__timer_set(&e->timers, slot, again < s->deadline ? again : s->deadline);
    if (now > s->last)
        return false;
    e->counters.retransmitted += s->tries > 0;
    *out = (copal_datagram_t){&s->peer, s->via, {s->w.data, s->w.size}};
    return true;
}
