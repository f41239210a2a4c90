/* CoapResource, and the functions of Coap that make, find and remove one. */
#include <string.h>

#include "network_coap.h"

typedef struct {
    mp_obj_base_t base;
    uint32_t epoch;
    copal_handle_t handle;
} resource_t;

/* The bits of Coap.REQUEST_*: all there are, those that no resource serves, and those that only JSON takes. */
#define METHODS_ALL 127u
#define FETCH       16u
#define PATCHES     96u
#define JSON        50
#define METHODS_OF(mask) ((uint32_t)(mask) << 1) /* the engine counts the bits by a method's code, which begins at 1 */

mp_obj_t coap_resource_object(copal_handle_t handle)
{
    mp_map_t *map = mp_obj_dict_get_map(MP_STATE_VM(coap_resources));
    mp_map_elem_t *entry =
        mp_map_lookup(map, MP_OBJ_NEW_SMALL_INT(handle.slot), MP_MAP_LOOKUP_ADD_IF_NOT_FOUND);
    if (entry->value != MP_OBJ_NULL) {
        resource_t *known = MP_OBJ_TO_PTR(entry->value);
        if (known->handle.generation == handle.generation) {
            return entry->value;
        }
    }
    resource_t *resource = mp_obj_malloc(resource_t, &coap_resource_type);
    resource->epoch = coap_state.epoch;
    resource->handle = handle;
    entry->value = MP_OBJ_FROM_PTR(resource);
    return entry->value;
}

static void check(int error)
{
    switch (error) {
    case 0:
        break;
    case COPAL_ESTALE:
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("resource was removed"));
    case COPAL_EEXIST:
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("there is a resource with that uri"));
    case COPAL_ESPACE:
        mp_raise_ValueError(MP_ERROR_TEXT("value is too large"));
    default:
        coap_raise(error);
    }
}

static void check_uri(int error)
{
    if (error == COPAL_EINVAL) {
        mp_raise_ValueError(MP_ERROR_TEXT("uri is no path"));
    }
    check(error);
}

static copal_handle_t handle_of(mp_obj_t self)
{
    resource_t *resource = MP_OBJ_TO_PTR(self);
    coap_require_open();
    if (resource->epoch != coap_state.epoch) {
        check(COPAL_ESTALE);
    }
    return resource->handle;
}

static void get_options(copal_handle_t handle, copal_value_options_t *options, uint16_t *etag)
{
    int error = copal_tree_get_options(coap_state.tree, handle, options, etag);
    check(error);
}

static void set_options(copal_handle_t handle, const copal_value_options_t *options)
{
    int error = copal_tree_set_options(coap_state.tree, handle, options);
    check(error);
}

/* ---- methods ------------------------------------------------------------------------------------ */

static mp_obj_t add_attribute(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    enum { NAME, VALUE };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_name, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_value, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional - 1, values + 1, named, MP_ARRAY_SIZE(allowed), allowed, args);
    copal_handle_t handle = handle_of(values[0]);
    copal_bytes_t name = coap_octets(args[NAME].u_obj), value = coap_octets(args[VALUE].u_obj);
    int error = copal_tree_add_attribute(coap_state.tree, handle, name, value);
    if (error == COPAL_EINVAL) {
        mp_raise_ValueError(MP_ERROR_TEXT("name of an attribute is not valid"));
    }
    check(error);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(add_attribute_obj, 1, add_attribute);

/* The path of a resource as a str. */
static mp_obj_t path_of(copal_handle_t handle)
{
    for (size_t capacity = 128;; capacity *= 2) {
        vstr_t text;
        vstr_init_len(&text, capacity);
        int length = copal_tree_path(coap_state.tree, handle, text.buf, capacity);
        if (length >= 0) {
            text.len = (size_t)length;
            return mp_obj_new_str_from_vstr(&text);
        }
        if (length != COPAL_ESPACE) {
            check(length);
        }
    }
}

static mp_obj_t get_details(mp_obj_t self)
{
    copal_handle_t handle = handle_of(self);
    copal_value_options_t options;
    uint16_t etag;
    get_options(handle, &options, &etag);
    mp_obj_t details[] = {
        path_of(handle),
        mp_obj_new_int(options.content_format),
        mp_obj_new_int_from_ll(options.max_age),
        mp_obj_new_bool(options.etag),
        MP_OBJ_NEW_SMALL_INT(etag),
    };
    return mp_obj_new_list(MP_ARRAY_SIZE(details), details);
}
static MP_DEFINE_CONST_FUN_OBJ_1(get_details_obj, get_details);

static int32_t media_type(mp_obj_t given, int32_t otherwise)
{
    return (int32_t)coap_integer(given, -1, UINT16_MAX, otherwise);
}

static int64_t max_age(mp_obj_t given, int64_t otherwise)
{
    return coap_integer(given, -1, UINT32_MAX, otherwise);
}

static mp_obj_t set_details(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    enum { MEDIATYPE, MAX_AGE, ETAG };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_mediatype, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_max_age, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_etag, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional - 1, values + 1, named, MP_ARRAY_SIZE(allowed), allowed, args);
    copal_handle_t handle = handle_of(values[0]);
    copal_value_options_t options;
    get_options(handle, &options, NULL);
    options.content_format = media_type(args[MEDIATYPE].u_obj, options.content_format);
    if (options.content_format != JSON) { /* as after a PUT of another format */
        options.methods &= ~METHODS_OF(PATCHES);
    }
    options.max_age = max_age(args[MAX_AGE].u_obj, options.max_age);
    if (coap_given(args[ETAG].u_obj)) {
        options.etag = mp_obj_is_true(args[ETAG].u_obj);
    }
    set_options(handle, &options);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(set_details_obj, 1, set_details);

/* The value of a resource as bytes. */
static mp_obj_t get_value(copal_handle_t handle)
{
    for (size_t capacity = 64;;) {
        vstr_t value;
        vstr_init_len(&value, capacity);
        size_t size = 0;
        int error = copal_tree_get_value(coap_state.tree, handle, value.buf, capacity, &size);
        if (error != COPAL_ESPACE) {
            check(error);
            value.len = size;
            return mp_obj_new_bytes_from_vstr(&value);
        }
        capacity = size;
    }
}

static mp_obj_t value(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    static const mp_arg_t allowed[] = {
        {MP_QSTR_value, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional - 1, values + 1, named, MP_ARRAY_SIZE(allowed), allowed, args);
    copal_handle_t handle = handle_of(values[0]);
    if (args[0].u_obj == MP_OBJ_NULL) {
        return get_value(handle);
    }
    uint8_t integer[4];
    copal_bytes_t octets = coap_value(args[0].u_obj, integer);
    int error = copal_tree_set_value(coap_state.tree, handle, octets);
    check(error);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(value_obj, 1, value);

static mp_obj_t callback(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    enum { OPERATION, ENABLE };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_operation, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_enable, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional - 1, values + 1, named, MP_ARRAY_SIZE(allowed), allowed, args);
    copal_handle_t handle = handle_of(values[0]);
    uint32_t mask = (uint32_t)coap_integer(args[OPERATION].u_obj, 0, METHODS_ALL, COAP_REQUIRED);
    uint32_t methods = METHODS_OF(mask);
    copal_value_options_t options;
    get_options(handle, &options, NULL);
    if (mask & FETCH) {
        mp_raise_ValueError(MP_ERROR_TEXT("a resource does not take FETCH"));
    }
    if (mask & PATCHES && options.content_format != JSON) {
        mp_raise_ValueError(MP_ERROR_TEXT("only a resource of media type 50 takes PATCH and iPATCH"));
    }
    options.methods = mp_obj_is_true(args[ENABLE].u_obj) ? options.methods | methods : options.methods & ~methods;
    set_options(handle, &options);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(callback_obj, 1, callback);

static const mp_rom_map_elem_t resource_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_add_attribute), MP_ROM_PTR(&add_attribute_obj)},
    {MP_ROM_QSTR(MP_QSTR_get_details), MP_ROM_PTR(&get_details_obj)},
    {MP_ROM_QSTR(MP_QSTR_set_details), MP_ROM_PTR(&set_details_obj)},
    {MP_ROM_QSTR(MP_QSTR_value), MP_ROM_PTR(&value_obj)},
    {MP_ROM_QSTR(MP_QSTR_callback), MP_ROM_PTR(&callback_obj)},
};
static MP_DEFINE_CONST_DICT(resource_locals, resource_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(coap_resource_type, MP_QSTR_CoapResource, MP_TYPE_FLAG_NONE, locals_dict, &resource_locals);

/* ---- functions of Coap -------------------------------------------------------------------------- */

static mp_obj_t add_resource(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    enum { URI, MEDIA_TYPE, MAX_AGE, VALUE, ETAG };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_uri, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_media_type, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_max_age, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_value, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_etag, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = false}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional, values, named, MP_ARRAY_SIZE(allowed), allowed, args);
    coap_require_open();
    const char *uri = coap_text(args[URI].u_obj);
    /* No method is allowed until callback() says so. */
    copal_value_options_t options = {
        .content_format = media_type(args[MEDIA_TYPE].u_obj, -1),
        .max_age = max_age(args[MAX_AGE].u_obj, -1),
        .etag = args[ETAG].u_bool,
    };
    uint8_t integer[4];
    mp_obj_t given = args[VALUE].u_obj;
    copal_bytes_t octets = coap_value(coap_given(given) ? given : MP_OBJ_NEW_SMALL_INT(0), integer);
    copal_handle_t handle;
    int error = copal_tree_add_value(coap_state.tree, uri, octets, &options, &handle);
    check_uri(error);
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) { /* no memory for the object */
        copal_tree_remove(coap_state.tree, handle);
        nlr_jump(nlr.ret_val);
    }
    mp_obj_t resource = coap_resource_object(handle);
    nlr_pop();
    return resource;
}
MP_DEFINE_CONST_FUN_OBJ_KW(coap_add_resource_obj, 0, add_resource);

/* The resource at `uri`; false where there is none. */
static bool find(mp_obj_t uri, copal_handle_t *handle)
{
    coap_require_open();
    const char *text = coap_text(uri);
    int error = copal_tree_find(coap_state.tree, text, handle);
    if (error != COPAL_ENOTFOUND) {
        check_uri(error);
    }
    return error == 0;
}

static mp_obj_t remove_resource(mp_obj_t uri)
{
    copal_handle_t handle;
    if (find(uri, &handle)) {
        copal_tree_remove(coap_state.tree, handle); /* stale: a peer's DELETE was quicker */
        mp_map_lookup(mp_obj_dict_get_map(MP_STATE_VM(coap_resources)), MP_OBJ_NEW_SMALL_INT(handle.slot),
                      MP_MAP_LOOKUP_REMOVE_IF_FOUND);
    }
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_1(coap_remove_resource_obj, remove_resource);

static mp_obj_t get_resource(mp_obj_t uri)
{
    copal_handle_t handle;
    return find(uri, &handle) ? coap_resource_object(handle) : mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_1(coap_get_resource_obj, get_resource);
