/* Query filtering of links (RFC 6690 section 4.1). */
#include "copal/link.h"

#include <string.h>

#include "characters.h"

typedef struct {
    copal_bytes_t name, value;
    bool given;  /* there is an "=" */
    bool prefix; /* the value ended in "*" */
} filter_t;

/* Never of two empty ones, which may have no address: one is a literal, or an attribute's name. */
static bool equal(copal_bytes_t a, copal_bytes_t b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

/* Compares `text`, with its escapes undone, with the filter's value. */
static bool fits(const filter_t *filter, copal_bytes_t text, bool escaped)
{
    size_t length = 0;
    for (size_t i = 0; i < text.size; i++, length++) {
        if (length == filter->value.size)
            return filter->prefix; /* at once: a peer may ask for many filters of long texts */
        if (escaped && text.data[i] == '\\' && i + 1 < text.size)
            i++;
        if (text.data[i] != filter->value.data[length])
            return false;
    }
    return length == filter->value.size;
}

/* "relation-type target attributes can contain multiple values, and each value MUST be treated as a separate target
 * attribute when matching" */
static bool is_relation(copal_bytes_t name)
{
    static const char relations[][4] = {"rt", "if", "rel", "rev"};
    for (size_t i = 0; i < sizeof relations / sizeof relations[0]; i++)
        if (equal(name, copal_text(relations[i])))
            return true;
    return false;
}

static bool attribute_fits(const filter_t *filter, const copal_attribute_t *attribute)
{
    copal_bytes_t rest = attribute->value, word = rest;
    bool words = is_relation(attribute->name), more;
    do {
        more = words && copal__split(&rest, ' ', &word);
        if (fits(filter, word, attribute->quoted))
            return true;
    } while (more);
    return false;
}

bool copal_link_matches(const copal_link_t *link, copal_bytes_t argument)
{
    filter_t filter;
    filter.given = copal__split(&argument, '=', &filter.name);
    filter.prefix = argument.size && argument.data[argument.size - 1] == '*';
    filter.value = (copal_bytes_t){argument.data, argument.size - filter.prefix};
    copal_bytes_t attributes = link->attributes;
    copal_attribute_t attribute = {copal_text("href"), link->target, false}; /* then those that it has */
    do {
        if (equal(attribute.name, filter.name) && (!filter.given || attribute_fits(&filter, &attribute)))
            return true;
    } while (copal_attribute_next(&attributes, &attribute) > 0);
    return false;
}
