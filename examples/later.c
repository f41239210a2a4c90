/* A server that answers later, from another thread: the client hears at once that its request has arrived (an empty
 * acknowledgement), and gets the answer as a message of its own.
 *
 *     $ build/examples/later &
 *     $ build/copal get coap://localhost/slow
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include "copal/host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A request that waits for its answer. */
typedef struct {
    copal_host_t *host;
    copal_handle_t later;
} job_t;

static void write_result(void *user, copal_writer_t *w)
{
    (void)user;
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 0);
    copal_write_text(w, "that took a while");
}

static void *work(void *context)
{
    job_t *job = context;
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    copal_host_reply(job->host, job->later, COPAL_CONTENT, write_result, NULL);
    free(job);
    return NULL;
}

static void slow(void *user, copal_call_t *call)
{
    pthread_t thread;
    job_t *job = malloc(sizeof *job);
    if (job)
        *job = (job_t){.host = user};
    if (!job || copal_defer(call, &job->later) < 0) {
        copal_reply_text(call, COPAL_SERVICE_UNAVAILABLE, "busy");
        free(job);
    } else if (pthread_create(&thread, NULL, work, job) == 0) {
        pthread_detach(thread);
    } else {
        copal_host_reply(job->host, job->later, COPAL_INTERNAL_SERVER_ERROR, NULL, NULL);
        free(job);
    }
}

int main(int argc, char **argv)
{
    copal_host_t *host;
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_PORT;
    if (copal_host_open(&host, NULL) < 0 || copal_host_listen(host, "::", port, &port) < 0) {
        perror("later");
        return 1;
    }
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = slow, .user = host};
    copal_tree_add_handler(copal_host_tree(host), "slow", &handler, NULL);
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);
    return copal_host_run(host) < 0;
}
