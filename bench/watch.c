/* Many observers of one resource: watch PORT PATH COUNT registers them at 127.0.0.1:PORT, each as a peer of its own: all of
 * them share a socket, and each sends from an address of its own in 127.1.0.0/16 and further. It prints "registered N", and
 * for each line on its standard input, with whose end it ends, "told N": how many notifications have come since the line
 * before, once no more do. What is confirmable is acknowledged, a challenge with Echo (RFC 9175) is answered. */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 1500, WINDOW = 64, PATIENCE_MS = 500, QUIET_MS = 300, TRIES = 20, BUFFER = 64 << 20 };
enum { CON = 0, ACK = 2, GET = 1, UNAUTHORIZED = 0x81, ECHO = 252 };

static int fd;
static struct sockaddr_in server = {.sin_family = AF_INET};
static const char *path;
static bool *registered;

/* Sends to the server from the address of an observer. */
static void send_as(uint32_t observer, const uint8_t *data, size_t size)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
    struct iovec vector = {(void *)(uintptr_t)data, size};
    struct msghdr header = {.msg_name = &server, .msg_namelen = sizeof server, .msg_iov = &vector, .msg_iovlen = 1,
                            .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f010000u + observer)};
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
    if (sendmsg(fd, &header, 0) < 0)
        fail("watch: sendmsg");
}

/* A GET with Observe 0; the token is the observer's number. With the Echo option of a challenge, or none. */
static void ask(uint32_t observer, const uint8_t *echo, size_t echo_size)
{
    static uint16_t id;
    id++;
    uint8_t data[SIZE] = {0x44, GET, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(observer >> 24),
                          (uint8_t)(observer >> 16), (uint8_t)(observer >> 8), (uint8_t)observer};
    size_t size = HEAD, length = strlen(path);
    data[size++] = 0x60; /* Observe, empty: 0 */
    data[size++] = (uint8_t)(5 << 4 | length);
    memcpy(data + size, path, length);
    size += length;
    if (echo_size) {
        data[size++] = (uint8_t)(13 << 4 | (echo_size < 13 ? echo_size : 13));
        data[size++] = ECHO - 11 - 13;
        if (echo_size >= 13)
            data[size++] = (uint8_t)(echo_size - 13);
        memcpy(data + size, echo, echo_size);
        size += echo_size;
    }
    send_as(observer, data, size);
}

/* Takes one datagram, waiting so long for it. -1: none came; 0: no notification; 1: one. */
static int take(int patience)
{
    uint8_t data[SIZE];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t size = recv(fd, data, sizeof data, MSG_DONTWAIT);
    if (size < 0 && (errno != EAGAIN || poll(&wait, 1, patience) == 0))
        return -1;
    if (size < 0)
        size = recv(fd, data, sizeof data, MSG_DONTWAIT);
    if (size < HEAD || (data[0] & 15) != 4)
        return 0;
    uint32_t observer = (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7];
    size_t length = 0;
    if (data[1] == UNAUTHORIZED) {
        const uint8_t *echo = find_option(data, (size_t)size, ECHO, &length);
        if (echo)
            ask(observer, echo, length);
        return 0;
    }
    if ((data[0] >> 4 & 3) == CON)
        send_as(observer, (uint8_t[]){0x40 | ACK << 4, 0, data[2], data[3]}, 4);
    bool notification = (data[0] >> 4 & 3) != ACK;
    if (!notification && find_option(data, (size_t)size, 6, &length))
        registered[observer] = true;
    return notification;
}

/* Registers all, some at a time; those without an answer are asked again. Returns how many were. */
static uint32_t register_all(uint32_t count)
{
    uint32_t done = 0;
    for (int tries = 0; done < count && tries < TRIES; tries++) {
        done = 0;
        for (uint32_t i = 0; i < count; i += WINDOW) {
            uint32_t end = i + WINDOW < count ? i + WINDOW : count, left = 0;
            for (uint32_t o = i; o < end; o++)
                if (!registered[o])
                    ask(o, NULL, 0);
            do {
                left = 0;
                for (uint32_t o = i; o < end; o++)
                    left += !registered[o];
            } while (left && take(PATIENCE_MS) >= 0);
            done += end - i - left;
        }
    }
    return done;
}

int main(int argc, char **argv)
{
    if (argc != 4 || strlen(argv[2]) > 12) {
        fprintf(stderr, "usage: watch PORT PATH COUNT; the path is one segment of at most 12 octets\n");
        return 2;
    }
    uint32_t count = (uint32_t)strtoul(argv[3], NULL, 10);
    struct sockaddr_in local = {.sin_family = AF_INET};
    int buffer = BUFFER;
    server.sin_port = htons((uint16_t)atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    path = argv[2];
    registered = calloc(count ? count : 1, sizeof *registered);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (!registered || fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) != 0)
        fail("watch");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    printf("registered %u\n", register_all(count));
    fflush(stdout);
    struct pollfd ends[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    unsigned told = 0;
    for (char line[8]; poll(ends, 2, -1) >= 0;) {
        bool wanted = ends[0].revents;
        if (wanted && read(0, line, sizeof line) <= 0)
            break;
        for (int got; (got = take(wanted ? QUIET_MS : 0)) >= 0;)
            told += got > 0;
        if (!wanted)
            continue;
        printf("told %u\n", told);
        fflush(stdout);
        told = 0;
    }
    return 0;
}
