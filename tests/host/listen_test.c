/* Sockets that somebody else has bound, and servers whose credentials change. */
#include "secure.h"

#include <errno.h>

static copal_host_t *open_host(void)
{
    copal_host_t *host;
    assert_int_equal(copal_host_open(&host, &(copal_host_config_t){.workers = 1}), 0);
    return host;
}

static void a_socket_that_somebody_else_has_bound_is_served_and_closed_with_the_host(void **state)
{
    uint8_t out[64], in[256];
    copal_peer_t local;
    const int fd = wire_open("127.0.0.1"), peer = wire_open("127.0.0.1");
    const copal_peer_t self = wire_self(fd);
    const copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    copal_host_t *host = open_host();
    (void)state;
    assert_int_equal(copal_tree_add_value(copal_host_tree(host), "v", copal_text("hello"), &options, NULL), 0);
    assert_int_equal(copal_host_adopt(host, NULL, fd, &local), 0);
    assert_same_peer(&local, &self);
    assert_int_equal(copal_host_start(host), 0);
    wire_send(peer, &local, wire_get(out, sizeof out, 1, "v"));
    assert_bytes(wire_receive(peer, in, sizeof in, NULL).payload, "hello");
    copal_host_close(host);
    assert_int_equal(close(fd), -1);
    close(peer);
}

static void what_is_no_bound_datagram_socket_is_not_adopted(void **state)
{
    int pipes[2];
    copal_host_t *host = open_host();
    const int stream = socket(AF_INET, SOCK_STREAM, 0), free_one = socket(AF_INET, SOCK_DGRAM, 0);
    const int local = socket(AF_UNIX, SOCK_DGRAM, 0);
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(copal_host_adopt(host, NULL, stream, NULL), COPAL_EINVAL);
    assert_int_equal(copal_host_adopt(host, NULL, free_one, NULL), COPAL_EINVAL);
    assert_int_equal(copal_host_adopt(host, NULL, local, NULL), COPAL_EINVAL);
    assert_int_equal(copal_host_adopt(host, NULL, pipes[0], NULL), COPAL_EINVAL);
    copal_host_close(host);
    const int fds[] = {stream, free_one, local, pipes[0], pipes[1]};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        assert_int_equal(close(fds[i]), 0); /* still the caller's */
}

/* ---- credentials ------------------------------------------------------------------------------------ */

static void new_sessions_are_by_the_credentials_that_took_the_place_of_the_former(void **state)
{
    uint16_t port;
    copal_credentials_t *one = server_key("one"), *two = server_key("two");
    copal_credentials_t *by_one = client_key("one", "us"), *by_two = client_key("two", "us");
    copal_host_t *server = secure_host(NULL, one, "127.0.0.1", &port), *old = secure_client(NULL), *new = secure_client(NULL);
    copal_host_t *late = hasty_client();
    (void)state;
    assert_int_equal(get(old, by_one, port, "v", "hello"), 0);
    assert_int_equal(copal_host_replace_credentials(server, one, two), 0);
    copal_credentials_close(one);
    assert_int_equal(get(old, by_one, port, "v", "hello"), 0); /* the session stays */
    assert_int_equal(get(new, by_two, port, "v", "hello"), 0);
    assert_int_equal(get(late, by_one, port, "v", "hello"), COPAL_EHANDSHAKE);
    copal_host_close(late);
    copal_host_close(old);
    copal_host_close(new);
    copal_host_close(server);
    copal_credentials_close(two);
    copal_credentials_close(by_one);
    copal_credentials_close(by_two);
}

static void credentials_that_nothing_listens_with_and_those_of_a_client_are_refused(void **state)
{
    uint16_t port;
    copal_credentials_t *one = server_key("one"), *two = server_key("two"), *client = client_key("one", "us");
    copal_host_t *server = secure_host(NULL, one, "127.0.0.1", &port);
    (void)state;
    assert_int_equal(copal_host_replace_credentials(server, two, one), COPAL_ENOTFOUND);
    assert_int_equal(copal_host_replace_credentials(server, one, client), COPAL_EINVAL);
    copal_host_close(server);
    copal_credentials_close(one);
    copal_credentials_close(two);
    copal_credentials_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_that_somebody_else_has_bound_is_served_and_closed_with_the_host),
        cmocka_unit_test(what_is_no_bound_datagram_socket_is_not_adopted),
        cmocka_unit_test(new_sessions_are_by_the_credentials_that_took_the_place_of_the_former),
        cmocka_unit_test(credentials_that_nothing_listens_with_and_those_of_a_client_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
