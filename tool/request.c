/* copal get, put, post, delete: one request and its answer. */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define ROW_FORMAT                                                                          \
    {                                                                                       \
        't', "content-format", "FORMAT", "the payload's Content-Format: a name or a number" \
    }
#define ROW_FILE                                                                 \
    {                                                                            \
        'f', "file", "FILE", "take the payload from FILE; '-' is standard input" \
    }
#define ROW_ETAG                                                                             \
    {                                                                                        \
        TOOL_OPTION_ETAG, "etag", "ETAG", "the state known already: text, or octets as 0x12" \
    }
#define ROW_IF_MATCH                                                                             \
    {                                                                                            \
        TOOL_OPTION_IF_MATCH, "if-match", "ETAG", "only if that is the state there; '' fits any" \
    }
#define ROW_IF_NONE_MATCH                                                                     \
    {                                                                                         \
        TOOL_OPTION_IF_NONE_MATCH, "if-none-match", NULL, "only if there is no such resource" \
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
    default:
        ask->if_none_match = true;
        return 0;
    }
}

int tool_request_options(const tool_command_t *command, tool_request_t *request, int argc, char **argv)
{
    const char *value;
    int id;
    while ((id = tool_next_option(command, argc, argv, &value)) >= 0)
        if (tool_request_option(command, request, id, value))
            return TOOL_USAGE;
    if (id == TOOL_HELP)
        tool_print_help(command);
    return id == TOOL_END ? -1 : id == TOOL_HELP ? TOOL_OK : TOOL_USAGE;
}

/** Reads a stream to its end; NULL: errno says why not. */
static uint8_t *read_all(FILE *stream, size_t *size)
{
    size_t capacity = 4096;
    uint8_t *buffer = malloc(capacity);
    for (*size = 0; buffer;) {
        *size += fread(buffer + *size, 1, capacity - *size, stream);
        if (ferror(stream))
            break;
        if (feof(stream))
            return buffer;
        uint8_t *larger = realloc(buffer, capacity *= 2);
        if (!larger)
            break;
        buffer = larger;
    }
    free(buffer);
    return NULL;
}

/** The payload of `request->file`, to be freed. NULL after saying why not. */
static uint8_t *read_payload(tool_request_t *request)
{
    bool standard_input = strcmp(request->file, "-") == 0;
    FILE *stream = standard_input ? stdin : fopen(request->file, "rb");
    uint8_t *payload = stream ? read_all(stream, &request->ask.payload.size) : NULL;
    if (!payload)
        tool_say("%s: %s\n", standard_input ? "standard input" : request->file, strerror(errno));
    if (stream && !standard_input)
        fclose(stream);
    request->ask.payload.data = payload;
    return payload;
}

static int ask(const tool_command_t *command, int argc, char **argv, copal_code_t method, bool takes_payload)
{
    tool_request_t request = {.ask = {.method = method, .timeout = TOOL_DEFAULT_TIMEOUT}};
    int status = tool_request_options(command, &request, argc, argv);
    if (status >= 0)
        return status;
    int operands = argc - optind;
    if (operands == 0)
        return tool_usage_error(command, "a URI is missing, as in 'copal %s coap://localhost/'", command->name);
    if (operands > 1 && !takes_payload)
        return tool_usage_error(command, "'%s' is one operand too many; %s takes a URI only", argv[optind + 1],
                                command->name);
    if (operands > 2)
        return tool_usage_error(command, "'%s' is one operand too many; quote a payload that holds blanks",
                                argv[optind + 2]);
    if (operands == 2 && request.file)
        return tool_usage_error(command, "the payload is given twice, as '%s' and by --file", argv[optind + 1]);
    if (operands == 1 && !request.file && method == COPAL_PUT)
        return tool_usage_error(command, "a payload is missing; '' sends an empty one");
    copal_uri_t uri;
    if (tool_check_uri(command, argv[optind], &uri))
        return TOOL_USAGE;
    request.ask.uri = argv[optind];
    if (operands == 2)
        request.ask.payload = copal_text(argv[optind + 1]);
    uint8_t *payload = NULL;
    if (request.file && !(payload = read_payload(&request)))
        return TOOL_USAGE;
    status = tool_ask(&request, tool_print_payload);
    free(payload);
    return status;
}

static int run_get(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, COPAL_GET, false);
}

static int run_put(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, COPAL_PUT, true);
}

static int run_post(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, COPAL_POST, true);
}

static int run_delete(const tool_command_t *command, int argc, char **argv)
{
    return ask(command, argc, argv, COPAL_DELETE, false);
}

static const tool_option_t asking[] = {TOOL_ROW_NON,           TOOL_ROW_ACCEPT,   ROW_ETAG,
                                       ROW_IF_MATCH,           ROW_IF_NONE_MATCH, TOOL_ROW_TOKEN,
                                       TOOL_ROW_TIMEOUT("93"), TOOL_ROW_VERBOSE,  {0}};
static const tool_option_t sending[] = {
    TOOL_ROW_NON, ROW_FORMAT,        ROW_FILE,       TOOL_ROW_ACCEPT,        ROW_ETAG,
    ROW_IF_MATCH, ROW_IF_NONE_MATCH, TOOL_ROW_TOKEN, TOOL_ROW_TIMEOUT("93"), TOOL_ROW_VERBOSE,
    {0}};

#define NOTES_OUTPUT                                                                  \
    "The payload of the answer goes to standard output, unaltered where that is no\n" \
    "terminal; everything else goes to standard error.\n"

const tool_command_t tool_get = {.name = "get",
                                 .operands = "[OPTION]... URI",
                                 .summary = "Get a resource",
                                 .notes = NOTES_OUTPUT,
                                 .options = asking,
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
                                    .options = asking,
                                    .run = run_delete};
