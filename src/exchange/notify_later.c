/* Answers that are deferred and that register an observer, or notify one: the slot of the call is the message on its way. */
#include "observe.h"

void copal__notify_defer(copal__serving_t *serving, copal__slot_t *s)
{
    copal_endpoint_t *e = serving->call.endpoint;
    copal__observers_t *t = &e->observers;
    copal__observer_t *o = serving->call.notification ? &t->observers[serving->observer] : copal__observe_begin(serving);
    if (!o)
        return;
    s->later.address.proven |= o->acknowledged;
    if (o->stand == COPAL__FLYING) /* what it says is old, and the new answer comes by itself */
        copal__notify_close(e, &e->slots[o->slot]);
    s->later.observer = copal__observer_number(t, o) + 1;
    s->later.notifies = serving->call.notification;
    copal__observer_stand(t, o, COPAL__PENDING);
    o->slot = s->number;
}

/* The round that is told of now may not be the one that the service was asked in. */
static void write_next(copal_endpoint_t *e, copal__observer_t *o, copal__slot_t *s)
{
    copal__subject_t *subject = copal__subject_of(&e->observers, o);
    copal__subject_count(&e->observers, subject, e->now);
    copal__observe_write(subject, &s->w);
}

/* What is committed is told: by CON where that is due, since there is a slot. */
static copal_code_t notify(copal_endpoint_t *e, copal__slot_t *s, copal__observer_t *o)
{
    bool goes_on = copal__observe_may(s->w.data[1], &s->w), fits = goes_on && copal__observer_fits(o, s->w.data[1], &s->w);
    s->confirmable = !fits || copal__notify_must_confirm(e, o) || copal__notify_should_confirm(e, o);
    o->sent = (uint32_t)e->now;
    e->counters.notifications++;
    if (fits) {
        write_next(e, o, s);
        return 0;
    }
    s->later.observer = 0; /* it is the last one, and leaves all the same */
    copal__observer_stand(&e->observers, o, COPAL__RESTING);
    copal__observe_end(e, o);
    return goes_on ? COPAL_NOT_ACCEPTABLE : 0;
}

copal_code_t copal__notify_commit(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__observers_t *t = &e->observers;
    copal__observer_t *o = &t->observers[s->later.observer - 1];
    if (s->later.notifies)
        return notify(e, s, o);
    if (!copal__observe_may(s->w.data[1], &s->w)) {
        copal__observe_end(e, o);
        return 0;
    }
    copal__observer_fits(o, s->w.data[1], &s->w);
    if (s->stand != COPAL__HELD)
        o->sent = (uint32_t)e->now;
    write_next(e, o, s);
    return 0;
}

void copal__notify_conclude(copal_endpoint_t *e, copal__slot_t *s, bool alive)
{
    copal__observers_t *t = &e->observers;
    copal__observer_t *o = &t->observers[s->later.observer - 1];
    bool unanswered = s->stand == COPAL__HELD || s->stand == COPAL__PROMISED;
    copal__observer_stand(t, o, o->stale ? COPAL__DUE : COPAL__RESTING);
    if (o->stale) /* what it is told of that round must come after this answer */
        copal__subject_count(t, copal__subject_of(t, o), e->now);
    if (!alive && !(unanswered && s->later.notifies)) { /* a handler that forgot is no sign of the peer's */
        copal__observe_end(e, o);
        return;
    }
    if (s->has_id && s->stand == COPAL__ONCE)
        copal__observer_identify(t, o, s->id);
    if (s->stand == COPAL__SENT) {
        o->acknowledged = true;
        o->confirmed = copal__units(e->now);
    }
    copal__observe_wake(e);
}
