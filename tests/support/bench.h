/* One endpoint on a bench: the test plays network, clock and peers by hand, octet by octet. */
#ifndef TESTS_SUPPORT_BENCH_H
#define TESTS_SUPPORT_BENCH_H

#include "copal/copal.h"
#include "support/check.h"
#include "support/random.h"

#define BYTES(...)                                                                                             \
    ((copal_bytes_t){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})
#define NO_BYTES ((copal_bytes_t){0})

/** A datagram that the endpoint sent, copied out, and its view. */
typedef struct {
    copal_peer_t to;
    uint32_t via;
    size_t size;
    uint8_t data[4096];
    copal_message_t message;
} sent_t;

typedef struct {
    copal_endpoint_t *endpoint;
    copal_tree_t *tree; /* NULL unless bench_open_tree made it */
    void *memory, *tree_memory;
    random_t random;
    copal_time_t now; /* moved by the test */
    sent_t sent;      /* what bench_take took last */
} bench_t;

/** The peer of that number; another number is another peer. */
copal_peer_t peer_of(uint32_t number);
bool peer_equal(const copal_peer_t *a, const copal_peer_t *b);

/** Makes the endpoint in memory of exactly the size it asks for. The bench gives random and the time 1000000. */
void bench_open(bench_t *b, const copal_config_t *config);
/** The same, of an endpoint that only asks. */
void bench_open_client(bench_t *b, const copal_config_t *config);
/** The same as bench_open, serving a tree with room for 64 resources and values of `value_size`. */
void bench_open_tree(bench_t *b, const copal_config_t *config, uint32_t value_size);
void bench_close(bench_t *b);

/** Hands a datagram in, from a copy of exactly its size, so that a sanitizer sees any octet read beyond. */
int bench_receive_from(bench_t *b, const copal_from_t *from, copal_bytes_t datagram);
int bench_receive(bench_t *b, uint32_t peer, copal_bytes_t datagram);
/** Hands a datagram in that must be accepted. */
void bench_accept(bench_t *b, uint32_t peer, copal_bytes_t datagram);

/** Tells the endpoint what has changed in the tree. Those that follow do it by themselves. */
void bench_tell(bench_t *b);
/** Takes one datagram at `now` into b->sent; false where there is none. */
bool bench_take(bench_t *b);
/** Takes one that must be there, and returns its view. */
const copal_message_t *bench_sent(bench_t *b);
/** Asserts that nothing leaves now. */
void bench_silent(bench_t *b);
/** Asserts that exactly this leaves now, to that peer. */
void bench_sends(bench_t *b, uint32_t peer, copal_bytes_t datagram);
/** Moves the clock to the next timeout, which must lie ahead and not be COPAL_NEVER; returns how far that was. */
copal_time_t bench_wait(bench_t *b);
/** Asserts that nothing is due, ever. */
void bench_idle(bench_t *b);

/* ---- messages by hand ---------------------------------------------------------------------------- */

/** A datagram under construction: a writer on a buffer of its own. */
typedef struct {
    copal_writer_t w;
    uint8_t data[4096];
} message_t;

void message_start(message_t *m, copal_type_t type, copal_code_t code, uint16_t id, copal_bytes_t token);
void message_text_option(message_t *m, uint16_t number, const char *text);
/** The finished datagram, borrowed from `m`. */
copal_bytes_t message_end(message_t *m);
/** All in one, with Uri-Path `path` unless it is NULL, and a payload unless it is NULL. */
copal_bytes_t message_make(message_t *m, copal_type_t type, copal_code_t code, uint16_t id, copal_bytes_t token,
                           const char *path, const char *payload);
/** An Empty message: a ping, an acknowledgement, a Reset. */
copal_bytes_t message_empty(message_t *m, copal_type_t type, uint16_t id);
/** The first option `number` as a uint, or -1 where there is none. */
int64_t option_of(const copal_message_t *message, uint16_t number);

/* ---- receivers ----------------------------------------------------------------------------------- */

/** What a request came to. */
typedef struct {
    copal_receiver_t receiver; /* first, so that it is the outcome's own address */
    unsigned count;            /* of outcomes; each request has one, an observation many */
    int status;
    bool ended;
    copal_code_t code;
    copal_type_t type;
    uint16_t id;
    uint8_t token[8];
    size_t token_size;
    copal_time_t at;
    bool has_message;
    size_t size;
    uint8_t payload[4096];
} outcome_t;

/** A receiver that writes down what came, into a cleared `o`. */
copal_receiver_t *outcome_open(outcome_t *o);

/** Begins and commits a request with Uri-Path "a" and a token of its own; asserts that this works. */
copal_handle_t bench_ask(bench_t *b, uint32_t peer, copal_code_t code, bool confirmable, outcome_t *o);
/** The same with a given token. */
copal_handle_t bench_ask_token(bench_t *b, uint32_t peer, bool confirmable, copal_bytes_t token, outcome_t *o);
copal_handle_t bench_ping(bench_t *b, uint32_t peer, outcome_t *o);

/* ---- a service ------------------------------------------------------------------------------------ */

/** A service that counts what it runs and answers as the test says. */
typedef struct {
    unsigned runs;
    bool defer, silent;     /* defer the answer; answer nothing at all */
    copal_code_t code;      /* of the answer (2.05) */
    size_t body_size;       /* of a generated body, octet i is body_octet(i); 0: `text` */
    const char *text;       /* payload ("ok"); NULL: none */
    int defer_result;       /* what copal_defer said last */
    copal_handle_t later;   /* the last call deferred */
} server_t;

uint8_t body_octet(size_t i);
copal_service_t server_service(server_t *s);
/** Answers a deferred call with 2.05 and `text`; returns what commit said. */
int bench_answer(bench_t *b, copal_handle_t later, const char *text);

/* ---- so that a failure shows the line of the test --------------------------------------------------- */

#define bench_accept(...) CHECKED(bench_accept(__VA_ARGS__))
#define bench_sent(...) CHECKED(bench_sent(__VA_ARGS__))
#define bench_silent(...) CHECKED(bench_silent(__VA_ARGS__))
#define bench_sends(...) CHECKED(bench_sends(__VA_ARGS__))
#define bench_wait(...) CHECKED(bench_wait(__VA_ARGS__))
#define bench_idle(...) CHECKED(bench_idle(__VA_ARGS__))
#define bench_ask(...) CHECKED(bench_ask(__VA_ARGS__))
#define bench_ask_token(...) CHECKED(bench_ask_token(__VA_ARGS__))
#define bench_ping(...) CHECKED(bench_ping(__VA_ARGS__))
#define message_end(...) CHECKED(message_end(__VA_ARGS__))
#define message_make(...) CHECKED(message_make(__VA_ARGS__))
#define message_empty(...) CHECKED(message_empty(__VA_ARGS__))

#endif
