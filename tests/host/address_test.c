#define _GNU_SOURCE 1
#include "wire.h"

#include <arpa/inet.h>

static void a_peer_survives_the_way_through_a_socket_address(void **state)
{
    static const struct {
        const char *text;
        int family;
    } ways[] = {{"192.0.2.7", AF_INET},
                {"192.0.2.7", AF_INET6},
                {"2001:db8::1", AF_INET6},
                {"fe80::1%1", AF_INET6},
                {"ff02::fd%1", AF_INET6}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        copal_peer_t there = wire_peer(ways[i].text, 5684), back;
        copal__address_t address;
        assert_true(copal__address_from_peer(&address, &there, ways[i].family) > 0);
        assert_int_equal(address.any.sa_family, ways[i].family);
        copal__address_to_peer(&address, &back);
        assert_same_peer(&there, &back);
        assert_int_equal(copal__peer_port(&back), 5684);
    }
}

static void an_ipv4_socket_reaches_no_ipv6_peer(void **state)
{
    copal__address_t address;
    copal_peer_t peer = wire_peer("2001:db8::1", 1), none = {.size = 5};
    (void)state;
    assert_int_equal(copal__address_from_peer(&address, &peer, AF_INET), 0);
    assert_int_equal(copal__address_from_peer(&address, &none, AF_INET), 0);
    assert_int_equal(copal__address_from_peer(&address, &none, AF_INET6), 0);
}

/* An interface's number that some systems give for global addresses, too, would make two peers of one. */
static void only_a_link_local_address_has_a_scope(void **state)
{
    copal__address_t address = {.v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3}};
    copal_peer_t peer;
    (void)state;
    inet_pton(AF_INET6, "2001:db8::1", &address.v6.sin6_addr);
    copal__address_to_peer(&address, &peer);
    assert_int_equal(peer.size, COPAL__PEER_IPV6);
    inet_pton(AF_INET6, "fe80::1", &address.v6.sin6_addr);
    copal__address_to_peer(&address, &peer);
    assert_int_equal(peer.size, COPAL__PEER_SCOPED);
}

static bool is_any(const char *text)
{
    copal_peer_t peer = wire_peer(text, 9);
    return copal__peer_is_any(&peer);
}

static bool is_multicast(const char *text)
{
    copal_peer_t peer = wire_peer(text, 9);
    return copal_peer_is_group(&peer);
}

static void any_and_groups_are_told_apart(void **state)
{
    (void)state;
    assert_true(is_any("::") && is_any("0.0.0.0") && is_any("::ffff:0.0.0.0"));
    assert_false(is_any("::1") || is_any("0.0.0.1"));
    assert_true(is_multicast("224.0.1.187") && is_multicast("239.255.255.255") && is_multicast("ff02::fd%1"));
    assert_false(is_multicast("223.255.255.255") || is_multicast("240.0.0.1") || is_multicast("fe80::1%1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_survives_the_way_through_a_socket_address),
        cmocka_unit_test(an_ipv4_socket_reaches_no_ipv6_peer),
        cmocka_unit_test(only_a_link_local_address_has_a_scope),
        cmocka_unit_test(any_and_groups_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
