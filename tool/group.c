/* Asking a group of hosts: one request on each interface, and whoever answers (RFC 7252 section 8). */
#define _POSIX_C_SOURCE 200809L
#include "observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REDRAW = 200 }; /* milliseconds */

typedef struct group_t group_t;

/** The request on one interface. */
typedef struct {
    copal_task_t task; /* first */
    group_t *of;
    copal_peer_t to;
    uint8_t *body; /* of the answer that is being told of */
    size_t size, capacity;
    bool ended;
    int error; /* why it could not be asked; 0: it was */
} part_t;

struct group_t {
    tool_found_t *found; /* one for each sender */
    size_t count, capacity;
    void (*tell)(const tool_found_t *found); /* NULL: nobody waits for it */
    bool wanting;                            /* no memory for an answer, or standard output failed */
    part_t *parts;
    size_t part_count;
};

/* ---- what comes ------------------------------------------------------------------------------------------ */

static int write_body(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    part_t *part = (part_t *)task;
    if (offset + piece.size > part->capacity) {
        uint8_t *grown = realloc(part->body, offset + piece.size);
        if (!grown)
            return COPAL_ENOMEM;
        part->body = grown;
        part->capacity = offset + piece.size;
    }
    if (piece.size)
        memcpy(part->body + offset, piece.data, piece.size);
    part->size = offset + piece.size;
    return 0;
}

static bool is_known(const group_t *group, const copal_peer_t *sender)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->found[i].sender.size == sender->size &&
            memcmp(group->found[i].sender.data, sender->data, sender->size) == 0)
            return true;
    return false;
}

/** The URI of a host, with a zone as RFC 6874 writes it. */
static void write_uri(char out[TOOL_SENDER_SIZE], const copal_peer_t *peer)
{
    char address[64];
    uint16_t port;
    copal_peer_to_text(peer, address, sizeof address, &port);
    char *zone = strchr(address, '%');
    if (zone)
        *zone++ = 0;
    const bool six = strchr(address, ':');
    int size = snprintf(out, TOOL_SENDER_SIZE, "coap://%s%s%s%s%s", six ? "[" : "", address, zone ? "%25" : "",
                        zone ? zone : "", six ? "]" : "");
    if (port != COPAL_PORT)
        snprintf(out + size, TOOL_SENDER_SIZE - (size_t)size, ":%u", (unsigned)port);
}

static bool grow(group_t *group)
{
    if (group->count < group->capacity)
        return true;
    const size_t capacity = 2 * group->capacity + 8;
    tool_found_t *grown = realloc(group->found, capacity * sizeof *grown);
    if (!grown)
        return false;
    group->found = grown;
    group->capacity = capacity;
    return true;
}

/** Keeps an answer. Its payload is `body`, which becomes that of what was found. */
static void keep(group_t *group, const copal_response_t *response, copal_bytes_t body)
{
    copal_option_t option;
    uint8_t *copy = malloc(body.size + 1);
    if (!copy || !grow(group)) {
        free(copy);
        group->wanting = true;
        return;
    }
    if (body.size)
        memcpy(copy, body.data, body.size);
    tool_found_t *found = &group->found[group->count++];
    *found = (tool_found_t){.sender = response->from->peer, .code = response->message->code,
                            .content_format = -1, .payload = copy, .size = body.size};
    write_uri(found->uri, &found->sender);
    if (copal_option_find(response->message, COPAL_OPTION_CONTENT_FORMAT, &option))
        found->content_format = (int32_t)copal_option_uint(&option);
    if (group->tell)
        group->tell(found);
    group->wanting = group->wanting || fflush(stdout) || ferror(stdout);
}

static void done(copal_task_t *task, const copal_response_t *response)
{
    part_t *part = (part_t *)task;
    const copal_message_t *m = response->message;
    if (response->ended) {
        part->ended = true;
        part->error = response->status;
        return;
    }
    if (m && !is_known(part->of, &response->from->peer)) {
        const bool success = COPAL_CODE_CLASS(m->code) == 2;
        keep(part->of, response, success ? (copal_bytes_t){part->body, part->size} : m->payload);
    } else if (!m) {
        char sender[TOOL_SENDER_SIZE];
        write_uri(sender, &response->from->peer);
        tool_say("%s: %s\n", sender, copal_error_text(response->status));
    }
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

/** Asks on each interface. 0, or an error: nothing could be asked. */
static int begin(group_t *group, copal_host_t *host, const tool_request_t *request, const copal_peer_t *peers,
                 size_t count)
{
    int error = COPAL_EUNREACHABLE;
    group->parts = calloc(count ? count : 1, sizeof *group->parts);
    if (!group->parts)
        return COPAL_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        part_t *part = &group->parts[group->part_count];
        copal_ask_t ask = request->ask;
        part->task = (copal_task_t){.write = write_body, .done = done};
        part->of = group;
        part->to = peers[i];
        ask.to = &part->to;
        const int status = copal_host_transfer(host, &ask, &part->task);
        if (status < 0)
            error = status;
        else
            group->part_count++;
    }
    return group->part_count ? 0 : error;
}

static bool is_over(const group_t *group)
{
    size_t ended = 0;
    while (ended < group->part_count && group->parts[ended].ended)
        ended++;
    return group->wanting || ended == group->part_count;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/** Waits until the time is over. On a terminal a line tells how long that still is. */
static int wait_for_all(const group_t *group, copal_host_t *host, const tool_request_t *request)
{
    const bool draws = isatty(STDERR_FILENO) && !request->verbose && !group->tell;
    const int64_t end = now() + request->ask.timeout;
    int error = 0;
    while (!error && !is_over(group)) {
        const int64_t left = end - now();
        if (draws)
            fprintf(stderr, "\r\033[K%zu found, %lld s left", group->count, (long long)(left > 0 ? (left + 999) / 1000 : 0));
        error = copal_host_step(host, draws ? REDRAW : -1);
    }
    if (draws)
        fputs("\r\033[K", stderr);
    return error;
}

/** What kept all of it from being asked; 0: some of it was. */
static int error_of(const group_t *group)
{
    for (size_t i = 0; i < group->part_count; i++)
        if (!group->parts[i].error)
            return 0;
    return group->part_count ? group->parts[0].error : COPAL_EUNREACHABLE;
}

static int status_of(const group_t *group, const tool_request_t *request)
{
    if (group->wanting) {
        tool_say("%s\n", ferror(stdout) ? "standard output failed" : copal_error_text(COPAL_ENOMEM));
        return TOOL_REFUSED;
    }
    for (size_t i = 0; i < group->count; i++)
        if (COPAL_CODE_CLASS(group->found[i].code) == 2)
            return TOOL_OK;
    if (group->count)
        return TOOL_REFUSED;
    if (request->ask.no_response)
        return TOOL_OK;
    const int error = error_of(group);
    if (error)
        return tool_no_answer(request, error, NULL);
    tool_say("nobody has answered within %g s\n", request->ask.timeout / 1000.0);
    return TOOL_NO_ANSWER;
}

static int by_uri(const void *a, const void *b)
{
    return strcmp(((const tool_found_t *)a)->uri, ((const tool_found_t *)b)->uri);
}

static void release(group_t *group)
{
    for (size_t i = 0; i < group->count; i++)
        free(group->found[i].payload);
    for (size_t i = 0; group->parts && i < group->part_count; i++)
        free(group->parts[i].body);
    free(group->found);
    free(group->parts);
}

int tool_ask_peers(const tool_request_t *request, const copal_peer_t *peers, size_t count,
                   void (*tell)(const tool_found_t *found), void (*print)(const tool_found_t *found, size_t count))
{
    group_t group = {.tell = tell};
    copal_host_t *host = tool_open_client(request);
    if (!host)
        return TOOL_REFUSED;
    int error = begin(&group, host, request, peers, count);
    if (!error)
        error = wait_for_all(&group, host, request);
    copal_host_close(host);
    if (group.count)
        qsort(group.found, group.count, sizeof *group.found, by_uri);
    if (print && group.count)
        print(group.found, group.count);
    const int status = error ? tool_no_answer(request, error, NULL) : status_of(&group, request);
    release(&group);
    return status;
}

/* ---- whom -------------------------------------------------------------------------------------------------- */

int tool_group_peers(const tool_command_t *command, const tool_request_t *request, const char *group, uint16_t port,
                     copal_peer_t *peers, int most)
{
    char text[TOOL_SENDER_SIZE];
    const bool names = request->interface && !strchr(group, '%');
    snprintf(text, sizeof text, "%s%s%s", group, names ? "%" : "", names ? request->interface : "");
    const int count = copal_peers_of_group(peers, most, text, port);
    if (count == COPAL_EINVAL)
        tool_usage_error(command, "there is no interface '%s'", request->interface);
    else if (count < 0)
        tool_say("%s: %s\n", text, strerror(errno));
    return count;
}

/** "coap://10.0.0.1 21.5"; where there is no payload, what its code says. */
void tool_print_found(const tool_found_t *found)
{
    const copal_bytes_t payload = {found->payload, found->size};
    if (COPAL_CODE_CLASS(found->code) != 2) {
        fprintf(stderr, "copal: %s: ", found->uri);
        tool_print_code(stderr, found->code);
        fputs(found->size ? ": " : "", stderr);
        tool_print_safe(stderr, payload);
        fputc('\n', stderr);
        return;
    }
    printf("%s ", found->uri);
    if (found->size || found->code == COPAL_CONTENT) {
        tool_print_state(&(tool_state_t){found->code, -1, found->content_format, payload}, false);
    } else {
        tool_print_code(stdout, found->code);
        putchar('\n');
    }
}

static bool is_for_one(const tool_request_t *request)
{
    return request->output || request->resume || request->ask.etag.size || request->ask.block_size;
}

int tool_ask_group(const tool_command_t *command, const tool_request_t *request,
                   void (*tell)(const tool_found_t *found), void (*print)(const tool_found_t *found, size_t count))
{
    copal_peer_t group, peers[COPAL_INTERFACES];
    char text[64];
    uint16_t port;
    if (is_for_one(request))
        return tool_option_error(command, "--output, --continue, --etag and --block-size are for one host, not for a group");
    if (copal_peers_from_uri(&group, 1, request->ask.uri) < 1)
        return tool_usage_error(command, "'%s': there is no such interface", request->ask.uri);
    copal_peer_to_text(&group, text, sizeof text, &port);
    const int count = tool_group_peers(command, request, text, port, peers, COPAL_INTERFACES);
    if (count < 0)
        return count == COPAL_EINVAL ? TOOL_USAGE : TOOL_REFUSED;
    return tool_ask_peers(request, peers, (size_t)count, tell, print);
}
