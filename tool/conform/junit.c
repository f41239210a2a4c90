/* What the cases came to, as JUnit's XML, which build servers read. */
#define _POSIX_C_SOURCE 200809L
#include "conform.h"

#include <stdlib.h>
#include <string.h>

/** Text as XML takes it; what came was made printable before. */
static void print_escaped(FILE *stream, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", stream);
            break;
        case '>':
            fputs("&gt;", stream);
            break;
        case '&':
            fputs("&amp;", stream);
            break;
        case '"':
            fputs("&quot;", stream);
            break;
        default:
            fputc(*text, stream);
        }
    }
}

/** What was sent, what came and what is right, within `element`. */
static void print_told(FILE *stream, const char *element, const conform_t *c)
{
    char *text = NULL;
    size_t size;
    FILE *log = conform_memory(open_memstream(&text, &size));
    conform_print_log(log, c);
    fclose(log);
    fprintf(stream, "<%s", element);
    if (strcmp(element, "failure") == 0) {
        fputs(" message=\"", stream);
        print_escaped(stream, c->reason);
        fputc('"', stream);
    }
    fputc('>', stream);
    print_escaped(stream, c->reason);
    fputc('\n', stream);
    print_escaped(stream, c->subject->says);
    fputc('\n', stream);
    print_escaped(stream, conform_memory(text));
    fprintf(stream, "</%s>", element);
    free(text);
}

static void print_case(FILE *stream, const conform_t *c)
{
    fprintf(stream, "  <testcase classname=\"%.7s\" name=\"%s\">", c->subject->name, c->subject->name);
    if (c->verdict == VERDICT_FAILED)
        print_told(stream, c->subject->level == CONFORM_MUST ? "failure" : "system-out", c);
    if (c->verdict == VERDICT_NOT_APPLICABLE) {
        fputs("<skipped message=\"", stream);
        print_escaped(stream, c->reason);
        fputs("\"/>", stream);
    }
    fputs("</testcase>\n", stream);
}

bool conform_write_junit(const conform_result_t *result, FILE *stream)
{
    size_t counts[CONFORM_OUTCOMES];
    conform_count(result, counts);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"copal conform ", stream);
    print_escaped(stream, result->target->uri);
    fprintf(stream, "\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", result->count, counts[CONFORM_FAILED],
            counts[CONFORM_OUTCOMES - 1]);
    for (size_t i = 0; i < result->count; i++)
        print_case(stream, &result->cases[i]);
    fputs("</testsuite>\n", stream);
    bool whole = !ferror(stream);
    return fclose(stream) == 0 && whole;
}
