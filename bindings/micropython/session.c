/* CoapClientSession, and the functions of Coap that make, list and remove one. */
#include <string.h>

#include "network_coap.h"

typedef struct {
    mp_obj_base_t base;
    uint32_t serial; /* names its requests, never twice in a process; 0: it was removed */
    uint32_t epoch;
    copal_peer_t peer;
    uint16_t port;
    mp_obj_t name; /* the address as the script gave it */
    copal_credentials_t *credentials; /* NULL: without DTLS */
} session_t;

static session_t *session_of(mp_obj_t self)
{
    session_t *session = MP_OBJ_TO_PTR(self);
    coap_require_open();
    if (session->serial == 0 || session->epoch != coap_state.epoch) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("session was removed"));
    }
    return session;
}

static int protocol_of(const session_t *session)
{
    return session->credentials != NULL ? COAP_PROTOCOL_DTLS : COAP_PROTOCOL_UDP;
}

static int resolve(copal_peer_t *peer, const char *address, uint16_t port)
{
    int error = copal_peer_from_text(peer, address, port, true);
    return error;
}

/* ---- send_request ------------------------------------------------------------------------------- */

enum {
    METHOD, URI_PATH, CONTENT_FORMAT, PAYLOAD, TOKEN, INCLUDE_OPTIONS,
    CONFIRMABLE, OBSERVE, ACCEPT, ETAG, IF_MATCH, IF_NONE_MATCH, TIMEOUT
};

static const mp_arg_t request_arguments[] = {
    {MP_QSTR_method, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_uri_path, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_content_format, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_payload, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_token, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_include_options, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_confirmable, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_observe, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = false}},
    {MP_QSTR_accept, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_etag, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_if_match, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    {MP_QSTR_if_none_match, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = false}},
    {MP_QSTR_timeout, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
};

/* One of Coap.REQUEST_* as a code: the bits count up as the codes do. */
static copal_code_t method_of(mp_obj_t object)
{
    int64_t bit = coap_integer(object, 1, 64, COAP_REQUIRED);
    copal_code_t code = COPAL_GET;
    while (bit > 1 && bit % 2 == 0) {
        bit /= 2;
        code++;
    }
    if (bit != 1) {
        mp_raise_ValueError(MP_ERROR_TEXT("method is not one of Coap.REQUEST_*"));
    }
    return code;
}

static copal_bytes_t octets_if_given(mp_obj_t object)
{
    return coap_given(object) ? coap_octets(object) : (copal_bytes_t){NULL, 0};
}

/* The octets of an option or token, if given, of a length within its definition. */
static copal_bytes_t short_octets(mp_obj_t object, size_t least)
{
    copal_bytes_t octets = octets_if_given(object);
    if (coap_given(object) && (octets.size < least || octets.size > 8)) {
        mp_raise_ValueError(MP_ERROR_TEXT("token, etag or if_match is too long or too short"));
    }
    return octets;
}

/* Seconds as milliseconds; 0 where it was not given. */
static uint32_t milliseconds(mp_obj_t seconds)
{
    if (!coap_given(seconds)) {
        return 0;
    }
    mp_float_t value = mp_obj_get_float(seconds) * 1000;
    if (!(value >= 1 && value < (mp_float_t)UINT32_MAX)) {
        mp_raise_ValueError(MP_ERROR_TEXT("timeout is out of range"));
    }
    return (uint32_t)value;
}

/* The arguments as the host takes them; borrowed from the script's objects. */
static void ask_of(const session_t *session, const mp_arg_val_t *args, copal_ask_t *ask)
{
    int32_t content_format = (int32_t)coap_integer(args[CONTENT_FORMAT].u_obj, -1, UINT16_MAX, -1);
    int32_t accept = (int32_t)coap_integer(args[ACCEPT].u_obj, -1, UINT16_MAX, -1);
    mp_obj_t confirmable = args[CONFIRMABLE].u_obj, options = args[INCLUDE_OPTIONS].u_obj;
    *ask = (copal_ask_t){
        .to = &session->peer,
        .credentials = session->credentials,
        .path = octets_if_given(args[URI_PATH].u_obj),
        .method = method_of(args[METHOD].u_obj),
        .non_confirmable = coap_given(confirmable) && !mp_obj_is_true(confirmable),
        .no_options = coap_given(options) && !mp_obj_is_true(options),
        .has_content_format = content_format >= 0,
        .content_format = (uint16_t)content_format,
        .has_accept = accept >= 0,
        .accept = (uint16_t)accept,
        .if_none_match = args[IF_NONE_MATCH].u_bool,
        .etag = short_octets(args[ETAG].u_obj, 1),
        .has_if_match = coap_given(args[IF_MATCH].u_obj),
        .if_match = short_octets(args[IF_MATCH].u_obj, 0),
        .given_token = true, /* none is given: the request has none, as the manual says */
        .token = short_octets(args[TOKEN].u_obj, 0),
        .payload = octets_if_given(args[PAYLOAD].u_obj),
        .timeout = milliseconds(args[TIMEOUT].u_obj),
    };
    if (copal_peer_is_group(&session->peer) || args[OBSERVE].u_bool) {
        ask->given_token = ask->token.size > 0; /* else one is drawn: by it alone answers are known */
    }
    if (args[OBSERVE].u_bool) {
        if ((ask->method != COPAL_GET && ask->method != COPAL_FETCH) || ask->no_options) {
            mp_raise_ValueError(MP_ERROR_TEXT("only GET and FETCH observe, and not without options"));
        }
        ask->observe = true;
    }
}

static mp_obj_t send_request(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    mp_arg_val_t args[MP_ARRAY_SIZE(request_arguments)];
    mp_arg_parse_all(positional - 1, values + 1, named, MP_ARRAY_SIZE(request_arguments), request_arguments, args);
    session_t *session = session_of(values[0]);
    copal_ask_t ask;
    ask_of(session, args, &ask);
    int id = coap_request(session->serial, &ask);
    switch (id) {
    case COPAL_EEXIST:
        mp_raise_ValueError(MP_ERROR_TEXT("an open request has that token"));
    case COPAL_EINVAL:
        mp_raise_ValueError(MP_ERROR_TEXT("uri_path is no path, or a group cannot be asked this"));
    case COPAL_ESPACE:
        mp_raise_ValueError(MP_ERROR_TEXT("request does not fit a datagram; without options, or to observe, it does not go in blocks"));
    default:
        if (id < 0) {
            coap_raise(id);
        }
        return MP_OBJ_NEW_SMALL_INT(id);
    }
}
static MP_DEFINE_CONST_FUN_OBJ_KW(send_request_obj, 1, send_request);

/* ---- the other methods -------------------------------------------------------------------------- */

static mp_obj_t cancel(mp_obj_t self, mp_obj_t id)
{
    session_t *session = session_of(self);
    coap_cancel(session->serial, (int)coap_integer(id, 0, UINT16_MAX, COAP_REQUIRED));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(cancel_obj, cancel);

static mp_obj_t get_details(mp_obj_t self)
{
    session_t *session = session_of(self);
    char address[64];
    copal_peer_to_text(&session->peer, address, sizeof address, NULL);
    mp_obj_t details[] = {
        mp_obj_new_str(address, strlen(address)),
        MP_OBJ_NEW_SMALL_INT(session->port),
        MP_OBJ_NEW_SMALL_INT(protocol_of(session)),
    };
    return mp_obj_new_list(MP_ARRAY_SIZE(details), details);
}
static MP_DEFINE_CONST_FUN_OBJ_1(get_details_obj, get_details);

static const mp_rom_map_elem_t session_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_send_request), MP_ROM_PTR(&send_request_obj)},
    {MP_ROM_QSTR(MP_QSTR_cancel), MP_ROM_PTR(&cancel_obj)},
    {MP_ROM_QSTR(MP_QSTR_get_details), MP_ROM_PTR(&get_details_obj)},
};
static MP_DEFINE_CONST_DICT(session_locals, session_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(coap_session_type, MP_QSTR_CoapClientSession, MP_TYPE_FLAG_NONE, locals_dict, &session_locals);

/* ---- functions of Coap -------------------------------------------------------------------------- */

static mp_obj_t new_client_session(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    enum { ADDRESS, PORT, PSK, IDENTITY };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_address, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_port, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_psk, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_identity, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional, values, named, MP_ARRAY_SIZE(allowed), allowed, args);
    coap_require_open();
    const char *address = coap_text(args[ADDRESS].u_obj);
    bool secure = coap_given(args[PSK].u_obj);
    uint16_t port = (uint16_t)coap_integer(args[PORT].u_obj, 1, UINT16_MAX, secure ? COPAL_SECURE_PORT : COPAL_PORT);
    if (port == (secure ? COPAL_PORT : COPAL_SECURE_PORT)) {
        mp_raise_ValueError(MP_ERROR_TEXT("port 5683 goes without psk, 5684 with it"));
    }
    static uint32_t serial;
    session_t *session = mp_obj_malloc(session_t, &coap_session_type);
    session->epoch = coap_state.epoch;
    session->port = port;
    session->name = args[ADDRESS].u_obj;
    session->credentials = coap_credentials_open(false, args[PSK].u_obj, args[IDENTITY].u_obj);
    int error = resolve(&session->peer, address, port);
    if (error != 0) {
        coap_credentials_close(session->credentials);
        coap_raise(error);
    }
    session->serial = ++serial;
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) { /* no memory for the list */
        coap_credentials_close(session->credentials);
        nlr_jump(nlr.ret_val);
    }
    mp_obj_list_append(MP_STATE_VM(coap_sessions), MP_OBJ_FROM_PTR(session));
    nlr_pop();
    return MP_OBJ_FROM_PTR(session);
}
MP_DEFINE_CONST_FUN_OBJ_KW(coap_new_client_session_obj, 0, new_client_session);

/* The first session that was made for this destination, by the same name or for the same peer, or NULL. */
static session_t *find(mp_obj_t destination, uint16_t port, int64_t protocol)
{
    copal_peer_t peer;
    bool known = resolve(&peer, coap_text(destination), port) == 0;
    size_t count;
    mp_obj_t *sessions;
    mp_obj_list_get(MP_STATE_VM(coap_sessions), &count, &sessions);
    for (size_t i = 0; i < count; i++) {
        session_t *session = MP_OBJ_TO_PTR(sessions[i]);
        bool same = known && session->peer.size == peer.size && memcmp(session->peer.data, peer.data, peer.size) == 0;
        if (session->port == port && protocol_of(session) == protocol && (same || mp_obj_equal(session->name, destination))) {
            return session;
        }
    }
    return NULL;
}

static mp_obj_t remove_client_session(size_t positional, const mp_obj_t *values, mp_map_t *named)
{
    enum { DESTINATION, PORT, PROTOCOL };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_destination, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_port, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_protocol, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(positional, values, named, MP_ARRAY_SIZE(allowed), allowed, args);
    coap_require_open();
    int64_t protocol = coap_integer(args[PROTOCOL].u_obj, COAP_PROTOCOL_UDP, COAP_PROTOCOL_DTLS, COAP_PROTOCOL_UDP);
    const uint16_t usual = protocol == COAP_PROTOCOL_UDP ? COPAL_PORT : COPAL_SECURE_PORT;
    uint16_t port = (uint16_t)coap_integer(args[PORT].u_obj, 1, UINT16_MAX, usual);
    session_t *session = find(args[DESTINATION].u_obj, port, protocol);
    if (session == NULL) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("no such session"));
    }
    coap_cancel(session->serial, -1);
    session->serial = 0;
    if (session->credentials != NULL) {
        copal_host_step(coap_state.host, 0); /* what is observed no more is told before the session ends */
        coap_credentials_close(session->credentials);
        session->credentials = NULL;
    }
    mp_obj_list_remove(MP_STATE_VM(coap_sessions), MP_OBJ_FROM_PTR(session));
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_KW(coap_remove_client_session_obj, 0, remove_client_session);

static mp_obj_t get_client_sessions(void)
{
    coap_require_open();
    size_t count;
    mp_obj_t *sessions;
    mp_obj_list_get(MP_STATE_VM(coap_sessions), &count, &sessions);
    return mp_obj_new_list(count, sessions);
}
MP_DEFINE_CONST_FUN_OBJ_0(coap_get_client_sessions_obj, get_client_sessions);
