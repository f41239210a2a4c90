/* A client that observes, and a server played by hand: what the tests of both parts share. */
#ifndef TESTS_SUPPORT_OBSERVING_H
#define TESTS_SUPPORT_OBSERVING_H

#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS 1000

/* ---- the client's side -------------------------------------------------------------------------------- */

static inline int begin(bench_t *b, const copal_request_t *request, const char *payload, copal_handle_t *handle, outcome_t *o)
{
    copal_peer_t to = peer_of(1);
    copal_request_t own = *request;
    copal_writer_t *w;
    own.to = &to;
    own.via = 7;
    own.observe = true;
    int error = copal_request_begin(b->endpoint, &own, handle, &w);
    if (error)
        return error;
    copal_write_option(w, COPAL_OPTION_URI_HOST, copal_text("h"));
    copal_write_path(w, copal_text("a"));
    if (payload)
        copal_write_text(w, payload);
    return copal_request_commit(b->endpoint, b->now, *handle, outcome_open(o));
}

static inline copal_handle_t observe(bench_t *b, outcome_t *o)
{
    copal_handle_t handle;
    check_equal(begin(b, &(copal_request_t){.code = COPAL_GET, .confirmable = true}, NULL, &handle, o), 0);
    return handle;
}

/* A copy of what left last that stays as it is. */
static inline void keep(sent_t *copy, const bench_t *b)
{
    *copy = b->sent;
    check_equal(copal_message_parse(&copy->message, (copal_bytes_t){copy->data, copy->size}), 0);
}

/* ---- the server's side -------------------------------------------------------------------------------- */

/* A response to `request`; `id` of an ACK is the request's. `value` and `max_age` below 0: without. */
typedef struct {
    copal_type_t type;
    uint16_t id;
    copal_code_t code; /* 0: 2.05 */
    int value, max_age;
    const char *text;
} notification_t;

static inline int send(bench_t *b, const sent_t *request, const notification_t *n)
{
    message_t m;
    message_start(&m, n->type, n->code ? n->code : COPAL_CONTENT, n->type == COPAL_ACK ? request->message.id : n->id,
                  request->message.token);
    if (n->value >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, (uint32_t)n->value);
    if (n->max_age >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_MAX_AGE, (uint32_t)n->max_age);
    if (n->text)
        copal_write_text(&m.w, n->text);
    return bench_receive(b, 1, message_end(&m));
}

static inline void answer(bench_t *b, const sent_t *request, int value, const char *text)
{
    check_equal(send(b, request, &(notification_t){.type = COPAL_ACK, .value = value, .max_age = -1, .text = text}), 0);
}

static inline int notify(bench_t *b, const sent_t *request, copal_type_t type, uint16_t id, int value, const char *text)
{
    return send(b, request, &(notification_t){.type = type, .id = id, .value = value, .max_age = -1, .text = text});
}

static inline void challenge(bench_t *b, const sent_t *request, const char *echo)
{
    message_t m;
    message_start(&m, COPAL_ACK, COPAL_UNAUTHORIZED, request->message.id, request->message.token);
    message_text_option(&m, COPAL_OPTION_ECHO, echo);
    bench_receive(b, 1, message_end(&m));
}

static inline void sends_empty(bench_t *b, copal_type_t type, uint16_t id)
{
    bench_sends(b, 1, BYTES((uint8_t)(0x40 | type << 4), 0, (uint8_t)(id >> 8), (uint8_t)id));
}

static inline void tells(const outcome_t *o, unsigned count, bool ended, const char *text)
{
    check_equal(o->count, count);
    check_equal(o->status, 0);
    check(o->ended == ended);
    check_bytes((copal_bytes_t){o->payload, o->size}, copal_text(text));
}

static inline void tells_status(const outcome_t *o, unsigned count, bool ended, int status)
{
    check_equal(o->count, count);
    check_equal(o->status, status);
    check(o->ended == ended);
}

#define answer(...) CHECKED(answer(__VA_ARGS__))
#define tells(...) CHECKED(tells(__VA_ARGS__))
#define tells_status(...) CHECKED(tells_status(__VA_ARGS__))
#define sends_empty(...) CHECKED(sends_empty(__VA_ARGS__))

/* An observation whose first state is "0", with Observe 10. */
typedef struct {
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    sent_t request;
} scene_t;

static inline void scene_open(scene_t *s, const copal_config_t *config)
{
    bench_open(&s->b, config);
    s->handle = observe(&s->b, &s->o);
    bench_sent(&s->b);
    keep(&s->request, &s->b);
    answer(&s->b, &s->request, 10, "0");
    tells(&s->o, 1, false, "0");
}

static inline void scene_close(scene_t *s) { bench_close(&s->b); }

/* The registration that leaves when the state is stale. */
static inline void wait_for_renewal(scene_t *s)
{
    bench_wait(&s->b);
    bench_sent(&s->b);
    check_equal(s->b.sent.message.code, COPAL_GET);
    check_equal(option_of(&s->b.sent.message, COPAL_OPTION_OBSERVE), 0);
}

/* Lets a confirmable request of ours go unanswered. */
static inline void let_time_out(bench_t *b, const outcome_t *o)
{
    for (unsigned count = o->count; o->count == count;) {
        bench_wait(b);
        while (bench_take(b))
            ;
    }
}

#define wait_for_renewal(...) CHECKED(wait_for_renewal(__VA_ARGS__))
#define let_time_out(...) CHECKED(let_time_out(__VA_ARGS__))

#endif
