/* What the files of `copal bench` share. */
#ifndef COPAL_TOOL_BENCH_H
#define COPAL_TOOL_BENCH_H

#include "tool.h"

/* ---- times (histogram.c) ------------------------------------------------------------------------------ */

/* Up to 2^(EXACT + 1) each value has a bucket of its own; above, every power of two has 2^EXACT of them. So a percentile is wrong
 * by 1/128 at most, whatever its size, in memory that does not grow. */
enum {
    TOOL_HISTOGRAM_EXACT = 7,
    TOOL_HISTOGRAM_BITS = 43, /* 2.4 hours of nanoseconds */
    TOOL_HISTOGRAM_BUCKETS = (TOOL_HISTOGRAM_BITS - TOOL_HISTOGRAM_EXACT + 1) << TOOL_HISTOGRAM_EXACT
};

/** Times in nanoseconds; empty when all zero. */
typedef struct {
    uint64_t buckets[TOOL_HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t least, most;
    double sum;
} tool_histogram_t;

void tool_histogram_add(tool_histogram_t *h, int64_t time);
/** The time that `part` (0 to 1) of all do not exceed. 0: there are none. */
int64_t tool_histogram_at(const tool_histogram_t *h, double part);
/** The largest time of a bucket. */
int64_t tool_histogram_end(size_t bucket);

/* ---- what is to be done (bench.c) ----------------------------------------------------------------------- */

typedef struct {
    tool_request_t request;
    uint64_t sockets, outstanding;
    double rate;       /* requests per second at planned times; 0: each when the one before it has ended */
    uint64_t count;    /* requests after which it ends; 0: any number */
    uint32_t duration; /* milliseconds after which it ends */
    uint32_t warm_up;  /* milliseconds before anything counts */
    bool timed;        /* it ends by its duration, not by its count alone */
    bool warms_up;     /* a warm-up was given, if only of 0 */
    bool json;
} tool_bench_t;

/* ---- what was measured (load.c) --------------------------------------------------------------------------- */

/** Of the requests that began after the warm-up; of an open loop, that were planned to. */
typedef struct {
    uint64_t requests;
    uint64_t codes[256];   /* answers by their code */
    uint64_t answers;      /* all of these */
    uint64_t in_time;      /* of these, those that came before the end: later ones say nothing of the rate */
    uint64_t first_blocks; /* of these, those that were the first block of a larger one */
    uint64_t time_outs, resets, unreachable, sessions, others; /* requests without an answer, by why */
    uint64_t open;                                             /* still without, when it was interrupted */
    uint64_t retransmitted;
    uint64_t unsent;     /* planned, and never sent */
    uint64_t held, late; /* sent over a millisecond behind their time: for want of a place; for want of anything else */
    int64_t latest;      /* nanoseconds, of the latter */
    tool_histogram_t latency; /* of 2.xx answers; of an open loop from the planned time */
    tool_histogram_t service; /* of an open loop: from the sending */
    double seconds, cpu;      /* how long it lasted; what of it this process was busy */
    double connecting;        /* seconds for the handshakes of all sockets */
    uint64_t ports;           /* local ports that it took */
    bool interrupted;
    int error;  /* what ended it before anything was answered; 0: nothing */
    int reason; /* errno of that */
    char problem[COPAL_PROBLEM_SIZE];
} tool_tally_t;

/** Does it. `tell` is called once a second meanwhile, with answers of the last second. */
void tool_load(const tool_bench_t *bench, tool_tally_t *tally,
               void (*tell)(const tool_tally_t *tally, double seconds, double rate));

/* ---- sockets (port.c) ---------------------------------------------------------------------------------------- */

/** A socket with its message IDs and its session: a host that asks one peer. */
typedef struct tool_port_t {
    copal_receiver_t receiver; /* first; of the ping that begins its session */
    copal_host_t *host;
    int fd;     /* its socket; -1: none yet */
    int status; /* of a session that failed, and why; 0: it did not */
    char problem[COPAL_PROBLEM_SIZE];
    bool connecting, ready;                  /* ready: requests may be asked */
    bool touched;                            /* it has something to send */
    uint32_t asked;                          /* requests since it was fresh */
    uint32_t open;                           /* of these, those without an outcome */
    int64_t retired;                         /* nanoseconds; when its message IDs were used up; 0: they are not */
    size_t index;                            /* among all */
    struct tool_port_t *next, *next_touched; /* of those that are retired; of those touched */
} tool_port_t;

/* Each has 49,152 message IDs at least until it has to wait (RFC 7252 section 4.4); requests that are challenged with Echo take
 * two. */
enum { TOOL_PORT_REQUESTS = 40000 };

/** A new one, or NULL: errno, or 0 for want of memory. */
tool_port_t *tool_port_open(const tool_bench_t *bench);
/** Begins its session. 0, or an error. */
int tool_port_connect(tool_port_t *port, const tool_bench_t *bench);
/** Learns its descriptor, once it has one. */
void tool_port_find_socket(tool_port_t *port);
uint64_t tool_port_retransmitted(const tool_port_t *port);
void tool_port_close(tool_port_t *port, const tool_bench_t *bench);

/* ---- printing (report.c) --------------------------------------------------------------------------------------- */

void tool_bench_print(const tool_bench_t *bench, const tool_tally_t *tally);
void tool_bench_print_json(const tool_bench_t *bench, const tool_tally_t *tally);
/** What the figures must not be taken for, on standard error. */
void tool_bench_warn(const tool_bench_t *bench, const tool_tally_t *tally);

#endif
