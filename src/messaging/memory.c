#include "memory.h"

static void *carve(copal__carver_t *carver, size_t count, size_t size, size_t align)
{
    if (carver->used > SIZE_MAX / 2 || (size && count > (SIZE_MAX / 2 - align) / size)) {
        carver->used = SIZE_MAX;
        return NULL;
    }
    size_t at = (carver->used + align - 1) / align * align;
    carver->used = at + count * size;
    return carver->base ? carver->base + at : NULL;
}

void *copal__carve(copal__carver_t *carver, size_t count, size_t size)
{
    return carve(carver, count, size, _Alignof(max_align_t));
}

void *copal__carve_links(copal__carver_t *carver, size_t count, size_t size)
{
    return carve(carver, count, size, _Alignof(uint32_t));
}
