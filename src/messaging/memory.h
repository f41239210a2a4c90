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
void *copal__carve(copal__carver_t *carver, size_t count, size_t size);
/** The same for things of nothing but numbers of 32 bits: small tables have many of those. */
void *copal__carve_links(copal__carver_t *carver, size_t count, size_t size);

#endif
