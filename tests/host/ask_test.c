#define _GNU_SOURCE 1
#include "wire.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- our own server --------------------------------------------------------------------------------------- */

enum { LARGE = 100 * 1024 };

static uint8_t *make_large(uint8_t first)
{
    uint8_t *large = malloc(LARGE);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(first + i / 7);
    return large;
}

/* A host that runs, with a large value at "large" beside "v". */
static copal_host_t *large_server(const uint8_t *large, uint16_t *port)
{
    copal_host_t *server = wire_host(NULL, "127.0.0.1", port);
    copal_value_options_t options = {.content_format = 42, .max_age = -1, .etag = true, .methods = COPAL_METHODS_ALL};
    assert_int_equal(
        copal_tree_add_value(copal_host_tree(server), "large", (copal_bytes_t){large, LARGE}, &options, NULL), 0);
    assert_int_equal(copal_host_start(server), 0);
    return server;
}

static void an_answer_is_the_caller_s_own(void **state)
{
    char uri[64];
    uint16_t port;
    copal_answer_t answer;
    copal_host_t *server = wire_host(NULL, "::1", &port);
    copal_value_options_t options = {.content_format = 50, .max_age = 5, .methods = COPAL_METHODS_ALL};
    copal_message_t message;
    copal_peer_t to = wire_peer("::1", port);
    (void)state;
    assert_int_equal(copal_tree_add_value(copal_host_tree(server), "j", copal_text("{}"), &options, NULL), 0);
    assert_int_equal(copal_host_start(server), 0);
    snprintf(uri, sizeof uri, "coap://[::1]:%u/j", (unsigned)port);
    assert_int_equal(copal_get(uri, &answer), 0);
    copal_host_close(server);
    assert_int_equal(answer.code, COPAL_CONTENT);
    assert_int_equal(answer.type, COPAL_ACK);
    assert_int_equal(answer.content_format, 50);
    assert_int_equal(answer.size, 2);
    assert_string_equal((char *)answer.payload, "{}");
    assert_same_peer(&answer.from, &to);
    assert_int_equal(copal_message_parse(&message, answer.datagram), 0);
    assert_int_equal(message.id, answer.id);
    copal_option_t max_age;
    assert_true(copal_option_find(&message, COPAL_OPTION_MAX_AGE, &max_age));
    assert_int_equal(copal_option_uint(&max_age), 5);
    copal_answer_free(&answer);
    copal_answer_free(&answer); /* an empty answer is free already */
}

static void an_error_code_is_an_answer(void **state)
{
    uint16_t port;
    copal_answer_t answer;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    (void)state;
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &to, .path = copal_text("none")}, &answer), 0);
    assert_int_equal(answer.code, COPAL_NOT_FOUND);
    assert_int_equal(answer.content_format, -1);
    copal_answer_free(&answer);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.uri = "coap:"}, &answer), COPAL_EURI);
    assert_null(answer.payload);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &to, .ping = true}, &answer), 0);
    assert_null(answer.payload);
    copal_host_close(host);
}

static void rfc7959_2_4_a_large_value_is_fetched_whole(void **state)
{
    uint8_t *large = make_large(1);
    uint16_t port;
    copal_answer_t answer;
    copal_host_t *server = large_server(large, &port), *host;
    copal_peer_t to = wire_peer("127.0.0.1", port);
    copal_ask_t ask = {.to = &to, .path = copal_text("large")};
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    static const uint16_t sizes[] = {0, 16, 128, 1024}; /* 0: as the server likes it */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ask.block_size = sizes[i];
        assert_int_equal(copal_host_ask(host, &ask, &answer), 0);
        assert_int_equal(answer.code, COPAL_CONTENT);
        assert_int_equal(answer.content_format, 42);
        assert_int_equal(answer.size, LARGE);
        assert_memory_equal(answer.payload, large, LARGE);
        copal_answer_free(&answer);
    }
    copal_host_close(host);
    copal_host_close(server);
    free(large);
}

static void a_body_over_the_memory_is_refused(void **state)
{
    uint8_t *large = make_large(3);
    uint16_t port;
    copal_answer_t answer;
    copal_host_config_t small = {.memory = 64 << 10, .workers = 1};
    copal_host_t *server = large_server(large, &port), *host;
    copal_peer_t to = wire_peer("127.0.0.1", port);
    (void)state;
    assert_int_equal(copal_host_open(&host, &small), 0);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &to, .path = copal_text("large")}, &answer),
                     COPAL_ESPACE);
    assert_null(answer.payload);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &to, .path = copal_text("v")}, &answer), 0);
    copal_answer_free(&answer);
    copal_host_close(host);
    copal_host_close(server);
    free(large);
}

/* ---- threads ------------------------------------------------------------------------------------------------ */

typedef struct {
    copal_host_t *host;
    const copal_peer_t *to;
} asker_t;

static void *ask_some(void *context)
{
    asker_t *asker = context;
    for (int i = 0; i < 50; i++) {
        copal_answer_t answer;
        assert_int_equal(copal_host_ask(asker->host, &(copal_ask_t){.to = asker->to, .path = copal_text("v")}, &answer),
                         0);
        assert_string_equal((char *)answer.payload, "hello");
        copal_answer_free(&answer);
    }
    return NULL;
}

static void several_threads_ask_while_another_runs_the_host(void **state)
{
    uint16_t port;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_peer_t to = wire_peer("127.0.0.1", port);
    asker_t asker = {host, &to};
    pthread_t threads[4];
    (void)state;
    assert_int_equal(copal_host_start(host), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_some, &asker), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    copal_host_close(host);
}

static void *ask_once(void *context)
{
    asker_t *asker = context;
    copal_answer_t answer;
    assert_int_equal(copal_host_ask(asker->host, &(copal_ask_t){.to = asker->to, .path = copal_text("v")}, &answer), 0);
    copal_answer_free(&answer);
    return NULL;
}

/* The asker's answer comes only once the host's thread has ended. */
static void an_asker_goes_on_when_the_host_s_thread_ends(void **state)
{
    uint8_t in[128];
    copal_host_t *host;
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_self(fd), from;
    asker_t asker = {NULL, &to};
    pthread_t thread;
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    asker.host = host;
    assert_int_equal(copal_host_start(host), 0);
    assert_int_equal(pthread_create(&thread, NULL, ask_once, &asker), 0);
    copal_message_t request = wire_receive(fd, in, sizeof in, &from);
    copal_host_stop(host);
    uint8_t out[64];
    copal_writer_t w;
    copal_bytes_t answer;
    copal_writer_init(&w, out, sizeof out);
    copal_write_header(&w, COPAL_ACK, COPAL_CONTENT, request.id, request.token);
    assert_int_equal(copal_writer_finish(&w, &answer), 0);
    wire_send(fd, &from, answer);
    pthread_join(thread, NULL);
    copal_host_close(host);
    close(fd);
}

static void ask_inside(void *host, copal_call_t *call)
{
    copal_answer_t answer;
    int status = copal_host_ask(host, &(copal_ask_t){.to = &call->from->peer}, &answer);
    copal_reply_text(call, COPAL_CONTENT, status == COPAL_EINVAL ? "no" : "yes");
}

static void nobody_can_wait_inside_a_handler(void **state)
{
    uint16_t port;
    copal_answer_t answer;
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET), .handle = ask_inside, .user = host};
    copal_peer_t to = wire_peer("127.0.0.1", port);
    (void)state;
    assert_int_equal(copal_tree_add_handler(copal_host_tree(host), "ask", &handler, NULL), 0);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &to, .path = copal_text("ask")}, &answer), 0);
    assert_string_equal((char *)answer.payload, "no");
    copal_answer_free(&answer);
    copal_host_close(host);
}

/* ---- a server that says what it is told ----------------------------------------------------------------------- */

/* One answer: its payload, and its ETag and Block2 (number, more, size exponent) where there are any. */
typedef struct {
    copal_code_t code;
    const char *etag;
    bool has_block;
    copal_block_t block;
    size_t size; /* of the payload, of the letter 'a' + number */
} line_t;

typedef struct {
    int fd;
    const line_t *lines;
    size_t count;
    uint32_t asked[16]; /* the Block2 of each request; UINT32_MAX: none */
} script_t;

static void write_line(copal_writer_t *w, const line_t *line)
{
    if (line->etag)
        copal_write_option(w, COPAL_OPTION_ETAG, copal_text(line->etag));
    if (line->has_block)
        copal_write_option_uint(w, COPAL_OPTION_BLOCK2, copal_block_encode(&line->block));
    uint8_t letter = (uint8_t)('a' + line->block.number);
    for (size_t i = 0; i < line->size; i++)
        copal_write_payload(w, (copal_bytes_t){&letter, 1});
}

static void *play(void *context)
{
    script_t *script = context;
    for (size_t i = 0; i < script->count; i++) {
        uint8_t in[256], out[256];
        copal_peer_t from;
        copal_writer_t w;
        copal_option_t block;
        copal_bytes_t answer;
        copal_message_t request = wire_receive(script->fd, in, sizeof in, &from);
        script->asked[i] =
            copal_option_find(&request, COPAL_OPTION_BLOCK2, &block) ? copal_option_uint(&block) : UINT32_MAX;
        copal_writer_init(&w, out, sizeof out);
        copal_write_header(&w, COPAL_ACK, script->lines[i].code, request.id, request.token);
        write_line(&w, &script->lines[i]);
        assert_int_equal(copal_writer_finish(&w, &answer), 0);
        wire_send(script->fd, &from, answer);
    }
    return NULL;
}

/* Asks the server of a script, which must be asked as often as it has lines. */
static int ask_script(script_t *script, const line_t *lines, size_t count, copal_code_t method, copal_answer_t *answer)
{
    copal_host_t *host;
    pthread_t thread;
    *script = (script_t){.fd = wire_open("127.0.0.1"), .lines = lines, .count = count};
    copal_peer_t to = wire_self(script->fd);
    assert_int_equal(pthread_create(&thread, NULL, play, script), 0);
    assert_int_equal(copal_host_open(&host, NULL), 0);
    const copal_ask_t ask = {.to = &to, .method = method, .etag = copal_text("old"), .block_size = 16};
    int status = copal_host_ask(host, &ask, answer);
    pthread_join(thread, NULL);
    copal_host_close(host);
    close(script->fd);
    return status;
}

#define BLOCK(number_, more_, szx_) \
    .code = COPAL_CONTENT, .has_block = true, .block = {.number = (number_), .more = (more_), .szx = (szx_)}
#define COUNT(lines) (sizeof(lines) / sizeof *(lines))

static void rfc7959_2_4_the_server_s_block_size_is_kept_and_may_shrink(void **state)
{
    static const line_t lines[] = {
        {BLOCK(0, true, 1), .etag = "1", .size = 32},
        {BLOCK(2, true, 0), .etag = "1", .size = 16},
        {BLOCK(3, false, 0), .etag = "1", .size = 3},
    };
    script_t script;
    copal_answer_t answer;
    (void)state;
    assert_int_equal(ask_script(&script, lines, COUNT(lines), COPAL_GET, &answer), 0);
    assert_string_equal((char *)answer.payload, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaccccccccccccccccddd");
    assert_int_equal(script.asked[0], 0);
    assert_int_equal(script.asked[1], 1 << 4 | 1);
    assert_int_equal(script.asked[2], 3 << 4 | 0);
    copal_answer_free(&answer);
}

static void rfc7959_2_4_a_value_that_changed_is_fetched_again(void **state)
{
    static const line_t lines[] = {
        {BLOCK(0, true, 0), .etag = "1", .size = 16},
        {BLOCK(1, false, 0), .etag = "2", .size = 1},
        {BLOCK(0, true, 0), .etag = "2", .size = 16},
        {BLOCK(1, false, 0), .etag = "2", .size = 1},
    };
    script_t script;
    copal_answer_t answer;
    (void)state;
    assert_int_equal(ask_script(&script, lines, COUNT(lines), COPAL_GET, &answer), 0);
    assert_string_equal((char *)answer.payload, "aaaaaaaaaaaaaaaab");
    assert_int_equal(script.asked[2], 0);
    copal_answer_free(&answer);
}

static void a_value_that_keeps_changing_is_given_up(void **state)
{
    static const line_t lines[] = {
        {BLOCK(0, true, 0), .etag = "1", .size = 16},
        {BLOCK(1, true, 0), .etag = "2", .size = 16},
        {BLOCK(0, true, 0), .etag = "3", .size = 16},
        {BLOCK(1, true, 0), .size = 16},
    };
    script_t script;
    copal_answer_t answer;
    (void)state;
    assert_int_equal(ask_script(&script, lines, COUNT(lines), COPAL_GET, &answer), COPAL_EFORMAT);
    assert_null(answer.payload);
}

static void blocks_that_do_not_fit_together_are_no_body(void **state)
{
    static const line_t wrong[][2] = {
        {{BLOCK(1, true, 0), .size = 16}, {0}},
        {{BLOCK(0, true, 0), .size = 15}, {0}},
        {{BLOCK(0, true, 7), .size = 16}, {0}},
        {{BLOCK(0, true, 0), .size = 16}, {BLOCK(2, false, 0), .size = 1}},
        {{BLOCK(0, true, 0), .size = 16}, {BLOCK(0, true, 0), .size = 16}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        script_t script;
        copal_answer_t answer;
        assert_int_equal(ask_script(&script, wrong[i], wrong[i][1].code ? 2 : 1, COPAL_GET, &answer), COPAL_EFORMAT);
        assert_null(answer.payload);
    }
}

static void a_response_without_block2_is_complete_in_itself(void **state)
{
    static const line_t lines[] = {
        {BLOCK(0, true, 0), .etag = "1", .size = 16},
        {.code = COPAL_NOT_FOUND, .size = 2},
    };
    script_t script;
    copal_answer_t answer;
    (void)state;
    assert_int_equal(ask_script(&script, lines, COUNT(lines), COPAL_GET, &answer), 0);
    assert_int_equal(answer.code, COPAL_NOT_FOUND);
    assert_string_equal((char *)answer.payload, "aa");
    copal_answer_free(&answer);
}

/* But not for the whole of it again: that would have an effect again. */
static void rfc7959_3_3_the_rest_of_any_answer_is_asked_for(void **state)
{
    static const line_t lines[] = {
        {BLOCK(0, true, 0), .etag = "1", .size = 16},
        {BLOCK(1, false, 0), .etag = "1", .size = 2},
    };
    static const line_t changed[] = {
        {BLOCK(0, true, 0), .etag = "1", .size = 16},
        {BLOCK(1, false, 0), .etag = "2", .size = 2},
    };
    script_t script;
    copal_answer_t answer;
    (void)state;
    assert_int_equal(ask_script(&script, lines, COUNT(lines), COPAL_POST, &answer), 0);
    assert_string_equal((char *)answer.payload, "aaaaaaaaaaaaaaaabb");
    assert_int_equal(script.asked[1], 1 << 4);
    copal_answer_free(&answer);
    assert_int_equal(ask_script(&script, changed, COUNT(changed), COPAL_POST, &answer), COPAL_EFORMAT);
}

static void a_valid_value_and_an_empty_one_have_an_empty_payload(void **state)
{
    static const line_t valid[] = {{.code = COPAL_VALID, .etag = "old"}};
    static const line_t empty[] = {{.code = COPAL_CONTENT}};
    script_t script;
    copal_answer_t answer;
    (void)state;
    assert_int_equal(ask_script(&script, valid, 1, COPAL_GET, &answer), 0);
    assert_int_equal(answer.code, COPAL_VALID);
    assert_string_equal((char *)answer.payload, "");
    copal_answer_free(&answer);
    assert_int_equal(ask_script(&script, empty, 1, COPAL_GET, &answer), 0);
    assert_string_equal((char *)answer.payload, "");
    copal_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_the_caller_s_own),
        cmocka_unit_test(an_error_code_is_an_answer),
        cmocka_unit_test(rfc7959_2_4_a_large_value_is_fetched_whole),
        cmocka_unit_test(a_body_over_the_memory_is_refused),
        cmocka_unit_test(several_threads_ask_while_another_runs_the_host),
        cmocka_unit_test(an_asker_goes_on_when_the_host_s_thread_ends),
        cmocka_unit_test(nobody_can_wait_inside_a_handler),
        cmocka_unit_test(rfc7959_2_4_the_server_s_block_size_is_kept_and_may_shrink),
        cmocka_unit_test(rfc7959_2_4_a_value_that_changed_is_fetched_again),
        cmocka_unit_test(a_value_that_keeps_changing_is_given_up),
        cmocka_unit_test(blocks_that_do_not_fit_together_are_no_body),
        cmocka_unit_test(a_response_without_block2_is_complete_in_itself),
        cmocka_unit_test(rfc7959_3_3_the_rest_of_any_answer_is_asked_for),
        cmocka_unit_test(a_valid_value_and_an_empty_one_have_an_empty_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
