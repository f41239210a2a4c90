#include "remembered.h"

#include <string.h>

static uint32_t chunks_of(size_t size) { return (uint32_t)((size + COPAL__CHUNK_DATA - 1) / COPAL__CHUNK_DATA); }

void copal__remembered_lay(copal__remembered_t *r, copal__carver_t *carver, uint32_t capacity, uint32_t bytes,
                           uint32_t reply_size)
{
    r->memories = copal__carve(carver, capacity, sizeof *r->memories);
    copal__pool_lay(&r->pool, carver, capacity);
    copal__index_lay(&r->index, carver, capacity);
    uint32_t chunks = bytes / (uint32_t)sizeof *r->chunks;
    r->chunks = copal__carve(carver, chunks, sizeof *r->chunks);
    copal__pool_lay(&r->chunk_pool, carver, chunks);
    r->buckets = copal__carve(carver, COPAL__BUCKETS, sizeof *r->buckets);
    r->worst = chunks_of(reply_size);
}

static void drop_reply(copal__remembered_t *r, copal__memory_t *m)
{
    for (uint32_t at = m->chunk; at;) {
        uint32_t next = r->chunks[at - 1].next;
        copal__pool_give(&r->chunk_pool, at - 1);
        r->lists[m->hard].chunks--;
        at = next;
    }
    m->chunk = 0;
}

static void drop_oldest(copal__remembered_t *r, copal__fifo_t *list)
{
    uint32_t slot = list->oldest - 1;
    copal__memory_t *m = &r->memories[slot];
    list->oldest = m->next;
    list->count--;
    drop_reply(r, m);
    if (m->hard) { /* the oldest of all is the oldest of its bucket */
        r->buckets[m->bucket].oldest = m->sibling;
        r->buckets[m->bucket].count--;
        r->running -= m->outcome == COPAL__RUNNING;
    }
    m->outcome = COPAL__FORGOTTEN; /* its handler may still be running */
    copal__index_remove(&r->index, m->key, slot);
    copal__pool_give(&r->pool, slot);
}

static void expire(copal__remembered_t *r, copal_time_t now)
{
    for (unsigned i = 0; i < 2; i++)
        while (r->lists[i].count && r->memories[r->lists[i].oldest - 1].expiry <= now)
            drop_oldest(r, &r->lists[i]);
}

static uint32_t find(const copal__remembered_t *r, uint64_t key)
{
    uint32_t slot = copal__index_first(&r->index, key);
    while (slot != COPAL__NONE && r->memories[slot].key != key)
        slot = copal__index_next(&r->index, slot);
    return slot;
}

const copal__memory_t *copal__remembered_find(const copal__remembered_t *r, copal_time_t now, uint64_t key)
{
    uint32_t slot = find(r, key);
    if (slot == COPAL__NONE || r->memories[slot].expiry <= now || r->memories[slot].outcome == COPAL__FORGOTTEN)
        return NULL;
    return &r->memories[slot];
}

bool copal__remembered_crowded(copal__remembered_t *r, copal_time_t now)
{
    expire(r, now);
    const copal__fifo_t *hard = &r->lists[1];
    uint32_t chunks = hard->chunks + r->running * r->worst;
    return hard->count >= r->pool.capacity - r->pool.capacity / 4 ||
           chunks + r->worst > r->chunk_pool.capacity - r->chunk_pool.capacity / 4;
}

/* Room for one more that must stay, with its largest reply. */
static bool make_room(copal__remembered_t *r)
{
    copal__fifo_t *soft = &r->lists[0];
    uint32_t reserved = (r->running + 1) * r->worst;
    if (r->lists[1].chunks + reserved > r->chunk_pool.capacity)
        return false;
    while (soft->count && (r->pool.used == r->pool.capacity || r->chunk_pool.used + reserved > r->chunk_pool.capacity))
        drop_oldest(r, soft);
    return r->pool.used < r->pool.capacity;
}

static void append(copal__remembered_t *r, copal__memory_t *m, uint32_t slot)
{
    copal__fifo_t *list = &r->lists[m->hard];
    *(list->count++ ? &r->memories[list->youngest - 1].next : &list->oldest) = slot + 1;
    list->youngest = slot + 1;
    if (!m->hard)
        return;
    copal__bucket_t *bucket = &r->buckets[m->bucket];
    *(bucket->count++ ? &r->memories[bucket->youngest - 1].sibling : &bucket->oldest) = slot + 1;
    bucket->youngest = slot + 1;
    r->running++;
}

static uint8_t bucket_of(uint64_t peer_hash) { return (uint8_t)(peer_hash >> 56); }

/* A peer gets at most a quarter. */
static bool peer_is_full(const copal__remembered_t *r, uint8_t bucket)
{
    uint32_t bound = r->pool.capacity / 4 ? r->pool.capacity / 4 : 1;
    return r->buckets[bucket].count >= bound;
}

uint32_t copal__remembered_add(copal__remembered_t *r, copal_time_t now, uint64_t key, uint64_t peer_hash, bool hard,
                               copal_time_t lifetime)
{
    uint8_t bucket = bucket_of(peer_hash);
    expire(r, now);
    if (hard && (peer_is_full(r, bucket) || !make_room(r)))
        return COPAL__NONE;
    if (!hard && r->pool.used == r->pool.capacity && r->lists[0].count)
        drop_oldest(r, &r->lists[0]);
    uint32_t slot = copal__pool_take(&r->pool);
    if (slot == COPAL__NONE)
        return slot;
    r->memories[slot] = (copal__memory_t){.key = key, .expiry = now + lifetime, .bucket = bucket, .hard = hard};
    append(r, &r->memories[slot], slot);
    copal__index_add(&r->index, key, slot);
    return slot;
}

copal_time_t copal__remembered_room_at(const copal__remembered_t *r, copal_time_t now, uint64_t peer_hash)
{
    uint8_t bucket = bucket_of(peer_hash);
    uint32_t oldest = peer_is_full(r, bucket) ? r->buckets[bucket].oldest : r->lists[1].oldest;
    return oldest ? r->memories[oldest - 1].expiry : now;
}

void copal__remembered_settle(copal__remembered_t *r, copal_time_t now, uint64_t key, uint64_t peer_hash,
                              copal_time_t lifetime)
{
    expire(r, now);
    uint32_t slot = find(r, key);
    if (slot == COPAL__NONE)
        slot = copal__remembered_add(r, now, key, peer_hash, true, lifetime);
    if (slot != COPAL__NONE && r->memories[slot].outcome == COPAL__RUNNING)
        r->running -= r->memories[slot].hard;
    if (slot != COPAL__NONE)
        r->memories[slot].outcome = COPAL__RESENT;
}

/* Replies that must stay have their chunks reserved; others take what is left beside the reservations. */
static bool store(copal__remembered_t *r, copal__memory_t *m, copal_bytes_t reply)
{
    uint32_t reserved = r->running * r->worst, count = chunks_of(reply.size);
    if (!m->hard && r->chunk_pool.used + reserved + count > r->chunk_pool.capacity)
        return false;
    uint32_t *link = &m->chunk;
    for (size_t at = 0; at < reply.size; at += COPAL__CHUNK_DATA) {
        uint32_t slot = copal__pool_take(&r->chunk_pool);
        copal__chunk_t *chunk = &r->chunks[slot];
        size_t left = reply.size - at;
        memcpy(chunk->data, reply.data + at, left < COPAL__CHUNK_DATA ? left : COPAL__CHUNK_DATA);
        chunk->next = 0;
        *link = slot + 1;
        link = &chunk->next;
    }
    r->lists[m->hard].chunks += count;
    m->size = (uint16_t)reply.size;
    return true;
}

void copal__remembered_reply(copal__remembered_t *r, uint32_t slot, uint64_t key, copal__outcome_t outcome, uint8_t code,
                             copal_bytes_t reply)
{
    if (slot == COPAL__NONE || r->memories[slot].key != key || r->memories[slot].outcome != COPAL__RUNNING)
        return;
    copal__memory_t *m = &r->memories[slot];
    m->outcome = (uint8_t)outcome;
    m->code = code;
    r->running -= m->hard;
    if (!store(r, m, reply))
        m->outcome = COPAL__FORGOTTEN;
}

void copal__remembered_copy(const copal__remembered_t *r, const copal__memory_t *entry, uint8_t *out)
{
    size_t left = entry->size;
    for (uint32_t at = entry->chunk; at; at = r->chunks[at - 1].next) {
        size_t part = left < COPAL__CHUNK_DATA ? left : COPAL__CHUNK_DATA;
        memcpy(out, r->chunks[at - 1].data, part);
        out += part;
        left -= part;
    }
}
