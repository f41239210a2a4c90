/* Memory that runs out. The allocator of the whole program is this one, be it copal that asks, OpenSSL, Mbed TLS,
 * json-c or the C library itself: of the thread under test the n-th allocation fails, alone or with all that follow. */
#ifndef TESTS_FAULTS_NO_MEMORY_H
#define TESTS_FAULTS_NO_MEMORY_H

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* ---- the allocator ---------------------------------------------------------------------------------------- */

/* It is called before a sanitizer has begun its work. */
#define ALLOCATOR __attribute__((no_sanitize("address")))

static _Thread_local struct {
    bool on, lasts; /* lasts: all that follow fail, too */
    bool own;       /* what shared libraries allocate does not count */
    unsigned long nth, count, failed;
} scarcity;

/* The code of this program: copal's and the test's. */
extern const char __executable_start, etext;

ALLOCATOR static bool runs_out(const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;
    const bool counts = !scarcity.own || (at >= (uintptr_t)&__executable_start && at < (uintptr_t)&etext);
    if (!scarcity.on || !counts || ++scarcity.count < scarcity.nth ||
        (scarcity.count > scarcity.nth && !scarcity.lasts))
        return false;
    scarcity.failed++;
    errno = ENOMEM;
    return true;
}

/* The function that this one stands before. */
#define NEXT(function)                 \
    static __typeof__(&function) next; \
    if (!next)                         \
    *(void **)(void *)&next = dlsym(RTLD_NEXT, #function)

ALLOCATOR void *malloc(size_t size)
{
    NEXT(malloc);
    return runs_out(__builtin_return_address(0)) ? NULL : next(size);
}

ALLOCATOR void *calloc(size_t count, size_t size)
{
    NEXT(calloc);
    return runs_out(__builtin_return_address(0)) ? NULL : next(count, size);
}

ALLOCATOR void *realloc(void *old, size_t size)
{
    NEXT(realloc);
    return runs_out(__builtin_return_address(0)) ? NULL : next(old, size);
}

ALLOCATOR char *strndup(const char *text, size_t most)
{
    NEXT(strndup);
    return runs_out(__builtin_return_address(0)) ? NULL : next(text, most);
}

ALLOCATOR char *strdup(const char *text)
{
    NEXT(strdup);
    return runs_out(__builtin_return_address(0)) ? NULL : next(text);
}

ALLOCATOR void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    NEXT(mmap);
    return runs_out(__builtin_return_address(0)) ? MAP_FAILED : next(address, size, protection, flags, fd, offset);
}

/* ---- attempts --------------------------------------------------------------------------------------------- */

/** To be called where an attempt is over and begins to look at what came of it. */
static inline void enough_memory(void)
{
    scarcity.on = false;
}

/* One attempt, of which the n-th allocation fails; whether one did. It may have succeeded nevertheless. */
static bool attempt_without(int (*attempt)(void), unsigned long nth, bool lasts, const int *expected)
{
    scarcity.nth = nth;
    scarcity.lasts = lasts;
    scarcity.count = scarcity.failed = 0;
    scarcity.on = true;
    const int status = attempt();
    scarcity.on = false;
    while (status != 0 && *expected != 0 && *expected != status)
        expected++;
    if (status != 0 && (scarcity.failed == 0 || *expected != status))
        fail_msg("status %d where allocation %lu failed%s", status, nth, lasts ? " and all that followed" : "");
    return scarcity.failed > 0;
}

/** Attempts something that takes `least` allocations or more, without each of them; where there are more than MOMENTS,
 *  without every so many-th. An attempt returns 0 where it went well, after it has asserted so, else one of
 *  `expected`, which a 0 ends. What it leaves behind is seen at the end of the program. */
#ifndef MOMENTS
#define MOMENTS 500u
#endif
static inline void each_without_memory(int (*attempt)(void), unsigned long least, const int *expected)
{
    assert_int_equal(attempt(), 0); /* what is made once and kept is there from now on */
    assert_false(attempt_without(attempt, ULONG_MAX, false, expected));
    const unsigned long count = scarcity.count, stride = count / MOMENTS + 1;
    assert_true(count >= least);
    for (unsigned long nth = 1; nth <= count; nth += stride)
        for (int lasts = 0; lasts < 2; lasts++)
            attempt_without(attempt, nth, lasts, expected);
}

#endif
