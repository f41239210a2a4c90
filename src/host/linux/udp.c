#define _GNU_SOURCE 1
#include "../udp.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* after the C library's headers */
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/sock_diag.h>

/* A batch is handed to the kernel as it is. */
_Static_assert(sizeof(copal__slot_t) == sizeof(struct mmsghdr), "a slot is a struct mmsghdr");
_Static_assert(offsetof(copal__slot_t, size) == offsetof(struct mmsghdr, msg_len), "a slot is a struct mmsghdr");

const bool copal__udp_has_errors = true;

static bool set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* Kernels before 4.20 do not know IPV6_MULTICAST_ALL. */
static bool set_if_known(int fd, int level, int option, int value)
{
    return set(fd, level, option, value) || errno == ENOPROTOOPT;
}

static bool prepare(int fd, int family, bool errors)
{
    bool done = set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) && set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT) &&
                (!errors || set(fd, IPPROTO_IP, IP_RECVERR, 1));
    if (!done || family == AF_INET)
        return done;
    return set_if_known(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0) &&
           set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT) &&
           (!errors || set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1));
}

int copal__udp_open(int family, bool errors)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (prepare(fd, family, errors))
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int copal__udp_adopt(int fd, int family)
{
    const int flags = fcntl(fd, F_GETFL);
    const bool done = flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
                      prepare(fd, family, false);
    return done ? 0 : -1;
}

/* The kernel chooses by a hash of addresses and ports, as long as the number of sockets stays. */
const bool copal__udp_shares = true;

int copal__udp_share(int fd)
{
    return set(fd, SOL_SOCKET, SO_REUSEPORT, 1) ? 0 : -1;
}

int copal__udp_receive(int fd, copal__slot_t *slots, unsigned count)
{
    return recvmmsg(fd, (struct mmsghdr *)slots, count, MSG_DONTWAIT, NULL);
}


/* RFC 7252 section 4.2: host, network, port and protocol unreachable and parameter problem count; too big, source
 * quench and time exceeded do not. */
static bool counts(const struct sock_extended_err *error)
{
    if (error->ee_origin == SO_EE_ORIGIN_ICMP)
        return (error->ee_type == ICMP_DEST_UNREACH && error->ee_code != ICMP_FRAG_NEEDED) ||
               error->ee_type == ICMP_PARAMETERPROB;
    return error->ee_origin == SO_EE_ORIGIN_ICMP6 &&
           (error->ee_type == ICMPV6_DEST_UNREACH || error->ee_type == ICMPV6_PARAMPROB);
}

static bool is_error(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6)
            continue;
        struct sock_extended_err error;
        memcpy(&error, CMSG_DATA(c), sizeof error);
        return counts(&error);
    }
    return false;
}

bool copal__udp_error(int fd, copal_peer_t *peer, uint8_t *quoted, size_t capacity, size_t *size)
{
    for (;;) {
        copal__address_t to;
        _Alignas(struct cmsghdr) uint8_t control[512];
        struct iovec vector = {quoted, capacity};
        struct msghdr header = {.msg_name = &to,
                                .msg_namelen = sizeof to,
                                .msg_iov = &vector,
                                .msg_iovlen = 1,
                                .msg_control = control,
                                .msg_controllen = sizeof control};
        ssize_t got = recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (header.msg_namelen == 0 || !is_error(&header))
            continue;
        copal__address_to_peer(&to, peer);
        *size = (size_t)got;
        return true;
    }
}

/* Kernels before 4.12 do not tell. */
uint64_t copal__udp_overflowed(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof info;
    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 ? info[SK_MEMINFO_DROPS] : 0;
}
