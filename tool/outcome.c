/* Asking, and saying what came of it. */
#include "tool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { HANDSHAKE_PATIENCE = 30 * 1000 }; /* without progress: what is sent five times again, a second and more apart */

copal_host_t *tool_open_client(const tool_request_t *request)
{
    copal_host_config_t config = {.trace = request->verbose ? tool_trace : NULL,
                                  .dtls = request->ask.credentials ? tool_dtls() : NULL,
                                  .client_dtls.handshake_timeout = HANDSHAKE_PATIENCE};
    if (request->ask.token.size > 8)
        config.client.token_size = (uint32_t)request->ask.token.size; /* an extended token (RFC 8974) */
    copal_host_t *host = NULL;
    int error = copal_host_open(&host, &config);
    if (error)
        tool_say("%s\n", error == COPAL_ESYSTEM ? strerror(errno) : copal_error_text(error));
    return host;
}

void tool_close_client(const tool_request_t *request, copal_host_t *host)
{
    if (request->ask.credentials)
        copal_host_disconnect(host, request->ask.credentials);
    copal_host_close(host);
}

enum { SURELY_FITS = 1000 }; /* octets of a URI that one message takes with all other options */

/** What is to be said of a session that could not be made, or is over. False: it is about something else. */
static bool print_session_end(const tool_request_t *request, int error, const char *problem)
{
    if (error == COPAL_EHANDSHAKE)
        fputs("the DTLS handshake failed", stderr);
    else if (error == COPAL_ECERTIFICATE)
        fputs("the server's certificate is not to be trusted", stderr);
    else if (error == COPAL_ECLOSED)
        fputs("the server closed the DTLS session", stderr);
    else if (problem && *problem)
        fputs(copal_error_text(error), stderr);
    else
        return false;
    if (problem && *problem)
        fprintf(stderr, ": %s", problem);
    if (error == COPAL_EHANDSHAKE && request->secrets.key)
        fputs("; are --psk and --identity those that the server knows?", stderr);
    fputc('\n', stderr);
    return true;
}

int tool_no_answer(const tool_request_t *request, int error, const char *problem)
{
    int saved = errno;
    const copal_ask_t *ask = &request->ask;
    fprintf(stderr, "copal: %s: ", ask->uri);
    if (print_session_end(request, error, problem))
        return TOOL_NO_ANSWER;
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
        if (ask->no_response) {
            fprintf(stderr, "with --no-response the request goes in one message, and it does not fit\n");
            return TOOL_USAGE;
        }
        if (strlen(ask->uri) < SURELY_FITS) {
            fprintf(stderr, "the answer is too large for memory; --output FILE takes one of any size\n");
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

/** When a server that has too much to do would like to be asked again (RFC 8516 section 3, RFC 7252 section 5.9.3.4). */
static void print_wait(const copal_answer_t *answer)
{
    copal_message_t response;
    copal_option_t max_age;
    if ((answer->code == COPAL_TOO_MANY_REQUESTS || answer->code == COPAL_SERVICE_UNAVAILABLE) &&
        copal_message_parse(&response, answer->datagram) == 0 &&
        copal_option_find(&response, COPAL_OPTION_MAX_AGE, &max_age))
        tool_say("the server has too much to do; ask again in %u s\n", copal_option_uint(&max_age));
}

/** What an answer means that is about blocks, for people. */
static void explain(const tool_request_t *request, const copal_answer_t *answer)
{
    copal_message_t response;
    copal_option_t size1;
    if (answer->code == COPAL_REQUEST_ENTITY_INCOMPLETE)
        tool_say("the server lost blocks of the payload, also of a second try; another upload to the same resource may "
                 "be in the way\n");
    if (answer->code != COPAL_REQUEST_ENTITY_TOO_LARGE)
        return;
    if (copal_message_parse(&response, answer->datagram) == 0 &&
        copal_option_find(&response, COPAL_OPTION_SIZE1, &size1))
        tool_say("the payload has %zu octets, and the server takes at most %u\n",
                 request->ask.read ? request->ask.size : request->ask.payload.size, copal_option_uint(&size1));
    else
        tool_say("the payload has %zu octets, which is more than the server takes at present\n",
                 request->ask.read ? request->ask.size : request->ask.payload.size);
}

/** A request under way. */
typedef struct {
    copal_task_t task; /* first */
    tool_progress_t progress;
    tool_output_t output;
} job_t;

static void show_progress(copal_task_t *task)
{
    job_t *job = (job_t *)task;
    tool_progress_show(&job->progress, &task->transfer);
}

static int write_output(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    job_t *job = (job_t *)task;
    return tool_output_write(&job->output, &task->transfer, offset, piece);
}

static int print_answer(const tool_request_t *request, const copal_answer_t *answer,
                        void (*print)(const copal_answer_t *answer))
{
    if (tool_print_outcome(answer) && (answer->payload || !request->output))
        print(answer);
    print_wait(answer);
    explain(request, answer);
    if (!tool_flush())
        return TOOL_REFUSED;
    return COPAL_CODE_CLASS(answer->code) == 2 ? TOOL_OK : TOOL_REFUSED;
}

static int ask_by(job_t *job, copal_host_t *host, const tool_request_t *request,
                  void (*print)(const copal_answer_t *answer))
{
    copal_answer_t answer;
    tool_progress_open(&job->progress, !request->quiet && !request->verbose);
    int error = copal_host_stream(host, &request->ask, &job->task, &answer), saved = errno;
    tool_progress_close(&job->progress);
    errno = saved;
    if (error < 0 && job->output.failed)
        return job->output.failed;
    if (error < 0)
        return request->unreadable ? TOOL_REFUSED : tool_no_answer(request, error, answer.problem);
    bool silent = request->ask.no_response && answer.code == COPAL_EMPTY;
    if (silent)
        fprintf(stderr, "%s; no response was wanted\n", request->ask.non_confirmable ? "sent" : "acknowledged");
    int status = silent ? TOOL_OK : print_answer(request, &answer, print);
    copal_answer_free(&answer);
    return status;
}

int tool_ask(const tool_request_t *request, void (*print)(const copal_answer_t *answer))
{
    job_t job = {.task.progress = show_progress};
    int status = request->output ? tool_output_open(&job.output, request, &job.task.transfer) : TOOL_OK;
    copal_host_t *host = status == TOOL_OK ? tool_open_client(request) : NULL;
    if (request->output)
        job.task.write = write_output;
    if (host) {
        status = ask_by(&job, host, request, print);
        tool_close_client(request, host);
    } else if (status == TOOL_OK) {
        status = TOOL_REFUSED;
    }
    int closed = request->output ? tool_output_close(&job.output, status == TOOL_OK) : TOOL_OK;
    return status == TOOL_OK ? closed : status;
}
