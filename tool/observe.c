/* copal observe: what a resource says each time that it changes (RFC 7641). */
#define _POSIX_C_SOURCE 200809L
#include "observe.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PEERS = 8,
    PATIENCE = 2000,     /* milliseconds to wait for the answer to a deregistration */
    SOON = 60 * 1000,    /* milliseconds within which a message that was sent is sent again */
    BODY_MOST = 16 << 20, /* octets of a state */
    PAUSE = 5 * 1000,     /* milliseconds before a session is begun anew; doubled each time, up to */
    PAUSE_MOST = 300 * 1000,
};
enum { OPTION_JSON = 300, OPTION_CHART, OPTION_TIME, OPTION_FOR };

typedef enum { LINES, JSON, CHART } form_t;

typedef struct {
    copal_task_t task; /* first */
    tool_request_t request;
    uint8_t *body; /* of the state that comes */
    size_t capacity;
    form_t form;
    bool times;
    uint64_t most;    /* notifications after which it ends; 0: any number */
    uint32_t seconds; /* milliseconds after which it ends; 0: never */
    tool_chart_t chart;
    uint64_t told;
    bool silent; /* the server did not answer, which has been said */
    bool ended;  /* by the server, or for want of one: nothing more comes */
    bool over;   /* nothing more is wanted */
    int error;   /* what it ended with; 0: an answer */
    char problem[COPAL_PROBLEM_SIZE]; /* more of that; empty: nothing */
    int status;  /* exit status */
    int broken;  /* errno of what kept it from printing */
} observation_t;

static copal_host_t *running; /* for the signal handler, which is handed nothing */
static volatile sig_atomic_t signals;

static void interrupt(int number)
{
    (void)number;
    signals++;
    copal_host_stop(running); /* wakes it */
}

/* ---- what comes ------------------------------------------------------------------------------------------ */

static int64_t number_of(const copal_message_t *message, uint16_t number)
{
    copal_option_t option;
    return copal_option_find(message, number, &option) ? (int64_t)copal_option_uint(&option) : -1;
}

/** A state may come in blocks, of which only the first says its place in the order. */
static int collect(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    observation_t *o = (observation_t *)task;
    size_t size = offset + piece.size;
    if (size > BODY_MOST)
        return COPAL_ESPACE;
    if (size > o->capacity) {
        uint8_t *larger = realloc(o->body, 2 * size);
        if (!larger)
            return COPAL_ENOMEM;
        o->body = larger;
        o->capacity = 2 * size;
    }
    if (piece.size)
        memcpy(o->body + offset, piece.data, piece.size);
    return 0;
}

static void show(observation_t *o, const copal_message_t *message)
{
    bool whole = COPAL_CODE_CLASS(message->code) == 2;
    tool_state_t state = {message->code, number_of(message, COPAL_OPTION_OBSERVE),
                          (int32_t)number_of(message, COPAL_OPTION_CONTENT_FORMAT),
                          whole ? (copal_bytes_t){o->body, o->task.transfer.received} : message->payload};
    if (o->form == JSON)
        tool_print_state_json(&state);
    else if (o->form == CHART)
        tool_chart_add(&o->chart, state.payload);
    else
        tool_print_state(&state, o->times);
}

/** An answer that is the last one: an error, or one without Observe. */
static void say_end(observation_t *o, const copal_message_t *message)
{
    tool_chart_leave(&o->chart);
    o->status = TOOL_REFUSED;
    if (COPAL_CODE_CLASS(message->code) == 2)
        tool_say("%s: %s\n", o->request.ask.uri,
                 o->told == 1 ? "the server does not let it be observed; this was its state"
                              : "the server has ended the observation");
}

/** Prints the code line of an error. Whether its payload is to be shown, too. */
static bool error_is_shown(observation_t *o, const copal_answer_t *error)
{
    tool_chart_leave(&o->chart);
    bool is_payload = tool_print_outcome(error) && error->size;
    return o->form == JSON || (o->form == LINES && is_payload);
}

static void take(observation_t *o, const copal_response_t *response)
{
    const copal_message_t *message = response->message;
    copal_answer_t answer = {.code = message->code, .payload = (uint8_t *)(uintptr_t)message->payload.data,
                             .content_format = (int32_t)number_of(message, COPAL_OPTION_CONTENT_FORMAT),
                             .size = message->payload.size};
    bool success = COPAL_CODE_CLASS(message->code) == 2;
    o->told += success;
    o->silent = false;
    if (success || error_is_shown(o, &answer))
        show(o, message);
    if (response->ended)
        say_end(o, message);
    o->over = o->over || o->told == o->most;
}

static void say_silent(observation_t *o, int error)
{
    if (o->silent)
        return;
    tool_chart_leave(&o->chart);
    if (error == COPAL_EFORMAT) {
        tool_say("%s: a state was lost, since the blocks of it do not fit together\n", o->request.ask.uri);
        return;
    }
    o->silent = true;
    tool_say("%s: %s; trying on until it answers again\n", o->request.ask.uri,
             error == COPAL_ETIMEOUT ? "no answer any more" : copal_error_text(error));
}

static void keep_error(observation_t *o, int error)
{
    const char *problem = copal_host_problem(running);
    o->error = error;
    snprintf(o->problem, sizeof o->problem, "%s", problem ? problem : "");
}

static void receive(copal_task_t *task, const copal_response_t *response)
{
    observation_t *o = (observation_t *)task;
    o->ended = response->ended;
    if (o->over)
        return; /* it came together with the last one that is wanted */
    if (!response->status)
        take(o, response);
    else if (response->ended)
        keep_error(o, response->status);
    else
        say_silent(o, response->status);
    if (fflush(stdout) || ferror(stdout)) {
        o->broken = errno;
        o->over = true;
    }
}

/* ---- the loop ---------------------------------------------------------------------------------------------- */

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/** Runs the host until it is over, or `end` (-1: never). 0, or an error. */
static int run_until(copal_host_t *host, const observation_t *o, int64_t end)
{
    int error = 0;
    while (!error && !o->ended && !o->over && !signals) {
        int64_t left = end < 0 ? -1 : end - now();
        if (end >= 0 && left <= 0)
            break;
        error = copal_host_step(host, left > INT32_MAX ? INT32_MAX : (int)left);
    }
    return error;
}

/** Whether an exchange is under way: what a session has due is far off. */
static bool is_busy(copal_host_t *host)
{
    int due = copal_host_timeout(host);
    return due >= 0 && due < SOON;
}

/** Tells the server, and waits shortly for its answer; a second signal ends that. */
static void deregister(copal_host_t *host, copal_task_t *task)
{
    int64_t end = now() + PATIENCE, left;
    sig_atomic_t before = signals;
    int error = copal_host_transfer_cancel(host, task);
    while (!error && signals == before && is_busy(host) && (left = end - now()) > 0)
        error = copal_host_step(host, (int)left);
}

/** Observes what is at that address. 0, or the error that kept it from beginning. */
static int observe_peer(copal_host_t *host, observation_t *o, const copal_peer_t *peer, int64_t end)
{
    copal_ask_t ask = o->request.ask;
    ask.to = peer;
    o->task = (copal_task_t){.write = collect, .done = receive};
    o->ended = false;
    o->error = 0;
    int error = copal_host_transfer(host, &ask, &o->task);
    if (error < 0)
        return error;
    error = run_until(host, o, end);
    if (!o->ended)
        deregister(host, &o->task);
    return error < 0 ? error : o->error;
}

/** Where a host name has several addresses, the next is asked when one is unreachable. */
static int observe_once(copal_host_t *host, observation_t *o, int64_t end)
{
    copal_peer_t peers[PEERS];
    int count = copal_peers_from_uri(peers, PEERS, o->request.ask.uri), error = count < 0 ? count : COPAL_EUNREACHABLE;
    for (int i = 0; i < count && error == COPAL_EUNREACHABLE && !signals; i++)
        error = observe_peer(host, o, &peers[i], end);
    return error;
}

/** An observation ends with its session, where that is not made again in time; one that has told something is to go on. */
static bool goes_on(const observation_t *o, int error)
{
    return o->request.ask.credentials && o->told && !o->over && !signals &&
           (error == COPAL_ETIMEOUT || error == COPAL_EUNREACHABLE || error == COPAL_ECLOSED || error == COPAL_ESTALE ||
            error == COPAL_EHANDSHAKE);
}

static int observe_host(copal_host_t *host, observation_t *o)
{
    int64_t end = o->seconds ? now() + o->seconds : -1, pause = 0;
    for (;;) {
        uint64_t told = o->told;
        int error = observe_once(host, o, end);
        if (!goes_on(o, error))
            return error;
        say_silent(o, error);
        pause = o->told > told ? PAUSE : pause < PAUSE_MOST / 2 ? 2 * pause : PAUSE_MOST;
        int64_t until = now() + pause;
        o->ended = false;
        error = run_until(host, o, end >= 0 && end < until ? end : until);
        if (error || signals || (end >= 0 && now() >= end))
            return error;
    }
}

static int observe(observation_t *o)
{
    running = tool_open_client(&o->request);
    if (!running)
        return TOOL_REFUSED;
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader that is gone shall not keep the server from hearing of it */
    int error = observe_host(running, o);
    int saved = errno;
    tool_chart_leave(&o->chart);
    if (!o->broken && fflush(stdout))
        o->broken = errno;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    tool_close_client(&o->request, running);
    free(o->body);
    if (o->broken) {
        tool_say("standard output: %s\n", strerror(o->broken));
        return TOOL_REFUSED;
    }
    errno = saved;
    return error < 0 ? tool_no_answer(&o->request, error, o->problem) : o->status;
}

/* ---- what was typed ------------------------------------------------------------------------------------------ */

static int take_option(const tool_command_t *command, void *context, int id, const char *value)
{
    observation_t *o = context;
    switch (id) {
    case OPTION_JSON:
    case OPTION_CHART:
        if (o->form != LINES)
            return tool_option_error(command, "--json and --chart are two forms of output; take one of them");
        o->form = id == OPTION_JSON ? JSON : CHART;
        return 0;
    case OPTION_TIME:
        o->times = true;
        return 0;
    case OPTION_FOR:
        if (tool_parse_seconds(value, &o->seconds))
            return 0;
        return tool_option_error(command, "--for takes seconds above 0, such as 2.5, not '%s'", value);
    case 'c':
        if (tool_parse_number(value, 1, UINT32_MAX, &o->most))
            return 0;
        return tool_option_error(command, "--count takes a number from 1 on, not '%s'", value);
    default:
        return tool_request_option(command, &o->request, id, value);
    }
}

static int check(const tool_command_t *command, const observation_t *o, int operands, char **argv)
{
    if (operands == 0)
        return tool_usage_error(command, "a URI is missing, as in 'copal observe coap://localhost/'");
    if (operands > 1)
        return tool_usage_error(command, "'%s' is one operand too many", argv[optind + 1]);
    if (o->request.ask.given_token && o->request.ask.token.size == 0)
        return tool_option_error(command, "--token: an observation needs a token of 1 octet at least");
    if (o->form == CHART && !isatty(STDOUT_FILENO))
        return tool_option_error(command, "--chart draws on a terminal, and standard output is none; --json is for "
                                          "programs");
    return 0;
}

static int run(const tool_command_t *command, int argc, char **argv)
{
    observation_t o = {.request = {.ask = {.observe = true}},
                       .times = isatty(STDOUT_FILENO)};
    copal_uri_t uri;
    int status = tool_take_options(command, argc, argv, take_option, &o);
    if (status >= 0)
        return status;
    status = check(command, &o, argc - optind, argv);
    if (status == 0)
        status = tool_take_uri(command, &o.request, argv[optind], &uri);
    if (status)
        return status;
    status = observe(&o);
    tool_close_request(&o.request);
    return status;
}

static const tool_option_t options[] = {
    {OPTION_JSON, "json", NULL, "print each state as a JSON object on a line"},
    {OPTION_CHART, "chart", NULL, "draw numbers as a line of columns, on a terminal"},
    {OPTION_TIME, "time", NULL, "print the time before each line, as on a terminal"},
    {'c', "count", "N", "end after so many notifications"},
    {OPTION_FOR, "for", "SECONDS", "end after so long"},
    TOOL_ROW_NON,
    TOOL_ROW_ACCEPT,
    TOOL_ROW_TOKEN,
    TOOL_ROW_TIMEOUT("93"),
    TOOL_ROWS_SECURE,
    TOOL_ROW_VERBOSE,
    {0}};

const tool_command_t tool_observe = {
    .name = "observe",
    .operands = "[OPTION]... URI",
    .summary = "Print a resource's state, and again each time it changes",
    .options = options,
    .notes = "It ends with SIGINT or SIGTERM (status 0), of which the server is told, or when\n"
             "the server ends it (status 1). --timeout is for the first answer; from then on a\n"
             "server that is silent is asked again and again, so one that restarts is found.\n",
    .run = run};
