/* The loop: sleep until something comes or is due, do it, and again. */
#define _GNU_SOURCE 1
#include "host.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

_Static_assert(COPAL_HOST_DESCRIPTORS == 1 + 2 * COPAL__SOCKETS, "the wake descriptor and two sides");

static copal_time_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (copal_time_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

copal_time_t copal__host_now(const copal_host_t *host)
{
    return host->turning ? host->now : clock_now();
}

void copal__host_wake(copal_host_t *host)
{
    if (host->turning && host->sleepers == 0)
        return; /* whoever is awake looks again before it sleeps */
    host->wakes++;
    host->unheard = host->sleepers;
    if (host->woken)
        return;
    host->woken = true;
    copal__wake_signal(host->wake);
}

/* A turn of this thread's tells of changes before it ends. It takes no lock, since whoever changes a value may hold a lock
 * of the application's that a handler waits for. */
void copal__host_changed(void *user, uint64_t workers)
{
    (void)workers;
    copal_host_t *host = user;
    if (!copal__lock_is_mine(&host->lock) || !host->turning)
        copal__wake_signal(host->wake);
}

/* ---- sleeping ------------------------------------------------------------------------------------- */

/* Milliseconds from `now` until something is due; -1: never. A client without sockets has asked nobody yet. */
static int due_in(const copal_host_t *host, copal_time_t now)
{
    copal_time_t next = copal__side_next_timeout(&host->server);
    if (host->client.count > 0) {
        copal_time_t client = copal__side_next_timeout(&host->client);
        next = client < next ? client : next;
    }
    if (next == COPAL_NEVER)
        return -1;
    return next <= now ? 0 : next - now > INT_MAX ? INT_MAX : (int)(next - now);
}

static inline nfds_t watch(const copal__side_t *side, struct pollfd *fds)
{
    nfds_t count = 0;
    for (; count < side->count; count++)
        fds[count] = (struct pollfd){.fd = side->sockets[count].fd, .events = POLLIN};
    return count;
}

/* POLLERR counts as ready: to receive is to learn of the error, and to clear it. */
static bool note(copal__side_t *side, const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        side->sockets[i].ready = fds[i].revents != 0;
        if (fds[i].revents & POLLNVAL) {
            errno = EBADF; /* somebody closed a descriptor that is ours */
            return false;
        }
    }
    return true;
}

/* After a sleep, which began when `wakes` was as given. The wake descriptor stays readable until all who were asleep have
 * heard, and until the one that is to stop has. */
static void hear(copal_host_t *host, uint32_t wakes, bool readable)
{
    host->sleepers--;
    host->unheard -= wakes != host->wakes;
    if (!readable || host->unheard > 0)
        return;
    uintptr_t runner = atomic_load(&host->runner);
    if (atomic_load(&host->stopping) && runner != 0 && runner != copal__thread())
        return;
    copal__wake_clear(host->wake);
    host->woken = false;
}

/* Another thread may open a socket meanwhile; it wakes us, and the next sleep watches it. */
static int sleep_until_ready(copal_host_t *host, int timeout)
{
    struct pollfd fds[COPAL_HOST_DESCRIPTORS];
    int due = due_in(host, host->now);
    if (due >= 0 && (timeout < 0 || due < timeout))
        timeout = due;
    fds[0] = (struct pollfd){.fd = host->wake[0], .events = POLLIN};
    nfds_t server = watch(&host->server, fds + 1);
    nfds_t client = watch(&host->client, fds + 1 + server);
    uint32_t wakes = host->wakes;
    host->sleepers++;
    copal__lock_leave(&host->lock);
    int count = poll(fds, 1 + server + client, timeout);
    int reason = count < 0 ? errno : 0;
    copal__lock_enter(&host->lock);
    hear(host, wakes, count > 0 && fds[0].revents);
    if (count <= 0) {
        errno = reason;
        return count == 0 || reason == EINTR ? 0 : COPAL_ESYSTEM;
    }
    return note(&host->server, fds + 1, server) && note(&host->client, fds + 1 + server, client) ? 0 : COPAL_ESYSTEM;
}

/* ---- turns ---------------------------------------------------------------------------------------- */

/* Peers that observe what was changed are told with what is sent next. */
static void tell_of(copal_host_t *host, copal_time_t now, uint32_t slot)
{
    do
        copal_notify(host->server.endpoint, now, slot);
    while (copal_tree_next_change(host->tree, 0, &slot));
}

static inline void tell_changes(copal_host_t *host, copal_time_t now)
{
    uint32_t slot;
    if (copal_tree_next_change(host->tree, 0, &slot))
        tell_of(host, now, slot);
}

static void serve_client(copal_host_t *host, copal_time_t now)
{
    if (copal__side_receive(&host->client, now))
        host->more = true;
    copal__side_run(&host->client, now);
    copal__side_send(&host->client, now);
}

static void turn(copal_host_t *host)
{
    copal_time_t now = host->now = clock_now();
    host->turning = true;
    copal_tree_quiescent(host->tree, 0);
    host->more = copal__side_receive(&host->server, now);
    copal__side_run(&host->server, now);
    if (host->client.count > 0)
        serve_client(host, now);
    tell_changes(host, now);
    copal__side_send(&host->server, now);
    tell_changes(host, now); /* what a handler changed that was asked for a notification is due at once */
    copal_tree_offline(host->tree, 0);
    host->turning = false;
}

/* Sleeps, unless more is known to be there, and takes a turn. `host->now` is not long ago. */
static int sleep_and_turn(copal_host_t *host, int timeout)
{
    if (host->more) {
        copal__lock_yield(&host->lock);
    } else {
        int status = sleep_until_ready(host, timeout);
        if (status < 0)
            return status;
    }
    turn(host);
    return 0;
}

int copal__host_step(copal_host_t *host, int timeout)
{
    host->now = clock_now();
    return sleep_and_turn(host, timeout);
}

int copal_host_step(copal_host_t *host, int timeout)
{
    if (copal__lock_is_mine(&host->lock))
        return COPAL_EINVAL; /* the turn under way still needs what it has received */
    copal__lock_enter(&host->lock);
    int status = copal__host_step(host, timeout);
    copal__lock_leave(&host->lock);
    return status;
}

/* ---- running -------------------------------------------------------------------------------------- */

/* A stop that came before the loop counts; each stop ends one run. */
static int run(copal_host_t *host)
{
    int status = 0;
    copal__lock_enter(&host->lock);
    host->now = clock_now();
    while (status == 0 && !atomic_load(&host->stopping))
        status = sleep_and_turn(host, -1);
    atomic_store(&host->stopping, false);
    atomic_store(&host->runner, 0);
    copal__lock_notify(&host->lock);
    copal__lock_leave(&host->lock);
    return status;
}

/* Makes `self` the one that runs the host, unless there is one. */
static bool become_runner(copal_host_t *host, uintptr_t self)
{
    uintptr_t nobody = 0;
    return atomic_compare_exchange_strong(&host->runner, &nobody, self);
}

int copal_host_run(copal_host_t *host)
{
    if (copal__lock_is_mine(&host->lock))
        return COPAL_EINVAL;
    return become_runner(host, copal__thread()) ? run(host) : COPAL_EEXIST;
}

static void *thread_main(void *context)
{
    copal_host_t *host = context;
    atomic_store(&host->runner, copal__thread());
    (void)run(host); /* the thread ends with its loop, and copal_host_stop joins it */
    return NULL;
}

int copal_host_start(copal_host_t *host)
{
    sigset_t all, before;
    if (atomic_load(&host->started) || !become_runner(host, COPAL__RUNNER_STARTS))
        return COPAL_EEXIST;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&host->thread, NULL, thread_main, host);
    bool made = errno == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!made)
        atomic_store(&host->runner, 0);
    atomic_store(&host->started, made);
    return made ? 0 : COPAL_ESYSTEM;
}

/* Up to the question whether there is a thread to be joined this is two atomic stores and a write(2), which a signal
 * handler may do. */
void copal_host_stop(copal_host_t *host)
{
    atomic_store(&host->stopping, true);
    copal__wake_signal(host->wake);
    if (!atomic_load(&host->started) || copal__lock_is_mine(&host->lock))
        return;
    if (atomic_exchange(&host->started, false)) {
        pthread_join(host->thread, NULL);
        atomic_store(&host->stopping, false);
    }
}

/* ---- for another loop ------------------------------------------------------------------------------- */

size_t copal_host_descriptors(copal_host_t *host, int *descriptors, size_t capacity)
{
    struct pollfd fds[COPAL_HOST_DESCRIPTORS];
    copal__lock_enter(&host->lock);
    fds[0].fd = host->wake[0];
    nfds_t count = 1 + watch(&host->server, fds + 1);
    count += watch(&host->client, fds + count);
    copal__lock_leave(&host->lock);
    for (nfds_t i = 0; i < count && i < capacity; i++)
        descriptors[i] = fds[i].fd;
    return count;
}

int copal_host_timeout(copal_host_t *host)
{
    copal__lock_enter(&host->lock);
    int timeout = host->more ? 0 : due_in(host, clock_now());
    copal__lock_leave(&host->lock);
    return timeout;
}
