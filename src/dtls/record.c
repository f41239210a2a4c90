#include "record.h"

#include <string.h>

enum { NONCE = 12, ADDITIONAL = 13 };

static void put_number(uint8_t out[8], uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

bool copal__record_read(copal__record_t *record, uint8_t *data, size_t size)
{
    if (size < COPAL__RECORD_HEADER || data[1] != 0xfe || (data[2] != 0xfd && data[2] != 0xff))
        return false;
    size_t fragment_size = (size_t)data[11] << 8 | data[12];
    if (fragment_size == 0 || fragment_size > size - COPAL__RECORD_HEADER)
        return false;
    record->data = data;
    record->size = COPAL__RECORD_HEADER + fragment_size;
    record->type = data[0];
    record->number = 0;
    for (unsigned i = 3; i < 11; i++)
        record->number = record->number << 8 | data[i];
    record->fragment = data + COPAL__RECORD_HEADER;
    record->fragment_size = fragment_size;
    return true;
}

/* RFC 5288 section 3 and RFC 6655 section 3: what was agreed on, and eight octets that the record carries. RFC 7905
 * section 2: the record's number, mixed with what was agreed on. */
static void make_nonce(uint8_t nonce[NONCE], const copal__suite_t *suite, const uint8_t *iv, const uint8_t last[8])
{
    if (suite->explicit_size > 0) {
        memcpy(nonce, iv, NONCE - 8);
        memcpy(nonce + NONCE - 8, last, 8);
        return;
    }
    memcpy(nonce, iv, NONCE);
    for (unsigned i = 0; i < 8; i++)
        nonce[NONCE - 8 + i] ^= last[i];
}

/* What is authentic beside the content (RFC 5246 section 6.2.3.3), the number of RFC 6347 section 4.1.2.1. */
static void make_additional(uint8_t additional[ADDITIONAL], const uint8_t number[8], uint8_t type, size_t size)
{
    memcpy(additional, number, 8);
    additional[8] = type;
    additional[9] = 0xfe;
    additional[10] = 0xfd;
    additional[11] = (uint8_t)(size >> 8);
    additional[12] = (uint8_t)size;
}

int copal__record_protect(const copal_dtls_backend_t *backend, void *cipher, const copal__suite_t *suite,
                          const copal__secret_t *secret, uint64_t number, uint8_t type, copal_bytes_t content,
                          uint8_t *out)
{
    uint8_t nonce[NONCE], additional[ADDITIONAL];
    size_t fragment_size = suite->explicit_size + content.size + suite->tag_size;
    uint8_t *fragment = out + COPAL__RECORD_HEADER;
    out[0] = type;
    out[1] = 0xfe;
    out[2] = 0xfd;
    put_number(out + 3, number);
    out[11] = (uint8_t)(fragment_size >> 8);
    out[12] = (uint8_t)fragment_size;
    memcpy(fragment, out + 3, suite->explicit_size);
    make_nonce(nonce, suite, secret->iv, out + 3);
    make_additional(additional, out + 3, type, content.size);
    int status = backend->seal(cipher, suite, secret->key, nonce, (copal_bytes_t){additional, ADDITIONAL}, content.data,
                               content.size, fragment + suite->explicit_size);
    return status < 0 ? status : (int)(COPAL__RECORD_HEADER + fragment_size);
}

bool copal__record_unprotect(const copal_dtls_backend_t *backend, void *cipher, const copal__suite_t *suite,
                             const copal__secret_t *secret, const copal__record_t *record, copal_bytes_t *content)
{
    uint8_t nonce[NONCE], additional[ADDITIONAL];
    size_t around = (size_t)suite->explicit_size + suite->tag_size;
    if (record->fragment_size < around || record->data[2] != 0xfd)
        return false;
    uint8_t *in = record->fragment + suite->explicit_size;
    size_t size = record->fragment_size - around;
    /* What the peer makes its eight octets of is its own affair (RFC 6655 section 3). */
    make_nonce(nonce, suite, secret->iv, suite->explicit_size > 0 ? record->fragment : record->data + 3);
    make_additional(additional, record->data + 3, record->type, size);
    *content = (copal_bytes_t){in, size};
    return backend->unseal(cipher, suite, secret->key, nonce, (copal_bytes_t){additional, ADDITIONAL}, in, size, in) ==
           0;
}
