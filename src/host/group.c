#define _GNU_SOURCE 1 /* struct group_req (RFC 3678) */
#include "group.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

/* ---- interfaces ------------------------------------------------------------------------------------- */

/* Adds it unless it is there already; the number there are. */
static int add(uint32_t indices[COPAL_INTERFACES], int count, uint32_t index)
{
    for (int i = 0; i < count; i++)
        if (indices[i] == index)
            return count;
    if (index == 0 || count == COPAL_INTERFACES)
        return count; /* 0: it has gone meanwhile */
    indices[count] = index;
    return count + 1;
}

int copal__interfaces(int family, bool loopback, uint32_t indices[COPAL_INTERFACES])
{
    struct ifaddrs *all;
    int count = 0;
    uint32_t inner = 0;
    if (getifaddrs(&all) != 0)
        return -1;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != family || !(at->ifa_flags & IFF_UP))
            continue;
        if (at->ifa_flags & IFF_LOOPBACK)
            inner = if_nametoindex(at->ifa_name);
        else if (at->ifa_flags & IFF_MULTICAST)
            count = add(indices, count, if_nametoindex(at->ifa_name));
    }
    freeifaddrs(all);
    return count > 0 && !loopback ? count : add(indices, count, inner);
}

static bool is_at(const struct ifaddrs *at, const copal_peer_t *local)
{
    copal__address_t address;
    copal_peer_t peer = {0};
    if (!at->ifa_addr || at->ifa_addr->sa_family != copal__peer_family(local))
        return false;
    memcpy(&address, at->ifa_addr, at->ifa_addr->sa_family == AF_INET ? sizeof address.v4 : sizeof address.v6);
    copal__address_to_peer(&address, &peer);
    const size_t octets = local->size == COPAL__PEER_IPV4 ? 4 : 16;
    if (octets == 4 && at->ifa_flags & IFF_LOOPBACK && local->data[0] == 127)
        return true; /* all of 127.0.0.0/8 is there */
    return memcmp(peer.data, local->data, octets) == 0 && /* but for ports; a scope counts */
           copal__peer_scope(&peer) == copal__peer_scope(local);
}

int copal__interface_of(const copal_peer_t *local, uint32_t *index)
{
    struct ifaddrs *all;
    *index = 0;
    if (copal__peer_is_any(local))
        return 0;
    if (getifaddrs(&all) != 0)
        return -1;
    for (const struct ifaddrs *at = all; at && *index == 0; at = at->ifa_next)
        if (is_at(at, local))
            *index = if_nametoindex(at->ifa_name);
    freeifaddrs(all);
    return 0;
}

/* "loopback" can do IPv4 groups, and has no IPv6 route for them. */
int copal_peers_of_group(copal_peer_t *peers, int most, const char *group, uint16_t port)
{
    copal_peer_t peer;
    const int status = copal_peer_from_text(&peer, group, port, false);
    if (status < 0 || !copal_peer_is_group(&peer))
        return COPAL_EINVAL;
    const bool four = copal__peer_family(&peer) == AF_INET;
    uint32_t indices[COPAL_INTERFACES] = {copal__peer_scope(&peer)};
    int count = indices[0] != 0 ? 1 : copal__interfaces(four ? AF_INET : AF_INET6, four, indices);
    if (count < 0)
        return COPAL_ESYSTEM;
    for (int i = 0; i < count && i < most; i++) {
        peers[i] = peer;
        copal__peer_set_scope(&peers[i], indices[i]);
    }
    return count < most ? count : most;
}

/* ---- hearing ------------------------------------------------------------------------------------------ */

static const struct {
    int family;
    const char *address;
} groups[] = {{AF_INET, "224.0.1.187"}, {AF_INET6, "ff02::fd"}, {AF_INET6, "ff05::fd"}};
enum { GROUPS = sizeof groups / sizeof groups[0] };

/* 1: heard, 0: the interface has gone or cannot, -1: errno. */
static int join(int fd, const copal__address_t *group, socklen_t size, uint32_t interface)
{
    struct group_req request = {.gr_interface = interface};
    const int level = group->any.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    memcpy(&request.gr_group, group, size);
    if (setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request) == 0 || errno == EADDRINUSE)
        return 1; /* EADDRINUSE: it was joined before */
    return errno == ENODEV || errno == EADDRNOTAVAIL ? 0 : -1;
}

static int join_all(int fd, const copal__address_t *group, socklen_t size)
{
    uint32_t indices[COPAL_INTERFACES];
    const int count = copal__interfaces(group->any.sa_family, false, indices);
    int joined = count < 0 ? -1 : 0;
    for (int i = 0; i < count && joined >= 0; i++) {
        const int one = join(fd, group, size, indices[i]);
        joined = one < 0 ? one : joined + one;
    }
    return joined;
}

/* Several servers of one machine may hear a group, each by its own address: each gets a copy. */
static int open_group(copal__address_t *group, socklen_t size, uint32_t interface)
{
    const int on = 1, family = group->any.sa_family;
    const int fd = copal__udp_open(family, false);
    if (fd < 0)
        return -1;
    if (family == AF_INET6)
        group->v6.sin6_scope_id = interface; /* ff02::fd is a group for each link */
    if ((family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, &group->any, size) == 0 &&
        join(fd, group, size, interface) == 1)
        return fd;
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int hear_apart(copal__side_t *side, uint8_t number, copal__address_t *group, socklen_t size, uint32_t interface)
{
    if (side->count == COPAL__SOCKETS)
        return COPAL_EFULL;
    const int fd = open_group(group, size, interface);
    if (fd < 0)
        return COPAL_ESYSTEM;
    side->sockets[side->count++] =
        (copal__socket_t){.fd = fd, .family = group->any.sa_family, .group = true, .answers = number};
    return 1;
}

/* The group's address with the port of `local`, as far as that hears groups of its family. 0: it does not. */
static socklen_t address_of(copal__address_t *address, size_t group, const copal_peer_t *local)
{
    copal_peer_t peer;
    const int family = copal__peer_family(local);
    if (groups[group].family != family && !(family == AF_INET6 && copal__peer_is_any(local)))
        return 0;
    if (copal_peer_from_text(&peer, groups[group].address, copal__peer_port(local), false) < 0)
        return 0;
    memset(address, 0, sizeof *address);
    return copal__address_from_peer(address, &peer, groups[group].family);
}

int copal__groups_hear(copal__side_t *side, uint8_t number)
{
    copal_peer_t local = {0};
    copal__address_t address;
    const int fd = side->sockets[number].fd;
    uint32_t interface;
    if (copal__side_local(side, number, &local) != 0 || copal__interface_of(&local, &interface) != 0)
        return COPAL_ESYSTEM;
    const bool any = copal__peer_is_any(&local);
    int heard = 0;
    for (size_t i = 0; i < GROUPS; i++) {
        const socklen_t size = address_of(&address, i, &local);
        if (size == 0 || (!any && interface == 0))
            continue;
        const int more = any ? join_all(fd, &address, size) : hear_apart(side, number, &address, size, interface);
        if (more < 0)
            return any ? COPAL_ESYSTEM : more;
        heard += more;
    }
    return heard;
}

/* ---- showing what is to be had by DTLS ------------------------------------------------------------------ */

enum { ADDRESSES = 16 };

/* Takes the first of `count` indices that is that of an address out. */
static bool take(uint32_t indices[COPAL_INTERFACES], int *count, uint32_t index)
{
    for (int i = 0; i < *count; i++) {
        if (indices[i] != index)
            continue;
        indices[i] = indices[--*count];
        return true;
    }
    return false;
}

/* Adds one address of a family of each interface that is heard; how many there are then, or -1: errno. */
static int add_addresses(int family, copal_peer_t addresses[ADDRESSES], int count)
{
    struct ifaddrs *all;
    uint32_t indices[COPAL_INTERFACES];
    int left = copal__interfaces(family, false, indices);
    if (left < 0 || getifaddrs(&all) != 0)
        return -1;
    for (const struct ifaddrs *at = all; at && count < ADDRESSES; at = at->ifa_next) {
        copal__address_t address;
        if (!at->ifa_addr || at->ifa_addr->sa_family != family || !take(indices, &left, if_nametoindex(at->ifa_name)))
            continue;
        memcpy(&address, at->ifa_addr, family == AF_INET ? sizeof address.v4 : sizeof address.v6);
        copal__address_to_peer(&address, &addresses[count++]);
    }
    freeifaddrs(all);
    return count;
}

static int show_at(copal__side_t *side, uint8_t number, const copal_peer_t *local)
{
    copal_peer_t own = *local, asked = *local;
    copal__address_t address;
    uint32_t interface;
    if (copal__interface_of(local, &interface) != 0)
        return COPAL_ESYSTEM;
    copal__peer_set_port(&own, 0);
    copal__peer_set_port(&asked, COPAL_PORT);
    if (interface == 0)
        return 0;
    const int socket = copal__side_open(side, &own);
    if (socket < 0)
        return socket;
    side->sockets[socket].shown = (uint8_t)(number + 1);
    int heard = 0;
    for (size_t i = 0; i < GROUPS; i++) {
        const socklen_t size = address_of(&address, i, &asked);
        const int more = size > 0 ? hear_apart(side, (uint8_t)socket, &address, size, interface) : 0;
        if (more < 0)
            return more;
        heard += more;
    }
    return heard;
}

/* The addresses that a socket listens on, as many as are shown; IPv6's "any" takes IPv4, too. */
static int addresses_of(const copal__side_t *side, uint8_t number, copal_peer_t addresses[ADDRESSES])
{
    if (copal__side_local(side, number, &addresses[0]) != 0)
        return -1;
    if (!copal__peer_is_any(&addresses[0]))
        return 1;
    const bool both = copal__peer_family(&addresses[0]) == AF_INET6;
    const int count = add_addresses(AF_INET, addresses, 0);
    return count < 0 || !both ? count : add_addresses(AF_INET6, addresses, count);
}

int copal__groups_show(copal__side_t *side, uint8_t number)
{
    copal_peer_t addresses[ADDRESSES] = {{0}};
    const int count = addresses_of(side, number, addresses);
    int heard = 0;
    for (int i = 0; i < count; i++) {
        const int more = show_at(side, number, &addresses[i]);
        if (more < 0)
            return more;
        heard += more;
    }
    return count < 0 ? COPAL_ESYSTEM : heard;
}
