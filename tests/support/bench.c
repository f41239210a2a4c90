#include "support/bench.h"

#include "exchange/state.h"

#include <stdlib.h>
#include <string.h>

copal_peer_t peer_of(uint32_t number)
{
    copal_peer_t peer = {.size = 6, .data = {10, 0, 0, 0, 0x16, 0x33}};
    for (int i = 0; i < 4; i++)
        peer.data[i] = (uint8_t)(number >> (24 - 8 * i));
    return peer;
}

bool peer_equal(const copal_peer_t *a, const copal_peer_t *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

typedef int init_t(copal_endpoint_t **endpoint, void *memory, size_t size, const copal_config_t *config);

static void make(bench_t *b, const copal_config_t *config, init_t *init)
{
    copal_config_t own = *config;
    *b = (bench_t){.random = random_from(1), .now = 1000000};
    own.random = random_fill;
    own.random_state = &b->random;
    size_t size = copal_endpoint_size(&own.limits);
    b->memory = calloc(1, size);
    check_equal(init(&b->endpoint, b->memory, size, &own), 0);
}

void bench_open(bench_t *b, const copal_config_t *config) { make(b, config, copal_endpoint_init); }

void bench_open_client(bench_t *b, const copal_config_t *config) { make(b, config, copal_endpoint_init_client); }

void bench_open_tree(bench_t *b, const copal_config_t *config, uint32_t value_size)
{
    random_t random = random_from(2);
    copal_tree_config_t tree_config = {.limits = {.resources = 64, .value_size = value_size},
                                       .random = random_fill, .random_state = &random,
                                       .dynamic = true, .observable = true};
    size_t size = copal_tree_size(&tree_config.limits);
    void *memory = calloc(1, size);
    copal_tree_t *tree;
    check_equal(copal_tree_init(&tree, memory, size, &tree_config), 0);
    copal_config_t own = *config;
    own.service = copal_tree_service(tree, 0);
    bench_open(b, &own);
    b->tree = tree;
    b->tree_memory = memory;
}

void bench_close(bench_t *b)
{
    free(b->memory);
    free(b->tree_memory);
}

int bench_receive_from(bench_t *b, const copal_from_t *from, copal_bytes_t datagram)
{
    uint8_t *copy = malloc(datagram.size ? datagram.size : 1);
    if (datagram.size)
        memcpy(copy, datagram.data, datagram.size);
    int result = copal_endpoint_receive(b->endpoint, b->now, from, (copal_bytes_t){copy, datagram.size});
    free(copy);
    return result;
}

int bench_receive(bench_t *b, uint32_t peer, copal_bytes_t datagram)
{
    copal_from_t from = {.peer = peer_of(peer), .via = 7};
    return bench_receive_from(b, &from, datagram);
}

void (bench_accept)(bench_t *b, uint32_t peer, copal_bytes_t datagram)
{
    check_equal(bench_receive(b, peer, datagram), 0);
}

void bench_tell(bench_t *b)
{
    uint32_t slot;
    while (b->tree && copal_tree_next_change(b->tree, 0, &slot))
        copal_notify(b->endpoint, b->now, slot);
}

bool bench_take(bench_t *b)
{
    copal_datagram_t out;
    bench_tell(b);
    if (copal_endpoint_send(b->endpoint, b->now, &out, 1) == 0)
        return false;
    /* What is larger was written over what lies behind it, which is the endpoint's own memory, so that no sanitizer sees it. */
    check(out.bytes.size <= b->endpoint->config.limits.datagram_size);
    check(out.bytes.size <= sizeof b->sent.data);
    b->sent.to = *out.to;
    b->sent.via = out.via;
    b->sent.size = out.bytes.size;
    memcpy(b->sent.data, out.bytes.data, out.bytes.size);
    check_equal(copal_message_parse(&b->sent.message, (copal_bytes_t){b->sent.data, b->sent.size}), 0);
    return true;
}

const copal_message_t *(bench_sent)(bench_t *b)
{
    check(bench_take(b));
    return &b->sent.message;
}

void (bench_silent)(bench_t *b)
{
    if (bench_take(b))
        check_failed_bytes("nothing should leave, but this does", (copal_bytes_t){b->sent.data, b->sent.size});
    check(copal_endpoint_next_timeout(b->endpoint) > b->now);
}

void (bench_sends)(bench_t *b, uint32_t peer, copal_bytes_t datagram)
{
    copal_peer_t to = peer_of(peer);
    check(bench_take(b));
    check_bytes((copal_bytes_t){b->sent.data, b->sent.size}, datagram);
    check(peer_equal(&b->sent.to, &to));
}

copal_time_t (bench_wait)(bench_t *b)
{
    bench_tell(b);
    copal_time_t next = copal_endpoint_next_timeout(b->endpoint), before = b->now;
    check(next != COPAL_NEVER);
    check(next > b->now);
    b->now = next;
    return next - before;
}

void (bench_idle)(bench_t *b)
{
    bench_silent(b);
    check(copal_endpoint_next_timeout(b->endpoint) == COPAL_NEVER);
}

/* ---- messages by hand ---------------------------------------------------------------------------- */

void message_start(message_t *m, copal_type_t type, copal_code_t code, uint16_t id, copal_bytes_t token)
{
    copal_writer_init(&m->w, m->data, sizeof m->data);
    copal_write_header(&m->w, type, code, id, token);
}

void message_text_option(message_t *m, uint16_t number, const char *text)
{
    copal_write_option(&m->w, number, copal_text(text));
}

copal_bytes_t (message_end)(message_t *m)
{
    copal_bytes_t datagram;
    check_equal(copal_writer_finish(&m->w, &datagram), 0);
    return datagram;
}

copal_bytes_t (message_make)(message_t *m, copal_type_t type, copal_code_t code, uint16_t id, copal_bytes_t token,
                           const char *path, const char *payload)
{
    message_start(m, type, code, id, token);
    if (path)
        message_text_option(m, COPAL_OPTION_URI_PATH, path);
    if (payload)
        copal_write_text(&m->w, payload);
    return (message_end)(m);
}

copal_bytes_t (message_empty)(message_t *m, copal_type_t type, uint16_t id)
{
    return (message_make)(m, type, COPAL_EMPTY, id, NO_BYTES, NULL, NULL);
}

int64_t option_of(const copal_message_t *message, uint16_t number)
{
    copal_option_t option;
    return copal_option_find(message, number, &option) ? (int64_t)copal_option_uint(&option) : -1;
}

/* ---- receivers ----------------------------------------------------------------------------------- */

static void outcome_receive(copal_receiver_t *self, const copal_response_t *response)
{
    outcome_t *o = (outcome_t *)self;
    o->count++;
    o->status = response->status;
    o->ended = response->ended;
    o->id = response->id;
    o->token_size = response->token.size;
    check(o->token_size <= sizeof o->token);
    if (o->token_size)
        memcpy(o->token, response->token.data, o->token_size);
    o->at = response->now;
    o->has_message = response->message != NULL;
    if (!response->message)
        return;
    check_equal(response->status, 0);
    check(response->from != NULL);
    o->code = response->message->code;
    o->type = response->message->type;
    o->size = response->message->payload.size;
    check(o->size <= sizeof o->payload);
    if (o->size)
        memcpy(o->payload, response->message->payload.data, o->size);
}

copal_receiver_t *outcome_open(outcome_t *o)
{
    *o = (outcome_t){.receiver = {outcome_receive}};
    return &o->receiver;
}

static copal_handle_t ask(bench_t *b, const copal_request_t *request, outcome_t *o)
{
    copal_handle_t handle;
    copal_writer_t *w;
    check_equal(copal_request_begin(b->endpoint, request, &handle, &w), 0);
    if (request->code != COPAL_EMPTY)
        copal_write_option(w, COPAL_OPTION_URI_PATH, copal_text("a"));
    check_equal(copal_request_commit(b->endpoint, b->now, handle, outcome_open(o)), 0);
    return handle;
}

copal_handle_t (bench_ask)(bench_t *b, uint32_t peer, copal_code_t code, bool confirmable, outcome_t *o)
{
    copal_peer_t to = peer_of(peer);
    return ask(b, &(copal_request_t){.to = &to, .via = 7, .code = code, .confirmable = confirmable}, o);
}

copal_handle_t (bench_ask_token)(bench_t *b, uint32_t peer, bool confirmable, copal_bytes_t token, outcome_t *o)
{
    copal_peer_t to = peer_of(peer);
    copal_request_t request = {.to = &to, .via = 7, .code = COPAL_GET, .confirmable = confirmable,
                               .given_token = true, .token = token};
    return ask(b, &request, o);
}

copal_handle_t (bench_ping)(bench_t *b, uint32_t peer, outcome_t *o)
{
    copal_peer_t to = peer_of(peer);
    return ask(b, &(copal_request_t){.to = &to, .via = 7, .code = COPAL_EMPTY, .confirmable = true}, o);
}

/* ---- a service ------------------------------------------------------------------------------------ */

uint8_t body_octet(size_t i) { return (uint8_t)(i * 7 + (i >> 8) + 1); }

static void serve(void *context, copal_call_t *call)
{
    server_t *s = context;
    s->runs++;
    if (s->defer && (s->defer_result = copal_defer(call, &s->later)) == 0)
        return;
    if (s->silent || s->defer)
        return;
    copal_writer_t *w = copal_reply(call, s->code ? s->code : COPAL_CONTENT);
    for (size_t i = 0; i < s->body_size; i++) {
        uint8_t octet = body_octet(i);
        copal_write_payload(w, (copal_bytes_t){&octet, 1});
    }
    if (s->body_size == 0 && s->text)
        copal_write_text(w, s->text);
}

copal_service_t server_service(server_t *s)
{
    *s = (server_t){.text = "ok"};
    return (copal_service_t){.handle = serve, .context = s};
}

int bench_answer(bench_t *b, copal_handle_t later, const char *text)
{
    copal_writer_t *w;
    int error = copal_later_begin(b->endpoint, later, COPAL_CONTENT, &w);
    if (error != 0)
        return error;
    copal_write_text(w, text);
    return copal_later_commit(b->endpoint, b->now, later);
}
