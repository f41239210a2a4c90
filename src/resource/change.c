/* What changes value resources (RFC 7252 sections 5.8.2 to 5.8.4, RFC 8132). */
#include <string.h>

#include "tree.h"

#define ANSWERED  COPAL_EMPTY
#define NAME_SIZE 8u /* characters of a name that is made up, five bits each */
#define BESIDE    96u /* octets that such a name, the options of a value and the heads of two blocks take at most */

static bool is_patch(copal_code_t method) { return method == COPAL_PATCH || method == COPAL_IPATCH; }

/* ---- whether it may be ---------------------------------------------------------------------------------- */

/* `r` may be NULL. */
static copal_code_t refusal(const copal_tree_t *t, const copal_call_t *call, copal__resource_t *r)
{
    const copal_request_options_t *o = call->options;
    copal_code_t method = call->request->code;
    const copal__value_t *value = r ? copal__value_of(r) : NULL;
    if (r && !value)
        return COPAL_SERVICE_UNAVAILABLE; /* it has become a handler's since it was looked up */
    if (value && !(value->methods & COPAL_METHOD(method)))
        return COPAL_METHOD_NOT_ALLOWED;
    if (o->if_matches && !(value && copal__tag_matches(t, call->request, COPAL_OPTION_IF_MATCH, copal__value_tag(value))))
        return COPAL_PRECONDITION_FAILED;
    if (o->if_none_match && value)
        return COPAL_PRECONDITION_FAILED;
    if (!value && ((method == COPAL_PUT && !t->config.dynamic) || (method == COPAL_POST && !t->config.post_creates) ||
                   is_patch(method)))
        return COPAL_NOT_FOUND;
    /* Without a format, or in one that is not for this value (RFC 8132 section 3.4). */
    if (is_patch(method) && (o->content_format < 0 || value->content_format != COPAL__JSON))
        return COPAL_UNSUPPORTED_CONTENT_FORMAT;
    return 0;
}

copal_code_t copal__change_refusal(copal_tree_t *t, const copal_call_t *call, uint32_t hash)
{
    return refusal(t, call, copal__tree_lookup(t, call->options->path, hash));
}

static copal_code_t code_of(int error)
{
    return error == COPAL_ESPACE ? COPAL_REQUEST_ENTITY_TOO_LARGE : COPAL_SERVICE_UNAVAILABLE;
}

/* ---- a value that is there -------------------------------------------------------------------------------- */

static copal_code_t replace(copal_tree_t *t, const copal_call_t *call, copal__resource_t *r, copal_bytes_t body)
{
    copal_value_options_t options;
    copal__value_options(copal__value_of(r), &options);
    if (call->options->content_format >= 0)
        options.content_format = call->options->content_format;
    if (options.content_format != COPAL__JSON)
        options.methods &= COPAL_METHODS_ALL;
    int error = copal__tree_replace(t, r, body, &options, true);
    return error ? code_of(error) : COPAL_CHANGED;
}

static copal_code_t patch(copal_tree_t *t, copal_call_t *call, copal__resource_t *r, copal_bytes_t body)
{
    const copal__value_t *value = copal__value_of(r);
    copal_value_options_t options;
    size_t size = t->config.limits.value_size;
    uint8_t *out = copal__arena_take(&t->arena, t->config.limits.value_size);
    if (!out)
        return COPAL_SERVICE_UNAVAILABLE;
    copal_code_t code = t->config.patch(t->config.user, (uint16_t)call->options->content_format,
                                        copal__value_payload(value), body, out, &size);
    if (!code) {
        copal__value_options(value, &options);
        int error = copal__tree_replace(t, r, (copal_bytes_t){out, size}, &options, true);
        code = error ? code_of(error) : COPAL_CHANGED;
    }
    copal__arena_give(&t->arena, out);
    if (code != COPAL_CONFLICT)
        return code;
    copal_reply_text(call, code, "the patch does not fit the value"); /* RFC 8132 section 3.4 */
    return ANSWERED;
}

/* ---- a new one -------------------------------------------------------------------------------------------- */

static copal_code_t create(copal_tree_t *t, const copal_call_t *call, copal_bytes_t path, copal_bytes_t body,
                           copal_handle_t *created)
{
    const copal_value_options_t options = {
        .content_format = call->options->content_format, .max_age = -1, .methods = COPAL_METHODS_ALL};
    const copal__seed_t seed = {
        .path = path, .hash = copal__tree_hash(t, path), .value = body, .options = &options, .dynamic = true};
    int error = copal__tree_create(t, &seed, created);
    return error ? code_of(error) : COPAL_CREATED;
}

/* Writes a name behind the path: of a keyed hash of a counter, so that it is hard to guess and long not used again. */
static void make_name(copal_tree_t *t, uint8_t *at)
{
    static const char digits[] = "abcdefghijkmnpqrstuvwxyz23456789";
    t->named++;
    uint64_t number = copal__hash(&t->key, 1, &t->named, sizeof t->named);
    *at++ = NAME_SIZE; /* the head of its Uri-Path option */
    for (size_t i = 0; i < NAME_SIZE; i++, number >>= 5)
        *at++ = (uint8_t)digits[number & 31];
}

/* POST on a path that is no resource: the new one is below it, and the answer says where (RFC 7252 section 5.8.2). */
static copal_code_t create_below(copal_tree_t *t, copal_call_t *call, copal_bytes_t body, copal_handle_t *created)
{
    uint8_t octets[COPAL__PATH_SIZE];
    copal_bytes_t above = call->options->path, path = {octets, above.size + 1 + NAME_SIZE};
    if (path.size > sizeof octets)
        return COPAL_SERVICE_UNAVAILABLE;
    if (above.size) {
        memcpy(octets, above.data, above.size);
        octets[0] &= 0x0f; /* as behind no other option */
    }
    do
        make_name(t, octets + above.size);
    while (copal__tree_lookup(t, path, copal__tree_hash(t, path)));

    copal_writer_t *w = copal_reply(call, COPAL_CREATED);
    copal_option_reader_t reader = {octets, octets + path.size, 0};
    copal_option_t segment;
    while (copal_option_next(&reader, &segment))
        copal_write_option(w, COPAL_OPTION_LOCATION_PATH, segment.value);
    if (w->error)
        return COPAL_SERVICE_UNAVAILABLE;
    copal_code_t code = create(t, call, path, body, created);
    return code == COPAL_CREATED ? ANSWERED : code;
}

/* ---- room -------------------------------------------------------------------------------------------------- */

/* Bodies that nobody goes on with do not keep out what is here: they go while a resource of this size has no place. */
static void make_room(copal_tree_t *t, const copal_call_t *call, size_t size)
{
    void *place;
    size += sizeof(copal__resource_t) + sizeof(copal__value_t) + BESIDE + 4 * call->options->path.size;
    while (!(place = copal__arena_take(&t->arena, size)) && copal__uploads_make_room(&t->uploads, call->now)) {
    }
    copal__arena_give(&t->arena, place);
}

/* ---- all of it ---------------------------------------------------------------------------------------------- */

copal_code_t copal__change(copal_tree_t *t, copal_call_t *call, uint32_t hash, copal_bytes_t body,
                           copal_handle_t *created)
{
    copal_code_t method = call->request->code;
    const size_t most = t->config.limits.value_size;
    if (t->uploads.pool.used && method != COPAL_DELETE && body.size <= most && !copal__change_refusal(t, call, hash))
        make_room(t, call, is_patch(method) ? 2 * most : body.size);
    copal__resource_t *r = copal__tree_lookup(t, call->options->path, hash); /* what a body leaves may change the tree */
    copal_code_t refused = refusal(t, call, r);
    if (refused)
        return refused;
    if (method == COPAL_DELETE) { /* 2.02 also where there was nothing (section 5.8.4) */
        if (r)
            copal__tree_destroy(t, r);
        return COPAL_DELETED;
    }
    if (is_patch(method))
        return patch(t, call, r, body);
    if (r)
        return replace(t, call, r, body);
    if (method == COPAL_POST)
        return create_below(t, call, body, created);
    return create(t, call, call->options->path, body, created);
}
