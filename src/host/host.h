/* What a host is made of. */
#ifndef COPAL_HOST_HOST_H
#define COPAL_HOST_HOST_H

#include "copal/host.h"
#include "lock.h"
#include "side.h"

enum { COPAL__RANDOM_POOL = 256 };

struct copal_host_t {
    copal__lock_t lock;        /* of all that follows, while it is not said otherwise */
    pthread_mutex_t exclusion; /* of the tree; never held while `lock` is waited for */
    copal_tree_t *tree;        /* excludes its users itself */
    copal_service_t service;   /* of the tree */
    copal__side_t server, client;
    copal__batch_t batch;
    copal__locals_t locals;
    copal_peer_t client_address; /* size 0: any */
    bool discoverable;           /* it hears groups */
    copal_task_t *tasks;         /* those under way; the last one's next_ is NULL */
    void (*created)(void *user, copal_tree_t *tree, copal_handle_t resource); /* NULL: nobody cares */
    copal_code_t (*patch)(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out,
                          size_t *size);
    void *user;
    void (*random)(void *state, void *buffer, size_t size);
    void *random_state;
    uint8_t random_pool[COPAL__RANDOM_POOL];
    size_t random_left;
    const copal_dtls_backend_t *dtls; /* NULL: no coaps */
    bool moves;       /* another socket has other message IDs: there is more than one counter of them */
    size_t body_size;                 /* octets of the largest body that a blocking request puts together from blocks */

    int wake[2];
    bool woken;                 /* the wake descriptor was made readable and not yet cleared */
    uint32_t wakes;             /* how often it was to be readable */
    unsigned sleepers, unheard; /* threads asleep; of them, those that were when the last wake came */
    bool more;                  /* a socket had so much that there may be more: no need to sleep */
    bool turning;               /* a turn is under way, in the thread that holds the lock */
    copal_time_t now;           /* of that turn */

    atomic_uintptr_t runner; /* the thread that runs the host, or COPAL__RUNNER_STARTS; 0: none. Needs no lock */
    atomic_bool stopping;    /* needs no lock */
    atomic_bool started;     /* `thread` is to be joined; needs no lock */
    pthread_t thread;

    size_t mapped; /* octets of the mapping that this is the start of */
};

/** A thread was made to run the host and has not begun. No thread has this number. */
#define COPAL__RUNNER_STARTS ((uintptr_t)1)

/** The system's randomness, by the pool; `state` is the host. As copal_config_t.random. */
void copal__host_random(void *state, void *buffer, size_t size);

/** What the time is for a call on an endpoint: within a turn, that turn's. Inside the lock. */
copal_time_t copal__host_now(const copal_host_t *host);

/** Makes whoever runs the host look again at what there is to do. Inside the lock. */
void copal__host_wake(copal_host_t *host);

/** For copal_tree_config_t.changed; `user` is the host. From any thread. */
void copal__host_changed(void *user, uint64_t workers);

/** As copal_service_t.handle, of a host that speaks DTLS; `context` is the host. */
void copal__host_serve(void *context, copal_call_t *call);
/** As copal_tree_config_t.origin; `user` is the host. */
size_t copal__host_origin(void *user, const copal_call_t *call, char *out);

/** copal_host_step, inside the lock. */
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
