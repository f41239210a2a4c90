#define _GNU_SOURCE 1 /* struct in6_pktinfo (RFC 3542) */
#include "local.h"

#include <string.h>

_Static_assert(CMSG_SPACE(12) >= CMSG_SPACE(sizeof(struct in_pktinfo)), "room for IP_PKTINFO");
_Static_assert(COPAL__ANSWER_SIZE >= CMSG_SPACE(sizeof(struct in6_pktinfo)), "room for IPV6_PKTINFO");

int copal__local_enable(int fd, int family)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) != 0)
        return -1;
    return family == AF_INET ? 0 : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

static size_t put_control(uint8_t *control, int level, int type, const void *data, size_t size)
{
    struct cmsghdr head = {.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    memset(control, 0, CMSG_SPACE(size));
    memcpy(control, &head, sizeof head);
    memcpy(control + CMSG_LEN(0), data, size);
    return CMSG_SPACE(size);
}

static void add_control(copal__local_t *local, int level, int type, const void *data, size_t size)
{
    memset(local->answer, 0, sizeof local->answer);
    local->answer_size = (uint8_t)put_control(local->answer, level, type, data, size);
}

size_t copal__local_by_interface(void *control, int family, uint32_t interface)
{
    const struct in_pktinfo v4 = {.ipi_ifindex = (int)interface};
    const struct in6_pktinfo v6 = {.ipi6_ifindex = interface};
    return family == AF_INET ? put_control(control, IPPROTO_IP, IP_PKTINFO, &v4, sizeof v4)
                             : put_control(control, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof v6);
}

/* `ipi_spec_dst` is the address to answer from; it differs from the one asked for groups and broadcasts only. */
static void read_ipv4(copal__local_t *local, const struct in_pktinfo *info)
{
    struct in_pktinfo answer = {.ipi_spec_dst = info->ipi_spec_dst};
    local->multicast = info->ipi_addr.s_addr != info->ipi_spec_dst.s_addr;
    local->interface = 0;
    memset(local->address, 0, sizeof local->address);
    memset(local->address + 10, 0xff, 2);
    memcpy(local->address + 12, &info->ipi_spec_dst, 4);
    add_control(local, IPPROTO_IP, IP_PKTINFO, &answer, sizeof answer);
}

static void read_ipv6(copal__local_t *local, const struct in6_pktinfo *info)
{
    struct in6_pktinfo answer = {.ipi6_addr = info->ipi6_addr};
    local->multicast = IN6_IS_ADDR_MULTICAST(&info->ipi6_addr);
    if (local->multicast)
        answer.ipi6_addr = in6addr_any;
    if (local->multicast || IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
        answer.ipi6_ifindex = info->ipi6_ifindex;
    local->interface = answer.ipi6_ifindex;
    memcpy(local->address, &answer.ipi6_addr, sizeof local->address);
    add_control(local, IPPROTO_IPV6, IPV6_PKTINFO, &answer, sizeof answer);
}

/* Of both kinds the IPv4 one says more: an IPv6 one tells no broadcast address from another. */
static bool read_control(copal__local_t *local, const struct msghdr *header)
{
    struct msghdr *h = (struct msghdr *)header; /* CMSG_NXTHDR takes no const */
    bool found = false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            read_ipv4(local, &info);
            return true;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            read_ipv6(local, &info);
            found = true;
        }
    }
    return found;
}

static bool same(const copal__local_t *a, const copal__local_t *b)
{
    return a->socket == b->socket && a->multicast == b->multicast && a->interface == b->interface &&
           memcmp(a->address, b->address, sizeof a->address) == 0;
}

/* The number of `local` in the table, from 0; it is put there if it is new. COPAL__LOCALS: no room. */
static uint32_t enlist(copal__locals_t *table, const copal__local_t *local)
{
    uint32_t i = 0;
    while (i < table->count && !same(&table->entries[i], local))
        i++;
    if (i == table->count && i < COPAL__LOCALS)
        table->entries[table->count++] = *local;
    return i;
}

uint32_t copal__local_learn(copal__locals_t *table, uint8_t socket, const struct msghdr *header, bool *multicast)
{
    copal__local_t local = {.socket = socket};
    if (!read_control(&local, header))
        return 0;
    *multicast = local.multicast;
    uint32_t number = enlist(table, &local);
    if (number == COPAL__LOCALS)
        return 0;
    table->last = number;
    table->seen_size = header->msg_controllen;
    memcpy(table->seen, header->msg_control, header->msg_controllen);
    return number + 1;
}
