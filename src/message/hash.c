#include "hash.h"

static inline uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

uint64_t copal__hash(const copal__key_t *key, uint64_t tweak, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t v0 = key->k0 ^ 0x736f6d6570736575u, v1 = key->k1 ^ 0x646f72616e646f6du ^ tweak;
    uint64_t v2 = key->k0 ^ 0x6c7967656e657261u, v3 = key->k1 ^ 0x7465646279746573u;
    /* Little-endian words of eight octets; then a shorter one, which says the size; then the finish, without one. */
    for (size_t words = size / 8 + 2; words; words--) {
        uint64_t word = 0;
        if (words > 2) {
            word = (uint64_t)at[7] << 56 | (uint64_t)at[6] << 48 | (uint64_t)at[5] << 40 | (uint64_t)at[4] << 32 |
                   (uint64_t)at[3] << 24 | (uint64_t)at[2] << 16 | (uint64_t)at[1] << 8 | at[0]; /* one load */
            at += 8;
        } else if (words == 2) {
            for (size_t rest = size % 8; rest; rest--)
                word = word << 8 | at[rest - 1];
            word |= (uint64_t)size << 56;
        } else {
            v2 ^= 0xff;
        }
        v3 ^= word;
        for (int rounds = words == 1 ? 4 : 2; rounds; rounds--) {
            v0 += v1;
            v2 += v3;
            v1 = rotate(v1, 13) ^ v0;
            v3 = rotate(v3, 16) ^ v2;
            v0 = rotate(v0, 32);
            v2 += v1;
            v0 += v3;
            v1 = rotate(v1, 17) ^ v2;
            v3 = rotate(v3, 21) ^ v0;
            v2 = rotate(v2, 32);
        }
        v0 ^= word;
    }
    return v0 ^ v1 ^ v2 ^ v3;
}
