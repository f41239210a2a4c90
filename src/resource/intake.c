/* Bodies of requests, whole in one datagram or part by part (RFC 7959 section 2.5). What a handler's intake takes is the
 * handler's; the value of a value resource to be is put together in the arena. Functions that serve return the code of a
 * bare answer, or ANSWERED. */
#include <string.h>

#include "tree.h"

#define ANSWERED COPAL_EMPTY
#define NOBODY   (UINT32_MAX - 1) /* no slot: not to be dropped with a resource */

/* A body that is put together. */
typedef struct {
    size_t capacity;
    uint8_t octets[];
} draft_t;

static const uint8_t drafts; /* the taker of those */

void copal__intake_drop(void *context, copal__upload_t *upload)
{
    copal_tree_t *t = context;
    const copal_intake_t *intake = upload->taker;
    if (upload->taker == &drafts)
        copal__arena_give(&t->arena, upload->body);
    else if (intake)
        intake->drop(upload->body);
}

void copal__serve_refused(void *worker, const copal_endpoint_t *endpoint, copal_handle_t later)
{
    copal_tree_t *t = ((copal__worker_t *)worker)->tree;
    copal__tree_enter(t);
    copal__upload_refused(&t->uploads, endpoint, later);
    copal__tree_leave(t);
}

static copal_code_t refused(copal_call_t *call, copal_code_t code, size_t most, const char *reason)
{
    copal_writer_t *w = copal_reply(call, code);
    if (code == COPAL_REQUEST_ENTITY_TOO_LARGE && most && most <= UINT32_MAX)
        copal_write_option_uint(w, COPAL_OPTION_SIZE1, (uint32_t)most); /* RFC 7959 section 2.9.3 */
    if (reason)
        copal_write_text(w, reason);
    return ANSWERED;
}

static const char *reason_of(const copal_intake_t *intake, void *body)
{
    return intake && intake->reason ? intake->reason(body) : NULL;
}

/* ---- handlers -------------------------------------------------------------------------------------------- */

static copal_code_t take_whole(copal_call_t *call, const copal_handler_t *handler)
{
    const copal_intake_t *intake = handler->intake;
    copal_bytes_t payload = call->request->payload;
    void *body = NULL;
    size_t most = 0;
    copal_code_t code = intake->begin(handler->user, call, (int64_t)payload.size, &body, &most);
    if (code)
        return refused(call, code, most, NULL);
    if (payload.size && (code = intake->take(body, payload))) {
        const char *reason = reason_of(intake, body);
        intake->drop(body);
        return refused(call, code, most, reason);
    }
    intake->end(body, call);
    return ANSWERED;
}

/* Hands a part to its intake, which begins with the first. 0, or the code of the refusal. */
static copal_code_t take_part(copal_call_t *call, const copal_handler_t *handler, copal__upload_t *upload)
{
    const copal_intake_t *intake = upload->taker;
    copal_bytes_t payload = call->request->payload;
    if (!intake) {
        copal_code_t code =
            handler->intake->begin(handler->user, call, call->options->size1, &upload->body, &upload->most);
        if (code)
            return code;
        upload->taker = intake = handler->intake;
    }
    copal_code_t code = payload.size ? intake->take(upload->body, payload) : 0;
    return !code && intake->pause && copal__more_follow(call) ? intake->pause(upload->body, call) : code;
}

/* The whole body is there. A precondition that came with its first part alone holds for all of it. */
static void end_part(copal_call_t *call, const copal__upload_t *upload)
{
    const copal_intake_t *intake = upload->taker;
    const copal_request_options_t *said = call->options;
    copal_request_options_t meant = *said;
    meant.if_none_match |= upload->if_none_match;
    call->options = &meant;
    intake->end(upload->body, call);
    call->options = said;
}

/* The intake runs outside of the exclusion; the entry stays where it is meanwhile. */
static copal_code_t serve_part(copal_tree_t *t, copal_call_t *call, const copal_handler_t *handler, uint32_t owner)
{
    copal__upload_t *upload;
    copal__tree_enter(t);
    copal__part_t part = copal__upload_find(&t->uploads, call, &upload);
    if (part == COPAL__PART_FIRST)
        upload->owner = owner;
    if (part != COPAL__PART_ANSWERED)
        upload->busy = true;
    copal__tree_leave(t);
    if (part == COPAL__PART_ANSWERED)
        return ANSWERED;

    copal_code_t code = take_part(call, handler, upload);

    copal__tree_enter(t);
    upload->busy = false;
    copal__upload_t taken = *upload;
    if (!code && upload->doomed) /* its resource was removed meanwhile */
        code = COPAL_SERVICE_UNAVAILABLE;
    if (!code && copal__more_follow(call))
        copal__upload_advance(&t->uploads, call, upload);
    else
        copal__upload_forget(&t->uploads, upload);
    copal__tree_leave(t);
    if (code) {
        const char *reason = reason_of(taken.taker, taken.body);
        copal__intake_drop(t, &taken);
        return copal__is_deferred(call) ? ANSWERED : refused(call, code, taken.most, reason);
    }
    if (!copal__more_follow(call))
        end_part(call, &taken);
    return ANSWERED;
}

copal_code_t copal__serve_intake(copal_tree_t *t, copal_call_t *call, const copal_handler_t *handler, uint32_t owner)
{
    if (copal__is_part(call))
        return serve_part(t, call, handler, owner);
    if (call->options->block1 >= 0) {
        copal__tree_enter(t);
        copal__upload_supersede(&t->uploads, call);
        copal__tree_leave(t);
    }
    return take_whole(call, handler);
}

/* ---- value resources ---------------------------------------------------------------------------------------- */

/* A larger block for a body that grows: twice as large each time, so that what nobody sends is not kept for him. */
static draft_t *enlarge(copal_tree_t *t, copal__upload_t *upload, size_t needed, copal_time_t now)
{
    draft_t *old = upload->body, *draft;
    size_t most = t->config.limits.value_size, capacity = old ? 2 * old->capacity : needed;
    capacity = capacity < needed ? needed : capacity > most ? most : capacity;
    upload->busy = true;
    while (!(draft = copal__arena_take(&t->arena, sizeof *draft + capacity)) &&
           copal__uploads_make_room(&t->uploads, now)) {
    }
    upload->busy = false;
    if (!draft)
        return NULL;
    draft->capacity = capacity;
    if (old)
        memcpy(draft->octets, old->octets, upload->offset);
    copal__arena_give(&t->arena, old);
    upload->body = draft;
    return draft;
}

static copal_code_t add_to_draft(copal_tree_t *t, const copal_call_t *call, copal__upload_t *upload)
{
    copal_bytes_t payload = call->request->payload;
    size_t needed = upload->offset + payload.size;
    draft_t *draft = upload->body;
    if (needed > t->config.limits.value_size || call->options->size1 > (int64_t)t->config.limits.value_size)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    if (!draft || needed > draft->capacity)
        draft = enlarge(t, upload, needed, call->now);
    if (!draft)
        return COPAL_SERVICE_UNAVAILABLE;
    if (payload.size)
        memcpy(draft->octets + upload->offset, payload.data, payload.size);
    return 0;
}

/* All of the body is there. */
static copal_code_t publish(copal_tree_t *t, copal_call_t *call, uint32_t hash, const copal__upload_t *upload,
                            copal_handle_t *created)
{
    draft_t *draft = upload->body;
    const copal_request_options_t *said = call->options;
    copal_request_options_t meant = *said;
    meant.if_none_match |= upload->if_none_match;
    call->options = &meant;
    copal_bytes_t body = {draft->octets, upload->offset + call->request->payload.size};
    copal_code_t code = copal__change(t, call, hash, body, created);
    call->options = said;
    copal__arena_give(&t->arena, draft);
    return code;
}

copal_code_t copal__serve_part(copal_tree_t *t, copal_call_t *call, uint32_t hash, copal_handle_t *created)
{
    copal__upload_t *upload;
    copal__part_t part = copal__upload_find(&t->uploads, call, &upload);
    copal_code_t code = 0;
    if (part == COPAL__PART_ANSWERED)
        return ANSWERED;
    if (part == COPAL__PART_FIRST) {
        upload->owner = NOBODY;
        upload->taker = &drafts;
        code = copal__change_refusal(t, call, hash);
    }
    if (!code)
        code = add_to_draft(t, call, upload);
    if (!code && copal__more_follow(call)) {
        copal__upload_advance(&t->uploads, call, upload);
        return ANSWERED;
    }
    copal__upload_t taken = *upload;
    copal__upload_forget(&t->uploads, upload);
    if (!code)
        return publish(t, call, hash, &taken, created);
    copal__intake_drop(t, &taken);
    return code;
}
