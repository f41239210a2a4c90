/* What a security association that has ended, or was renewed, means for requests of our own (RFC 7252 section 9.1.2: a
 * response is matched within the association that its request was sent in). */
#include "../message/writer.h"
#include "state.h"

/* The first request to the peer in slot `at` or behind; NULL: there is none. */
static copal__slot_t *next(const copal_endpoint_t *e, const copal_peer_t *peer, uint64_t hash, uint32_t at)
{
    for (; at < e->slot_pool.fresh; at++) {
        copal__slot_t *s = &e->slots[at];
        if (s->kind == &copal__requests && s->stand != COPAL__OPEN && s->hash == hash && copal__peer_equal(&s->peer, peer))
            return s;
    }
    return NULL;
}

void copal_endpoint_lost(copal_endpoint_t *e, copal_time_t now, const copal_peer_t *peer, int status)
{
    const uint64_t hash = copal__peer_hash(e, peer);
    e->now = now;
    for (copal__slot_t *s = next(e, peer, hash, 0); s; s = next(e, peer, hash, s->number + 1))
        copal__request_tell(e, s, status, true, NULL, NULL);
}

/* To run it again may not be the same as to run it once (section 5.1); with a precondition it would fail where it succeeded. */
static bool runs_once(const copal__slot_t *s)
{
    const copal_code_t code = s->w.data[1];
    copal_option_t option;
    return code == COPAL_POST || code == COPAL_PATCH || copal__written(&s->w, COPAL_OPTION_IF_MATCH, &option) ||
           copal__written(&s->w, COPAL_OPTION_IF_NONE_MATCH, &option);
}

void copal_endpoint_renewed(copal_endpoint_t *e, copal_time_t now, const copal_peer_t *peer)
{
    const uint64_t hash = copal__peer_hash(e, peer);
    e->now = now;
    for (copal__slot_t *s = next(e, peer, hash, 0); s; s = next(e, peer, hash, s->number + 1)) {
        if (s->stand == COPAL__OBSERVING)
            copal__watch_renew(e, s);
        else if ((s->stand == COPAL__SENT || s->stand == COPAL__EXPECTING) && runs_once(s))
            copal__request_tell(e, s, COPAL_EUNREACHABLE, true, NULL, NULL);
        else if (s->stand == COPAL__SENT || s->stand == COPAL__EXPECTING)
            copal__request_launch(e, s);
    }
}
