#define _GNU_SOURCE 1
#include "host/batch.h"
#include "wire.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* ---- a kernel that may refuse to join ------------------------------------------------------------------ */

/* What a joined message fails with; 0: nothing. How many messages the kernel took, and how many of them were joined. */
static int refusal;
static unsigned messages, joined;

static bool is_joined(const struct msghdr *header)
{
    struct msghdr *h = (struct msghdr *)(uintptr_t)header; /* CMSG_NXTHDR takes no const */
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
            return true;
    return false;
}

static void note(const struct msghdr *header)
{
    messages++;
    joined += is_joined(header);
}

/* These stand before the C library's. */
int sendmmsg(int fd, struct mmsghdr *slots, unsigned count, int flags)
{
    unsigned fit = 0;
    while (fit < count && !(refusal && is_joined(&slots[fit].msg_hdr)))
        note(&slots[fit++].msg_hdr);
    if (fit > 0)
        return (int)syscall(SYS_sendmmsg, fd, slots, fit, flags);
    errno = refusal;
    return -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    note(message);
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* ---- a batch -------------------------------------------------------------------------------------------- */

enum { LARGEST = 1400 };

typedef struct {
    copal__slot_t slots[COPAL__BATCH];
    copal__place_t places[COPAL__BATCH];
    uint8_t octets[COPAL__BATCH][LARGEST];
    unsigned count;
} out_t;

static void add(out_t *out, const copal_peer_t *to, size_t size)
{
    const unsigned i = out->count++;
    copal__place_t *place = &out->places[i];
    memset(out->octets[i], (int)i, size);
    place->vector = (struct iovec){out->octets[i], size};
    out->slots[i].header = (struct msghdr){.msg_name = &place->address, .msg_iov = &place->vector, .msg_iovlen = 1};
    out->slots[i].header.msg_namelen = copal__address_from_peer(&place->address, to, copal__peer_family(to));
}

static void send_all(int fd, bool *joins, out_t *out)
{
    for (unsigned at = 0; at < out->count;) {
        const int sent = copal__udp_send(fd, joins, out->slots + at, out->count - at);
        assert_true(sent > 0);
        at += (unsigned)sent;
    }
}

/* The next datagram is that of this number, to the octet. */
static void expect(int fd, const out_t *out, unsigned number)
{
    uint8_t got[2 * LARGEST];
    assert_int_equal(recv(fd, got, sizeof got, 0), out->places[number].vector.iov_len);
    assert_memory_equal(got, out->octets[number], out->places[number].vector.iov_len);
}

static const size_t sizes[] = {29, 29, 29, 12, 12, 40, 40, 40, 39, 1, 1, 0, 0, 7, LARGEST, LARGEST, LARGEST, 29, 29};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Datagrams of many sizes to one peer, and every fifth to another. */
static void send_mixture(bool *joins, int from, int one, int other)
{
    static out_t out;
    const copal_peer_t to = wire_self(one), elsewhere = wire_self(other);
    out.count = messages = joined = 0;
    for (unsigned i = 0; i < COPAL__BATCH; i++)
        add(&out, i % 5 == 4 ? &elsewhere : &to, sizes[i % SIZES]);
    send_all(from, joins, &out);
    for (unsigned i = 0; i < COPAL__BATCH; i++)
        expect(i % 5 == 4 ? other : one, &out, i);
}

static void a_batch_arrives_to_the_octet_and_in_order(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (unsigned i = 0; i < 2; i++) {
        bool joins = copal__udp_joins;
        const int from = wire_open(addresses[i]), one = wire_open(addresses[i]), other = wire_open(addresses[i]);
        send_mixture(&joins, from, one, other);
        assert_int_equal(joins, copal__udp_joins);
        assert_int_equal(joined > 0, copal__udp_joins);
        close(from), close(one), close(other);
    }
}

/* 64 of 1,400 octets are more than an IP packet holds. */
static void as_many_go_as_one_as_an_ip_packet_holds(void **state)
{
    (void)state;
    static out_t out;
    bool joins = copal__udp_joins;
    const int from = wire_open("127.0.0.1"), one = wire_open("127.0.0.1"), room = 1 << 20;
    const copal_peer_t to = wire_self(one);
    assert_int_equal(setsockopt(one, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    out.count = messages = 0;
    for (unsigned i = 0; i < COPAL__BATCH; i++)
        add(&out, &to, LARGEST);
    send_all(from, &joins, &out);
    assert_int_equal(messages, copal__udp_joins ? 2 : COPAL__BATCH);
    for (unsigned i = 0; i < COPAL__BATCH; i++)
        expect(one, &out, i);
    close(from), close(one);
}

/* ---- refusals --------------------------------------------------------------------------------------------- */

static void whatever_the_kernel_refuses_to_join_is_sent_apart_for_good(void **state)
{
    (void)state;
    static const int reasons[] = {EINVAL, EIO, EOPNOTSUPP, EMSGSIZE};
    for (unsigned i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        bool joins = copal__udp_joins;
        const int from = wire_open("127.0.0.1"), one = wire_open("127.0.0.1"), other = wire_open("127.0.0.1");
        refusal = reasons[i];
        send_mixture(&joins, from, one, other);
        refusal = 0;
        assert_false(joins);
        assert_int_equal(messages, COPAL__BATCH);
        send_mixture(&joins, from, one, other);
        assert_int_equal(messages, COPAL__BATCH);
        close(from), close(one), close(other);
    }
}

/* Nothing can be sent to port 0, joined or not. Whoever asks with a forged one must not make it slower for others. */
static void what_cannot_be_sent_apart_either_is_no_refusal_to_join(void **state)
{
    (void)state;
    static out_t out;
    bool joins = copal__udp_joins;
    const int from = wire_open("127.0.0.1");
    const copal_peer_t nobody = wire_peer("127.0.0.1", 0);
    out.count = 0;
    add(&out, &nobody, 20);
    add(&out, &nobody, 20);
    assert_int_equal(copal__udp_send(from, &joins, out.slots, out.count), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(joins, copal__udp_joins);
    close(from);
}

/* A burst, as it is answered by a host. */
static void answers_to_a_burst_arrive_though_the_kernel_refuses_to_join(void **state)
{
    (void)state;
    uint8_t buffer[64];
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    const copal_peer_t to = wire_peer("127.0.0.1", port);
    const int fd = wire_open("127.0.0.1");
    for (int round = 0; round < 3; round++) {
        refusal = round == 1 ? EIO : 0;
        for (uint16_t id = 1; id <= COPAL__BATCH; id++)
            wire_send(fd, &to, wire_get(buffer, sizeof buffer, id, "v"));
        messages = joined = 0;
        assert_int_equal(copal_host_step(host, -1), 0);
        assert_int_equal(joined > 0, copal__udp_joins && round == 0);
        for (uint16_t id = 1; id <= COPAL__BATCH; id++) {
            const copal_message_t answer = wire_receive(fd, buffer, sizeof buffer, NULL);
            assert_int_equal(answer.id, id);
            assert_int_equal(answer.type, COPAL_ACK);
            assert_bytes(answer.token, "t");
            assert_bytes(answer.payload, "hello");
        }
    }
    refusal = 0;
    close(fd);
    copal_host_close(host);
}

/* In a network of its own, whose one interface carries 600 octets: the last test, since there is no way back. */
static void an_interface_with_a_small_mtu_loses_nothing(void **state)
{
    (void)state;
    struct ifreq lo = {.ifr_name = "lo"};
    bool joins = copal__udp_joins;
    assert_true(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
    const int from = copal__udp_open(AF_INET, false);
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    assert_int_equal(ioctl(from, SIOCSIFFLAGS, &lo), 0);
    lo.ifr_mtu = 600;
    assert_int_equal(ioctl(from, SIOCSIFMTU, &lo), 0);
    const int one = wire_open("127.0.0.1"), other = wire_open("127.0.0.1");
    send_mixture(&joins, from, one, other);
    assert_false(joins);
    close(from), close(one), close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_arrives_to_the_octet_and_in_order),
        cmocka_unit_test(as_many_go_as_one_as_an_ip_packet_holds),
        cmocka_unit_test(whatever_the_kernel_refuses_to_join_is_sent_apart_for_good),
        cmocka_unit_test(what_cannot_be_sent_apart_either_is_no_refusal_to_join),
        cmocka_unit_test(answers_to_a_burst_arrive_though_the_kernel_refuses_to_join),
        cmocka_unit_test(an_interface_with_a_small_mtu_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
