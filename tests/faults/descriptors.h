/* Descriptors that run out. */
#ifndef TESTS_FAULTS_DESCRIPTORS_H
#define TESTS_FAULTS_DESCRIPTORS_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static struct rlimit usual;

/** How many are open. */
static inline unsigned descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/** From now on until have_enough() there are `spare` to be had, at most 30. */
static inline void run_out(unsigned spare)
{
    struct rlimit few;
    int fd = -1, lowest[31];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    few = usual;
    for (unsigned i = 0; i <= spare; i++) {
        lowest[i] = fd = dup(0);
        assert_true(fd >= 0);
    }
    for (unsigned i = 0; i <= spare; i++)
        close(lowest[i]);
    few.rlim_cur = (rlim_t)fd;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static inline void have_enough(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

#endif
