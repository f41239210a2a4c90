/* What is to be had by DTLS, shown to who asks by multicast: the links to it, and nothing else. */
#define _GNU_SOURCE 1
#include "host.h"

#include <stdio.h>
#include <string.h>

/* The socket that answers a call. */
static const copal__socket_t *socket_of(const copal__side_t *server, const copal_call_t *call)
{
    return &server->sockets[COPAL__VIA_SOCKET(call->from->via)];
}

static bool is_discovery(const copal_call_t *call)
{
    char path[32];
    return copal_path_text(path, sizeof path, call->options->path) > 0 && strcmp(path, ".well-known/core") == 0;
}

void copal__host_serve(void *context, copal_call_t *call)
{
    const copal__worker_t *worker = context;
    if (socket_of(&worker->server, call)->shown > 0 && !is_discovery(call))
        copal_reply_text(call, COPAL_NOT_FOUND, NULL);
    else
        worker->service.handle(worker->service.context, call);
}

bool copal__host_ready(void *context, const copal_from_t *from, copal_bytes_t path, copal_bytes_t *answer)
{
    const copal__worker_t *worker = context;
    return worker->server.sockets[COPAL__VIA_SOCKET(from->via)].shown == 0 &&
           worker->service.ready(worker->service.context, from, path, answer);
}

void copal__host_refused(void *context, const copal_endpoint_t *endpoint, copal_handle_t later)
{
    const copal__worker_t *worker = context;
    worker->service.refused(worker->service.context, endpoint, later);
}

/* A zone is of no use to another machine. Only the first worker has such sockets. */
size_t copal__host_origin(void *user, const copal_call_t *call, char *out)
{
    const copal_host_t *host = user;
    const copal__side_t *server = &host->workers[0].server;
    const uint8_t shown = call->endpoint == server->endpoint ? socket_of(server, call)->shown : 0;
    copal_peer_t own, secured;
    char address[64];
    if (shown == 0 || copal__side_local(server, COPAL__VIA_SOCKET(call->from->via), &own) != 0 ||
        copal__side_local(server, shown - 1u, &secured) != 0)
        return 0;
    copal_peer_to_text(&own, address, sizeof address, NULL);
    address[strcspn(address, "%")] = 0;
    const uint16_t port = copal__peer_port(&secured);
    const bool six = strchr(address, ':') != NULL;
    int size = snprintf(out, COPAL_ORIGIN_SIZE, "coaps://%s%s%s", six ? "[" : "", address, six ? "]" : "");
    if (port != COPAL_SECURE_PORT)
        size += snprintf(out + size, COPAL_ORIGIN_SIZE - (size_t)size, ":%u", (unsigned)port);
    return (size_t)size;
}
