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

/* Inside `mutex`. */
static void stand_in_line(copal__lock_t *lock)
{
    unsigned number = lock->next++;
    atomic_fetch_add(&lock->waiting, 1);
    while (number != lock->served || !copal__lock_grab(lock))
        pthread_cond_wait(&lock->freed, &lock->mutex);
    atomic_fetch_sub(&lock->waiting, 1);
    lock->served++;
}

void copal__lock_stand_in_line(copal__lock_t *lock)
{
    pthread_mutex_lock(&lock->mutex);
    stand_in_line(lock);
    pthread_mutex_unlock(&lock->mutex);
    copal__lock_own(lock);
}

void copal__lock_call_next(copal__lock_t *lock)
{
    pthread_mutex_lock(&lock->mutex);
    pthread_cond_broadcast(&lock->freed);
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
    pthread_mutex_lock(&lock->mutex);
    unsigned seen = lock->changes;
    if (copal__lock_let_go(lock))
        pthread_cond_broadcast(&lock->freed);
    while (lock->changes == seen)
        pthread_cond_wait(&lock->changed, &lock->mutex);
    stand_in_line(lock);
    pthread_mutex_unlock(&lock->mutex);
    copal__lock_own(lock);
}

void copal__lock_notify(copal__lock_t *lock)
{
    pthread_mutex_lock(&lock->mutex);
    lock->changes++;
    pthread_cond_broadcast(&lock->changed);
    pthread_mutex_unlock(&lock->mutex);
}
