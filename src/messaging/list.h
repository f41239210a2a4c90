/* Lists of slots: one slot is in one list of its kind at most, and leaves it from anywhere, in constant time. Their memory is
 * all zero at first: links hold slot + 1, so that 0 means none. */
#ifndef COPAL_MESSAGING_LIST_H
#define COPAL_MESSAGING_LIST_H

#include "table.h"

typedef struct {
    uint32_t next, former;
} copal__link_pair_t;

typedef struct {
    uint32_t first, last;
} copal__list_t;

/** Adds a slot that is in no list, as the last. `links` are those of all slots, for any number of lists that share none. */
void copal__list_add(copal__list_t *list, copal__link_pair_t *links, uint32_t slot);
/** Takes a slot out that is in this list. */
void copal__list_remove(copal__list_t *list, copal__link_pair_t *links, uint32_t slot);

/** The slot that has been in it for longest, or COPAL__NONE. */
static inline uint32_t copal__list_first(const copal__list_t *list) { return list->first - 1; }

#endif
