#include "copal/base.h"

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

copal_bytes_t copal_text(const char *text)
{
    return (copal_bytes_t){(const uint8_t *)text, strlen(text)};
}
