/* Requests remembered against duplicates (RFC 7252 section 4.5): one with effects runs once. Bounded; nothing that must be
 * kept is forgotten early. Most clients count their message IDs up: a run of those is one entry with an octet for each, and only
 * what was answered with more than the code of the others takes memory of its own. That octet is a check of the message, for
 * an ID may be used again too early: by a device that started anew, or by who got the port of another (at a NAT, say).
 * Such a request is no duplicate: to answer it with the reply to another, under its own token, would be to lie. */
#ifndef COPAL_MESSAGING_REMEMBERED_H
#define COPAL_MESSAGING_REMEMBERED_H

#include "copal/message.h"
#include "table.h"

#define COPAL__RUN 64u /* message IDs of an entry */
#define COPAL__CHUNK_DATA 60u
#define COPAL__FIRST_DATA 40u

/** What became of a remembered request so far. */
typedef enum {
    COPAL__FORGOTTEN, /* nothing: it is gone, though its handler may still be running */
    COPAL__RUNNING,   /* no reply yet */
    COPAL__REPLIED,   /* the code and the stored octets are the reply; 0.00: it went in a message of its own */
    COPAL__RESENT,    /* it was challenged, and is settled under another message ID: a duplicate gets an empty ACK */
} copal__outcome_t;

/** A request that there is more to say of than that it ran: it is running, or its reply is no bare code, or another one. */
typedef struct {
    uint32_t next;  /* chunk of the same reply, + 1 */
    uint32_t other; /* memory of the same run, + 1 */
    uint64_t key;   /* of peer, via and message ID */
    uint32_t run;
    uint16_t size; /* octets of its reply behind the token */
    uint8_t code, outcome;
    uint8_t data[COPAL__FIRST_DATA];
} copal__memory_t;

typedef struct {
    uint32_t next;
    uint8_t data[COPAL__CHUNK_DATA];
} copal__chunk_t;

typedef union {
    copal__memory_t memory;
    copal__chunk_t chunk;
} copal__piece_t;

/** Requests with message IDs in a row, to be remembered until about the same time. */
typedef struct {
    uint64_t key; /* of peer, via and the lowest message ID */
    copal_time_t expiry; /* of the one that must stay longest */
    uint32_t next[2];    /* younger entry of the same list, and of the same bucket, + 1 */
    uint32_t memories;   /* first, + 1 */
    uint16_t begun;      /* the expiry of the first one, in units of 1,024 ms */
    uint8_t code;        /* the bare reply to all that have no memory */
    uint8_t kind;
    uint8_t checks[COPAL__RUN]; /* of those that are remembered; 0: not */
} copal__run_t;

typedef struct {
    uint32_t oldest, youngest, count; /* entries + 1 */
    uint32_t kept;                    /* pieces that they have; not used for soft ones */
} copal__queue_t;

/** What a request is known by. */
typedef struct {
    uint64_t peer; /* hash */
    uint64_t key;  /* of peer, via and message ID */
    copal_time_t until;
    uint16_t id;
    uint8_t check; /* of the message, not 0: the same for its copies, most likely another for others */
} copal__origin_t;

/** What is known of one. */
typedef struct {
    const copal__memory_t *memory; /* NULL: nothing but what follows */
    uint16_t size;                 /* octets of its reply behind the token */
    uint8_t code, outcome;         /* 0.00: a duplicate gets an empty ACK */
} copal__found_t;

typedef struct {
    copal__run_t *runs;
    copal__piece_t *pieces;
    copal__pool_t pool, piece_pool;
    copal__index_t index;
    copal__queue_t lists[2]; /* may go early, must stay */
    copal__queue_t *buckets; /* those that must stay, by hash of the peer */
    copal_time_t now;
    uint64_t forgotten; /* entries that went early, counted */
    uint32_t bucket_mask;
    uint32_t worst;   /* pieces of the largest reply */
    uint32_t running; /* requests that must stay and have no reply yet: each has `worst` pieces, all but one reserved */
} copal__remembered_t;

/** The octets of memory for replies that the largest, of `reply_size` octets with its header, takes. */
size_t copal__remembered_least(size_t reply_size);
void copal__remembered_lay(copal__remembered_t *r, copal__carver_t *carver, uint32_t capacity, uint32_t bytes,
                           uint32_t reply_size);
/** Forgets what is over at `now`, which is the time of every call that follows. */
void copal__remembered_expire(copal__remembered_t *r, copal_time_t now);
/** Whether the request is remembered, and what is known of it. */
bool copal__remembered_find(const copal__remembered_t *r, const copal__origin_t *origin, copal__found_t *found);
/** True where three quarters of the room is taken by what must stay. */
bool copal__remembered_crowded(const copal__remembered_t *r);
/** Adds a running request. NULL: no room for one that must stay, or no use for one that need not. */
copal__memory_t *copal__remembered_add(copal__remembered_t *r, const copal__origin_t *origin, bool hard);
/** Whether the peer of this request has its share of what must stay. */
bool copal__remembered_is_full(const copal__remembered_t *r, const copal__origin_t *origin);
/** When the entry leaves that keeps this peer from another one that must stay: the peer's own oldest, or the oldest of all. */
copal_time_t copal__remembered_room_at(const copal__remembered_t *r, const copal__origin_t *origin);
/** The request is settled under another one's key: from now on a copy of it is only acknowledged. False: there is no room
 *  to remember that. */
bool copal__remembered_settle(copal__remembered_t *r, const copal__origin_t *origin);
/** Stores the reply of a running request, if the memory is still this one's: its code, and where it is `whole` all behind
 *  header and token. NULL for the reply: it goes in a message of its own. `m` may be NULL. */
void copal__remembered_reply(copal__remembered_t *r, copal__memory_t *m, uint64_t key, const copal_writer_t *reply,
                             bool whole);
/** Copies the stored reply out; `out` has room for found->size octets. */
void copal__remembered_copy(const copal__remembered_t *r, const copal__found_t *found, uint8_t *out);

#endif
