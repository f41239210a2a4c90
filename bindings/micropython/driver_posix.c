/* The driver for systems with threads and signals: a thread of our own turns the host, and a signal wakes the main one.
 *
 * mp_sched_schedule alone is heard only at the end of a time.sleep(); a signal without SA_RESTART ends the wait, the scheduler
 * runs, and MicroPython sleeps for the rest. One that comes just before the wait begins is lost, so it is sent again until
 * the drain has run. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network_coap.h"

#define WAKE_SIGNAL (SIGRTMIN + 6) /* MicroPython's collector has the one before */
#define WAKE_AGAIN 10              /* milliseconds */

static pthread_t main_thread, thread;
static atomic_bool stopping;

/* Scheduled functions run on the main thread only, and init() may be called from another. */
__attribute__((constructor)) static void remember_main_thread(void)
{
    main_thread = pthread_self();
}

static void nothing(int signal)
{
    (void)signal;
}

static void *turn(void *argument)
{
    copal_host_t *host = argument;
    while (!atomic_load(&stopping)) {
        if (copal_host_step(host, coap_drain_wanted() ? WAKE_AGAIN : -1) != 0) {
            fprintf(stderr, "network.Coap ends: %s\n", strerror(errno));
            break;
        }
        if (coap_drain_wanted()) {
            coap_drain_schedule();
            pthread_kill(main_thread, WAKE_SIGNAL);
        }
    }
    return NULL;
}

int coap_driver_start(copal_host_t *host)
{
    static bool prepared;
    if (!prepared) {
        struct sigaction wake = {.sa_handler = nothing};
        if (sigaction(WAKE_SIGNAL, &wake, NULL) != 0 || atexit(coap_close) != 0) {
            return COPAL_ESYSTEM;
        }
        prepared = true;
    }
    atomic_store(&stopping, false);
    /* The thread inherits the mask: a Ctrl-C that it took would jump into the main thread's stack. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&thread, NULL, turn, host);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return errno == 0 ? 0 : COPAL_ESYSTEM;
}

void coap_driver_stop(copal_host_t *host)
{
    atomic_store(&stopping, true);
    copal_host_stop(host);
    pthread_join(thread, NULL);
}

bool coap_hold_interrupt(void)
{
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, &before);
    return sigismember(&before, SIGINT) == 1;
}

void coap_release_interrupt(bool held_before)
{
    if (!held_before) {
        sigset_t interrupt;
        sigemptyset(&interrupt);
        sigaddset(&interrupt, SIGINT);
        pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
    }
}
