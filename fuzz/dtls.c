/* The DTLS filter, with OpenSSL: common/dtls.h. */
#include "common/dtls.h"
#include "common/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return dtls_steps(&copal_dtls_openssl, data, size); }
