/* Values of options: octets, numbers, seconds, sizes. */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int nibble(char c)
{
    const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool tool_parse_octets(const char *text, uint8_t *buffer, size_t capacity, copal_bytes_t *octets)
{
    *octets = (copal_bytes_t){buffer, 0};
    if (strncmp(text, "0x", 2) != 0) {
        octets->size = strlen(text);
        if (octets->size > capacity)
            return false;
        memcpy(buffer, text, octets->size);
        return true;
    }
    for (text += 2; *text; text += 2) {
        int high = nibble(text[0]), low = nibble(text[1]);
        if (high < 0 || low < 0 || octets->size == capacity)
            return false;
        buffer[octets->size++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool tool_parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    *number = n;
    return isdigit((unsigned char)*text) && !*end && !errno && n >= least && n <= most;
}

bool tool_parse_seconds(const char *text, uint32_t *milliseconds)
{
    char *end;
    double exact = strtod(text, &end) * 1000;
    if (text[strspn(text, "0123456789.")] || *end || !(exact >= 1 && exact <= UINT32_MAX))
        return false;
    *milliseconds = (uint32_t)exact;
    return true;
}

bool tool_parse_size(const char *text, size_t *size)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    unsigned shift = 0;
    switch (toupper((unsigned char)*end)) {
    case 'K':
        shift = 10;
        break;
    case 'M':
        shift = 20;
        break;
    case 'G':
        shift = 30;
        break;
    }
    if (!isdigit((unsigned char)*text) || errno || n > SIZE_MAX >> shift || end[shift ? 1 : 0])
        return false;
    *size = (size_t)n << shift;
    return true;
}
