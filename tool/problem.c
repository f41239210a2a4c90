/* Concise Problem Details (RFC 9290) for people: a CBOR map of title and detail, which is what copal's own errors have. */
#include "tool.h"

enum { MAP = 0xa0, TEXT = 0x60, TITLE = 0x20, DETAIL = 0x21 };

/** Takes a text string of definite size (RFC 8949 section 3) from the front. False: there is none. */
static bool take_text(copal_bytes_t *rest, copal_bytes_t *text)
{
    if (!rest->size || (rest->data[0] & 0xe0) != TEXT)
        return false;
    size_t size = rest->data[0] & 0x1fu, head = size < 24 ? 1 : (size_t)1 + ((size_t)1 << (size - 24));
    if (size > 25 || rest->size < head)
        return false;
    for (size_t i = 1; i < head; i++)
        size = (i == 1 ? 0 : size << 8) | rest->data[i];
    if (size > rest->size - head)
        return false;
    *text = (copal_bytes_t){rest->data + head, size};
    rest->data += head + size;
    rest->size -= head + size;
    return true;
}

bool tool_print_problem(copal_bytes_t octets)
{
    copal_bytes_t texts[2] = {{0}};
    size_t count = octets.size ? octets.data[0] : 0;
    if (count != MAP + 1 && count != MAP + 2)
        return false;
    octets.data++;
    octets.size--;
    for (count -= MAP; count; count--) {
        uint8_t key = octets.size ? octets.data[0] : 0;
        if (key != TITLE && key != DETAIL)
            return false;
        octets.data++;
        octets.size--;
        if (!take_text(&octets, &texts[key - TITLE]))
            return false;
    }
    if (octets.size)
        return false;
    tool_print_safe(stdout, texts[0]);
    if (texts[0].size && texts[1].size)
        fputs(": ", stdout);
    tool_print_safe(stdout, texts[1]);
    putchar('\n');
    return true;
}
