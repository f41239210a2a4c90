/* No amplifier: what an address gets that has not shown it is real, and that real clients are served all the same. The
 * networks are /24; the limits are the defaults where not said. */
#include "support/flood.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- forged requests ------------------------------------------------------------------------------------------ */

static void floods_of_blocks_bring_no_more_than_three_times_what_they_cost(void **state)
{
    (void)state;
    static flood_t f;
    flood_open(&f, NULL);
    while (f.elapsed < FLOOD_SECONDS * 1000) {
        flood_forge(&f, "a", NULL, random_below(&f.dice, 1024) << 4 | random_below(&f.dice, 7));
        flood_pass(&f);
    }
    flood_never_amplified(&f);
    assert_true(f.total.out > FLOOD_BUDGET);
    bench_close(&f.b);
}

static void floods_of_discovery_bring_no_more_than_three_times_what_they_cost(void **state)
{
    (void)state;
    static flood_t f;
    static const uint8_t value[100];
    copal_handle_t resource;
    memset(&f, 0, sizeof f);
    f.dice = random_from(4);
    bench_open_tree(&f.b, &(copal_config_t){0}, 128);
    for (char path[] = "sensors/temperature/a"; path[20] < 'a' + 30; path[20]++) {
        copal_value_options_t options = {.content_format = 42, .max_age = -1};
        assert_int_equal(copal_tree_add_value(f.b.tree, path, (copal_bytes_t){value, sizeof value}, &options, &resource),
                         0);
    }
    while (f.elapsed < FLOOD_SECONDS * 1000) {
        flood_forge(&f, ".well-known", "core", -1);
        flood_pass(&f);
    }
    flood_never_amplified(&f);
    assert_true(f.total.out > FLOOD_BUDGET);
    bench_close(&f.b);
}

static void answer_later(flood_t *f, copal_handle_t later)
{
    copal_writer_t *w;
    assert_int_equal(copal_later_begin(f->b.endpoint, later, COPAL_CONTENT, &w), 0);
    copal_write_body(w, FLOOD_BODY, flood_body, NULL);
    assert_int_equal(copal_later_commit(f->b.endpoint, f->b.now, later), 0);
}

static void answers_given_later_count_with_all_their_retransmissions(void **state)
{
    (void)state;
    static flood_t f;
    flood_open(&f, &(copal_limits_t){.deferred = 4096});
    f.lag = 1200;
    unsigned answered = 0;
    while (f.elapsed < FLOOD_SECONDS * 1000) {
        if (f.elapsed % 100 == 0) /* half are answered while an ACK could take it */
            flood_forge_method(&f, COPAL_FETCH, "a", NULL, -1);
        if (f.elapsed % 200 == 150)
            answer_later(&f, f.later[answered++ % 16]);
        if (f.elapsed % 200 == 160 && answered + 5 < f.deferred)
            answer_later(&f, f.later[answered++ % 16]);
        flood_pass(&f);
    }
    assert_true(answered > 500);
    flood_never_amplified(&f);
    assert_true(copal_endpoint_counters(f.b.endpoint)->retransmitted > 0);
    assert_true(f.total.out > FLOOD_BUDGET);
    bench_close(&f.b);
}

static void forged_observers_are_told_no_more_than_three_times_what_they_cost(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) { /* beside a real observer of another network, and of the same */
        static flood_t f;
        uint32_t real = i ? FLOOD_REAL : 0x0a020301;
        unsigned told = 0;
        flood_open(&f, &(copal_limits_t){.observers = 64, .notifications = 32});
        flood_observe(&f, real, COPAL_CON);
        flood_take_notifications(&f, real);
        while (f.elapsed < FLOOD_SECONDS * 1000) {
            if (f.elapsed % 20 == 0)
                flood_observe(&f, FLOOD_FORGED | random_below(&f.dice, FLOOD_REAL & 255),
                              random_below(&f.dice, 2) ? COPAL_CON : COPAL_NON);
            if (f.elapsed % 200 == 0)
                copal_notify(f.b.endpoint, f.b.now, 1);
            f.b.now++;
            told += flood_take_notifications(&f, real);
            flood_record(&f);
        }
        flood_never_amplified(&f);
        assert_true(f.total.out > FLOOD_BUDGET);
        assert_true(copal_endpoint_observers(f.b.endpoint) > 1);
        assert_true(told >= FLOOD_SECONDS * 1000 / 3000);
        bench_close(&f.b);
    }
}

static void observers_that_acknowledge_cost_nothing(void **state)
{
    (void)state;
    static flood_t f;
    unsigned told = 0;
    flood_open(&f, &(copal_limits_t){.observers = 400, .notifications = 400, .network_bytes = 300 * 1024});
    for (uint32_t i = 0; i < 250; i++) { /* of one network, and each is told a kilobyte */
        flood_observe(&f, 0x0a050500 | i, COPAL_CON);
        flood_take_notifications(&f, 0x0a050500 | i);
    }
    for (unsigned round = 0; round < 10; round++) {
        f.b.now += 10000;
        copal_notify(f.b.endpoint, f.b.now, 1);
        while (flood_take(&f)) {
            const copal_message_t *m = &f.b.sent.message;
            message_t ack;
            told++;
            copal_from_t from = {.peer = f.b.sent.to, .via = 7, .network = 3};
            if (m->type == COPAL_CON)
                bench_receive_from(&f.b, &from, message_empty(&ack, COPAL_ACK, m->id));
        }
    }
    assert_int_equal(told, 2500);
    assert_int_equal(copal_endpoint_counters(f.b.endpoint)->withheld, 0);
    bench_close(&f.b);
}

/* So who looks at the counter before and after a message knows that its sender's network is the one. */
static void a_network_counts_as_cut_once_however_much_is_withheld(void **state)
{
    (void)state;
    static flood_t f;
    flood_open(&f, NULL);
    const copal_counters_t *counters = copal_endpoint_counters(f.b.endpoint);
    assert_int_equal(counters->cut, 0);
    flood_empty(&f);
    for (unsigned i = 0; i < 100; i++) {
        flood_forge(&f, "a", NULL, 6);
        while (flood_take(&f))
            ;
    }
    assert_true(counters->withheld > 50);
    assert_int_equal(counters->cut, 1);
    bench_close(&f.b);
}

/* ---- real clients meanwhile ------------------------------------------------------------------------------------- */

static void take_answer(flood_client_t *c, const copal_message_t *m)
{
    copal_option_t echo;
    if (m->code == COPAL_UNAUTHORIZED) {
        c->challenged++;
        assert_true(copal_option_find(m, COPAL_OPTION_ECHO, &echo));
        if (c->manners == ECHOES) {
            c->echo_size = echo.value.size;
            memcpy(c->echo, echo.value.data, echo.value.size);
        }
        return;
    }
    assert_int_equal(m->code, COPAL_CONTENT);
    assert_int_equal(m->id, c->id);
    copal_block_t block;
    assert_int_equal(copal_block_decode(&block, (uint32_t)option_of(m, COPAL_OPTION_BLOCK2)), 0);
    assert_int_equal((size_t)block.number << (block.szx + 4), c->at);
    assert_true(option_of(m, COPAL_OPTION_ETAG) >= 0);
    for (size_t i = 0; i < m->payload.size; i++)
        assert_int_equal(m->payload.data[i], body_octet(c->at + i));
    c->cut += block.szx < 6 && c->at % 1024 == 0;
    c->at += m->payload.size;
    assert_int_equal(block.more, c->at < FLOOD_BODY);
}

/* One request and what comes for it. */
static void exchange(flood_t *f, flood_client_t *c)
{
    flood_ask(f, c);
    while (flood_take(f)) {
        const copal_message_t *m = &f->b.sent.message;
        if (!flood_is_to(f, c))
            continue;
        if (!flood_is_ping(m)) {
            take_answer(c, m);
            continue;
        }
        c->pinged++;
        if (c->manners == ANSWERS_PINGS) {
            message_t reset;
            flood_receive(f, c->address, message_empty(&reset, COPAL_RST, m->id));
        }
    }
}

/* While somebody forges requests from `FLOOD_FORGED`, the client gets its 1 MB. */
static void fetch_beside_a_flood(flood_client_t *c)
{
    static flood_t f;
    flood_open(&f, NULL);
    while (c->at < FLOOD_BODY) {
        assert_true(c->requests < 2 * FLOOD_BODY / 16);
        for (int i = 0; i < 2; i++)
            flood_forge(&f, "a", NULL, random_below(&f.dice, 1024) << 4 | 6);
        exchange(&f, c);
        if (f.elapsed < FLOOD_SECONDS * 1000)
            flood_pass(&f);
    }
    if (f.elapsed > FLOOD_WINDOW + 1000 && c->manners == NEITHER)
        flood_never_amplified(&f); /* where nobody is proven all is counted */
    bench_close(&f.b);
}

static void a_client_in_another_network_notices_nothing_but_a_ping(void **state)
{
    (void)state;
    flood_client_t c = {.address = 0x0a020301, .manners = ANSWERS_PINGS, .token_size = 4};
    fetch_beside_a_flood(&c);
    assert_int_equal(c.pinged, 1);
    assert_int_equal(c.cut, 0);
    assert_int_equal(c.requests, 1024);
}

static void a_client_in_the_same_network_that_answers_pings_is_soon_served_in_full(void **state)
{
    (void)state;
    flood_client_t c = {.address = FLOOD_REAL, .manners = ANSWERS_PINGS, .token_size = 4};
    fetch_beside_a_flood(&c);
    assert_true(c.pinged > 0);
    assert_true(c.requests < 8192);
}

static void a_client_in_the_same_network_that_echoes_is_soon_served_in_full(void **state)
{
    (void)state;
    flood_client_t c = {.address = FLOOD_REAL, .manners = ECHOES};
    fetch_beside_a_flood(&c);
    assert_int_equal(c.challenged, 1);
    assert_true(c.requests <= 1024 + 1);
}

static void a_client_that_does_neither_gets_all_of_it_in_small_blocks(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) { /* in the same network, and in another */
        flood_client_t c = {.address = i ? 0x0a020301 : FLOOD_REAL, .manners = NEITHER, .token_size = 8};
        fetch_beside_a_flood(&c);
        assert_true(c.pinged > 0);
        assert_true(c.cut > 0);
        assert_int_equal(c.challenged, 0);
    }
}

static void serve_large(void *context, copal_call_t *call)
{
    (void)context;
    copal_write_body(copal_reply(call, COPAL_CONTENT), 100000000, flood_body, NULL);
}

static void rfc7959_2_2_a_body_is_not_cut_to_more_blocks_than_have_numbers(void **state)
{
    (void)state;
    bench_t b;
    message_t m;
    bench_open(&b, &(copal_config_t){.service = {.handle = serve_large}});
    static const uint32_t numbers[] = {0, 97656}; /* cut to 16 octets, the last would be number 6,249,984 */
    for (uint32_t i = 0; i < 2; i++) {
        copal_code_t code = COPAL_CONTENT;
        for (uint16_t id = 1; code == COPAL_CONTENT; id++) {
            assert_true(id < 5000);
            message_start(&m, COPAL_CON, COPAL_GET, id, BYTES(1));
            message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
            copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, numbers[i] << 4 | 6);
            bench_accept(&b, 1 + i, message_end(&m));
            code = bench_sent(&b)->code;
            if (code == COPAL_CONTENT)
                assert_int_equal(option_of(&b.sent.message, COPAL_OPTION_BLOCK2) & 7, 6);
            while (bench_take(&b))
                assert_true(flood_is_ping(&b.sent.message));
        }
        assert_int_equal(code, COPAL_UNAUTHORIZED);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_of_blocks_bring_no_more_than_three_times_what_they_cost),
        cmocka_unit_test(floods_of_discovery_bring_no_more_than_three_times_what_they_cost),
        cmocka_unit_test(answers_given_later_count_with_all_their_retransmissions),
        cmocka_unit_test(forged_observers_are_told_no_more_than_three_times_what_they_cost),
        cmocka_unit_test(observers_that_acknowledge_cost_nothing),
        cmocka_unit_test(a_network_counts_as_cut_once_however_much_is_withheld),
        cmocka_unit_test(a_client_in_another_network_notices_nothing_but_a_ping),
        cmocka_unit_test(a_client_in_the_same_network_that_answers_pings_is_soon_served_in_full),
        cmocka_unit_test(a_client_in_the_same_network_that_echoes_is_soon_served_in_full),
        cmocka_unit_test(a_client_that_does_neither_gets_all_of_it_in_small_blocks),
        cmocka_unit_test(rfc7959_2_2_a_body_is_not_cut_to_more_blocks_than_have_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
