/* A body of 100 MB in blocks of 1024 octets: download PORT MEGABYTES fetches /b of 127.0.0.1:PORT (bench/sink.c) by the host's client;
 * with "raw" behind it, by a socket that asks block after block and looks at next to nothing. Prints the seconds. */
#define _GNU_SOURCE
#include "common.h"
#include "copal/host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1024, SIZE = 1500, TRIES = 100, PATIENCE_US = 50000 };

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_socket(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct timeval patience = {.tv_usec = PATIENCE_US};
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        fail("download");
    return fd;
}

/* Asks until there is a whole block with this message ID; a ping is answered, or the server would take the address for a
 * forged one. */
static void ask_block(int fd, uint32_t number)
{
    const uint32_t block = number << 4 | 6;
    const uint8_t request[] = {0x40, 1, (uint8_t)(number >> 8), (uint8_t)number, 0xb1, 'b', 0xc3,
                               (uint8_t)(block >> 16), (uint8_t)(block >> 8), (uint8_t)block};
    uint8_t answer[SIZE];
    for (int tries = 0; tries < TRIES; tries++) {
        if (send(fd, request, sizeof request, 0) < 0)
            fail("download: send");
        for (ssize_t got; (got = recv(fd, answer, sizeof answer, 0)) > 0;) {
            if (got == 4 && answer[0] == 0x40 && answer[1] == 0) {
                answer[0] = 0x70;
                (void)!send(fd, answer, 4, 0); /* lost, it is asked again */
            } else if (answer[2] == request[2] && answer[3] == request[3]) {
                if (got > BLOCK && answer[1] == 0x45)
                    return;
                break; /* a challenge, or a smaller block, which comes before the ping */
            }
        }
    }
    fail("download: no block");
}

static double raw(uint16_t port, uint32_t blocks)
{
    const int fd = open_socket(port);
    const double since = seconds_now();
    for (uint32_t i = 0; i < blocks; i++)
        ask_block(fd, i);
    close(fd);
    return seconds_now() - since;
}

static int take(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    (void)task;
    (void)offset;
    (void)piece;
    return 0;
}

static double ours(uint16_t port, uint32_t blocks)
{
    copal_task_t task = {.write = take};
    copal_host_t *host;
    copal_answer_t answer;
    char uri[32];
    snprintf(uri, sizeof uri, "coap://127.0.0.1:%u/b", (unsigned)port);
    if (copal_host_open(&host, NULL) < 0)
        fail("download");
    const double since = seconds_now();
    const int status = copal_host_stream(host, &(copal_ask_t){.uri = uri}, &task, &answer);
    const double lasted = seconds_now() - since;
    if (status < 0 || answer.code != COPAL_CONTENT || task.transfer.received != (size_t)blocks * BLOCK) {
        fprintf(stderr, "download: %s after %zu octets\n", status < 0 ? copal_error_text(status) : "ended",
                (size_t)task.transfer.received);
        exit(1);
    }
    copal_answer_free(&answer);
    copal_host_close(host);
    return lasted;
}

int main(int argc, char **argv)
{
    const bool is_raw = argc == 4 && strcmp(argv[3], "raw") == 0;
    const int megabytes = argc == 3 || is_raw ? atoi(argv[2]) : 0;
    if (megabytes < 1 || megabytes > 100) {
        fprintf(stderr, "usage: download PORT MEGABYTES [raw]; 1 to 100, as many as the server has\n");
        return 2;
    }
    const uint16_t port = (uint16_t)atoi(argv[1]);
    const uint32_t blocks = (uint32_t)megabytes << 10;
    printf("%.3f\n", is_raw ? raw(port, blocks) : ours(port, blocks));
    return 0;
}
