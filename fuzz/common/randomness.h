/* Randomness that is the same in each run, in place of that of the libraries of cryptography. */
#ifndef FUZZ_COMMON_RANDOMNESS_H
#define FUZZ_COMMON_RANDOMNESS_H

#include <stddef.h>

/** Begins it anew, for OpenSSL and for Mbed TLS. */
void randomness_fix(void);

/** What the linker puts in the place of mbedtls_ctr_drbg_random (--wrap). */
int __wrap_mbedtls_ctr_drbg_random(void *state, unsigned char *out, size_t size);

#endif
