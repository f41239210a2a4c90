/* The endpoint: RFC 7252's messaging and exchanges, both roles, without I/O, clock, threads or allocation. */
#ifndef COPAL_ENDPOINT_H
#define COPAL_ENDPOINT_H

#include "copal/message.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct copal_endpoint_t copal_endpoint_t;

/** A limit of none, which takes no memory: for requests, deferred, remembered (and then remembered_bytes: requests that must
 *  run once are refused, without Max-Age), observers (and then observed and notifications) and rests. */
#define COPAL_LIMIT_NONE UINT32_MAX

/** Every bound of an endpoint; 0 takes the default in brackets. What happens at each bound is said with it. */
typedef struct {
    uint32_t datagram_size;    /* octets of the largest message in or out (1152), 64 to 65535; larger in: 4.13, out: ESPACE */
    uint32_t payload_size;     /* octets of the largest payload (1024, RFC 7252 section 4.6, or datagram_size if that is
                                * less), 16 to datagram_size; a longer answer goes by Block2 */
    uint32_t token_size;       /* octets of the largest token kept for later (8), at most 255; longer: 4.00 (RFC 8974 2.2.2) */
    uint32_t requests;         /* own requests that await an answer (16); past it copal_request_begin: EFULL */
    uint32_t deferred;         /* peers' requests to be answered later (16); past it copal_defer: EFULL. Of these at most half,
                                * rounded up, came by multicast, whose answers wait for their moment here; past that no
                                * answer is sent, and copal_defer: EFULL */
    uint32_t remembered;       /* entries against duplicates of requests with effects (256), each for up to 64 that came within
                                * a minute with message IDs in a row; past it 5.03, past a quarter of it for one peer (peers
                                * are told apart by hash) 4.29, both with Max-Age, unless that is a minute or not known */
    uint32_t remembered_bytes; /* octets for those replies that are more than a code (32 KiB), at least 64 for the first 44 of
                                * the largest message and for every 60 of the rest; past it likewise */
    uint32_t proven;           /* addresses known to be real (64); the one proved longest ago makes room */
    uint32_t counters;         /* message ID counters, a power of two (256); peers share them by hash */
    uint32_t batch;            /* datagrams that may wait for copal_endpoint_send (64); past it receive: EFULL */
    uint32_t observers;        /* peers' observations (16); past it, or past three quarters of it for an address that is
                                * not proven, a request is answered without Observe (RFC 7641 section 4.1) */
    uint32_t observed;         /* different requests that these observations are of (8); past it likewise */
    uint32_t observed_size;    /* octets of options and payload of such a request (96, or datagram_size if that is
                                * less); a longer one likewise */
    uint32_t notifications;    /* confirmable notifications in flight (4); past it a notification waits, or goes as NON */
    uint32_t networks;         /* networks of unproven addresses that are told apart, by hash, a power of two (64) */
    uint32_t network_bytes;    /* octets that may go to the unproven addresses of a network beyond three times what
                                * comes from them (256 KiB), at most 2^31 - 1; past it an answer is cut to smaller
                                * blocks, or challenged with 4.01 and Echo, or dropped where even that is too long */
    uint32_t rests;            /* answers in blocks that cannot be made again, kept until none of their blocks was asked for
                                * in an EXCHANGE_LIFETIME (4), at most 4096: those to POST, PUT, DELETE, PATCH and iPATCH,
                                * and to a FETCH whose body came by Block1 (RFC 7959 section 2.7). Past it, or past a quarter
                                * (but 1) of it for one peer, the one asked for longest ago makes room: 4.00 (FETCH: 4.08) */
    uint32_t rest_size;        /* octets of such an answer, its options included (4096), at most 2^31 - 1; a longer one is
                                * not kept, and its blocks behind the first likewise */
} copal_limits_t;

/** Transmission parameters (RFC 7252 section 4.8), milliseconds where not said; 0 takes the default in brackets. */
typedef struct {
    uint32_t ack_timeout;         /* (2000), at most 1,000,000 */
    uint32_t ack_random_permille; /* ACK_RANDOM_FACTOR in thousandths (1500), 1000 to 4000 */
    uint32_t max_retransmit;      /* times (4), at most 20, and no back-off over 2^31 */
    uint32_t nstart;              /* outstanding interactions with one peer (1) */
    uint32_t probing_rate;        /* octets per second toward a peer that does not answer (1) */
    uint32_t ack_delay;           /* how long a deferred answer may still ride on the ACK (200) */
    uint32_t leisure;             /* a request by multicast is answered at a random moment within this (5000, RFC 7252 section
                                   * 8.2), at most 200,000 */
    uint32_t notify_interval;     /* between two NON notifications to an observer (3000, RFC 7641 section 4.5.1), at most
                                   * 2^31 - 1; one that has to leave sooner is CON */
    uint32_t confirm_interval;    /* from one CON notification to the next, at most (600,000); where limits.notifications
                                   * are in flight NON goes on for a day (section 4.5) */
} copal_timing_t;

typedef struct copal_call_t copal_call_t;

/** What serves requests. `handle` is called within copal_endpoint_receive for each request to be executed; it answers
 *  by copal_reply or copal_defer before it returns. One that did neither is answered 5.00. */
typedef struct {
    void (*handle)(void *context, copal_call_t *call);
    void *context;
    bool first_only; /* of repeated ETag, Accept, If-Match, If-None-Match the first counts, the rest is dropped;
                      * false: RFC 7252 section 5.4.5 and 5.10 */
    bool parts;      /* it puts together bodies that come by Block1 (RFC 7959 section 2.5); false: a part of one is
                      * answered 4.13 */
    /** NULL, or a shorter way to what `handle` would answer a GET that has no option but this `path` (as in
     *  copal_request_options_t; not empty): a 2.05 of these octets, as they stand in a message: options, the first delta
     *  counted from 0, and where there is a payload its marker and the payload. They are borrowed until the next call of the
     *  endpoint. False: `handle` is to be called. */
    bool (*ready)(void *context, const copal_from_t *from, copal_bytes_t path, copal_bytes_t *answer);
    /** NULL, or told of each deferred call that is answered with an error, at the end of copal_later_commit. */
    void (*refused)(void *context, const copal_endpoint_t *endpoint, copal_handle_t later);
} copal_service_t;

typedef struct {
    copal_limits_t limits;
    copal_timing_t timing;
    void (*random)(void *state, void *buffer, size_t size); /* unpredictable octets; never fails */
    void *random_state;
    uint32_t first_slot; /* that its handles begin with (0): so those of several endpoints can be told apart, as each has
                          * limits.requests, deferred and notifications together */
    copal_service_t service; /* handle NULL: client only, every request is answered 4.04 */
} copal_config_t;

/** The octets of memory that an endpoint of these limits takes. */
size_t copal_endpoint_size(const copal_limits_t *limits);

/** Makes an endpoint inside `memory`, which must be all zero, aligned for any type, and stays lent as long as the
 *  endpoint is used; memory that is never needed is never touched. `config` is copied.
 *  COPAL_ESPACE: size is below copal_endpoint_size. COPAL_EINVAL: a limit out of range or no `random`. */
int copal_endpoint_init(copal_endpoint_t **endpoint, void *memory, size_t size, const copal_config_t *config);

/** The same for an endpoint that only asks: a program that makes no other kind links nothing of a server. `config.service` does
 *  not count, and a request is rejected (RFC 7252 section 4.2): a CON with Reset, a NON silently. */
int copal_endpoint_init_client(copal_endpoint_t **endpoint, void *memory, size_t size, const copal_config_t *config);

/** From now on requests by multicast are served (RFC 7252 section 8); without it they are ignored. They are NON; what is
 *  2.xx is answered, at a random moment within timing.leisure, and an error only to who shows interest by a No-Response
 *  option (RFC 7967 section 2.1). Copies of one are not answered, as long as limits.remembered has room, and nobody observes
 *  by multicast. */
void copal_endpoint_hear_groups(copal_endpoint_t *e);

/** Hands in one datagram. 0, or COPAL_EFULL: the outgoing batch must be sent first; then hand the same datagram in
 *  again, nothing of it was used. Other negative values tell why it had no effect (EFORMAT, EVERSION, EIGNORED); that is a
 *  peer's doing and needs no action. Handlers and response callbacks run inside. A datagram cut to fit a buffer of
 *  limits.datagram_size octets or more is handed in with a size above that: what is beyond is not looked at. */
int copal_endpoint_receive(copal_endpoint_t *e, copal_time_t now, const copal_from_t *from, copal_bytes_t datagram);

/** Does what is due at `now` (retransmits, acknowledges, times out; callbacks run inside), then fills `out` with up to
 *  `capacity` datagrams and returns how many; call until it returns 0. */
size_t copal_endpoint_send(copal_endpoint_t *e, copal_time_t now, copal_datagram_t *out, size_t capacity);

/** When copal_endpoint_send must be called next: a time in the past when something waits to be sent, COPAL_NEVER when
 *  nothing will be. */
copal_time_t copal_endpoint_next_timeout(const copal_endpoint_t *e);

/** Tells of an ICMP error for a datagram we sent. `quoted` is the start of that datagram. Counts only if type, message
 *  ID and token are those of an open request to `peer` (RFC 7252 section 4.2); it then ends with COPAL_EUNREACHABLE. */
void copal_endpoint_unreachable(copal_endpoint_t *e, copal_time_t now, const copal_peer_t *peer, copal_bytes_t quoted);

/** Tells that the security association that `peer` is has ended, or never came to be: requests and observations of ours
 *  in it end with `status`. Takes a step for each of limits.requests, as the next one does. Of a server nothing is to be told:
 *  what still leaves to such a peer may be answered in its place with the Reset that it would send. */
void copal_endpoint_lost(copal_endpoint_t *e, copal_time_t now, const copal_peer_t *peer, int status);

/** Tells that the association was made anew with a server that may know nothing of the former one, while `peer` still names
 *  it. Observations register again, and what has been sent and not answered is sent again, but for requests that are to
 *  run once (POST, PATCH, and any with If-Match or If-None-Match): those end with COPAL_EUNREACHABLE. */
void copal_endpoint_renewed(copal_endpoint_t *e, copal_time_t now, const copal_peer_t *peer);

/** What happened, counted since init. */
typedef struct {
    uint64_t received, sent;        /* datagrams */
    uint64_t malformed;             /* rejected or ignored for their form (RFC 7252 sections 3, 4.2) */
    uint64_t ignored;               /* well-formed, and nothing was to be done: what answers no message of ours (section 4.2), a
                                     * NON with an unknown critical option (5.4.1), a group's that is not heard (8.1) */
    uint64_t resets;                /* Resets that came for messages of ours (section 4.2); pings' among them */
    uint64_t requests[8];           /* by method, copies among them: [1] GET to [7] iPATCH, [0] all others (RFC 8132) */
    uint64_t answers[3];            /* made to requests: [0] 2.xx, [1] 4.xx, [2] 5.xx (section 5.9); not sent again ones */
    uint64_t duplicates;            /* requests recognised as such (section 4.5) */
    uint64_t retransmitted;         /* datagrams sent again (section 4.2) */
    uint64_t unacknowledged;        /* CONs given up since nothing came for them (section 4.2) */
    uint64_t unanswered;            /* deferred calls that were dropped, since no answer was given in an EXCHANGE_LIFETIME */
    uint64_t challenged;            /* 4.01 with Echo (RFC 9175 section 2.4) */
    uint64_t refused;               /* 5.03 (section 5.9.3.4) and 4.29 (RFC 8516): a bound was reached, or a handler said so */
    uint64_t dropped;               /* answers not sent since no message ID was free (section 4.4), or by multicast too many were
                                     * waiting (8.2) */
    uint64_t notifications;         /* sent, without retransmissions (RFC 7641 section 4.2) */
    uint64_t unobserved;            /* answered without Observe since there was no room to keep it (RFC 7641 section 4.1) */
    uint64_t withheld;              /* answers cut, challenged or dropped since they were long for an unproven address
                                     * (section 11.3) */
    uint64_t cut;                   /* how often a network had spent what may go to its unproven addresses */
    uint64_t forgotten;             /* entries against duplicates that made room early, of PUT, DELETE and iPATCH (section 4.5) */
    uint64_t displaced;             /* proofs of addresses that made room for others (RFC 9175 section 2.3) */
} copal_counters_t;
const copal_counters_t *copal_endpoint_counters(copal_endpoint_t *e);

/** How many messages and calls are under way at present: requests of ours, calls to be answered later, answers and notifications
 *  that wait for an acknowledgement. */
uint32_t copal_endpoint_pending(const copal_endpoint_t *e);

/* ---- client ------------------------------------------------------------------------------------ */

/** One outcome of a request. Everything in it is borrowed for the time of the callback. */
typedef struct {
    copal_handle_t request;
    uint16_t id;                    /* the request's message ID */
    copal_bytes_t token;            /* the request's token */
    int status;                     /* 0: `message` is the response (NULL for a ping, and where none was wanted); or
                                     * ETIMEOUT, ERESET, ECRITICAL, EUNREACHABLE, ESPACE (a response over datagram_size) */
    bool ended;                     /* nothing more comes: false only for an observation that goes on, where with a status it
                                     * says what befell a re-registration that will be tried again; and for what comes
                                     * from a group, whose time ends with status 0 and no message */
    const copal_message_t *message; /* NULL unless status is 0 */
    const copal_from_t *from;       /* NULL unless a message came */
    copal_time_t now;
} copal_response_t;

/** Embed it in a struct of yours, and recover that from `self`. Lent until the request has ended. Called exactly once with
 *  `ended` for each request, except one that was cancelled or deregistered; the request has ended by then. Another may be
 *  begun inside, and this one cancelled. */
typedef struct copal_receiver_t {
    void (*receive)(struct copal_receiver_t *self, const copal_response_t *response);
} copal_receiver_t;

typedef struct {
    const copal_peer_t *to; /* copied */
    bool group;             /* `to` is many (section 8): whoever of them answers is told of, with `from`, until the time is
                             * over. Sent once, so not confirmable; answers are known by the token alone, so not the empty
                             * one. Where 4.01 asks for an Echo, or Block2 says that there is more, the one who answered
                             * is to be asked alone. Its `via` is to be that of no other requests: a Reset says nothing
                             * but a message ID (section 8.1) */
    uint32_t via;           /* which of our own sockets or addresses it leaves by */
    copal_code_t code;      /* a method; COPAL_EMPTY is a ping (section 4.3), which takes no options and no token */
    bool confirmable;
    bool observe;        /* GET or FETCH: asks to be told of each change of the state too (RFC 7641). The observation lives
                          * until it is cancelled or the server ends it: it takes one of limits.requests meanwhile, registers
                          * again 5 to 15 seconds after a state has become stale (Max-Age; confirmable, with the same token),
                          * and goes on trying while there is no answer, every 5 minutes at last. What comes out of order is
                          * dropped (section 3.4). Observe is written by the endpoint */
    bool given_token;    /* true: `token` is used as it is, empty too; false: one is drawn */
    copal_bytes_t token; /* copied */
    uint32_t timeout;    /* milliseconds from commit to the (first) response; 0 is EXCHANGE_LIFETIME, 247 s at default timing. Of a
                          * group: to its end; 0 is timing.leisure and ack_timeout, 7 s */
} copal_request_t;

/** Reserves a request and lends a writer that stands behind its token: write options and payload, then commit.
 *  COPAL_EFULL: limits.requests are open. COPAL_EINVAL: token over limits.token_size, or no request code; `observe` with
 *  another method than GET or FETCH, or with the empty token; `group` with what cannot be: confirmable, to observe, the
 *  empty token, and, as copal_request_commit finds, an ETag (section 8.2.1).
 *  COPAL_EEXIST: an open request to that peer, or where this is to a group, to any group, has the same given, non-empty
 *  token. */
int copal_request_begin(copal_endpoint_t *e, const copal_request_t *request, copal_handle_t *handle, copal_writer_t **w);

/** Starts it; it leaves with the next copal_endpoint_send, or once NSTART, PROBING_RATE and the message IDs allow
 *  (sections 4.7, 4.4). On the writer's error (ESPACE, EINVAL) the request is gone and the receiver is not called.
 *  With a No-Response option of all classes (RFC 7967) a CON request ends well when it is acknowledged, a NON request when
 *  it was sent; that one goes on to take one of limits.requests until PROBING_RATE would allow the next to this peer. With 2.xx
 *  in it but not all, a CON that was acknowledged ends well when its time passes without a response. */
int copal_request_commit(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle, copal_receiver_t *receiver);

/** Ends it silently: nothing more is sent, the receiver is not called. COPAL_ESTALE: it has ended. */
int copal_request_cancel(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle);

/** Ends an observation as copal_request_cancel does, and tells the server by the same request with Observe 1, confirmable,
 *  which keeps its place among limits.requests until it is answered or times out (RFC 7641 section 3.6); without that, the
 *  next notification is rejected with Reset. A request that is no observation, or has not left yet, is cancelled.
 *  COPAL_ESTALE: it has ended. */
int copal_request_deregister(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle);

/** Its message ID, 0 to 65535, as soon as it is committed. COPAL_EFULL: none was free yet. COPAL_ESTALE. */
int copal_request_id(const copal_endpoint_t *e, copal_handle_t handle);

/* ---- server ------------------------------------------------------------------------------------ */

/** What a request's options said, read and checked once. */
typedef struct {
    copal_bytes_t path;      /* the Uri-Path options as they stand in the datagram: as copal_path_encode makes them, but
                              * for the first octet's upper four bits */
    int32_t content_format;  /* -1: none */
    int32_t accept;          /* -1: none */
    int32_t observe;         /* the option's value: 0 asks to be told of changes, 1 to be told no more; -1: none */
    int32_t block1, block2;  /* the options' values; -1: none */
    int64_t size1;           /* the option's value: octets of the whole body; -1: none */
    uint8_t no_response;     /* classes of responses that are not wanted: bit 1 is 2.xx, bit 3 4.xx (RFC 7967); 0: none. By
                              * multicast without that option: all errors */
    bool size2;              /* the size of the answer's body is wanted (RFC 7959 section 4) */
    uint16_t etags;          /* how many ETag options */
    uint16_t if_matches;     /* how many If-Match options */
    uint16_t queries;        /* how many Uri-Query options */
    bool if_none_match;
    copal_bytes_t echo;      /* empty: none */
} copal_request_options_t;

/** A request being served; everything in it is borrowed for the time of the handler. */
struct copal_call_t {
    copal_endpoint_t *endpoint;
    copal_time_t now;
    const copal_from_t *from;
    const copal_message_t *request;
    const copal_request_options_t *options;
    copal_bytes_t datagram; /* the request as it came */
    uint32_t depth; /* for a subtree's handler: how many path segments led to it */
    bool notification; /* nobody asks now: the state is wanted that an observer is to be told of */
};

/** Starts the answer and lends a writer on the outgoing buffer; it leaves when the handler returns. Write options and the
 *  whole body: where the body is over one datagram, or the client asked for a block, the writer keeps that block only
 *  and the endpoint adds Block2 (RFC 7959 section 2.4). Calling it again starts over. Never NULL. */
copal_writer_t *copal_reply(copal_call_t *call, copal_code_t code);

/** An answer with a code and a diagnostic payload (RFC 7252 section 5.5.2), which is UTF-8; `text` may be NULL. A client that
 *  accepts Content-Format 257 gets an error's code and diagnostic as Concise Problem Details (RFC 9290) instead, of this and
 *  of any other error that has no Content-Format. */
void copal_reply_text(copal_call_t *call, copal_code_t code, const char *text);

/** Says that the answer being given to a GET or FETCH is the state of `subject`, which is a handle of the service's own.
 *  Where the request asks to be told of changes (Observe 0) and the answer turns out a 2.xx, the peer is registered; after
 *  each copal_notify of the subject's slot the handler is called with that request again, `notification` set, and what it
 *  answers is sent with Observe (RFC 7641 section 4.2). The observation ends with an answer that is an error, or is of
 *  another Content-Format than the first (4.06 is sent then), or of another subject, or of none (4.04); when a
 *  notification is rejected with Reset or not acknowledged; and when the peer asks for it. In a request that asks for
 *  nothing of this it does nothing. `confirmable`: each notification is CON. Where the answer is deferred, call it first.
 *  What is kept of the request is without Observe, ETag, Echo and No-Response. An observation is of the whole body: asking
 *  for a later block of it begins none; and neither does a token of more than 8 octets or limits.token_size. */
void copal_observe(copal_call_t *call, copal_handle_t subject, bool confirmable);

/** The state of the subjects in this slot has changed: whoever observes them is told, with the state as it is when the
 *  notification leaves. Several changes meanwhile are one. Takes no time that depends on how many observe. */
void copal_notify(copal_endpoint_t *e, copal_time_t now, uint32_t slot);

/** How many observations peers have at present. */
uint32_t copal_endpoint_observers(const copal_endpoint_t *e);

/** Promises an answer for later and copies the request into a slot. Its empty ACK leaves after ack_delay unless the answer
 *  comes first. After EXCHANGE_LIFETIME the call is dropped and its handle stale. A notification can be deferred, too: its
 *  peer is told of nothing else meanwhile, and the handle is stale as soon as the observation ends.
 *  COPAL_EEXIST: it is deferred already; from then on copal_reply has no effect. COPAL_EFULL: limits.deferred are
 *  waiting, or half of them by multicast. COPAL_EINVAL: the token is longer than limits.token_size. On these two answer now, or just
 *  return: then the answer is 5.03, or 4.00 for the token; a notification is tried again some seconds later. */
int copal_defer(copal_call_t *call, copal_handle_t *later);

/** The deferred request, viewed in its slot until copal_later_begin. COPAL_ESTALE. */
int copal_later_request(copal_endpoint_t *e, copal_handle_t later, copal_message_t *request);

/** Starts the deferred answer: as copal_reply. The request is overwritten. COPAL_ESTALE: it was dropped, or answered. */
int copal_later_begin(copal_endpoint_t *e, copal_handle_t later, copal_code_t code, copal_writer_t **w);

/** Sends it: on the ACK if that has not left, else as a message of its own, retransmitted until acknowledged
 *  (section 5.2.2). COPAL_ESTALE, or the writer's error, when a 5.00 leaves instead. */
int copal_later_commit(copal_endpoint_t *e, copal_time_t now, copal_handle_t later);

#ifdef __cplusplus
}
#endif
#endif
