/* Our own addresses, as datagrams came to them on sockets that listen on all of a machine's: an answer must leave
 * from the address that was asked (RFC 7252 section 5.3.2: source and destination are part of the match). */
#ifndef COPAL_HOST_LOCAL_H
#define COPAL_HOST_LOCAL_H

#include "address.h"

#include <string.h>

/* Room for IPV6_PKTINFO (20 octets), which is the larger one, and for IP_PKTINFO (12) as well: an IPv6 socket that
 * takes IPv4 hands out both. */
enum { COPAL__ANSWER_SIZE = CMSG_SPACE(20), COPAL__CONTROL_SIZE = CMSG_SPACE(12) + CMSG_SPACE(20), COPAL__LOCALS = 64 };

typedef struct {
    uint8_t socket; /* the socket it belongs to */
    bool multicast; /* a group or broadcast address was asked */
    uint8_t answer_size;
    uint32_t interface; /* of an IPv6 link-local address or group; else 0 */
    uint8_t address[16];
    _Alignas(size_t) uint8_t answer[COPAL__ANSWER_SIZE]; /* the control data that makes an answer leave from it */
} copal__local_t;

/** The addresses that were asked so far. Only addresses of this machine get in, so peers cannot make it grow. Past
 *  the bound the kernel chooses the address of an answer. */
typedef struct {
    uint32_t count, last; /* how many; the one that was asked last */
    size_t seen_size;     /* the control data that it was asked with; 0: none */
    uint8_t seen[COPAL__CONTROL_SIZE];
    copal__local_t entries[COPAL__LOCALS];
} copal__locals_t;

/** Makes an unbound socket hand out the address that each datagram was sent to. -1: errno. */
int copal__local_enable(int fd, int family);

/** Control data that makes a datagram leave by an interface, whatever its route; its size. */
size_t copal__local_by_interface(void *control, int family, uint32_t interface);

/** As copal__local_find, for an address that was not the last one. */
uint32_t copal__local_learn(copal__locals_t *table, uint8_t socket, const struct msghdr *header, bool *multicast);

/** The number, from 1, of the address that a datagram's control data tells of; 0 where it tells of none or the table
 *  is full. `multicast`: it is no address of one machine. Most datagrams come to the same address as the one before,
 *  with the same control data to the octet. */
static inline uint32_t copal__local_find(copal__locals_t *table, uint8_t socket, const struct msghdr *header,
                                         bool *multicast)
{
    const copal__local_t *last = &table->entries[table->last];
    if (last->socket != socket || table->seen_size != header->msg_controllen || table->seen_size == 0 ||
        memcmp(table->seen, header->msg_control, table->seen_size) != 0)
        return copal__local_learn(table, socket, header, multicast);
    *multicast = last->multicast;
    return table->last + 1;
}

#endif
