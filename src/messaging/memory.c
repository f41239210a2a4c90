#include "memory.h"

void *copal__carve(copal__carver_t *carver, size_t count, size_t size)
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
