#include "timer.h"

void copal__timers_lay(copal__timers_t *t, copal__carver_t *carver, uint32_t capacity)
{
    t->timers = copal__carve(carver, capacity, sizeof *t->timers);
    t->heap = copal__carve_links(carver, capacity, sizeof *t->heap);
    t->count = t->order = 0;
}

static bool before(const copal__timers_t *t, uint32_t a, uint32_t b)
{
    const copal__timer_t *x = &t->timers[a], *y = &t->timers[b];
    return x->at != y->at ? x->at < y->at : (int32_t)(x->order - y->order) < 0;
}

static void place(copal__timers_t *t, uint32_t position, uint32_t slot)
{
    t->heap[position] = slot;
    t->timers[slot].position = position + 1;
}

static void settle(copal__timers_t *t, uint32_t position, uint32_t slot)
{
    for (uint32_t up; position && before(t, slot, t->heap[up = (position - 1) / 2]); position = up)
        place(t, position, t->heap[up]);
    for (uint32_t down; (down = 2 * position + 1) < t->count; position = down) {
        if (down + 1 < t->count && before(t, t->heap[down + 1], t->heap[down]))
            down++;
        if (!before(t, t->heap[down], slot))
            break;
        place(t, position, t->heap[down]);
    }
    place(t, position, slot);
}

static void clear(copal__timers_t *t, uint32_t slot)
{
    uint32_t position = t->timers[slot].position;
    if (!position)
        return;
    t->timers[slot].position = 0;
    uint32_t last = t->heap[--t->count];
    if (last != slot)
        settle(t, position - 1, last);
}

void copal__timer_set(copal__timers_t *t, uint32_t slot, copal_time_t at)
{
    clear(t, slot);
    if (at == COPAL_NEVER)
        return;
    t->timers[slot].at = at;
    t->timers[slot].order = t->order++;
    settle(t, t->count++, slot);
}
