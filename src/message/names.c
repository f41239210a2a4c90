/* Texts for people; only faces need them, so a linker can leave this file out. */
#include "copal/message.h"

#include <string.h>

const char *copal_error_text(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define XX(name, value, text) \
    case value:               \
        return text;
        COPAL_ERROR_MAP(XX)
#undef XX
    default:
        return "unknown error";
    }
}

const char *copal_option_text(uint16_t number)
{
    switch (number) {
#define XX(name, number_, text, format, least, most, repeatable) \
    case number_:                                                \
        return text;
        COPAL_OPTION_MAP(XX)
#undef XX
    default:
        return "";
    }
}

/* The registry "CoAP Content-Formats" (RFC 7252 section 12.3), without media types that differ only in a parameter. */
static const struct {
    uint16_t number;
    const char *name;
} formats[] = {
    {0, "text/plain"},
    {19, "application/ace+cbor"},
    {21, "image/gif"},
    {22, "image/jpeg"},
    {23, "image/png"},
    {40, "application/link-format"},
    {41, "application/xml"},
    {42, "application/octet-stream"},
    {47, "application/exi"},
    {50, "application/json"},
    {51, "application/json-patch+json"},
    {52, "application/merge-patch+json"},
    {60, "application/cbor"},
    {61, "application/cwt"},
    {62, "application/multipart-core"},
    {63, "application/cbor-seq"},
    {64, "application/edhoc+cbor-seq"},
    {65, "application/cid-edhoc+cbor-seq"},
    {101, "application/cose-key"},
    {102, "application/cose-key-set"},
    {110, "application/senml+json"},
    {111, "application/sensml+json"},
    {112, "application/senml+cbor"},
    {113, "application/sensml+cbor"},
    {114, "application/senml-exi"},
    {115, "application/sensml-exi"},
    {256, "application/coap-group+json"},
    {257, "application/concise-problem-details+cbor"},
    {258, "application/swid+cbor"},
    {259, "application/pkixcmp"},
    {271, "application/dots+cbor"},
    {272, "application/missing-blocks+cbor-seq"},
    {284, "application/pkcs8"},
    {285, "application/csrattrs"},
    {286, "application/pkcs10"},
    {287, "application/pkix-cert"},
    {290, "application/aif+cbor"},
    {291, "application/aif+json"},
    {310, "application/senml+xml"},
    {311, "application/sensml+xml"},
    {320, "application/senml-etch+json"},
    {322, "application/senml-etch+cbor"},
    {340, "application/yang-data+cbor"},
    {432, "application/td+json"},
    {433, "application/tm+json"},
    {10000, "application/vnd.ocf+cbor"},
    {10001, "application/oscore"},
    {10002, "application/javascript"},
    {11542, "application/vnd.oma.lwm2m+tlv"},
    {11543, "application/vnd.oma.lwm2m+json"},
    {11544, "application/vnd.oma.lwm2m+cbor"},
    {20000, "text/css"},
    {30000, "image/svg+xml"},
};
#define FORMATS (sizeof formats / sizeof formats[0])

const char *copal_content_format_text(uint16_t number)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (formats[i].number == number)
            return formats[i].name;
    return NULL;
}

/* A decimal number to 65535, or -1. */
static int32_t decimal(const char *text)
{
    int32_t number = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9')
            return -1;
        number = number * 10 + (*at - '0');
        if (number > UINT16_MAX)
            return -1;
    }
    return *text ? number : -1;
}

/* What stands behind the "/", which each name has. */
static const char *last_part(const char *name)
{
    while (*name++ != '/')
        ;
    return name;
}

static bool same(const char *a, const char *b)
{
    size_t size = strlen(a);
    return size == strlen(b) && memcmp(a, b, size) == 0;
}

int copal_content_format(const char *name)
{
    int32_t number = decimal(name);
    if (number >= 0)
        return number;
    if (same(name, "text"))
        return 0;
    for (size_t i = 0; i < FORMATS; i++)
        if (same(name, formats[i].name) || same(name, last_part(formats[i].name)))
            return formats[i].number;
    return COPAL_ENOTFOUND;
}
