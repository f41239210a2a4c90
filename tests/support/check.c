#include "support/check.h"

#include <string.h>

static int caller; /* the line of the test that called support code last */
static const char *note;

void check_caller(int line) { caller = line; }

void check_note(const char *text) { note = text; }

static void fail_here(const char *file, int line)
{
    if (caller)
        check_print("the test was at its line %d\n", caller);
    if (note)
        check_print("%s\n", note);
    check_end(file, line);
}

void check_failed(const char *file, int line, const char *what, int64_t got, int64_t wanted)
{
    check_print("%s: %lld, wanted %lld\n", what, (long long)got, (long long)wanted);
    fail_here(file, line);
}

static void show(const char *what, copal_bytes_t bytes)
{
    check_print("%s:", what);
    for (size_t i = 0; i < bytes.size; i++)
        check_print(" %02x", bytes.data[i]);
    check_print("\n");
}

void check_failed_bytes_at(const char *file, int line, const char *what, copal_bytes_t got)
{
    show(what, got);
    fail_here(file, line);
}

void check_bytes_at(const char *file, int line, copal_bytes_t got, copal_bytes_t wanted)
{
    if (got.size == wanted.size && (got.size == 0 || memcmp(got.data, wanted.data, got.size) == 0))
        return;
    show("got", got);
    show("wanted", wanted);
    fail_here(file, line);
}
