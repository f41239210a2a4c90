/* What a server answers without state. */
#include "secured.h"

#include "dtls/hello.h"

#include <stdlib.h>
#include <string.h>

/* ---- by hand ------------------------------------------------------------------------------------------ */

enum { BODY = 2 + 32 + 1 + 1 + 4 + 2, COOKIE_AT = 13 + 12 + 2 + 32 + 1 };

/* A ClientHello with this cookie; its size. */
static size_t make_hello(uint8_t out[200], uint8_t random, copal_bytes_t cookie, uint8_t message)
{
    const uint8_t body = (uint8_t)(BODY + cookie.size);
    const uint8_t start[] = {
        22,  0xfe, 0xff, 0,    0, 0,       0, 0, 0, 0, 7, 0,    (uint8_t)(12 + body), /* record 7 */
        1,   0,    0,    body, 0, message, 0, 0, 0, 0, 0, body, 0xfe,
        0xfd};
    memset(out, 0, 200);
    memcpy(out, start, sizeof start);
    memset(out + sizeof start, random, 32);
    out[COOKIE_AT] = (uint8_t)cookie.size;
    if (cookie.size > 0)
        memcpy(out + COOKIE_AT + 1, cookie.data, cookie.size);
    memcpy(out + COOKIE_AT + 1 + cookie.size, (const uint8_t[]){0, 2, 0xc0, 0xa8, 1, 0}, 6);
    return 25 + (size_t)body;
}

typedef struct {
    unsigned count;
    size_t size;
    uint8_t data[256];
} answer_t;

/* Takes what a station sends out of the lane. */
static bool catch (lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    answer_t *answer = lane->context;
    (void)from;
    answer->count++;
    answer->size = size;
    memcpy(answer->data, data, size < sizeof answer->data ? size : sizeof answer->data);
    return false;
}

typedef struct {
    secured_t secured;
    answer_t answer;
} lone_t;

static void lone_open(lone_t *t)
{
    secured_open(&t->secured, 1, NULL, NULL);
    t->answer = (answer_t){0};
    t->secured.lane.tap = catch;
    t->secured.lane.context = &t->answer;
}

static void hear_hello(lone_t *t, uint32_t peer, uint32_t via, uint8_t random, copal_bytes_t cookie)
{
    uint8_t hello[200];
    const copal_peer_t from = peer_of(peer);
    size_t size = make_hello(hello, random, cookie, cookie.size > 0);
    station_hear(t->secured.server, &from, via, (copal_bytes_t){hello, size});
}

static copal_bytes_t cookie_of(const answer_t *answer, uint8_t out[COPAL__COOKIE])
{
    assert_int_equal(answer->size, COPAL__VERIFY_SIZE);
    memcpy(out, answer->data + COPAL__VERIFY_SIZE - COPAL__COOKIE, COPAL__COOKIE);
    return (copal_bytes_t){out, COPAL__COOKIE};
}

/* ---- tests -------------------------------------------------------------------------------------------- */

static void rfc6347_4_2_1_the_answer_is_a_hello_verify_request(void **state)
{
    lone_t t;
    const uint8_t expected[] = {22, 0xfe, 0xff, 0,  0, 0, 0, 0, 0, 0, 7, 0,  23, /* the ClientHello's record number */
                                3,  0,    0,    11, 0, 0, 0, 0, 0, 0, 0, 11, 0xfe, 0xff, 8};
    (void)state;
    lone_open(&t);
    hear_hello(&t, 9, 0, 1, NO_BYTES);
    assert_int_equal(t.answer.count, 1);
    assert_int_equal(t.answer.size, sizeof expected + 8);
    assert_memory_equal(t.answer.data, expected, sizeof expected);
    assert_int_equal(copal_dtls_counters(t.secured.server->dtls)->hellos, 1);
    secured_close(&t.secured);
}

static void a_cookie_begins_a_handshake_for_its_own_hello_and_address_only(void **state)
{
    lone_t t;
    uint8_t octets[COPAL__COOKIE + 1] = {0};
    (void)state;
    lone_open(&t);
    hear_hello(&t, 9, 0, 1, NO_BYTES);
    const copal_bytes_t cookie = cookie_of(&t.answer, octets);
    hear_hello(&t, 10, 0, 1, cookie); /* another address */
    hear_hello(&t, 9, 1, 1, cookie);  /* another socket of ours */
    hear_hello(&t, 9, 0, 2, cookie);  /* another hello */
    hear_hello(&t, 9, 0, 1, (copal_bytes_t){octets, COPAL__COOKIE - 1});
    hear_hello(&t, 9, 0, 1, (copal_bytes_t){octets, COPAL__COOKIE + 1});
    octets[3] ^= 1;
    hear_hello(&t, 9, 0, 1, cookie); /* another cookie */
    assert_int_equal(toy.handshakes, 0);
    assert_int_equal(copal_dtls_counters(t.secured.server->dtls)->hellos, 7);
    octets[3] ^= 1;
    hear_hello(&t, 9, 0, 1, cookie);
    assert_int_equal(toy.handshakes, 1);
    secured_close(&t.secured);
}

/* Section 4.2.1 says what must stay as it was; pion, which go-coap uses, adds extensions to its second ClientHello. */
static void rfc6347_4_2_1_a_hello_with_its_cookie_may_have_other_extensions(void **state)
{
    lone_t t;
    uint8_t octets[COPAL__COOKIE + 1] = {0}, hello[200];
    const copal_peer_t from = peer_of(9);
    (void)state;
    lone_open(&t);
    hear_hello(&t, 9, 0, 1, NO_BYTES);
    size_t size = make_hello(hello, 1, cookie_of(&t.answer, octets), 1);
    const uint8_t extensions[] = {0, 4, 0, 23, 0, 0}; /* extended_master_secret */
    memcpy(hello + size, extensions, sizeof extensions);
    hello[12] += sizeof extensions; /* the lengths of record, message and fragment */
    hello[16] += sizeof extensions;
    hello[24] += sizeof extensions;
    station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, size + sizeof extensions});
    assert_int_equal(toy.handshakes, 1);
    secured_close(&t.secured);
}

static void a_cookie_is_good_for_a_minute_and_for_no_more_than_two(void **state)
{
    const struct {
        copal_time_t before, after;
        bool good, quiet;
    } rows[] = {
        {0, 59999, true, false},     {0, 60000, true, false},       {0, 119999, true, false},
        {0, 120000, false, false},   {0, 10000000, false, false},   {59999, 60000, true, false},
        {59999, 60001, true, false}, {59999, 179998, false, false}, {0, 119999, true, true},
        {0, 120000, false, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lone_t t;
        uint8_t octets[COPAL__COOKIE];
        lone_open(&t);
        hear_hello(&t, 8, 0, 1, NO_BYTES); /* the key is drawn */
        const copal_time_t start = t.secured.lane.now;
        t.secured.lane.now = start + rows[i].before;
        hear_hello(&t, 9, 0, 1, NO_BYTES);
        const copal_bytes_t cookie = cookie_of(&t.answer, octets);
        if (rows[i].after > rows[i].before + 60000 && !rows[i].quiet) {
            t.secured.lane.now = start + 60000;
            hear_hello(&t, 8, 0, 1, NO_BYTES); /* others come meanwhile */
        }
        t.secured.lane.now = start + rows[i].after;
        hear_hello(&t, 9, 0, 1, cookie);
        assert_int_equal(toy.handshakes, rows[i].good);
        secured_close(&t.secured);
    }
}

static void a_hello_that_comes_again_goes_to_the_same_handshake(void **state)
{
    lone_t t;
    uint8_t octets[COPAL__COOKIE];
    (void)state;
    lone_open(&t);
    hear_hello(&t, 9, 0, 1, NO_BYTES);
    const copal_bytes_t cookie = cookie_of(&t.answer, octets);
    hear_hello(&t, 9, 0, 1, cookie);
    hear_hello(&t, 9, 0, 1, cookie);
    assert_int_equal(t.answer.count, 1 + 2); /* the ServerHello came again */
    assert_int_equal(copal_dtls_counters(t.secured.server->dtls)->begun, 1);
    secured_close(&t.secured);
}

static void another_hello_replaces_the_handshake_under_way(void **state)
{
    lone_t t;
    uint8_t one[COPAL__COOKIE], two[COPAL__COOKIE];
    (void)state;
    lone_open(&t);
    hear_hello(&t, 9, 0, 1, NO_BYTES);
    copal_bytes_t cookie = cookie_of(&t.answer, one);
    hear_hello(&t, 9, 0, 1, cookie);
    hear_hello(&t, 9, 0, 2, NO_BYTES); /* no cookie yet: nothing changes */
    assert_int_equal(copal_dtls_counters(t.secured.server->dtls)->failed, 0);
    cookie = cookie_of(&t.answer, two);
    hear_hello(&t, 9, 0, 2, cookie);
    assert_int_equal(toy.handshakes, 1);
    assert_int_equal(copal_dtls_counters(t.secured.server->dtls)->begun, 2);
    assert_int_equal(copal_dtls_counters(t.secured.server->dtls)->failed, 1);
    secured_close(&t.secured);
}

static void who_does_not_listen_answers_nothing(void **state)
{
    lone_t t;
    uint8_t hello[200];
    (void)state;
    lone_open(&t);
    const copal_peer_t from = peer_of(9);
    size_t size = make_hello(hello, 1, NO_BYTES, 0);
    station_hear(t.secured.client, &from, 0, (copal_bytes_t){hello, size});
    t.secured.client->listens = t.secured.client_credentials; /* a client's do not serve either */
    station_hear(t.secured.client, &from, 0, (copal_bytes_t){hello, size});
    t.secured.client->listens = NULL;
    assert_int_equal(t.answer.count, 0);
    assert_int_equal(copal_dtls_counters(t.secured.client->dtls)->dropped, 2);
    secured_close(&t.secured);
}

static void a_hello_to_a_group_is_not_answered(void **state)
{
    lone_t t;
    uint8_t hello[200];
    (void)state;
    lone_open(&t);
    size_t size = make_hello(hello, 1, NO_BYTES, 0);
    const copal_from_t from = {.peer = peer_of(9), .multicast = true};
    copal_dtls_receive(t.secured.server->dtls, 0, t.secured.server_credentials, &from, hello, size);
    assert_int_equal(t.answer.count, 0);
    secured_close(&t.secured);
}

/* Each octet of the headers and lengths wrong in turn, and each size too small: never more is answered than came, and
 * nothing is begun. */
static void malformed_and_fragmented_hellos_are_answered_with_nothing(void **state)
{
    lone_t t;
    uint8_t hello[200];
    const copal_peer_t from = peer_of(9);
    (void)state;
    lone_open(&t);
    size_t size = make_hello(hello, 1, NO_BYTES, 0);
    for (size_t cut = 1; cut < size; cut++)
        station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, cut});
    const size_t wrong[] = {0, 1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 19, 20, 21, 22, 23, 24};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hello[wrong[i]] ^= 0x10;
        station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, size});
        hello[wrong[i]] ^= 0x10;
    }
    hello[COOKIE_AT - 1] = 200; /* a session ID beyond the end */
    station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, size});
    hello[COOKIE_AT - 1] = 0;
    hello[COOKIE_AT] = 200; /* a cookie beyond the end */
    station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, size});
    hello[COOKIE_AT] = 0;
    hello[COOKIE_AT + 1] = 200; /* cipher suites beyond the end */
    station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, size});
    hello[COOKIE_AT + 1] = 0;
    hello[size - 2] = 2; /* compression methods beyond the end */
    station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, size});
    hello[size - 2] = 1;
    assert_int_equal(t.answer.count, 0);
    station_hear(t.secured.server, &from, 0, (copal_bytes_t){hello, size});
    assert_int_equal(t.answer.count, 1);
    secured_close(&t.secured);
}

static void several_hellos_in_one_datagram_get_one_answer(void **state)
{
    lone_t t;
    uint8_t hellos[400];
    const copal_peer_t from = peer_of(9);
    (void)state;
    lone_open(&t);
    size_t size = make_hello(hellos, 1, NO_BYTES, 0);
    make_hello(hellos + size, 2, NO_BYTES, 0);
    station_hear(t.secured.server, &from, 0, (copal_bytes_t){hellos, 2 * size});
    assert_int_equal(t.answer.count, 1);
    secured_close(&t.secured);
}

static void a_hundred_thousand_hellos_without_cookie_leave_nothing(void **state)
{
    lone_t t;
    (void)state;
    lone_open(&t);
    copal_dtls_t *dtls = t.secured.server->dtls;
    const size_t size = copal_dtls_size(&(copal_dtls_limits_t){0});
    uint8_t *before = malloc(size);
    hear_hello(&t, 0, 0, 1, NO_BYTES);
    memcpy(before, t.secured.server->memory, size);
    const uint64_t hellos = copal_dtls_counters(dtls)->hellos;
    for (uint32_t i = 1; i <= 100000; i++) {
        hear_hello(&t, i, 0, (uint8_t)i, NO_BYTES);
        assert_true(t.answer.size < COOKIE_AT);
    }
    assert_int_equal(copal_dtls_counters(dtls)->hellos, hellos + 100000);
    ((copal_dtls_counters_t *)(uintptr_t)copal_dtls_counters(dtls))->hellos = hellos;
    assert_memory_equal(before, t.secured.server->memory, size); /* not an octet but the counter */
    assert_int_equal(copal_dtls_handshakes(dtls) + toy.handshakes, 0);
    free(before);
    secured_close(&t.secured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6347_4_2_1_the_answer_is_a_hello_verify_request),
        cmocka_unit_test(a_cookie_begins_a_handshake_for_its_own_hello_and_address_only),
        cmocka_unit_test(rfc6347_4_2_1_a_hello_with_its_cookie_may_have_other_extensions),
        cmocka_unit_test(a_cookie_is_good_for_a_minute_and_for_no_more_than_two),
        cmocka_unit_test(a_hello_that_comes_again_goes_to_the_same_handshake),
        cmocka_unit_test(another_hello_replaces_the_handshake_under_way),
        cmocka_unit_test(who_does_not_listen_answers_nothing),
        cmocka_unit_test(a_hello_to_a_group_is_not_answered),
        cmocka_unit_test(malformed_and_fragmented_hellos_are_answered_with_nothing),
        cmocka_unit_test(several_hellos_in_one_datagram_get_one_answer),
        cmocka_unit_test(a_hundred_thousand_hellos_without_cookie_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
