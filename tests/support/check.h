/* Assertions for support code: they say what is wrong and where, octets as hex, and fail what runs: the cmocka test
 * (failure.c here), or a fuzzer's program (failure.c there). */
#ifndef TESTS_SUPPORT_CHECK_H
#define TESTS_SUPPORT_CHECK_H

#include "copal/base.h"

void check_failed(const char *file, int line, const char *what, int64_t got, int64_t wanted);
void check_failed_bytes_at(const char *file, int line, const char *what, copal_bytes_t got);
void check_bytes_at(const char *file, int line, copal_bytes_t got, copal_bytes_t wanted);

#define check(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, 0, 1))
#define check_equal(got, wanted) check_equal_at(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(wanted))
#define check_bytes(...) check_bytes_at(__FILE__, __LINE__, __VA_ARGS__)
#define check_failed_bytes(...) check_failed_bytes_at(__FILE__, __LINE__, __VA_ARGS__)

/** Support code is called as CHECKED(function(...)), so that a failure shows the line of the test, too. */
#define CHECKED(call) (check_caller(__LINE__), (call))
void check_caller(int line);

/** A failure shows this text, too: the seed, or the row of a table. Borrowed; NULL: none. */
void check_note(const char *text);

/** failure.c: tells it beside what else failed. */
__attribute__((format(printf, 1, 2))) void check_print(const char *format, ...);
/** failure.c: fails, at that place. Does not return. */
void check_end(const char *file, int line);

static inline void check_equal_at(const char *file, int line, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted)
        check_failed(file, line, what, got, wanted);
}

#endif
