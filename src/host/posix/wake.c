#define _GNU_SOURCE 1
#include "../udp.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int prepare(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -1;
}

int copal__wake_open(int fds[2])
{
    if (pipe(fds) != 0)
        return -1;
    if (prepare(fds[0]) == 0 && prepare(fds[1]) == 0)
        return 0;
    int reason = errno;
    copal__wake_close(fds);
    errno = reason;
    return -1;
}

void copal__wake_signal(const int fds[2])
{
    int before = errno;
    while (write(fds[1], "", 1) < 0 && errno == EINTR)
        ;
    errno = before; /* EAGAIN: a pipe that is full is readable */
}

void copal__wake_clear(const int fds[2])
{
    char waste[64];
    ssize_t got;
    do
        got = read(fds[0], waste, sizeof waste);
    while (got == (ssize_t)sizeof waste || (got < 0 && errno == EINTR));
}

void copal__wake_close(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}
