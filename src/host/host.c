#define _GNU_SOURCE 1
#include "host.h"
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
        .random = config->random,
        .random_state = config->random_state,
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

/* Where the caller brought no randomness of his own, each worker has a pool of the system's. */
static copal_host_config_t config_of(const copal__worker_t *worker, const copal_host_config_t *config)
{
    copal_host_config_t own = *config;
    if (!config->random) {
        own.random = copal__worker_random;
        own.random_state = (void *)(uintptr_t)worker;
    }
    return own;
}

static void init_side(copal__worker_t *worker, copal__side_t *side, const copal_host_config_t *config)
{
    side->locals = &worker->locals;
    side->batch = &worker->batch;
    side->trace = config->trace;
    side->event = config->event;
    side->user = config->user;
}

static int init_dtls(copal__side_t *side, void *memory, size_t size, const copal_dtls_limits_t *limits,
                     const copal_host_config_t *config)
{
    copal_dtls_config_t dtls = {
        .backend = config->dtls,
        .limits = *limits,
        .random = config->random,
        .random_state = config->random_state,
    };
    return config->dtls ? copal__side_secure(side, memory, size, &dtls) : 0;
}

/* Octets that a network is sent without proof are shared out among the workers, since its hosts come to all of them. */
static uint32_t share_of_network(const copal_host_config_t *config)
{
    const uint32_t share = config->server.network_bytes / config->workers;
    return share > 0 ? share : 1;
}

static int init_worker(copal_host_t *host, uint32_t number, const copal__layout_t *layout,
                       const copal_host_config_t *config)
{
    copal__worker_t *worker = &host->workers[number];
    const copal__place_of_work_t *place = &layout->places[number];
    worker->batch = place->batch;
    worker->service = copal_tree_service(host->tree, number);
    copal_config_t endpoint = {
        .limits = config->server,
        .timing = config->timing,
        .random = config->random,
        .random_state = config->random_state,
        .first_slot = number * host->slots,
        .service = worker->service,
    };
    endpoint.limits.network_bytes = share_of_network(config);
    if (config->dtls) {
        endpoint.service.handle = copal__host_serve;
        endpoint.service.ready = copal__host_ready;
        endpoint.service.refused = copal__host_refused;
        endpoint.service.context = worker;
    }
    init_side(worker, &worker->server, config);
    const int status = copal_endpoint_init(&worker->server.endpoint, place->server, layout->server_size, &endpoint);
    return status < 0 ? status
                      : init_dtls(&worker->server, place->dtls, layout->server_dtls_size, &config->server_dtls, config);
}

static int init_client(copal_host_t *host, const copal__layout_t *layout, const copal_host_config_t *config)
{
    const copal_config_t endpoint = {
        .limits = config->client,
        .timing = config->timing,
        .random = config->random,
        .random_state = config->random_state,
    };
    init_side(&host->workers[0], &host->client, config);
    host->client.client = true;
    host->workers[0].client = &host->client;
    const int status = copal_endpoint_init(&host->client.endpoint, layout->client, layout->client_size, &endpoint);
    return status < 0 ? status
                      : init_dtls(&host->client, layout->client_dtls, layout->client_dtls_size, &config->client_dtls, config);
}

static int init_core(copal_host_t *host, const copal__layout_t *layout, const copal_host_config_t *given)
{
    copal_host_config_t config = config_of(&host->workers[0], given);
    int status = init_tree(host, layout, &config);
    if (status == 0)
        status = init_client(host, layout, &config);
    for (uint32_t i = 0; i < given->workers && status == 0; i++) {
        config = config_of(&host->workers[i], given);
        status = init_worker(host, i, layout, &config);
    }
    return status;
}

static void close_workers(copal_host_t *host)
{
    while (host->worker_count > 0)
        copal__worker_close(&host->workers[--host->worker_count]);
}

/* What the system has to give, all of it or nothing. 0, or an errno. */
static int init_system(copal_host_t *host, uint32_t workers)
{
    int status = init_exclusion(&host->exclusion);
    if (status != 0)
        return status;
    for (; status == 0 && host->worker_count < workers; host->worker_count += status == 0) {
        host->workers[host->worker_count].host = host;
        host->workers[host->worker_count].number = host->worker_count;
        host->workers[host->worker_count].tick_at = host->tick && host->worker_count == 0 ? 0 : COPAL_NEVER;
        status = copal__worker_open(&host->workers[host->worker_count]);
    }
    if (status != 0) {
        close_workers(host);
        pthread_mutex_destroy(&host->exclusion);
    }
    return status;
}

/* How many slots an endpoint has at most: numbers of handles may be left out, but not be 0. */
static uint32_t count_slots(const copal_limits_t *l)
{
    const uint32_t limits[] = {l->requests, l->deferred, l->notifications};
    uint32_t slots = 0;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        slots += limits[i] == COPAL_LIMIT_NONE ? 0 : limits[i];
    return slots > 0 ? slots : 1;
}

static int init(copal_host_t *host, const copal__layout_t *layout, const copal_host_config_t *config)
{
    host->workers = layout->workers;
    host->slots = count_slots(&config->server);
    host->dtls = config->dtls;
    host->busy_poll = config->busy_poll;
    host->moves = config->client.counters > 1;
    host->body_size = config->memory;
    host->created = config->created;
    host->patch = config->patch;
    host->tick = config->tick;
    host->user = config->user;
    if (config->client_address) {
        int status = copal_peer_from_text(&host->client_address, config->client_address, 0, false);
        if (status < 0)
            return status;
    }
    errno = init_system(host, config->workers);
    if (errno != 0)
        return COPAL_ESYSTEM;
    int status = init_core(host, layout, config);
    if (status < 0) {
        copal__side_close(&host->client);
        close_workers(host);
        pthread_mutex_destroy(&host->exclusion);
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
    if (config.workers > 1 && !copal__udp_shares)
        return COPAL_EUNSUPPORTED;
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
    copal__side_close(&host->client);
    close_workers(host);
    copal_tree_close(host->tree);
    pthread_mutex_destroy(&host->exclusion);
    munmap(host, host->mapped);
}

/* ---- serving ---------------------------------------------------------------------------------------- */

copal_tree_t *copal_host_tree(copal_host_t *host)
{
    return host->tree;
}

int copal_host_reply(copal_host_t *host, copal_handle_t later, copal_code_t code,
                     void (*fill)(void *user, copal_writer_t *w), void *user)
{
    copal_writer_t *w;
    const uint32_t number = later.slot / host->slots;
    if (number >= host->worker_count)
        return COPAL_ESTALE;
    copal__worker_t *worker = &host->workers[number];
    copal_endpoint_t *endpoint = worker->server.endpoint;
    copal__worker_enter(worker);
    int status = copal_later_begin(endpoint, later, code, &w);
    if (status == 0) {
        if (fill)
            fill(user, w);
        status = copal_later_commit(endpoint, copal__worker_now(worker), later);
        copal__worker_wake(worker);
    }
    copal__worker_leave(worker);
    return status;
}
