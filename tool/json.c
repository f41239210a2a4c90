/* Pretty JSON, by json-c. It cannot keep every text: integers over 64 bits, -0 and repeated names come out changed.
 * What would show something else than was sent is not shown pretty. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <json-c/json.h>
#include <string.h>

/** The next character outside of strings that is no white space, a '"' for a whole string; 0 at the end. */
static char next_outside(const char **at)
{
    *at += strspn(*at, " \t\r\n");
    char c = **at;
    if (c)
        ++*at;
    if (c == '"') {
        while (**at && **at != '"')
            *at += **at == '\\' ? 2 : 1;
        ++*at;
    }
    return c;
}

/** Whether two valid JSON texts are the same but for white space and how their strings are escaped. */
static bool says_the_same(const char *a, const char *b)
{
    char c;
    while ((c = next_outside(&a)) == next_outside(&b))
        if (!c)
            return true;
    return false;
}

char *tool_json_pretty(copal_bytes_t text)
{
    json_tokener *tokener = text.size < INT32_MAX ? json_tokener_new() : NULL;
    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* The NUL behind a payload of copal_answer_t ends a text that is a bare number. */
    const char *sent = (const char *)text.data, *shown = NULL;
    struct json_object *value = json_tokener_parse_ex(tokener, sent, (int)text.size + 1);
    if (json_tokener_get_error(tokener) == json_tokener_success && json_tokener_get_parse_end(tokener) >= text.size)
        shown = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                          JSON_C_TO_STRING_NOSLASHESCAPE);
    char *pretty = shown && says_the_same(sent, shown) ? strdup(shown) : NULL;
    json_object_put(value);
    json_tokener_free(tokener);
    return pretty;
}
