#define _GNU_SOURCE 1
#include "host/local.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    struct msghdr header;
    _Alignas(struct cmsghdr) uint8_t control[COPAL__CONTROL_SIZE];
} datagram_t;

static void add(datagram_t *d, int level, int type, const void *data, size_t size)
{
    struct cmsghdr head = {.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    uint8_t *at = d->control + d->header.msg_controllen;
    d->header.msg_control = d->control;
    d->header.msg_controllen += CMSG_SPACE(size);
    memcpy(at, &head, sizeof head);
    memcpy(at + CMSG_LEN(0), data, size);
}

static void add_ipv4(datagram_t *d, uint32_t asked, uint32_t own)
{
    struct in_pktinfo info = {.ipi_ifindex = 1, .ipi_addr = {htonl(asked)}, .ipi_spec_dst = {htonl(own)}};
    add(d, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

static void add_ipv6(datagram_t *d, const char *asked, unsigned interface)
{
    struct in6_pktinfo info = {.ipi6_ifindex = interface};
    assert_int_equal(inet_pton(AF_INET6, asked, &info.ipi6_addr), 1);
    add(d, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

static uint32_t find_ipv4(copal__locals_t *table, uint8_t socket, uint32_t asked, uint32_t own, bool *multicast)
{
    datagram_t d = {0};
    add_ipv4(&d, asked, own);
    return copal__local_find(table, socket, &d.header, multicast);
}

static uint32_t find_ipv6(copal__locals_t *table, const char *asked, unsigned interface, bool *multicast)
{
    datagram_t d = {0};
    add_ipv6(&d, asked, interface);
    return copal__local_find(table, 0, &d.header, multicast);
}

static void an_address_has_one_number_for_each_socket(void **state)
{
    copal__locals_t table = {0};
    bool multicast = false;
    (void)state;
    uint32_t a = find_ipv4(&table, 0, 1, 1, &multicast);
    uint32_t b = find_ipv4(&table, 0, 2, 2, &multicast);
    uint32_t c = find_ipv4(&table, 1, 1, 1, &multicast);
    assert_true(a && b && c && a != b && b != c && c != a);
    assert_int_equal(find_ipv4(&table, 0, 1, 1, &multicast), a);
    assert_int_equal(find_ipv4(&table, 0, 1, 1, &multicast), a);
    assert_int_equal(find_ipv4(&table, 0, 2, 2, &multicast), b);
    assert_int_equal(find_ipv4(&table, 1, 1, 1, &multicast), c);
    assert_false(multicast);
    assert_int_equal(table.count, 3);
}

static void the_interface_counts_where_the_address_needs_it(void **state)
{
    copal__locals_t table = {0};
    bool multicast = false;
    (void)state;
    assert_int_equal(find_ipv6(&table, "2001:db8::1", 1, &multicast), find_ipv6(&table, "2001:db8::1", 2, &multicast));
    assert_int_not_equal(find_ipv6(&table, "fe80::1", 1, &multicast), find_ipv6(&table, "fe80::1", 2, &multicast));
    assert_false(multicast);
    assert_int_not_equal(find_ipv6(&table, "ff02::fd", 1, &multicast), find_ipv6(&table, "ff02::fd", 2, &multicast));
    assert_true(multicast);
}

/* The answer leaves from the machine's own address, which the kernel tells beside the one that was asked. */
static void groups_and_broadcasts_are_multicast(void **state)
{
    copal__locals_t table = {0};
    bool multicast = false;
    (void)state;
    uint32_t own = find_ipv4(&table, 0, 0x0a000001, 0x0a000001, &multicast);
    uint32_t group = find_ipv4(&table, 0, 0xe00001bb, 0x0a000001, &multicast);
    assert_true(multicast);
    assert_int_not_equal(own, group);
    assert_int_equal(find_ipv4(&table, 0, 0x0a0000ff, 0x0a000001, &multicast), group);
    assert_true(multicast);
    find_ipv4(&table, 0, 0x0a000001, 0x0a000001, &multicast);
    assert_false(multicast);
}

/* An IPv6 socket that takes IPv4 tells both; the IPv4 part knows a broadcast address for what it is. */
static void the_ipv4_part_says_more(void **state)
{
    copal__locals_t table = {0};
    datagram_t d = {0};
    bool multicast = false;
    (void)state;
    add_ipv4(&d, 0x0a0000ff, 0x0a000001);
    add_ipv6(&d, "::ffff:10.0.0.255", 1);
    assert_int_not_equal(copal__local_find(&table, 0, &d.header, &multicast), 0);
    assert_true(multicast);
}

static void past_the_bound_the_kernel_chooses(void **state)
{
    copal__locals_t table = {0};
    bool multicast = false;
    (void)state;
    for (uint32_t i = 1; i <= COPAL__LOCALS; i++)
        assert_int_equal(find_ipv4(&table, 0, i, i, &multicast), i);
    assert_int_equal(find_ipv4(&table, 0, 100, 100, &multicast), 0);
    assert_int_equal(find_ipv4(&table, 0, 7, 7, &multicast), 7);
    assert_int_equal(find_ipv4(&table, 0, 255, 100, &multicast), 0);
    assert_true(multicast);
}

static void without_control_data_the_kernel_chooses(void **state)
{
    copal__locals_t table = {0};
    datagram_t d = {0};
    bool multicast = false;
    (void)state;
    assert_int_equal(copal__local_find(&table, 0, &d.header, &multicast), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_one_number_for_each_socket),
        cmocka_unit_test(the_interface_counts_where_the_address_needs_it),
        cmocka_unit_test(groups_and_broadcasts_are_multicast),
        cmocka_unit_test(the_ipv4_part_says_more),
        cmocka_unit_test(past_the_bound_the_kernel_chooses),
        cmocka_unit_test(without_control_data_the_kernel_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
