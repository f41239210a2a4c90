/* Listening: sockets for all workers on each address. */
#define _GNU_SOURCE 1
#include "../dtls/backend.h"
#include "group.h"
#include "host.h"

#include <errno.h>
#include <unistd.h>

static int close_all(const int *fds, uint32_t count)
{
    const int reason = errno;
    while (count > 0)
        close(fds[--count]);
    errno = reason;
    return COPAL_ESYSTEM;
}

/* A socket for each worker. The first is bound alone, so that one that is there already is known of, and shares from then on. */
static int bind_all(const copal_host_t *host, copal_peer_t *local, bool dual, int *fds)
{
    for (uint32_t i = 0; i < host->worker_count; i++) {
        fds[i] = copal__side_bind(&host->workers[i].server, local, dual, i > 0);
        if (fds[i] < 0)
            return close_all(fds, i);
        if (i == 0 && host->worker_count > 1 && copal__udp_share(fds[0]) != 0)
            return close_all(fds, 1);
    }
    return 0;
}

/* "::" takes IPv4 too; on a machine without IPv6 it takes IPv4 alone. */
static int open_server(const copal_host_t *host, copal_peer_t *local, int *fds)
{
    const bool dual = copal__peer_family(local) == AF_INET6 && copal__peer_is_any(local);
    copal_peer_t any = {.size = COPAL__PEER_IPV4};
    any.data[4] = local->data[16];
    any.data[5] = local->data[17];
    const int status = bind_all(host, local, dual, fds);
    if (status == 0 || !dual || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return status;
    *local = any;
    return bind_all(host, local, false, fds);
}

/* The first worker has the most sockets, and is the only one that may have no room. */
static bool add(copal__worker_t *worker, int fd, int family, copal_credentials_t *credentials)
{
    copal__side_t *server = &worker->server;
    copal__worker_enter(worker);
    const bool room = server->count < COPAL__SOCKETS;
    if (room) {
        copal__socket_t *socket = &server->sockets[copal__side_add(server, fd, family)];
        socket->secure = credentials != NULL;
        socket->credentials = credentials ? copal__credentials_hold(credentials) : NULL;
        copal__worker_wake(worker);
    }
    copal__worker_leave(worker);
    return room;
}

/* `credentials` NULL: without DTLS. */
static int listen_on(copal_host_t *host, copal_credentials_t *credentials, const char *address, uint16_t port,
                     uint16_t *bound)
{
    int fds[COPAL__WORKERS];
    copal_peer_t local;
    int status = copal_peer_from_text(&local, address, port, false);
    if (status < 0)
        return status;
    if (copal_peer_is_group(&local))
        return COPAL_EINVAL;
    status = open_server(host, &local, fds);
    if (status < 0)
        return status;
    for (uint32_t i = 0; i < host->worker_count; i++) {
        if (add(&host->workers[i], fds[i], copal__peer_family(&local), credentials))
            continue;
        close_all(fds, host->worker_count);
        return COPAL_EFULL;
    }
    if (bound)
        *bound = copal__peer_port(&local);
    return 0;
}

/* Whether a server of this host can be known by them. */
static int check(const copal_host_t *host, const copal_credentials_t *credentials)
{
    if (!host->dtls)
        return COPAL_EUNSUPPORTED;
    return copal__credentials_server(credentials) && copal__credentials_backend(credentials) == host->dtls ? 0 : COPAL_EINVAL;
}

int copal_host_listen(copal_host_t *host, const char *address, uint16_t port, uint16_t *bound)
{
    return listen_on(host, NULL, address, port, bound);
}

int copal_host_listen_secure(copal_host_t *host, copal_credentials_t *credentials, const char *address, uint16_t port,
                             uint16_t *bound)
{
    const int status = check(host, credentials);
    return status < 0 ? status : listen_on(host, credentials, address, port, bound);
}

/* The kernel chooses a worker's socket among those that share an address, and there is one. */
int copal_host_adopt(copal_host_t *host, copal_credentials_t *credentials, int fd, copal_peer_t *local)
{
    copal_peer_t bound;
    if (host->worker_count > 1)
        return COPAL_EUNSUPPORTED;
    int status = credentials ? check(host, credentials) : 0;
    if (status == 0)
        status = copal__side_adopt(fd, &bound);
    if (status < 0)
        return status;
    if (!add(&host->workers[0], fd, status, credentials))
        return COPAL_EFULL;
    if (local)
        *local = bound;
    return 0;
}

/* ---- other credentials --------------------------------------------------------------------------------- */

/* Whether any socket of the worker's had the former ones. */
static bool replace(copal__worker_t *worker, const copal_credentials_t *former, copal_credentials_t *credentials)
{
    bool found = false;
    copal__worker_enter(worker);
    copal__worker_settle(worker); /* a turn under way may be in the middle of a datagram for the former ones */
    for (uint8_t i = 0; i < worker->server.count; i++) {
        copal__socket_t *socket = &worker->server.sockets[i];
        if (!former || socket->credentials != former)
            continue;
        found = true;
        copal_credentials_close(socket->credentials);
        socket->credentials = copal__credentials_hold(credentials);
    }
    copal__worker_leave(worker);
    return found;
}

int copal_host_replace_credentials(copal_host_t *host, const copal_credentials_t *former, copal_credentials_t *credentials)
{
    bool found = false;
    if (copal__host_is_inside(host) || !host->dtls || check(host, credentials) < 0)
        return COPAL_EINVAL;
    for (uint32_t i = 0; i < host->worker_count; i++)
        found |= replace(&host->workers[i], former, credentials);
    return found ? 0 : COPAL_ENOTFOUND;
}

/* ---- groups ------------------------------------------------------------------------------------------- */

/* What listens without DTLS, or where there is nothing of that what listens by it. */
static int become_discoverable(copal__side_t *server)
{
    const uint8_t count = server->count;
    int heard = 0;
    bool plain = false;
    for (uint8_t i = 0; i < count; i++)
        plain |= !server->sockets[i].secure;
    for (uint8_t i = 0; i < count && heard >= 0; i++) {
        const bool secure = server->sockets[i].secure;
        const int more = secure && plain ? 0 : secure ? copal__groups_show(server, i) : copal__groups_hear(server, i);
        heard = more < 0 ? more : heard + more;
    }
    if (heard <= 0)
        copal__side_cut(server, count);
    return heard > 0 ? 0 : heard < 0 ? heard : COPAL_ENOTFOUND;
}

static void hear_groups(copal__worker_t *worker)
{
    copal__worker_enter(worker);
    copal_endpoint_hear_groups(worker->server.endpoint);
    copal__worker_wake(worker);
    copal__worker_leave(worker);
}

/* The sockets of the first worker alone join: of a datagram to a group each that did gets a copy. But Linux (6.18, say) may
 * hand that one copy to any of those that share an address, so that whichever worker gets it has to answer. */
int copal_host_discoverable(copal_host_t *host)
{
    copal__host_enter(host);
    const int status = host->discoverable ? COPAL_EEXIST : become_discoverable(&host->workers[0].server);
    host->discoverable |= status == 0;
    copal__host_leave(host);
    for (uint32_t i = 0; i < host->worker_count && status == 0; i++)
        hear_groups(&host->workers[i]);
    return status;
}
