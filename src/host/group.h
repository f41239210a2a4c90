/* Groups (RFC 7252 sections 8, 12.8): the interfaces that they are heard and asked on. */
#ifndef COPAL_HOST_GROUP_H
#define COPAL_HOST_GROUP_H

#include "side.h"

/** The indices of the interfaces that are up and do multicast, each with an address of the family. The loopback interface
 *  does not say so, and can; it is among them if `loopback`, or where there is no other. How many, of which those past
 *  COPAL_INTERFACES are left out; -1: errno. */
int copal__interfaces(int family, bool loopback, uint32_t indices[COPAL_INTERFACES]);

/** The interface that one of our addresses belongs to, in `*index`; 0: none, or it is the one that means "any". Returns 0; -1:
 *  errno. */
int copal__interface_of(const copal_peer_t *local, uint32_t *index);

/** Makes the groups of all CoAP nodes be heard for the socket of that number: by itself where it is bound to any address, else
 *  by sockets of their own, since one that is bound to one address hears no group. How many groups and interfaces; or
 *  COPAL_EFULL, COPAL_ESYSTEM (errno), when some may be heard already. */
int copal__groups_hear(copal__side_t *side, uint8_t number);

/** The same for a secured socket, on COPAL_PORT: since there is no DTLS with groups (RFC 7252 section 9), what comes by them is
 *  answered by a socket of its own for each address, that says where DTLS is to be had. */
int copal__groups_show(copal__side_t *side, uint8_t number);

#endif
