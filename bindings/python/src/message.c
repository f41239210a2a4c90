/* Message: one that came, with its options still encoded until somebody looks. */
#include "binding.h"

typedef struct {
    PyObject_HEAD
    PyObject *head, *payload; /* bytes */
    copal_peer_t peer;
} message_t;

PyObject *binding_message(const binding_state_t *state, const binding_event_t *event)
{
    PyObject *head = binding_bytes((copal_bytes_t){event->head, event->head_size});
    PyObject *payload = binding_bytes((copal_bytes_t){event->body.data, event->body.size});
    message_t *self = NULL;
    if (head != NULL && payload != NULL) {
        allocfunc allocate = (allocfunc)PyType_GetSlot((PyTypeObject *)state->message_type, Py_tp_alloc);
        self = (message_t *)allocate((PyTypeObject *)state->message_type, 0);
    }
    if (self == NULL) {
        Py_XDECREF(head);
        Py_XDECREF(payload);
        return NULL;
    }
    self->head = head;
    self->payload = payload;
    self->peer = event->peer;
    return (PyObject *)self;
}

static void dealloc(PyObject *object)
{
    message_t *self = (message_t *)object;
    Py_DECREF(self->head);
    Py_DECREF(self->payload);
    binding_free(object);
}

static copal_message_t view(PyObject *object)
{
    copal_message_t message;
    copal_message_parse(&message, binding_view(((message_t *)object)->head)); /* it was well-formed when it came */
    return message;
}

static PyObject *get_code(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(view(self).code);
}

static PyObject *get_type(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(view(self).type);
}

static PyObject *get_id(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(view(self).id);
}

static PyObject *get_token(PyObject *self, void *unused)
{
    (void)unused;
    return binding_bytes(view(self).token);
}

static PyObject *get_payload(PyObject *self, void *unused)
{
    (void)unused;
    PyObject *payload = ((message_t *)self)->payload;
    Py_INCREF(payload);
    return payload;
}

static PyObject *get_peer(PyObject *self, void *unused)
{
    (void)unused;
    return binding_address(&((message_t *)self)->peer);
}

static PyObject *get_options(PyObject *self, void *unused)
{
    (void)unused;
    PyObject *list = PyList_New(0);
    const copal_message_t message = view(self);
    copal_option_reader_t reader = copal_message_options(&message);
    copal_option_t option;
    while (list != NULL && copal_option_next(&reader, &option)) {
        PyObject *pair = Py_BuildValue("(Hy#)", option.number, (const char *)option.value.data,
                                       (Py_ssize_t)option.value.size);
        if (pair == NULL || PyList_Append(list, pair) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(pair);
    }
    PyObject *options = list != NULL ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    return options;
}

static PyGetSetDef getters[] = {
    {"code", get_code, NULL, "The code octet: 69 is 2.05.", NULL},
    {"type", get_type, NULL, "CON 0, NON 1, ACK 2, RST 3.", NULL},
    {"id", get_id, NULL, "The message ID.", NULL},
    {"token", get_token, NULL, "The token.", NULL},
    {"payload", get_payload, NULL, "The payload, of all blocks.", NULL},
    {"peer", get_peer, NULL, "Address and port that it came from.", NULL},
    {"options", get_options, NULL, "Number and value of each option, as they came.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A message that came."},
    {Py_tp_new, binding_no_new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_getset, getters},
    {0, NULL},
};

PyType_Spec binding_message_spec = {
    .name = "copal._copal.Message",
    .basicsize = sizeof(message_t),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
