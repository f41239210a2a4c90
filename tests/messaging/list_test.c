#include "../../src/messaging/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check_list(const copal__list_t *list, const copal__link_pair_t *links, const uint32_t *slots, size_t count)
{
    uint32_t at = list->first, former = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(at, slots[i] + 1);
        assert_int_equal(links[at - 1].former, former);
        former = at;
        at = links[at - 1].next;
    }
    assert_int_equal(at, 0);
    assert_int_equal(list->last, former);
    assert_int_equal(copal__list_first(list), count ? slots[0] : COPAL__NONE);
}

static void slots_leave_from_anywhere_and_the_rest_keeps_its_order(void **state)
{
    (void)state;
    copal__link_pair_t links[4] = {0};
    copal__list_t list = {0};
    check_list(&list, links, NULL, 0);
    for (uint32_t slot = 0; slot < 4; slot++)
        copal__list_add(&list, links, slot);
    check_list(&list, links, (uint32_t[]){0, 1, 2, 3}, 4);
    copal__list_remove(&list, links, 1);
    check_list(&list, links, (uint32_t[]){0, 2, 3}, 3);
    copal__list_remove(&list, links, 3);
    check_list(&list, links, (uint32_t[]){0, 2}, 2);
    copal__list_remove(&list, links, 0);
    copal__list_add(&list, links, 3);
    check_list(&list, links, (uint32_t[]){2, 3}, 2);
    copal__list_remove(&list, links, 2);
    copal__list_remove(&list, links, 3);
    check_list(&list, links, NULL, 0);
    copal__list_add(&list, links, 1);
    check_list(&list, links, (uint32_t[]){1}, 1);
}

static void lists_share_the_links_of_their_slots(void **state)
{
    (void)state;
    copal__link_pair_t links[3] = {0};
    copal__list_t one = {0}, other = {0};
    copal__list_add(&one, links, 0);
    copal__list_add(&other, links, 1);
    copal__list_add(&one, links, 2);
    copal__list_remove(&one, links, 0);
    copal__list_add(&other, links, 0);
    check_list(&one, links, (uint32_t[]){2}, 1);
    check_list(&other, links, (uint32_t[]){1, 0}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_leave_from_anywhere_and_the_rest_keeps_its_order),
        cmocka_unit_test(lists_share_the_links_of_their_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
