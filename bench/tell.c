/* The floor of notifications to measure against: tell PORT answers at 127.0.0.1 as a raw echo does, keeps address and token of each GET with a
 * token of four octets (bench/watch.c), and with each PUT sends to all of them a NON of the size of a notification, in batches. It looks at nothing else, and
 * remembers nobody twice. Ends with SIGTERM. */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SIZE = 1500, MOST = 1 << 20 };
enum { GET = 1, PUT = 3, ACK = 0x20, CONTENT = 0x45, NON_TOKEN_4 = 0x54, OBSERVE_3 = 0x63, MARKER = 0xff, VALUE = 20 };

typedef struct {
    struct sockaddr_in address;
    uint8_t token[4];
} observer_t;

static observer_t observers[MOST];
static uint32_t count;
static uint8_t notifications[BATCH][HEAD + 4 + 1 + VALUE];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static int open_socket(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("tell");
    return fd;
}

static void lend(int i, const observer_t *o, uint32_t number)
{
    uint8_t *n = notifications[i];
    memcpy(n, (uint8_t[]){NON_TOKEN_4, CONTENT, (uint8_t)(number >> 8), (uint8_t)number}, 4);
    memcpy(n + 4, o->token, 4);
    memcpy(n + HEAD, (uint8_t[]){OBSERVE_3, 0, 0, 1, MARKER}, 5);
    vectors[i] = (struct iovec){n, sizeof *notifications};
    messages[i].msg_hdr = (struct msghdr){.msg_name = (void *)(uintptr_t)&o->address, .msg_namelen = sizeof o->address,
                                          .msg_iov = &vectors[i], .msg_iovlen = 1};
}

static void tell_all(int fd)
{
    for (uint32_t first = 0; first < count; first += BATCH) {
        int batch = 0;
        for (; batch < BATCH && first + (uint32_t)batch < count; batch++)
            lend(batch, &observers[first + (uint32_t)batch], first + (uint32_t)batch);
        for (int sent = 0; sent < batch;) {
            const int now = sendmmsg(fd, messages + sent, (unsigned)(batch - sent), 0);
            sent += now > 0 ? now : 1; /* one that cannot be sent is lost */
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: tell PORT\n");
        return 2;
    }
    const int fd = open_socket((uint16_t)atoi(argv[1]));
    for (;;) {
        uint8_t data[SIZE];
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        const ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &length);
        if (got < 4)
            continue;
        const uint8_t code = data[1];
        if (code == GET && (data[0] & 15) == 4 && got > HEAD && count < MOST) {
            observers[count] = (observer_t){.address = from};
            memcpy(observers[count++].token, data + 4, 4);
        }
        data[0] = (uint8_t)((data[0] & 0xcf) | ACK);
        data[1] = CONTENT;
        sendto(fd, data, (size_t)got, 0, (struct sockaddr *)&from, length); /* lost, it is asked again */
        if (code == PUT)
            tell_all(fd);
    }
}
