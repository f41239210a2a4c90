#define _GNU_SOURCE 1
#include "../udp.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int copal__wake_open(int fds[2])
{
    fds[0] = fds[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fds[0] < 0 ? -1 : 0;
}

void copal__wake_signal(const int fds[2])
{
    int before = errno;
    uint64_t one = 1;
    while (write(fds[1], &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = before; /* EAGAIN: it counts to 2^64 - 2 and is readable long before */
}

void copal__wake_clear(const int fds[2])
{
    uint64_t count;
    while (read(fds[0], &count, sizeof count) < 0 && errno == EINTR)
        ;
}

void copal__wake_close(const int fds[2])
{
    close(fds[0]);
}
