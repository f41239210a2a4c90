/* Bounded tables over memory that is all zero at first and touched only as it is used: a pool hands out slots, an index
 * finds them by hash. Slots are numbered from 0; links and heads hold slot + 1, so that 0 means none. */
#ifndef COPAL_MESSAGING_TABLE_H
#define COPAL_MESSAGING_TABLE_H

#include "memory.h"

#include <stdbool.h>

#define COPAL__NONE UINT32_MAX

typedef struct {
    uint32_t *links; /* of free slots */
    uint32_t capacity, fresh, free, used;
} copal__pool_t;

void copal__pool_lay(copal__pool_t *pool, copal__carver_t *carver, uint32_t capacity);
/** A free slot, or COPAL__NONE. */
uint32_t copal__pool_take(copal__pool_t *pool);
void copal__pool_give(copal__pool_t *pool, uint32_t slot);

typedef struct {
    uint32_t *heads, *links;
    uint32_t mask;
} copal__index_t;

/** An index over slots 0 to capacity - 1. */
void copal__index_lay(copal__index_t *index, copal__carver_t *carver, uint32_t capacity);
void copal__index_add(copal__index_t *index, uint64_t hash, uint32_t slot);
void copal__index_remove(copal__index_t *index, uint64_t hash, uint32_t slot);

/** The slots that may have this hash, newest first: first, then next of each, until COPAL__NONE. The caller compares. */
static inline uint32_t copal__index_first(const copal__index_t *index, uint64_t hash)
{
    return index->heads[(uint32_t)hash & index->mask] - 1;
}

static inline uint32_t copal__index_next(const copal__index_t *index, uint32_t slot)
{
    return index->links[slot] - 1;
}

#endif
