#include "suite.h"

#include <stddef.h>

/* RFC 7252 sections 9.1.3.1 and 9.1.3.3 demand the two of CCM_8. Of those with pre-shared keys, the ones with ECDHE
 * keep what was said secret when the key becomes known later. */
const copal__suite_t copal__suites[] = {
    {0xc0ae, COPAL__AES_128_CCM_8, 16, 4, 8, 8},      /* TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 (RFC 7251) */
    {0xc0ac, COPAL__AES_128_CCM, 16, 4, 16, 8},       /* TLS_ECDHE_ECDSA_WITH_AES_128_CCM (RFC 7251) */
    {0xc02b, COPAL__AES_128_GCM, 16, 4, 16, 8},       /* TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289) */
    {0xcca9, COPAL__CHACHA20_POLY1305, 32, 12, 16, 0}, /* TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905) */
    {0xc02f, COPAL__AES_128_GCM, 16, 4, 16, 8},       /* TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (RFC 5289) */
    {0xcca8, COPAL__CHACHA20_POLY1305, 32, 12, 16, 0}, /* TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905) */
    {0xccac, COPAL__CHACHA20_POLY1305, 32, 12, 16, 0}, /* TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905) */
    {0xc0a8, COPAL__AES_128_CCM_8, 16, 4, 8, 8},      /* TLS_PSK_WITH_AES_128_CCM_8 (RFC 6655) */
    {0xc0a4, COPAL__AES_128_CCM, 16, 4, 16, 8},       /* TLS_PSK_WITH_AES_128_CCM (RFC 6655) */
    {0x00a8, COPAL__AES_128_GCM, 16, 4, 16, 8},       /* TLS_PSK_WITH_AES_128_GCM_SHA256 (RFC 5487) */
    {0xccab, COPAL__CHACHA20_POLY1305, 32, 12, 16, 0}, /* TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905) */
    {0},
};

const copal__suite_t *copal__suite_find(uint16_t number)
{
    for (const copal__suite_t *suite = copal__suites; suite->number; suite++)
        if (suite->number == number)
            return suite;
    return NULL;
}
