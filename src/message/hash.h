/* The one keyed hash of copal: SipHash (Aumasson and Bernstein, 2012). */
#ifndef COPAL_MESSAGE_HASH_H
#define COPAL_MESSAGE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t k0, k1;
} copal__key_t;

/** The hash of `size` octets, by SipHash-2-4. `tweak` separates uses of one key: another tweak is another function; 0 is
 *  plain SipHash. */
uint64_t copal__hash(const copal__key_t *key, uint64_t tweak, const void *data, size_t size);

/** The same by SipHash-1-3, in half the time: for a place in a table, where what is found there is compared and nobody
 *  ever sees a hash. */
uint64_t copal__hash_place(const copal__key_t *key, uint64_t tweak, const void *data, size_t size);

#endif
