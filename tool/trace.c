/* Messages as lines: for -v, and for whoever tells what was sent and what came. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <string.h>

enum { PREVIEW = 48 };

/** A peer as in a URI: IPv6 in brackets. */
static void print_peer(const copal_peer_t *peer)
{
    char address[64];
    uint16_t port;
    copal_peer_to_text(peer, address, sizeof address, &port);
    fprintf(stderr, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, (unsigned)port);
}

static void print_options(FILE *stream, const copal_message_t *message)
{
    copal_option_reader_t reader = copal_message_options(message);
    copal_option_t option;
    while (copal_option_next(&reader, &option)) {
        const copal_option_definition_t *definition = copal_option_definition(option.number);
        if (definition)
            fprintf(stream, " %s", copal_option_text(option.number));
        else
            fprintf(stream, " Option-%u", (unsigned)option.number);
        if (definition && definition->format == COPAL_FORMAT_EMPTY)
            continue;
        fputc('=', stream);
        tool_print_option_value(stream, &option);
    }
}

/** The size and the start of a payload: as text where it is text, else in hexadecimal. */
static void print_preview(FILE *stream, copal_bytes_t payload)
{
    fprintf(stream, " payload=%zu", payload.size);
    copal_bytes_t text = {payload.data, 0};
    size_t size = 1;
    while (size && text.size < payload.size && text.size < PREVIEW) {
        size = tool_utf8((copal_bytes_t){payload.data + text.size, payload.size - text.size});
        text.size += size;
    }
    fputc(' ', stream);
    if (size) {
        fputc('"', stream);
        tool_print_safe(stream, text);
        fputc('"', stream);
    } else {
        text.size = payload.size < PREVIEW / 2 ? payload.size : PREVIEW / 2;
        tool_print_hex(stream, text);
    }
    fputs(text.size < payload.size ? "..." : "", stream);
}

void tool_print_message(FILE *stream, copal_bytes_t datagram)
{
    static const char *const types[] = {"CON", "NON", "ACK", "RST"};
    copal_message_t message;
    int error = copal_message_parse(&message, datagram);
    if (error) {
        fprintf(stream, "%zu octets: %s", datagram.size, copal_error_text(error));
        return;
    }
    fprintf(stream, "%s ", types[message.type]);
    tool_print_code(stream, message.code);
    fprintf(stream, " mid=%u", (unsigned)message.id);
    if (message.token.size) {
        fputs(" token=", stream);
        tool_print_hex(stream, message.token);
    }
    print_options(stream, &message);
    if (message.payload.size)
        print_preview(stream, message.payload);
}

void tool_trace(void *user, bool outgoing, const copal_peer_t *peer, copal_bytes_t datagram)
{
    (void)user;
    flockfile(stderr); /* several workers may have something to show */
    tool_colour(stderr, TOOL_DIM);
    fputs(outgoing ? "-> " : "<- ", stderr);
    print_peer(peer);
    fputc(' ', stderr);
    tool_print_message(stderr, datagram);
    tool_colour(stderr, TOOL_PLAIN);
    fputc('\n', stderr);
    funlockfile(stderr);
}
