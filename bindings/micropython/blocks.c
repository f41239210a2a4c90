/* A body that comes in blocks is fetched whole (RFC 7959 section 2.4): the script sees one answer, not the inner ones. */
#include <stdlib.h>
#include <string.h>

#include "network_coap.h"

#define BODY_MOST ((size_t)1 << 20) /* octets; a server that never ends shall not fill the memory */

/* Copies `octets` to `*at` and moves that on. */
static copal_bytes_t keep(uint8_t **at, copal_bytes_t octets)
{
    copal_bytes_t kept = {*at, octets.size};
    if (octets.size > 0) {
        memcpy(*at, octets.data, octets.size);
    }
    *at += octets.size;
    return kept;
}

/* Only a request without effects is asked again for the next block. */
static bool wants_whole(const copal_ask_t *ask)
{
    return (ask->method == COPAL_GET || ask->method == COPAL_FETCH) && !ask->no_options;
}

int coap_blocks_prepare(coap_event_t *event, const copal_ask_t *ask)
{
    if (!wants_whole(ask)) {
        return 0;
    }
    coap_blocks_t *blocks = calloc(1, sizeof *blocks + ask->path.size + ask->payload.size + ask->token.size +
                                          ask->if_match.size + ask->etag.size);
    if (blocks == NULL) {
        return COPAL_ENOMEM;
    }
    uint8_t *at = blocks->kept;
    blocks->ask = *ask;
    blocks->peer = *ask->to;
    blocks->ask.to = &blocks->peer;
    blocks->ask.path = keep(&at, ask->path);
    blocks->ask.payload = keep(&at, ask->payload);
    blocks->ask.token = keep(&at, ask->token);
    blocks->ask.if_match = keep(&at, ask->if_match);
    blocks->ask.etag = keep(&at, ask->etag);
    event->blocks = blocks;
    return 0;
}

/* Blocks belong together if their ETag is the same, or none has one. */
static bool is_same_version(coap_blocks_t *blocks, bool first, const copal_message_t *message)
{
    copal_option_t etag;
    if (!copal_option_find(message, COPAL_OPTION_ETAG, &etag)) {
        etag.value = copal_text("");
    }
    if (etag.value.size > sizeof blocks->etag) {
        return false;
    }
    if (first) {
        blocks->etag_size = etag.value.size;
        memcpy(blocks->etag, etag.value.data, etag.value.size);
    }
    return etag.value.size == blocks->etag_size && memcmp(blocks->etag, etag.value.data, etag.value.size) == 0;
}

static int append(coap_event_t *event, copal_bytes_t part)
{
    if (part.size == 0) {
        return 0;
    }
    if (part.size > BODY_MOST - event->size) {
        return COPAL_ESPACE;
    }
    uint8_t *grown = realloc(event->payload, event->size + part.size);
    if (grown == NULL) {
        return COPAL_ENOMEM;
    }
    memcpy(grown + event->size, part.data, part.size);
    event->payload = grown;
    event->size += part.size;
    return 0;
}

/* The value changed while it was fetched: from the start, but once only, or a busy value would hold us for ever. */
static int start_over(coap_event_t *event)
{
    if (event->blocks->started_over) {
        return COPAL_EFORMAT;
    }
    event->blocks->started_over = true;
    event->blocks->ask.block2 = 0;
    event->size = 0;
    return COAP_MORE;
}

int coap_blocks_take(coap_event_t *event, const copal_message_t *message)
{
    copal_option_t option;
    copal_block_t block;
    coap_blocks_t *blocks = event->blocks;
    if (blocks == NULL || !copal_option_find(message, COPAL_OPTION_BLOCK2, &option)) {
        event->size = 0; /* complete in itself, even after blocks: an error, or what took their place */
        return append(event, message->payload);
    }
    if (copal_block_decode(&block, copal_option_uint(&option)) != 0) {
        return COPAL_EFORMAT;
    }
    const size_t size = (size_t)1 << (block.szx + 4);
    if (block.number * size != event->size || (block.more && message->payload.size != size)) {
        return COPAL_EFORMAT;
    }
    if (!is_same_version(blocks, block.number == 0, message)) {
        return start_over(event);
    }
    int error = append(event, message->payload);
    if (error != 0 || !block.more) {
        return error;
    }
    block.number++;
    block.more = false;
    blocks->ask.block2 = (int32_t)copal_block_encode(&block);
    blocks->ask.etag.size = 0; /* it asked whether the whole is still fresh */
    return COAP_MORE;
}
