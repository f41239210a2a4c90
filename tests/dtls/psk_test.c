#include "pair.h"

/* Handshakes with pre-shared keys (RFC 4279), each backend with each. */

#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define KEY TEXT("a\0key with a NUL")

static const copal_credentials_config_t client_config = {.key = KEY, .identity = TEXT("sensor")};
static const copal_credentials_config_t server_config = {.server = true, .key = KEY};

static const named_suite_t suites[] = {
    {{0xccac}, "ECDHE-PSK-CHACHA20-POLY1305"}, {{0xc0a8}, "PSK-AES128-CCM8"},       {{0xc0a4}, "PSK-AES128-CCM"},
    {{0x00a8}, "PSK-AES128-GCM-SHA256"},       {{0xccab}, "PSK-CHACHA20-POLY1305"},
};

static void both_ends_agree_on_keys_with_each_suite(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (unsigned i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        pair_t pair;
        pair_make(&pair, client, &client_config, server, &server_config);
        only_suite(&pair.ends[CLIENT], &suites[i]);
        pair_shake(&pair, "host.example");
        check_agreement(&pair);
        check_equal(pair.ends[CLIENT].keys.suite->number, suites[i].numbers[0]);
        pair_free(&pair);
    }
}

static void two_handshakes_have_nothing_of_their_keys_in_common(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    {
        copal__keys_t keys[2];
        for (int i = 0; i < 2; i++) {
            pair_t pair;
            pair_make(&pair, client, &client_config, server, &server_config);
            pair_shake(&pair, "host.example");
            check_agreement(&pair);
            keys[i] = pair.ends[CLIENT].keys;
            pair_free(&pair);
        }
        check(memcmp(keys[0].client_key, keys[1].client_key, 16) != 0);
        check(memcmp(keys[0].server_iv, keys[1].server_iv, 4) != 0);
    }
}

/* The curve of a ServerKeyExchange with an empty hint (RFC 5489 section 2, RFC 8422 section 5.4); 0: there was none. */
static unsigned curve_of(const end_t *server)
{
    enum { RECORD = 13, HANDSHAKE = 12, HINT = 2, SERVER_KEY_EXCHANGE = 12, NAMED_CURVE = 3 };
    for (unsigned i = 0; i < server->sent; i++) {
        const datagram_t *d = &server->all[i];
        for (size_t at = 0; at + RECORD + HANDSHAKE + HINT + 3 < d->size; at += RECORD + (size_t)d->data[at + 12]) {
            const uint8_t *params = d->data + at + RECORD + HANDSHAKE + HINT;
            if (d->data[at] == 22 && d->data[at + RECORD] == SERVER_KEY_EXCHANGE && params[0] == NAMED_CURVE)
                return (unsigned)params[1] << 8 | params[2];
        }
    }
    return 0;
}

static void ephemeral_keys_are_of_curve25519_which_costs_least(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    {
        pair_t pair;
        pair_make(&pair, client, &client_config, server, &server_config);
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        check_equal(curve_of(&pair.ends[SERVER]), 29);
        pair_free(&pair);
    }
}

/* ---- a server that knows identities ---- */

typedef struct {
    uint8_t identity[COPAL_IDENTITY_SIZE];
    size_t size;
    unsigned asked;
} asked_t;

static int find_any(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE])
{
    asked_t *asked = user;
    memcpy(asked->identity, identity.data, identity.size);
    asked->size = identity.size;
    asked->asked++;
    memset(key, 0, 32);
    return 32;
}

static void a_server_is_asked_for_the_key_of_the_identity_as_it_was_sent(void **state)
{
    (void)state;
    uint8_t longest[COPAL_IDENTITY_SIZE], zeros[32] = {0};
    memset(longest, 0xfe, sizeof longest);
    EACH_PAIR(client, server)
    {
        pair_t pair;
        asked_t asked = {0};
        copal_credentials_config_t asks = {.key = {zeros, sizeof zeros}, .identity = {longest, sizeof longest}};
        copal_credentials_config_t answers = {.server = true, .find_key = find_any, .user = &asked};
        pair_make(&pair, client, &asks, server, &answers);
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        check_equal(asked.asked, 1);
        check_bytes((copal_bytes_t){asked.identity, asked.size}, asks.identity);
        pair_free(&pair);
    }
}

static int find_none(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE])
{
    (void)user, (void)identity, (void)key;
    return COPAL_ENOTFOUND;
}

static int find_wrong(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE])
{
    (void)user, (void)identity;
    memset(key, 'x', 16);
    return 16;
}

static void failed_handshake(pair_t *pair, const copal_dtls_backend_t *client, const copal_dtls_backend_t *server,
                             int (*find)(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE]))
{
    copal_credentials_config_t answers = {.server = true, .find_key = find};
    pair_make(pair, client, &client_config, server, &answers);
    pair_shake(pair, "host.example");
    check(pair->ends[CLIENT].status != COPAL__HANDSHAKE_DONE);
    check(pair->ends[SERVER].status != COPAL__HANDSHAKE_DONE);
}

/* Or an attacker could find out which identities there are (RFC 4279 section 7.3). */
static void an_unknown_identity_looks_like_a_wrong_key_on_the_wire(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    {
        pair_t unknown, wrong;
        failed_handshake(&unknown, client, server, find_none);
        failed_handshake(&wrong, client, server, find_wrong);
        for (int end = 0; end < ENDS; end++) {
            const end_t *a = &unknown.ends[end], *b = &wrong.ends[end];
            check_equal(a->status, b->status);
            check_equal(a->sent, b->sent);
            for (unsigned i = 0; i < a->sent; i++) {
                check_equal(a->all[i].size, b->all[i].size);
                check_equal(a->all[i].data[0], b->all[i].data[0]);
                check_equal(a->all[i].data[13], b->all[i].data[13]);
            }
        }
        pair_free(&unknown);
        pair_free(&wrong);
    }
}

static void ends_without_a_suite_in_common_fail_with_a_sentence(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    {
        pair_t pair;
        pair_make(&pair, client, &client_config, server, &server_config);
        only_suite(&pair.ends[CLIENT], &suites[1]);
        only_suite(&pair.ends[SERVER], &suites[2]);
        pair_shake(&pair, NULL);
        check_equal(pair.ends[SERVER].status, COPAL_EHANDSHAKE);
        assert_string_equal(pair.ends[SERVER].reason, "there is no cipher suite that both ends can use");
        pair_free(&pair);
    }
}

/* ---- what not every backend can do ---- */

static void identities_of_mbed_tls_may_hold_nuls(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BACKENDS; i++) {
        pair_t pair;
        asked_t asked = {0};
        uint8_t zeros[32] = {0};
        copal_credentials_config_t asks = {.key = {zeros, sizeof zeros}, .identity = TEXT("\0a\0b\0")};
        copal_credentials_config_t answers = {.server = true, .find_key = find_any, .user = &asked};
        pair_make(&pair, &copal_dtls_mbedtls, &asks, backends[i], &answers);
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        check_bytes((copal_bytes_t){asked.identity, asked.size}, asks.identity);
        pair_free(&pair);
    }
}

static void the_longest_key_of_each_backend_can_be_used_and_a_longer_one_is_refused(void **state)
{
    (void)state;
    uint8_t key[COPAL_KEY_SIZE];
    memset(key, 0xa5, sizeof key);
    for (unsigned i = 0; i < BACKENDS; i++) {
        pair_t pair;
        size_t longest = backends[i] == &copal_dtls_mbedtls ? MBEDTLS_PSK_MAX_LEN : COPAL_KEY_SIZE;
        copal_credentials_config_t asks = {.key = {key, longest}, .identity = copal_text("a")};
        copal_credentials_config_t answers = {.server = true, .key = {key, longest}};
        pair_make(&pair, backends[i], &asks, backends[i], &answers);
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        pair_free(&pair);
    }
    copal_credentials_config_t longer = {.server = true, .key = {key, MBEDTLS_PSK_MAX_LEN + 1}};
    char problem[100];
    void *credentials;
    int status = copal_dtls_mbedtls.credentials_open(&credentials, &longer, problem, sizeof problem);
    check_equal(status, COPAL_EUNSUPPORTED);
    check(strstr(problem, "this Mbed TLS takes no key of more than ") == problem);
}

static void mbed_tls_refuses_a_hint(void **state)
{
    (void)state;
    copal_credentials_config_t config = {.server = true, .key = KEY, .hint = TEXT("h")};
    char problem[100];
    void *credentials;
    check_equal(copal_dtls_mbedtls.credentials_open(&credentials, &config, problem, sizeof problem),
                COPAL_EUNSUPPORTED);
    assert_string_equal(problem, "Mbed TLS sends no hint");
}

static void openssl_refuses_an_identity_or_hint_with_a_nul(void **state)
{
    (void)state;
    const copal_credentials_config_t configs[] = {{.key = KEY, .identity = TEXT("a\0b")},
                                                  {.server = true, .key = KEY, .hint = TEXT("\0")}};
    for (int i = 0; i < 2; i++) {
        char problem[100] = "";
        void *credentials = NULL;
        int status = copal_dtls_openssl.credentials_open(&credentials, &configs[i], problem, sizeof problem);
        check_equal(status, COPAL_EUNSUPPORTED);
        assert_string_equal(problem, "OpenSSL sends no identity or hint that holds a NUL");
    }
}

static void a_hint_is_sent_and_changes_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BACKENDS; i++) {
        pair_t pair;
        copal_credentials_config_t answers = server_config;
        answers.hint = copal_text("the hint");
        pair_make(&pair, backends[i], &client_config, &copal_dtls_openssl, &answers);
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        bool seen = false;
        for (unsigned n = 0; n < pair.ends[SERVER].sent; n++)
            for (size_t at = 0; at + answers.hint.size <= pair.ends[SERVER].all[n].size; at++)
                seen |= memcmp(pair.ends[SERVER].all[n].data + at, answers.hint.data, answers.hint.size) == 0;
        check(seen);
        pair_free(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_agree_on_keys_with_each_suite),
        cmocka_unit_test(two_handshakes_have_nothing_of_their_keys_in_common),
        cmocka_unit_test(ephemeral_keys_are_of_curve25519_which_costs_least),
        cmocka_unit_test(a_server_is_asked_for_the_key_of_the_identity_as_it_was_sent),
        cmocka_unit_test(an_unknown_identity_looks_like_a_wrong_key_on_the_wire),
        cmocka_unit_test(ends_without_a_suite_in_common_fail_with_a_sentence),
        cmocka_unit_test(identities_of_mbed_tls_may_hold_nuls),
        cmocka_unit_test(the_longest_key_of_each_backend_can_be_used_and_a_longer_one_is_refused),
        cmocka_unit_test(mbed_tls_refuses_a_hint),
        cmocka_unit_test(openssl_refuses_an_identity_or_hint_with_a_nul),
        cmocka_unit_test(a_hint_is_sent_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
