/* Observers are told of changes (RFC 7641 sections 4.2 to 4.5). A notification is the answer to the request that was kept,
 * made when it leaves: so there is no queue of states, and whoever waits is told the newest. */
#include "observe.h"
#include "options.h"

#include <string.h>

#define DAY (24u * 60 * 60) /* seconds */

/* The call that a notification is the answer to. */
typedef struct {
    copal__serving_t serving;
    copal_message_t request;
    copal_from_t from;
} notification_t;

static uint32_t seconds(const copal_endpoint_t *e) { return (uint32_t)(e->now / 1000); }

static bool has_slot(const copal_endpoint_t *e) { return e->notifying < e->config.limits.notifications; }

static copal__observed_t *observed_of(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return &e->observers.observed[o->observed];
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

/* Asks the service, and adds Observe to what it answers. False: it is the last notification, without Observe. */
static bool compose(copal_endpoint_t *e, copal__observer_t *o, notification_t *n)
{
    copal__serving_t *s = &n->serving;
    copal__subject_t *subject = copal__subject_of(&e->observers, o);
    copal_bytes_t kept = copal__observed_request(&e->observers, o->observed);
    copal_handle_t handle = {subject->slot, observed_of(e, o)->generation};
    uint16_t culprit;
    copal_message_parse(&n->request, kept);
    n->request.token = (copal_bytes_t){o->token, o->token_size};
    n->from = (copal_from_t){.peer = o->peer, .via = o->via, .proven = o->proven, .network = o->network};
    s->call = (copal_call_t){e, e->now, &n->from, &n->request, &s->options, kept, 0, true};
    s->memory = NULL;
    s->fallback = COPAL_INTERNAL_SERVER_ERROR;
    s->identified = s->answered = s->deferred = s->observable = false;
    copal__request_options(&s->options, &n->request, e->config.service.first_only, &culprit);
    o->stale = false;
    copal__serving_execute(s);
    copal__serving_close(s);
    if (COPAL_CODE_CLASS(s->code) != 2)
        return false;
    if (!s->observable || s->subject.slot != handle.slot || s->subject.generation != handle.generation)
        copal_reply_text(&s->call, COPAL_NOT_FOUND, NULL);
    else if (!copal__observer_fits(o, s->code, &s->w))
        copal_reply_text(&s->call, COPAL_NOT_ACCEPTABLE, NULL); /* section 4.2 */
    else
        copal__observe_write(subject, &s->w);
    if (s->w.error)
        copal_reply_text(&s->call, COPAL_INTERNAL_SERVER_ERROR, NULL);
    return COPAL_CODE_CLASS(s->code) == 2;
}

/* ---- how it leaves ----------------------------------------------------------------------------------------------- */

/* The one place where notifications are posted: what is written where the outbox has its room. */
static void post(copal_endpoint_t *e, const copal_from_t *to, size_t size)
{
    copal__outbox_post(&e->outbox, to, size);
}

/* Hands a slot's message to the outbox, first or again, so that no memory of slots is lent while handlers run. False: it is too
 * late for this transmission. */
static bool transmit(copal_endpoint_t *e, copal__slot_t *s)
{
    copal_datagram_t datagram;
    const copal_from_t to = {.peer = s->peer, .via = s->via};
    if (!copal__slot_transmit(e, s, &datagram))
        return false;
    memcpy(copal__outbox_place(&e->outbox), datagram.bytes.data, datagram.bytes.size);
    post(e, &to, datagram.bytes.size);
    return true;
}

/* Waits for a NON to be allowed, or an ID to be free: in order, so that the first is the next. */
static void cool(copal_endpoint_t *e, copal__observer_t *o, uint32_t due)
{
    copal__observers_t *t = &e->observers;
    uint32_t last = t->stands[COPAL__COOLING].last;
    if (last && (int32_t)(due - t->observers[last - 1].due) < 0)
        due = t->observers[last - 1].due;
    copal__observer_stand(t, o, COPAL__COOLING);
    o->due = due;
}

static bool send_non(copal_endpoint_t *e, copal__observer_t *o, const notification_t *n)
{
    uint32_t id = copal__identifier_take(&e->identifiers, e->now, o->hash);
    if (id == COPAL__NONE)
        return false;
    n->serving.w.data[2] = (uint8_t)(id >> 8);
    n->serving.w.data[3] = (uint8_t)id;
    copal__observer_identify(&e->observers, o, (uint16_t)id);
    post(e, &n->from, n->serving.w.size);
    return true;
}

static void put(copal__slot_t *s, const copal_writer_t *w)
{
    memcpy(s->w.data, w->data, w->size);
    s->w.size = w->size;
    s->w.data[0] = (uint8_t)((s->w.data[0] & 0xcfu) | COPAL_CON << 4);
}

static int settle(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a);
static bool due(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out);
static const copal__kind_t notifications = {due, settle, NULL};

static void close_slot(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__slot_close(e, s);
    e->notifying--;
    copal__observe_wake(e);
}

static bool send_con(copal_endpoint_t *e, copal__observer_t *o, const notification_t *n)
{
    uint32_t number = copal__observer_number(&e->observers, o);
    copal__slot_t *s = copal__slot_open(e, &notifications, &o->peer, o->via, o->hash, ~(o->hash + number));
    e->notifying++;
    s->confirmable = true;
    s->deadline = COPAL_NEVER;
    s->notifying.observer = number;
    put(s, &n->serving.w);
    if (!copal__slot_identify(e, s)) {
        close_slot(e, s);
        return false;
    }
    s->stand = COPAL__READY;
    copal__observer_stand(&e->observers, o, COPAL__FLYING);
    o->slot = s->number;
    return transmit(e, s);
}

/* Its slot, if it has one, goes on by itself until the last notification is acknowledged. */
static void end_with(copal_endpoint_t *e, copal__observer_t *o)
{
    if (o->stand == COPAL__FLYING) {
        e->slots[o->slot].notifying.observer = COPAL__NONE;
        copal__observer_stand(&e->observers, o, COPAL__RESTING);
    }
    copal__observe_end(e, o);
}

static bool is_trusted(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return o->acknowledged || o->proven || copal__proven_has(&e->proven, e->now, o->hash);
}

/* Tells an observer that has no CON on its way, or lets it wait. True: a datagram was posted. */
static bool tell(copal_endpoint_t *e, copal__observer_t *o)
{
    const copal_timing_t *timing = &e->config.timing;
    copal__observed_t *observed = observed_of(e, o);
    notification_t n;
    uint32_t age = seconds(e) - o->confirmed;
    bool must = observed->confirmable || age >= DAY /* section 4.5: "at least every 24 hours" */ || !is_trusted(e, o);
    bool soon = (uint32_t)e->now - o->sent < timing->notify_interval; /* no NON yet (section 4.5.1) */
    copal__observer_stand(&e->observers, o, COPAL__RESTING);
    if (!has_slot(e) && must) {
        copal__observer_stand(&e->observers, o, COPAL__CROWDED);
        return false;
    }
    if (!has_slot(e) && soon) {
        cool(e, o, o->sent + timing->notify_interval);
        return false;
    }
    bool goes_on = compose(e, o, &n);
    if (goes_on)
        observed->confirmable = n.serving.confirmable;
    must = must || observed->confirmable;
    if (goes_on && must && !has_slot(e)) { /* it has become so */
        copal__observer_stand(&e->observers, o, COPAL__CROWDED);
        return false;
    }
    bool confirmable = has_slot(e) && (must || soon || !goes_on || age >= timing->confirm_interval / 1000);
    if (!(confirmable ? send_con(e, o, &n) : send_non(e, o, &n))) {
        cool(e, o, (uint32_t)e->now + timing->notify_interval);
        return false;
    }
    o->sent = (uint32_t)e->now;
    e->counters.notifications++;
    if (!goes_on)
        end_with(e, o);
    return true;
}

/* The CON is to be sent again, and there is a newer state: that takes its place, under a message ID of its own, with the
 * retransmission going on (section 4.5.2). */
static bool supersede(copal_endpoint_t *e, copal__observer_t *o)
{
    copal__slot_t *s = &e->slots[o->slot];
    notification_t n;
    copal__observer_stand(&e->observers, o, COPAL__FLYING);
    if (e->now < copal__identifier_free_at(&e->identifiers, o->hash))
        return transmit(e, s);
    bool goes_on = compose(e, o, &n);
    copal__slot_forget_id(e, s);
    put(s, &n.serving.w);
    copal__slot_identify(e, s);
    bool posted = transmit(e, s);
    o->sent = (uint32_t)e->now;
    e->counters.notifications += posted;
    if (!goes_on)
        end_with(e, o);
    return posted;
}

/* ---- what becomes of a CON --------------------------------------------------------------------------------------- */

static bool due(copal_endpoint_t *e, copal__slot_t *s, copal_datagram_t *out)
{
    uint32_t number = s->notifying.observer;
    copal__observer_t *o = number == COPAL__NONE ? NULL : &e->observers.observers[number];
    if (copal__slot_is_over(e, s)) {
        if (o)
            copal__observe_end(e, o); /* "no longer interested" (section 4.5) */
        else
            close_slot(e, s);
        return false;
    }
    if (!o || !o->stale)
        return copal__slot_transmit(e, s, out);
    copal__slot_wake(e, s, COPAL_NEVER);
    copal__observer_stand(&e->observers, o, COPAL__SUPERSEDED);
    copal__observe_wake(e);
    return false;
}

static int settle(copal_endpoint_t *e, copal__slot_t *s, const copal__arrival_t *a)
{
    uint32_t number = s->notifying.observer;
    copal__observer_t *o = number == COPAL__NONE ? NULL : &e->observers.observers[number];
    if (o && a->message.type == COPAL_RST) {
        copal__observe_end(e, o);
        return 0;
    }
    if (o) {
        bool stale = o->stale || o->stand == COPAL__SUPERSEDED;
        copal__observer_stand(&e->observers, o, stale ? COPAL__DUE : COPAL__RESTING);
        o->acknowledged = true;
        o->confirmed = seconds(e);
    }
    close_slot(e, s);
    return 0;
}

int copal__notify_reset(copal_endpoint_t *e, const copal__arrival_t *a)
{
    const copal__observers_t *t = &e->observers;
    uint64_t hash = copal__peer_hash(e, &a->from->peer);
    uint32_t at = copal__index_first(&t->by_id, copal__message_key(hash, 0, a->message.id));
    for (; at != COPAL__NONE; at = copal__index_next(&t->by_id, at)) {
        copal__observer_t *o = &t->observers[at];
        if (o->id == a->message.id && copal__peer_equal(&o->peer, &a->from->peer)) {
            copal__observe_end(e, o);
            return 0;
        }
    }
    return COPAL_EIGNORED;
}

/* ---- who is told next -------------------------------------------------------------------------------------------- */

void copal_notify(copal_endpoint_t *e, copal_time_t now, uint32_t slot)
{
    copal__observers_t *t = &e->observers;
    copal__subject_t *s = copal__subject_find(t, slot);
    if (!s)
        return;
    e->now = now;
    s->changed = true;
    if (!s->listed)
        copal__list_add(&t->changed, t->changed_links, (uint32_t)(s - t->subjects));
    s->listed = true;
    copal__observe_wake(e);
}

/* Subjects take turns: one observer is come to, then it is the next subject's turn. */
static bool take_turn(copal_endpoint_t *e, uint32_t at)
{
    copal__observers_t *t = &e->observers;
    copal__subject_t *s = &t->subjects[at];
    if (s->changed) {
        s->changed = false;
        s->round++;
        if (s->told)
            copal__subject_count(t, s, e->now);
    }
    copal__list_remove(&t->changed, t->changed_links, at);
    uint32_t number = copal__list_first(&s->ring);
    copal__observer_t *o = &t->observers[number];
    s->listed = o->round != s->round;
    if (!s->listed)
        return false;
    copal__list_add(&t->changed, t->changed_links, at);
    copal__list_remove(&s->ring, t->ring_links, number);
    copal__list_add(&s->ring, t->ring_links, number);
    o->round = s->round;
    if (o->stand == COPAL__RESTING)
        return tell(e, o);
    o->stale = o->stand == COPAL__FLYING || o->stand == COPAL__PENDING; /* who waits will be told the newest anyway */
    return false;
}

static copal__observer_t *first(const copal_endpoint_t *e, copal__observer_stand_t stand)
{
    uint32_t at = copal__list_first(&e->observers.stands[stand]);
    return at == COPAL__NONE ? NULL : &e->observers.observers[at];
}

/* Does one thing that is due. False: nothing is. */
static bool proceed(copal_endpoint_t *e, bool *posted)
{
    copal__observer_t *o;
    uint32_t subject;
    if ((o = first(e, COPAL__SUPERSEDED)))
        *posted = supersede(e, o);
    else if ((has_slot(e) && (o = first(e, COPAL__CROWDED))) || (o = first(e, COPAL__DUE)))
        *posted = tell(e, o);
    else if ((o = first(e, COPAL__COOLING)) && (int32_t)((uint32_t)e->now - o->due) >= 0)
        *posted = tell(e, o);
    else if ((subject = copal__list_first(&e->observers.changed)) != COPAL__NONE)
        *posted = take_turn(e, subject);
    else
        return false;
    return true;
}

size_t copal__notify_send(copal_endpoint_t *e, copal_datagram_t *out, size_t capacity)
{
    copal_time_t now = e->now;
    size_t count = 0;
    for (bool posted = false; count < capacity && e->outbox.count < e->outbox.capacity && proceed(e, &posted);
         posted = false) {
        count += posted && copal__outbox_take(&e->outbox, &out[count]);
        e->now = now; /* a handler may have told another time */
    }
    copal__observe_wake(e);
    return count;
}
