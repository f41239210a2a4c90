#include "made.h"

#include "input.h"
#include "support/bench.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { BIT_STRING = 0x03, OID = 0x06, UTF8_STRING = 0x0c, UTC_TIME = 0x17, TIME = 0x18, SEQUENCE = 0x30, SET = 0x31 };
enum { EXTENSIONS = 0xa3, OCTET_STRING = 0x04 };

#define VERSION_3         BYTES(0xa0, 3, 2, 1, 2)
#define SERIAL            BYTES(2, 1, 9)
#define ECDSA_WITH_SHA256 BYTES(0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2)
#define COMMON_NAME       BYTES(OID, 3, 0x55, 4, 3)
#define SUBJECT_ALT_NAME  BYTES(OID, 3, 0x55, 0x1d, 0x11)

/* Extensions as they stand. */
#define KEY_USAGE(bits) BYTES(SEQUENCE, 11, OID, 3, 0x55, 0x1d, 0x0f, OCTET_STRING, 4, BIT_STRING, 2, 0, bits)
#define PURPOSE(last) \
    BYTES(SEQUENCE, 19, OID, 3, 0x55, 0x1d, 0x25, OCTET_STRING, 12, SEQUENCE, 10, OID, 8, 0x2b, 6, 1, 5, 5, 7, 3, last)
#define ANY_PURPOSE \
    BYTES(SEQUENCE, 15, OID, 3, 0x55, 0x1d, 0x25, OCTET_STRING, 8, SEQUENCE, 6, OID, 4, 0x55, 0x1d, 0x25, 0)
#define WITHOUT_AUTHORITY BYTES(SEQUENCE, 9, OID, 3, 0x55, 0x1d, 0x13, OCTET_STRING, 2, SEQUENCE, 0)
#define WITH_AUTHORITY \
    BYTES(SEQUENCE, 15, OID, 3, 0x55, 0x1d, 0x13, 1, 1, 0xff, OCTET_STRING, 5, SEQUENCE, 3, 1, 1, 0xff)

static EVP_PKEY *keys[SIGNERS];
static der_t certificates[SIGNERS];
static const char *const names[SIGNERS] = {"authority", "between", "host.site.example", "other"};

/* ---- DER ---------------------------------------------------------------------------------------------------------------- */

void der_add(der_t *der, copal_bytes_t octets)
{
    check(octets.size <= sizeof der->data - der->size);
    if (octets.size)
        memcpy(der->data + der->size, octets.data, octets.size);
    der->size += octets.size;
}

void der_wrap(der_t *der, size_t start, uint8_t tag)
{
    const size_t size = der->size - start;
    const uint8_t high = (uint8_t)(size >> 8), low = (uint8_t)size;
    const uint8_t head[] = {tag, 0x82, high, low}, shorter[] = {tag, 0x81, low}, shortest[] = {tag, low};
    const copal_bytes_t is = size < 128   ? (copal_bytes_t){shortest, sizeof shortest}
                             : size < 256 ? (copal_bytes_t){shorter, sizeof shorter}
                                          : (copal_bytes_t){head, sizeof head};
    check(is.size <= sizeof der->data - der->size);
    memmove(der->data + start + is.size, der->data + start, size);
    memcpy(der->data + start, is.data, is.size);
    der->size += is.size;
}

static void add_element(der_t *der, uint8_t tag, copal_bytes_t content)
{
    const size_t start = der->size;
    der_add(der, content);
    der_wrap(der, start, tag);
}

/* ---- what is signed ------------------------------------------------------------------------------------------------------- */

static void add_name(der_t *der, copal_bytes_t common_name)
{
    const size_t start = der->size;
    if (common_name.size) {
        der_add(der, COMMON_NAME);
        add_element(der, UTF8_STRING, common_name);
        der_wrap(der, start, SEQUENCE);
        der_wrap(der, start, SET);
    }
    der_wrap(der, start, SEQUENCE);
}

static void add_dates(der_t *der, unsigned dates)
{
    const size_t start = der->size;
    const char *from = dates == NOT_YET_VALID ? "29980101000000Z" : "200101000000Z";
    const char *until = dates == EXPIRED ? "210101000000Z" : "29990101000000Z";
    add_element(der, dates == NOT_YET_VALID ? TIME : UTC_TIME, copal_text(from));
    add_element(der, dates == EXPIRED ? UTC_TIME : TIME, copal_text(until));
    der_wrap(der, start, SEQUENCE);
}

static void add_key(der_t *der, EVP_PKEY *key)
{
    uint8_t *encoded = NULL;
    const int size = i2d_PUBKEY(key, &encoded);
    check(size > 0);
    der_add(der, (copal_bytes_t){encoded, (size_t)size});
    OPENSSL_free(encoded);
}

static void add_extensions(der_t *der, const made_t *made)
{
    const size_t start = der->size;
    if (made->constraints != NO_CONSTRAINTS)
        der_add(der, made->constraints == IS_AUTHORITY ? WITH_AUTHORITY : WITHOUT_AUTHORITY);
    if (made->usage != NO_USAGE)
        der_add(der, made->usage == FOR_SIGNATURES ? KEY_USAGE(0x80) : KEY_USAGE(0x20));
    if (made->purpose == FOR_ANYTHING)
        der_add(der, ANY_PURPOSE);
    else if (made->purpose != NO_PURPOSE)
        der_add(der, made->purpose == FOR_SERVERS ? PURPOSE(1) : PURPOSE(2));
    const size_t own = der->size;
    if (made->names.size) {
        der_add(der, SUBJECT_ALT_NAME);
        const size_t value = der->size;
        add_element(der, SEQUENCE, made->names);
        der_wrap(der, value, OCTET_STRING);
        der_wrap(der, own, SEQUENCE);
    }
    if (made->extension.size)
        add_element(der, SEQUENCE, made->extension);
    if (der->size == start)
        return;
    der_wrap(der, start, SEQUENCE);
    der_wrap(der, start, EXTENSIONS);
}

void made_content(der_t *der, const made_t *made)
{
    der->size = 0;
    der_add(der, VERSION_3);
    der_add(der, SERIAL);
    der_add(der, ECDSA_WITH_SHA256);
    add_name(der, made->signer == SELF ? made->common_name : copal_text(names[made->signer]));
    add_dates(der, made->dates);
    add_name(der, made->common_name);
    add_key(der, keys[made->key]);
    add_extensions(der, made);
    der_wrap(der, 0, SEQUENCE);
}

/* ---- signing -------------------------------------------------------------------------------------------------------------- */

void made_sign(der_t *der, unsigned signer)
{
    uint8_t signature[1 + 80] = {0}; /* no unused bits */
    size_t size = sizeof signature - 1;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, keys[signer == SELF ? HOST : signer]), 1);
    check_equal(EVP_DigestSign(context, signature + 1, &size, der->data, der->size), 1);
    EVP_MD_CTX_free(context);
    der_add(der, ECDSA_WITH_SHA256);
    add_element(der, BIT_STRING, (copal_bytes_t){signature, 1 + size});
    der_wrap(der, 0, SEQUENCE);
}

/* ---- those who sign ------------------------------------------------------------------------------------------------------- */

void made_open(void)
{
    for (unsigned i = 0; i < SIGNERS; i++) {
        keys[i] = EVP_EC_gen("P-256");
        check(keys[i] != NULL);
    }
    for (unsigned i = 0; i < SIGNERS; i++) {
        const made_t made = {.signer = i == OTHER_AUTHORITY ? i : AUTHORITY,
                             .key = i,
                             .constraints = i == HOST ? NO_AUTHORITY : IS_AUTHORITY,
                             .common_name = copal_text(names[i])};
        made_content(&certificates[i], &made);
        made_sign(&certificates[i], made.signer);
    }
}

copal_bytes_t made_certificate(unsigned signer)
{
    return (copal_bytes_t){certificates[signer].data, certificates[signer].size};
}

void made_write(unsigned signer, const char *path)
{
    FILE *file = fopen(path, "w");
    check(file != NULL);
    check(PEM_write(file, "CERTIFICATE", "", certificates[signer].data, (long)certificates[signer].size) > 0);
    check_equal(PEM_write_PrivateKey(file, keys[signer], NULL, NULL, 0, NULL, NULL), 1);
    check_equal(fclose(file), 0);
}
