/* Observers are told of changes (RFC 7641 sections 4.2 to 4.5). A notification is the answer to the request that was kept,
 * made when it leaves: so there is no queue of states, and whoever waits is told the newest. */
#include "../message/parse.h"
#include "observe.h"
#include "options.h"

#include <string.h>

#define DAY 84375u /* units */

/* The call that a notification is the answer to. */
typedef struct {
    copal__serving_t serving;
    copal_message_t request;
    copal_from_t from;
} notification_t;

static bool has_slot(const copal_endpoint_t *e) { return e->notifying < e->config.limits.notifications; }

/* "limit the number of simultaneous outstanding notifications ... to a given client to NSTART" (section 4.5.1). */
static bool has_turn(const copal_endpoint_t *e, uint64_t peer_hash)
{
    return copal__client_of(&e->observers, peer_hash)->flying < e->config.timing.nstart;
}

/* Whether there is a message ID for it. */
static bool has_id(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return copal__identifier_is_free(&e->identifiers, e->now, copal__pair(o->hash, o->via));
}

/* A slot's name for what concerns this observer: unlike any that comes from a message's key. */
static uint64_t name_of(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return ~(o->hash + copal__observer_number(&e->observers, o));
}

static copal__observed_t *observed_of(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return &e->observers.observed[o->observed];
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

/* Makes the call of the request that was kept. */
static void begin(copal_endpoint_t *e, copal__observer_t *o, notification_t *n)
{
    copal__serving_t *s = &n->serving;
    copal_bytes_t kept = copal__observed_request(&e->observers, o->observed);
    uint16_t culprit;
    copal__message_head(&n->request, kept);
    copal__request_options(&s->options, &n->request, e->config.service.first_only, &culprit);
    n->request.token = (copal_bytes_t){o->token, o->token_size};
    n->from = (copal_from_t){.peer = o->peer, .via = o->via, .proven = o->proven, .network = o->network};
    s->call = (copal_call_t){e, e->now, &n->from, &n->request, &s->options, kept, 0, true};
    s->memory = NULL;
    s->keeping = (copal__keeping_t){0};
    s->rest = false;
    s->fallback = COPAL_INTERNAL_SERVER_ERROR;
    s->observer = copal__observer_number(&e->observers, o);
    s->origin = (copal__origin_t){.peer = o->hash, .key = name_of(e, o)};
    s->identified = true;
    s->answered = s->deferred = s->observable = false;
    o->stale = false;
    copal__observer_come(&e->observers, o); /* what it is told now is the newest */
}

/* What came of asking the service. */
typedef enum {
    GOES_ON,
    LAST,     /* the answer ends the observation, and has no Observe */
    DEFERRED, /* it will be committed */
    NOT_NOW,  /* there is no room to defer it */
} outcome_t;

/* Asks the service, and adds Observe to what it answers. */
static outcome_t compose(copal_endpoint_t *e, copal__observer_t *o, notification_t *n)
{
    copal__serving_t *s = &n->serving;
    copal__subject_t *subject = copal__subject_of(&e->observers, o);
    copal_handle_t handle = {subject->slot, observed_of(e, o)->generation};
    begin(e, o, n);
    copal__serving_execute(s);
    if (s->deferred)
        return DEFERRED;
    if (s->code == COPAL_SERVICE_UNAVAILABLE && s->fallback == COPAL_SERVICE_UNAVAILABLE)
        return NOT_NOW;
    copal__serving_close(s);
    if (COPAL_CODE_CLASS(s->code) != 2)
        return LAST;
    if (!s->observable || s->subject.slot != handle.slot || s->subject.generation != handle.generation)
        copal_reply_text(&s->call, COPAL_NOT_FOUND, NULL);
    else if (!copal__observe_may(s->code, &s->w))
        copal_reply_text(&s->call, COPAL_INTERNAL_SERVER_ERROR, NULL);
    else if (!copal__observer_fits(o, s->code, &s->w))
        copal_reply_text(&s->call, COPAL_NOT_ACCEPTABLE, NULL); /* section 4.2 */
    else
        copal__observe_write(subject, &s->w);
    return COPAL_CODE_CLASS(s->code) == 2 ? GOES_ON : LAST;
}

/* ---- how it leaves ----------------------------------------------------------------------------------------------- */

/* The one place where notifications are posted: what is written where the outbox has its room. */
static void post(copal_endpoint_t *e, const copal_from_t *to, size_t size)
{
    copal__outbox_post(&e->outbox, to, size);
}

/* Whether a CON may leave to an address that nothing has been acknowledged from; else it is as if it were lost. */
static bool may_leave(copal_endpoint_t *e, copal__slot_t *s)
{
    return copal__address_spend(e, &s->peer, s->hash, &s->notifying.address, s->w.size);
}

/* Hands a slot's message to the outbox, first or again, so that no memory of slots is lent while handlers run. False: it is too
 * late for this transmission, or it may not leave. */
static bool transmit(copal_endpoint_t *e, copal__slot_t *s)
{
    copal_datagram_t datagram;
    const copal_from_t to = {.peer = s->peer, .via = s->via};
    if (!copal__slot_transmit(e, s, &datagram) || !may_leave(e, s))
        return false;
    memcpy(copal__outbox_place(&e->outbox), datagram.bytes.data, datagram.bytes.size);
    post(e, &to, datagram.bytes.size);
    return true;
}

/* Waits for a NON to be allowed, or an ID to be free, and for those that began to wait before: notify_interval at most. */
static void cool(copal_endpoint_t *e, copal__observer_t *o, uint32_t due)
{
    copal__observer_stand(&e->observers, o, COPAL__COOLING);
    o->due = due;
}

static bool send_non(copal_endpoint_t *e, copal__observer_t *o, const notification_t *n)
{
    const copal_time_t until = copal__id_rests_until(e, false);
    uint32_t id = copal__identifier_take(&e->identifiers, e->now, copal__pair(o->hash, o->via), until);
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

void copal__notify_release(copal_endpoint_t *e, uint64_t peer_hash)
{
    copal__observers_t *t = &e->observers;
    uint32_t next = copal__list_first(&copal__client_of(t, peer_hash)->behind);
    if (next != COPAL__NONE && has_turn(e, peer_hash))
        copal__observer_stand(t, &t->observers[next], COPAL__DUE);
}

void copal__notify_close(copal_endpoint_t *e, copal__slot_t *s)
{
    copal__slot_close(e, s);
    e->notifying--;
    copal__client_of(&e->observers, s->hash)->flying--;
    copal__notify_release(e, s->hash);
    copal__observe_wake(e);
}

static bool send_con(copal_endpoint_t *e, copal__observer_t *o, const notification_t *n)
{
    uint32_t number = copal__observer_number(&e->observers, o);
    copal__slot_t *s = copal__slot_open(e, &notifications, &o->peer, o->via, o->hash, name_of(e, o));
    e->notifying++;
    copal__client_of(&e->observers, o->hash)->flying++;
    s->confirmable = true;
    s->deadline = COPAL_NEVER;
    s->notifying.observer = number;
    s->notifying.address = (copal__address_t){.network = o->network, .proven = o->proven || o->acknowledged};
    put(s, &n->serving.w);
    if (!copal__slot_identify(e, s)) {
        copal__notify_close(e, s);
        return false;
    }
    s->stand = COPAL__READY;
    copal__observer_stand(&e->observers, o, COPAL__FLYING);
    o->slot = s->number;
    transmit(e, s);
    return true;
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

bool copal__notify_must_confirm(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return observed_of(e, o)->confirmable || copal__units(e->now) - o->confirmed >= DAY || /* section 4.5: "at least every 24 hours" */
           !(o->acknowledged || o->proven || copal__proven_has(&e->proven, e->now, o->hash));
}

/* No NON may leave yet (section 4.5.1). */
static bool is_soon(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return (uint32_t)e->now - o->sent < e->config.timing.notify_interval;
}

bool copal__notify_should_confirm(const copal_endpoint_t *e, const copal__observer_t *o)
{
    return is_soon(e, o) || copal__units(e->now) - o->confirmed >= copal__units(e->config.timing.confirm_interval);
}

/* Whether it has to wait: there is no message ID, or it needs a CON and that cannot leave now. */
static bool waits(copal_endpoint_t *e, copal__observer_t *o)
{
    bool turn = has_turn(e, o->hash);
    if (!has_id(e, o)) {
        cool(e, o, (uint32_t)e->now + e->config.timing.notify_interval);
        return true;
    }
    if (turn && has_slot(e))
        return false;
    if (copal__notify_must_confirm(e, o))
        copal__observer_stand(&e->observers, o, turn ? COPAL__CROWDED : COPAL__BEHIND);
    else if (is_soon(e, o))
        cool(e, o, o->sent + e->config.timing.notify_interval);
    else
        return false;
    return true;
}

static bool send(copal_endpoint_t *e, copal__observer_t *o, const notification_t *n, bool last)
{
    bool should = last || copal__notify_must_confirm(e, o) || copal__notify_should_confirm(e, o);
    if (!(should && has_slot(e) && has_turn(e, o->hash) ? send_con(e, o, n) : send_non(e, o, n)))
        return false;
    o->sent = (uint32_t)e->now;
    e->counters.notifications++;
    if (last)
        end_with(e, o);
    return true;
}

/* Tells an observer that has no CON on its way, or lets it wait. True: a datagram may have been posted. */
static bool tell(copal_endpoint_t *e, copal__observer_t *o)
{
    copal__observers_t *t = &e->observers;
    notification_t n;
    uint64_t hash = o->hash;
    bool sent = false;
    copal__observer_stand(t, o, COPAL__RESTING);
    if (!waits(e, o)) {
        outcome_t outcome = compose(e, o, &n);
        if (outcome == GOES_ON || outcome == DEFERRED)
            observed_of(e, o)->confirmable = n.serving.confirmable;
        bool now = outcome == LAST || (outcome == GOES_ON && !waits(e, o)); /* CON may have become a must */
        sent = now && send(e, o, &n, outcome == LAST);
        if (outcome == NOT_NOW || (now && !sent))
            cool(e, o, (uint32_t)e->now + e->config.timing.notify_interval);
    }
    copal__notify_release(e, hash);
    return sent;
}

/* The CON is to be sent again, and there is a newer state: that takes its place, under a message ID of its own, with the
 * retransmission going on (section 4.5.2). */
static bool supersede(copal_endpoint_t *e, copal__observer_t *o)
{
    copal__slot_t *s = &e->slots[o->slot];
    notification_t n;
    copal__observer_stand(&e->observers, o, COPAL__FLYING);
    if (!has_id(e, o))
        return transmit(e, s);
    outcome_t outcome = compose(e, o, &n);
    if (outcome == DEFERRED)
        return false;
    if (outcome == NOT_NOW || !has_id(e, o)) { /* the handler may have used the last one up */
        o->stale = true;
        return transmit(e, s);
    }
    copal__slot_forget_id(e, s);
    put(s, &n.serving.w);
    copal__slot_identify(e, s);
    bool posted = transmit(e, s);
    o->sent = (uint32_t)e->now;
    e->counters.notifications += posted;
    if (outcome == LAST)
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
            copal__notify_close(e, s);
        return false;
    }
    if (!o || !o->stale)
        return copal__slot_transmit(e, s, out) && may_leave(e, s);
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
    if (o)
        copal__address_refund(e, &s->peer, &s->notifying.address);
    copal__notify_close(e, s); /* lets others go first that wait for this */
    if (o) {
        bool stale = o->stale || o->stand == COPAL__SUPERSEDED;
        copal__observer_stand(&e->observers, o, stale ? COPAL__DUE : COPAL__RESTING);
        o->acknowledged = true;
        o->confirmed = copal__units(e->now);
    }
    copal__observe_wake(e);
    return 0;
}

int copal__notify_reset(copal_endpoint_t *e, const copal__arrival_t *a)
{
    const copal__observers_t *t = &e->observers;
    uint64_t hash = copal__peer_hash(e, &a->from->peer);
    uint32_t at = copal__index_first(&t->by_id, copal__message_key(hash, a->from->via, a->message.id));
    for (; at != COPAL__NONE; at = copal__index_next(&t->by_id, at)) {
        copal__observer_t *o = &t->observers[at];
        if (o->id == a->message.id && o->via == a->from->via && copal__peer_equal(&o->peer, &a->from->peer)) {
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
    copal__observer_t *o = &t->observers[copal__list_first(&s->ring)];
    bool comes = o->round != s->round;
    if (comes)
        copal__observer_come(t, o);
    copal__list_remove(&t->changed, t->changed_links, at);
    s->listed = t->observers[copal__list_first(&s->ring)].round != s->round;
    if (s->listed)
        copal__list_add(&t->changed, t->changed_links, at);
    if (!comes)
        return false;
    if (o->stand == COPAL__RESTING)
        return tell(e, o);
    o->stale = o->stand == COPAL__FLYING || o->stand == COPAL__PENDING; /* who waits will be told the newest anyway */
    return false;
}

/* The one that has stood there for longest, if anybody does. */
static bool first(copal_endpoint_t *e, copal__observer_stand_t stand, copal__observer_t **o)
{
    uint32_t at = copal__list_first(copal__standing(&e->observers, stand));
    if (at != COPAL__NONE)
        *o = &e->observers.observers[at];
    return at != COPAL__NONE;
}

/* The next one of those who wait for something that has come. */
static bool ready(copal_endpoint_t *e, copal__observer_t **o)
{
    return (has_slot(e) && first(e, COPAL__CROWDED, o)) || first(e, COPAL__DUE, o) ||
           (first(e, COPAL__COOLING, o) && (int32_t)((uint32_t)e->now - (*o)->due) >= 0);
}

/* Does one thing that is due. False: nothing is. */
static bool proceed(copal_endpoint_t *e, bool *posted)
{
    copal__observer_t *o;
    uint32_t subject;
    if (first(e, COPAL__SUPERSEDED, &o))
        *posted = supersede(e, o);
    else if (ready(e, &o))
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
    e->credit = 0; /* nobody asked now */
    for (bool posted = false; count < capacity && e->outbox.count < e->outbox.capacity && proceed(e, &posted);
         posted = false) {
        count += posted && copal__outbox_take(&e->outbox, &out[count]);
        e->now = now; /* a handler may have told another time */
    }
    copal__observe_wake(e);
    return count;
}
