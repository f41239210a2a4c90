/* Observing (RFC 7641 section 3): one endpoint, and a server played by hand. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS 1000

/* ---- the client's side -------------------------------------------------------------------------------- */

static int begin(bench_t *b, const copal_request_t *request, const char *payload, copal_handle_t *handle, outcome_t *o)
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

static copal_handle_t observe(bench_t *b, outcome_t *o)
{
    copal_handle_t handle;
    check_equal(begin(b, &(copal_request_t){.code = COPAL_GET, .confirmable = true}, NULL, &handle, o), 0);
    return handle;
}

/* A copy of what left last that stays as it is. */
static void keep(sent_t *copy, const bench_t *b)
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

static int send(bench_t *b, const sent_t *request, const notification_t *n)
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

static void answer(bench_t *b, const sent_t *request, int value, const char *text)
{
    check_equal(send(b, request, &(notification_t){.type = COPAL_ACK, .value = value, .max_age = -1, .text = text}), 0);
}

static int notify(bench_t *b, const sent_t *request, copal_type_t type, uint16_t id, int value, const char *text)
{
    return send(b, request, &(notification_t){.type = type, .id = id, .value = value, .max_age = -1, .text = text});
}

static void challenge(bench_t *b, const sent_t *request, const char *echo)
{
    message_t m;
    message_start(&m, COPAL_ACK, COPAL_UNAUTHORIZED, request->message.id, request->message.token);
    message_text_option(&m, COPAL_OPTION_ECHO, echo);
    bench_receive(b, 1, message_end(&m));
}

static void sends_empty(bench_t *b, copal_type_t type, uint16_t id)
{
    bench_sends(b, 1, BYTES((uint8_t)(0x40 | type << 4), 0, (uint8_t)(id >> 8), (uint8_t)id));
}

static void tells(const outcome_t *o, unsigned count, bool ended, const char *text)
{
    check_equal(o->count, count);
    check_equal(o->status, 0);
    check(o->ended == ended);
    check_bytes((copal_bytes_t){o->payload, o->size}, copal_text(text));
}

static void tells_status(const outcome_t *o, unsigned count, bool ended, int status)
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

static void scene_open(scene_t *s, const copal_config_t *config)
{
    bench_open(&s->b, config);
    s->handle = observe(&s->b, &s->o);
    bench_sent(&s->b);
    keep(&s->request, &s->b);
    answer(&s->b, &s->request, 10, "0");
    tells(&s->o, 1, false, "0");
}

static void scene_close(scene_t *s) { bench_close(&s->b); }

/* The registration that leaves when the state is stale. */
static void wait_for_renewal(scene_t *s)
{
    bench_wait(&s->b);
    bench_sent(&s->b);
    check_equal(s->b.sent.message.code, COPAL_GET);
    check_equal(option_of(&s->b.sent.message, COPAL_OPTION_OBSERVE), 0);
}

/* Lets a confirmable request of ours go unanswered. */
static void let_time_out(bench_t *b, const outcome_t *o)
{
    for (unsigned count = o->count; o->count == count;) {
        bench_wait(b);
        while (bench_take(b))
            ;
    }
}

#define wait_for_renewal(...) CHECKED(wait_for_renewal(__VA_ARGS__))
#define let_time_out(...) CHECKED(let_time_out(__VA_ARGS__))

/* ---- registration ---------------------------------------------------------------------------------------- */

static void rfc7641_3_1_a_registration_is_the_get_with_observe_0(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    assert_int_equal(b.sent.message.type, COPAL_CON);
    assert_int_equal(b.sent.message.code, COPAL_GET);
    assert_int_equal(b.sent.message.token.size, 8);
    check_bytes(b.sent.message.options, BYTES(0x31, 'h', 0x30, 0x51, 'a')); /* Uri-Host, Observe without octets, Uri-Path */
    bench_close(&b);
}

static void rfc7641_4_1_an_answer_without_observe_is_the_only_one(void **state)
{
    (void)state;
    static const copal_code_t codes[] = {COPAL_CONTENT, COPAL_NOT_FOUND, COPAL_SERVICE_UNAVAILABLE};
    for (size_t i = 0; i < 3; i++) {
        bench_t b;
        outcome_t o;
        bench_open(&b, &(copal_config_t){0});
        copal_handle_t handle = observe(&b, &o);
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        send(&b, &request, &(notification_t){.type = COPAL_ACK, .code = codes[i], .value = -1, .max_age = -1, .text = "x"});
        tells(&o, 1, true, "x");
        assert_int_equal(o.code, codes[i]);
        assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), COPAL_ESTALE);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void rfc7641_3_2_an_error_with_observe_is_an_error(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    send(&b, &request, &(notification_t){.type = COPAL_ACK, .code = COPAL_NOT_FOUND, .value = 3, .max_age = -1});
    tells(&o, 1, true, "");
    bench_idle(&b);
    bench_close(&b);
}

static void a_registration_that_is_not_answered_ends_as_any_request(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_t b;
        outcome_t o;
        copal_handle_t handle;
        bench_open(&b, &(copal_config_t){0});
        copal_request_t request = {.code = COPAL_GET, .confirmable = i == 0, .timeout = 30 * SECONDS};
        assert_int_equal(begin(&b, &request, NULL, &handle, &o), 0);
        copal_time_t start = b.now;
        bench_sent(&b);
        let_time_out(&b, &o);
        tells_status(&o, 1, true, COPAL_ETIMEOUT);
        assert_int_equal(o.at - start, 30 * SECONDS);
        bench_idle(&b);
        bench_close(&b);
    }
}

static void the_timeout_is_for_the_first_answer_only(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    assert_int_equal(
        begin(&b, &(copal_request_t){.code = COPAL_GET, .confirmable = true, .timeout = 10 * SECONDS}, NULL, &handle, &o), 0);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    answer(&b, &request, 1, "1");
    b.now += 20 * SECONDS;
    bench_silent(&b);
    assert_int_equal(notify(&b, &request, COPAL_NON, 1, 2, "2"), 0);
    tells(&o, 2, false, "2");
    bench_close(&b);
}

static void what_cannot_be_observed_is_refused(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    static const copal_code_t methods[] = {COPAL_POST, COPAL_PUT, COPAL_DELETE, COPAL_PATCH, COPAL_EMPTY};
    for (size_t i = 0; i < sizeof methods; i++)
        assert_int_equal(begin(&b, &(copal_request_t){.code = methods[i], .confirmable = true}, NULL, &handle, &o),
                         COPAL_EINVAL);
    copal_request_t request = {.code = COPAL_GET, .confirmable = true, .given_token = true};
    assert_int_equal(begin(&b, &request, NULL, &handle, &o), COPAL_EINVAL); /* the empty token */
    request.token = BYTES(5);
    assert_int_equal(begin(&b, &request, NULL, &handle, &o), 0);
    bench_sent(&b);
    check_bytes(b.sent.message.token, BYTES(5));
    sent_t sent;
    keep(&sent, &b);
    answer(&b, &sent, 1, "1");
    assert_int_equal(begin(&b, &request, NULL, &handle, &o), COPAL_EEXIST); /* it is the observation's */
    bench_close(&b);
}

static void a_notification_registers_where_the_answer_was_lost(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    observe(&b, &o);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    notify(&b, &request, COPAL_NON, 1, 12, "new");
    tells(&o, 1, false, "new");
    send(&b, &request, &(notification_t){.type = COPAL_ACK, .value = 11, .max_age = -1, .text = "old"});
    tells(&o, 1, false, "new"); /* the answer was late */
    bench_silent(&b);           /* and is not asked for again */
    bench_close(&b);
}

static void a_separate_answer_registers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_t b;
        outcome_t o;
        copal_handle_t handle;
        bench_open(&b, &(copal_config_t){0});
        assert_int_equal(begin(&b, &(copal_request_t){.code = COPAL_GET, .confirmable = i == 0}, NULL, &handle, &o), 0);
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        if (i == 0) {
            uint16_t id = request.message.id;
            bench_accept(&b, 1, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id));
        }
        notify(&b, &request, COPAL_CON, 1, 1, "1");
        sends_empty(&b, COPAL_ACK, 1);
        tells(&o, 1, false, "1");
        notify(&b, &request, COPAL_NON, 2, 2, "2");
        tells(&o, 2, false, "2");
        bench_close(&b);
    }
}

/* ---- notifications ---------------------------------------------------------------------------------------- */

static void rfc7641_3_5_each_notification_is_told_and_a_confirmable_one_acknowledged(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    notify(&s.b, &s.request, COPAL_NON, 1, 11, "1");
    tells(&s.o, 2, false, "1");
    bench_silent(&s.b);
    notify(&s.b, &s.request, COPAL_CON, 2, 12, "2");
    tells(&s.o, 3, false, "2");
    sends_empty(&s.b, COPAL_ACK, 2);
    check_bytes((copal_bytes_t){s.o.token, s.o.token_size}, s.request.message.token);
    assert_int_equal(s.o.id, s.request.message.id);
    assert_int_equal(copal_request_id(s.b.endpoint, s.handle), s.request.message.id);
    scene_close(&s);
}

static void rfc7252_4_5_a_notification_that_comes_twice_is_told_once(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    for (int i = 0; i < 2; i++) {
        notify(&s.b, &s.request, COPAL_CON, 1, 11, "1");
        sends_empty(&s.b, COPAL_ACK, 1);
        tells(&s.o, 2, false, "1");
    }
    s.b.now += 129 * SECONDS; /* where the order would let it pass */
    notify(&s.b, &s.request, COPAL_CON, 1, 11, "1");
    sends_empty(&s.b, COPAL_ACK, 1);
    tells(&s.o, 2, false, "1");
    scene_close(&s);
}

static void rfc7641_3_4_what_was_sent_earlier_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    static const struct {
        int first, second;
        copal_time_t apart;
        bool fresh;
    } cases[] = {
        {10, 11, 0, true},
        {11, 10, 0, false},
        {10, 10, 0, false},
        {0, (1 << 23) - 1, 0, true},
        {0, 1 << 23, 0, false},
        {1 << 23, 0, 0, false},
        {(1 << 23) + 1, 0, 0, true},
        {0xffffff, 0, 0, true},
        {0, 0xffffff, 0, false},
        {11, 10, 128 * SECONDS, false},
        {11, 10, 128 * SECONDS + 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_t b;
        outcome_t o;
        bench_open(&b, &(copal_config_t){0});
        observe(&b, &o);
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        send(&b, &request, &(notification_t){.type = COPAL_ACK, .value = cases[i].first, .max_age = 1000, .text = "1"});
        b.now += cases[i].apart;
        notify(&b, &request, COPAL_CON, 1, cases[i].second, "2");
        sends_empty(&b, COPAL_ACK, 1);
        tells(&o, cases[i].fresh ? 2 : 1, false, cases[i].fresh ? "2" : "1");
        bench_close(&b);
    }
}

static void rfc7641_3_2_one_that_is_an_error_or_without_observe_is_the_last(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        scene_open(&s, &(copal_config_t){0});
        send(&s.b, &s.request, &(notification_t){.type = COPAL_CON, .id = 1, .code = i ? COPAL_NOT_FOUND : COPAL_CONTENT,
                                                 .value = -1, .max_age = -1, .text = "gone"});
        sends_empty(&s.b, COPAL_ACK, 1);
        tells(&s.o, 2, true, "gone");
        assert_int_equal(copal_request_cancel(s.b.endpoint, s.b.now, s.handle), COPAL_ESTALE);
        bench_idle(&s.b);
        scene_close(&s);
    }
}

static void one_that_cannot_be_understood_ends_it_and_is_rejected(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        message_t m;
        scene_open(&s, &(copal_config_t){0});
        message_start(&m, i ? COPAL_CON : COPAL_NON, COPAL_CONTENT, 1, s.request.message.token);
        copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 11);
        message_text_option(&m, 0xfff1, "critical");
        bench_receive(&s.b, 1, message_end(&m));
        tells_status(&s.o, 2, true, COPAL_ECRITICAL);
        sends_empty(&s.b, COPAL_RST, 1);
        bench_idle(&s.b);
        scene_close(&s);
    }
}

static void one_of_another_peer_or_token_is_rejected(void **state)
{
    (void)state;
    scene_t s;
    message_t m;
    scene_open(&s, &(copal_config_t){0});
    message_start(&m, COPAL_CON, COPAL_CONTENT, 1, s.request.message.token);
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 11);
    bench_receive(&s.b, 2, message_end(&m));
    bench_sends(&s.b, 2, BYTES(0x70, 0, 0, 1));
    message_start(&m, COPAL_CON, COPAL_CONTENT, 1, BYTES(1, 2));
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 11);
    bench_receive(&s.b, 1, message_end(&m));
    sends_empty(&s.b, COPAL_RST, 1);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

/* ---- registering again ------------------------------------------------------------------------------------ */

static void rfc7641_3_3_1_it_registers_again_5_to_15_seconds_after_max_age(void **state)
{
    (void)state;
    copal_time_t least = COPAL_NEVER, most = 0;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    sent_t before;
    keep(&before, &s.b);
    for (int i = 1; i < 200; i++) {
        int max_age = i % 4 == 0 ? -1 : i * 100; /* -1: 60 seconds */
        send(&s.b, &s.request, &(notification_t){.type = COPAL_NON, .id = (uint16_t)i, .value = 10 + 2 * i,
                                                 .max_age = max_age, .text = "1"});
        copal_time_t waited = bench_wait(&s.b) - (max_age < 0 ? 60 : max_age) * SECONDS;
        least = waited < least ? waited : least;
        most = waited > most ? waited : most;
        bench_sent(&s.b);
        assert_int_not_equal(s.b.sent.message.id, before.message.id);
        check_bytes(s.b.sent.message.token, before.message.token);
        check_bytes(s.b.sent.message.options, before.message.options);
        assert_int_equal(s.b.sent.message.type, COPAL_CON);
        keep(&before, &s.b);
        answer(&s.b, &before, 10 + 2 * i, "again");
        tells(&s.o, 1 + 2 * (unsigned)i, false, "again");
    }
    assert_in_range(least, 5000, 5500);
    assert_in_range(most, 14500, 15000);
    scene_close(&s);
}

static void a_notification_puts_it_off(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    for (uint16_t i = 1; i < 20; i++) {
        s.b.now += 50 * SECONDS;
        bench_silent(&s.b);
        notify(&s.b, &s.request, COPAL_NON, i, 10 + i, "1");
        assert_int_equal(s.o.count, 1 + i);
    }
    wait_for_renewal(&s);
    scene_close(&s);
}

static void a_stale_notification_does_not(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    copal_time_t due = copal_endpoint_next_timeout(s.b.endpoint);
    s.b.now += 50 * SECONDS;
    notify(&s.b, &s.request, COPAL_NON, 1, 9, "old");
    assert_int_equal(copal_endpoint_next_timeout(s.b.endpoint), due);
    scene_close(&s);
}

static void the_server_that_is_silent_is_asked_with_growing_waits(void **state)
{
    (void)state;
    scene_t s;
    copal_time_t last = 0;
    scene_open(&s, &(copal_config_t){0});
    for (unsigned i = 0; i < 9; i++) {
        wait_for_renewal(&s);
        let_time_out(&s.b, &s.o);
        tells_status(&s.o, 2 + i, false, COPAL_ETIMEOUT);
        last = copal_endpoint_next_timeout(s.b.endpoint) - s.b.now;
        copal_time_t least = 5000LL << i, most = 15000LL << i;
        assert_in_range(last, least < 300000 ? least : 300000, most < 300000 ? most : 300000);
    }
    assert_int_equal(last, 300000);
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, 3, "back");
    tells(&s.o, 11, false, "back");
    assert_in_range(bench_wait(&s.b), 65000, 75000);
    bench_sent(&s.b);
    let_time_out(&s.b, &s.o);
    assert_in_range(bench_wait(&s.b), 5000, 15000); /* as at first */
    scene_close(&s);
}

static void one_that_is_acknowledged_but_not_answered_is_tried_again(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    copal_time_t asked = s.b.now;
    uint16_t id = s.b.sent.message.id;
    bench_accept(&s.b, 1, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id));
    let_time_out(&s.b, &s.o);
    tells_status(&s.o, 2, false, COPAL_ETIMEOUT);
    assert_int_equal(s.o.at - asked, 247 * SECONDS);
    wait_for_renewal(&s);
    scene_close(&s);
}

static void a_reset_or_an_unreachable_server_is_tried_again_likewise(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        scene_open(&s, &(copal_config_t){0});
        wait_for_renewal(&s);
        uint16_t id = s.b.sent.message.id;
        copal_peer_t to = peer_of(1);
        if (i)
            bench_accept(&s.b, 1, BYTES(0x70, 0, (uint8_t)(id >> 8), (uint8_t)id));
        else
            copal_endpoint_unreachable(s.b.endpoint, s.b.now, &to, (copal_bytes_t){s.b.sent.data, s.b.sent.size});
        tells_status(&s.o, 2, false, i ? COPAL_ERESET : COPAL_EUNREACHABLE);
        assert_in_range(copal_endpoint_next_timeout(s.b.endpoint) - s.b.now, 5000, 15000);
        wait_for_renewal(&s);
        sent_t request;
        keep(&request, &s.b);
        answer(&s.b, &request, 0, "back");
        tells(&s.o, 3, false, "back");
        scene_close(&s);
    }
}

static void a_restarted_server_may_count_from_anywhere(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, 2, "restarted"); /* within 128 seconds of 10 */
    tells(&s.o, 2, false, "restarted");
    notify(&s.b, &request, COPAL_NON, 1, 3, "next");
    tells(&s.o, 3, false, "next");
    scene_close(&s);
}

static void a_notification_meanwhile_does_as_the_answer(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    notify(&s.b, &request, COPAL_NON, 1, 9, "old");
    tells(&s.o, 1, false, "0");
    notify(&s.b, &request, COPAL_NON, 2, 12, "new");
    tells(&s.o, 2, false, "new");
    send(&s.b, &request, &(notification_t){.type = COPAL_ACK, .value = 11, .max_age = -1, .text = "before"});
    tells(&s.o, 2, false, "new");
    assert_in_range(bench_wait(&s.b), 65000, 75000);
    scene_close(&s);
}

static void the_same_number_separately_answers_a_registration(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    wait_for_renewal(&s);
    sent_t request;
    keep(&request, &s.b);
    uint16_t id = request.message.id;
    bench_accept(&s.b, 1, BYTES(0x60, 0, (uint8_t)(id >> 8), (uint8_t)id));
    notify(&s.b, &request, COPAL_CON, 1, 10, "0");
    sends_empty(&s.b, COPAL_ACK, 1);
    tells(&s.o, 2, false, "0");
    assert_in_range(bench_wait(&s.b), 65000, 75000);
    scene_close(&s);
}

static void an_answer_without_observe_then_ends_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_t s;
        scene_open(&s, &(copal_config_t){0});
        wait_for_renewal(&s);
        sent_t request;
        keep(&request, &s.b);
        send(&s.b, &request, &(notification_t){.type = COPAL_ACK, .code = i ? COPAL_NOT_FOUND : 0, .value = -1,
                                               .max_age = -1, .text = "end"});
        tells(&s.o, 2, true, "end");
        bench_idle(&s.b);
        scene_close(&s);
    }
}

static void a_fetch_is_registered_with_its_payload_again(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    copal_handle_t handle;
    bench_open(&b, &(copal_config_t){0});
    assert_int_equal(begin(&b, &(copal_request_t){.code = COPAL_FETCH}, "query", &handle, &o), 0);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    assert_int_equal(request.message.type, COPAL_NON);
    notify(&b, &request, COPAL_NON, 1, 10, "0");
    while (bench_wait(&b), !bench_take(&b)) /* PROBING_RATE's wait is over before */
        ;
    assert_int_equal(b.sent.message.type, COPAL_CON);
    assert_int_equal(b.sent.message.code, COPAL_FETCH);
    check_bytes(b.sent.message.options, request.message.options);
    check_bytes(b.sent.message.payload, copal_text("query"));
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0);
    bench_sent(&b);
    assert_int_equal(b.sent.message.code, COPAL_FETCH);
    check_bytes(b.sent.message.options, BYTES(0x31, 'h', 0x31, 1, 0x51, 'a'));
    check_bytes(b.sent.message.payload, copal_text("query"));
    bench_close(&b);
}

/* ---- bounds ----------------------------------------------------------------------------------------------- */

static void rfc7252_4_7_only_what_is_unanswered_is_outstanding(void **state)
{
    (void)state;
    scene_t s;
    outcome_t other;
    scene_open(&s, &(copal_config_t){.timing = {.max_retransmit = 6}});
    bench_ask(&s.b, 1, COPAL_GET, true, &other);
    bench_sent(&s.b); /* beside the observation */
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, -1, "ok");
    bench_ask(&s.b, 1, COPAL_POST, true, &other);
    bench_sent(&s.b); /* and this one is not acknowledged */
    for (copal_time_t stale = s.b.now + 80 * SECONDS; s.b.now < stale;) {
        bench_wait(&s.b);
        while (bench_take(&s.b))
            assert_int_equal(s.b.sent.message.code, COPAL_POST); /* the registration waits for its turn */
    }
    send(&s.b, &s.request, &(notification_t){.type = COPAL_NON, .id = 1, .value = 11, .max_age = 1000, .text = "1"});
    tells(&s.o, 2, false, "1");
    let_time_out(&s.b, &other); /* and does not need it any more */
    bench_silent(&s.b);
    wait_for_renewal(&s);
    scene_close(&s);
}

static void observations_count_toward_the_limit_of_requests(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o[3];
    copal_handle_t handle, first;
    bench_open(&b, &(copal_config_t){.limits = {.requests = 2}});
    for (int i = 0; i < 2; i++) {
        handle = observe(&b, &o[i]);
        first = i == 0 ? handle : first;
        bench_sent(&b);
        sent_t request;
        keep(&request, &b);
        answer(&b, &request, 1, "1");
    }
    copal_request_t request = {.code = COPAL_GET, .confirmable = true};
    assert_int_equal(begin(&b, &request, NULL, &handle, &o[2]), COPAL_EFULL);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, first), 0);
    assert_int_equal(begin(&b, &request, NULL, &handle, &o[2]), 0);
    bench_close(&b);
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

static void rfc7641_3_6_what_comes_for_a_forgotten_observation_is_rejected(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    assert_int_equal(copal_request_cancel(s.b.endpoint, s.b.now, s.handle), 0);
    bench_idle(&s.b);
    notify(&s.b, &s.request, COPAL_NON, 1, 11, "1");
    sends_empty(&s.b, COPAL_RST, 1);
    notify(&s.b, &s.request, COPAL_CON, 2, 12, "2");
    sends_empty(&s.b, COPAL_RST, 2);
    notify(&s.b, &s.request, COPAL_NON, 3, -1, "no notification");
    bench_idle(&s.b);
    message_t m;
    message_start(&m, COPAL_NON, COPAL_CONTENT, 4, s.request.message.token);
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 13);
    copal_from_t group = {.peer = peer_of(1), .multicast = true};
    bench_receive_from(&s.b, &group, message_end(&m));
    bench_idle(&s.b);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

static void rfc7641_3_6_deregistering_is_the_same_request_with_observe_1(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    assert_int_equal(copal_request_deregister(s.b.endpoint, s.b.now, s.handle), 0);
    assert_int_equal(copal_request_deregister(s.b.endpoint, s.b.now, s.handle), COPAL_ESTALE);
    assert_int_equal(copal_request_cancel(s.b.endpoint, s.b.now, s.handle), COPAL_ESTALE);
    assert_int_equal(copal_request_id(s.b.endpoint, s.handle), COPAL_ESTALE);
    bench_sent(&s.b);
    assert_int_equal(s.b.sent.message.type, COPAL_CON);
    assert_int_equal(s.b.sent.message.code, COPAL_GET);
    check_bytes(s.b.sent.message.token, s.request.message.token);
    check_bytes(s.b.sent.message.options, BYTES(0x31, 'h', 0x31, 1, 0x51, 'a'));
    sent_t request;
    keep(&request, &s.b);
    answer(&s.b, &request, -1, "state");
    bench_idle(&s.b);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

static void a_notification_does_not_answer_the_deregistration(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){.limits = {.requests = 1}});
    copal_request_deregister(s.b.endpoint, s.b.now, s.handle);
    bench_sent(&s.b);
    notify(&s.b, &s.request, COPAL_CON, 1, 11, "1"); /* it crossed the deregistration */
    sends_empty(&s.b, COPAL_RST, 1);
    copal_handle_t handle;
    outcome_t o;
    copal_request_t request = {.code = COPAL_GET, .confirmable = true};
    assert_int_equal(begin(&s.b, &request, NULL, &handle, &o), COPAL_EFULL);
    while (copal_endpoint_next_timeout(s.b.endpoint) != COPAL_NEVER) {
        bench_wait(&s.b);
        bench_take(&s.b);
    }
    assert_int_equal(copal_endpoint_counters(s.b.endpoint)->retransmitted, 4);
    assert_int_equal(begin(&s.b, &request, NULL, &handle, &o), 0);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

static void what_the_server_cannot_know_is_not_deregistered(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o, plain;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t handle = observe(&b, &o);
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0); /* it has not left */
    bench_idle(&b);
    handle = bench_ask(&b, 1, COPAL_GET, true, &plain);
    bench_sent(&b);
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0);
    bench_idle(&b);
    assert_int_equal(o.count + plain.count, 0);
    bench_close(&b);
}

static void one_whose_answer_has_not_come_is(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t handle = observe(&b, &o);
    bench_sent(&b);
    sent_t request;
    keep(&request, &b);
    assert_int_equal(copal_request_deregister(b.endpoint, b.now, handle), 0);
    bench_sent(&b);
    assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_OBSERVE), 1);
    send(&b, &request, &(notification_t){.type = COPAL_ACK, .value = 1, .max_age = -1, .text = "late"});
    assert_int_equal(o.count, 0);
    bench_close(&b);
}

/* ---- challenged (RFC 9175) ---------------------------------------------------------------------------------- */

static void rfc9175_2_3_a_registration_that_is_challenged_is_sent_with_the_echo(void **state)
{
    (void)state;
    scene_t s;
    bench_open(&s.b, &(copal_config_t){0});
    s.handle = observe(&s.b, &s.o);
    bench_sent(&s.b);
    sent_t first;
    keep(&first, &s.b);
    challenge(&s.b, &first, "one");
    bench_sent(&s.b);
    keep(&s.request, &s.b);
    copal_option_t echo;
    assert_true(copal_option_find(&s.request.message, COPAL_OPTION_ECHO, &echo));
    assert_int_equal(option_of(&s.request.message, COPAL_OPTION_OBSERVE), 0);
    answer(&s.b, &s.request, 1, "1");
    tells(&s.o, 1, false, "1");

    for (int i = 0; i < 2; i++) { /* and again, with the token of the observation */
        wait_for_renewal(&s);
        assert_false(copal_option_find(&s.b.sent.message, COPAL_OPTION_ECHO, &echo));
        check_bytes(s.b.sent.message.token, s.request.message.token);
        sent_t renewal;
        keep(&renewal, &s.b);
        challenge(&s.b, &renewal, "two");
        bench_sent(&s.b);
        check_bytes(s.b.sent.message.token, s.request.message.token);
        assert_true(copal_option_find(&s.b.sent.message, COPAL_OPTION_ECHO, &echo));
        check_bytes(echo.value, copal_text("two"));
        keep(&renewal, &s.b);
        answer(&s.b, &renewal, 2, "2");
        tells(&s.o, 2 + (unsigned)i, false, "2");
    }
    message_t m; /* a challenge that was on its way for long says nothing now */
    message_start(&m, COPAL_NON, COPAL_UNAUTHORIZED, 9, s.request.message.token);
    message_text_option(&m, COPAL_OPTION_ECHO, "three");
    bench_receive(&s.b, 1, message_end(&m));
    bench_silent(&s.b);
    tells(&s.o, 3, false, "2");
    scene_close(&s);
}

static void a_deregistration_that_is_challenged_is_sent_with_the_echo(void **state)
{
    (void)state;
    scene_t s;
    scene_open(&s, &(copal_config_t){0});
    copal_request_deregister(s.b.endpoint, s.b.now, s.handle);
    bench_sent(&s.b);
    sent_t request;
    keep(&request, &s.b);
    challenge(&s.b, &request, "one");
    bench_sent(&s.b);
    check_bytes(s.b.sent.message.token, s.request.message.token);
    assert_int_equal(option_of(&s.b.sent.message, COPAL_OPTION_OBSERVE), 1);
    keep(&request, &s.b);
    answer(&s.b, &request, -1, "state");
    bench_idle(&s.b);
    assert_int_equal(s.o.count, 1);
    scene_close(&s);
}

/* ---- receivers do as they like ------------------------------------------------------------------------------- */

typedef struct {
    copal_receiver_t receiver;
    bench_t *b;
    int (*end)(copal_endpoint_t *e, copal_time_t now, copal_handle_t handle);
    outcome_t next;
    unsigned count;
} leaver_t;

static void leave(copal_receiver_t *self, const copal_response_t *response)
{
    leaver_t *l = (leaver_t *)self;
    l->count++;
    check_equal(l->end(l->b->endpoint, response->now, response->request), 0);
    bench_ask(l->b, 1, COPAL_PUT, true, &l->next);
}

static void a_receiver_may_end_the_observation_and_begin_a_request(void **state)
{
    (void)state;
    static int (*const ends[])(copal_endpoint_t *, copal_time_t, copal_handle_t) = {copal_request_cancel,
                                                                                   copal_request_deregister};
    for (int i = 0; i < 4; i++) { /* told of a state, or of a time-out */
        bench_t b;
        leaver_t l = {.receiver = {leave}, .b = &b, .end = ends[i & 1]};
        copal_peer_t to = peer_of(1);
        copal_handle_t handle;
        copal_writer_t *w;
        bench_open(&b, &(copal_config_t){.limits = {.requests = 2}});
        copal_request_t request = {.to = &to, .code = COPAL_GET, .confirmable = true, .observe = true};
        assert_int_equal(copal_request_begin(b.endpoint, &request, &handle, &w), 0);
        outcome_t o;
        assert_int_equal(copal_request_commit(b.endpoint, b.now, handle, i < 2 ? &l.receiver : outcome_open(&o)), 0);
        bench_sent(&b);
        sent_t sent;
        keep(&sent, &b);
        answer(&b, &sent, 1, "1");
        if (i >= 2)
            l.count = 1, l.end(b.endpoint, b.now, handle);
        assert_int_equal(l.count, 1);
        while (copal_endpoint_next_timeout(b.endpoint) != COPAL_NEVER) {
            while (bench_take(&b))
                ;
            if (copal_endpoint_next_timeout(b.endpoint) != COPAL_NEVER)
                bench_wait(&b);
        }
        assert_int_equal(l.count, 1);
        assert_int_equal(l.next.count, i < 2);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7641_3_1_a_registration_is_the_get_with_observe_0),
        cmocka_unit_test(rfc7641_4_1_an_answer_without_observe_is_the_only_one),
        cmocka_unit_test(rfc7641_3_2_an_error_with_observe_is_an_error),
        cmocka_unit_test(a_registration_that_is_not_answered_ends_as_any_request),
        cmocka_unit_test(the_timeout_is_for_the_first_answer_only),
        cmocka_unit_test(what_cannot_be_observed_is_refused),
        cmocka_unit_test(a_notification_registers_where_the_answer_was_lost),
        cmocka_unit_test(a_separate_answer_registers),
        cmocka_unit_test(rfc7641_3_5_each_notification_is_told_and_a_confirmable_one_acknowledged),
        cmocka_unit_test(rfc7252_4_5_a_notification_that_comes_twice_is_told_once),
        cmocka_unit_test(rfc7641_3_4_what_was_sent_earlier_is_acknowledged_and_dropped),
        cmocka_unit_test(rfc7641_3_2_one_that_is_an_error_or_without_observe_is_the_last),
        cmocka_unit_test(one_that_cannot_be_understood_ends_it_and_is_rejected),
        cmocka_unit_test(one_of_another_peer_or_token_is_rejected),
        cmocka_unit_test(rfc7641_3_3_1_it_registers_again_5_to_15_seconds_after_max_age),
        cmocka_unit_test(a_notification_puts_it_off),
        cmocka_unit_test(a_stale_notification_does_not),
        cmocka_unit_test(the_server_that_is_silent_is_asked_with_growing_waits),
        cmocka_unit_test(one_that_is_acknowledged_but_not_answered_is_tried_again),
        cmocka_unit_test(a_reset_or_an_unreachable_server_is_tried_again_likewise),
        cmocka_unit_test(a_restarted_server_may_count_from_anywhere),
        cmocka_unit_test(a_notification_meanwhile_does_as_the_answer),
        cmocka_unit_test(the_same_number_separately_answers_a_registration),
        cmocka_unit_test(an_answer_without_observe_then_ends_it),
        cmocka_unit_test(a_fetch_is_registered_with_its_payload_again),
        cmocka_unit_test(rfc7252_4_7_only_what_is_unanswered_is_outstanding),
        cmocka_unit_test(observations_count_toward_the_limit_of_requests),
        cmocka_unit_test(rfc7641_3_6_what_comes_for_a_forgotten_observation_is_rejected),
        cmocka_unit_test(rfc7641_3_6_deregistering_is_the_same_request_with_observe_1),
        cmocka_unit_test(a_notification_does_not_answer_the_deregistration),
        cmocka_unit_test(what_the_server_cannot_know_is_not_deregistered),
        cmocka_unit_test(one_whose_answer_has_not_come_is),
        cmocka_unit_test(rfc9175_2_3_a_registration_that_is_challenged_is_sent_with_the_echo),
        cmocka_unit_test(a_deregistration_that_is_challenged_is_sent_with_the_echo),
        cmocka_unit_test(a_receiver_may_end_the_observation_and_begin_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
