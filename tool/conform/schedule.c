/* Running all cases: several at a time, each on a thread; most of their time they wait. */
#define _POSIX_C_SOURCE 200809L
#include "conform.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct {
    conform_result_t *result;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a case is done */
    bool *begun, *done;
    bool writing; /* a case is running that writes */
} schedule_t;

/** Whether a role is played by the resource that is written. */
static bool is_written(const conform_target_t *target, conform_role_t role)
{
    return target->named[ROLE_PUT] && target->named[role] &&
           conform_same(target->paths[ROLE_PUT].encoded, target->paths[role].encoded);
}

/** What writes must not meet another that does, nor one that expects the same state twice: each looks at what it has written. */
static bool writes(const conform_t *c)
{
    const unsigned needs = c->subject->needs;
    return (needs & NEEDS(PUT)) || ((needs & NEEDS(OBSERVE)) && is_written(c->target, ROLE_OBSERVE)) ||
           ((needs & NEEDS(LARGE)) && is_written(c->target, ROLE_LARGE));
}

/** The next case that may begin. `count`: none; `*wait`: one will, later. */
static size_t choose(const schedule_t *s, bool *wait)
{
    *wait = false;
    for (size_t i = 0; i < s->result->count; i++) {
        if (s->begun[i])
            continue;
        if (!s->writing || !writes(&s->result->cases[i]))
            return i;
        *wait = true;
    }
    return s->result->count;
}

static void *work(void *context)
{
    schedule_t *s = context;
    bool wait;
    pthread_mutex_lock(&s->lock);
    for (size_t i; (i = choose(s, &wait)) < s->result->count || wait;) {
        if (i == s->result->count) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        conform_t *c = &s->result->cases[i];
        bool exclusive = writes(c);
        s->begun[i] = true;
        s->writing = s->writing || exclusive;
        pthread_mutex_unlock(&s->lock);
        conform_run(c);
        pthread_mutex_lock(&s->lock);
        s->done[i] = true;
        s->writing = s->writing && !exclusive;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void tell_in_order(schedule_t *s, void (*told)(const conform_t *c))
{
    for (size_t i = 0; i < s->result->count; i++) {
        pthread_mutex_lock(&s->lock);
        while (!s->done[i])
            pthread_cond_wait(&s->changed, &s->lock);
        pthread_mutex_unlock(&s->lock);
        if (told)
            told(&s->result->cases[i]);
    }
}

bool conform_schedule(conform_result_t *result, size_t parallel, void (*told)(const conform_t *c))
{
    schedule_t s = {.result = result};
    pthread_t *threads = conform_memory(calloc(parallel, sizeof *threads));
    s.begun = conform_memory(calloc(result->count + 1, sizeof *s.begun));
    s.done = conform_memory(calloc(result->count + 1, sizeof *s.done));
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.changed, NULL);
    size_t started = 0;
    while (started < parallel && pthread_create(&threads[started], NULL, work, &s) == 0)
        started++;
    if (started)
        tell_in_order(&s, told);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&s.changed);
    pthread_mutex_destroy(&s.lock);
    free(s.begun);
    free(s.done);
    free(threads);
    return started > 0;
}
