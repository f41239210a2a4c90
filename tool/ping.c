/* copal ping: empty confirmable messages, which a CoAP endpoint answers with Reset (RFC 7252 section 4.3). */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <time.h>

enum { DEFAULT_TIMEOUT = 10 * 1000 };

typedef struct {
    tool_request_t request;
    uint64_t count;
    uint32_t interval; /* milliseconds */
} pings_t;

typedef struct {
    uint64_t sent, answered;
    double least, most, sum; /* milliseconds */
} tally_t;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static void wait_for(uint32_t milliseconds)
{
    struct timespec left = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

static int ping_once(copal_host_t *host, const tool_request_t *request, tally_t *tally)
{
    copal_answer_t answer;
    double start = now();
    int error = copal_host_ask(host, &request->ask, &answer);
    double time = now() - start;
    tally->sent++;
    if (error < 0)
        return tool_no_answer(request, error, answer.problem);
    copal_answer_free(&answer);
    printf("%s answered in %.3f ms\n", request->ask.uri, time);
    fflush(stdout);
    tally->least = tally->answered && tally->least < time ? tally->least : time;
    tally->most = tally->answered && tally->most > time ? tally->most : time;
    tally->sum += time;
    tally->answered++;
    return TOOL_OK;
}

static int ping(const pings_t *pings)
{
    const tool_request_t *request = &pings->request;
    const uint64_t count = pings->count;
    copal_host_t *host = tool_open_client(request);
    if (!host)
        return TOOL_REFUSED;
    tally_t tally = {0};
    int status = TOOL_OK;
    for (uint64_t i = 0; i < count && status != TOOL_USAGE; i++) {
        if (i)
            wait_for(pings->interval);
        status = ping_once(host, request, &tally);
    }
    tool_close_client(request, host);
    if (count > 1)
        printf("%llu sent, %llu answered", (unsigned long long)tally.sent, (unsigned long long)tally.answered);
    if (count > 1 && tally.answered)
        printf("; least, mean, most: %.3f, %.3f, %.3f ms", tally.least, tally.sum / (double)tally.answered, tally.most);
    if (count > 1)
        putchar('\n');
    return tally.answered ? TOOL_OK : status;
}

static int take_option(const tool_command_t *command, void *context, int id, const char *value)
{
    pings_t *pings = context;
    switch (id) {
    case 'c':
        if (!tool_parse_number(value, 1, UINT32_MAX, &pings->count))
            return tool_option_error(command, "--count takes a number from 1 on, not '%s'", value);
        return 0;
    case 'i':
        if (!tool_parse_seconds(value, &pings->interval))
            return tool_option_error(command, "--interval takes seconds above 0, such as 0.5, not '%s'", value);
        return 0;
    default:
        return tool_request_option(command, &pings->request, id, value);
    }
}

static int run(const tool_command_t *command, int argc, char **argv)
{
    pings_t pings = {.request.ask = {.ping = true, .timeout = DEFAULT_TIMEOUT}, .count = 1, .interval = 1000};
    int status = tool_take_options(command, argc, argv, take_option, &pings);
    if (status >= 0)
        return status;
    if (argc == optind)
        return tool_usage_error(command, "a URI is missing, as in 'copal ping coap://localhost'");
    if (argc - optind > 1)
        return tool_usage_error(command, "'%s' is one operand too many", argv[optind + 1]);
    copal_uri_t uri;
    status = tool_take_uri(command, &pings.request, argv[optind], &uri);
    if (status)
        return status;
    status = ping(&pings);
    tool_close_request(&pings.request);
    return status;
}

static const tool_option_t options[] = {{'c', "count", "N", "ping so often (1)"},
                                        {'i', "interval", "SECONDS", "wait so long between two (1)"},
                                        TOOL_ROW_TIMEOUT("10"),
                                        TOOL_ROWS_SECURE,
                                        TOOL_ROW_VERBOSE,
                                        {0}};

const tool_command_t tool_ping = {
    .name = "ping",
    .operands = "[OPTION]... URI",
    .summary = "See whether a host speaks CoAP, and how fast",
    .options = options,
    .notes = "Only host and port of the URI count. The exit status is 0 where at least one\nping was answered.\n",
    .run = run};
