/* Methods of Host on the resources of its tree, which are named by handles. */
#include "binding.h"

#include <stdlib.h>

void binding_created(void *user, copal_tree_t *tree, copal_handle_t resource)
{
    (void)tree;
    binding_host_t *self = user;
    binding_event_t *event = binding_event(EVENT_CREATED, NULL);
    if (event == NULL) {
        return; /* the resource is there all the same, and can be found */
    }
    event->handle = resource;
    binding_queue_drop_slot(&self->queue, resource.slot);
    binding_queue_put(&self->queue, event);
}

static PyObject *nothing_or(const binding_host_t *self, int status)
{
    if (status < 0) {
        return binding_raise(self->state, status);
    }
    Py_RETURN_NONE;
}

/* The host and a handle from the one argument of a method; false with an exception. */
static bool resource_of(PyObject *object, PyObject *number, copal_handle_t *handle)
{
    *handle = binding_handle_of(PyLong_AsUnsignedLongLong(number));
    return PyErr_Occurred() == NULL && binding_host_is_open((binding_host_t *)object);
}

#define OPTIONS_FORMAT "$iLpIp"

PyObject *binding_host_add_value(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", "value", "content_format", "max_age", "etag", "methods", "confirm", NULL};
    binding_host_t *self = (binding_host_t *)object;
    const char *path;
    PyObject *value;
    int content_format = -1, etag = 0, confirm = 0;
    long long max_age = -1;
    unsigned methods = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sS|" OPTIONS_FORMAT ":add_value", names, &path, &value,
                                     &content_format, &max_age, &etag, &methods, &confirm) ||
        !binding_host_is_open(self)) {
        return NULL;
    }
    const copal_value_options_t options = {content_format, max_age, etag, methods, confirm};
    copal_handle_t handle;
    const int status = copal_tree_add_value(self->tree, path, binding_view(value), &options, &handle);
    return status < 0 ? binding_raise(self->state, status) : binding_handle(handle);
}

PyObject *binding_host_set_options(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"resource", "content_format", "max_age", "etag", "methods", "confirm", NULL};
    binding_host_t *self = (binding_host_t *)object;
    unsigned long long number;
    int content_format = -1, etag = 0, confirm = 0;
    long long max_age = -1;
    unsigned methods = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|" OPTIONS_FORMAT ":set_options", names, &number, &content_format,
                                     &max_age, &etag, &methods, &confirm) ||
        !binding_host_is_open(self)) {
        return NULL;
    }
    const copal_value_options_t options = {content_format, max_age, etag, methods, confirm};
    return nothing_or(self, copal_tree_set_options(self->tree, binding_handle_of(number), &options));
}

PyObject *binding_host_get_options(PyObject *object, PyObject *number)
{
    binding_host_t *self = (binding_host_t *)object;
    copal_handle_t handle;
    copal_value_options_t options;
    uint16_t etag;
    if (!resource_of(object, number, &handle)) {
        return NULL;
    }
    const int status = copal_tree_get_options(self->tree, handle, &options, &etag);
    if (status < 0) {
        return binding_raise(self->state, status);
    }
    return Py_BuildValue("(iLNINH)", (int)options.content_format, (long long)options.max_age,
                         PyBool_FromLong(options.etag), (unsigned)options.methods, PyBool_FromLong(options.confirm), etag);
}

PyObject *binding_host_find(PyObject *object, PyObject *args)
{
    binding_host_t *self = (binding_host_t *)object;
    const char *path;
    copal_handle_t handle;
    if (!PyArg_ParseTuple(args, "s:find", &path) || !binding_host_is_open(self)) {
        return NULL;
    }
    const int status = copal_tree_find(self->tree, path, &handle);
    if (status == COPAL_ENOTFOUND) {
        Py_RETURN_NONE;
    }
    return status < 0 ? binding_raise(self->state, status) : binding_handle(handle);
}

PyObject *binding_host_remove(PyObject *object, PyObject *number)
{
    binding_host_t *self = (binding_host_t *)object;
    copal_handle_t handle;
    if (!resource_of(object, number, &handle)) {
        return NULL;
    }
    const int status = copal_tree_remove(self->tree, handle);
    binding_handler_forget(self, handle);
    return nothing_or(self, status);
}

PyObject *binding_host_changed(PyObject *object, PyObject *number)
{
    binding_host_t *self = (binding_host_t *)object;
    copal_handle_t handle;
    return resource_of(object, number, &handle) ? nothing_or(self, copal_tree_changed(self->tree, handle)) : NULL;
}

PyObject *binding_host_path(PyObject *object, PyObject *number)
{
    binding_host_t *self = (binding_host_t *)object;
    copal_handle_t handle;
    char path[4096]; /* the longest there may be has 1,152 octets as options, each of which may be three as text */
    if (!resource_of(object, number, &handle)) {
        return NULL;
    }
    const int length = copal_tree_path(self->tree, handle, path, sizeof path);
    return length < 0 ? binding_raise(self->state, length) : PyUnicode_FromStringAndSize(path, length);
}

PyObject *binding_host_get_value(PyObject *object, PyObject *number)
{
    binding_host_t *self = (binding_host_t *)object;
    copal_handle_t handle;
    if (!resource_of(object, number, &handle)) {
        return NULL;
    }
    uint8_t small[256], *buffer = small;
    size_t capacity = sizeof small, size = 0;
    int status;
    while ((status = copal_tree_get_value(self->tree, handle, buffer, capacity, &size)) == COPAL_ESPACE) {
        capacity = size; /* a peer may set a longer one meanwhile */
        uint8_t *grown = realloc(buffer != small ? buffer : NULL, capacity);
        if (grown == NULL) {
            status = COPAL_ENOMEM;
            break;
        }
        buffer = grown;
    }
    PyObject *value = status < 0 ? binding_raise(self->state, status) : binding_bytes((copal_bytes_t){buffer, size});
    if (buffer != small) {
        free(buffer);
    }
    return value;
}

PyObject *binding_host_set_value(PyObject *object, PyObject *args)
{
    binding_host_t *self = (binding_host_t *)object;
    unsigned long long number;
    PyObject *value;
    if (!PyArg_ParseTuple(args, "KS:set_value", &number, &value) || !binding_host_is_open(self)) {
        return NULL;
    }
    return nothing_or(self, copal_tree_set_value(self->tree, binding_handle_of(number), binding_view(value)));
}

PyObject *binding_host_add_attribute(PyObject *object, PyObject *args)
{
    binding_host_t *self = (binding_host_t *)object;
    unsigned long long number;
    PyObject *name, *value;
    if (!PyArg_ParseTuple(args, "KSS:add_attribute", &number, &name, &value) || !binding_host_is_open(self)) {
        return NULL;
    }
    return nothing_or(self, copal_tree_add_attribute(self->tree, binding_handle_of(number), binding_view(name),
                                                     binding_view(value)));
}
