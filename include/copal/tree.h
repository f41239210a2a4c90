/* The tree of resources: value resources, handler resources, discovery (RFC 7252 section 5, RFC 6690). It lives in memory
 * of its own, apart from endpoints, so that several of them can serve it. */
#ifndef COPAL_TREE_H
#define COPAL_TREE_H

#include "copal/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct copal_tree_t copal_tree_t;

/** Every bound of a tree; 0 takes the default in brackets. */
typedef struct {
    uint32_t resources;  /* how many in all (32); past it EFULL, a PUT that creates: 5.03 */
    uint32_t dynamic;    /* how many of them peers may create (half of resources); past it 5.03 */
    uint32_t value_size; /* octets of the largest value (1024); past it ESPACE, a PUT or POST: 4.13 */
    size_t arena;        /* octets for resources, paths, attributes and values, replaced ones that are still read included
                          * (resources * 192 + 4 * value_size); past it EFULL, a PUT or POST: uploads that have been idle
                          * for 30 s make room, else 5.03 */
    uint32_t uploads;    /* bodies of requests that are coming in by Block1 (4), at most a quarter (but 1) of them from one
                          * peer (4.29); past it the one that has been idle for longest makes room, if for 30 s and more,
                          * else 5.03. From three quarters on an address must prove itself by Echo first. After
                          * EXCHANGE_LIFETIME without a block one is forgotten: 4.08 */
    uint32_t workers;    /* threads that serve it (1, at most 64) */
} copal_tree_limits_t;

#define COPAL_ORIGIN_SIZE 80u

/** How writers exclude each other; the same thread may enter again. All NULL: only one thread uses the tree. */
typedef struct {
    void (*enter)(void *context);
    void (*leave)(void *context);
    void *context;
} copal_exclusion_t;

typedef struct {
    copal_tree_limits_t limits;
    copal_exclusion_t exclusion;
    void (*random)(void *state, void *buffer, size_t size); /* for the hash key; never fails */
    void *random_state;
    bool first_only; /* as copal_service_t says; true for network.Coap */
    bool dynamic;    /* a PUT on an unknown path creates a value resource */
    bool post_creates; /* a POST on an unknown path creates a value resource below it, under a fresh name */
    bool observable;   /* GETs of value resources may be observed, and discovery says so */
    /** Applies a PATCH or iPATCH of Content-Format `format` to a value: the outcome to `out`, which takes `*size` octets
     *  (limits.value_size), and its size to `*size`. 0, or the code of the answer: 4.15 for a format it does not know, 4.00 for a patch that
     *  is none, 4.09 for one that does not fit the value, 4.13. Called inside `exclusion`. NULL: no patches. */
    copal_code_t (*patch)(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out, size_t *size);
    /** Called after a change of something observed, outside of `exclusion`, in the thread that made it: whoever runs the
     *  endpoints of `workers`, bit n of which is worker n, should look at copal_tree_next_change soon. NULL: it is looked at
     *  often enough. */
    void (*changed)(void *user, uint64_t workers);
    /** What stands before the paths in the links that this call is shown, as "coaps://192.0.2.1", NUL-terminated, to `out`, which
     *  takes COPAL_ORIGIN_SIZE octets, and its length is returned; 0: nothing. NULL: nothing for anybody. */
    size_t (*origin)(void *user, const copal_call_t *call, char *out);
    /** Called after a peer's request created `resource`, in the thread that serves it. NULL: nobody cares. */
    void (*created)(void *user, copal_tree_t *tree, copal_handle_t resource);
    void *user; /* for all of these */
} copal_tree_config_t;

/** The octets of memory that a tree of these limits takes; 0: a limit is out of range. */
size_t copal_tree_size(const copal_tree_limits_t *limits);

/** Makes a tree inside `memory`, which must be all zero, aligned for any type, and stays lent. `config` is copied.
 *  COPAL_ESPACE: size is below copal_tree_size. COPAL_EINVAL: a limit out of range, or no `random`. */
int copal_tree_init(copal_tree_t **tree, void *memory, size_t size, const copal_tree_config_t *config);

/** Ends what is coming in by Block1, so that whoever takes it can release it; nothing of the tree may be used afterwards. */
void copal_tree_close(copal_tree_t *tree);

/** What the endpoint of worker `worker` (below limits.workers) needs to serve this tree. /.well-known/core is built in
 *  (RFC 6690), with up to 8 filters in a request (more: 4.00); a resource of that path takes its place. */
copal_service_t copal_tree_service(copal_tree_t *tree, uint32_t worker);

/** The slot of the next resource that changed since it was last told of and that a peer of worker `worker` observes; to be
 *  handed to copal_notify of the worker's endpoint. False: there is none. Without lock; only that worker calls it. */
bool copal_tree_next_change(copal_tree_t *tree, uint32_t worker, uint32_t *slot);

/** How many bodies are coming in by Block1 at present. */
uint32_t copal_tree_uploads(copal_tree_t *tree);

/** Worker `worker` holds nothing of the tree at this moment: what was replaced before may be freed. Call at the top
 *  of its loop. */
void copal_tree_quiescent(copal_tree_t *tree, uint32_t worker);
/** The worker holds nothing until its next copal_tree_quiescent. Call before it sleeps. A worker starts offline. */
void copal_tree_offline(copal_tree_t *tree, uint32_t worker);

/* ---- resources -------------------------------------------------------------------------------- */

/** Bit of a method in a mask: COPAL_METHOD(COPAL_GET). */
#define COPAL_METHOD(code) (1u << (code))
/** Those of RFC 7252. */
#define COPAL_METHODS_ALL                                                                    \
    (COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_POST) | COPAL_METHOD(COPAL_PUT) | COPAL_METHOD(COPAL_DELETE))

/** Takes the body of a request piece by piece, in order and in constant memory, however it comes: in one datagram or by
 *  Block1 (RFC 7959 section 2.5). What is said of preconditions is said to `end`; an If-None-Match that came with the first
 *  part alone is in its options too. */
typedef struct {
    /** A body begins, of `size` octets if that is known (Size1), else -1. Makes what takes it, to `*body`. Answers nothing.
     *  0, or the code of the refusal (4.13 with Size1 if `*most` was set to the most octets there may be). */
    copal_code_t (*begin)(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most);
    /** The next octets of it. 0, or the code of the refusal; `drop` is called then. */
    copal_code_t (*take)(void *body, copal_bytes_t piece);
    /** All of it came: answers as a handler does. Releases the body. */
    void (*end)(void *body, copal_call_t *call);
    /** It will never be whole: not in time, or refused, begun anew, or the resource was removed. Releases the body; may be
     *  called inside `exclusion`. */
    void (*drop)(void *body);
    /** Why `take` refused, for the diagnostic payload (RFC 7252 section 5.5.2): static text, or NULL. Called before `drop`.
     *  NULL: it never says. */
    const char *(*reason)(void *body);
    /** A piece was taken, and more is to follow. Answers nothing, then the next part is asked for at once; or calls copal_defer,
     *  and answers later: 2.31 with a Block1 option of the request's `block1` asks for the next part, an error refuses the
     *  rest. 0, or the code of a refusal, as `take`. NULL: at once. */
    copal_code_t (*pause)(void *body, copal_call_t *call);
} copal_intake_t;

/** A resource whose answers a C function makes. */
typedef struct {
    uint32_t methods; /* mask; any other method is answered 4.05 */
    const copal_intake_t *intake; /* takes the bodies of PUT, POST, FETCH, PATCH and iPATCH instead of `handle`; static.
                                   * NULL: `handle` does, and only bodies of one datagram come (longer: 4.13) */
    bool subtree;     /* it serves every path below its own, too, where no other resource does */
    bool serial;      /* never called by two workers at once: called inside `exclusion`, so that of a host with several workers it
                       * may call nothing but the tree's functions and those of the call */
    bool observable;  /* its GETs and FETCHes may be observed, and discovery says so. copal_observe was called with its handle
                       * before `handle` is, which may call it again, so that notifications are CON or of another subject.
                       * copal_tree_changed says that there is something to tell */
    void (*handle)(void *user, copal_call_t *call); /* answers as copal_service_t.handle does */
    void *user;
} copal_handler_t;

/** The properties of a value resource. */
typedef struct {
    int32_t content_format; /* 0 to 65535, or -1 for none */
    int64_t max_age;        /* seconds, 0 to 2^32 - 1, or -1 for none */
    bool etag;              /* answers carry an ETag: a counter from 1 to 65535, then 1, of the changes of the value */
    uint32_t methods;       /* mask of GET, POST, PUT, DELETE; with content_format 50 and a `patch` also PATCH, iPATCH,
                             * which a PUT or POST of another format takes off */
    bool confirm;           /* each notification of a change is CON */
} copal_value_options_t;

/** Path texts are as in copal_write_path: "a/b", leading "/" ignored, percent-encoding decoded; up to 1,152 octets, encoded.
 *  COPAL_EEXIST: the path is taken. COPAL_EFULL: resources or arena. COPAL_ESPACE: value too large. COPAL_EINVAL: a bad
 *  path or property. `resource` may be NULL. Values, paths and handlers are copied. */
int copal_tree_add_handler(copal_tree_t *tree, const char *path, const copal_handler_t *handler, copal_handle_t *resource);
int copal_tree_add_value(copal_tree_t *tree, const char *path, copal_bytes_t value, const copal_value_options_t *options,
                         copal_handle_t *resource);

/** Looks a path up. COPAL_ENOTFOUND; COPAL_EINVAL: a bad path. */
int copal_tree_find(copal_tree_t *tree, const char *path, copal_handle_t *resource);
/** Takes the resource away; its handle is stale. COPAL_ESTALE. */
int copal_tree_remove(copal_tree_t *tree, copal_handle_t resource);
/** The state of a handler resource has changed: its observers are told, as they are of a change of a value. COPAL_ESTALE. */
int copal_tree_changed(copal_tree_t *tree, copal_handle_t resource);
/** Its path as text, NUL-terminated, percent-encoded where it must be. Returns the length; COPAL_ESTALE; COPAL_ESPACE. */
int copal_tree_path(copal_tree_t *tree, copal_handle_t resource, char *out, size_t capacity);

/** Sets the value and counts its ETag up. COPAL_ESTALE (also: no value resource), COPAL_ESPACE, COPAL_EFULL; on an error
 *  nothing changed. */
int copal_tree_set_value(copal_tree_t *tree, copal_handle_t resource, copal_bytes_t value);
/** Copies the value out. `*size` is its size even where it does not fit. COPAL_ESTALE; COPAL_ESPACE: over capacity. */
int copal_tree_get_value(copal_tree_t *tree, copal_handle_t resource, void *out, size_t capacity, size_t *size);
/** Replaces the properties; the ETag counter goes on whether `etag` is on or off, and a change of content_format counts as
 *  one of the value. COPAL_ESTALE, COPAL_EINVAL, COPAL_EFULL. */
int copal_tree_set_options(copal_tree_t *tree, copal_handle_t resource, const copal_value_options_t *options);
/** The properties, and the ETag counter (0 while ETag is off); `etag` may be NULL. COPAL_ESTALE. */
int copal_tree_get_options(copal_tree_t *tree, copal_handle_t resource, copal_value_options_t *options, uint16_t *etag);

/** Adds a link attribute for discovery, shown in the order added (see copal_attribute_write).
 *  A `ct` of one's own takes the place of the automatic one. COPAL_ESTALE, COPAL_EINVAL (name), COPAL_EFULL. */
int copal_tree_add_attribute(copal_tree_t *tree, copal_handle_t resource, copal_bytes_t name, copal_bytes_t value);

#ifdef __cplusplus
}
#endif
#endif
