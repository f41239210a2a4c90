/* What comes in: which records are believed, and what they do. */
#include "secured.h"

#include "dtls/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const copal_dtls_counters_t *counters(const station_t *s)
{
    return copal_dtls_counters(s->dtls);
}

/* ---- records by hand ---------------------------------------------------------------------------------- */

typedef struct {
    uint8_t data[LANE_TEXT + COPAL_DTLS_OVERHEAD];
    size_t size;
} octets_t;

/* A record of the station's only session, that has not been sent. */
static octets_t seal(station_t *s, uint8_t type, copal_bytes_t content)
{
    octets_t out;
    int size = copal__session_seal(s->dtls, &s->dtls->sessions[0], type, content, out.data);
    check(size > 0);
    out.size = (size_t)size;
    return out;
}

static octets_t seal_text(station_t *s, const char *text)
{
    return seal(s, COPAL__APPLICATION_DATA, copal_text(text));
}

static void hear(station_t *s, const station_t *from, const octets_t *octets)
{
    station_hear(s, &from->address, 0, (copal_bytes_t){octets->data, octets->size});
}

/* ---- authenticity ------------------------------------------------------------------------------------- */

/* RFC 6347 section 4.1.2.6 */
static void rfc6347_4_1_2_6_a_replayed_record_is_dropped(void **state)
{
    secured_t t;
    octets_t records[70];
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    t.server->echoes = false;
    for (unsigned i = 0; i < 70; i++)
        records[i] = seal_text(t.client, "again");
    for (unsigned i = 0; i < 70; i += 2)
        hear(t.server, t.client, &records[i]);
    assert_int_equal(t.server->messages, 1 + 35);
    for (unsigned i = 0; i < 70; i++)
        hear(t.server, t.client, &records[i]); /* 69, and those of the last 64 that were left out */
    assert_int_equal(t.server->messages, 1 + 35 + 33);
    for (unsigned i = 0; i < 70; i++)
        hear(t.server, t.client, &records[i]);
    assert_int_equal(t.server->messages, 1 + 35 + 33);
    secured_close(&t);
}

static void each_flipped_bit_is_noticed(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    const octets_t good = seal_text(t.client, "some text");
    for (unsigned bit = 0; bit < 8 * good.size; bit++) {
        octets_t bad = good;
        bad.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        hear(t.server, t.client, &bad);
        assert_int_equal(t.server->messages, 1);
    }
    for (size_t size = 1; size < good.size; size++) {
        octets_t cut = good;
        cut.size = size;
        hear(t.server, t.client, &cut);
    }
    assert_int_equal(t.server->messages, 1);
    assert_true(counters(t.server)->dropped >= 8 * good.size + good.size - 1);
    hear(t.server, t.client, &good); /* nothing of this did any harm */
    assert_true(station_heard(t.server, "some text"));
    secured_close(&t);
}

/* A number far ahead must not move the window before the record has shown to be authentic. */
static void a_forged_number_does_not_move_the_window(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    octets_t forged = seal_text(t.client, "forged");
    const octets_t good = seal_text(t.client, "good");
    forged.data[5] = 0x7f;
    hear(t.server, t.client, &forged);
    hear(t.server, t.client, &good);
    assert_true(station_heard(t.server, "good"));
    secured_close(&t);
}

static void a_record_counts_from_its_own_address_and_socket_only(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    const octets_t record = seal_text(t.client, "good");
    const copal_bytes_t bytes = {record.data, record.size};
    const copal_peer_t other = peer_of(99);
    station_hear(t.server, &other, 0, bytes);
    station_hear(t.server, &t.client->address, 1, bytes);
    assert_int_equal(t.server->messages, 1);
    station_hear(t.server, &t.client->address, 0, bytes);
    assert_int_equal(t.server->messages, 2);
    secured_close(&t);
}

static void a_record_to_a_group_is_dropped(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    octets_t record = seal_text(t.client, "group");
    const copal_from_t from = {.peer = t.client->address, .multicast = true};
    copal_dtls_receive(t.server->dtls, t.lane.now, t.server_credentials, &from, record.data, record.size);
    assert_int_equal(t.server->messages, 1);
    secured_close(&t);
}

/* Every suite of ours, both ways. */
static void all_suites_carry_messages(void **state)
{
    (void)state;
    for (const copal__suite_t *suite = copal__suites; suite->number; suite++) {
        secured_t t;
        char note[20];
        secured_open(&t, 1, NULL, NULL);
        toy.suite = suite->number;
        snprintf(note, sizeof note, "suite %04x", suite->number);
        check_note(note);
        secured_talk(&t, "hello");
        secured_talk(&t, "and again");
        check_equal(t.server->dtls->sessions[0].suite->number, suite->number);
        check_note(NULL);
        secured_close(&t);
    }
}

/* ---- datagrams of several records --------------------------------------------------------------------- */

static void append(octets_t *to, const octets_t *record)
{
    memcpy(to->data + to->size, record->data, record->size);
    to->size += record->size;
}

static void records_that_are_not_for_us_are_skipped(void **state)
{
    static const octets_t stray = {{20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 1}, 14};
    static const octets_t later = {{23, 0xfe, 0xfd, 0, 2, 0, 0, 0, 0, 0, 5, 0, 1, 1}, 14}; /* of epoch 2 */
    secured_t t;
    octets_t datagram = {{0}, 0};
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    const octets_t one = seal_text(t.client, "one"), two = seal_text(t.client, "two");
    octets_t forged = seal_text(t.client, "forged");
    forged.data[forged.size - 1] ^= 1;
    append(&datagram, &stray);
    append(&datagram, &one);
    append(&datagram, &forged);
    append(&datagram, &later);
    append(&datagram, &two);
    datagram.data[datagram.size++] = 23; /* and the start of another */
    const uint64_t dropped = counters(t.server)->dropped;
    hear(t.server, t.client, &datagram);
    assert_int_equal(t.server->messages, 3);
    assert_true(station_heard(t.server, "two"));
    assert_int_equal(counters(t.server)->dropped - dropped, 4);
    secured_close(&t);
}

static void an_empty_message_is_authentic_and_not_delivered(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    const octets_t empty = seal_text(t.client, "");
    const uint64_t dropped = counters(t.server)->dropped;
    hear(t.server, t.client, &empty);
    assert_int_equal(t.server->messages, 1);
    assert_int_equal(counters(t.server)->dropped, dropped);
    secured_close(&t);
}

/* ---- alerts and handshake messages under keys --------------------------------------------------------- */

/* What the server sends after its session is there. */
typedef struct {
    unsigned count;
    octets_t last;
} heard_t;

static bool listen(lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    heard_t *heard = lane->context;
    if (from == &lane->stations[0]) {
        heard->count++;
        memcpy(heard->last.data, data, size);
        heard->last.size = size;
    }
    return true;
}

/* A client that has talked, whose record of this type and content then comes to the server. */
static void server_hears(secured_t *t, heard_t *heard, uint8_t type, copal_bytes_t content)
{
    secured_open(t, 1, NULL, NULL);
    secured_talk(t, "hello");
    *heard = (heard_t){0};
    t->lane.tap = listen;
    t->lane.context = heard;
    const octets_t record = seal(t->client, type, content);
    hear(t->server, t->client, &record);
}

static void rfc5246_7_2_1_close_notify_is_answered_and_ends_the_session(void **state)
{
    secured_t t;
    heard_t heard;
    (void)state;
    server_hears(&t, &heard, COPAL__ALERT, BYTES(1, 0));
    assert_int_equal(heard.count, 1);
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 0);
    lane_run_for(&t.lane, 100);
    assert_int_equal(copal_dtls_sessions(t.client->dtls), 0);
    assert_int_equal(t.client->status, COPAL_ECLOSED);
    assert_string_equal(t.client->reason, "the server closed the session");
    assert_int_equal(t.server->changes, 0);
    secured_close(&t);
}

static void a_fatal_alert_ends_the_session_without_an_answer(void **state)
{
    secured_t t;
    heard_t heard;
    (void)state;
    server_hears(&t, &heard, COPAL__ALERT, BYTES(2, 20));
    assert_int_equal(heard.count, 0);
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 0);
    secured_close(&t);
}

static void a_client_is_told_of_a_fatal_alert(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    const octets_t alert = seal(t.server, COPAL__ALERT, BYTES(2, 80));
    hear(t.client, t.server, &alert);
    assert_int_equal(t.client->changes, 1);
    assert_int_equal(t.client->status, COPAL_ECLOSED);
    assert_string_equal(t.client->reason, "the server had an error of its own");
    assert_true(peer_equal(&t.client->changed, &t.peer));
    secured_close(&t);
}

static void other_warnings_and_malformed_alerts_are_ignored(void **state)
{
    const copal_bytes_t alerts[] = {BYTES(1, 90), BYTES(1, 100), BYTES(1), BYTES(2, 20, 0), NO_BYTES};
    (void)state;
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
        secured_t t;
        heard_t heard;
        server_hears(&t, &heard, COPAL__ALERT, alerts[i]);
        assert_int_equal(heard.count, 0);
        assert_int_equal(copal_dtls_sessions(t.server->dtls), 1);
        secured_close(&t);
    }
}

static void an_alert_in_clear_does_not_end_a_session(void **state)
{
    static const octets_t alerts[] = {{{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0}, 15},
                                      {{21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 2, 20}, 15}};
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    for (unsigned i = 0; i < 2; i++) {
        hear(t.server, t.client, &alerts[i]);
        hear(t.client, t.server, &alerts[i]);
    }
    secured_talk(&t, "still here");
    secured_close(&t);
}

static void renegotiation_is_refused_with_a_warning(void **state)
{
    secured_t t;
    heard_t heard;
    copal__record_t record;
    copal_bytes_t content;
    (void)state;
    server_hears(&t, &heard, COPAL__HANDSHAKE, BYTES(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    assert_int_equal(heard.count, 1);
    assert_true(copal__record_read(&record, heard.last.data, heard.last.size));
    assert_int_equal(record.type, COPAL__ALERT);
    assert_true(copal__record_unprotect(&toy_dtls, NULL, t.client->dtls->sessions[0].suite,
                                        &t.client->dtls->sessions[0].read, &record, &content));
    check_bytes(content, BYTES(1, 100));
    assert_int_equal(copal_dtls_sessions(t.server->dtls), 1);
    secured_close(&t);
}

static void a_request_to_renegotiate_is_ignored(void **state)
{
    secured_t t;
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    secured_talk(&t, "hello");
    const unsigned datagrams = t.lane.datagrams;
    const octets_t hello_request = seal(t.server, COPAL__HANDSHAKE, BYTES(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    hear(t.client, t.server, &hello_request);
    const octets_t hello = seal(t.server, COPAL__HANDSHAKE, BYTES(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    hear(t.client, t.server, &hello);
    const octets_t unknown = seal(t.server, 24, BYTES(1, 0, 1, 1)); /* a heartbeat */
    hear(t.client, t.server, &unknown);
    lane_run_for(&t.lane, 100);
    assert_int_equal(t.lane.datagrams, datagrams);
    secured_talk(&t, "still here");
    secured_close(&t);
}

static void a_finished_after_the_first_message_is_not_answered(void **state)
{
    secured_t t;
    heard_t heard;
    (void)state;
    server_hears(&t, &heard, COPAL__HANDSHAKE, BYTES(20, 0, 0, 12));
    assert_int_equal(heard.count, 0);
    secured_close(&t);
}

/* Cookies, handshakes and late copies: the hello that began a session comes again. */
static bool keep_hello(lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    octets_t *hello = lane->context;
    if (from == &lane->stations[1] && data[0] == 22 && data[13] == 1 && data[13 + 5] == 1) {
        memcpy(hello->data, data, size);
        hello->size = size;
    }
    return true;
}

static void a_late_copy_of_the_hello_begins_nothing(void **state)
{
    secured_t t;
    octets_t hello = {{0}, 0};
    (void)state;
    secured_open(&t, 1, NULL, NULL);
    t.lane.tap = keep_hello;
    t.lane.context = &hello;
    secured_talk(&t, "hello");
    assert_true(hello.size > 0);
    hear(t.server, t.client, &hello);
    assert_int_equal(copal_dtls_handshakes(t.server->dtls), 0);
    assert_int_equal(counters(t.server)->begun, 1);
    secured_close(&t);
}

/* ---- anything at all ---------------------------------------------------------------------------------- */

typedef struct {
    octets_t kept[64];
    unsigned count;
    size_t out; /* octets that the server sent */
} harvest_t;

static bool harvest(lane_t *lane, station_t *from, uint8_t *data, size_t size)
{
    harvest_t *h = lane->context;
    if (from == &lane->stations[0])
        h->out += size;
    octets_t *octets = &h->kept[h->count++ % 64];
    memcpy(octets->data, data, size);
    octets->size = size;
    return true;
}

static void mutate(random_t *r, octets_t *octets)
{
    for (uint32_t n = random_below(r, 4); n > 0; n--)
        octets->data[random_below(r, (uint32_t)octets->size)] ^= (uint8_t)(1 << random_below(r, 8));
    if (random_below(r, 8) == 0)
        octets->size = 1 + random_below(r, (uint32_t)octets->size);
    if (random_below(r, 8) == 0)
        for (uint32_t n = random_below(r, 20); n > 0 && octets->size < sizeof octets->data; n--)
            octets->data[octets->size++] = (uint8_t)random_next(r);
    if (random_below(r, 4) == 0)
        octets->data[random_below(r, octets->size < 25 ? (uint32_t)octets->size : 25)] = (uint8_t)random_next(r);
}

/* 200,000 datagrams that once were good, to a client and a server that talk meanwhile: an address that has not shown to
 * be real is never sent more than came from it, and in the end all is as it was. */
static void mutated_datagrams_do_no_harm(void **state)
{
    secured_t t;
    harvest_t *h = calloc(1, sizeof *h);
    (void)state;
    secured_open(&t, 1, NULL, &(copal_dtls_limits_t){.handshakes = 4, .sessions = 4});
    t.server->echoes = false;
    t.lane.tap = harvest;
    t.lane.context = h;
    t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
    for (unsigned i = 0; i < 200000; i++) {
        station_t *to = i % 2 ? t.server : t.client, *from = i % 2 ? t.client : t.server;
        if (i % 1000 == 0) {
            if (station_say(t.client, &t.peer, "a message") == COPAL_ESTALE)
                t.peer = station_connect(t.client, t.server, t.client_credentials, NULL);
            if (i % 10000 == 0)
                station_restart(t.client, &toy_dtls, NULL);
            lane_run_for(&t.lane, 200);
        }
        octets_t octets = h->kept[random_below(&t.lane.random, h->count < 64 ? h->count : 64)];
        mutate(&t.lane.random, &octets);
        const copal_peer_t stranger = peer_of(1000 + i);
        const size_t out = h->out;
        if (i % 5 == 0) {
            station_hear(t.server, &stranger, 0, (copal_bytes_t){octets.data, octets.size});
            assert_true(h->out - out <= octets.size);
        } else {
            station_hear(to, &from->address, 0, (copal_bytes_t){octets.data, octets.size});
        }
    }
    lane_run_for(&t.lane, 300000);
    assert_int_equal(toy.handshakes, 0);
    t.server->echoes = true;
    t.lane.tap = NULL;
    copal_dtls_disconnect(t.client->dtls, t.lane.now, t.client_credentials);
    secured_talk(&t, "at last");
    free(h);
    secured_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6347_4_1_2_6_a_replayed_record_is_dropped),
        cmocka_unit_test(each_flipped_bit_is_noticed),
        cmocka_unit_test(a_forged_number_does_not_move_the_window),
        cmocka_unit_test(a_record_counts_from_its_own_address_and_socket_only),
        cmocka_unit_test(a_record_to_a_group_is_dropped),
        cmocka_unit_test(all_suites_carry_messages),
        cmocka_unit_test(records_that_are_not_for_us_are_skipped),
        cmocka_unit_test(an_empty_message_is_authentic_and_not_delivered),
        cmocka_unit_test(rfc5246_7_2_1_close_notify_is_answered_and_ends_the_session),
        cmocka_unit_test(a_fatal_alert_ends_the_session_without_an_answer),
        cmocka_unit_test(a_client_is_told_of_a_fatal_alert),
        cmocka_unit_test(other_warnings_and_malformed_alerts_are_ignored),
        cmocka_unit_test(an_alert_in_clear_does_not_end_a_session),
        cmocka_unit_test(renegotiation_is_refused_with_a_warning),
        cmocka_unit_test(a_request_to_renegotiate_is_ignored),
        cmocka_unit_test(a_finished_after_the_first_message_is_not_answered),
        cmocka_unit_test(a_late_copy_of_the_hello_begins_nothing),
        cmocka_unit_test(mutated_datagrams_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
