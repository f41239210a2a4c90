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

const char *conform_outcome(const conform_t *c)
{
    if (c->verdict == VERDICT_PASSED)
        return "ok";
    if (c->verdict == VERDICT_NOT_APPLICABLE)
        return "n/a";
    return c->subject->level == CONFORM_MUST ? "FAIL" : "warn";
}

static void print_octets(copal_bytes_t octets)
{
    for (size_t i = 0; i < octets.size && i < HEX_MOST; i++) {
        if (i % HEX_LINE == 0)
            printf("%s%18s", i ? "\n" : "", "");
        printf(" %02x", octets.data[i]);
    }
    if (octets.size > HEX_MOST)
        printf(" ... %zu more", octets.size - HEX_MOST);
    putchar('\n');
}

/** What was sent and what came; of much, the end. */
static void print_log(const conform_t *c)
{
    size_t count = 0, i = 0;
    for (const conform_datagram_t *d = c->log; d; d = d->next)
        count++;
    if (count > SHOWN)
        printf("      (%zu datagrams before these)\n", count - SHOWN);
    for (const conform_datagram_t *d = c->log; d; d = d->next) {
        if (i++ + SHOWN < count)
            continue;
        copal_bytes_t octets = {d->octets, d->size};
        printf("      %8.3f s %s ", (double)d->at / 1000, d->outgoing ? "->" : "<-");
        tool_print_message(stdout, octets);
        putchar('\n');
        tool_colour(stdout, TOOL_DIM);
        print_octets(octets);
        tool_colour(stdout, TOOL_PLAIN);
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
        print_log(c);
    }
    fflush(stdout);
}

int conform_tell_summary(const conform_result_t *result)
{
    static const char *const outcomes[] = {"ok", "FAIL", "warn", "n/a"};
    size_t counts[4] = {0};
    for (size_t i = 0; i < result->count; i++)
        for (size_t outcome = 0; outcome < 4; outcome++)
            counts[outcome] += strcmp(conform_outcome(&result->cases[i]), outcomes[outcome]) == 0;
    printf("%zu ok, %zu FAIL, %zu warn, %zu n/a\n", counts[0], counts[1], counts[2], counts[3]);
    return counts[1] ? TOOL_REFUSED : TOOL_OK;
}
