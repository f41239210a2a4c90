/* Finding resources by path: a table of chains under a keyed hash, and the order of creation. */
#include "tree.h"

#include <string.h>

/* A path's first octet is the head of its first Uri-Path option; in a datagram its upper four bits depend on the option
 * in front (RFC 7252 section 3.1), and only the length in the lower ones belongs to the path. */
static uint8_t first_length(copal_bytes_t path)
{
    return path.data[0] & 0x0f;
}

uint32_t copal__tree_hash(const copal_tree_t *t, copal_bytes_t path)
{
    return path.size ? (uint32_t)copal__hash_place(&t->key, first_length(path), path.data + 1, path.size - 1) : 0;
}

static bool has_path(const copal__resource_t *r, copal_bytes_t path)
{
    return r->path_size == path.size &&
           (!path.size || (r->octets[0] == first_length(path) && !memcmp(r->octets + 1, path.data + 1, path.size - 1)));
}

copal__resource_t *copal__tree_lookup(copal_tree_t *t, copal_bytes_t path, uint32_t hash)
{
    copal__resource_t *r = copal__follow(&t->index[hash & t->index_mask]);
    while (r && !(r->hash == hash && has_path(r, path)))
        r = copal__follow(&r->chain);
    return r;
}

/* Tries the beginnings of the path that are as long as some subtree's path, and takes the longest. */
copal__resource_t *copal__tree_lookup_subtree(copal_tree_t *t, copal_bytes_t path)
{
    uint32_t depths = atomic_load_explicit(&t->depths, memory_order_relaxed);
    copal__resource_t *best = NULL;
    copal_option_reader_t reader = {path.data, path.size ? path.data + path.size : path.data, 0};
    copal_option_t segment;
    for (uint32_t depth = 0; depths >> depth; depth += depth < 31) {
        if (depths >> depth & 1) {
            copal_bytes_t part = {path.data, (size_t)(reader.at - path.data)};
            copal__resource_t *r = copal__tree_lookup(t, part, copal__tree_hash(t, part));
            if (r && r->handler.subtree)
                best = r;
        }
        if (!copal_option_next(&reader, &segment))
            break;
    }
    return best;
}

void copal__tree_relink(copal_tree_t *t)
{
    atomic_store_explicit(&t->relinked, atomic_load_explicit(&t->relinked, memory_order_relaxed) + 1, memory_order_release);
}

void copal__tree_link(copal_tree_t *t, copal__resource_t *r)
{
    copal__link_t *head = &t->index[r->hash & t->index_mask], *end = t->last ? &t->last->later : &t->first;
    atomic_init(&r->chain, copal__follow(head));
    atomic_init(&r->later, NULL);
    r->former = t->last;
    t->last = r;
    copal__tree_relink(t);
    atomic_store_explicit(head, r, memory_order_release);
    atomic_store_explicit(end, r, memory_order_release);
    copal__tree_relink(t);
    if (r->handler.subtree) {
        uint32_t bit = 1u << (r->depth < 31 ? r->depth : 31);
        atomic_store_explicit(&t->depths, atomic_load_explicit(&t->depths, memory_order_relaxed) | bit,
                              memory_order_relaxed);
    }
}

/* A reader that stands on it goes on from there: its own links stay. */
void copal__tree_unlink(copal_tree_t *t, copal__resource_t *r)
{
    copal__link_t *at = &t->index[r->hash & t->index_mask];
    for (copal__resource_t *other; (other = copal__follow(at)) != r;)
        at = &other->chain;
    copal__resource_t *later = copal__follow(&r->later);
    copal__tree_relink(t);
    atomic_store_explicit(at, copal__follow(&r->chain), memory_order_release);
    atomic_store_explicit(r->former ? &r->former->later : &t->first, later, memory_order_release);
    if (later)
        later->former = r->former;
    else
        t->last = r->former;
    copal__tree_relink(t);
}
