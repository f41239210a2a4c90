/* What a host is made of. */
#ifndef COPAL_HOST_HOST_H
#define COPAL_HOST_HOST_H

#include "copal/counters.h"
#include "worker.h"

/** The counters that a resource tells of: one answer's blocks are of one moment. Inside the exclusion. */
typedef struct {
    copal_host_counters_t counters;
    copal_time_t at;
    uint32_t number; /* 0: there are none yet */
} copal__counted_t;

/* The first worker serves the client, too, so that its lock is that of all that concerns the client. */
struct copal_host_t {
    copal__worker_t *workers;
    uint32_t worker_count;
    uint32_t busy_poll;        /* as in copal_host_config_t */
    uint32_t slots;            /* of a worker's endpoint: its handles begin with a multiple of that */
    pthread_mutex_t exclusion; /* of the tree; never held while a worker's lock is waited for */
    copal_tree_t *tree;        /* excludes its users itself */
    copal__side_t client;
    copal_peer_t client_address; /* size 0: any */
    bool discoverable;           /* it hears groups */
    copal_task_t *tasks;         /* those under way; the last one's next_ is NULL */
    void (*created)(void *user, copal_tree_t *tree, copal_handle_t resource); /* NULL: nobody cares */
    copal_code_t (*patch)(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out,
                          size_t *size);
    void (*tick)(void *user); /* NULL: none */
    void *user;
    const copal_dtls_backend_t *dtls; /* NULL: no coaps */
    bool moves;       /* another socket has other message IDs: there is more than one counter of them */
    uint32_t latest;  /* the client's socket that somebody moved to last, for its message IDs */
    size_t body_size;                 /* octets of the largest body that a blocking request puts together from blocks */

    copal__counted_t counted;

    atomic_bool stopping;    /* needs no lock */
    atomic_bool started;     /* `thread` is to be joined; needs no lock */
    pthread_t thread;

    size_t mapped; /* octets of the mapping that this is the start of */
};

/** What concerns the client is done inside the lock of the first worker: this is entering and leaving that, the time for a call
 *  on the client's endpoint, and making who runs the first worker look again at what there is to do. */
static inline void copal__host_enter(copal_host_t *host) { copal__worker_enter(&host->workers[0]); }
static inline void copal__host_leave(copal_host_t *host) { copal__worker_leave(&host->workers[0]); }
static inline copal_time_t copal__host_now(const copal_host_t *host) { return copal__worker_now(&host->workers[0]); }
static inline void copal__host_wake(copal_host_t *host) { copal__worker_wake(&host->workers[0]); }

/** Whether this thread is inside a callback of the host's. */
bool copal__host_is_inside(const copal_host_t *host);

/** copal__host_enter, and from outside of callbacks not while a turn has lent the lock: what it called has returned, and may
 *  lose what it works on. */
void copal__host_enter_between_turns(copal_host_t *host);

/** For copal_tree_config_t.changed; `user` is the host. From any thread. */
void copal__host_changed(void *user, uint64_t workers);

/** As copal_service_t.handle, of a host that speaks DTLS; `context` is the worker. */
void copal__host_serve(void *context, copal_call_t *call);
/** As its `ready`. */
bool copal__host_ready(void *context, const copal_from_t *from, copal_bytes_t path, copal_bytes_t *answer);
/** And its `refused`. */
void copal__host_refused(void *context, const copal_endpoint_t *endpoint, copal_handle_t later);
/** As copal_tree_config_t.origin; `user` is the host. */
size_t copal__host_origin(void *user, const copal_call_t *call, char *out);

/** Of a clock that never goes back. */
int64_t copal__microseconds(void);

/** copal_host_step, inside the lock of the first worker. */
int copal__host_step(copal_host_t *host, int timeout);

/** The peers that an ask may mean, the likeliest first; a host name is looked up. How many, or as copal_host_request. */
enum { COPAL__PEERS = 8 };
int copal__ask_peers(const copal_ask_t *ask, copal_peer_t peers[COPAL__PEERS]);

/** What an ask with `to` needs before it can be sent: its URI, if there is one, the peer that it goes to, which may be a session
 *  begun now, and the socket it leaves by, which is returned; or an error as copal_host_request. `to` may be where ask->to
 *  points. Inside the lock, as all that follows. */
int copal__ask_prepare(copal_host_t *host, const copal_ask_t *ask, copal_uri_t *uri, copal_peer_t *to);
/** Writes the options of an ask for this part of a transfer; `uri` NULL: there is none. */
void copal__ask_options(copal_writer_t *w, const copal_ask_t *ask, const copal_uri_t *uri, copal_part_t part);
/** Another of the client's sockets that reaches `to`, for the message IDs of that at `via` are used up; on the first `tries`
 *  those that are there, then a new one. `to` is then the session there, if it was one. Negative: there can be no more. */
int copal__client_move(copal_host_t *host, const copal_ask_t *ask, copal_peer_t *to, uint32_t via, unsigned tries);
/** The request of an ask that goes to this peer and leaves by this socket. */
copal_request_t copal__ask_request(const copal_ask_t *ask, const copal_peer_t *to, int socket);

/** As copal_host_request for an ask with `to`, but nobody is woken. */
int copal__host_request(copal_host_t *host, const copal_ask_t *ask, copal_receiver_t *receiver, copal_handle_t *handle);
/** As copal_host_transfer for an ask with `to`, but nobody is woken. */
int copal__host_transfer(copal_host_t *host, const copal_ask_t *ask, copal_task_t *task);
/** As copal_host_transfer_cancel. */
int copal__task_cancel(copal_task_t *task);
/** Forgets all tasks: the endpoint is used no more. */
void copal__tasks_drop(copal_host_t *host);

#endif
