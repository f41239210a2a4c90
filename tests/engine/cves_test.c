/* What has gone wrong in other implementations, tried here; docs/cves.md says what each was. A datagram stands in memory
 * of exactly its size, so that the sanitizers see any octet read beyond. */
#include "blockwise/job.h"

static void open_server(bench_t *b, const copal_limits_t *limits)
{
    const copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    bench_open_tree(b, &(copal_config_t){.limits = *limits}, 64);
    check_equal(copal_tree_add_value(b->tree, "a", copal_text("v"), &options, NULL), 0);
}

static const copal_limits_t usual;

/* The first option of a message, up to 14: also one that is longer than the writer lets it be. */
static void write_long(copal_writer_t *w, uint8_t number, size_t size)
{
    static uint8_t option[3 + 400];
    const size_t length = size < 269 ? size - 13 : size - 269;
    const size_t head = size < 269 ? 2 : 3;
    memset(option, 'n', sizeof option);
    option[0] = (uint8_t)(number << 4 | (size < 269 ? 13 : 14));
    if (size >= 269)
        option[1] = (uint8_t)(length >> 8);
    option[head - 1] = (uint8_t)length;
    copal_write_encoded(w, (copal_bytes_t){option, head + size}, number);
}

/* How many datagrams leave now. */
static unsigned answers(bench_t *b)
{
    unsigned count = 0;
    while (bench_take(b))
        count++;
    return count;
}

/* A request that nothing is wrong with is answered as ever, and nothing is due afterwards. */
static void assert_unharmed(bench_t *b, uint32_t peer)
{
    bench_idle(b);
    bench_accept(b, peer, BYTES(0x42, 0x01, 0x77, 0x77, 0x12, 0x34, 0xb1, 'a'));
    bench_sends(b, peer, BYTES(0x62, 0x45, 0x77, 0x77, 0x12, 0x34, 0xff, 'v'));
    bench_idle(b);
}

/* ---- parsing ------------------------------------------------------------------------------------------------- */

/* A message with a long token and options of every form, and the sizes at which it might as well end. */
typedef struct {
    message_t message;
    copal_bytes_t octets;
    bool sound[1024];
} forms_t;

static void make_forms(forms_t *f)
{
    static const uint8_t zeros[600];
    static const struct {
        uint16_t number, size;
    } options[] = {{COPAL_OPTION_IF_MATCH, 8},
                   {COPAL_OPTION_IF_MATCH, 0},
                   {COPAL_OPTION_URI_PATH, 0},
                   {COPAL_OPTION_URI_PATH, 1},
                   {COPAL_OPTION_URI_PATH, 12},
                   {COPAL_OPTION_URI_PATH, 13},
                   {COPAL_OPTION_URI_QUERY, 255},
                   {COPAL_OPTION_URI_QUERY, 0},
                   {COPAL_OPTION_URI_QUERY, 20},
                   {COPAL_OPTION_SIZE1, 4},
                   {COPAL_OPTION_REQUEST_TAG, 8},
                   {1000, 269},
                   {1000, 268},
                   {65534, 3}};
    const copal_bytes_t token = {zeros, 8};
    *f = (forms_t){0};
    message_start(&f->message, COPAL_CON, COPAL_GET, 0x0102, token);
    f->sound[f->message.w.size] = true;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        copal_write_option(&f->message.w, options[i].number, (copal_bytes_t){zeros, options[i].size});
        f->sound[f->message.w.size] = true;
    }
    const size_t marker = f->message.w.size;
    copal_write_payload(&f->message.w, (copal_bytes_t){zeros, 10});
    f->octets = message_end(&f->message);
    check(f->octets.size < sizeof f->sound);
    for (size_t size = marker + 2; size <= f->octets.size; size++)
        f->sound[size] = true;
}

static void cve_2019_17212_2020_3162_12883_12884_12886_2024_31030_40494_a_message_may_be_cut_anywhere(void **state)
{
    static bench_t b;
    static forms_t f;
    (void)state;
    open_server(&b, &usual);
    make_forms(&f);
    for (uint32_t size = 0; size <= f.octets.size; size++) {
        const int status = bench_receive(&b, 100 + size, (copal_bytes_t){f.octets.data, size});
        assert_int_equal(status == 0, f.sound[size]);
        assert_int_equal(answers(&b), size < 4 ? 0 : 1);
        assert_int_equal(b.sent.message.type, f.sound[size] || size < 4 ? b.sent.message.type : COPAL_RST);
    }
    assert_unharmed(&b, 1);
    bench_close(&b);
}

static void cve_2020_12885_a_thousand_options_without_value_end_in_one_answer(void **state)
{
    static bench_t b;
    message_t m;
    (void)state;
    static const uint16_t numbers[] = {COPAL_OPTION_URI_PATH, COPAL_OPTION_URI_QUERY, COPAL_OPTION_IF_MATCH};
    open_server(&b, &usual);
    for (uint32_t i = 0; i < 3; i++) {
        message_start(&m, COPAL_CON, COPAL_GET, (uint16_t)i, NO_BYTES);
        for (unsigned count = 0; count < 1000; count++)
            copal_write_option(&m.w, numbers[i], NO_BYTES);
        bench_accept(&b, 10 + i, message_end(&m));
        assert_int_equal(COPAL_CODE_CLASS(bench_sent(&b)->code), 4);
        bench_silent(&b);
    }
    assert_unharmed(&b, 1);
    bench_close(&b);
}

static void cve_2020_10063_12887_numbers_and_lengths_do_not_wrap_around(void **state)
{
    static bench_t b;
    static uint8_t octets[6 + 5 + 269 + 5 + 300];
    (void)state;
    open_server(&b, &usual);
    /* Uri-Path "a", and another 65,536 numbers behind it, which is Uri-Path again in 16 bits. */
    bench_receive(&b, 2, BYTES(0x40, 0x01, 0x01, 0x02, 0xb1, 'a', 0xe1, 0xfe, 0xf3, 'a'));
    bench_sends(&b, 2, BYTES(0x70, 0x00, 0x01, 0x02));
    /* Uri-Path of 269 + 65,535 octets, which is 268 in 16 bits. */
    memcpy(octets, (const uint8_t[]){0x40, 0x01, 0x01, 0x02, 0xbe, 0xff, 0xff}, 7);
    for (size_t size = 7; size <= sizeof octets; size++) {
        bench_receive(&b, 10 + (uint32_t)size, (copal_bytes_t){octets, size});
        bench_sends(&b, 10 + (uint32_t)size, BYTES(0x70, 0x00, 0x01, 0x02));
    }
    assert_unharmed(&b, 1);
    bench_close(&b);
}

static void cve_2018_12679_12680_octets_that_are_no_text_and_options_too_often_are_answered(void **state)
{
    static bench_t b;
    (void)state;
    open_server(&b, &usual);
    bench_accept(&b, 2, BYTES(0x44, 0x01, 0x01, 0x02, 0xfd, 0xdd, 0x80, 0xff, 0xb1, 'a'));
    bench_sends(&b, 2, BYTES(0x64, 0x45, 0x01, 0x02, 0xfd, 0xdd, 0x80, 0xff, 0xff, 'v'));
    bench_accept(&b, 3, BYTES(0x40, 0x01, 0x01, 0x02, 0xb2, 0xfd, 0x80));
    assert_int_equal(bench_sent(&b)->code, COPAL_NOT_FOUND);
    bench_accept(&b, 4, BYTES(0x40, 0x03, 0x01, 0x02, 0x50, 0x00, 0x61, 'a', 0xff, 'w')); /* If-None-Match twice */
    assert_int_equal(bench_sent(&b)->code, COPAL_BAD_OPTION);
    bench_accept(&b, 5, BYTES(0x40, 0x03, 0x01, 0x02, 0xb1, 'a', 0x15, 1, 2, 3, 4, 5)); /* Content-Format of 5 octets */
    assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);                              /* is elective */
    bench_accept(&b, 6, BYTES(0x40, 0x03, 0x01, 0x02, 0xb1, 'a', 0xff, 'v'));
    assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
    assert_unharmed(&b, 1);
    bench_close(&b);
}

static void cve_2019_9004_a_hundred_thousand_bad_options_leave_nothing(void **state)
{
    static bench_t b;
    (void)state;
    open_server(&b, &(copal_limits_t){.remembered = 2});
    for (uint32_t i = 0; i < 100000; i++) {
        const uint8_t id = (uint8_t)i;
        bench_receive(&b, i, BYTES(0x40, 0x02, 0x01, id, 0xb1, 'a', 0xb5, 'x'));             /* cut */
        bench_receive(&b, i, BYTES(0x40, 0x02, 0x02, id, 0xb1, 'a', 0xe1, 0xff, 0xfe, 'x')); /* no such number */
        assert_int_equal(answers(&b), 2);
    }
    bench_idle(&b);
    bench_accept(&b, 2, BYTES(0x40, 0x02, 0x03, 0x00, 0xb1, 'a', 0xff, 'v'));
    assert_int_equal(COPAL_CODE_CLASS(bench_sent(&b)->code), 2);
    b.now += 300000;
    bench_idle(&b);
    bench_close(&b);
}

static void cve_2019_12101_a_path_segment_without_octets_is_one(void **state)
{
    static bench_t b;
    (void)state;
    open_server(&b, &usual);
    bench_accept(&b, 2, BYTES(0x40, 0x01, 0x01, 0x02, 0xb0));
    assert_int_equal(bench_sent(&b)->code, COPAL_NOT_FOUND);
    bench_accept(&b, 3, BYTES(0x40, 0x01, 0x01, 0x02, 0xb1, 'a', 0x00));
    assert_int_equal(bench_sent(&b)->code, COPAL_NOT_FOUND);
    assert_unharmed(&b, 1);
    bench_close(&b);
}

/* ---- a server's answers -------------------------------------------------------------------------------------- */

static void cve_2024_31029_a_value_is_what_was_put_and_no_octet_more(void **state)
{
    static bench_t b;
    (void)state;
    open_server(&b, &usual);
    bench_accept(&b, 2, BYTES(0x40, 0x03, 0x01, 0x02, 0xb1, 'a', 0xff, 'x', 'y', 'z'));
    assert_int_equal(bench_sent(&b)->code, COPAL_CHANGED);
    bench_accept(&b, 2, BYTES(0x40, 0x01, 0x01, 0x03, 0xb1, 'a'));
    bench_sends(&b, 2, BYTES(0x60, 0x45, 0x01, 0x03, 0xff, 'x', 'y', 'z'));
    bench_close(&b);
}

static void cve_2026_27703_an_answer_fits_however_long_the_token_is(void **state)
{
    static const uint8_t zeros[300];
    static bench_t b;
    message_t m;
    (void)state;
    open_server(&b, &(copal_limits_t){.datagram_size = 128, .payload_size = 64});
    for (uint32_t size = 0; size < 110; size++) {
        const copal_bytes_t token = {zeros, size};
        message_start(&m, COPAL_CON, COPAL_GET, 1, token);
        copal_write_path(&m.w, copal_text(".well-known/core"));
        copal_write_query(&m.w, copal_text("rt=0123456789"));
        const copal_bytes_t datagram = message_end(&m);
        bench_receive(&b, 10 + size, datagram);
        const copal_message_t *answer = bench_sent(&b);
        assert_in_range(b.sent.size, 4, 128);
        assert_int_equal(answer->code == COPAL_REQUEST_ENTITY_TOO_LARGE, datagram.size > 128);
        check_bytes(answer->token, token);
    }
    assert_unharmed(&b, 1);
    bench_close(&b);
}

static void cve_2024_46304_a_block_that_continues_nothing_is_refused(void **state)
{
    static const uint32_t numbers[] = {0, 1, 2, 63, 64, 0xfffff};
    static const size_t sizes[] = {0, 1, 15, 16, 17, 64, 65};
    static const uint8_t zeros[65];
    static bench_t b;
    message_t m;
    uint32_t peer = 10;
    (void)state;
    open_server(&b, &usual);
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        for (uint32_t low = 0; low < 16; low++) /* more, and the eight sizes */
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                message_start(&m, COPAL_CON, COPAL_PUT, 1, NO_BYTES);
                message_text_option(&m, COPAL_OPTION_URI_PATH, "b");
                copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, numbers[n] << 4 | low);
                if (sizes[s])
                    copal_write_payload(&m.w, (copal_bytes_t){zeros, sizes[s]});
                bench_accept(&b, peer++, message_end(&m));
                const copal_code_t code = bench_sent(&b)->code;
                bench_silent(&b);
                assert_true(numbers[n] == 0 || COPAL_CODE_CLASS(code) == 4);
            }
    b.now += 300000;
    answers(&b);
    assert_unharmed(&b, 1);
    bench_close(&b);
}

static void cve_2025_34468_who_is_no_proxy_looks_no_name_up_however_long(void **state)
{
    static char name[1035];
    static bench_t b;
    message_t m;
    (void)state;
    open_server(&b, &usual);
    memset(name, 'n', sizeof name - 1);
    memcpy(name, "coap://", 7);
    message_start(&m, COPAL_CON, COPAL_GET, 1, NO_BYTES);
    message_text_option(&m, COPAL_OPTION_PROXY_URI, name);
    bench_accept(&b, 2, message_end(&m));
    assert_int_equal(bench_sent(&b)->code, COPAL_PROXYING_NOT_SUPPORTED);
    for (size_t size = 255; size <= 256; size++) {
        message_start(&m, COPAL_CON, COPAL_GET, 1, NO_BYTES);
        write_long(&m.w, COPAL_OPTION_URI_HOST, size);
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        bench_accept(&b, (uint32_t)size, message_end(&m));
        assert_int_equal(bench_sent(&b)->code, size == 255 ? COPAL_CONTENT : COPAL_BAD_OPTION);
    }
    assert_unharmed(&b, 1);
    bench_close(&b);
}

/* ---- a client ------------------------------------------------------------------------------------------------ */

static void cve_2023_30362_a_diagnostic_is_not_read_beyond_its_end(void **state)
{
    static bench_t b;
    static outcome_t o;
    message_t m;
    (void)state;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_GET, true, &o);
    const copal_message_t *asked = bench_sent(&b);
    bench_accept(&b, 1, message_make(&m, COPAL_ACK, COPAL_HOP_LIMIT_REACHED, asked->id, asked->token, NULL, "proxy"));
    assert_int_equal(o.count, 1);
    assert_int_equal(o.code, COPAL_HOP_LIMIT_REACHED);
    assert_int_equal(o.size, 5);
    assert_memory_equal(o.payload, "proxy", 5);
    bench_close(&b);
}

static void cve_2024_31031_a_request_whose_token_changes_its_length_stays_whole(void **state)
{
    static const uint8_t token[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static bench_t b;
    static outcome_t o;
    message_t m;
    (void)state;
    for (size_t size = 0; size <= sizeof token; size++) {
        bench_open(&b, &(copal_config_t){0});
        bench_ask_token(&b, 1, true, (copal_bytes_t){token, size}, &o);
        const copal_message_t *asked = bench_sent(&b);
        message_start(&m, COPAL_ACK, COPAL_UNAUTHORIZED, asked->id, asked->token);
        copal_write_option(&m.w, COPAL_OPTION_ECHO, copal_text("0123456789"));
        bench_accept(&b, 1, message_end(&m));
        copal_option_t option;
        asked = bench_sent(&b);
        assert_int_equal(asked->code, COPAL_GET);
        assert_true(copal_option_find(asked, COPAL_OPTION_ECHO, &option));
        check_bytes(option.value, copal_text("0123456789"));
        assert_true(copal_option_find(asked, COPAL_OPTION_URI_PATH, &option));
        check_bytes(option.value, copal_text("a"));
        assert_int_equal(asked->payload.size, 0);
        bench_accept(&b, 1, message_make(&m, COPAL_ACK, COPAL_CONTENT, asked->id, asked->token, NULL, "v"));
        assert_int_equal(o.code, COPAL_CONTENT);
        bench_close(&b);
    }
}

static void cve_2019_17211_more_than_64_kib_of_options_and_payload_is_refused(void **state)
{
    static const uint8_t payload[65535];
    static bench_t b;
    static outcome_t o;
    const copal_peer_t to = peer_of(1);
    const copal_request_t request = {.to = &to, .code = COPAL_PUT, .confirmable = true};
    (void)state;
    bench_open(&b, &(copal_config_t){.limits = {.datagram_size = 65535, .payload_size = 65535,
                                                .remembered_bytes = 1 << 17, .batch = 1, .requests = 1, .deferred = 1}});
    for (size_t size = 65535 - 4 - 8 - 2 - 1 - 1; size <= sizeof payload; size++) {
        copal_handle_t handle;
        copal_writer_t *w;
        assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
        copal_write_option(w, COPAL_OPTION_URI_PATH, copal_text("a"));
        copal_write_payload(w, (copal_bytes_t){payload, size});
        const int status = copal_request_commit(b.endpoint, b.now, handle, outcome_open(&o));
        const size_t whole = 4u + w->data[0] % 16 + 2 + 1 + size; /* header, token, path, marker, payload */
        assert_int_equal(status, whole > 65535 ? COPAL_ESPACE : 0);
        if (status == 0) {
            copal_datagram_t out;
            assert_int_equal(copal_endpoint_send(b.endpoint, b.now, &out, 1), 1);
            assert_int_equal(out.bytes.size, w->size);
            copal_request_cancel(b.endpoint, b.now, handle);
        }
    }
    bench_close(&b);
}

/* A block of 16 octets, with an ETag of that many octets. */
static void answer_with_etag(size_t etag, int64_t block2)
{
    static const uint8_t zeros[16];
    message_t m;
    bench_sent(&bench);
    message_start(&m, COPAL_ACK, COPAL_CONTENT, bench.sent.message.id, bench.sent.message.token);
    write_long(&m.w, COPAL_OPTION_ETAG, etag);
    write_value(&m.w, COPAL_OPTION_BLOCK2, block2);
    copal_write_payload(&m.w, (copal_bytes_t){zeros, sizeof zeros});
    bench_accept(&bench, 1, message_end(&m));
}

static void cve_2024_32017_an_etag_of_over_eight_octets_is_none(void **state)
{
    static const size_t sizes[] = {13, 255, 256, 269, 400};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        open_job(COPAL_GET, 0);
        start();
        answer_with_etag(sizes[i], BLOCK(0, 1, 0));
        answer_with_etag(sizes[i], BLOCK(1, 0, 0));
        assert_true(job.ended && job.status == 0);
        assert_int_equal(job.size, 32);
        close_job();
    }
}

static void cve_2024_31225_a_long_location_is_told_whole(void **state)
{
    static const uint8_t segment[250] = {'s'};
    static bench_t b;
    static outcome_t o;
    message_t m;
    (void)state;
    bench_open(&b, &(copal_config_t){0});
    bench_ask(&b, 1, COPAL_POST, true, &o);
    const copal_message_t *asked = bench_sent(&b);
    message_start(&m, COPAL_ACK, COPAL_CREATED, asked->id, asked->token);
    for (unsigned i = 0; i < 4; i++)
        copal_write_option(&m.w, COPAL_OPTION_LOCATION_PATH, (copal_bytes_t){segment, sizeof segment});
    bench_accept(&b, 1, message_end(&m));
    assert_int_equal(o.count, 1);
    assert_int_equal(o.code, COPAL_CREATED);
    bench_close(&b);
}

static void cve_2024_40493_a_block_without_payload_ends_a_download_with_an_error(void **state)
{
    (void)state;
    for (unsigned more = 0; more <= 1; more++) {
        open_job(COPAL_GET, 0);
        start();
        bench_sent(&bench);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(0, 1, 0), .size = 16);
        bench_sent(&bench);
        answer(.code = COPAL_CONTENT, .block2 = BLOCK(1, more, 0), .size = 0);
        assert_true(job.ended);
        assert_int_equal(job.status, more ? COPAL_EFORMAT : 0);
        assert_int_equal(job.size, 16);
        close_job();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cve_2019_17212_2020_3162_12883_12884_12886_2024_31030_40494_a_message_may_be_cut_anywhere),
        cmocka_unit_test(cve_2020_12885_a_thousand_options_without_value_end_in_one_answer),
        cmocka_unit_test(cve_2020_10063_12887_numbers_and_lengths_do_not_wrap_around),
        cmocka_unit_test(cve_2018_12679_12680_octets_that_are_no_text_and_options_too_often_are_answered),
        cmocka_unit_test(cve_2019_9004_a_hundred_thousand_bad_options_leave_nothing),
        cmocka_unit_test(cve_2019_12101_a_path_segment_without_octets_is_one),
        cmocka_unit_test(cve_2024_31029_a_value_is_what_was_put_and_no_octet_more),
        cmocka_unit_test(cve_2026_27703_an_answer_fits_however_long_the_token_is),
        cmocka_unit_test(cve_2024_46304_a_block_that_continues_nothing_is_refused),
        cmocka_unit_test(cve_2025_34468_who_is_no_proxy_looks_no_name_up_however_long),
        cmocka_unit_test(cve_2023_30362_a_diagnostic_is_not_read_beyond_its_end),
        cmocka_unit_test(cve_2024_31031_a_request_whose_token_changes_its_length_stays_whole),
        cmocka_unit_test(cve_2019_17211_more_than_64_kib_of_options_and_payload_is_refused),
        cmocka_unit_test(cve_2024_32017_an_etag_of_over_eight_octets_is_none),
        cmocka_unit_test(cve_2024_31225_a_long_location_is_told_whole),
        cmocka_unit_test(cve_2024_40493_a_block_without_payload_ends_a_download_with_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
