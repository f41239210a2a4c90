/* The replay window of RFC 6347 section 4.1.2.6: which of the last 64 numbers have been there. */
#ifndef COPAL_DTLS_WINDOW_H
#define COPAL_DTLS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/** All zero at first. */
typedef struct {
    uint64_t next; /* one more than the highest number */
    uint64_t seen; /* bit i: next - 1 - i was there */
} copal__window_t;

/** Whether a number may be new. It is added only once its record has shown to be authentic. */
bool copal__window_is_new(const copal__window_t *window, uint64_t number);
void copal__window_add(copal__window_t *window, uint64_t number);

#endif
