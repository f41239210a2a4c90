#include "copal/host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static copal_host_config_t scaled(size_t memory)
{
    copal_host_config_t config = {.memory = memory};
    assert_int_equal(copal_host_scale(&config), 0);
    return config;
}

static size_t core_size(const copal_host_config_t *config)
{
    return copal_endpoint_size(&config->server) + copal_endpoint_size(&config->client) + copal_tree_size(&config->tree);
}

static void the_memory_is_used_and_suffices(void **state)
{
    (void)state;
    for (size_t memory = 64 * KIB; memory <= 4096 * MIB; memory *= 2) {
        copal_host_config_t config = scaled(memory);
        assert_true(core_size(&config) < memory);
        assert_true(memory < 256 * KIB || core_size(&config) > memory / 4 * 3);
    }
}

static void the_default_has_room_for_100000_observers_though_none_is_proven(void **state)
{
    copal_host_config_t config = scaled(0);
    (void)state;
    assert_true(config.server.observers - config.server.observers / 4 >= 100000);
    assert_true(config.server.observed >= config.tree.resources);
    assert_true(config.server.notifications >= 1000);
    assert_true(config.client.observers == 1);
}

/* Clients whose message IDs count up make 64 requests an entry (RFC 7252 section 4.5), kept for EXCHANGE_LIFETIME, 247 s. */
static void a_host_of_256_mib_remembers_140000_posts_a_second(void **state)
{
    const copal_host_config_t config = scaled(256 * MIB);
    (void)state;
    assert_true(config.server.remembered * (uint64_t)64 >= (uint64_t)140000 * 247);
    assert_true(scaled(0).server.remembered >= 500 * 247); /* of as many peers */
}

static void every_bound_grows_with_the_memory(void **state)
{
    copal_host_config_t least = scaled(64 * KIB);
    (void)state;
    for (size_t memory = 128 * KIB; memory > 0; memory *= 2) {
        copal_host_config_t more = scaled(memory);
        assert_true(more.server.deferred >= least.server.deferred);
        assert_true(more.server.observers >= least.server.observers);
        assert_true(more.server.observed >= least.server.observed);
        assert_true(more.server.notifications >= least.server.notifications);
        assert_true(more.server.networks >= least.server.networks);
        assert_true(more.server.remembered >= least.server.remembered);
        assert_true(more.server.remembered_bytes >= least.server.remembered_bytes);
        assert_true(more.server.proven >= least.server.proven);
        assert_true(more.server.rests >= least.server.rests);
        assert_true(more.server.rest_size >= least.server.rest_size);
        assert_true(more.server.observers >= least.server.observers);
        assert_true(more.server.observed >= least.server.observed);
        assert_true(more.server.notifications >= least.server.notifications);
        assert_true(more.client.requests >= least.client.requests);
        assert_true(more.tree.resources >= least.tree.resources);
        assert_true(more.tree.value_size >= least.tree.value_size);
        assert_true(more.tree.arena >= least.tree.arena);
        least = more;
    }
}

static void the_default_serves_a_small_host(void **state)
{
    copal_host_config_t config = scaled(0);
    (void)state;
    assert_int_equal(config.memory, 64 * MIB);
    assert_true(config.server.deferred >= 2000);
    assert_true(config.server.observers >= 20000);
    assert_true(config.server.observed >= 2000);
    assert_true(config.client.requests >= 1000);
    assert_true(config.tree.resources >= 5000);
    assert_int_equal(config.tree.value_size, MIB);
    assert_int_equal(scaled(16 * MIB).tree.value_size, MIB);
}

static void sessions_grow_with_the_memory_to_10000_in_the_default(void **state)
{
    copal_host_config_t least = {.memory = 128 * KIB, .dtls = &copal_dtls_openssl};
    (void)state;
    assert_int_equal(copal_host_scale(&least), 0);
    for (size_t memory = 256 * KIB; memory <= 1024 * MIB; memory *= 2) {
        copal_host_config_t more = {.memory = memory, .dtls = &copal_dtls_openssl};
        assert_int_equal(copal_host_scale(&more), 0);
        assert_true(more.server_dtls.sessions > least.server_dtls.sessions);
        assert_true(more.server_dtls.handshakes >= least.server_dtls.handshakes);
        assert_true(more.client_dtls.sessions >= least.client_dtls.sessions);
        assert_true(core_size(&more) + copal_dtls_size(&more.server_dtls) + copal_dtls_size(&more.client_dtls) < memory);
        if (memory == 64 * MIB) {
            assert_true(more.server_dtls.sessions >= 10000);
            assert_true(more.server_dtls.handshakes >= 64);
        }
        least = more;
    }
}

static void below_64_kib_there_is_no_host(void **state)
{
    copal_host_config_t config = {.memory = 64 * KIB - 1};
    copal_host_t *host;
    (void)state;
    assert_int_equal(copal_host_scale(&config), COPAL_EINVAL);
    assert_int_equal(copal_host_open(&host, &config), COPAL_EINVAL);
    config.memory++;
    assert_int_equal(copal_host_open(&host, &config), 0);
    copal_host_close(host);
}

static void limits_that_were_given_stay_and_the_rest_makes_room(void **state)
{
    copal_host_config_t plain = scaled(MIB);
    copal_host_config_t config = {.memory = MIB, .server.deferred = 300, .client.counters = 1, .tree.value_size = 77};
    (void)state;
    assert_int_equal(copal_host_scale(&config), 0);
    assert_int_equal(config.server.deferred, 300);
    assert_int_equal(config.client.counters, 1);
    assert_int_equal(config.tree.value_size, 77);
    assert_true(config.server.remembered < plain.server.remembered);
    assert_true(core_size(&config) < MIB);
}

static void what_was_scaled_once_is_scaled(void **state)
{
    copal_host_config_t config = scaled(4 * MIB), again = config;
    (void)state;
    assert_int_equal(copal_host_scale(&again), 0);
    assert_memory_equal(&config, &again, sizeof config);
}

static void limits_that_do_not_fit_into_the_memory_are_refused(void **state)
{
    copal_host_config_t config = {.memory = MIB, .server.deferred = 2000};
    (void)state;
    assert_int_equal(copal_host_scale(&config), COPAL_EINVAL);
    config.memory = 8 * MIB;
    assert_int_equal(copal_host_scale(&config), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_memory_is_used_and_suffices),
        cmocka_unit_test(the_default_has_room_for_100000_observers_though_none_is_proven),
        cmocka_unit_test(a_host_of_256_mib_remembers_140000_posts_a_second),
        cmocka_unit_test(every_bound_grows_with_the_memory),
        cmocka_unit_test(the_default_serves_a_small_host),
        cmocka_unit_test(sessions_grow_with_the_memory_to_10000_in_the_default),
        cmocka_unit_test(below_64_kib_there_is_no_host),
        cmocka_unit_test(limits_that_were_given_stay_and_the_rest_makes_room),
        cmocka_unit_test(what_was_scaled_once_is_scaled),
        cmocka_unit_test(limits_that_do_not_fit_into_the_memory_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
