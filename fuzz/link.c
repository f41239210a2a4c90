/* Link-format and its filters: any document is walked within its octets; a link fits a filter made of each attribute that it
 * has; an attribute that is written is read back. */
#include "common/input.h"
#include "copal/link.h"
#include "support/check.h"

enum { ROOM = 2000 };

static bool is_within(copal_bytes_t part, copal_bytes_t whole)
{
    return part.size == 0 || (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

/* `name=value` without escapes, to be freed. */
static copal_bytes_t filter_of(const copal_attribute_t *attribute)
{
    uint8_t *text = malloc(attribute->name.size + 1 + attribute->value.size);
    size_t size = attribute->name.size;
    memcpy(text, attribute->name.data, size);
    text[size++] = '=';
    for (size_t i = 0; i < attribute->value.size; i++) {
        if (attribute->quoted && attribute->value.data[i] == '\\' && i + 1 < attribute->value.size)
            i++;
        text[size++] = attribute->value.data[i];
    }
    return (copal_bytes_t){text, size};
}

/* Written with its value as it was meant, it means the same. */
static void write_back(const copal_attribute_t *attribute, copal_bytes_t meant)
{
    char out[ROOM];
    copal_attribute_t again;
    const int size = copal_attribute_write(out, sizeof out, attribute->name, meant);
    if (size == COPAL_EINVAL) /* a name that only ends in stars is read, and not written */
        return;
    check(size > 0);
    char *exact = malloc((size_t)size);
    check_equal(copal_attribute_write(exact, (size_t)size, attribute->name, meant), size);
    check_equal(copal_attribute_write(exact, (size_t)size - 1, attribute->name, meant), COPAL_ESPACE);
    free(exact);
    copal_bytes_t text = {(const uint8_t *)out, (size_t)size};
    check_equal(copal_attribute_next(&text, &again), 1);
    check_equal(text.size, 0);
    check_bytes(again.name, attribute->name);
    if (meant.size > 1 && meant.data[0] == '"') /* is taken for quoted already, where it is well-formed */
        return;
    copal_bytes_t read = filter_of(&again);
    check_bytes((copal_bytes_t){read.data + again.name.size + 1, read.size - again.name.size - 1}, meant);
    free((void *)read.data);
}

static bool is_relation(copal_bytes_t name)
{
    static const char *const relations[] = {"rt", "if", "rel", "rev"};
    for (size_t i = 0; i < 4; i++)
        if (name.size == strlen(relations[i]) && memcmp(name.data, relations[i], name.size) == 0)
            return true;
    return false;
}

static void take_link(const copal_link_t *link)
{
    copal_bytes_t attributes = link->attributes;
    copal_attribute_t attribute;
    int got;
    for (size_t before = attributes.size; (got = copal_attribute_next(&attributes, &attribute)) > 0; before = attributes.size) {
        check(attributes.size < before);
        check(is_within(attribute.name, link->attributes) && is_within(attribute.value, link->attributes));
        check(copal_link_matches(link, attribute.name));
        const copal_bytes_t filter = filter_of(&attribute);
        const size_t head = attribute.name.size + 1;
        if (!is_relation(attribute.name) || !memchr(filter.data + head, ' ', filter.size - head))
            check(copal_link_matches(link, filter));
        write_back(&attribute, (copal_bytes_t){filter.data + head, filter.size - head});
        free((void *)filter.data);
    }
    check_equal(got, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_of(data, size);
    const copal_bytes_t filter = input_take(&in, input_below(&in, 16));
    const copal_bytes_t all = {in.at, input_left(&in)};
    uint8_t *copy = octets_copy(all);
    copal_bytes_t document = {copy, all.size};
    copal_link_t link;
    int got = 0;
    for (size_t before = document.size; (got = copal_link_next(&document, &link)) > 0; before = document.size) {
        check(document.size < before);
        check(is_within(link.target, (copal_bytes_t){copy, all.size}));
        check(is_within(link.attributes, (copal_bytes_t){copy, all.size}));
        copal_link_matches(&link, filter);
        take_link(&link);
    }
    check(got == 0 || got == COPAL_EFORMAT);
    free(copy);
    return 0;
}
