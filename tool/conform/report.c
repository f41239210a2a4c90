/* What the cases came to, as lines for people. */
#define _POSIX_C_SOURCE 200809L
#include "conform.h"

#include <string.h>

enum { SHOWN = 24, HEX_LINE = 24, HEX_MOST = 4 * HEX_LINE };

void conform_section(const conform_case_t *subject, copal_bytes_t *rfc, copal_bytes_t *section)
{
    *rfc = (copal_bytes_t){(const uint8_t *)subject->name + 3, 4};
    const char *at = subject->name + 8;
    *section = (copal_bytes_t){(const uint8_t *)at, strcspn(at, "_")};
}

const char *const conform_outcomes[CONFORM_OUTCOMES] = {"ok", "FAIL", "warn", "n/a"};

const char *conform_outcome(const conform_t *c)
{
    if (c->verdict == VERDICT_PASSED)
        return "ok";
    if (c->verdict == VERDICT_NOT_APPLICABLE)
        return "n/a";
    return c->subject->level == CONFORM_MUST ? "FAIL" : "warn";
}

static void print_octets(FILE *stream, copal_bytes_t octets)
{
    for (size_t i = 0; i < octets.size && i < HEX_MOST; i++) {
        if (i % HEX_LINE == 0)
            fprintf(stream, "%s%18s", i ? "\n" : "", "");
        fprintf(stream, " %02x", octets.data[i]);
    }
    if (octets.size > HEX_MOST)
        fprintf(stream, " ... %zu more", octets.size - HEX_MOST);
    fputc('\n', stream);
}

void conform_print_log(FILE *stream, const conform_t *c)
{
    size_t count = 0, i = 0;
    for (const conform_datagram_t *d = c->log; d; d = d->next)
        count++;
    if (count > SHOWN)
        fprintf(stream, "      (%zu datagrams before these)\n", count - SHOWN);
    for (const conform_datagram_t *d = c->log; d; d = d->next) {
        if (i++ + SHOWN < count)
            continue;
        copal_bytes_t octets = {d->octets, d->size};
        fprintf(stream, "      %8.3f s %s ", (double)d->at / 1000, d->outgoing ? "->" : "<-");
        tool_print_message(stream, octets);
        fputc('\n', stream);
        tool_colour(stream, TOOL_DIM);
        print_octets(stream, octets);
        tool_colour(stream, TOOL_PLAIN);
    }
}

void conform_tell(const conform_t *c)
{
    static const tool_colour_t colours[] = {TOOL_PLAIN, TOOL_GREEN, TOOL_RED, TOOL_DIM};
    tool_colour(stdout, colours[c->verdict]);
    printf("%-4s", conform_outcome(c));
    tool_colour(stdout, TOOL_PLAIN);
    printf("  %s", c->subject->name);
    if (c->verdict == VERDICT_NOT_APPLICABLE)
        printf(" (%s)", c->reason);
    putchar('\n');
    if (c->verdict == VERDICT_FAILED) {
        copal_bytes_t rfc, section;
        conform_section(c->subject, &rfc, &section);
        printf("      %s\n      RFC %.*s section %.*s: %s\n", c->reason, (int)rfc.size, (const char *)rfc.data,
               (int)section.size, (const char *)section.data, c->subject->says);
        conform_print_log(stdout, c);
    }
    fflush(stdout);
}

void conform_count(const conform_result_t *result, size_t counts[CONFORM_OUTCOMES])
{
    memset(counts, 0, CONFORM_OUTCOMES * sizeof *counts);
    for (size_t i = 0; i < result->count; i++)
        for (size_t outcome = 0; outcome < CONFORM_OUTCOMES; outcome++)
            counts[outcome] += strcmp(conform_outcome(&result->cases[i]), conform_outcomes[outcome]) == 0;
}

void conform_tell_summary(const conform_result_t *result)
{
    size_t counts[CONFORM_OUTCOMES];
    conform_count(result, counts);
    for (size_t outcome = 0; outcome < CONFORM_OUTCOMES; outcome++)
        printf("%s%zu %s", outcome ? ", " : "", counts[outcome], conform_outcomes[outcome]);
    putchar('\n');
}
