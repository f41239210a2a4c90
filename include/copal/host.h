/* The host: sockets, clock and randomness for a tree and its endpoints, on POSIX systems. */
#ifndef COPAL_HOST_H
#define COPAL_HOST_H

#include "copal/dtls.h"
#include "copal/link.h"
#include "copal/transfer.h"
#include "copal/tree.h"
#include "copal/uri.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One process's CoAP: a tree served on the addresses it listens on, and a client on sockets of its own. Every function may
 *  be called from any thread, and from inside handlers and receivers, unless it says otherwise. */
typedef struct copal_host_t copal_host_t;

/** Direction and octets of a message, for tracing; of a session's, as it is inside the record. Called in the thread that runs
 *  the host. */
typedef void (*copal_trace_t)(void *user, bool outgoing, const copal_peer_t *peer, copal_bytes_t datagram);

/** What happens to the server now and then, for a log. */
typedef enum {
    COPAL_HANDSHAKE_FAILED, /* of a client, by DTLS */
    COPAL_SESSION_BEGUN,
    COPAL_SESSION_ENDED,
    COPAL_NETWORK_CUT /* a request's answer was more than what may still go to the addresses of its network without proof
                       * (server.network_bytes). Where an answer given later or a notification was, it is only counted */
} copal_event_kind_t;

typedef struct {
    copal_event_kind_t kind;
    const copal_peer_t *peer; /* the client's; of a network that of who asked last */
    uint8_t network;          /* of a network: so many octets of the address are its own */
    int status;               /* of what failed or ended: as copal_dtls_config_t.served says */
    const char *reason;       /* likewise: a sentence without full stop, or NULL; borrowed */
} copal_event_t;

/** Called in the thread that runs the host, inside its work: nothing of the host may be called. */
typedef void (*copal_listener_t)(void *user, const copal_event_t *event);

typedef struct {
    uint32_t workers;           /* threads that serve (1), at most 64: each with sockets of its own on every address, of which the
                                 * system chooses one by a peer's address and port. Handlers, `created`, `trace` and `event` are then
                                 * called by several threads at once (copal_handler_t.serial: not two of those) */
    uint32_t busy_poll;         /* microseconds that a worker goes on looking for datagrams before it sleeps (0), at most 1,000,000:
                                 * what comes meanwhile is answered sooner, and it costs a core */
    size_t memory;              /* octets for everything (64 MiB), touched only as it is used; limits are scaled to it */
    copal_limits_t server;      /* a nonzero field takes the place of the scaled one. All are of each worker, but for
                                 * network_bytes, which the workers share out evenly */
    copal_limits_t client;      /* likewise; counters = 1 makes message IDs unique over all peers */
    copal_tree_limits_t tree;   /* likewise */
    const copal_dtls_backend_t *dtls; /* NULL: no coaps; else `memory` must be 128 KiB at least for each worker */
    copal_dtls_limits_t server_dtls;  /* likewise, of each worker; 10,000 sessions and 64 handshakes in 64 MiB, in all. What the backend allocates is
                                       * not counted in `memory`. datagram_size is that of `server` */
    copal_dtls_limits_t client_dtls;  /* likewise */
    copal_timing_t timing;
    bool first_only, dynamic, post_creates; /* as in copal_tree_config_t */
    void (*created)(void *user, copal_tree_t *tree, copal_handle_t resource);
    /** Applies patches to values of Content-Format 50, as copal_tree_config_t says: copal_json_patch of copal/patch.h, with
     *  which a program links json-c. NULL: no patches. */
    copal_code_t (*patch)(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out, size_t *size);
    void *user;                 /* for created, patch, trace, event and tick */
    copal_trace_t trace;        /* NULL: none */
    copal_listener_t event;     /* NULL: none */
    /** NULL, or called about once a second while the host runs, in the thread of its first worker; it may call what handlers
     *  may. A second thread of the program's own would cost each request some locking in the C library. */
    void (*tick)(void *user);
    const char *client_address; /* literal address the client's sockets are bound to; NULL: any */
    void (*random)(void *state, void *buffer, size_t size); /* called by all workers; NULL: the system's */
    void *random_state;
} copal_host_config_t;

/** What a config's memory comes to, filled in as copal_host_open would. COPAL_EINVAL: memory below 64 KiB for each worker, too
 *  many workers, or too long a busy_poll. */
int copal_host_scale(copal_host_config_t *config);

/** Makes a host; `config` NULL is all defaults. Opens no socket yet. Free it with copal_host_close.
 *  COPAL_ENOMEM, COPAL_EINVAL, COPAL_ESYSTEM (errno). COPAL_EUNSUPPORTED: several workers, where the system does not spread
 *  peers over sockets (it does on Linux). */
int copal_host_open(copal_host_t **host, const copal_host_config_t *config);
/** Ends everything: requests in flight silently, sockets, memory. Not while another thread runs it (copal_host_stop
 *  first), nor from inside a callback. NULL is allowed. */
void copal_host_close(copal_host_t *host);

/** The tree that the host serves. Lives as long as the host; its functions may be called from any thread. */
copal_tree_t *copal_host_tree(copal_host_t *host);

/** Listens on a literal address: IPv4, IPv6 (scope as "fe80::1%eth0"), "0.0.0.0", or "::", which takes IPv4 as well.
 *  Port 0 takes a free one. `*bound` is the port (may be NULL). May be called for up to 24 addresses.
 *  COPAL_EINVAL: no literal address, or a group's. COPAL_EFULL: there are 24. COPAL_ESYSTEM: errno says why (EADDRINUSE:
 *  the port is taken); nothing stays half made. */
int copal_host_listen(copal_host_t *host, const char *address, uint16_t port, uint16_t *bound);

/** The same for DTLS, where copal_host_config_t.dtls names a backend: credentials are a server's, and are kept as long as it
 *  listens. Also COPAL_EUNSUPPORTED: without a backend; COPAL_EINVAL: credentials of a client, or of another backend. */
int copal_host_listen_secure(copal_host_t *host, copal_credentials_t *credentials, const char *address, uint16_t port,
                             uint16_t *bound);

/** Listens on a datagram socket of IPv4 or IPv6 that somebody else has bound, as systemd does for a service; `credentials` NULL:
 *  without DTLS. On success the host closes it, and `*local` (may be NULL) is its address. COPAL_EUNSUPPORTED: the host has
 *  several workers, each of which needs a socket that shares the address; or as copal_host_listen_secure. COPAL_EINVAL: it is no
 *  such socket. COPAL_EFULL, COPAL_ESYSTEM. */
int copal_host_adopt(copal_host_t *host, copal_credentials_t *credentials, int fd, copal_peer_t *local);

/** Lets whatever listens with `former` listen with `credentials` from now on: new handshakes take these; sessions, and handshakes under
 *  way, stay. COPAL_ENOTFOUND: nothing listens with `former`. COPAL_EINVAL: as copal_host_listen_secure, or inside a
 *  callback. */
int copal_host_replace_credentials(copal_host_t *host, const copal_credentials_t *former, copal_credentials_t *credentials);

/** Lets what listens by now be discovered by multicast (RFC 7252 section 8): joins the groups of all CoAP nodes, 224.0.1.187,
 *  ff02::fd and ff05::fd, on the port that is listened on, and answers requests that come by them, from the address that it
 *  listens on and as copal_endpoint_hear_groups says. An address decides the interface; "0.0.0.0" and "::" are all that are
 *  up and do multicast now (the loopback interface only where there is no other; those that come later are left out). For
 *  any other address each group takes one of the 24 sockets.
 *  Of a host that listens by DTLS only, COPAL_PORT of the groups is heard, and /.well-known/core alone answered, with links
 *  that are coaps URIs: DTLS has no groups. For each address that takes another socket, which is any free port's.
 *  COPAL_ENOTFOUND: nothing listens, or no such interface is there. COPAL_EEXIST: it was called already. COPAL_EFULL: no
 *  sockets are left. COPAL_ESYSTEM: errno says why (ENOBUFS: the system lets a socket join fewer groups). On an error
 *  nothing is answered by multicast. */
int copal_host_discoverable(copal_host_t *host);

/** Runs until copal_host_stop; a stop that came just before counts. This thread is the first worker, which receives for the
 *  client as well; the others have threads meanwhile, with all signals blocked. 0, COPAL_EEXIST: a thread runs it already,
 *  COPAL_EINVAL: inside a callback, or COPAL_ESYSTEM. */
int copal_host_run(copal_host_t *host);
/** Runs in a thread of its own, with all signals blocked. COPAL_EEXIST: it runs already. COPAL_ESYSTEM. */
int copal_host_start(copal_host_t *host);
/** Makes copal_host_run return soon; where copal_host_start made the thread, waits for its end (not from inside a
 *  callback). A host that copal_host_start did not start may be stopped in a signal handler, where that does not wait. */
void copal_host_stop(copal_host_t *host);
/** One turn: waits up to `timeout` milliseconds (-1: for ever) for something to do, and does it, for all workers in this
 *  thread. 0,
 *  COPAL_EINVAL: inside a callback, or COPAL_ESYSTEM. */
int copal_host_step(copal_host_t *host, int timeout);

/** For an event loop of one's own (see adapters/): the descriptors to watch for reading, how many milliseconds until
 *  copal_host_step(host, 0) is needed anyway (-1: never), and the count that descriptors would fill. */
#define COPAL_HOST_DESCRIPTORS 49u /* the most there are of one worker; a new one comes with a listen or a request */
size_t copal_host_descriptors(copal_host_t *host, int *descriptors, size_t capacity);
int copal_host_timeout(copal_host_t *host);

/* ---- addresses ----------------------------------------------------------------------------------- */

/** A peer from a literal address or, with `resolve`, a host name (may block on the network). A group may have a zone, the
 *  interface that it is asked by: "ff02::fd%eth0", "224.0.1.187%eth0"; without, the system chooses. An IPv4-mapped IPv6
 *  address is the IPv4 one. COPAL_EINVAL; COPAL_ERESOLVE; COPAL_ENOMEM. */
int copal_peer_from_text(copal_peer_t *peer, const char *address, uint16_t port, bool resolve);
/** The addresses of a URI's host into `peers`, the likeliest first; a host name is looked up (may block on the network). How
 *  many, 1 to `most`; or COPAL_EURI, COPAL_ERESOLVE, COPAL_ENOMEM. For asking the next one where one is
 *  unreachable, as copal_host_ask does. */
int copal_peers_from_uri(copal_peer_t *peers, int most, const char *uri);
/** Whether the address is that of a group, such as 224.0.1.187 or ff02::fd. */
bool copal_peer_is_group(const copal_peer_t *peer);
/** The peers that a group is (a literal address): one for each interface that is up and does multicast, for asking by every
 *  one; or where it has a zone that one. IPv4 groups are asked on the loopback interface, too. How many, up to `most`, of
 *  which COPAL_INTERFACES are enough. COPAL_EINVAL: it is no group. COPAL_ESYSTEM. */
#define COPAL_INTERFACES 64
int copal_peers_of_group(copal_peer_t *peers, int most, const char *group, uint16_t port);
/** The address of a peer or a session as text (at least 64 octets), and its port. */
void copal_peer_to_text(const copal_peer_t *peer, char *address, size_t capacity, uint16_t *port);

/* ---- client -------------------------------------------------------------------------------------- */

/** A request as faces make it: everything but `to` or `uri` may be left zero, with GET, CON and no options.
 *  All is borrowed for the time of the call. */
typedef struct {
    const char *uri;            /* coap:// or coaps:// URI: peer, Uri-Host, path and query; host names are looked up
                                 * (blocking). A certificate must be for the URI's host */
    const copal_peer_t *to;     /* instead of `uri`, or the address to use in place of the URI's own */
    copal_credentials_t *credentials; /* a client's: for coaps, and with `to` and no uri, where it means DTLS. A session that
                                       * they have with the peer is used, or begun; it stays until copal_host_disconnect, or
                                       * until it has not been used for client_dtls.idle_timeout */
    copal_bytes_t path;         /* with `to` and no uri: "a/b?c=d" */
    copal_code_t method;        /* 0 is GET */
    bool non_confirmable;         /* a group is asked so anyway */
    bool ping;                  /* empty CON instead of a request */
    bool observe;               /* as copal_request_t: whoever asked is told of each state until it is cancelled */
    bool no_options;            /* header, token and payload only */
    bool has_content_format, has_accept, if_none_match;
    uint16_t content_format, accept;
    copal_bytes_t etag, if_match; /* etag: .size 0 is none */
    bool has_if_match;            /* an empty If-Match is one, too */
    bool given_token;
    copal_bytes_t token;
    copal_bytes_t payload;
    copal_read_t read;            /* instead of `payload`, which is then not looked at: a body of `size` octets, */
    void *context;                /* read with this when it is needed, until the request has ended */
    size_t size;
    uint16_t block_size;          /* of a transfer: octets of the blocks to send and to ask for, 16 to 1024; 0: those that
                                   * are sent have 1024, the others what the server likes */
    uint8_t no_response;          /* COPAL_NO_RESPONSE_2XX and others: responses that are not wanted (RFC 7967), as
                                   * copal_request_commit says; the bodies then go in one datagram each way */
    uint8_t hop_limit;            /* how many proxies the request may pass (RFC 8768); 0: no such option */
    uint32_t timeout;             /* milliseconds, as copal_request_t; of each exchange */
} copal_ask_t;

/** Sends a request in one datagram; the receiver is called in the thread that runs the host. `handle` may be NULL. Where a
 *  peer's message IDs are used up it leaves by another local port, of up to 24, but with client.counters = 1. To a
 *  group, as copal_request_t says of one: it leaves once, by a socket of its own and on the link only (hop limit 1).
 *  COPAL_EURI, COPAL_ERESOLVE, COPAL_EINVAL, COPAL_EFULL (also: no message ID is left, or client_dtls.handshakes are under way),
 *  COPAL_EEXIST, COPAL_ESPACE, COPAL_EUNSUPPORTED (coaps without a backend, or a group by coaps), COPAL_ENOMEM, COPAL_ESYSTEM.
 *  COPAL_EINVAL too for coaps without credentials, coap with such, and credentials of a server or of another backend.
 *  The receiver may hear of COPAL_EHANDSHAKE, ECERTIFICATE, ECLOSED and ESTALE (there was no room for the session any more),
 *  too; see copal_host_problem. The request's message ID, 0 to 65535, is returned. */
int copal_host_request(copal_host_t *host, const copal_ask_t *ask, copal_receiver_t *receiver, copal_handle_t *handle);
/** Ends a request, or an observation, whose server is told so: as copal_request_deregister. The receiver is not called any
 *  more. A host that runs on sees to it that the server hears; one that is closed at once does not. COPAL_ESTALE. */
int copal_host_cancel(copal_host_t *host, copal_handle_t request);

/** Within a receiver, or a task's `done`, that hears of the end of its session: why, as a sentence without full stop. NULL:
 *  nothing is known beyond the status. */
const char *copal_host_problem(const copal_host_t *host);

/** Ends the sessions that a client has by these credentials, and tells the servers, which may forget them then. Cancel what is
 *  open first: it is not answered any more. Those of NULL are none. COPAL_EINVAL: inside a callback. */
int copal_host_disconnect(copal_host_t *host, const copal_credentials_t *credentials);

/** A request whose bodies may be of any size, in either direction (copal/transfer.h). Embed it in a struct of yours, all zero,
 *  set what is yours, and start it. Lent until `done` was called with response->ended, or it was cancelled. Its functions
 *  are called in the thread that runs the host, and as those of copal_transfer_t. */
typedef struct copal_task_t copal_task_t;
struct copal_task_t {
    int (*write)(copal_task_t *task, size_t offset, copal_bytes_t piece);
    void (*done)(copal_task_t *task, const copal_response_t *response);
    void (*progress)(copal_task_t *task);
    copal_transfer_t transfer; /* resume_at, etag, etag_size are yours to set; those and how far it is, to be read */

    /* Private. */
    copal_receiver_t receiver_;
    copal_handle_t request_;
    copal_host_t *host_;
    struct copal__kept_t *kept_;
    copal_task_t *next_, **link_;
    void *waiter_;
};

/** Starts it: as copal_host_request, but a body that does not fit a datagram goes in blocks, and one that comes in blocks is
 *  fetched whole. The host keeps a copy of what `ask` borrows, but not of what `read` reads. With `no_options`,
 *  `no_response` or `ping` it is one exchange of a datagram each way. To a group the request goes in one datagram, and
 *  `done` is called for each answer, with response->from and without response->ended, after `write` got all of its body:
 *  what does not fit a datagram is then fetched from its sender alone. All those bodies together may be as large as the
 *  config's `memory`; past it an answer has the status ESPACE. At the end `done` is called without a message.
 *  Also COPAL_ENOMEM, and as copal_transfer_start. */
int copal_host_transfer(copal_host_t *host, const copal_ask_t *ask, copal_task_t *task);
/** As copal_transfer_cancel: when it returns 0, `done` was not called with response->ended, and will not be called. Not
 *  from inside `write` and `progress`. */
int copal_host_transfer_cancel(copal_host_t *host, copal_task_t *task);

#define COPAL_PROBLEM_SIZE 160u

/** A response that is the caller's own; free it with copal_answer_free. */
typedef struct {
    copal_code_t code;
    copal_type_t type;
    uint16_t id;
    int32_t content_format; /* -1: none */
    uint8_t *payload;       /* NUL-terminated beyond its size */
    size_t size;
    copal_bytes_t datagram; /* the last response message whole, for its options; belongs to the answer */
    copal_peer_t from;
    char problem[COPAL_PROBLEM_SIZE]; /* where a session failed and no response came: copal_host_problem's; else empty */
} copal_answer_t;

/** Asks and waits, running the host meanwhile where no thread runs it by copal_host_run or copal_host_start. Bodies of any
 *  size go and come whole, as by copal_host_transfer. Where a host name has several addresses, the next is asked when one is
 *  unreachable.
 *  0: `answer` holds a response, whatever its code (of a ping, and where none was wanted: nothing but `id`); or as
 *  copal_host_transfer, ETIMEOUT, ERESET, ECRITICAL, EUNREACHABLE, and those of a session; EFORMAT: blocks that do not fit together, or a value
 *  that changed twice meanwhile; ESPACE: the body is larger than the config's `memory`; EINVAL: inside a callback, to
 *  be observed, or a group. */
int copal_host_ask(copal_host_t *host, const copal_ask_t *ask, copal_answer_t *answer);

/** The same, with progress, and the body of a 2.xx answer goes to task->write, piece by piece: then `answer` has no payload.
 *  Of the task's functions all may be NULL; without `write` the answer has the body. `done` is not called. */
int copal_host_stream(copal_host_t *host, const copal_ask_t *ask, copal_task_t *task, copal_answer_t *answer);
void copal_answer_free(copal_answer_t *answer);

/** A GET in one line, with a host made for it. */
int copal_get(const char *uri, copal_answer_t *answer);

/* ---- deferred answers ------------------------------------------------------------------------------ */

/** Answers a call of this host that a handler deferred, from any thread: the options and the body already written by
 *  `fill` (inside a lock of the host's; it may run at most once, and calls nothing of a host with several workers but what
 *  writes, and the tree's), or none with NULL. COPAL_ESTALE. */
int copal_host_reply(copal_host_t *host, copal_handle_t later, copal_code_t code,
                     void (*fill)(void *user, copal_writer_t *w), void *user);

#ifdef __cplusplus
}
#endif
#endif
