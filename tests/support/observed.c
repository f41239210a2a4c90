#include "support/observed.h"

#include <stdio.h>
#include <string.h>

static uint32_t slot_of(const copal_call_t *call)
{
    copal_option_t path;
    return copal_option_find(call->request, COPAL_OPTION_URI_PATH, &path) && path.value.size
               ? (uint32_t)(path.value.data[0] - 'a')
               : 0;
}

static void write_state(const observed_t *r, uint32_t slot, copal_writer_t *w)
{
    char text[16];
    snprintf(text, sizeof text, "%c%u", (char)('a' + slot), r->state[slot]);
    if (r->format)
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)r->format);
    copal_write_option_uint(w, COPAL_OPTION_ETAG, r->state[slot] + 1);
    copal_write_text(w, text);
    for (size_t i = 0; i < r->body_size; i++)
        copal_write_payload(w, (copal_bytes_t){(const uint8_t[]){body_octet(i)}, 1});
}

static void serve(void *context, copal_call_t *call)
{
    observed_t *r = context;
    uint32_t slot = slot_of(call);
    r->runs++;
    r->notifications += call->notification;
    r->method = call->request->code;
    r->queries = call->options->queries;
    r->from = *call->from;
    snprintf(r->payload, sizeof r->payload, "%.*s", (int)call->request->payload.size,
             (const char *)call->request->payload.data);
    if (r->meanwhile && call->notification)
        r->meanwhile(call);
    if (!r->unobservable)
        copal_observe(call, (copal_handle_t){slot, r->generation}, r->confirmable);
    if (!r->defer)
        write_state(r, slot, copal_reply(call, r->code));
    else
        r->defer_result = copal_defer(call, &r->later);
}

void observed_open_limited(bench_t *b, observed_t *r, const copal_limits_t *limits)
{
    *r = (observed_t){.code = COPAL_CONTENT, .generation = 1};
    copal_config_t config = {.limits = *limits, .service = {.handle = serve, .context = r}};
    bench_open(b, &config);
}

void observed_open(bench_t *b, observed_t *r) { observed_open_limited(b, r, &(copal_limits_t){0}); }

void observed_change(bench_t *b, observed_t *r, uint32_t slot)
{
    r->state[slot]++;
    copal_notify(b->endpoint, b->now, slot);
}

int observed_answer(bench_t *b, observed_t *r, uint32_t slot)
{
    copal_writer_t *w;
    int error = copal_later_begin(b->endpoint, r->later, r->code, &w);
    if (error)
        return error;
    write_state(r, slot, w);
    return copal_later_commit(b->endpoint, b->now, r->later);
}

void (observed_receive)(bench_t *b, uint32_t peer, copal_bytes_t datagram)
{
    copal_from_t from = {.peer = peer_of(peer & ~PROVEN), .via = 7, .proven = peer & PROVEN};
    check_equal(bench_receive_from(b, &from, datagram), 0);
}

void observed_ask(bench_t *b, uint32_t peer, int observe, uint16_t id, copal_bytes_t token, const char *path)
{
    message_t m;
    message_start(&m, COPAL_CON, COPAL_GET, id, token);
    if (observe >= 0)
        copal_write_option_uint(&m.w, COPAL_OPTION_OBSERVE, (uint32_t)observe);
    message_text_option(&m, COPAL_OPTION_URI_PATH, path);
    (observed_receive)(b, peer, (message_end)(&m));
}

const copal_message_t *(observed_get)(bench_t *b, uint32_t peer, int observe, uint16_t id, copal_bytes_t token,
                                      const char *path)
{
    observed_ask(b, peer, observe, id, token, path);
    const copal_message_t *answer = (bench_sent)(b);
    check_equal(answer->type, COPAL_ACK);
    check_equal(answer->id, id);
    return answer;
}

int64_t (observed_register)(bench_t *b, uint32_t peer)
{
    const copal_message_t *answer = (observed_get)(b, peer, 0, 100, BYTES(1), "a");
    check_equal(answer->code, COPAL_CONTENT);
    int64_t number = option_of(answer, COPAL_OPTION_OBSERVE);
    check(number >= 0);
    return number;
}

bool observed_is_newer(int64_t a, int64_t than) { return ((a - than) & 0xffffff) < 0x800000 && a != than; }

void (observed_text)(const copal_message_t *m, const char *text) { check_bytes(m->payload, copal_text(text)); }

const copal_message_t *(observed_told)(bench_t *b, copal_type_t type, copal_bytes_t token, const char *text)
{
    const copal_message_t *m = (bench_sent)(b);
    check_equal(m->type, type);
    check_equal(m->code, COPAL_CONTENT);
    check_bytes(m->token, token);
    check(option_of(m, COPAL_OPTION_OBSERVE) >= 0);
    (observed_text)(m, text);
    return m;
}

void observed_settle(bench_t *b, uint32_t peer, copal_type_t type)
{
    uint16_t id = b->sent.message.id;
    bench_receive(b, peer & ~PROVEN, BYTES((uint8_t)(0x40 | type << 4), 0, (uint8_t)(id >> 8), (uint8_t)id));
}
