/* Bodies of requests on their way in. What is called here is called by the host, without the GIL. */
#include "binding.h"

#include <stdlib.h>

static copal_code_t refuse_size(const binding_handler_t *handler, size_t *most)
{
    *most = handler->body_size;
    return COPAL_REQUEST_ENTITY_TOO_LARGE;
}

static bool is_too_large(const binding_handler_t *handler, int64_t size)
{
    return size > 0 && (uint64_t)size > handler->body_size;
}

/* ---- whole bodies ------------------------------------------------------------------------------------------ */

typedef struct {
    binding_handler_t *handler;
    binding_body_t body;
} whole_t;

static copal_code_t begin_whole(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    (void)call;
    binding_handler_t *handler = user;
    if (is_too_large(handler, size)) {
        return refuse_size(handler, most);
    }
    whole_t *whole = calloc(1, sizeof *whole);
    if (whole == NULL) {
        return COPAL_SERVICE_UNAVAILABLE;
    }
    whole->handler = handler;
    *body = whole;
    return 0;
}

static copal_code_t take_whole(void *body, copal_bytes_t piece)
{
    whole_t *whole = body;
    const int status = binding_body_put(&whole->body, whole->body.size, piece, whole->handler->body_size);
    return status == COPAL_ESPACE ? COPAL_REQUEST_ENTITY_TOO_LARGE : status < 0 ? COPAL_SERVICE_UNAVAILABLE : 0;
}

static void drop_whole(void *body)
{
    whole_t *whole = body;
    free(whole->body.data);
    free(whole);
}

static void end_whole(void *body, copal_call_t *call)
{
    whole_t *whole = body;
    binding_event_t *event = binding_defer(whole->handler, call, &whole->body);
    if (event != NULL) {
        binding_queue_put(&whole->handler->host->queue, event);
    }
    drop_whole(whole);
}

const copal_intake_t binding_whole_bodies = {
    .begin = begin_whole, .take = take_whole, .end = end_whole, .drop = drop_whole};

/* ---- piece by piece ------------------------------------------------------------------------------------------ *
 *
 * Each piece is a call of its own, and the next is asked for when Python has dealt with it. So there is one piece of a body
 * in memory, whoever is slow. */

typedef struct {
    binding_handler_t *handler;
    binding_event_t *dropped; /* made beforehand: that the rest does not come must be told */
    copal_handle_t waits;     /* the call of the piece before */
    unsigned number;
    size_t size; /* octets that came */
} pieces_t;

static copal_code_t begin_pieces(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    (void)call;
    binding_handler_t *handler = user;
    if (is_too_large(handler, size)) {
        return refuse_size(handler, most);
    }
    pieces_t *pieces = calloc(1, sizeof *pieces);
    binding_event_t *dropped = pieces != NULL ? binding_event(EVENT_DROPPED, NULL) : NULL;
    if (dropped == NULL) {
        free(pieces);
        return COPAL_SERVICE_UNAVAILABLE;
    }
    do {
        pieces->number = ++handler->host->bodies;
    } while (pieces->number == 0);
    dropped->number = pieces->number;
    pieces->handler = handler;
    pieces->dropped = dropped;
    *body = pieces;
    return 0;
}

static copal_code_t take_piece(void *body, copal_bytes_t piece)
{
    pieces_t *pieces = body;
    if (piece.size > pieces->handler->body_size - pieces->size) {
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    }
    pieces->size += piece.size;
    return 0;
}

/* Puts the piece into the queue. False: it cannot wait for its answer, or the one before still does, and who sent it does not
 * keep to being asked. */
static bool put_piece(pieces_t *pieces, copal_call_t *call)
{
    copal_message_t request;
    const bool waits = copal_later_request(call->endpoint, pieces->waits, &request) == 0;
    binding_event_t *event = waits ? NULL : binding_defer(pieces->handler, call, NULL);
    if (event == NULL) {
        return false;
    }
    event->number = pieces->number;
    event->more = call->options->block1 >= 0 && (call->options->block1 & 8);
    event->block1 = event->more ? (uint32_t)call->options->block1 : 0;
    pieces->waits = event->handle;
    binding_queue_put(&pieces->handler->host->queue, event);
    return true;
}

static copal_code_t pause_pieces(void *body, copal_call_t *call)
{
    return put_piece(body, call) ? 0 : COPAL_SERVICE_UNAVAILABLE;
}

static void drop_pieces(void *body)
{
    pieces_t *pieces = body;
    binding_queue_put(&pieces->handler->host->queue, pieces->dropped);
    free(pieces);
}

static void end_pieces(void *body, copal_call_t *call)
{
    pieces_t *pieces = body;
    if (!put_piece(pieces, call)) {
        copal_reply_text(call, COPAL_SERVICE_UNAVAILABLE, NULL);
        drop_pieces(pieces);
        return;
    }
    binding_event_free(pieces->dropped);
    free(pieces);
}

const copal_intake_t binding_bodies_in_pieces = {
    .begin = begin_pieces, .take = take_piece, .pause = pause_pieces, .end = end_pieces, .drop = drop_pieces};
