/* A body put together from the blocks it comes in (RFC 7959 section 2.4). */
#include "copal/host.h"

#include <stdlib.h>
#include <string.h>

static int append(copal_body_t *body, copal_bytes_t part)
{
    if (part.size > body->most - body->size)
        return COPAL_ESPACE;
    if (body->size + part.size + 1 > body->capacity_) {
        size_t capacity = (body->size + part.size + 1) * 2;
        uint8_t *grown = realloc(body->data, capacity);
        if (!grown)
            return COPAL_ENOMEM;
        body->data = grown;
        body->capacity_ = capacity;
    }
    if (part.size > 0)
        memcpy(body->data + body->size, part.data, part.size);
    body->size += part.size;
    body->data[body->size] = 0;
    return 0;
}

/* Blocks belong together if their ETag is the same, or none has one. */
static bool is_same_version(copal_body_t *body, const copal_message_t *response)
{
    copal_option_t etag;
    if (!copal_option_find(response, COPAL_OPTION_ETAG, &etag))
        etag.value = copal_text("");
    if (body->size == 0) {
        memcpy(body->etag_, etag.value.data, etag.value.size);
        body->etag_size_ = etag.value.size;
    }
    return etag.value.size == body->etag_size_ && memcmp(etag.value.data, body->etag_, body->etag_size_) == 0;
}

/* The value changed while it was fetched: from the start, but once only, or a busy value would hold us for ever. */
static int start_over(copal_body_t *body, int32_t *block2)
{
    if (body->started_over_)
        return COPAL_EFORMAT;
    body->started_over_ = true;
    body->size = 0;
    *block2 = 0;
    return 1;
}

int copal_body_take(copal_body_t *body, const copal_message_t *response, int32_t *block2)
{
    copal_option_t option;
    copal_block_t block;
    if (!block2 || !copal_option_find(response, COPAL_OPTION_BLOCK2, &option)) {
        body->size = 0; /* complete in itself, even after blocks: an error, or what took their place */
        return append(body, response->payload);
    }
    if (copal_block_decode(&block, copal_option_uint(&option)) < 0)
        return COPAL_EFORMAT;
    const size_t size = (size_t)1 << (block.szx + 4);
    if (block.number * size != body->size || (block.more && response->payload.size != size))
        return COPAL_EFORMAT;
    if (!is_same_version(body, response))
        return start_over(body, block2);
    int error = append(body, response->payload);
    if (error < 0 || !block.more)
        return error;
    block.number++;
    block.more = false;
    *block2 = (int32_t)copal_block_encode(&block);
    return 1;
}

void copal_body_free(copal_body_t *body)
{
    free(body->data);
    *body = (copal_body_t){.most = body->most};
}
