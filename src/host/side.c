#define _GNU_SOURCE 1
#include "side.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    ERRORS_AT_ONCE = 64,    /* ICMP errors read in one turn */
    SEND_PATIENCE = 10,     /* milliseconds to wait, once a batch, for room in a socket's buffer */
    SOCKET_BUFFER = 1 << 20 /* octets of datagrams that the kernel may hold for us, if it lets us have them */
};

/* ---- sockets ------------------------------------------------------------------------------------ */

/* The buffers are a wish: what the system grants will do. */
static void wish_for_buffers(int fd)
{
    const int wish = SOCKET_BUFFER;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wish, sizeof wish);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wish, sizeof wish);
}

static int prepare(const copal__side_t *side, int fd, copal_peer_t *local, bool dual, bool shared)
{
    copal__address_t address;
    int family = copal__peer_family(local), only = !dual;
    socklen_t size = copal__address_from_peer(&address, local, family);
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0)
        return -1;
    if (shared && copal__udp_share(fd) != 0)
        return -1;
    if (bind(fd, &address.any, size) != 0 || getsockname(fd, &address.any, &size) != 0)
        return -1;
    if (!side->client && copal__peer_is_any(local) && copal__local_enable(fd, family) != 0)
        return -1;
    wish_for_buffers(fd);
    copal__address_to_peer(&address, local);
    return 0;
}

int copal__side_adopt(int fd, copal_peer_t *local)
{
    copal__address_t address = {0};
    int type;
    socklen_t size = sizeof address, type_size = sizeof type;
    if (getsockname(fd, &address.any, &size) != 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0)
        return errno == ENOTSOCK ? COPAL_EINVAL : COPAL_ESYSTEM;
    const int family = address.any.sa_family;
    if (type != SOCK_DGRAM || (family != AF_INET && family != AF_INET6))
        return COPAL_EINVAL;
    copal__address_to_peer(&address, local);
    if (copal__peer_port(local) == 0)
        return COPAL_EINVAL;
    if (copal__udp_adopt(fd, family) != 0 || (copal__peer_is_any(local) && copal__local_enable(fd, family) != 0))
        return COPAL_ESYSTEM;
    wish_for_buffers(fd);
    return family;
}

int copal__side_bind(const copal__side_t *side, copal_peer_t *local, bool dual, bool shared)
{
    const int fd = copal__udp_open(copal__peer_family(local), side->client);
    if (fd < 0 || prepare(side, fd, local, dual, shared) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int copal__side_add(copal__side_t *side, int fd, int family)
{
    side->sockets[side->count] =
        (copal__socket_t){.fd = fd, .family = family, .joins = copal__udp_joins, .answers = side->count};
    return side->count++;
}

int copal__side_open(copal__side_t *side, copal_peer_t *local)
{
    if (side->count == COPAL__SOCKETS)
        return COPAL_EFULL;
    const int fd = copal__side_bind(side, local, false, false);
    return fd < 0 ? COPAL_ESYSTEM : copal__side_add(side, fd, copal__peer_family(local));
}

int copal__side_local(const copal__side_t *side, uint32_t number, copal_peer_t *local)
{
    copal__address_t address;
    socklen_t size = sizeof address;
    if (getsockname(side->sockets[number].fd, &address.any, &size) != 0)
        return -1;
    copal__address_to_peer(&address, local);
    return 0;
}

void copal__side_cut(copal__side_t *side, uint8_t count)
{
    const int reason = errno;
    while (side->count > count)
        close(side->sockets[--side->count].fd);
    errno = reason;
}

void copal__side_close(copal__side_t *side)
{
    copal_dtls_close(side->dtls);
    while (side->count > 0) {
        copal__socket_t *socket = &side->sockets[--side->count];
        close(socket->fd);
        copal_credentials_close(socket->credentials);
    }
}

/* ---- sending ------------------------------------------------------------------------------------ */

void copal__side_note(copal__side_t *side, copal__failed_t what, const copal_datagram_t *datagram)
{
    const copal_bytes_t bytes = datagram->bytes;
    copal__batch_t *batch = side->batch;
    if (batch->failed == batch->failures_most)
        return;
    copal__failure_t *failure = &batch->failures[batch->failed++];
    failure->what = what;
    failure->to = *datagram->to;
    failure->via = datagram->via;
    failure->size = (uint16_t)(bytes.size < COPAL__QUOTE_SIZE ? bytes.size : COPAL__QUOTE_SIZE);
    memcpy(failure->quoted, bytes.data, failure->size);
}

/* A datagram that cannot even be sent (no route, say) ends its request as an ICMP error would; one that the machine
 * has no room for at the moment is simply lost. The datagram is borrowed from the endpoint, so the end has to wait. */
static void note(copal__side_t *side, uint32_t socket, const copal__slot_t *slot, int reason)
{
    const struct iovec *vector = slot->header.msg_iov;
    copal_peer_t to;
    if (reason == EAGAIN || reason == EWOULDBLOCK || reason == ENOBUFS || reason == ENOMEM) {
        side->counters.unsent++;
        return;
    }
    side->counters.unreachable++;
    copal__address_to_peer(slot->header.msg_name, &to);
    if (slot->header.msg_controllen > 0 && copal_peer_is_group(&to))
        copal__peer_set_scope(&to, ((const copal__place_t *)(const void *)vector)->interface);
    copal__side_note(side, side->sockets[socket].secure ? COPAL__FAILED_RECORD : COPAL__FAILED_MESSAGE,
                     &(copal_datagram_t){&to, socket, {vector->iov_base, vector->iov_len}});
}

void copal__side_tell_failures(copal__side_t *side, copal_time_t now)
{
    copal__batch_t *batch = side->batch;
    for (unsigned i = 0; i < batch->failed; i++) {
        const copal__failure_t *failure = &batch->failures[i];
        const copal_bytes_t quoted = {failure->quoted, failure->size};
        if (failure->what == COPAL__FAILED_SESSION)
            copal__side_forget(side, now, failure);
        else if (failure->what == COPAL__FAILED_RECORD)
            copal_dtls_unreachable(side->dtls, now, &failure->to, quoted);
        else
            copal_endpoint_unreachable(side->endpoint, now, &failure->to, quoted);
    }
    batch->failed = 0;
}

/* What to do after `sent` of `count` datagrams went out, or -1. Every datagram is tried, and none for ever. An error
 * may belong to a datagram sent earlier (ICMP); then a second try succeeds. */
static void push_on(copal__side_t *side, uint32_t socket, copal__slot_t *slots, unsigned count, int sent)
{
    bool *joins = &side->sockets[socket].joins;
    const int fd = side->sockets[socket].fd;
    bool waited = false, again = false;
    for (;; sent = copal__udp_send(fd, joins, slots, count)) {
        bool full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if (sent < 0 && errno == EINTR)
            continue;
        if (full && !waited) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, SEND_PATIENCE);
            waited = true;
            continue;
        }
        if (sent < 0 && !full && !again) {
            again = true;
            continue;
        }
        if (sent < 0)
            note(side, socket, slots, errno);
        unsigned done = sent > 0 ? (unsigned)sent : 1;
        slots += done;
        count -= done;
        again = false;
        if (count == 0)
            return;
    }
}

static inline void push(copal__side_t *side, uint32_t socket, copal__slot_t *slots, unsigned count)
{
    copal__socket_t *from = &side->sockets[socket];
    int sent = count > 0 ? copal__udp_send(from->fd, &from->joins, slots, count) : 0;
    if (sent != (int)count)
        push_on(side, socket, slots, count, sent);
}

static void fill(const copal__side_t *side, copal__slot_t *slot, copal__place_t *place,
                 const copal_datagram_t *datagram)
{
    const uint32_t local = COPAL__VIA_LOCAL(datagram->via);
    const copal__socket_t *socket = &side->sockets[COPAL__VIA_SOCKET(datagram->via)];
    slot->header.msg_namelen = copal__address_from_peer(&place->address, datagram->to, socket->family);
    slot->header.msg_control = NULL;
    slot->header.msg_controllen = 0;
    if (local > 0) {
        copal__local_t *from = &side->locals->entries[local - 1];
        slot->header.msg_control = from->answer;
        slot->header.msg_controllen = from->answer_size;
    } else if (socket->group && copal__peer_scope(datagram->to) != 0 && copal_peer_is_group(datagram->to)) {
        place->interface = copal__peer_scope(datagram->to);
        slot->header.msg_control = place->control;
        slot->header.msg_controllen = copal__local_by_interface(place->control, socket->family, place->interface);
    }
    place->vector = (struct iovec){(void *)(uintptr_t)datagram->bytes.data, datagram->bytes.size};
}

/* In runs that leave by the same socket. */
static void transmit(copal__side_t *side, size_t count, copal_time_t now)
{
    const copal__batch_t *batch = side->batch;
    copal__slot_t *run = batch->out, *slot = run;
    uint32_t socket = COPAL__VIA_SOCKET(batch->datagrams[0].via);
    for (size_t i = 0; i < count; i++) {
        copal_datagram_t *datagram = &batch->datagrams[i];
        if (COPAL__VIA_SOCKET(datagram->via) != socket) {
            push(side, socket, run, (unsigned)(slot - run));
            socket = COPAL__VIA_SOCKET(datagram->via);
            run = slot;
        }
        if (side->trace)
            side->trace(side->user, true, datagram->to, datagram->bytes);
        if (side->sockets[socket].secure && !copal__side_protect(side, i, now, datagram))
            continue;
        fill(side, slot, &batch->out_places[slot - batch->out], datagram);
        slot++;
    }
    push(side, socket, run, (unsigned)(slot - run));
}

/* The filter's own leave while others may be in the batch. */
void copal__side_transmit(copal__side_t *side, const copal_datagram_t *datagram)
{
    copal__place_t place;
    copal__slot_t slot = {.header = {.msg_name = &place.address, .msg_iov = &place.vector, .msg_iovlen = 1}};
    fill(side, &slot, &place, datagram);
    push(side, COPAL__VIA_SOCKET(datagram->via), &slot, 1);
}

/* Up to one batch of what is due. False: nothing is. */
static bool send_batch(copal__side_t *side, copal_time_t now)
{
    size_t count = copal_endpoint_send(side->endpoint, now, side->batch->datagrams, side->batch->capacity);
    if (count == 0)
        return false;
    transmit(side, count, now);
    if (!side->receiving) /* else inside of what must not be called now */
        copal__side_settle(side, now);
    return true;
}

void copal__side_send_batches(copal__side_t *side, copal_time_t now)
{
    unsigned left = COPAL__BATCHES;
    while (send_batch(side, now) && --left > 0 && copal_endpoint_next_timeout(side->endpoint) <= now)
        ;
}

/* ---- receiving ---------------------------------------------------------------------------------- */

/* The network that a message cuts off is that of who sent it. */
static int receive(copal__side_t *side, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    if (!side->event)
        return copal_endpoint_receive(side->endpoint, now, from, message);
    const copal_counters_t *counters = copal_endpoint_counters(side->endpoint);
    const uint64_t cut = counters->cut;
    const int status = copal_endpoint_receive(side->endpoint, now, from, message);
    if (counters->cut != cut)
        side->event(side->user, &(copal_event_t){COPAL_NETWORK_CUT, &from->peer, from->network, 0, NULL});
    return status;
}

void copal__side_take(copal__side_t *side, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    if (side->trace)
        side->trace(side->user, false, &from->peer, message);
    if (receive(side, now, from, message) == COPAL_EFULL) {
        copal__side_send(side, now);
        receive(side, now, from, message);
    }
}

static void hand_in(copal__side_t *side, uint8_t number, copal__slot_t *slot, copal_time_t now)
{
    const copal__socket_t *socket = &side->sockets[number];
    copal_from_t from;
    uint8_t *datagram = slot->header.msg_iov->iov_base;
    uint32_t local = 0;
    copal__address_to_peer(slot->header.msg_name, &from.peer);
    from.proven = false;
    from.multicast = socket->group && !side->client;
    from.network = from.peer.size == COPAL__PEER_IPV4 ? 3 : 7; /* /24, /56 */
    if (slot->header.msg_controllen > 0)
        local = copal__local_find(side->locals, socket->answers, &slot->header, &from.multicast);
    from.via = local << 8 | socket->answers;
    if (!socket->secure)
        copal__side_take(side, now, &from, (copal_bytes_t){datagram, slot->size});
    else if (!from.multicast) /* a group has no session */
        copal_dtls_receive(side->dtls, now, socket->credentials, &from, datagram, slot->size);
    copal__batch_rearm(slot);
}

static void read_errors(copal__side_t *side, const copal__socket_t *socket, copal_time_t now)
{
    copal_peer_t peer;
    uint8_t quoted[COPAL__QUOTE_SIZE];
    size_t size;
    for (int i = 0; i < ERRORS_AT_ONCE && copal__udp_error(socket->fd, &peer, quoted, sizeof quoted, &size); i++) {
        side->counters.unreachable++;
        if (socket->secure)
            copal_dtls_unreachable(side->dtls, now, &peer, (copal_bytes_t){quoted, size});
        else
            copal_endpoint_unreachable(side->endpoint, now, &peer, (copal_bytes_t){quoted, size});
    }
}

/* More than one at a time means that more may have come meanwhile, and asking again is cheaper than to poll. A socket
 * that was ready and has nothing has an ICMP error for us, or had; reading it has cleared it. */
static void receive_from(copal__side_t *side, uint8_t number, copal_time_t now)
{
    copal__socket_t *socket = &side->sockets[number];
    int count = copal__udp_receive(socket->fd, side->batch->in, side->batch->capacity);
    if (count < 0 && side->client)
        read_errors(side, socket, now);
    for (int i = 0; i < count; i++)
        hand_in(side, number, &side->batch->in[i], now);
    socket->ready = count > 1;
}

bool copal__side_receive(copal__side_t *side, copal_time_t now)
{
    bool more = false;
    side->receiving = true;
    for (uint8_t i = 0; i < side->count; i++) {
        if (side->sockets[i].ready) {
            receive_from(side, i, now);
            more |= side->sockets[i].ready;
        }
    }
    side->receiving = false;
    copal__side_settle(side, now);
    return more;
}
