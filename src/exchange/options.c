#include "options.h"

#include "../message/parse.h"

/* Whether an option is to be treated as unrecognized: unknown, of a wrong length (RFC 7252 section 5.4.3), or one that may
 * not be repeated (5.4.5). */
static bool unrecognized(const copal_option_t *option, bool repeated)
{
    const copal_option_definition_t *d = copal_option_definition(option->number);
    return !d || option->value.size < d->least || option->value.size > d->most || (repeated && !d->repeatable);
}

/* "The value of a Uri-Path Option MUST NOT be "." or ".."" (section 5.10.1). */
static bool is_dots(copal_bytes_t segment)
{
    return (segment.size == 1 || segment.size == 2) && segment.data[0] == '.' && segment.data[segment.size - 1] == '.';
}

/* Block1 is for requests with a body (RFC 7959 section 2.1). */
static bool not_served(uint16_t number, copal_code_t method)
{
    return number == COPAL_OPTION_OSCORE ||
           (number == COPAL_OPTION_BLOCK1 && (method == COPAL_GET || method == COPAL_DELETE));
}

static bool first_counts(uint16_t number)
{
    return number == COPAL_OPTION_ETAG || number == COPAL_OPTION_ACCEPT || number == COPAL_OPTION_IF_MATCH ||
           number == COPAL_OPTION_IF_NONE_MATCH;
}

/* "set to '0' or greater than '255' MUST be rejected" (RFC 8768 section 3). Any other concerns proxies only; one without an
 * octet has no value, and is of no legal size. */
static bool is_no_hop_limit(const copal_option_t *option)
{
    uint32_t value = copal_option_uint(option);
    return option->number == COPAL_OPTION_HOP_LIMIT && option->value.size && (!value || value > UINT8_MAX);
}

static copal_code_t take(copal_request_options_t *o, const copal_option_t *option)
{
    uint16_t number = option->number;
    uint32_t value = copal_option_uint(option);
    if (number == COPAL_OPTION_PROXY_URI || number == COPAL_OPTION_PROXY_SCHEME)
        return COPAL_PROXYING_NOT_SUPPORTED; /* section 5.7.2 */
    if (number == COPAL_OPTION_BLOCK1 || number == COPAL_OPTION_BLOCK2) {
        copal_block_t block;
        *(number == COPAL_OPTION_BLOCK1 ? &o->block1 : &o->block2) = (int32_t)value;
        return copal_block_decode(&block, value) ? COPAL_BAD_REQUEST : 0;
    }
    if (is_no_hop_limit(option))
        return COPAL_BAD_REQUEST;
    if (number == COPAL_OPTION_OBSERVE)
        o->observe = (int32_t)value;
    if (number == COPAL_OPTION_SIZE1)
        o->size1 = value;
    if (number == COPAL_OPTION_SIZE2)
        o->size2 = true;
    if (number == COPAL_OPTION_NO_RESPONSE)
        o->no_response = (uint8_t)value;
    if (number == COPAL_OPTION_IF_MATCH)
        o->if_matches++;
    if (number == COPAL_OPTION_ETAG)
        o->etags++;
    if (number == COPAL_OPTION_URI_QUERY)
        o->queries++;
    if (number == COPAL_OPTION_IF_NONE_MATCH)
        o->if_none_match = true;
    if (number == COPAL_OPTION_CONTENT_FORMAT)
        o->content_format = (int32_t)value;
    if (number == COPAL_OPTION_ACCEPT)
        o->accept = (int32_t)value;
    if (number == COPAL_OPTION_ECHO)
        o->echo = option->value;
    return 0;
}

/* Any option but a Uri-Path of legal length. 0, or the refusal. */
static copal_code_t read_option(copal_request_options_t *o, const copal_option_t *option, bool repeated,
                                copal_code_t method)
{
    if (!unrecognized(option, repeated) && !not_served(option->number, method))
        return take(o, option);
    if (copal_option_is_critical(option->number))
        return COPAL_BAD_OPTION;
    return !repeated && is_no_hop_limit(option) ? COPAL_BAD_REQUEST : 0;
}

/* Behind a refusal only the form of the options still counts: a message format error comes before what they say. */
int copal__request_options(copal_request_options_t *o, copal_message_t *m, bool first_only, uint16_t *culprit)
{
    *o = (copal_request_options_t){
        .content_format = -1, .accept = -1, .observe = -1, .block1 = -1, .block2 = -1, .size1 = -1};
    copal_option_reader_t reader = copal_message_options(m);
    copal_option_t option;
    copal_code_t refusal = 0;
    uint16_t previous = 0;
    for (const uint8_t *at = reader.at; copal_option_next(&reader, &option); at = reader.at) {
        bool repeated = option.number == previous;
        previous = option.number;
        if (refusal || (repeated && first_only && first_counts(option.number)))
            continue;
        if (option.number == COPAL_OPTION_URI_PATH && option.value.size <= 255) {
            refusal = is_dots(option.value) ? COPAL_BAD_REQUEST : 0;
            if (!o->path.data)
                o->path.data = at;
            o->path.size = (size_t)(reader.at - o->path.data);
            continue;
        }
        refusal = read_option(o, &option, repeated, m->code);
        if (refusal == COPAL_BAD_OPTION)
            *culprit = option.number;
    }
    int error = copal__message_tail(m, reader.at);
    return error ? error : refusal;
}

bool copal__response_is_critical(const copal_message_t *m)
{
    copal_option_reader_t reader = copal_message_options(m);
    copal_option_t option;
    uint16_t previous = 0;
    while (copal_option_next(&reader, &option)) {
        /* One that no response has is like one that is not recognized (section 5.4). */
        bool of_responses = option.number == COPAL_OPTION_BLOCK1 || option.number == COPAL_OPTION_BLOCK2;
        if (copal_option_is_critical(option.number) &&
            (!of_responses || unrecognized(&option, option.number == previous)))
            return true;
        previous = option.number;
    }
    return false;
}

/* What the requests of one operation need not have in common: the block options, and those that are elective and no part
 * of a cache key (RFC 9175 section 3.3; RFC 7252 section 5.4.6). Beyond these, what is about a single exchange, and
 * If-None-Match, which only the first may have (RFC 7959 section 2.10). */
static bool varies(uint16_t number)
{
    return number == COPAL_OPTION_BLOCK1 || number == COPAL_OPTION_BLOCK2 || number == COPAL_OPTION_OBSERVE ||
           number == COPAL_OPTION_NO_RESPONSE || number == COPAL_OPTION_HOP_LIMIT ||
           number == COPAL_OPTION_IF_NONE_MATCH || (number & 0x1fu) == 0x1c;
}

uint64_t copal__operation_key(const copal__key_t *key, const copal_call_t *call, uint64_t peer, bool settled)
{
    uint64_t hash = peer + ((uint64_t)call->from->via << 8 | call->request->code);
    copal_option_reader_t reader = copal_message_options(call->request);
    copal_option_t o;
    while (copal_option_next(&reader, &o))
        if (!varies(o.number) && !(settled && (o.number == COPAL_OPTION_IF_MATCH || o.number == COPAL_OPTION_ETAG)))
            hash = copal__hash(key, hash + o.number, o.value.data, o.value.size);
    return hash;
}
