/* The driver for systems with threads and signals: a thread of our own turns the host, and a signal wakes the main one.
 *
 * mp_sched_schedule alone is heard only at the end of a time.sleep(); a signal without SA_RESTART ends the wait, the
 * scheduler runs, and MicroPython sleeps for the rest. One that comes just before the wait begins is lost, so it is
 * sent again until the drain has run. */
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
static copal_host_t *volatile turned;   /* what `thread` turns, or NULL */
static volatile sig_atomic_t deferring; /* whether Ctrl-C waits for MicroPython to look */
static void (*jump)(int);               /* MicroPython's handler, which does not wait */

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
            coap_drain_calm_prompt();
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
    if (errno != 0) {
        return COPAL_ESYSTEM;
    }
    turned = host;
    return 0;
}

void coap_driver_stop(copal_host_t *host)
{
    turned = NULL;
    atomic_store(&stopping, true);
    copal_host_stop(host);
    pthread_join(thread, NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void coap_driver_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void coap_driver_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* ---- Ctrl-C ------------------------------------------------------------------------------------- */

static void interrupted(int signal)
{
    int before = errno;
    copal_host_t *host = turned;
    if (!pthread_equal(pthread_self(), main_thread)) {
        pthread_kill(main_thread, signal); /* another thread of the script's took it */
    } else if (!deferring) {
        jump(signal);
    } else {
        mp_sched_keyboard_interrupt();
        if (host != NULL) {
            copal_host_stop(host); /* ends its sleep: it sees to it that the main thread looks */
        }
    }
    errno = before;
}

void coap_defer_interrupt(void)
{
    struct sigaction now;
    sigaction(SIGINT, NULL, &now);
    if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN && now.sa_handler != interrupted) {
        jump = now.sa_handler;
        struct sigaction deferred = {.sa_handler = interrupted};
        sigaction(SIGINT, &deferred, NULL);
    }
    deferring = true;
}

void coap_allow_interrupt(void)
{
    deferring = false;
}
