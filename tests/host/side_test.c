#define _GNU_SOURCE 1
#include "wire.h"

#include <errno.h>
#include <sys/syscall.h>

/* ---- a kernel that fails as it is told ---------------------------------------------------------------- */

/* What the next calls fail with, up to a 0. These functions stand before the C library's. */
static int send_errors[8], receive_errors[8];

static bool fails(int *errors)
{
    if (errors[0] == 0)
        return false;
    errno = errors[0];
    memmove(errors, errors + 1, 7 * sizeof *errors);
    return true;
}

int sendmmsg(int fd, struct mmsghdr *slots, unsigned count, int flags)
{
    return fails(send_errors) ? -1 : (int)syscall(SYS_sendmmsg, fd, slots, count, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return fails(send_errors) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}

int recvmmsg(int fd, struct mmsghdr *slots, unsigned count, int flags, struct timespec *timeout)
{
    return fails(receive_errors) ? -1 : (int)syscall(SYS_recvmmsg, fd, slots, count, flags, timeout);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return fails(receive_errors) ? -1 : syscall(SYS_recvmsg, fd, message, flags);
}

/* ---- batches ------------------------------------------------------------------------------------------ */

enum { BATCH = 10 };

/* Ten requests are there when the host takes a turn, in which the given errors happen. Counts the answers up to that
 * to a last request, which meets no error. */
static int answers_with(const int *sending, const int *receiving)
{
    uint8_t buffer[64];
    uint16_t port;
    int count = 0;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    int fd = wire_open("127.0.0.1");
    for (uint16_t id = 1; id <= BATCH; id++)
        wire_send(fd, &to, wire_get(buffer, sizeof buffer, id, "v"));
    memcpy(send_errors, sending, sizeof send_errors);
    memcpy(receive_errors, receiving, sizeof receive_errors);
    while (receive_errors[0] || send_errors[0])
        assert_int_equal(copal_host_step(host, -1), 0);
    assert_int_equal(copal_host_step(host, 0), 0);
    wire_send(fd, &to, wire_get(buffer, sizeof buffer, 99, "v"));
    assert_int_equal(copal_host_step(host, -1), 0);
    while (true) {
        uint16_t id = wire_receive(fd, buffer, sizeof buffer, NULL).id;
        if (id == 99)
            break;
        assert_in_range(id, 1, BATCH);
        count++;
    }
    close(fd);
    copal_host_close(host);
    return count;
}

static const int none[8];

static void an_error_that_passes_costs_nothing(void **state)
{
    static const int passing[][8] = {
        {0}, {EINTR, EINTR}, {EAGAIN}, {ECONNREFUSED}, {EHOSTUNREACH}, {EINTR, EAGAIN, EPERM}};
    (void)state;
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        assert_int_equal(answers_with(passing[i], none), BATCH);
}

static void an_error_that_stays_costs_one_datagram_and_not_the_batch(void **state)
{
    static const int staying[][8] = {{EAGAIN, EAGAIN}, {ENOBUFS, ENOBUFS}, {EPERM, EPERM}, {EACCES, EINTR, EACCES}};
    (void)state;
    for (size_t i = 0; i < sizeof staying / sizeof *staying; i++)
        assert_int_equal(answers_with(staying[i], none), BATCH - 1);
    assert_int_equal(answers_with((int[8]){EPERM, EPERM, EPERM, EPERM, EAGAIN, EAGAIN}, none), BATCH - 3);
}

static void an_error_in_receiving_costs_nothing(void **state)
{
    static const int errors[][8] = {{EINTR}, {EAGAIN}, {ECONNREFUSED, ENETDOWN}, {ENOMEM}};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_int_equal(answers_with(none, errors[i]), BATCH);
}

/* Answers to two sockets of the host, mixed, are sent in runs. */
static void each_answer_leaves_by_the_socket_that_was_asked(void **state)
{
    uint8_t buffer[64];
    uint16_t ports[2];
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &ports[0]);
    copal_peer_t from;
    int fd = wire_open("127.0.0.1");
    (void)state;
    assert_int_equal(copal_host_listen(host, "127.0.0.1", 0, &ports[1]), 0);
    for (uint16_t id = 0; id < BATCH; id++) {
        copal_peer_t to = wire_peer("127.0.0.1", ports[id / 3 % 2]);
        wire_send(fd, &to, wire_get(buffer, sizeof buffer, id, "v"));
    }
    assert_int_equal(copal_host_step(host, -1), 0);
    for (int i = 0; i < BATCH; i++) {
        uint16_t id = wire_receive(fd, buffer, sizeof buffer, &from).id;
        assert_int_equal(copal__peer_port(&from), ports[id / 3 % 2]);
    }
    close(fd);
    copal_host_close(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_that_passes_costs_nothing),
        cmocka_unit_test(an_error_that_stays_costs_one_datagram_and_not_the_batch),
        cmocka_unit_test(an_error_in_receiving_costs_nothing),
        cmocka_unit_test(each_answer_leaves_by_the_socket_that_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
