/* Properties of writer and parser together, over pseudo-random messages that are the same in each run. */
#include "octets.h"

#define ROUNDS 20000
#define OPTIONS_MOST 12

static uint64_t seed;

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint32_t draw(uint32_t below)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32) % below;
}

typedef struct {
    uint16_t number;
    size_t size;
    uint8_t value[300];
} option_t;

/* A message as a model: what was written, options in the order of writing. */
typedef struct {
    size_t count, token_size, payload_size;
    option_t options[OPTIONS_MOST];
    uint8_t token[300], payload[40];
    uint8_t buffer[6000];
    copal_writer_t w;
} model_t;

static model_t model;

/* Mostly small, now and then one beside the limits of an extended field. */
static size_t draw_size(void)
{
    static const size_t edges[] = {0, 12, 13, 14, 268, 269, 270};
    return draw(4) ? draw(6) : edges[draw(7)];
}

static void draw_option(option_t *option)
{
    static const uint16_t numbers[] = {1, 4, 11, 11, 12, 13, 15, 60, 268, 269, 270, 282, 300, 2048, 65535};
    option->number = numbers[draw(sizeof numbers / sizeof numbers[0])];
    option->size = draw_size();
    const copal_option_definition_t *known = copal_option_definition(option->number);
    if (known && (option->size < known->least || option->size > known->most))
        option->size = known->most;
    for (size_t i = 0; i < option->size; i++)
        option->value[i] = (uint8_t)draw(256);
}

/* Draws a message and writes it in the order drawn, the payload somewhere in between, in parts. */
static void draw_message(size_t capacity)
{
    model.token_size = draw_size();
    memset(model.token, (int)draw(256), sizeof model.token);
    memset(model.payload, (int)draw(256), sizeof model.payload);
    model.count = draw(OPTIONS_MOST + 1);
    model.payload_size = 0;
    copal_writer_init(&model.w, model.buffer, capacity);
    copal_write_header(&model.w, (copal_type_t)draw(4), (copal_code_t)(1 + draw(255)), (uint16_t)draw(65536),
                       (copal_bytes_t){model.token, model.token_size});
    for (size_t i = 0; i < model.count; i++) {
        option_t *option = &model.options[i];
        draw_option(option);
        copal_write_option(&model.w, option->number, (copal_bytes_t){option->value, option->size});
        size_t part = draw(4) ? 0 : draw(4);
        copal_write_payload(&model.w, (copal_bytes_t){model.payload + model.payload_size, part});
        model.payload_size += part;
    }
}

/* Sorts the model's options by number, stably. */
static void sort(void)
{
    for (size_t i = 1; i < model.count; i++) {
        for (size_t j = i; j && model.options[j - 1].number > model.options[j].number; j--) {
            option_t swap = model.options[j];
            model.options[j] = model.options[j - 1];
            model.options[j - 1] = swap;
        }
    }
}

static void options_written_in_any_order_are_read_sorted_and_stable(void **state)
{
    (void)state;
    seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        copal_message_t message;
        copal_bytes_t datagram;
        copal_option_t option;
        draw_message(sizeof model.buffer);
        assert_int_equal(copal_writer_finish(&model.w, &datagram), 0);
        assert_int_equal(copal_message_parse(&message, datagram), 0);
        assert_octets(message.token, ((copal_bytes_t){model.token, model.token_size}));
        assert_octets(message.payload, ((copal_bytes_t){model.payload, model.payload_size}));
        sort();
        copal_option_reader_t reader = copal_message_options(&message);
        for (size_t i = 0; i < model.count; i++) {
            assert_true(copal_option_next(&reader, &option));
            assert_int_equal(option.number, model.options[i].number);
            assert_octets(option.value, ((copal_bytes_t){model.options[i].value, model.options[i].size}));
        }
        assert_false(copal_option_next(&reader, &option));
    }
}

static void a_message_fits_its_size_and_not_one_octet_less(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS / 10; round++) {
        seed = (uint64_t)round;
        draw_message(sizeof model.buffer);
        size_t size = model.w.size;
        seed = (uint64_t)round;
        draw_message(size);
        assert_int_equal(model.w.error, 0);
        assert_int_equal(model.w.size, size);
        seed = (uint64_t)round;
        model.buffer[size - 1] = 0xee;
        draw_message(size - 1);
        assert_int_equal(model.w.error, COPAL_ESPACE);
        assert_int_equal(model.buffer[size - 1], 0xee);
    }
}

/* The parser lets known options of a wrong length pass, the writer does not. */
static bool is_writable(const copal_message_t *message)
{
    copal_option_reader_t reader = copal_message_options(message);
    copal_option_t option;
    while (copal_option_next(&reader, &option)) {
        const copal_option_definition_t *known = copal_option_definition(option.number);
        if (known && (option.value.size < known->least || option.value.size > known->most))
            return false;
    }
    return true;
}

/* Parses octets that end where their memory does, walks over all that is viewed, and writes it again. */
static bool parses_and_writes_back(const uint8_t *octets, size_t size)
{
    copal_message_t message;
    copal_option_t option;
    copal_writer_t w;
    uint8_t *copy = test_malloc(size + 1), out[600]; /* one octet in front, as malloc(0) may be NULL */
    memcpy(copy + 1, octets, size);
    bool parses = copal_message_parse(&message, (copal_bytes_t){copy + 1, size}) == 0;
    if (parses && is_writable(&message)) {
        copal_writer_init(&w, out, sizeof out);
        copal_write_header(&w, message.type, message.code, message.id, message.token);
        copal_option_reader_t reader = copal_message_options(&message);
        while (copal_option_next(&reader, &option))
            copal_write_option(&w, option.number, option.value);
        copal_write_payload(&w, message.payload);
        assert_int_equal(w.error, 0);
        assert_octets(((copal_bytes_t){out, w.size}), ((copal_bytes_t){octets, size}));
    }
    test_free(copy);
    return parses;
}

static void random_octets_that_parse_are_written_back_the_same(void **state)
{
    (void)state;
    uint8_t octets[64];
    int parsed = 0;
    seed = 2;
    for (int round = 0; round < 10 * ROUNDS; round++) {
        size_t size = draw(sizeof octets + 1);
        for (size_t i = 0; i < size; i++)
            octets[i] = (uint8_t)(draw(3) ? draw(256) : draw(16) * 16 + draw(3));
        octets[0] = (uint8_t)(0x40 | (octets[0] & 0x3f));
        parsed += parses_and_writes_back(octets, size);
    }
    assert_true(parsed > ROUNDS / 10); /* else the octets are too random to show anything */
}

static void mutated_messages_that_parse_are_written_back_the_same(void **state)
{
    (void)state;
    int parsed = 0;
    seed = 3;
    for (int round = 0; round < 2 * ROUNDS; round++) {
        draw_message(500);
        size_t size = model.w.size;
        if (!size)
            continue;
        for (uint32_t i = draw(3); i; i--)
            model.buffer[draw((uint32_t)size)] ^= (uint8_t)(1u << draw(8));
        parsed += parses_and_writes_back(model.buffer, draw(4) ? size : draw((uint32_t)size));
    }
    assert_true(parsed > ROUNDS / 4);
}

/* Link-format and URIs from a hostile peer: any octets are taken or refused, none is read twice or beyond the end. */
static void any_octets_pass_through_the_readers_of_text(void **state)
{
    (void)state;
    static const char alphabet[] = "</a>;,=\"\\%4?&:[]@.*# ct";
    seed = 4;
    for (int round = 0; round < 5 * ROUNDS; round++) {
        size_t size = draw(24);
        char *uri_text = test_malloc(size + 8), *text = strcpy(uri_text, "coap://") + 7;
        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[draw(sizeof alphabet - 1)];
        text[size] = 0;
        copal_bytes_t document = {(uint8_t *)text, size};
        copal_link_t link;
        for (size_t left = size; copal_link_next(&document, &link) > 0; left = document.size) {
            assert_true(document.size < left);
            copal_link_matches(&link, copal_text("ct=a*"));
        }
        copal_uri_t uri;
        uint8_t buffer[200];
        copal_writer_t w;
        copal_writer_init(&w, buffer, sizeof buffer);
        copal_write_path_and_query(&w, (copal_bytes_t){(uint8_t *)text, size});
        if (copal_uri_parse(&uri, uri_text) == 0)
            copal_write_uri(&w, &uri);
        test_free(uri_text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_written_in_any_order_are_read_sorted_and_stable),
        cmocka_unit_test(a_message_fits_its_size_and_not_one_octet_less),
        cmocka_unit_test(random_octets_that_parse_are_written_back_the_same),
        cmocka_unit_test(mutated_messages_that_parse_are_written_back_the_same),
        cmocka_unit_test(any_octets_pass_through_the_readers_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
