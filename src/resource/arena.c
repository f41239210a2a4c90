#include "arena.h"

/* Flags beside the size. The last granule of a free block says its size again, so that the block behind finds its start;
 * the second granule of a free block links back. */
#define FREE        1u
#define BEHIND_FREE 2u /* the block in front is free */
#define FLAGS       2  /* bits of them */

/* Sizes come in classes, four from one power of two to the next. Every block of a class is at least as large as the
 * class says, and a size asked for is rounded up to its class, so that the first block of a list always fits. */
static uint32_t class_shift(uint32_t granules)
{
    uint32_t shift = 0;
    while (granules >> shift >= 8)
        shift++;
    return shift;
}

static uint32_t class_of(uint32_t granules)
{
    uint32_t shift = class_shift(granules);
    return shift * 4 + (granules >> shift);
}

/* Granules of a block of `size` octets; more than any arena has where that is too much. */
static uint32_t granules_for(size_t size)
{
    if (size > UINT32_MAX / 2)
        return UINT32_MAX;
    uint32_t granules = 1 + (uint32_t)((size + sizeof(copal__granule_t) - 1) / sizeof(copal__granule_t));
    uint32_t step = 1u << class_shift(granules);
    return granules < 2 ? 2 : (granules + step - 1) / step * step;
}

bool copal__arena_lay(copal__arena_t *a, copal__carver_t *carver, size_t octets, uint32_t readers)
{
    size_t granules = octets / sizeof(copal__granule_t) + 1;
    if (granules >= UINT32_MAX >> FLAGS)
        return false;
    a->capacity = (uint32_t)granules;
    a->top = 1;
    a->readers = readers;
    a->lists = copal__carve(carver, class_of(a->capacity) + 1, sizeof *a->lists);
    a->seen = copal__carve(carver, readers, sizeof *a->seen);
    a->granules = copal__carve(carver, granules, sizeof *a->granules);
    atomic_init(&a->epoch, 1);
    return true;
}

static uint32_t size_at(const copal__arena_t *a, uint32_t at)
{
    return a->granules[at].size >> FLAGS;
}

static void list_remove(copal__arena_t *a, uint32_t at)
{
    uint32_t next = a->granules[at].link, back = a->granules[at + 1].size;
    if (next)
        a->granules[next + 1].size = back;
    if (back)
        a->granules[back].link = next;
    else
        a->lists[class_of(size_at(a, at))] = next;
}

/* Makes the block free, as one with free ones beside it. */
static void release(copal__arena_t *a, uint32_t at)
{
    copal__granule_t *g = a->granules;
    uint32_t size = size_at(a, at), behind = at + size;
    if (behind < a->top && g[behind].size & FREE) {
        list_remove(a, behind);
        size += size_at(a, behind);
    }
    if (g[at].size & BEHIND_FREE) {
        uint32_t front = at - g[at - 1].link;
        list_remove(a, front);
        size += at - front;
        at = front;
    }
    behind = at + size;
    if (behind == a->top) {
        a->top = at;
        return;
    }
    uint32_t *list = &a->lists[class_of(size)];
    g[at] = (copal__granule_t){size << FLAGS | FREE, *list};
    if (*list)
        g[*list + 1].size = at;
    *list = at;
    g[at + 1].size = 0;
    g[behind - 1].link = size;
    g[behind].size |= BEHIND_FREE;
}

/* Leaves `size` granules to a block in use and frees the rest where that makes a block. */
static void cut(copal__arena_t *a, uint32_t at, uint32_t size)
{
    uint32_t all = size_at(a, at);
    if (all < size + 2)
        return;
    a->granules[at].size -= (all - size) << FLAGS;
    a->granules[at + size].size = (all - size) << FLAGS;
    release(a, at + size);
}

static bool all_passed(copal__arena_t *a)
{
    uint32_t epoch = atomic_load(&a->epoch);
    for (uint32_t i = 0; i < a->readers; i++) {
        uint32_t seen = atomic_load(&a->seen[i]);
        if (seen && seen != epoch)
            return false;
    }
    return true;
}

/* Frees what no reader can hold. A block retired in one epoch is freed once all readers online have seen the next: each
 * of them held nothing when it saw it, and has since come only to what was published then. */
static void collect(copal__arena_t *a)
{
    while ((a->waiting || a->retired) && all_passed(a)) {
        for (uint32_t at = a->waiting, next; at; at = next) {
            next = a->granules[at].link;
            release(a, at);
        }
        a->waiting = a->retired;
        a->retired = 0;
        uint32_t epoch = atomic_load(&a->epoch) + 1;
        atomic_store(&a->epoch, epoch ? epoch : 1);
    }
}

void *copal__arena_take(copal__arena_t *a, size_t size)
{
    collect(a);
    uint32_t granules = granules_for(size), at = 0;
    if (granules >= a->capacity)
        return NULL;
    uint32_t last = class_of(a->capacity);
    for (uint32_t i = class_of(granules); !at && i <= last; i++)
        at = a->lists[i];
    if (at) {
        list_remove(a, at);
        a->granules[at].size &= ~FREE;
        /* There is a block behind it, since the last one before `top` is never free. */
        a->granules[at + size_at(a, at)].size &= ~BEHIND_FREE;
        cut(a, at, granules);
    } else {
        if (granules > a->capacity - a->top)
            return NULL;
        at = a->top;
        a->top += granules;
        a->granules[at].size = granules << FLAGS;
    }
    return &a->granules[at + 1];
}

static uint32_t block_at(const copal__arena_t *a, const void *block)
{
    return (uint32_t)((const copal__granule_t *)block - a->granules) - 1;
}

void copal__arena_trim(copal__arena_t *a, void *block, size_t size)
{
    cut(a, block_at(a, block), granules_for(size));
}

void copal__arena_give(copal__arena_t *a, void *block)
{
    if (block)
        release(a, block_at(a, block));
}

void copal__arena_retire(copal__arena_t *a, void *block)
{
    if (!block)
        return;
    uint32_t at = block_at(a, block);
    a->granules[at].link = a->retired;
    a->retired = at;
}

/* A reader that comes online reads `epoch` again after it has announced itself. In the one order of these accesses, either
 * that comes behind the store in `collect`, and the reader sees what was unpublished before it; or `collect` sees the
 * announcement. */
void copal__arena_quiescent(copal__arena_t *a, uint32_t reader)
{
    uint32_t epoch = atomic_load(&a->epoch), announced;
    do {
        announced = epoch;
        atomic_store(&a->seen[reader], announced);
        epoch = atomic_load(&a->epoch);
    } while (epoch != announced);
}

void copal__arena_alone(copal__arena_t *a)
{
    if (a->readers == 1 && atomic_load(&a->seen[0]))
        copal__arena_quiescent(a, 0);
}

void copal__arena_offline(copal__arena_t *a, uint32_t reader)
{
    atomic_store(&a->seen[reader], 0);
}
