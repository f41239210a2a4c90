/* The host's lock: the same thread may take it again; who waits for it gets it in the order of coming, so the thread
 * that runs the host, which takes it over and over, keeps nobody out. Three atomic operations where nobody waits. */
#ifndef COPAL_HOST_LOCK_H
#define COPAL_HOST_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    atomic_bool held;
    atomic_uintptr_t owner; /* a thread, while it is held; else 0 */
    unsigned depth;         /* how often the owner has entered */
    atomic_uint waiting;    /* threads that wait in line; changed inside `mutex`, like all that follows */
    unsigned next, served;  /* the line: the number to be drawn next, and the one whose turn it is */
    unsigned changes;       /* how often copal__lock_notify was called */
    pthread_mutex_t mutex;  /* of the line only; never held for long */
    pthread_cond_t freed, changed;
} copal__lock_t;

/** 0, or an errno. */
int copal__lock_init(copal__lock_t *lock);
void copal__lock_destroy(copal__lock_t *lock);

/** A number that no other living thread has. */
extern _Thread_local char copal__thread_is_here;
static inline uintptr_t copal__thread(void) { return (uintptr_t)&copal__thread_is_here; }

/** Whether this thread holds it. */
static inline bool copal__lock_is_mine(const copal__lock_t *lock)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == copal__thread();
}

void copal__lock_stand_in_line(copal__lock_t *lock);
void copal__lock_call_next(copal__lock_t *lock);

static inline bool copal__lock_grab(copal__lock_t *lock)
{
    bool expected = false;
    return atomic_compare_exchange_strong(&lock->held, &expected, true);
}

static inline void copal__lock_own(copal__lock_t *lock)
{
    atomic_store_explicit(&lock->owner, copal__thread(), memory_order_relaxed);
    lock->depth = 1;
}

/** Both of these are sequentially consistent, and so is what who waits does first: count himself, then try to grab.
 *  So either he is seen here, or he sees that it is free. True: he is seen. */
static inline bool copal__lock_let_go(copal__lock_t *lock)
{
    atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
    atomic_store(&lock->held, false);
    return atomic_load(&lock->waiting) > 0;
}

static inline void copal__lock_enter(copal__lock_t *lock)
{
    if (copal__lock_is_mine(lock))
        lock->depth++;
    else if (atomic_load_explicit(&lock->waiting, memory_order_relaxed) == 0 && copal__lock_grab(lock))
        copal__lock_own(lock);
    else
        copal__lock_stand_in_line(lock);
}

static inline void copal__lock_leave(copal__lock_t *lock)
{
    if (--lock->depth == 0 && copal__lock_let_go(lock))
        copal__lock_call_next(lock);
}

/** Lets another thread have it that waits for it; then enters it again. Entered once. */
void copal__lock_yield(copal__lock_t *lock);

/** Leaves it, entered once, until another thread calls copal__lock_notify; then enters it again. */
void copal__lock_wait(copal__lock_t *lock);
void copal__lock_notify(copal__lock_t *lock);

#endif
