/* Asking, and saying what came of it. */
#include "tool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

copal_host_t *tool_client(const tool_request_t *request)
{
    copal_host_config_t config = {.trace = request->verbose ? tool_trace : NULL};
    if (request->ask.token.size > 8)
        config.client.token_size = (uint32_t)request->ask.token.size; /* an extended token (RFC 8974) */
    copal_host_t *host = NULL;
    int error = copal_host_open(&host, &config);
    if (error)
        tool_say("%s\n", error == COPAL_ESYSTEM ? strerror(errno) : copal_error_text(error));
    return host;
}

enum { SURELY_FITS = 1000 }; /* octets of a URI that one message takes with all other options */

int tool_no_answer(const tool_request_t *request, int error)
{
    int saved = errno;
    const copal_ask_t *ask = &request->ask;
    fprintf(stderr, "copal: %s: ", ask->uri);
    switch (error) {
    case COPAL_ETIMEOUT:
        fprintf(stderr, "no answer in time (--timeout is %g s)\n", ask->timeout / 1000.0);
        return TOOL_NO_ANSWER;
    case COPAL_EUNREACHABLE:
        fprintf(stderr, "cannot be reached; is a server listening on that host and port?\n");
        return TOOL_NO_ANSWER;
    case COPAL_ERESET:
        fprintf(stderr, "the peer answered with Reset: it could not make sense of the message\n");
        return TOOL_NO_ANSWER;
    case COPAL_ERESOLVE:
        fprintf(stderr, "the host name has no address; check its spelling\n");
        return TOOL_NO_ANSWER;
    case COPAL_EFORMAT:
        fprintf(stderr, "the blocks of the answer do not fit together; if the resource keeps changing, ask again\n");
        return TOOL_NO_ANSWER;
    case COPAL_ESYSTEM:
        fprintf(stderr, "%s\n", strerror(saved));
        return TOOL_NO_ANSWER;
    case COPAL_ESPACE:
        if (strlen(ask->uri) < SURELY_FITS) {
            fprintf(stderr, "the answer is too large for this program to take in\n");
            return TOOL_NO_ANSWER;
        }
        fprintf(stderr, "the URI and the other options do not fit one message\n");
        return TOOL_USAGE;
    case COPAL_EINVAL:
        fprintf(stderr, "an option is out of range; a path segment or query argument has at most 255 octets\n");
        return TOOL_USAGE;
    default:
        fprintf(stderr, "%s\n", copal_error_text(error));
        return error == COPAL_EURI || error == COPAL_EUNSUPPORTED ? TOOL_USAGE : TOOL_NO_ANSWER;
    }
}

/** The options of a response that tell where what was created is (RFC 7252 section 5.10.7). */
static void print_location(const copal_message_t *response)
{
    copal_option_reader_t reader = copal_message_options(response);
    copal_option_t option;
    char separator = '?';
    bool any = false;
    while (copal_option_next(&reader, &option)) {
        if (option.number != COPAL_OPTION_LOCATION_PATH && option.number != COPAL_OPTION_LOCATION_QUERY)
            continue;
        fputs(any ? "" : "Location: ", stderr);
        any = true;
        if (option.number == COPAL_OPTION_LOCATION_PATH) {
            fputc('/', stderr);
        } else {
            fputc(separator, stderr);
            separator = '&';
        }
        tool_print_safe(stderr, option.value);
    }
    fputs(any ? "\n" : "", stderr);
}

/* An error's payload without Content-Format is a diagnostic for people (section 5.5.2). */
bool tool_print_outcome(const copal_answer_t *answer)
{
    bool success = COPAL_CODE_CLASS(answer->code) == 2;
    tool_colour(stderr, success ? TOOL_GREEN : TOOL_RED);
    tool_print_code(stderr, answer->code);
    tool_colour(stderr, TOOL_PLAIN);
    bool diagnostic = !success && answer->size && answer->content_format < 0;
    if (diagnostic) {
        fputs(": ", stderr);
        tool_print_safe(stderr, (copal_bytes_t){answer->payload, answer->size});
    }
    fputc('\n', stderr);
    copal_message_t response;
    if (answer->datagram.size && copal_message_parse(&response, answer->datagram) == 0)
        print_location(&response);
    return !diagnostic;
}

int tool_ask(const tool_request_t *request, void (*print)(const copal_answer_t *answer))
{
    copal_host_t *host = tool_client(request);
    if (!host)
        return TOOL_REFUSED;
    copal_answer_t answer;
    int error = copal_host_ask(host, &request->ask, &answer);
    int status = TOOL_REFUSED;
    if (error < 0) {
        status = tool_no_answer(request, error);
    } else {
        if (COPAL_CODE_CLASS(answer.code) == 2)
            status = TOOL_OK;
        if (tool_print_outcome(&answer))
            print(&answer);
        copal_answer_free(&answer);
    }
    copal_host_close(host);
    if (fflush(stdout) || ferror(stdout)) {
        tool_say("standard output: %s\n", strerror(errno));
        return TOOL_REFUSED;
    }
    return status;
}
