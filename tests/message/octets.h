/* What the tests of this room share. */
#ifndef TESTS_MESSAGE_OCTETS_H
#define TESTS_MESSAGE_OCTETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "copal/copal.h"

#define OCTETS(...) \
    ((copal_bytes_t){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})
#define NOTHING ((copal_bytes_t){NULL, 0})
#define ZEROS(count) ((copal_bytes_t){(const uint8_t[count]){0}, count})

#define assert_octets(got_, want_)                                      \
    do {                                                                \
        copal_bytes_t got = got_, want = want_;                         \
        assert_int_equal(got.size, want.size);                          \
        if (want.size)                                                  \
            assert_memory_equal(got.data, want.data, want.size);        \
    } while (0)

/* Asserts what a writer holds, without header. */
#define assert_written(w, ...)                                          \
    do {                                                                \
        copal_bytes_t written;                                          \
        assert_int_equal(copal_writer_finish(&(w), &written), 0);       \
        assert_octets(written, OCTETS(__VA_ARGS__));                    \
    } while (0)

#endif
