/* The codec. What is parsed lies in the datagram and is written back to the octet, in whatever order; a buffer that is one
 * octet too small is an error and nothing else. */
#include "common/input.h"
#include "message/writer.h"
#include "support/check.h"

static bool has_legal_length(const copal_option_t *option)
{
    const copal_option_definition_t *known = copal_option_definition(option->number);
    return !known || (option->value.size >= known->least && option->value.size <= known->most);
}

/* An empty payload has no address that could be added to. */
static copal_bytes_t part_of(copal_bytes_t octets, size_t offset, size_t size)
{
    return size ? (copal_bytes_t){octets.data + offset, size} : (copal_bytes_t){0};
}

static void check_within(copal_bytes_t view, copal_bytes_t datagram)
{
    if (view.size)
        check(view.data >= datagram.data && view.data + view.size <= datagram.data + datagram.size);
}

/* Views and order of the options; whether all are of a length that their definitions allow. */
static bool check_options(const copal_message_t *message, copal_bytes_t datagram)
{
    copal_option_reader_t reader = copal_message_options(message);
    copal_option_t option, found;
    bool legal = true;
    for (uint16_t before = 0; copal_option_next(&reader, &option); before = option.number) {
        check(option.number >= before);
        check_within(option.value, datagram);
        legal = legal && has_legal_length(&option);
        const bool is_found = copal_option_find(message, option.number, &found);
        check(!is_found || (found.number == option.number && has_legal_length(&found)));
        if (has_legal_length(&option))
            check(is_found && found.value.data <= option.value.data);
        if (option.number == COPAL_OPTION_BLOCK1 && has_legal_length(&option)) {
            copal_block_t block;
            const uint32_t value = copal_option_uint(&option);
            check_equal(copal_block_decode(&block, value), (value & 7) == 7 ? COPAL_EINVAL : 0);
            check_equal(copal_block_encode(&block), value);
        }
    }
    return legal;
}

typedef enum { IN_ORDER, CRITICAL_FIRST, PAYLOAD_FIRST } order_t;

static void write_options(copal_writer_t *w, const copal_message_t *message, bool critical, bool elective)
{
    copal_option_reader_t reader = copal_message_options(message);
    copal_option_t option;
    while (copal_option_next(&reader, &option))
        if (copal_option_is_critical(option.number) ? critical : elective)
            copal_write_option(w, option.number, option.value);
}

static int write_again(const copal_message_t *message, order_t order, uint8_t *out, size_t capacity)
{
    const size_t half = order == PAYLOAD_FIRST ? message->payload.size / 2 : 0;
    copal_writer_t w;
    copal_bytes_t written;
    copal_writer_init(&w, out, capacity);
    copal_write_header(&w, message->type, message->code, message->id, message->token);
    copal_write_payload(&w, part_of(message->payload, 0, half));
    write_options(&w, message, true, order == IN_ORDER);
    if (order != IN_ORDER)
        write_options(&w, message, false, true);
    copal_write_payload(&w, part_of(message->payload, half, message->payload.size - half));
    const int error = copal_writer_finish(&w, &written);
    check(error || (written.data == out && written.size == w.size));
    return error ? error : (int)written.size;
}

static void check_written_back(const copal_message_t *message, copal_bytes_t datagram, bool legal)
{
    uint8_t *out = malloc(datagram.size);
    for (order_t order = IN_ORDER; order <= PAYLOAD_FIRST; order++) {
        const int size = write_again(message, order, out, datagram.size);
        if (!legal) {
            check_equal(size, COPAL_EINVAL);
            continue;
        }
        check_bytes((copal_bytes_t){out, (size_t)(size < 0 ? 0 : size)}, datagram);
        uint8_t *small = malloc(datagram.size);
        check_equal(write_again(message, order, small, datagram.size - 1), COPAL_ESPACE);
        free(small);
    }
    free(out);
}

static unsigned count(const copal_message_t *message, uint16_t number)
{
    copal_option_reader_t reader = copal_message_options(message);
    copal_option_t option;
    unsigned found = 0;
    while (copal_option_next(&reader, &option))
        found += option.number == number;
    return found;
}

/* Any block of the payload, as if it were a body, and one option taken away. */
static void check_window(const copal_message_t *message, copal_bytes_t datagram)
{
    const size_t skip = message->id >> 8, window = message->id & 0xff, total = message->payload.size;
    uint8_t *out = malloc(datagram.size);
    copal_writer_t w;
    copal_message_t again;
    copal_bytes_t written;
    copal_writer_init(&w, out, datagram.size);
    w.skip = skip;
    w.window = window;
    copal_write_header(&w, message->type, message->code, message->id, message->token);
    write_options(&w, message, true, true);
    copal_write_payload(&w, message->payload);
    check_equal(w.total, total);
    check_equal(copal_writer_finish(&w, &written), 0);
    check_equal(copal_message_parse(&again, written), 0);
    const size_t rest = skip < total ? total - skip : 0, kept = rest < window ? rest : window;
    check_bytes(again.payload, part_of(message->payload, skip, kept));

    const uint16_t removed = message->code; /* any number */
    copal__write_remove(&w, removed);
    check_equal(copal_writer_finish(&w, &written), 0);
    check_equal(copal_message_parse(&again, written), 0);
    const unsigned there = count(message, removed);
    check_equal(count(&again, removed), there > 0 ? there - 1 : 0);
    check_bytes(again.payload, part_of(message->payload, skip, kept));
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const copal_bytes_t datagram = {data, size};
    copal_message_t message;
    const int error = copal_message_parse(&message, datagram);
    if (error == COPAL_EVERSION) {
        check(size < 4 || data[0] >> 6 != 1);
        return 0;
    }
    check(error == 0 || error == COPAL_EFORMAT);
    check_equal(message.type, data[0] >> 4 & 3);
    check_equal(message.code, data[1]);
    check_equal(message.id, data[2] << 8 | data[3]);
    check_within(message.token, datagram);
    check_within(message.options, datagram);
    check_within(message.payload, datagram);
    if (error) {
        check_equal(message.token.size + message.options.size + message.payload.size, 0);
        return 0;
    }
    const bool legal = check_options(&message, datagram);
    check_written_back(&message, datagram, legal);
    if (legal)
        check_window(&message, datagram);
    return 0;
}
