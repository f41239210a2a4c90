/* The counters as a resource. */
#define _GNU_SOURCE 1
#include "copal/counters.h"
#include "host.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT = 0, JSON = 50, FRESH = 1000 /* milliseconds */, LINE = 64 };

/* Those of the moment for a first block, and for the others those that it had. */
static uint32_t look(copal_host_t *host, const copal_call_t *call, copal_host_counters_t *counters)
{
    const bool first = call->options->block2 < 16;
    copal__counted_t *counted = &host->counted;
    pthread_mutex_lock(&host->exclusion);
    const bool stale = !counted->number || (first && call->now - counted->at >= FRESH);
    pthread_mutex_unlock(&host->exclusion);
    if (stale)
        copal_host_counters(host, counters); /* takes locks that nobody waits for inside the exclusion */
    pthread_mutex_lock(&host->exclusion);
    if (stale) {
        counted->counters = *counters;
        counted->at = call->now;
        counted->number++;
    }
    *counters = counted->counters;
    const uint32_t number = counted->number;
    pthread_mutex_unlock(&host->exclusion);
    return number;
}

__attribute__((format(printf, 2, 3))) static void print(copal_writer_t *w, const char *format, ...)
{
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)line, (size_t)size});
}

static void write_text(copal_writer_t *w, const copal_host_counters_t *counters)
{
    copal_count_t count;
    for (size_t i = 0; copal_counters_at(counters, i, &count); i++)
        print(w, "%s%s%s %" PRIu64 "\n", count.side, *count.side ? " " : "", count.name, count.value);
}

/* The members of one side; what is of both stands in the outermost object. */
static void write_members(copal_writer_t *w, const copal_host_counters_t *counters, const char *side)
{
    copal_count_t count;
    const char *comma = "";
    for (size_t i = 0; copal_counters_at(counters, i, &count); i++) {
        if (strcmp(count.side, side) != 0)
            continue;
        print(w, "%s\"%s\":%" PRIu64, comma, count.name, count.value);
        comma = ",";
    }
}

static void write_json(copal_writer_t *w, const copal_host_counters_t *counters)
{
    print(w, "{\"server\":{");
    write_members(w, counters, "server");
    print(w, "},\"client\":{");
    write_members(w, counters, "client");
    print(w, "},");
    write_members(w, counters, "");
    print(w, "}");
}

static void handle(void *user, copal_call_t *call)
{
    copal_host_counters_t counters;
    const int32_t accept = call->options->accept;
    if (accept >= 0 && accept != TEXT && accept != JSON) {
        copal_reply_text(call, COPAL_NOT_ACCEPTABLE, NULL);
        return;
    }
    const uint8_t format = accept == JSON ? JSON : TEXT;
    const uint32_t number = look(user, call, &counters);
    const uint8_t tag[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number, format};
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    copal_write_option(w, COPAL_OPTION_ETAG, (copal_bytes_t){tag, sizeof tag});
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, format);
    copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, FRESH / 1000);
    (format == JSON ? write_json : write_text)(w, &counters);
}

int copal_host_add_counters(copal_host_t *host, const char *path, copal_handle_t *resource)
{
    const copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = handle, .user = host};
    return copal_tree_add_handler(host->tree, path, &handler, resource);
}
