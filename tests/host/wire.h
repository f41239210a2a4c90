/* A plain socket as the other side: what it sends and sees is octets. */
#ifndef COPAL_TESTS_HOST_WIRE_H
#define COPAL_TESTS_HOST_WIRE_H

#include "copal/host.h"
#include "host/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { WIRE_PATIENCE = 60 }; /* seconds; only something that never comes takes so long */

/* A socket bound to a literal address and a free port. */
static inline int wire_open(const char *address)
{
    copal_peer_t local;
    copal__address_t at;
    assert_int_equal(copal_peer_from_text(&local, address, 0, false), 0);
    int family = copal__peer_family(&local);
    int fd = socket(family, SOCK_DGRAM, 0);
    struct timeval patience = {.tv_sec = WIRE_PATIENCE};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(bind(fd, &at.any, copal__address_from_peer(&at, &local, family)), 0);
    return fd;
}

/* The peer that a socket is. */
static inline copal_peer_t wire_self(int fd)
{
    copal__address_t at;
    copal_peer_t self;
    socklen_t size = sizeof at;
    memset(&self, 0, sizeof self);
    assert_int_equal(getsockname(fd, &at.any, &size), 0);
    copal__address_to_peer(&at, &self);
    return self;
}

static inline copal_peer_t wire_peer(const char *address, uint16_t port)
{
    copal_peer_t peer;
    assert_int_equal(copal_peer_from_text(&peer, address, port, false), 0);
    return peer;
}

static inline void wire_send(int fd, const copal_peer_t *to, copal_bytes_t datagram)
{
    copal__address_t at;
    socklen_t size = copal__address_from_peer(&at, to, copal__peer_family(to));
    assert_int_equal(sendto(fd, datagram.data, datagram.size, 0, &at.any, size), datagram.size);
}

/* The next datagram, viewed in `buffer`, and who it is from. */
static inline copal_message_t wire_receive(int fd, uint8_t *buffer, size_t capacity, copal_peer_t *from)
{
    copal__address_t at;
    copal_message_t message;
    socklen_t size = sizeof at;
    ssize_t got = recvfrom(fd, buffer, capacity, 0, &at.any, &size);
    assert_true(got >= 0);
    if (from) {
        memset(from, 0, sizeof *from);
        copal__address_to_peer(&at, from);
    }
    assert_int_equal(copal_message_parse(&message, (copal_bytes_t){buffer, (size_t)got}), 0);
    return message;
}

/* A CON GET with the token "t". */
static inline copal_bytes_t wire_get(uint8_t *buffer, size_t capacity, uint16_t id, const char *path)
{
    copal_writer_t w;
    copal_bytes_t datagram;
    copal_writer_init(&w, buffer, capacity);
    copal_write_header(&w, COPAL_CON, COPAL_GET, id, copal_text("t"));
    copal_write_path(&w, copal_text(path));
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    return datagram;
}

static inline void assert_bytes(copal_bytes_t bytes, const char *text)
{
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
}

static inline void assert_same_peer(const copal_peer_t *a, const copal_peer_t *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

/* A host with the value "v" = "hello", which listens on `address`. */
static inline copal_host_t *wire_host(const copal_host_config_t *config, const char *address, uint16_t *port)
{
    copal_host_t *host;
    copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    assert_int_equal(copal_host_open(&host, config), 0);
    assert_int_equal(copal_host_listen(host, address, 0, port), 0);
    assert_int_equal(copal_tree_add_value(copal_host_tree(host), "v", copal_text("hello"), &options, NULL), 0);
    return host;
}

#endif
