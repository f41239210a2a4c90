/* Resources and what the application does with them. Everything here happens inside the exclusion. */
#include "tree.h"

#include <string.h>

#include "copal/link.h"
#include "copal/uri.h"

/* ---- for writers inside the room ------------------------------------------------------------------ */

static uint32_t count_segments(copal_bytes_t path)
{
    copal_option_reader_t reader = {path.data, path.size ? path.data + path.size : path.data, 0};
    copal_option_t segment;
    uint32_t count = 0;
    while (copal_option_next(&reader, &segment))
        count++;
    return count;
}

/* A resource with its path and nothing else; NULL: no room. */
static copal__resource_t *make(copal_tree_t *t, const copal__seed_t *seed)
{
    size_t size = seed->path.size, least = offsetof(copal__resource_t, octets) + size;
    size_t most = least + 3 * size + 4; /* each octet percent-encoded; "</", ">" and a NUL */
    copal__resource_t *r = copal__arena_take(&t->arena, most);
    if (!r)
        return NULL;
    memset(r, 0, offsetof(copal__resource_t, octets));
    if (size) {
        memcpy(r->octets, seed->path.data, size);
        r->octets[0] &= 0x0f;
    }
    copal_bytes_t path = {r->octets, size};
    char *link = (char *)r->octets + size, *at = link;
    *at++ = '<';
    if (size < 2 || r->octets[0]) /* the text of a path whose first segment is empty has this "/" already */
        *at++ = '/';
    at += copal_path_text(at, most - least - 2, path);
    *at++ = '>';
    r->path_size = (uint16_t)size;
    r->link_size = (uint16_t)(at - link);
    r->hash = seed->hash;
    r->depth = count_segments(path);
    r->dynamic = seed->dynamic;
    copal__arena_trim(&t->arena, r, least + r->link_size);
    return r;
}

/* Gives it what it answers with. False: no room. */
static bool equip(copal_tree_t *t, copal__resource_t *r, const copal__seed_t *seed)
{
    if (seed->handler) {
        r->handler = *seed->handler;
        return true;
    }
    copal__value_t *value = copal__value_make(&t->arena, seed->value, seed->options, 1);
    atomic_init(&r->value, value);
    return value != NULL;
}

int copal__tree_create(copal_tree_t *t, const copal__seed_t *seed, copal_handle_t *handle)
{
    if (seed->value.size > t->config.limits.value_size)
        return COPAL_ESPACE;
    if (seed->path.size > COPAL__PATH_SIZE || (seed->dynamic && t->dynamic >= t->config.limits.dynamic) ||
        t->pool.used == t->pool.capacity)
        return COPAL_EFULL;
    copal__resource_t *r = make(t, seed);
    if (!r || !equip(t, r, seed)) {
        copal__arena_retire(&t->arena, r);
        return COPAL_EFULL;
    }
    r->slot = copal__pool_take(&t->pool);
    copal__slot_t *slot = &t->slots[r->slot];
    if (!slot->generation)
        slot->generation = 1;
    r->generation = slot->generation;
    slot->resource = r;
    t->dynamic += r->dynamic;
    copal__tree_link(t, r);
    if (handle)
        *handle = copal__handle_of(r);
    return 0;
}

void copal__tree_destroy(copal_tree_t *t, copal__resource_t *r)
{
    copal__tree_unlink(t, r);
    if (r->handler.intake)
        copal__uploads_leave(&t->uploads, r->slot);
    t->dynamic -= r->dynamic;
    copal__slot_t *slot = &t->slots[r->slot];
    slot->resource = NULL;
    slot->generation += slot->generation == UINT32_MAX ? 2 : 1; /* never 0 */
    copal__pool_give(&t->pool, r->slot);
    atomic_store(&r->removed, true);
    copal__tree_tell(t, r);
    copal__arena_retire(&t->arena, copal__value_of(r));
    copal__arena_retire(&t->arena, copal__attributes_of(r));
    copal__arena_retire(&t->arena, r);
}

int copal__tree_replace(copal_tree_t *t, copal__resource_t *r, copal_bytes_t payload,
                        const copal_value_options_t *options, bool changed)
{
    if (payload.size > t->config.limits.value_size)
        return COPAL_ESPACE;
    copal__value_t *old = copal__value_of(r);
    uint32_t counter = old->counter + (uint32_t)changed;
    copal__value_t *value =
        copal__value_make(&t->arena, payload, options, (uint16_t)(counter > UINT16_MAX ? 1 : counter));
    if (!value)
        return COPAL_EFULL;
    bool hidden = (old->methods & ~options->methods & COPAL_METHOD(COPAL_GET)) != 0;
    bool relinks = old->content_format != value->content_format || old->methods != value->methods;
    if (relinks)
        copal__tree_relink(t);
    atomic_store_explicit(&r->value, value, memory_order_release);
    if (relinks)
        copal__tree_relink(t);
    if (changed || hidden)
        copal__tree_tell(t, r);
    copal__arena_retire(&t->arena, old);
    return 0;
}

static copal__resource_t *resolve(const copal_tree_t *t, copal_handle_t handle)
{
    if (handle.slot >= t->pool.capacity || t->slots[handle.slot].generation != handle.generation)
        return NULL;
    return t->slots[handle.slot].resource;
}

/* The value resource of a handle and its value; false where it names none. */
static bool resolve_value(const copal_tree_t *t, copal_handle_t handle, copal__resource_t **r, copal__value_t **value)
{
    *r = resolve(t, handle);
    *value = *r ? copal__value_of(*r) : NULL;
    return *value != NULL;
}

/* ---- adding, finding, removing ----------------------------------------------------------------------- */

/* Encodes a path text into `buffer` of COPAL__PATH_SIZE. */
static int encode(copal_bytes_t *path, uint8_t *buffer, const char *text)
{
    int size = copal_path_encode(buffer, COPAL__PATH_SIZE, copal_text(text));
    if (size < 0)
        return COPAL_EINVAL;
    *path = (copal_bytes_t){buffer, (size_t)size};
    return 0;
}

static int add(copal_tree_t *t, const char *text, copal__seed_t seed, copal_handle_t *handle)
{
    uint8_t buffer[COPAL__PATH_SIZE];
    int error = encode(&seed.path, buffer, text);
    if (error)
        return error;
    seed.hash = copal__tree_hash(t, seed.path);
    copal__tree_enter(t);
    bool taken = copal__tree_lookup(t, seed.path, seed.hash) != NULL;
    error = taken ? COPAL_EEXIST : copal__tree_create(t, &seed, handle);
    copal__tree_leave(t);
    return error;
}

int copal_tree_add_handler(copal_tree_t *tree, const char *path, const copal_handler_t *handler,
                           copal_handle_t *resource)
{
    copal__seed_t seed = {.handler = handler};
    return handler->handle ? add(tree, path, seed, resource) : COPAL_EINVAL;
}

int copal_tree_add_value(copal_tree_t *tree, const char *path, copal_bytes_t value,
                         const copal_value_options_t *options, copal_handle_t *resource)
{
    copal__seed_t seed = {.value = value, .options = options};
    return copal__value_options_ok(options, tree->config.patch) ? add(tree, path, seed, resource) : COPAL_EINVAL;
}

int copal_tree_find(copal_tree_t *tree, const char *path, copal_handle_t *resource)
{
    uint8_t buffer[COPAL__PATH_SIZE];
    copal_bytes_t encoded;
    int error = encode(&encoded, buffer, path);
    if (error)
        return error;
    copal__tree_enter(tree);
    copal__resource_t *r = copal__tree_lookup(tree, encoded, copal__tree_hash(tree, encoded));
    if (r)
        *resource = copal__handle_of(r);
    copal__tree_leave(tree);
    return r ? 0 : COPAL_ENOTFOUND;
}

int copal_tree_remove(copal_tree_t *tree, copal_handle_t resource)
{
    copal__tree_enter(tree);
    copal__resource_t *r = resolve(tree, resource);
    if (r)
        copal__tree_destroy(tree, r);
    copal__tree_leave(tree);
    return r ? 0 : COPAL_ESTALE;
}

int copal_tree_changed(copal_tree_t *tree, copal_handle_t resource)
{
    copal__tree_enter(tree);
    copal__resource_t *r = resolve(tree, resource);
    if (r)
        copal__tree_tell(tree, r);
    copal__tree_leave(tree);
    return r ? 0 : COPAL_ESTALE;
}

int copal_tree_path(copal_tree_t *tree, copal_handle_t resource, char *out, size_t capacity)
{
    copal__tree_enter(tree);
    copal__resource_t *r = resolve(tree, resource);
    int size = COPAL_ESTALE;
    if (r)
        size = copal_path_text(out, capacity, (copal_bytes_t){r->octets, r->path_size});
    copal__tree_leave(tree);
    return size;
}

/* ---- values, properties, attributes ------------------------------------------------------------------- */

/* Replaces what is given, and keeps what is NULL. A representation in another format is another one, which needs an ETag of
 * its own (RFC 7252 section 5.10.6). */
static int set(copal_tree_t *t, copal_handle_t handle, const copal_bytes_t *payload,
               const copal_value_options_t *options)
{
    copal__resource_t *r;
    copal__value_t *value;
    int error = COPAL_ESTALE;
    copal__tree_enter(t);
    if (resolve_value(t, handle, &r, &value)) {
        copal_value_options_t present;
        copal__value_options(value, &present);
        bool changed = payload || options->content_format != present.content_format;
        error = copal__tree_replace(t, r, payload ? *payload : copal__value_payload(value),
                                    options ? options : &present, changed);
    }
    copal__tree_leave(t);
    return error;
}

int copal_tree_set_value(copal_tree_t *tree, copal_handle_t resource, copal_bytes_t value)
{
    return set(tree, resource, &value, NULL);
}

int copal_tree_set_options(copal_tree_t *tree, copal_handle_t resource, const copal_value_options_t *options)
{
    return copal__value_options_ok(options, tree->config.patch) ? set(tree, resource, NULL, options) : COPAL_EINVAL;
}

int copal_tree_get_value(copal_tree_t *tree, copal_handle_t resource, void *out, size_t capacity, size_t *size)
{
    copal__resource_t *r;
    copal__value_t *value;
    int error = COPAL_ESTALE;
    copal__tree_enter(tree);
    if (resolve_value(tree, resource, &r, &value)) {
        copal_bytes_t payload = copal__value_payload(value);
        *size = payload.size;
        error = payload.size > capacity ? COPAL_ESPACE : 0;
        if (!error && payload.size)
            memcpy(out, payload.data, payload.size);
    }
    copal__tree_leave(tree);
    return error;
}

int copal_tree_get_options(copal_tree_t *tree, copal_handle_t resource, copal_value_options_t *options, uint16_t *etag)
{
    copal__resource_t *r;
    copal__value_t *value;
    copal__tree_enter(tree);
    bool found = resolve_value(tree, resource, &r, &value);
    if (found) {
        copal__value_options(value, options);
        if (etag)
            *etag = options->etag ? value->counter : 0;
    }
    copal__tree_leave(tree);
    return found ? 0 : COPAL_ESTALE;
}

static int add_attribute(copal_tree_t *t, copal__resource_t *r, copal_bytes_t name, copal_bytes_t value)
{
    copal__attributes_t *old = copal__attributes_of(r);
    uint32_t before = old ? old->size : 0;
    size_t most = 5 + name.size + 2 * value.size; /* `;=""` and a NUL; every octet escaped */
    copal__attributes_t *fresh = copal__arena_take(&t->arena, offsetof(copal__attributes_t, text) + before + most);
    if (!fresh)
        return COPAL_EFULL;
    if (old)
        memcpy(fresh->text, old->text, before);
    int written = copal_attribute_write(fresh->text + before, most, name, value);
    if (written < 0) {
        copal__arena_retire(&t->arena, fresh);
        return written;
    }
    fresh->size = before + (uint32_t)written;
    fresh->has_ct = (old && old->has_ct) || (name.size == 2 && !memcmp(name.data, "ct", 2));
    fresh->has_obs = (old && old->has_obs) || (name.size == 3 && !memcmp(name.data, "obs", 3));
    copal__arena_trim(&t->arena, fresh, offsetof(copal__attributes_t, text) + fresh->size);
    copal__tree_relink(t);
    atomic_store_explicit(&r->attributes, fresh, memory_order_release);
    copal__tree_relink(t);
    copal__arena_retire(&t->arena, old);
    return 0;
}

int copal_tree_add_attribute(copal_tree_t *tree, copal_handle_t resource, copal_bytes_t name, copal_bytes_t value)
{
    copal__tree_enter(tree);
    copal__resource_t *r = resolve(tree, resource);
    int error = r ? add_attribute(tree, r, name, value) : COPAL_ESTALE;
    copal__tree_leave(tree);
    return error;
}
