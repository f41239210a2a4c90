#define _GNU_SOURCE 1
#include "wire.h"

#include <net/if.h>
#include <stdio.h>

static void assert_text(const char *given, const char *expected, uint8_t size)
{
    copal_peer_t peer;
    char text[64];
    uint16_t port;
    assert_int_equal(copal_peer_from_text(&peer, given, 5683, false), 0);
    assert_int_equal(peer.size, size);
    copal_peer_to_text(&peer, text, sizeof text, &port);
    assert_string_equal(text, expected);
    assert_int_equal(port, 5683);
}

static void literal_addresses_become_peers_and_text_again(void **state)
{
    (void)state;
    assert_text("192.0.2.7", "192.0.2.7", COPAL__PEER_IPV4);
    assert_text("2001:DB8:0:0::1", "2001:db8::1", COPAL__PEER_IPV6);
    assert_text("::", "::", COPAL__PEER_IPV6);
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    (void)state;
    assert_text("::ffff:192.0.2.7", "192.0.2.7", COPAL__PEER_IPV4);
    copal_peer_t a = wire_peer("::ffff:192.0.2.7", 1), b = wire_peer("192.0.2.7", 1);
    assert_same_peer(&a, &b);
}

static void a_link_local_address_keeps_its_scope(void **state)
{
    (void)state;
    char name[IF_NAMESIZE], given[64];
    assert_non_null(if_indextoname(1, name));
    snprintf(given, sizeof given, "fe80::1%%%s", name);
    assert_text(given, given, COPAL__PEER_SCOPED);
    copal_peer_t a = wire_peer(given, 1), b = wire_peer("fe80::1%1", 1), c = wire_peer("fe80::1%4000000", 1);
    assert_same_peer(&a, &b);
    assert_memory_not_equal(a.data, c.data, a.size);
    assert_text("fe80::1%4000000", "fe80::1%4000000", COPAL__PEER_SCOPED);
}

static void what_is_no_literal_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "127.1",
        "1.2.3.4.5",
        "1.2.3.256",
        " 1.2.3.4",
        "::1 ",
        "[::1]",
        "localhost",
        "1:2:3:4:5:6:7:8:9",
        "fe80::1%",
        "fe80::1%no-such-interface",
        "fe80::1%0",
        "fe80::1%-1",
        "fe80::1%99999999999999999999",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd",
    };
    copal_peer_t peer;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(copal_peer_from_text(&peer, bad[i], 1, false), COPAL_EINVAL);
}

static void a_host_name_is_looked_up(void **state)
{
    copal_peer_t peer;
    char text[64];
    uint16_t port;
    (void)state;
    assert_int_equal(copal_peer_from_text(&peer, "localhost", 61616, true), 0);
    copal_peer_to_text(&peer, text, sizeof text, &port);
    assert_true(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
    assert_int_equal(port, 61616);
}

/* A label over 63 octets can be no name, so nobody is asked about it (RFC 1035 section 2.3.4). */
static void a_name_without_an_address_is_an_error_of_its_own(void **state)
{
    char name[80];
    copal_peer_t peer;
    (void)state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = 0;
    assert_int_equal(copal_peer_from_text(&peer, name, 1, true), COPAL_ERESOLVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_become_peers_and_text_again),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(a_link_local_address_keeps_its_scope),
        cmocka_unit_test(what_is_no_literal_address_is_refused),
        cmocka_unit_test(a_host_name_is_looked_up),
        cmocka_unit_test(a_name_without_an_address_is_an_error_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
