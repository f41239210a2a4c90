/* network.Coap for MicroPython: what the files of this folder share.
 *
 * Two threads meet here. The driver's turns the host: sockets, timers, the engine; it touches no Python object and no
 * memory of MicroPython's. The main thread runs the script; what the first has for it waits in the queue of events.c
 * until a drain there makes the objects and calls the script's functions. A port without threads would take the steps
 * of the host and schedule the drains from one place, a timer say: only driver_*.c differs. */
#ifndef COPAL_NETWORK_COAP_H
#define COPAL_NETWORK_COAP_H

#include "copal/host.h"
#include "py/obj.h"
#include "py/runtime.h"

/* The library that DTLS is done with: micropython.mk and .cmake name another where that is built. */
#ifndef COAP_DTLS
#define COAP_DTLS copal_dtls_openssl
#endif

/** The one network.Coap of the interpreter. */
typedef struct {
    copal_host_t *host; /* NULL: not open */
    copal_tree_t *tree;
    uint32_t epoch;     /* counts the inits; an object of an earlier one is not of this one, whatever its handle says */
} coap_state_t;
extern coap_state_t coap_state;

/** What every function but init() begins with: raises RuntimeError unless init() was called and deinit() was not. */
void coap_require_open(void);
/** Ends everything and forgets the script's objects; does nothing where nothing is open. Raises nothing. */
void coap_close(void);

/* ---- driver: who turns the host ----------------------------------------------------------------- */

/** Begins to turn `host` and to deliver what it has for the script. 0 or COPAL_ESYSTEM. */
int coap_driver_start(copal_host_t *host);
/** The host is turned no more when this returns. */
void coap_driver_stop(copal_host_t *host);

/** One lock between whoever turns the host and the main thread, held for a few steps. Where one thread does both they do nothing. */
void coap_driver_lock(void);
void coap_driver_unlock(void);

/** From here on Ctrl-C leaves a note that MicroPython finds soon, as on the boards. The unix port's own way is to leave
 *  whatever it interrupts by a jump: a lock of the host's, of malloc's or of ours that is held then is held for ever.
 *  The port sets its way up again for each line at the prompt, so all that works with an open host begins with this. */
void coap_defer_interrupt(void);
/** The port's own way is good again. */
void coap_allow_interrupt(void);

/* ---- events: what waits for the script ---------------------------------------------------------- */

/** A payload as it comes, in memory of malloc's. */
typedef struct {
    uint8_t *data; /* NULL while there is none */
    size_t size, capacity;
} coap_body_t;

/** Puts octets at `offset`, which is where the last ended, or 0. 0, COPAL_ENOMEM, or COPAL_ESPACE: there is a bound. */
int coap_body_put(coap_body_t *body, size_t offset, copal_bytes_t octets);

/** An open request of the script's; what came of it is filled in and it becomes an event. Also a creation. */
typedef struct coap_event_t {
    copal_task_t task; /* first */
    struct coap_event_t *next;
    uint32_t session;  /* whose request; 0: no request, the resource `handle` was created by a peer */
    copal_handle_t handle;
    uint16_t id;       /* of the first message, that is the one which the script knows */
    bool cancelled;    /* its outcome is not to be shown */
    bool observes;
    int status;            /* as in copal_response_t; from here on unset while it is open */
    char problem[COPAL_PROBLEM_SIZE]; /* what more is known of a status; may be empty */
    copal_code_t code;
    copal_type_t type;
    uint8_t token[8];
    size_t token_size;
    coap_body_t body;  /* the payload, from all its blocks */
} coap_event_t;

/** Sends a request of session `session`; its message ID, or an error as copal_host_transfer. One that observes stays open, and
 *  makes an event for each state. */
int coap_request(uint32_t session, const copal_ask_t *ask);
/** Ends the open requests with message ID `id` of `session`, or all of them with id -1; their outcomes are not shown,
 *  even if they wait already. Observations are deregistered. */
#define COAP_ALL_SESSIONS 0
void coap_cancel(uint32_t session, int id);
/** Forgets every event and request. The host is closed, or has ended them. */
void coap_events_clear(void);
/** For copal_host_config_t.created. */
void coap_created(void *user, copal_tree_t *tree, copal_handle_t resource);

/** How many events wait. */
size_t coap_events_waiting(void);
/** The oldest, which is the caller's now, or NULL. */
coap_event_t *coap_event_next(void);
void coap_event_destroy(coap_event_t *event);

/* ---- drain: the script's functions are called --------------------------------------------------- */

/** Whether the main thread has something to do here. */
bool coap_drain_wanted(void);
/** Takes back a Ctrl-C that would be raised while the prompt waits, where nothing catches it: the drain tells of it. The driver's. */
void coap_drain_calm_prompt(void);
/** Asks MicroPython to drain soon. From any thread; does nothing where nothing is wanted or it was asked already. */
void coap_drain_schedule(void);
/** Nobody was asked to drain: the scheduler's queue may have been emptied by a soft reset. */
void coap_drain_forget(void);

/* ---- values ------------------------------------------------------------------------------------- */

/** Whether an optional argument was given: None counts as not given. */
static inline bool coap_given(mp_obj_t argument)
{
    return argument != MP_OBJ_NULL && argument != mp_const_none;
}

/** Raises the exception that fits an error of copal's at large; callers handle first what means more to them. */
_Noreturn void coap_raise(int error);
/** The octets of a str or of a bytes-like object, borrowed from it; TypeError. */
copal_bytes_t coap_octets(mp_obj_t object);
/** A str as a C string, borrowed; TypeError, and ValueError for one with a NUL in it. */
const char *coap_text(mp_obj_t object);
/** The octets of a resource's value: an integer in 1, 2 or 4 octets, little-endian, that are written to `buffer`. */
copal_bytes_t coap_value(mp_obj_t object, uint8_t buffer[4]);
/** An integer from `least` to `most`, or `otherwise` where it was not given; TypeError, ValueError.
 *  With COAP_REQUIRED for `otherwise`, None is a TypeError, too. */
#define COAP_REQUIRED INT64_MIN
int64_t coap_integer(mp_obj_t object, int64_t least, int64_t most, int64_t otherwise);

/* ---- secure: DTLS --------------------------------------------------------------------------------- */

/** The credentials of a pre-shared key and the name that goes with it, the hint of a server or the identity of a client; NULL where
 *  neither is given. ValueError: only one is, or the library cannot use them. */
copal_credentials_t *coap_credentials_open(bool server, mp_obj_t key, mp_obj_t name);
/** Ends the sessions by them, and closes them; of NULL does nothing. */
void coap_credentials_close(const copal_credentials_t *credentials);
/** The same for all there are. */
void coap_credentials_clear(void);

/* ---- the types, and the functions of each file -------------------------------------------------- */

/** The script's object for a resource, the same one each time. */
mp_obj_t coap_resource_object(copal_handle_t handle);

#define COAP_PROTOCOL_UDP 1
#define COAP_PROTOCOL_DTLS 2

extern const mp_obj_type_t coap_resource_type, coap_session_type, coap_wlan_type;

MP_DECLARE_CONST_FUN_OBJ_KW(coap_add_resource_obj);
MP_DECLARE_CONST_FUN_OBJ_1(coap_remove_resource_obj);
MP_DECLARE_CONST_FUN_OBJ_1(coap_get_resource_obj);
MP_DECLARE_CONST_FUN_OBJ_KW(coap_new_client_session_obj);
MP_DECLARE_CONST_FUN_OBJ_KW(coap_remove_client_session_obj);
MP_DECLARE_CONST_FUN_OBJ_0(coap_get_client_sessions_obj);

#endif
