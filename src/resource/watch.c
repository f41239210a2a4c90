/* Telling the workers of changes. Each worker has a mark for each slot: WATCHED while a peer of its may observe the
 * resource, and CHANGED while the slot is in the worker's list of what changed. Writers, one at a time, add to the list;
 * the worker takes it whole.
 *
 * No change is missed. A worker watches before it reads what it answers with, and a writer looks at the mark after it has
 * published. Both by a change of the mark: whichever comes second sees all that the other did before. The mark goes as
 * soon as the worker is told; it comes back when the resource is served to whoever observes it, and where nobody does, it
 * stays away. */
#include "tree.h"

#define WATCHED 1u
#define CHANGED 2u
#define FLAGS   2 /* bits of them; above is the next slot of the list, plus 1 */

bool copal__tree_watch(copal__worker_t *w, copal__resource_t *r, const copal_call_t *call)
{
    if (call->options->observe != 0 && !call->notification)
        return false;
    copal_code_t method = call->request->code;
    bool observable = copal__value_of(r) ? w->tree->config.observable : r->handler.observable;
    if (!observable || (method != COPAL_GET && method != COPAL_FETCH))
        return false;
    atomic_fetch_or(&w->marks[r->slot], WATCHED);
    return !atomic_load(&r->removed); /* else nobody would tell this worker */
}

/* True: nothing was in its list before, so that it has to be told of that. */
static bool tell(copal__worker_t *w, uint32_t slot)
{
    _Atomic uint32_t *mark = &w->marks[slot];
    uint32_t flags = atomic_fetch_or(mark, 0);
    if (!(flags & WATCHED) || flags & CHANGED)
        return false;
    uint32_t first = atomic_load(&w->changed);
    do
        atomic_store(mark, first << FLAGS | CHANGED | WATCHED);
    while (!atomic_compare_exchange_weak(&w->changed, &first, slot + 1));
    return !first;
}

void copal__tree_tell(copal_tree_t *t, const copal__resource_t *r)
{
    for (uint32_t i = 0; i < t->config.limits.workers; i++)
        t->untold |= (uint64_t)tell(&t->workers[i], r->slot) << i;
}

bool copal_tree_next_change(copal_tree_t *tree, uint32_t worker, uint32_t *slot)
{
    copal__worker_t *w = &tree->workers[worker];
    if (!w->taken && atomic_load(&w->changed))
        w->taken = atomic_exchange(&w->changed, 0);
    if (!w->taken)
        return false;
    *slot = w->taken - 1;
    w->taken = atomic_exchange(&w->marks[*slot], 0) >> FLAGS;
    return true;
}
