/* The endpoint: RFC 7252's messaging and exchanges, both roles, without I/O, clock, threads or allocation. */
#ifndef COPAL_ENDPOINT_H
#define COPAL_ENDPOINT_H

#include "copal/message.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct copal_endpoint_t copal_endpoint_t;

/** Every bound of an endpoint; 0 takes the default in brackets. What happens at each bound is said with it. */
typedef struct {
    uint32_t datagram_size;    /* octets of the largest message in or out (1152), 64 to 65535; larger in: 4.13, out: ESPACE */
    uint32_t payload_size;     /* octets of the largest payload (1024, RFC 7252 section 4.6, or datagram_size if that is
                                * less), 16 to datagram_size; a longer answer goes by Block2 */
    uint32_t token_size;       /* octets of the largest token kept for later (8), at most 255; longer: 4.00 (RFC 8974 2.2.2) */
    uint32_t requests;         /* own requests that await an answer (16); past it copal_request_begin: EFULL */
    uint32_t deferred;         /* peers' requests to be answered later (16); past it copal_defer: EFULL */
    uint32_t remembered;       /* requests with effects kept against duplicates (256); past it, or past a quarter
                                * of it for one peer (peers are told apart by hash), 5.03 with Max-Age */
    uint32_t remembered_bytes; /* octets for those replies that are more than a code (32 KiB), 64 for every 60 of the
                                * largest message at least; past it likewise */
    uint32_t proven;           /* addresses known to be real (64); the one proved longest ago makes room */
    uint32_t counters;         /* message ID counters, a power of two (256); peers share them by hash */
    uint32_t batch;            /* datagrams that may wait for copal_endpoint_send (64); past it receive: EFULL */
} copal_limits_t;

/** Transmission parameters (RFC 7252 section 4.8), milliseconds where not said; 0 takes the default in brackets. */
typedef struct {
    uint32_t ack_timeout;         /* (2000), at most 1,000,000 */
    uint32_t ack_random_permille; /* ACK_RANDOM_FACTOR in thousandths (1500), 1000 to 4000 */
    uint32_t max_retransmit;      /* times (4), at most 20, and no back-off over 2^31 */
    uint32_t nstart;              /* outstanding interactions with one peer (1) */
    uint32_t probing_rate;        /* octets per second toward a peer that does not answer (1) */
    uint32_t ack_delay;           /* how long a deferred answer may still ride on the ACK (200) */
} copal_timing_t;

typedef struct copal_call_t copal_call_t;

/** What serves requests. `handle` is called within copal_endpoint_receive for each request to be executed; it answers
 *  by copal_reply or copal_defer before it returns. One that did neither is answered 5.00. */
typedef struct {
    void (*handle)(void *context, copal_call_t *call);
    void *context;
    bool first_only; /* of repeated ETag, Accept, If-Match, If-None-Match the first counts, the rest is dropped;
                      * false: RFC 7252 section 5.4.5 and 5.10 */
} copal_service_t;

typedef struct {
    copal_limits_t limits;
    copal_timing_t timing;
    void (*random)(void *state, void *buffer, size_t size); /* unpredictable octets; never fails */
    void *random_state;
    copal_service_t service; /* handle NULL: client only, every request is answered 4.04 */
} copal_config_t;

/** The octets of memory that an endpoint of these limits takes. */
size_t copal_endpoint_size(const copal_limits_t *limits);

/** Makes an endpoint inside `memory`, which must be all zero, aligned for any type, and stays lent as long as the
 *  endpoint is used; memory that is never needed is never touched. `config` is copied.
 *  COPAL_ESPACE: size is below copal_endpoint_size. COPAL_EINVAL: a limit out of range or no `random`. */
int copal_endpoint_init(copal_endpoint_t **endpoint, void *memory, size_t size, const copal_config_t *config);

/** Hands in one datagram. 0, or COPAL_EFULL: the outgoing batch must be sent first; then hand the same datagram in
 *  again, nothing of it was used. Other negative values tell why it had no effect (EFORMAT, EVERSION, EIGNORED); that is a
 *  peer's doing and needs no action. Handlers and response callbacks run inside. A datagram cut to fit a buffer is
 *  handed in with a size above limits.datagram_size. */
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

/** What happened, counted since init. */
typedef struct {
    uint64_t received, sent;        /* datagrams */
    uint64_t malformed;             /* rejected or ignored for their form */
    uint64_t duplicates;            /* requests recognised as such */
    uint64_t retransmitted;         /* datagrams sent again */
    uint64_t challenged;            /* 4.01 with Echo */
    uint64_t refused;               /* 5.03 for a bound that was reached */
    uint64_t dropped;               /* answers not sent since no message ID was free */
} copal_counters_t;
const copal_counters_t *copal_endpoint_counters(const copal_endpoint_t *e);

/* ---- client ------------------------------------------------------------------------------------ */

/** One outcome of a request. Everything in it is borrowed for the time of the callback. */
typedef struct {
    copal_handle_t request;
    uint16_t id;                    /* the request's message ID */
    copal_bytes_t token;            /* the request's token */
    int status;                     /* 0: `message` is the response (for a ping: NULL); or ETIMEOUT, ERESET, ECRITICAL,
                                     * EUNREACHABLE, ESPACE (a response over datagram_size) */
    const copal_message_t *message; /* NULL unless status is 0 */
    const copal_from_t *from;       /* NULL unless a message came */
    copal_time_t now;
} copal_response_t;

/** Embed it in a struct of yours, and recover that from `self`. Lent until the request has ended. Called exactly once for
 *  each request, except one that was cancelled; the request has ended by then, and another may be begun inside. */
typedef struct copal_receiver_t {
    void (*receive)(struct copal_receiver_t *self, const copal_response_t *response);
} copal_receiver_t;

typedef struct {
    const copal_peer_t *to; /* copied */
    uint32_t via;           /* which of our own sockets or addresses it leaves by */
    copal_code_t code;      /* a method; COPAL_EMPTY is a ping (section 4.3), which takes no options and no token */
    bool confirmable;
    bool given_token;    /* true: `token` is used as it is, empty too; false: one is drawn */
    copal_bytes_t token; /* copied */
    uint32_t timeout;    /* milliseconds from commit to the response; 0 is EXCHANGE_LIFETIME, 247 s at default timing */
} copal_request_t;

/** Reserves a request and lends a writer that stands behind its token: write options and payload, then commit.
 *  COPAL_EFULL: limits.requests are open. COPAL_EINVAL: token over limits.token_size, or no request code.
 *  COPAL_EEXIST: an open request to that peer has the same given, non-empty token. */
int copal_request_begin(copal_endpoint_t *e, const copal_request_t *request, copal_handle_t *handle, copal_writer_t **w);

/** Starts it; it leaves with the next copal_endpoint_send, or once NSTART, PROBING_RATE and the message IDs allow
 *  (sections 4.7, 4.4). On the writer's error (ESPACE, EINVAL) the request is gone and the receiver is not called. */
int copal_request_commit(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle, copal_receiver_t *receiver);

/** Ends it silently: nothing more is sent, the receiver is not called. COPAL_ESTALE: it has ended. */
int copal_request_cancel(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle);

/** Its message ID, 0 to 65535, as soon as it is committed. COPAL_EFULL: none was free yet. COPAL_ESTALE. */
int copal_request_id(const copal_endpoint_t *e, copal_handle_t handle);

/* ---- server ------------------------------------------------------------------------------------ */

/** What a request's options said, read and checked once. */
typedef struct {
    copal_bytes_t path;      /* the Uri-Path options as they stand in the datagram: as copal_path_encode makes them, but
                              * for the first octet's upper four bits */
    int32_t content_format;  /* -1: none */
    int32_t accept;          /* -1: none */
    int32_t block2;          /* the option's value; -1: none */
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
};

/** Starts the answer and lends a writer on the outgoing buffer; it leaves when the handler returns. Write options and the
 *  whole body: where the body is over one datagram, or the client asked for a block, the writer keeps that block only
 *  and the endpoint adds Block2 (RFC 7959 section 2.4). Calling it again starts over. Never NULL. */
copal_writer_t *copal_reply(copal_call_t *call, copal_code_t code);

/** An answer with a code and a diagnostic payload (RFC 7252 section 5.5.2); `text` may be NULL. */
void copal_reply_text(copal_call_t *call, copal_code_t code, const char *text);

/** Promises an answer for later and copies the request into a slot. Its empty ACK leaves after ack_delay unless the answer
 *  comes first. After EXCHANGE_LIFETIME the call is dropped and its handle stale.
 *  COPAL_EEXIST: it is deferred already; from then on copal_reply has no effect. COPAL_EFULL: limits.deferred are
 *  waiting. COPAL_EINVAL: the token is longer than limits.token_size, or called by multicast. On these two answer now, or
 *  just return: then the answer is 5.03, or 4.00 for the token. */
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
