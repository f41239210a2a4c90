/* Serves a host from a poll() loop of your own:
 *
 *     struct pollfd fds[1 + COPAL_HOST_DESCRIPTORS] = {{.fd = mine, .events = POLLIN}};
 *     for (;;) {
 *         int timeout = -1;
 *         nfds_t count = 1 + copal_poll_prepare(host, fds + 1, COPAL_HOST_DESCRIPTORS, &timeout);
 *         poll(fds, count, timeout);
 *         if (fds[0].revents) ...
 *         copal_poll_serve(host);
 *     }
 */
#ifndef COPAL_ADAPTERS_POLL_H
#define COPAL_ADAPTERS_POLL_H

#include "copal/host.h"

#include <poll.h>

/** Fills in the host's descriptors, at most `capacity` and COPAL_HOST_DESCRIPTORS, which is always enough for a host with one
 *  worker, and returns how many. Lowers `*timeout` (-1: never) where the host needs to be served earlier. To be called before each
 *  poll(). */
static inline nfds_t copal_poll_prepare(copal_host_t *host, struct pollfd *fds, size_t capacity, int *timeout)
{
    int descriptors[COPAL_HOST_DESCRIPTORS];
    size_t count = copal_host_descriptors(host, descriptors, COPAL_HOST_DESCRIPTORS);
    if (count > capacity)
        count = capacity;
    if (count > COPAL_HOST_DESCRIPTORS)
        count = COPAL_HOST_DESCRIPTORS;
    for (size_t i = 0; i < count; i++) {
        fds[i].fd = descriptors[i];
        fds[i].events = POLLIN;
        fds[i].revents = 0;
    }
    int due = copal_host_timeout(host);
    if (due >= 0 && (*timeout < 0 || due < *timeout))
        *timeout = due;
    return (nfds_t)count;
}

/** Does what there is to do. To be called after each poll(). 0, or COPAL_ESYSTEM. */
static inline int copal_poll_serve(copal_host_t *host)
{
    return copal_host_step(host, 0);
}

#endif
