/* The server side of Observe (RFC 7641 section 4), one rule a test, on a bench. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PROVEN 0x80000000u /* added to a peer's number: its address is known to be real */

/* A service with one resource for each first letter of a path, "a" in slot 0: its state is a number. */
typedef struct {
    unsigned runs, notifications;
    unsigned state[8];
    copal_code_t code;     /* of the answer (2.05) */
    int32_t format;        /* of the answer; 0: none */
    size_t body_size;      /* of a generated body behind the state */
    uint32_t generation;   /* of the subjects' handles */
    bool confirmable, unobservable;
    int defer_result;
    bool defer;
    copal_code_t method;   /* of the last request */
    char payload[16];      /* of the last request */
    uint32_t queries;      /* of the last request */
    copal_from_t from;     /* of the last request */
} resources_t;

static uint32_t slot_of(const copal_call_t *call)
{
    copal_option_t path;
    return copal_option_find(call->request, COPAL_OPTION_URI_PATH, &path) && path.value.size
               ? (uint32_t)(path.value.data[0] - 'a')
               : 0;
}

static void serve(void *context, copal_call_t *call)
{
    resources_t *r = context;
    uint32_t slot = slot_of(call);
    r->runs++;
    r->notifications += call->notification;
    r->method = call->request->code;
    r->queries = call->options->queries;
    r->from = *call->from;
    snprintf(r->payload, sizeof r->payload, "%.*s", (int)call->request->payload.size,
             (const char *)call->request->payload.data);
    if (!r->unobservable)
        copal_observe(call, (copal_handle_t){slot, r->generation}, r->confirmable);
    copal_handle_t later;
    if (r->defer && (r->defer_result = copal_defer(call, &later)) == 0)
        return;
    copal_writer_t *w = copal_reply(call, r->code);
    char text[16];
    snprintf(text, sizeof text, "%c%u", (char)('a' + slot), r->state[slot]);
    if (r->format)
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)r->format);
    copal_write_option_uint(w, COPAL_OPTION_ETAG, r->state[slot] + 1);
    copal_write_text(w, text);
    for (size_t i = 0; i < r->body_size; i++)
        copal_write_payload(w, (copal_bytes_t){(const uint8_t[]){body_octet(i)}, 1});
}

static void open_limited(bench_t *b, resources_t *r, const copal_limits_t *limits)
{
    *r = (resources_t){.code = COPAL_CONTENT, .generation = 1};
    copal_config_t config = {.limits = *limits, .service = {.handle = serve, .context = r}};
    bench_open(b, &config);
}

static void open(bench_t *b, resources_t *r) { open_limited(b, r, &(copal_limits_t){0}); }

static void change(bench_t *b, resources_t *r, uint32_t slot)
{
    r->state[slot]++;
    copal_notify(b->endpoint, b->now, slot);
}

static void hand_in(bench_t *b, uint32_t peer, copal_bytes_t datagram)
{
    copal_from_t from = {.peer = peer_of(peer & ~PROVEN), .via = 7, .proven = peer & PROVEN};
    check_equal(bench_receive_from(b, &from, datagram), 0);
}

/* Sends a GET with Observe, unless that is negative; a CON whose message ID is `id`. */
static const copal_message_t *get(bench_t *b, uint32_t peer, int observe, uint16_t id, copal_bytes_t token,
                                  const char *path)
{
    message_t m;
    message_start(&m, COPAL_CON, COPAL_GET, id, token);
    if (observe >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, (uint32_t)observe);
    message_text_option(&m, COPAL_OPTION_URI_PATH, path);
    hand_in(b, peer, message_end(&m));
    const copal_message_t *answer = (bench_sent)(b);
    check_equal(answer->type, COPAL_ACK);
    check_equal(answer->id, id);
    return answer;
}
#define get(...) CHECKED(get(__VA_ARGS__))

/* Registers with token {1} for "a"; returns the Observe number. */
static int64_t observe_a(bench_t *b, uint32_t peer)
{
    const copal_message_t *answer = (get)(b, peer, 0, 100, BYTES(1), "a");
    check_equal(answer->code, COPAL_CONTENT);
    int64_t number = option_of(answer, COPAL_OPTION_OBSERVE);
    check(number >= 0);
    return number;
}
#define observe_a(...) CHECKED(observe_a(__VA_ARGS__))

static bool is_newer(int64_t a, int64_t than) { return ((a - than) & 0xffffff) < 0x800000 && a != than; }

static void check_text(const copal_message_t *m, const char *text)
{
    check_bytes(m->payload, copal_text(text));
}
#define check_text(...) CHECKED(check_text(__VA_ARGS__))

/* Takes the notification that leaves now. */
static const copal_message_t *notified(bench_t *b, copal_type_t type, copal_bytes_t token, const char *text)
{
    const copal_message_t *m = (bench_sent)(b);
    check_equal(m->type, type);
    check_equal(m->code, COPAL_CONTENT);
    check_bytes(m->token, token);
    check(option_of(m, COPAL_OPTION_OBSERVE) >= 0);
    (check_text)(m, text);
    return m;
}
#define notified(...) CHECKED(notified(__VA_ARGS__))

/* Hands in the Empty message of that type for the message sent last. */
static void settle(bench_t *b, uint32_t peer, copal_type_t type)
{
    uint16_t id = b->sent.message.id;
    bench_receive(b, peer & ~PROVEN, BYTES((uint8_t)(0x40 | type << 4), 0, (uint8_t)(id >> 8), (uint8_t)id));
}

static void wait(bench_t *b, copal_time_t time) { b->now += time; }

/* ---- beginning and ending ---------------------------------------------------------------------------------------- */

static void rfc7641_4_1_a_get_with_observe_0_is_answered_with_observe_and_told_of_changes(void **state)
{
    (void)state;
    bench_t b;
    resources_t r;
    open(&b, &r);
    int64_t first = observe_a(&b, PROVEN + 1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    bench_idle(&b);
    wait(&b, 10);
    change(&b, &r, 0);
    assert_true(copal_endpoint_next_timeout(b.endpoint) <= b.now);
    const copal_message_t *m = notified(&b, COPAL_NON, BYTES(1), "a1");
    assert_true(is_newer(option_of(m, COPAL_OPTION_OBSERVE), first));
    assert_int_equal(option_of(m, COPAL_OPTION_ETAG), 2);
    copal_peer_t peer = peer_of(1);
    assert_true(peer_equal(&b.sent.to, &peer));
    assert_int_equal(b.sent.via, 7);
    assert_int_equal(r.notifications, 1);
    assert_int_equal(copal_endpoint_counters(b.endpoint)->notifications, 1);
    bench_idle(&b);
    bench_close(&b);
}

static void a_get_without_observe_registers_nothing(void **state)
{
    (void)state;
    bench_t b;
    resources_t r;
    open(&b, &r);
    assert_int_equal(option_of(get(&b, 1, -1, 1, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(option_of(get(&b, 1, 1, 2, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(option_of(get(&b, 1, 2, 3, BYTES(1), "a"), COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    change(&b, &r, 0);
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7641_4_1_observe_1_ends_the_observation_and_is_answered_as_a_plain_get(void **state)
{
    (void)state;
    bench_t b;
    resources_t r;
    open(&b, &r);
    observe_a(&b, PROVEN + 1);
    get(&b, PROVEN + 1, 1, 101, BYTES(2), "a"); /* another token, another peer: not those of the observation */
    get(&b, PROVEN + 2, 1, 101, BYTES(1), "a");
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    const copal_message_t *m = get(&b, PROVEN + 1, 1, 102, BYTES(1), "a");
    assert_int_equal(m->code, COPAL_CONTENT);
    assert_int_equal(option_of(m, COPAL_OPTION_OBSERVE), -1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    change(&b, &r, 0);
    bench_idle(&b);
    bench_close(&b);
}

static void observe_1_ends_the_observation_whatever_the_handler_answers(void **state)
{
    (void)state;
    bench_t b;
    resources_t r;
    open(&b, &r);
    observe_a(&b, 1);
    r.code = COPAL_FORBIDDEN;
    assert_int_equal(get(&b, 1, 1, 102, BYTES(1), "a")->code, COPAL_FORBIDDEN);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
    bench_close(&b);
}

static void rfc7641_4_1_the_same_token_again_replaces_the_observation(void **state)
{
    (void)state;
    bench_t b;
    resources_t r;
    open(&b, &r);
    int64_t first = observe_a(&b, PROVEN + 1), second = observe_a(&b, PROVEN + 1);
    assert_true(is_newer(second, first)); /* in order, though nothing changed and no time passed */
    assert_int_equal(option_of(get(&b, PROVEN + 1, 0, 102, BYTES(1), "b"), COPAL_OPTION_OBSERVE) >= 0, 1);
    assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
    change(&b, &r, 0);
    bench_idle(&b);
    change(&b, &r, 1);
    notified(&b, COPAL_NON, BYTES(1), "b1");
    bench_idle(&b);
    bench_close(&b);
}

static void rfc7641_4_5_a_reset_ends_the_observation_of_a_non_and_of_a_con(void **state)
{
    (void)state;
    bench_t b;
    resources_t r;
    open(&b, &r);
    for (unsigned i = 0; i < 2; i++) {
        r.confirmable = i;
        observe_a(&b, PROVEN + 1);
        change(&b, &r, 0);
        assert_int_equal(bench_sent(&b)->type, i ? COPAL_CON : COPAL_NON);
        settle(&b, 2, COPAL_RST); /* another's */
        assert_int_equal(copal_endpoint_observers(b.endpoint), 1);
        settle(&b, 1, COPAL_RST);
        assert_int_equal(copal_endpoint_observers(b.endpoint), 0);
        change(&b, &r, 0);
        bench_idle(&b);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7641_4_1_a_get_with_observe_0_is_answered_with_observe_and_told_of_changes),
        cmocka_unit_test(a_get_without_observe_registers_nothing),
        cmocka_unit_test(rfc7641_4_1_observe_1_ends_the_observation_and_is_answered_as_a_plain_get),
        cmocka_unit_test(observe_1_ends_the_observation_whatever_the_handler_answers),
        cmocka_unit_test(rfc7641_4_1_the_same_token_again_replaces_the_observation),
        cmocka_unit_test(rfc7641_4_5_a_reset_ends_the_observation_of_a_non_and_of_a_con),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
