/* Lays structures out in one block of memory. The same function that lays out measures, with no block at all. */
#ifndef COPAL_MESSAGING_MEMORY_H
#define COPAL_MESSAGING_MEMORY_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *base; /* NULL: only measure */
    size_t used;   /* SIZE_MAX once it overflowed */
} copal__carver_t;

/** Room for `count` things of `size` octets, aligned for any type; NULL when only measuring. */
static inline void *copal__carve(copal__carver_t *carver, size_t count, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (carver->used > SIZE_MAX / 2 || (size && count > (SIZE_MAX / 2 - align) / size)) {
        carver->used = SIZE_MAX;
        return NULL;
    }
    size_t at = (carver->used + align - 1) / align * align;
    carver->used = at + count * size;
    return carver->base ? carver->base + at : NULL;
}

#endif
