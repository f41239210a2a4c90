/* copal conform: plays the cases with a server, and tells what it does otherwise than the standards say. */
#include "conform.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_ONLY = 256,
    OPTION_LIST,
    OPTION_TIMEOUT,
    OPTION_SILENCE,
    OPTION_PARALLEL,
    OPTION_JSON,
    OPTION_JUNIT,
    OPTION_SERVE,
    OPTION_ROLE = 300
};
enum { TIMEOUT = 30 * 1000, SILENCE = 2 * 1000, PARALLEL = 16, MOST_PARALLEL = 256 };

const conform_suite_t *const conform_suites[] = {&conform_rfc7252_messages,
                                                 &conform_rfc7252_requests,
                                                 &conform_rfc7252_effects,
                                                 &conform_rfc7252_separate,
                                                 &conform_rfc7641,
                                                 &conform_rfc7959,
                                                 &conform_rfc7967,
                                                 &conform_rfc8132,
                                                 &conform_rfc8974,
                                                 &conform_rfc9175,
                                                 NULL};
const conform_suite_t *const conform_client_suites[] = {&conform_clients_rfc7252, &conform_clients_rfc7641,
                                                        &conform_clients_bodies, NULL};

typedef struct {
    conform_target_t target;
    const char *only;
    const char *junit;
    bool list, json, serve;
    bool for_serving, for_asking; /* an option was given that is for this only */
    uint64_t parallel, port;
    const char *bind;
} options_t;

static size_t choose(const options_t *options, const conform_case_t **chosen)
{
    const conform_suite_t *const *suites = options->serve ? conform_client_suites : conform_suites;
    size_t count = 0;
    for (; *suites; suites++) {
        for (size_t j = 0; j < (*suites)->count; j++) {
            const conform_case_t *row = &(*suites)->cases[j];
            if (options->only && !strstr(row->name, options->only))
                continue;
            if (chosen)
                chosen[count] = row;
            count++;
        }
    }
    return count;
}

static void print_list(const options_t *options)
{
    const conform_case_t **chosen = conform_memory(calloc(choose(options, NULL) + 1, sizeof(*chosen)));
    size_t count = choose(options, chosen);
    for (size_t i = 0; i < count; i++) {
        printf("%-6s  %s", chosen[i]->level == CONFORM_MUST ? "MUST" : "SHOULD", chosen[i]->name);
        if (chosen[i]->path)
            printf("  /%s: %s", chosen[i]->path, chosen[i]->task);
        putchar('\n');
    }
    free(chosen);
}

/** `junit`: where those results go as well, or NULL; closed here. */
static int tell(const options_t *options, const conform_result_t *result, FILE *junit)
{
    size_t counts[CONFORM_OUTCOMES];
    conform_count(result, counts);
    if (options->json)
        conform_print_json(result);
    else
        conform_tell_summary(result);
    if (junit && !conform_write_junit(result, junit)) {
        tool_say("%s: %s\n", options->junit, strerror(errno));
        return TOOL_REFUSED;
    }
    return counts[CONFORM_FAILED] ? TOOL_REFUSED : TOOL_OK;
}

/** Runs the cases with a server, or on the socket `fd` with clients. */
static bool run_cases(const options_t *options, int fd, conform_result_t *result)
{
    void (*told)(const conform_t *c) = options->json ? NULL : conform_tell;
    bool ran = options->serve ? conform_serve(result, fd, told) : conform_schedule(result, options->parallel, told);
    if (!ran)
        tool_say(options->serve ? "this machine has no randomness\n" : "this machine starts no thread\n");
    return ran;
}

static int play(const options_t *options, int fd)
{
    FILE *junit = options->junit ? fopen(options->junit, "w") : NULL; /* now: playing may take long */
    if (options->junit && !junit) {
        tool_say("%s: %s\n", options->junit, strerror(errno));
        return TOOL_USAGE;
    }
    const conform_case_t **chosen = conform_memory(calloc(choose(options, NULL) + 1, sizeof(*chosen)));
    conform_result_t result = {.target = &options->target, .count = choose(options, chosen)};
    result.cases = conform_memory(calloc(result.count + 1, sizeof *result.cases));
    for (size_t i = 0; i < result.count; i++)
        conform_open(&result.cases[i], chosen[i], &options->target);
    int status = TOOL_REFUSED;
    if (run_cases(options, fd, &result))
        status = tell(options, &result, junit);
    else if (junit)
        fclose(junit);
    for (size_t i = 0; i < result.count; i++)
        conform_close(&result.cases[i]);
    free(result.cases);
    free(chosen);
    return status;
}

/** Where the URI's host is, and how it is to be named. */
static int take_uri(const tool_command_t *command, const char *text, conform_target_t *target)
{
    tool_request_t request = {0};
    copal_uri_t uri;
    copal_peer_t peer;
    uint16_t port;
    int status = copal_uri_parse(&uri, text) == 0 && uri.secure ? 0 : tool_take_uri(command, &request, text, &uri);
    if (status)
        return status;
    if (uri.secure)
        return tool_usage_error(command, "cases are played without DTLS; did you mean 'coap%s'?", strstr(text, "://"));
    if (uri.path.size > 1 || uri.has_query)
        return tool_usage_error(command, "a server is tested, not one resource; --value names one to test with");
    int error = copal_peers_from_uri(&peer, 1, text);
    if (error < 0)
        return tool_no_answer(&request, error, NULL);
    copal_peer_to_text(&peer, target->address, sizeof target->address, &port);
    snprintf(target->port, sizeof target->port, "%u", (unsigned)port);
    if (!uri.literal)
        target->host = uri.host;
    return TOOL_OK;
}

static int take_option(const tool_command_t *command, void *context, int id, const char *value)
{
    options_t *options = context;
    bool chooses_times = id == OPTION_TIMEOUT || id == OPTION_SILENCE || id == OPTION_PARALLEL;
    options->for_serving = options->for_serving || id == 'b' || id == 'p';
    options->for_asking = options->for_asking || id >= OPTION_ROLE || chooses_times;
    if (id >= OPTION_ROLE && id < OPTION_ROLE + ROLE_COUNT)
        options->target.named[id - OPTION_ROLE] = *value == '/' ? value + 1 : value;
    else if (id == OPTION_ONLY)
        options->only = value;
    else if (id == OPTION_LIST)
        options->list = true;
    else if (id == OPTION_JSON)
        options->json = true;
    else if (id == OPTION_SERVE)
        options->serve = true;
    else if (id == 'b')
        options->bind = value;
    else if (id == 'p' && !tool_parse_number(value, 0, 65535, &options->port))
        return tool_option_error(command, "--port takes a number of 0 to 65535, not '%s'", value);
    else if (id == OPTION_JUNIT)
        options->junit = value;
    else if (id == OPTION_TIMEOUT && !tool_parse_seconds(value, &options->target.timeout))
        return tool_option_error(command, "--timeout takes seconds above 0, such as 2.5, not '%s'", value);
    else if (id == OPTION_SILENCE && !tool_parse_seconds(value, &options->target.silence))
        return tool_option_error(command, "--silence takes seconds above 0, such as 2.5, not '%s'", value);
    else if (id == OPTION_PARALLEL && !tool_parse_number(value, 1, MOST_PARALLEL, &options->parallel))
        return tool_option_error(command, "--parallel takes a number of 1 to %u, not '%s'", (unsigned)MOST_PARALLEL,
                                 value);
    return TOOL_OK;
}

static void print_target(const conform_target_t *target)
{
    const char *before = ": ";
    fputs(target->uri, stdout);
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!target->named[role])
            continue;
        printf("%s%s=/%s", before, conform_role_name((conform_role_t)role), target->named[role]);
        before = ", ";
    }
    putchar('\n');
}

static int test(const tool_command_t *command, options_t *options, const char *uri)
{
    conform_target_t *target = &options->target;
    int status = take_uri(command, uri, target);
    if (status)
        return status;
    target->uri = uri;
    conform_role_t wrong = conform_take_paths(target);
    if (wrong != ROLE_COUNT)
        return tool_option_error(command, "--%s takes a path, such as 'a/b', not '%s'", conform_role_name(wrong),
                                 target->named[wrong]);
    if (!conform_explore(target)) {
        tool_say("%s does not answer\n", uri);
        return TOOL_NO_ANSWER;
    }
    if (!options->json)
        print_target(target);
    return play(options, -1);
}

static int serve(options_t *options)
{
    conform_target_t *target = &options->target;
    snprintf(target->address, sizeof target->address, "%s", options->bind);
    snprintf(target->port, sizeof target->port, "%u", (unsigned)options->port);
    int fd = conform_listen(target);
    if (fd < 0)
        return TOOL_REFUSED;
    FILE *stream = options->json ? stderr : stdout;
    fprintf(stream, "listening on %s\n", target->uri);
    fflush(stream);
    int status = play(options, fd);
    close(fd);
    return status;
}

static int run(const tool_command_t *command, int argc, char **argv)
{
    options_t options = {.target = {.timeout = TIMEOUT, .silence = SILENCE}, .parallel = PARALLEL,
                         .bind = "127.0.0.1", .port = COPAL_PORT};
    const int status = tool_take_options(command, argc, argv, take_option, &options);
    if (status >= 0)
        return status;
    if (options.for_serving && !options.serve)
        return tool_option_error(command, "--bind and --port are for --serve");
    if (options.for_asking && options.serve)
        return tool_option_error(command, "--serve plays with a client; it has no resources and no times to choose");
    if (!choose(&options, NULL))
        return tool_option_error(command, "there is no case with '%s' in its name; --list tells them", options.only);
    if (options.list) {
        print_list(&options);
        return TOOL_OK;
    }
    if (options.serve && argc > optind)
        return tool_usage_error(command, "a client asks; --serve takes no URI");
    if (options.serve)
        return serve(&options);
    if (argc == optind)
        return tool_usage_error(command, "a URI is missing, as in 'copal conform coap://localhost'");
    if (argc - optind > 1)
        return tool_usage_error(command, "'%s' is one operand too many", argv[optind + 1]);
    return test(command, &options, argv[optind]);
}

static const tool_option_t options[] = {
    {OPTION_ROLE + ROLE_VALUE, "value", "PATH", "a resource with a short value"},
    {OPTION_ROLE + ROLE_PUT, "put", "PATH", "one to PUT to and DELETE, which need not be there"},
    {OPTION_ROLE + ROLE_LARGE, "large", "PATH", "one that is answered in blocks"},
    {OPTION_ROLE + ROLE_OBSERVE, "observe", "PATH", "one to observe"},
    {OPTION_ROLE + ROLE_SEPARATE, "separate", "PATH", "one that is acknowledged first and answered later"},
    {OPTION_ONLY, "only", "WORD", "play only cases with WORD in their name"},
    {OPTION_LIST, "list", NULL, "list the cases, and play none"},
    {OPTION_TIMEOUT, "timeout", "SECONDS", "an answer may take so long (30)"},
    {OPTION_SILENCE, "silence", "SECONDS", "what must not come is waited for so long (2)"},
    {OPTION_JSON, "json", NULL, "print one JSON object in place of lines"},
    {OPTION_JUNIT, "junit", "FILE", "write JUnit's XML to FILE as well"},
    {OPTION_PARALLEL, "parallel", "N", "play so many cases at once (16)"},
    {OPTION_SERVE, "serve", NULL, "be the server, and test the client that asks"},
    {'b', "bind", "ADDRESS", "where to --serve (127.0.0.1)"},
    {'p', "port", "PORT", "where to --serve; 0: any that is free (5683)"},
    {0}};

const tool_command_t tool_conform = {
    .name = "conform",
    .operands = "[OPTION]... URI | --serve",
    .summary = "Test a server, or a client, against the standards",
    .options = options,
    .notes = "Sends what RFC 7252, 7641, 7959, 7967, 8132, 8974 and 9175 are precise about,\n"
             "right and wrong, and tells for each case whether what comes is what its section\n"
             "says. Resources that are not named are looked for in /.well-known/core by GET;\n"
             "nothing is written but to --put PATH. Where --observe is the same, the cases\n"
             "change it by themselves; else they wait until it changes. A case whose resource\n"
             "is missing is not applicable (n/a), and a SHOULD that is not kept a warning\n"
             "(warn). The exit status is 0 where no MUST failed.\n"
             "With --serve each case is a resource, and a GET of / says what a client is to do\n"
             "with which. It ends when all are concluded, or by SIGINT.\n",
    .run = run};
