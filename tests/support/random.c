#include "support/random.h"

random_t random_from(uint64_t seed) { return (random_t){seed * 0x9e3779b97f4a7c15u + 0x1234567u}; }

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t random_next(random_t *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t random_below(random_t *r, uint32_t bound) { return (uint32_t)((random_next(r) >> 32) * bound >> 32); }

void random_fill(void *state, void *buffer, size_t size)
{
    uint8_t *at = buffer;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(random_next(state) >> 56);
}
