/* Datagrams on their way between sockets and endpoints, many at a time: arrays made once, of which little is touched
 * for each datagram. */
#ifndef COPAL_HOST_BATCH_H
#define COPAL_HOST_BATCH_H

#include "../messaging/memory.h"
#include "local.h"
#include "udp.h"

#include "copal/base.h"

enum {
    COPAL__BATCH = 64,
    COPAL__QUOTE_SIZE = 300 /* header, and the longest token that is kept for later */
};

/** What one slot points to. */
typedef struct {
    struct iovec vector; /* first, so that it leads back here */
    uint32_t interface;  /* that a datagram to a group leaves by */
    copal__address_t address;
    _Alignas(size_t) uint8_t control[COPAL__CONTROL_SIZE];
} copal__place_t;

/** What could not be sent: a message of the endpoint's, since its network says so; a record of the filter's, likewise; or a
 *  message of the endpoint's, since its session is gone. */
typedef enum { COPAL__FAILED_MESSAGE, COPAL__FAILED_RECORD, COPAL__FAILED_SESSION } copal__failed_t;

typedef struct {
    copal__failed_t what;
    copal_peer_t to; /* of a record: an address */
    uint32_t via;
    uint16_t size;
    uint8_t quoted[COPAL__QUOTE_SIZE];
} copal__failure_t;

typedef struct {
    unsigned capacity;
    copal__slot_t *in, *out;
    copal__place_t *in_places, *out_places;
    copal_datagram_t *datagrams; /* as the endpoint hands them out */
    copal__failure_t *failures;  /* no more are told of at a time */
    unsigned failures_most, failed;
    uint8_t *sealed;             /* records on their way out, one for each slot; NULL: there is no DTLS */
    size_t sealed_size;
} copal__batch_t;

/** Lays out a batch of `capacity` datagrams each way, of up to `size` octets on their way in. One octet more
 *  is received, so that a larger datagram is seen as larger. `sealed_size`: octets of a record on its way out, or 0. */
void copal__batch_lay(copal__batch_t *batch, copal__carver_t *carver, unsigned capacity, size_t size,
                      size_t sealed_size);

/** Makes a slot that was received into ready for the next datagram. */
static inline void copal__batch_rearm(copal__slot_t *slot)
{
    slot->header.msg_namelen = sizeof(copal__address_t);
    slot->header.msg_controllen = COPAL__CONTROL_SIZE;
}

#endif
