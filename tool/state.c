/* A state of an observed resource on a line of its own: for people, or as JSON. */
#define _POSIX_C_SOURCE 200809L
#include "observe.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), most = strlen(end);
    return size >= most && strcmp(text + size - most, end) == 0;
}

/** Whether the Content-Format says that it is no text. */
static bool is_binary(int32_t content_format)
{
    const char *name = content_format < 0 ? NULL : copal_content_format_text((uint16_t)content_format);
    return name && strncmp(name, "text/", 5) != 0 && !ends_with(name, "json") && !ends_with(name, "xml") &&
           !ends_with(name, "/link-format") && !ends_with(name, "/javascript");
}

/** Without a Content-Format, what can be read as text is text. */
static bool is_text(const tool_state_t *state)
{
    copal_bytes_t rest = state->payload;
    if (is_binary(state->content_format))
        return false;
    while (rest.size) {
        bool space = strchr("\t\n\r", *rest.data) && *rest.data;
        size_t size = space ? 1 : tool_utf8(rest);
        if (!size)
            return false;
        rest.data += size;
        rest.size -= size;
    }
    return true;
}

static void print_time(void)
{
    char text[32];
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&now.tv_sec, &parts));
    tool_colour(stdout, TOOL_DIM);
    printf("%s.%03d", text, (int)(now.tv_nsec / 1000000));
    tool_colour(stdout, TOOL_PLAIN);
    fputs("  ", stdout);
}

void tool_print_state(const tool_state_t *state, bool with_time)
{
    copal_bytes_t payload = state->payload;
    if (with_time)
        print_time();
    if (tool_print_as_cbor(state->content_format, payload))
        return;
    if (!is_text(state)) {
        tool_print_hex(stdout, payload);
    } else {
        if (payload.size && payload.data[payload.size - 1] == '\n')
            payload.size--; /* the line has its own */
        tool_print_safe(stdout, payload);
    }
    putchar('\n');
}

static struct json_object *hex(copal_bytes_t octets)
{
    static const char digits[] = "0123456789abcdef";
    struct json_object *string = NULL;
    char *text = malloc(2 * octets.size + 1);
    for (size_t i = 0; text && i < octets.size; i++) {
        text[2 * i] = digits[octets.data[i] >> 4];
        text[2 * i + 1] = digits[octets.data[i] & 15];
    }
    if (text)
        string = json_object_new_string_len(text, (int)(2 * octets.size));
    free(text);
    return string;
}

void tool_print_state_json(const tool_state_t *state)
{
    struct json_object *object = json_object_new_object();
    copal_bytes_t payload = state->payload;
    char code[8], time[TOOL_TIME];
    snprintf(code, sizeof code, "%u.%02u", COPAL_CODE_CLASS(state->code), COPAL_CODE_DETAIL(state->code));
    tool_write_time(time);
    json_object_object_add(object, "time", json_object_new_string(time));
    json_object_object_add(object, "code", json_object_new_string(code));
    if (state->observe >= 0)
        json_object_object_add(object, "observe", json_object_new_int64(state->observe));
    if (state->content_format >= 0)
        json_object_object_add(object, "content_format", json_object_new_int(state->content_format));
    if (is_text(state))
        json_object_object_add(object, "payload", json_object_new_string_len(payload.size ? (const char *)payload.data : "", (int)payload.size));
    else
        json_object_object_add(object, "payload_hex", hex(payload));
    const char *line = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    puts(line ? line : "{}");
    json_object_put(object);
}
