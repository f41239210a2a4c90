#define OPENSSL_API_COMPAT 0x10100000L /* randomness of our own */
#include "randomness.h"

#include "support/check.h"
#include "support/random.h"

#include <openssl/rand.h>

static random_t drawn;

static int draw(unsigned char *out, int size)
{
    random_fill(&drawn, out, (size_t)size);
    return 1;
}

static int draw_status(void) { return 1; }

void randomness_fix(void)
{
    static const RAND_METHOD method = {.bytes = draw, .pseudorand = draw, .status = draw_status};
    drawn = random_from(1);
    check_equal(RAND_set_rand_method(&method), 1);
}

int __wrap_mbedtls_ctr_drbg_random(void *state, unsigned char *out, size_t size)
{
    (void)state;
    random_fill(&drawn, out, size);
    return 0;
}
