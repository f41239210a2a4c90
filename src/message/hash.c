#include "hash.h"

typedef struct {
    uint64_t v0, v1, v2, v3;
} state_t;

static inline uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

static void mix(state_t *s, int rounds)
{
    while (rounds--) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 = rotate(s->v2, 32);
    }
}

/* Little-endian. */
static uint64_t load(const uint8_t *at, size_t size)
{
    uint64_t word = 0;
    while (size)
        word = word << 8 | at[--size];
    return word;
}

uint64_t copal__hash(const copal__key_t *key, uint64_t tweak, const void *data, size_t size)
{
    const uint8_t *at = data;
    state_t s = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du ^ tweak, key->k0 ^ 0x6c7967656e657261u,
                 key->k1 ^ 0x7465646279746573u};
    for (size_t left = size, part = 8; part == 8; left -= part) {
        part = left < 8 ? left : 8;
        uint64_t word = load(at + (size - left), part);
        if (part < 8) /* the last one says the size */
            word |= (uint64_t)size << 56;
        s.v3 ^= word;
        mix(&s, 2);
        s.v0 ^= word;
    }
    s.v2 ^= 0xff;
    mix(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
