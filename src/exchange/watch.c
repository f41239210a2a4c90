/* Observations of our own (RFC 7641 section 3). Between notifications such a request holds its slot and a timer, and no
 * place under NSTART. */
#include "../message/writer.h"
#include "state.h"

#define MAX_AGE         60                /* seconds, where the option is absent (RFC 7252 section 5.10.5) */
#define REORDERED       (128 * 1000)      /* milliseconds (section 3.4) */
#define LONGEST_SILENCE (5 * 60 * 1000)   /* milliseconds between two registrations that fail */

/* "a random amount of time between 5 and 15 seconds" (section 3.3.1). */
static copal_time_t spread(copal_endpoint_t *e)
{
    uint32_t draw;
    e->config.random(e->config.random_state, &draw, sizeof draw);
    return 5000 + (copal_time_t)((uint64_t)draw * 10001 >> 32);
}

/* Nothing of ours is unanswered now. Its token names it as long as it lives. */
static void rest(copal_endpoint_t *e, copal__slot_t *s, copal_time_t time)
{
    copal__line_leave(e, s);
    s->stand = COPAL__OBSERVING;
    s->deadline = COPAL_NEVER;
    copal__slot_wake(e, s, e->now + time);
}

/* Whether a notification was sent later than the freshest so far (section 3.4), or answers the registration: a server that
 * has restarted may begin with any number, and its answer is younger than what came before it was asked. */
static bool is_fresh(const copal_endpoint_t *e, const copal__slot_t *s, uint32_t observe, bool answers)
{
    uint32_t ahead = (observe - s->asking.freshest) & 0xffffff;
    if (answers || s->asking.observes == COPAL__ASKED || e->now > s->asking.freshest_at + REORDERED)
        return true;
    return ahead ? ahead < 1u << 23 : s->stand != COPAL__OBSERVING;
}

bool copal__watch_take(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a, bool answers)
{
    const copal_message_t *m = &a->message;
    copal_option_t option;
    if ((s->asking.observes != COPAL__ASKED && s->asking.observes != COPAL__REGISTERED) ||
        COPAL_CODE_CLASS(m->code) != 2 || !copal_option_find(m, COPAL_OPTION_OBSERVE, &option))
        return false;
    uint32_t observe = copal_option_uint(&option);
    if (!is_fresh(e, s, observe, answers))
        return true;
    copal_time_t age = copal_option_find(m, COPAL_OPTION_MAX_AGE, &option) ? copal_option_uint(&option) : MAX_AGE;
    s->asking.observes = COPAL__REGISTERED;
    s->asking.drawn = false;
    s->asking.freshest = observe;
    s->asking.freshest_at = e->now;
    s->asking.misses = 0;
    rest(e, s, age * 1000 + spread(e));
    copal__request_tell(e, s, 0, false, m, a->from);
    return true;
}

/* The same token, and the same options but for Echo, which is of one request. Confirmable: it is to be known whether the
 * server is still there. */
void copal__watch_renew(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__write_remove(&s->w, COPAL_OPTION_ECHO);
    s->w.data[0] &= 0xcf;
    s->confirmable = true;
    s->asking.echoed = false;
    s->asking.order = e->order++;
    s->deadline = e->now + e->exchange_lifetime;
    copal__request_launch(e, s);
}

void copal__watch_retry(copal_endpoint_t *e, copal__slot_t *s)
{
    copal_time_t time = spread(e) << s->asking.misses;
    if (time < LONGEST_SILENCE)
        s->asking.misses++;
    rest(e, s, time < LONGEST_SILENCE ? time : LONGEST_SILENCE);
}

/* Puts Observe 1 where 0 was; false: the message is so large that there is no room for it. */
static bool say_leaving(copal__slot_t *s)
{
    s->asking.receiver = NULL;
    s->asking.observes = COPAL__LEAVING;
    s->asking.drawn = false;
    copal__write_remove(&s->w, COPAL_OPTION_OBSERVE);
    copal_write_option_uint(&s->w, COPAL_OPTION_OBSERVE, 1);
    return !s->w.error;
}

int copal_request_deregister(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle)
{
    copal__slot_t *s = copal__slot_find(e, handle, &copal__requests);
    if (!s)
        return COPAL_ESTALE;
    e->now = now;
    bool has_left = s->stand == COPAL__SENT || s->stand == COPAL__EXPECTING;
    bool may_be_known = s->asking.observes == COPAL__REGISTERED || (s->asking.observes == COPAL__ASKED && has_left);
    if (may_be_known && say_leaving(s)) {
        copal__slot_disown(s);
        copal__watch_renew(e, s);
    } else {
        copal__request_discard(e, s);
    }
    return 0;
}
