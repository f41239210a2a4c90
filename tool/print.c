/* Printing: octets from the network made safe for a terminal, codes, option values, payloads. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void tool_colour(FILE *stream, tool_colour_t colour)
{
    static const char *const codes[] = {"0", "32", "31", "36", "2"};
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (isatty(fileno(stream)) && !(no_color && *no_color) && !(terminal && strcmp(terminal, "dumb") == 0))
        fprintf(stream, "\033[%sm", codes[colour]);
}

size_t tool_utf8(copal_bytes_t text)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0, 0x20}, {0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t size = 1; size <= 4 && size <= text.size; size++) {
        if ((text.data[0] & forms[size - 1].mask) != forms[size - 1].lead)
            continue;
        uint32_t character = text.data[0] & (uint8_t)~forms[size - 1].mask;
        for (size_t i = 1; i < size; i++) {
            if ((text.data[i] & 0xc0) != 0x80)
                return 0;
            character = character << 6 | (text.data[i] & 0x3fu);
        }
        bool surrogate = character >= 0xd800 && character <= 0xdfff;
        return character >= forms[size - 1].least && character != 0x7f && character <= 0x10ffff && !surrogate ? size
                                                                                                              : 0;
    }
    return 0;
}

void tool_print_safe(FILE *stream, copal_bytes_t text)
{
    while (text.size) {
        size_t size = tool_utf8(text);
        if (size)
            fwrite(text.data, 1, size, stream);
        else
            fprintf(stream, "\\x%02x", text.data[0]);
        text.data += size ? size : 1;
        text.size -= size ? size : 1;
    }
}

void tool_write_time(char out[TOOL_TIME])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    const size_t size = strftime(out, TOOL_TIME, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    snprintf(out + size, TOOL_TIME - size, ".%03uZ", (unsigned)(now.tv_nsec / 1000000) % 1000);
}

void tool_print_hex(FILE *stream, copal_bytes_t octets)
{
    fputs("0x", stream);
    for (size_t i = 0; i < octets.size; i++)
        fprintf(stream, "%02x", octets.data[i]);
}

void tool_print_code(FILE *stream, copal_code_t code)
{
    const char *text = copal_code_text(code);
    if (COPAL_CODE_CLASS(code) != 0)
        fprintf(stream, "%u.%02u%s%s", COPAL_CODE_CLASS(code), COPAL_CODE_DETAIL(code), *text ? " " : "", text);
    else if (*text)
        fputs(text, stream);
    else
        fprintf(stream, "0.%02u", COPAL_CODE_DETAIL(code));
}

static void print_uint(FILE *stream, const copal_option_t *option)
{
    uint32_t value = copal_option_uint(option);
    const char *format = NULL;
    copal_block_t block;
    switch (option->number) {
    case COPAL_OPTION_CONTENT_FORMAT:
    case COPAL_OPTION_ACCEPT:
        format = copal_content_format_text((uint16_t)value);
        break;
    case COPAL_OPTION_BLOCK1:
    case COPAL_OPTION_BLOCK2:
        if (copal_block_decode(&block, value) == 0) {
            fprintf(stream, "%u/%c/%u", block.number, block.more ? 'M' : '-', 16u << block.szx);
            return;
        }
        break;
    }
    if (format)
        fputs(format, stream);
    else
        fprintf(stream, "%u", value);
}

void tool_print_option_value(FILE *stream, const copal_option_t *option)
{
    const copal_option_definition_t *definition = copal_option_definition(option->number);
    switch (definition ? definition->format : COPAL_FORMAT_OPAQUE) {
    case COPAL_FORMAT_STRING:
        fputc('"', stream);
        tool_print_safe(stream, option->value);
        fputc('"', stream);
        break;
    case COPAL_FORMAT_UINT:
        print_uint(stream, option);
        break;
    default:
        tool_print_hex(stream, option->value);
    }
}

enum { CONCISE_PROBLEM_DETAILS = 257 };

/** Whether a Content-Format is of this syntax, "json" or "cbor": by its name or its suffix. */
static bool is_of(int32_t content_format, const char *syntax)
{
    const char *name = content_format < 0 ? NULL : copal_content_format_text((uint16_t)content_format);
    size_t size = name ? strlen(name) : 0, tail = strlen(syntax);
    return size > tail && strcmp(name + size - tail, syntax) == 0 && strchr("/+", name[size - tail - 1]);
}

bool tool_print_as_cbor(int32_t content_format, copal_bytes_t payload)
{
    bool problem = content_format == CONCISE_PROBLEM_DETAILS;
    if (!isatty(STDOUT_FILENO) || (!problem && (!payload.size || !is_of(content_format, "cbor"))))
        return false;
    if (!(problem ? tool_print_problem(payload) : tool_print_cbor(payload))) {
        tool_print_hex(stdout, payload);
        putchar('\n');
    }
    return true;
}

/** Prints octets for people: lines and tabs are kept, and what else could steer a terminal is seen. */
static void print_for_terminal(copal_bytes_t text)
{
    while (text.size) {
        copal_bytes_t part = {text.data, 0};
        while (part.size < text.size && text.data[part.size] != '\n' && text.data[part.size] != '\t')
            part.size++;
        tool_print_safe(stdout, part);
        if (part.size < text.size)
            putchar(text.data[part.size++]);
        text.data += part.size;
        text.size -= part.size;
    }
}

void tool_print_payload(const copal_answer_t *answer)
{
    copal_bytes_t payload = {answer->payload, answer->size};
    bool terminal = isatty(STDOUT_FILENO);
    if (terminal && answer->content_format == 40 && tool_print_links(payload))
        return;
    if (tool_print_as_cbor(answer->content_format, payload))
        return;
    char *pretty = terminal && is_of(answer->content_format, "json") ? tool_json_pretty(payload) : NULL;
    if (pretty)
        payload = copal_text(pretty);
    if (terminal)
        print_for_terminal(payload);
    else if (payload.size)
        fwrite(payload.data, 1, payload.size, stdout);
    if (terminal && payload.size && payload.data[payload.size - 1] != '\n')
        putchar('\n');
    free(pretty);
}
