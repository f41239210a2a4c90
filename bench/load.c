/* A closed-loop loader: load PORT PATH SOCKETS OUTSTANDING SECONDS [put] asks 127.0.0.1:PORT from that many sockets, each with
 * that many confirmable GETs, or PUTs of 20 octets, under way at any time, and prints how many right answers came in a second.
 * A request without an answer is sent again; a challenge (RFC 9175) and a ping are answered as a real client does, or it would
 * soon be taken for one whose address is forged. An answer is right when it is a 2.05 or 2.04 ACK with the message ID and token
 * of an open request; anything else that is no late answer ends the run with status 1. */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_SOCKETS = 1024, MAX_OUTSTANDING = 64, MAX_REQUEST = 64, SIZE = 1500 };
enum { PATIENCE_MS = 1000, WARM_UP_MS = 300, CON_TOKEN_2 = 0x42, ACK_TOKEN_2 = 0x62, GET = 1, CONTENT = 0x45, UNAUTHORIZED = 0x81 };
enum { PUT = 3, CHANGED = 0x44, CON = 0x40, RST = 0x70, URI_PATH = 11, ECHO = 252 };
enum { TOKEN_END = 0xc0 }; /* second octet of every token; the first is the slot's number */

typedef struct {
    uint8_t request[MAX_REQUEST];
    size_t size;
    uint16_t id;
    int64_t since;
} slot_t;

typedef struct {
    int fd;
    uint16_t next_id;
    slot_t slots[MAX_OUTSTANDING];
} client_t;

static client_t clients[MAX_SOCKETS];
static int sockets, outstanding;
static size_t request_size; /* without Echo and payload */
static bool putting;
static const uint8_t payload[] = "\xff" "0123456789abcdefghij"; /* of a PUT, with its marker */
static unsigned long answers, resent, late, wrong;

/* Behind the `size` octets of header, token and options. */
static void end_request(slot_t *slot, size_t size)
{
    size_t more = putting ? sizeof payload - 1 : 0;
    memcpy(slot->request + size, payload, more);
    slot->size = size + more;
}

/* The request's fixed part: header, token, one Uri-Path option (11). */
static void prepare(slot_t *slot, int number, const char *path)
{
    size_t size = strlen(path);
    if (size > 12) {
        fprintf(stderr, "load: a path is one segment of at most 12 octets\n");
        exit(2);
    }
    slot->request[0] = CON_TOKEN_2;
    slot->request[1] = putting ? PUT : GET;
    slot->request[4] = (uint8_t)number;
    slot->request[5] = TOKEN_END;
    slot->request[6] = (uint8_t)(11 << 4 | size);
    memcpy(slot->request + 7, path, size);
    request_size = 7 + size;
}

static void renew(client_t *client, slot_t *slot, int64_t now)
{
    slot->id = client->next_id++;
    slot->since = now;
    end_request(slot, request_size);
    slot->request[2] = (uint8_t)(slot->id >> 8);
    slot->request[3] = (uint8_t)slot->id;
}

static void send_slots(client_t *client, slot_t *const *slots, int count)
{
    struct iovec vectors[MAX_OUTSTANDING];
    struct mmsghdr messages[MAX_OUTSTANDING];
    memset(messages, 0, sizeof messages[0] * (size_t)count);
    for (int i = 0; i < count; i++) {
        vectors[i] = (struct iovec){.iov_base = slots[i]->request, .iov_len = slots[i]->size};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (int sent = 0; sent < count;) {
        int done = sendmmsg(client->fd, messages + sent, (unsigned)(count - sent), 0);
        if (done < 0)
            fail("load: sendmmsg");
        sent += done;
    }
}

/* An empty CON. */
static bool is_ping(const uint8_t *answer, size_t size) { return size == 4 && answer[0] == CON && answer[1] == 0; }

static void reset(client_t *client, uint8_t *ping)
{
    ping[0] = RST;
    if (send(client->fd, ping, 4, 0) < 0)
        fail("load: send");
}

/* Whether `answer`, to a request of this slot, is 4.01 with nothing but an Echo of up to 12 octets: then the request has that
 * behind its Uri-Path. */
static bool takes_challenge(slot_t *slot, const uint8_t *answer, size_t size)
{
    size_t length = size > 8 ? answer[6] & 15u : 13;
    if (size < 8 || answer[1] != UNAUTHORIZED || answer[6] >> 4 != 13 || answer[7] != ECHO - 13 || length > 12 ||
        size != 8 + length)
        return false;
    uint8_t *at = slot->request + request_size;
    at[0] = answer[6];
    at[1] = ECHO - URI_PATH - 13;
    memcpy(at + 2, answer + 8, length);
    end_request(slot, request_size + 2 + length);
    return true;
}

static bool is_success(uint8_t code) { return code == CONTENT || (putting && code == CHANGED); }

/* The slot that `answer` is for, or NULL where it is for none that is open. */
static slot_t *judge(client_t *client, const uint8_t *answer, size_t size)
{
    bool known = size >= 6 && answer[0] == ACK_TOKEN_2 && (is_success(answer[1]) || answer[1] == UNAUTHORIZED);
    if (!known || answer[4] >= outstanding || answer[5] != TOKEN_END) {
        wrong++;
        return NULL;
    }
    slot_t *slot = &client->slots[answer[4]];
    if ((answer[2] << 8 | answer[3]) != slot->id) {
        late++;
        return NULL;
    }
    return slot;
}

static void exchange(client_t *client, int64_t now)
{
    static uint8_t buffers[MAX_OUTSTANDING][SIZE];
    struct iovec vectors[MAX_OUTSTANDING];
    struct mmsghdr messages[MAX_OUTSTANDING];
    slot_t *again[MAX_OUTSTANDING];
    memset(messages, 0, sizeof messages[0] * (size_t)outstanding);
    for (int i = 0; i < outstanding; i++) {
        vectors[i] = (struct iovec){.iov_base = buffers[i], .iov_len = SIZE};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int count = recvmmsg(client->fd, messages, (unsigned)outstanding, MSG_DONTWAIT, NULL);
    int ready = 0;
    for (int i = 0; i < count; i++) {
        size_t size = messages[i].msg_len;
        if (is_ping(buffers[i], size)) {
            reset(client, buffers[i]);
            continue;
        }
        slot_t *slot = judge(client, buffers[i], size);
        if (!slot)
            continue;
        renew(client, slot, now);
        bool challenged = takes_challenge(slot, buffers[i], size);
        answers += !challenged;
        wrong += !challenged && !is_success(buffers[i][1]);
        again[ready++] = slot;
    }
    send_slots(client, again, ready);
}

static void resend_lost(int64_t now)
{
    for (int i = 0; i < sockets; i++)
        for (int j = 0; j < outstanding; j++) {
            slot_t *slot = &clients[i].slots[j];
            if (now - slot->since < PATIENCE_MS)
                continue;
            slot->since = now;
            resent++;
            send_slots(&clients[i], &slot, 1);
        }
}

static void begin(client_t *client, uint16_t port, const char *path, int poll)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("load: connect");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fail("load: epoll_ctl");
    slot_t *all[MAX_OUTSTANDING];
    for (int j = 0; j < outstanding; j++) {
        all[j] = &client->slots[j];
        prepare(all[j], j, path);
        renew(client, all[j], now_ms());
    }
    send_slots(client, all, outstanding);
}

/* Serves the sockets until `end`; a look for lost requests every 100 ms. */
static void run_until(int poll, int64_t end)
{
    struct epoll_event events[64];
    int64_t look = 0;
    for (int64_t now = now_ms(); now < end; now = now_ms()) {
        int count = epoll_wait(poll, events, 64, 100);
        for (int i = 0; i < count; i++)
            exchange(events[i].data.ptr, now);
        if (now >= look) {
            resend_lost(now);
            look = now + 100;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 && (argc != 7 || strcmp(argv[6], "put") != 0)) {
        fprintf(stderr, "usage: load PORT PATH SOCKETS OUTSTANDING SECONDS [put]\n");
        return 2;
    }
    putting = argc == 7;
    sockets = atoi(argv[3]);
    outstanding = atoi(argv[4]);
    int64_t duration = (int64_t)(atof(argv[5]) * 1000);
    if (sockets < 1 || sockets > MAX_SOCKETS || outstanding < 1 || outstanding > MAX_OUTSTANDING || duration < 1) {
        fprintf(stderr, "load: 1 to %d sockets, 1 to %d outstanding, some time\n", MAX_SOCKETS, MAX_OUTSTANDING);
        return 2;
    }
    int poll = epoll_create1(0);
    for (int i = 0; i < sockets; i++)
        begin(&clients[i], (uint16_t)atoi(argv[1]), argv[2], poll);
    run_until(poll, now_ms() + WARM_UP_MS);
    unsigned long before = answers;
    int64_t since = now_ms();
    run_until(poll, since + duration);
    while (answers == before && now_ms() < since + duration + 10 * PATIENCE_MS) /* the machine stood still */
        run_until(poll, now_ms() + WARM_UP_MS);
    double seconds = (double)(now_ms() - since) / 1000;
    printf("%.0f answers/s of %lu, %lu resent, %lu late, %lu wrong\n", (double)(answers - before) / seconds, answers,
           resent, late, wrong);
    return wrong || answers == before;
}
