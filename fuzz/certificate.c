/* Certificates of the other end, with OpenSSL: common/certificate.h. */
#include "common/certificate.h"
#include "common/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return certificate_shown(&copal_dtls_openssl, data, size);
}
