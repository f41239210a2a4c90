/* copal bench: how many requests a server answers, and how soon. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    DURATION = 10 * 1000, /* milliseconds */
    WARM_UP = 1000,
    TIMEOUT = 10 * 1000,
    SOCKETS_MOST = 4096,
    OUTSTANDING_MOST = 1024,
    PAYLOAD_MOST = 1024 /* RFC 7252 section 4.6: what one message takes */
};
enum { OPTION_WARM_UP = 300, OPTION_JSON };

/* ---- while it runs ------------------------------------------------------------------------------------------ */

static bool draws; /* a line on the terminal, which is drawn anew */

static void tell(const tool_tally_t *tally, double seconds, double rate)
{
    if (!draws)
        return;
    const uint64_t failed = tally->time_outs + tally->resets + tally->unreachable + tally->sessions + tally->others;
    fprintf(stderr, "\r\033[K%.0f s, %.0f answers/s, p50 %.3f ms, p99 %.3f ms, max %.3f ms", seconds, rate,
            (double)tool_histogram_at(&tally->latency, 0.5) / 1e6,
            (double)tool_histogram_at(&tally->latency, 0.99) / 1e6, (double)tally->latency.most / 1e6);
    if (failed)
        fprintf(stderr, ", %llu without an answer", (unsigned long long)failed);
    fflush(stderr);
}

/* ---- what came of it ------------------------------------------------------------------------------------------ */

static int status_of(const tool_bench_t *bench, const tool_tally_t *tally)
{
    uint64_t successes = 0;
    for (unsigned code = 0; code < 256; code++)
        successes += COPAL_CODE_CLASS(code) == 2 ? tally->codes[code] : 0;
    if (!tool_flush())
        return TOOL_REFUSED;
    if (tally->answers > successes)
        return TOOL_REFUSED;
    if (tally->answers || tally->interrupted)
        return TOOL_OK;
    return tool_no_answer(&bench->request, COPAL_ETIMEOUT, NULL);
}

static int measure(const tool_bench_t *bench)
{
    tool_tally_t *tally = calloc(1, sizeof *tally);
    if (!tally) {
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
        return TOOL_REFUSED;
    }
    int status;
    draws = isatty(STDERR_FILENO) && !bench->request.quiet;
    tool_load(bench, tally, tell);
    if (draws)
        fputs("\r\033[K", stderr);
    if (tally->error) {
        errno = tally->reason;
        status = tool_no_answer(&bench->request, tally->error, tally->problem);
    } else {
        (bench->json ? tool_bench_print_json : tool_bench_print)(bench, tally);
        tool_bench_warn(bench, tally);
        status = status_of(bench, tally);
    }
    free(tally);
    return status;
}

/* ---- what was typed -------------------------------------------------------------------------------------------- */

static int method_option(const tool_command_t *command, const char *text, copal_code_t *method)
{
    static const copal_code_t methods[] = {COPAL_GET,   COPAL_PUT,   COPAL_POST,  COPAL_DELETE,
                                           COPAL_FETCH, COPAL_PATCH, COPAL_IPATCH};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcasecmp(text, copal_code_text(methods[i])) == 0) {
            *method = methods[i];
            return 0;
        }
    return tool_option_error(command, "--method takes get, put, post, delete, fetch, patch or ipatch, not '%s'", text);
}

static int rate_option(const tool_command_t *command, const char *text, double *rate)
{
    char *end;
    *rate = strtod(text, &end);
    if (text[strspn(text, "0123456789.")] || *end || !(*rate >= 0.001 && *rate <= 1e8))
        return tool_option_error(command, "--rate takes requests per second above 0, such as 500, not '%s'", text);
    return 0;
}

static int number_option(const tool_command_t *command, const char *name, const char *text, uint64_t most,
                         uint64_t *number)
{
    if (tool_parse_number(text, 1, most, number))
        return 0;
    return tool_option_error(command, "--%s takes a number from 1 to %llu, not '%s'", name, (unsigned long long)most,
                             text);
}

static int seconds_option(const tool_command_t *command, const char *name, const char *text, uint32_t *milliseconds)
{
    if (tool_parse_seconds(text, milliseconds))
        return 0;
    return tool_option_error(command, "--%s takes seconds above 0, such as 2.5, not '%s'", name, text);
}

static int take_option(const tool_command_t *command, void *context, int id, const char *value)
{
    tool_bench_t *bench = context;
    switch (id) {
    case 'm':
        return method_option(command, value, &bench->request.ask.method);
    case 's':
        return number_option(command, "sockets", value, SOCKETS_MOST, &bench->sockets);
    case 'o':
        return number_option(command, "outstanding", value, OUTSTANDING_MOST, &bench->outstanding);
    case 'r':
        return rate_option(command, value, &bench->rate);
    case 'c':
        return number_option(command, "count", value, INT64_MAX, &bench->count);
    case 'd':
        bench->timed = true;
        return seconds_option(command, "duration", value, &bench->duration);
    case OPTION_WARM_UP:
        bench->warms_up = true;
        bench->warm_up = 0;
        return strcmp(value, "0") == 0 ? 0 : seconds_option(command, "warm-up", value, &bench->warm_up);
    case OPTION_JSON:
        bench->json = true;
        return 0;
    default:
        return tool_request_option(command, &bench->request, id, value);
    }
}

/** What is not said: a time, unless a number is, and the warm-up of that. */
static void complete(tool_bench_t *bench)
{
    bench->timed = bench->timed || !bench->count;
    if (!bench->duration)
        bench->duration = DURATION;
    if (!bench->warms_up)
        bench->warm_up = bench->count ? 0 : WARM_UP;
    if (!bench->request.ask.timeout)
        bench->request.ask.timeout = TIMEOUT;
}

/** The payload of a file stands in memory: it is sent again and again. */
static int take_file(const tool_command_t *command, tool_request_t *request, uint8_t payload[PAYLOAD_MOST])
{
    const int status = tool_open_payload(command, request);
    if (status)
        return status;
    if (request->ask.size <= PAYLOAD_MOST && request->ask.read(request->ask.context, 0, payload, request->ask.size) < 0)
        return TOOL_USAGE;
    request->ask.payload = (copal_bytes_t){payload, request->ask.size};
    request->ask.read = NULL;
    return 0;
}

static int take_payload(const tool_command_t *command, tool_request_t *request, const char *operand,
                        uint8_t payload[PAYLOAD_MOST])
{
    const copal_code_t method = request->ask.method;
    const bool given = operand || request->file;
    if (operand && request->file)
        return tool_usage_error(command, "the payload is given twice, as '%s' and by --file", operand);
    if (given && (method == COPAL_GET || method == COPAL_DELETE))
        return tool_usage_error(command, "%s takes no payload; say by --method what is to be asked",
                                copal_code_text(method));
    if (operand)
        request->ask.payload = copal_text(operand);
    const int status = request->file ? take_file(command, request, payload) : 0;
    if (status == 0 && request->ask.payload.size > PAYLOAD_MOST)
        return tool_usage_error(command, "each request is one message, and its payload has %u octets at most, not %zu",
                                PAYLOAD_MOST, request->ask.payload.size);
    return status;
}

static int prepare(const tool_command_t *command, tool_bench_t *bench, int operands, char **operand,
                   uint8_t payload[PAYLOAD_MOST])
{
    copal_uri_t uri;
    if (operands == 0)
        return tool_usage_error(command, "a URI is missing, as in 'copal bench coap://localhost/'");
    if (operands > 2)
        return tool_usage_error(command, "'%s' is one operand too many; quote a payload that holds blanks", operand[2]);
    complete(bench);
    const int status = take_payload(command, &bench->request, operands == 2 ? operand[1] : NULL, payload);
    return status ? status : tool_take_uri(command, &bench->request, operand[0], &uri);
}

static int run(const tool_command_t *command, int argc, char **argv)
{
    tool_bench_t bench = {.request.ask.method = COPAL_GET, .sockets = 1, .outstanding = 1};
    uint8_t payload[PAYLOAD_MOST];
    int status = tool_take_options(command, argc, argv, take_option, &bench);
    if (status >= 0)
        return status;
    status = prepare(command, &bench, argc - optind, argv + optind, payload);
    if (status == 0)
        status = measure(&bench);
    tool_close_request(&bench.request);
    return status;
}

static const tool_option_t options[] = {
    {'s', "sockets", "N", "ask from so many ports at a time (1)"},
    {'o', "outstanding", "N", "with so many requests under way from each (1)"},
    {'r', "rate", "N", "ask so many a second, each at its planned time"},
    {'d', "duration", "SECONDS", "measure for so long (10)"},
    {'c', "count", "N", "end after so many requests"},
    {OPTION_WARM_UP, "warm-up", "SECONDS", "ask for so long before (1; with --count 0)"},
    {OPTION_JSON, "json", NULL, "print the outcome as a JSON object"},
    {'m', "method", "METHOD", "put, post, delete, fetch, patch, ipatch (get)"},
    TOOL_ROW_NON,
    TOOL_ROW_FORMAT,
    TOOL_ROW_FILE,
    TOOL_ROW_ACCEPT,
    TOOL_ROW_ETAG,
    TOOL_ROW_TIMEOUT("10"),
    TOOL_ROWS_SECURE,
    {'q', "quiet", NULL, "no line of progress, which a terminal has else"},
    {0}};

const tool_command_t tool_bench = {
    .name = "bench",
    .operands = "[OPTION]... URI [PAYLOAD]",
    .summary = "Measure how many requests a server answers, and how soon",
    .options = options,
    .notes = "Without --rate each request follows the one before it, so a slow server is asked\n"
             "less; with it, latency counts from the planned time. SIGINT ends it and prints\n"
             "what was measured until then. Be sure that you may load the server.\n",
    .run = run};
