#include "option.h"

#define HEADER_SIZE 4u
#define PAYLOAD_MARKER 0xff

/* The end of the options from `at`: the marker, or `end`. NULL: an option is not well-formed. */
static const uint8_t *skip_options(const uint8_t *at, const uint8_t *end)
{
    copal_option_reader_t reader = {at, end, 0};
    copal_option_t option;
    while (reader.at < end && *reader.at != PAYLOAD_MARKER)
        if (!copal_option_next(&reader, &option))
            return NULL;
    return reader.at;
}

int copal_message_parse(copal_message_t *message, copal_bytes_t datagram)
{
    *message = (copal_message_t){0};
    const uint8_t *at = datagram.data;
    if (datagram.size < HEADER_SIZE || at[0] >> 6 != 1)
        return COPAL_EVERSION;
    message->type = (copal_type_t)(at[0] >> 4 & 3);
    message->code = at[1];
    message->id = (uint16_t)(at[2] << 8 | at[3]);

    size_t token_size = at[0] & 15u;
    /* Section 4.1: an Empty message has a token length of 0 and no octet after the message ID. */
    if (message->code == COPAL_EMPTY)
        return token_size || datagram.size != HEADER_SIZE ? COPAL_EFORMAT : 0;

    const uint8_t *end = at + datagram.size, *token = at + HEADER_SIZE;
    if (token_size > 12 && !(token = copal__extended(token, end, &token_size))) /* RFC 8974 section 2.1 */
        return COPAL_EFORMAT;
    if (token_size > (size_t)(end - token))
        return COPAL_EFORMAT;

    const uint8_t *options = token + token_size, *marker = skip_options(options, end);
    /* Section 3: "The presence of a marker followed by a zero-length payload MUST be processed as a message format
     * error." */
    if (!marker || end - marker == 1)
        return COPAL_EFORMAT;
    message->token = (copal_bytes_t){token, token_size};
    message->options = (copal_bytes_t){options, (size_t)(marker - options)};
    if (marker < end)
        message->payload = (copal_bytes_t){marker + 1, (size_t)(end - marker - 1)};
    return 0;
}
