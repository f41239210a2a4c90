/* No amplifier: what an address gets that has not shown it is real, and that real clients are served all the same. The
 * networks are /24; the limits are the defaults where not said. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BODY    (1u << 20)
#define SECONDS 60u
#define BUDGET  (256u * 1024)
#define FORGED  0x0a010100u /* the network whose addresses are forged */
#define REAL    (FORGED | 200)
#define WINDOW  10000       /* milliseconds */

/* ---- a server whose resource has 1 MB, and options ------------------------------------------------------------ */

static int read_body(void *context, size_t offset, void *out, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = body_octet(offset + i);
    return 0;
}

typedef struct {
    uint64_t in, out;
} sum_t;

typedef struct {
    bench_t b;
    unsigned posts;
    copal_handle_t later[16];
    unsigned deferred;
    bool confirmable; /* notifications */
    random_t dice;
    uint16_t id;
    sum_t total;
    sum_t history[SECONDS * 1000 + 1]; /* `total` at each millisecond */
    uint32_t elapsed, emptied; /* milliseconds; when the first answer was withheld */
    uint32_t lag; /* how long answers may take */
} fixture_t;

static void serve(void *context, copal_call_t *call)
{
    fixture_t *f = context;
    copal_writer_t *w;
    if (call->request->code == COPAL_FETCH) {
        f->deferred += copal_defer(call, &f->later[f->deferred % 16]) == 0;
        return;
    }
    if (call->request->code == COPAL_POST) {
        f->posts++;
        w = copal_reply(call, COPAL_CONTENT);
        for (size_t i = 0; i < 60; i++)
            copal_write_text(w, "did it ");
        return;
    }
    if (call->request->code == COPAL_DELETE) {
        copal_reply(call, COPAL_DELETED);
        return;
    }
    copal_observe(call, (copal_handle_t){1, 1}, f->confirmable);
    w = copal_reply(call, COPAL_CONTENT);
    copal_write_option(w, COPAL_OPTION_ETAG, BYTES(1, 2, 3, 4, 5, 6, 7, 8));
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 42);
    copal_write_body(w, BODY, read_body, NULL);
}

static void open_fixture(fixture_t *f, const copal_limits_t *limits)
{
    memset(f, 0, sizeof *f);
    copal_config_t config = {.service = {.handle = serve, .context = f}};
    if (limits)
        config.limits = *limits;
    bench_open(&f->b, &config);
    f->dice = random_from(3);
}

/* Addresses of the network from REAL on are those of real hosts, which may turn out proven. */
static bool is_forged(const copal_peer_t *peer)
{
    return peer->data[1] == 1 && peer->data[2] == 1 && peer->data[3] < (REAL & 255);
}

static int receive(fixture_t *f, uint32_t peer, copal_bytes_t datagram)
{
    copal_from_t from = {.peer = peer_of(peer), .via = 7, .network = 3};
    if (is_forged(&from.peer))
        f->total.in += datagram.size;
    return bench_receive_from(&f->b, &from, datagram);
}

/* Takes what leaves next, and counts it; false: nothing does. */
static bool take(fixture_t *f)
{
    if (!bench_take(&f->b))
        return false;
    if (is_forged(&f->b.sent.to))
        f->total.out += f->b.sent.size;
    assert_true(f->total.out <= BUDGET + 3 * f->total.in);
    return true;
}

static bool is_ping(const copal_message_t *m) { return m->type == COPAL_CON && m->code == COPAL_EMPTY; }

static void assert_never_an_amplifier(const fixture_t *f)
{
    assert_true(f->emptied > 0);
    for (uint32_t t = f->emptied + WINDOW + f->lag; t <= f->elapsed; t++) {
        uint64_t in = f->history[t].in - f->history[t - WINDOW - f->lag].in;
        assert_true(f->history[t].out - f->history[t - WINDOW].out <= 3 * in);
    }
}

static void record(fixture_t *f)
{
    f->history[++f->elapsed] = f->total;
    if (!f->emptied && copal_endpoint_counters(f->b.endpoint)->withheld)
        f->emptied = f->elapsed;
}

static void pass_a_millisecond(fixture_t *f)
{
    f->b.now++;
    while (take(f))
        ;
    record(f);
}

/* ---- forged requests ------------------------------------------------------------------------------------------ */

static void forge_method(fixture_t *f, copal_code_t method, const char *path, const char *second, int64_t block2)
{
    message_t m;
    uint8_t token[8];
    uint32_t address = FORGED | random_below(&f->dice, REAL & 255);
    random_fill(&f->dice, token, sizeof token);
    message_start(&m, random_below(&f->dice, 2) ? COPAL_CON : COPAL_NON, method, f->id++,
                  (copal_bytes_t){token, random_below(&f->dice, 9)});
    message_text_option(&m, COPAL_OPTION_URI_PATH, path);
    if (second)
        message_text_option(&m, COPAL_OPTION_URI_PATH, second);
    if (block2 >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)block2);
    receive(f, address, message_end(&m));
}

static void forge(fixture_t *f, const char *path, const char *second, int64_t block2)
{
    forge_method(f, COPAL_GET, path, second, block2);
}

static void floods_of_blocks_bring_no_more_than_three_times_what_they_cost(void **state)
{
    (void)state;
    static fixture_t f;
    open_fixture(&f, NULL);
    while (f.elapsed < SECONDS * 1000) {
        forge(&f, "a", NULL, random_below(&f.dice, 1024) << 4 | random_below(&f.dice, 7));
        pass_a_millisecond(&f);
    }
    assert_never_an_amplifier(&f);
    assert_true(f.total.out > BUDGET);
    bench_close(&f.b);
}

static void floods_of_discovery_bring_no_more_than_three_times_what_they_cost(void **state)
{
    (void)state;
    static fixture_t f;
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
    while (f.elapsed < SECONDS * 1000) {
        forge(&f, ".well-known", "core", -1);
        pass_a_millisecond(&f);
    }
    assert_never_an_amplifier(&f);
    assert_true(f.total.out > BUDGET);
    bench_close(&f.b);
}

static void answer_later(fixture_t *f, copal_handle_t later)
{
    copal_writer_t *w;
    assert_int_equal(copal_later_begin(f->b.endpoint, later, COPAL_CONTENT, &w), 0);
    copal_write_body(w, BODY, read_body, NULL);
    assert_int_equal(copal_later_commit(f->b.endpoint, f->b.now, later), 0);
}

static void answers_given_later_count_with_all_their_retransmissions(void **state)
{
    (void)state;
    static fixture_t f;
    open_fixture(&f, &(copal_limits_t){.deferred = 4096});
    f.lag = 1200;
    unsigned answered = 0;
    while (f.elapsed < SECONDS * 1000) {
        if (f.elapsed % 100 == 0) /* half are answered while an ACK could take it */
            forge_method(&f, COPAL_FETCH, "a", NULL, -1);
        if (f.elapsed % 200 == 150)
            answer_later(&f, f.later[answered++ % 16]);
        if (f.elapsed % 200 == 160 && answered + 5 < f.deferred)
            answer_later(&f, f.later[answered++ % 16]);
        pass_a_millisecond(&f);
    }
    assert_true(answered > 500);
    assert_never_an_amplifier(&f);
    assert_true(copal_endpoint_counters(f.b.endpoint)->retransmitted > 0);
    assert_true(f.total.out > BUDGET);
    bench_close(&f.b);
}

static void observe(fixture_t *f, uint32_t peer, copal_type_t type)
{
    message_t m;
    uint8_t token[4];
    random_fill(&f->dice, token, sizeof token);
    message_start(&m, type, COPAL_GET, f->id++, (copal_bytes_t){token, sizeof token});
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    receive(f, peer, message_end(&m));
}

/* Takes what leaves, and acknowledges what goes to `peer`; how many notifications that were. */
static unsigned take_notifications(fixture_t *f, uint32_t peer)
{
    unsigned count = 0;
    copal_peer_t to = peer_of(peer);
    while (take(f)) {
        const copal_message_t *m = &f->b.sent.message;
        message_t ack;
        if (!peer_equal(&f->b.sent.to, &to) || option_of(m, COPAL_OPTION_OBSERVE) < 0)
            continue;
        count++;
        if (m->type == COPAL_CON)
            receive(f, peer, message_make(&ack, COPAL_ACK, COPAL_EMPTY, m->id, NO_BYTES, NULL, NULL));
    }
    return count;
}

static void forged_observers_are_told_no_more_than_three_times_what_they_cost(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) { /* beside a real observer of another network, and of the same */
        static fixture_t f;
        uint32_t real = i ? REAL : 0x0a020301;
        unsigned told = 0;
        open_fixture(&f, &(copal_limits_t){.observers = 64, .notifications = 32});
        observe(&f, real, COPAL_CON);
        take_notifications(&f, real);
        while (f.elapsed < SECONDS * 1000) {
            if (f.elapsed % 20 == 0)
                observe(&f, FORGED | random_below(&f.dice, REAL & 255), random_below(&f.dice, 2) ? COPAL_CON : COPAL_NON);
            if (f.elapsed % 200 == 0)
                copal_notify(f.b.endpoint, f.b.now, 1);
            f.b.now++;
            told += take_notifications(&f, real);
            record(&f);
        }
        assert_never_an_amplifier(&f);
        assert_true(f.total.out > BUDGET);
        assert_true(copal_endpoint_observers(f.b.endpoint) > 1);
        assert_true(told >= SECONDS * 1000 / 3000);
        bench_close(&f.b);
    }
}

static void observers_that_acknowledge_cost_nothing(void **state)
{
    (void)state;
    static fixture_t f;
    unsigned told = 0;
    open_fixture(&f, &(copal_limits_t){.observers = 400, .notifications = 400, .network_bytes = 300 * 1024});
    for (uint32_t i = 0; i < 250; i++) { /* of one network, and each is told a kilobyte */
        observe(&f, 0x0a050500 | i, COPAL_CON);
        take_notifications(&f, 0x0a050500 | i);
    }
    for (unsigned round = 0; round < 10; round++) {
        f.b.now += 10000;
        copal_notify(f.b.endpoint, f.b.now, 1);
        while (take(&f)) {
            const copal_message_t *m = &f.b.sent.message;
            message_t ack;
            told++;
            copal_from_t from = {.peer = f.b.sent.to, .via = 7, .network = 3};
            if (m->type == COPAL_CON)
                bench_receive_from(&f.b, &from, message_make(&ack, COPAL_ACK, COPAL_EMPTY, m->id, NO_BYTES, NULL, NULL));
        }
    }
    assert_int_equal(told, 2500);
    assert_int_equal(copal_endpoint_counters(f.b.endpoint)->withheld, 0);
    bench_close(&f.b);
}

/* ---- real clients meanwhile ------------------------------------------------------------------------------------- */

enum manners { ANSWERS_PINGS, ECHOES, NEITHER };

typedef struct {
    uint32_t address;
    enum manners manners;
    size_t token_size;
    size_t at; /* octets that are there */
    uint8_t echo[40];
    size_t echo_size;
    uint16_t id;
    unsigned requests, challenged, pinged, cut;
} client_t;

static bool is_to(const fixture_t *f, const client_t *c)
{
    copal_peer_t peer = peer_of(c->address);
    return peer_equal(&f->b.sent.to, &peer);
}

/* Asks for the largest block that begins where the last one ended. */
static void ask(fixture_t *f, client_t *c)
{
    static const uint8_t token[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    message_t m;
    unsigned szx = 6;
    while (c->at % (16u << szx))
        szx--;
    message_start(&m, COPAL_CON, COPAL_GET, ++c->id, (copal_bytes_t){token, c->token_size});
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)(c->at >> (szx + 4)) << 4 | szx);
    if (c->echo_size)
        copal_write_option(&m.w, COPAL_OPTION_ECHO, (copal_bytes_t){c->echo, c->echo_size});
    c->echo_size = 0;
    receive(f, c->address, message_end(&m));
    c->requests++;
}

static void take_answer(client_t *c, const copal_message_t *m)
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
    assert_int_equal(block.more, c->at < BODY);
}

/* One request and what comes for it. */
static void exchange(fixture_t *f, client_t *c)
{
    ask(f, c);
    while (take(f)) {
        const copal_message_t *m = &f->b.sent.message;
        if (!is_to(f, c))
            continue;
        if (!is_ping(m)) {
            take_answer(c, m);
            continue;
        }
        c->pinged++;
        if (c->manners == ANSWERS_PINGS) {
            message_t reset;
            receive(f, c->address, message_make(&reset, COPAL_RST, COPAL_EMPTY, m->id, NO_BYTES, NULL, NULL));
        }
    }
}

/* While somebody forges requests from `FORGED`, the client gets its 1 MB. */
static void fetch_beside_a_flood(client_t *c)
{
    static fixture_t f;
    open_fixture(&f, NULL);
    while (c->at < BODY) {
        assert_true(c->requests < 2 * BODY / 16);
        for (int i = 0; i < 2; i++)
            forge(&f, "a", NULL, random_below(&f.dice, 1024) << 4 | 6);
        exchange(&f, c);
        if (f.elapsed < SECONDS * 1000)
            pass_a_millisecond(&f);
    }
    if (f.elapsed > WINDOW + 1000 && c->manners == NEITHER)
        assert_never_an_amplifier(&f); /* where nobody is proven all is counted */
    bench_close(&f.b);
}

static void a_client_in_another_network_notices_nothing_but_a_ping(void **state)
{
    (void)state;
    client_t c = {.address = 0x0a020301, .manners = ANSWERS_PINGS, .token_size = 4};
    fetch_beside_a_flood(&c);
    assert_int_equal(c.pinged, 1);
    assert_int_equal(c.cut, 0);
    assert_int_equal(c.requests, 1024);
}

static void a_client_in_the_same_network_that_answers_pings_is_soon_served_in_full(void **state)
{
    (void)state;
    client_t c = {.address = REAL, .manners = ANSWERS_PINGS, .token_size = 4};
    fetch_beside_a_flood(&c);
    assert_true(c.pinged > 0);
    assert_true(c.requests < 8192);
}

static void a_client_in_the_same_network_that_echoes_is_soon_served_in_full(void **state)
{
    (void)state;
    client_t c = {.address = REAL, .manners = ECHOES};
    fetch_beside_a_flood(&c);
    assert_int_equal(c.challenged, 1);
    assert_true(c.requests <= 1024 + 1);
}

static void a_client_that_does_neither_gets_all_of_it_in_small_blocks(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) { /* in the same network, and in another */
        client_t c = {.address = i ? 0x0a020301 : REAL, .manners = NEITHER, .token_size = 8};
        fetch_beside_a_flood(&c);
        assert_true(c.pinged > 0);
        assert_true(c.cut > 0);
        assert_int_equal(c.challenged, 0);
    }
}

static void serve_large(void *context, copal_call_t *call)
{
    (void)context;
    copal_write_body(copal_reply(call, COPAL_CONTENT), 100000000, read_body, NULL);
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
                assert_true(is_ping(&b.sent.message));
        }
        assert_int_equal(code, COPAL_UNAUTHORIZED);
    }
    bench_close(&b);
}

/* ---- proofs -------------------------------------------------------------------------------------------------------- */

/* Spends the bucket of `FORGED` down to nothing. */
static void empty_the_bucket(fixture_t *f)
{
    while (!copal_endpoint_counters(f->b.endpoint)->withheld) {
        forge(f, "a", NULL, 6);
        while (take(f))
            ;
    }
    f->b.now += 1000; /* it may ping again */
}

static uint16_t ping_after_a_request(fixture_t *f, client_t *c)
{
    ask(f, c);
    assert_true(take(f));
    assert_true(f->b.sent.size <= 3 * 16);
    assert_true(take(f));
    assert_true(is_ping(&f->b.sent.message));
    assert_true(is_to(f, c));
    uint16_t id = f->b.sent.message.id;
    assert_false(take(f));
    return id;
}

static void reset(fixture_t *f, uint32_t peer, uint16_t id)
{
    message_t m;
    receive(f, peer, message_make(&m, COPAL_RST, COPAL_EMPTY, id, NO_BYTES, NULL, NULL));
}

static bool is_served_in_full(fixture_t *f, client_t *c)
{
    ask(f, c);
    assert_true(take(f));
    return f->b.sent.message.payload.size == 1024;
}

static void only_the_reset_of_who_was_pinged_proves_the_address(void **state)
{
    (void)state;
    static fixture_t f;
    client_t c = {.address = REAL, .token_size = 8};
    open_fixture(&f, NULL);
    empty_the_bucket(&f);
    uint16_t id = ping_after_a_request(&f, &c);
    reset(&f, REAL + 1, id); /* another address */
    assert_false(is_served_in_full(&f, &c));
    reset(&f, c.address, (uint16_t)(id + 1)); /* another ID: and who guesses has one try */
    reset(&f, c.address, id);
    assert_false(is_served_in_full(&f, &c));
    f.b.now += 1000;
    id = ping_after_a_request(&f, &c);
    reset(&f, c.address, id);
    assert_true(is_served_in_full(&f, &c));
    assert_false(take(&f)); /* and is pinged no more */
    bench_close(&f.b);
}

static void a_secured_peer_is_proven(void **state)
{
    (void)state;
    static fixture_t f;
    message_t m;
    open_fixture(&f, NULL);
    empty_the_bucket(&f);
    copal_from_t from = {.peer = peer_of(REAL), .network = 3, .proven = true};
    assert_int_equal(bench_receive_from(&f.b, &from, message_make(&m, COPAL_CON, COPAL_GET, 1, NO_BYTES, "a", NULL)), 0);
    assert_int_equal(bench_sent(&f.b)->payload.size, 1024);
    bench_silent(&f.b);
    bench_close(&f.b);
}

static void what_comes_in_refills_a_bucket_that_is_left_in_peace(void **state)
{
    (void)state;
    static fixture_t f;
    static const uint8_t payload[1000];
    client_t c = {.address = REAL, .token_size = 8};
    message_t m;
    open_fixture(&f, NULL);
    empty_the_bucket(&f);
    for (int i = 0; i < 60; i++) { /* three times 1,000 octets each, less the answer: more than a half */
        message_start(&m, COPAL_NON, COPAL_POST, f.id++, BYTES(1, 2));
        message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
        copal_write_payload(&m.w, (copal_bytes_t){payload, sizeof payload});
        receive(&f, REAL, message_end(&m));
        while (take(&f))
            ;
        f.b.now += 50; /* not yet for ten seconds */
    }
    assert_false(is_served_in_full(&f, &c));
    while (take(&f))
        ;
    f.b.now += 10000;
    assert_true(is_served_in_full(&f, &c));
    bench_close(&f.b);
}

static void an_answer_within_three_times_its_request_is_whole_though_it_is_given_later(void **state)
{
    (void)state;
    static fixture_t f;
    static const uint8_t octets[120];
    message_t m;
    copal_writer_t *w;
    open_fixture(&f, NULL);
    empty_the_bucket(&f);
    message_start(&m, COPAL_CON, COPAL_FETCH, f.id++, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_payload(&m.w, (copal_bytes_t){octets, 50});
    receive(&f, REAL, message_end(&m));
    while (take(&f))
        ;
    uint64_t before = copal_endpoint_counters(f.b.endpoint)->withheld;
    assert_int_equal(copal_later_begin(f.b.endpoint, f.later[0], COPAL_CONFLICT, &w), 0);
    copal_write_payload(w, (copal_bytes_t){octets, sizeof octets});
    assert_int_equal(copal_later_commit(f.b.endpoint, f.b.now, f.later[0]), 0);
    assert_true(take(&f));
    assert_int_equal(f.b.sent.message.payload.size, sizeof octets);
    assert_int_equal(copal_endpoint_counters(f.b.endpoint)->withheld, before);
    bench_close(&f.b);
}

static void an_observer_that_has_acknowledged_is_told_though_its_network_has_had_its_share(void **state)
{
    (void)state;
    static fixture_t f;
    open_fixture(&f, NULL);
    f.confirmable = true;
    observe(&f, REAL, COPAL_CON);
    take_notifications(&f, REAL);
    copal_notify(f.b.endpoint, f.b.now, 1);
    assert_int_equal(take_notifications(&f, REAL), 1);
    observe(&f, REAL + 1, COPAL_CON);
    take_notifications(&f, REAL);
    empty_the_bucket(&f);
    copal_notify(f.b.endpoint, f.b.now, 1);
    unsigned told = 0, others = 0;
    copal_peer_t real = peer_of(REAL);
    while (take(&f)) {
        bool notifies = option_of(&f.b.sent.message, COPAL_OPTION_OBSERVE) >= 0;
        told += notifies && peer_equal(&f.b.sent.to, &real);
        others += notifies && !peer_equal(&f.b.sent.to, &real);
    }
    assert_int_equal(told, 1);
    assert_int_equal(others, 0);
    bench_close(&f.b);
}

/* ---- requests with effects ---------------------------------------------------------------------------------------- */

/* A POST with a payload of that many octets; what it was answered with. */
static const copal_message_t *post(fixture_t *f, uint32_t peer, size_t size, copal_bytes_t echo)
{
    static const uint8_t payload[256];
    message_t m;
    message_start(&m, COPAL_CON, COPAL_POST, f->id++, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    if (echo.size)
        copal_write_option(&m.w, COPAL_OPTION_ECHO, echo);
    copal_write_payload(&m.w, (copal_bytes_t){payload, size});
    receive(f, peer, message_end(&m));
    assert_true(take(f));
    return &f->b.sent.message;
}

static void a_small_request_with_effects_is_challenged_before_it_runs(void **state)
{
    (void)state;
    static fixture_t f;
    copal_option_t echo;
    uint8_t value[40];
    open_fixture(&f, NULL);
    empty_the_bucket(&f);
    const copal_message_t *answer = post(&f, REAL, 1, NO_BYTES);
    assert_int_equal(answer->code, COPAL_UNAUTHORIZED);
    assert_int_equal(f.posts, 0);
    assert_true(copal_option_find(answer, COPAL_OPTION_ECHO, &echo));
    memcpy(value, echo.value.data, echo.value.size);
    while (take(&f))
        ;
    answer = post(&f, REAL, 1, (copal_bytes_t){value, echo.value.size});
    assert_int_equal(answer->code, COPAL_CONTENT);
    assert_int_equal(answer->payload.size, 420);
    assert_int_equal(f.posts, 1);
    bench_close(&f.b);
}

/* Clients that do not know Echo would take the challenge for the answer. */
static void what_its_own_octets_pay_the_answer_of_is_not_challenged(void **state)
{
    (void)state;
    static fixture_t f;
    message_t m;
    open_fixture(&f, NULL);
    empty_the_bucket(&f);
    message_start(&m, COPAL_CON, COPAL_DELETE, f.id++, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    receive(&f, REAL, message_end(&m));
    assert_true(take(&f));
    assert_int_equal(f.b.sent.message.code, COPAL_DELETED);
    bench_close(&f.b);
}

static void what_has_run_is_answered_without_its_payload_and_its_copy_likewise(void **state)
{
    (void)state;
    static fixture_t f;
    open_fixture(&f, NULL);
    empty_the_bucket(&f);
    for (int i = 0; i < 2; i++) {
        f.id = 0x7777;
        const copal_message_t *answer = post(&f, REAL, 60, NO_BYTES);
        assert_int_equal(answer->type, COPAL_ACK);
        assert_int_equal(answer->code, COPAL_CHANGED); /* 2.05 would say that there is nothing to tell */
        assert_int_equal(answer->payload.size, 0);
        assert_int_equal(f.posts, 1);
        while (take(&f))
            ;
    }
    bench_close(&f.b);
}

static void a_copy_of_a_request_is_answered_within_the_bounds_too(void **state)
{
    (void)state;
    static fixture_t f;
    open_fixture(&f, NULL);
    f.id = 0x7777;
    assert_int_equal(post(&f, REAL, 60, NO_BYTES)->payload.size, 420);
    empty_the_bucket(&f);
    f.id = 0x7777;
    message_t m;
    uint8_t payload[60] = {0};
    message_start(&m, COPAL_CON, COPAL_POST, f.id, BYTES(1, 2));
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_payload(&m.w, (copal_bytes_t){payload, sizeof payload});
    uint64_t before = copal_endpoint_counters(f.b.endpoint)->withheld;
    receive(&f, REAL, message_end(&m));
    while (take(&f))
        assert_int_equal(f.b.sent.size, 4); /* a ping; the answer's code would say too little */
    assert_int_equal(copal_endpoint_counters(f.b.endpoint)->withheld, before + 1);
    assert_int_equal(f.posts, 1);
    bench_close(&f.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_of_blocks_bring_no_more_than_three_times_what_they_cost),
        cmocka_unit_test(floods_of_discovery_bring_no_more_than_three_times_what_they_cost),
        cmocka_unit_test(answers_given_later_count_with_all_their_retransmissions),
        cmocka_unit_test(forged_observers_are_told_no_more_than_three_times_what_they_cost),
        cmocka_unit_test(observers_that_acknowledge_cost_nothing),
        cmocka_unit_test(a_client_in_another_network_notices_nothing_but_a_ping),
        cmocka_unit_test(a_client_in_the_same_network_that_answers_pings_is_soon_served_in_full),
        cmocka_unit_test(a_client_in_the_same_network_that_echoes_is_soon_served_in_full),
        cmocka_unit_test(a_client_that_does_neither_gets_all_of_it_in_small_blocks),
        cmocka_unit_test(rfc7959_2_2_a_body_is_not_cut_to_more_blocks_than_have_numbers),
        cmocka_unit_test(only_the_reset_of_who_was_pinged_proves_the_address),
        cmocka_unit_test(a_secured_peer_is_proven),
        cmocka_unit_test(what_comes_in_refills_a_bucket_that_is_left_in_peace),
        cmocka_unit_test(an_answer_within_three_times_its_request_is_whole_though_it_is_given_later),
        cmocka_unit_test(an_observer_that_has_acknowledged_is_told_though_its_network_has_had_its_share),
        cmocka_unit_test(a_small_request_with_effects_is_challenged_before_it_runs),
        cmocka_unit_test(what_its_own_octets_pay_the_answer_of_is_not_challenged),
        cmocka_unit_test(what_has_run_is_answered_without_its_payload_and_its_copy_likewise),
        cmocka_unit_test(a_copy_of_a_request_is_answered_within_the_bounds_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
