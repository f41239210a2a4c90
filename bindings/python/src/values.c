/* Python values to octets and numbers and back, and errors to exceptions. */
#include "binding.h"

#include <errno.h>
#include <string.h>

PyObject *binding_raise_text(const binding_state_t *state, int status, const char *text)
{
    if (status == COPAL_ESYSTEM) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (status == COPAL_ENOMEM) {
        return PyErr_NoMemory();
    }
    PyObject *number = PyLong_FromLong(status);
    PyObject *class = number != NULL ? PyDict_GetItemWithError(state->errors, number) : NULL;
    Py_XDECREF(number);
    if (class != NULL) {
        PyErr_SetString(class, text != NULL && *text != 0 ? text : copal_error_text(status));
    } else if (PyErr_Occurred() == NULL) {
        PyErr_SetString(PyExc_SystemError, copal_error_text(status));
    }
    return NULL;
}

PyObject *binding_raise(const binding_state_t *state, int status)
{
    return binding_raise_text(state, status, NULL);
}

PyObject *binding_exception(const binding_state_t *state, int status, const char *text)
{
    binding_raise_text(state, status, text);
    return binding_caught();
}

PyObject *binding_caught(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

PyObject *binding_octets(PyObject *object)
{
    if (PyBytes_Check(object)) {
        Py_INCREF(object);
        return object;
    }
    if (PyUnicode_Check(object)) {
        return PyUnicode_AsUTF8String(object);
    }
    PyObject *view = PyMemoryView_FromObject(object); /* TypeError where it has no octets */
    PyObject *octets = view != NULL ? PyBytes_FromObject(view) : NULL;
    Py_XDECREF(view);
    return octets;
}

copal_bytes_t binding_view(PyObject *bytes)
{
    if (bytes == NULL) {
        return (copal_bytes_t){NULL, 0};
    }
    return (copal_bytes_t){(const uint8_t *)PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes)};
}

PyObject *binding_bytes(copal_bytes_t octets)
{
    return PyBytes_FromStringAndSize((const char *)octets.data, (Py_ssize_t)octets.size);
}

PyObject *binding_handle(copal_handle_t handle)
{
    return PyLong_FromUnsignedLongLong((unsigned long long)handle.generation << 32 | handle.slot);
}

copal_handle_t binding_handle_of(unsigned long long number)
{
    return (copal_handle_t){.slot = (uint32_t)number, .generation = (uint32_t)(number >> 32)};
}

PyObject *binding_address(const copal_peer_t *peer)
{
    char address[64] = "";
    uint16_t port = 0;
    copal_peer_to_text(peer, address, sizeof address, &port);
    return Py_BuildValue("(sH)", address, port);
}

PyObject *binding_no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)type, (void)args, (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "objects of this type are made by the module's functions only");
    return NULL;
}

void binding_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}
