#include "remembered.h"

#include <string.h>

/* A run ends as a whole, and what is in it must stay until times that lie within a minute: so no message ID is remembered for
 * longer than that beyond its own, and the list, which is in the order of their beginning, is nearly one of their ends. */
#define OPEN_UNITS 58u /* of 1,024 ms */

#define BUCKETS      256u
#define BUCKETS_MORE 4u /* times as many as runs, where those are few: few peers share one */
#define NO_CODE 0xffu /* no request of the run has been answered yet */

enum kind { SOFT, HARD, SETTLED };

static uint32_t pieces_of(size_t size)
{
    size_t more = size > COPAL__FIRST_DATA ? size - COPAL__FIRST_DATA : 0;
    return 1 + (uint32_t)((more + COPAL__CHUNK_DATA - 1) / COPAL__CHUNK_DATA);
}

static uint32_t worst_of(size_t reply_size) { return pieces_of(reply_size - 4); /* the header is not stored */ }

size_t copal__remembered_least(size_t reply_size) { return worst_of(reply_size) * sizeof(copal__piece_t); }

void copal__remembered_lay(copal__remembered_t *r, copal__carver_t *carver, uint32_t capacity, uint32_t bytes,
                           uint32_t reply_size)
{
    uint32_t buckets = BUCKETS, pieces = bytes / (uint32_t)sizeof *r->pieces;
    while (buckets > 1 && buckets / 2 / BUCKETS_MORE >= capacity)
        buckets /= 2;
    r->bucket_mask = buckets - 1;
    r->runs = copal__carve(carver, capacity, sizeof *r->runs);
    copal__pool_lay(&r->pool, carver, capacity);
    copal__index_lay(&r->index, carver, capacity);
    r->pieces = copal__carve(carver, pieces, sizeof *r->pieces);
    copal__pool_lay(&r->piece_pool, carver, pieces);
    r->buckets = copal__carve_links(carver, buckets, sizeof *r->buckets);
    r->worst = worst_of(reply_size);
}

static copal__queue_t *bucket_of(const copal__remembered_t *r, uint64_t hash)
{
    return &r->buckets[hash >> 56 & r->bucket_mask];
}

/* Books pieces, or with their number negated gives them up. */
static void book(copal__remembered_t *r, const copal__run_t *run, uint32_t pieces)
{
    if (run->kind == SOFT)
        return;
    r->lists[1].kept += pieces;
    bucket_of(r, run->key)->kept += pieces;
}

/* Frees the pieces of a memory that is in no list any more. */
static void give(copal__remembered_t *r, copal__memory_t *m)
{
    const copal__run_t *run = &r->runs[m->run];
    uint32_t at = (uint32_t)((copal__piece_t *)(void *)m - r->pieces) + 1;
    r->running -= run->kind != SOFT && m->outcome == COPAL__RUNNING;
    m->outcome = COPAL__FORGOTTEN;
    while (at) {
        uint32_t slot = at - 1;
        at = r->pieces[slot].chunk.next;
        copal__pool_give(&r->piece_pool, slot);
        book(r, run, (uint32_t)-1);
    }
}

/* Forgets a memory, but not that its request ran. */
static void drop(copal__remembered_t *r, copal__memory_t *m)
{
    uint32_t *link = &r->runs[m->run].memories;
    while (&r->pieces[*link - 1].memory != m)
        link = &r->pieces[*link - 1].memory.other;
    *link = m->other;
    give(r, m);
}

/* ---- queues: a run is in a list, and where it must stay also in a bucket ------------------------------------ */

static void push(copal__remembered_t *r, copal__queue_t *q, unsigned link, uint32_t slot)
{
    *(q->count++ ? &r->runs[q->youngest - 1].next[link] : &q->oldest) = slot + 1;
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
    copal__run_t *run = &r->runs[slot];
    while (run->memories)
        drop(r, &r->pieces[run->memories - 1].memory);
    pop(list, run->next[0]);
    if (run->kind != SOFT) /* the oldest of all is the oldest of its bucket */
        pop(bucket_of(r, run->key), run->next[1]);
    copal__index_remove(&r->index, run->key, slot);
    copal__pool_give(&r->pool, slot);
}

void copal__remembered_expire(copal__remembered_t *r, copal_time_t now)
{
    r->now = now;
    for (copal__queue_t *list = r->lists; list < r->lists + 2; list++)
        while (list->count && r->runs[list->oldest - 1].expiry <= now)
            drop_oldest(r, list);
}

/* ---- finding ------------------------------------------------------------------------------------------------ */

static uint64_t run_key(const copal__origin_t *o) { return o->key - o->id % COPAL__RUN; }

static uint8_t *check_in(copal__run_t *run, const copal__origin_t *o) { return &run->checks[o->id % COPAL__RUN]; }

/* The first run from `slot` on that has this key and is not over; NULL. */
static copal__run_t *seek(const copal__remembered_t *r, uint64_t key, uint32_t slot)
{
    while (slot != COPAL__NONE && (r->runs[slot].key != key || r->runs[slot].expiry <= r->now))
        slot = copal__index_next(&r->index, slot);
    return slot == COPAL__NONE ? NULL : &r->runs[slot];
}

static copal__run_t *first_run(const copal__remembered_t *r, uint64_t key)
{
    return seek(r, key, copal__index_first(&r->index, key));
}

static copal__run_t *next_run(const copal__remembered_t *r, const copal__run_t *run)
{
    return seek(r, run->key, copal__index_next(&r->index, (uint32_t)(run - r->runs)));
}

/* The run that remembers it. An ID that was used again may have a check in several. */
static copal__run_t *find(const copal__remembered_t *r, const copal__origin_t *o)
{
    copal__run_t *run = first_run(r, run_key(o));
    while (run && *check_in(run, o) != o->check)
        run = next_run(r, run);
    return run;
}

static copal__memory_t *memory_of(const copal__remembered_t *r, const copal__run_t *run, uint64_t key)
{
    uint32_t at = run->memories;
    while (at && r->pieces[at - 1].memory.key != key)
        at = r->pieces[at - 1].memory.other;
    return at ? &r->pieces[at - 1].memory : NULL;
}

bool copal__remembered_find(const copal__remembered_t *r, const copal__origin_t *origin, copal__found_t *found)
{
    const copal__run_t *run = find(r, origin);
    if (!run)
        return false;
    const copal__memory_t *m = memory_of(r, run, origin->key);
    if (m)
        *found = (copal__found_t){m, m->size, m->code, m->outcome};
    else
        *found = (copal__found_t){NULL, 0, run->code, run->kind == SETTLED ? COPAL__RESENT : COPAL__REPLIED};
    return true;
}

/* ---- adding ------------------------------------------------------------------------------------------------- */

static uint16_t units(copal_time_t time) { return (uint16_t)((uint64_t)time >> 10); }

/* The run that such a request may still go to; NULL. */
static copal__run_t *open_run(const copal__remembered_t *r, const copal__origin_t *o, enum kind kind)
{
    copal__run_t *run = first_run(r, run_key(o));
    while (run && (run->kind != kind || *check_in(run, o) || (uint16_t)(units(o->until) - run->begun) > OPEN_UNITS))
        run = next_run(r, run);
    return run;
}

static copal__run_t *begin_run(copal__remembered_t *r, const copal__origin_t *o, enum kind kind)
{
    uint32_t slot = copal__pool_take(&r->pool);
    copal__run_t *run = &r->runs[slot];
    *run = (copal__run_t){.key = run_key(o), .begun = units(o->until), .code = NO_CODE, .kind = (uint8_t)kind};
    push(r, &r->lists[kind != SOFT], 0, slot);
    if (kind != SOFT)
        push(r, bucket_of(r, run->key), 1, slot);
    copal__index_add(&r->index, run->key, slot);
    return run;
}

/* Pieces promised to what is running; those it has are taken. */
static uint32_t reserved(const copal__remembered_t *r) { return r->running * (r->worst - 1); }

/* Pieces taken or promised by what must stay, once there is one more. */
static uint32_t promised(const copal__remembered_t *r) { return r->lists[1].kept + reserved(r) + r->worst; }

bool copal__remembered_crowded(const copal__remembered_t *r)
{
    return r->lists[1].count >= r->pool.capacity - r->pool.capacity / 4 ||
           promised(r) > r->piece_pool.capacity - r->piece_pool.capacity / 4;
}

static uint32_t quarter(const copal__pool_t *pool) { return pool->capacity < 4 ? 1 : pool->capacity / 4; }

/* A peer gets at most a quarter: of the runs, and of the octets but for the reply that goes beyond. */
static bool has_enough_octets(const copal__remembered_t *r, const copal__queue_t *bucket)
{
    return bucket->kept >= quarter(&r->piece_pool);
}

static bool has_enough_runs(const copal__remembered_t *r, const copal__queue_t *bucket)
{
    return bucket->count >= quarter(&r->pool);
}

bool copal__remembered_is_full(const copal__remembered_t *r, const copal__origin_t *origin)
{
    const copal__queue_t *bucket = bucket_of(r, run_key(origin));
    return has_enough_octets(r, bucket) || has_enough_runs(r, bucket);
}

/* The run for one more, for which so many pieces are free; NULL. */
static copal__run_t *make_room(copal__remembered_t *r, const copal__origin_t *o, enum kind kind, uint32_t pieces)
{
    copal__queue_t *soft = &r->lists[0];
    for (;;) {
        copal__run_t *run = open_run(r, o, kind);
        if (!run && kind != SOFT && has_enough_runs(r, bucket_of(r, run_key(o))))
            return NULL;
        bool fits = r->piece_pool.used + reserved(r) + pieces <= r->piece_pool.capacity;
        if (fits && run)
            return run;
        if (fits && r->pool.used < r->pool.capacity)
            return begin_run(r, o, kind);
        if (!soft->count)
            return NULL;
        drop_oldest(r, soft);
        r->forgotten++;
    }
}

static void add_to(copal__run_t *run, const copal__origin_t *o)
{
    *check_in(run, o) = o->check;
    if (run->expiry < o->until)
        run->expiry = o->until;
}

copal__memory_t *copal__remembered_add(copal__remembered_t *r, const copal__origin_t *origin, bool hard)
{
    if (hard && (has_enough_octets(r, bucket_of(r, run_key(origin))) || promised(r) > r->piece_pool.capacity))
        return NULL;
    copal__run_t *run = make_room(r, origin, hard ? HARD : SOFT, hard ? r->worst : 1);
    if (!run)
        return NULL;
    uint32_t piece = copal__pool_take(&r->piece_pool);
    copal__memory_t *m = &r->pieces[piece].memory;
    m->next = 0;
    m->other = run->memories;
    m->key = origin->key;
    m->run = (uint32_t)(run - r->runs);
    m->size = 0;
    m->code = COPAL_EMPTY;
    m->outcome = COPAL__RUNNING;
    run->memories = piece + 1;
    add_to(run, origin);
    book(r, run, 1);
    r->running += hard;
    return m;
}

copal_time_t copal__remembered_room_at(const copal__remembered_t *r, const copal__origin_t *origin)
{
    bool full = copal__remembered_is_full(r, origin);
    uint32_t oldest = full ? bucket_of(r, run_key(origin))->oldest : r->lists[1].oldest;
    return oldest ? r->runs[oldest - 1].expiry : r->now;
}

static void forget(copal__remembered_t *r, copal__run_t *run, const copal__origin_t *o)
{
    copal__memory_t *m = memory_of(r, run, o->key);
    if (m)
        drop(r, m);
    *check_in(run, o) = 0;
}

bool copal__remembered_settle(copal__remembered_t *r, const copal__origin_t *origin)
{
    copal__run_t *former = find(r, origin);
    if (former && former->kind == SETTLED)
        return true;
    copal__run_t *run = make_room(r, origin, SETTLED, 0);
    if (!run)
        return false;
    former = find(r, origin); /* unless it made room */
    if (former)
        forget(r, former, origin);
    run->code = COPAL_EMPTY;
    add_to(run, origin);
    return true;
}

/* ---- replies ------------------------------------------------------------------------------------------------ */

/* Replies that must stay have their pieces reserved; others take what is left beside the reservations. */
static bool store(copal__remembered_t *r, copal__memory_t *m, const uint8_t *data, size_t size)
{
    const copal__run_t *run = &r->runs[m->run];
    uint32_t count = pieces_of(size) - 1;
    if (run->kind == SOFT && r->piece_pool.used + reserved(r) + count > r->piece_pool.capacity)
        return false;
    size_t part = size < COPAL__FIRST_DATA ? size : COPAL__FIRST_DATA;
    if (!size)
        return true;
    m->size = (uint16_t)size;
    memcpy(m->data, data, part);
    book(r, run, count);
    for (uint32_t *link = &m->next; count; count--) {
        data += part;
        size -= part;
        part = size < COPAL__CHUNK_DATA ? size : COPAL__CHUNK_DATA;
        uint32_t slot = copal__pool_take(&r->piece_pool);
        copal__chunk_t *chunk = &r->pieces[slot].chunk;
        memcpy(chunk->data, data, part);
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
    copal__run_t *run = &r->runs[m->run];
    size_t size = reply && whole ? reply->size - reply->options : 0;
    m->outcome = COPAL__REPLIED;
    m->code = reply ? reply->data[1] : COPAL_EMPTY;
    r->running -= run->kind != SOFT;
    if (run->code == NO_CODE && size == 0)
        run->code = m->code;
    if (size == 0 && m->code == run->code) {
        drop(r, m);
    } else if (!store(r, m, size ? reply->data + reply->options : NULL, size)) {
        run->checks[key - run->key] = 0;
        drop(r, m);
    }
}

void copal__remembered_copy(const copal__remembered_t *r, const copal__found_t *found, uint8_t *out)
{
    if (!found->size)
        return;
    const copal__memory_t *m = found->memory;
    size_t left = found->size, part = left < COPAL__FIRST_DATA ? left : COPAL__FIRST_DATA;
    memcpy(out, m->data, part);
    for (uint32_t at = m->next; at; at = r->pieces[at - 1].chunk.next) {
        out += part;
        left -= part;
        part = left < COPAL__CHUNK_DATA ? left : COPAL__CHUNK_DATA;
        memcpy(out, r->pieces[at - 1].chunk.data, part);
    }
}
