#include "resource/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static copal__arena_t arena;
static uint64_t memory[512];

static int lay(void **state)
{
    (void)state;
    memset(memory, 0, sizeof memory);
    copal__carver_t carver = {(uint8_t *)memory, 0};
    return !copal__arena_lay(&arena, &carver, 2048, 1);
}

static void assert_options(const copal_value_options_t *options, uint16_t counter, size_t tag, size_t size,
                           const uint8_t *encoded)
{
    copal__value_t *value = copal__value_make(&arena, copal_text("payload"), options, counter);
    assert_non_null(value);
    assert_int_equal(value->tag, tag);
    assert_int_equal(value->head, size);
    assert_memory_equal(value->octets, encoded, size);
    copal_bytes_t payload = copal__value_payload(value);
    assert_int_equal(payload.size, 7);
    assert_memory_equal(payload.data, "payload", 7);
    copal_value_options_t back;
    copal__value_options(value, &back);
    assert_int_equal(back.content_format, options->content_format);
    assert_true(back.max_age == options->max_age);
    assert_int_equal(back.etag, options->etag);
    assert_int_equal(back.methods, options->methods);
    assert_int_equal(back.confirm, options->confirm);
}

#define ENCODED(...)                                          \
    sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]) \
    {                                                         \
        __VA_ARGS__                                           \
    }

static void options_are_kept_encoded_as_on_the_wire(void **state)
{
    (void)state;
    assert_options(&(copal_value_options_t){-1, -1, false, 2, true}, 1, 0, 0, (const uint8_t *)"");
    assert_options(&(copal_value_options_t){0, -1, false, 4, false}, 1, 0, ENCODED(0xc0));
    assert_options(&(copal_value_options_t){65535, -1, false, 8, false}, 1, 0, ENCODED(0xc2, 0xff, 0xff));
    assert_options(&(copal_value_options_t){-1, 0, false, 16, false}, 1, 0, ENCODED(0xd0, 1));
    assert_options(&(copal_value_options_t){-1, UINT32_MAX, false, 30, false}, 1, 0, ENCODED(0xd4, 1, 255, 255, 255, 255));
    assert_options(&(copal_value_options_t){-1, -1, true, 0, false}, 255, 2, ENCODED(0x41, 0xff));
    assert_options(&(copal_value_options_t){40, 60, true, 2, false}, 256, 3, ENCODED(0x42, 1, 0, 0x81, 40, 0x21, 60));
    assert_options(&(copal_value_options_t){65535, UINT32_MAX, true, 2, false}, 65535, 3,
                   ENCODED(0x42, 255, 255, 0x82, 255, 255, 0x24, 255, 255, 255, 255));
}

static void a_tag_is_empty_while_etag_is_off(void **state)
{
    (void)state;
    copal_value_options_t options = {-1, -1, false, 2, false};
    assert_int_equal(copal__value_tag(copal__value_make(&arena, copal_text(""), &options, 7)).size, 0);
    options.etag = true;
    copal_bytes_t tag = copal__value_tag(copal__value_make(&arena, copal_text(""), &options, 7));
    assert_int_equal(tag.size, 1);
    assert_int_equal(tag.data[0], 7);
}

static void a_value_that_finds_no_room_is_not_made(void **state)
{
    (void)state;
    static const uint8_t large[2048];
    copal_value_options_t options = {-1, -1, false, 2, false};
    assert_null(copal__value_make(&arena, (copal_bytes_t){large, sizeof large}, &options, 1));
}

static void properties_out_of_range_are_told(void **state)
{
    (void)state;
    static const struct {
        copal_value_options_t options;
        bool ok;
    } cases[] = {
        {{50, -1, false, COPAL_METHOD(COPAL_PATCH), false}, false},
        {{-1, -1, false, 0, false}, true},  {{65535, UINT32_MAX, true, COPAL_METHODS_ALL, false}, true},
        {{-2, -1, false, 0, false}, false}, {{65536, -1, false, 0, false}, false},
        {{-1, -2, false, 0, false}, false}, {{-1, (int64_t)UINT32_MAX + 1, false, 0, false}, false},
        {{-1, -1, false, 1, false}, false}, {{-1, -1, false, COPAL_METHOD(COPAL_FETCH), false}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(copal__value_options_ok(&cases[i].options, false), cases[i].ok);
}

static void only_json_in_a_tree_that_can_patch_is_patched(void **state)
{
    (void)state;
    const uint32_t methods = COPAL_METHODS_ALL | COPAL_METHOD(COPAL_PATCH) | COPAL_METHOD(COPAL_IPATCH);
    const copal_value_options_t json = {50, -1, false, methods, false}, text = {0, -1, false, methods, false};
    assert_true(copal__value_options_ok(&json, true));
    assert_false(copal__value_options_ok(&text, true));
    assert_false(copal__value_options_ok(&json, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(options_are_kept_encoded_as_on_the_wire, lay),
        cmocka_unit_test_setup(a_tag_is_empty_while_etag_is_off, lay),
        cmocka_unit_test_setup(a_value_that_finds_no_room_is_not_made, lay),
        cmocka_unit_test(properties_out_of_range_are_told),
        cmocka_unit_test(only_json_in_a_tree_that_can_patch_is_patched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
