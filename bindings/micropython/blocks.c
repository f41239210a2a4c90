/* A body that comes in blocks is fetched whole (RFC 7959 section 2.4): the script sees one answer, no inner ones. */
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
    event->body.most = BODY_MOST;
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

int coap_blocks_take(coap_event_t *event, const copal_message_t *response)
{
    if (event->blocks == NULL) {
        return copal_body_take(&event->body, response, NULL);
    }
    event->blocks->ask.etag.size = 0; /* it asked whether the whole is still fresh */
    return copal_body_take(&event->body, response, &event->blocks->ask.block2);
}
