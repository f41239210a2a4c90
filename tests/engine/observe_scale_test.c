/* Very many observers: message IDs, and memory. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OBSERVERS 65536u
#define ROUNDS    3u
/* EXCHANGE_LIFETIME and NON_LIFETIME: in the same time no message ID comes twice (RFC 7252 sections 4.4, 4.8.2) */
#define LIFETIME     247000
#define NON_LIFETIME 145000

typedef struct {
    bool confirmable;
    uint16_t ids[OBSERVERS][ROUNDS];
    copal_time_t until[OBSERVERS][ROUNDS];
    uint8_t counts[OBSERVERS];
} crowd_t;

static void serve(void *context, copal_call_t *call)
{
    const crowd_t *crowd = context;
    copal_observe(call, (copal_handle_t){0, 1}, crowd->confirmable);
    copal_write_text(copal_reply(call, COPAL_CONTENT), "21.5");
}

static copal_endpoint_t *open(void **memory, random_t *random, crowd_t *crowd, uint32_t counters)
{
    copal_config_t config = {.limits = {.observers = OBSERVERS, .notifications = 1024, .counters = counters},
                             .service = {.handle = serve, .context = crowd},
                             .random = random_fill,
                             .random_state = random};
    copal_endpoint_t *e;
    size_t size = copal_endpoint_size(&config.limits);
    *memory = calloc(1, size);
    assert_int_equal(copal_endpoint_init(&e, *memory, size, &config), 0);
    return e;
}

static void observe(copal_endpoint_t *e, copal_time_t now)
{
    copal_datagram_t out;
    message_t m;
    message_start(&m, COPAL_CON, COPAL_GET, 1, BYTES(1));
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    for (uint32_t peer = 0; peer < OBSERVERS; peer++) {
        copal_from_t from = {.peer = peer_of(peer), .proven = true};
        assert_int_equal(copal_endpoint_receive(e, now, &from, message_end(&m)), 0);
        assert_int_equal(copal_endpoint_send(e, now, &out, 1), 1);
    }
    assert_int_equal(copal_endpoint_observers(e), OBSERVERS);
}

/* Takes one, and acknowledges a CON. */
static void take(copal_endpoint_t *e, copal_time_t now, crowd_t *crowd, const copal_datagram_t *out)
{
    copal_message_t m;
    const uint8_t *p = out->to->data;
    uint32_t peer = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    assert_int_equal(copal_message_parse(&m, out->bytes), 0);
    assert_int_equal(m.type == COPAL_CON, crowd->confirmable);
    for (uint8_t i = 0; i < crowd->counts[peer]; i++)
        assert_true(crowd->ids[peer][i] != m.id || now >= crowd->until[peer][i]);
    crowd->until[peer][crowd->counts[peer]] = now + (crowd->confirmable ? LIFETIME : NON_LIFETIME);
    crowd->ids[peer][crowd->counts[peer]++] = m.id;
    copal_from_t from = {.peer = *out->to};
    if (m.type == COPAL_CON)
        copal_endpoint_receive(e, now, &from, BYTES(0x60, 0, (uint8_t)(m.id >> 8), (uint8_t)m.id));
}

/* Takes all that leaves; how long that took. */
static copal_time_t take_all(copal_endpoint_t *e, copal_time_t *now, crowd_t *crowd)
{
    copal_datagram_t out;
    copal_time_t start = *now, last = *now;
    for (copal_time_t next; (next = copal_endpoint_next_timeout(e)) != COPAL_NEVER;) {
        *now = next > *now ? next : *now;
        while (copal_endpoint_send(e, *now, &out, 1)) {
            take(e, *now, crowd, &out);
            last = *now;
        }
    }
    return last - start;
}

static void none_of_65536_observers_sees_a_message_id_twice(void **state)
{
    (void)state;
    const uint32_t counters[] = {256, 1};
    for (unsigned i = 0; i < 2; i++) {
        random_t random = random_from(1);
        crowd_t *crowd = calloc(1, sizeof *crowd);
        void *memory;
        copal_endpoint_t *e = open(&memory, &random, crowd, counters[i]);
        copal_time_t now = 1000;
        observe(e, now);
        for (unsigned round = 0; round < ROUNDS; round++) {
            now += 5000;
            crowd->confirmable = round == 2;
            copal_notify(e, now, 0);
            copal_time_t took = take_all(e, &now, crowd);
            if (counters[i] > 1)
                assert_int_equal(took, 0);
            else if (round) /* all share the IDs: each waits until the last use is long enough ago */
                assert_true(took > 120000);
            for (uint32_t peer = 0; peer < OBSERVERS; peer++)
                assert_int_equal(crowd->counts[peer], round + 1);
        }
        assert_int_equal(copal_endpoint_observers(e), OBSERVERS);
        free(memory);
        free(crowd);
    }
}

static void an_observer_takes_128_octets_at_most(void **state)
{
    (void)state;
    for (uint32_t observers = 1024; observers <= 1u << 20; observers *= 2) {
        size_t less = copal_endpoint_size(&(copal_limits_t){.observers = observers});
        size_t more = copal_endpoint_size(&(copal_limits_t){.observers = 2 * observers});
        assert_true(more - less <= (size_t)128 * observers);
        if (observers == 1024)
            print_message("an observer takes %zu octets\n", (more - less) / observers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_of_65536_observers_sees_a_message_id_twice),
        cmocka_unit_test(an_observer_takes_128_octets_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
