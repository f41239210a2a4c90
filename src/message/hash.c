#include "hash.h"

typedef struct {
    uint64_t v0, v1, v2, v3;
} state_t;

static inline uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

static inline void mix(state_t *s, int rounds)
{
    for (; rounds; rounds--) {
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

/* Little-endian, in one load. */
static inline uint64_t word_at(const uint8_t *at)
{
    return (uint64_t)at[7] << 56 | (uint64_t)at[6] << 48 | (uint64_t)at[5] << 40 | (uint64_t)at[4] << 32 |
           (uint64_t)at[3] << 24 | (uint64_t)at[2] << 16 | (uint64_t)at[1] << 8 | at[0];
}

/* What is left behind the words of eight octets, and above it the size. */
static inline uint64_t last_word(const uint8_t *data, size_t size)
{
    uint64_t word = 0;
    for (size_t end = size; end % 8; end--)
        word = word << 8 | data[end - 1];
    return word | (uint64_t)size << 56;
}

/* SipHash with `each` rounds for a word and `last` for the finish. No octets may have no address. */
static inline uint64_t hash(const copal__key_t *key, uint64_t tweak, const uint8_t *data, size_t size, int each, int last)
{
    state_t s = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du ^ tweak, key->k0 ^ 0x6c7967656e657261u,
                 key->k1 ^ 0x7465646279746573u};
    for (size_t i = 0; i <= size / 8; i++) {
        uint64_t word = i < size / 8 ? word_at(data + 8 * i) : last_word(data, size);
        s.v3 ^= word;
        mix(&s, each);
        s.v0 ^= word;
    }
    s.v2 ^= 0xff;
    mix(&s, last);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t copal__hash(const copal__key_t *key, uint64_t tweak, const void *data, size_t size)
{
    return hash(key, tweak, data, size, 2, 4);
}

uint64_t copal__hash_place(const copal__key_t *key, uint64_t tweak, const void *data, size_t size)
{
    return hash(key, tweak, data, size, 1, 3);
}
