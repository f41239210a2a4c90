#define _GNU_SOURCE 1
#include "host.h"
#include "../dtls/backend.h"
#include "group.h"
#include "scale.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- open and close ------------------------------------------------------------------------------- */

static void exclude_enter(void *mutex)
{
    pthread_mutex_lock(mutex);
}
static void exclude_leave(void *mutex)
{
    pthread_mutex_unlock(mutex);
}

static int init_exclusion(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t recursive;
    int status = pthread_mutexattr_init(&recursive);
    if (status != 0)
        return status;
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    status = pthread_mutex_init(mutex, &recursive);
    pthread_mutexattr_destroy(&recursive);
    return status;
}

/* What the system has to give, all of it or nothing. 0, or an errno. */
static int init_system(copal_host_t *host)
{
    if (copal__wake_open(host->wake) != 0)
        return errno;
    int status = copal__lock_init(&host->lock);
    if (status == 0) {
        status = init_exclusion(&host->exclusion);
        if (status != 0)
            copal__lock_destroy(&host->lock);
    }
    if (status != 0)
        copal__wake_close(host->wake);
    return status;
}

/* The tree's callbacks share one pointer, which is the host. */
static void created(void *user, copal_tree_t *tree, copal_handle_t resource)
{
    copal_host_t *host = user;
    if (host->created)
        host->created(host->user, tree, resource);
}

static copal_code_t patch(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t change, uint8_t *out,
                          size_t *size)
{
    const copal_host_t *host = user;
    return host->patch(host->user, format, value, change, out, size);
}

static int init_tree(copal_host_t *host, const copal__layout_t *layout, const copal_host_config_t *config)
{
    copal_tree_config_t tree = {
        .limits = config->tree,
        .exclusion = {exclude_enter, exclude_leave, &host->exclusion},
        .random = host->random,
        .random_state = host->random_state,
        .first_only = config->first_only,
        .dynamic = config->dynamic,
        .post_creates = config->post_creates,
        .observable = true,
        .patch = config->patch ? patch : NULL,
        .changed = copal__host_changed,
        .origin = config->dtls ? copal__host_origin : NULL,
        .created = created,
        .user = host,
    };
    return copal_tree_init(&host->tree, layout->tree, layout->tree_size, &tree);
}

static void init_side(copal_host_t *host, copal__side_t *side, const copal_host_config_t *config)
{
    side->locals = &host->locals;
    side->batch = &host->batch;
    side->trace = config->trace;
    side->user = config->user;
}

static int init_dtls(copal_host_t *host, const copal__layout_t *layout, const copal_host_config_t *config)
{
    if (!config->dtls)
        return 0;
    copal_dtls_config_t dtls = {
        .backend = config->dtls,
        .limits = config->server_dtls,
        .random = host->random,
        .random_state = host->random_state,
    };
    int status = copal__side_secure(&host->server, layout->server_dtls, layout->server_dtls_size, &dtls);
    if (status < 0)
        return status;
    dtls.limits = config->client_dtls;
    return copal__side_secure(&host->client, layout->client_dtls, layout->client_dtls_size, &dtls);
}

static int init_core(copal_host_t *host, const copal__layout_t *layout, const copal_host_config_t *config)
{
    int status = init_tree(host, layout, config);
    if (status < 0)
        return status;
    host->service = copal_tree_service(host->tree, 0);
    copal_config_t endpoint = {
        .limits = config->server,
        .timing = config->timing,
        .random = host->random,
        .random_state = host->random_state,
        .service = host->service,
    };
    if (config->dtls) {
        endpoint.service.handle = copal__host_serve;
        endpoint.service.context = host;
    }
    init_side(host, &host->server, config);
    init_side(host, &host->client, config);
    host->client.client = true;
    status = copal_endpoint_init(&host->server.endpoint, layout->server, layout->server_size, &endpoint);
    if (status < 0)
        return status;
    endpoint.limits = config->client;
    endpoint.service = (copal_service_t){0};
    status = copal_endpoint_init(&host->client.endpoint, layout->client, layout->client_size, &endpoint);
    return status < 0 ? status : init_dtls(host, layout, config);
}

static int init(copal_host_t *host, const copal__layout_t *layout, const copal_host_config_t *config)
{
    host->batch = layout->batch;
    host->dtls = config->dtls;
    host->moves = config->client.counters > 1;
    host->body_size = config->memory;
    host->created = config->created;
    host->patch = config->patch;
    host->user = config->user;
    host->random = config->random ? config->random : copal__host_random;
    host->random_state = config->random ? config->random_state : host;
    if (config->client_address) {
        int status = copal_peer_from_text(&host->client_address, config->client_address, 0, false);
        if (status < 0)
            return status;
    }
    errno = init_system(host);
    if (errno != 0)
        return COPAL_ESYSTEM;
    int status = init_core(host, layout, config);
    if (status < 0) {
        copal__side_close(&host->server);
        copal__side_close(&host->client);
        pthread_mutex_destroy(&host->exclusion);
        copal__lock_destroy(&host->lock);
        copal__wake_close(host->wake);
    }
    return status;
}

/* One mapping holds everything: pages that are never needed are never there. */
int copal_host_open(copal_host_t **opened, const copal_host_config_t *given)
{
    copal_host_config_t config = given ? *given : (copal_host_config_t){0};
    int status = copal_host_scale(&config);
    if (status < 0)
        return status;
    copal__layout_t layout;
    copal__carver_t carver = {NULL, 0};
    copal__host_lay(&layout, &carver, &config);
    const size_t size = carver.used;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return COPAL_ENOMEM;
    carver = (copal__carver_t){memory, 0};
    copal__host_lay(&layout, &carver, &config);
    layout.host->mapped = size;
    status = init(layout.host, &layout, &config);
    if (status < 0) {
        int reason = errno;
        munmap(memory, size);
        errno = reason;
        return status;
    }
    *opened = layout.host;
    return 0;
}

void copal_host_close(copal_host_t *host)
{
    if (!host)
        return;
    copal_host_stop(host); /* joins a thread that ended by itself, too */
    copal__tasks_drop(host);
    copal__side_close(&host->server);
    copal__side_close(&host->client);
    copal_tree_close(host->tree);
    pthread_mutex_destroy(&host->exclusion);
    copal__lock_destroy(&host->lock);
    copal__wake_close(host->wake);
    munmap(host, host->mapped);
}

/* ---- serving ---------------------------------------------------------------------------------------- */

copal_tree_t *copal_host_tree(copal_host_t *host)
{
    return host->tree;
}

/* "::" takes IPv4 too; on a machine without IPv6 it takes IPv4 alone. */
static int open_server(copal_host_t *host, copal_peer_t *local)
{
    bool dual = copal__peer_family(local) == AF_INET6 && copal__peer_is_any(local);
    copal_peer_t any = {.size = COPAL__PEER_IPV4};
    any.data[4] = local->data[16];
    any.data[5] = local->data[17];
    int status = copal__side_open(&host->server, local, dual);
    if (status != COPAL_ESYSTEM || !dual || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return status;
    *local = any;
    return copal__side_open(&host->server, local, false);
}

/* `credentials` NULL: without DTLS. */
static int listen_on(copal_host_t *host, copal_credentials_t *credentials, const char *address, uint16_t port,
                     uint16_t *bound)
{
    copal_peer_t local;
    int status = copal_peer_from_text(&local, address, port, false);
    if (status < 0)
        return status;
    if (copal_peer_is_group(&local))
        return COPAL_EINVAL;
    copal__lock_enter(&host->lock);
    status = open_server(host, &local);
    if (status >= 0) {
        copal__socket_t *socket = &host->server.sockets[status];
        socket->secure = credentials != NULL;
        socket->credentials = credentials ? copal__credentials_hold(credentials) : NULL;
        copal__host_wake(host);
        if (bound)
            *bound = copal__peer_port(&local);
    }
    copal__lock_leave(&host->lock);
    return status < 0 ? status : 0;
}

int copal_host_listen(copal_host_t *host, const char *address, uint16_t port, uint16_t *bound)
{
    return listen_on(host, NULL, address, port, bound);
}

int copal_host_listen_secure(copal_host_t *host, copal_credentials_t *credentials, const char *address, uint16_t port,
                             uint16_t *bound)
{
    if (!host->dtls)
        return COPAL_EUNSUPPORTED;
    if (!copal__credentials_server(credentials) || copal__credentials_backend(credentials) != host->dtls)
        return COPAL_EINVAL;
    return listen_on(host, credentials, address, port, bound);
}

static void close_from(copal__side_t *side, uint8_t count)
{
    const int reason = errno;
    while (side->count > count)
        close(side->sockets[--side->count].fd);
    errno = reason;
}

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
        close_from(server, count);
    return heard > 0 ? 0 : heard < 0 ? heard : COPAL_ENOTFOUND;
}

int copal_host_discoverable(copal_host_t *host)
{
    copal__lock_enter(&host->lock);
    int status = host->discoverable ? COPAL_EEXIST : become_discoverable(&host->server);
    if (status == 0) {
        host->discoverable = true;
        copal_endpoint_hear_groups(host->server.endpoint);
        copal__host_wake(host);
    }
    copal__lock_leave(&host->lock);
    return status;
}

int copal_host_reply(copal_host_t *host, copal_handle_t later, copal_code_t code,
                     void (*fill)(void *user, copal_writer_t *w), void *user)
{
    copal_writer_t *w;
    copal_endpoint_t *endpoint = host->server.endpoint;
    copal__lock_enter(&host->lock);
    int status = copal_later_begin(endpoint, later, code, &w);
    if (status == 0) {
        if (fill)
            fill(user, w);
        status = copal_later_commit(endpoint, copal__host_now(host), later);
        copal__host_wake(host);
    }
    copal__lock_leave(&host->lock);
    return status;
}
