/* What an operating system counts as used of an endpoint's memory. */
#define _DEFAULT_SOURCE /* mincore */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void memory_that_is_not_needed_is_not_touched(void **state)
{
    (void)state;
    copal_limits_t limits = {.requests = 4096, .deferred = 4096, .remembered = 1u << 19, .remembered_bytes = 1u << 25,
                             .proven = 1u << 16, .counters = 1u << 12, .batch = 1024};
    random_t random = random_from(1);
    server_t s;
    message_t m;
    copal_datagram_t out;
    copal_endpoint_t *e;
    copal_from_t from = {.peer = peer_of(1)};
    copal_config_t config = {.limits = limits, .random = random_fill, .random_state = &random,
                             .service = server_service(&s)};
    size_t size = copal_endpoint_size(&limits), page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (size + page - 1) / page;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE); /* one would count as 512 pages; without them it fails, and is not needed */
    assert_int_equal(copal_endpoint_init(&e, memory, size, &config), 0);
    for (uint16_t i = 0; i < 100; i++) {
        message_make(&m, COPAL_CON, i % 2 ? COPAL_POST : COPAL_GET, i, NO_BYTES, "a", NULL);
        assert_int_equal(copal_endpoint_receive(e, 1000, &from, (copal_bytes_t){m.data, m.w.size}), 0);
        while (copal_endpoint_send(e, 1000, &out, 1))
            ;
    }
    unsigned char *resident = malloc(pages);
    size_t touched = 0;
    assert_int_equal(mincore(memory, size, resident), 0);
    for (size_t i = 0; i < pages; i++)
        touched += resident[i] & 1;
    assert_true(touched < pages / 50);
    free(resident);
    munmap(memory, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_is_not_needed_is_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
