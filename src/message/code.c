/* The texts of codes. Apart from other texts, since a server tells them to clients, too. */
#include "copal/message.h"

#include <string.h>

/* One text after the other takes half of what pointers to them would. */
const char *copal_code_text(copal_code_t code)
{
#define XX(name, class_, detail, text) COPAL_CODE(class_, detail),
    static const copal_code_t codes[] = {COPAL_CODE_MAP(XX)};
#undef XX
#define XX(name, class_, detail, text) text "\0"
    static const char texts[] = COPAL_CODE_MAP(XX);
#undef XX
    const char *text = texts;
    for (size_t at = 0; at < sizeof codes && codes[at] != code; at++)
        text += strlen(text) + 1;
    return text; /* behind the last one is an empty one */
}
