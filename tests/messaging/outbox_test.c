#include "../../src/messaging/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void datagrams_leave_in_order_and_stay_until_the_next_is_written(void **state)
{
    copal__outbox_t o;
    copal__carver_t measure = {NULL, 0}, carver = {NULL, 0};
    copal_from_t to = {.peer = {1, {7}}, .via = 3};
    copal_datagram_t out[4] = {0};
    (void)state;
    copal__outbox_lay(&o, &measure, 2, 64);
    void *memory = calloc(1, measure.used);
    carver.base = memory;
    copal__outbox_lay(&o, &carver, 2, 64);

    for (int round = 0; round < 3; round++) {
        assert_true(copal__outbox_has_room(&o));
        memcpy(copal__outbox_place(&o), "first", 5);
        copal__outbox_post(&o, &to, 5);
        assert_true(copal__outbox_has_room(&o));
        memset(copal__outbox_place(&o), 'x', 64); /* a full one fits behind */
        copal__outbox_post(&o, &to, 64);
        assert_false(copal__outbox_has_room(&o));
        memcpy(copal__outbox_place(&o), "ping", 4); /* and behind the last one an Empty message */
        copal__outbox_post(&o, &to, 4);
        assert_false(copal__outbox_has_room(&o));
        assert_true(copal__outbox_take(&o, &out[0]));
        assert_true(copal__outbox_take(&o, &out[1]));
        assert_true(copal__outbox_take(&o, &out[2]));
        assert_false(copal__outbox_take(&o, &out[3]));
        assert_memory_equal(out[2].bytes.data, "ping", 4);
        assert_int_equal(out[0].bytes.size, 5);
        assert_memory_equal(out[0].bytes.data, "first", 5);
        assert_int_equal(out[0].via, 3);
        assert_int_equal(out[0].to->data[0], 7);
        assert_int_equal(out[1].bytes.size, 64);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_leave_in_order_and_stay_until_the_next_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
