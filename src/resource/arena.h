/* Blocks of any size inside one region, shared with readers that never wait: a block that was published is retired, and
 * its memory is used again once every reader has passed a point where it holds none. */
#ifndef COPAL_RESOURCE_ARENA_H
#define COPAL_RESOURCE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../messaging/memory.h"

/** What the arena is counted in: eight octets, also the head of each block. Only writers touch it, one at a time. */
typedef struct {
    uint32_t size; /* granules of the block, its head included, and two flags */
    uint32_t link; /* index of the next block of a list */
} copal__granule_t;

typedef struct {
    copal__granule_t *granules; /* [0] is no block, so that index 0 means none */
    uint32_t capacity, top;     /* granules in all; the first that was never used or is free up to the end */
    uint32_t *lists;            /* free blocks by class of size */
    uint32_t waiting, retired;  /* lists: to be freed once all readers have seen `epoch`; retired since then */
    uint32_t readers;
    _Atomic uint32_t epoch;
    _Atomic uint32_t *seen; /* by each reader; 0: it is offline and holds nothing */
} copal__arena_t;

/** Lays out an arena of `octets`, which counts 8 octets of overhead for each block, for `readers`. False: too large. */
bool copal__arena_lay(copal__arena_t *arena, copal__carver_t *carver, size_t octets, uint32_t readers);

/** A block of at least `size` octets, aligned to 8 and not cleared; NULL: no room. */
void *copal__arena_take(copal__arena_t *arena, size_t size);
/** Gives back what is behind the first `size` octets of a block. */
void copal__arena_trim(copal__arena_t *arena, void *block, size_t size);
/** Gives back a block that was never published. NULL is allowed. */
void copal__arena_give(copal__arena_t *arena, void *block);
/** The block is unpublished: no reader can come to it any more. NULL is allowed. */
void copal__arena_retire(copal__arena_t *arena, void *block);

/** A reader holds nothing at this moment. */
void copal__arena_quiescent(copal__arena_t *arena, uint32_t reader);
/** The same, for the only reader of an arena with one, unless it is offline. Elsewhere it does nothing. */
void copal__arena_alone(copal__arena_t *arena);
/** It holds nothing until it next calls copal__arena_quiescent. */
void copal__arena_offline(copal__arena_t *arena, uint32_t reader);

#endif
