/* Replies remembered against duplicates (RFC 7252 section 4.5): a request with effects runs once. Bounded; nothing that must
 * be kept is forgotten early. */
#ifndef COPAL_MESSAGING_REMEMBERED_H
#define COPAL_MESSAGING_REMEMBERED_H

#include "copal/message.h"
#include "table.h"

#define COPAL__CHUNK_DATA 60u
#define COPAL__BUCKETS 256u

typedef struct {
    uint32_t next; /* chunk + 1 */
    uint8_t data[COPAL__CHUNK_DATA];
} copal__chunk_t;

/** What became of a remembered request so far. */
typedef enum {
    COPAL__RUNNING,   /* no reply yet */
    COPAL__REPLIED,   /* `code` and the stored octets are the reply */
    COPAL__SEPARATE,  /* the reply went in a message of its own: a duplicate gets an empty ACK */
    COPAL__RESENT,    /* it was challenged, and is settled under another message ID: likewise */
    COPAL__FORGOTTEN, /* idempotent, and its reply found no room */
} copal__outcome_t;

typedef struct {
    uint64_t key; /* of peer, via and message ID */
    copal_time_t expiry;
    uint32_t next[2]; /* younger entry of the same list, and of the same bucket, + 1 */
    uint32_t chunk;   /* first of its reply, + 1 */
    uint16_t size;    /* octets of its reply behind the token */
    uint8_t code, outcome, bucket;
    bool hard; /* must be kept until expiry */
} copal__memory_t;

typedef struct {
    uint32_t oldest, youngest, count; /* entries + 1 */
} copal__queue_t;

/** What a request is known by. */
typedef struct {
    uint64_t peer; /* hash */
    uint64_t key;  /* of peer, via and message ID */
    copal_time_t until;
} copal__origin_t;

typedef struct {
    copal__memory_t *memories;
    copal__chunk_t *chunks;
    copal__pool_t pool, chunk_pool;
    copal__index_t index;
    copal__queue_t lists[2]; /* may go early, must stay */
    copal__queue_t *buckets; /* those that must stay, by the hash of the peer */
    copal_time_t now;
    uint32_t worst;   /* chunks of the largest reply */
    uint32_t running; /* entries that must stay and have no reply yet: each has `worst` chunks reserved */
    uint32_t kept;    /* chunks of entries that must stay */
} copal__remembered_t;

/** `reply_size` is the largest reply, in octets. */
void copal__remembered_lay(copal__remembered_t *r, copal__carver_t *carver, uint32_t capacity, uint32_t bytes,
                           uint32_t reply_size);
/** Forgets what is over at `now`, which is the time of every call that follows. */
void copal__remembered_expire(copal__remembered_t *r, copal_time_t now);
/** The entry with this key, or NULL. */
const copal__memory_t *copal__remembered_find(const copal__remembered_t *r, uint64_t key);
/** True where three quarters of the room is taken by what must stay. */
bool copal__remembered_crowded(const copal__remembered_t *r);
/** Adds a running request. NULL: no room for one that must stay, or no use for one that need not. */
copal__memory_t *copal__remembered_add(copal__remembered_t *r, const copal__origin_t *origin, bool hard);
/** Whether this peer has its share of what must stay. */
bool copal__remembered_is_full(const copal__remembered_t *r, uint64_t peer_hash);
/** When the entry leaves that keeps this peer from another one that must stay: the peer's own oldest, or the oldest of all. */
copal_time_t copal__remembered_room_at(const copal__remembered_t *r, uint64_t peer_hash);
/** The request is settled under another one's key: from now on a copy of it is only acknowledged. False: there is no room
 *  to remember that. */
bool copal__remembered_settle(copal__remembered_t *r, const copal__origin_t *origin);
/** Stores the reply of a running request, if the entry is still this one's: its code, and where it is `whole` all behind
 *  header and token. NULL for the reply: it goes in a message of its own. `m` may be NULL. */
void copal__remembered_reply(copal__remembered_t *r, copal__memory_t *m, uint64_t key, const copal_writer_t *reply,
                             bool whole);
/** Copies the stored reply of an entry out; `out` has room for entry->size octets. */
void copal__remembered_copy(const copal__remembered_t *r, const copal__memory_t *entry, uint8_t *out);

#endif
