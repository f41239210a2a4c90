#include "parse.h"

#include "option.h"
#include "writer.h"

#define HEADER_SIZE 4u

static int malformed(copal_message_t *message)
{
    message->token = message->options = message->payload = (copal_bytes_t){0};
    return COPAL_EFORMAT;
}

int copal__message_head(copal_message_t *message, copal_bytes_t datagram)
{
    const uint8_t *at = datagram.data;
    if (datagram.size < HEADER_SIZE || at[0] >> 6 != 1) {
        *message = (copal_message_t){0};
        return COPAL_EVERSION;
    }
    message->type = (copal_type_t)(at[0] >> 4 & 3);
    message->code = at[1];
    message->id = (uint16_t)(at[2] << 8 | at[3]);
    message->payload = (copal_bytes_t){0};

    size_t token_size = at[0] & 15u;
    const uint8_t *token = at + HEADER_SIZE, *end = at + datagram.size;
    /* Section 4.1: an Empty message has a token length of 0 and no octet after the message ID. */
    if (message->code == COPAL_EMPTY && (token_size || token < end))
        return malformed(message);
    if (token_size > 12 && !(token = copal__extended(token, end, &token_size))) /* RFC 8974 section 2.1 */
        return malformed(message);
    if (token_size > (size_t)(end - token))
        return malformed(message);
    message->token = (copal_bytes_t){token, token_size};
    message->options = (copal_bytes_t){token + token_size, (size_t)(end - token) - token_size};
    return 0;
}

int copal__message_tail(copal_message_t *message, const uint8_t *at)
{
    size_t rest = (size_t)(message->options.data + message->options.size - at);
    /* Section 3: "The presence of a marker followed by a zero-length payload MUST be processed as a message format
     * error." */
    if (rest == 1 || (rest && *at != COPAL__PAYLOAD_MARKER))
        return malformed(message);
    message->options.size -= rest;
    if (rest)
        message->payload = (copal_bytes_t){at + 1, rest - 1};
    return 0;
}

int copal__message_check(copal_message_t *message)
{
    copal_option_reader_t reader = copal_message_options(message);
    copal_option_t option;
    while (copal_option_next(&reader, &option))
        ;
    return copal__message_tail(message, reader.at);
}

int copal_message_parse(copal_message_t *message, copal_bytes_t datagram)
{
    int error = copal__message_head(message, datagram);
    return error ? error : copal__message_check(message);
}
