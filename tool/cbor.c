/* CBOR for people: the diagnostic notation of RFC 8949 section 8, laid out as JSON is. libcbor takes the items apart; what
 * is not well-formed, or of which it cannot tell everything, is not printed at all. */
#include "tool.h"

#include <cbor.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32 };

typedef enum { ARRAY, MAP, TAG, OCTETS, TEXT } kind_t;

/** Something that has items in it. Those of OCTETS and TEXT are the chunks of a string of indefinite length. */
typedef struct {
    kind_t kind;
    bool indefinite;
    uint64_t count; /* items it has; a map twice its pairs */
    uint64_t at;    /* items that came */
} level_t;

typedef struct {
    FILE *out; /* NULL: it is only looked whether all can be printed */
    bool failed;
    size_t depth;
    level_t levels[DEEPEST];
} printer_t;

static const char *const opening[] = {"[", "{", "", "(_ ", "(_ "}, *const closing[] = {"]", "}", ")", ")", ")"};

__attribute__((format(printf, 2, 3))) static void say(printer_t *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (p->out)
        vfprintf(p->out, format, arguments);
    va_end(arguments);
}

static level_t *top(printer_t *p)
{
    return p->depth ? &p->levels[p->depth - 1] : NULL;
}

static void new_line(printer_t *p)
{
    say(p, "\n");
    for (size_t i = 0; i < p->depth; i++)
        say(p, "%s", p->levels[i].kind <= MAP ? "  " : "");
}

/** What stands before an item. Chunks of a string can only be strings of the same kind. */
static void before(printer_t *p, kind_t kind)
{
    const level_t *level = top(p);
    if (!level)
        return;
    if (level->kind >= OCTETS) {
        p->failed |= kind != level->kind;
        say(p, "%s", level->at ? ", " : "");
    } else if (level->kind == MAP && level->at % 2) {
        say(p, ": ");
    } else if (level->kind != TAG) {
        say(p, "%s", level->at ? "," : "");
        new_line(p);
    }
}

static void close_level(printer_t *p)
{
    level_t *level = top(p);
    p->depth--;
    if (level->kind <= MAP && level->at)
        new_line(p);
    else if (level->kind <= MAP && level->indefinite)
        say(p, " ");
    say(p, "%s", closing[level->kind]);
}

/** An item is there; so may be what it was the last one of. */
static void after(printer_t *p)
{
    for (level_t *level = top(p); level; level = top(p)) {
        level->at++;
        if (level->indefinite || level->at < level->count)
            return;
        close_level(p);
    }
}

static void open_level(printer_t *p, kind_t kind, bool indefinite, uint64_t count)
{
    before(p, kind < OCTETS ? kind : ARRAY); /* a string of chunks is no chunk */
    if (p->depth == DEEPEST) {
        p->failed = true;
        return;
    }
    p->levels[p->depth++] = (level_t){kind, indefinite, count, 0};
    say(p, "%s%s", opening[kind], indefinite && kind <= MAP ? "_" : "");
    if (!indefinite && count == 0) {
        close_level(p);
        after(p);
    }
}

/* ---- what libcbor calls ------------------------------------------------------------------------------ */

static void on_uint(printer_t *p, uint64_t value)
{
    before(p, ARRAY);
    say(p, "%llu", (unsigned long long)value);
    after(p);
}

static void on_negative(printer_t *p, uint64_t value)
{
    before(p, ARRAY);
    if (value == UINT64_MAX)
        say(p, "-18446744073709551616");
    else
        say(p, "-%llu", (unsigned long long)value + 1);
    after(p);
}

/** As few digits as tell the number from every other one. */
static void say_shortest(printer_t *p, double value)
{
    char text[40];
    int digits = 1;
    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (strtod(text, NULL) != value && digits++ < 17);
    say(p, "%s", text);
}

static void on_double(void *context, double value)
{
    before(context, ARRAY);
    if (isnan(value))
        say(context, "NaN");
    else if (isinf(value))
        say(context, value < 0 ? "-Infinity" : "Infinity");
    else if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value)
        say(context, "%.1f", value);
    else
        say_shortest(context, value);
    after(context);
}

static void on_uint8(void *context, uint8_t value)
{
    on_uint(context, value);
}

static void on_uint16(void *context, uint16_t value)
{
    on_uint(context, value);
}

static void on_uint32(void *context, uint32_t value)
{
    on_uint(context, value);
}

static void on_uint64(void *context, uint64_t value)
{
    on_uint(context, value);
}

static void on_negative8(void *context, uint8_t value)
{
    on_negative(context, value);
}

static void on_negative16(void *context, uint16_t value)
{
    on_negative(context, value);
}

static void on_negative32(void *context, uint32_t value)
{
    on_negative(context, value);
}

static void on_negative64(void *context, uint64_t value)
{
    on_negative(context, value);
}

static void on_float(void *context, float value)
{
    on_double(context, value);
}

static void on_word(printer_t *p, const char *word)
{
    before(p, ARRAY);
    say(p, "%s", word);
    after(p);
}

static void on_null(void *context)
{
    on_word(context, "null");
}

static void on_undefined(void *context)
{
    on_word(context, "undefined");
}

static void on_boolean(void *context, bool value)
{
    on_word(context, value ? "true" : "false");
}

static void on_octets(void *context, cbor_data data, size_t size)
{
    before(context, OCTETS);
    say(context, "h'");
    for (size_t i = 0; i < size; i++)
        say(context, "%02x", data[i]);
    say(context, "'");
    after(context);
}

/** Text as JSON has it, with what could steer a terminal as \u001b. UTF-8 it must be (RFC 8949 section 3.1). */
static void on_text(void *context, cbor_data data, size_t size)
{
    printer_t *p = context;
    before(p, TEXT);
    say(p, "\"");
    for (copal_bytes_t rest = {data, size}; rest.size && !p->failed;) {
        size_t length = tool_utf8(rest), control = rest.data[0] < 0x80 ? 1 : rest.data[0] == 0xc2 ? 2 : 0;
        if (length)
            say(p, "%s%.*s", strchr("\"\\", *rest.data) ? "\\" : "", (int)length, (const char *)rest.data);
        else if (control && control <= rest.size && (control == 1 || (rest.data[1] & 0xc0) == 0x80))
            say(p, "\\u%04x", rest.data[control - 1]); /* U+0080 to U+009F have their number in the second octet */
        else
            p->failed = true;
        length += length ? 0 : control;
        rest.data += length;
        rest.size -= length;
    }
    say(p, "\"");
    after(p);
}

static void on_array(void *context, size_t count)
{
    open_level(context, ARRAY, false, count);
}

static void on_long_array(void *context)
{
    open_level(context, ARRAY, true, 0);
}

static void on_long_map(void *context)
{
    open_level(context, MAP, true, 0);
}

static void on_long_octets(void *context)
{
    open_level(context, OCTETS, true, 0);
}

static void on_long_text(void *context)
{
    open_level(context, TEXT, true, 0);
}

static void on_map(void *context, size_t pairs)
{
    printer_t *p = context;
    if (pairs > SIZE_MAX / 2)
        p->failed = true;
    else
        open_level(p, MAP, false, 2 * (uint64_t)pairs);
}

static void on_tag(void *context, uint64_t number)
{
    open_level(context, TAG, false, 1);
    say(context, "%llu(", (unsigned long long)number);
}

static void on_break(void *context)
{
    printer_t *p = context;
    const level_t *level = top(p);
    if (!level || !level->indefinite || (level->kind == MAP && level->at % 2)) {
        p->failed = true;
        return;
    }
    close_level(p);
    after(p);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negative8,
    .negint16 = on_negative16,
    .negint32 = on_negative32,
    .negint64 = on_negative64,
    .byte_string = on_octets,
    .byte_string_start = on_long_octets,
    .string = on_text,
    .string_start = on_long_text,
    .array_start = on_array,
    .indef_array_start = on_long_array,
    .map_start = on_map,
    .indef_map_start = on_long_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_undefined,
    .null = on_null,
    .boolean = on_boolean,
    .indef_break = on_break,
};

static bool print(FILE *out, copal_bytes_t rest)
{
    printer_t p = {.out = out};
    do {
        struct cbor_decoder_result item = cbor_stream_decode(rest.data, rest.size, &callbacks, &p);
        if (item.status != CBOR_DECODER_FINISHED)
            return false;
        rest.data += item.read;
        rest.size -= item.read;
    } while (p.depth && !p.failed);
    return !p.failed && rest.size == 0;
}

bool tool_print_cbor(copal_bytes_t octets)
{
    return print(NULL, octets) && print(stdout, octets) && putchar('\n') != EOF;
}
