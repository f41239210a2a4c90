/* A server for the ETSI CoAP plugtests: what the test descriptions TD_COAP_CORE (CC), BLOCK (CB), LINK (CL) and OBS (CO) ask
 * of one.
 *
 *     $ build/examples/plugtest-server --bind 127.0.0.1 &
 *     listening on coap://127.0.0.1:5683
 *     $ build/copal get coap://127.0.0.1/multi-format -a json
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime, sigaction */
#include "copal/host.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PERIOD = 5000, /* ms between changes of what can be observed, and its Max-Age */
    DELAY = 1000,  /* ms until a separate response */
    WAITING = 32,  /* separate responses at once */
    CREATED = 32,  /* resources of /large-create; the oldest makes room */
    BODY = 8192,   /* octets of a body for /large-create and /large-post */
    STATE = 256,   /* octets of the state of /obs */
    MEGABYTE = 1 << 20,
    BLOCK = 256, /* the block size that this server likes: /large has more (CB02) */
    LARGE = 1280,
    NETWORK_BYTES = 1 << 30, /* beyond three times what comes from one network: all of a plugtest is in one */
};

typedef struct {
    copal_handle_t later;
    int64_t when;
} waiting_t;

typedef struct {
    copal_host_t *host;
    copal_tree_t *tree;
    copal_handle_t obs, obs_non;
    char state[STATE];
    size_t state_size;
    int32_t state_format;
    unsigned changes;
    int64_t next_change;
    waiting_t waiting[WAITING]; /* a ring: all wait equally long */
    unsigned first_waiting, waiting_count;
    copal_handle_t created[CREATED];
    unsigned created_count;
    bool create1, reboot;
} server_t;

static copal_host_t *volatile running;
static volatile sig_atomic_t interrupted;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void write_body(copal_writer_t *w, uint16_t format, copal_bytes_t body)
{
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, format);
    copal_write_payload(w, body);
}

static void answer(copal_call_t *call, uint16_t format, const char *text)
{
    write_body(copal_reply(call, COPAL_CONTENT), format, copal_text(text));
}

/* ---- CC: messages, methods, options ------------------------------------------------------------------------ */

static void serve_test(void *user, copal_call_t *call)
{
    (void)user;
    copal_writer_t *w;
    switch (call->request->code) {
    case COPAL_GET:
        if (call->options->accept > 0)
            copal_reply(call, COPAL_NOT_ACCEPTABLE);
        else
            answer(call, 0, "test");
        return;
    case COPAL_POST:
        w = copal_reply(call, COPAL_CREATED);
        copal_write_option(w, COPAL_OPTION_LOCATION_PATH, copal_text("location1"));
        copal_write_option(w, COPAL_OPTION_LOCATION_PATH, copal_text("location2"));
        copal_write_option(w, COPAL_OPTION_LOCATION_PATH, copal_text("location3"));
        return;
    default: /* It forgets what it is told, so that each case finds it as the last one did. */
        copal_reply(call, call->request->code == COPAL_PUT ? COPAL_CHANGED : COPAL_DELETED);
    }
}

static void serve_location_query(void *user, copal_call_t *call)
{
    (void)user;
    copal_writer_t *w = copal_reply(call, COPAL_CREATED);
    copal_write_option(w, COPAL_OPTION_LOCATION_QUERY, copal_text("first=1"));
    copal_write_option(w, COPAL_OPTION_LOCATION_QUERY, copal_text("second=2"));
}

static void serve_query(void *user, copal_call_t *call)
{
    (void)user;
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 0);
    copal_option_reader_t reader = copal_message_options(call->request);
    const char *before = "";
    for (copal_option_t option; copal_option_next(&reader, &option);) {
        if (option.number == COPAL_OPTION_URI_QUERY) {
            copal_write_text(w, before);
            copal_write_payload(w, option.value);
            before = "&";
        }
    }
}

static void serve_multi_format(void *user, copal_call_t *call)
{
    static const struct {
        uint16_t format;
        const char *text;
    } formats[] = {
        {0, "21.5"},
        {41, "<temperature>21.5</temperature>"},
        {50, "{\"temperature\":21.5}"},
        {60, "\xa1\x6btemperature\xf9\x4d\x60"}}; /* a map of a text of 11 octets to 21.5 in half precision */
    (void)user;
    copal_reply(call, COPAL_NOT_ACCEPTABLE);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (formats[i].format == call->options->accept || (i == 0 && call->options->accept < 0))
            answer(call, formats[i].format, formats[i].text);
    }
}

/* Where it finds that it is there already, it says so, and is not there any more: for the next who runs the case. */
static void serve_create1(void *user, copal_call_t *call)
{
    server_t *server = user;
    bool there = server->create1;
    switch (call->request->code) {
    case COPAL_PUT:
        server->create1 = !(there && call->options->if_none_match);
        copal_reply(call, !server->create1 ? COPAL_PRECONDITION_FAILED : there ? COPAL_CHANGED : COPAL_CREATED);
        return;
    case COPAL_DELETE:
        server->create1 = false;
        copal_reply(call, COPAL_DELETED);
        return;
    default:
        if (there)
            answer(call, 0, "created");
        else
            copal_reply(call, COPAL_NOT_FOUND);
    }
}

static void serve_separate(void *user, copal_call_t *call)
{
    server_t *server = user;
    copal_handle_t later;
    if (server->waiting_count == WAITING || copal_defer(call, &later) < 0) {
        copal_reply_text(call, COPAL_SERVICE_UNAVAILABLE, "too many are waiting");
        return;
    }
    unsigned at = (server->first_waiting + server->waiting_count++) % WAITING;
    server->waiting[at] = (waiting_t){.later = later, .when = now() + DELAY};
}

static void write_separate(void *user, copal_writer_t *w)
{
    (void)user;
    write_body(w, 0, copal_text("separate"));
}

static void answer_waiting(server_t *server)
{
    while (server->waiting_count && server->waiting[server->first_waiting].when <= now()) {
        copal_host_reply(server->host, server->waiting[server->first_waiting].later, COPAL_CONTENT, write_separate,
                         NULL);
        server->first_waiting = (server->first_waiting + 1) % WAITING;
        server->waiting_count--;
    }
}

/* ---- CB: bodies in blocks ------------------------------------------------------------------------------------ */

typedef struct {
    server_t *server;
    size_t size;
    uint8_t octets[BODY];
} body_t;

static copal_code_t begin(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    (void)call;
    *most = BODY;
    if (size > BODY)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    body_t *made = calloc(1, sizeof *made);
    if (!made)
        return COPAL_SERVICE_UNAVAILABLE;
    made->server = user;
    *body = made;
    return 0;
}

static copal_code_t take(void *context, copal_bytes_t piece)
{
    body_t *body = context;
    if (piece.size > BODY - body->size)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    memcpy(body->octets + body->size, piece.data, piece.size);
    body->size += piece.size;
    return 0;
}

static void end_post(void *context, copal_call_t *call)
{
    body_t *body = context;
    for (size_t i = 0; i < body->size; i++)
        body->octets[i] = (uint8_t)toupper(body->octets[i]);
    write_body(copal_reply(call, COPAL_CHANGED), 0, (copal_bytes_t){body->octets, body->size});
    free(body);
}

static void end_create(void *context, copal_call_t *call)
{
    body_t *body = context;
    server_t *server = body->server;
    unsigned number = server->created_count++;
    copal_handle_t *place = &server->created[number % CREATED];
    if (number >= CREATED)
        copal_tree_remove(server->tree, *place); /* or a client has deleted it */
    char name[16], path[32];
    snprintf(name, sizeof name, "%u", number + 1);
    snprintf(path, sizeof path, "large-create/%s", name);
    copal_value_options_t options = {
        .content_format = call->options->content_format, .max_age = -1, .methods = COPAL_METHODS_ALL};
    int error = copal_tree_add_value(server->tree, path, (copal_bytes_t){body->octets, body->size}, &options, place);
    free(body);
    copal_writer_t *w = copal_reply(call, error ? COPAL_SERVICE_UNAVAILABLE : COPAL_CREATED);
    if (!error) {
        copal_write_option(w, COPAL_OPTION_LOCATION_PATH, copal_text("large-create"));
        copal_write_option(w, COPAL_OPTION_LOCATION_PATH, copal_text(name));
    }
}

static void serve_large_get(void *user, copal_call_t *call)
{
    (void)user;
    answer(call, 0, "POST something to it");
}

/* ---- CO: observations ------------------------------------------------------------------------------------------ */

static void tell_state(const server_t *server, copal_call_t *call)
{
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    if (server->state_format >= 0)
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)server->state_format);
    copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, PERIOD / 1000);
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)server->state, server->state_size});
}

static void change_state(server_t *server)
{
    server->state_size = (size_t)snprintf(server->state, STATE, "change %u", ++server->changes);
    server->state_format = 0;
    server->next_change = now() + PERIOD;
    copal_tree_changed(server->tree, server->obs);
    copal_tree_changed(server->tree, server->obs_non);
}

static void add_obs(server_t *server);

static void serve_obs(void *user, copal_call_t *call)
{
    server_t *server = user;
    copal_bytes_t payload = call->request->payload;
    switch (call->request->code) {
    case COPAL_GET:
        copal_observe(call, server->obs, true);
        tell_state(server, call);
        return;
    case COPAL_PUT: /* another Content-Format ends the observations of this one with 4.06 (CO08) */
        if (payload.size > STATE) {
            copal_reply(call, COPAL_REQUEST_ENTITY_TOO_LARGE);
            return;
        }
        memcpy(server->state, payload.data, payload.size);
        server->state_size = payload.size;
        server->state_format = call->options->content_format;
        copal_tree_changed(server->tree, server->obs);
        copal_reply(call, COPAL_CHANGED);
        return;
    default: /* Who observes it is told 4.04 (CO07); the next who asks finds a new one. */
        copal_reply(call, COPAL_DELETED);
        copal_tree_remove(server->tree, server->obs);
        add_obs(server);
    }
}

static void serve_obs_non(void *user, copal_call_t *call)
{
    const server_t *server = user;
    char text[32];
    snprintf(text, sizeof text, "change %u", server->changes);
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    write_body(w, 0, copal_text(text));
    copal_write_option_uint(w, COPAL_OPTION_MAX_AGE, PERIOD / 1000);
}

static void serve_obs_reset(void *user, copal_call_t *call)
{
    server_t *server = user;
    copal_bytes_t payload = call->request->payload;
    server->reboot = payload.size == 6 && memcmp(payload.data, "sesame", 6) == 0;
    copal_reply(call, server->reboot ? COPAL_CHANGED : COPAL_FORBIDDEN);
}

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

static void check(int error)
{
    if (error < 0) {
        fprintf(stderr, "plugtest-server: %s\n", copal_error_text(error));
        exit(1);
    }
}

static copal_handle_t add_handler(server_t *server, const char *path, copal_handler_t handler)
{
    copal_handle_t resource;
    handler.user = server;
    check(copal_tree_add_handler(server->tree, path, &handler, &resource));
    return resource;
}

static void add_obs(server_t *server)
{
    server->obs = add_handler(
        server, "obs",
        (copal_handler_t){.methods = COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_PUT) | COPAL_METHOD(COPAL_DELETE),
                          .observable = true,
                          .handle = serve_obs});
}

static copal_handle_t add_value(server_t *server, const char *path, const char *text, int32_t format, bool writable)
{
    copal_handle_t resource;
    copal_value_options_t options = {.content_format = format,
                                     .max_age = -1,
                                     .etag = writable,
                                     .methods = COPAL_METHOD(COPAL_GET) | (writable ? COPAL_METHOD(COPAL_PUT) : 0)};
    check(copal_tree_add_value(server->tree, path, copal_text(text), &options, &resource));
    return resource;
}

static void add_link(server_t *server, const char *path, const char *types, const char *interface)
{
    copal_handle_t resource = add_value(server, path, path, 0, false);
    check(copal_tree_add_attribute(server->tree, resource, copal_text("rt"), copal_text(types)));
    check(copal_tree_add_attribute(server->tree, resource, copal_text("if"), copal_text(interface)));
}

static void add_values(server_t *server)
{
    char large[LARGE + 1];
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i / 64);
    large[LARGE] = 0;
    copal_handle_t resource = add_value(server, "large", large, 0, false);
    check(copal_tree_add_attribute(server->tree, resource, copal_text("sz"), copal_text("1280")));
    add_value(server, "large-update", large, 0, true);
    add_value(server, "validate", "valid", 0, true);
    add_value(server, "seg1/seg2/seg3", "three segments", 0, false);
    add_link(server, "link1", "Type1 Type2", "If1");
    add_link(server, "link2", "Type2 Type3", "If2");
    add_link(server, "link3", "Type1 Type3", "foo");
    add_value(server, "path", "</path/sub1>,</path/sub2>,</path/sub3>", 40, false);
    add_value(server, "path/sub1", "sub1", 0, false);
    add_value(server, "path/sub2", "sub2", 0, false);
    add_value(server, "path/sub3", "sub3", 0, false);
}

static void add_handlers(server_t *server)
{
    static const copal_intake_t post = {.begin = begin, .take = take, .end = end_post, .drop = free};
    static const copal_intake_t create = {.begin = begin, .take = take, .end = end_create, .drop = free};
    const uint32_t get = COPAL_METHOD(COPAL_GET), put = COPAL_METHOD(COPAL_PUT), delete = COPAL_METHOD(COPAL_DELETE);
    add_handler(server, "test", (copal_handler_t){.methods = COPAL_METHODS_ALL, .handle = serve_test});
    add_handler(server, "location-query",
                (copal_handler_t){.methods = COPAL_METHOD(COPAL_POST), .handle = serve_location_query});
    add_handler(server, "query", (copal_handler_t){.methods = get, .handle = serve_query});
    add_handler(server, "multi-format", (copal_handler_t){.methods = get, .handle = serve_multi_format});
    add_handler(server, "create1", (copal_handler_t){.methods = get | put | delete, .handle = serve_create1});
    add_handler(server, "separate", (copal_handler_t){.methods = get, .handle = serve_separate});
    add_handler(
        server, "large-post",
        (copal_handler_t){.methods = get | COPAL_METHOD(COPAL_POST), .intake = &post, .handle = serve_large_get});
    add_handler(
        server, "large-create",
        (copal_handler_t){.methods = get | COPAL_METHOD(COPAL_POST), .intake = &create, .handle = serve_large_get});
    add_handler(server, "obs-reset", (copal_handler_t){.methods = COPAL_METHOD(COPAL_POST), .handle = serve_obs_reset});
    server->obs_non =
        add_handler(server, "obs-non", (copal_handler_t){.methods = get, .observable = true, .handle = serve_obs_non});
    add_obs(server);
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
    if (running)
        copal_host_stop(running);
}

/* Milliseconds until something is to be done. */
static int until_due(const server_t *server)
{
    int64_t due = server->next_change;
    if (server->waiting_count && server->waiting[server->first_waiting].when < due)
        due = server->waiting[server->first_waiting].when;
    int64_t left = due - now();
    return left > 0 ? (int)left : 0;
}

static server_t *open_server(const char *address, uint16_t *port)
{
    server_t *server = calloc(1, sizeof *server);
    copal_host_config_t config = {.server = {.payload_size = BLOCK, .network_bytes = NETWORK_BYTES},
                                  .tree = {.value_size = MEGABYTE}};
    if (!server || copal_host_open(&server->host, &config) < 0) {
        perror("plugtest-server");
        exit(1);
    }
    server->tree = copal_host_tree(server->host);
    add_values(server);
    add_handlers(server);
    change_state(server);
    int error = copal_host_listen(server->host, address, *port, port);
    if (error) {
        fprintf(stderr, "plugtest-server: %s, port %u: %s\n", address, (unsigned)*port,
                error == COPAL_ESYSTEM ? strerror(errno) : copal_error_text(error));
        exit(1);
    }
    return server;
}

/* Serves until it is interrupted, or to be as after a reboot: a new server, which knows of no observer (CO04). */
static void serve(server_t *server)
{
    running = server->host;
    while (!interrupted && !server->reboot) {
        if (copal_host_step(server->host, until_due(server)) < 0) {
            perror("plugtest-server");
            exit(1);
        }
        answer_waiting(server);
        if (server->next_change <= now())
            change_state(server);
    }
    running = NULL;
    copal_host_close(server->host);
    free(server);
}

static int usage(FILE *out, int status)
{
    fputs("usage: plugtest-server [--bind ADDRESS] [--port N]\n"
          "Serves what the ETSI CoAP plugtests ask for: on all addresses and port 5683, unless told otherwise; port 0 "
          "is\n"
          "any free one. 'listening on coap://ADDRESS:PORT' says that it can be asked.\n",
          out);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"bind", required_argument, NULL, 'b'},
                                            {"port", required_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *address = "::";
    uint16_t port = COPAL_PORT;
    for (int option; (option = getopt_long(argc, argv, "b:p:h", options, NULL)) != -1;) {
        char *end = NULL;
        unsigned long number = 0;
        if (option == 'h')
            return usage(stdout, 0);
        if (option == 'b')
            address = optarg;
        else if (option == 'p' && (number = strtoul(optarg, &end, 10)) <= 65535 && end != optarg && !*end)
            port = (uint16_t)number;
        else
            return usage(stderr, 2);
    }
    if (optind < argc)
        return usage(stderr, 2);
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    server_t *server = open_server(address, &port);
    printf(strchr(address, ':') ? "listening on coap://[%s]:%u\n" : "listening on coap://%s:%u\n", address,
           (unsigned)port);
    fflush(stdout);
    for (serve(server); !interrupted; serve(server))
        server = open_server(address, &port);
    return 0;
}
