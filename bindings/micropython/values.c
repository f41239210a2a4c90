/* Python values to octets and numbers, and errors to exceptions. */
#include <errno.h>
#include <string.h>

#include "network_coap.h"
#include "py/mperrno.h"
#include "py/objint.h"

void coap_raise(int error)
{
    const char *text = copal_error_text(error);
    switch (error) {
    case COPAL_ESYSTEM:
        mp_raise_OSError(errno);
    case COPAL_EFULL:
        mp_raise_OSError(MP_ENOBUFS);
    case COPAL_ENOMEM:
        mp_raise_type(&mp_type_MemoryError);
    case COPAL_ESTALE:
    case COPAL_EEXIST:
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s"), text);
    default:
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s"), text);
    }
}

copal_bytes_t coap_octets(mp_obj_t object)
{
    mp_buffer_info_t buffer;
    if (!mp_get_buffer(object, &buffer, MP_BUFFER_READ)) {
        const char *type = mp_obj_get_type_str(object);
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s where str or bytes must be"), type);
    }
    return (copal_bytes_t){buffer.buf, buffer.len};
}

const char *coap_text(mp_obj_t object)
{
    size_t size;
    const char *text = mp_obj_str_get_data(object, &size);
    if (memchr(text, 0, size) != NULL) {
        mp_raise_ValueError(MP_ERROR_TEXT("NUL in a text"));
    }
    return text;
}

/* A bool is an integer, too, as everywhere in Python. */
static mp_obj_t integer_of(mp_obj_t object)
{
    return mp_obj_is_bool(object) ? MP_OBJ_NEW_SMALL_INT(mp_obj_is_true(object)) : object;
}

/* A Python integer of any size: whether it lies within the bounds, at most 32 bits wide, and then its value. */
static bool within(mp_obj_t object, int64_t least, int64_t most, int64_t *value)
{
    if (mp_obj_is_true(mp_binary_op(MP_BINARY_OP_LESS, object, mp_obj_new_int_from_ll(least))) ||
        mp_obj_is_true(mp_binary_op(MP_BINARY_OP_MORE, object, mp_obj_new_int_from_ll(most)))) {
        return false;
    }
    mp_int_t truncated = mp_obj_int_get_truncated(object);
    *value = mp_obj_int_sign(object) < 0 ? (int64_t)truncated : (int64_t)(mp_uint_t)truncated;
    return true;
}

copal_bytes_t coap_value(mp_obj_t object, uint8_t buffer[4])
{
    object = integer_of(object);
    if (!mp_obj_is_int(object)) {
        return coap_octets(object);
    }
    int64_t value = 0;
    if (!within(object, 0, UINT32_MAX, &value)) {
        mp_raise_ValueError(MP_ERROR_TEXT("value is negative or over 32 bits"));
    }
    for (int i = 0; i < 4; i++) {
        buffer[i] = (uint8_t)(value >> 8 * i);
    }
    return (copal_bytes_t){buffer, value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : 4};
}

int64_t coap_integer(mp_obj_t object, int64_t least, int64_t most, int64_t otherwise)
{
    if (!coap_given(object) && otherwise != COAP_REQUIRED) {
        return otherwise;
    }
    object = integer_of(object);
    if (!mp_obj_is_int(object)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s where int must be"), mp_obj_get_type_str(object));
    }
    int64_t value = 0;
    if (!within(object, least, most, &value)) {
        mp_raise_ValueError(MP_ERROR_TEXT("number out of range"));
    }
    return value;
}
