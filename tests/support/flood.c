#include "support/flood.h"

#include <string.h>

int flood_body(void *context, size_t offset, void *out, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = body_octet(offset + i);
    return 0;
}

static void serve(void *context, copal_call_t *call)
{
    flood_t *f = context;
    copal_writer_t *w;
    if (call->request->code == COPAL_FETCH) {
        f->deferred += copal_defer(call, &f->later[f->deferred % 16]) == 0;
        return;
    }
    if (call->request->code == COPAL_POST) {
        f->posts++;
        w = copal_reply(call, COPAL_CONTENT);
        for (size_t i = 0; i < 60; i++)
            copal_write_text(w, "did it ");
        return;
    }
    if (call->request->code == COPAL_DELETE) {
        copal_reply(call, COPAL_DELETED);
        return;
    }
    copal_observe(call, (copal_handle_t){1, 1}, f->confirmable);
    w = copal_reply(call, COPAL_CONTENT);
    copal_write_option(w, COPAL_OPTION_ETAG, BYTES(1, 2, 3, 4, 5, 6, 7, 8));
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 42);
    copal_write_body(w, FLOOD_BODY, flood_body, NULL);
}

void flood_open(flood_t *f, const copal_limits_t *limits)
{
    memset(f, 0, sizeof *f);
    copal_config_t config = {.service = {.handle = serve, .context = f}};
    if (limits)
        config.limits = *limits;
    bench_open(&f->b, &config);
    f->dice = random_from(3);
}

/* Addresses of the network from FLOOD_REAL on are those of real hosts, which may turn out proven. */
static bool is_forged(const copal_peer_t *peer)
{
    return peer->data[1] == 1 && peer->data[2] == 1 && peer->data[3] < (FLOOD_REAL & 255);
}

int flood_receive(flood_t *f, uint32_t peer, copal_bytes_t datagram)
{
    copal_from_t from = {.peer = peer_of(peer), .via = 7, .network = 3};
    if (is_forged(&from.peer))
        f->total.in += datagram.size;
    return bench_receive_from(&f->b, &from, datagram);
}

bool flood_take(flood_t *f)
{
    if (!bench_take(&f->b))
        return false;
    if (is_forged(&f->b.sent.to))
        f->total.out += f->b.sent.size;
    check(f->total.out <= FLOOD_BUDGET + 3 * f->total.in);
    return true;
}

bool flood_is_ping(const copal_message_t *m) { return m->type == COPAL_CON && m->code == COPAL_EMPTY; }

void flood_never_amplified(const flood_t *f)
{
    check(f->emptied > 0);
    for (uint32_t t = f->emptied + FLOOD_WINDOW + f->lag; t <= f->elapsed; t++) {
        uint64_t in = f->history[t].in - f->history[t - FLOOD_WINDOW - f->lag].in;
        check(f->history[t].out - f->history[t - FLOOD_WINDOW].out <= 3 * in);
    }
}

void flood_record(flood_t *f)
{
    f->history[++f->elapsed] = f->total;
    if (!f->emptied && copal_endpoint_counters(f->b.endpoint)->withheld)
        f->emptied = f->elapsed;
}

void flood_pass(flood_t *f)
{
    f->b.now++;
    while (flood_take(f))
        ;
    flood_record(f);
}

void flood_forge_method(flood_t *f, copal_code_t method, const char *path, const char *second, int64_t block2)
{
    message_t m;
    uint8_t token[8];
    uint32_t address = FLOOD_FORGED | random_below(&f->dice, FLOOD_REAL & 255);
    random_fill(&f->dice, token, sizeof token);
    message_start(&m, random_below(&f->dice, 2) ? COPAL_CON : COPAL_NON, method, f->id++,
                  (copal_bytes_t){token, random_below(&f->dice, 9)});
    message_text_option(&m, COPAL_OPTION_URI_PATH, path);
    if (second)
        message_text_option(&m, COPAL_OPTION_URI_PATH, second);
    if (block2 >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)block2);
    flood_receive(f, address, message_end(&m));
}

void flood_forge(flood_t *f, const char *path, const char *second, int64_t block2)
{
    flood_forge_method(f, COPAL_GET, path, second, block2);
}

void flood_observe(flood_t *f, uint32_t peer, copal_type_t type)
{
    message_t m;
    uint8_t token[4];
    random_fill(&f->dice, token, sizeof token);
    message_start(&m, type, COPAL_GET, f->id++, (copal_bytes_t){token, sizeof token});
    copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, 0);
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    flood_receive(f, peer, message_end(&m));
}

unsigned flood_take_notifications(flood_t *f, uint32_t peer)
{
    unsigned count = 0;
    copal_peer_t to = peer_of(peer);
    while (flood_take(f)) {
        const copal_message_t *m = &f->b.sent.message;
        message_t ack;
        if (!peer_equal(&f->b.sent.to, &to) || option_of(m, COPAL_OPTION_OBSERVE) < 0)
            continue;
        count++;
        if (m->type == COPAL_CON)
            flood_receive(f, peer, message_empty(&ack, COPAL_ACK, m->id));
    }
    return count;
}

bool flood_is_to(const flood_t *f, const flood_client_t *c)
{
    copal_peer_t peer = peer_of(c->address);
    return peer_equal(&f->b.sent.to, &peer);
}

void flood_ask(flood_t *f, flood_client_t *c)
{
    static const uint8_t token[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    message_t m;
    unsigned szx = 6;
    while (c->at % (16u << szx))
        szx--;
    message_start(&m, COPAL_CON, COPAL_GET, ++c->id, (copal_bytes_t){token, c->token_size});
    message_text_option(&m, COPAL_OPTION_URI_PATH, "a");
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, (uint32_t)(c->at >> (szx + 4)) << 4 | szx);
    if (c->echo_size)
        copal_write_option(&m.w, COPAL_OPTION_ECHO, (copal_bytes_t){c->echo, c->echo_size});
    c->echo_size = 0;
    flood_receive(f, c->address, message_end(&m));
    c->requests++;
}

void flood_empty(flood_t *f)
{
    while (!copal_endpoint_counters(f->b.endpoint)->withheld) {
        flood_forge(f, "a", NULL, 6);
        while (flood_take(f))
            ;
    }
    f->b.now += 1000; /* it may ping again */
}
