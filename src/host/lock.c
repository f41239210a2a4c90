#define _GNU_SOURCE 1
#include "lock.h"

uintptr_t copal__thread(void)
{
    static _Thread_local char here;
    return (uintptr_t)&here;
}

int copal__lock_init(copal__lock_t *lock)
{
    int status = pthread_mutex_init(&lock->mutex, NULL);
    if (status != 0)
        return status;
    status = pthread_mutex_init(&lock->gate, NULL);
    if (status != 0) {
        pthread_mutex_destroy(&lock->mutex);
        return status;
    }
    status = pthread_cond_init(&lock->changed, NULL);
    if (status != 0) {
        pthread_mutex_destroy(&lock->gate);
        pthread_mutex_destroy(&lock->mutex);
    }
    return status;
}

void copal__lock_destroy(copal__lock_t *lock)
{
    pthread_cond_destroy(&lock->changed);
    pthread_mutex_destroy(&lock->gate);
    pthread_mutex_destroy(&lock->mutex);
}

bool copal__lock_is_mine(const copal__lock_t *lock)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == copal__thread();
}

static void take(copal__lock_t *lock)
{
    bool nobody = atomic_load_explicit(&lock->waiting, memory_order_relaxed) == 0;
    if (nobody && pthread_mutex_trylock(&lock->mutex) == 0)
        return;
    atomic_fetch_add(&lock->waiting, 1);
    pthread_mutex_lock(&lock->gate);
    pthread_mutex_lock(&lock->mutex);
    pthread_mutex_unlock(&lock->gate);
    atomic_fetch_sub(&lock->waiting, 1);
}

void copal__lock_enter(copal__lock_t *lock)
{
    if (!copal__lock_is_mine(lock)) {
        take(lock);
        atomic_store_explicit(&lock->owner, copal__thread(), memory_order_relaxed);
    }
    lock->depth++;
}

void copal__lock_leave(copal__lock_t *lock)
{
    if (--lock->depth > 0)
        return;
    atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
    pthread_mutex_unlock(&lock->mutex);
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
    lock->depth = 0;
    atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
    pthread_cond_wait(&lock->changed, &lock->mutex);
    atomic_store_explicit(&lock->owner, copal__thread(), memory_order_relaxed);
    lock->depth = 1;
}

void copal__lock_notify(copal__lock_t *lock)
{
    pthread_cond_broadcast(&lock->changed);
}
