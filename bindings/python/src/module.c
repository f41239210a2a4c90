/* The module copal._copal: its functions, types and constants. */
#include "binding.h"

#include <string.h>

#define PEERS 16 /* of a name that are tried */

static PyObject *peer_of(const copal_peer_t *peer)
{
    return binding_bytes((copal_bytes_t){peer->data, peer->size});
}

static PyObject *list_of(const copal_peer_t *found, int count)
{
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && i < count; i++) {
        PyObject *peer = peer_of(&found[i]);
        if (peer == NULL || PyList_Append(list, peer) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(peer);
    }
    return list;
}

static PyObject *peers(PyObject *module, PyObject *args)
{
    const char *uri;
    copal_peer_t found[PEERS];
    int count;
    if (!PyArg_ParseTuple(args, "s:peers", &uri)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS /* names are looked up */
    count = copal_peers_from_uri(found, PEERS, uri);
    Py_END_ALLOW_THREADS
    return count < 0 ? binding_raise(PyModule_GetState(module), count) : list_of(found, count);
}

static PyObject *peers_of_group(PyObject *module, PyObject *args)
{
    const char *address;
    unsigned short port;
    copal_peer_t found[COPAL_INTERFACES];
    if (!PyArg_ParseTuple(args, "sH:peers_of_group", &address, &port)) {
        return NULL;
    }
    const int count = copal_peers_of_group(found, COPAL_INTERFACES, address, port);
    if (count == COPAL_EINVAL) {
        return binding_raise_text(PyModule_GetState(module), count, "no group, or no such interface");
    }
    return count < 0 ? binding_raise(PyModule_GetState(module), count) : list_of(found, count);
}

static PyObject *peer(PyObject *module, PyObject *args)
{
    const char *address;
    unsigned short port;
    copal_peer_t found;
    int status, resolve = 0;
    if (!PyArg_ParseTuple(args, "sH|p:peer", &address, &port, &resolve)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = copal_peer_from_text(&found, address, port, resolve);
    Py_END_ALLOW_THREADS
    return status < 0 ? binding_raise(PyModule_GetState(module), status) : peer_of(&found);
}

static PyObject *address(PyObject *module, PyObject *octets)
{
    copal_peer_t found = {0};
    if (!PyBytes_Check(octets) || PyBytes_Size(octets) > COPAL_PEER_SIZE) {
        return binding_raise(PyModule_GetState(module), COPAL_EINVAL);
    }
    found.size = (uint8_t)PyBytes_Size(octets);
    memcpy(found.data, PyBytes_AsString(octets), found.size);
    return binding_address(&found);
}

static PyObject *is_literal(PyObject *module, PyObject *args)
{
    const char *text;
    copal_uri_t uri;
    if (!PyArg_ParseTuple(args, "s:is_literal", &text)) {
        return NULL;
    }
    const int status = copal_uri_parse(&uri, text);
    return status < 0 ? binding_raise(PyModule_GetState(module), status) : PyBool_FromLong(uri.literal);
}

static PyObject *code_text(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned char code;
    return PyArg_ParseTuple(args, "b:code_text", &code) ? PyUnicode_FromString(copal_code_text(code)) : NULL;
}

static PyObject *content_format(PyObject *module, PyObject *args)
{
    (void)module;
    const char *name;
    if (!PyArg_ParseTuple(args, "s:content_format", &name)) {
        return NULL;
    }
    const int number = copal_content_format(name);
    if (number < 0) {
        return PyErr_Format(PyExc_ValueError, "no Content-Format is called '%s'", name);
    }
    return PyLong_FromLong(number);
}

static PyObject *content_format_text(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned short number;
    if (!PyArg_ParseTuple(args, "H:content_format_text", &number)) {
        return NULL;
    }
    const char *text = copal_content_format_text(number);
    if (text == NULL) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(text);
}

static PyObject *option_text(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned short number;
    return PyArg_ParseTuple(args, "H:option_text", &number) ? PyUnicode_FromString(copal_option_text(number)) : NULL;
}

static PyMethodDef functions[] = {
    {"open_host", (PyCFunction)(void (*)(void))binding_host_open, METH_VARARGS | METH_KEYWORDS, "Makes a host."},
    {"open_credentials", (PyCFunction)(void (*)(void))binding_credentials_open, METH_VARARGS | METH_KEYWORDS,
     "Reads keys and certificates."},
    {"interface", binding_interface, METH_NOARGS,
     "Address and mask of the first interface that is up and no loopback."},
    {"peers", peers, METH_VARARGS, "The addresses that a URI's host has; may block on the network."},
    {"peers_of_group", peers_of_group, METH_VARARGS, "What a group is, by each interface, or by that of its zone."},
    {"peer", peer, METH_VARARGS,
     "A peer from a literal address or, if told to, a name; may then block on the network."},
    {"address", address, METH_O, "Address and port of a peer."},
    {"is_literal", is_literal, METH_VARARGS, "Whether the host of a URI is an address and no name."},
    {"code_text", code_text, METH_VARARGS, "The registry's text of a code; empty: it has none."},
    {"content_format", content_format, METH_VARARGS, "The number of a Content-Format."},
    {"content_format_text", content_format_text, METH_VARARGS, "The media type of a Content-Format, or None."},
    {"option_text", option_text, METH_VARARGS, "The name of an option; empty where it is not known."},
    {NULL, NULL, 0, NULL},
};

/* ---- the state -------------------------------------------------------------------------------------------- */

/* The classes of copal.errors. */
static const struct {
    int status;
    const char *name;
} errors[] = {
    {COPAL_EFORMAT, "BadResponse"},
    {COPAL_EVERSION, "BadResponse"},
    {COPAL_ECRITICAL, "BadResponse"},
    {COPAL_EFULL, "Full"},
    {COPAL_ESPACE, "TooLarge"},
    {COPAL_ESTALE, "Gone"},
    {COPAL_ETIMEOUT, "Timeout"},
    {COPAL_ERESET, "Reset"},
    {COPAL_EUNREACHABLE, "Unreachable"},
    {COPAL_EINVAL, "InvalidArgument"},
    {COPAL_EEXIST, "Exists"},
    {COPAL_ENOTFOUND, "NotFound"},
    {COPAL_EURI, "BadUri"},
    {COPAL_EUNSUPPORTED, "Unsupported"},
    {COPAL_ERESOLVE, "UnknownHost"},
    {COPAL_EHANDSHAKE, "HandshakeFailed"},
    {COPAL_ECERTIFICATE, "BadCertificate"},
    {COPAL_ECLOSED, "Closed"},
};

static PyObject *read_errors(void)
{
    PyObject *classes = PyImport_ImportModule("copal.errors"), *found = classes != NULL ? PyDict_New() : NULL;
    for (size_t i = 0; found != NULL && i < sizeof errors / sizeof *errors; i++) {
        PyObject *number = PyLong_FromLong(errors[i].status);
        PyObject *class = number != NULL ? PyObject_GetAttrString(classes, errors[i].name) : NULL;
        if (class == NULL || PyDict_SetItem(found, number, class) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(number);
        Py_XDECREF(class);
    }
    Py_XDECREF(classes);
    return found;
}

static int add_type(PyObject *module, PyType_Spec *spec, PyObject **type)
{
    *type = PyType_FromSpec(spec);
    if (*type == NULL) {
        return -1;
    }
    Py_INCREF(*type);
    if (PyModule_AddObject(module, strrchr(spec->name, '.') + 1, *type) < 0) {
        Py_DECREF(*type);
        return -1;
    }
    return 0;
}

/* The functions come last: who calls one finds all that it needs, also in a module that was not loaded to its end. */
static int execute(PyObject *module)
{
    binding_state_t *state = PyModule_GetState(module);
    state->errors = read_errors();
    if (state->errors == NULL || add_type(module, &binding_host_spec, &state->host_type) < 0 ||
        add_type(module, &binding_request_spec, &state->request_type) < 0 ||
        add_type(module, &binding_call_spec, &state->call_type) < 0 ||
        add_type(module, &binding_message_spec, &state->message_type) < 0 ||
        add_type(module, &binding_credentials_spec, &state->credentials_type) < 0 ||
        PyModule_AddFunctions(module, functions) < 0) {
        if (PyErr_Occurred() == NULL) {
            PyErr_NoMemory(); /* not all of Python 3.11 says so */
        }
        return -1;
    }
    return 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    binding_state_t *state = PyModule_GetState(module);
    if (state != NULL) {
        Py_VISIT(state->errors);
        Py_VISIT(state->host_type);
        Py_VISIT(state->request_type);
        Py_VISIT(state->call_type);
        Py_VISIT(state->message_type);
        Py_VISIT(state->credentials_type);
    }
    return 0;
}

static int clear(PyObject *module)
{
    binding_state_t *state = PyModule_GetState(module);
    if (state != NULL) {
        Py_CLEAR(state->errors);
        Py_CLEAR(state->host_type);
        Py_CLEAR(state->request_type);
        Py_CLEAR(state->call_type);
        Py_CLEAR(state->message_type);
        Py_CLEAR(state->credentials_type);
    }
    return 0;
}

static void release(void *module)
{
    clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "copal._copal",
    .m_doc = "The host of copal, for what stands on it: copal.aio, copal.pycom, and the blocking calls.",
    .m_size = sizeof(binding_state_t),
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__copal(void);
PyMODINIT_FUNC PyInit__copal(void)
{
    return PyModuleDef_Init(&definition);
}
