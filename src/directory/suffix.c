/* Content-Formats by suffix. Only suffixes whose media type has a number of its own; the rest is octets. */
#include "directory.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *suffix;
    uint16_t number;
} suffixes[] = {
    {"txt", 0},      {"log", 0},      {"gif", 21},     {"jpg", 22},      {"jpeg", 22},    {"png", 23},
    {"wlnk", 40},    {"xml", 41},     {"exi", 47},     {"json", 50},     {"cbor", 60},    {"cwt", 61},
    {"senml", 110},  {"sensml", 111}, {"senmlc", 112}, {"sensmlc", 113}, {"senmle", 114}, {"sensmle", 115},
    {"senmlx", 310}, {"sensmlx", 311}, {"p8", 284},    {"p10", 286},     {"cer", 287},    {"jsontd", 432},
    {"jsontm", 433}, {"js", 10002},   {"mjs", 10002},  {"css", 20000},   {"svg", 30000},
};

enum { OCTET_STREAM = 42 };

uint16_t copal__suffix_format(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcasecmp(dot + 1, suffixes[i].suffix) == 0)
            return suffixes[i].number;
    return OCTET_STREAM;
}

const char *copal__suffix_of(int32_t format)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (suffixes[i].number == format)
            return suffixes[i].suffix;
    return "";
}
