#define _GNU_SOURCE 1
#include "lock.h"

_Thread_local char copal__thread_is_here;

int copal__lock_init(copal__lock_t *lock)
{
    int status = pthread_mutex_init(&lock->mutex, NULL);
    if (status != 0)
        return status;
    status = pthread_cond_init(&lock->freed, NULL);
    if (status != 0) {
        pthread_mutex_destroy(&lock->mutex);
        return status;
    }
    status = pthread_cond_init(&lock->changed, NULL);
    if (status != 0) {
        pthread_cond_destroy(&lock->freed);
        pthread_mutex_destroy(&lock->mutex);
    }
    return status;
}

void copal__lock_destroy(copal__lock_t *lock)
{
    pthread_cond_destroy(&lock->changed);
    pthread_cond_destroy(&lock->freed);
    pthread_mutex_destroy(&lock->mutex);
}

static bool grab(copal__lock_t *lock)
{
    bool expected = false;
    return atomic_compare_exchange_strong(&lock->held, &expected, true);
}

/* Inside `mutex`. */
static void stand_in_line(copal__lock_t *lock)
{
    unsigned number = lock->next++;
    atomic_fetch_add(&lock->waiting, 1);
    while (number != lock->served || !grab(lock))
        pthread_cond_wait(&lock->freed, &lock->mutex);
    atomic_fetch_sub(&lock->waiting, 1);
    lock->served++;
}

static void own(copal__lock_t *lock)
{
    atomic_store_explicit(&lock->owner, copal__thread(), memory_order_relaxed);
    lock->depth = 1;
}

static void wait_in_line(copal__lock_t *lock)
{
    pthread_mutex_lock(&lock->mutex);
    stand_in_line(lock);
    pthread_mutex_unlock(&lock->mutex);
    own(lock);
}

void copal__lock_enter(copal__lock_t *lock)
{
    if (copal__lock_is_mine(lock))
        lock->depth++;
    else if (atomic_load_explicit(&lock->waiting, memory_order_relaxed) == 0 && grab(lock))
        own(lock);
    else
        wait_in_line(lock);
}

/* Both of these are sequentially consistent, and so is what who waits does first: count himself, then try to grab.
 * So either he is seen here, or he sees that it is free. */
static bool let_go(copal__lock_t *lock)
{
    atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
    atomic_store(&lock->held, false);
    return atomic_load(&lock->waiting) > 0;
}

static void call_next(copal__lock_t *lock)
{
    pthread_mutex_lock(&lock->mutex);
    pthread_cond_broadcast(&lock->freed);
    pthread_mutex_unlock(&lock->mutex);
}

void copal__lock_leave(copal__lock_t *lock)
{
    if (--lock->depth == 0 && let_go(lock))
        call_next(lock);
}

void copal__lock_yield(copal__lock_t *lock)
{
    if (atomic_load_explicit(&lock->waiting, memory_order_relaxed) == 0)
        return;
    copal__lock_leave(lock);
    copal__lock_enter(lock);
}

void copal__lock_wait(copal__lock_t *lock)
{
    pthread_mutex_lock(&lock->mutex);
    unsigned seen = lock->changes;
    if (let_go(lock))
        pthread_cond_broadcast(&lock->freed);
    while (lock->changes == seen)
        pthread_cond_wait(&lock->changed, &lock->mutex);
    stand_in_line(lock);
    pthread_mutex_unlock(&lock->mutex);
    own(lock);
}

void copal__lock_notify(copal__lock_t *lock)
{
    pthread_mutex_lock(&lock->mutex);
    lock->changes++;
    pthread_cond_broadcast(&lock->changed);
    pthread_mutex_unlock(&lock->mutex);
}
