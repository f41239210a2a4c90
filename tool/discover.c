/* copal discover: what a host offers, from its /.well-known/core (RFC 6690 section 4), or which hosts there are. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print(const copal_answer_t *answer)
{
    copal_bytes_t document = {answer->payload, answer->size};
    bool links = answer->content_format == 40;
    if (!isatty(STDOUT_FILENO) || !links || !tool_print_link_table(document))
        tool_print_payload(answer);
    if (!isatty(STDOUT_FILENO) && answer->size && answer->payload[answer->size - 1] != '\n')
        putchar('\n');
    if (!links && COPAL_CODE_CLASS(answer->code) == 2)
        tool_say("that is no link-format\n");
    else if (links && !answer->size)
        tool_say("no resource fits\n");
}

/** `text` with the path /.well-known/core where it has none; to be freed. */
static char *well_known(const char *text, const copal_uri_t *uri)
{
    bool has_path = uri->path.size > 1;
    const char *query = uri->has_query ? (const char *)uri->query.data - 1 : text + strlen(text);
    int authority = (int)((uri->path.size ? (const char *)uri->path.data : query) - text);
    size_t capacity = strlen(text) + sizeof "/.well-known/core";
    char *whole = malloc(capacity);
    if (whole)
        snprintf(whole, capacity, "%.*s%.*s%s", authority, text, has_path ? (int)uri->path.size : 17,
                 has_path ? (const char *)uri->path.data : "/.well-known/core", query);
    return whole;
}

/** People see a table when all have answered; programs get a line for each. */
static int ask_group(const tool_command_t *command, const tool_request_t *request)
{
    return isatty(STDOUT_FILENO) ? tool_ask_group(command, request, NULL, tool_print_found_table)
                                 : tool_ask_group(command, request, tool_print_found, NULL);
}

/** Asks all CoAP nodes on every link (RFC 7252 section 12.8), by IPv4 and by IPv6. */
static int discover_all(const tool_command_t *command, tool_request_t *request)
{
    copal_peer_t peers[2 * COPAL_INTERFACES];
    const bool table = isatty(STDOUT_FILENO);
    const char *given = tool_secrets_given(&request->secrets);
    if (given)
        return tool_usage_error(command, "%s is for a coaps:// URI, and a group cannot be asked by DTLS", given);
    const int four = tool_group_peers(command, request, "224.0.1.187", COPAL_PORT, peers, COPAL_INTERFACES);
    const int six = four < 0 ? four
                             : tool_group_peers(command, request, "ff02::fd", COPAL_PORT, peers + four, COPAL_INTERFACES);
    if (six < 0)
        return six == COPAL_EINVAL ? TOOL_USAGE : TOOL_REFUSED;
    request->ask.uri = "coap://224.0.1.187/.well-known/core"; /* for its path: the peers say whom */
    if (!request->ask.timeout)
        request->ask.timeout = TOOL_GROUP_TIMEOUT;
    return tool_ask_peers(request, peers, (size_t)four + (size_t)six, table ? NULL : tool_print_found,
                          table ? tool_print_found_table : NULL);
}

static int run(const tool_command_t *command, int argc, char **argv)
{
    tool_request_t request = {0};
    int status = tool_request_options(command, &request, argc, argv);
    if (status >= 0)
        return status;
    if (argc == optind)
        return discover_all(command, &request);
    if (argc - optind > 1)
        return tool_usage_error(command, "'%s' is one operand too many", argv[optind + 1]);
    copal_uri_t uri;
    status = tool_take_uri(command, &request, argv[optind], &uri);
    if (status)
        return status;
    if (request.interface && !request.group) {
        tool_close_request(&request);
        return tool_usage_error(command, "--interface is for groups, and '%s' is one host", argv[optind]);
    }
    char *whole = well_known(argv[optind], &uri);
    request.ask.uri = whole;
    if (whole) {
        status = request.group ? ask_group(command, &request) : tool_ask(&request, print);
    } else {
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
        status = TOOL_REFUSED;
    }
    tool_close_request(&request);
    free(whole);
    return status;
}

static const tool_option_t options[] = {TOOL_ROW_NON, TOOL_ROW_TOKEN, TOOL_ROW_INTERFACE, TOOL_ROW_TIMEOUT("93; group: 7"),
                                        TOOL_ROWS_SECURE, TOOL_ROW_VERBOSE, {0}};

const tool_command_t tool_discover = {.name = "discover",
                                      .operands = "[OPTION]... [URI]",
                                      .summary = "List the resources of a host, or who is there",
                                      .options = options,
                                      .notes =
                                          "A query filters (RFC 6690 section 4.1): 'coap://localhost?rt=sensor',\n"
                                          "'coap://localhost?href=/a*'. Prints a table on a terminal, elsewhere the\n"
                                          "link-format as it came and a newline. Without a URI, asks 224.0.1.187 and\n"
                                          "ff02::fd on every interface, and lists the servers that answer.\n",
                                      .run = run};
