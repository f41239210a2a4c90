#define _GNU_SOURCE 1
#include "wire.h"

#include <stdlib.h>

enum { LARGE = 50 * 1024 };

static uint8_t octet_of(size_t i) { return (uint8_t)(i * 7 + (i >> 8) + 1); }

/* A task that checks and counts what comes. */
typedef struct {
    copal_task_t task; /* first */
    size_t size;       /* octets that came, each of them octet_of its place */
    unsigned begun, steps, outcomes;
    int status, refuse; /* refuse: what write returns */
    bool ended;
    copal_code_t code;
} job_t;

static int take(copal_task_t *task, size_t offset, copal_bytes_t piece)
{
    job_t *j = (job_t *)task;
    j->begun += offset == 0;
    for (size_t i = 0; i < piece.size; i++)
        assert_int_equal(piece.data[i], octet_of(offset + i));
    j->size = offset + piece.size;
    return j->refuse;
}

static void done(copal_task_t *task, const copal_response_t *response)
{
    job_t *j = (job_t *)task;
    j->outcomes++;
    j->status = response->status;
    j->ended = response->ended;
    j->code = response->message ? response->message->code : 0;
}

static void progress(copal_task_t *task) { ((job_t *)task)->steps++; }

static void open_job(job_t *j)
{
    *j = (job_t){.task = {.write = take, .done = done, .progress = progress}};
}

static int read_large(void *context, size_t offset, void *out, size_t size)
{
    const int *error = context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = octet_of(offset + i);
    return error ? *error : 0;
}

static void wait_for(copal_host_t *host, const job_t *j)
{
    while (!j->ended)
        assert_int_equal(copal_host_step(host, -1), 0);
}

/* A host with the large value "large", which asks itself. */
static copal_host_t *large_host(copal_peer_t *to)
{
    uint16_t port;
    uint8_t *large = malloc(LARGE);
    copal_host_t *host = wire_host(NULL, "127.0.0.1", &port);
    copal_value_options_t options = {.content_format = 42, .max_age = -1, .etag = true, .methods = COPAL_METHODS_ALL};
    *to = wire_peer("127.0.0.1", port);
    assert_int_equal(read_large(NULL, 0, large, LARGE), 0);
    assert_int_equal(
        copal_tree_add_value(copal_host_tree(host), "large", (copal_bytes_t){large, LARGE}, &options, NULL), 0);
    free(large);
    return host;
}

static void many_bodies_are_fetched_side_by_side(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    job_t jobs[5];
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        char path[] = "large";
        copal_peer_t peer = to;
        open_job(&jobs[i]);
        copal_ask_t ask = {.to = &peer, .path = copal_text(path), .block_size = (uint16_t)(64 << i)};
        assert_in_range(copal_host_transfer(host, &ask, &jobs[i].task), 0, 65535);
        memset(path, 'x', sizeof path - 1); /* the host has a copy */
        memset(&peer, 0, sizeof peer);
    }
    for (size_t i = 0; i < 5; i++) {
        wait_for(host, &jobs[i]);
        assert_int_equal(jobs[i].status, 0);
        assert_int_equal(jobs[i].code, COPAL_CONTENT);
        assert_int_equal(jobs[i].size, LARGE);
        assert_int_equal(jobs[i].steps, LARGE / (64 << i));
        assert_int_equal(jobs[i].task.transfer.total, LARGE);
        assert_int_equal(copal_host_transfer_cancel(host, &jobs[i].task), COPAL_ESTALE);
    }
    copal_host_close(host);
}

static void a_body_of_any_size_is_sent(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    uint8_t *payload = malloc(LARGE / 2);
    copal_answer_t answer;
    job_t job;
    (void)state;
    assert_int_equal(read_large(NULL, 0, payload, LARGE / 2), 0);
    open_job(&job);
    copal_ask_t ask = {.to = &to, .path = copal_text("large"), .method = COPAL_PUT,
                       .has_content_format = true, .content_format = 42, .payload = {payload, LARGE / 2}};
    assert_in_range(copal_host_transfer(host, &ask, &job.task), 0, 65535);
    memset(payload, 0, LARGE / 2); /* the host has a copy */
    wait_for(host, &job);
    assert_int_equal(job.code, COPAL_CHANGED);
    assert_int_equal(job.task.transfer.sent, LARGE / 2);
    free(payload);
    open_job(&job);
    assert_int_equal(copal_host_stream(host, &(copal_ask_t){.to = &to, .path = copal_text("large")}, &job.task, &answer),
                     0);
    assert_int_equal(job.size, LARGE / 2);
    assert_null(answer.payload);
    assert_int_equal(answer.content_format, 42);
    assert_int_equal(job.outcomes, 0);
    copal_answer_free(&answer);
    copal_host_close(host);
}

static void a_body_is_read_when_it_is_needed(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    copal_answer_t answer;
    int error = 0;
    (void)state;
    copal_ask_t ask = {.to = &to, .path = copal_text("large"), .method = COPAL_PUT, .has_content_format = true,
                       .content_format = 42, .read = read_large, .context = &error, .size = 5000, .block_size = 256};
    assert_int_equal(copal_host_ask(host, &ask, &answer), 0);
    assert_int_equal(answer.code, COPAL_CHANGED);
    copal_answer_free(&answer);
    assert_int_equal(copal_host_ask(host, &(copal_ask_t){.to = &to, .path = copal_text("large")}, &answer), 0);
    assert_int_equal(answer.size, 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(answer.payload[i], octet_of(i));
    copal_answer_free(&answer);
    error = COPAL_ESYSTEM;
    assert_int_equal(copal_host_ask(host, &ask, &answer), COPAL_ESYSTEM);
    copal_host_close(host);
}

static void what_write_refuses_ends_it(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    copal_answer_t answer;
    job_t job;
    (void)state;
    open_job(&job);
    job.refuse = COPAL_ENOMEM;
    copal_ask_t ask = {.to = &to, .path = copal_text("large")};
    assert_int_equal(copal_host_stream(host, &ask, &job.task, &answer), COPAL_ENOMEM);
    assert_int_equal(job.begun, 1);
    copal_host_close(host);
}

static void an_error_s_text_is_the_answer_s(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    copal_answer_t answer;
    job_t job;
    (void)state;
    open_job(&job);
    copal_ask_t ask = {.to = &to, .path = copal_text("none")};
    assert_int_equal(copal_host_stream(host, &ask, &job.task, &answer), 0);
    assert_int_equal(answer.code, COPAL_NOT_FOUND);
    assert_non_null(answer.payload);
    assert_int_equal(job.begun, 0);
    copal_answer_free(&answer);
    ask.observe = true;
    assert_int_equal(copal_host_stream(host, &ask, &job.task, &answer), COPAL_EINVAL);
    copal_host_close(host);
}

static void without_options_there_is_one_datagram(void **state)
{
    uint8_t in[128], large[2000] = {0};
    copal_host_t *host;
    int fd = wire_open("127.0.0.1");
    copal_peer_t to = wire_self(fd);
    job_t job;
    (void)state;
    assert_int_equal(copal_host_open(&host, NULL), 0);
    open_job(&job);
    copal_ask_t ask = {.to = &to, .path = copal_text("a"), .method = COPAL_PUT, .no_options = true,
                       .payload = {large, sizeof large}};
    assert_int_equal(copal_host_transfer(host, &ask, &job.task), COPAL_ESPACE);
    ask.payload.size = 3;
    assert_in_range(copal_host_transfer(host, &ask, &job.task), 0, 65535);
    assert_int_equal(copal_host_step(host, 0), 0);
    copal_message_t request = wire_receive(fd, in, sizeof in, NULL);
    assert_int_equal(request.options.size, 0);
    assert_int_equal(request.payload.size, 3);
    assert_int_equal(copal_host_transfer_cancel(host, &job.task), 0);
    assert_int_equal(copal_host_transfer_cancel(host, &job.task), COPAL_ESTALE);
    assert_int_equal(job.outcomes, 0);
    close(fd);
    copal_host_close(host);
}

static void a_ping_is_a_task_too(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    job_t job;
    (void)state;
    open_job(&job);
    assert_in_range(copal_host_transfer(host, &(copal_ask_t){.to = &to, .ping = true}, &job.task), 0, 65535);
    wait_for(host, &job);
    assert_int_equal(job.status, 0);
    assert_int_equal(job.begun, 0);
    copal_host_close(host);
}

/* The sanitizer would tell of what the host forgot to free. */
static void a_host_that_closes_forgets_its_tasks(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    job_t jobs[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        open_job(&jobs[i]);
        copal_ask_t ask = {.to = &to, .path = copal_text("large")};
        assert_in_range(copal_host_transfer(host, &ask, &jobs[i].task), 0, 65535);
    }
    assert_int_equal(copal_host_transfer_cancel(host, &jobs[1].task), 0);
    copal_host_close(host);
    assert_int_equal(jobs[0].outcomes + jobs[1].outcomes + jobs[2].outcomes, 0);
}

static void an_observation_tells_of_whole_states_until_it_is_cancelled(void **state)
{
    copal_peer_t to;
    copal_host_t *host = large_host(&to);
    copal_handle_t large;
    job_t job;
    uint8_t body[3000];
    (void)state;
    assert_int_equal(copal_tree_find(copal_host_tree(host), "large", &large), 0);
    open_job(&job);
    copal_ask_t ask = {.to = &to, .path = copal_text("large"), .observe = true};
    assert_in_range(copal_host_transfer(host, &ask, &job.task), 0, 65535);
    while (job.outcomes < 1)
        assert_int_equal(copal_host_step(host, -1), 0);
    assert_false(job.ended);
    assert_int_equal(job.size, LARGE);
    assert_int_equal(read_large(NULL, 0, body, sizeof body), 0);
    assert_int_equal(copal_tree_set_value(copal_host_tree(host), large, (copal_bytes_t){body, sizeof body}), 0);
    while (job.outcomes < 2)
        assert_int_equal(copal_host_step(host, -1), 0);
    assert_int_equal(job.size, sizeof body);
    assert_int_equal(copal_host_transfer_cancel(host, &job.task), 0);
    copal_host_close(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_bodies_are_fetched_side_by_side),
        cmocka_unit_test(a_body_of_any_size_is_sent),
        cmocka_unit_test(a_body_is_read_when_it_is_needed),
        cmocka_unit_test(what_write_refuses_ends_it),
        cmocka_unit_test(an_error_s_text_is_the_answer_s),
        cmocka_unit_test(without_options_there_is_one_datagram),
        cmocka_unit_test(a_ping_is_a_task_too),
        cmocka_unit_test(a_host_that_closes_forgets_its_tasks),
        cmocka_unit_test(an_observation_tells_of_whole_states_until_it_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
