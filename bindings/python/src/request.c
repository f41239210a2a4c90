/* Request: one that is on its way, or an observation that goes on. */
#define _POSIX_C_SOURCE 200809L /* pread */
#include "binding.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct binding_request_t {
    PyObject_HEAD
    copal_task_t task;
    binding_host_t *host;
    PyObject *callback, *write; /* write NULL: the body is collected */
    PyObject *payload;          /* bytes, lent to the transfer */
    copal_bytes_t octets;       /* those of payload */
    int file;                   /* descriptor to read the body from in place of payload, or -1 */
    off_t start;                /* where in the file it begins */
    int reason;                 /* errno of a read that failed */
    binding_body_t body;
    binding_event_t *last;      /* for an outcome for which there is no other memory */
    bool observes;
    int id;
};

/* ---- called by the host, without the GIL ----------------------------------------------------------- */

static binding_request_t *request_of(copal_task_t *task)
{
    return (binding_request_t *)(void *)((char *)task - offsetof(binding_request_t, task));
}

static int collect(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    binding_request_t *self = request_of(task);
    return binding_body_put(&self->body, offset, piece, self->host->body_size);
}

static int pass_on(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    binding_request_t *self = request_of(task);
    binding_event_t *event = binding_event(EVENT_PIECE, NULL);
    if (event == NULL) {
        return COPAL_ENOMEM;
    }
    event->request = self;
    event->offset = offset;
    const int status = binding_body_put(&event->body, 0, piece, piece.size);
    if (status < 0) {
        binding_event_free(event);
        return status;
    }
    binding_queue_put(&self->host->queue, event);
    return 0;
}

static int read_payload(void *context, size_t offset, void *out, size_t size)
{
    memcpy(out, ((const binding_request_t *)context)->octets.data + offset, size);
    return 0;
}

static int read_file(void *context, size_t offset, void *out, size_t size)
{
    binding_request_t *self = context;
    for (size_t done = 0; done < size;) {
        const ssize_t count = pread(self->file, (char *)out + done, size - done, self->start + (off_t)(offset + done));
        if (count > 0) {
            done += (size_t)count;
        } else if (count == 0 || errno != EINTR) {
            self->reason = count == 0 ? EIO : errno; /* 0: somebody made the file shorter */
            return COPAL_ESYSTEM;
        }
    }
    return 0;
}

/* The payload of a response: what was collected, or the text of an error, whatever came of a body before. */
static int take_payload(binding_request_t *self, const copal_message_t *message, binding_body_t *body)
{
    if (COPAL_CODE_CLASS(message->code) != 2 || message->code == COPAL_VALID) {
        return binding_body_put(body, 0, message->payload, SIZE_MAX);
    }
    *body = self->body;
    self->body = (binding_body_t){NULL, 0, 0};
    return 0;
}

static void done(copal_task_t *task, const copal_response_t *response)
{
    binding_request_t *self = request_of(task);
    binding_event_t *event = binding_event(EVENT_OUTCOME, response->message);
    int status = response->status;
    if (event != NULL && response->message != NULL) {
        status = take_payload(self, response->message, &event->body);
        event->peer = response->from->peer;
    }
    if (event == NULL && response->ended) {
        event = self->last;
        self->last = NULL;
        status = COPAL_ENOMEM;
    }
    if (event == NULL) {
        return; /* as if the state had been lost on the way: a newer one comes */
    }
    event->request = self;
    event->status = status;
    const char *problem = status == COPAL_EFORMAT ? "blocks do not fit together" : copal_host_problem(self->host->host);
    if (status < 0 && problem != NULL) {
        strncpy(event->problem, problem, sizeof event->problem - 1);
    }
    event->reason = self->reason;
    event->ended = response->ended;
    if (response->ended || !self->observes) {
        binding_queue_put(&self->host->queue, event);
    } else {
        binding_queue_put_state(&self->host->queue, event);
    }
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void end(binding_request_t *self)
{
    binding_host_t *host = self->host;
    if (binding_host_is_ours(host)) {
        copal_host_transfer_cancel(host->host, &self->task); /* stale: its outcome is in the queue, or was shown */
        binding_queue_drop(&host->queue, self);
    }
}

static void end_and_forget(binding_request_t *self)
{
    end(self);
    if (self->host->pending != NULL) {
        PySet_Discard(self->host->pending, (PyObject *)self);
    }
}

/* ---- outcomes ---------------------------------------------------------------------------------------- */

static PyObject *write_piece(const binding_request_t *self, const binding_event_t *event)
{
    return PyObject_CallFunction(self->write, "ny#", (Py_ssize_t)event->offset,
                                 event->body.size > 0 ? (const char *)event->body.data : "", (Py_ssize_t)event->body.size);
}

static PyObject *tell(const binding_request_t *self, PyObject *error, bool ended, PyObject *message)
{
    return PyObject_CallFunctionObjArgs(self->callback, error, ended ? Py_True : Py_False, message, NULL);
}

static PyObject *tell_outcome(const binding_request_t *self, const binding_event_t *event)
{
    const binding_state_t *state = self->host->state;
    errno = event->reason;
    PyObject *error = event->status < 0 ? binding_exception(state, event->status, event->problem) : (Py_INCREF(Py_None), Py_None);
    PyObject *message = event->status == 0 && event->head != NULL ? binding_message(state, event)
                                                                  : (Py_INCREF(Py_None), Py_None);
    PyObject *result = NULL;
    if (error != NULL && message != NULL) {
        result = tell(self, error, event->ended, message);
    }
    Py_XDECREF(error);
    Py_XDECREF(message);
    return result;
}

/* What was raised is the outcome. Without a piece the rest of a body is worth nothing: the request ends. */
static PyObject *tell_raised(binding_request_t *self, const binding_event_t *event)
{
    const bool piece = event->kind == EVENT_PIECE;
    PyObject *error = binding_caught();
    if (piece) {
        end_and_forget(self);
    }
    PyObject *result = tell(self, error, piece || event->ended, Py_None);
    Py_DECREF(error);
    return result;
}

/* Whoever waits is to hear something, also where there is no memory for what there is to say. */
bool binding_show_outcome(binding_host_t *host, binding_event_t *event)
{
    binding_request_t *self = event->request;
    const bool piece = event->kind == EVENT_PIECE;
    Py_INCREF(self);
    if (event->ended) {
        PySet_Discard(host->pending, (PyObject *)self);
    }
    PyObject *result = piece ? write_piece(self, event) : tell_outcome(self, event);
    if (result == NULL && PyErr_ExceptionMatches(piece ? PyExc_Exception : PyExc_MemoryError)) {
        result = tell_raised(self, event);
    }
    Py_DECREF(self);
    binding_event_free(event);
    Py_XDECREF(result);
    return result != NULL;
}

/* ---- start and end ------------------------------------------------------------------------------------ */

void binding_requests_end(binding_host_t *host)
{
    while (host->pending != NULL && PySet_Size(host->pending) > 0) {
        PyObject *request = PySet_Pop(host->pending);
        end((binding_request_t *)request);
        Py_DECREF(request);
    }
}

static PyObject *cancel(PyObject *object, PyObject *unused)
{
    (void)unused;
    end_and_forget((binding_request_t *)object);
    Py_RETURN_NONE;
}

static binding_request_t *new_request(binding_host_t *host, PyObject *callback, PyObject *write)
{
    PyTypeObject *type = (PyTypeObject *)host->state->request_type;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    binding_request_t *self = (binding_request_t *)allocate(type, 0);
    if (self == NULL) {
        return NULL;
    }
    Py_INCREF(host);
    self->host = host;
    Py_INCREF(callback);
    self->callback = callback;
    if (write != Py_None) {
        Py_INCREF(write);
        self->write = write;
    }
    self->file = -1;
    self->last = calloc(1, sizeof *self->last);
    if (self->last == NULL) {
        Py_DECREF(self);
        PyErr_NoMemory();
        return NULL;
    }
    self->task.write = write != Py_None ? pass_on : collect;
    self->task.done = done;
    return self;
}

/* The host is asked last whether it is open: what was called so far may have closed it. */
static PyObject *start(binding_request_t *self, const copal_ask_t *ask)
{
    PyObject *pending = self->host->pending;
    self->observes = ask->observe;
    if (!binding_host_is_open(self->host) || PySet_Add(pending, (PyObject *)self) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->id = copal_host_transfer(self->host->host, ask, &self->task);
    if (self->id < 0) {
        PySet_Discard(pending, (PyObject *)self);
        binding_raise(self->host->state, self->id);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* ---- arguments ---------------------------------------------------------------------------------------- */

/* Octets that a call borrows. */
typedef struct {
    const char *data;
    Py_ssize_t size;
} borrowed_t;

static copal_bytes_t octets_of(borrowed_t b)
{
    return (copal_bytes_t){(const uint8_t *)b.data, (size_t)b.size};
}

/* The body: bytes that stay ours, or (descriptor, start, size). */
static bool set_body(binding_request_t *self, copal_ask_t *ask, PyObject *payload, PyObject *file)
{
    ask->context = self;
    if (file != Py_None) {
        long long offset = 0, size = 0;
        if (!PyArg_ParseTuple(file, "iLL", &self->file, &offset, &size)) {
            return false;
        }
        self->start = (off_t)offset;
        ask->read = read_file;
        ask->size = (size_t)size;
        return true;
    }
    self->payload = binding_octets(payload);
    if (self->payload == NULL) {
        return false;
    }
    self->octets = binding_view(self->payload);
    ask->read = read_payload;
    ask->size = self->octets.size;
    return true;
}

static bool set_peer(const binding_state_t *state, copal_peer_t *peer, borrowed_t to)
{
    if (to.size < 1 || to.size > COPAL_PEER_SIZE) {
        binding_raise(state, COPAL_EINVAL);
        return false;
    }
    peer->size = (uint8_t)to.size;
    memcpy(peer->data, to.data, peer->size);
    return true;
}

static bool set_resumption(binding_request_t *self, Py_ssize_t at, borrowed_t etag)
{
    copal_transfer_t *transfer = &self->task.transfer;
    if (at < 0 || (size_t)etag.size > sizeof transfer->etag) {
        binding_raise(self->host->state, COPAL_EINVAL);
        return false;
    }
    transfer->resume_at = (size_t)at;
    transfer->etag_size = (uint8_t)etag.size;
    if (etag.size > 0) {
        memcpy(transfer->etag, etag.data, (size_t)etag.size);
    }
    return true;
}

PyObject *binding_host_request(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"callback", "to", "uri", "path", "method", "payload", "file", "content_format", "accept",
                            "etag", "if_match", "if_none_match", "token", "confirmable", "observe", "options", "ping",
                            "block_size", "no_response", "hop_limit", "timeout", "write", "resume_at", "resume_etag",
                            "credentials", NULL};
    binding_host_t *host = (binding_host_t *)object;
    PyObject *callback, *payload = NULL, *file = Py_None, *write = Py_None, *credentials = Py_None;
    borrowed_t to, path = {0}, etag = {0}, if_match = {0}, token = {0}, resume_etag = {0};
    const char *uri = NULL;
    unsigned char method = COPAL_GET, no_response = 0, hop_limit = 0;
    int content_format = -1, accept = -1, if_none_match = 0, confirmable = 1, observe = 0, options = 1, ping = 0;
    unsigned short block_size = 0;
    unsigned timeout = 0;
    Py_ssize_t resume_at = 0;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "Oy#|$zz#bOOiiz#z#pz#ppppHbbIOnz#O:request", names, &callback, &to.data, &to.size, &uri,
            &path.data, &path.size, &method, &payload, &file, &content_format, &accept, &etag.data, &etag.size,
            &if_match.data, &if_match.size, &if_none_match, &token.data, &token.size, &confirmable, &observe, &options,
            &ping, &block_size, &no_response, &hop_limit, &timeout, &write, &resume_at, &resume_etag.data,
            &resume_etag.size, &credentials)) {
        return NULL;
    }
    if (content_format > UINT16_MAX || accept > UINT16_MAX) {
        return binding_raise(host->state, COPAL_EINVAL);
    }
    copal_peer_t peer = {0};
    copal_ask_t ask = {
        .uri = uri,
        .to = &peer,
        .path = octets_of(path),
        .method = method,
        .non_confirmable = !confirmable,
        .ping = ping,
        .observe = observe,
        .no_options = !options,
        .has_content_format = content_format >= 0,
        .has_accept = accept >= 0,
        .if_none_match = if_none_match,
        .content_format = (uint16_t)content_format,
        .accept = (uint16_t)accept,
        .etag = octets_of(etag),
        .has_if_match = if_match.data != NULL,
        .if_match = octets_of(if_match),
        .given_token = token.data != NULL,
        .token = octets_of(token),
        .block_size = block_size,
        .no_response = no_response,
        .hop_limit = hop_limit,
        .timeout = timeout,
    };
    binding_request_t *self = set_peer(host->state, &peer, to) ? new_request(host, callback, write) : NULL;
    if (self == NULL) {
        return NULL;
    }
    if (credentials != Py_None && (ask.credentials = binding_credentials(host->state, credentials)) == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    if (((payload != NULL || file != Py_None) && !set_body(self, &ask, payload, file)) ||
        !set_resumption(self, resume_at, resume_etag)) {
        Py_DECREF(self);
        return NULL;
    }
    return start(self, &ask);
}

/* ---- the type ------------------------------------------------------------------------------------------- */

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    binding_request_t *self = (binding_request_t *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->host);
    Py_VISIT(self->callback);
    Py_VISIT(self->write);
    return 0;
}

static int clear(PyObject *object)
{
    binding_request_t *self = (binding_request_t *)object;
    Py_CLEAR(self->callback);
    Py_CLEAR(self->write);
    return 0;
}

static void dealloc(PyObject *object)
{
    binding_request_t *self = (binding_request_t *)object;
    PyObject_GC_UnTrack(object);
    end(self);
    clear(object);
    Py_XDECREF(self->payload);
    free(self->body.data);
    free(self->last);
    Py_DECREF(self->host);
    binding_free(object);
}

static PyObject *get_id(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((binding_request_t *)self)->id);
}

static PyObject *get_etag(PyObject *self, void *unused)
{
    (void)unused;
    const copal_transfer_t *transfer = &((binding_request_t *)self)->task.transfer;
    return binding_bytes((copal_bytes_t){transfer->etag, transfer->etag_size});
}

static PyGetSetDef getters[] = {
    {"id", get_id, NULL, "The message ID that it left with.", NULL},
    {"etag", get_etag, NULL, "The ETag of the body that is being received; empty: there is none.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"cancel", cancel, METH_NOARGS, "Ends it: nothing more is sent, and its callback is not called any more."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A request that is on its way, or an observation."},
    {Py_tp_new, binding_no_new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_getset, getters},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec binding_request_spec = {
    .name = "copal._copal.Request",
    .basicsize = sizeof(binding_request_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
