/* Requests as faces make them. */
#define _GNU_SOURCE 1
#include "../dtls/backend.h"
#include "../message/characters.h"
#include "group.h"
#include "host.h"

#include <errno.h>
#include <string.h>

/* ---- whom -------------------------------------------------------------------------------------------- */

/* The host of a URI as text to be looked up. In an IPv6 literal, "%25" stands before the zone (RFC 6874), and a bare
 * "%" is taken as well; in a name, any octet may be percent-encoded (RFC 3986 section 3.2.2). */
static int host_text(const copal_uri_t *uri, char *text, size_t capacity)
{
    copal_bytes_t rest = uri->host;
    size_t size = 0;
    while (rest.size > 0) {
        int c = *rest.data;
        if (!uri->literal || (rest.size > 3 && memcmp(rest.data, "%25", 3) == 0))
            c = copal__percent_next(&rest);
        else
            copal__drop(&rest, 1);
        if (c <= 0 || size + 1 >= capacity)
            return COPAL_ERESOLVE;
        text[size++] = (char)c;
    }
    text[size] = 0;
    return 0;
}

int copal__ask_peers(const copal_ask_t *ask, copal_peer_t peers[COPAL__PEERS])
{
    if (ask->to) {
        peers[0] = *ask->to;
        return copal__peer_family(peers) ? 1 : COPAL_EINVAL;
    }
    return ask->uri ? copal_peers_from_uri(peers, COPAL__PEERS, ask->uri) : COPAL_EINVAL;
}

int copal_peers_from_uri(copal_peer_t *peers, int most, const char *whole)
{
    copal_uri_t uri;
    char text[256];
    int status = copal_uri_parse(&uri, whole);
    if (status < 0)
        return status;
    status = host_text(&uri, text, sizeof text);
    return status < 0 ? status : copal__resolve(peers, most, text, uri.port);
}

/* What a socket is for. "the sender MUST avoid using a Message ID that is also still active from this endpoint with any unicast
 * endpoint" (RFC 7252 section 8.1): what asks groups is another endpoint. */
typedef enum { PLAIN, GROUPS, SECURE } purpose_t;

/* The address that it is bound to decides the interface; of IPv4 the system sees to that. */
static int prepare(copal__socket_t *socket, const copal_peer_t *local, purpose_t purpose)
{
    uint32_t interface = 0;
    socket->secure = purpose == SECURE;
    socket->group = purpose == GROUPS;
    if (purpose != GROUPS || socket->family != AF_INET6)
        return 0;
    if (copal__interface_of(local, &interface) != 0)
        return -1;
    return interface == 0 ? 0 : setsockopt(socket->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
}

static int open_socket(copal_host_t *host, int family, purpose_t purpose)
{
    copal_peer_t local = host->client_address;
    if (local.size > 0 && copal__peer_family(&local) != family && !copal__peer_is_any(&local)) {
        errno = EAFNOSUPPORT;
        return COPAL_ESYSTEM;
    }
    if (copal__peer_family(&local) != family)
        local = (copal_peer_t){.size = family == AF_INET ? COPAL__PEER_IPV4 : COPAL__PEER_IPV6};
    const int socket = copal__side_open(&host->client, &local);
    if (socket < 0 || prepare(&host->client.sockets[socket], &local, purpose) == 0)
        return socket;
    copal__side_cut(&host->client, (uint8_t)socket);
    return COPAL_ESYSTEM;
}

static bool fits(const copal__socket_t *socket, int family, purpose_t purpose)
{
    return socket->family == family && socket->secure == (purpose == SECURE) && socket->group == (purpose == GROUPS);
}

/* The number of the client's next socket of a kind behind `after`, round about; -1: there is none. */
static int next_socket(const copal_host_t *host, int family, purpose_t purpose, int after)
{
    const copal__side_t *side = &host->client;
    for (int i = 1; i <= side->count; i++) {
        const int at = (after + i) % side->count;
        if (fits(&side->sockets[at], family, purpose))
            return at;
    }
    return -1;
}

/* The number of the client's socket that reaches `to`; it is opened when it is first needed. A plain one is that to which
 * somebody moved last, for there are message IDs; a session is looked for from the first on. */
static int client_socket(copal_host_t *host, const copal_peer_t *to, bool secure)
{
    const purpose_t purpose = secure ? SECURE : copal_peer_is_group(to) ? GROUPS : PLAIN;
    const int family = copal__peer_family(to);
    const int socket = next_socket(host, family, purpose, purpose == PLAIN ? (int)host->latest - 1 : -1);
    return socket < 0 ? open_socket(host, family, purpose) : socket;
}

/* The one after `after`; on the first `tries` those that are there, then a new one. */
static int another_socket(copal_host_t *host, int family, purpose_t purpose, int after, unsigned tries)
{
    unsigned there = 0;
    for (int i = 0; i < host->client.count; i++)
        there += fits(&host->client.sockets[i], family, purpose);
    return tries < there ? next_socket(host, family, purpose, after) : open_socket(host, family, purpose);
}

/* Makes of the address `to` the session that there is with it by this socket, or where that has one of other credentials, by
 * the next. Returns the socket. A certificate is for the host of the URI, whatever address that is asked at; a zone is of this
 * machine only. */
static int connect_session(copal_host_t *host, const copal_ask_t *ask, int socket, copal_peer_t *to)
{
    copal_uri_t uri;
    char name[256];
    const copal_peer_t address = *to;
    int status = ask->uri ? copal_uri_parse(&uri, ask->uri) : 0;
    if (status == 0 && ask->uri)
        status = host_text(&uri, name, sizeof name);
    if (status < 0)
        return status;
    if (ask->uri && uri.literal)
        name[strcspn(name, "%")] = 0;
    const int family = copal__peer_family(to);
    for (unsigned tried = 0; socket >= 0; socket = another_socket(host, family, SECURE, socket, ++tried)) {
        status = copal_dtls_connect(host->client.dtls, copal__host_now(host), ask->credentials, &address,
                                    (uint32_t)socket, ask->uri ? name : NULL, to);
        if (status != COPAL_EEXIST)
            return status < 0 ? status : socket;
    }
    return socket;
}

int copal__client_move(copal_host_t *host, const copal_ask_t *ask, copal_peer_t *to, uint32_t via, unsigned tries)
{
    const bool secure = ask->credentials != NULL;
    const int socket = another_socket(host, copal__peer_family(to), secure ? SECURE : PLAIN, (int)via, tries);
    if (!secure && socket >= 0)
        host->latest = (uint32_t)socket;
    if (!secure || socket < 0)
        return socket;
    to->size = copal__peer_address_size(to);
    return connect_session(host, ask, socket, to);
}

/* ---- what -------------------------------------------------------------------------------------------- */

void copal__ask_options(copal_writer_t *w, const copal_ask_t *ask, const copal_uri_t *uri, copal_part_t part)
{
    if (ask->has_if_match && part != COPAL_PART_FETCHING)
        copal_write_option(w, COPAL_OPTION_IF_MATCH, ask->if_match);
    if (ask->etag.size > 0 && part != COPAL_PART_FETCHING)
        copal_write_option(w, COPAL_OPTION_ETAG, ask->etag);
    if (ask->if_none_match && part == COPAL_PART_FIRST)
        copal_write_option(w, COPAL_OPTION_IF_NONE_MATCH, (copal_bytes_t){NULL, 0});
    if (uri)
        copal_write_uri(w, uri);
    else
        copal_write_path_and_query(w, ask->path);
    if (ask->has_content_format)
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, ask->content_format);
    if (ask->has_accept)
        copal_write_option_uint(w, COPAL_OPTION_ACCEPT, ask->accept);
    if (ask->hop_limit)
        copal_write_option_uint(w, COPAL_OPTION_HOP_LIMIT, ask->hop_limit);
    if (ask->no_response)
        copal_write_option_uint(w, COPAL_OPTION_NO_RESPONSE, ask->no_response);
}

static copal_code_t method_of(const copal_ask_t *ask)
{
    if (ask->ping)
        return COPAL_EMPTY;
    return ask->method ? ask->method : COPAL_GET;
}

copal_request_t copal__ask_request(const copal_ask_t *ask, const copal_peer_t *to, int socket)
{
    const bool group = copal_peer_is_group(ask->to);
    return (copal_request_t){
        .to = to,
        .group = group,
        .via = (uint32_t)socket,
        .code = method_of(ask),
        .confirmable = (!ask->non_confirmable && !group) || ask->ping,
        .observe = ask->observe,
        .given_token = ask->given_token,
        .token = ask->token,
        .timeout = ask->timeout,
    };
}

int copal__ask_prepare(copal_host_t *host, const copal_ask_t *ask, copal_uri_t *uri, copal_peer_t *to)
{
    int status = ask->uri ? copal_uri_parse(uri, ask->uri) : 0;
    if (status < 0)
        return status;
    const bool secure = ask->uri ? uri->secure : ask->credentials != NULL;
    if (secure && (!host->client.dtls || copal_peer_is_group(ask->to)))
        return COPAL_EUNSUPPORTED;
    if (secure != (ask->credentials != NULL))
        return COPAL_EINVAL;
    *to = *ask->to;
    to->size = copal__peer_address_size(to);
    const int socket = client_socket(host, to, secure);
    return socket < 0 || !secure ? socket : connect_session(host, ask, socket, to);
}

static void write_payload(copal_writer_t *w, const copal_ask_t *ask)
{
    if (ask->read && ask->size > 0)
        copal_write_body(w, ask->size, ask->read, ask->context);
    else if (!ask->read)
        copal_write_payload(w, ask->payload);
}

/* Its message ID, or an error. COPAL_EFULL with a request that is open: there is no ID for it. */
static int send_request(copal_host_t *host, const copal_ask_t *ask, const copal_uri_t *uri, const copal_request_t *request,
                        copal_receiver_t *receiver, copal_handle_t *handle)
{
    copal_endpoint_t *endpoint = host->client.endpoint;
    copal_writer_t *w;
    int status = copal_request_begin(endpoint, request, handle, &w);
    if (status < 0)
        return status;
    if (!ask->ping && !ask->no_options)
        copal__ask_options(w, ask, ask->uri ? uri : NULL, COPAL_PART_FIRST);
    if (!ask->ping)
        write_payload(w, ask);
    status = copal_request_commit(endpoint, copal__host_now(host), *handle, receiver);
    return status < 0 ? status : copal_request_id(endpoint, *handle);
}

int copal__host_request(copal_host_t *host, const copal_ask_t *ask, copal_receiver_t *receiver, copal_handle_t *handle)
{
    copal_handle_t made;
    copal_peer_t to;
    copal_uri_t uri;
    int socket = copal__ask_prepare(host, ask, &uri, &to), status = COPAL_EFULL;
    if (socket < 0)
        return socket;
    handle = handle ? handle : &made;
    for (unsigned tries = 1; socket >= 0; tries++) {
        const copal_request_t request = copal__ask_request(ask, &to, socket);
        *handle = (copal_handle_t){0};
        status = send_request(host, ask, &uri, &request, receiver, handle);
        if (status != COPAL_EFULL || copal_request_cancel(host->client.endpoint, copal__host_now(host), *handle) < 0)
            return status;
        socket = host->moves && !request.group ? copal__client_move(host, ask, &to, request.via, tries) : COPAL_EFULL;
    }
    return status;
}

int copal_host_request(copal_host_t *host, const copal_ask_t *given, copal_receiver_t *receiver, copal_handle_t *handle)
{
    copal_ask_t ask = *given;
    copal_peer_t peers[COPAL__PEERS];
    int status = copal__ask_peers(given, peers); /* may block, so not inside the lock */
    if (status < 0)
        return status;
    ask.to = &peers[0];
    copal__host_enter(host);
    status = copal__host_request(host, &ask, receiver, handle);
    if (status >= 0)
        copal__host_wake(host);
    copal__host_leave(host);
    return status;
}

int copal_host_cancel(copal_host_t *host, copal_handle_t request)
{
    copal__host_enter_between_turns(host);
    int status = copal_request_deregister(host->client.endpoint, copal__host_now(host), request);
    copal__host_wake(host); /* what it held back may go now, and the deregistration */
    copal__host_leave(host);
    return status;
}

/* ---- sessions -------------------------------------------------------------------------------------------- */

const char *copal_host_problem(const copal_host_t *host)
{
    return host->client.reason;
}

int copal_host_disconnect(copal_host_t *host, const copal_credentials_t *credentials)
{
    if (copal__host_is_inside(host))
        return COPAL_EINVAL;
    copal__host_enter(host);
    copal__worker_settle(&host->workers[0]);
    if (host->client.dtls)
        copal_dtls_disconnect(host->client.dtls, copal__host_now(host), credentials);
    copal__side_settle(&host->client, copal__host_now(host));
    copal__host_leave(host);
    return 0;
}
