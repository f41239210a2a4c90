/* Reading JSON, and telling whether it is equal. json-c keeps decimals as they are written, but neither integers over 64 bits
 * nor -0; these get their text back, number by number, in the order in which they stand. */
#define _POSIX_C_SOURCE 200809L
#include "json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- lexical elements of a text that json-c has read ------------------------------------------------------- */

typedef struct {
    const char *at, *start; /* of the element that scan found: `start` up to `at` */
} scanner_t;

/* The next element: '"' for a string, '0' for a number, else its character, letter by letter; 0 at the end. */
static char scan(scanner_t *s)
{
    s->at += strspn(s->at, " \t\r\n");
    s->start = s->at;
    char c = *s->at;
    if (c == '-' || (c >= '0' && c <= '9')) {
        s->at += strspn(s->at, "+-.0123456789Ee");
        return '0';
    }
    s->at += c != 0;
    if (c != '"')
        return c;
    while (*s->at && *s->at != '"')
        s->at += s->at[0] == '\\' && s->at[1] ? 2 : 1;
    s->at += *s->at == '"';
    return c;
}

static const char *digits(const char *at) { return at + strspn(at, "0123456789"); }

/* RFC 8259 section 6; json-c is less strict. */
static bool is_number(const char *at, const char *end)
{
    at += *at == '-';
    const char *integer = at;
    at = digits(at);
    if (at == integer || (*integer == '0' && at > integer + 1))
        return false;
    if (*at == '.') {
        const char *fraction = at + 1;
        at = digits(fraction);
        if (at == fraction)
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        const char *exponent = at + 1 + (at[1] == '-' || at[1] == '+');
        at = digits(exponent);
        if (at == exponent)
            return false;
    }
    return at == end;
}

/* The code unit that "\uXXXX" says, or 0 where that is something else. */
static unsigned unit_at(const char *at)
{
    char hex[5] = {0};
    if (at[0] != '\\' || at[1] != 'u')
        return 0;
    memcpy(hex, at + 2, 4);
    return (unsigned)strtoul(hex, NULL, 16);
}

/* Whether json-c keeps a string: it cuts names at a NUL, and has another character for half of a surrogate pair. And no
 * control character may stand in one as it is (RFC 8259 section 7). */
static bool is_kept(const char *at, const char *end)
{
    while (at < end) {
        unsigned unit = unit_at(at);
        bool escaped = at[0] == '\\', hex = escaped && at[1] == 'u', pair = unit >= 0xd800 && unit < 0xdc00;
        if ((unsigned char)*at < ' ' || (hex && !unit) || (unit >= 0xdc00 && unit < 0xe000))
            return false;
        at += hex ? 6 : escaped ? 2 : 1;
        if (!pair)
            continue;
        unit = unit_at(at);
        if (unit < 0xdc00 || unit >= 0xe000)
            return false;
        at += 6;
    }
    return true;
}

static bool is_sound(const char *text)
{
    scanner_t s = {text, text};
    for (char c; (c = scan(&s));)
        if ((c == '0' && !is_number(s.start, s.at)) || (c == '"' && !is_kept(s.start, s.at)))
            return false;
    return true;
}

/* Whether two texts are the same but for white space and how strings are escaped. */
static bool says_the_same(const char *a, const char *b)
{
    scanner_t s = {a, a}, t = {b, b};
    char c;
    while ((c = scan(&s)) == scan(&t)) {
        if (!c)
            return true;
        if (c == '0' && (s.at - s.start != t.at - t.start || memcmp(s.start, t.start, (size_t)(s.at - s.start)) != 0))
            return false;
    }
    return false;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Gives a number its own text where json-c would write another one. False: out of memory. */
static bool restore_number(struct json_object *number, const scanner_t *s)
{
    size_t size = (size_t)(s->at - s->start);
    bool kept = size < 19 && !(size == 2 && memcmp(s->start, "-0", 2) == 0);
    if (kept || json_object_is_type(number, json_type_double))
        return true;
    char *text = strndup(s->start, size);
    if (text)
        json_object_set_serializer(number, json_object_userdata_to_json_string, text, json_object_free_userdata);
    return text;
}

/* The numbers of a value, in the order of the text. False: out of memory, or the text has fewer. */
static bool restore(struct json_object *json, scanner_t *s)
{
    bool ok = true;
    if (json_object_is_type(json, json_type_object)) {
        json_object_object_foreach(json, name, member)
        {
            (void)name;
            ok = ok && restore(member, s);
        }
    } else if (json_object_is_type(json, json_type_array)) {
        for (size_t i = 0; ok && i < json_object_array_length(json); i++)
            ok = restore(json_object_array_get_idx(json, i), s);
    } else if (json_object_is_type(json, json_type_int) || json_object_is_type(json, json_type_double)) {
        char c;
        while ((c = scan(s)) != '0')
            if (!c)
                return false;
        ok = restore_number(json, s);
    }
    return ok;
}

static bool parse(struct json_object **json, const char *text, size_t size)
{
    json_tokener *tokener = json_tokener_new();
    if (!tokener)
        return false;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *json = json_tokener_parse_ex(tokener, text, (int)size + 1); /* the NUL ends a bare number */
    bool ok = json_tokener_get_error(tokener) == json_tokener_success && json_tokener_get_parse_end(tokener) >= size;
    json_tokener_free(tokener);
    return ok;
}

bool copal__json_read(struct json_object **json, copal_bytes_t text)
{
    *json = NULL;
    char *copy = text.size && text.size < INT_MAX ? malloc(text.size + 1) : NULL;
    if (!copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    scanner_t s = {copy, copy};
    bool ok = parse(json, copy, text.size) && is_sound(copy) && restore(*json, &s);
    const char *again = ok ? json_object_to_json_string_ext(*json, COPAL__JSON_FLAGS) : NULL;
    ok = again && says_the_same(copy, again);
    free(copy);
    if (!ok) {
        json_object_put(*json);
        *json = NULL;
    }
    return ok;
}

/* ---- equality -------------------------------------------------------------------------------------------------- */

/* A decimal without the zeros that say nothing: 0.d1d2d3... times ten to the exponent. */
typedef struct {
    bool negative;
    const char *first, *last; /* the digits from the first to behind the last that is not 0, perhaps with a point in it */
    long long exponent;
} decimal_t;

static decimal_t decimal(const char *text)
{
    decimal_t d = {.negative = *text == '-', .first = text + (*text == '-')};
    const char *end = d.first + strcspn(d.first, "Ee"), *point = d.first + strcspn(d.first, ".Ee");
    if (*end)
        d.exponent = strtol(end + 1, NULL, 10);
    if (d.exponent > INT_MAX || d.exponent < INT_MIN) /* no difference is made between numbers so large or small */
        d.exponent = d.exponent > 0 ? INT_MAX : INT_MIN;
    d.last = end;
    while (d.first < d.last && (*d.first == '0' || *d.first == '.'))
        d.first++;
    while (d.first < d.last && (d.last[-1] == '0' || d.last[-1] == '.'))
        d.last--;
    d.exponent += point > d.first ? point - d.first : point + 1 - d.first;
    return d;
}

/* NULL: out of memory. */
static bool same_number(const char *a_text, const char *b_text)
{
    if (!a_text || !b_text)
        return false;
    decimal_t a = decimal(a_text), b = decimal(b_text);
    if (a.first == a.last || b.first == b.last) /* 0 */
        return a.first == a.last && b.first == b.last;
    if (a.negative != b.negative || a.exponent != b.exponent)
        return false;
    for (;;) {
        a.first += a.first < a.last && *a.first == '.';
        b.first += b.first < b.last && *b.first == '.';
        if (a.first == a.last || b.first == b.last)
            return a.first == a.last && b.first == b.last;
        if (*a.first++ != *b.first++)
            return false;
    }
}

static bool is_number_type(struct json_object *json)
{
    return json_object_is_type(json, json_type_int) || json_object_is_type(json, json_type_double);
}

static bool same_members(struct json_object *a, struct json_object *b)
{
    bool same = json_object_object_length(a) == json_object_object_length(b);
    json_object_object_foreach(a, name, member)
    {
        struct json_object *other;
        same = same && json_object_object_get_ex(b, name, &other) && copal__json_equal(member, other);
    }
    return same;
}

static bool same_elements(struct json_object *a, struct json_object *b)
{
    size_t length = json_object_array_length(a);
    bool same = length == json_object_array_length(b);
    for (size_t i = 0; same && i < length; i++)
        same = copal__json_equal(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i));
    return same;
}

bool copal__json_equal(struct json_object *a, struct json_object *b)
{
    if (is_number_type(a) && is_number_type(b))
        return same_number(json_object_to_json_string(a), json_object_to_json_string(b));
    if (json_object_get_type(a) != json_object_get_type(b))
        return false;
    switch (json_object_get_type(a)) {
    case json_type_object:
        return same_members(a, b);
    case json_type_array:
        return same_elements(a, b);
    default:
        return json_object_equal(a, b);
    }
}
