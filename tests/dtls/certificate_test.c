#include "pair.h"

#include "support/certificates.h"

/* Handshakes with certificates (RFC 7252 section 9.1.3.3), each backend with each. */

static copal_credentials_config_t believing(const char *authority)
{
    return (copal_credentials_config_t){.authorities = certificates_file(authority)};
}

static copal_credentials_config_t serving(const char *certificate)
{
    return (copal_credentials_config_t){.server = true, .certificate = certificates_file(certificate)};
}

static const named_suite_t suites[] = {
    {{0xc0ae}, "ECDHE-ECDSA-AES128-CCM8"},       {{0xc0ac}, "ECDHE-ECDSA-AES128-CCM"},
    {{0xc02b}, "ECDHE-ECDSA-AES128-GCM-SHA256"}, {{0xcca9}, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {{0xc02f}, "ECDHE-RSA-AES128-GCM-SHA256"},   {{0xcca8}, "ECDHE-RSA-CHACHA20-POLY1305"},
};

static void both_ends_agree_on_keys_with_each_suite(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (unsigned i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        pair_t pair;
        copal_credentials_config_t asks = believing("authority"), answers = serving(i < 4 ? "host" : "rsa");
        pair_make(&pair, client, &asks, server, &answers);
        only_suite(&pair.ends[CLIENT], &suites[i]);
        pair_shake(&pair, "host.example");
        check_agreement(&pair);
        check_equal(pair.ends[CLIENT].keys.suite->number, suites[i].numbers[0]);
        pair_free(&pair);
    }
}

static void rfc7252_9_1_3_3_without_a_choice_the_suite_is_that_of_ccm_8(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    {
        pair_t pair;
        copal_credentials_config_t asks = believing("authority"), answers = serving("host");
        pair_make(&pair, client, &asks, server, &answers);
        pair_shake(&pair, "host.example");
        check_agreement(&pair);
        check_equal(pair.ends[CLIENT].keys.suite->number, 0xc0ae);
        pair_free(&pair);
    }
}

static void a_server_with_keys_and_a_certificate_serves_clients_of_both(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (int keyed = 0; keyed < 2; keyed++) {
        pair_t pair;
        copal_bytes_t key = copal_text("the key");
        copal_credentials_config_t asks = believing("authority"), answers = serving("host");
        answers.key = key;
        answers.authorities = keyed ? certificates_file("authority") : NULL;
        if (keyed)
            asks = (copal_credentials_config_t){.key = key, .identity = copal_text("sensor")};
        pair_make(&pair, client, &asks, server, &answers);
        pair_shake(&pair, "host.example");
        check_agreement(&pair);
        check_equal(pair.ends[CLIENT].keys.suite->number, keyed ? 0xccac : 0xc0ae);
        pair_free(&pair);
    }
}

/* ---- what a client thinks of the server's certificate ---- */

static const struct {
    const char *certificate, *name;
    const char *reason; /* NULL: it is accepted */
} opinions[] = {
    {"host", "host.example", NULL},
    {"host", "HOST.Example", NULL},
    {"host", "127.0.0.1", NULL},
    {"host", "::1", NULL},
    {"rsa", "host.example", NULL},
    {"chain", "host.example", NULL},
    {"named", "host.example", NULL},
    {"authority", "authority", NULL},
    {"host", "host.example.org", "the certificate is for another host"},
    {"host", "127.0.0.2", "the certificate is for another host"},
    {"host", "::2", "the certificate is for another host"},
    {"named", "other.example", "the certificate is for another host"},
    {"named", "127.0.0.1", "the certificate is for another host"},
    {"wildcard", "host.site.example", "the certificate is for another host"},
    {"expired", "host.example", "the certificate has expired"},
    {"future", "host.example", "the certificate is not valid yet"},
    {"stranger", "host.example", "the certificate is of an unknown authority"},
    {"other_authority", "host.example", "the certificate is of an unknown authority"},
    {"for_servers", "host.example", NULL},
};

static void a_client_says_what_is_wrong_with_a_certificate(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (unsigned i = 0; i < sizeof opinions / sizeof opinions[0]; i++) {
        pair_t pair;
        char note[200];
        snprintf(note, sizeof note, "%s with %s: %s for %s", client->name, server->name, opinions[i].certificate,
                 opinions[i].name);
        check_note(note);
        copal_credentials_config_t asks = believing("authority"), answers = serving(opinions[i].certificate);
        pair_make(&pair, client, &asks, server, &answers);
        pair_shake(&pair, opinions[i].name);
        if (opinions[i].reason) {
            check_equal(pair.ends[CLIENT].status, COPAL_ECERTIFICATE);
            assert_string_equal(pair.ends[CLIENT].reason, opinions[i].reason);
            check(pair.ends[SERVER].status != COPAL__HANDSHAKE_DONE);
        } else
            check_agreement(&pair);
        pair_free(&pair);
    }
}

/* As Mbed TLS shows none that it could not use, OpenSSL is the server. */
static void rfc5280_4_2_1_12_a_certificate_that_is_for_clients_is_no_servers(void **state)
{
    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++) {
        pair_t pair;
        copal_credentials_config_t asks = believing("authority"), answers = serving("for_clients");
        pair_make(&pair, backends[b], &asks, &copal_dtls_openssl, &answers);
        pair_shake(&pair, "host.example");
        check_equal(pair.ends[CLIENT].status, COPAL_ECERTIFICATE);
        assert_string_equal(pair.ends[CLIENT].reason, "the certificate is not for this purpose");
        pair_free(&pair);
    }
}

/* What becomes of the ServerKeyExchange (RFC 8422 section 5.4) on its way: it loses its signature, or one bit of it. */
typedef struct {
    bool cut;
    unsigned changed; /* so many messages */
} forger_t;

enum { RECORD = 13, MESSAGE = 12, LENGTH_AT = 11, FRAGMENT_AT = RECORD + 9 };

static void shorten(datagram_t *d, size_t at, size_t cut)
{
    uint8_t *record = d->data + at;
    const size_t size = (size_t)record[LENGTH_AT] << 8 | record[LENGTH_AT + 1], body = size - MESSAGE - cut;
    memmove(record + RECORD + size - cut, record + RECORD + size, d->size - at - RECORD - size);
    d->size -= cut;
    record[LENGTH_AT] = (uint8_t)((size - cut) >> 8);
    record[LENGTH_AT + 1] = (uint8_t)(size - cut);
    record[RECORD + 2] = record[FRAGMENT_AT + 1] = (uint8_t)(body >> 8);
    record[RECORD + 3] = record[FRAGMENT_AT + 2] = (uint8_t)body;
}

static unsigned forge(pair_t *pair, const end_t *from, const datagram_t *datagram)
{
    forger_t *forger = pair->context;
    datagram_t d = *datagram;
    if (from == &pair->ends[CLIENT])
        return 1;
    for (size_t at = 0, size; at + RECORD + MESSAGE < d.size; at += RECORD + size) {
        size = (size_t)d.data[at + LENGTH_AT] << 8 | d.data[at + LENGTH_AT + 1];
        if (d.data[at] != 22 || d.data[at + RECORD] != 12)
            continue;
        const size_t key = d.data[at + RECORD + MESSAGE + 3];
        if (!forger->cut)
            d.data[at + RECORD + size - 1] ^= 1;
        else {
            shorten(&d, at, size - MESSAGE - 4 - key);
            size = MESSAGE + 4 + key;
        }
        forger->changed++;
    }
    pair->queue[pair->tail++ % DATAGRAMS] = d;
    return 0;
}

static void cve_2021_34433_a_key_exchange_must_be_signed(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (int cut = 0; cut < 2; cut++) {
        pair_t pair;
        forger_t forger = {.cut = cut};
        copal_credentials_config_t asks = believing("authority"), answers = serving("host");
        pair_make(&pair, client, &asks, server, &answers);
        pair.fate = forge;
        pair.context = &forger;
        pair_shake(&pair, "host.example");
        assert_true(forger.changed > 0);
        assert_true(pair.ends[CLIENT].status < 0);
        for (unsigned i = 0; i < pair.ends[CLIENT].sent; i++) /* it has not gone on to its own key exchange */
            assert_false(pair.ends[CLIENT].all[i].data[0] == 22 && pair.ends[CLIENT].all[i].data[RECORD] == 16);
        pair_free(&pair);
    }
}

static void a_host_name_is_told_to_the_server_and_an_address_is_not(void **state)
{
    (void)state;
    static const char *const names[] = {"host.example", "127.0.0.1"};
    EACH_PAIR(client, server)
    for (int i = 0; i < 2; i++) {
        pair_t pair;
        copal_credentials_config_t asks = believing("authority"), answers = serving("host");
        pair_make(&pair, client, &asks, server, &answers);
        pair_shake(&pair, names[i]);
        check_agreement(&pair);
        const datagram_t *hello = &pair.ends[CLIENT].all[0];
        bool told = false;
        for (size_t at = 0; at + strlen(names[i]) <= hello->size; at++)
            told |= memcmp(hello->data + at, names[i], strlen(names[i])) == 0;
        check_equal(told, i == 0);
        pair_free(&pair);
    }
}

/* ---- what a server thinks of the client's ---- */

static const struct {
    const char *certificate; /* NULL: none is shown */
    const char *reason;
} clients[] = {
    {"client", NULL},
    {"rsa", NULL},
    {NULL, "the client showed no certificate"},
    {"stranger", "the certificate is of an unknown authority"},
    {"expired", "the certificate has expired"},
    {"for_clients", NULL},
    {"for_servers", "the certificate is not for this purpose"},
};

static void a_server_with_authorities_asks_clients_for_a_certificate(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (unsigned i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        pair_t pair;
        copal_credentials_config_t asks = believing("authority"), answers = serving("host");
        asks.certificate = clients[i].certificate ? certificates_file(clients[i].certificate) : NULL;
        answers.authorities = asks.authorities;
        pair_make(&pair, client, &asks, server, &answers);
        pair_shake(&pair, "host.example");
        if (clients[i].reason) {
            check_equal(pair.ends[SERVER].status, COPAL_ECERTIFICATE);
            assert_string_equal(pair.ends[SERVER].reason, clients[i].reason);
            check(pair.ends[CLIENT].status != COPAL__HANDSHAKE_DONE);
        } else
            check_agreement(&pair);
        pair_free(&pair);
    }
}

/* ---- files ---- */

static const struct {
    const char *certificate, *key, *authorities;
    const char *file, *sentence; /* of the one that is complained about */
} files[] = {
    {"missing", NULL, NULL, "missing", "No such file or directory"},
    {"nothing", NULL, NULL, "nothing", "holds no certificate that can be used"},
    {"host_only", NULL, NULL, "host_only", "holds no private key that can be used; it must not be encrypted"},
    {"host_only", "locked_key", NULL, "locked_key", "holds no private key that can be used; it must not be encrypted"},
    {"host_only", "missing", NULL, "missing", "No such file or directory"},
    {"host_only", "client", NULL, "client", "holds the private key of another certificate"},
    {"host", NULL, "missing", "missing", "No such file or directory"},
    {"host", NULL, "nothing", "nothing", "holds no certificate of an authority"},
};

static const char *path(const char *name)
{
    return name ? certificates_file(name) : NULL;
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++)
        for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
            copal_credentials_config_t config = {.server = true,
                                                 .certificate = path(files[i].certificate),
                                                 .private_key = path(files[i].key),
                                                 .authorities = path(files[i].authorities)};
            char problem[200], expected[200];
            void *credentials;
            check_equal(backends[b]->credentials_open(&credentials, &config, problem, sizeof problem),
                        COPAL_ECERTIFICATE);
            snprintf(expected, sizeof expected, "%s: %s", certificates_file(files[i].file), files[i].sentence);
            assert_string_equal(problem, expected);
            check_equal(backends[b]->credentials_open(&credentials, &config, NULL, 0), COPAL_ECERTIFICATE);
        }
}

static void certificate_and_key_may_be_in_files_of_their_own(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    {
        pair_t pair;
        copal_credentials_config_t asks = believing("authority"), answers = serving("host_only");
        answers.private_key = certificates_file("host_key");
        pair_make(&pair, client, &asks, server, &answers);
        pair_shake(&pair, "host.example");
        check_agreement(&pair);
        pair_free(&pair);
    }
}

static void without_a_file_openssl_believes_the_systems_authorities_and_mbed_tls_refuses(void **state)
{
    (void)state;
    const copal_credentials_config_t asks = {.server = false};
    copal_credentials_config_t answers = serving("host");
    char problem[200];
    void *credentials;
    pair_t pair;
    pair_make(&pair, &copal_dtls_openssl, &asks, &copal_dtls_openssl, &answers);
    pair_shake(&pair, "host.example");
    check_equal(pair.ends[CLIENT].status, COPAL_ECERTIFICATE);
    assert_string_equal(pair.ends[CLIENT].reason, "the certificate is of an unknown authority");
    pair_free(&pair);
    check_equal(copal_dtls_mbedtls.credentials_open(&credentials, &asks, problem, sizeof problem), COPAL_EUNSUPPORTED);
    assert_string_equal(problem, "Mbed TLS knows no authorities of the system; a file must be named");
}

static int make_certificates(void **state)
{
    (void)state;
    certificates_make();
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    certificates_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_agree_on_keys_with_each_suite),
        cmocka_unit_test(rfc7252_9_1_3_3_without_a_choice_the_suite_is_that_of_ccm_8),
        cmocka_unit_test(a_server_with_keys_and_a_certificate_serves_clients_of_both),
        cmocka_unit_test(a_client_says_what_is_wrong_with_a_certificate),
        cmocka_unit_test(rfc5280_4_2_1_12_a_certificate_that_is_for_clients_is_no_servers),
        cmocka_unit_test(cve_2021_34433_a_key_exchange_must_be_signed),
        cmocka_unit_test(a_host_name_is_told_to_the_server_and_an_address_is_not),
        cmocka_unit_test(a_server_with_authorities_asks_clients_for_a_certificate),
        cmocka_unit_test(a_file_that_cannot_be_used_is_named),
        cmocka_unit_test(certificate_and_key_may_be_in_files_of_their_own),
        cmocka_unit_test(without_a_file_openssl_believes_the_systems_authorities_and_mbed_tls_refuses),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
