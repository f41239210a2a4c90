#include "characters.h"

#include <string.h>

copal_bytes_t copal_text(const char *text) { return (copal_bytes_t){(const uint8_t *)text, strlen(text)}; }

bool copal__is_alnum_or(uint8_t c, const char *others)
{
    uint8_t lower = c | 0x20;
    if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9'))
        return true;
    for (; *others; others++)
        if (c == (uint8_t)*others)
            return true;
    return false;
}

int copal__hex_digit(uint8_t c)
{
    uint8_t lower = c | 0x20;
    if (c >= '0' && c <= '9')
        return c - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int copal__percent_next(copal_bytes_t *text)
{
    int octet = text->data[0];
    size_t taken = 1;
    if (octet == '%') {
        if (text->size < 3 || copal__hex_digit(text->data[1]) < 0 || copal__hex_digit(text->data[2]) < 0)
            return -1;
        octet = copal__hex_digit(text->data[1]) << 4 | copal__hex_digit(text->data[2]);
        taken = 3;
    }
    copal__drop(text, taken);
    return octet;
}

ptrdiff_t copal__percent_size(copal_bytes_t text)
{
    ptrdiff_t size = 0;
    for (; text.size; size++)
        if (copal__percent_next(&text) < 0)
            return -1;
    return size;
}

void copal__percent_decode(uint8_t *out, copal_bytes_t text)
{
    while (text.size)
        *out++ = (uint8_t)copal__percent_next(&text);
}

bool copal__split(copal_bytes_t *text, uint8_t delimiter, copal_bytes_t *part)
{
    size_t size = 0;
    while (size < text->size && text->data[size] != delimiter)
        size++;
    bool found = size < text->size;
    *part = (copal_bytes_t){text->data, size};
    copal__drop(text, size + found);
    return found;
}

void copal__text_put(copal__text_t *text, uint8_t c)
{
    if (text->size < text->capacity)
        text->data[text->size] = (char)c;
    text->size++;
}

void copal__text_add(copal__text_t *text, const char *string)
{
    while (*string)
        copal__text_put(text, (uint8_t)*string++);
}

void copal__text_add_encoded(copal__text_t *text, copal_bytes_t bytes, const char *others)
{
    static const char digits[] = "0123456789ABCDEF"; /* upper case: RFC 7252 section 6.5 */
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (copal__is_alnum_or(c, others)) {
            copal__text_put(text, c);
        } else {
            copal__text_put(text, '%');
            copal__text_put(text, (uint8_t)digits[c >> 4]);
            copal__text_put(text, (uint8_t)digits[c & 15]);
        }
    }
}

int copal__text_finish(copal__text_t *text)
{
    copal__text_put(text, 0);
    return text->size > text->capacity ? COPAL_ESPACE : (int)(text->size - 1);
}
