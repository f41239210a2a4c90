/* What a case sends and receives: its socket, and the log of every datagram. */
#define _DEFAULT_SOURCE 1 /* getentropy */
#define _POSIX_C_SOURCE 200809L
#include "conform.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 65535 };

int64_t conform_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void *conform_memory(void *allocated)
{
    if (!allocated) {
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
        exit(TOOL_REFUSED);
    }
    return allocated;
}

static void judge(conform_t *c, conform_verdict_t verdict, const char *format, va_list arguments)
{
    if (c->verdict != VERDICT_NONE)
        return; /* what went wrong first is the reason */
    c->verdict = verdict;
    vsnprintf(c->reason, sizeof c->reason, format, arguments);
}

bool conform_fail(conform_t *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    judge(c, VERDICT_FAILED, format, arguments);
    va_end(arguments);
    return false;
}

bool conform_not_applicable(conform_t *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    judge(c, VERDICT_NOT_APPLICABLE, format, arguments);
    va_end(arguments);
    return false;
}

static int open_socket(const conform_target_t *target)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
    if (getaddrinfo(target->address, target->port, &hints, &found))
        return -1;
    int fd = socket(found->ai_family, SOCK_DGRAM, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

void conform_keep(conform_t *c, bool outgoing, copal_bytes_t octets)
{
    conform_datagram_t *datagram = conform_memory(malloc(sizeof *datagram + octets.size));
    *datagram = (conform_datagram_t){.outgoing = outgoing, .at = conform_now() - c->begun, .size = octets.size};
    if (octets.size)
        memcpy(datagram->octets, octets.data, octets.size);
    *c->log_end = datagram;
    c->log_end = &datagram->next;
    c->last = datagram;
}

bool conform_send(conform_t *c, copal_bytes_t datagram)
{
    conform_keep(c, true, datagram);
    const struct sockaddr *to = c->peer_size ? (const struct sockaddr *)&c->peer : NULL;
    /* An ICMP error of an earlier datagram is told by this call, and nothing was sent: once more. */
    for (unsigned tries = 1; sendto(c->fd, datagram.data, datagram.size, 0, to, c->peer_size) < 0; tries++)
        if (tries == 2)
            return conform_fail(c, "this machine could not send: %s", strerror(errno));
    return true;
}

bool conform_send_empty(conform_t *c, copal_type_t type, uint16_t id)
{
    uint8_t octets[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(id >> 8), (uint8_t)id};
    return conform_send(c, (copal_bytes_t){octets, sizeof octets});
}

bool conform_receive(conform_t *c, int64_t until, copal_message_t *message)
{
    uint8_t octets[LARGEST];
    for (int64_t left; (left = until - conform_now()) > 0 && c->verdict == VERDICT_NONE;) {
        struct pollfd wanted = {.fd = c->fd, .events = POLLIN};
        if (poll(&wanted, 1, (int)left) <= 0)
            continue;
        ssize_t size = recv(c->fd, octets, sizeof octets, 0);
        if (size < 0)
            continue; /* an ICMP error: that nothing answers shows by itself */
        conform_keep(c, false, (copal_bytes_t){octets, (size_t)size});
        if (copal_message_parse(message, (copal_bytes_t){c->last->octets, c->last->size}))
            return conform_fail(c, "what came is no well-formed message");
        if (message->type != COPAL_CON || message->code != COPAL_EMPTY)
            return true;
        conform_send_empty(c, COPAL_RST, message->id);
    }
    return false;
}

bool conform_next(conform_t *c, int64_t until, copal_message_t *message)
{
    if (!c->held_count)
        return conform_receive(c, until, message);
    *message = c->held[0];
    memmove(c->held, c->held + 1, --c->held_count * sizeof c->held[0]);
    return true;
}

void conform_open(conform_t *c, const conform_case_t *subject, const conform_target_t *target)
{
    *c = (conform_t){.subject = subject, .target = target, .fd = -1, .rejected = -1};
    for (int role = 0; role < ROLE_COUNT; role++)
        if (subject->needs & 1u << role && !target->named[role])
            conform_not_applicable(c, "it needs --%s", conform_role_name((conform_role_t)role));
}

void conform_run(conform_t *c)
{
    c->begun = conform_now();
    c->log_end = &c->log;
    if (c->verdict != VERDICT_NONE)
        return;
    c->fd = open_socket(c->target);
    if (c->fd < 0 || getentropy(&c->id, sizeof c->id)) {
        conform_fail(c, "this machine has no socket for it: %s", strerror(errno));
        return;
    }
    if (c->subject->run(c))
        c->verdict = c->verdict == VERDICT_NONE ? VERDICT_PASSED : c->verdict;
    close(c->fd);
}

void conform_close(conform_t *c)
{
    for (conform_datagram_t *datagram = c->log, *next; datagram; datagram = next) {
        next = datagram->next;
        free(datagram);
    }
}
