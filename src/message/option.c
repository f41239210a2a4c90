#include "option.h"

/* A perfect hash: one probe finds a definition. Should a new option collide, the table overrides an entry of its own,
 * which compilers warn of; then look for another factor, or take one bit more. An empty slot reads as option 0, so
 * slot 0 has to be taken; it is by Echo. */
#define SLOT_BITS 5
#define SLOT(number) ((uint16_t)((number) * 20292u) >> (16 - SLOT_BITS))

static const copal_option_definition_t definitions[1 << SLOT_BITS] = {
#define XX(name, number, text, format, least, most, repeatable) \
    [SLOT(number)] = {number, least, most, COPAL_FORMAT_##format, repeatable},
    COPAL_OPTION_MAP(XX)
#undef XX
};

const copal_option_definition_t *copal_option_definition(uint16_t number)
{
    const copal_option_definition_t *definition = &definitions[SLOT(number)];
    return definition->number == number ? definition : NULL;
}

const uint8_t *copal__extended(const uint8_t *at, const uint8_t *end, size_t *field)
{
    size_t octets = *field - 12;
    if (*field == 15 || (size_t)(end - at) < octets)
        return NULL;
    *field = octets == 1 ? 13u + at[0] : 269u + (size_t)(at[0] << 8 | at[1]);
    return at + octets;
}

copal_option_reader_t copal_message_options(const copal_message_t *message)
{
    copal_bytes_t options = message->options;
    return (copal_option_reader_t){options.data, options.size ? options.data + options.size : options.data, 0};
}

/* Also what tells whether options are well-formed: false, before the end, where the next one is not. */
bool copal_option_next(copal_option_reader_t *reader, copal_option_t *option)
{
    const uint8_t *at = reader->at, *end = reader->end;
    if (at == end)
        return false;
    size_t delta = *at >> 4, length = *at & 15u;
    at++;
    if (delta > 12 && !(at = copal__extended(at, end, &delta)))
        return false;
    if (length > 12 && !(at = copal__extended(at, end, &length)))
        return false;
    size_t number = reader->number + delta;
    if (length > (size_t)(end - at) || number > UINT16_MAX)
        return false;
    option->number = reader->number = (uint16_t)number;
    option->value = (copal_bytes_t){at, length};
    reader->at = at + length;
    return true;
}

/* One of another length is as if it were not there (RFC 7252 section 5.4.3). */
static bool has_legal_length(const copal_option_t *option)
{
    const copal_option_definition_t *known = copal_option_definition(option->number);
    return !known || (option->value.size >= known->least && option->value.size <= known->most);
}

bool copal_option_find(const copal_message_t *message, uint16_t number, copal_option_t *option)
{
    copal_option_reader_t reader = copal_message_options(message);
    while (copal_option_next(&reader, option) && option->number <= number)
        if (option->number == number && has_legal_length(option))
            return true;
    return false;
}

uint32_t copal_option_uint(const copal_option_t *option)
{
    uint32_t value = 0;
    for (size_t i = 0; i < option->value.size; i++)
        value = value << 8 | option->value.data[i];
    return value;
}
