/* System calls that fail for a while or for good: what was asked for gets through or ends with an error, nothing
 * spins, and all goes on when the system does. */
#define _GNU_SOURCE 1
#include "descriptors.h"
#include "copal/counters.h"
#include "host/wire.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>

/* ---- a kernel that fails as it is told, in the thread under test ------------------------------------------------ */

static _Thread_local struct {
    int error;      /* of sending */
    unsigned times; /* that it does */
    unsigned sends, polls;
    bool threadless; /* the next thread does not come to be */
} kernel;

static bool sending_fails(void)
{
    kernel.sends++;
    if (kernel.times == 0)
        return false;
    kernel.times--;
    errno = kernel.error;
    return true;
}

int sendmmsg(int fd, struct mmsghdr *slots, unsigned count, int flags)
{
    return sending_fails() ? -1 : (int)syscall(SYS_sendmmsg, fd, slots, count, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return sending_fails() ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    const struct timespec time = {.tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000};
    kernel.polls++;
    return (int)syscall(SYS_ppoll, fds, count, timeout < 0 ? NULL : &time, NULL, 0);
}

/* ---- a server, and clients ------------------------------------------------------------------------------- */

enum { RETRANSMISSIONS = 3 };

static copal_host_t *server, *client;
static copal_peer_t to;

static int open_both(uint32_t retransmissions)
{
    uint16_t port;
    const copal_host_config_t config = {.timing = {.ack_timeout = 50, .max_retransmit = retransmissions}};
    server = wire_host(NULL, "127.0.0.1", &port);
    to = wire_peer("127.0.0.1", port);
    assert_int_equal(copal_host_start(server), 0);
    assert_int_equal(copal_host_open(&client, &config), 0);
    memset(&kernel, 0, sizeof kernel);
    return 0;
}

/* A client that waits for the busiest machine. */
static int patient_open(void **state)
{
    (void)state;
    return open_both(12);
}

static int hasty_open(void **state)
{
    (void)state;
    return open_both(RETRANSMISSIONS);
}

static int both_close(void **state)
{
    (void)state;
    copal_host_close(client);
    copal_host_close(server);
    return 0;
}

static int get(void)
{
    copal_answer_t answer;
    const int status = copal_host_ask(client, &(copal_ask_t){.to = &to, .path = copal_text("v")}, &answer);
    const int reason = errno;
    if (status == 0)
        assert_string_equal((char *)answer.payload, "hello");
    copal_answer_free(&answer);
    errno = reason;
    return status;
}

/* ---- sending --------------------------------------------------------------------------------------------- */

/* Each transmission is tried twice: an error may be that of an earlier datagram. */
static void rfc7252_4_2_what_the_machine_has_no_room_for_is_sent_again(void **state)
{
    (void)state;
    static const int errors[] = {ENOBUFS, EAGAIN, ENOMEM};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        kernel.error = errors[i];
        kernel.times = 2 * RETRANSMISSIONS;
        assert_int_equal(get(), 0);
        assert_int_equal(kernel.times, 0);
    }
}

static void no_room_for_ever_is_a_timeout_and_nothing_spins(void **state)
{
    (void)state;
    static const int errors[] = {ENOBUFS, EAGAIN, ENOMEM};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        kernel.error = errors[i];
        kernel.times = UINT_MAX;
        kernel.sends = kernel.polls = 0;
        assert_int_equal(get(), COPAL_ETIMEOUT);
        assert_in_range(kernel.sends, RETRANSMISSIONS + 1, 2 * (RETRANSMISSIONS + 1));
        assert_in_range(kernel.polls, RETRANSMISSIONS + 1, 4 * (RETRANSMISSIONS + 1)); /* to sleep, and for room */
    }
}

static void what_the_machine_refuses_ends_at_once(void **state)
{
    (void)state;
    static const int errors[] = {EPERM, EACCES, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EMSGSIZE, EINVAL};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        kernel.error = errors[i];
        kernel.times = UINT_MAX;
        kernel.sends = 0;
        assert_int_equal(get(), COPAL_EUNREACHABLE);
        assert_int_equal(kernel.sends, 2);
        kernel.times = 0;
        assert_int_equal(get(), 0);
    }
}

/* ---- threads ----------------------------------------------------------------------------------------------- */

static pthread_t asker;
static int asked;

static void *ask(void *context)
{
    (void)context;
    asked = get();
    return NULL;
}

typedef int create_t(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *context);

/* Before it fails, somebody has begun to wait for that thread: who asks has the lock until he does. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *context)
{
    create_t *create;
    copal_host_counters_t counters = {0};
    *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    if (!kernel.threadless)
        return create(thread, attributes, work, context);
    kernel.threadless = false;
    assert_int_equal(create(&asker, NULL, ask, NULL), 0);
    while (counters.requests == 0)
        copal_host_counters(client, &counters);
    return EAGAIN;
}

static void who_waits_for_a_thread_that_does_not_come_goes_on_without(void **state)
{
    (void)state;
    kernel.threadless = true;
    assert_int_equal(copal_host_start(client), COPAL_ESYSTEM);
    assert_int_equal(errno, EAGAIN);
    pthread_join(asker, NULL);
    assert_int_equal(asked, 0);
    assert_int_equal(copal_host_start(client), 0);
    assert_int_equal(get(), 0);
}

/* ---- descriptors ----------------------------------------------------------------------------------------- */

static void a_client_without_descriptors_says_so_and_asks_when_there_are_some(void **state)
{
    (void)state;
    const unsigned before = descriptors();
    run_out(0);
    errno = 0;
    assert_int_equal(get(), COPAL_ESYSTEM);
    assert_int_equal(errno, EMFILE);
    have_enough();
    assert_int_equal(descriptors(), before);
    assert_int_equal(get(), 0);
}

/* A client that has its socket needs no more. */
static void a_client_that_has_asked_goes_on_without_descriptors(void **state)
{
    (void)state;
    assert_int_equal(get(), 0);
    run_out(0);
    const int status = get();
    have_enough();
    assert_int_equal(status, 0);
}

static int open_and_listen(copal_host_t **host)
{
    int status = copal_host_open(host, NULL);
    if (status < 0)
        return status;
    status = copal_host_listen(*host, "127.0.0.1", 0, NULL);
    if (status == 0)
        status = copal_host_discoverable(*host);
    const int reason = errno;
    if (status < 0)
        copal_host_close(*host);
    errno = reason;
    return status;
}

static void a_server_without_descriptors_does_not_begin_and_leaves_none_open(void **state)
{
    (void)state;
    copal_host_t *host;
    const unsigned before = descriptors();
    assert_int_equal(open_and_listen(&host), 0);
    const unsigned needed = descriptors() - before;
    copal_host_close(host);
    for (unsigned spare = 0; spare < needed; spare++) {
        run_out(spare);
        errno = 0;
        const int status = open_and_listen(&host), reason = errno;
        have_enough();
        assert_int_equal(status, COPAL_ESYSTEM);
        assert_int_equal(reason, EMFILE);
        assert_int_equal(descriptors(), before);
    }
}

#define patient_test(name) cmocka_unit_test_setup_teardown(name, patient_open, both_close)
#define hasty_test(name)   cmocka_unit_test_setup_teardown(name, hasty_open, both_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        patient_test(rfc7252_4_2_what_the_machine_has_no_room_for_is_sent_again),
        hasty_test(no_room_for_ever_is_a_timeout_and_nothing_spins),
        patient_test(what_the_machine_refuses_ends_at_once),
        patient_test(who_waits_for_a_thread_that_does_not_come_goes_on_without),
        patient_test(a_client_without_descriptors_says_so_and_asks_when_there_are_some),
        patient_test(a_client_that_has_asked_goes_on_without_descriptors),
        patient_test(a_server_without_descriptors_does_not_begin_and_leaves_none_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
