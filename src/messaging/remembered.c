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

static void drop_reply(copal__remembered_t *r, const copal__memory_t *m)
{
    for (uint32_t at = m->chunk; at;) {
        uint32_t slot = at - 1;
        at = r->chunks[slot].next;
        copal__pool_give(&r->chunk_pool, slot);
        r->kept -= m->hard;
    }
}

/* ---- queues: an entry is in a list, and where it must stay also in a bucket -------------------------------- */

static void push(copal__remembered_t *r, copal__queue_t *q, unsigned link, uint32_t slot)
{
    *(q->count++ ? &r->memories[q->youngest - 1].next[link] : &q->oldest) = slot + 1;
    q->youngest = slot + 1;
}

static void pop(copal__queue_t *q, uint32_t next)
{
    q->oldest = next;
    q->count--;
}

static void drop_oldest(copal__remembered_t *r, copal__queue_t *list)
{
    uint32_t slot = list->oldest - 1;
    copal__memory_t *m = &r->memories[slot];
    pop(list, m->next[0]);
    drop_reply(r, m);
    if (m->hard) { /* the oldest of all is the oldest of its bucket */
        pop(&r->buckets[m->bucket], m->next[1]);
        r->running -= m->outcome == COPAL__RUNNING;
    }
    m->outcome = COPAL__FORGOTTEN; /* its handler may still be running */
    copal__index_remove(&r->index, m->key, slot);
    copal__pool_give(&r->pool, slot);
}

void copal__remembered_expire(copal__remembered_t *r, copal_time_t now)
{
    r->now = now;
    for (copal__queue_t *list = r->lists; list < r->lists + 2; list++)
        while (list->count && r->memories[list->oldest - 1].expiry <= now)
            drop_oldest(r, list);
}

/* ---- finding and adding ----------------------------------------------------------------------------------- */

static copal__memory_t *find(const copal__remembered_t *r, uint64_t key)
{
    uint32_t slot = copal__index_first(&r->index, key);
    while (slot != COPAL__NONE && r->memories[slot].key != key)
        slot = copal__index_next(&r->index, slot);
    return slot == COPAL__NONE ? NULL : &r->memories[slot];
}

const copal__memory_t *copal__remembered_find(const copal__remembered_t *r, uint64_t key)
{
    const copal__memory_t *m = find(r, key);
    return m && m->expiry > r->now && m->outcome != COPAL__FORGOTTEN ? m : NULL;
}

/* Chunks taken or promised by what must stay, once there is one more. */
static uint32_t promised(const copal__remembered_t *r) { return r->kept + (r->running + 1) * r->worst; }

bool copal__remembered_crowded(const copal__remembered_t *r)
{
    return r->lists[1].count >= r->pool.capacity - r->pool.capacity / 4 ||
           promised(r) > r->chunk_pool.capacity - r->chunk_pool.capacity / 4;
}

static uint8_t bucket_of(uint64_t peer_hash) { return (uint8_t)(peer_hash >> 56); }

/* A peer gets at most a quarter. */
static bool is_full(const copal__remembered_t *r, uint8_t bucket)
{
    uint32_t quarter = r->pool.capacity / 4;
    return r->buckets[bucket].count >= (quarter ? quarter : 1);
}

/* Makes room for one more: what must stay has its largest reply reserved. */
static bool make_room(copal__remembered_t *r, bool hard)
{
    copal__queue_t *soft = &r->lists[0];
    uint32_t reserved = hard ? (r->running + 1) * r->worst : 0;
    if (hard && promised(r) > r->chunk_pool.capacity)
        return false;
    while (soft->count && (r->pool.used == r->pool.capacity || r->chunk_pool.used + reserved > r->chunk_pool.capacity))
        drop_oldest(r, soft);
    return r->pool.used < r->pool.capacity;
}

copal__memory_t *copal__remembered_add(copal__remembered_t *r, const copal__origin_t *origin, bool hard)
{
    uint8_t bucket = bucket_of(origin->peer);
    if ((hard && is_full(r, bucket)) || !make_room(r, hard))
        return NULL;
    uint32_t slot = copal__pool_take(&r->pool);
    copal__memory_t *m = &r->memories[slot];
    *m = (copal__memory_t){.key = origin->key, .expiry = origin->until, .bucket = bucket, .hard = hard};
    push(r, &r->lists[hard], 0, slot);
    if (hard) {
        push(r, &r->buckets[bucket], 1, slot);
        r->running++;
    }
    copal__index_add(&r->index, origin->key, slot);
    return m;
}

bool copal__remembered_is_full(const copal__remembered_t *r, uint64_t peer_hash)
{
    return is_full(r, bucket_of(peer_hash));
}

copal_time_t copal__remembered_room_at(const copal__remembered_t *r, uint64_t peer_hash)
{
    uint8_t bucket = bucket_of(peer_hash);
    uint32_t oldest = is_full(r, bucket) ? r->buckets[bucket].oldest : r->lists[1].oldest;
    return oldest ? r->memories[oldest - 1].expiry : r->now;
}

bool copal__remembered_settle(copal__remembered_t *r, const copal__origin_t *origin)
{
    copal__memory_t *m = find(r, origin->key);
    if (!m)
        m = copal__remembered_add(r, origin, true);
    if (!m)
        return false;
    r->running -= m->hard && m->outcome == COPAL__RUNNING;
    m->outcome = COPAL__RESENT;
    return true;
}

/* ---- replies ---------------------------------------------------------------------------------------------- */

/* Replies that must stay have their chunks reserved; others take what is left beside the reservations. */
static bool store(copal__remembered_t *r, copal__memory_t *m, const uint8_t *data, size_t size)
{
    uint32_t reserved = r->running * r->worst, count = chunks_of(size);
    if (!m->hard && r->chunk_pool.used + reserved + count > r->chunk_pool.capacity)
        return false;
    m->size = (uint16_t)size;
    r->kept += m->hard ? count : 0;
    for (uint32_t *link = &m->chunk; count; count--) {
        uint32_t slot = copal__pool_take(&r->chunk_pool);
        copal__chunk_t *chunk = &r->chunks[slot];
        size_t part = size < COPAL__CHUNK_DATA ? size : COPAL__CHUNK_DATA;
        memcpy(chunk->data, data, part);
        data += part;
        size -= part;
        chunk->next = 0;
        *link = slot + 1;
        link = &chunk->next;
    }
    return true;
}

void copal__remembered_reply(copal__remembered_t *r, copal__memory_t *m, uint64_t key, const copal_writer_t *reply,
                             bool whole)
{
    if (!m || m->key != key || m->outcome != COPAL__RUNNING)
        return;
    m->outcome = COPAL__SEPARATE;
    r->running -= m->hard;
    if (!reply)
        return;
    m->code = reply->data[1];
    m->outcome = COPAL__REPLIED;
    if (whole && !store(r, m, reply->data + reply->options, reply->size - reply->options))
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
