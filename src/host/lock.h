/* The host's lock: the same thread may take it again, and the thread that runs the host, which takes it over and over, cannot
 * keep another one out. */
#ifndef COPAL_HOST_LOCK_H
#define COPAL_HOST_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    pthread_mutex_t mutex;
    pthread_mutex_t gate;  /* who found the mutex taken waits for it in here, ahead of whoever comes later */
    atomic_uint waiting;
    atomic_uintptr_t owner;
    unsigned depth;
    pthread_cond_t changed;
} copal__lock_t;

/** 0, or an errno. */
int copal__lock_init(copal__lock_t *lock);
void copal__lock_destroy(copal__lock_t *lock);

void copal__lock_enter(copal__lock_t *lock);
void copal__lock_leave(copal__lock_t *lock);

/** Lets another thread have it that waits for it; then enters it again. Entered once. */
void copal__lock_yield(copal__lock_t *lock);

/** Whether this thread holds it. */
bool copal__lock_is_mine(const copal__lock_t *lock);

/** Leaves it, entered once, until another thread calls copal__lock_notify; then enters it again. */
void copal__lock_wait(copal__lock_t *lock);
void copal__lock_notify(copal__lock_t *lock);

/** A number that no other living thread has. */
uintptr_t copal__thread(void);

#endif
