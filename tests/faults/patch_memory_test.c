/* Patches without memory: the server's trouble is not told as the client's. What json-c asks for itself it gets, since
 * it (0.16, say) does not survive otherwise. */
#define _GNU_SOURCE 1
#include "no_memory.h"

#include "copal/patch.h"

typedef struct {
    uint16_t format;
    const char *value, *patch, *outcome; /* NULL: an error */
    copal_code_t code;
} row_t;

static const row_t rows[] = {
    {52, "{\"a\":{\"b\":1},\"c\":[1,2]}", "{\"a\":{\"b\":2,\"d\":{\"e\":-0}},\"c\":null}",
     "{\"a\":{\"b\":2,\"d\":{\"e\":-0}}}", 0},
    {51, "{\"a\":[1,{\"b\":12345678901234567890}]}",
     "[{\"op\":\"test\",\"path\":\"/a/0\",\"value\":1},{\"op\":\"copy\",\"from\":\"/a/1\",\"path\":\"/c\"},"
     "{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/d~1e\"},{\"op\":\"add\",\"path\":\"/a/-\",\"value\":[true]},"
     "{\"op\":\"replace\",\"path\":\"/c/b\",\"value\":\"x\"},{\"op\":\"remove\",\"path\":\"/a/0\"}]",
     "{\"a\":[[true]],\"c\":{\"b\":\"x\"},\"d/e\":1}", 0},
    {52, "{}", "{\"a\":", NULL, COPAL_BAD_REQUEST},
    {51, "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]", NULL, COPAL_CONFLICT},
};

static const row_t *row;

static int patch_it(void)
{
    uint8_t out[200];
    size_t size = sizeof out;
    const copal_code_t code =
        copal_json_patch(NULL, row->format, copal_text(row->value), copal_text(row->patch), out, &size);
    enough_memory();
    if (code == 0 && row->outcome) {
        assert_int_equal(size, strlen(row->outcome));
        assert_memory_equal(out, row->outcome, size);
    }
    return code == row->code ? 0 : code ? code : -1;
}

static void a_patch_without_memory_is_unavailable_and_never_half_done(void **state)
{
    (void)state;
    scarcity.own = true;
    for (row = rows; row < rows + sizeof rows / sizeof *rows; row++)
        each_without_memory(patch_it, 1, (const int[]){COPAL_SERVICE_UNAVAILABLE, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_without_memory_is_unavailable_and_never_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
