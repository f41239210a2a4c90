/* Who observes what (RFC 7641 section 4.1), in bounded tables: an observer is one of a request, which others may have made
 * just so, and of the subject that its answer is the state of. Nothing here is found by walking through others. */
#ifndef COPAL_EXCHANGE_OBSERVERS_H
#define COPAL_EXCHANGE_OBSERVERS_H

#include "../messaging/list.h"
#include "copal/endpoint.h"

/** Octets of an observed request as it is kept beyond its options and its payload: a header and a payload marker. */
#define COPAL__REQUEST_MORE 5u

/** How it stands with an observer. Those from COPAL__DUE on wait in a list of their own. */
typedef enum {
    COPAL__RESTING,    /* it knows the newest state, or its subject has not come to it yet */
    COPAL__FLYING,     /* a CON was sent: the acknowledgement is awaited */
    COPAL__PENDING,    /* the answer to it was deferred */
    COPAL__DUE,        /* is told next */
    COPAL__SUPERSEDED, /* its CON is due to be sent again, but with a newer state */
    COPAL__CROWDED,    /* waits for one of limits.notifications */
    COPAL__COOLING,    /* waits until `due`: for a NON to be allowed, or a message ID to be free */
    COPAL__BEHIND,     /* waits for another CON to the same client, in the list of that */
} copal__observer_stand_t;

typedef struct {
    uint64_t hash; /* of the peer */
    copal_peer_t peer;
    uint8_t token[8];
    uint32_t via;
    uint32_t observed;  /* slot of what it observes */
    uint32_t round;     /* of its subject, that came to it last */
    uint32_t sent;      /* ms, when the last notification left */
    uint32_t confirmed; /* units, when the last sign of life came */
    union {
        uint32_t due;  /* COOLING: ms */
        uint32_t slot; /* FLYING, SUPERSEDED, PENDING: the message */
    };
    uint16_t id;             /* of the last NON */
    uint16_t content_format; /* of the first answer */
    uint8_t token_size, network, stand;
    bool has_id : 1, has_format : 1;
    bool has_content : 1;  /* there was an answer that could have a Content-Format */
    bool proven : 1;       /* from.proven at its registration */
    bool acknowledged : 1; /* a CON since its registration */
    bool stale : 1;        /* FLYING, PENDING: there is a newer state than is on its way */
} copal__observer_t;

/** A request that is asked again for each notification. */
typedef struct {
    uint64_t hash;
    uint32_t subject; /* its slot in the table */
    uint32_t generation;
    uint32_t observers;
    uint16_t size; /* octets of the message: header without token, options, payload */
    bool confirmable;
} copal__observed_t;

typedef struct {
    uint32_t slot; /* the service's */
    uint32_t observed;
    uint32_t round;      /* counts the changes that observers were begun to be told of */
    copal_time_t number; /* of the last notification: Observe is its lower 24 bits */
    copal__list_t ring;  /* its observers: first those that the present round has not come to */
    bool changed;        /* a new round is to begin */
    bool listed;         /* in the list of those that have observers to come to */
    bool told;           /* `number` was used */
} copal__subject_t;

/** CONs on their way, and who waits for them (RFC 7252 section 4.7): clients share such a place by hash. */
typedef struct {
    copal__list_t behind; /* observers */
    uint32_t flying;
} copal__client_t;

typedef struct {
    copal__subject_t *subjects;
    copal__observed_t *observed;
    copal__observer_t *observers;
    uint8_t *requests; /* request_size octets for each observed, and one more */
    size_t request_size;
    copal__pool_t subject_pool, observed_pool, pool;
    copal__index_t by_slot, by_request, by_token, by_id;
    copal__link_pair_t *changed_links, *ring_links, *stand_links;
    copal__client_t *clients;
    uint32_t client_mask;
    copal__list_t changed;               /* subjects */
    copal__list_t stands[COPAL__BEHIND - COPAL__DUE]; /* observers, from COPAL__DUE on */
    copal_time_t number;                 /* no subject ever had a higher one */
} copal__observers_t;

/** The place for a request that is to be looked for, of request_size octets. */
static inline uint8_t *copal__observers_draft(const copal__observers_t *t)
{
    return t->requests + t->observed_pool.capacity * t->request_size;
}

/** The message that an observed request is kept as. */
static inline copal_bytes_t copal__observed_request(const copal__observers_t *t, uint32_t observed)
{
    return (copal_bytes_t){t->requests + observed * t->request_size, t->observed[observed].size};
}

static inline copal__subject_t *copal__subject_of(const copal__observers_t *t, const copal__observer_t *o)
{
    return &t->subjects[t->observed[o->observed].subject];
}

/** Those that stand like this, from COPAL__DUE to COPAL__COOLING. */
static inline copal__list_t *copal__standing(copal__observers_t *t, copal__observer_stand_t stand)
{
    return &t->stands[stand - COPAL__DUE];
}

static inline copal__client_t *copal__client_of(const copal__observers_t *t, uint64_t peer_hash)
{
    return &t->clients[(uint32_t)(peer_hash >> 32) & t->client_mask];
}

/** The subject of this slot, or NULL. */
copal__subject_t *copal__subject_find(const copal__observers_t *t, uint32_t slot);
/** Counts its number up, with the time where that is higher: RFC 7641 section 4.4. */
void copal__subject_count(copal__observers_t *t, copal__subject_t *s, copal_time_t now);

/** The observed request with this hash that is the `size` octets of the draft, of this subject: one that is there, or a new
 *  one with no observers yet. COPAL__NONE: no room. */
uint32_t copal__observed_open(copal__observers_t *t, uint64_t hash, size_t size, copal_handle_t subject);

/** Adds an observer of that request. `key` is of peer, via and token. There is room. The caller fills in the rest. */
copal__observer_t *copal__observer_add(copal__observers_t *t, uint32_t observed, uint64_t key);
/** Its subject has come to it in the present round. */
void copal__observer_come(copal__observers_t *t, copal__observer_t *o);
/** Takes it away, and what nobody observes any more. */
void copal__observer_remove(copal__observers_t *t, copal__observer_t *o, uint64_t key);
/** From now on it stands like this. */
void copal__observer_stand(copal__observers_t *t, copal__observer_t *o, copal__observer_stand_t stand);
/** It is found by the message ID of the NON that was sent last. */
void copal__observer_identify(copal__observers_t *t, copal__observer_t *o, uint16_t id);

static inline uint32_t copal__observer_number(const copal__observers_t *t, const copal__observer_t *o)
{
    return (uint32_t)(o - t->observers);
}

#endif
