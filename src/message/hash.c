#include "hash.h"

typedef struct {
    uint64_t v0, v1, v2, v3;
} state_t;

static inline uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

static inline void round_once(state_t *s)
{
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

static void absorb(state_t *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}

static uint64_t load(const uint8_t *at, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

uint64_t copal__hash(const copal__key_t *key, uint64_t tweak, const void *data, size_t size)
{
    const uint8_t *at = data;
    size_t left = size;
    state_t s = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du ^ tweak, key->k0 ^ 0x6c7967656e657261u,
                 key->k1 ^ 0x7465646279746573u};
    for (; left >= 8; at += 8, left -= 8)
        absorb(&s, load(at, 8));
    absorb(&s, load(at, left) | (uint64_t)(size & 0xff) << 56);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        round_once(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
