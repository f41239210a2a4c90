#define _GNU_SOURCE 1
#include "host.h"

#include <errno.h>

int copal__worker_open(copal__worker_t *worker)
{
    if (copal__wake_open(worker->wake) != 0)
        return errno;
    const int status = copal__lock_init(&worker->lock);
    if (status != 0)
        copal__wake_close(worker->wake);
    return status;
}

void copal__worker_close(copal__worker_t *worker)
{
    copal__side_close(&worker->server);
    copal__lock_destroy(&worker->lock);
    copal__wake_close(worker->wake);
}

/* ---- locks ------------------------------------------------------------------------------------------ */

/* The worker whose lock this thread holds, or NULL. */
static copal__worker_t *mine(const copal_host_t *host)
{
    for (uint32_t i = 0; i < host->worker_count; i++)
        if (copal__lock_is_mine(&host->workers[i].lock))
            return &host->workers[i];
    return NULL;
}

bool copal__host_is_inside(const copal_host_t *host)
{
    return mine(host) != NULL;
}

void copal__host_enter_between_turns(copal_host_t *host)
{
    const bool inside = copal__host_is_inside(host);
    copal__host_enter(host);
    if (!inside)
        copal__worker_settle(&host->workers[0]);
}

/* The visits of this thread: they end in the opposite order. Whoever enters a lock that is lent may visit from there, too, so
 * that nothing of this can be the lock's. */
enum { VISITS = 8 };
static _Thread_local struct {
    copal__worker_t *visited, *visitor; /* whose lock is lent meanwhile */
} visits[VISITS];
static _Thread_local unsigned visiting;

/* What another thread does to an endpoint meanwhile, the callback could as well have done itself: those calls are allowed inside
 * of one. Whatever is not, a turn above all, waits by copal__worker_settle. */
void copal__worker_enter(copal__worker_t *worker)
{
    copal__worker_t *visitor = mine(worker->host);
    if (visitor && visitor != worker && visiting < VISITS) {
        visits[visiting].visited = worker;
        visits[visiting++].visitor = visitor;
        visitor->lent++;
        copal__lock_leave(&visitor->lock);
    }
    copal__lock_enter(&worker->lock);
}

void copal__worker_leave(copal__worker_t *worker)
{
    const bool leaves = worker->lock.depth == 1 && visiting > 0 && visits[visiting - 1].visited == worker;
    copal__lock_leave(&worker->lock);
    if (!leaves)
        return;
    copal__worker_t *visitor = visits[--visiting].visitor;
    copal__lock_enter(&visitor->lock);
    visitor->lent--;
    copal__lock_notify(&visitor->lock);
}
