/* The loop: sleep until something comes or is due, do it, and again. */
#define _GNU_SOURCE 1
#include "host.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

enum { SERVED = 1 + COPAL__SOCKETS, WATCHED = SERVED + COPAL__SOCKETS };
_Static_assert(COPAL_HOST_DESCRIPTORS == WATCHED, "the wake descriptor and two sides");

static copal_time_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (copal_time_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t copal__microseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

copal_time_t copal__worker_now(const copal__worker_t *worker)
{
    return worker->turning ? worker->now : clock_now();
}

void copal__worker_wake(copal__worker_t *worker)
{
    if (worker->turning && worker->sleepers == 0)
        return; /* whoever is awake looks again before it sleeps */
    worker->wakes++;
    worker->unheard = worker->sleepers;
    if (worker->woken)
        return;
    worker->woken = true;
    copal__wake_signal(worker->wake);
}

/* A turn of this thread's tells of changes before it ends. It takes no lock, since whoever changes a value may hold a lock
 * of the application's that a handler waits for. */
void copal__host_changed(void *user, uint64_t workers)
{
    copal_host_t *host = user;
    for (uint32_t i = 0; workers > 0; i++, workers >>= 1) {
        copal__worker_t *worker = &host->workers[i];
        if (!(workers & 1))
            continue;
        if (copal__lock_is_mine(&worker->lock) && worker->turning)
            worker->changed = true;
        else
            copal__wake_signal(worker->wake);
    }
}

static void wake_all(copal_host_t *host)
{
    for (uint32_t i = 0; i < host->worker_count; i++)
        copal__wake_signal(host->workers[i].wake);
}

/* ---- sleeping ------------------------------------------------------------------------------------- */

/* Milliseconds from `now` until something is due; -1: never. A client without sockets has asked nobody yet. */
static inline int due_in(const copal__worker_t *worker, copal_time_t now)
{
    copal_time_t next = copal__side_next_timeout(&worker->server);
    next = worker->tick_at < next ? worker->tick_at : next;
    if (worker->client && worker->client->count > 0) {
        copal_time_t client = copal__side_next_timeout(worker->client);
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

/* All that a worker waits for: its wake descriptor, its server's, its client's. */
static inline nfds_t watch_all(const copal__worker_t *worker, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = worker->wake[0], .events = POLLIN};
    nfds_t count = 1 + watch(&worker->server, fds + 1);
    return worker->client ? count + watch(worker->client, fds + count) : count;
}

/* POLLERR counts as ready: to receive is to learn of the error, and to clear it. */
static inline bool note(copal__side_t *side, const struct pollfd *fds, nfds_t count)
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
static inline void hear(copal__worker_t *worker, uint32_t wakes, bool readable)
{
    worker->sleepers--;
    worker->unheard -= wakes != worker->wakes;
    if (!readable)
        return;
    worker->changed = true;
    if (worker->unheard > 0)
        return;
    uintptr_t runner = atomic_load(&worker->runner);
    if (atomic_load(&worker->host->stopping) && runner != 0 && runner != copal__thread())
        return;
    copal__wake_clear(worker->wake);
    worker->woken = false;
}

/* One worker's part in a sleep. Another thread may open a socket meanwhile; it wakes us, and the next sleep watches it. */
typedef struct {
    nfds_t server, count; /* descriptors of the server, and all */
    uint32_t wakes;
} rest_t;

/* Before it, inside the lock: `fds` are filled in, and `timeout` is lowered to what is due. */
static inline rest_t lie_down(copal__worker_t *worker, struct pollfd *fds, int *timeout)
{
    const int due = worker->more ? 0 : due_in(worker, worker->now);
    if (due >= 0 && (*timeout < 0 || due < *timeout))
        *timeout = due;
    worker->sleepers++;
    return (rest_t){.server = worker->server.count, .count = watch_all(worker, fds), .wakes = worker->wakes};
}

/* After it, inside the lock. False: errno. */
static inline bool get_up(copal__worker_t *worker, const struct pollfd *fds, const rest_t *rest, int ready)
{
    hear(worker, rest->wakes, ready > 0 && fds[0].revents);
    copal__worker_settle(worker);
    if (ready <= 0)
        return true;
    const nfds_t client = 1 + rest->server;
    return note(&worker->server, fds + 1, rest->server) &&
           (!worker->client || note(worker->client, fds + client, rest->count - client));
}

/* What poll failed with, an errno; 0: it did not. */
static inline int failure(int ready)
{
    return ready < 0 && errno != EINTR ? errno : 0;
}

/* poll, which looks for so many microseconds before it sleeps. */
static int wait_for(struct pollfd *fds, nfds_t count, int timeout, uint32_t busy)
{
    if (busy == 0 || timeout == 0)
        return poll(fds, count, timeout);
    const int64_t began = copal__microseconds();
    const int64_t most = timeout > 0 && (int64_t)timeout * 1000 < busy ? (int64_t)timeout * 1000 : busy;
    int64_t spent;
    do {
        const int ready = poll(fds, count, 0);
        if (ready != 0)
            return ready;
        spent = copal__microseconds() - began;
    } while (spent < most);
    if (timeout > 0)
        timeout = spent / 1000 < timeout ? timeout - (int)(spent / 1000) : 0;
    return poll(fds, count, timeout);
}

static int sleep_until_ready(copal__worker_t *worker, int timeout)
{
    struct pollfd fds[WATCHED];
    const rest_t rest = lie_down(worker, fds, &timeout);
    copal__lock_leave(&worker->lock);
    const int ready = wait_for(fds, rest.count, timeout, worker->host->busy_poll);
    const int reason = failure(ready);
    copal__lock_enter(&worker->lock);
    if (!get_up(worker, fds, &rest, ready))
        return COPAL_ESYSTEM;
    if (reason != 0)
        errno = reason;
    return reason == 0 ? 0 : COPAL_ESYSTEM;
}

/* ---- turns ---------------------------------------------------------------------------------------- */

/* Peers that observe what was changed are told with what is sent next. */
static void tell_of(copal__worker_t *worker, copal_time_t now, uint32_t slot)
{
    do
        copal_notify(worker->server.endpoint, now, slot);
    while (copal_tree_next_change(worker->host->tree, worker->number, &slot));
}

static inline void tell_changes(copal__worker_t *worker, copal_time_t now)
{
    uint32_t slot;
    if (!worker->changed)
        return;
    worker->changed = false;
    if (copal_tree_next_change(worker->host->tree, worker->number, &slot))
        tell_of(worker, now, slot);
}

static void serve_client(copal__worker_t *worker, copal_time_t now)
{
    if (copal__side_receive(worker->client, now))
        worker->more = true;
    copal__side_run(worker->client, now);
    copal__side_send(worker->client, now);
}

static void tick(copal__worker_t *worker, copal_time_t now)
{
    worker->tick_at = now + 1000;
    worker->host->tick(worker->host->user);
}

static void turn(copal__worker_t *worker)
{
    copal_tree_t *tree = worker->host->tree;
    copal_time_t now = worker->now = clock_now();
    worker->turning = true;
    copal_tree_quiescent(tree, worker->number);
    worker->more = copal__side_receive(&worker->server, now);
    copal__side_run(&worker->server, now);
    if (worker->client && worker->client->count > 0)
        serve_client(worker, now);
    tell_changes(worker, now);
    copal__side_send(&worker->server, now);
    if (worker->tick_at <= now)
        tick(worker, now);
    tell_changes(worker, now); /* what the tick changed, or a handler that was asked for a notification, is due at once */
    copal_tree_offline(tree, worker->number);
    worker->turning = false;
}

/* Sleeps, unless more is known to be there, and takes a turn. `worker->now` is not long ago. */
static int sleep_and_turn(copal__worker_t *worker, int timeout)
{
    if (worker->more) {
        copal__lock_yield(&worker->lock);
        copal__worker_settle(worker);
        worker->changed = true; /* nobody has looked whether it was woken */
    } else {
        int status = sleep_until_ready(worker, timeout);
        if (status < 0)
            return status;
    }
    turn(worker);
    return 0;
}

/* The same for all workers of a host, one after the other; inside the lock of the first. */
static int sleep_and_turn_all(copal_host_t *host, int timeout)
{
    struct pollfd fds[COPAL__WORKERS * SERVED + COPAL__SOCKETS];
    rest_t rests[COPAL__WORKERS];
    const uint32_t workers = host->worker_count;
    nfds_t count = 0;
    for (uint32_t i = 0; i < workers; i++) {
        copal__worker_t *worker = &host->workers[i];
        if (i > 0)
            copal__lock_enter(&worker->lock);
        worker->now = clock_now();
        rests[i] = lie_down(worker, fds + count, &timeout);
        count += rests[i].count;
        copal__lock_leave(&worker->lock);
    }
    const int ready = wait_for(fds, count, timeout, host->busy_poll);
    int reason = failure(ready);
    for (uint32_t i = workers; i-- > 0;) {
        copal__worker_t *worker = &host->workers[i];
        copal__lock_enter(&worker->lock);
        count -= rests[i].count;
        if (!get_up(worker, fds + count, &rests[i], ready))
            reason = errno;
        else if (reason == 0)
            turn(worker);
        if (i > 0)
            copal__lock_leave(&worker->lock);
    }
    errno = reason;
    return reason == 0 ? 0 : COPAL_ESYSTEM;
}

int copal__host_step(copal_host_t *host, int timeout)
{
    host->workers[0].now = clock_now();
    return host->worker_count > 1 ? sleep_and_turn_all(host, timeout) : sleep_and_turn(&host->workers[0], timeout);
}

int copal_host_step(copal_host_t *host, int timeout)
{
    copal__worker_t *first = &host->workers[0];
    if (copal__host_is_inside(host))
        return COPAL_EINVAL; /* the turn under way still needs what it has received */
    copal__lock_enter(&first->lock);
    copal__worker_settle(first);
    int status = copal__host_step(host, timeout);
    copal__lock_leave(&first->lock);
    return status;
}

/* ---- running -------------------------------------------------------------------------------------- */

/* A stop that came before the loop counts. */
static int loop(copal__worker_t *worker)
{
    int status = 0;
    copal__lock_enter(&worker->lock);
    copal__worker_settle(worker);
    worker->now = clock_now();
    while (status == 0 && !atomic_load(&worker->host->stopping))
        status = sleep_and_turn(worker, -1);
    copal__lock_leave(&worker->lock);
    return status;
}

static int start_thread(pthread_t *thread, void *(*work)(void *), void *context)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(thread, NULL, work, context);
    const int status = errno == 0 ? 0 : COPAL_ESYSTEM;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

/* Another worker than the first. Where one cannot go on, all end. */
static void *work(void *context)
{
    copal__worker_t *worker = context;
    atomic_store(&worker->runner, copal__thread());
    worker->status = loop(worker);
    worker->reason = errno;
    if (worker->status < 0) {
        atomic_store(&worker->host->stopping, true);
        wake_all(worker->host);
    }
    atomic_store(&worker->runner, 0);
    return NULL;
}

/* Starts the threads of the other workers; how many workers have one then, the first counted. */
static uint32_t start_others(copal_host_t *host)
{
    uint32_t i = 1;
    while (i < host->worker_count && start_thread(&host->workers[i].thread, work, &host->workers[i]) == 0)
        i++;
    return i;
}

/* The first error that there was, `status` counted; errno is its reason. */
static int end_others(copal_host_t *host, uint32_t started, int status)
{
    int reason = errno;
    if (started > 1) {
        atomic_store(&host->stopping, true);
        wake_all(host);
    }
    for (uint32_t i = 1; i < started; i++) {
        copal__worker_t *worker = &host->workers[i];
        pthread_join(worker->thread, NULL);
        if (status == 0 && worker->status < 0) {
            status = worker->status;
            reason = worker->reason;
        }
    }
    errno = reason;
    return status;
}

/* Each stop ends one run. */
static int run(copal_host_t *host)
{
    copal__worker_t *first = &host->workers[0];
    const uint32_t started = start_others(host);
    const int status = end_others(host, started, started == host->worker_count ? loop(first) : COPAL_ESYSTEM);
    const int reason = errno;
    copal__lock_enter(&first->lock);
    atomic_store(&host->stopping, false);
    atomic_store(&first->runner, 0);
    copal__lock_notify(&first->lock);
    copal__lock_leave(&first->lock);
    errno = reason;
    return status;
}

/* Makes `self` the one that runs the host, unless there is one. */
static bool become_runner(copal_host_t *host, uintptr_t self)
{
    uintptr_t nobody = 0;
    return atomic_compare_exchange_strong(&host->workers[0].runner, &nobody, self);
}

int copal_host_run(copal_host_t *host)
{
    if (copal__host_is_inside(host))
        return COPAL_EINVAL;
    return become_runner(host, copal__thread()) ? run(host) : COPAL_EEXIST;
}

static void *thread_main(void *context)
{
    copal_host_t *host = context;
    atomic_store(&host->workers[0].runner, copal__thread());
    (void)run(host); /* the thread ends with its loop, and copal_host_stop joins it */
    return NULL;
}

/* No thread came to be: who waits for an answer meanwhile goes on by himself. */
static void run_by_nobody(copal_host_t *host)
{
    copal__host_enter(host);
    atomic_store(&host->workers[0].runner, 0);
    copal__lock_notify(&host->workers[0].lock);
    copal__host_leave(host);
}

int copal_host_start(copal_host_t *host)
{
    if (atomic_load(&host->started) || !become_runner(host, COPAL__RUNNER_STARTS))
        return COPAL_EEXIST;
    const int status = start_thread(&host->thread, thread_main, host);
    const int reason = errno;
    if (status < 0)
        run_by_nobody(host);
    atomic_store(&host->started, status == 0);
    errno = reason;
    return status;
}

/* Up to the question whether there is a thread to be joined this is atomic stores and write(2), which a signal handler may
 * do. */
void copal_host_stop(copal_host_t *host)
{
    atomic_store(&host->stopping, true);
    wake_all(host);
    if (!atomic_load(&host->started) || copal__host_is_inside(host))
        return;
    if (atomic_exchange(&host->started, false)) {
        pthread_join(host->thread, NULL);
        atomic_store(&host->stopping, false);
    }
}

/* ---- for another loop ------------------------------------------------------------------------------- */

size_t copal_host_descriptors(copal_host_t *host, int *descriptors, size_t capacity)
{
    struct pollfd fds[WATCHED];
    size_t count = 0;
    for (uint32_t i = 0; i < host->worker_count; i++) {
        copal__worker_t *worker = &host->workers[i];
        copal__worker_enter(worker);
        const nfds_t watched = watch_all(worker, fds);
        copal__worker_leave(worker);
        for (nfds_t at = 0; at < watched; at++, count++)
            if (count < capacity)
                descriptors[count] = fds[at].fd;
    }
    return count;
}

int copal_host_timeout(copal_host_t *host)
{
    int timeout = -1;
    for (uint32_t i = 0; i < host->worker_count; i++) {
        copal__worker_t *worker = &host->workers[i];
        copal__worker_enter(worker);
        const int due = worker->more ? 0 : due_in(worker, clock_now());
        copal__worker_leave(worker);
        if (due >= 0 && (timeout < 0 || due < timeout))
            timeout = due;
    }
    return timeout;
}
