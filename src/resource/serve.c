/* What resources answer (RFC 7252 section 5.8, and 5.10 for the options). Functions that serve return the code of a bare
 * answer, or ANSWERED. */
#include <string.h>

#include "tree.h"

#define ANSWERED COPAL_EMPTY

/* Whether an ETag or If-Match option names the value. An empty If-Match names any (RFC 7252 section 5.10.8.1); an empty ETag
 * is of no legal size, thus ignored (section 5.4.3). */
static bool names(const copal_tree_t *t, const copal_message_t *request, uint16_t number, const copal__value_t *value)
{
    copal_bytes_t tag = copal__value_tag(value);
    copal_option_reader_t reader = copal_message_options(request);
    copal_option_t o;
    while (copal_option_next(&reader, &o) && o.number <= number) {
        if (o.number != number || (!o.value.size && number == COPAL_OPTION_ETAG))
            continue;
        if (!o.value.size || (o.value.size == tag.size && !memcmp(o.value.data, tag.data, tag.size)))
            return true;
        if (t->config.first_only)
            return false;
    }
    return false;
}

static copal_code_t serve_get(const copal_tree_t *t, copal_call_t *call, const copal__value_t *value)
{
    int32_t accept = call->options->accept;
    if (accept >= 0 && value->content_format >= 0 && accept != value->content_format)
        return COPAL_NOT_ACCEPTABLE; /* whatever ETag says: "MUST be sent" (section 5.10.4) */
    if (call->options->etags && names(t, call->request, COPAL_OPTION_ETAG, value)) {
        copal_writer_t *w = copal_reply(call, COPAL_VALID);
        copal_write_encoded(w, (copal_bytes_t){value->octets, value->tag}, COPAL_OPTION_ETAG);
        if (value->last == COPAL_OPTION_MAX_AGE)
            copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, value->max_age);
        return ANSWERED;
    }
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    copal_write_encoded(w, (copal_bytes_t){value->octets, value->head}, value->last);
    copal_write_payload(w, copal__value_payload(value));
    return ANSWERED;
}

/* Does what a PUT, POST or DELETE asks of a value resource, or of nothing. The answer's code; `created` stays as it is where
 * nothing was created. */
static copal_code_t change(copal_tree_t *t, const copal_call_t *call, uint32_t hash, copal_handle_t *created)
{
    const copal_request_options_t *o = call->options;
    copal_code_t method = call->request->code;
    copal__resource_t *r = copal__tree_lookup(t, o->path, hash);
    copal__value_t *value = r ? copal__value_of(r) : NULL;
    if (r && !value)
        return COPAL_SERVICE_UNAVAILABLE; /* it has become a handler's since it was looked up */
    if (value && !(value->methods & COPAL_METHOD(method)))
        return COPAL_METHOD_NOT_ALLOWED;
    if (o->if_matches && !(value && names(t, call->request, COPAL_OPTION_IF_MATCH, value)))
        return COPAL_PRECONDITION_FAILED;
    if (o->if_none_match && value)
        return COPAL_PRECONDITION_FAILED;

    if (method == COPAL_DELETE) { /* 2.02 also where there was nothing (section 5.8.4) */
        if (r)
            copal__tree_destroy(t, r);
        return COPAL_DELETED;
    }
    if (!value && (method == COPAL_POST || !t->config.dynamic))
        return COPAL_NOT_FOUND;
    copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    if (value)
        copal__value_options(value, &options);
    if (o->content_format >= 0)
        options.content_format = o->content_format;
    copal__seed_t seed = {
        .path = o->path, .hash = hash, .value = call->request->payload, .options = &options, .dynamic = true};
    int error = value ? copal__tree_replace(t, r, seed.value, &options, true) : copal__tree_create(t, &seed, created);
    if (error)
        return error == COPAL_ESPACE ? COPAL_REQUEST_ENTITY_TOO_LARGE : COPAL_SERVICE_UNAVAILABLE;
    return value ? COPAL_CHANGED : COPAL_CREATED;
}

static copal_code_t serve_change(copal_tree_t *t, const copal_call_t *call, uint32_t hash)
{
    copal_handle_t created = {0, 0};
    copal__tree_enter(t);
    copal__arena_alone(&t->arena);
    copal_code_t code = change(t, call, hash, &created);
    copal__tree_leave(t);
    if (created.generation && t->config.created)
        t->config.created(t->config.user, t, created);
    return code;
}

static copal_code_t serve_handler(copal_tree_t *t, copal_call_t *call, const copal__resource_t *r)
{
    copal_handler_t handler = r->handler; /* it may remove its own resource */
    copal_code_t method = call->request->code;
    if (!(handler.methods & COPAL_METHOD(method)))
        return COPAL_METHOD_NOT_ALLOWED;
    call->depth = r->depth;
    if (handler.serial)
        copal__tree_enter(t);
    handler.handle(handler.user, call);
    if (handler.serial)
        copal__tree_leave(t);
    return ANSWERED;
}

static copal_code_t serve(copal_tree_t *t, copal_call_t *call)
{
    copal_code_t method = call->request->code;
    copal_bytes_t path = call->options->path;
    uint32_t hash = copal__tree_hash(t, path);
    copal__resource_t *r = copal__tree_lookup(t, path, hash);
    if (!r && copal__is_discovery(path))
        return copal__serve_discovery(t, call);
    if (!r)
        r = copal__tree_lookup_subtree(t, path);
    copal__value_t *value = r ? copal__value_of(r) : NULL;
    if (r && !value)
        return serve_handler(t, call, r);
    if (method == COPAL_PUT || method == COPAL_POST || method == COPAL_DELETE)
        return serve_change(t, call, hash);
    if (method == COPAL_GET && value && value->methods & COPAL_METHOD(COPAL_GET))
        return serve_get(t, call, value);
    return value ? COPAL_METHOD_NOT_ALLOWED : COPAL_NOT_FOUND;
}

void copal__serve(void *tree, copal_call_t *call)
{
    copal_tree_t *t = tree;
    copal_code_t code = serve(t, call);
    if (code == ANSWERED)
        return;
    copal_writer_t *w = copal_reply(call, code);
    if (code == COPAL_REQUEST_ENTITY_TOO_LARGE)
        copal_write_option_uint(w, COPAL_OPTION_SIZE1, t->config.limits.value_size); /* section 5.9.2.9 */
}
