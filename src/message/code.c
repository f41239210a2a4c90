/* The texts of codes. Apart from other texts, since a server tells them to clients, too. */
#include "copal/message.h"

const char *copal_code_text(copal_code_t code)
{
    switch (code) {
#define XX(name, class_, detail, text) \
    case COPAL_CODE(class_, detail):   \
        return text;
        COPAL_CODE_MAP(XX)
#undef XX
    default:
        return "";
    }
}
