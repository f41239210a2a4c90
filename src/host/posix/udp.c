#define _GNU_SOURCE 1
#include "../udp.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const bool copal__udp_has_errors = false;
const bool copal__udp_joins = false;

int copal__udp_open(int family, bool errors)
{
    (void)errors;
    int fd = socket(family, SOCK_DGRAM, 0);
    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int copal__udp_adopt(int fd, int family)
{
    (void)family;
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -1;
}

const bool copal__udp_shares = false;

int copal__udp_share(int fd)
{
    (void)fd;
    errno = ENOTSUP;
    return -1;
}

int copal__udp_receive(int fd, copal__slot_t *slots, unsigned count)
{
    unsigned done = 0;
    while (done < count) {
        ssize_t got = recvmsg(fd, &slots[done].header, 0);
        if (got < 0)
            break;
        slots[done++].size = (unsigned)got;
    }
    return done > 0 ? (int)done : -1;
}

int copal__udp_send(int fd, bool *joins, copal__slot_t *slots, unsigned count)
{
    (void)joins;
    unsigned done = 0;
    while (done < count && sendmsg(fd, &slots[done].header, 0) >= 0)
        done++;
    return done > 0 ? (int)done : -1;
}

bool copal__udp_error(int fd, copal_peer_t *peer, uint8_t *quoted, size_t capacity, size_t *size)
{
    (void)fd, (void)peer, (void)quoted, (void)capacity, (void)size;
    return false;
}

uint64_t copal__udp_overflowed(int fd)
{
    (void)fd;
    return 0;
}
