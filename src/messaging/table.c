#include "table.h"

void copal__pool_lay(copal__pool_t *pool, copal__carver_t *carver, uint32_t capacity)
{
    pool->links = copal__carve_links(carver, capacity, sizeof *pool->links);
    pool->capacity = capacity;
    pool->fresh = pool->free = pool->used = 0;
}

uint32_t copal__pool_take(copal__pool_t *pool)
{
    uint32_t slot;
    if (pool->free) {
        slot = pool->free - 1;
        pool->free = pool->links[slot];
    } else if (pool->fresh < pool->capacity) {
        slot = pool->fresh++;
    } else {
        return COPAL__NONE;
    }
    pool->used++;
    return slot;
}

void copal__pool_give(copal__pool_t *pool, uint32_t slot)
{
    pool->links[slot] = pool->free;
    pool->free = slot + 1;
    pool->used--;
}

void copal__index_lay(copal__index_t *index, copal__carver_t *carver, uint32_t capacity)
{
    uint32_t heads = 1;
    while (heads < capacity / 2) /* a power of two: one or two to each, if all are taken */
        heads <<= 1;
    index->heads = copal__carve_links(carver, heads, sizeof *index->heads);
    index->links = copal__carve_links(carver, capacity, sizeof *index->links);
    index->mask = heads - 1;
}

void copal__index_add(copal__index_t *index, uint64_t hash, uint32_t slot)
{
    uint32_t *head = &index->heads[(uint32_t)hash & index->mask];
    index->links[slot] = *head;
    *head = slot + 1;
}

void copal__index_remove(copal__index_t *index, uint64_t hash, uint32_t slot)
{
    uint32_t *at = &index->heads[(uint32_t)hash & index->mask];
    while (*at && *at != slot + 1)
        at = &index->links[*at - 1];
    if (*at)
        *at = index->links[slot];
}
