#include "writer.h"

#include <string.h>

#define FIELD_MOST (269u + 0xffffu) /* the most that an extended field can say */
#define HEAD_MOST  5u               /* octets of an option's head */

/* Where an option goes, and the option behind it, whose head is written again since its delta becomes smaller. */
typedef struct {
    size_t at;     /* offset of the new option */
    size_t rest;   /* offset of what stays as it is: past the head of the option behind */
    size_t before; /* number of the option in front */
    size_t after;  /* number of the option behind; 0: there is none */
    size_t length; /* octets of its value */
} place_t;

static inline size_t extension_size(size_t field) { return field < 13 ? 0 : field < 269 ? 1 : 2; }

/* The 4-bit field itself (RFC 7252 section 3.1, RFC 8974 section 2.1). */
static inline unsigned nibble(size_t field) { return (unsigned)(field < 13 ? field : 12 + extension_size(field)); }

static inline uint8_t *put_extension(uint8_t *at, size_t field)
{
    if (field >= 269) {
        *at++ = (uint8_t)((field - 269) >> 8);
        *at++ = (uint8_t)(field - 269);
    } else if (field >= 13) {
        *at++ = (uint8_t)(field - 13);
    }
    return at;
}

static uint8_t *put_head(uint8_t *at, size_t delta, size_t length)
{
    *at = (uint8_t)(nibble(delta) << 4 | nibble(length));
    return put_extension(put_extension(at + 1, delta), length);
}

static inline void put_bytes(uint8_t *at, copal_bytes_t bytes)
{
    if (bytes.size) /* an empty one may have no address */
        memcpy(at, bytes.data, bytes.size);
}

/* Takes `size` octets at the end of the buffer. */
static uint8_t *append(copal_writer_t *w, size_t size)
{
    if (w->size > w->capacity || size > w->capacity - w->size) {
        w->error = COPAL_ESPACE;
        return NULL;
    }
    uint8_t *at = w->data + w->size;
    w->size += size;
    return at;
}

void copal_writer_init(copal_writer_t *w, void *buffer, size_t capacity)
{
    *w = (copal_writer_t){.data = buffer, .capacity = capacity, .window = SIZE_MAX};
}

void copal_write_header(copal_writer_t *w, copal_type_t type, copal_code_t code, uint16_t id, copal_bytes_t token)
{
    if (token.size > FIELD_MOST)
        w->error = COPAL_EINVAL;
    uint8_t *at = w->error ? NULL : append(w, 4 + extension_size(token.size) + token.size);
    if (!at)
        return;
    at[0] = (uint8_t)(1u << 6 | (unsigned)type << 4 | nibble(token.size));
    at[1] = code;
    at[2] = (uint8_t)(id >> 8);
    at[3] = (uint8_t)id;
    put_bytes(put_extension(at + 4, token.size), token);
    w->options = w->size;
}

/* The place before the first option above `number`; there is one. */
static void find_place(const copal_writer_t *w, uint16_t number, place_t *place)
{
    copal_option_reader_t reader = {w->data + w->options, w->data + w->size, 0};
    copal_option_t option = {0};
    do {
        place->at = (size_t)(reader.at - w->data);
        place->before = reader.number;
    } while (copal_option_next(&reader, &option) && option.number <= number);
    place->rest = (size_t)(option.value.data - w->data);
    place->after = option.number;
    place->length = option.value.size;
}

uint8_t *copal__write_space(copal_writer_t *w, uint16_t number, size_t size)
{
    const copal_option_definition_t *known = copal_option_definition(number);
    if (!w->error && (known ? size < known->least || size > known->most : size > FIELD_MOST))
        w->error = COPAL_EINVAL;
    if (w->error)
        return NULL;
    place_t place = {.before = w->number};
    place.at = place.rest = w->payload ? w->payload - 1 : w->size;
    if (number < w->number)
        find_place(w, number, &place);

    uint8_t heads[2 * HEAD_MOST], *second = put_head(heads, number - place.before, size), *end = second;
    if (place.after)
        end = put_head(second, place.after - number, place.length);
    size_t grown = (size_t)(end - heads) + size - (place.rest - place.at), behind = w->size - place.rest;
    if (!append(w, grown))
        return NULL;
    if (number > w->number)
        w->number = number;
    if (behind)
        memmove(w->data + place.rest + grown, w->data + place.rest, behind);
    if (w->payload)
        w->payload += grown;
    uint8_t *value = w->data + place.at + (second - heads);
    memcpy(w->data + place.at, heads, (size_t)(second - heads));
    memcpy(value + size, second, (size_t)(end - second));
    return value;
}

void copal__write_remove(copal_writer_t *w, uint16_t number)
{
    copal_option_reader_t reader = {w->data + w->options, w->data + (w->payload ? w->payload - 1 : w->size), 0};
    copal_option_t option, behind;
    size_t at = w->options;
    uint16_t before = 0;
    for (; copal_option_next(&reader, &option) && option.number != number; before = option.number)
        at = (size_t)(reader.at - w->data);
    if (reader.number != number)
        return;
    size_t head = at, rest = (size_t)(reader.at - w->data);
    if (copal_option_next(&reader, &behind)) {
        rest = (size_t)(behind.value.data - w->data);
        head = (size_t)(put_head(w->data + at, behind.number - (size_t)before, behind.value.size) - w->data);
    } else {
        w->number = before;
    }
    memmove(w->data + head, w->data + rest, w->size - rest);
    w->size -= rest - head;
    if (w->payload)
        w->payload -= rest - head;
}

void copal_write_option(copal_writer_t *w, uint16_t number, copal_bytes_t value)
{
    uint8_t *at = copal__write_space(w, number, value.size);
    if (at)
        put_bytes(at, value);
}

void copal_write_option_uint(copal_writer_t *w, uint16_t number, uint32_t value)
{
    size_t size = 0;
    while (size < 4 && value >> (8 * size))
        size++;
    uint8_t *at = copal__write_space(w, number, size);
    while (at && size)
        *at++ = (uint8_t)(value >> (8 * --size));
}

void copal_write_encoded(copal_writer_t *w, copal_bytes_t options, uint16_t last)
{
    if (!w->error && w->size != w->options)
        w->error = COPAL_EINVAL;
    uint8_t *at = w->error ? NULL : append(w, options.size);
    if (!at)
        return;
    put_bytes(at, options);
    w->number = last;
}

/* Room for what the window keeps of the next `size` octets of the payload: `*kept` of them, with `*dropped` in front.
 * NULL: it keeps none. */
static uint8_t *pass(copal_writer_t *w, size_t size, size_t *dropped, size_t *kept)
{
    size_t drop = w->total < w->skip ? w->skip - w->total : 0;
    size_t before = w->payload ? w->size - w->payload : 0;
    w->total += size;
    if (w->error || drop >= size || before >= w->window)
        return NULL;
    *dropped = drop;
    *kept = size - drop < w->window - before ? size - drop : w->window - before;
    uint8_t *at = append(w, *kept + !before);
    if (at && !before) {
        *at++ = COPAL__PAYLOAD_MARKER;
        w->payload = (size_t)(at - w->data);
    }
    return at;
}

/* Room for the next `size` octets of a payload that is kept whole. NULL: it is not, or the window has all of it as yet. */
static uint8_t *spill(copal_writer_t *w, size_t size)
{
    bool spills = w->spill && !w->error && size && (w->total > w->window || size > w->window - w->total);
    return spills ? w->spill->take(w->spill, w, size) : NULL;
}

void copal_write_payload(copal_writer_t *w, copal_bytes_t part)
{
    size_t dropped, kept;
    uint8_t *whole = spill(w, part.size);
    if (whole)
        memcpy(whole, part.data, part.size);
    uint8_t *at = pass(w, part.size, &dropped, &kept);
    if (at)
        memcpy(at, part.data + dropped, kept);
}

bool copal__written(const copal_writer_t *w, uint16_t number, copal_option_t *option)
{
    const size_t end = w->payload ? w->payload - 1 : w->size;
    const copal_message_t m = {.options = {w->data + w->options, end - w->options}};
    return copal_option_find(&m, number, option);
}

/* Most often the window keeps all of it. */
void copal__write_kept(copal_writer_t *w, const uint8_t *kept, size_t head, uint16_t last, size_t size)
{
    const size_t payload = head + (size > 0), whole = payload + size;
    if (w->error || w->skip || size > w->window) {
        copal_write_encoded(w, (copal_bytes_t){kept, head}, last);
        copal_write_payload(w, (copal_bytes_t){kept + payload, size});
        return;
    }
    uint8_t *at = append(w, whole);
    if (!at)
        return;
    memcpy(at, kept, whole);
    w->number = last;
    w->total = size;
    w->payload = size ? w->size - size : 0;
}

void copal_write_body(copal_writer_t *w, size_t total, copal_read_t read, void *context)
{
    size_t dropped, kept;
    uint8_t *whole = spill(w, total);
    uint8_t *at = pass(w, total, &dropped, &kept);
    int error = whole ? read(context, 0, whole, total) : at ? read(context, dropped, at, kept) : 0;
    if (error)
        w->error = error;
    else if (whole && at)
        memcpy(at, whole + dropped, kept);
}

void copal_write_text(copal_writer_t *w, const char *text)
{
    copal_write_payload(w, copal_text(text));
}

int copal_writer_finish(const copal_writer_t *w, copal_bytes_t *datagram)
{
    *datagram = (copal_bytes_t){w->data, w->error ? 0 : w->size};
    return w->error;
}
