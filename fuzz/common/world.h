/* A server with a tree and a client, the wire between them, and others who send to the server from addresses at which they
 * hear nothing. Time, the wire and who acts are the target's; what must hold is checked after each step. */
#ifndef FUZZ_COMMON_WORLD_H
#define FUZZ_COMMON_WORLD_H

#include "common/input.h"
#include "copal/transfer.h"
#include "support/bench.h"

enum { JOBS = 24, WIRE = 32, LATER = 16, OTHERS = 3, BODY_MOST = 3000 };
enum { NETWORK_BYTES = 3000 }; /* what the server may send to a network beyond three times what came */

/** How the server's handlers answer; a request says so in its query. */
typedef enum { AT_ONCE, LONG, DEFERRED, SILENT, REFUSED, BEHAVIOURS } behaviour_t;
typedef enum { REQUEST, OBSERVATION, GROUP, TRANSFER } kind_t;

typedef struct world_t world_t;

/** Something that the client asked for. */
typedef struct {
    copal_transfer_t transfer; /* first */
    copal_receiver_t receiver;
    world_t *world;
    uint32_t number;
    kind_t kind;
    behaviour_t behaviour;
    const char *path;
    copal_code_t code;
    copal_handle_t handle;
    bool begun, cancelled, ended;
    unsigned runs; /* by a handler of the server */
    size_t written;
} job_t;

typedef struct {
    bool to_server, multicast;
    copal_peer_t from; /* and which of the client's addresses it is from or to */
    uint32_t via;
    copal_time_t sent;
    size_t size;
    uint8_t *data;
} passing_t;

/** Somebody whose address is not proven. */
typedef struct {
    copal_peer_t peer;
    uint64_t sent, received; /* octets to the server, and from it */
    uint8_t known[1 << 13];  /* a bit for each message ID that it would have to be told */
} other_t;

typedef struct {
    copal_endpoint_t *endpoint;
    void *memory;
    random_t random;
} end_t;

struct world_t {
    copal_time_t now;
    end_t server, client;
    copal_tree_t *tree;
    void *tree_memory;
    random_t tree_random;
    copal_limits_t limits; /* of both */
    copal_handle_t values[2], handler;
    passing_t wire[WIRE];
    unsigned passing;
    other_t others[OTHERS];
    job_t jobs[JOBS];
    unsigned count;
    copal_handle_t later[LATER];
    job_t *later_jobs[LATER];
    unsigned deferred;
    unsigned held;   /* bodies that an intake has begun and neither ended nor dropped */
    bool spoiled;    /* somebody has changed a datagram of the client's or spoke in the server's name: contents may be wrong */
    int probed;      /* what copal_defer said to a probe */
    uint8_t last[1152]; /* what the client sent last */
    size_t last_size;
};

extern const char *const world_paths[];
enum { PATHS = 9 };

world_t *world_open(const uint8_t *data, size_t size, bool tight);
/** Ends everything, and checks that nothing is left behind. */
void world_close(world_t *w);

/** Lets both send what is due. Nothing may be due at this time any more, or a host would spin. */
void world_pump(world_t *w);
/** Moves the clock; what is on the wire for longer than MAX_LATENCY is lost. */
void world_wait(world_t *w, copal_time_t milliseconds);
/** To the next time at which one of both wants to do something, but no further than an hour. */
void world_wait_until_due(world_t *w);

/** Hands in what is at this place of the wire, and takes it off unless it is to come `again`. */
void world_deliver(world_t *w, unsigned place, bool again);
void world_lose(world_t *w, unsigned place);
/** Hands this to the server as if another had sent it. */
void world_hear_other(world_t *w, unsigned other, bool multicast, copal_bytes_t datagram);
void world_hear_client(world_t *w, copal_bytes_t datagram);

/** Which of the addresses of the client `via` is. */
copal_peer_t world_client(uint32_t via);

/** Begins it: `job->kind` and what goes with it are set. */
typedef struct {
    kind_t kind;
    behaviour_t behaviour;
    const char *path;
    copal_code_t code;
    bool confirmable, bodied;
    uint32_t timeout, size;
    uint8_t szx;
    void (*options)(void *context, copal_writer_t *w);
    void *context;
} plan_t;
void world_ask(world_t *w, const plan_t *plan);
void world_cancel(world_t *w, job_t *job, bool deregister);
void world_answer(world_t *w, unsigned place, bool is_long);

/** Octet `i` of what belongs to a job. */
static inline uint8_t world_octet(uint32_t number, size_t i) { return (uint8_t)(number * 31 + i * 7 + (i >> 8)); }

#endif
