/* Resources that are observed, on a bench, and observers that are octets in the test's hand. */
#ifndef TESTS_SUPPORT_OBSERVED_H
#define TESTS_SUPPORT_OBSERVED_H

#include "support/bench.h"

#define PROVEN 0x80000000u /* added to a peer's number: its address is known to be real */

/** A service with one resource for each first letter of a path, "a" in slot 0. Its state is a number, and its answer "a17". */
typedef struct {
    unsigned runs, notifications;
    unsigned state[8];
    copal_code_t code;   /* of the answer (2.05) */
    int32_t format;      /* of the answer; 0: none */
    size_t body_size;    /* of a generated body behind the state */
    uint32_t generation; /* of the subjects' handles (1) */
    bool confirmable, unobservable;
    bool defer;           /* the answer */
    int defer_result;     /* what copal_defer said last */
    copal_handle_t later; /* the last call deferred */
    void (*meanwhile)(copal_call_t *call); /* what the handler does before it answers a notification; NULL: nothing */
    /* of the last request */
    copal_code_t method;
    char payload[16];
    uint32_t queries;
    copal_from_t from;
} observed_t;

void observed_open(bench_t *b, observed_t *r);
void observed_open_limited(bench_t *b, observed_t *r, const copal_limits_t *limits);
/** Counts the state in that slot up, and says so. */
void observed_change(bench_t *b, observed_t *r, uint32_t slot);
/** Answers the call deferred last with the state in that slot; returns what commit said. */
int observed_answer(bench_t *b, observed_t *r, uint32_t slot);

/** Hands a datagram in that must be accepted. */
void observed_receive(bench_t *b, uint32_t peer, copal_bytes_t datagram);
/** Hands a GET in, with Observe unless that is negative; a CON whose message ID is `id`. */
void observed_ask(bench_t *b, uint32_t peer, int observe, uint16_t id, copal_bytes_t token, const char *path);
/** The same, and takes its answer. */
const copal_message_t *observed_get(bench_t *b, uint32_t peer, int observe, uint16_t id, copal_bytes_t token,
                                    const char *path);
/** Registers with token {1} for "a"; returns the Observe number. */
int64_t observed_register(bench_t *b, uint32_t peer);
/** Whether one Observe number is newer than another (RFC 7641 section 3.4). */
bool observed_is_newer(int64_t a, int64_t than);
/** Asserts that this is the payload. */
void observed_text(const copal_message_t *m, const char *text);
/** Takes the notification that leaves now, which must be like this. */
const copal_message_t *observed_told(bench_t *b, copal_type_t type, copal_bytes_t token, const char *text);
/** Hands in the Empty message of that type for the message taken last. */
void observed_settle(bench_t *b, uint32_t peer, copal_type_t type);

#define observed_receive(...) CHECKED(observed_receive(__VA_ARGS__))
#define observed_get(...) CHECKED(observed_get(__VA_ARGS__))
#define observed_register(...) CHECKED(observed_register(__VA_ARGS__))
#define observed_text(...) CHECKED(observed_text(__VA_ARGS__))
#define observed_told(...) CHECKED(observed_told(__VA_ARGS__))

#endif
