/* copal serve: resources given on the command line, served until a signal. */
#define _POSIX_C_SOURCE 200809L
#include "copal/counters.h"
#include "copal/directory.h"
#include "copal/patch.h"
#include "log.h"
#include "metrics.h"
#include "service.h"
#include "watch.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UPLOAD_MOST ((size_t)1 << 30) /* copal_directory_options_t.upload_size */

enum { ADDRESS = 64 };  /* octets for an address (copal_peer_to_text) */
enum { ENDPOINT = 96 }; /* octets for an IPv6 address with its zone, brackets and port */
enum { OPTION_DIR = 256, OPTION_WRITE, OPTION_MAX_UPLOAD, OPTION_ALSO_PLAIN, OPTION_DISCOVERABLE, OPTION_WORKERS, OPTION_BUSY_POLL, OPTION_COUNTERS, OPTION_METRICS,
       OPTION_LOG_LEVEL, OPTION_LOG_FORMAT };

#define NO_PORT UINT64_MAX
#define WORKERS 64 /* copal_host_config_t.workers */
#define BUSY_POLL 1000000 /* copal_host_config_t.busy_poll */
#define SOCKETS 24 /* of a host */
#define GRACE (5 * 1000) /* milliseconds for what is under way when it is to end */

typedef struct {
    copal_host_config_t config;
    uint64_t port, plain_port; /* NO_PORT: not given */
    uint64_t busy_poll;        /* microseconds */
    tool_secrets_t secrets;
    tool_keys_t *keys;
    copal_credentials_t *credentials; /* NULL: without DTLS */
    const char **addresses, **resources;
    uint16_t *ports; /* two for each address: the port that is bound, and with DTLS that of coap beside it */
    size_t address_count, resource_count;
    tool_socket_t sockets[SOCKETS]; /* that a service manager has bound, in place of addresses */
    size_t socket_count;
    bool discoverable;
    const char *counters;  /* the path of a resource that tells them; NULL: there is none */
    const char *metrics;   /* where HTTP is to be spoken; NULL: nowhere */
    const char *directory; /* its name; NULL: none is served */
    copal_directory_options_t directory_options;
    tool_watch_t watch;
} serve_t;

/* For the signal handler, which is handed nothing. */
static copal_host_t *running;
static volatile sig_atomic_t stops; /* how often it was to end: the second time it does so at once */
static volatile sig_atomic_t reloads;

static void take_signal(int number)
{
    if (number == SIGHUP)
        reloads = 1;
    else if (stops < 2)
        stops++;
    copal_host_stop(running);
}

static int take_guard(const tool_command_t *command, serve_t *serve, const char *value)
{
    size_t octets;
    if (!tool_parse_size(value, &octets) || octets < 1 || octets > INT32_MAX)
        return tool_option_error(command, "--guard takes octets, such as 64K or 1M, from 1 to 2047M, not '%s'", value);
    serve->config.server.network_bytes = (uint32_t)octets;
    return 0;
}

/** A number, or one for each core that is on. */
static int take_workers(const tool_command_t *command, serve_t *serve, const char *value)
{
    uint64_t workers;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (strcmp(value, "auto") == 0)
        workers = cores < 1 ? 1 : cores > WORKERS ? WORKERS : (uint64_t)cores;
    else if (!tool_parse_number(value, 1, WORKERS, &workers))
        return tool_option_error(command, "--workers takes a number from 1 to %u, or auto, not '%s'", WORKERS, value);
    serve->config.workers = (uint32_t)workers;
    return 0;
}

/** `what` is the option, and what it takes. */
static int take_number(const tool_command_t *command, const char *what, const char *value, uint64_t most, uint64_t *number)
{
    if (tool_parse_number(value, 0, most, number))
        return 0;
    return tool_option_error(command, "%s from 0 to %u, not '%s'", what, (unsigned)most, value);
}

static int take_option(const tool_command_t *command, serve_t *serve, int id, const char *value)
{
    size_t size;
    if (tool_secret_option(&serve->secrets, id, value))
        return 0;
    switch (id) {
    case 'b':
        serve->addresses[serve->address_count++] = value;
        return 0;
    case 'p':
        return take_number(command, "--port takes a number", value, UINT16_MAX, &serve->port);
    case OPTION_ALSO_PLAIN:
        return take_number(command, "--also-plain takes a number", value, UINT16_MAX, &serve->plain_port);
    case 'r':
        serve->resources[serve->resource_count++] = value;
        return 0;
    case OPTION_DISCOVERABLE:
        serve->discoverable = true;
        return 0;
    case OPTION_COUNTERS:
        serve->counters = value;
        return 0;
    case OPTION_METRICS:
        serve->metrics = value;
        return 0;
    case OPTION_WORKERS:
        return take_workers(command, serve, value);
    case OPTION_BUSY_POLL:
        return take_number(command, "--busy-poll takes microseconds,", value, BUSY_POLL, &serve->busy_poll);
    case OPTION_DIR:
        if (serve->directory)
            return tool_option_error(command, "--dir may be given once; it was given '%s' already", serve->directory);
        serve->directory = value;
        return 0;
    case OPTION_WRITE:
        serve->directory_options.write = true;
        return 0;
    case OPTION_MAX_UPLOAD:
        if (tool_parse_size(value, &size) && size > 0 && size <= UPLOAD_MOST) {
            serve->directory_options.upload_size = size;
            return 0;
        }
        return tool_option_error(command, "--max-upload takes octets, such as 512K or 64M, up to 1G, not '%s'", value);
    case 'd':
        serve->config.dynamic = serve->config.post_creates = true;
        return 0;
    case 'm':
        if (tool_parse_size(value, &serve->config.memory) &&
            copal_host_scale(&(copal_host_config_t){.memory = serve->config.memory}) == 0)
            return 0;
        return tool_option_error(command, "--memory takes octets, such as 512K, 64M or 1G, from 64K on, not '%s'",
                                 value);
    case 'g':
        return take_guard(command, serve, value);
    case OPTION_LOG_LEVEL:
        return tool_log_level(value)
                   ? 0
                   : tool_option_error(command, "--log-level takes error, warn, info or debug, not '%s'", value);
    case OPTION_LOG_FORMAT:
        return tool_log_format(value) ? 0 : tool_option_error(command, "--log-format takes text or json, not '%s'", value);
    default:
        tool_log_level("debug");
        return 0;
    }
}

static void print_bound(uint64_t number, const char *text)
{
    printf("  %10llu  %s\n", (unsigned long long)number, text);
}

/** What the memory comes to, since the numbers are the host's to choose. */
static void print_scale(copal_host_config_t config)
{
    if (copal_host_scale(&config))
        return;
    printf("\n%llu KiB of memory, touched only as it is used, come to at most:\n",
           (unsigned long long)config.memory / 1024);
    print_bound(config.tree.resources, "resources");
    print_bound(config.tree.dynamic, "of them created by peers");
    print_bound(config.tree.value_size, "octets in a value");
    print_bound(config.tree.uploads, "values coming in in blocks at a time");
    print_bound(config.tree.arena, "octets for all paths, attributes and values");
    if (config.workers > 1)
        printf("and for each of %u workers:\n", (unsigned)config.workers);
    print_bound(config.server.remembered, "entries for requests with effects, against duplicates");
    print_bound(config.server.remembered_bytes, "octets for their replies");
    print_bound(config.server.proven, "client addresses known to be real");
    print_bound(config.server.networks, "networks of other clients, told apart");
    print_bound(config.server.deferred, "requests answered later");
    print_bound(config.server.observers, "observations, three quarters of them by unproven clients");
    print_bound(config.server.observed, "different requests that they are of");
    print_bound(config.server.datagram_size, "octets in a message");
    print_bound(config.server.payload_size, "octets of payload in a message");
    if (!config.dtls)
        return;
    print_bound(config.server_dtls.sessions, "DTLS sessions");
    print_bound(config.server_dtls.handshakes, "handshakes at a time, for which more is allocated");
}

/** Address and port as in a URI: an IPv6 address in brackets. */
static void write_endpoint(char *out, size_t capacity, const char *address, uint64_t port)
{
    snprintf(out, capacity, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, (unsigned)port);
}

static int listen_failed(const tool_command_t *command, const char *address, uint64_t port, int error)
{
    if (error == COPAL_EINVAL)
        return tool_option_error(
            command, "--bind takes an address such as 127.0.0.1, ::1, fe80::1%%eth0 or ::, not '%s'", address);
    int saved = errno;
    char endpoint[ENDPOINT];
    write_endpoint(endpoint, sizeof endpoint, address, port);
    if (error != COPAL_ESYSTEM)
        tool_say("%s: %s\n", address, copal_error_text(error));
    else if (saved == EADDRINUSE)
        tool_say("%s is in use; take another port with --port, or --port 0 for a free one\n", endpoint);
    else if (saved == EADDRNOTAVAIL)
        tool_say("%s: this machine does not have that address\n", address);
    else
        tool_say("%s: %s\n", endpoint, strerror(saved));
    return TOOL_REFUSED;
}

static int listen_on(const tool_command_t *command, copal_host_t *host, copal_credentials_t *credentials,
                     const char *address, uint64_t port, uint16_t *bound)
{
    int error = credentials ? copal_host_listen_secure(host, credentials, address, (uint16_t)port, bound)
                            : copal_host_listen(host, address, (uint16_t)port, bound);
    return error ? listen_failed(command, address, port, error) : TOOL_OK;
}

static void print_one(const char *scheme, const char *address, uint16_t port)
{
    char endpoint[ENDPOINT], uri[ENDPOINT + 16];
    write_endpoint(endpoint, sizeof endpoint, address, port);
    snprintf(uri, sizeof uri, "%s://%s", scheme, endpoint);
    printf("listening on %s\n", uri);
    tool_log_listening(uri);
}

/** The credentials of a socket that was handed over. */
static copal_credentials_t *credentials_of(const serve_t *serve, size_t i)
{
    return serve->sockets[i].plain ? NULL : serve->credentials;
}

static int adopt_all(const serve_t *serve, copal_host_t *host)
{
    for (size_t i = 0; i < serve->socket_count; i++) {
        copal_peer_t local;
        char address[ADDRESS];
        uint16_t port;
        int fd = serve->sockets[i].fd, error = copal_host_adopt(host, credentials_of(serve, i), fd, &local);
        if (error) {
            tool_say("descriptor %d, which was handed over: %s\n", fd,
                     error == COPAL_EINVAL    ? "it is no bound socket of datagrams over IP"
                     : error == COPAL_ESYSTEM ? strerror(errno)
                                              : copal_error_text(error));
            return TOOL_REFUSED;
        }
        copal_peer_to_text(&local, address, sizeof address, &port);
        print_one(credentials_of(serve, i) ? "coaps" : "coap", address, port);
    }
    return TOOL_OK;
}

static int listen_on_all(const tool_command_t *command, const serve_t *serve, copal_host_t *host)
{
    int status = adopt_all(serve, host);
    for (size_t i = 0; i < serve->address_count && !status; i++) {
        status = listen_on(command, host, serve->credentials, serve->addresses[i], serve->port, &serve->ports[2 * i]);
        if (!status && serve->plain_port != NO_PORT)
            status = listen_on(command, host, NULL, serve->addresses[i], serve->plain_port, &serve->ports[2 * i + 1]);
    }
    return status;
}

/** A server whose standard output nobody reads serves all the same, and ends well. */
static void print_listening(const serve_t *serve)
{
    for (size_t i = 0; i < serve->address_count; i++) {
        print_one(serve->credentials ? "coaps" : "coap", serve->addresses[i], serve->ports[2 * i]);
        if (serve->plain_port != NO_PORT)
            print_one("coap", serve->addresses[i], serve->ports[2 * i + 1]);
    }
    if (!tool_flush())
        clearerr(stdout);
}

static int become_discoverable(copal_host_t *host)
{
    int error = copal_host_discoverable(host), saved = errno;
    if (error == COPAL_ENOTFOUND)
        tool_say("--discoverable: no interface of what is served is up and does multicast\n");
    else if (error == COPAL_EFULL)
        tool_say("--discoverable: too many addresses; each takes two or three of 24 sockets\n");
    else if (error)
        tool_say("--discoverable: %s\n", error == COPAL_ESYSTEM ? strerror(saved) : copal_error_text(error));
    return error ? TOOL_REFUSED : TOOL_OK;
}

static int add_resources(const tool_command_t *command, const serve_t *serve, copal_host_t *host)
{
    for (size_t i = 0; i < serve->resource_count; i++) {
        int status = tool_add_resource(command, copal_host_tree(host), serve->resources[i]);
        if (status)
            return status;
    }
    int error = serve->counters ? copal_host_add_counters(host, serve->counters, NULL) : 0;
    if (error)
        return tool_option_error(command, "--counters '%s': %s", serve->counters, copal_error_text(error));
    return TOOL_OK;
}

/** Reads keys and certificates again. No worker runs meanwhile; what comes waits in the sockets. */
static void reload(const tool_command_t *command, serve_t *serve, copal_host_t *host)
{
    copal_credentials_t *fresh = NULL;
    reloads = 0;
    if (!serve->credentials) {
        tool_log(TOOL_WARN, TOOL_EVENT_RELOADED, "SIGHUP: there are no keys to be read again");
        return;
    }
    tool_service_tell("RELOADING=1");
    if (tool_server_credentials(command, &serve->secrets, &serve->keys, &fresh)) {
        tool_log(TOOL_ERROR, TOOL_EVENT_RELOADED, "SIGHUP: the keys there were stay in use");
    } else {
        copal_host_replace_credentials(host, serve->credentials, fresh); /* what listens has those, or nothing does */
        copal_credentials_close(serve->credentials);
        serve->credentials = fresh;
        tool_log(TOOL_INFO, TOOL_EVENT_RELOADED, "SIGHUP: new sessions are by the keys read now");
    }
    tool_service_tell("READY=1");
}

static int64_t milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/** How much there is that a peer has begun, and would lose. */
static uint64_t under_way(copal_host_t *host)
{
    copal_host_counters_t counters;
    copal_host_counters(host, &counters);
    return counters.pending + counters.uploads;
}

/** Who observes is told nothing: the state is what it was, most servers that end are soon there again, and an error would end
 *  the observation for good (RFC 7641 section 3.2), where a client that hears nothing registers again (section 3.3.1). */
static void finish(copal_host_t *host)
{
    const int64_t end = milliseconds() + GRACE;
    uint64_t left;
    tool_service_tell("STOPPING=1");
    copal_host_step(host, 0);
    for (int64_t now; (left = under_way(host)) > 0 && stops < 2 && (now = milliseconds()) < end;)
        copal_host_step(host, (int)(end - now));
    if (left > 0)
        tool_log(TOOL_WARN, TOOL_EVENT_STOPPING, "%s: %llu messages and uploads under way are given up",
                 stops < 2 ? "five seconds are over" : "a second signal", (unsigned long long)left);
}

static int run_host(const tool_command_t *command, serve_t *serve, copal_host_t *host)
{
    for (;;) {
        int error = copal_host_run(host);
        if (error) {
            tool_say("%s\n", error == COPAL_ESYSTEM ? strerror(errno) : copal_error_text(error));
            return TOOL_REFUSED;
        }
        if (stops)
            break;
        if (reloads)
            reload(command, serve, host);
    }
    tool_log(TOOL_DEBUG, TOOL_EVENT_STOPPING, "a signal: what is under way may end");
    finish(host);
    return TOOL_OK;
}

static int serve_until_signal(const tool_command_t *command, serve_t *serve, copal_host_t *host)
{
    int status = add_resources(command, serve, host);
    if (status)
        return status;
    running = host;
    struct sigaction action = {.sa_handler = take_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* what is larger than files may be (RLIMIT_FSIZE) is refused */
    status = listen_on_all(command, serve, host);
    if (status == TOOL_OK && serve->discoverable)
        status = become_discoverable(host);
    if (status)
        return status;
    tool_metrics_t *metrics = NULL;
    if (serve->metrics)
        status = tool_metrics_open(command, &metrics, host, serve->metrics);
    if (status)
        return status;
    print_listening(serve);
    tool_service_tell("READY=1");
    status = run_host(command, serve, host);
    tool_metrics_close(metrics);
    return status;
}

/** Serves the directory at the root, if one is to be served. */
static int open_directory(const tool_command_t *command, const serve_t *serve, copal_tree_t *tree,
                          copal_directory_t **directory)
{
    if (!serve->directory)
        return TOOL_OK;
    const copal_directory_options_t *options = &serve->directory_options;
    int error = copal_directory_open(directory, serve->directory, options);
    bool not_writable =
        error == COPAL_ESYSTEM && options->write && (errno == EACCES || errno == EPERM || errno == EROFS);
    if (error)
        return tool_usage_error(command, "--dir '%s': %s%s", serve->directory,
                                error == COPAL_ESYSTEM ? strerror(errno) : copal_error_text(error),
                                not_writable ? "; --write needs to create files there" : "");
    error = copal_directory_add(tree, "", *directory, NULL);
    if (error)
        return tool_usage_error(command, "--dir '%s': %s", serve->directory, copal_error_text(error));
    if (!options->write)
        printf("serving the files of %s\n", serve->directory);
    else
        printf("serving the files of %s, which may be written, with up to %llu octets each\n", serve->directory,
               (unsigned long long)(options->upload_size ? options->upload_size : UPLOAD_MOST));
    return TOOL_OK;
}

static int open_and_serve(const tool_command_t *command, serve_t *serve)
{
    tool_log_open();
    copal_host_t *host;
    serve->config.busy_poll = (uint32_t)serve->busy_poll;
    serve->config.tick = tool_watch_tick;
    serve->config.user = &serve->watch;
    int error = copal_host_open(&host, &serve->config);
    if (error) {
        tool_say("%s\n", error == COPAL_ESYSTEM ? strerror(errno) : copal_error_text(error));
        return TOOL_REFUSED;
    }
    serve->watch.host = host;
    copal_directory_t *directory = NULL;
    int status = open_directory(command, serve, copal_host_tree(host), &directory);
    if (status == TOOL_OK)
        status = serve_until_signal(command, serve, host);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    copal_host_close(host);
    copal_directory_close(directory);
    return status;
}

/** With something to be known by, it speaks DTLS only. */
static int open_credentials(const tool_command_t *command, serve_t *serve)
{
    const tool_secrets_t *secrets = &serve->secrets;
    const char *given = tool_secrets_given(secrets);
    if (!given && serve->plain_port != NO_PORT)
        return tool_option_error(command, "--also-plain is beside DTLS, which --psk, --psk-file or --cert brings");
    if (!given)
        return 0;
    if (!secrets->key && !secrets->keys && !secrets->certificate)
        return tool_option_error(command, "%s alone is not enough; --psk, --psk-file or --cert is missing", given);
    serve->config.dtls = tool_dtls();
    if (!serve->config.dtls)
        return TOOL_REFUSED;
    if (copal_host_scale(&(copal_host_config_t){.memory = serve->config.memory, .dtls = serve->config.dtls}))
        return tool_option_error(command, "--memory is too small for DTLS, which needs 128K");
    return tool_server_credentials(command, secrets, &serve->keys, &serve->credentials);
}

/** Each worker has bounds of its own. */
static int check_workers(const tool_command_t *command, const serve_t *serve)
{
    copal_host_config_t scaled = serve->config;
    if (serve->config.workers <= 1 || copal_host_scale(&scaled) == 0)
        return 0;
    return tool_option_error(command, "--memory is too small for %u workers, which need %s each",
                             (unsigned)serve->config.workers, serve->config.dtls ? "128K" : "64K");
}

static int run_with(const tool_command_t *command, serve_t *serve, int argc, char **argv)
{
    const char *value;
    int id;
    bool help = false;
    while ((id = tool_next_option(command, argc, argv, &value)) != TOOL_END) {
        if (id == TOOL_WRONG)
            return TOOL_USAGE;
        help = help || id == TOOL_HELP;
        if (id != TOOL_HELP && take_option(command, serve, id, value))
            return TOOL_USAGE;
    }
    if (help) {
        tool_print_help(command);
        if (tool_secrets_given(&serve->secrets) && !(serve->config.dtls = tool_dtls()))
            return TOOL_REFUSED;
        print_scale(serve->config);
        return TOOL_OK;
    }
    if (argc > optind)
        return tool_usage_error(command, "'%s' is no option; a resource is given by --resource 'PATH=VALUE'",
                                argv[optind]);
    if (serve->directory_options.write && !serve->directory)
        return tool_option_error(command, "--write is about the files of a --dir");
    if (serve->directory_options.upload_size && !serve->directory_options.write)
        return tool_option_error(command, "--max-upload is about uploads, which --write allows");
    if (serve->directory && serve->config.dynamic)
        return tool_option_error(command,
                                 "--dir serves every path that no --resource has, so --dynamic can create nothing");
    serve->directory_options.changed = tool_log_change;
    serve->config.trace = tool_log_wants(TOOL_DEBUG) ? tool_log_message : NULL;
    serve->config.event = tool_log_wants(TOOL_WARN) ? tool_log_event : NULL;
    serve->socket_count = tool_service_sockets(serve->sockets, SOCKETS);
    if (serve->socket_count && (serve->address_count || serve->port != NO_PORT || serve->plain_port != NO_PORT))
        return tool_option_error(command, "--bind, --port and --also-plain have no say where sockets are handed over");
    if (!serve->address_count && !serve->socket_count)
        serve->addresses[serve->address_count++] = "::";
    int status = open_credentials(command, serve);
    if (!status)
        status = check_workers(command, serve);
    if (status)
        return status;
    if (serve->port == NO_PORT)
        serve->port = serve->credentials ? COPAL_SECURE_PORT : COPAL_PORT;
    return open_and_serve(command, serve);
}

static int run(const tool_command_t *command, int argc, char **argv)
{
    serve_t serve = {.port = NO_PORT, .plain_port = NO_PORT, .config = {.patch = copal_json_patch}};
    serve.addresses = calloc((size_t)argc, sizeof *serve.addresses);
    serve.resources = calloc((size_t)argc, sizeof *serve.resources);
    serve.ports = calloc(2 * (size_t)argc, sizeof *serve.ports);
    int status = TOOL_REFUSED;
    if (serve.addresses && serve.resources && serve.ports)
        status = run_with(command, &serve, argc, argv);
    else
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
    copal_credentials_close(serve.credentials);
    tool_keys_close(serve.keys);
    free(serve.addresses);
    free(serve.resources);
    free(serve.ports);
    return status;
}

static const tool_option_t options[] = {
    {'b', "bind", "ADDRESS", "serve on this address; may be given again (::)"},
    {'p', "port", "N", "serve on this port, 0: any (5683; DTLS: 5684)"},
    {OPTION_DISCOVERABLE, "discoverable", NULL, "answer those who look for servers by multicast"},
    {'r', "resource", "DESCRIPTION", "serve this resource; see below; may be given again"},
    {OPTION_DIR, "dir", "DIR", "serve the files of this directory, at the root"},
    {OPTION_WRITE, "write", NULL, "let them be created, replaced and deleted"},
    {OPTION_MAX_UPLOAD, "max-upload", "SIZE", "take no file of more octets: 512K, 64M (1G)"},
    {'d', "dynamic", NULL, "let PUT and POST create resources on new paths"},
    {'m', "memory", "SIZE", "scale all bounds to this: 512K, 64M, 1G (64M)"},
    {OPTION_COUNTERS, "counters", "PATH", "serve what was counted there, as text or JSON"},
    {OPTION_METRICS, "metrics", "[ADDRESS:]PORT", "tell Prometheus by HTTP (127.0.0.1)"},
    {OPTION_WORKERS, "workers", "N", "threads that serve; auto: one for each core (1)"},
    {OPTION_BUSY_POLL, "busy-poll", "USEC", "look so long for requests before sleeping (0)"},
    {'g', "guard", "SIZE", "octets to addresses that may be forged (256K)"},
    TOOL_ROW_PSK,
    {TOOL_OPTION_IDENTITY, "identity", "ID", "let only this identity in by that key"},
    {TOOL_OPTION_PSK_FILE, "psk-file", "FILE", "let those in that have an identity:key line there"},
    {TOOL_OPTION_HINT, "hint", "HINT", "tell clients this, to choose a key by"},
    TOOL_ROW_CERT,
    TOOL_ROW_KEY,
    {TOOL_OPTION_CA, "ca", "FILE", "want certificates of clients, of these authorities"},
    {OPTION_ALSO_PLAIN, "also-plain", "PORT", "serve without DTLS, too, on this port"},
    {OPTION_LOG_LEVEL, "log-level", "LEVEL", "tell error, warn, info, debug, and worse (info)"},
    {OPTION_LOG_FORMAT, "log-format", "FORMAT", "text, or json: an object a line (text)"},
    {'v', "verbose", NULL, "show each message as it goes: --log-level debug"},
    {0}};

const tool_command_t tool_serve = {
    .name = "serve",
    .operands = "[OPTION]...",
    .summary = "Serve resources until SIGINT or SIGTERM",
    .options = options,
    .notes = "Without --bind, every IPv6 and IPv4 address is served on (::). A resource is\n"
             "described by 'PATH=VALUE', and what may follow, each behind a ';' (one within\n"
             "double quotes separates nothing):\n"
             "  ct=FORMAT         its Content-Format: a name or a number\n"
             "  max-age=SECONDS   how long an answer stays fresh\n"
             "  etag              answers carry an ETag that changes with the value\n"
             "  methods=get,put   the methods allowed, of get, put, post, delete (all these),\n"
             "                    patch, ipatch (with ct=json)\n"
             "  NAME=VALUE, NAME  a link attribute for discovery: title=\"a b\", rt=sensor, if\n"
             "With --dir, DIR/a/b.json is coap://HOST/a/b.json, and a directory is a list of\n"
             "links. Names that start with a dot are not served, nor is what lies outside.\n"
             "With --psk, --psk-file or --cert it speaks DTLS only, on port 5684. Arguments\n"
             "can be seen by others on the machine: @FILE and --psk-file are for keys.\n"
             "'listening on coap://ADDRESS:PORT' (coaps:// with DTLS) on standard output says\n"
             "that it can be asked.\n",
    .run = run};
