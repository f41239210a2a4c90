/* copal get, put, post, delete, fetch, patch: one request and its answer. */
#include "tool.h"

#include <getopt.h>
#include <string.h>

#define ROW_IF_MATCH                                                                             \
    {                                                                                            \
        TOOL_OPTION_IF_MATCH, "if-match", "ETAG", "only if that is the state there; '' fits any" \
    }
#define ROW_IF_NONE_MATCH                                                                     \
    {                                                                                         \
        TOOL_OPTION_IF_NONE_MATCH, "if-none-match", NULL, "only if there is no such resource" \
    }

#define ROW_CONTINUE                                                                      \
    {                                                                                     \
        TOOL_OPTION_CONTINUE, "continue", NULL, "go on with the FILE.part of an earlier run" \
    }
#define ROW_IDEMPOTENT                                                                              \
    {                                                                                               \
        TOOL_OPTION_IDEMPOTENT, "idempotent", NULL, "ask by iPATCH, which may run more than once" \
    }
#define ROW_NO_RESPONSE                                                                               \
    {                                                                                                 \
        TOOL_OPTION_NO_RESPONSE, "no-response", "CLASSES", "want none of these: 2xx,4xx,5xx, or all" \
    }
#define ROW_HOP_LIMIT                                                                 \
    {                                                                                 \
        TOOL_OPTION_HOP_LIMIT, "hop-limit", "N", "let it pass so many proxies, 1 to 255" \
    }

static int format_option(const tool_command_t *command, const char *text, bool *given, uint16_t *format)
{
    int number = copal_content_format(text);
    if (number < 0)
        return tool_option_error(command,
                                 "'%s' is no Content-Format that copal knows by name; take its number, 0 to 65535, "
                                 "or a name such as text, json, cbor, link-format, application/xml",
                                 text);
    *given = true;
    *format = (uint16_t)number;
    return 0;
}

static int octets_option(const tool_command_t *command, const char *name, const char *text, size_t least,
                         uint8_t *buffer, size_t most, copal_bytes_t *octets)
{
    if (tool_parse_octets(text, buffer, most, octets) && octets->size >= least)
        return 0;
    return tool_option_error(command,
                             "--%s takes text, or octets in hexadecimal as 0x1234, of %zu to %zu octets, not '%s'",
                             name, least, most, text);
}

static int block_size_option(const tool_command_t *command, const char *text, uint16_t *size)
{
    uint64_t number;
    if (!tool_parse_number(text, 16, 1024, &number) || (number & (number - 1)))
        return tool_option_error(command, "--block-size takes 16, 32, 64, 128, 256, 512 or 1024, not '%s'", text);
    *size = (uint16_t)number;
    return 0;
}

/** "2xx,5xx": a list of classes, of which none may be left out. */
static int no_response_option(const tool_command_t *command, const char *text, uint8_t *classes)
{
    static const struct {
        const char *name;
        uint8_t classes;
    } known[] = {{"2xx", COPAL_NO_RESPONSE_2XX},
                 {"4xx", COPAL_NO_RESPONSE_4XX},
                 {"5xx", COPAL_NO_RESPONSE_5XX},
                 {"all", COPAL_NO_RESPONSE_ALL}};
    const char *at = text;
    for (size_t size = 0; at; at = at[size] ? at + size + 1 : NULL) {
        uint8_t found = 0;
        size = strcspn(at, ",");
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (size == strlen(known[i].name) && !strncmp(at, known[i].name, size))
                found = known[i].classes;
        if (!found)
            return tool_option_error(command, "--no-response takes 2xx, 4xx and 5xx with commas between, or all, not '%s'",
                                     text);
        *classes |= found;
    }
    return 0;
}

static int hop_limit_option(const tool_command_t *command, const char *text, uint8_t *limit)
{
    uint64_t number;
    if (!tool_parse_number(text, 1, UINT8_MAX, &number))
        return tool_option_error(command, "--hop-limit takes a number from 1 to 255, not '%s'", text);
    *limit = (uint8_t)number;
    return 0;
}

int tool_request_option(const tool_command_t *command, tool_request_t *request, int id, const char *value)
{
    copal_ask_t *ask = &request->ask;
    switch (id) {
    case 'n':
        ask->non_confirmable = true;
        return 0;
    case 'v':
        request->verbose = true;
        return 0;
    case 'f':
        request->file = value;
        return 0;
    case 't':
        return format_option(command, value, &ask->has_content_format, &ask->content_format);
    case 'a':
        return format_option(command, value, &ask->has_accept, &ask->accept);
    case TOOL_OPTION_TIMEOUT:
        if (tool_parse_seconds(value, &ask->timeout))
            return 0;
        return tool_option_error(command, "--timeout takes seconds above 0, such as 2.5, not '%s'", value);
    case TOOL_OPTION_TOKEN:
        ask->given_token = true;
        return octets_option(command, "token", value, 0, request->token, sizeof request->token, &ask->token);
    case TOOL_OPTION_ETAG:
        return octets_option(command, "etag", value, 1, request->etag, sizeof request->etag, &ask->etag);
    case TOOL_OPTION_IF_MATCH:
        ask->has_if_match = true;
        return octets_option(command, "if-match", value, 0, request->if_match, sizeof request->if_match,
                             &ask->if_match);
    case TOOL_OPTION_BLOCK_SIZE:
        return block_size_option(command, value, &ask->block_size);
    case TOOL_OPTION_IDEMPOTENT:
        ask->method = COPAL_IPATCH;
        return 0;
    case TOOL_OPTION_CONTINUE:
        request->resume = true;
        return 0;
    case 'o':
        request->output = value;
        return 0;
    case 'q':
        request->quiet = true;
        return 0;
    case 'i':
        request->interface = value;
        return 0;
    case TOOL_OPTION_NO_RESPONSE:
        return no_response_option(command, value, &ask->no_response);
    case TOOL_OPTION_HOP_LIMIT:
        return hop_limit_option(command, value, &ask->hop_limit);
    case TOOL_OPTION_IF_NONE_MATCH:
        ask->if_none_match = true;
        return 0;
    default:
        tool_secret_option(&request->secrets, id, value);
        return 0;
    }
}

static int take_option(const tool_command_t *command, void *request, int id, const char *value)
{
    return tool_request_option(command, request, id, value);
}

int tool_request_options(const tool_command_t *command, tool_request_t *request, int argc, char **argv)
{
    return tool_take_options(command, argc, argv, take_option, request);
}

void tool_close_request(tool_request_t *request)
{
    if (request->stream && request->stream != stdin)
        fclose(request->stream);
    copal_credentials_close(request->ask.credentials);
}

/** What a command makes of its operands. */
typedef struct {
    copal_code_t method;
    bool takes_payload, needs_payload, needs_format;
} manner_t;

static int check(const tool_command_t *command, const tool_request_t *request, const manner_t *manner, int operands,
                 char **operand)
{
    if (operands == 0)
        return tool_usage_error(command, "a URI is missing, as in 'copal %s coap://localhost/'", command->name);
    if (operands > 1 && !manner->takes_payload)
        return tool_usage_error(command, "'%s' is one operand too many; %s takes a URI only", operand[1],
                                command->name);
    if (operands > 2)
        return tool_usage_error(command, "'%s' is one operand too many; quote a payload that holds blanks", operand[2]);
    if (operands == 2 && request->file)
        return tool_usage_error(command, "the payload is given twice, as '%s' and by --file", operand[1]);
    if (operands == 1 && !request->file && manner->needs_payload)
        return tool_usage_error(command, "a payload is missing; '' sends an empty one");
    if (manner->needs_format && !request->ask.has_content_format)
        return tool_usage_error(command, "say by -t what kind of patch it is, such as application/merge-patch+json (52) "
                                         "or application/json-patch+json (51)");
    if (request->resume && (!request->output || strcmp(request->output, "-") == 0))
        return tool_usage_error(command, "--continue needs the name of the file to go on with, by --output");
    if (request->resume && request->ask.etag.size > 0)
        return tool_usage_error(command, "--continue goes on with the ETag of what is there; --etag has no place beside "
                                         "it");
    return 0;
}

static int ask(const tool_command_t *command, int argc, char **argv, const manner_t *manner)
{
    tool_request_t request = {.ask = {.method = manner->method}};
    copal_uri_t uri;
    int status = tool_request_options(command, &request, argc, argv);
    if (status >= 0)
        return status;
    const int operands = argc - optind;
    status = check(command, &request, manner, operands, argv + optind);
    if (status == 0)
        status = tool_take_uri(command, &request, argv[optind], &uri);
    if (status)
        return status;
    if (operands == 2)
        request.ask.payload = copal_text(argv[optind + 1]);
    status = request.file ? tool_open_payload(command, &request) : 0;
    if (status == 0)
        status = request.group ? tool_ask_group(command, &request, tool_print_found, NULL)
                               : tool_ask(&request, tool_print_payload);
    tool_close_request(&request);
    return status;
}

static int run_get(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, &(manner_t){.method = COPAL_GET});
}

static int run_put(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, &(manner_t){COPAL_PUT, .takes_payload = true, .needs_payload = true});
}

static int run_post(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, &(manner_t){COPAL_POST, .takes_payload = true});
}

static int run_delete(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, &(manner_t){.method = COPAL_DELETE});
}

static int run_fetch(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, &(manner_t){COPAL_FETCH, .takes_payload = true});
}

static int run_patch(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, &(manner_t){COPAL_PATCH, true, true, true});
}

static const tool_option_t getting[] = {TOOL_ROW_NON,   TOOL_ROW_ACCEPT,     TOOL_ROW_ETAG,       ROW_IF_MATCH,
                                        ROW_IF_NONE_MATCH, TOOL_ROW_OUTPUT,  ROW_CONTINUE,   TOOL_ROW_BLOCK_SIZE,
                                        TOOL_ROW_QUIET, TOOL_ROW_TOKEN,      ROW_HOP_LIMIT,  TOOL_ROW_TIMEOUT("93; group: 7"),
                                        TOOL_ROWS_SECURE, TOOL_ROW_VERBOSE,  {0}};
static const tool_option_t deleting[] = {TOOL_ROW_NON,           TOOL_ROW_ACCEPT,   TOOL_ROW_ETAG,
                                         ROW_IF_MATCH,           ROW_IF_NONE_MATCH, TOOL_ROW_TOKEN,
                                         ROW_NO_RESPONSE,        ROW_HOP_LIMIT,     TOOL_ROW_TIMEOUT("93; group: 7"),
                                         TOOL_ROWS_SECURE,       TOOL_ROW_VERBOSE,  {0}};
#define ROWS_SENDING                                                                                               \
    TOOL_ROW_NON, TOOL_ROW_FORMAT, TOOL_ROW_FILE, TOOL_ROW_ACCEPT, TOOL_ROW_ETAG, ROW_IF_MATCH, ROW_IF_NONE_MATCH,                  \
        TOOL_ROW_BLOCK_SIZE, TOOL_ROW_QUIET, TOOL_ROW_TOKEN, ROW_NO_RESPONSE, ROW_HOP_LIMIT,                       \
        TOOL_ROW_TIMEOUT("93; group: 7"), TOOL_ROWS_SECURE, TOOL_ROW_VERBOSE
static const tool_option_t sending[] = {ROWS_SENDING, {0}};
static const tool_option_t fetching[] = {ROWS_SENDING, TOOL_ROW_OUTPUT, {0}};
static const tool_option_t patching[] = {ROW_IDEMPOTENT, ROWS_SENDING, {0}};

#define NOTES_OUTPUT                                                                  \
    "The payload of the answer goes to standard output, unaltered where that is no\n" \
    "terminal; everything else goes to standard error.\n"

const tool_command_t tool_get = {.name = "get",
                                 .operands = "[OPTION]... URI",
                                 .summary = "Get a resource",
                                 .notes = NOTES_OUTPUT,
                                 .options = getting,
                                 .run = run_get};

const tool_command_t tool_put = {.name = "put",
                                 .operands = "[OPTION]... URI [PAYLOAD]",
                                 .summary = "Set the value of a resource",
                                 .notes = NOTES_OUTPUT,
                                 .options = sending,
                                 .run = run_put};

const tool_command_t tool_post = {.name = "post",
                                  .operands = "[OPTION]... URI [PAYLOAD]",
                                  .summary = "Have a resource process a payload",
                                  .notes = NOTES_OUTPUT,
                                  .options = sending,
                                  .run = run_post};

const tool_command_t tool_delete = {.name = "delete",
                                    .operands = "[OPTION]... URI",
                                    .summary = "Delete a resource",
                                    .notes = NOTES_OUTPUT,
                                    .options = deleting,
                                    .run = run_delete};

const tool_command_t tool_fetch = {.name = "fetch",
                                   .operands = "[OPTION]... URI [PAYLOAD]",
                                   .summary = "Get what a payload asks for of a resource",
                                   .notes = NOTES_OUTPUT,
                                   .options = fetching,
                                   .run = run_fetch};

const tool_command_t tool_patch = {.name = "patch",
                                   .operands = "[OPTION]... -t FORMAT URI [PAYLOAD]",
                                   .summary = "Change a part of a resource",
                                   .notes = NOTES_OUTPUT,
                                   .options = patching,
                                   .run = run_patch};
