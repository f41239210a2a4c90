/* Concise Problem Details (RFC 9290) for people: where title and detail are all there is, which is what copal's own errors
 * have, those two; else the CBOR that it is. */
#include "tool.h"

#include <cbor.h>

enum { TITLE = 0, DETAIL = 1, MEMBERS }; /* -1 - the key (section 2) */

/** What an item turned out to be. */
typedef struct {
    enum { OTHER, MAP, NEGATIVE, TEXT } kind;
    size_t number; /* pairs of a map; -1 - a negative number */
    copal_bytes_t text;
} item_t;

static void on_map(void *context, size_t pairs)
{
    *(item_t *)context = (item_t){.kind = MAP, .number = pairs};
}

static void on_negative(void *context, uint8_t number)
{
    *(item_t *)context = (item_t){.kind = NEGATIVE, .number = number};
}

static void on_text(void *context, cbor_data data, size_t size)
{
    *(item_t *)context = (item_t){.kind = TEXT, .text = {data, size}};
}

/** Takes an item off the front. */
static item_t next(copal_bytes_t *rest)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    callbacks.map_start = on_map;
    callbacks.negint8 = on_negative;
    callbacks.string = on_text;
    item_t item = {.kind = OTHER};
    struct cbor_decoder_result result = cbor_stream_decode(rest->data, rest->size, &callbacks, &item);
    rest->data += result.read;
    rest->size -= result.read;
    return result.status == CBOR_DECODER_FINISHED ? item : (item_t){.kind = OTHER};
}

/** Reads a map of nothing but title and detail. */
static bool read_texts(copal_bytes_t rest, copal_bytes_t texts[MEMBERS])
{
    item_t map = next(&rest);
    if (map.kind != MAP || map.number == 0)
        return false;
    while (map.number--) {
        item_t key = next(&rest), value = next(&rest);
        if (key.kind != NEGATIVE || key.number >= MEMBERS || value.kind != TEXT)
            return false;
        texts[key.number] = value.text;
    }
    return rest.size == 0;
}

bool tool_print_problem(copal_bytes_t octets)
{
    copal_bytes_t texts[MEMBERS] = {{0}};
    if (!read_texts(octets, texts))
        return tool_print_cbor(octets);
    tool_print_safe(stdout, texts[TITLE]);
    if (texts[TITLE].size && texts[DETAIL].size)
        fputs(": ", stdout);
    tool_print_safe(stdout, texts[DETAIL]);
    putchar('\n');
    return true;
}
