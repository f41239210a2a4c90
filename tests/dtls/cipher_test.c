#include "pair.h"

/* The records of each backend, one by one. */

typedef struct {
    uint16_t suite;
    const char *key, *nonce, *additional, *text, *sealed; /* hexadecimal */
} answer_t;

static const answer_t answers[] = {
    /* NIST SP 800-38C, example 3 */
    {0xc0a8, "404142434445464748494a4b4c4d4e4f", "101112131415161718191a1b", "000102030405060708090a0b0c0d0e0f10111213",
     "202122232425262728292a2b2c2d2e2f3031323334353637",
     "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"},
    /* the same with a tag of 16 octets, computed by Python's cryptography 48 */
    {0xc0a4, "404142434445464748494a4b4c4d4e4f", "101112131415161718191a1b", "000102030405060708090a0b0c0d0e0f10111213",
     "202122232425262728292a2b2c2d2e2f3031323334353637",
     "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5c87ae488918de93f17dd3e4934347f44"},
    /* McGrew and Viega, The Galois/Counter Mode of Operation, test case 4 */
    {0x00a8, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
     "ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac97"
     "3d58e0915bc94fbc3221a5db94fae95ae7121a47"},
    /* RFC 8439 section 2.8.2 */
    {0xccab, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f6666"
     "657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069"
     "742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29"
     "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b"
     "61161ae10b594f09e26a7e902ecbd0600691"},
};
enum { ANSWERS = sizeof answers / sizeof answers[0] };

typedef struct {
    const copal__suite_t *suite;
    uint8_t key[COPAL__SUITE_KEY], nonce[12], additional[32], text[200], sealed[200];
    size_t additional_size, size;
} record_t;

static size_t octets(const char *hex, uint8_t *out)
{
    size_t size = 0;
    for (unsigned octet; sscanf(hex + 2 * size, "%2x", &octet) == 1; size++)
        out[size] = (uint8_t)octet;
    return size;
}

static record_t record_of(const answer_t *answer)
{
    record_t r = {.suite = copal__suite_find(answer->suite)};
    octets(answer->key, r.key);
    octets(answer->nonce, r.nonce);
    r.additional_size = octets(answer->additional, r.additional);
    r.size = octets(answer->text, r.text);
    check_equal(octets(answer->sealed, r.sealed), r.size + r.suite->tag_size);
    return r;
}

static int seal(const copal_dtls_backend_t *backend, void *cipher, const record_t *r, uint8_t *inout)
{
    return backend->seal(cipher, r->suite, r->key, r->nonce, (copal_bytes_t){r->additional, r->additional_size}, inout,
                         r->size, inout);
}

static int unseal(const copal_dtls_backend_t *backend, void *cipher, const record_t *r, uint8_t *inout)
{
    return backend->unseal(cipher, r->suite, r->key, r->nonce, (copal_bytes_t){r->additional, r->additional_size},
                           inout, r->size, inout);
}

/* In turn, so that each shows that it needs nothing of what came before. */
static void every_cipher_gives_the_known_answers(void **state)
{
    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++) {
        void *cipher = backends[b]->cipher_open();
        for (unsigned i = 0; i < 3 * ANSWERS; i++) {
            record_t r = record_of(&answers[i % ANSWERS]);
            uint8_t buffer[200];
            memcpy(buffer, r.text, r.size);
            check_equal(seal(backends[b], cipher, &r, buffer), 0);
            check_bytes((copal_bytes_t){buffer, r.size + r.suite->tag_size},
                        (copal_bytes_t){r.sealed, r.size + r.suite->tag_size});
            check_equal(unseal(backends[b], cipher, &r, buffer), 0);
            check_bytes((copal_bytes_t){buffer, r.size}, (copal_bytes_t){r.text, r.size});
        }
        backends[b]->cipher_close(cipher);
    }
}

static void a_record_changed_in_any_octet_is_not_authentic(void **state)
{
    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++) {
        void *cipher = backends[b]->cipher_open();
        for (unsigned i = 0; i < ANSWERS; i++) {
            record_t r = record_of(&answers[i]);
            uint8_t buffer[200];
            for (size_t at = 0; at < r.size + r.suite->tag_size; at++) {
                memcpy(buffer, r.sealed, sizeof buffer);
                buffer[at] ^= 0x10;
                check_equal(unseal(backends[b], cipher, &r, buffer), COPAL_EFORMAT);
            }
            memcpy(buffer, r.sealed, sizeof buffer);
            r.additional[0] ^= 1;
            check_equal(unseal(backends[b], cipher, &r, buffer), COPAL_EFORMAT);
            r.additional[0] ^= 1;
            memcpy(buffer, r.sealed, sizeof buffer);
            check_equal(unseal(backends[b], cipher, &r, buffer), 0);
        }
        backends[b]->cipher_close(cipher);
    }
}

static void a_record_without_text_is_sealed_and_checked(void **state)
{
    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++) {
        void *cipher = backends[b]->cipher_open();
        for (unsigned i = 0; i < ANSWERS; i++) {
            record_t r = record_of(&answers[i]);
            uint8_t buffer[COPAL__SUITE_TAG] = {0};
            r.size = 0;
            check_equal(seal(backends[b], cipher, &r, buffer), 0);
            check_equal(unseal(backends[b], cipher, &r, buffer), 0);
            buffer[0] ^= 1;
            check_equal(unseal(backends[b], cipher, &r, buffer), COPAL_EFORMAT);
        }
        backends[b]->cipher_close(cipher);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cipher_gives_the_known_answers),
        cmocka_unit_test(a_record_changed_in_any_octet_is_not_authentic),
        cmocka_unit_test(a_record_without_text_is_sealed_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
