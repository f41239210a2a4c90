/* What the server has counted, for Prometheus to fetch by HTTP. GNU libmicrohttpd does the HTTP; with what it brings along it is
 * larger than the tool, and so it is loaded where metrics are asked for. */
#define _POSIX_C_SOURCE 200809L
#include "metrics.h"

#include "copal/counters.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LIBRARY   "libmicrohttpd.so.12"
#define USUAL     "127.0.0.1" /* nobody else is told, unless that was asked for */
#define CONNECTIONS 16u       /* at a time */
#define PATIENCE  10u         /* seconds for one that does nothing */
#define FORMAT    "text/plain; version=0.0.4; charset=utf-8"

struct tool_metrics_t {
    copal_host_t *host;
    struct MHD_Daemon *daemon;
    __typeof__(MHD_start_daemon) *start;
    __typeof__(MHD_stop_daemon) *stop;
    __typeof__(MHD_get_daemon_info) *info;
    __typeof__(MHD_create_response_from_buffer) *response;
    __typeof__(MHD_add_response_header) *header;
    __typeof__(MHD_queue_response) *queue;
    __typeof__(MHD_destroy_response) *destroy;
};

/* ---- the page ----------------------------------------------------------------------------------------- */

static void print_count(FILE *out, const copal_count_t *count, const char *former)
{
    if (strcmp(count->metric, former) != 0)
        fprintf(out, "# HELP copal_%s %s\n# TYPE copal_%s %s\n", count->metric, count->text, count->metric,
                count->gauge ? "gauge" : "counter");
    fprintf(out, "copal_%s", count->metric);
    if (*count->side)
        fprintf(out, "{side=\"%s\"%s%s}", count->side, count->label ? "," : "", count->label ? count->label : "");
    fprintf(out, " %llu\n", (unsigned long long)count->value);
}

/** The page, to be freed; NULL: there is no memory for it. */
static char *make_page(copal_host_t *host, size_t *size)
{
    copal_host_counters_t counters;
    copal_count_t count;
    const char *former = "";
    char *page = NULL;
    FILE *out = open_memstream(&page, size);
    if (!out)
        return NULL;
    copal_host_counters(host, &counters);
    for (size_t i = 0; copal_counters_at(&counters, i, &count); i++) {
        print_count(out, &count, former);
        former = count.metric;
    }
    if (fclose(out) == 0)
        return page;
    free(page);
    return NULL;
}

/* ---- HTTP --------------------------------------------------------------------------------------------- */

static enum MHD_Result answer(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **context)
{
    const tool_metrics_t *m = user;
    const bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0, found = strcmp(url, "/metrics") == 0;
    const unsigned code = !reads ? MHD_HTTP_METHOD_NOT_ALLOWED : found ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND;
    size_t size = 0;
    char *page = code == MHD_HTTP_OK ? make_page(m->host, &size) : NULL;
    (void)version, (void)upload, (void)context;
    *upload_size = 0; /* nobody wants a body */
    if (code == MHD_HTTP_OK && !page)
        return MHD_NO; /* the connection ends */
    struct MHD_Response *response = m->response(size, page, page ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response) {
        free(page);
        return MHD_NO;
    }
    enum MHD_Result status = page ? m->header(response, MHD_HTTP_HEADER_CONTENT_TYPE, FORMAT) : MHD_YES;
    if (status == MHD_YES)
        status = m->queue(connection, code, response);
    m->destroy(response);
    return status;
}

static bool load(tool_metrics_t *m)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* for good */
    const struct {
        void *function;
        const char *name;
    } functions[] = {{&m->start, "MHD_start_daemon"},
                     {&m->stop, "MHD_stop_daemon"},
                     {&m->info, "MHD_get_daemon_info"},
                     {&m->response, "MHD_create_response_from_buffer"},
                     {&m->header, "MHD_add_response_header"},
                     {&m->queue, "MHD_queue_response"},
                     {&m->destroy, "MHD_destroy_response"}};
    for (size_t i = 0; library && i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        if (!found)
            library = NULL;
        memcpy(functions[i].function, &found, sizeof found); /* as POSIX has it for functions */
    }
    if (!library)
        tool_say("--metrics needs GNU libmicrohttpd, which cannot be loaded: %s\n", dlerror());
    return library;
}

/* ---- where it listens ----------------------------------------------------------------------------------- */

/** "PORT", "ADDRESS:PORT" or "[ADDRESS]:PORT" to an address, to be freed by freeaddrinfo; NULL: it is none. */
static struct addrinfo *parse(const char *text)
{
    char host[64] = USUAL;
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    uint64_t number;
    if (!tool_parse_number(port, 0, UINT16_MAX, &number))
        return NULL;
    if (colon) {
        const bool brackets = *text == '[' && colon > text + 1 && colon[-1] == ']';
        const size_t size = (size_t)(colon - text) - 2u * brackets;
        if (size == 0 || size >= sizeof host)
            return NULL;
        memcpy(host, text + brackets, size);
        host[size] = '\0';
    }
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *address;
    return getaddrinfo(host, port, &hints, &address) == 0 ? address : NULL;
}

/** Its thread is not to take the signals that are ours. */
static void start(tool_metrics_t *m, const struct addrinfo *address)
{
    sigset_t all, before;
    const unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = 0;
    m->daemon = m->start(flags, 0, NULL, NULL, answer, m, MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
                         CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, PATIENCE, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int tool_metrics_open(const tool_command_t *command, tool_metrics_t **opened, copal_host_t *host, const char *where)
{
    struct addrinfo *address = parse(where);
    if (!address)
        return tool_option_error(command, "--metrics takes a port, or ADDRESS:PORT such as 0.0.0.0:9100 or [::]:9100, not '%s'", where);
    tool_metrics_t *m = calloc(1, sizeof *m);
    if (!m)
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
    else if (load(m)) {
        m->host = host;
        start(m, address);
        if (!m->daemon)
            tool_say("--metrics %s: %s\n", where, errno ? strerror(errno) : "it cannot be listened on");
    }
    freeaddrinfo(address);
    if (!m || !m->daemon) {
        free(m);
        return TOOL_REFUSED;
    }
    const char *colon = strrchr(where, ':');
    printf("metrics at http://%.*s:%u/metrics\n", colon ? (int)(colon - where) : (int)strlen(USUAL), colon ? where : USUAL,
           (unsigned)m->info(m->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    *opened = m;
    return TOOL_OK;
}

void tool_metrics_close(tool_metrics_t *m)
{
    if (m)
        m->stop(m->daemon);
    free(m);
}
