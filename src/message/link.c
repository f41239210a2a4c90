#include "copal/link.h"

#include "characters.h"

/* parmname of RFC 6690 section 2 is 1*attr-char of RFC 5987; a "*" may end it (ext-name-star). */
#define PARMNAME "!#$&+-.^_`|~"
/* ptokenchar of RFC 6690 section 2. Both sets have letters and digits besides. */
#define PTOKEN "!#$%&'()*+-./:<=>?@[]^_`{|}~"

static bool starts_with(copal_bytes_t text, uint8_t c) { return text.size && text.data[0] == c; }

/* Takes off what is letters, digits and `others`. */
static copal_bytes_t take_run(copal_bytes_t *text, const char *others)
{
    copal_bytes_t run = {text->data, 0};
    while (run.size < text->size && copal__is_alnum_or(text->data[run.size], others))
        run.size++;
    copal__drop(text, run.size);
    return run;
}

/* Takes a quoted-string off; `value` is what is between the quotes, still escaped. False: nothing is taken. */
static bool take_quoted(copal_bytes_t *text, copal_bytes_t *value)
{
    if (!starts_with(*text, '"'))
        return false;
    size_t end = 1;
    while (end < text->size && text->data[end] != '"')
        end += text->data[end] == '\\' ? 2 : 1;
    if (end >= text->size)
        return false;
    *value = (copal_bytes_t){text->data + 1, end - 1};
    copal__drop(text, end + 1);
    return true;
}

int copal_attribute_next(copal_bytes_t *attributes, copal_attribute_t *attribute)
{
    copal_bytes_t rest = *attributes;
    if (!rest.size)
        return 0;
    if (!starts_with(rest, ';'))
        return COPAL_EFORMAT;
    copal__drop(&rest, 1);
    *attribute = (copal_attribute_t){.name = take_run(&rest, PARMNAME "*")};
    if (!attribute->name.size)
        return COPAL_EFORMAT;
    if (starts_with(rest, '=')) {
        copal__drop(&rest, 1);
        attribute->quoted = take_quoted(&rest, &attribute->value);
        if (!attribute->quoted)
            attribute->value = take_run(&rest, PTOKEN);
        if (!attribute->quoted && !attribute->value.size)
            return COPAL_EFORMAT;
    }
    *attributes = rest;
    return 1;
}

int copal_link_next(copal_bytes_t *document, copal_link_t *link)
{
    copal_bytes_t rest = *document;
    if (!rest.size)
        return 0;
    if (!starts_with(rest, '<'))
        return COPAL_EFORMAT;
    copal__drop(&rest, 1);
    if (!copal__split(&rest, '>', &link->target))
        return COPAL_EFORMAT;
    link->attributes = rest;
    copal_attribute_t attribute;
    while (starts_with(rest, ';'))
        if (copal_attribute_next(&rest, &attribute) < 0)
            return COPAL_EFORMAT;
    if (rest.size && !starts_with(rest, ','))
        return COPAL_EFORMAT;
    link->attributes.size -= rest.size;
    if (rest.size > 1) /* a comma with nothing behind it stays, and is no link */
        copal__drop(&rest, 1);
    *document = rest;
    return 1;
}

static bool is_parmname(copal_bytes_t name)
{
    if (!take_run(&name, PARMNAME).size)
        return false;
    return !name.size || (name.size == 1 && name.data[0] == '*');
}

/* Whether it may stand behind "=" as it is. */
static bool is_token_or_quoted(copal_bytes_t value)
{
    copal_bytes_t inner;
    if (!take_quoted(&value, &inner))
        take_run(&value, PTOKEN);
    return !value.size;
}

static void add_octets(copal__text_t *text, copal_bytes_t octets, bool escape)
{
    for (size_t i = 0; i < octets.size; i++) {
        if (escape && (octets.data[i] == '"' || octets.data[i] == '\\'))
            copal__text_put(text, '\\');
        copal__text_put(text, octets.data[i]);
    }
}

int copal_attribute_write(char *out, size_t capacity, copal_bytes_t name, copal_bytes_t value)
{
    if (!is_parmname(name))
        return COPAL_EINVAL;
    copal__text_t text = {out, 0, capacity};
    bool quote = !is_token_or_quoted(value);
    copal__text_put(&text, ';');
    add_octets(&text, name, false);
    if (value.size)
        copal__text_put(&text, '=');
    if (quote)
        copal__text_put(&text, '"');
    add_octets(&text, value, quote);
    if (quote)
        copal__text_put(&text, '"');
    return text.size > capacity ? COPAL_ESPACE : (int)text.size;
}
