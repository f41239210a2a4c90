#define _GNU_SOURCE 1
#include "host/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static copal__lock_t *make(copal__lock_t *lock)
{
    assert_int_equal(copal__lock_init(lock), 0);
    return lock;
}

static void the_same_thread_may_enter_again(void **state)
{
    copal__lock_t lock = {0};
    (void)state;
    make(&lock);
    assert_false(copal__lock_is_mine(&lock));
    copal__lock_enter(&lock);
    copal__lock_enter(&lock);
    copal__lock_leave(&lock);
    assert_true(copal__lock_is_mine(&lock));
    copal__lock_leave(&lock);
    assert_false(copal__lock_is_mine(&lock));
    copal__lock_destroy(&lock);
}

typedef struct {
    copal__lock_t lock;
    int count; /* inside the lock */
} shared_t;

static void *count_inside(void *context)
{
    shared_t *shared = context;
    for (int i = 0; i < 20000; i++) {
        copal__lock_enter(&shared->lock);
        shared->count++;
        copal__lock_leave(&shared->lock);
    }
    return NULL;
}

static void threads_exclude_each_other(void **state)
{
    shared_t shared = {0};
    pthread_t threads[4];
    (void)state;
    make(&shared.lock);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_inside, &shared), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.count, 80000);
    copal__lock_destroy(&shared.lock);
}

/* This thread never leaves but in yield: it ends only if the other one gets in there. */
static void who_waits_gets_it_when_it_is_yielded(void **state)
{
    shared_t shared = {0};
    pthread_t thread;
    (void)state;
    make(&shared.lock);
    copal__lock_enter(&shared.lock);
    assert_int_equal(pthread_create(&thread, NULL, count_inside, &shared), 0);
    while (shared.count < 100)
        copal__lock_yield(&shared.lock);
    assert_true(copal__lock_is_mine(&shared.lock));
    copal__lock_leave(&shared.lock);
    pthread_join(thread, NULL);
    copal__lock_destroy(&shared.lock);
}

static void *notify(void *context)
{
    shared_t *shared = context;
    copal__lock_enter(&shared->lock);
    shared->count = 1;
    copal__lock_notify(&shared->lock);
    copal__lock_leave(&shared->lock);
    return NULL;
}

static void who_waits_for_a_change_leaves_it_meanwhile(void **state)
{
    shared_t shared = {0};
    pthread_t thread;
    (void)state;
    make(&shared.lock);
    copal__lock_enter(&shared.lock);
    assert_int_equal(pthread_create(&thread, NULL, notify, &shared), 0);
    while (shared.count == 0)
        copal__lock_wait(&shared.lock);
    assert_true(copal__lock_is_mine(&shared.lock));
    copal__lock_leave(&shared.lock);
    pthread_join(thread, NULL);
    copal__lock_destroy(&shared.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_thread_may_enter_again),
        cmocka_unit_test(threads_exclude_each_other),
        cmocka_unit_test(who_waits_gets_it_when_it_is_yielded),
        cmocka_unit_test(who_waits_for_a_change_leaves_it_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
