/* What a platform gives to the host: datagram sockets, a way to wake a sleeping thread, and randomness. Each folder
 * beside this file (linux/, posix/) has all of it; the build takes one of them. */
#ifndef COPAL_HOST_UDP_H
#define COPAL_HOST_UDP_H

#include "address.h"

#include <sys/uio.h>

/** One datagram of a batch, to be sent or received: address, octets and control data are where `header` points. */
typedef struct {
    struct msghdr header;
    unsigned size; /* octets received */
} copal__slot_t;

/** Opens a socket of `family` that does not block and is closed on exec, hears no group it did not join, sends
 *  without the don't-fragment mark and believes no path MTU that ICMP tells (RFC 7252 section 4.6). With `errors` it
 *  keeps ICMP errors for copal__udp_error. -1: errno. */
int copal__udp_open(int family, bool errors);

/** Makes a socket that somebody else has opened like one of copal__udp_open without `errors`. -1: errno. */
int copal__udp_adopt(int fd, int family);

/** Whether several sockets can be bound to one address such that what one peer sends comes to the same of them always. */
extern const bool copal__udp_shares;
/** Lets sockets that were made to share as well be bound to the same address; before these are bound, and for them before they are.
 *  -1: errno. */
int copal__udp_share(int fd);

/** Takes up to `count` datagrams that have come, without waiting. Returns how many; -1: errno. */
int copal__udp_receive(int fd, copal__slot_t *slots, unsigned count);

/** Sends the first of `count` datagrams, and further ones as far as that goes. Returns how many; -1: errno, and it
 *  is about the first, or about a datagram sent earlier. `joins`, of the socket, copal__udp_joins at first: datagrams of a
 *  size to one peer may pass through the kernel as one; false from when it refused that. */
int copal__udp_send(int fd, bool *joins, copal__slot_t *slots, unsigned count);

/** Whether there is such a way for many datagrams to pass through the kernel as one. */
extern const bool copal__udp_joins;

/** Whether ICMP errors come with the datagram that caused them. Where the system cannot tell that they are
 *  ignored, as RFC 7252 section 4.2 has it. */
extern const bool copal__udp_has_errors;

/** The next ICMP error that says a datagram of ours cannot get there: where it went, and how it starts. False: no
 *  more. */
bool copal__udp_error(int fd, copal_peer_t *peer, uint8_t *quoted, size_t capacity, size_t *size);

/** How many datagrams the system dropped since the socket's buffer was full; 0 where it does not tell. */
uint64_t copal__udp_overflowed(int fd);

/** A pair of descriptors: what is written to [1] makes [0] readable. They may be the same one. 0; -1: errno. */
int copal__wake_open(int fds[2]);
/** Makes [0] readable. May be called in a signal handler. */
void copal__wake_signal(const int fds[2]);
/** Makes [0] unreadable again. */
void copal__wake_clear(const int fds[2]);
void copal__wake_close(const int fds[2]);

/** Unpredictable octets from the system. Never fails: a system without them ends the program. */
void copal__random(void *buffer, size_t size);

#endif
