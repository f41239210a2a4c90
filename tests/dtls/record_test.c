#include "dtls/mbedtls/mbedtls.h"
#include "dtls/openssl/openssl.h"
#include "dtls/record.h"
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Whole records, made by Python's cryptography 48: key 10 11 12 ..., IV a0 a1 ..., epoch 1, number 01 02 03 04 05. */
#define TEXT "40 octets of payload, more or less, yes."
static const struct {
    uint16_t suite;
    const char *record;
} answers[] = {
    {0xc0a8,
     "17fefd0001000102030405003800010001020304053a9cdade48329ef72e8df3fc83537167a437c0a16c5e9c1007fdfc54a91bbf21667179"
     "656eb8844e6bd0aedfa1a00860"},
    {0xc0a4,
     "17fefd0001000102030405004000010001020304053a9cdade48329ef72e8df3fc83537167a437c0a16c5e9c1007fdfc54a91bbf21667179"
     "656eb8844e374a411754acf462e72b2c2b0d63a263"},
    {0x00a8,
     "17fefd0001000102030405004000010001020304059c150655f03fd73dca8c1e24c958f89332e5401437d5aab62bd589db0a257bb0b95bb3"
     "2af501f94d43f5f2c4fd636d6005829ee04e6db501"},
    {0xccab,
     "17fefd0001000102030405003894834197f0353e3ee66c3c2546ffe0f910259824b013a95394412a7fe414a980fbfef85862d9f922306140"
     "0c060faa878dbab28351ad6a00"},
};
enum { ANSWERS = sizeof answers / sizeof answers[0] };

static const copal_dtls_backend_t *const backends[] = {&copal_dtls_openssl, &copal_dtls_mbedtls};
enum { BACKENDS = sizeof backends / sizeof backends[0] };

static copal__secret_t some_secret(void)
{
    copal__secret_t secret;
    for (unsigned i = 0; i < sizeof secret.key; i++)
        secret.key[i] = (uint8_t)(0x10 + i);
    for (unsigned i = 0; i < sizeof secret.iv; i++)
        secret.iv[i] = (uint8_t)(0xa0 + i);
    return secret;
}

static size_t octets(const char *hex, uint8_t *out)
{
    size_t size = 0;
    for (unsigned octet; sscanf(hex + 2 * size, "%2x", &octet) == 1; size++)
        out[size] = (uint8_t)octet;
    return size;
}

static void records_are_what_another_implementation_makes(void **state)
{
    const copal__secret_t secret = some_secret();
    const uint64_t number = COPAL__EPOCH_1 | 0x0102030405;
    (void)state;
    for (unsigned i = 0; i < BACKENDS * ANSWERS; i++) {
        const copal_dtls_backend_t *backend = backends[i / ANSWERS];
        const copal__suite_t *suite = copal__suite_find(answers[i % ANSWERS].suite);
        uint8_t right[200], made[sizeof TEXT + COPAL_DTLS_OVERHEAD];
        size_t size = octets(answers[i % ANSWERS].record, right);
        void *cipher = backend->cipher_open();
        copal__record_t record;
        copal_bytes_t content;
        check_note(backend->name);
        check_equal(copal__record_protect(backend, cipher, suite, &secret, number, 23, copal_text(TEXT), made), size);
        check_bytes((copal_bytes_t){made, size}, (copal_bytes_t){right, size});
        check(copal__record_read(&record, right, size));
        check_equal(record.size, size);
        check(record.number == number);
        check(copal__record_unprotect(backend, cipher, suite, &secret, &record, &content));
        check_bytes(content, copal_text(TEXT));
        backend->cipher_close(cipher);
        check_note(NULL);
    }
}

/* RFC 6655 section 3 and RFC 5288 section 3: what the sender makes of the explicit part is his affair. */
static void rfc6655_3_the_explicit_nonce_is_taken_from_the_record(void **state)
{
    const copal__secret_t secret = some_secret();
    uint8_t octet[60];
    copal__record_t record;
    copal_bytes_t content;
    (void)state;
    size_t size = octets("17fefd00010000000000070015f0e1d2c3b4a596871a3a03ec6bfb996b0c5d521bf5", octet);
    void *cipher = copal_dtls_openssl.cipher_open();
    assert_true(copal__record_read(&record, octet, size));
    assert_true(
        copal__record_unprotect(&copal_dtls_openssl, cipher, copal__suite_find(0xc0a8), &secret, &record, &content));
    check_bytes(content, copal_text("other"));
    copal_dtls_openssl.cipher_close(cipher);
}

static void a_protected_record_is_of_version_1_2(void **state)
{
    const copal__secret_t secret = some_secret();
    uint8_t octet[200];
    copal__record_t record;
    copal_bytes_t content;
    (void)state;
    size_t size = octets(answers[0].record, octet);
    void *cipher = copal_dtls_openssl.cipher_open();
    octet[2] = 0xff;
    assert_true(copal__record_read(&record, octet, size)); /* as that of a ClientHello may be */
    assert_false(
        copal__record_unprotect(&copal_dtls_openssl, cipher, copal__suite_find(0xc0a8), &secret, &record, &content));
    copal_dtls_openssl.cipher_close(cipher);
}

static void a_record_shorter_than_its_protection_is_not_authentic(void **state)
{
    const copal__secret_t secret = some_secret();
    (void)state;
    for (uint8_t size = 1; size < 16; size++) {
        uint8_t octet[29] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 7, 0, size};
        copal__record_t record;
        copal_bytes_t content;
        assert_true(copal__record_read(&record, octet, 13u + size));
        assert_false(
            copal__record_unprotect(&copal_dtls_openssl, NULL, copal__suite_find(0xc0a8), &secret, &record, &content));
    }
}

static void what_is_no_whole_record_is_not_read(void **state)
{
    uint8_t octet[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 7, 0, 2, 1, 2, 3};
    copal__record_t record;
    (void)state;
    for (size_t size = 0; size < 15; size++)
        assert_false(copal__record_read(&record, octet, size));
    assert_true(copal__record_read(&record, octet, 15));
    assert_true(copal__record_read(&record, octet, 16));
    assert_int_equal(record.size, 15);
    octet[12] = 0; /* empty */
    assert_false(copal__record_read(&record, octet, 16));
    octet[12] = 2;
    octet[1] = 3; /* TLS */
    assert_false(copal__record_read(&record, octet, 16));
    octet[1] = 0xfe;
    octet[2] = 0xfc; /* DTLS 1.3 */
    assert_false(copal__record_read(&record, octet, 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_what_another_implementation_makes),
        cmocka_unit_test(rfc6655_3_the_explicit_nonce_is_taken_from_the_record),
        cmocka_unit_test(a_protected_record_is_of_version_1_2),
        cmocka_unit_test(a_record_shorter_than_its_protection_is_not_authentic),
        cmocka_unit_test(what_is_no_whole_record_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
