/* Handlers: resources whose answers Python makes, and Call, a request that waits for one.
 *
 * Each request is deferred: its event waits until the turn of the host is over, and what Python answers within
 * ack_delay leaves on the acknowledgement; what takes longer is a separate response (RFC 7252 section 5.2.2). */
#include "binding.h"

#include <stdlib.h>

/* ---- called by the host, without the GIL ---------------------------------------------------------------- */

binding_event_t *binding_defer(binding_handler_t *handler, copal_call_t *call, binding_body_t *body)
{
    binding_event_t *event = binding_event(EVENT_CALL, call->request);
    if (event == NULL) {
        return NULL;
    }
    int status = 0;
    if (body == NULL) {
        status = binding_body_put(&event->body, 0, call->request->payload, SIZE_MAX);
    }
    if (status < 0 || copal_defer(call, &event->handle) < 0) {
        binding_event_free(event);
        return NULL;
    }
    if (body != NULL) {
        event->body = *body;
        *body = (binding_body_t){NULL, 0, 0};
    }
    event->handler = handler;
    event->peer = call->from->peer;
    event->notification = call->notification;
    return event;
}

static void handle(void *user, copal_call_t *call)
{
    binding_handler_t *handler = user;
    binding_event_t *event = binding_defer(handler, call, NULL);
    if (event != NULL) {
        binding_queue_put(&handler->host->queue, event);
    }
}

/* ---- answers ---------------------------------------------------------------------------------------------- */

typedef struct {
    uint16_t number;
    copal_bytes_t value;
} option_t;

typedef struct {
    int content_format;
    option_t *options;
    size_t count;
    copal_bytes_t payload;
} answer_t;

static void fill(void *user, copal_writer_t *w)
{
    const answer_t *answer = user;
    if (answer->content_format >= 0) {
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)answer->content_format);
    }
    for (size_t i = 0; i < answer->count; i++) {
        copal_write_option(w, answer->options[i].number, answer->options[i].value);
    }
    copal_write_payload(w, answer->payload);
}

/* Pairs of number and bytes, borrowed from a tuple of tuples. */
static bool read_options(PyObject *pairs, answer_t *answer)
{
    const Py_ssize_t count = PyTuple_Size(pairs);
    answer->options = count > 0 ? calloc((size_t)count, sizeof *answer->options) : NULL;
    if (count < 0 || (count > 0 && answer->options == NULL)) {
        return count < 0 ? false : (PyErr_NoMemory(), false);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        unsigned short number;
        PyObject *value;
        if (!PyArg_ParseTuple(PyTuple_GetItem(pairs, i), "HS", &number, &value)) {
            return false;
        }
        answer->options[answer->count++] = (option_t){number, binding_view(value)};
    }
    return true;
}

typedef struct {
    PyObject_HEAD
    binding_host_t *host;
    PyObject *message;
    copal_handle_t later;
    unsigned number;
    uint32_t block1;
    bool more, notification, answered;
} call_t;

static PyObject *reply(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"code", "payload", "content_format", "options", NULL};
    call_t *self = (call_t *)object;
    unsigned char code;
    PyObject *payload = NULL, *options = NULL;
    answer_t answer = {.content_format = -1};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "b|OiO!:reply", names, &code, &payload, &answer.content_format,
                                     &PyTuple_Type, &options)) {
        return NULL;
    }
    PyObject *octets = payload != NULL ? binding_octets(payload) : NULL;
    if ((payload != NULL && octets == NULL) || (options != NULL && !read_options(options, &answer)) ||
        !binding_host_is_open(self->host)) { /* asked last: what was called so far may have closed it */
        free(answer.options);
        Py_XDECREF(octets);
        return NULL;
    }
    answer.payload = binding_view(octets);
    self->answered = true;
    const int status = copal_host_reply(self->host->host, self->later, code, fill, &answer);
    free(answer.options);
    Py_XDECREF(octets);
    if (status < 0) {
        return binding_raise(self->host->state, status);
    }
    Py_RETURN_NONE;
}

static void fill_block1(void *user, copal_writer_t *w)
{
    copal_write_option_uint(w, COPAL_OPTION_BLOCK1, *(const uint32_t *)user);
}

static PyObject *proceed(PyObject *object, PyObject *unused)
{
    (void)unused;
    call_t *self = (call_t *)object;
    if (!binding_host_is_open(self->host)) {
        return NULL;
    }
    self->answered = true;
    const int status = copal_host_reply(self->host->host, self->later, COPAL_CONTINUE, fill_block1, &self->block1);
    return status < 0 ? binding_raise(self->host->state, status) : (Py_INCREF(Py_None), Py_None);
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

/* A call that nobody answers shows itself. */
static void dealloc(PyObject *object)
{
    call_t *self = (call_t *)object;
    PyObject_GC_UnTrack(object);
    if (!self->answered && binding_host_is_ours(self->host)) {
        copal_host_reply(self->host->host, self->later, COPAL_INTERNAL_SERVER_ERROR, NULL, NULL);
    }
    Py_XDECREF(self->message);
    Py_DECREF(self->host);
    binding_free(object);
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((call_t *)object)->host);
    return 0;
}

static PyObject *get_message(PyObject *object, void *unused)
{
    (void)unused;
    PyObject *message = ((call_t *)object)->message;
    Py_INCREF(message);
    return message;
}

static PyObject *get_notification(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((call_t *)object)->notification);
}

static PyObject *get_body(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(((call_t *)object)->number);
}

static PyObject *get_more(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((call_t *)object)->more);
}

static PyGetSetDef getters[] = {
    {"message", get_message, NULL, "The request.", NULL},
    {"notification", get_notification, NULL, "Nobody asks now: an observer is to be told of the state.", NULL},
    {"body", get_body, NULL, "The number of the body of which this is a piece; 0: it is no such piece.", NULL},
    {"more", get_more, NULL, "Whether more of the body is to follow, which proceed() asks for.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"reply", (PyCFunction)(void (*)(void))reply, METH_VARARGS | METH_KEYWORDS, "Answers, once, in any thread."},
    {"proceed", proceed, METH_NOARGS, "Answers that the next piece may come."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A request that waits for an answer."},
    {Py_tp_new, binding_no_new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_getset, getters},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec binding_call_spec = {
    .name = "copal._copal.Call",
    .basicsize = sizeof(call_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool binding_show_call(binding_host_t *host, binding_event_t *event)
{
    PyTypeObject *type = (PyTypeObject *)host->state->call_type;
    PyObject *callback = event->handler->callback, *result = NULL;
    call_t *call = NULL;
    if (callback == NULL) { /* removed meanwhile */
        copal_host_reply(host->host, event->handle, COPAL_NOT_FOUND, NULL, NULL);
        binding_event_free(event);
        return true;
    }
    Py_INCREF(callback); /* it, or a finalizer while Python makes room, may remove its resource */
    PyObject *message = binding_message(host->state, event);
    if (message != NULL) {
        call = (call_t *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    }
    if (call == NULL) {
        Py_XDECREF(message);
        if (binding_host_is_ours(host)) {
            copal_host_reply(host->host, event->handle, COPAL_INTERNAL_SERVER_ERROR, NULL, NULL);
        }
    } else {
        Py_INCREF(host);
        call->host = host;
        call->message = message;
        call->later = event->handle;
        call->notification = event->notification;
        call->number = event->number;
        call->block1 = event->block1;
        call->more = event->more;
        result = PyObject_CallFunctionObjArgs(callback, (PyObject *)call, NULL);
        Py_DECREF(call);
    }
    Py_DECREF(callback);
    binding_event_free(event);
    Py_XDECREF(result);
    return result != NULL;
}

/* ---- resources ---------------------------------------------------------------------------------------------- */

PyObject *binding_host_add_handler(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", "callback", "methods", "observable", "subtree", "body_size", "pieces", NULL};
    binding_host_t *self = (binding_host_t *)object;
    const char *path;
    PyObject *callback;
    unsigned methods_mask = COPAL_METHOD(COPAL_GET);
    int observable = 0, subtree = 0, pieces = 0;
    Py_ssize_t body_size = (Py_ssize_t)1 << 20;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO|$Ippnp:add_handler", names, &path, &callback, &methods_mask,
                                     &observable, &subtree, &body_size, &pieces) ||
        !binding_host_is_open(self)) {
        return NULL;
    }
    if (pieces && self->dropped == NULL) {
        return binding_raise_text(self->state, COPAL_EINVAL, "nobody is told of bodies that are dropped");
    }
    binding_handler_t *handler = calloc(1, sizeof *handler);
    if (handler == NULL) {
        return PyErr_NoMemory();
    }
    handler->host = self;
    handler->body_size = body_size > 0 ? (size_t)body_size : 0;
    const copal_handler_t entry = {
        .methods = methods_mask,
        .intake = pieces ? &binding_bodies_in_pieces : &binding_whole_bodies,
        .subtree = subtree,
        .observable = observable,
        .handle = handle,
        .user = handler,
    };
    Py_INCREF(callback);
    handler->callback = callback;
    const int status = copal_tree_add_handler(self->tree, path, &entry, &handler->resource);
    if (status < 0) {
        Py_DECREF(callback);
        free(handler);
        return binding_raise(self->state, status);
    }
    handler->next = self->handlers;
    self->handlers = handler;
    return binding_handle(handler->resource);
}

/* Each is out of the list before its function goes, whose end may collect garbage, and so visit the list. */
void binding_handlers_free(binding_host_t *host)
{
    while (host->handlers != NULL) {
        binding_handler_t *handler = host->handlers;
        PyObject *callback = handler->callback;
        host->handlers = handler->next;
        free(handler);
        Py_XDECREF(callback);
    }
}

void binding_handler_forget(binding_host_t *host, copal_handle_t resource)
{
    for (binding_handler_t *handler = host->handlers; handler != NULL; handler = handler->next) {
        if (handler->resource.slot == resource.slot && handler->resource.generation == resource.generation) {
            Py_CLEAR(handler->callback);
            break;
        }
    }
}

int binding_handlers_visit(const binding_host_t *host, visitproc visit, void *arg)
{
    for (const binding_handler_t *handler = host->handlers; handler != NULL; handler = handler->next) {
        Py_VISIT(handler->callback);
    }
    return 0;
}
