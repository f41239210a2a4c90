/* Link-format for people: one link a line, or a table (RFC 6690). */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <stdlib.h>
#include <string.h>

enum { SERVER, PATH, RT, IF, CT, TITLE, MORE, COLUMNS };
static const char *const headings[COLUMNS] = {"server", "path", "rt", "if", "ct", "title", "more"};

/** How many links `document` holds; -1: it is no link-format. */
static long count_links(copal_bytes_t document)
{
    copal_link_t link;
    copal_attribute_t attribute;
    long count = 0;
    int got;
    for (; (got = copal_link_next(&document, &link)) == 1; count++) {
        while ((got = copal_attribute_next(&link.attributes, &attribute)) == 1)
            ;
        if (got < 0)
            return -1;
    }
    return got < 0 ? -1 : count;
}

bool tool_print_links(copal_bytes_t document)
{
    copal_link_t link;
    long left = count_links(document);
    if (left < 0)
        return false;
    while (copal_link_next(&document, &link) == 1) {
        putchar('<');
        tool_print_safe(stdout, link.target);
        putchar('>');
        tool_print_safe(stdout, link.attributes);
        puts(--left ? "," : "");
    }
    return true;
}

static bool is_named(const copal_attribute_t *attribute, const char *name)
{
    return attribute->name.size == strlen(name) && memcmp(attribute->name.data, name, attribute->name.size) == 0;
}

static int column_of(const copal_attribute_t *attribute)
{
    for (int column = RT; column < MORE; column++)
        if (is_named(attribute, headings[column]))
            return column;
    return MORE;
}

/** Content-Formats by name: "0 50" is "text/plain application/json". */
static void print_formats(FILE *out, copal_bytes_t value)
{
    while (value.size) {
        const uint8_t *blank = memchr(value.data, ' ', value.size);
        size_t size = blank ? (size_t)(blank - value.data) : value.size;
        char number[8];
        uint64_t n;
        snprintf(number, sizeof number, "%.*s", (int)(size < 7 ? size : 7), (const char *)value.data);
        const char *name =
            size < 7 && tool_parse_number(number, 0, UINT16_MAX, &n) ? copal_content_format_text((uint16_t)n) : NULL;
        if (name)
            fputs(name, out);
        else
            tool_print_safe(out, (copal_bytes_t){value.data, size});
        if (blank)
            fputc(' ', out);
        size += blank ? 1 : 0;
        value.data += size;
        value.size -= size;
    }
}

static void print_value(FILE *out, const copal_attribute_t *attribute)
{
    for (size_t i = 0; i < attribute->value.size;) {
        if (attribute->quoted && attribute->value.data[i] == '\\' && i + 1 < attribute->value.size)
            i++;
        copal_bytes_t rest = {attribute->value.data + i, attribute->value.size - i};
        size_t size = tool_utf8(rest);
        rest.size = size ? size : 1;
        tool_print_safe(out, rest);
        i += rest.size;
    }
}

/** What stands in `column` for a link, to be freed; NULL without memory. */
static char *make_cell(const char *server, copal_link_t link, int column)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (column == SERVER)
        fputs(server, out);
    if (column == PATH)
        tool_print_safe(out, link.target);
    copal_attribute_t attribute;
    for (bool first = true; copal_attribute_next(&link.attributes, &attribute) == 1;) {
        if (column_of(&attribute) != column)
            continue;
        fputs(first ? "" : " ", out);
        first = false;
        if (column == MORE) {
            tool_print_safe(out, attribute.name);
            fputs(attribute.value.size || attribute.quoted ? "=" : "", out);
        }
        if (column == CT)
            print_formats(out, attribute.value);
        else
            print_value(out, &attribute);
    }
    return fclose(out) ? NULL : text;
}

/** The columns that a text takes: one for each character, which starts with an octet that continues none. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/** A row without its newline, and without blanks behind its last entry. */
static void print_row(const char *const *cells, const int *widths)
{
    int gap = 0;
    for (int column = 0; column < COLUMNS; column++) {
        if (!widths[column])
            continue;
        if (*cells[column]) {
            printf("%*s%s", gap, "", cells[column]);
            gap = 0;
        }
        gap += widths[column] - width_of(cells[column]) + 2;
    }
}

typedef char *row_t[COLUMNS];

/** The rows of a host's links, the first of which names it; one that has none gets one all the same. False without memory. */
static bool make_rows(const char *server, copal_bytes_t document, row_t *rows, long count)
{
    bool made = true;
    for (long i = 0; i < (count > 0 ? count : 1); i++) {
        copal_link_t link = {0};
        if (count > 0)
            copal_link_next(&document, &link);
        for (int column = 0; column < COLUMNS; column++)
            made = (rows[i][column] = make_cell(i == 0 ? server : "", link, column)) && made;
    }
    return made;
}

static void print_table(row_t *rows, long count)
{
    int widths[COLUMNS] = {0};
    for (int column = 0; column < COLUMNS; column++) {
        for (long i = 0; i < count; i++)
            if (width_of(rows[i][column]) > widths[column])
                widths[column] = width_of(rows[i][column]);
        if (widths[column] && widths[column] < width_of(headings[column]))
            widths[column] = width_of(headings[column]);
    }
    tool_colour(stdout, TOOL_CYAN);
    print_row(headings, widths);
    tool_colour(stdout, TOOL_PLAIN);
    putchar('\n');
    for (long i = 0; i < count; i++) {
        print_row((const char *const *)rows[i], widths);
        putchar('\n');
    }
}

static void free_rows(row_t *rows, long count)
{
    for (long i = 0; i < count; i++)
        for (int column = 0; column < COLUMNS; column++)
            free(rows[i][column]);
    free(rows);
}

bool tool_print_link_table(copal_bytes_t document)
{
    long count = count_links(document);
    if (count <= 0)
        return count == 0;
    row_t *rows = calloc((size_t)count, sizeof *rows);
    if (!rows)
        return false;
    bool made = make_rows("", document, rows, count);
    if (made)
        print_table(rows, count);
    free_rows(rows, count);
    return made;
}

/** How many links a host has told of; what is no link-format has none. */
static long links_of(const tool_found_t *found)
{
    long count = found->content_format == 40 ? count_links((copal_bytes_t){found->payload, found->size}) : 0;
    return count < 0 ? 0 : count;
}

void tool_print_found_table(const tool_found_t *found, size_t count)
{
    long total = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        total += links_of(&found[i]) ? links_of(&found[i]) : 1;
    row_t *rows = calloc((size_t)total + 1, sizeof *rows); /* memory of no octet may be no memory */
    bool made = rows;
    for (size_t i = 0; i < count && made; i++) {
        const long links = links_of(&found[i]);
        made = make_rows(found[i].uri, (copal_bytes_t){found[i].payload, found[i].size}, rows + at, links);
        at += links ? links : 1;
    }
    if (made)
        print_table(rows, total);
    else
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
    if (rows)
        free_rows(rows, total);
}
