/* Requests put to a tree through an endpoint that lives for one request, so that nothing is remembered. */
#ifndef COPAL_TESTS_RESOURCE_CALL_H
#define COPAL_TESTS_RESOURCE_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "copal/copal.h"

/* One request and its answer. */
typedef struct {
    copal_from_t from;
    copal_writer_t in;
    uint8_t datagram[4096], answered[4096];
    copal_message_t answer;
} ask_t;

static inline copal_bytes_t bytes(const void *data, size_t size)
{
    return (copal_bytes_t){data, size};
}

static inline void fixed_random(void *state, void *buffer, size_t size)
{
    (void)state;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)(i * 37 + 11);
}

/* Starts a request; options and payload go to `ask->in`. */
static inline void begin(ask_t *ask, copal_code_t method, const char *path)
{
    memset(ask, 0, sizeof *ask);
    ask->from = (copal_from_t){.peer = {1, {7}}, .proven = true};
    copal_writer_init(&ask->in, ask->datagram, sizeof ask->datagram);
    copal_write_header(&ask->in, COPAL_CON, method, 1, bytes("t", 1));
    copal_write_path_and_query(&ask->in, copal_text(path));
}

/* Puts the request to a worker of the tree. The answer's code, or 0: none came. The answer is in `ask->answer`. */
static inline copal_code_t ask_worker(ask_t *ask, copal_tree_t *tree, uint32_t worker)
{
    const copal_config_t config = {
        .limits = {.datagram_size = sizeof ask->datagram, .payload_size = 2048, .requests = 1, .deferred = 1, .remembered = 8,
                   .remembered_bytes = 16384, .proven = 1, .counters = 1, .batch = 4},
        .timing = {.leisure = 1},
        .random = fixed_random,
        .service = copal_tree_service(tree, worker),
    };
    size_t size = copal_endpoint_size(&config.limits);
    void *memory = calloc(1, size);
    copal_endpoint_t *endpoint;
    copal_bytes_t datagram;
    copal_datagram_t out;
    if (copal_endpoint_init(&endpoint, memory, size, &config) || copal_writer_finish(&ask->in, &datagram))
        abort();
    copal_endpoint_hear_groups(endpoint);
    if (copal_endpoint_receive(endpoint, 0, &ask->from, datagram))
        abort();
    bool answered = copal_endpoint_send(endpoint, 0, &out, 1) > 0;
    if (answered) {
        memcpy(ask->answered, out.bytes.data, out.bytes.size);
        if (copal_message_parse(&ask->answer, bytes(ask->answered, out.bytes.size)))
            abort();
    }
    free(memory);
    return answered ? ask->answer.code : 0;
}

static inline copal_code_t finish(ask_t *ask, copal_tree_t *tree)
{
    return ask_worker(ask, tree, 0);
}

/* A request without options or payload. */
static inline copal_code_t simple(ask_t *ask, copal_tree_t *tree, copal_code_t method, const char *path)
{
    begin(ask, method, path);
    return finish(ask, tree);
}

static inline copal_code_t with_payload(ask_t *ask, copal_tree_t *tree, copal_code_t method, const char *path,
                                        const char *payload)
{
    begin(ask, method, path);
    copal_write_text(&ask->in, payload);
    return finish(ask, tree);
}

/* The answer's option as a number; -1: there is none. */
static inline int64_t option_of(const ask_t *ask, uint16_t number)
{
    copal_option_t option;
    return copal_option_find(&ask->answer, number, &option) ? (int64_t)copal_option_uint(&option) : -1;
}

#define assert_payload(ask, text_)                                                       \
    do {                                                                                 \
        const char *payload_ = (text_);                                                  \
        assert_int_equal((ask)->answer.payload.size, strlen(payload_));                  \
        if (*payload_)                                                                   \
            assert_memory_equal((ask)->answer.payload.data, payload_, strlen(payload_)); \
    } while (0)

/* ---- trees ------------------------------------------------------------------------------------------ */

/* Free it with free(): it is the start of its memory. */
static inline copal_tree_t *new_tree(copal_tree_config_t config)
{
    copal_tree_t *tree;
    size_t size = copal_tree_size(&config.limits);
    config.random = fixed_random;
    void *memory = calloc(1, size);
    if (copal_tree_init(&tree, memory, size, &config) || (void *)tree != memory)
        abort();
    return tree;
}

static const copal_value_options_t plain = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL};

static inline copal_handle_t add_value(copal_tree_t *tree, const char *path, const char *value)
{
    copal_handle_t handle;
    if (copal_tree_add_value(tree, path, copal_text(value), &plain, &handle))
        abort();
    return handle;
}

#endif
