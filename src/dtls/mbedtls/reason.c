#include "mbedtls.h"

#include <mbedtls/error.h>
#include <stdio.h>

#define NOT_LOOKED_AT UINT32_MAX /* of flags: no certificate has come */

/* What a user can do something about gets a sentence of our own; the first that holds is told. */
static const struct {
    uint32_t flag;
    const char *sentence;
} verdicts[] = {
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "the certificate is of an unknown authority"},
    {MBEDTLS_X509_BADCERT_EXPIRED, "the certificate has expired"},
    {MBEDTLS_X509_BADCERT_FUTURE, "the certificate is not valid yet"},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, "the certificate is for another host"},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, "the certificate is not for this purpose"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, "the certificate is not for this purpose"},
};

static int say(copal__mbedtls_handshake_t *handshake, int status, const char *sentence)
{
    snprintf(handshake->reason, sizeof handshake->reason, "%s", sentence);
    return status;
}

static int certificate_failure(copal__mbedtls_handshake_t *handshake, uint32_t flags)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (flags & verdicts[i].flag)
            return say(handshake, COPAL_ECERTIFICATE, verdicts[i].sentence);
    return say(handshake, COPAL_ECERTIFICATE, "the certificate is not to be trusted");
}

int copal__mbedtls_failure(copal__mbedtls_handshake_t *handshake, int error)
{
    /* A certificate for another purpose, of which all else is right, fails with the error of one that cannot be read. */
    const uint32_t flags = mbedtls_ssl_get_verify_result(&handshake->ssl);
    const bool misused = flags != NOT_LOOKED_AT && flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE);
    if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || misused)
        return certificate_failure(handshake, flags);
    if (error == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
        return say(handshake, COPAL_ECERTIFICATE, "the client showed no certificate");
    if (error == MBEDTLS_ERR_SSL_TIMEOUT)
        return say(handshake, COPAL_EHANDSHAKE, "the other end has stopped answering");
    if (error == copal__mbedtls_no_suite)
        return say(handshake, COPAL_EHANDSHAKE, "there is no cipher suite that both ends can use");
    mbedtls_strerror(error, handshake->reason, sizeof handshake->reason);
    return COPAL_EHANDSHAKE;
}
