/* Query filtering of links (RFC 6690 section 4.1). */
#include "copal/link.h"

#include <string.h>

#include "characters.h"

typedef struct {
    copal_bytes_t name, value;
    bool given;  /* there is an "=" */
    bool prefix; /* the value ended in "*" */
} filter_t;

static bool is(copal_bytes_t text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static bool equal(copal_bytes_t a, copal_bytes_t b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

static filter_t read_filter(copal_bytes_t argument)
{
    filter_t filter = {0};
    filter.given = copal__split(&argument, '=', &filter.name);
    filter.value = argument;
    filter.prefix = argument.size && argument.data[argument.size - 1] == '*';
    filter.value.size -= filter.prefix;
    return filter;
}

/* Compares `text` without its escapes, or any word of it, with the filter's value. */
static bool fits(const filter_t *filter, copal_bytes_t text, bool escaped, bool words)
{
    size_t length = 0; /* of the word so far */
    bool same = true;
    for (size_t i = 0;; i++) {
        bool end = i == text.size;
        if (end || (words && text.data[i] == ' ')) {
            if (same && length >= filter->value.size)
                return true;
            if (end)
                return false;
            length = 0;
            same = true;
            continue;
        }
        if (escaped && text.data[i] == '\\')
            i++; /* there is an octet behind it, or it would not be a quoted-string */
        if (length < filter->value.size)
            same = same && text.data[i] == filter->value.data[length];
        else
            same = same && filter->prefix;
        length++;
    }
}

bool copal_link_matches(const copal_link_t *link, copal_bytes_t argument)
{
    filter_t filter = read_filter(argument);
    if (is(filter.name, "href"))
        return !filter.given || fits(&filter, link->target, false, false);
    /* "relation-type target attributes can contain multiple values, and each value MUST be treated as a separate
     * target attribute when matching" */
    bool words = is(filter.name, "rt") || is(filter.name, "if") || is(filter.name, "rel") || is(filter.name, "rev");
    copal_bytes_t attributes = link->attributes;
    copal_attribute_t attribute;
    while (copal_attribute_next(&attributes, &attribute) > 0)
        if (equal(attribute.name, filter.name) &&
            (!filter.given || fits(&filter, attribute.value, attribute.quoted, words)))
            return true;
    return false;
}
