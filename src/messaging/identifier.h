/* Message IDs (RFC 7252 section 4.4): unique for each peer within EXCHANGE_LIFETIME, or NON_LIFETIME (section 4.8.2),
 * without state for each peer. Peers share counters by a keyed hash. The IDs of a counter are four segments; one is
 * entered again only when every ID in it has rested. */
#ifndef COPAL_MESSAGING_IDENTIFIER_H
#define COPAL_MESSAGING_IDENTIFIER_H

#include "copal/base.h"
#include "table.h"

#define COPAL__SEGMENTS 4u

typedef struct {
    uint16_t next;
    bool started;
    copal_time_t until[COPAL__SEGMENTS]; /* no ID of the segment is used again before; INT64_MIN: none was used */
} copal__counter_t;

typedef struct {
    copal__counter_t *counters;
    uint32_t mask;
    void (*random)(void *state, void *buffer, size_t size);
    void *random_state;
} copal__identifiers_t;

/** `counters` is a power of two. The other fields are the caller's to set. */
void copal__identifiers_lay(copal__identifiers_t *ids, copal__carver_t *carver, uint32_t counters);
/** An ID for the peer with this hash, which rests until `until`; COPAL__NONE: none is free. */
uint32_t copal__identifier_take(copal__identifiers_t *ids, copal_time_t now, uint64_t hash, copal_time_t until);
/** Whether there is one. */
bool copal__identifier_is_free(const copal__identifiers_t *ids, copal_time_t now, uint64_t hash);
/** When the next one is. */
copal_time_t copal__identifier_free_at(const copal__identifiers_t *ids, uint64_t hash);
/** An ID taken before leaves only now, and rests until `until`. */
void copal__identifier_touch(copal__identifiers_t *ids, uint64_t hash, uint16_t id, copal_time_t until);

#endif
