/* Peers of UDP: address, port and scope as octets, and the way to and from the sockets' form. */
#ifndef COPAL_HOST_ADDRESS_H
#define COPAL_HOST_ADDRESS_H

#include "copal/base.h"

#include <netinet/in.h>
#include <sys/socket.h>

/** A socket address of either family. */
typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} copal__address_t;

/** A peer is its address (4 or 16 octets), its port (2) and, where the address is link-local or a group's, its scope (4, an
 *  interface's index; of a group it may be absent). An IPv4-mapped IPv6 address is the IPv4 one, so that a peer looks the
 *  same on every socket. */
enum { COPAL__PEER_IPV4 = 6, COPAL__PEER_IPV4_SCOPED = 10, COPAL__PEER_IPV6 = 18, COPAL__PEER_SCOPED = 22 };

/** The octets of a peer's address: a peer that is a DTLS session has COPAL_DTLS_PEER_SIZE more. */
uint8_t copal__peer_address_size(const copal_peer_t *peer);

/** The peer that a socket address names. */
void copal__address_to_peer(const copal__address_t *address, copal_peer_t *peer);

/** The socket address of a peer or of a session's, for a socket of `family`, and its length; 0 where that family cannot reach it. */
socklen_t copal__address_from_peer(copal__address_t *address, const copal_peer_t *peer, int family);

/** AF_INET or AF_INET6; 0 for what is no peer of UDP. */
int copal__peer_family(const copal_peer_t *peer);

/** Whether the peer's address is the one that means "any". */
bool copal__peer_is_any(const copal_peer_t *peer);

/** The interface that a peer is asked by, if it says so; else 0. */
uint32_t copal__peer_scope(const copal_peer_t *peer);
/** Says so of a group. */
void copal__peer_set_scope(copal_peer_t *group, uint32_t interface);

/** The peers of a literal address, or of a host name, which is looked up (may block): up to `most`. How many;
 *  COPAL_ERESOLVE; COPAL_ENOMEM. */
int copal__resolve(copal_peer_t *peers, int most, const char *text, uint16_t port);

/** The port. */
uint16_t copal__peer_port(const copal_peer_t *peer);
void copal__peer_set_port(copal_peer_t *peer, uint16_t port);

#endif
