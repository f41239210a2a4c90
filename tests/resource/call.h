/* Requests put to a tree without an endpoint: the test plays its part, reads the options and lends the writer. */
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

/* One request and its answer. `call` is first, as copal_call_t promises. */
typedef struct {
    copal_call_t call;
    copal_from_t from;
    copal_message_t request;
    copal_request_options_t options;
    copal_writer_t in, out;
    uint8_t datagram[4096], answered[16384];
    size_t skip, window; /* the block that is asked for; window 0: all */
    unsigned replies;
    copal_message_t answer;
} ask_t;

copal_writer_t *copal_reply(copal_call_t *call, copal_code_t code)
{
    ask_t *ask = (ask_t *)call;
    ask->replies++;
    copal_writer_init(&ask->out, ask->answered, sizeof ask->answered);
    copal_write_header(&ask->out, COPAL_ACK, code, 0, (copal_bytes_t){NULL, 0});
    if (ask->window) {
        ask->out.skip = ask->skip;
        ask->out.window = ask->window;
    }
    return &ask->out;
}

void copal_reply_text(copal_call_t *call, copal_code_t code, const char *text)
{
    copal_writer_t *w = copal_reply(call, code);
    if (text)
        copal_write_text(w, text);
}

static inline copal_bytes_t bytes(const void *data, size_t size)
{
    return (copal_bytes_t){data, size};
}

/* Starts a request; options and payload go to `ask->in`. */
static inline void begin(ask_t *ask, copal_code_t method, const char *path)
{
    memset(ask, 0, sizeof *ask);
    copal_writer_init(&ask->in, ask->datagram, sizeof ask->datagram);
    copal_write_header(&ask->in, COPAL_CON, method, 1, bytes("t", 1));
    copal_write_path_and_query(&ask->in, copal_text(path));
}

/* As the endpoint reads options. */
static inline void read_options(ask_t *ask)
{
    copal_request_options_t *o = &ask->options;
    *o = (copal_request_options_t){.content_format = -1, .accept = -1, .block2 = -1};
    copal_option_reader_t reader = copal_message_options(&ask->request);
    const uint8_t *start = reader.at;
    copal_option_t option;
    for (; copal_option_next(&reader, &option); start = reader.at) {
        switch (option.number) {
        case COPAL_OPTION_URI_PATH:
            if (!o->path.data)
                o->path.data = start;
            o->path.size = (size_t)(reader.at - o->path.data);
            break;
        case COPAL_OPTION_CONTENT_FORMAT:
            o->content_format = (int32_t)copal_option_uint(&option);
            break;
        case COPAL_OPTION_ACCEPT:
            o->accept = (int32_t)copal_option_uint(&option);
            break;
        case COPAL_OPTION_ETAG:
            o->etags++;
            break;
        case COPAL_OPTION_IF_MATCH:
            o->if_matches++;
            break;
        case COPAL_OPTION_URI_QUERY:
            o->queries++;
            break;
        case COPAL_OPTION_IF_NONE_MATCH:
            o->if_none_match = true;
            break;
        default:
            break;
        }
    }
}

/* Puts the request to the tree. The answer's code; the answer is in `ask->answer`. */
static inline copal_code_t finish(ask_t *ask, copal_tree_t *tree)
{
    copal_bytes_t datagram;
    if (copal_writer_finish(&ask->in, &datagram) || copal_message_parse(&ask->request, datagram))
        abort();
    read_options(ask);
    ask->call = (copal_call_t){.from = &ask->from, .request = &ask->request, .options = &ask->options};
    copal_service_t service = copal_tree_service(tree);
    service.handle(service.context, &ask->call);
    if (!ask->replies || copal_writer_finish(&ask->out, &datagram) || copal_message_parse(&ask->answer, datagram))
        abort();
    return ask->answer.code;
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

static inline void fixed_random(void *state, void *buffer, size_t size)
{
    (void)state;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)(i * 37 + 11);
}

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
