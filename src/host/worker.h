/* A worker of a host: an endpoint that serves the tree, with sockets, and whoever turns it. Of several workers each has a socket
 * of its own on each address, and the kernel chooses by the sender's address and port, so that a peer comes to the same one
 * always. */
#ifndef COPAL_HOST_WORKER_H
#define COPAL_HOST_WORKER_H

#include "copal/host.h"
#include "lock.h"
#include "side.h"

enum { COPAL__WORKERS = 64, COPAL__RANDOM_POOL = 256 };

typedef struct copal__worker_t copal__worker_t;
struct copal__worker_t {
    copal__lock_t lock; /* of all that follows, while it is not said otherwise */
    copal_host_t *host;
    uint32_t number;
    copal_service_t service; /* of the tree */
    copal__side_t server;
    copal__side_t *client; /* the host's, at the first worker; else NULL */
    copal__batch_t batch;
    copal__locals_t locals;
    uint8_t random_pool[COPAL__RANDOM_POOL];
    size_t random_left;

    int wake[2];
    bool woken;                 /* the wake descriptor was made readable and not yet cleared */
    uint32_t wakes;             /* how often it was to be readable */
    unsigned sleepers, unheard; /* threads asleep; of them, those that were when the last wake came */
    bool more;                  /* a socket had so much that there may be more: no need to sleep */
    bool changed;               /* there may be changes that observers are to be told of */
    bool turning;               /* a turn is under way, in the thread that holds the lock, or has lent it */
    unsigned lent;              /* by so many threads: that one, and those that entered it meanwhile and visit in turn */
    copal_time_t now;           /* of the turn */
    copal_time_t tick_at;       /* the next one's time; COPAL_NEVER: there are none */

    atomic_uintptr_t runner; /* the thread that runs it, or COPAL__RUNNER_STARTS; 0: none. Needs no lock */
    pthread_t thread;        /* of the others than the first */
    int status, reason;      /* what the loop in that thread ended with, and errno */
};

/** A thread was made to run the host and has not begun. No thread has this number. */
#define COPAL__RUNNER_STARTS ((uintptr_t)1)

/** What the system has to give it, all or nothing. 0, or an errno. */
int copal__worker_open(copal__worker_t *worker);
/** Closes that, and its sockets. */
void copal__worker_close(copal__worker_t *worker);

/** The system's randomness, by the pool; `state` is the worker. As copal_config_t.random. */
void copal__worker_random(void *state, void *buffer, size_t size);

/** Enters its lock, from wherever: a turn of another worker, that a callback calls from, lends its own meanwhile. So nobody
 *  who holds the lock of a worker waits for another's. */
void copal__worker_enter(copal__worker_t *worker);
void copal__worker_leave(copal__worker_t *worker);

/** Waits until no turn is under way that lent the lock. Inside it, entered once. */
static inline void copal__worker_settle(copal__worker_t *worker)
{
    while (worker->lent)
        copal__lock_wait(&worker->lock);
}

/** What the time is for a call on its endpoint: within a turn, that turn's. Inside the lock, as what follows. */
copal_time_t copal__worker_now(const copal__worker_t *worker);
/** Makes whoever runs it look again at what there is to do. */
void copal__worker_wake(copal__worker_t *worker);

#endif
