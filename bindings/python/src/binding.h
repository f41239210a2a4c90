/* copal._copal: what the files of this folder share. A thin binding of copal/host.h on Python's Limited API.
 *
 * One rule keeps it free of deadlocks: what the host calls (outcomes, handlers) touches no Python object and never waits
 * for the interpreter. It puts an event into a queue; Host.step waits for the network without the GIL and then, with it,
 * calls Python for what is in the queue. So a thread that holds the GIL may wait for the host's lock. */
#ifndef COPAL_PYTHON_BINDING_H
#define COPAL_PYTHON_BINDING_H

#include "copal/host.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>

/** What belongs to one module object, that is to one interpreter. */
typedef struct {
    PyObject *host_type, *request_type, *call_type, *message_type, *credentials_type;
    PyObject *errors; /* dict: status to class of exception */
} binding_state_t;

/* ---- values ------------------------------------------------------------------------------------- */

/** Raises the exception for an error of copal's (of COPAL_ESYSTEM by errno), and returns NULL. */
PyObject *binding_raise(const binding_state_t *state, int status);
/** The same with a sentence of its own, unless it is empty or NULL. */
PyObject *binding_raise_text(const binding_state_t *state, int status, const char *text);
/** That exception as an object, not raised. */
PyObject *binding_exception(const binding_state_t *state, int status, const char *text);
/** The exception that was raised, as an object, raised no more. */
PyObject *binding_caught(void);
/** The octets of a str (UTF-8) or of a bytes-like object, as a new bytes object; TypeError. */
PyObject *binding_octets(PyObject *object);
/** A view of the octets of a bytes object, or nothing of NULL. */
copal_bytes_t binding_view(PyObject *bytes);
/** Octets as a new bytes object. */
PyObject *binding_bytes(copal_bytes_t octets);
/** Handles as integers and back. */
PyObject *binding_handle(copal_handle_t handle);
copal_handle_t binding_handle_of(unsigned long long number);
/** The address of a peer as a new tuple (address, port). */
PyObject *binding_address(const copal_peer_t *peer);
/** A type of which only this module makes objects. */
PyObject *binding_no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
/** Frees an object of a heap type, and lets go of the type. */
void binding_free(PyObject *self);

/* ---- events ------------------------------------------------------------------------------------- */

/** Octets as they come, in memory of malloc's. */
typedef struct {
    uint8_t *data; /* NULL while there is none */
    size_t size, capacity;
} binding_body_t;

/** Puts octets at `offset`, which is where the last ended, or 0. 0, COPAL_ENOMEM, or COPAL_ESPACE: it is over `most`. */
int binding_body_put(binding_body_t *body, size_t offset, copal_bytes_t octets, size_t most);

typedef struct binding_request_t binding_request_t;
typedef struct binding_handler_t binding_handler_t;

typedef enum { EVENT_OUTCOME, EVENT_PIECE, EVENT_CALL, EVENT_CREATED, EVENT_DROPPED } binding_kind_t;

/** Something that Python is to hear of. */
typedef struct binding_event_t {
    struct binding_event_t *next;
    binding_kind_t kind;
    binding_request_t *request; /* OUTCOME, PIECE: stays alive as one of the host's pending */
    binding_handler_t *handler; /* CALL */
    copal_handle_t handle;      /* CALL: for the answer; CREATED: the resource */
    int status, reason;         /* reason: the errno of COPAL_ESYSTEM */
    char problem[COPAL_PROBLEM_SIZE]; /* what there is to say of a session that failed; empty: nothing */
    bool ended, notification;
    size_t offset;    /* PIECE */
    unsigned number;  /* CALL, DROPPED: of the body that comes piece by piece; 0: none */
    uint32_t block1;  /* CALL: the option's value, if more is to follow */
    bool more;        /* CALL */
    copal_peer_t peer;
    binding_body_t body; /* the payload, from all its blocks */
    uint8_t *head;       /* the message without its payload; NULL: there is none */
    size_t head_size;
} binding_event_t;

/** A new event with a copy of the message's head, or NULL: no memory. `message` may be NULL. */
binding_event_t *binding_event(binding_kind_t kind, const copal_message_t *message);
void binding_event_free(binding_event_t *event);

/** Guarded by a mutex of its own, taken last and held for pointer work only. */
typedef struct {
    pthread_mutex_t mutex;
    binding_event_t *first, **last;
    size_t count;
} binding_queue_t;

void binding_queue_init(binding_queue_t *queue);
void binding_queue_destroy(binding_queue_t *queue);
void binding_queue_put(binding_queue_t *queue, binding_event_t *event);
/** Puts the state of something observed; of older ones of the same request only so many go on waiting. */
void binding_queue_put_state(binding_queue_t *queue, binding_event_t *event);
binding_event_t *binding_queue_take(binding_queue_t *queue); /* the oldest, the caller's now, or NULL */
size_t binding_queue_count(binding_queue_t *queue);
/** Frees the events of a request. */
void binding_queue_drop(binding_queue_t *queue, const binding_request_t *request);
/** Frees the creation of what was in this slot before, so that no more wait than resources can be. */
void binding_queue_drop_slot(binding_queue_t *queue, uint32_t slot);

/* ---- the types ----------------------------------------------------------------------------------- */

/** A message that came: head and payload are bytes objects. */
PyObject *binding_message(const binding_state_t *state, const binding_event_t *event);

typedef struct {
    PyObject_HEAD
    PyObject *module;
    const binding_state_t *state; /* the module's */
    copal_host_t *host;           /* NULL: closed */
    copal_tree_t *tree;
    size_t body_size;             /* octets of the largest body that is kept for Python */
    binding_queue_t queue;
    PyObject *pending;            /* set of the requests that are open, or whose events wait */
    PyObject *created;            /* called for resources that peers create; NULL: nobody cares */
    PyObject *dropped;            /* called for bodies whose rest does not come; NULL: none comes piece by piece */
    unsigned bodies;              /* how many came piece by piece; counted by the thread that turns the host */
    binding_handler_t *handlers;
    PyObject *credentials;        /* list of those that it listens with */
    PyThread_type_lock stepping;  /* held, without the GIL, by the thread that turns the host */
    unsigned forks;               /* how often the process had been forked when it was opened */
    bool closing;
} binding_host_t;

extern PyType_Spec binding_host_spec, binding_request_spec, binding_call_spec, binding_message_spec,
    binding_credentials_spec;

/* Functions of the module that stand in files of their own. */
PyObject *binding_host_open(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *binding_credentials_open(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *binding_interface(PyObject *module, PyObject *unused);

/** Those in an object; NULL, with an exception: it is none. */
copal_credentials_t *binding_credentials(const binding_state_t *state, PyObject *object);
/** Whether it was not closed, and belongs to this process. That of a process of which this is a fork has its sockets, is
 *  nobody's to use here, and its locks may be held by threads that are not here. */
bool binding_host_is_ours(const binding_host_t *self);
/** False, with an exception: it was closed, or is not ours. */
bool binding_host_is_open(const binding_host_t *self);

/* Methods of Host that stand in files of their own. */
PyObject *binding_host_request(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *binding_host_add_handler(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *binding_host_add_value(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *binding_host_set_options(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *binding_host_find(PyObject *self, PyObject *args);
PyObject *binding_host_remove(PyObject *self, PyObject *handle);
PyObject *binding_host_changed(PyObject *self, PyObject *handle);
PyObject *binding_host_path(PyObject *self, PyObject *handle);
PyObject *binding_host_get_value(PyObject *self, PyObject *handle);
PyObject *binding_host_set_value(PyObject *self, PyObject *args);
PyObject *binding_host_get_options(PyObject *self, PyObject *handle);
PyObject *binding_host_add_attribute(PyObject *self, PyObject *args);

/** The resource of a handler. Lives until the host is closed, also when its resource was removed: a turn may be about to use
 *  it. */
struct binding_handler_t {
    binding_handler_t *next;
    binding_host_t *host;
    PyObject *callback; /* touched with the GIL only; NULL: the resource was removed */
    copal_handle_t resource;
    size_t body_size; /* octets of the largest body */
};

/** Take the bodies of requests whole, and piece by piece. */
extern const copal_intake_t binding_whole_bodies, binding_bodies_in_pieces;
/** An event of a request, which is to be put into the queue; with all of `body` unless that is NULL. NULL: it cannot be deferred,
 *  and stays without an answer here, so that it gets the host's. */
binding_event_t *binding_defer(binding_handler_t *handler, copal_call_t *call, binding_body_t *body);

/** For copal_host_config_t.created. */
void binding_created(void *user, copal_tree_t *tree, copal_handle_t resource);

/** Calls Python for an event, which is freed. False, with an exception: what Python did. */
bool binding_show_outcome(binding_host_t *host, binding_event_t *event);
bool binding_show_call(binding_host_t *host, binding_event_t *event);

/** Ends all open requests, whose callbacks are not called. */
void binding_requests_end(binding_host_t *host);
/** Frees the handlers, which no turn uses any more, and lets go of their functions. */
void binding_handlers_free(binding_host_t *host);
/** Lets go of the function of a resource that is no more. */
void binding_handler_forget(binding_host_t *host, copal_handle_t resource);
int binding_handlers_visit(const binding_host_t *host, visitproc visit, void *arg);

#endif
