/* Host: opening, turning, closing. */
#include "binding.h"

#include "copal/counters.h"
#include "copal/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned forks; /* of which this process is one after the other */

static void count_fork(void)
{
    forks++;
}

static void count_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

bool binding_host_is_ours(const binding_host_t *self)
{
    return self->host != NULL && self->forks == forks;
}

bool binding_host_is_open(const binding_host_t *self)
{
    if (!binding_host_is_ours(self) || self->closing) {
        PyErr_SetString(PyExc_RuntimeError, self->forks == forks ? "the host is closed" : "the host is that of another process");
        return false;
    }
    return true;
}

/* ---- open and close ---------------------------------------------------------------------------------- */

static binding_host_t *new_host(PyObject *module)
{
    const binding_state_t *state = PyModule_GetState(module);
    PyTypeObject *type = (PyTypeObject *)state->host_type;
    binding_host_t *self = (binding_host_t *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL) {
        return NULL;
    }
    static pthread_once_t counted = PTHREAD_ONCE_INIT;
    pthread_once(&counted, count_forks);
    self->forks = forks;
    Py_INCREF(module);
    self->module = module;
    self->state = state;
    binding_queue_init(&self->queue);
    self->stepping = PyThread_allocate_lock();
    if (self->stepping == NULL || (self->pending = PySet_New(NULL)) == NULL ||
        (self->credentials = PyList_New(0)) == NULL) {
        Py_DECREF(self);
        return PyErr_Occurred() != NULL ? NULL : (PyErr_NoMemory(), NULL);
    }
    return self;
}

PyObject *binding_host_open(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"created",     "dropped",        "client_address",    "memory",   "body_size", "first_only",
                            "dynamic",     "post_creates",   "counters",          "nstart",
                            "ack_timeout", "max_retransmit", "handshake_timeout", NULL};
    PyObject *created = Py_None, *dropped = Py_None;
    const char *client_address = NULL;
    Py_ssize_t memory = 0, body_size = 0;
    int first_only = 0, dynamic = 0, post_creates = 0;
    copal_host_config_t config = {0};
    unsigned *counters = &config.client.counters, *nstart = &config.timing.nstart;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOznnpppIIIII:open_host", names, &created, &dropped,
                                     &client_address, &memory, &body_size, &first_only, &dynamic, &post_creates, counters, nstart,
                                     &config.timing.ack_timeout, &config.timing.max_retransmit,
                                     &config.client_dtls.handshake_timeout)) {
        return NULL;
    }
    binding_host_t *self = new_host(module);
    if (self == NULL) {
        return NULL;
    }
    config.memory = memory > 0 ? (size_t)memory : 0;
    config.first_only = first_only;
    config.dynamic = dynamic;
    config.post_creates = post_creates;
    config.client_address = client_address;
    config.patch = copal_json_patch;
    config.dtls = &BINDING_DTLS;
    config.user = self;
    self->body_size = body_size > 0 ? (size_t)body_size : (size_t)64 << 20;
    if (created != Py_None) {
        Py_INCREF(created);
        self->created = created;
        config.created = binding_created;
    }
    if (dropped != Py_None) {
        Py_INCREF(dropped);
        self->dropped = dropped;
    }
    const int status = copal_host_open(&self->host, &config);
    if (status < 0) {
        binding_raise(self->state, status);
        Py_DECREF(self);
        return NULL;
    }
    self->tree = copal_host_tree(self->host);
    return (PyObject *)self;
}

/* Waits, without the GIL, until no other thread turns the host. */
static void enter(binding_host_t *self)
{
    if (!PyThread_acquire_lock(self->stepping, NOWAIT_LOCK)) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->stepping, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
}

static void leave(binding_host_t *self)
{
    PyThread_release_lock(self->stepping);
}

static void drop_events(binding_host_t *self)
{
    binding_event_t *event;
    while ((event = binding_queue_take(&self->queue)) != NULL) {
        binding_event_free(event);
    }
}

/* Ends everything, and lets go of all that is Python's. What is another process's goes on there: it is left as it is. */
static void close_host(binding_host_t *self)
{
    if (self->host == NULL || self->closing) {
        return;
    }
    self->closing = true;
    if (binding_host_is_ours(self)) {
        copal_host_stop(self->host); /* whoever sleeps in a step wakes up */
        enter(self);
        binding_requests_end(self);
        copal_host_step(self->host, 0); /* servers hear what is observed no more; if not, they will find out */
        copal_host_close(self->host);
        self->host = NULL;
        leave(self);
        drop_events(self);
    }
    self->host = NULL;
    binding_handlers_free(self);
    Py_CLEAR(self->pending);
    Py_CLEAR(self->created);
    Py_CLEAR(self->dropped);
    Py_CLEAR(self->credentials);
}

static PyObject *do_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    close_host((binding_host_t *)self);
    Py_RETURN_NONE;
}

static int clear(PyObject *self)
{
    close_host((binding_host_t *)self);
    return 0;
}

static void dealloc(PyObject *object)
{
    binding_host_t *self = (binding_host_t *)object;
    PyObject_GC_UnTrack(object);
    close_host(self);
    if (self->forks == forks) {
        binding_queue_destroy(&self->queue);
    }
    Py_XDECREF(self->pending);
    Py_XDECREF(self->created);
    Py_XDECREF(self->dropped);
    Py_XDECREF(self->credentials);
    if (self->stepping != NULL) {
        PyThread_free_lock(self->stepping);
    }
    Py_DECREF(self->module);
    binding_free(object);
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    binding_host_t *self = (binding_host_t *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->module);
    Py_VISIT(self->pending);
    Py_VISIT(self->created);
    Py_VISIT(self->dropped);
    return binding_handlers_visit(self, visit, arg);
}

/* ---- turning -------------------------------------------------------------------------------------------- */

/* Calls `function`, which may end the host, with `argument`, which is given up. */
static bool tell(PyObject *function, PyObject *argument)
{
    PyObject *result = NULL;
    if (argument != NULL) {
        Py_INCREF(function);
        result = PyObject_CallFunctionObjArgs(function, argument, NULL);
        Py_DECREF(function);
        Py_DECREF(argument);
    }
    Py_XDECREF(result);
    return result != NULL;
}

static bool show(binding_host_t *self, binding_event_t *event)
{
    switch (event->kind) {
    case EVENT_CALL:
        return binding_show_call(self, event);
    case EVENT_CREATED:
    case EVENT_DROPPED: {
        const bool dropped = event->kind == EVENT_DROPPED;
        PyObject *argument = dropped ? PyLong_FromUnsignedLong(event->number) : binding_handle(event->handle);
        binding_event_free(event);
        return tell(dropped ? self->dropped : self->created, argument);
    }
    default:
        return binding_show_outcome(self, event);
    }
}

/* A turn of the host, and no Python. False, with an exception. */
static bool turn(binding_host_t *self, int timeout)
{
    int status = 0, reason = 0;
    enter(self);
    if (binding_host_is_ours(self) && !self->closing) {
        Py_BEGIN_ALLOW_THREADS
        status = copal_host_step(self->host, timeout);
        reason = errno;
        Py_END_ALLOW_THREADS
    }
    leave(self);
    if (status < 0) {
        errno = reason;
        binding_raise(self->state, status);
        return false;
    }
    return PyErr_CheckSignals() == 0 && binding_host_is_open(self);
}

/* What a callback brings about leaves at once; what it brings in waits for the next step, so that others get on, too. */
static PyObject *step(PyObject *object, PyObject *args)
{
    binding_host_t *self = (binding_host_t *)object;
    int timeout;
    if (!PyArg_ParseTuple(args, "i:step", &timeout) || !binding_host_is_open(self)) {
        return NULL;
    }
    if (binding_queue_count(&self->queue) > 0) {
        timeout = 0; /* left by a callback that raised an exception */
    }
    if (!turn(self, timeout)) {
        return NULL;
    }
    const size_t waiting = binding_queue_count(&self->queue);
    for (size_t left = waiting; left > 0 && binding_host_is_ours(self); left--) {
        binding_event_t *event = binding_queue_take(&self->queue);
        if (event == NULL) {
            break; /* a callback cancelled what waited */
        }
        if (!show(self, event)) {
            return NULL;
        }
    }
    if (waiting > 0 && binding_host_is_ours(self) && !turn(self, 0)) {
        return NULL;
    }
    return PyBool_FromLong(binding_host_is_ours(self) && binding_queue_count(&self->queue) > 0);
}

/* Another thread may sleep in a step, which is not to be waited for. Nobody closes the host meanwhile: this thread keeps the
 * GIL, which the host needs for nothing. */
static PyObject *flush(PyObject *object, PyObject *unused)
{
    (void)unused;
    binding_host_t *self = (binding_host_t *)object;
    if (!binding_host_is_open(self)) {
        return NULL;
    }
    const int status = copal_host_step(self->host, 0);
    return status < 0 ? binding_raise(self->state, status) : (Py_INCREF(Py_None), Py_None);
}

static PyObject *timeout(PyObject *object, PyObject *unused)
{
    (void)unused;
    binding_host_t *self = (binding_host_t *)object;
    if (!binding_host_is_open(self)) {
        return NULL;
    }
    /* Events wait where a callback raised an exception. */
    return PyLong_FromLong(binding_queue_count(&self->queue) > 0 ? 0 : copal_host_timeout(self->host));
}

static PyObject *descriptors(PyObject *object, PyObject *unused)
{
    (void)unused;
    binding_host_t *self = (binding_host_t *)object;
    int numbers[COPAL_HOST_DESCRIPTORS];
    if (!binding_host_is_open(self)) {
        return NULL;
    }
    const size_t count = copal_host_descriptors(self->host, numbers, COPAL_HOST_DESCRIPTORS);
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *number = PyLong_FromLong(numbers[i]);
        if (number == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, number) < 0) {
            Py_CLEAR(tuple);
        }
    }
    return tuple;
}

static PyObject *listen(PyObject *object, PyObject *args)
{
    binding_host_t *self = (binding_host_t *)object;
    const char *address;
    unsigned short port;
    uint16_t bound = 0;
    if (!PyArg_ParseTuple(args, "sH:listen", &address, &port) || !binding_host_is_open(self)) {
        return NULL;
    }
    const int status = copal_host_listen(self->host, address, port, &bound);
    return status < 0 ? binding_raise(self->state, status) : PyLong_FromLong(bound);
}

static PyObject *listen_secure(PyObject *object, PyObject *args)
{
    binding_host_t *self = (binding_host_t *)object;
    PyObject *credentials;
    const char *address;
    unsigned short port;
    uint16_t bound = 0;
    if (!PyArg_ParseTuple(args, "OsH:listen_secure", &credentials, &address, &port) || !binding_host_is_open(self)) {
        return NULL;
    }
    copal_credentials_t *own = binding_credentials(self->state, credentials);
    if (own == NULL || PyList_Append(self->credentials, credentials) < 0) {
        return NULL;
    }
    const int status = copal_host_listen_secure(self->host, own, address, port, &bound);
    return status < 0 ? binding_raise(self->state, status) : PyLong_FromLong(bound);
}

static PyObject *discoverable(PyObject *object, PyObject *unused)
{
    (void)unused;
    binding_host_t *self = (binding_host_t *)object;
    if (!binding_host_is_open(self)) {
        return NULL;
    }
    int status = copal_host_discoverable(self->host);
    if (status == COPAL_ENOTFOUND) {
        errno = ENODEV; /* no interface that does multicast */
        status = COPAL_ESYSTEM;
    }
    return status < 0 ? binding_raise(self->state, status) : (Py_INCREF(Py_None), Py_None);
}

static PyObject *disconnect(PyObject *object, PyObject *credentials)
{
    binding_host_t *self = (binding_host_t *)object;
    copal_credentials_t *own = binding_host_is_open(self) ? binding_credentials(self->state, credentials) : NULL;
    if (own == NULL) {
        return NULL;
    }
    const int status = copal_host_disconnect(self->host, own);
    return status < 0 ? binding_raise(self->state, status) : (Py_INCREF(Py_None), Py_None);
}

static PyObject *counters(PyObject *object, PyObject *args)
{
    binding_host_t *self = (binding_host_t *)object;
    copal_host_counters_t all;
    copal_count_t count;
    const char *side;
    if (!PyArg_ParseTuple(args, "s:counters", &side) || !binding_host_is_open(self)) {
        return NULL;
    }
    copal_host_counters(self->host, &all);
    PyObject *told = PyDict_New(); /* from here on a finalizer may have closed it, while Python makes room */
    for (size_t i = 0; told != NULL && copal_counters_at(&all, i, &count); i++) {
        if (*count.side && strcmp(count.side, side) != 0) {
            continue;
        }
        PyObject *value = PyLong_FromUnsignedLongLong(count.value);
        if (value == NULL || PyDict_SetItemString(told, count.name, value) < 0) {
            Py_CLEAR(told);
        }
        Py_XDECREF(value);
    }
    return told;
}

static PyObject *is_closed(PyObject *object, void *unused)
{
    (void)unused;
    const binding_host_t *self = (binding_host_t *)object;
    return PyBool_FromLong(!binding_host_is_ours(self) || self->closing);
}

/* ---- the type --------------------------------------------------------------------------------------------- */

#define KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"listen", listen, METH_VARARGS, "Listens on a literal address; the port."},
    {"listen_secure", listen_secure, METH_VARARGS, "Listens for DTLS, with a server's credentials; the port."},
    {"discoverable", discoverable, METH_NOARGS, "Lets what listens by now be discovered by multicast."},
    {"counters", counters, METH_VARARGS, "What has been counted of a side, \"server\" or \"client\"."},
    {"disconnect", disconnect, METH_O, "Ends the sessions that a client has by these credentials."},
    {"step", step, METH_VARARGS,
     "Waits up to so many milliseconds (-1: for ever) for something to do, does it, and calls back; whether more "
     "waits."},
    {"flush", flush, METH_NOARGS, "Sends what is to be sent, and calls nobody."},
    {"timeout", timeout, METH_NOARGS, "Milliseconds until step(0) is needed anyway; -1: never."},
    {"descriptors", descriptors, METH_NOARGS, "What to watch for reading, to call step(0) then."},
    {"close", do_close, METH_NOARGS, "Ends everything; a step in another thread returns."},
    {"request", KEYWORDS(binding_host_request), "Sends a request; callback(error, ended, message)."},
    {"add_handler", KEYWORDS(binding_host_add_handler), "Adds a resource that callback(call) answers for."},
    {"add_value", KEYWORDS(binding_host_add_value), "Adds a value."},
    {"set_options", KEYWORDS(binding_host_set_options), "Replaces the properties of a value."},
    {"get_options", binding_host_get_options, METH_O, "The properties of a value, and its ETag's counter."},
    {"find", binding_host_find, METH_VARARGS, "The resource at a path, or None."},
    {"remove", binding_host_remove, METH_O, "Removes a resource."},
    {"changed", binding_host_changed, METH_O, "Tells those who observe a handler's resource."},
    {"path", binding_host_path, METH_O, "The path of a resource."},
    {"get_value", binding_host_get_value, METH_O, "A value."},
    {"set_value", binding_host_set_value, METH_VARARGS, "Sets a value, and tells those who observe it."},
    {"add_attribute", binding_host_add_attribute, METH_VARARGS, "Adds a link attribute for discovery."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", is_closed, NULL, "Whether it was closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A CoAP server and client that waits to be turned by step()."},
    {Py_tp_new, binding_no_new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {0, NULL},
};

PyType_Spec binding_host_spec = {
    .name = "copal._copal.Host",
    .basicsize = sizeof(binding_host_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
