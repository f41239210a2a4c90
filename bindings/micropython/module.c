/* The module network and, in it, Coap: opening, closing, handlers and constants. */
#include <errno.h>
#include <string.h>

#include "copal/patch.h"
#include "network_coap.h"
#include "py/objmodule.h"

coap_state_t coap_state;

MP_REGISTER_ROOT_POINTER(mp_obj_t coap_response_handler);
MP_REGISTER_ROOT_POINTER(mp_obj_t coap_error_handler);
MP_REGISTER_ROOT_POINTER(mp_obj_t coap_new_resource_handler);
MP_REGISTER_ROOT_POINTER(mp_obj_t coap_resources); /* dict: slot of the handle to the script's object */
MP_REGISTER_ROOT_POINTER(mp_obj_t coap_sessions);  /* list */
MP_REGISTER_ROOT_POINTER(mp_obj_t coap_keeper);

void coap_require_open(void)
{
    if (coap_state.host == NULL) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("Coap.init() comes first"));
    }
    coap_defer_interrupt();
}

void coap_close(void)
{
    if (coap_state.host != NULL) {
        coap_driver_stop(coap_state.host);
        coap_cancel(COAP_ALL_SESSIONS, -1);
        copal_host_step(coap_state.host, 0); /* servers hear what is observed no more; if not, they will find out */
        coap_credentials_clear();
        copal_host_close(coap_state.host);
        coap_state.host = NULL;
        coap_events_clear();
        coap_drain_forget();
        MP_STATE_VM(coap_response_handler) = MP_OBJ_NULL;
        MP_STATE_VM(coap_error_handler) = MP_OBJ_NULL;
        MP_STATE_VM(coap_new_resource_handler) = MP_OBJ_NULL;
        MP_STATE_VM(coap_resources) = MP_OBJ_NULL;
        MP_STATE_VM(coap_sessions) = MP_OBJ_NULL;
        MP_STATE_VM(coap_keeper) = MP_OBJ_NULL;
        coap_allow_interrupt();
    }
}

/* ---- the keeper: an object that lives from init() to deinit(), or to the soft reset, which finalises it  */

typedef struct {
    mp_obj_base_t base;
    uint32_t epoch;
} keeper_t;

static mp_obj_t keeper_del(mp_obj_t self)
{
    if (((keeper_t *)MP_OBJ_TO_PTR(self))->epoch == coap_state.epoch) {
        coap_close();
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(keeper_del_obj, keeper_del);

static const mp_rom_map_elem_t keeper_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&keeper_del_obj)},
};
static MP_DEFINE_CONST_DICT(keeper_locals, keeper_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(keeper_type, MP_QSTR_Coap, MP_TYPE_FLAG_NONE, locals_dict, &keeper_locals);

/* ---- init and deinit ---------------------------------------------------------------------------- */

/* Whether `address` is one of those that mean every address of the machine. */
static bool is_any(const char *address)
{
    copal_peer_t peer;
    char text[64] = "";
    if (copal_peer_from_text(&peer, address, COPAL_PORT, false) == 0) {
        copal_peer_to_text(&peer, text, sizeof text, NULL);
    }
    return strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0;
}

/* Milliseconds without progress: what is sent five times again, a second and more apart. Of a wrong key nothing else tells. */
#define HANDSHAKE_PATIENCE 30000

/* What init() is asked for. */
typedef struct {
    const char *address; /* NULL: a client only */
    uint16_t port;
    bool discovery, dynamic, post_creates;
    copal_credentials_t *credentials; /* with these the server speaks DTLS only */
} wanted_t;

static int listen_on(copal_host_t *host, const wanted_t *wanted)
{
    int error = wanted->credentials != NULL
                    ? copal_host_listen_secure(host, wanted->credentials, wanted->address, wanted->port, NULL)
                    : copal_host_listen(host, wanted->address, wanted->port, NULL);
    if (error == 0 && wanted->discovery) {
        error = copal_host_discoverable(host);
    }
    if (error == COPAL_ENOTFOUND) {
        errno = ENODEV; /* no interface that does multicast */
        error = COPAL_ESYSTEM;
    }
    return error;
}

/* Opens the host, listens and starts the driver, or leaves nothing behind. */
static int open_host(const wanted_t *wanted)
{
    const char *address = wanted->address;
    copal_host_config_t config = {
        .client = {.counters = 1}, /* the message ID alone pairs answer and request, whatever the session */
        .first_only = true,        /* the manual's way with repeated options */
        .dynamic = wanted->dynamic,
        .post_creates = wanted->post_creates,
        .created = coap_created,
        .patch = copal_json_patch,
        .dtls = &COAP_DTLS,
        .client_dtls.handshake_timeout = HANDSHAKE_PATIENCE,
        .client_address = address != NULL && !is_any(address) ? address : NULL,
    };
    copal_host_t *host;
    int error = copal_host_open(&host, &config);
    if (error != 0) {
        return error;
    }
    if (address != NULL) {
        error = listen_on(host, wanted);
    }
    if (error == 0) {
        error = coap_driver_start(host);
    }
    if (error != 0) {
        int reason = errno;
        copal_host_close(host);
        errno = reason;
        return error;
    }
    coap_state.host = host;
    coap_state.tree = copal_host_tree(host);
    return 0;
}

static mp_obj_t init(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    enum { ADDRESS, PORT, DISCOVERY, DYNAMIC, PSK, HINT, POST_CREATES };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_address, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_port, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_service_discovery, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = false}},
        {MP_QSTR_dynamic_resources, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = false}},
        {MP_QSTR_psk, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_hint, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_post_creates, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = false}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional, values, named, MP_ARRAY_SIZE(allowed), allowed, args);
    if (coap_state.host != NULL) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("Coap.init() was called already"));
    }
    const uint16_t usual = coap_given(args[PSK].u_obj) ? COPAL_SECURE_PORT : COPAL_PORT;
    wanted_t wanted = {
        .address = coap_given(args[ADDRESS].u_obj) ? coap_text(args[ADDRESS].u_obj) : NULL,
        .port = (uint16_t)coap_integer(args[PORT].u_obj, 0, UINT16_MAX, usual),
        .discovery = args[DISCOVERY].u_bool,
        .dynamic = args[DYNAMIC].u_bool,
        .post_creates = args[POST_CREATES].u_bool,
    };
    keeper_t *keeper = mp_obj_malloc_with_finaliser(keeper_t, &keeper_type);
    keeper->epoch = coap_state.epoch;
    mp_obj_t resources = mp_obj_new_dict(0), sessions = mp_obj_new_list(0, NULL);

    wanted.credentials = coap_credentials_open(true, args[PSK].u_obj, args[HINT].u_obj);
    coap_defer_interrupt();
    int error = open_host(&wanted);
    if (error != 0) {
        int reason = errno;
        coap_credentials_close(wanted.credentials);
        coap_allow_interrupt();
        errno = reason;
        if (error == COPAL_EINVAL) {
            mp_raise_ValueError(MP_ERROR_TEXT("address is not valid"));
        }
        coap_raise(error);
    }
    keeper->epoch = ++coap_state.epoch;
    MP_STATE_VM(coap_keeper) = MP_OBJ_FROM_PTR(keeper);
    MP_STATE_VM(coap_resources) = resources;
    MP_STATE_VM(coap_sessions) = sessions;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(init_obj, 0, init);

static mp_obj_t deinit(void)
{
    coap_require_open();
    coap_close();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(deinit_obj, deinit);

/* ---- handlers ----------------------------------------------------------------------------------- */

static mp_obj_t handler(mp_obj_t callback)
{
    coap_require_open();
    if (callback != mp_const_none && !mp_obj_is_callable(callback)) {
        mp_raise_TypeError(MP_ERROR_TEXT("callback is not callable"));
    }
    return callback;
}

static mp_obj_t register_response_handler(mp_obj_t callback)
{
    MP_STATE_VM(coap_response_handler) = handler(callback);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(register_response_handler_obj, register_response_handler);

static mp_obj_t register_error_handler(mp_obj_t callback)
{
    MP_STATE_VM(coap_error_handler) = handler(callback);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(register_error_handler_obj, register_error_handler);

static mp_obj_t register_new_resource_handler(mp_obj_t callback)
{
    MP_STATE_VM(coap_new_resource_handler) = handler(callback);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(register_new_resource_handler_obj, register_new_resource_handler);

/* ---- the modules -------------------------------------------------------------------------------- */

static const mp_rom_map_elem_t coap_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_Coap)},
    {MP_ROM_QSTR(MP_QSTR_init), MP_ROM_PTR(&init_obj)},
    {MP_ROM_QSTR(MP_QSTR_deinit), MP_ROM_PTR(&deinit_obj)},
    {MP_ROM_QSTR(MP_QSTR_add_resource), MP_ROM_PTR(&coap_add_resource_obj)},
    {MP_ROM_QSTR(MP_QSTR_remove_resource), MP_ROM_PTR(&coap_remove_resource_obj)},
    {MP_ROM_QSTR(MP_QSTR_get_resource), MP_ROM_PTR(&coap_get_resource_obj)},
    {MP_ROM_QSTR(MP_QSTR_register_response_handler), MP_ROM_PTR(&register_response_handler_obj)},
    {MP_ROM_QSTR(MP_QSTR_register_error_handler), MP_ROM_PTR(&register_error_handler_obj)},
    {MP_ROM_QSTR(MP_QSTR_register_new_resource_handler), MP_ROM_PTR(&register_new_resource_handler_obj)},
    {MP_ROM_QSTR(MP_QSTR_new_client_session), MP_ROM_PTR(&coap_new_client_session_obj)},
    {MP_ROM_QSTR(MP_QSTR_remove_client_session), MP_ROM_PTR(&coap_remove_client_session_obj)},
    {MP_ROM_QSTR(MP_QSTR_get_client_sessions), MP_ROM_PTR(&coap_get_client_sessions_obj)},

    {MP_ROM_QSTR(MP_QSTR_REQUEST_GET), MP_ROM_INT(1)},
    {MP_ROM_QSTR(MP_QSTR_REQUEST_POST), MP_ROM_INT(2)},
    {MP_ROM_QSTR(MP_QSTR_REQUEST_PUT), MP_ROM_INT(4)},
    {MP_ROM_QSTR(MP_QSTR_REQUEST_DELETE), MP_ROM_INT(8)},
    {MP_ROM_QSTR(MP_QSTR_REQUEST_FETCH), MP_ROM_INT(16)},
    {MP_ROM_QSTR(MP_QSTR_REQUEST_PATCH), MP_ROM_INT(32)},
    {MP_ROM_QSTR(MP_QSTR_REQUEST_IPATCH), MP_ROM_INT(64)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_TEXT_PLAIN), MP_ROM_INT(0)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_APP_LINK_FORMAT), MP_ROM_INT(40)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_APP_XML), MP_ROM_INT(41)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_APP_OCTET_STREAM), MP_ROM_INT(42)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_APP_RDF_XML), MP_ROM_INT(43)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_APP_EXI), MP_ROM_INT(47)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_APP_JSON), MP_ROM_INT(50)},
    {MP_ROM_QSTR(MP_QSTR_MEDIATYPE_APP_CBOR), MP_ROM_INT(60)},
    {MP_ROM_QSTR(MP_QSTR_PROTOCOL_UDP), MP_ROM_INT(COAP_PROTOCOL_UDP)},
    {MP_ROM_QSTR(MP_QSTR_PROTOCOL_DTLS), MP_ROM_INT(COAP_PROTOCOL_DTLS)},
};
static MP_DEFINE_CONST_DICT(coap_globals, coap_globals_table);

static const mp_obj_module_t coap_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&coap_globals,
};

#if MICROPY_PY_NETWORK

/* The port has a network of its own: Coap becomes one more name in it. */
void coap_network_attribute(mp_obj_t self, qstr name, mp_obj_t *destination)
{
    (void)self;
    if (name == MP_QSTR_Coap && destination[0] == MP_OBJ_NULL) {
        destination[0] = MP_OBJ_FROM_PTR(&coap_module);
    }
}

extern const mp_obj_module_t mp_module_network;
MP_REGISTER_MODULE_DELEGATION(mp_module_network, coap_network_attribute);

#else

static const mp_rom_map_elem_t network_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_network)},
    {MP_ROM_QSTR(MP_QSTR_Coap), MP_ROM_PTR(&coap_module)},
    {MP_ROM_QSTR(MP_QSTR_WLAN), MP_ROM_PTR(&coap_wlan_type)},
};
static MP_DEFINE_CONST_DICT(network_globals, network_globals_table);

const mp_obj_module_t coap_network_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&network_globals,
};
MP_REGISTER_EXTENSIBLE_MODULE(MP_QSTR_network, coap_network_module);

#endif
