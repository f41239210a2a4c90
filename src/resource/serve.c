/* What resources answer (RFC 7252 section 5.8, and 5.10 for the options). Functions that serve return the code of a bare
 * answer, or ANSWERED. */
#include <string.h>

#include "../message/writer.h"
#include "tree.h"

#define ANSWERED COPAL_EMPTY

/* An empty If-Match names any (RFC 7252 section 5.10.8.1); an empty ETag is of no legal size, thus ignored (section 5.4.3). */
bool copal__tag_matches(const copal_tree_t *t, const copal_message_t *request, uint16_t number, copal_bytes_t tag)
{
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
    if (call->options->etags && copal__tag_matches(t, call->request, COPAL_OPTION_ETAG, copal__value_tag(value))) {
        copal_writer_t *w = copal_reply(call, COPAL_VALID);
        copal_write_encoded(w, (copal_bytes_t){value->octets, value->tag}, COPAL_OPTION_ETAG);
        if (value->last == COPAL_OPTION_MAX_AGE)
            copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, value->max_age);
        return ANSWERED;
    }
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    copal__write_kept(w, value->octets, value->head, value->last, value->size);
    return ANSWERED;
}

static copal_code_t serve_change(copal_tree_t *t, copal_call_t *call, uint32_t hash)
{
    copal_handle_t created = {0, 0};
    copal_code_t code;
    copal__tree_enter(t);
    copal__arena_alone(&t->arena);
    if (copal__is_part(call)) {
        code = copal__serve_part(t, call, hash, &created);
    } else {
        if (call->options->block1 >= 0)
            copal__upload_supersede(&t->uploads, call);
        code = copal__change(t, call, hash, call->request->payload, &created);
    }
    copal__tree_leave(t);
    if (created.generation && t->config.created)
        t->config.created(t->config.user, t, created);
    return code;
}

static copal_code_t run_handler(copal_tree_t *t, copal_call_t *call, const copal_handler_t *handler, uint32_t slot)
{
    copal_code_t method = call->request->code;
    if (handler->intake && method != COPAL_GET && method != COPAL_DELETE)
        return copal__serve_intake(t, call, handler, slot);
    if (copal__is_part(call))
        copal__part_refuse(call);
    else
        handler->handle(handler->user, call);
    return ANSWERED;
}

static copal_code_t serve_handler(copal_tree_t *t, copal_call_t *call, const copal__resource_t *r)
{
    copal_handler_t handler = r->handler; /* it may remove its own resource */
    if (!(handler.methods & COPAL_METHOD(call->request->code)))
        return COPAL_METHOD_NOT_ALLOWED;
    call->depth = r->depth;
    if (handler.serial)
        copal__tree_enter(t);
    copal_code_t code = run_handler(t, call, &handler, r->slot);
    if (handler.serial)
        copal__tree_leave(t);
    return code;
}

static bool is_change(copal_code_t method)
{
    return method == COPAL_PUT || method == COPAL_POST || method == COPAL_DELETE || method == COPAL_PATCH ||
           method == COPAL_IPATCH;
}

static copal_code_t serve(copal__worker_t *w, copal_call_t *call)
{
    copal_tree_t *t = w->tree;
    copal_code_t method = call->request->code;
    copal_bytes_t path = call->options->path;
    uint32_t hash = copal__tree_hash(t, path);
    copal__resource_t *r = copal__tree_lookup(t, path, hash);
    if (!r && copal__is_discovery(path))
        return copal__serve_discovery(t, call);
    if (!r)
        r = copal__tree_lookup_subtree(t, path);
    bool watched = r && copal__tree_watch(w, r, call); /* before the value is read */
    copal__value_t *value = r ? copal__value_of(r) : NULL;
    if (watched)
        copal_observe(call, copal__handle_of(r), value && value->confirm);
    if (r && !value)
        return serve_handler(t, call, r);
    if (method == COPAL_GET && value && value->methods & COPAL_METHOD(COPAL_GET))
        return serve_get(t, call, value);
    if (is_change(method))
        return serve_change(t, call, hash);
    return value ? COPAL_METHOD_NOT_ALLOWED : COPAL_NOT_FOUND;
}

bool copal__serve_ready(void *worker, const copal_from_t *from, copal_bytes_t path, copal_bytes_t *answer)
{
    copal_tree_t *t = ((copal__worker_t *)worker)->tree;
    copal__resource_t *r = copal__tree_lookup(t, path, copal__tree_hash(t, path));
    const copal__value_t *value = r ? copal__value_of(r) : NULL;
    (void)from;
    if (!value || !(value->methods & COPAL_METHOD(COPAL_GET)))
        return false;
    *answer = copal__value_whole(value);
    return true;
}

void copal__serve(void *worker, copal_call_t *call)
{
    copal__worker_t *of = worker;
    copal_code_t code = serve(of, call);
    if (code == ANSWERED)
        return;
    copal_writer_t *w = copal_reply(call, code);
    if (code == COPAL_REQUEST_ENTITY_TOO_LARGE)
        copal_write_option_uint(w, COPAL_OPTION_SIZE1, of->tree->config.limits.value_size); /* section 5.9.2.9 */
}
