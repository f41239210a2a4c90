/* Paths and queries, text to options and back (RFC 7252 sections 6.4 and 6.5). */
#include "copal/uri.h"

#include "characters.h"
#include "option.h"
#include "writer.h"

/* Writes an option whose value is `text` without its percent-encoding. */
static void write_decoded(copal_writer_t *w, uint16_t number, copal_bytes_t text)
{
    ptrdiff_t size = copal__percent_size(text);
    if (size < 0 && !w->error)
        w->error = COPAL_EINVAL;
    uint8_t *at = size < 0 ? NULL : copal__write_space(w, number, (size_t)size);
    if (at)
        copal__percent_decode(at, text);
}

/* 1 for the segment ".", 2 for "..", also where their dots are percent-encoded (RFC 3986 section 6.2.2.2); else 0. */
static size_t dots(copal_bytes_t segment)
{
    size_t count = 0;
    while (segment.size) {
        if (copal__percent_next(&segment) != '.' || ++count > 2)
            return 0;
    }
    return count;
}

/* Whether a ".." in what follows a segment takes it away. */
static bool is_undone(copal_bytes_t rest)
{
    size_t depth = 0;
    for (bool more = true; more;) {
        copal_bytes_t segment;
        more = copal__split(&rest, '/', &segment);
        size_t count = dots(segment);
        if (count == 2 && depth-- == 0)
            return true;
        depth += count == 0;
    }
    return false;
}

/* Segments "." and ".." are resolved as in RFC 3986 section 5.2.4, since "The value of a Uri-Path Option MUST NOT be
 * "." or ".."" (RFC 7252 section 5.10.1). */
void copal_write_path(copal_writer_t *w, copal_bytes_t path)
{
    if (path.size && path.data[0] == '/')
        copal__drop(&path, 1);
    bool any = false;
    for (bool more = true; more && !w->error;) {
        copal_bytes_t segment;
        more = copal__split(&path, '/', &segment);
        bool dotted = dots(segment) > 0;
        if (more && (dotted || is_undone(path)))
            continue;
        if (dotted)
            segment.size = 0; /* "a/b/.." is "a/" */
        if (more || any || segment.size)
            write_decoded(w, COPAL_OPTION_URI_PATH, segment);
        any = true;
    }
}

void copal_write_query(copal_writer_t *w, copal_bytes_t query)
{
    for (bool more = true; more;) {
        copal_bytes_t argument;
        more = copal__split(&query, '&', &argument);
        write_decoded(w, COPAL_OPTION_URI_QUERY, argument);
    }
}

void copal_write_path_and_query(copal_writer_t *w, copal_bytes_t text)
{
    copal_bytes_t path;
    bool has_query = copal__split(&text, '?', &path);
    copal_write_path(w, path);
    if (has_query)
        copal_write_query(w, text);
}

int copal_path_encode(uint8_t *out, size_t capacity, copal_bytes_t text)
{
    copal_writer_t w;
    copal_writer_init(&w, out, capacity);
    copal_write_path(&w, text);
    if (w.error)
        return w.error;
    if (w.size)
        out[0] &= 0x0f; /* the delta of the first, 11, is the only one that is not 0 */
    return (int)w.size;
}

int copal_path_text(char *out, size_t capacity, copal_bytes_t path)
{
    copal__text_t text = {out, 0, capacity};
    const copal_message_t message = {.options = path};
    copal_option_reader_t reader = copal_message_options(&message);
    copal_option_t segment;
    /* A path whose first segment is empty takes one "/" more, as a leading one means nothing. */
    for (bool slash = path.size > 1 && path.data[0] % 16 == 0; copal_option_next(&reader, &segment); slash = true) {
        if (slash)
            copal__text_put(&text, '/');
        copal__text_add_encoded(&text, segment.value, COPAL__PCHAR);
    }
    return copal__text_finish(&text);
}
