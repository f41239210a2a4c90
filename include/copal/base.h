/* Values that every room of copal shares: time, errors, octets, peers. */
#ifndef COPAL_BASE_H
#define COPAL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Milliseconds on a monotonic clock of any origin. The core reads no clock: time is always an argument. */
typedef int64_t copal_time_t;
#define COPAL_NEVER INT64_MAX

/** Every error of the library: name, value, text. Functions return 0 or one of these, unless they say otherwise. */
#define COPAL_ERROR_MAP(XX)                                                                  \
    XX(EFORMAT, -1, "datagram is not a well-formed CoAP message")                            \
    XX(EVERSION, -2, "datagram is not CoAP version 1")                                       \
    XX(EIGNORED, -3, "message was well-formed but needed no action")                         \
    XX(EFULL, -4, "no room; a documented bound is reached")                                  \
    XX(ESPACE, -5, "message or value does not fit")                                          \
    XX(ESTALE, -6, "handle names nothing that lives")                                        \
    XX(ETIMEOUT, -7, "peer did not acknowledge or answer in time")                           \
    XX(ERESET, -8, "peer answered with Reset")                                               \
    XX(ECRITICAL, -9, "response holds a critical option that is not understood")             \
    XX(EUNREACHABLE, -10, "network says that the peer cannot be reached")                    \
    XX(EINVAL, -11, "argument outside its documented range")                                 \
    XX(EEXIST, -12, "there is one already")                                                  \
    XX(ENOTFOUND, -13, "no such thing")                                                      \
    XX(EURI, -14, "not a valid coap or coaps URI")                                           \
    XX(EUNSUPPORTED, -15, "not supported by this build")                                     \
    XX(ENOMEM, -16, "out of memory")                                                         \
    XX(ESYSTEM, -17, "system call failed; see errno")                                        \
    XX(ERESOLVE, -18, "host name has no address")                                            \
    XX(EHANDSHAKE, -19, "DTLS handshake failed")                                             \
    XX(ECERTIFICATE, -20, "certificate cannot be used, or is not to be trusted")             \
    XX(ECLOSED, -21, "peer closed the DTLS session")

enum {
#define XX(name, value, text) COPAL_##name = (value),
    COPAL_ERROR_MAP(XX)
#undef XX
};

/** A sentence about `error`, static; "no error" for 0, "unknown error" for any other number. */
const char *copal_error_text(int error);

/** Octets that belong to somebody else; the declaration that hands them out says until when. */
typedef struct {
    const uint8_t *data;
    size_t size;
} copal_bytes_t;

/** The octets of a C string, without its NUL; borrowed. */
copal_bytes_t copal_text(const char *text);

/** A peer: opaque octets, equal if and only if the octets are. The host puts in address, port and scope,
 *  and later the security association, since that is part of "same endpoint" (RFC 7252 section 1.2). */
#define COPAL_PEER_SIZE 31
typedef struct {
    uint8_t size; /* octets used in data; the rest is not looked at */
    uint8_t data[COPAL_PEER_SIZE];
} copal_peer_t;

/** Where a datagram came from. `via` names which of our own addresses or interfaces it came to: an answer leaves
 *  from there. The core only compares and hands back `via`. */
typedef struct {
    copal_peer_t peer;
    uint32_t via;
    bool multicast; /* it was sent to a group (RFC 7252 section 8) */
    bool proven;    /* the peer's address is known to be real, as in a security association */
    uint8_t network; /* how many octets at the start of the peer's data name its network, which is what the guard against
                      * amplification counts by (3 for an IPv4 /24, 7 for an IPv6 /56), at most 7; 0: all of them */
} copal_from_t;

/** A datagram on its way out. `to` and `bytes` live until the next call of the endpoint that gave them. */
typedef struct {
    const copal_peer_t *to;
    uint32_t via;
    copal_bytes_t bytes;
} copal_datagram_t;

/** Names a slot in a bounded table. Never dangles: once the thing is gone, every use answers COPAL_ESTALE.
 *  All zero is never a live handle. */
typedef struct {
    uint32_t slot, generation;
} copal_handle_t;

#ifdef __cplusplus
}
#endif
#endif
