/* Credentials: keys and certificates for DTLS. */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    copal_credentials_t *credentials;
    PyObject *keys; /* tuple of (identity, key), read without the GIL by whoever shakes hands: it does not change */
    copal_bytes_t *pairs;
    size_t count;
} credentials_t;

/* Called by the host, without the GIL. */
static int find_key(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE])
{
    const credentials_t *self = user;
    for (size_t i = 0; i < self->count; i++) {
        const copal_bytes_t *pair = &self->pairs[2 * i];
        if (pair[0].size == identity.size && memcmp(pair[0].data, identity.data, identity.size) == 0) {
            memcpy(key, pair[1].data, pair[1].size);
            return (int)pair[1].size;
        }
    }
    return COPAL_ENOTFOUND;
}

static bool read_keys(credentials_t *self, const binding_state_t *state, PyObject *keys)
{
    const Py_ssize_t count = PyTuple_Size(keys);
    self->pairs = calloc((size_t)(count > 0 ? 2 * count : 1), sizeof *self->pairs);
    if (count < 0 || self->pairs == NULL) {
        return count < 0 ? false : (PyErr_NoMemory(), false);
    }
    Py_INCREF(keys);
    self->keys = keys;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *identity, *key;
        if (!PyArg_ParseTuple(PyTuple_GetItem(keys, i), "SS", &identity, &key)) {
            return false;
        }
        if (PyBytes_Size(key) < 1 || PyBytes_Size(key) > (Py_ssize_t)COPAL_KEY_SIZE) {
            binding_raise(state, COPAL_EINVAL);
            return false;
        }
        self->pairs[2 * i] = binding_view(identity);
        self->pairs[2 * i + 1] = binding_view(key);
    }
    self->count = (size_t)count;
    return true;
}

PyObject *binding_credentials_open(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"server", "key", "identity", "hint", "keys", "certificate", "private_key", "authorities", NULL};
    const binding_state_t *state = PyModule_GetState(module);
    int server = 0;
    PyObject *key = NULL, *identity = NULL, *hint = NULL, *keys = NULL;
    copal_credentials_config_t config = {0};
    char problem[COPAL_PROBLEM_SIZE] = "";
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "p|$SSSO!zzz:open_credentials", names, &server, &key, &identity, &hint,
                                     &PyTuple_Type, &keys, &config.certificate, &config.private_key,
                                     &config.authorities)) {
        return NULL;
    }
    PyTypeObject *type = (PyTypeObject *)state->credentials_type;
    credentials_t *self = (credentials_t *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL || (keys != NULL && !read_keys(self, state, keys))) {
        Py_XDECREF(self);
        return NULL;
    }
    config.server = server;
    config.key = binding_view(key);
    config.identity = binding_view(identity);
    config.hint = binding_view(hint);
    config.find_key = keys != NULL ? find_key : NULL;
    config.user = self;
    const int status = copal_credentials_open(&self->credentials, &BINDING_DTLS, &config, problem, sizeof problem);
    if (status < 0) {
        binding_raise_text(state, status, problem); /* by errno, before anything else may set it */
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

copal_credentials_t *binding_credentials(const binding_state_t *state, PyObject *object)
{
    if (!PyObject_TypeCheck(object, (PyTypeObject *)state->credentials_type)) {
        PyErr_SetString(PyExc_TypeError, "credentials must be what open_credentials returned");
        return NULL;
    }
    return ((credentials_t *)object)->credentials;
}

/* A host that listens with them keeps the object, since find_key may be called until it is closed. */
static void dealloc(PyObject *object)
{
    credentials_t *self = (credentials_t *)object;
    copal_credentials_close(self->credentials);
    Py_XDECREF(self->keys);
    free(self->pairs);
    binding_free(object);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "Keys and certificates for DTLS."},
    {Py_tp_new, binding_no_new},
    {Py_tp_dealloc, dealloc},
    {0, NULL},
};

PyType_Spec binding_credentials_spec = {
    .name = "copal._copal.Credentials",
    .basicsize = sizeof(credentials_t),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
