#define _GNU_SOURCE 1
#include "address.h"

#include "copal/host.h"

#include <string.h>

uint8_t copal__peer_address_size(const copal_peer_t *peer)
{
    switch (peer->size) {
    case COPAL__PEER_IPV4 + COPAL_DTLS_PEER_SIZE:
    case COPAL__PEER_IPV6 + COPAL_DTLS_PEER_SIZE:
    case COPAL__PEER_SCOPED + COPAL_DTLS_PEER_SIZE:
        return (uint8_t)(peer->size - COPAL_DTLS_PEER_SIZE);
    default:
        return peer->size;
    }
}

void copal__address_to_peer(const copal__address_t *address, copal_peer_t *peer)
{
    if (address->any.sa_family == AF_INET) {
        peer->size = COPAL__PEER_IPV4;
        memcpy(peer->data, &address->v4.sin_addr, 4);
        memcpy(peer->data + 4, &address->v4.sin_port, 2);
        return;
    }
    const struct in6_addr *v6 = &address->v6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        peer->size = COPAL__PEER_IPV4;
        memcpy(peer->data, v6->s6_addr + 12, 4);
        memcpy(peer->data + 4, &address->v6.sin6_port, 2);
        return;
    }
    peer->size = COPAL__PEER_IPV6;
    memcpy(peer->data, v6, 16);
    memcpy(peer->data + 16, &address->v6.sin6_port, 2);
    if (IN6_IS_ADDR_LINKLOCAL(v6) || IN6_IS_ADDR_MC_LINKLOCAL(v6)) {
        uint32_t scope = address->v6.sin6_scope_id;
        peer->size = COPAL__PEER_SCOPED;
        memcpy(peer->data + 18, &scope, 4);
    }
}

/* ::ffff:a.b.c.d, the form that an IPv6 socket wants an IPv4 address in (RFC 4291 section 2.5.5.2) */
static void map(copal__address_t *address, const copal_peer_t *peer)
{
    memset(address, 0, sizeof address->v6);
    address->v6.sin6_family = AF_INET6;
    memset(address->v6.sin6_addr.s6_addr + 10, 0xff, 2);
    memcpy(address->v6.sin6_addr.s6_addr + 12, peer->data, 4);
    memcpy(&address->v6.sin6_port, peer->data + 4, 2);
}

socklen_t copal__address_from_peer(copal__address_t *address, const copal_peer_t *peer, int family)
{
    const int of_peer = peer->size == COPAL__PEER_IPV4 ? AF_INET : copal__peer_family(peer);
    if (of_peer == AF_INET && family == AF_INET) {
        memset(address, 0, sizeof address->v4);
        address->v4.sin_family = AF_INET;
        memcpy(&address->v4.sin_addr, peer->data, 4);
        memcpy(&address->v4.sin_port, peer->data + 4, 2);
        return sizeof address->v4;
    }
    if (family != AF_INET6 || of_peer == 0)
        return 0;
    if (of_peer == AF_INET) {
        map(address, peer);
        return sizeof address->v6;
    }
    memset(address, 0, sizeof address->v6);
    address->v6.sin6_family = AF_INET6;
    memcpy(&address->v6.sin6_addr, peer->data, 16);
    memcpy(&address->v6.sin6_port, peer->data + 16, 2);
    address->v6.sin6_scope_id = copal__peer_scope(peer);
    return sizeof address->v6;
}

int copal__peer_family(const copal_peer_t *peer)
{
    const uint8_t size = copal__peer_address_size(peer);
    if (size == COPAL__PEER_IPV4 || size == COPAL__PEER_IPV4_SCOPED)
        return AF_INET;
    return size == COPAL__PEER_IPV6 || size == COPAL__PEER_SCOPED ? AF_INET6 : 0;
}

bool copal__peer_is_any(const copal_peer_t *peer)
{
    static const uint8_t any[16];
    return memcmp(peer->data, any, copal__peer_family(peer) == AF_INET ? 4 : 16) == 0;
}

bool copal_peer_is_group(const copal_peer_t *peer)
{
    return copal__peer_family(peer) == AF_INET ? peer->data[0] >> 4 == 0xe : peer->data[0] == 0xff;
}

uint32_t copal__peer_scope(const copal_peer_t *peer)
{
    const uint8_t size = copal__peer_address_size(peer);
    uint32_t scope = 0;
    if (size == COPAL__PEER_IPV4_SCOPED || size == COPAL__PEER_SCOPED)
        memcpy(&scope, peer->data + size - 4, 4);
    return scope;
}

void copal__peer_set_scope(copal_peer_t *group, uint32_t interface)
{
    group->size = copal__peer_family(group) == AF_INET ? COPAL__PEER_IPV4_SCOPED : COPAL__PEER_SCOPED;
    memcpy(group->data + group->size - 4, &interface, 4);
}

uint16_t copal__peer_port(const copal_peer_t *peer)
{
    const uint8_t *at = peer->data + (copal__peer_family(peer) == AF_INET ? 4 : 16);
    return (uint16_t)(at[0] << 8 | at[1]);
}

void copal__peer_set_port(copal_peer_t *peer, uint16_t port)
{
    uint8_t *at = peer->data + (copal__peer_family(peer) == AF_INET ? 4 : 16);
    at[0] = (uint8_t)(port >> 8);
    at[1] = (uint8_t)port;
}
