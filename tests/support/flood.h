/* A server under requests from addresses that are forged, and what is counted of it. The networks are /24. */
#ifndef TESTS_SUPPORT_FLOOD_H
#define TESTS_SUPPORT_FLOOD_H

#include "support/bench.h"

#define FLOOD_BODY    (1u << 20)      /* octets of the resource that everybody asks for */
#define FLOOD_SECONDS 60u             /* at most that a test may last */
#define FLOOD_BUDGET  (256u * 1024)   /* limits.network_bytes */
#define FLOOD_FORGED  0x0a010100u     /* the network whose addresses are forged */
#define FLOOD_REAL    (FLOOD_FORGED | 200) /* from here on the hosts of that network are real, and may turn out proven */
#define FLOOD_WINDOW  10000           /* milliseconds */

typedef struct {
    uint64_t in, out;
} flood_sum_t;

typedef struct {
    bench_t b;
    unsigned posts;
    copal_handle_t later[16];
    unsigned deferred;
    bool confirmable; /* notifications */
    random_t dice;
    uint16_t id;
    flood_sum_t total;
    flood_sum_t history[FLOOD_SECONDS * 1000 + 1]; /* `total` at each millisecond */
    uint32_t elapsed, emptied; /* milliseconds; when the first answer was withheld */
    uint32_t lag; /* how long answers may take */
} flood_t;

enum manners { ANSWERS_PINGS, ECHOES, NEITHER };

typedef struct {
    uint32_t address;
    enum manners manners;
    size_t token_size;
    size_t at; /* octets that are there */
    uint8_t echo[40];
    size_t echo_size;
    uint16_t id;
    unsigned requests, challenged, pinged, cut;
} flood_client_t;

/** A copal_read_t of the resource. */
int flood_body(void *context, size_t offset, void *out, size_t size);
/** Makes a server of the default limits, or these. */
void flood_open(flood_t *f, const copal_limits_t *limits);
/** Hands a datagram in, and counts it where its peer is forged. */
int flood_receive(flood_t *f, uint32_t peer, copal_bytes_t datagram);
/** Takes what leaves next, and counts it; false: nothing does. */
bool flood_take(flood_t *f);
bool flood_is_ping(const copal_message_t *m);
/** Asserts that no window from when the bucket was empty on saw more than three times its octets leave. */
void flood_never_amplified(const flood_t *f);
/** Notes the sums; a millisecond is over. */
void flood_record(flood_t *f);
/** Lets a millisecond pass. */
void flood_pass(flood_t *f);
/** A request from some forged address. */
void flood_forge_method(flood_t *f, copal_code_t method, const char *path, const char *second, int64_t block2);
void flood_forge(flood_t *f, const char *path, const char *second, int64_t block2);
/** Asks to be told of changes. */
void flood_observe(flood_t *f, uint32_t peer, copal_type_t type);
/** Takes what leaves, and acknowledges what goes to `peer`; how many notifications that were. */
unsigned flood_take_notifications(flood_t *f, uint32_t peer);
/** Whether what was taken last goes to that client. */
bool flood_is_to(const flood_t *f, const flood_client_t *c);
/** Asks for the largest block that begins where the last one ended. */
void flood_ask(flood_t *f, flood_client_t *c);
/** Spends the forged network's bucket down to nothing. */
void flood_empty(flood_t *f);

#endif
