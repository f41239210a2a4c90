/* tests/support/check.h where no test runs: what fails ends the program, which is what a fuzzer looks for. */
#define _POSIX_C_SOURCE 200809L /* dprintf: a target may have closed stderr */

#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *note;

void check_caller(int line) { (void)line; }

void check_note(const char *text) { note = text; }

static void show(const char *what, copal_bytes_t bytes)
{
    dprintf(2, "%s:", what);
    for (size_t i = 0; i < bytes.size; i++)
        dprintf(2, " %02x", bytes.data[i]);
    dprintf(2, "\n");
}

static void fail_here(const char *file, int line)
{
    if (note)
        dprintf(2, "%s\n", note);
    dprintf(2, "%s:%d: failed\n", file, line);
    abort();
}

void check_failed(const char *file, int line, const char *what, int64_t got, int64_t wanted)
{
    dprintf(2, "%s: %lld, wanted %lld\n", what, (long long)got, (long long)wanted);
    fail_here(file, line);
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
