#include "upload.h"

#include "../exchange/options.h"
#include "../exchange/state.h"

#define IDLE_LEAST ((copal_time_t)30000) /* milliseconds without a part before one may have to make room */

void copal__uploads_lay(copal__uploads_t *u, copal__carver_t *carver, uint32_t capacity)
{
    copal__pool_lay(&u->pool, carver, capacity);
    copal__index_lay(&u->index, carver, capacity);
    copal__index_lay(&u->by_peer, carver, capacity);
    u->uploads = copal__carve(carver, capacity, sizeof *u->uploads);
}

/* ---- what a body is known by ------------------------------------------------------------------------------ */

static uint64_t peer_of(const copal__uploads_t *u, const copal_call_t *call)
{
    return copal__hash(u->hash_key, 0, call->from->peer.data, call->from->peer.size);
}

static uint64_t key_of(const copal__uploads_t *u, const copal_call_t *call, uint64_t peer)
{
    return copal__operation_key(u->hash_key, call, peer, false);
}

static copal__upload_t *lookup(const copal__uploads_t *u, uint64_t key)
{
    uint32_t slot = copal__index_first(&u->index, key);
    while (slot != COPAL__NONE && u->uploads[slot].key != key)
        slot = copal__index_next(&u->index, slot);
    return slot == COPAL__NONE ? NULL : &u->uploads[slot];
}

/* ---- the order of last use --------------------------------------------------------------------------------- */

static uint32_t slot_of(const copal__uploads_t *u, const copal__upload_t *upload)
{
    return (uint32_t)(upload - u->uploads);
}

static void append(copal__uploads_t *u, copal__upload_t *upload)
{
    uint32_t link = slot_of(u, upload) + 1;
    upload->older = u->youngest;
    upload->newer = 0;
    if (u->youngest)
        u->uploads[u->youngest - 1].newer = link;
    else
        u->oldest = link;
    u->youngest = link;
}

static void detach(copal__uploads_t *u, const copal__upload_t *upload)
{
    *(upload->older ? &u->uploads[upload->older - 1].newer : &u->oldest) = upload->newer;
    *(upload->newer ? &u->uploads[upload->newer - 1].older : &u->youngest) = upload->older;
}

/* The one that has been idle for longest, of all or of one peer; NULL: none that is not at work. */
static copal__upload_t *idlest(copal__uploads_t *u, const uint64_t *peer)
{
    for (uint32_t link = u->oldest; link; link = u->uploads[link - 1].newer) {
        copal__upload_t *upload = &u->uploads[link - 1];
        if (!upload->busy && (!peer || upload->peer == *peer))
            return upload;
    }
    return NULL;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

void copal__upload_forget(copal__uploads_t *u, copal__upload_t *upload)
{
    uint32_t slot = slot_of(u, upload);
    copal__index_remove(&u->index, upload->key, slot);
    copal__index_remove(&u->by_peer, upload->peer, slot);
    detach(u, upload);
    copal__pool_give(&u->pool, slot);
}

static void drop(copal__uploads_t *u, copal__upload_t *upload)
{
    if (upload->busy) {
        upload->doomed = true;
        return;
    }
    copal__upload_t gone = *upload;
    copal__upload_forget(u, upload);
    u->drop(u->context, &gone);
}

/* "Servers can fully expect to be free to discard any partial request body when a period of EXCHANGE_LIFETIME has elapsed"
 * (RFC 7959 section 2.5). */
static void expire(copal__uploads_t *u, const copal_call_t *call)
{
    copal__upload_t *upload;
    while ((upload = idlest(u, NULL)) && call->now - upload->last >= call->endpoint->exchange_lifetime)
        drop(u, upload);
}

bool copal__uploads_make_room(copal__uploads_t *u, copal_time_t now)
{
    copal__upload_t *upload = idlest(u, NULL);
    if (!upload || now - upload->last < IDLE_LEAST)
        return false;
    drop(u, upload);
    return true;
}

void copal__uploads_leave(copal__uploads_t *u, uint32_t owner)
{
    for (uint32_t link = u->oldest; link;) {
        copal__upload_t *upload = &u->uploads[link - 1];
        bool leaves = owner == UINT32_MAX || upload->owner == owner, stays = !leaves || upload->busy;
        link = upload->newer;
        if (leaves)
            drop(u, upload);
        if (!stays) /* it may have taken others along */
            link = u->oldest;
    }
}

void copal__upload_supersede(copal__uploads_t *u, const copal_call_t *call)
{
    copal__upload_t *upload = u->pool.used ? lookup(u, key_of(u, call, peer_of(u, call))) : NULL;
    if (upload)
        drop(u, upload);
}

void copal__upload_refused(copal__uploads_t *u, const copal_endpoint_t *endpoint, copal_handle_t later)
{
    for (uint32_t link = u->youngest; link; link = u->uploads[link - 1].older) {
        copal__upload_t *upload = &u->uploads[link - 1];
        if (upload->endpoint == endpoint && upload->waits.slot == later.slot &&
            upload->waits.generation == later.generation) {
            drop(u, upload);
            return;
        }
    }
}

/* ---- the beginning -------------------------------------------------------------------------------------------- */

static uint32_t count_of(const copal__uploads_t *u, uint64_t peer)
{
    uint32_t count = 0;
    for (uint32_t slot = copal__index_first(&u->by_peer, peer); slot != COPAL__NONE;
         slot = copal__index_next(&u->by_peer, slot))
        count += u->uploads[slot].peer == peer;
    return count;
}

/* Refuses until the one that has been idle for longest may have to make room. */
static void refuse(copal_call_t *call, copal_code_t code, const copal__upload_t *idle)
{
    copal_time_t wait = idle ? idle->last + IDLE_LEAST - call->now : IDLE_LEAST;
    copal_write_option_uint(copal_reply(call, code), COPAL_OPTION_MAX_AGE, (uint32_t)(wait + 999) / 1000);
}

/* Whether there is a place for one more of this peer, if need be that of one that has been idle for too long. False: it was
 * answered. The last quarter is for addresses that are known to be real: nobody keeps them out with those of others. */
static bool admit(copal__uploads_t *u, copal_call_t *call, uint64_t peer)
{
    uint32_t capacity = u->pool.capacity, each = capacity < 8 ? 1 : capacity / 4;
    bool crowd = count_of(u, peer) >= each;
    copal__upload_t *idle = NULL;
    if (!crowd && u->pool.used >= capacity - capacity / 4 && copal__call_challenge(call))
        return false;
    if (crowd || u->pool.used == capacity) {
        idle = idlest(u, crowd ? &peer : NULL);
        if (!idle || call->now - idle->last < IDLE_LEAST) { /* RFC 8516 section 3; RFC 9175 section 3.3 */
            refuse(call, crowd ? COPAL_TOO_MANY_REQUESTS : COPAL_SERVICE_UNAVAILABLE, idle);
            return false;
        }
        drop(u, idle);
    }
    return true;
}

static copal__part_t begin(copal__uploads_t *u, copal_call_t *call, uint64_t peer, uint64_t key, copal__upload_t **upload)
{
    if (!admit(u, call, peer))
        return COPAL__PART_ANSWERED;
    uint32_t slot = copal__pool_take(&u->pool);
    *upload = &u->uploads[slot];
    **upload = (copal__upload_t){
        .key = key, .peer = peer, .last = call->now, .if_none_match = call->options->if_none_match};
    copal__index_add(&u->index, key, slot);
    copal__index_add(&u->by_peer, peer, slot);
    append(u, *upload);
    return COPAL__PART_FIRST;
}

/* ---- parts ------------------------------------------------------------------------------------------------------ */

/* In the first answer the server says what size it would rather have (RFC 7959 section 2.3). */
static void go_on(copal_call_t *call, const copal_block_t *block)
{
    uint8_t most = copal__szx_within(call->endpoint->config.limits.payload_size);
    copal_block_t taken = {block->number, true, block->szx < most ? block->szx : most};
    copal_write_option_uint(copal_reply(call, COPAL_CONTINUE), COPAL_OPTION_BLOCK1, copal_block_encode(&taken));
}

static copal__part_t answered(copal_call_t *call, copal_code_t code, const char *text)
{
    copal_reply_text(call, code, text);
    return COPAL__PART_ANSWERED;
}

bool copal__is_deferred(const copal_call_t *call) { return ((const copal__serving_t *)(const void *)call)->deferred; }

void copal__part_refuse(copal_call_t *call)
{
    copal_writer_t *w = copal_reply(call, COPAL_REQUEST_ENTITY_TOO_LARGE);
    copal_write_option_uint(w, COPAL_OPTION_SIZE1, call->endpoint->config.limits.payload_size);
}

copal__part_t copal__upload_find(copal__uploads_t *u, copal_call_t *call, copal__upload_t **upload)
{
    copal_block_t block;
    copal_block_decode(&block, (uint32_t)call->options->block1);
    size_t size = call->request->payload.size, at = (size_t)block.number << (block.szx + 4);
    if (call->from->multicast) /* RFC 7959 section 2.8 */
        return answered(call, COPAL_BAD_REQUEST, NULL);
    if (block.more && size != (size_t)16 << block.szx) /* RFC 7959 section 2.3 */
        return answered(call, COPAL_BAD_REQUEST, "a block's size is not that of its SZX");
    expire(u, call);
    uint64_t peer = peer_of(u, call), key = key_of(u, call, peer);
    copal__upload_t *found = lookup(u, key);
    if (found && found->busy) { /* another worker has a part of it at hand */
        refuse(call, COPAL_SERVICE_UNAVAILABLE, NULL);
        return COPAL__PART_ANSWERED;
    }
    if (!block.number) {
        if (found) /* "simply overwrites the context the server may still be keeping" (RFC 7959 section 2.5) */
            drop(u, found);
        return begin(u, call, peer, key, upload);
    }
    /* A copy of the block taken last; or pieces of it, by a client that goes by the smaller size it was asked for, but
     * counts from the start of that block (go-coap). */
    if (found && block.more && at + size <= found->offset && at >= found->offset - found->block) {
        go_on(call, &block);
        return COPAL__PART_ANSWERED;
    }
    if (!found || at != found->offset)
        return answered(call, COPAL_REQUEST_ENTITY_INCOMPLETE, NULL);
    *upload = found;
    return COPAL__PART_NEXT;
}

void copal__upload_advance(copal__uploads_t *u, copal_call_t *call, copal__upload_t *upload)
{
    copal_block_t block;
    copal_block_decode(&block, (uint32_t)call->options->block1);
    upload->block = call->request->payload.size;
    upload->offset += upload->block;
    upload->last = call->now;
    detach(u, upload);
    append(u, upload);
    if (copal__is_deferred(call)) {
        upload->endpoint = call->endpoint;
        upload->waits = ((const copal__serving_t *)(const void *)call)->later;
    } else {
        go_on(call, &block);
    }
}
