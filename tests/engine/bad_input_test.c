/* Everything that may be wrong with a datagram, and the exact answer each gets. The rows are in bad_input.inc. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef enum { SILENT, RESETS, ANSWERS, EXPLAINS, SERVES } kind_t;
typedef enum { OPEN = 0, CRITICAL = COPAL_ECRITICAL } after_t;

typedef struct {
    const char *name, *section;
    copal_bytes_t octets;
    struct {
        kind_t kind;
        copal_code_t code, other; /* either is right */
    } answer;
    after_t after;
} row_t;

#define NOTHING {NULL, 0}
#define O(...) {(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})}
#define SILENCE {SILENT, 0, 0}
#define RESET {RESETS, 0, 0}
#define CODE(code) {ANSWERS, COPAL_##code, COPAL_##code}
#define EITHER(code, other) {ANSWERS, COPAL_##code, COPAL_##other}
#define BAD_OPTION {EXPLAINS, COPAL_BAD_OPTION, COPAL_BAD_OPTION}
#define VALUE {SERVES, COPAL_CONTENT, COPAL_CONTENT}

static const row_t server_rows[] = {
#define ROW(name, section, octets, answer) {name, section, octets, answer, OPEN},
#define CLIENT_ROW(name, section, octets, answer, after)
#include "bad_input.inc"
#undef ROW
#undef CLIENT_ROW
};

static const row_t client_rows[] = {
#define ROW(name, section, octets, answer)
#define CLIENT_ROW(name, section, octets, answer, after) {name, section, octets, answer, after},
#include "bad_input.inc"
#undef ROW
#undef CLIENT_ROW
};

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const copal_bytes_t token = {(const uint8_t[]){0xca, 0xfe}, 2};

static void note(const row_t *row, const char *how)
{
    static char text[200];
    snprintf(text, sizeof text, "row \"%s\" (section %s), %s", row->name, row->section, how);
    check_note(text);
}

/* ---- toward a server ------------------------------------------------------------------------------------ */

static void open_server(bench_t *b)
{
    copal_value_options_t options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};
    bench_open_tree(b, &(copal_config_t){.timing = {.leisure = 1}}, 64);
    copal_endpoint_hear_groups(b->endpoint);
    check_equal(copal_tree_add_value(b->tree, "a", copal_text("v"), &options, NULL), 0);
}

/* A request that nothing is wrong with is answered as ever, and nothing is due afterwards. */
static void assert_unharmed(bench_t *b, uint32_t peer)
{
    bench_idle(b);
    bench_accept(b, peer, BYTES(0x42, 0x01, 0x77, 0x77, 0x12, 0x34, 0xb1, 'a'));
    bench_sends(b, peer, BYTES(0x62, 0x45, 0x77, 0x77, 0x12, 0x34, 0xff, 'v'));
    bench_idle(b);
}

/* An ACK repeats the ID of the CON; a NON has one of our own. */
static void assert_answers(bench_t *b, const row_t *row, uint32_t peer)
{
    const copal_message_t *answer = bench_sent(b);
    copal_peer_t to = peer_of(peer);
    check(peer_equal(&b->sent.to, &to));
    check_equal(answer->type, row->octets.data[0] >> 4 == 4 ? COPAL_ACK : COPAL_NON);
    if (answer->type == COPAL_ACK)
        check_equal(answer->id, 0x0102);
    check_bytes(answer->token, token);
    if (answer->code != row->answer.other)
        check_equal(answer->code, row->answer.code);
    if (row->answer.kind == EXPLAINS)
        check(answer->payload.size > 0);
    if (row->answer.kind == SERVES)
        check_bytes(answer->payload, copal_text("v"));
}

static void assert_answer(bench_t *b, const row_t *row, uint32_t peer, int result)
{
    switch (row->answer.kind) {
    case SILENT:
        check(result < 0 && result != COPAL_EFULL);
        break;
    case RESETS:
        check(result < 0 && result != COPAL_EFULL);
        bench_sends(b, peer, BYTES(0x70, 0x00, 0x01, 0x02));
        break;
    default:
        assert_answers(b, row, peer);
    }
}

static void each_row_toward_a_server_gets_its_answer_and_changes_nothing(void **state)
{
    (void)state;
    bench_t b;
    open_server(&b);
    for (uint32_t i = 0; i < COUNT(server_rows); i++) {
        const row_t *row = &server_rows[i];
        note(row, "toward a server");
        assert_answer(&b, row, i, bench_receive(&b, i, row->octets));
        assert_unharmed(&b, i);
    }
    check_note(NULL);
    bench_close(&b);
}

static void rfc7252_8_by_multicast_no_row_gets_a_reset_or_an_error(void **state)
{
    (void)state;
    bench_t b;
    open_server(&b);
    for (uint32_t i = 0; i < COUNT(server_rows); i++) {
        const row_t *row = &server_rows[i];
        copal_from_t from = {.peer = peer_of(i), .multicast = true};
        note(row, "by multicast");
        bench_receive_from(&b, &from, row->octets);
        if (row->answer.kind != SERVES)
            bench_silent(&b);
        while (bench_take(&b))
            check_equal(b.sent.message.code, COPAL_CONTENT);
        assert_unharmed(&b, i);
    }
    check_note(NULL);
    bench_close(&b);
}

static void each_row_cut_short_or_changed_in_any_octet_leaves_the_server_unharmed(void **state)
{
    (void)state;
    bench_t b;
    open_server(&b);
    for (uint32_t i = 0; i < COUNT(server_rows); i++) {
        const row_t *row = &server_rows[i];
        uint8_t octets[64];
        check(row->octets.size <= sizeof octets);
        note(row, "cut short or changed");
        for (size_t at = 0; at < row->octets.size; at++) {
            memcpy(octets, row->octets.data, row->octets.size);
            bench_receive(&b, 1, (copal_bytes_t){octets, at});
            for (unsigned bit = 0; bit < 8; bit++) {
                octets[at] ^= (uint8_t)(1u << bit);
                bench_receive(&b, 1, (copal_bytes_t){octets, row->octets.size});
                octets[at] ^= (uint8_t)(1u << bit);
                while (bench_take(&b))
                    ;
            }
        }
        b.now += 1000000; /* what was a sound PUT or DELETE is forgotten */
        while (bench_take(&b))
            ;
        bench_idle(&b);
    }
    check_note(NULL);
    bench_close(&b);
}

/* ---- toward a client ------------------------------------------------------------------------------------ */

typedef enum { UNACKNOWLEDGED, ACKNOWLEDGED, NON_CONFIRMABLE } phase_t;

/* Opens a request; returns its message ID. */
static uint16_t ask(bench_t *b, phase_t phase, outcome_t *o)
{
    bench_ask_token(b, 1, phase != NON_CONFIRMABLE, token, o);
    uint16_t id = bench_sent(b)->id;
    if (phase == ACKNOWLEDGED)
        bench_accept(b, 1, BYTES(0x60, 0x00, (uint8_t)(id >> 8), (uint8_t)id));
    return id;
}

static void assert_still_open(bench_t *b, phase_t phase, uint16_t id, outcome_t *o, copal_time_t due)
{
    check_equal(o->count, 0);
    check(copal_endpoint_next_timeout(b->endpoint) == due);
    uint8_t type = phase == UNACKNOWLEDGED ? 0x60 : 0x50;
    bench_accept(b, 1, BYTES((uint8_t)(type | 2), 0x45, (uint8_t)(id >> 8), (uint8_t)id, 0xca, 0xfe, 0xff, 'v'));
    check_equal(o->count, 1);
    check_equal(o->status, 0);
    check_bytes(((copal_bytes_t){o->payload, o->size}), copal_text("v"));
}

static void try_row(const row_t *row, phase_t phase, bool multicast)
{
    bench_t b;
    outcome_t o;
    uint8_t octets[64];
    copal_from_t from = {.peer = peer_of(1), .multicast = multicast};
    bool answers = row->octets.data[0] >> 4 & 2; /* ACK or RST */
    bench_open(&b, &(copal_config_t){0});
    uint16_t id = ask(&b, phase, &o);
    copal_time_t due = copal_endpoint_next_timeout(b.endpoint);
    memcpy(octets, row->octets.data, row->octets.size);
    if (answers && row->octets.size > 3) {
        octets[2] = (uint8_t)(id >> 8);
        octets[3] = (uint8_t)id;
    }
    bench_receive_from(&b, &from, (copal_bytes_t){octets, row->octets.size});
    if (row->answer.kind == RESETS && !multicast)
        bench_sends(&b, 1, BYTES(0x70, 0x00, 0x01, 0x02));
    bench_silent(&b);
    if (row->after == OPEN) {
        assert_still_open(&b, phase, id, &o, due);
    } else {
        check_equal(o.count, 1);
        check_equal(o.status, row->after);
        check(!o.has_message);
    }
    bench_idle(&b);
    bench_close(&b);
}

static void each_row_toward_a_client_gets_its_answer_and_leaves_the_request_as_it_is(void **state)
{
    (void)state;
    static const char *const phases[] = {"toward a client that waits for an ACK",
                                         "toward a client that was acknowledged",
                                         "toward a client that asked in a NON"};
    for (uint32_t i = 0; i < COUNT(client_rows); i++) {
        const row_t *row = &client_rows[i];
        bool is_ack = row->octets.data[0] >> 4 == 6;
        for (phase_t phase = UNACKNOWLEDGED; phase <= NON_CONFIRMABLE; phase++) {
            note(row, phases[phase]);
            if (row->after == OPEN || !is_ack || phase == UNACKNOWLEDGED)
                try_row(row, phase, false);
        }
    }
    check_note(NULL);
}

static void rfc7252_8_1_a_client_never_resets_what_came_by_multicast(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT(client_rows); i++) {
        if (client_rows[i].after != OPEN)
            continue;
        note(&client_rows[i], "toward a client, by multicast");
        try_row(&client_rows[i], UNACKNOWLEDGED, true);
    }
    check_note(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_toward_a_server_gets_its_answer_and_changes_nothing),
        cmocka_unit_test(rfc7252_8_by_multicast_no_row_gets_a_reset_or_an_error),
        cmocka_unit_test(each_row_cut_short_or_changed_in_any_octet_leaves_the_server_unharmed),
        cmocka_unit_test(each_row_toward_a_client_gets_its_answer_and_leaves_the_request_as_it_is),
        cmocka_unit_test(rfc7252_8_1_a_client_never_resets_what_came_by_multicast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
