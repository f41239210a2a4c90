/* Making a tree in the memory handed in, and its seams to endpoints, workers and writers. */
#include "tree.h"

#define RESOURCES_MOST (1u << 24)
#define VALUE_MOST     (1u << 28)
#define WORKERS_MOST   64

/* Puts defaults in; false: a limit is out of range. */
static bool complete(copal_tree_limits_t *l)
{
    if (l->resources > RESOURCES_MOST || l->value_size > VALUE_MOST || l->uploads > RESOURCES_MOST || l->workers > WORKERS_MOST)
        return false;
    if (!l->resources)
        l->resources = 32;
    if (!l->dynamic)
        l->dynamic = l->resources / 2;
    if (!l->value_size)
        l->value_size = 1024;
    if (!l->arena)
        l->arena = (size_t)l->resources * 192 + (size_t)l->value_size * 4;
    if (!l->uploads)
        l->uploads = 4;
    if (!l->workers)
        l->workers = 1;
    return true;
}

/* Lays the tree out behind itself. The octets it takes, or 0: a limit is out of range. */
static size_t lay(copal_tree_t *t, void *memory, const copal_tree_limits_t *l)
{
    copal__carver_t carver = {memory, 0};
    copal__carve(&carver, 1, sizeof *t);
    uint32_t places = 1;
    while (places < l->resources)
        places <<= 1;
    t->index = copal__carve(&carver, places, sizeof *t->index);
    t->index_mask = places - 1;
    copal__pool_lay(&t->pool, &carver, l->resources);
    t->slots = copal__carve(&carver, l->resources, sizeof *t->slots);
    copal__uploads_lay(&t->uploads, &carver, l->uploads);
    t->workers = copal__carve(&carver, l->workers, sizeof *t->workers);
    for (uint32_t i = 0; i < l->workers; i++) {
        _Atomic uint32_t *marks = copal__carve(&carver, l->resources, sizeof *marks);
        if (t->workers)
            t->workers[i] = (copal__worker_t){.tree = t, .marks = marks};
    }
    bool ok = copal__arena_lay(&t->arena, &carver, l->arena, l->workers);
    return ok && carver.used != SIZE_MAX ? carver.used : 0;
}

size_t copal_tree_size(const copal_tree_limits_t *limits)
{
    copal_tree_t measured;
    copal_tree_limits_t l = *limits;
    return complete(&l) ? lay(&measured, NULL, &l) : 0;
}

int copal_tree_init(copal_tree_t **tree, void *memory, size_t size, const copal_tree_config_t *config)
{
    size_t needed = copal_tree_size(&config->limits);
    if (!needed || !config->random)
        return COPAL_EINVAL;
    if (size < needed)
        return COPAL_ESPACE;
    copal_tree_t *t = memory;
    t->config = *config;
    complete(&t->config.limits);
    lay(t, memory, &t->config.limits);
    config->random(config->random_state, &t->key, sizeof t->key);
    t->uploads.hash_key = &t->key;
    t->uploads.drop = copal__intake_drop;
    t->uploads.context = t;
    *tree = t;
    return 0;
}

void copal_tree_close(copal_tree_t *tree)
{
    copal__tree_enter(tree);
    copal__uploads_leave(&tree->uploads, UINT32_MAX);
    copal__tree_leave(tree);
}

copal_service_t copal_tree_service(copal_tree_t *tree, uint32_t worker)
{
    return (copal_service_t){.handle = copal__serve,
                             .context = &tree->workers[worker],
                             .first_only = tree->config.first_only,
                             .parts = true,
                             .ready = copal__serve_ready,
                             .refused = copal__serve_refused};
}

void copal_tree_quiescent(copal_tree_t *tree, uint32_t worker)
{
    copal__arena_quiescent(&tree->arena, worker);
}

void copal_tree_offline(copal_tree_t *tree, uint32_t worker)
{
    copal__arena_offline(&tree->arena, worker);
}

uint32_t copal_tree_uploads(copal_tree_t *tree)
{
    copal__tree_enter(tree);
    const uint32_t count = tree->uploads.pool.used;
    copal__tree_leave(tree);
    return count;
}

void copal__tree_enter(copal_tree_t *t)
{
    if (t->config.exclusion.enter)
        t->config.exclusion.enter(t->config.exclusion.context);
    t->inside++;
}

void copal__tree_leave(copal_tree_t *t)
{
    uint64_t tell = --t->inside ? 0 : t->untold;
    if (tell)
        t->untold = 0;
    if (t->config.exclusion.leave)
        t->config.exclusion.leave(t->config.exclusion.context);
    if (tell && t->config.changed)
        t->config.changed(t->config.user, tell);
}
