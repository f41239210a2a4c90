#include "mbedtls.h"

#include <arpa/inet.h>
#include <mbedtls/oid.h>
#include <string.h>

size_t copal__mbedtls_address(const char *name, uint8_t address[16])
{
    if (inet_pton(AF_INET, name, address) == 1)
        return 4;
    return inet_pton(AF_INET6, name, address) == 1 ? 16 : 0;
}

static uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + 'a' - 'A') : octet;
}

static bool is_host(const mbedtls_asn1_buf *found, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; found->len == size && i < size; i++)
        if (lower(found->p[i]) != lower((uint8_t)name[i]))
            return false;
    return found->len == size;
}

static bool has_common_name(const mbedtls_x509_crt *certificate, const char *name)
{
    for (const mbedtls_x509_name *part = &certificate->subject; part; part = part->next)
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0 && is_host(&part->val, name))
            return true;
    return false;
}

/* Mbed TLS 2.28 knows no addresses here, and each version takes wildcards, which are not allowed (RFC 7252 section 9.1.3.3, RFC
 * 7925 section 4.4.1). The common name counts only for a host, and without a SubjectAltName. */
bool copal__mbedtls_is_for(const mbedtls_x509_crt *certificate, const char *name)
{
    enum { TYPE = 0x1f, DNS_NAME = 2, IP_ADDRESS = 7 }; /* RFC 5280 section 4.2.1.6 */
    const mbedtls_x509_sequence *names = &certificate->subject_alt_names;
    uint8_t address[16];
    size_t size = copal__mbedtls_address(name, address);
    if (!names->buf.p)
        return size == 0 && has_common_name(certificate, name);
    for (const mbedtls_x509_sequence *one = names; one; one = one->next) {
        int type = one->buf.tag & TYPE;
        if (size ? type == IP_ADDRESS && one->buf.len == size && memcmp(one->buf.p, address, size) == 0
                 : type == DNS_NAME && is_host(&one->buf, name))
            return true;
    }
    return false;
}
