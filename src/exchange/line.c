/* NSTART (RFC 7252 section 4.7): which requests to a peer are outstanding, and which wait in line until they may be. A peer
 * has a line while a request to it is outstanding. */
#include "state.h"

static uint32_t find(const copal_endpoint_t *e, uint64_t hash)
{
    uint32_t at = copal__index_first(&e->by_peer, hash);
    while (at != COPAL__NONE && e->lines[at].hash != hash)
        at = copal__index_next(&e->by_peer, at);
    return at;
}

/* There is room: each line is that of a request at least. */
static uint32_t find_or_open(copal_endpoint_t *e, uint64_t hash)
{
    uint32_t at = find(e, hash);
    if (at == COPAL__NONE) {
        at = copal__pool_take(&e->line_pool);
        e->lines[at] = (copal__line_t){.hash = hash};
        copal__index_add(&e->by_peer, hash, at);
    }
    return at;
}

static void go(copal_endpoint_t *e, copal__slot_t *s)
{
    s->asking.place = COPAL__OUTSTANDING;
    s->stand = COPAL__READY;
    copal__slot_wake(e, s, e->now);
}

static void enter(copal_endpoint_t *e, copal__slot_t *s)
{
    s->asking.line = find_or_open(e, s->hash);
    copal__line_t *line = &e->lines[s->asking.line];
    if (line->outstanding < e->config.timing.nstart) {
        line->outstanding++;
        go(e, s);
        return;
    }
    copal__list_add(&line->waiting, e->line_links, s->number);
    s->asking.place = COPAL__WAITING;
    s->stand = COPAL__QUEUED;
    copal__slot_wake(e, s, COPAL_NEVER);
}

void copal__line_enter(copal_endpoint_t *e, copal__slot_t *s)
{
    if (s->asking.place == COPAL__OUTSTANDING)
        go(e, s);
    else if (s->asking.place == COPAL__WAITING)
        copal__slot_wake(e, s, COPAL_NEVER);
    else
        enter(e, s);
}

void copal__line_leave(copal_endpoint_t *e, copal__slot_t *s)
{
    const uint8_t place = s->asking.place;
    copal__line_t *line = &e->lines[s->asking.line];
    s->asking.place = COPAL__NOWHERE;
    if (place == COPAL__WAITING)
        copal__list_remove(&line->waiting, e->line_links, s->number);
    if (place != COPAL__OUTSTANDING)
        return;
    const uint32_t first = copal__list_first(&line->waiting);
    if (first != COPAL__NONE) {
        copal__list_remove(&line->waiting, e->line_links, first);
        go(e, &e->slots[first]);
    } else if (--line->outstanding == 0) {
        copal__index_remove(&e->by_peer, line->hash, s->asking.line);
        copal__pool_give(&e->line_pool, s->asking.line);
    }
}
