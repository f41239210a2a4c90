/* Bodies of requests that are coming in by Block1 (RFC 7959 section 2.5): who sends which one, and how far it is. What is
 * made of the octets belongs to the room above. Everything here happens inside its exclusion. */
#ifndef COPAL_BLOCKWISE_UPLOAD_H
#define COPAL_BLOCKWISE_UPLOAD_H

#include "../message/hash.h"
#include "../messaging/table.h"
#include "copal/endpoint.h"

/** One body. */
typedef struct {
    uint64_t key;  /* of all that the parts of one body have in common */
    uint64_t peer; /* hash */
    copal_time_t last; /* when the last part came */
    size_t offset; /* octets that were taken */
    size_t block;  /* octets of the part that was taken last */
    uint32_t older, newer; /* neighbours in the order of last use, + 1 */
    const copal_endpoint_t *endpoint; /* of the call that was last to be answered later; NULL: none was */
    copal_handle_t waits;             /* that call's answer, which no other has the handle of */
    bool if_none_match; /* the first part said so; the others must not (RFC 7959 section 2.10) */

    /* The room above's. */
    void *body;
    const void *taker; /* what takes the body; NULL: nothing yet */
    uint32_t owner;    /* whose it is, for copal__uploads_leave */
    size_t most;    /* octets that there may be at most; 0: not known */
    bool busy;      /* somebody is at work on it, outside of the exclusion: it stays */
    bool doomed;    /* to be forgotten once that work is done */
} copal__upload_t;

typedef struct {
    copal__upload_t *uploads;
    copal__pool_t pool;
    copal__index_t index; /* by key */
    copal__index_t by_peer;
    uint32_t oldest, youngest; /* by last use, + 1 */
    const copal__key_t *hash_key;
    /** Releases what was made of one that ends early. */
    void (*drop)(void *context, copal__upload_t *upload);
    void *context;
} copal__uploads_t;

/** What is to be done with a part. */
typedef enum {
    COPAL__PART_ANSWERED, /* nothing: it is answered, by a refusal or as a copy of the part before */
    COPAL__PART_FIRST,    /* a body begins with it; the entry is new */
    COPAL__PART_NEXT,     /* it goes on where the last one ended */
} copal__part_t;

void copal__uploads_lay(copal__uploads_t *u, copal__carver_t *carver, uint32_t capacity);

/** Whether a request is a part of a body, and not all of it. */
static inline bool copal__is_part(const copal_call_t *call) { return call->options->block1 >= 8; }

/** Whether more parts follow. */
static inline bool copal__more_follow(const copal_call_t *call) { return call->options->block1 & 8; }

/** Finds the body that a part belongs to, or makes an entry. Refusals are answered: 4.00, 4.01 with Echo, 4.08, and at a
 *  bound 4.29 or 5.03 with Max-Age. */
copal__part_t copal__upload_find(copal__uploads_t *u, copal_call_t *call, copal__upload_t **upload);
/** A body came whole in one request: what was coming of it in parts is dropped. */
void copal__upload_supersede(copal__uploads_t *u, const copal_call_t *call);

/** Drops what waits for this answer, which was an error: nobody goes on after it. */
void copal__upload_refused(copal__uploads_t *u, const copal_endpoint_t *endpoint, copal_handle_t later);

/** Whether the call is to be answered later. */
bool copal__is_deferred(const copal_call_t *call);

/** Answers 4.13: nobody puts this body together. Size1 says what fits one datagram. */
void copal__part_refuse(copal_call_t *call);

/** The part was taken and more follow: answers 2.31, unless an answer comes later. */
void copal__upload_advance(copal__uploads_t *u, copal_call_t *call, copal__upload_t *upload);
/** The entry is free again; what was made of it is not released. */
void copal__upload_forget(copal__uploads_t *u, copal__upload_t *upload);

/** Drops what has been idle for longest, if that is for 30 s or more. False: nothing has. */
bool copal__uploads_make_room(copal__uploads_t *u, copal_time_t now);
/** Drops all of this owner; UINT32_MAX: everybody's. */
void copal__uploads_leave(copal__uploads_t *u, uint32_t owner);

#endif
