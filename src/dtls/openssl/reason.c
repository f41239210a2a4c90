#include "openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* What a user can do something about gets a sentence of our own. */
static const struct {
    long result;
    const char *sentence;
} verdicts[] = {
    {X509_V_ERR_HOSTNAME_MISMATCH, "the certificate is for another host"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "the certificate is for another host"},
    {X509_V_ERR_CERT_HAS_EXPIRED, "the certificate has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "the certificate is not valid yet"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "the certificate is of an unknown authority"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "the certificate is of an unknown authority"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "the certificate is of an unknown authority"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "the certificate is of an unknown authority"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "the certificate is of an unknown authority"},
    {X509_V_ERR_CERT_UNTRUSTED, "the certificate is of an unknown authority"},
    {X509_V_ERR_INVALID_PURPOSE, "the certificate is not for this purpose"},
};

static const struct {
    int error; /* of ERR_LIB_SSL */
    int status;
    const char *sentence;
} failures[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, COPAL_ECERTIFICATE, "the client showed no certificate"},
    {SSL_R_NO_SHARED_CIPHER, COPAL_EHANDSHAKE, "there is no cipher suite that both ends can use"},
    {SSL_R_READ_TIMEOUT_EXPIRED, COPAL_EHANDSHAKE, "the other end has stopped answering"},
};

static int certificate_failure(long result, const char **reason)
{
    *reason = X509_verify_cert_error_string(result);
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (verdicts[i].result == result)
            *reason = verdicts[i].sentence;
    return COPAL_ECERTIFICATE;
}

int copal__openssl_failure(SSL *ssl, const char **reason)
{
    unsigned long error = ERR_peek_last_error();
    long result = SSL_get_verify_result(ssl);
    if (result != X509_V_OK)
        return certificate_failure(result, reason);
    *reason = ERR_reason_error_string(error);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == failures[i].error) {
            *reason = failures[i].sentence;
            return failures[i].status;
        }
    return COPAL_EHANDSHAKE;
}
