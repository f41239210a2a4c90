/* The No-Response option (RFC 7967), at the server and at the client; and Hop-Limit (RFC 8768) at the server. */
#include "support/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const copal_bytes_t token = {(const uint8_t[]){0xca, 0xfe}, 2};

/* ---- the server ------------------------------------------------------------------------------------------------ */

typedef struct {
    bench_t b;
    server_t s;
    message_t m;
} fixture_t;

static void open_fixture(fixture_t *f)
{
    bench_open(&f->b, &(copal_config_t){.service = server_service(&f->s)});
}

static copal_bytes_t request(fixture_t *f, copal_type_t type, copal_code_t method, uint16_t id, uint32_t unwanted)
{
    message_start(&f->m, type, method, id, token);
    message_text_option(&f->m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&f->m.w, COPAL_OPTION_NO_RESPONSE, unwanted);
    copal_write_text(&f->m.w, "on");
    return message_end(&f->m);
}

static void the_acknowledgement_is_all_that_is_left_of_an_unwanted_answer_and_its_copies(void **state)
{
    (void)state;
    fixture_t f;
    static const copal_code_t codes[] = {COPAL_CHANGED, COPAL_NOT_FOUND, COPAL_INTERNAL_SERVER_ERROR};
    static const uint8_t classes[] = {2, 8, 16};
    for (unsigned i = 0; i < 3; i++) {
        open_fixture(&f);
        f.s.code = codes[i];
        for (int copies = 0; copies < 3; copies++) {
            bench_accept(&f.b, 1, request(&f, COPAL_CON, COPAL_POST, 7, classes[i]));
            bench_sends(&f.b, 1, BYTES(0x60, 0, 0, 7));
            bench_silent(&f.b);
        }
        assert_int_equal(f.s.runs, 1);
        bench_close(&f.b);
    }
}

static void a_NON_that_wants_no_answer_gets_none(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    for (int copies = 0; copies < 2; copies++) {
        bench_accept(&f.b, 1, request(&f, COPAL_NON, COPAL_POST, 7, 26));
        bench_idle(&f.b);
    }
    assert_int_equal(f.s.runs, 1);
    bench_close(&f.b);
}

static void rfc7967_2_1_answers_of_the_other_classes_are_sent(void **state)
{
    (void)state;
    fixture_t f;
    static const copal_code_t codes[] = {COPAL_CHANGED, COPAL_NOT_FOUND, COPAL_INTERNAL_SERVER_ERROR};
    static const uint8_t others[] = {8 | 16, 2 | 16, 2 | 8};
    open_fixture(&f);
    for (uint16_t i = 0; i < 6; i++) {
        f.s.code = codes[i % 3];
        bench_accept(&f.b, 1, request(&f, i < 3 ? COPAL_CON : COPAL_NON, COPAL_PUT, i, others[i % 3]));
        assert_int_equal(bench_sent(&f.b)->code, codes[i % 3]);
        bench_silent(&f.b);
    }
    bench_accept(&f.b, 1, request(&f, COPAL_CON, COPAL_GET, 100, 0)); /* "interested in all responses" */
    assert_int_equal(bench_sent(&f.b)->code, COPAL_INTERNAL_SERVER_ERROR);
    bench_close(&f.b);
}

static void an_unwanted_answer_given_later_is_not_sent(void **state)
{
    (void)state;
    fixture_t f;
    for (int i = 0; i < 3; i++) { /* on the ACK, after the ACK, to a NON */
        open_fixture(&f);
        f.s.defer = true;
        bench_accept(&f.b, 1, request(&f, i == 2 ? COPAL_NON : COPAL_CON, COPAL_POST, 7, 2));
        bench_silent(&f.b);
        if (i == 1) {
            bench_wait(&f.b);
            bench_sends(&f.b, 1, BYTES(0x60, 0, 0, 7));
        }
        assert_int_equal(bench_answer(&f.b, f.s.later, "done"), 0);
        if (i == 0)
            bench_sends(&f.b, 1, BYTES(0x60, 0, 0, 7));
        bench_idle(&f.b);
        bench_accept(&f.b, 1, request(&f, i == 2 ? COPAL_NON : COPAL_CON, COPAL_POST, 7, 2));
        if (i < 2)
            bench_sends(&f.b, 1, BYTES(0x60, 0, 0, 7));
        bench_idle(&f.b);
        assert_int_equal(f.s.runs, 1);
        bench_close(&f.b);
    }
}

static void a_wanted_error_given_later_is_sent(void **state)
{
    (void)state;
    fixture_t f;
    copal_writer_t *w;
    open_fixture(&f);
    f.s.defer = true;
    bench_accept(&f.b, 1, request(&f, COPAL_CON, COPAL_POST, 7, 2));
    assert_int_equal(copal_later_begin(f.b.endpoint, f.s.later, COPAL_CONFLICT, &w), 0);
    assert_int_equal(copal_later_commit(f.b.endpoint, f.b.now, f.s.later), 0);
    assert_int_equal(bench_sent(&f.b)->code, COPAL_CONFLICT);
    bench_idle(&f.b);
    bench_close(&f.b);
}

static void errors_of_the_engine_itself_are_unwanted_likewise(void **state)
{
    (void)state;
    fixture_t f;
    open_fixture(&f);
    message_start(&f.m, COPAL_CON, COPAL_GET, 7, token);
    copal_write_option(&f.m.w, 101, BYTES(1)); /* critical, and before No-Response */
    copal_write_option_uint(&f.m.w, COPAL_OPTION_NO_RESPONSE, 8);
    bench_accept(&f.b, 1, message_end(&f.m));
    bench_sends(&f.b, 1, BYTES(0x60, 0, 0, 7));
    bench_idle(&f.b);
    bench_close(&f.b);
}

static void rfc7967_2_1_by_multicast_errors_are_sent_to_who_shows_interest(void **state)
{
    (void)state;
    fixture_t f;
    const copal_from_t from = {.peer = peer_of(1), .multicast = true};
    open_fixture(&f);
    copal_endpoint_hear_groups(f.b.endpoint);
    f.s.code = COPAL_NOT_FOUND;
    assert_int_equal(bench_receive_from(&f.b, &from, request(&f, COPAL_NON, COPAL_GET, 7, 2)), 0);
    bench_wait(&f.b);
    assert_int_equal(bench_sent(&f.b)->code, COPAL_NOT_FOUND);
    assert_int_equal(bench_receive_from(&f.b, &from, request(&f, COPAL_NON, COPAL_GET, 8, 8)), 0);
    assert_int_equal(bench_receive_from(&f.b, &from,
                                        message_make(&f.m, COPAL_NON, COPAL_GET, 9, token, "a", NULL)), 0);
    bench_idle(&f.b);
    bench_close(&f.b);
}

static void rfc8768_3_a_hop_limit_of_0_or_over_255_is_rejected_and_any_other_ignored(void **state)
{
    (void)state;
    fixture_t f;
    static const struct {
        uint8_t octets[2], size;
        copal_code_t code;
    } cases[] = {{{0}, 1, COPAL_BAD_REQUEST},
                 {{0}, 0, COPAL_CONTENT},
                 {{1, 0}, 2, COPAL_BAD_REQUEST},
                 {{1}, 1, COPAL_CONTENT},
                 {{255}, 1, COPAL_CONTENT}};
    open_fixture(&f);
    for (uint16_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        message_start(&f.m, COPAL_CON, COPAL_GET, i, token);
        f.m.data[f.m.w.size++] = (uint8_t)(13 << 4 | cases[i].size); /* the writer would refuse some sizes */
        f.m.data[f.m.w.size++] = COPAL_OPTION_HOP_LIMIT - 13;
        for (size_t at = 0; at < cases[i].size; at++)
            f.m.data[f.m.w.size++] = cases[i].octets[at];
        bench_accept(&f.b, 1, message_end(&f.m));
        assert_int_equal(bench_sent(&f.b)->code, cases[i].code);
    }
    bench_close(&f.b);
}

/* ---- the client ------------------------------------------------------------------------------------------------- */

static copal_handle_t ask(bench_t *b, bool confirmable, uint32_t unwanted, uint32_t timeout, outcome_t *o)
{
    copal_peer_t to = peer_of(1);
    copal_handle_t handle;
    copal_writer_t *w;
    copal_request_t r = {.to = &to, .via = 7, .code = COPAL_PUT, .confirmable = confirmable, .timeout = timeout};
    assert_int_equal(copal_request_begin(b->endpoint, &r, &handle, &w), 0);
    copal_write_option_uint(w, COPAL_OPTION_NO_RESPONSE, unwanted);
    assert_int_equal(copal_request_commit(b->endpoint, b->now, handle, outcome_open(o)), 0);
    return handle;
}

static void assert_ended_well_without_a_message(const outcome_t *o)
{
    assert_int_equal(o->count, 1);
    assert_int_equal(o->status, 0);
    assert_false(o->has_message);
}

static void acknowledge(bench_t *b)
{
    message_t m;
    bench_accept(b, 1, message_empty(&m, COPAL_ACK, b->sent.message.id));
}

static void a_CON_that_wants_nothing_ends_well_when_it_is_acknowledged(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, true, 26, 0, &o);
    bench_sent(&b);
    acknowledge(&b);
    assert_ended_well_without_a_message(&o);
    bench_idle(&b);
    bench_close(&b);
}

static void a_CON_that_wants_nothing_takes_an_answer_all_the_same(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, true, 26, 0, &o);
    bench_sent(&b);
    bench_accept(&b, 1, message_make(&m, COPAL_ACK, COPAL_CHANGED, b.sent.message.id, b.sent.message.token, NULL, NULL));
    assert_int_equal(o.code, COPAL_CHANGED);
    ask(&b, true, 26, 0, &o);
    while (bench_take(&b))
        b.now += 1; /* nobody acknowledges */
    while (!o.count) {
        bench_wait(&b);
        bench_take(&b);
    }
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void a_CON_that_wants_errors_only_waits_for_them_and_ends_well_without_any(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    for (int i = 0; i < 2; i++) {
        ask(&b, true, 2, 30000, &o);
        bench_sent(&b);
        acknowledge(&b);
        assert_int_equal(o.count, 0);
        if (i) {
            bench_accept(&b, 1, message_make(&m, COPAL_NON, COPAL_CONFLICT, 9, b.sent.message.token, NULL, NULL));
            assert_int_equal(o.code, COPAL_CONFLICT);
        } else {
            assert_int_equal(bench_wait(&b), 30000);
            bench_silent(&b);
            assert_ended_well_without_a_message(&o);
        }
    }
    ask(&b, true, 8 | 16, 30000, &o); /* where a success was to be told, silence is none */
    bench_sent(&b);
    acknowledge(&b);
    bench_wait(&b);
    bench_silent(&b);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void a_NON_that_wants_nothing_ends_well_when_it_is_sent(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    copal_handle_t handle = ask(&b, false, 26, 0, &o);
    assert_int_equal(o.count, 0);
    bench_sent(&b);
    assert_int_equal(o.count, 0); /* it may still be in the caller's hands */
    bench_silent(&b);
    assert_ended_well_without_a_message(&o);
    assert_int_equal(copal_request_cancel(b.endpoint, b.now, handle), COPAL_ESTALE);
    bench_close(&b);
}

static void rfc7252_4_7_its_octets_count_though_it_has_ended(void **state)
{
    (void)state;
    bench_t b;
    outcome_t first, second;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, false, 26, 0, &first);
    ask(&b, false, 26, 0, &second);
    bench_sent(&b);
    size_t size = b.sent.size;
    bench_silent(&b);
    assert_int_equal(first.count, 1);
    assert_int_equal(bench_wait(&b), size * 1000);
    bench_sent(&b);
    bench_silent(&b);
    assert_int_equal(second.count, 1);
    bench_wait(&b);
    bench_idle(&b);
    bench_close(&b);
}

static void a_NON_that_wants_some_classes_times_out_as_any(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, false, 2 | 8, 5000, &o);
    bench_sent(&b);
    assert_int_equal(bench_wait(&b), 5000);
    bench_silent(&b);
    assert_int_equal(o.status, COPAL_ETIMEOUT);
    bench_close(&b);
}

static void late_answers_to_what_has_ended_are_ignored(void **state)
{
    (void)state;
    bench_t b;
    outcome_t o;
    message_t m;
    bench_open(&b, &(copal_config_t){0});
    ask(&b, false, 26, 0, &o);
    bench_sent(&b);
    bench_silent(&b);
    bench_receive(&b, 1, message_make(&m, COPAL_NON, COPAL_CHANGED, 9, b.sent.message.token, NULL, NULL));
    assert_int_equal(o.count, 1);
    bench_idle(&b);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_acknowledgement_is_all_that_is_left_of_an_unwanted_answer_and_its_copies),
        cmocka_unit_test(a_NON_that_wants_no_answer_gets_none),
        cmocka_unit_test(rfc7967_2_1_answers_of_the_other_classes_are_sent),
        cmocka_unit_test(an_unwanted_answer_given_later_is_not_sent),
        cmocka_unit_test(a_wanted_error_given_later_is_sent),
        cmocka_unit_test(errors_of_the_engine_itself_are_unwanted_likewise),
        cmocka_unit_test(rfc7967_2_1_by_multicast_errors_are_sent_to_who_shows_interest),
        cmocka_unit_test(rfc8768_3_a_hop_limit_of_0_or_over_255_is_rejected_and_any_other_ignored),
        cmocka_unit_test(a_CON_that_wants_nothing_ends_well_when_it_is_acknowledged),
        cmocka_unit_test(a_CON_that_wants_nothing_takes_an_answer_all_the_same),
        cmocka_unit_test(a_CON_that_wants_errors_only_waits_for_them_and_ends_well_without_any),
        cmocka_unit_test(a_NON_that_wants_nothing_ends_well_when_it_is_sent),
        cmocka_unit_test(rfc7252_4_7_its_octets_count_though_it_has_ended),
        cmocka_unit_test(a_NON_that_wants_some_classes_times_out_as_any),
        cmocka_unit_test(late_answers_to_what_has_ended_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
