/* A loader with many DTLS sessions: sessions PORT PATH COUNT SECONDS KEY SUITE shakes hands with 127.0.0.1:PORT from COUNT
 * addresses of loopback, which one socket can have, 16 at a time, with the identity "bench" and the one cipher suite, by its
 * name in OpenSSL. Then it says "N sessions", waits for a line on standard input, and asks confirmable GETs by one session after the other, with up to 200 under way, as many as a
 * socket's buffer holds; and prints how many right answers came in a second. */
#define _GNU_SOURCE
#include "../src/dtls/openssl/openssl.h"
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { MOST = 100000, AT_ONCE = 16, OUTSTANDING = 200, BATCH = 64, SIZE = 1500, WARM_UP_MS = 300, PATIENCE_MS = 2000 };
enum { CON = 0x40, ACK = 0x60, GET = 1, CONTENT = 0x45, URI_PATH = 11 };

typedef struct {
    copal_peer_t peer;
    int64_t asked; /* 0: no request is under way */
    uint16_t id;
} session_t;

static session_t sessions[MOST];
static uint32_t count, begun, turn;
static int fd;
static struct sockaddr_in server;
static copal_dtls_t *dtls;
static copal_credentials_t *credentials;
static uint8_t request[64];
static size_t request_size;
static unsigned long answers, resent, wrong;
static bool asking;

static void draw(void *state, void *buffer, size_t size)
{
    (void)state;
    if (getrandom(buffer, size, 0) != (ssize_t)size)
        fail("sessions: getrandom");
}

/* ---- the wire: session n has the address 127.1.0.0 + n + 1 ---------------------------------------------- */

typedef struct {
    struct mmsghdr messages[BATCH];
    struct sockaddr_in from[BATCH];
    struct iovec vectors[BATCH];
    uint8_t octets[BATCH][SIZE];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
    unsigned used;
} batch_t;

static batch_t in, out;

static void flush(void)
{
    for (unsigned sent = 0; sent < out.used;) {
        int n = sendmmsg(fd, out.messages + sent, out.used - sent, 0);
        sent += n > 0 ? (unsigned)n : 1; /* what the machine has no room for is lost */
    }
    out.used = 0;
}

static void transmit(void *user, const copal_datagram_t *datagram)
{
    (void)user;
    if (out.used == BATCH)
        flush();
    unsigned at = out.used++;
    const struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f010001u + datagram->via)};
    const struct cmsghdr head = {.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
    memcpy(out.control[at], &head, sizeof head);
    memcpy(out.control[at] + CMSG_LEN(0), &info, sizeof info);
    memcpy(out.octets[at], datagram->bytes.data, datagram->bytes.size);
    out.vectors[at] = (struct iovec){out.octets[at], datagram->bytes.size};
    out.messages[at].msg_hdr = (struct msghdr){.msg_name = &server,
                                               .msg_namelen = sizeof server,
                                               .msg_iov = &out.vectors[at],
                                               .msg_iovlen = 1,
                                               .msg_control = out.control[at],
                                               .msg_controllen = sizeof out.control[at]};
}

static uint32_t session_of(const struct msghdr *header)
{
    struct in_pktinfo info;
    const struct cmsghdr *c = CMSG_FIRSTHDR(header);
    if (!c || c->cmsg_type != IP_PKTINFO)
        return MOST;
    memcpy(&info, CMSG_DATA(c), sizeof info);
    return ntohl(info.ipi_addr.s_addr) - 0x7f010001u;
}

static copal_peer_t address(void)
{
    copal_peer_t peer = {.size = 6};
    memcpy(peer.data, &server.sin_addr, 4);
    memcpy(peer.data + 4, &server.sin_port, 2);
    return peer;
}

static void take_batch(void)
{
    for (unsigned i = 0; i < BATCH; i++) {
        in.vectors[i] = (struct iovec){in.octets[i], SIZE};
        in.messages[i].msg_hdr = (struct msghdr){
            .msg_iov = &in.vectors[i], .msg_iovlen = 1, .msg_control = in.control[i], .msg_controllen = sizeof in.control[i]};
    }
    int got = recvmmsg(fd, in.messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
        const copal_from_t from = {.peer = address(), .via = session_of(&in.messages[i].msg_hdr)};
        if (from.via < count)
            copal_dtls_receive(dtls, now_ms(), NULL, &from, in.octets[i], in.messages[i].msg_len);
    }
}

/* ---- exchanges -------------------------------------------------------------------------------------------- */

static void ask(uint32_t at, bool again)
{
    uint8_t buffer[SIZE];
    session_t *s = &sessions[at];
    copal_datagram_t record;
    s->id += !again;
    s->asked = now_ms();
    request[2] = (uint8_t)(s->id >> 8);
    request[3] = (uint8_t)s->id;
    if (copal_dtls_protect(dtls, s->asked, &(copal_datagram_t){&s->peer, at, {request, request_size}}, buffer, &record) == 0)
        transmit(NULL, &record);
    else
        wrong++;
}

/* The session that has waited for its turn for longest. */
static void ask_next(void)
{
    do
        turn = (turn + 1) % count;
    while (sessions[turn].asked);
    ask(turn, false);
}

static void deliver(void *user, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    (void)user, (void)now;
    const uint8_t *m = message.data;
    session_t *s = &sessions[from->via];
    if (message.size < 4 || m[0] >> 4 != ACK >> 4 || (m[2] << 8 | m[3]) != s->id || !s->asked)
        return;
    s->asked = 0;
    wrong += m[1] != CONTENT;
    answers++;
    ask_next();
}

static void changed(void *user, copal_time_t now, const copal_peer_t *peer, int status, const char *reason)
{
    (void)user, (void)now, (void)peer;
    fprintf(stderr, "sessions: %s: %s\n", copal_error_text(status), reason ? reason : "");
    exit(1);
}

/* Serves the socket until `end`, and what is overdue every 100 ms. */
static void run_until(int64_t end)
{
    int64_t look = now_ms() + 100;
    for (int64_t now; (now = now_ms()) < end;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        flush();
        poll(&wait, 1, 10);
        take_batch();
        copal_dtls_run(dtls, now);
        if (now < look)
            continue;
        look = now + 100;
        for (uint32_t i = 0; asking && i < count; i++)
            if (sessions[i].asked && now - sessions[i].asked > PATIENCE_MS) {
                resent++;
                ask(i, true);
            }
    }
}

static void shake_hands(void)
{
    const copal_peer_t to = address();
    while (copal_dtls_sessions(dtls) < count) {
        while (begun < count && begun < copal_dtls_sessions(dtls) + AT_ONCE) {
            if (copal_dtls_connect(dtls, now_ms(), credentials, &to, begun, NULL, &sessions[begun].peer) != 0)
                fail("sessions: connect");
            begun++;
        }
        copal_dtls_run(dtls, now_ms());
        run_until(now_ms() + 1);
    }
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

/* Which suites are offered is for copal to say, and no option; a measurement wants to know what each costs. */
static void offer(const char *suite)
{
    const copal__openssl_credentials_t *state = copal__credentials_state(credentials);
    if (SSL_CTX_set_cipher_list(state->context, suite) != 1)
        fail("sessions: no such suite");
}

static void open_filter(const char *key)
{
    const copal_credentials_config_t who = {.key = copal_text(key), .identity = copal_text("bench")};
    const copal_dtls_config_t config = {.backend = &copal_dtls_openssl,
                                        .limits = {.sessions = count, .handshakes = AT_ONCE},
                                        .random = draw,
                                        .transmit = transmit,
                                        .deliver = deliver,
                                        .changed = changed};
    const size_t size = copal_dtls_size(&config.limits);
    void *memory = calloc(1, size);
    if (!memory || copal_credentials_open(&credentials, &copal_dtls_openssl, &who, NULL, 0) != 0 ||
        copal_dtls_init(&dtls, memory, size, &config) != 0)
        fail("sessions: no filter");
}

static void open_socket(const char *port)
{
    const int on = 1, room = 1 << 22;
    const struct sockaddr_in any = {.sin_family = AF_INET};
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) != 0)
        fail("sessions: socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

int main(int argc, char **argv)
{
    if (argc != 7 || strlen(argv[2]) > 12) {
        fprintf(stderr, "usage: sessions PORT PATH COUNT SECONDS KEY SUITE, with a path of one segment of at most 12 octets\n");
        return 2;
    }
    count = (uint32_t)atoi(argv[3]);
    int64_t duration = (int64_t)(atof(argv[4]) * 1000);
    if (count < 1 || count > MOST || duration < 1) {
        fprintf(stderr, "sessions: 1 to %d sessions, some time\n", MOST);
        return 2;
    }
    const uint8_t start[] = {CON, GET, 0, 0, (uint8_t)(URI_PATH << 4 | strlen(argv[2]))};
    memcpy(request, start, sizeof start);
    memcpy(request + sizeof start, argv[2], strlen(argv[2]));
    request_size = sizeof start + strlen(argv[2]);
    open_socket(argv[1]);
    open_filter(argv[5]);
    offer(argv[6]);
    int64_t since = now_ms();
    shake_hands();
    printf("%u sessions in %lld ms\n", count, (long long)(now_ms() - since));
    fflush(stdout);
    if (getchar() == EOF)
        return 0;
    asking = true;
    for (uint32_t i = 0; i < count && i < OUTSTANDING; i++)
        ask_next();
    run_until(now_ms() + WARM_UP_MS);
    unsigned long before = answers;
    since = now_ms();
    run_until(since + duration);
    while (answers == before && now_ms() < since + 10 * PATIENCE_MS) /* a short time, on a busy machine */
        run_until(now_ms() + 10);
    double seconds = (double)(now_ms() - since) / 1000;
    printf("%.0f answers/s of %lu, %lu resent, %lu wrong\n", (double)(answers - before) / seconds, answers, resent, wrong);
    return wrong || answers == before;
}
