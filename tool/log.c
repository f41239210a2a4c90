#define _POSIX_C_SOURCE 200809L
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 512, ADDRESS = 64 };

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const names[TOOL_EVENTS] = {
    "problem", "listening", "reloaded", "stopping",         "change",        "denied",        "received",
    "sent",    "begun",     "over",     "handshake_failed", "session_begun", "session_ended", "network_cut"};

/* The process has one standard error. What changes after tool_log_open does so with stderr locked. */
static tool_level_t wanted = TOOL_INFO;
static bool json, journal;
static unsigned printed[TOOL_EVENTS], suppressed[TOOL_EVENTS];

bool tool_log_level(const char *value)
{
    for (size_t i = 0; levels[i]; i++)
        if (strcmp(value, levels[i]) == 0) {
            wanted = (tool_level_t)i;
            return true;
        }
    return false;
}

bool tool_log_format(const char *value)
{
    json = strcmp(value, "json") == 0;
    return json || strcmp(value, "text") == 0;
}

bool tool_log_wants(tool_level_t level)
{
    return level <= wanted;
}

/** Whether standard error is the journal's, as JOURNAL_STREAM says (systemd.exec(5)): device and inode. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[LINE];
    struct stat status;
    if (!stream || fstat(STDERR_FILENO, &status) < 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/** A string of JSON. What is no printable UTF-8 is shown as elsewhere, as \xNN. Without json-c, which may not survive that
 *  there is no memory. */
static void print_string(const char *name, copal_bytes_t text)
{
    fprintf(stderr, ",\"%s\":\"", name);
    for (size_t at = 0, size; at < text.size; at += size) {
        const uint8_t *octet = text.data + at;
        size = tool_utf8((copal_bytes_t){octet, text.size - at});
        if (size == 0) {
            fprintf(stderr, "\\\\x%02x", *octet);
            size = 1;
            continue;
        }
        if (*octet == '"' || *octet == '\\')
            fputc('\\', stderr);
        fwrite(octet, 1, size, stderr);
    }
    fputc('"', stderr);
}

/** Locks the stream and begins a line, of JSON with what every event has. False: it is not wanted, or too many came. */
static bool begin(tool_level_t level, tool_event_name_t name)
{
    static const int priorities[] = {3, 4, 6, 7}; /* sd-daemon(3) */
    if (!tool_log_wants(level))
        return false;
    flockfile(stderr);
    if (level < TOOL_DEBUG && printed[name] >= TOOL_LOG_MOST) {
        suppressed[name]++;
        funlockfile(stderr);
        return false;
    }
    printed[name]++;
    if (journal)
        fprintf(stderr, "<%d>", priorities[level]);
    if (json) {
        char at[TOOL_TIME];
        tool_write_time(at);
        fprintf(stderr, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", at, levels[level], names[name]);
    }
    return true;
}

static void end(void)
{
    fputs(json ? "}\n" : "\n", stderr);
    funlockfile(stderr);
}

__attribute__((format(printf, 3, 0))) static void tell(tool_level_t level, tool_event_name_t name, const char *format,
                                                       va_list arguments)
{
    char text[LINE];
    if (!begin(level, name))
        return;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    if (json)
        print_string("message", copal_text(text));
    else
        fprintf(stderr, "copal: %s", text);
    end();
}

void tool_log(tool_level_t level, tool_event_name_t name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(level, name, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
    tell(TOOL_ERROR, TOOL_EVENT_PROBLEM, format, arguments);
}

void tool_log_open(void)
{
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a line is one write, not one for each of its parts */
    journal = is_journal();
    if (json)
        tool_say_by(say);
}

void tool_log_second(void)
{
    unsigned missing[TOOL_EVENTS];
    flockfile(stderr);
    memcpy(missing, suppressed, sizeof missing);
    memset(suppressed, 0, sizeof suppressed);
    memset(printed, 0, sizeof printed);
    funlockfile(stderr);
    for (size_t i = 0; i < TOOL_EVENTS; i++)
        if (missing[i] > 0)
            tool_log(TOOL_WARN, (tool_event_name_t)i, "suppressed %u more lines of this second: %s", missing[i],
                     names[i]);
}

/* ---- events -------------------------------------------------------------------------------------------- */

void tool_log_condition(const char *what, bool begun, const char *text)
{
    if (!begin(begun ? TOOL_WARN : TOOL_INFO, begun ? TOOL_EVENT_BEGUN : TOOL_EVENT_OVER))
        return;
    if (json) {
        print_string("what", copal_text(what));
        print_string("message", copal_text(text));
    } else {
        fprintf(stderr, "copal: %s: %s", what, text);
    }
    end();
}

void tool_log_listening(const char *uri)
{
    if (!json || !begin(TOOL_INFO, TOOL_EVENT_LISTENING))
        return;
    print_string("uri", copal_text(uri));
    end();
}

static void print_peer(const copal_peer_t *peer)
{
    char address[ADDRESS];
    uint16_t port;
    copal_peer_to_text(peer, address, sizeof address, &port);
    if (json) {
        print_string("peer", copal_text(address));
        fprintf(stderr, ",\"port\":%u", (unsigned)port);
    } else {
        fprintf(stderr, " by %s port %u: ", address, (unsigned)port);
    }
}

/** By its prefix: "192.0.2.0/24". */
static void print_network(const copal_event_t *event)
{
    char network[ADDRESS + 8];
    uint16_t port;
    copal_peer_t first = *event->peer;
    memset(first.data + event->network, 0, first.size - (size_t)event->network);
    copal_peer_to_text(&first, network, ADDRESS, &port);
    snprintf(network + strlen(network), 8, "/%u", 8u * event->network);
    if (json)
        print_string("network", copal_text(network));
    else
        fprintf(stderr, "copal: to %s no more may go without proof (--guard)", network);
}

static void print_client(const char *what, const copal_event_t *event)
{
    const char *reason = event->reason ? event->reason : event->status ? copal_error_text(event->status) : NULL;
    if (!json)
        fprintf(stderr, "copal: %s", what);
    print_peer(event->peer);
    if (json && reason)
        print_string("message", copal_text(reason));
    else if (!json)
        fputs(reason ? reason : "begun", stderr);
}

void tool_log_event(void *user, const copal_event_t *event)
{
    static const struct {
        tool_level_t level;
        tool_event_name_t name;
        const char *what;
    } kinds[] = {
        [COPAL_HANDSHAKE_FAILED] = {TOOL_WARN, TOOL_EVENT_HANDSHAKE_FAILED, "handshake"},
        [COPAL_SESSION_BEGUN] = {TOOL_DEBUG, TOOL_EVENT_SESSION_BEGUN, "session"},
        [COPAL_SESSION_ENDED] = {TOOL_DEBUG, TOOL_EVENT_SESSION_ENDED, "session"},
        [COPAL_NETWORK_CUT] = {TOOL_WARN, TOOL_EVENT_NETWORK_CUT, NULL},
    };
    (void)user;
    if (!begin(kinds[event->kind].level, kinds[event->kind].name))
        return;
    if (event->kind == COPAL_NETWORK_CUT)
        print_network(event);
    else
        print_client(kinds[event->kind].what, event);
    end();
}

/** A code as a number with a dot, which programs compare; methods by their name. */
static void print_code(copal_code_t code)
{
    if (code >> 5 == 0)
        print_string("method", copal_text(copal_code_text(code)));
    else
        fprintf(stderr, ",\"code\":\"%u.%02u\"", (unsigned)code >> 5, (unsigned)code & 31);
}

static void print_change(const copal_directory_change_t *change)
{
    tool_print_code(stderr, change->method);
    fputs(" /", stderr);
    tool_print_safe(stderr, copal_text(change->path));
    print_peer(change->peer);
    tool_print_code(stderr, change->code);
    if (change->method != COPAL_DELETE)
        fprintf(stderr, ", %" PRIu64 " octets came", change->size);
}

void tool_log_change(void *user, const copal_directory_change_t *change)
{
    const bool done = change->code >> 5 == 2;
    (void)user;
    if (!begin(done ? TOOL_DEBUG : TOOL_WARN, done ? TOOL_EVENT_CHANGE : TOOL_EVENT_DENIED))
        return;
    if (json) {
        print_peer(change->peer);
        print_code(change->method);
        print_code(change->code);
        print_string("path", copal_text(change->path));
        fprintf(stderr, ",\"octets\":%" PRIu64, change->size);
    } else {
        print_change(change);
    }
    end();
}

/** Prints what `write` writes as a string of JSON. */
static void print_written(const char *name, copal_bytes_t datagram, void (*write)(FILE *stream, copal_bytes_t datagram))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream) {
        write(stream, datagram);
        fclose(stream);
        print_string(name, (copal_bytes_t){(const uint8_t *)text, size});
    }
    free(text);
}

/** The path that a request asks for, as in its URI but for the first slash, and nothing escaped. */
static void write_path(FILE *stream, copal_bytes_t datagram)
{
    copal_message_t message;
    copal_option_t option;
    if (copal_message_parse(&message, datagram) < 0)
        return;
    copal_option_reader_t reader = copal_message_options(&message);
    for (bool first = true; copal_option_next(&reader, &option);)
        if (option.number == COPAL_OPTION_URI_PATH) {
            fputs(first ? "" : "/", stream);
            fwrite(option.value.data, 1, option.value.size, stream);
            first = false;
        }
}

static void print_message(copal_bytes_t datagram)
{
    if (datagram.size > 1 && datagram.data[1] != COPAL_EMPTY) {
        print_code(datagram.data[1]);
        if (datagram.data[1] >> 5 == 0)
            print_written("path", datagram, write_path);
    }
    print_written("message", datagram, tool_print_message);
}

void tool_log_message(void *user, bool outgoing, const copal_peer_t *peer, copal_bytes_t datagram)
{
    if (!begin(TOOL_DEBUG, outgoing ? TOOL_EVENT_SENT : TOOL_EVENT_RECEIVED))
        return;
    if (!json) {
        tool_trace(user, outgoing, peer, datagram); /* with the end of its line */
        funlockfile(stderr);
        return;
    }
    print_peer(peer);
    print_message(datagram);
    end();
}
