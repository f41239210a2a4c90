#include "value.h"

#include "../message/writer.h"

#include <string.h>

#define HEAD_MOST 11 /* octets: ETag 3, Content-Format 3, Max-Age 5 */

bool copal__value_options_ok(const copal_value_options_t *o, bool patches)
{
    uint32_t methods = COPAL_METHODS_ALL;
    if (patches && o->content_format == COPAL__JSON)
        methods |= COPAL_METHOD(COPAL_PATCH) | COPAL_METHOD(COPAL_IPATCH);
    return o->content_format >= -1 && o->content_format <= UINT16_MAX && o->max_age >= -1 && o->max_age <= UINT32_MAX &&
           !(o->methods & ~methods);
}

copal__value_t *copal__value_make(copal__arena_t *arena, copal_bytes_t payload, const copal_value_options_t *options,
                                  uint16_t counter)
{
    uint8_t head[HEAD_MOST];
    copal_writer_t w;
    copal_writer_init(&w, head, sizeof head);
    if (options->etag)
        copal_write_option_uint(&w, COPAL_OPTION_ETAG, counter);
    size_t tag = w.size;
    if (options->content_format >= 0)
        copal_write_option_uint(&w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)options->content_format);
    if (options->max_age >= 0)
        copal_write_option_uint(&w, COPAL_OPTION_MAX_AGE, (uint32_t)options->max_age);

    const size_t marker = payload.size > 0;
    copal__value_t *value = copal__arena_take(arena, offsetof(copal__value_t, octets) + w.size + marker + payload.size);
    if (!value)
        return NULL;
    *value = (copal__value_t){
        .size = (uint32_t)payload.size,
        .max_age = (uint32_t)options->max_age,
        .content_format = options->content_format,
        .counter = counter,
        .methods = (uint8_t)options->methods,
        .confirm = options->confirm,
        .tag = (uint8_t)tag,
        .head = (uint8_t)w.size,
        .last = (uint8_t)w.number,
    };
    memcpy(value->octets, head, w.size);
    if (marker) { /* an empty payload may have no address */
        value->octets[w.size] = COPAL__PAYLOAD_MARKER;
        memcpy(value->octets + w.size + 1, payload.data, payload.size);
    }
    return value;
}

void copal__value_options(const copal__value_t *value, copal_value_options_t *options)
{
    *options = (copal_value_options_t){
        .content_format = value->content_format,
        .max_age = value->last == COPAL_OPTION_MAX_AGE ? (int64_t)value->max_age : -1,
        .etag = value->tag > 0,
        .methods = value->methods,
        .confirm = value->confirm,
    };
}
