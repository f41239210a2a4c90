#define _POSIX_C_SOURCE 200809L
#include "watch.h"

#include "copal/counters.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUIET = 5 }; /* seconds in which nothing more came, until it is over */

/** What lasts as long as a counter goes up. */
static const struct {
    size_t counter; /* within copal_host_counters_t */
    const char *what, *text;
} conditions[] = {
    {offsetof(copal_host_counters_t, server.withheld), "guard",
     "answers to addresses that may be forged are cut, challenged or dropped (--guard)"},
    {offsetof(copal_host_counters_t, server.refused), "full",
     "requests get 5.03 or 4.29: a bound is reached (--memory)"},
    {offsetof(copal_host_counters_t, server.unobserved), "observers", "no room for more observations (--memory)"},
    {offsetof(copal_host_counters_t, server_sockets.overflowed), "overflow",
     "datagrams come quicker than they are read"},
    {offsetof(copal_host_counters_t, server.answers[2]), "errors", "requests are answered with 5.xx"},
};
enum { CONDITIONS = sizeof conditions / sizeof *conditions };

struct tool_watch_t {
    copal_host_t *host;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t closed;
    bool closing;
    struct {
        uint64_t last, before; /* the counter's value, and that from before it began */
        unsigned quiet;        /* seconds left until it is over; 0: it is */
    } states[CONDITIONS];
};

static uint64_t counter(const copal_host_counters_t *counters, size_t i)
{
    uint64_t value;
    memcpy(&value, (const char *)counters + conditions[i].counter, sizeof value);
    return value;
}

static void look(tool_watch_t *watch)
{
    copal_host_counters_t counters;
    copal_host_counters(watch->host, &counters);
    for (size_t i = 0; i < CONDITIONS; i++) {
        const uint64_t now = counter(&counters, i), last = watch->states[i].last;
        watch->states[i].last = now;
        if (now != last) {
            if (watch->states[i].quiet == 0) {
                watch->states[i].before = last;
                tool_log_condition(conditions[i].what, true, conditions[i].text);
            }
            watch->states[i].quiet = QUIET;
        } else if (watch->states[i].quiet > 0 && --watch->states[i].quiet == 0) {
            char text[64];
            snprintf(text, sizeof text, "over, after %" PRIu64, now - watch->states[i].before);
            tool_log_condition(conditions[i].what, false, text);
        }
    }
    tool_log_second();
}

static void *run(void *context)
{
    tool_watch_t *watch = context;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    pthread_mutex_lock(&watch->lock);
    while (!watch->closing) {
        at.tv_sec++;
        while (!watch->closing && pthread_cond_timedwait(&watch->closed, &watch->lock, &at) != ETIMEDOUT)
            ;
        pthread_mutex_unlock(&watch->lock);
        look(watch);
        pthread_mutex_lock(&watch->lock);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

/** Signals are the main thread's. */
static int start(tool_watch_t *watch)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&watch->thread, NULL, run, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

tool_watch_t *tool_watch_open(copal_host_t *host)
{
    tool_watch_t *watch = calloc(1, sizeof *watch);
    pthread_condattr_t attributes;
    if (!watch) {
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
        return NULL;
    }
    watch->host = host;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->closed, &attributes);
    pthread_condattr_destroy(&attributes);
    const int error = start(watch);
    if (error == 0)
        return watch;
    tool_say("%s\n", strerror(error));
    pthread_cond_destroy(&watch->closed);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
    return NULL;
}

void tool_watch_close(tool_watch_t *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->closing = true;
    pthread_cond_signal(&watch->closed);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->closed);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}
