/* What a host counts: the sums, the list and the resource. */
#include "copal/counters.h"
#include "wire.h"

enum { PEERS = 16 };

static copal_host_counters_t counters_of(copal_host_t *host)
{
    copal_host_counters_t counters;
    copal_host_counters(host, &counters);
    return counters;
}

static void every_field_is_in_the_list_once(void **state)
{
    copal_host_counters_t counters;
    copal_count_t count;
    uint64_t *fields = (uint64_t *)(void *)&counters;
    const size_t most = sizeof counters / sizeof *fields;
    bool seen[sizeof counters / sizeof(uint64_t)] = {false};
    (void)state;
    for (size_t i = 0; i < most; i++)
        fields[i] = i;
    for (size_t i = 0; i < most; i++) {
        assert_true(copal_counters_at(&counters, i, &count));
        assert_true(count.value < most && !seen[count.value]);
        seen[count.value] = true;
    }
    assert_false(copal_counters_at(&counters, most, &count));
}

static void the_counters_are_those_of_all_workers_together(void **state)
{
    uint16_t port;
    uint8_t out[64], in[256];
    int fds[PEERS];
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    const copal_peer_t at = wire_peer("127.0.0.1", port);
    (void)state;
    assert_int_equal(copal_host_start(host), 0);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = wire_open("127.0.0.1");
        wire_send(fds[i], &at, wire_get(out, sizeof out, (uint16_t)i, i % 2 ? "v" : "nowhere"));
        wire_receive(fds[i], in, sizeof in, NULL);
    }
    const copal_host_counters_t counters = counters_of(host);
    assert_int_equal(counters.server.requests[COPAL_GET], PEERS);
    assert_int_equal(counters.server.answers[0], PEERS / 2);
    assert_int_equal(counters.server.answers[1], PEERS / 2);
    assert_int_equal(counters.server.received, PEERS);
    assert_int_equal(counters.client.received, 0);
    copal_host_close(host);
    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
}

static void what_the_client_side_does_is_counted_apart(void **state)
{
    uint16_t port;
    copal_answer_t answer;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    const copal_peer_t at = wire_peer("127.0.0.1", port);
    (void)state;
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &at, .path = copal_text("v")}, &answer), 0);
    copal_answer_free(&answer);
    const copal_host_counters_t counters = counters_of(host);
    assert_int_equal(counters.client.sent, 1);
    assert_int_equal(counters.client.received, 1);
    assert_int_equal(counters.server.sent, 1);
    copal_host_close(host);
}

/* ---- the resource ---------------------------------------------------------------------------------- */

typedef struct {
    copal_host_t *host;
    copal_peer_t at;
} place_t;

static place_t open_place(void)
{
    uint16_t port;
    place_t p = {.host = wire_host(NULL, "127.0.0.1", &port)};
    p.at = wire_peer("127.0.0.1", port);
    assert_int_equal(copal_host_add_counters(p.host, "counters", NULL), 0);
    return p;
}

static copal_answer_t ask(const place_t *p, int accept, uint16_t block_size)
{
    copal_answer_t answer;
    const copal_ask_t ask = {.to = &p->at, .path = copal_text("counters"), .has_accept = accept >= 0,
                             .accept = (uint16_t)(accept < 0 ? 0 : accept), .block_size = block_size};
    assert_int_equal(copal_host_ask(p->host, &ask, &answer), 0);
    return answer;
}

static void the_resource_has_a_line_for_each_number(void **state)
{
    const place_t p = open_place();
    copal_answer_t answer = ask(&p, -1, 0);
    size_t lines = 0;
    (void)state;
    assert_int_equal(answer.code, COPAL_CONTENT);
    assert_int_equal(answer.content_format, 0);
    assert_non_null(strstr((char *)answer.payload, "server requests_get 1\n"));
    assert_non_null(strstr((char *)answer.payload, "\npending 0\n"));
    for (size_t i = 0; i < answer.size; i++)
        lines += answer.payload[i] == '\n';
    assert_int_equal(lines, sizeof(copal_host_counters_t) / sizeof(uint64_t));
    copal_answer_free(&answer);
    copal_host_close(p.host);
}

static void with_accept_50_it_is_an_object_of_two_sides(void **state)
{
    const place_t p = open_place();
    copal_answer_t answer = ask(&p, 50, 0);
    (void)state;
    assert_int_equal(answer.content_format, 50);
    assert_memory_equal(answer.payload, "{\"server\":{\"received\":1,", 24);
    assert_non_null(strstr((char *)answer.payload, "},\"client\":{\"received\":"));
    assert_non_null(strstr((char *)answer.payload, "},\"observers\":0,"));
    assert_int_equal(answer.payload[answer.size - 1], '}');
    copal_answer_free(&answer);
    answer = ask(&p, 60, 0);
    assert_int_equal(answer.code, COPAL_NOT_ACCEPTABLE);
    copal_answer_free(&answer);
    copal_host_close(p.host);
}

/* Each block that is asked for is a request, and would change what the next one tells. */
static void blocks_of_an_answer_are_of_one_moment(void **state)
{
    const place_t p = open_place();
    copal_answer_t answer = ask(&p, -1, 16);
    (void)state;
    assert_int_equal(answer.code, COPAL_CONTENT);
    assert_non_null(strstr((char *)answer.payload, "server requests_get 1\n"));
    assert_non_null(strstr((char *)answer.payload, "server answers_2xx 0\n"));
    assert_true(counters_of(p.host).server.requests[COPAL_GET] > 50);
    copal_answer_free(&answer);
    copal_host_close(p.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_in_the_list_once),
        cmocka_unit_test(the_counters_are_those_of_all_workers_together),
        cmocka_unit_test(what_the_client_side_does_is_counted_apart),
        cmocka_unit_test(the_resource_has_a_line_for_each_number),
        cmocka_unit_test(with_accept_50_it_is_an_object_of_two_sides),
        cmocka_unit_test(blocks_of_an_answer_are_of_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
