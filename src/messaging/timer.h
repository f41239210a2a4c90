/* One timer a slot, in a binary heap: what is due first is known at once, a change costs O(log n). Timers set for the same
 * time are due in the order they were set. */
#ifndef COPAL_MESSAGING_TIMER_H
#define COPAL_MESSAGING_TIMER_H

#include "copal/base.h"
#include "table.h"

typedef struct {
    copal_time_t at;
    uint32_t order;    /* among timers of one time */
    uint32_t position; /* in the heap, + 1; 0: not set */
} copal__timer_t;

typedef struct {
    copal__timer_t *timers;
    uint32_t *heap;
    uint32_t count, order;
} copal__timers_t;

void copal__timers_lay(copal__timers_t *t, copal__carver_t *carver, uint32_t capacity);
/** Sets the timer of `slot`, in place of what it was; COPAL_NEVER clears it. */
void copal__timer_set(copal__timers_t *t, uint32_t slot, copal_time_t at);
/** The slot that has been due for longest at `now`; COPAL__NONE where none is. */
static inline uint32_t copal__timer_due(const copal__timers_t *t, copal_time_t now)
{
    return t->count && t->timers[t->heap[0]].at <= now ? t->heap[0] : COPAL__NONE;
}

/** When the next one is due, or COPAL_NEVER. */
static inline copal_time_t copal__timer_next(const copal__timers_t *t)
{
    return t->count ? t->timers[t->heap[0]].at : COPAL_NEVER;
}

#endif
