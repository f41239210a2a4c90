/* What the files of this room share: the endpoint's state. */
#ifndef COPAL_EXCHANGE_STATE_H
#define COPAL_EXCHANGE_STATE_H

#include "../message/hash.h"
#include "../messaging/guard.h"
#include "../messaging/identifier.h"
#include "../messaging/outbox.h"
#include "../messaging/proven.h"
#include "../messaging/remembered.h"
#include "../messaging/timer.h"
#include "copal/endpoint.h"
#include "observers.h"
#include "rest.h"

/** Where a slot stands. A request goes from OPEN to EXPECTING, an observation from there to OBSERVING and back to register
 * again, a deferred call from HELD to SENT. */
typedef enum {
    COPAL__OPEN,      /* request: begun, not yet committed */
    COPAL__NO_ID,     /* waits until a message ID is free; call: and until its moment has come */
    COPAL__QUEUED,    /* request: waits for its turn with the peer (NSTART) */
    COPAL__READY,     /* leaves with the next send */
    COPAL__SENT,      /* CON: waits for the acknowledgement */
    COPAL__EXPECTING, /* request: acknowledged or NON, waits for the response */
    COPAL__OBSERVING, /* observation: registered, and nothing of ours is unanswered */
    COPAL__HELD,      /* call: the empty ACK has not left */
    COPAL__PROMISED,  /* call: acknowledged, or NON; waits for the handler */
    COPAL__ONCE,      /* call: its answer leaves once, on the ACK or as NON */
} copal__stand_t;

/** A datagram that came in. */
typedef struct {
    const copal_from_t *from;
    copal_bytes_t datagram;
    copal_message_t message;
    bool oversize; /* the datagram is over the limit: only header and token of the message are there */
} copal__arrival_t;

/** What a request says of blocks, for its answer. */
typedef struct {
    int32_t block1, block2; /* the options' values; -1: none */
    bool size2;             /* the size of the answer's body is wanted */
    bool problem;           /* and an error's description as Concise Problem Details */
} copal__asked_t;

typedef struct copal__slot_t copal__slot_t;

/** A request being served, with what the endpoint needs besides. */
typedef struct copal__serving_t {
    copal_call_t call; /* first, so that a handler's call leads back here */
    copal_request_options_t options;
    copal_writer_t w;
    copal__origin_t origin;  /* valid where `identified` */
    copal__memory_t *memory; /* in the table of remembered replies, or NULL */
    copal_code_t code;     /* of the answer */
    copal_code_t fallback; /* the answer where the handler gave none */
    copal_handle_t subject;  /* where `observable`: what the answer is the state of */
    copal_handle_t later;    /* where `deferred`: of the answer */
    uint32_t observer;       /* that is notified; COPAL__NONE: nobody */
    copal__keeping_t keeping;
    bool rest;               /* what is asked for is a block of an answer that was kept */
    bool unsettled;          /* there was no room to note that the message which was challenged must not run any more */
    bool identified, answered, deferred, observable, confirmable;
} copal__serving_t;

/** The server side of Observe. Only copal_observe names it: a program whose resources cannot be observed does not link
 *  what that takes. */
typedef struct {
    /** A request with Observe 0 is answered with this. Registers the peer and adds Observe, where that may be. */
    void (*answered)(copal__serving_t *s);
    /** A request with Observe 1 came. */
    void (*deregister)(copal__serving_t *s);
    /** A Reset came that is for none of the slots. */
    int (*reset)(copal_endpoint_t *e, const copal__arrival_t *a);
    /** The observers' timer is due. Hands out up to `capacity` notifications, from the outbox; how many. */
    size_t (*send)(copal_endpoint_t *e, copal_datagram_t *out, size_t capacity);
    /** The answer to a registration, or for a notification, was deferred to this slot. */
    void (*defer)(copal__serving_t *serving, copal__slot_t *s);
    /** It is committed now: as by `answered`. 0, or the code of the bare answer to send instead. */
    copal_code_t (*commit)(copal_endpoint_t *e, copal__slot_t *s);
    /** The slot is about to be closed; `alive`: its answer left, and was acknowledged where it is confirmable. */
    void (*conclude)(copal_endpoint_t *e, copal__slot_t *s, bool alive);
} copal__observing_t;

/** What is done with a slot of one kind. Only who makes such a slot names this: a program that never asks, or never
 *  defers, does not link what that takes. */
typedef struct {
    /** Its timer is due. True: `out` is to be sent. */
    bool (*due)(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out);
    /** An acknowledgement or Reset came for the message it sent. */
    int (*settle)(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a);
    /** The request that it answers came again: as a duplicate, or once more with an Echo. False: its answer cannot be
     *  that one's, too. NULL: it answers none. */
    bool (*again)(copal__slot_t *s, const copal__serving_t *serving);
} copal__kind_t;

/** What an endpoint needs to serve requests. Only copal_endpoint_init names it: a client links nothing of it. */
typedef struct {
    int (*receive)(copal_endpoint_t *e, copal__arrival_t *a);
    /** Books what was answered, and may ask for a proof. */
    void (*account)(copal_endpoint_t *e, const copal__arrival_t *a, size_t out);
    /** Whether a Reset is that proof. */
    bool (*is_proof)(copal_endpoint_t *e, const copal__arrival_t *a);
} copal__server_t;

/** What a request has to do with Observe (RFC 7641). */
typedef enum {
    COPAL__PLAIN,      /* nothing */
    COPAL__ASKED,      /* it asks to be registered, and is not answered yet */
    COPAL__REGISTERED, /* the server has said that it is */
    COPAL__LEAVING,    /* it asks to be removed */
} copal__observes_t;

/** What the guard against amplification has to know of a peer that something is kept for. */
typedef struct {
    uint32_t credit; /* octets that may leave for what came in, whatever its bucket has */
    uint32_t spent;  /* octets from its bucket */
    uint8_t network; /* copal_from_t's, as is */
    bool proven;
} copal__address_t;

/** Whether a request is an outstanding interaction with its peer (section 4.7). */
typedef enum {
    COPAL__NOWHERE,
    COPAL__WAITING, /* until it may be */
    COPAL__OUTSTANDING,
} copal__line_place_t;

/** The part of a slot that only requests have. */
typedef struct {
    copal_receiver_t *receiver; /* NULL: nobody wants to know */
    copal_time_t freshest_at;   /* when the freshest notification came */
    uint32_t freshest;          /* its Observe */
    uint32_t order;    /* requests were committed in this order */
    uint32_t line;     /* where its place is, if it has one */
    uint16_t first_id; /* the one the application knows */
    uint16_t token_at; /* offset of the token in the datagram */
    uint8_t token_size;
    uint8_t observes; /* a copal__observes_t */
    uint8_t misses;   /* registrations in a row that nothing came of */
    uint8_t place;    /* under NSTART, a copal__line_place_t */
    bool drawn;  /* the token is ours to change */
    bool group;  /* many may answer */
    bool echoed; /* an Echo challenge was answered */
    uint8_t unwanted; /* classes of responses (RFC 7967): a bit for each */
} copal__asking_t;

/** The part of a slot that only deferred calls have. */
typedef struct {
    copal__memory_t *memory; /* in the table of remembered replies, or NULL */
    copal__asked_t asked;
    copal__keeping_t keeping;
    copal__address_t address;
    uint16_t request_id;
    uint16_t token_end; /* offset behind the token in the datagram */
    uint8_t token_size;
    uint8_t ack[4];     /* the empty ACK as it is sent */
    bool keeps_request; /* the datagram is still the request */
    uint8_t unwanted;   /* classes of responses (RFC 7967) */
    bool cuttable;      /* a GET or FETCH: its answer may be cut to a smaller block */
    bool notifies;      /* it is a notification */
    bool leisurely;     /* the request came by multicast: the answer leaves no earlier than `moment` */
    uint8_t check;      /* of the request, as copal__origin_t has it */
    copal_time_t moment;
    uint32_t observer;  /* that it is for, or that it registers, + 1; 0: none */
} copal__later_t;

/** The part of a slot that only notifications have. */
typedef struct {
    uint32_t observer; /* COPAL__NONE: it was the last one */
    copal__address_t address;
} copal__notifying_t;

/** A message that is kept: a request of ours, a peer's request to be answered later and then our answer, or a confirmable
 *  notification. */
struct copal__slot_t {
    const copal__kind_t *kind; /* NULL while it is free */
    copal_peer_t peer;
    uint32_t via;
    uint64_t hash; /* of the peer */
    uint64_t name; /* request: hash of the token; call: key of the request */
    copal_writer_t w;
    copal_time_t deadline; /* request: of the response; call: when it is dropped */
    copal_time_t last;     /* no transmission after this time */
    uint32_t number, generation, interval;
    uint16_t id;
    uint8_t stand, tries;
    bool confirmable;
    bool has_id; /* it can be found by peer and id */
    union {
        copal__asking_t asking;
        copal__later_t later;
        copal__notifying_t notifying;
    };
};

/** The requests to one peer. */
typedef struct {
    uint64_t hash; /* of the peer */
    uint32_t outstanding;
    copal__list_t waiting; /* only where as many as NSTART are outstanding */
} copal__line_t;

/** A response that was taken, and came in a message of its own: it may come again. */
typedef struct {
    uint64_t key;
    copal_time_t until;
} copal__taken_t;

/** The limits that are not those of a table. */
typedef struct {
    uint32_t datagram_size, payload_size, token_size, requests, deferred, notifications;
} copal__bounds_t;

/** What is needed later of how an endpoint was configured. */
typedef struct {
    copal__bounds_t limits;
    copal_timing_t timing;
    void (*random)(void *state, void *buffer, size_t size);
    void *random_state;
    uint32_t first_slot;
    copal_service_t service;
} copal__config_t;

struct copal_endpoint_t {
    copal__config_t config;
    copal_time_t now; /* of the present call */
    copal_counters_t counters;
    copal__key_t key;
    uint32_t exchange_lifetime, non_lifetime, transmit_span; /* milliseconds */
    const copal__server_t *server; /* NULL: it is a client only */
    /** Takes what came in: by the short way first, or at once by the long one. */
    int (*take)(copal_endpoint_t *e, const copal_from_t *from, copal_bytes_t datagram);
    /** Keeps an answer to a request by multicast until its moment; NULL: such requests are ignored. */
    void (*keep)(copal__serving_t *s);
    /** Takes CON and NON responses; NULL until there is a request. */
    int (*respond)(copal_endpoint_t *e, const copal__arrival_t *a);
    copal__outbox_t outbox;
    copal__timers_t timers;
    copal__identifiers_t identifiers;
    copal__remembered_t remembered;
    copal__proven_t proven;
    copal__guard_t guard;
    size_t credit; /* octets that may leave for the datagram that came in last, whatever its bucket has */
    copal__slot_t *slots;
    uint8_t *buffers; /* one datagram for each slot */
    copal__taken_t *taken;
    copal__pool_t slot_pool;
    copal__index_t sent;    /* slots by peer and message ID */
    copal__index_t named;   /* slots by name */
    copal__pool_t line_pool;
    copal__line_t *lines;
    copal__link_pair_t *line_links; /* of slots */
    copal__index_t by_peer;         /* lines */
    bool asks_groups;       /* there was a request to one */
    const copal__observing_t *observing; /* NULL until copal_observe was called */
    copal__observers_t observers;
    copal__rests_t rests;
    uint32_t asking, deferred, notifying; /* how many slots of each kind are taken */
    uint32_t leisurely;                   /* how many of those that are deferred came by multicast */
    uint32_t order;
};

/** Counts an answer that was made to a request. */
static inline void copal__count_answer(copal_endpoint_t *e, copal_code_t code)
{
    const unsigned class_ = COPAL_CODE_CLASS(code);
    e->counters.answers[class_ < 4 ? 0 : class_ == 4 ? 1 : 2]++;
    e->counters.refused += code == COPAL_SERVICE_UNAVAILABLE || code == COPAL_TOO_MANY_REQUESTS;
}

/** A time in units of 1,024 ms, which take no division. */
static inline uint32_t copal__units(copal_time_t time) { return (uint32_t)((uint64_t)time >> 10); }

/** The timer of all observers is behind those of the slots. */
static inline uint32_t copal__observers_timer(const copal_endpoint_t *e) { return e->slot_pool.capacity; }

/** The hash of a peer: the base of every other. */
uint64_t copal__peer_hash(const copal_endpoint_t *e, const copal_peer_t *peer);
bool copal__peer_equal(const copal_peer_t *a, const copal_peer_t *b);

/** What message IDs are unique for (RFC 7252 section 4.4): a peer and which of our own endpoints speaks to it. Takes the
 *  place of the peer's hash for copal__identifier_take and the like. */
static inline uint64_t copal__pair(uint64_t peer_hash, uint32_t via) { return peer_hash + ((uint64_t)via << 32); }

/** Until when the ID of a message that leaves or comes now is that message's alone (section 4.8.2). */
static inline copal_time_t copal__id_rests_until(const copal_endpoint_t *e, bool confirmable)
{
    return e->now + (confirmable ? e->exchange_lifetime : e->non_lifetime);
}

/** The key of a message, or of a place in a table, from its peer's hash. */
static inline uint64_t copal__message_key(uint64_t peer_hash, uint32_t via, uint16_t id)
{
    return peer_hash + ((uint64_t)via << 16 | id);
}

/* slot.c: what requests and calls have in common */

/** The slot of this kind that `handle` names; NULL: stale. */
copal__slot_t *copal__slot_find(const copal_endpoint_t *e, copal_handle_t handle, const copal__kind_t *kind);
/** The next slot of this name behind `after`, from the first where that is NULL; NULL: there is none. */
copal__slot_t *copal__slot_named(const copal_endpoint_t *e, uint64_t name, const copal__slot_t *after);
/** The slot that sent message `id` to this peer and waits for its acknowledgement or response; NULL. Where several of our own
 *  endpoints sent one, that of `via`. */
copal__slot_t *copal__slot_by_id(const copal_endpoint_t *e, const copal_peer_t *peer, uint32_t via, uint16_t id);
/** Takes a slot, of which there is one: with an empty writer on its buffer, found by name from now on. */
copal__slot_t *copal__slot_open(copal_endpoint_t *e, const copal__kind_t *kind, const copal_peer_t *peer, uint32_t via,
                                uint64_t hash, uint64_t name);
/** Gives it back. Its octets stay until it is taken again. */
void copal__slot_close(copal_endpoint_t *e, copal__slot_t *s);
copal_handle_t copal__slot_handle(const copal_endpoint_t *e, const copal__slot_t *s);
/** Handles of it are stale from now on. */
void copal__slot_disown(copal__slot_t *s);
/** Sets its timer, to its deadline at the latest. */
void copal__slot_wake(copal_endpoint_t *e, copal__slot_t *s, copal_time_t at);
/** Takes a message ID and puts it into the datagram; false: none is free, and the slot's timer is set for when one is. */
bool copal__slot_identify(copal_endpoint_t *e, copal__slot_t *s);
/** It is no longer found by message ID. */
void copal__slot_forget_id(copal_endpoint_t *e, copal__slot_t *s);
/** Whether its deadline is over, or it is due again and has had all its transmissions. */
bool copal__slot_is_over(const copal_endpoint_t *e, const copal__slot_t *s);
/** Hands its datagram out. */
void copal__slot_emit(const copal__slot_t *s, copal_datagram_t *out);
/** Hands out the datagram of a slot that is READY or SENT, and sets the back-off (section 4.2). False: it is too late for
 *  this transmission. */
bool copal__slot_transmit(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out);

/* request.c, response.c: the client */

extern const copal__kind_t copal__requests;
#define COPAL__GROUP_TWEAK 0x67726f7570u

/** The name of a request to the peer of that hash; or to a group, whose answers come from anywhere. */
static inline uint64_t copal__request_name(const copal_endpoint_t *e, uint64_t hash, bool group, copal_bytes_t token)
{
    return copal__hash(&e->key, group ? COPAL__GROUP_TWEAK : hash, token.data, token.size);
}

static inline bool copal__request_is_older(const copal__slot_t *a, const copal__slot_t *b)
{
    return (int32_t)(a->asking.order - b->asking.order) < 0;
}

/** Tells its receiver. With `ended` it has ended before. */
void copal__request_tell(copal_endpoint_t *e, copal__slot_t *s, int status, bool ended, const copal_message_t *message,
                         const copal_from_t *from);
/** It was not answered: it ends, but for an observation, which is tried again. */
void copal__request_fail(copal_endpoint_t *e, copal__slot_t *s, int status, const copal_from_t *from);
/** Ends it silently. */
void copal__request_discard(copal_endpoint_t *e, copal__slot_t *s);
/** Starts it over with a new message ID. */
void copal__request_launch(copal_endpoint_t *e, copal__slot_t *s);
/** Draws another token, where the first was drawn: an answer to what was sent before cannot match any more. */
void copal__request_redraw(copal_endpoint_t *e, copal__slot_t *s);
/** Whether it wants no response of any class. */
bool copal__request_wants_nothing(const copal__slot_t *s);
int copal__request_settle(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a);
int copal__response_receive(copal_endpoint_t *e, const copal__arrival_t *a);

/* line.c: NSTART */

/** Makes a request leave as soon as it may; one that is outstanding already keeps its place. */
void copal__line_enter(copal_endpoint_t *e, copal__slot_t *s);
/** It is not outstanding any more, if it was, nor does it wait: the next one in line may go. */
void copal__line_leave(copal_endpoint_t *e, copal__slot_t *s);

/* watch.c: observations of our own */

/** Takes a notification; `answers`: it came with the message ID of the registration. False: it is none, but ends the
 *  observation. */
bool copal__watch_take(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a, bool answers);
/** Registers again, or deregisters: its request leaves with a new message ID. */
void copal__watch_renew(copal_endpoint_t *e, copal__slot_t *s);
/** That was not answered: lets some time pass, more with each time. */
void copal__watch_retry(copal_endpoint_t *e, copal__slot_t *s);

/* amplification.c: what may leave to an address that has not shown it is real. An exchange whose answer is within three times
 * its request costs nothing; what goes beyond is spent from the bucket of the peer's network. */

/** Whether the peer, which has this hash, is proven. */
bool copal__is_proven(const copal_endpoint_t *e, const copal_from_t *from, uint64_t hash);
/** Whether an answer of so many octets may leave. */
bool copal__answer_affordable(copal_endpoint_t *e, const copal_from_t *from, size_t octets);
/** It may not: it leaves cut, or as a challenge, or not at all, and its network's bucket is empty. */
void copal__answer_withhold(copal_endpoint_t *e, const copal_from_t *from);
/** Books what a datagram and the `out` octets of answers to it cost, or bring in; may ask the peer for a proof. */
void copal__account(copal_endpoint_t *e, const copal__arrival_t *a, size_t out);
/** Whether a Reset answers such a question: then the peer is proven. */
bool copal__is_proof(copal_endpoint_t *e, const copal__arrival_t *a);

/** The address of who sent what came in. The credit for that goes along, but for `keeps` octets. */
copal__address_t copal__address_of(copal_endpoint_t *e, const copal_from_t *from, uint32_t keeps);
/** Whether so many octets may leave to it now; `hash` is the peer's. */
bool copal__address_affordable(copal_endpoint_t *e, const copal_peer_t *peer, uint64_t hash, const copal__address_t *a,
                               size_t octets);
/** As copal__answer_withhold. */
void copal__address_withhold(copal_endpoint_t *e, const copal_peer_t *peer, const copal__address_t *a);
/** Books octets that are about to leave to it; false: they may not, and its network's bucket is empty. */
bool copal__address_spend(copal_endpoint_t *e, const copal_peer_t *peer, uint64_t hash, copal__address_t *a,
                          size_t octets);
/** Nothing more leaves for what had come in: what is left of its credit refills the bucket. */
void copal__address_release(copal_endpoint_t *e, const copal_peer_t *peer, uint64_t hash, const copal__address_t *a);
/** It has acknowledged what was spent on it: that goes back. */
void copal__address_refund(copal_endpoint_t *e, const copal_peer_t *peer, const copal__address_t *a);

/* endpoint.c */

/** Takes a datagram by the long way, as copal_endpoint_receive says. */
int copal__take(copal_endpoint_t *e, const copal_from_t *from, copal_bytes_t datagram);

/* serve.c, reply.c, later.c: the server */

extern const copal__server_t copal__server;
/** Takes a request, of whose message only the head was viewed. */
int copal__request_receive(copal_endpoint_t *e, copal__arrival_t *a);
/** Computes the origin, once: a plain GET never needs it. */
void copal__serving_identify(copal__serving_t *s);
/** Lets the service answer. */
void copal__serving_execute(copal__serving_t *s);
/** Completes what was answered. */
void copal__serving_close(copal__serving_t *s);
/** ready.c: takes a datagram. A CON GET with nothing but a path is answered at once, if the answer is kept ready and every
 *  decision of the long way is foregone; anything else takes that. */
int copal__take_ready(copal_endpoint_t *e, const copal_from_t *from, copal_bytes_t datagram);
/** Octets kept free for options when a payload is cut to what fits. */
#define COPAL__OPTIONS_ROOM 64u
/** Sets an answer's payload window for the block that was asked for (RFC 7959 section 2.4), and where the rest goes. */
void copal__answer_open(const copal_endpoint_t *e, copal_writer_t *w, copal_code_t code, int32_t asked,
                        copal__keeping_t *keeping);
/** Content-Format application/concise-problem-details+cbor (RFC 9290 section 6.3). */
#define COPAL__FORMAT_PROBLEM 257
/** problem.c: describes an error that has no representation yet by its code, and by its diagnostic if it has one, as Concise
 *  Problem Details; or leaves it as it is where there is no room. */
void copal__problem_describe(copal_writer_t *w);
/** Completes an answer with the block options that are due, or an error with what it is asked for. Returns 0, or the code of
 *  the bare answer to send instead: there is no such block, or, with the writer's error, it does not fit. */
copal_code_t copal__answer_close(copal_writer_t *w, copal_code_t code, const copal__asked_t *asked);

static inline copal__asked_t copal__asked(const copal_request_options_t *o)
{
    return (copal__asked_t){o->block1, o->block2, o->size2, o->accept == COPAL__FORMAT_PROBLEM};
}

/** The largest SZX of a block that is no larger than `room`; 0 where none is. */
uint8_t copal__szx_within(size_t room);
/** Answers 4.01 with Echo unless the peer's address is known to be real (RFC 9175 section 2.4). True: it did. */
bool copal__call_challenge(copal_call_t *call);

/** The most octets that completing an answer adds to it: what must be there, Block1 and Block2; and what is left out where
 *  there is no room, Size2 and Observe, or what describes an error. */
#define COPAL__CLOSING_MUST 10u
#define COPAL__CLOSING_MORE 68u
#define COPAL__CLOSING_MOST (COPAL__CLOSING_MUST + COPAL__CLOSING_MORE)
/** The octets of the answer with what must be there, or some more. */
size_t copal__answer_size(const copal_writer_t *w, const copal__asked_t *asked);
/** Makes an answer that is not yet completed fit: one to a GET or FETCH (`cuttable`) by a smaller block; else it loses its
 *  payload, and all its options where it must. False: it cannot, and is useless. */
bool copal__answer_fit(copal_writer_t *w, const copal__asked_t *asked, bool cuttable, size_t most);

/** Whether a response of this code is one of the unwanted classes, which are the bits of a No-Response option: "set bit
 *  number (n-1)" for class n (RFC 7967 section 2.1). */
static inline bool copal__is_unwanted(uint8_t classes, copal_code_t code)
{
    return classes && classes >> (COPAL_CODE_CLASS(code) - 1) & 1;
}

/** Writes the four octets of an Empty message: an acknowledgement or a Reset (sections 4.2, 4.3). */
void copal__put_empty(uint8_t *at, copal_type_t type, uint16_t id);
/** Posts one. */
void copal__post_empty(copal_endpoint_t *e, const copal_from_t *to, copal_type_t type, uint16_t id);

#endif
