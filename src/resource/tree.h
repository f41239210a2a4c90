/* What the tree is made of. Readers (copal_tree_service's handler) take no lock: they follow atomic pointers to blocks of the
 * arena that never change, but for the pointers in them. Writers, inside the exclusion, replace such blocks whole. */
#ifndef COPAL_RESOURCE_TREE_H
#define COPAL_RESOURCE_TREE_H

#include "../blockwise/upload.h"
#include "../messaging/table.h"
#include "arena.h"
#include "copal/tree.h"
#include "value.h"

/** Attributes as discovery sends them: `;rt="a";if=b`. */
typedef struct {
    uint32_t size;
    bool has_ct;  /* one of them is `ct` */
    bool has_obs; /* one is `obs` */
    char text[];
} copal__attributes_t;

typedef struct copal__resource_t copal__resource_t;
typedef _Atomic(copal__resource_t *) copal__link_t;

struct copal__resource_t {
    copal__link_t chain;                       /* the next one with the same place in the index */
    copal__link_t later;                       /* the next one in order of creation */
    copal__resource_t *former;                 /* the one before; only writers go that way */
    _Atomic(copal__value_t *) value;           /* NULL: a handler resource */
    _Atomic(copal__attributes_t *) attributes; /* NULL: none */
    copal_handler_t handler;                   /* `handle` is NULL in a value resource */
    uint32_t hash, slot, generation;
    uint32_t depth; /* segments of the path */
    uint16_t path_size, link_size;
    bool dynamic;     /* created by a peer */
    _Atomic bool removed;
    uint8_t octets[]; /* the path as copal_path_encode makes it, then the link to it: "</a/b>" */
};

typedef struct {
    copal__resource_t *resource;
    uint32_t generation; /* 0 until the slot is first used */
} copal__slot_t;

/** A thread that serves the tree, and what it is to be told. */
typedef struct {
    copal_tree_t *tree;
    _Atomic uint32_t *marks; /* by slot: see watch.c */
    _Atomic uint32_t changed; /* the first slot of the list, plus 1; 0: it is empty */
    uint32_t taken;           /* the same of the list that the worker took */
} copal__worker_t;

struct copal_tree_t {
    copal_tree_config_t config; /* its limits without defaults */
    copal__arena_t arena;
    copal__key_t key;
    copal__link_t *index;
    uint32_t index_mask;
    copal__pool_t pool; /* of slots */
    copal__slot_t *slots;
    copal__link_t first;
    copal__resource_t *last;
    copal__uploads_t uploads;
    uint32_t named;          /* how many names were made up for resources */
    copal__worker_t *workers;
    uint32_t inside; /* how often the writer has entered */
    uint64_t untold; /* the workers that config.changed is to be called for when it leaves */
    uint32_t dynamic;        /* how many resources peers created */
    _Atomic uint32_t relinked; /* twice how often the links to all resources became others; odd: they are about to */
    _Atomic uint32_t depths; /* bit n: there has been a subtree n segments deep; bit 31: that deep or deeper */
};

/** The most octets of a path, encoded. */
#define COPAL__PATH_SIZE 1152

void copal__tree_enter(copal_tree_t *tree);
/** Calls config.changed, outside, where somebody is to be told. */
void copal__tree_leave(copal_tree_t *tree);

/* ---- index.c: for readers and writers ------------------------------------------------------------ */

/** The path may be as it stands in a datagram: the delta of its first option does not count. */
uint32_t copal__tree_hash(const copal_tree_t *tree, copal_bytes_t path);
/** The resource of exactly this path, or NULL. */
copal__resource_t *copal__tree_lookup(copal_tree_t *tree, copal_bytes_t path, uint32_t hash);
/** The subtree's handler that serves this path, or NULL. */
copal__resource_t *copal__tree_lookup_subtree(copal_tree_t *tree, copal_bytes_t path);

/** For writers, before and after they publish what discovery tells otherwise: its ETag is another one. */
void copal__tree_relink(copal_tree_t *tree);
void copal__tree_link(copal_tree_t *tree, copal__resource_t *resource);
void copal__tree_unlink(copal_tree_t *tree, copal__resource_t *resource);

static inline copal__resource_t *copal__follow(const copal__link_t *link)
{
    return atomic_load_explicit(link, memory_order_acquire);
}

/* ---- resource.c: for writers ----------------------------------------------------------------------- */

/** What a new resource is to be. */
typedef struct {
    copal_bytes_t path;
    uint32_t hash;
    const copal_handler_t *handler; /* NULL: a value resource */
    copal_bytes_t value;
    const copal_value_options_t *options;
    bool dynamic;
} copal__seed_t;

/** The path is free and the options are in range. COPAL_EFULL, COPAL_ESPACE. `handle` may be NULL. */
int copal__tree_create(copal_tree_t *tree, const copal__seed_t *seed, copal_handle_t *handle);
void copal__tree_destroy(copal_tree_t *tree, copal__resource_t *resource);

/** Replaces the value of a value resource; `changed` counts its ETag up, and who observes it is told. COPAL_EFULL, COPAL_ESPACE: nothing changed. */
int copal__tree_replace(copal_tree_t *tree, copal__resource_t *resource, copal_bytes_t value,
                        const copal_value_options_t *options, bool changed);

static inline copal_handle_t copal__handle_of(const copal__resource_t *resource)
{
    return (copal_handle_t){resource->slot, resource->generation};
}

static inline copal__value_t *copal__value_of(copal__resource_t *resource)
{
    return atomic_load_explicit(&resource->value, memory_order_acquire);
}

static inline copal__attributes_t *copal__attributes_of(copal__resource_t *resource)
{
    return atomic_load_explicit(&resource->attributes, memory_order_acquire);
}

/* ---- change.c: PUT, POST, PATCH, iPATCH and DELETE of value resources --------------------------------- */

/** Does what a request asks, its body being `body`, inside the exclusion. The code of the bare answer to be sent, or
 *  COPAL_EMPTY: it was answered. `created` stays as it is where nothing was created. */
copal_code_t copal__change(copal_tree_t *tree, copal_call_t *call, uint32_t hash, copal_bytes_t body,
                           copal_handle_t *created);
/** Whether a change could be made, as far as that can be told before its body is there: 0, or the code of the refusal. */
copal_code_t copal__change_refusal(copal_tree_t *tree, const copal_call_t *call, uint32_t hash);

/* ---- intake.c: bodies however they come (RFC 7959 section 2.5) ------------------------------------------ */

/** Serves a request to a handler with `intake`. The code of the bare answer to be sent, or COPAL_EMPTY. */
copal_code_t copal__serve_intake(copal_tree_t *tree, copal_call_t *call, const copal_handler_t *handler, uint32_t owner);
/** Serves a part of the body of a change; inside the exclusion. As copal__change. */
copal_code_t copal__serve_part(copal_tree_t *tree, copal_call_t *call, uint32_t hash, copal_handle_t *created);
/** As copal__uploads_t.drop; `context` is the tree. */
void copal__intake_drop(void *context, copal__upload_t *upload);

/* ---- watch.c --------------------------------------------------------------------------------------- */

/** For the worker, before it reads what it answers `call` with: from here on it is told of changes, if the call asks
 *  for that and the resource can be observed. True: then it can be told that this answer is the state of the resource. */
bool copal__tree_watch(copal__worker_t *worker, copal__resource_t *resource, const copal_call_t *call);
/** For writers, after they published a change: tells each worker that watches the resource. */
void copal__tree_tell(copal_tree_t *tree, const copal__resource_t *resource);

/* ---- serve.c, discovery.c --------------------------------------------------------------------------- */

/** Whether one of the request's options `number`, ETag or If-Match, is this tag, which is empty where there is none. */
bool copal__tag_matches(const copal_tree_t *tree, const copal_message_t *request, uint16_t number, copal_bytes_t tag);
/** Serves a request; its `handle` for copal_service_t. */
void copal__serve(void *worker, copal_call_t *call);
/** The same for a plain GET of a value; `ready` for copal_service_t. */
bool copal__serve_ready(void *worker, const copal_from_t *from, copal_bytes_t path, copal_bytes_t *answer);
/** And `refused`. */
void copal__serve_refused(void *worker, const copal_endpoint_t *endpoint, copal_handle_t later);

/** Whether a path is /.well-known/core. */
bool copal__is_discovery(copal_bytes_t path);
/** Serves it. The code of the bare answer to be sent, or COPAL_EMPTY: it was answered. */
copal_code_t copal__serve_discovery(copal_tree_t *tree, copal_call_t *call);

#endif
