/* A time of day that jumps: hosts count by a clock that does not, and what OpenSSL makes of it ends in bounded time. */
#define _GNU_SOURCE 1
#include "host/secure.h"

#include <sys/time.h>
#include <time.h>

/* ---- a time of day that is the test's ---------------------------------------------------------------------- */

static time_t (*jump)(unsigned call); /* seconds that are added in that call; NULL: none */
static unsigned calls;

static void real_time(struct timespec *now)
{
    clock_gettime(CLOCK_MONOTONIC, now);
    now->tv_sec += 1700000000 + (jump ? jump(calls++) : 0);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    real_time(&precise);
    *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    real_time(&now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

static time_t back_and_forth(unsigned call)
{
    return (call * 7919u % 21u - 10u) * 3600;
}
static time_t back(unsigned call)
{
    return call > 2 ? -86400 : 0;
}
static time_t ahead(unsigned call)
{
    return call > 2 ? 86400 : 0;
}

static time_t (*const jumps[])(unsigned call) = {back_and_forth, back, ahead};
enum { JUMPS = sizeof jumps / sizeof *jumps };

/* ---- what is asked meanwhile --------------------------------------------------------------------------------- */

static int count_up(void **state)
{
    (void)state;
    jump = NULL;
    calls = 0;
    return 0;
}

static void requests_do_not_look_at_the_time_of_day(void **state)
{
    (void)state;
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    const copal_peer_t to = wire_peer("127.0.0.1", port);
    copal_answer_t answer;
    jump = back_and_forth;
    calls = 0;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &to, .path = copal_text("v")}, &answer), 0);
        assert_string_equal((char *)answer.payload, "hello");
        copal_answer_free(&answer);
    }
    copal_host_close(host);
    assert_int_equal(calls, 0);
}

static unsigned datagrams_at(int fd)
{
    uint8_t octets[2048];
    unsigned count = 0;
    while (recv(fd, octets, sizeof octets, MSG_DONTWAIT) >= 0)
        count++;
    return count;
}

/* A handshake with one that is silent ends by the host's own clock. */
static void a_handshake_that_nobody_answers_ends_however_the_time_of_day_jumps(void **state)
{
    (void)state;
    for (unsigned i = 0; i < JUMPS; i++) {
        copal_host_t *client = secure_client(&(copal_host_config_t){.client_dtls = {.handshake_timeout = 300}});
        copal_credentials_t *ours = client_key("key", "us");
        const int silent = wire_open("127.0.0.1");
        const copal_peer_t self = wire_self(silent);
        count_up(NULL);
        jump = jumps[i];
        const int status = get(client, ours, copal__peer_port(&self), "v", "");
        jump = NULL;
        assert_true(status == COPAL_ETIMEOUT || status == COPAL_EHANDSHAKE); /* the library's own count of its tries */
        assert_in_range(datagrams_at(silent), 1, 14);
        close(silent);
        copal_credentials_close(ours);
        copal_host_close(client);
    }
}

static void a_handshake_that_is_answered_succeeds_when_the_time_of_day_jumps_once(void **state)
{
    (void)state;
    for (unsigned i = 1; i < JUMPS; i++) {
        uint16_t port;
        copal_credentials_t *theirs = server_key("key"), *ours = client_key("key", "us");
        copal_host_t *server = secure_host(NULL, theirs, "127.0.0.1", &port), *client = secure_client(NULL);
        count_up(NULL);
        jump = jumps[i];
        assert_int_equal(get(client, ours, port, "v", "hello"), 0);
        jump = NULL;
        copal_host_close(client);
        copal_host_close(server);
        copal_credentials_close(ours);
        copal_credentials_close(theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(requests_do_not_look_at_the_time_of_day, count_up),
        cmocka_unit_test_setup(a_handshake_that_nobody_answers_ends_however_the_time_of_day_jumps, count_up),
        cmocka_unit_test_setup(a_handshake_that_is_answered_succeeds_when_the_time_of_day_jumps_once, count_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
