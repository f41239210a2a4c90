#include "state.h"

#include <string.h>

uint64_t copal__peer_hash(const copal_endpoint_t *e, const copal_peer_t *peer)
{
    return copal__hash(&e->key, 0, peer->data, peer->size);
}

bool copal__peer_equal(const copal_peer_t *a, const copal_peer_t *b)
{
    return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

copal__slot_t *copal__slot_find(const copal_endpoint_t *e, copal_handle_t handle, const copal__kind_t *kind)
{
    const uint32_t number = handle.slot - e->config.first_slot;
    if (number >= e->slot_pool.capacity)
        return NULL;
    copal__slot_t *s = &e->slots[number];
    return s->kind == kind && s->generation == handle.generation ? s : NULL;
}

copal__slot_t *copal__slot_named(const copal_endpoint_t *e, uint64_t name, const copal__slot_t *after)
{
    uint32_t slot = after ? copal__index_next(&e->named, after->number) : copal__index_first(&e->named, name);
    while (slot != COPAL__NONE && e->slots[slot].name != name)
        slot = copal__index_next(&e->named, slot);
    return slot == COPAL__NONE ? NULL : &e->slots[slot];
}

copal__slot_t *copal__slot_by_id(const copal_endpoint_t *e, const copal_peer_t *peer, uint32_t via, uint16_t id)
{
    copal__slot_t *found = NULL;
    uint32_t slot = copal__index_first(&e->sent, copal__message_key(copal__peer_hash(e, peer), 0, id));
    for (; slot != COPAL__NONE; slot = copal__index_next(&e->sent, slot)) {
        copal__slot_t *s = &e->slots[slot];
        bool waits = s->stand == COPAL__SENT || s->stand == COPAL__EXPECTING;
        if (waits && s->id == id && copal__peer_equal(&s->peer, peer) && (!found || s->via == via))
            found = s;
    }
    return found;
}

void copal__slot_disown(copal__slot_t *s)
{
    s->generation++;
    s->generation += !s->generation;
}

copal__slot_t *copal__slot_open(copal_endpoint_t *e, const copal__kind_t *kind, const copal_peer_t *peer, uint32_t via,
                                uint64_t hash, uint64_t name)
{
    uint32_t number = copal__pool_take(&e->slot_pool);
    copal__slot_t *s = &e->slots[number];
    copal__slot_disown(s);
    uint32_t generation = s->generation;
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->peer = *peer;
    s->via = via;
    s->hash = hash;
    s->name = name;
    s->number = number;
    s->generation = generation;
    size_t size = e->config.limits.datagram_size;
    copal_writer_init(&s->w, e->buffers + number * size, size);
    copal__index_add(&e->named, name, number);
    return s;
}

void copal__slot_close(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__slot_forget_id(e, s);
    copal__index_remove(&e->named, s->name, s->number);
    copal__timer_set(&e->timers, s->number, COPAL_NEVER);
    s->kind = NULL;
    copal__pool_give(&e->slot_pool, s->number);
}

copal_handle_t copal__slot_handle(const copal_endpoint_t *e, const copal__slot_t *s)
{
    return (copal_handle_t){e->config.first_slot + s->number, s->generation};
}

void copal__slot_wake(copal_endpoint_t *e, copal__slot_t *s, copal_time_t at)
{
    copal__timer_set(&e->timers, s->number, at < s->deadline ? at : s->deadline);
}

bool copal__slot_identify(copal_endpoint_t *e, copal__slot_t *s)
{
    const uint64_t pair = copal__pair(s->hash, s->via);
    uint32_t id = copal__identifier_take(&e->identifiers, e->now, pair, copal__id_rests_until(e, s->confirmable));
    if (id == COPAL__NONE) {
        s->stand = COPAL__NO_ID;
        copal__slot_wake(e, s, copal__identifier_free_at(&e->identifiers, pair));
        return false;
    }
    s->id = (uint16_t)id;
    s->w.data[2] = (uint8_t)(s->id >> 8);
    s->w.data[3] = (uint8_t)s->id;
    copal__index_add(&e->sent, copal__message_key(s->hash, 0, s->id), s->number);
    s->has_id = true;
    return true;
}

void copal__slot_forget_id(copal_endpoint_t *e, copal__slot_t *s)
{
    if (s->has_id)
        copal__index_remove(&e->sent, copal__message_key(s->hash, 0, s->id), s->number);
    s->has_id = false;
}

bool copal__slot_is_over(const copal_endpoint_t *e, const copal__slot_t *s)
{
    return e->now >= s->deadline || (s->stand == COPAL__SENT && s->tries >= e->config.timing.max_retransmit);
}

void copal__slot_emit(const copal__slot_t *s, copal_datagram_t *out)
{
    *out = (copal_datagram_t){&s->peer, s->via, {s->w.data, s->w.size}};
}

/* ACK_TIMEOUT to ACK_TIMEOUT * ACK_RANDOM_FACTOR (section 4.2). */
static uint32_t first_interval(copal_endpoint_t *e)
{
    const copal_timing_t *timing = &e->config.timing;
    uint32_t spread = timing->ack_timeout * (timing->ack_random_permille - 1000) / 1000, draw;
    e->config.random(e->config.random_state, &draw, sizeof draw);
    return timing->ack_timeout + (uint32_t)((uint64_t)spread * draw >> 32);
}

bool copal__slot_transmit(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out)
{
    if (s->stand == COPAL__READY) {
        s->stand = COPAL__SENT;
        s->tries = 0;
        s->interval = first_interval(e);
        s->last = e->now + e->transmit_span;
        copal__identifier_touch(&e->identifiers, copal__pair(s->hash, s->via), s->id, copal__id_rests_until(e, true));
    } else {
        s->tries++;
        s->interval *= 2;
    }
    copal__slot_wake(e, s, e->now + s->interval);
    if (e->now > s->last)
        return false;
    e->counters.retransmitted += s->tries > 0;
    copal__slot_emit(s, out);
    return true;
}
