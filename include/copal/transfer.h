/* A request whose bodies are larger than a datagram, in either direction: block by block (RFC 7959) over the calls of
 * copal/endpoint.h, in constant memory. Also an observation whose states are. */
#ifndef COPAL_TRANSFER_H
#define COPAL_TRANSFER_H

#include "copal/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct copal_transfer_t copal_transfer_t;

/** Which exchange of a transfer options are written for. */
typedef enum {
    COPAL_PART_FIRST,    /* the first, or a body sent from its start again: all of them */
    COPAL_PART_SENDING,  /* a later block of the request's body: no If-None-Match (RFC 7959 section 2.10) */
    COPAL_PART_FETCHING, /* a later block of the answer's body: no ETag, If-Match, If-None-Match, which the first exchange
                          * has settled */
} copal_part_t;

/** Embed it in a struct of yours, all zero, set what is yours, and start it. Lent until `done` was called with
 *  response->ended, or it was cancelled. Its functions are called within the endpoint's; only `done` may start or cancel
 *  this transfer. */
struct copal_transfer_t {
    /* The caller's. */
    copal_request_t request; /* `to` and `token` stay lent; a given token is that of each exchange in turn, but for those that
                              * fetch what an observation told of; `timeout` is each exchange's */
    /** Writes the options of the request but Block1, Block2, Size1, Size2, Request-Tag, Observe: called for each exchange. */
    void (*options)(copal_transfer_t *t, copal_writer_t *w, copal_part_t part);
    copal_read_t read;       /* the request's body; may be asked for any part of it, at any time. NULL: there is none */
    void *context;           /* for `read` */
    size_t size;             /* octets of the request's body */
    /** Takes the next octets of a 2.xx answer's body, from `offset` on, which is where the last piece ended, or 0: then a
     *  body begins (anew, where the state changed half-way; or the next state of an observation). 0, or a negative error
     *  that ends the transfer. NULL: the body is not wanted, what comes with the first answer will do. */
    int (*write)(copal_transfer_t *t, size_t offset, copal_bytes_t piece);
    /** The outcome. status 0: `message` is the last response, its payload that of the last block, and where it is a 2.xx all
     *  of the body went to `write` (2.03 has none). Else as copal_response_t, or what `read` or `write` returned, or
     *  COPAL_EFORMAT: blocks that do not fit together, a state that changed twice while it was fetched, or a body of
     *  which the server took a part for the whole. Called once with response->ended; for an observation before that
     *  once for each state, and for each that could not be fetched. `id` is that of the first message; `token` that of
     *  the observation, or of the last exchange. */
    void (*done)(copal_transfer_t *t, const copal_response_t *response);
    /** Called after each block that was acknowledged or came; NULL: nobody looks, and Size2 is not asked for. */
    void (*progress)(copal_transfer_t *t);
    /** Called when no message ID is free toward the peer, since all were used within EXCHANGE_LIFETIME (RFC 7252 section
     *  4.4), as a large body does at once: may set request.via to another of our own sockets, by which this and what follows
     *  leaves, and return true; `tries` counts up from 1 until one has a free ID. Not asked for a body on its way, of
     *  which the server knows who sends it. False, or NULL: it waits until an ID is free. */
    bool (*move)(copal_transfer_t *t, unsigned tries);
    uint16_t block_size;     /* octets of the largest blocks to send and to ask for, a power of two, 16 to 1024; 0 is 1024 */
    bool blocks;             /* asks for blocks of that size from the start; else the server chooses the first, and is asked
                              * for that size only where it chose 64 octets or less */
    /** Where a download goes on that was interrupted: so many octets are there already, a multiple of the block size; and
     *  the ETag of the state they are of. If that is not the server's any more the body begins anew. */
    size_t resume_at;
    uint8_t etag[8], etag_size; /* then: the ETag of the state being fetched, size 0 for none; to be read in write and done */

    /* How far it is, to be read. */
    size_t sent;             /* octets of the request's body that were acknowledged */
    size_t received;         /* octets of the answer's body */
    size_t total;            /* octets of all of the answer's body (Size2); 0: unknown */

    /* Private. */
    copal_receiver_t receiver_;
    copal_endpoint_t *endpoint_;
    copal_handle_t exchange_, observation_;
    uint32_t tag_;
    uint16_t id_;
    uint8_t szx_, token_[8], token_size_;
    bool live_, in_blocks_, fetching_, resuming_, sent_again_, started_over_, moved_, asked_larger_;
};

/** Starts it. Its first message ID, 0 to 65535; or as copal_request_begin and copal_request_commit; then `done` is not
 *  called. A body over one block, or over what fits a datagram with the options, goes by Block1, with a Request-Tag of its
 *  own (RFC 9175 section 3); smaller ones in one datagram. Where the server asks for smaller blocks (Block1 in its answer, or
 *  4.13) it gets them. It takes one of limits.requests, and while it observes two.
 *  COPAL_EINVAL: block_size, or resume_at that is no multiple of it. COPAL_ESPACE: over 2^20 blocks; or to be observed,
 *  which takes a request in one datagram. */
int copal_transfer_start(copal_endpoint_t *e, copal_time_t now, copal_transfer_t *t);

/** Ends it; `done` is not called. An observation is deregistered. COPAL_ESTALE: it has ended. */
int copal_transfer_cancel(copal_transfer_t *t, copal_time_t now);

#ifdef __cplusplus
}
#endif
#endif
