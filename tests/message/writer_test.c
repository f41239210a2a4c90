#include "../../src/message/writer.h"

#include "octets.h"

static uint8_t buffer[70000];
static copal_writer_t w;

static int begin(void **state)
{
    (void)state;
    memset(buffer, 0xee, sizeof buffer);
    copal_writer_init(&w, buffer, 64);
    return 0;
}

static void write_text_option(uint16_t number, const char *text) { copal_write_option(&w, number, copal_text(text)); }

static void a_request_is_written_as_on_the_wire(void **state)
{
    (void)state;
    copal_write_header(&w, COPAL_CON, COPAL_GET, 0x1234, OCTETS(0xaa, 0xbb));
    write_text_option(COPAL_OPTION_URI_PATH, "a");
    write_text_option(COPAL_OPTION_URI_PATH, "b");
    copal_write_option_uint(&w, COPAL_OPTION_ACCEPT, 50);
    copal_write_text(&w, "hi");
    assert_written(w, 0x42, 0x01, 0x12, 0x34, 0xaa, 0xbb, 0xb1, 'a', 0x01, 'b', 0x61, 50, 0xff, 'h', 'i');
}

static void a_header_without_token_is_four_octets(void **state)
{
    (void)state;
    copal_write_header(&w, COPAL_RST, COPAL_EMPTY, 7, NOTHING);
    assert_written(w, 0x70, 0x00, 0, 7);
    assert_int_equal(w.options, 4);
}

static void rfc8974_2_1_tokens_up_to_65804_octets_are_written(void **state)
{
    (void)state;
    static const uint8_t token[65805];
    static const struct {
        size_t size;
        uint8_t first, extension[2];
    } rows[] = {{12, 0x4c, {0}},          {13, 0x4d, {0}},       {268, 0x4d, {255}},
                {269, 0x4e, {0, 0}},      {65804, 0x4e, {255, 255}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        copal_writer_init(&w, buffer, sizeof buffer);
        copal_write_header(&w, COPAL_CON, COPAL_GET, 1, (copal_bytes_t){token, rows[i].size});
        copal_bytes_t datagram;
        assert_int_equal(copal_writer_finish(&w, &datagram), 0);
        size_t extension = rows[i].first - 0x4cu;
        assert_int_equal(datagram.size, 4 + extension + rows[i].size);
        assert_int_equal(datagram.data[0], rows[i].first);
        assert_memory_equal(datagram.data + 4, rows[i].extension, extension);
    }
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_header(&w, COPAL_CON, COPAL_GET, 1, (copal_bytes_t){token, 65805});
    assert_int_equal(w.error, COPAL_EINVAL);
}

static void rfc7252_3_1_deltas_and_lengths_are_extended_at_13_and_269(void **state)
{
    (void)state;
    static const uint8_t value[270];
    static const struct {
        uint16_t number;
        size_t size, head_size;
        uint8_t head[5];
    } rows[] = {
        {12, 0, 1, {0xc0}},
        {13, 12, 2, {0xdc, 0}},
        {268, 13, 3, {0xdd, 255, 0}},
        {269, 268, 4, {0xed, 0, 0, 255}},
        {65535, 269, 5, {0xee, 0xfe, 0xf2, 0, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        copal_writer_init(&w, buffer, sizeof buffer);
        copal_write_option(&w, rows[i].number, (copal_bytes_t){value, rows[i].size});
        copal_bytes_t written;
        assert_int_equal(copal_writer_finish(&w, &written), 0);
        assert_int_equal(written.size, rows[i].head_size + rows[i].size);
        assert_memory_equal(written.data, rows[i].head, rows[i].head_size);
    }
}

static void rfc7252_3_2_integers_take_as_few_octets_as_they_can(void **state)
{
    (void)state;
    static const struct {
        uint32_t value;
        uint8_t size;
    } rows[] = {{0, 0}, {1, 1}, {255, 1}, {256, 2}, {65535, 2}, {65536, 3}, {1 << 24, 4}, {UINT32_MAX, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(NULL);
        copal_write_option_uint(&w, COPAL_OPTION_MAX_AGE, rows[i].value);
        assert_int_equal(w.size, 2u + rows[i].size);
        const copal_option_t option = {.value = {buffer + 2, rows[i].size}};
        assert_int_equal(copal_option_uint(&option), rows[i].value);
    }
}

static void an_option_out_of_order_goes_to_its_place(void **state)
{
    (void)state;
    copal_write_header(&w, COPAL_ACK, COPAL_CONTENT, 1, NOTHING);
    copal_write_option_uint(&w, COPAL_OPTION_MAX_AGE, 60);
    copal_write_option_uint(&w, COPAL_OPTION_ETAG, 5);
    copal_write_option_uint(&w, COPAL_OPTION_OBSERVE, 9);
    copal_write_option_uint(&w, COPAL_OPTION_BLOCK2, 6);
    assert_written(w, 0x60, 0x45, 0, 1, 0x41, 5, 0x21, 9, 0x81, 60, 0x91, 6);
}

static void a_repeated_option_keeps_its_order(void **state)
{
    (void)state;
    write_text_option(COPAL_OPTION_URI_PATH, "a");
    write_text_option(COPAL_OPTION_URI_QUERY, "q");
    write_text_option(COPAL_OPTION_URI_PATH, "b");
    write_text_option(COPAL_OPTION_URI_PATH, "c");
    assert_written(w, 0xb1, 'a', 0x01, 'b', 0x01, 'c', 0x41, 'q');
}

static void an_insertion_shrinks_the_delta_behind_it(void **state)
{
    (void)state;
    copal_write_option(&w, 300, OCTETS(1)); /* delta 300, two octets of extension */
    copal_write_option(&w, 20, OCTETS(2));  /* 280 are left */
    copal_write_option(&w, 40, OCTETS(3));  /* 260: one octet */
    copal_write_option(&w, 290, OCTETS(4)); /* 10: none */
    copal_write_option(&w, 301, OCTETS(5));
    assert_written(w, 0xd1, 7, 2, 0xd1, 7, 3, 0xd1, 237, 4, 0xa1, 1, 0x11, 5);
}

static void an_insertion_may_take_no_room_at_all_but_its_value(void **state)
{
    (void)state;
    copal_writer_init(&w, buffer, 3);
    copal_write_option(&w, 13, OCTETS(1));
    copal_write_option(&w, 6, NOTHING); /* its head stands where the extension was */
    assert_written(w, 0x60, 0x71, 1);
}

/* Writes those of eight options whose bit is set, with deltas that need extensions of any size. */
static void write_set(copal_writer_t *to, void *at, size_t size, unsigned set, const char *payload)
{
    static const uint16_t numbers[] = {2, 18, 19, 40, 270, 283, 310, 600};
    static const uint8_t value[20];
    copal_writer_init(to, at, size);
    copal_write_header(to, COPAL_CON, COPAL_GET, 1, OCTETS(0xaa));
    for (unsigned i = 0; i < 8; i++)
        if (set >> i & 1)
            copal_write_option(to, numbers[i], (copal_bytes_t){value, i % 3 * 7});
    copal_write_text(to, payload);
    if (set & 256)
        copal__write_remove(to, numbers[set >> 9]);
}

static void a_message_with_an_option_taken_out_is_one_that_never_had_it(void **state)
{
    (void)state;
    uint8_t other[128];
    copal_writer_t without;
    for (unsigned i = 0; i < 2 * 8 * 256; i++) {
        unsigned set = i & 255, out = i >> 8 & 7;
        const char *payload = i >> 11 ? "payload" : "";
        write_set(&w, buffer, sizeof other, set | 256 | out << 9, payload);
        write_set(&without, other, sizeof other, set & ~(1u << out), payload);
        copal_write_option(&w, 300, OCTETS(9)); /* and goes on so */
        copal_write_option(&without, 300, OCTETS(9));
        assert_octets(((copal_bytes_t){w.data, w.size}), ((copal_bytes_t){without.data, without.size}));
        assert_int_equal(w.payload, without.payload);
        assert_int_equal(w.number, without.number);
        assert_int_equal(w.error, 0);
    }
}

static void options_may_follow_the_payload(void **state)
{
    (void)state;
    copal_write_header(&w, COPAL_ACK, COPAL_CONTENT, 1, NOTHING);
    copal_write_text(&w, "hello");
    copal_write_option_uint(&w, COPAL_OPTION_BLOCK2, 6);
    copal_write_option_uint(&w, COPAL_OPTION_ETAG, 5);
    copal_write_text(&w, "!");
    assert_written(w, 0x60, 0x45, 0, 1, 0x41, 5, 0xd1, 6, 6, 0xff, 'h', 'e', 'l', 'l', 'o', '!');
    assert_int_equal(buffer[w.payload], 'h');
}

static void an_option_that_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    copal_writer_init(&w, buffer, 6);
    copal_write_option(&w, 20, OCTETS(1, 2));
    copal_write_option(&w, 11, OCTETS(3));
    assert_int_equal(w.error, 0);
    copal_write_option(&w, 1, OCTETS(4));
    assert_int_equal(w.error, COPAL_ESPACE);
    assert_int_equal(w.size, 5);
    assert_memory_equal(buffer, ((uint8_t[]){0xb1, 3, 0x92, 1, 2, 0xee, 0xee}), 7);
}

static void a_message_may_fill_its_buffer_and_no_more(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 12; capacity++) {
        begin(NULL);
        copal_writer_init(&w, buffer, capacity);
        copal_write_header(&w, COPAL_CON, COPAL_GET, 1, OCTETS(0xaa));
        write_text_option(COPAL_OPTION_URI_PATH, "abc");
        copal_write_text(&w, "p");
        copal_write_text(&w, "q");
        copal_bytes_t datagram;
        assert_int_equal(copal_writer_finish(&w, &datagram), capacity < 12 ? COPAL_ESPACE : 0);
        assert_int_equal(datagram.size, capacity < 12 ? 0 : 12);
        assert_int_equal(buffer[capacity], 0xee);
    }
}

static void the_first_error_stays(void **state)
{
    (void)state;
    copal_write_option(&w, COPAL_OPTION_ETAG, NOTHING);
    assert_int_equal(w.error, COPAL_EINVAL);
    copal_write_option(&w, COPAL_OPTION_URI_PATH, ZEROS(100));
    copal_write_header(&w, COPAL_CON, COPAL_GET, 1, NOTHING);
    copal_write_encoded(&w, OCTETS(0xb0), 11);
    copal_write_text(&w, "x");
    assert_int_equal(w.error, COPAL_EINVAL);
    assert_int_equal(w.size, 0);
}

static int error_of_size(uint16_t number, size_t size)
{
    static const uint8_t value[1200];
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_option(&w, number, (copal_bytes_t){value, size});
    return w.error;
}

static void rfc7252_5_4_3_known_options_have_their_lengths(void **state)
{
    (void)state;
#define XX(name, number, text, format, least, most, repeatable)        \
    assert_int_equal(error_of_size(number, least), 0);                 \
    assert_int_equal(error_of_size(number, most), 0);                  \
    assert_int_equal(error_of_size(number, most + 1), COPAL_EINVAL);   \
    if (least)                                                         \
        assert_int_equal(error_of_size(number, 0), COPAL_EINVAL);
    COPAL_OPTION_MAP(XX)
#undef XX
}

static void unknown_options_have_any_length_that_can_be_said(void **state)
{
    (void)state;
    static const uint8_t value[65805];
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_option(&w, 2048, (copal_bytes_t){value, 65804});
    assert_int_equal(w.error, 0);
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_option(&w, 2048, (copal_bytes_t){value, 65805});
    assert_int_equal(w.error, COPAL_EINVAL);
}

static void encoded_options_are_taken_as_they_are(void **state)
{
    (void)state;
    copal_write_header(&w, COPAL_ACK, COPAL_CONTENT, 1, NOTHING);
    copal_write_encoded(&w, OCTETS(0xc0, 0x21, 60), COPAL_OPTION_MAX_AGE);
    copal_write_text(&w, "v");
    copal_write_option_uint(&w, COPAL_OPTION_BLOCK2, 6);
    copal_write_option_uint(&w, COPAL_OPTION_OBSERVE, 1);
    assert_written(w, 0x60, 0x45, 0, 1, 0x61, 1, 0x60, 0x21, 60, 0x91, 6, 0xff, 'v');
}

static void encoded_options_go_only_where_none_is(void **state)
{
    (void)state;
    copal_write_encoded(&w, NOTHING, 0);
    copal_write_option_uint(&w, COPAL_OPTION_ETAG, 1);
    assert_int_equal(w.error, 0);
    copal_write_encoded(&w, OCTETS(0xc0), COPAL_OPTION_CONTENT_FORMAT);
    assert_int_equal(w.error, COPAL_EINVAL);
}

static void an_empty_payload_has_no_marker(void **state)
{
    (void)state;
    copal_write_header(&w, COPAL_NON, COPAL_CONTENT, 1, NOTHING);
    copal_write_text(&w, "");
    copal_write_payload(&w, NOTHING);
    assert_written(w, 0x50, 0x45, 0, 1);
    assert_int_equal(w.payload, 0);
}

static void any_block_of_a_body_is_written_by_writing_the_body(void **state)
{
    (void)state;
    static const char body[] = "0123456789abcdefghij";
    for (size_t part = 1; part <= 7; part++) {
        for (size_t skip = 0; skip <= 24; skip++) {
            for (size_t window = 0; window <= 6; window++) {
                copal_writer_init(&w, buffer, 64);
                w.skip = skip;
                w.window = window;
                for (size_t at = 0; at < 20; at += part)
                    copal_write_payload(&w, (copal_bytes_t){(const uint8_t *)body + at, at + part > 20 ? 20 - at : part});
                size_t left = skip < 20 ? 20 - skip : 0, kept = left < window ? left : window;
                assert_int_equal(w.total, 20);
                assert_int_equal(w.error, 0);
                assert_int_equal(w.size, kept ? kept + 1 : 0);
                if (kept)
                    assert_memory_equal(buffer + w.payload, body + skip, kept);
            }
        }
    }
}

static void what_the_window_drops_needs_no_room(void **state)
{
    (void)state;
    copal_writer_init(&w, buffer, 5);
    w.skip = 100;
    w.window = 4;
    copal_write_payload(&w, ZEROS(1000));
    assert_written(w, 0xff, 0, 0, 0, 0);
    assert_int_equal(w.total, 1000);
}

typedef struct {
    size_t calls, offset, size;
    int result;
} source_t;

static int read_counted(void *context, size_t offset, void *out, size_t size)
{
    source_t *source = context;
    source->calls++;
    source->offset = offset;
    source->size = size;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)(offset + i);
    return source->result;
}

static void of_a_body_only_the_octets_in_the_window_are_read(void **state)
{
    (void)state;
    static const struct {
        size_t skip, window, total, read;
    } rows[] = {{0, SIZE_MAX, 20, 20}, {0, 16, 20, 16}, {16, 16, 20, 4}, {16, 16, 17, 1}, {16, 16, 16, 0},
                {32, 16, 20, 0},       {0, 16, 0, 0},   {16, 16, (size_t)1 << 30, 16}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        source_t source = {0};
        copal_writer_init(&w, buffer, 64);
        w.skip = rows[i].skip;
        w.window = rows[i].window;
        copal_write_body(&w, rows[i].total, read_counted, &source);
        assert_int_equal(w.error, 0);
        assert_int_equal(w.total, rows[i].total);
        assert_int_equal(source.calls, rows[i].read > 0);
        assert_int_equal(source.size, rows[i].read);
        assert_int_equal(w.size, rows[i].read ? rows[i].read + 1 : 0);
        for (size_t at = 0; at < rows[i].read; at++)
            assert_int_equal(buffer[1 + at], rows[i].skip + at);
    }
}

static void a_body_follows_what_is_written_of_the_payload(void **state)
{
    (void)state;
    source_t source = {0};
    w.skip = 1;
    w.window = 4;
    copal_write_text(&w, "ab");
    copal_write_body(&w, 9, read_counted, &source);
    assert_written(w, 0xff, 'b', 0, 1, 2);
    assert_int_equal(w.total, 11);
}

static void a_body_that_cannot_be_read_is_the_writers_error(void **state)
{
    (void)state;
    source_t source = {.result = COPAL_ESYSTEM};
    copal_write_body(&w, 9, read_counted, &source);
    assert_int_equal(w.error, COPAL_ESYSTEM);
    copal_write_body(&w, 9, read_counted, &source);
    assert_int_equal(source.calls, 1);
    copal_writer_init(&w, buffer, 5);
    copal_write_body(&w, 5, read_counted, &source);
    assert_int_equal(w.error, COPAL_ESPACE);
    assert_int_equal(source.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_request_is_written_as_on_the_wire, begin),
        cmocka_unit_test_setup(a_header_without_token_is_four_octets, begin),
        cmocka_unit_test_setup(rfc8974_2_1_tokens_up_to_65804_octets_are_written, begin),
        cmocka_unit_test_setup(rfc7252_3_1_deltas_and_lengths_are_extended_at_13_and_269, begin),
        cmocka_unit_test_setup(rfc7252_3_2_integers_take_as_few_octets_as_they_can, begin),
        cmocka_unit_test_setup(an_option_out_of_order_goes_to_its_place, begin),
        cmocka_unit_test_setup(a_repeated_option_keeps_its_order, begin),
        cmocka_unit_test_setup(an_insertion_shrinks_the_delta_behind_it, begin),
        cmocka_unit_test_setup(an_insertion_may_take_no_room_at_all_but_its_value, begin),
        cmocka_unit_test_setup(a_message_with_an_option_taken_out_is_one_that_never_had_it, begin),
        cmocka_unit_test_setup(options_may_follow_the_payload, begin),
        cmocka_unit_test_setup(an_option_that_does_not_fit_leaves_nothing_behind, begin),
        cmocka_unit_test_setup(a_message_may_fill_its_buffer_and_no_more, begin),
        cmocka_unit_test_setup(the_first_error_stays, begin),
        cmocka_unit_test_setup(rfc7252_5_4_3_known_options_have_their_lengths, begin),
        cmocka_unit_test_setup(unknown_options_have_any_length_that_can_be_said, begin),
        cmocka_unit_test_setup(encoded_options_are_taken_as_they_are, begin),
        cmocka_unit_test_setup(encoded_options_go_only_where_none_is, begin),
        cmocka_unit_test_setup(an_empty_payload_has_no_marker, begin),
        cmocka_unit_test_setup(any_block_of_a_body_is_written_by_writing_the_body, begin),
        cmocka_unit_test_setup(what_the_window_drops_needs_no_room, begin),
        cmocka_unit_test_setup(of_a_body_only_the_octets_in_the_window_are_read, begin),
        cmocka_unit_test_setup(a_body_follows_what_is_written_of_the_payload, begin),
        cmocka_unit_test_setup(a_body_that_cannot_be_read_is_the_writers_error, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
