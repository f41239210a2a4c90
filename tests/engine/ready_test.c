/* The short way of a plain GET (copal_service_t.ready): what it answers is what `handle` would have answered, whatever comes. Two
 * servers get the same datagrams, and one of them has no short way. */
#include "exchange/state.h"
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGES 400
#define DEEP     "0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9"

typedef struct {
    bench_t ways[2]; /* the second has none but the long way */
    unsigned long asked, short_ones, low_ones; /* the latter: while some network may take no more without a proof */
    copal_from_t pinged; /* who is to answer a ping, if `reset` has octets */
    uint8_t reset[4];
    size_t reset_size;
} pair_t;

static bool (*tree_ready)(void *context, const copal_from_t *from, copal_bytes_t path, copal_bytes_t *answer);
static pair_t *counted;

static bool count_ready(void *context, const copal_from_t *from, copal_bytes_t path, copal_bytes_t *answer)
{
    bool ready = tree_ready(context, from, path, answer);
    counted->short_ones += ready;
    counted->low_ones += ready && counted->ways[0].endpoint->guard.low;
    return ready;
}

static void defer(void *user, copal_call_t *call)
{
    copal_handle_t later;
    (void)user;
    (void)copal_defer(call, &later);
}

static void hello(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply_text(call, COPAL_CONTENT, "hello");
}

static void add_value(copal_tree_t *tree, const char *path, size_t size, const copal_value_options_t *options)
{
    static const uint8_t octets[2000] = {'v', 'a', 'l', 'u', 'e'};
    check_equal(copal_tree_add_value(tree, path, (copal_bytes_t){octets, size}, options, NULL), 0);
}

static void add_resources(copal_tree_t *tree)
{
    const copal_value_options_t plain = {-1, -1, false, COPAL_METHODS_ALL, false};
    const copal_value_options_t full = {0, 60, true, COPAL_METHODS_ALL, false};
    const copal_value_options_t unread = {-1, -1, false, COPAL_METHOD(COPAL_PUT), false};
    const copal_handler_t deferring = {.methods = COPAL_METHOD(COPAL_GET), .handle = defer};
    const copal_handler_t greeting = {.methods = COPAL_METHOD(COPAL_GET), .handle = hello, .subtree = true};
    add_value(tree, "v", 20, &plain);
    add_value(tree, "a/b/c", 5, &full);
    add_value(tree, "empty", 0, &plain);
    add_value(tree, "large", 900, &full);
    add_value(tree, "blocks", 1500, &plain);
    add_value(tree, "middle", 50, &plain);
    add_value(tree, DEEP, 5, &plain);
    add_value(tree, "unread", 5, &unread);
    add_value(tree, ".x", 5, &plain);
    add_value(tree, "a-long-segment-of-many-octets", 5, &plain);
    check_equal(copal_tree_add_handler(tree, "later", &deferring, NULL), 0);
    check_equal(copal_tree_add_handler(tree, "hello", &greeting, NULL), 0);
}

static void open_pair(pair_t *p, const copal_limits_t *limits)
{
    for (int i = 0; i < 2; i++) {
        bench_open_tree(&p->ways[i], &(copal_config_t){.limits = *limits}, 2000);
        copal_endpoint_hear_groups(p->ways[i].endpoint);
        add_resources(p->ways[i].tree);
    }
    copal_service_t *service = &p->ways[0].endpoint->config.service;
    tree_ready = service->ready;
    service->ready = count_ready;
    p->ways[1].endpoint->config.service.ready = NULL;
    counted = p;
}

static void close_pair(pair_t *p)
{
    for (int i = 0; i < 2; i++)
        bench_close(&p->ways[i]);
}

/* ---- what comes ---------------------------------------------------------------------------------- */

static void write_path(random_t *r, copal_writer_t *w)
{
    static const char *const paths[] = {
        "v", "v", "a/b/c", DEEP, "middle", "empty", "large", "blocks", "unread", ".x", "a-long-segment-of-many-octets", "later", "hello",
        "hello/who", "nothing", "a/b", "a//c", ".well-known/core", "made"};
    const uint32_t which = random_below(r, sizeof paths / sizeof *paths + 2);
    if (which < sizeof paths / sizeof *paths)
        copal_write_path(w, copal_text(paths[which]));
    else
        copal_write_option(w, COPAL_OPTION_URI_PATH, copal_text(which & 1 ? "." : ".."));
}

static void write_another(random_t *r, copal_writer_t *w)
{
    static const uint16_t numbers[] = {
        COPAL_OPTION_URI_HOST, COPAL_OPTION_ETAG,        COPAL_OPTION_OBSERVE, COPAL_OPTION_URI_PORT, COPAL_OPTION_ACCEPT,
        COPAL_OPTION_BLOCK2,   COPAL_OPTION_NO_RESPONSE, COPAL_OPTION_SIZE2,   COPAL_OPTION_ECHO,     COPAL_OPTION_URI_QUERY,
        COPAL_OPTION_IF_MATCH, COPAL_OPTION_PROXY_URI,   2049,                 2050};
    copal_write_option_uint(w, numbers[random_below(r, sizeof numbers / sizeof *numbers)], random_below(r, 40));
}

static copal_bytes_t make(random_t *r, message_t *m)
{
    static const uint8_t octets[16] = "sixteen octets!";
    const copal_type_t type = random_below(r, 5) ? COPAL_CON : (copal_type_t)random_below(r, 4);
    const copal_code_t code = random_below(r, 5) ? COPAL_GET : (copal_code_t)random_below(r, 8);
    message_start(m, type, code, (uint16_t)random_below(r, 40), (copal_bytes_t){octets, random_below(r, 16)});
    if (random_below(r, 10))
        write_path(r, &m->w);
    while (!random_below(r, 4))
        write_another(r, &m->w);
    if (code != COPAL_GET || !random_below(r, 10))
        copal_write_payload(&m->w, (copal_bytes_t){octets, random_below(r, 16)});
    copal_bytes_t datagram = {m->data, m->w.size};
    if (!random_below(r, 8))
        m->data[random_below(r, (uint32_t)datagram.size)] ^= (uint8_t)(1u << random_below(r, 8));
    if (!random_below(r, 12))
        datagram.size = random_below(r, (uint32_t)datagram.size + 1);
    return datagram;
}

/* ---- both ways ----------------------------------------------------------------------------------- */

/* The last ping of a batch is the one that is answered. */
static void look_for_ping(pair_t *p)
{
    const sent_t *sent = &p->ways[0].sent;
    if (sent->size != sizeof p->reset || sent->data[0] != 0x40 || sent->data[1] != COPAL_EMPTY)
        return;
    p->pinged = (copal_from_t){.peer = sent->to, .via = sent->via, .network = 3};
    memcpy(p->reset, sent->data, sizeof p->reset);
    p->reset[0] = 0x70;
    p->reset_size = sizeof p->reset;
}

static void compare(pair_t *p)
{
    bench_t *a = &p->ways[0], *b = &p->ways[1];
    bool more;
    do {
        more = bench_take(a);
        check_equal(bench_take(b), more);
        if (!more)
            break;
        check_bytes((copal_bytes_t){a->sent.data, a->sent.size}, (copal_bytes_t){b->sent.data, b->sent.size});
        check(peer_equal(&a->sent.to, &b->sent.to));
        check_equal(a->sent.via, b->sent.via);
        look_for_ping(p);
    } while (more);
    check_equal(copal_endpoint_next_timeout(a->endpoint), copal_endpoint_next_timeout(b->endpoint));
    check(!memcmp(copal_endpoint_counters(a->endpoint), copal_endpoint_counters(b->endpoint), sizeof(copal_counters_t)));
    check_equal(a->random.state, b->random.state);
}

/* Whoever is there answers a ping, and is proven then. */
static void answer_ping(pair_t *p, random_t *r)
{
    const copal_bytes_t reset = {p->reset, p->reset_size};
    p->reset_size = 0;
    if (!reset.size || !random_below(r, 3))
        return;
    int first = bench_receive_from(&p->ways[0], &p->pinged, reset);
    check_equal(bench_receive_from(&p->ways[1], &p->pinged, reset), first);
}

static void step(pair_t *p, random_t *r)
{
    message_t m;
    copal_bytes_t datagram = make(r, &m);
    copal_from_t from = {.peer = peer_of(random_below(r, 3) << 16 | random_below(r, 4)),
                         .via = random_below(r, 2),
                         .multicast = !random_below(r, 20),
                         .proven = !random_below(r, 10),
                         .network = 3};
    int first = bench_receive_from(&p->ways[0], &from, datagram);
    check_equal(bench_receive_from(&p->ways[1], &from, datagram), first);
    p->asked++;
    if (random_below(r, 3)) /* else answers are in the batch together */
        compare(p);
    answer_ping(p, r);
    const copal_time_t pause = random_below(r, 50) ? random_below(r, 20) : random_below(r, 300000);
    p->ways[0].now = p->ways[1].now += pause;
}

static unsigned long seed_count = 300; /* environment: COPAL_SEEDS=n for another number */

/* Whether something went the short way while a network was low. */
static bool run(const copal_limits_t *limits)
{
    unsigned long asked = 0, short_ones = 0, low_ones = 0;
    for (uint32_t seed = 1; seed <= seed_count; seed++) {
        char note[32];
        pair_t p = {0};
        random_t r = random_from((uint64_t)seed << 32); /* far from the others in the one sequence that there is */
        snprintf(note, sizeof note, "seed %u", (unsigned)seed);
        check_note(note);
        open_pair(&p, limits);
        for (int i = 0; i < MESSAGES; i++)
            step(&p, &r);
        compare(&p);
        close_pair(&p);
        asked += p.asked;
        short_ones += p.short_ones;
        low_ones += p.low_ones;
    }
    check_note(NULL);
    assert_true(short_ones > asked / 100); /* there was something to compare */
    return low_ones > asked / 100;
}

static void both_ways_give_the_same_answers(void **state)
{
    (void)state;
    run(&(copal_limits_t){.deferred = 2, .observers = 4, .remembered = 16});
}

static void both_ways_give_the_same_answers_when_the_guard_is_low(void **state)
{
    (void)state;
    assert_true(run(&(copal_limits_t){.deferred = 2, .network_bytes = 3000}));
    assert_true(run(&(copal_limits_t){.deferred = 2, .network_bytes = 1000}));
}

static void both_ways_give_the_same_answers_in_small_messages(void **state)
{
    (void)state;
    run(&(copal_limits_t){.deferred = 2, .payload_size = 64, .datagram_size = 144});
    run(&(copal_limits_t){.deferred = 2, .payload_size = 64, .datagram_size = 128});
}

int main(void)
{
    if (getenv("COPAL_SEEDS"))
        seed_count = strtoul(getenv("COPAL_SEEDS"), NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_give_the_same_answers),
        cmocka_unit_test(both_ways_give_the_same_answers_when_the_guard_is_low),
        cmocka_unit_test(both_ways_give_the_same_answers_in_small_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
