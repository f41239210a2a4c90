/* A loader with very many peers, each with an address of its own in 127.1.0.0/16 and further, all by one socket, with up to 200
 * requests under way:
 *   crowd PORT PATH get COUNT       each of COUNT peers asks one GET; prints how many right answers came in a second, of each
 *                                   10,000 peers;
 *   crowd PORT PATH post COUNT SECONDS RATE    COUNT peers POST in turn, RATE of them in a second at most, with message IDs that count
 *                                   up. A tenth of the datagrams are sent twice at once, and another tenth are copies of such as went
 *                                   seconds or minutes before.
 * Request n is always the same octets from the same peer, so copies need no memory. What has no answer is sent again, a ping
 * is answered, and a challenge with Echo (RFC 9175) by the request with that and a message ID of its own. An answer is right when it is a 2.04 or 2.05 ACK with message ID and token of an open request. */
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

enum { OPEN = 200, BATCH = 64, SIZE = 1500, REQUEST = 64, MOST = 1 << 22, STEP = 10000, PATIENCE_MS = 200,
       GIVE_UP_MS = 20000 };
enum { GET = 1, POST = 2, CHANGED = 0x44, CONTENT = 0x45, UNAUTHORIZED = 0x81, ECHO = 252, ANEW = 0x8000 /* of message IDs */, CON_TOKEN_4 = 0x44, ACK_TOKEN_4 = 0x64, CON = 0x40, RST = 0x70 };
enum { EMPTY_ACK = 0x60 };
enum { COPY_EVERY = 10, AGES = 4, SECONDS = 256 };
static const unsigned ages[AGES] = {1, 10, 60, 200}; /* in seconds; all within EXCHANGE_LIFETIME */

typedef struct {
    uint32_t number; /* of the request */
    bool open;
    int64_t since;
} slot_t;

/* A batch of datagrams, each with the address of a peer: where it leaves from, or came to. */
typedef struct {
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    uint8_t data[BATCH][SIZE];
    _Alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
    int count;
} batch_t;

static int fd;
static struct sockaddr_in server = {.sin_family = AF_INET};
static const char *path;
static uint8_t method;
static uint32_t peers, next, rate;
static unsigned second;           /* since the start */
static uint32_t begins[SECONDS]; /* with which request each second began, of as many as were last */
static slot_t slots[OPEN];
static batch_t in, out;
static unsigned long answers, copies, resent, challenged, refused, wrong;

/* ---- datagrams ------------------------------------------------------------------------------------------ */

static void lend(batch_t *batch, int i, size_t size)
{
    batch->vectors[i] = (struct iovec){batch->data[i], size};
    batch->messages[i].msg_hdr = (struct msghdr){.msg_iov = &batch->vectors[i], .msg_iovlen = 1,
                                                 .msg_control = batch->control[i], .msg_controllen = sizeof *batch->control};
}

static void flush(void)
{
    for (int sent = 0; sent < out.count;) {
        int done = sendmmsg(fd, out.messages + sent, (unsigned)(out.count - sent), 0);
        if (done < 0 && errno != EINTR)
            fail("crowd: sendmmsg");
        sent += done > 0 ? done : 0;
    }
    out.count = 0;
}

static void send_from(struct in_addr from, const uint8_t *data, size_t size)
{
    const int i = out.count++;
    const struct in_pktinfo info = {.ipi_spec_dst = from};
    lend(&out, i, size);
    memcpy(out.data[i], data, size);
    struct msghdr *header = &out.messages[i].msg_hdr;
    header->msg_name = &server;
    header->msg_namelen = sizeof server;
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    *c = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof info)};
    memcpy(CMSG_DATA(c), &info, sizeof info);
    if (out.count == BATCH)
        flush();
}

/* Header, the request's number as its token, one Uri-Path option (11), and of a challenge, if `echo` is one, its value. */
static void send_with(uint32_t number, uint32_t id, const uint8_t *echo, size_t echo_size)
{
    const size_t length = strlen(path);
    size_t size = HEAD + 1 + length;
    uint8_t data[REQUEST] = {CON_TOKEN_4, method, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(number >> 24),
                             (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number,
                             (uint8_t)(11 << 4 | length)};
    memcpy(data + HEAD + 1, path, length);
    if (echo && echo_size >= 13 && echo_size <= 40) { /* "1-40" octets; copal's are over 12 */
        data[size++] = 13 << 4 | 13;
        data[size++] = ECHO - 11 - 13;
        data[size++] = (uint8_t)(echo_size - 13);
        memcpy(data + size, echo, echo_size);
        size += echo_size;
    }
    send_from((struct in_addr){htonl(0x7f010000u + number % peers)}, data, size);
}

static void send_request(uint32_t number)
{
    send_with(number, number / peers, NULL, 0);
}

/* ---- requests ------------------------------------------------------------------------------------------- */

/* Of this one, and of one that went about as long ago as an age says. */
static void send_copies(uint32_t number)
{
    const unsigned age = ages[number / COPY_EVERY % AGES];
    send_request(number);
    copies++;
    if (second > age) {
        const uint32_t late = begins[(second - age) % SECONDS] + number - begins[second % SECONDS];
        send_request(late < number ? late : number);
        copies++;
    }
}

/* As many as may be under way, up to that numbered `end`. */
static void ask(uint32_t end, int64_t now)
{
    for (slot_t *slot = &slots[next % OPEN]; next < end && !slot->open; slot = &slots[next % OPEN]) {
        *slot = (slot_t){.number = next, .open = true, .since = now};
        send_request(next);
        if (method == POST && next % COPY_EVERY == 0)
            send_copies(next);
        next++;
    }
    flush();
}

static void ask_again(int64_t now)
{
    for (int i = 0; i < OPEN; i++) {
        if (!slots[i].open || now - slots[i].since < PATIENCE_MS)
            continue;
        slots[i].since = now;
        send_request(slots[i].number);
        resent++;
    }
    flush();
}

static void take(const struct msghdr *header, uint8_t *data, size_t size)
{
    struct in_pktinfo info = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)header, c))
        if (c->cmsg_type == IP_PKTINFO)
            memcpy(&info, CMSG_DATA(c), sizeof info);
    if (size == 4 && data[0] == CON && data[1] == 0) {
        send_from(info.ipi_addr, (uint8_t[]){RST, 0, data[2], data[3]}, 4);
        return;
    }
    if (size == 4 && data[0] == EMPTY_ACK && data[1] == 0)
        return; /* to a copy of what was challenged */
    const uint32_t number = size < HEAD ? 0 : (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7];
    slot_t *slot = &slots[number % OPEN];
    if (size < HEAD || data[0] != ACK_TOKEN_4 || ((data[2] << 8 | data[3]) & ~ANEW) != (int)(number / peers)) {
        wrong++;
        return;
    }
    size_t length = 0;
    const uint8_t *echo = data[1] == UNAUTHORIZED ? find_option(data, size, ECHO, &length) : NULL;
    if (echo) {
        challenged++;
        send_with(number, number / peers | ANEW, echo, length);
        return;
    }
    const bool good = data[1] == CHANGED || data[1] == CONTENT;
    refused += !good;
    if (good && slot->open && slot->number == number) {
        slot->open = false;
        answers++;
    }
}

static void receive(void)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < BATCH; i++)
        lend(&in, i, SIZE);
    int count = recvmmsg(fd, in.messages, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0 && poll(&wait, 1, PATIENCE_MS) > 0)
        count = recvmmsg(fd, in.messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        take(&in.messages[i].msg_hdr, in.data[i], in.messages[i].msg_len);
}

static void count_seconds(int64_t since_start)
{
    while (second < since_start / 1000)
        begins[++second % SECONDS] = next;
}

/* Until those before `end` are answered, or until `stop` what has been asked is. */
static void run(uint32_t end, int64_t stop)
{
    const unsigned long first = answers;
    const int64_t start = now_ms();
    int64_t now = start, look = start, answered = start;
    unsigned long seen = answers;
    for (const uint32_t begun = next; answers - first < (now < stop ? end : next) - begun; now = now_ms()) {
        const uint64_t allowed = (uint64_t)(now - start + 1) * rate / 1000;
        count_seconds(now - start);
        if (now < stop)
            ask(allowed < end - begun ? begun + (uint32_t)allowed : end, now);
        if (answers != seen)
            answered = now;
        if (now - answered > GIVE_UP_MS) {
            fprintf(stderr, "crowd: no answer for %d ms, after %lu, %lu refused, %lu challenged\n", GIVE_UP_MS, answers,
                    refused, challenged);
            exit(1);
        }
        seen = answers;
        receive();
        if (now >= look) {
            ask_again(now);
            look = now + PATIENCE_MS / 4;
        }
    }
}

static void open_socket(uint16_t port)
{
    struct sockaddr_in local = {.sin_family = AF_INET};
    int wish = 4 << 20, on = 1;
    server.sin_port = htons(port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) != 0)
        fail("crowd");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wish, sizeof wish); /* what the system grants will do */
}

int main(int argc, char **argv)
{
    const bool getting = argc == 5 && strcmp(argv[3], "get") == 0;
    if ((!getting && (argc != 7 || strcmp(argv[3], "post") != 0)) || strlen(argv[2]) > 12) {
        fprintf(stderr, "usage: crowd PORT PATH get COUNT, crowd PORT PATH post COUNT SECONDS RATE; the path is one segment of at "
                        "most 12 octets\n");
        return 2;
    }
    path = argv[2];
    method = getting ? GET : POST;
    peers = (uint32_t)strtoul(argv[4], NULL, 10);
    rate = getting ? UINT32_MAX : (uint32_t)strtoul(argv[6], NULL, 10);
    if (peers < 1 || peers > MOST) {
        fprintf(stderr, "crowd: 1 to %d peers\n", MOST);
        return 2;
    }
    open_socket((uint16_t)atoi(argv[1]));
    int64_t since = now_ms();
    for (uint32_t end = STEP; getting && next < peers; end += STEP, since = now_ms()) {
        const uint32_t begun = next;
        run(end < peers ? end : peers, INT64_MAX);
        printf("%.0f\n", (next - begun) * 1000.0 / (double)(now_ms() - since + 1));
        fflush(stdout);
    }
    if (!getting) {
        run(UINT32_MAX, since + atoi(argv[5]) * 1000);
        printf("%.0f answers/s of %lu, %lu copies, %lu resent, %lu challenged, %lu refused, %lu wrong\n",
               (double)answers * 1000 / (double)(now_ms() - since), answers, copies, resent, challenged, refused, wrong);
    }
    return wrong > 0;
}
