/* The DTLS filter, with Mbed TLS: common/dtls.h. */
#include "common/dtls.h"
#include "common/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return dtls_steps(&copal_dtls_mbedtls, data, size); }
