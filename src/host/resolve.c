/* Peers from text, host names included, and to text. */
#define _GNU_SOURCE 1
#include "address.h"
#include "copal/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A zone is an interface's name or its index (RFC 4007 section 11.2). */
static uint32_t zone_index(const char *zone)
{
    unsigned index = if_nametoindex(zone);
    if (index != 0)
        return index;
    char *end;
    errno = 0;
    unsigned long number = strtoul(zone, &end, 10);
    bool plain = *zone >= '0' && *zone <= '9' && *end == 0 && errno == 0;
    return plain && number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* Splits the zone off; `*index` is 0 where there is none. False: that is no literal address. */
static bool split_zone(char plain[INET6_ADDRSTRLEN], uint32_t *index, const char *text)
{
    const char *zone = strchr(text, '%');
    size_t size = zone ? (size_t)(zone - text) : strlen(text);
    if (size >= INET6_ADDRSTRLEN)
        return false;
    memcpy(plain, text, size);
    plain[size] = 0;
    *index = zone ? zone_index(zone + 1) : 0;
    return !zone || *index != 0;
}

static void make_peer(copal_peer_t *peer, copal__address_t *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->v4.sin_port = htons(port);
    else
        address->v6.sin6_port = htons(port);
    memset(peer, 0, sizeof *peer);
    copal__address_to_peer(address, peer);
}

static int literal(copal_peer_t *peer, const char *text, uint16_t port)
{
    char plain[INET6_ADDRSTRLEN];
    uint32_t zone;
    copal__address_t address;
    memset(&address, 0, sizeof address);
    if (!split_zone(plain, &zone, text))
        return COPAL_EINVAL;
    if (inet_pton(AF_INET, plain, &address.v4.sin_addr) == 1)
        address.v4.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, plain, &address.v6.sin6_addr) == 1)
        address.v6.sin6_family = AF_INET6;
    else
        return COPAL_EINVAL;
    if (address.any.sa_family == AF_INET6)
        address.v6.sin6_scope_id = zone;
    make_peer(peer, &address, port);
    if (zone != 0 && copal_peer_is_group(peer))
        copal__peer_set_scope(peer, zone);
    return zone == 0 || copal__peer_family(peer) == AF_INET6 || copal_peer_is_group(peer) ? 0 : COPAL_EINVAL;
}

static int look_up(copal_peer_t *peers, int most, const char *name, uint16_t port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found;
    int count = 0;
    const int error = getaddrinfo(name, NULL, &hints, &found);
    if (error != 0)
        return error == EAI_MEMORY ? COPAL_ENOMEM : COPAL_ERESOLVE;
    for (const struct addrinfo *at = found; at && count < most; at = at->ai_next) {
        copal__address_t address;
        memset(&address, 0, sizeof address);
        if ((at->ai_family != AF_INET && at->ai_family != AF_INET6) || at->ai_addrlen > sizeof address)
            continue;
        memcpy(&address, at->ai_addr, at->ai_addrlen);
        make_peer(&peers[count++], &address, port);
    }
    freeaddrinfo(found);
    return count > 0 ? count : COPAL_ERESOLVE;
}

int copal__resolve(copal_peer_t *peers, int most, const char *text, uint16_t port)
{
    return literal(peers, text, port) == 0 ? 1 : look_up(peers, most, text, port);
}

int copal_peer_from_text(copal_peer_t *peer, const char *text, uint16_t port, bool resolve)
{
    int status = resolve ? copal__resolve(peer, 1, text, port) : literal(peer, text, port);
    return status < 0 ? status : 0;
}

void copal_peer_to_text(const copal_peer_t *peer, char *text, size_t capacity, uint16_t *port)
{
    char address[INET6_ADDRSTRLEN] = "?";
    char zone[IF_NAMESIZE + 1] = "";
    int family = copal__peer_family(peer);
    if (family != 0)
        inet_ntop(family, peer->data, address, sizeof address);
    const uint32_t scope = copal__peer_scope(peer);
    char name[IF_NAMESIZE];
    if (scope != 0 && if_indextoname(scope, name))
        snprintf(zone, sizeof zone, "%%%s", name);
    else if (scope != 0)
        snprintf(zone, sizeof zone, "%%%u", (unsigned)scope);
    snprintf(text, capacity, "%s%s", address, zone);
    if (port)
        *port = family != 0 ? copal__peer_port(peer) : 0;
}
